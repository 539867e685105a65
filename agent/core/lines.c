// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Feeds the ledgers and carries out what they say: facts, durable state, a burst when things got better.
#include "agent/core/lines.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum {
	HISTORY = 32,         ///< closed outages kept per line
	SAVED_MAX = 60 * 1024 ///< a value of the journal's durable state holds 64 KiB
};

struct line {
	struct sp_lines *lines;
	char *name, *provider;
	struct sp_ledger *ledger;
	struct sp_loop_timer *timer;
	bool judging;
	unsigned loads;                    ///< devices that fill the line by themselves
	struct sp_outage history[HISTORY]; ///< ring; `closed` counts all
	size_t closed;
};

struct sp_lines {
	struct sp_lines_config config;
	struct line **items;
	size_t count;
};

struct sp_lines *sp_lines_new(const struct sp_lines_config *config)
{
	struct sp_lines *lines = sp_alloc(sizeof(*lines));
	lines->config = *config;
	return lines;
}

void sp_lines_free(struct sp_lines *lines)
{
	if (!lines)
		return;
	for (size_t i = 0; i < lines->count; i++) {
		struct line *line = lines->items[i];
		sp_loop_timer_free(lines->config.loop, line->timer);
		sp_ledger_free(line->ledger);
		free(line->name);
		free(line->provider);
		free(line);
	}
	free(lines->items);
	free(lines);
}

// ---- what the ledger says ----------------------------------------------------------------------

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
	struct line *line = arg;
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

static struct sp_field text_field(const char *name, const char *text)
{
	return text ? SP_TEXT(name, text) : SP_NULL(name);
}

struct evidence_fields {
	struct sp_field items[SP_EVIDENCE_MAX];
	struct sp_field members[SP_EVIDENCE_MAX][7];
	size_t count;
};

static void fill_evidence(const struct line *line, struct evidence_fields *out)
{
	struct sp_evidence evidence[SP_EVIDENCE_MAX];
	int64_t now = sp_loop_now_us(line->lines->config.loop);
	out->count = sp_ledger_evidence(line->ledger, now, evidence);
	for (size_t i = 0; i < out->count; i++) {
		const struct sp_evidence *it = &evidence[i];
		struct sp_field *members = out->members[i];
		members[0] = SP_TEXT("rung", sp_rung_name(it->rung));
		members[1] = SP_TEXT("family", sp_family_name(it->family));
		members[2] = SP_TEXT("status", sp_rung_status_name(it->status));
		// The text is the ledger's own and lives until the next report.
		members[3] = SP_TEXT("detail", it->detail);
		members[4] = it->rtt_us >= 0 ? SP_REAL("rtt_seconds", (double)it->rtt_us / 1e6)
					     : SP_NULL("rtt_seconds");
		members[5] = text_field("reason", it->reason);
		members[6] = text_field("host", it->host);
		out->items[i] = SP_OBJECT("", members, 7);
	}
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

static void save_history(struct line *line)
{
	cJSON *list = cJSON_CreateArray();
	size_t kept = line->closed < HISTORY ? line->closed : HISTORY;
	for (size_t i = line->closed - kept; i < line->closed; i++)
		cJSON_AddItemToArray(list, sp_outage_to_json(&line->history[i % HISTORY]));
	char *text = cJSON_PrintUnformatted(list);
	char *key = sp_asprintf("outages.%s", line->name);
	if (text && strlen(text) < SAVED_MAX)
		line->lines->config.put(line->lines->config.arg, key, text);
	free(key);
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
	struct line *line = arg;
	struct evidence_fields evidence;
	struct part_fields parts;
	fill_evidence(line, &evidence);
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
		line->history[line->closed++ % HISTORY] = *outage;
		save_history(line);
	}
}

static void on_save(void *arg)
{
	struct line *line = arg;
	struct sp_buf text = SP_BUF(SAVED_MAX);
	sp_ledger_save(line->ledger, &text);
	char *key = sp_asprintf("outage.%s", line->name);
	line->lines->config.put(line->lines->config.arg, key, text.length > 0 ? text.data : NULL);
	free(key);
	sp_buf_free(&text);
}

static void on_ask(void *arg)
{
	struct line *line = arg;
	const struct sp_lines_config *config = &line->lines->config;
	if (config->ask)
		config->ask(config->arg, line->name);
}

static const struct sp_ledger_events events = {
    .line = on_line, .outage = on_outage, .save = on_save, .ask = on_ask};

// ---- what it is fed with -----------------------------------------------------------------------

