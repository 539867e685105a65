// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading the types of include/schoolpulse/feed/README.md, "Records".
#include "tools/hub/facts/fact.h"

#include <math.h>
#include <string.h>

#include "tools/hub/facts/fact_json.h"

static const char *const states[SP_LINE_STATES] = {"unknown", "up", "degraded", "down"};
static const char *const phases[SP_OUTAGE_PHASES] = {"open", "update", "close"};

const char *sp_line_state_name(enum sp_line_state state)
{
	return states[state];
}

const char *sp_outage_phase_name(enum sp_outage_phase phase)
{
	return phases[phase];
}

bool sp_fact_known_type(const char *type)
{
	static const char *const types[] = {
	    "opened",    "boot",   "stop",        "clock",      "device",          "carrier",
	    "gateway",   "line",   "outage",      "dropped",    "storage",         "egress",
	    "budget",    "minute", "samples",     "punch",      "speedtest",       "command",
	    "forgotten", "kiosk",  "kiosk_total", "attendance", "subject_request", "key_backup"};
	for (size_t i = 0; i < SP_COUNT(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

static bool state(const cJSON *object, const char *name, enum sp_line_state *out)
{
	int index = SP_LINE_UNKNOWN;
	bool found = sp_fact_one_of(object, name, states, SP_LINE_STATES, &index);
	*out = (enum sp_line_state)index;
	return found;
}

static bool stream(const cJSON *object, const char *name, char out[SP_ID_LENGTH + 1])
{
	const cJSON *item = sp_fact_member(object, name);
	if (!cJSON_IsString(item) || strlen(item->valuestring) != SP_ID_LENGTH ||
	    strspn(item->valuestring, "abcdefghijklmnopqrstuvwxyz234567") != SP_ID_LENGTH)
		return false;
	memcpy(out, item->valuestring, SP_ID_LENGTH + 1);
	return true;
}

static bool opened(struct sp_fact_opened *out, const cJSON *root)
{
	const cJSON *prev = sp_fact_member(root, "prev");
	out->set_aside = cJSON_IsTrue(sp_fact_member(root, "set_aside"));
	out->has_prev = cJSON_IsObject(prev);
	if (!out->has_prev)
		return cJSON_IsNull(prev);
	return stream(prev, "stream", out->prev) && sp_fact_integer(prev, "last", 0, &out->prev_last);
}

bool sp_fact_opened(struct sp_fact_opened *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_opened){0};
	bool good = root && opened(out, root);
	cJSON_Delete(root);
	return good;
}

static bool record_class(const cJSON *root, enum sp_record_class *out)
{
	static const char *const classes[SP_RECORD_CLASSES] = {"facts", "attendance", "bulk"};
	int index = 0;
	bool found = sp_fact_one_of(root, "class", classes, SP_RECORD_CLASSES, &index);
	*out = (enum sp_record_class)index;
	return found;
}

static bool dropped(struct sp_fact_dropped *out, const cJSON *root)
{
	sp_fact_word(root, "reason", out->reason);
	if (!record_class(root, &out->cls))
		return false;
	if (!sp_fact_member(root, "stream"))
		return sp_fact_integer(root, "count", 1, &out->count);
	return stream(root, "stream", out->stream) && sp_fact_integer(root, "from", 1, &out->from) &&
	       sp_fact_integer(root, "to", out->from, &out->to);
}

bool sp_fact_dropped(struct sp_fact_dropped *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_dropped){0};
	bool good = dropped(out, root);
	cJSON_Delete(root);
	return good;
}

bool sp_fact_line(struct sp_fact_line *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_line){0};
	bool good = state(root, "state", &out->state);
	state(root, "ipv4", &out->ipv4);
	state(root, "ipv6", &out->ipv6);
	sp_fact_word(root, "cause", out->cause);
	sp_fact_word(root, "whose", out->whose);
	out->since_mono_us = -1;
	(void)sp_fact_integer(root, "since_mono_us", 0, &out->since_mono_us);
	cJSON_Delete(root);
	return good;
}

/// In milliseconds, rounded up; 0 without one.
static int64_t uncertainty(const cJSON *root, const char *name)
{
	const cJSON *item = sp_fact_member(root, name);
	bool good = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 1e9;
	return good ? (int64_t)ceil(item->valuedouble * 1000) : 0;
}

