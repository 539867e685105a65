// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a terminal says of itself (adms_info.h).
#include "adms_info.h"

#include <string.h>
#include <strings.h>

#include "text.h"

enum {
	CAPACITY_UNIT = 10000, ///< in which ~MaxAttLogCount counts
	CAPACITY_SMALL = 1000, ///< a larger number is no count of such units
	COUNT_MOST = 1000000000,
};

struct span {
	const char *at;
	size_t length;
};

void sp_adms_info_clear(struct sp_adms_info *info)
{
	*info = (struct sp_adms_info){.records = -1, .capacity = -1, .users = -1};
}

static void count(int64_t *out, struct span value)
{
	int64_t number;
	if (sp_kiosk_integer(value.at, value.length, 0, COUNT_MOST, &number) == 0)
		*out = number;
}

static void words(char out[SP_ADMS_TEXT], struct span value)
{
	if (value.length > 0)
		sp_kiosk_text(out, SP_ADMS_TEXT, value.at, value.length);
}

static struct span next(const char **rest, size_t *left, const char *separators)
{
	struct span part = {*rest, 0};
	while (part.length < *left && !strchr(separators, part.at[part.length]))
		part.length++;
	size_t step = part.length < *left ? part.length + 1 : part.length;
	*rest += step;
	*left -= step;
	return part;
}

void sp_adms_info_positional(struct sp_adms_info *info, const char *text)
{
	size_t left = strlen(text);
	for (unsigned position = 0; position < 4 && left > 0; position++) {
		struct span value = next(&text, &left, ",");
		if (position == 0)
			words(info->firmware, value);
		else if (position == 1)
			count(&info->users, value);
		else if (position == 3)
			count(&info->records, value);
	}
}

static bool is(struct span name, const char *word)
{
	return strlen(word) == name.length && strncasecmp(name.at, word, name.length) == 0;
}

static void describe(struct sp_adms_info *info, struct span name, struct span value)
{
	if (name.length > 0 && *name.at == '~')
		name = (struct span){name.at + 1, name.length - 1};
	if (is(name, "FWVersion") || is(name, "FirmVer"))
		words(info->firmware, value);
	else if (is(name, "DeviceName"))
		words(info->model, value);
	else if (is(name, "UserCount"))
		count(&info->users, value);
	else if (is(name, "TransactionCount"))
		count(&info->records, value);
	else if (is(name, "MaxAttLogCount")) {
		count(&info->capacity, value);
		if (info->capacity > 0 && info->capacity <= CAPACITY_SMALL)
			info->capacity *= CAPACITY_UNIT;
	}
}

static void outcome(struct sp_adms_result *result, struct span name, struct span value)
{
	int64_t number;
	if (is(name, "Return") &&
	    sp_kiosk_integer(value.at, value.length, -COUNT_MOST, COUNT_MOST, &number) == 0)
		result->result = number;
	else if (is(name, "AttlogSum") || is(name, "AttlogCount"))
		count(&result->sum, value);
}

static bool trimmed(struct span part, struct span *name, struct span *value)
{
	const char *equals = memchr(part.at, '=', part.length);
	if (!equals)
		return false;
	*name = (struct span){part.at, (size_t)(equals - part.at)};
	*value = (struct span){equals + 1, part.length - name->length - 1};
	while (name->length > 0 && *name->at == ' ')
		*name = (struct span){name->at + 1, name->length - 1};
	while (value->length > 0 && value->at[value->length - 1] == ' ')
		value->length--;
	return true;
}

size_t sp_adms_info_pairs(struct sp_adms_info *info, const char *text, size_t length,
			  void (*result)(const struct sp_adms_result *result, void *arg), void *arg)
{
	static const struct sp_adms_result none = {.result = INT64_MIN, .sum = -1};
	struct sp_adms_result open = none;
	bool opened = false;
	size_t results = 0;
	while (length > 0) {
		struct span name, value, part = next(&text, &length, "&,\r\n\t");
		int64_t id;
		if (!trimmed(part, &name, &value))
			continue;
		if (is(name, "ID")) {
			if (opened)
				result(&open, arg);
			open = none;
			opened = sp_kiosk_integer(value.at, value.length, 0, UINT32_MAX, &id) == 0;
			open.id = opened ? (unsigned)id : 0;
			results += opened;
			continue;
		}
		describe(info, name, value);
		outcome(&open, name, value);
	}
	if (opened)
		result(&open, arg);
	return results;
}