static void judge(void *arg)
{
	struct line *line = arg;
	struct sp_clock_reading now = sp_clock_now();
	line->judging = false;
	// Which line they came by is known where there is one.
	if (line->lines->config.traffic && line->lines->count == 1)
		sp_ledger_traffic(line->ledger, line->lines->config.traffic(line->lines->config.arg));
	int64_t next = sp_ledger_judge(line->ledger, &now);
	// A report that came during the judgement has armed the timer already.
	if (next == INT64_MAX || line->judging)
		return;
	int64_t delay = (next - now.mono_us) / 1000 + 1;
	sp_loop_timer_start(line->lines->config.loop, line->timer, delay);
}

/// Once per turn of the loop: a round reports several rungs, and they are judged together.
static void judge_soon(struct line *line)
{
	if (line->judging)
		return;
	line->judging = true;
	sp_loop_timer_start(line->lines->config.loop, line->timer, 0);
}

static void load_history(struct line *line, const char *text)
{
	cJSON *list = cJSON_Parse(text);
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		struct sp_outage outage;
		if (sp_outage_from_json(item, &outage) == 0 && outage.closed)
			line->history[line->closed++ % HISTORY] = outage;
	}
	cJSON_Delete(list);
}

static void load(struct line *line)
{
	const struct sp_lines_config *config = &line->lines->config;
	char *key = sp_asprintf("outage.%s", line->name);
	char *text = config->get(config->arg, key);
	if (text && sp_ledger_load(line->ledger, text))
		sp_warning("line", "\"%s\": the open outage in the journal is not readable", line->name);
	free(text);
	free(key);
	key = sp_asprintf("outages.%s", line->name);
	text = config->get(config->arg, key);
	if (text)
		load_history(line, text);
	if (line->closed > 0)
		sp_ledger_past(line->ledger, &line->history[(line->closed - 1) % HISTORY]);
	free(text);
	free(key);
}

void sp_lines_add(struct sp_lines *lines, const char *name, const char *provider)
{
	struct line *line = sp_alloc(sizeof(*line));
	line->lines = lines;
	line->name = sp_strdup(name);
	line->provider = sp_strdup(provider ? provider : "");
	line->ledger = sp_ledger_new(lines->config.boot, &events, line);
	line->timer = sp_loop_timer_new(lines->config.loop, judge, line);
	load(line);
	lines->items = sp_realloc(lines->items, (lines->count + 1) * sizeof(*lines->items));
	lines->items[lines->count++] = line;
}

static struct line *find(const struct sp_lines *lines, const char *name)
{
	for (size_t i = 0; i < lines->count; i++)
		if (strcmp(lines->items[i]->name, name) == 0)
			return lines->items[i];
	return NULL;
}

void sp_lines_report(struct sp_lines *lines, const char *name, const char *device,
		     const struct sp_rung_report *report, int64_t max_age_us)
{
	struct line *line = find(lines, name);
	if (!line)
		return;
	sp_ledger_report(line->ledger, device, report, max_age_us, sp_loop_now_us(lines->config.loop));
	judge_soon(line);
}

void sp_lines_hub(struct sp_lines *lines, enum sp_rung_status status, int64_t since_us, const char *detail)
{
	struct sp_rung_report report = {.rung = SP_RUNG_HUB,
					.family = SP_FAMILY_ANY,
					.status = status,
					.since_us = since_us,
					.rtt_us = -1,
					.detail = detail};
	for (size_t i = 0; i < lines->count; i++) {
		sp_ledger_report(lines->items[i]->ledger, "", &report, 60 * 1000 * 1000,
				 sp_loop_now_us(lines->config.loop));
		judge_soon(lines->items[i]);
	}
}

void sp_lines_silence(struct sp_lines *lines, const struct sp_silence *silence)
{
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; i < lines->count; i++)
		sp_ledger_silence(lines->items[i]->ledger, silence, &now);
}

void sp_lines_load(struct sp_lines *lines, const char *name, const char *device, bool loading)
{
	(void)device; // each tells its changes only
	struct line *line = find(lines, name);
	if (!line || (!loading && line->loads == 0))
		return;
	line->loads += loading ? 1 : -1u;
	sp_ledger_load_line(line->ledger, line->loads > 0, sp_loop_now_us(lines->config.loop));
	judge_soon(line);
}

size_t sp_lines_count(const struct sp_lines *lines)
{
	return lines->count;
}

const char *sp_lines_name(const struct sp_lines *lines, size_t index)
{
	return lines->items[index]->name;
}

const char *sp_lines_provider(const struct sp_lines *lines, size_t index)
{
	return lines->items[index]->provider;
}

const struct sp_ledger *sp_lines_ledger(const struct sp_lines *lines, size_t index)
{
	return lines->items[index]->ledger;
}

const struct sp_outage *sp_lines_history(const struct sp_lines *lines, size_t index, size_t outage)
{
	const struct line *line = lines->items[index];
	size_t kept = line->closed < HISTORY ? line->closed : HISTORY;
	return outage < kept ? &line->history[(line->closed - 1 - outage) % HISTORY] : NULL;
}
