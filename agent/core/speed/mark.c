// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The test that runs is kept on the card, so that one in which the power went is a record, too.
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/member.h"
#include "agent/base/feed_json.h"
#include "agent/core/speed/priv.h"
#include "agent/core/speed/record.h"
#include "schoolpulse/log.h"

static const char key[] = "speed.test";

void sp_speed_mark(const struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	struct sp_field fields[] = {
	    SP_TEXT("test", job->test),
	    SP_TEXT("device", job->entry->device->name),
	    SP_TEXT("line", job->place->line.name),
	    SP_TEXT("method", job->entry->device->driver->name),
	    SP_TEXT("scope", job->entry->device->scope),
	    SP_INT("trigger", job->request.trigger),
	    SP_BOOL("down", job->request.wanted[SP_SPEED_DOWN]),
	    SP_BOOL("up", job->request.wanted[SP_SPEED_UP]),
	};
	struct sp_buf text = SP_BUF(4096);
	sp_buf_text(&text, "{");
	int result = sp_json_members(&text, fields, SP_COUNT(fields));
	sp_buf_text(&text, "}");
	if (!result && !text.overflowed)
		hooks->put(hooks->arg, key, text.data);
	sp_buf_free(&text);
}

void sp_speed_unmark(const struct sp_speed_run *run)
{
	run->config.hooks->put(run->config.hooks->arg, key, NULL);
}

static bool is_method(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return length > 0 && length <= SP_SPEED_WORD_MAX && !text[length];
}

static void record(const struct sp_speed_run *run, const cJSON *json)
{
	double trigger = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, "trigger"));
	bool first = true;
	if (strlen(sp_member_text(json, "test")) != SP_ID_LENGTH || !sp_member_text(json, "device")[0] ||
	    !sp_member_text(json, "line")[0] || !is_method(sp_member_text(json, "method")) ||
	    !(trigger >= 0) || trigger > SP_SPEED_BY_COMMAND) {
		sp_warning("speed", "what the journal kept of a test is not readable");
		return;
	}
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		const char *name = sp_speed_direction_name((enum sp_speed_direction)i);
		if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, name)))
			continue;
		struct sp_speed_fact fact = {
		    .test = sp_member_text(json, "test"),
		    .device = sp_member_text(json, "device"),
		    .line = sp_member_text(json, "line"),
		    .method = sp_member_text(json, "method"),
		    .scope = sp_member_text(json, "scope"),
		    .direction = (enum sp_speed_direction)i,
		    .trigger = (enum sp_speed_trigger)(int)trigger,
		    .verdict = {SP_SPEED_IS_FAILED, "child"},
		    .text = "the agent or the board went down in the middle of it",
		    .first = first,
		    .wire_bytes = -1,
		    .interface = "",
		    .cpu_ratio = NAN,
		    .start_us = -1,
		};
		first = false;
		sp_speed_record(run->config.recorder, &fact);
	}
}

void sp_speed_mark_look(const struct sp_speed_run *run)
{
	const struct sp_speed_hooks *hooks = run->config.hooks;
	char *text = hooks->get(hooks->arg, key);
	if (!text)
		return;
	cJSON *json = sp_json_valid(text, strlen(text)) ? cJSON_Parse(text) : NULL;
	record(run, json);
	cJSON_Delete(json);
	free(text);
	sp_speed_unmark(run);
}
