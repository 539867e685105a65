// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Members of JSON objects (member.h).
#include "agent/base/member.h"

#include <math.h>

const cJSON *sp_member(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

const char *sp_member_text(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(sp_member(json, name));
	return text ? text : "";
}

double sp_member_number(const cJSON *json, const char *name)
{
	const cJSON *item = sp_member(json, name);
	return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

bool sp_member_true(const cJSON *json, const char *name)
{
	return cJSON_IsTrue(sp_member(json, name));
}
