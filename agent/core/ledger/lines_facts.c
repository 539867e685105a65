// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Carries out what the ledgers say: facts, durable state, a burst when things got better.
#include "agent/core/ledger/lines_evidence.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "schoolpulse/log.h"

static struct sp_field family_field(const struct sp_line_view *view, enum sp_family family)
{
	const char *name = sp_family_name(family);
	return view->offered[family] ? SP_TEXT(name, sp_line_state_name(view->family[family]))
				     : SP_NULL(name);
}

/// Below 0: not known.
static struct sp_field seconds_field(const char *name, double seconds)
{
	return seconds >= 0 ? SP_REAL(name, seconds) : SP_NULL(name);
}

static void on_line(void *arg, const struct sp_line_view *view)
{
	struct sp_line *line = arg;
	struct sp_field fields[] = {
	    SP_TEXT("state", sp_line_state_name(view->state)),
	    SP_TEXT("previous", sp_line_state_name(view->previous)),
	    SP_TEXT("cause", sp_cause_name(view->cause)),
	    SP_TEXT("whose", sp_whose_name(view->whose)),
	    family_field(view, SP_FAMILY_IPV4),
	    family_field(view, SP_FAMILY_IPV6),
	    SP_TEXT("egress", sp_line_egress_name(view->egress)),
	    SP_BOOL("self_loaded", view->self_loaded),
	    view->began ? SP_INT("since_mono_us", view->since_us) : SP_NULL("since_mono_us"),
	    seconds_field("since_uncertainty_seconds", view->began ? view->since_uncertainty_seconds : -1),
	};
	sp_record_fact(line->lines->config.recorder, "line", line->name, fields, SP_COUNT(fields));
	if (line->lines->config.verdict)
		line->lines->config.verdict(line->lines->config.arg, line->name, view);
	if (!view->began)
		return;
	sp_notice("line", "\"%s\" is %s (cause %s, %s)", line->name, sp_line_state_name(view->state),
		  sp_cause_name(view->cause), sp_whose_name(view->whose));
	bool better = view->state != view->previous && view->state != SP_LINE_UNKNOWN &&
		      (view->previous == SP_LINE_UNKNOWN || view->state < view->previous);
	if (better && line->lines->config.better)
		line->lines->config.better(line->lines->config.arg, line->name);
}

struct part_fields {
	struct sp_field items[SP_OUTAGE_PARTS];
	struct sp_field members[SP_OUTAGE_PARTS][4];
};

static void fill_parts(const struct sp_outage *outage, struct part_fields *out)
{
	for (size_t i = 0; i < outage->part_count; i++) {
		const struct sp_outage_part *part = &outage->parts[i];
		struct sp_field *members = out->members[i];
		members[0] = SP_TEXT("cause", sp_cause_name(part->cause));
		members[1] = SP_TEXT("whose", sp_whose_name(part->whose));
		members[2] = SP_TEXT("state", sp_line_state_name(part->state));
		members[3] =
		    seconds_field("seconds", outage->unmeasured == (int)i ? -1 : (double)part->us / 1e6);
		out->items[i] = SP_OBJECT("", members, 4);
	}
}

static cJSON *outage_json(const struct sp_line *line, size_t at)
{
	cJSON *json = sp_outage_to_json(&line->history[at]);
	if (line->past_evidence[at])
		cJSON_AddItemToObject(json, "evidence", cJSON_Duplicate(line->past_evidence[at], true));
	return json;
}

/// From a list with the oldest first: the oldest evidence, and when there is none, the oldest outage.
static void drop_oldest(cJSON *list)
{
	cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		cJSON *evidence = cJSON_DetachItemFromObjectCaseSensitive(item, "evidence");
		cJSON_Delete(evidence);
		if (evidence)
			return;
	}
	cJSON_DeleteItemFromArray(list, 0);
}

/// As much of it as the journal can keep.
static char *text_that_fits(cJSON *list)
{
	char *text = cJSON_PrintUnformatted(list);
	while (text && strlen(text) >= SP_LINES_SAVED_MAX) {
		cJSON_free(text);
		drop_oldest(list);
		text = cJSON_PrintUnformatted(list);
	}
	return text;
}

static void save_history(struct sp_line *line)
{
	cJSON *list = cJSON_CreateArray();
	size_t kept = line->closed < SP_LINES_HISTORY ? line->closed : SP_LINES_HISTORY;
	for (size_t i = line->closed - kept; i < line->closed; i++)
		cJSON_AddItemToArray(list, outage_json(line, i % SP_LINES_HISTORY));
	char *text = text_that_fits(list);
	if (text)
		sp_line_put(line, "outages", text);
	cJSON_free(text);
	cJSON_Delete(list);
}

static const char *phase_name(enum sp_outage_phase phase)
{
	switch (phase) {
	case SP_OUTAGE_OPEN:
		return "open";
	case SP_OUTAGE_UPDATE:
		return "update";
	case SP_OUTAGE_CLOSE:
		return "close";
	}
	return "update";
}

static void on_outage(void *arg, const struct sp_outage *outage, enum sp_outage_phase phase)
{
	struct sp_line *line = arg;
	struct sp_evidence_fields evidence;
	struct part_fields parts;
	sp_evidence_fields(sp_line_evidence(line, outage, phase), &evidence);
	fill_parts(outage, &parts);
	struct sp_field fields[] = {
	    SP_TEXT("outage", outage->id),
	    SP_TEXT("phase", phase_name(phase)),
	    SP_TEXT("state", sp_line_state_name(outage->state)),
	    SP_TEXT("cause", sp_cause_name(outage->cause)),
	    SP_TEXT("whose", sp_whose_name(outage->whose)),
	    SP_INT("start_mono_us", outage->start_mono_us),
	    outage->start_placed ? SP_INT("start_t_ms", outage->start_t_ms) : SP_NULL("start_t_ms"),
	    SP_TEXT("start_boot", outage->start_boot),
	    seconds_field("start_uncertainty_seconds", outage->uncertainty_seconds),
	    outage->closed ? SP_INT("end_mono_us", outage->end_mono_us) : SP_NULL("end_mono_us"),
	    outage->end_placed ? SP_INT("end_t_ms", outage->end_t_ms) : SP_NULL("end_t_ms"),
	    seconds_field("end_uncertainty_seconds", outage->end_uncertainty_seconds),
	    SP_LIST("parts", parts.items, outage->part_count),
	    SP_LIST("evidence", evidence.items, evidence.count),
	};
	sp_record_fact(line->lines->config.recorder, "outage", line->name, fields, SP_COUNT(fields));
	if (phase == SP_OUTAGE_CLOSE) {
		line->history[line->closed++ % SP_LINES_HISTORY] = *outage;
		sp_line_evidence_closed(line);
		save_history(line);
	}
}

static void on_save(void *arg)
{
	struct sp_line *line = arg;
	struct sp_buf text = SP_BUF(SP_LINES_SAVED_MAX);
	sp_ledger_save(line->ledger, &text);
	sp_line_put(line, "outage", text.length > 0 ? text.data : NULL);
	sp_buf_free(&text);
}

static void on_ask(void *arg)
{
	struct sp_line *line = arg;
	const struct sp_lines_config *config = &line->lines->config;
	if (config->ask)
		config->ask(config->arg, line->name);
}

const struct sp_ledger_events sp_lines_events = {
    .line = on_line, .outage = on_outage, .save = on_save, .ask = on_ask};
