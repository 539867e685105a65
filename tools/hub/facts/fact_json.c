// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Members of a record, read one by one: bounded, finite, or not there.
#include "tools/hub/facts/fact_json.h"

#include <math.h>
#include <string.h>

#include "agent/base/utf8.h"

const cJSON *sp_fact_member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

bool sp_fact_integer(const cJSON *object, const char *name, int64_t min, int64_t *out)
{
	const cJSON *item = sp_fact_member(object, name);
	if (!cJSON_IsNumber(item) || fabs(item->valuedouble) > 9007199254740991.0 ||
	    item->valuedouble < (double)min)
		return false;
	*out = (int64_t)item->valuedouble;
	return true;
}

void sp_fact_word(const cJSON *object, const char *name, char out[SP_WORD_MAX + 1])
{
	const cJSON *item = sp_fact_member(object, name);
	const char *text = cJSON_IsString(item) ? item->valuestring : "";
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (text[length] || length > SP_WORD_MAX)
		length = 0;
	memcpy(out, text, length);
	out[length] = '\0';
}

void sp_fact_text(const cJSON *object, const char *name, char *out, size_t size)
{
	const cJSON *item = sp_fact_member(object, name);
	const char *text = cJSON_IsString(item) ? item->valuestring : "";
	size_t length = sp_utf8_clip(text, strlen(text), size - 1);
	memcpy(out, text, length);
	out[length] = '\0';
}

bool sp_fact_one_of(const cJSON *object, const char *name, const char *const *words, size_t count, int *out)
{
	const cJSON *item = sp_fact_member(object, name);
	for (size_t i = 0; cJSON_IsString(item) && i < count; i++) {
		if (strcmp(words[i], item->valuestring) == 0) {
			*out = (int)i;
			return true;
		}
	}
	return false;
}

bool sp_fact_real(const cJSON *object, const char *name, double max, double *out)
{
	const cJSON *item = sp_fact_member(object, name);
	// Written so that what is no number at all fails, too.
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= max))
		return false;
	*out = item->valuedouble;
	return true;
}
