// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The parser of local requests.
#include "agent/core/control_request.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/core/attendance/number.h"

enum { WHY = 160 };

static const char *const commands[SP_CONTROL_COMMANDS] = {
    [SP_CONTROL_STATUS] = "status",
    [SP_CONTROL_OUTAGES] = "outages",
    [SP_CONTROL_DRIVERS] = "drivers",
    [SP_CONTROL_BUDGET] = "budget",
    [SP_CONTROL_KIOSKS] = "kiosks",
    [SP_CONTROL_SPEEDTEST] = "speedtest",
    [SP_CONTROL_SPEEDTESTS] = "speedtests",
    [SP_CONTROL_EXPORT] = "export",
    [SP_CONTROL_FORGET] = "forget",
    [SP_CONTROL_REMEMBER] = "remember",
    [SP_CONTROL_KEYS] = "keys",
    [SP_CONTROL_KEYS_CODE] = "keys_code",
    [SP_CONTROL_KEYS_RESTORE] = "keys_restore",
};

static int parse_command(struct sp_control_request *out, const char *word, char *why)
{
	for (size_t i = 0; i < SP_COUNT(commands); i++) {
		if (strcmp(commands[i], word) == 0) {
			out->command = (enum sp_control_command)i;
			return 0;
		}
	}
	const char *meant = strlen(word) <= SP_CONTROL_NAME_MAX
				? sp_config_suggest(word, commands, SP_COUNT(commands))
				: NULL;
	snprintf(why, WHY, "unknown command%s%s%s", meant ? "; did you mean \"" : "", meant ? meant : "",
		 meant ? "\"?" : "");
	return -EINVAL;
}

/// An absent member is "".
static int parse_text(const cJSON *json, const char *member, char out[SP_CONTROL_NAME_MAX + 1], char *why)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, member);
	const char *text = cJSON_GetStringValue(item);
	if (item && (!text || strlen(text) > SP_CONTROL_NAME_MAX)) {
		snprintf(why, WHY, "\"%s\" must be a text of at most %d bytes", member, SP_CONTROL_NAME_MAX);
		return -EINVAL;
	}
	strcpy(out, text ? text : "");
	return 0;
}

static int parse_speedtest(struct sp_control_request *out, const cJSON *json, char *why)
{
	static const char *const words[] = {
	    [SP_CONTROL_BOTH] = "", [SP_CONTROL_DOWN] = "down", [SP_CONTROL_UP] = "up"};
	char direction[SP_CONTROL_NAME_MAX + 1];
	if (parse_text(json, "line", out->line, why) || parse_text(json, "direction", direction, why))
		return -EINVAL;
	out->force = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "force"));
	for (size_t i = 0; i < SP_COUNT(words); i++) {
		if (strcmp(words[i], direction) != 0)
			continue;
		out->direction = (enum sp_control_direction)i;
		return 0;
	}
	snprintf(why, WHY, "\"direction\" is \"down\" or \"up\"");
	return -EINVAL;
}

/// A text that must be there, and is wiped in the tree.
static int take_secret(const cJSON *json, const char *member, char *out, size_t size, char *why)
{
	char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, member));
	size_t length = text ? strlen(text) : 0;
	if (length == 0 || length >= size) {
		snprintf(why, WHY, "\"%s\" must be a text of 1 to %zu bytes", member, size - 1);
		return -EINVAL;
	}
	memcpy(out, text, length + 1);
	explicit_bzero(text, length);
	return 0;
}

static int parse_person(struct sp_control_request *out, const cJSON *json, char *why)
{
	char kind[SP_CONTROL_NAME_MAX + 1];
	if (parse_text(json, "kind", kind, why))
		return -EINVAL;
	if (!sp_number_kind(kind, &out->kind)) {
		snprintf(why, WHY, "\"kind\" is \"pin\", \"card\", \"code\" or \"other\"");
		return -EINVAL;
	}
	out->once = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "once"));
	return take_secret(json, "person", out->person, sizeof(out->person), why);
}

static int parse_key(struct sp_control_request *out, const cJSON *json, char *why)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "key"));
	if (!text || strlen(text) != 2 * SP_CONTROL_KEY ||
	    strspn(text, "0123456789abcdef") != 2 * SP_CONTROL_KEY) {
		snprintf(why, WHY, "\"key\" must be 64 hexadecimal digits");
		return -EINVAL;
	}
	for (size_t i = 0; i < SP_CONTROL_KEY; i++) {
		char high = text[2 * i], low = text[2 * i + 1];
		unsigned byte = (unsigned)(high <= '9' ? high - '0' : high - 'a' + 10) << 4 |
				(unsigned)(low <= '9' ? low - '0' : low - 'a' + 10);
		out->key[i] = (uint8_t)byte;
	}
	return 0;
}

static int parse_restore(struct sp_control_request *out, const cJSON *json, char *why)
{
	int result = take_secret(json, "code", out->code, sizeof(out->code), why);
	return result ? result : take_secret(json, "blob", out->blob, sizeof(out->blob), why);
}

static int parse_rest(struct sp_control_request *out, const cJSON *json, char *why)
{
	switch (out->command) {
	case SP_CONTROL_SPEEDTEST:
		return parse_speedtest(out, json, why);
	case SP_CONTROL_EXPORT:
	case SP_CONTROL_FORGET:
	case SP_CONTROL_REMEMBER:
		return parse_person(out, json, why);
	case SP_CONTROL_KEYS_CODE:
		return parse_key(out, json, why);
	case SP_CONTROL_KEYS_RESTORE:
		return parse_restore(out, json, why);
	case SP_CONTROL_STATUS:
	case SP_CONTROL_OUTAGES:
	case SP_CONTROL_DRIVERS:
	case SP_CONTROL_BUDGET:
	case SP_CONTROL_KIOSKS:
	case SP_CONTROL_SPEEDTESTS:
	case SP_CONTROL_KEYS:
		return 0;
	}
	return 0;
}

static int parse_object(struct sp_control_request *out, const cJSON *json, char *why)
{
	const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "cmd"));
	if (!word) {
		snprintf(why, WHY, "a request is an object with a member \"cmd\"");
		return -EINVAL;
	}
	if (parse_text(json, "name", out->name, why) || parse_command(out, word, why))
		return -EINVAL;
	return parse_rest(out, json, why);
}

int sp_control_parse(struct sp_control_request *out, const char *line, size_t length, char why[160])
{
	*out = (struct sp_control_request){0};
	if (length > SP_CONTROL_REQUEST_MAX) {
		snprintf(why, WHY, "a request is at most %d bytes", SP_CONTROL_REQUEST_MAX);
		return -EINVAL;
	}
	cJSON *json = cJSON_ParseWithLength(line, length);
	int result = -EINVAL;
	if (!cJSON_IsObject(json))
		snprintf(why, WHY, "not a JSON object");
	else
		result = parse_object(out, json, why);
	cJSON_Delete(json);
	return result;
}
