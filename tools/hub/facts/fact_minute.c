// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reads minute records.
#include "tools/hub/facts/fact_minute.h"

#include "tools/hub/facts/fact_json.h"

enum { PROBES_MAX = 1000000 }; ///< of one record: an hour's on a frugal line is a few thousand

/// [count, mean]
static struct sp_minute_probes probes(const cJSON *losses, const char *scope)
{
	const cJSON *list = losses ? sp_fact_member(losses, scope) : NULL;
	const cJSON *count = cJSON_IsArray(list) ? cJSON_GetArrayItem(list, 0) : NULL;
	const cJSON *mean = count ? cJSON_GetArrayItem(list, 1) : NULL;
	if (!cJSON_IsNumber(count) || !cJSON_IsNumber(mean) || !(count->valuedouble >= 0) ||
	    count->valuedouble > PROBES_MAX || !(mean->valuedouble >= 0) || mean->valuedouble > 1)
		return (struct sp_minute_probes){0};
	int64_t sent = (int64_t)count->valuedouble;
	return (struct sp_minute_probes){sent, (int64_t)((double)sent * mean->valuedouble + 0.5)};
}

bool sp_fact_minute(struct sp_fact_minute *out, const char *data)
{
	cJSON *object = cJSON_Parse(data);
	const cJSON *losses = cJSON_IsObject(object) ? sp_fact_member(object, "loss_ratio") : NULL;
	bool good = cJSON_IsObject(object);
	*out = (struct sp_fact_minute){probes(losses, "domestic"), probes(losses, "service")};
	cJSON_Delete(object);
	return good;
}