static void outage_times(struct sp_fact_outage *out, const cJSON *root)
{
	const cJSON *boot = sp_fact_member(root, "start_boot");
	out->start_mono_us = out->start_t_ms = out->end_mono_us = out->end_t_ms = -1;
	(void)sp_fact_integer(root, "start_mono_us", 0, &out->start_mono_us);
	(void)sp_fact_integer(root, "start_t_ms", 0, &out->start_t_ms);
	(void)sp_fact_integer(root, "end_mono_us", 0, &out->end_mono_us);
	(void)sp_fact_integer(root, "end_t_ms", 0, &out->end_t_ms);
	out->start_uncertainty_ms = uncertainty(root, "start_uncertainty_seconds");
	out->end_uncertainty_ms = uncertainty(root, "end_uncertainty_seconds");
	if (cJSON_IsString(boot) && strlen(boot->valuestring) <= SP_FEED_BOOT_LENGTH)
		strcpy(out->start_boot, boot->valuestring);
}

static bool outage(struct sp_fact_outage *out, const cJSON *root)
{
	const cJSON *id = sp_fact_member(root, "outage"), *evidence = sp_fact_member(root, "evidence"),
		    *parts = sp_fact_member(root, "parts");
	int phase;
	if (!cJSON_IsString(id) || !id->valuestring[0] || strlen(id->valuestring) >= sizeof(out->id) ||
	    !sp_fact_one_of(root, "phase", phases, SP_OUTAGE_PHASES, &phase))
		return false;
	strcpy(out->id, id->valuestring);
	out->phase = (enum sp_outage_phase)phase;
	state(root, "state", &out->state);
	sp_fact_word(root, "cause", out->cause);
	sp_fact_word(root, "whose", out->whose);
	outage_times(out, root);
	if (cJSON_IsArray(evidence))
		out->evidence = cJSON_PrintUnformatted(evidence);
	if (cJSON_IsArray(parts))
		out->parts = cJSON_PrintUnformatted(parts);
	return true;
}

bool sp_fact_outage(struct sp_fact_outage *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_outage){0};
	bool good = outage(out, root);
	cJSON_Delete(root);
	return good;
}

static bool boot(struct sp_fact_boot *out, const cJSON *root)
{
	const cJSON *item = sp_fact_member(root, "uncertainty_seconds"),
		    *previous = sp_fact_member(root, "previous_boot");
	out->start_mono_us = out->start_t_ms = out->uncertainty_ms = -1;
	sp_fact_word(root, "reason", out->reason);
	(void)sp_fact_integer(root, "silence_start_mono_us", 0, &out->start_mono_us);
	(void)sp_fact_integer(root, "silence_start_t_ms", 0, &out->start_t_ms);
	if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 1e9)
		out->uncertainty_ms = (int64_t)ceil(item->valuedouble * 1000);
	if (cJSON_IsString(previous) && strlen(previous->valuestring) == SP_FEED_BOOT_LENGTH)
		strcpy(out->previous_boot, previous->valuestring);
	sp_fact_text(root, "evidence", out->evidence, sizeof(out->evidence));
	return out->reason[0] != '\0';
}

bool sp_fact_boot(struct sp_fact_boot *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_boot){.reason = ""};
	bool good = boot(out, root);
	cJSON_Delete(root);
	return good;
}

bool sp_fact_device(struct sp_fact_device *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_device){0};
	char cls[SP_WORD_MAX + 1];
	bool good = state(root, "state", &out->state);
	sp_fact_word(root, "class", cls);
	out->kiosk = strcmp(cls, "kiosk") == 0;
	sp_fact_text(root, "driver", out->driver, sizeof(out->driver));
	sp_fact_text(root, "text", out->text, sizeof(out->text));
	sp_fact_word(root, "reason", out->reason);
	cJSON_Delete(root);
	return good;
}

/// Lists and long objects would fill the screen: their size stands for them.
static void summarise(struct sp_buf *out, const cJSON *item)
{
	enum { LONG = 80 };
	char *value = cJSON_PrintUnformatted(item);
	if (cJSON_IsString(item))
		sp_buf_text(out, item->valuestring);
	else if (value && (cJSON_IsArray(item) || strlen(value) > LONG))
		sp_buf_printf(out, "(%d)", cJSON_GetArraySize(item));
	else if (value)
		sp_buf_text(out, value);
	cJSON_free(value);
}

void sp_fact_summary(struct sp_buf *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	const cJSON *item;
	const char *gap = "";
	cJSON_ArrayForEach(item, root)
	{
		if (cJSON_IsNull(item))
			continue;
		sp_buf_printf(out, "%s%s=", gap, item->string);
		summarise(out, item);
		gap = " ";
	}
	cJSON_Delete(root);
}

bool sp_fact_egress(struct sp_fact_egress *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	char egress[SP_WORD_MAX + 1] = "";
	*out = (struct sp_fact_egress){0};
	bool good = cJSON_IsObject(root);
	if (good) {
		sp_fact_word(root, "egress", egress);
		sp_fact_text(root, "hop", out->hop, sizeof(out->hop));
		out->own = strcmp(egress, "own") == 0;
	}
	cJSON_Delete(root);
	return good;
}
