// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The parser of local requests.
#include "agent/core/control_request.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/config.h"

enum { WHY = 160 };

static const char *const commands[SP_CONTROL_COMMANDS] = {
    [SP_CONTROL_STATUS] = "status",
    [SP_CONTROL_OUTAGES] = "outages",
    [SP_CONTROL_DRIVERS] = "drivers",
    [SP_CONTROL_BUDGET] = "budget",
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

static int parse_object(struct sp_control_request *out, const cJSON *json, char *why)
{
	const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "cmd"));
	if (!word) {
		snprintf(why, WHY, "a request is an object with a member \"cmd\"");
		return -EINVAL;
	}
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
	const char *text = cJSON_GetStringValue(name);
	if (name && (!text || strlen(text) > SP_CONTROL_NAME_MAX)) {
		snprintf(why, WHY, "\"name\" must be a text of at most %d bytes", SP_CONTROL_NAME_MAX);
		return -EINVAL;
	}
	if (text)
		strcpy(out->name, text);
	return parse_command(out, word, why);
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
