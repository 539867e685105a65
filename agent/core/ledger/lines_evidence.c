// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What stood behind an outage: taken when its headline was decided, kept across restarts, and told once more
// when it closes, since by then every rung answers again.
#include "agent/core/ledger/lines_evidence.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_MAX = 160, REASON_MAX = 40, HOST_MAX = 128 };

static void add_text(cJSON *json, const char *name, const char *text)
{
	if (text)
		cJSON_AddStringToObject(json, name, text);
}

static cJSON *evidence_now(const struct sp_line *line)
{
	struct sp_evidence evidence[SP_EVIDENCE_MAX];
	cJSON *list = cJSON_CreateArray();
	size_t count = sp_ledger_evidence(line->ledger, sp_loop_now_us(line->lines->config.loop), evidence);
	for (size_t i = 0; i < count; i++) {
		const struct sp_evidence *it = &evidence[i];
		cJSON *item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "rung", sp_rung_name(it->rung));
		cJSON_AddStringToObject(item, "family", sp_family_name(it->family));
		cJSON_AddStringToObject(item, "status", sp_rung_status_name(it->status));
		add_text(item, "detail", it->detail);
		if (it->rtt_us >= 0)
			cJSON_AddNumberToObject(item, "rtt_seconds", (double)it->rtt_us / 1e6);
		add_text(item, "reason", it->reason);
		add_text(item, "host", it->host);
		cJSON_AddItemToArray(list, item);
	}
	return list;
}

static const char *text_of(const cJSON *item, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, name));
}

static struct sp_field text_field(const cJSON *item, const char *name)
{
	const char *text = text_of(item, name);
	return text ? SP_TEXT(name, text) : SP_NULL(name);
}

void sp_evidence_fields(const cJSON *list, struct sp_evidence_fields *out)
{
	const cJSON *item;
	out->count = 0;
	cJSON_ArrayForEach(item, list)
	{
		if (out->count == SP_EVIDENCE_MAX)
			return;
		const cJSON *rtt = cJSON_GetObjectItemCaseSensitive(item, "rtt_seconds");
		struct sp_field *members = out->members[out->count];
		members[0] = text_field(item, "rung");
		members[1] = text_field(item, "family");
		members[2] = text_field(item, "status");
		members[3] = text_field(item, "detail");
		members[4] =
		    cJSON_IsNumber(rtt) ? SP_REAL("rtt_seconds", rtt->valuedouble) : SP_NULL("rtt_seconds");
		members[5] = text_field(item, "reason");
		members[6] = text_field(item, "host");
		out->items[out->count++] = SP_OBJECT("", members, 7);
	}
}

// ---- kept ------------------------------------------------------------------------------------------

static void forget(struct sp_line *line)
{
	cJSON_Delete(line->evidence);
	line->evidence = NULL;
}

const cJSON *sp_line_evidence(struct sp_line *line, const struct sp_outage *outage,
			      enum sp_outage_phase phase)
{
	bool same =
	    line->evidence && line->evidence_cause == outage->cause && line->evidence_state == outage->state;
	if (same || (line->evidence && phase == SP_OUTAGE_CLOSE))
		return line->evidence;
	forget(line);
	line->evidence = evidence_now(line);
	line->evidence_cause = outage->cause;
	line->evidence_state = outage->state;
	char *text = phase == SP_OUTAGE_CLOSE ? NULL : cJSON_PrintUnformatted(line->evidence);
	bool fits = text && strlen(text) < SP_LINES_SAVED_MAX;
	// None is better than an older headline's.
	if (phase != SP_OUTAGE_CLOSE)
		sp_line_put(line, "evidence", fits ? text : NULL);
	cJSON_free(text);
	return line->evidence;
}

void sp_line_evidence_closed(struct sp_line *line)
{
	size_t at = (line->closed - 1) % SP_LINES_HISTORY;
	cJSON_Delete(line->past_evidence[at]);
	line->past_evidence[at] = line->evidence;
	line->evidence = NULL;
	// As many as fit into what the journal keeps, the latest.
	if (line->closed > SP_LINES_EVIDENCE) {
		size_t old = (line->closed - 1 - SP_LINES_EVIDENCE) % SP_LINES_HISTORY;
		cJSON_Delete(line->past_evidence[old]);
		line->past_evidence[old] = NULL;
	}
	sp_line_put(line, "evidence", NULL);
}

void sp_line_evidence_free(struct sp_line *line)
{
	forget(line);
	for (size_t i = 0; i < SP_LINES_HISTORY; i++)
		cJSON_Delete(line->past_evidence[i]);
}

// ---- from the card, which may be another's -------------------------------------------------------------

static bool short_text(const cJSON *item, const char *name, size_t most)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(item, name);
	return !member || (cJSON_IsString(member) && strlen(member->valuestring) <= most);
}

static bool one_of(const cJSON *item, const char *name, int count, const char *(*word)(int))
{
	const char *text = text_of(item, name);
	for (int i = 0; text && i < count; i++)
		if (strcmp(word(i), text) == 0)
			return true;
	return false;
}

static const char *rung_word(int value)
{
	return sp_rung_name((enum sp_rung)value);
}

static const char *family_word(int value)
{
	return sp_family_name((enum sp_family)value);
}

static const char *status_word(int value)
{
	return sp_rung_status_name((enum sp_rung_status)value);
}

static bool good(const cJSON *list)
{
	const cJSON *item;
	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > SP_EVIDENCE_MAX)
		return false;
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *rtt = cJSON_GetObjectItemCaseSensitive(item, "rtt_seconds");
		if (!one_of(item, "rung", SP_RUNGS, rung_word) ||
		    !one_of(item, "family", SP_FAMILIES, family_word) ||
		    !one_of(item, "status", SP_RUNG_WRONG + 1, status_word) ||
		    !short_text(item, "detail", DETAIL_MAX) || !short_text(item, "reason", REASON_MAX) ||
		    !short_text(item, "host", HOST_MAX) ||
		    (cJSON_IsNumber(rtt) && !(rtt->valuedouble >= 0 && rtt->valuedouble < 1e6)))
			return false;
	}
	return true;
}

cJSON *sp_evidence_checked(const cJSON *list)
{
	return good(list) ? cJSON_Duplicate(list, true) : NULL;
}

void sp_line_load_evidence(struct sp_line *line)
{
	const struct sp_outage *outage = sp_ledger_outage(line->ledger);
	char *text = outage ? sp_line_get(line, "evidence") : NULL;
	cJSON *list = text ? cJSON_Parse(text) : NULL;
	if (outage && good(list)) {
		line->evidence = list;
		line->evidence_cause = outage->cause;
		line->evidence_state = outage->state;
		list = NULL;
	}
	cJSON_Delete(list);
	free(text);
}
