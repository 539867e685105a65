// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Feeds the ledgers: reports, silences, loads, time.
#include "agent/core/ledger/lines_evidence.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

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
		struct sp_line *line = lines->items[i];
		sp_loop_timer_free(lines->config.loop, line->timer);
		sp_ledger_free(line->ledger);
		sp_egress_book_free(line->egress);
		sp_line_evidence_free(line);
		free(line->name);
		free(line->provider);
		free(line);
	}
	free(lines->items);
	free(lines);
}

// ---- what it is fed with -----------------------------------------------------------------------

static void judge(void *arg)
{
	struct sp_line *line = arg;
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

void sp_line_judge_soon(struct sp_line *line)
{
	if (line->judging)
		return;
	line->judging = true;
	sp_loop_timer_start(line->lines->config.loop, line->timer, 0);
}

static void load_history(struct sp_line *line, const char *text)
{
	cJSON *list = cJSON_Parse(text);
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		struct sp_outage outage;
		if (sp_outage_from_json(item, &outage) || !outage.closed)
			continue;
		size_t at = line->closed++ % SP_LINES_HISTORY;
		line->history[at] = outage;
		cJSON_Delete(line->past_evidence[at]);
		line->past_evidence[at] =
		    sp_evidence_checked(cJSON_GetObjectItemCaseSensitive(item, "evidence"));
	}
	cJSON_Delete(list);
}

void sp_line_put(const struct sp_line *line, const char *what, const char *text)
{
	char *key = sp_asprintf("%s.%s", what, line->name);
	line->lines->config.put(line->lines->config.arg, key, text);
	free(key);
}

char *sp_line_get(const struct sp_line *line, const char *what)
{
	char *key = sp_asprintf("%s.%s", what, line->name);
	char *text = line->lines->config.get(line->lines->config.arg, key);
	free(key);
	return text;
}

static void load(struct sp_line *line)
{
	char *text = sp_line_get(line, "outage");
	if (text && sp_ledger_load(line->ledger, text))
		sp_warning("line", "\"%s\": the open outage in the journal is not readable", line->name);
	free(text);
	text = sp_line_get(line, "outages");
	if (text)
		load_history(line, text);
	if (line->closed > 0)
		sp_ledger_past(line->ledger, &line->history[(line->closed - 1) % SP_LINES_HISTORY]);
	free(text);
	sp_line_load_evidence(line);
	sp_line_load_egress(line);
}

void sp_lines_add(struct sp_lines *lines, const char *name, const char *provider)
{
	struct sp_line *line = sp_alloc(sizeof(*line));
	line->lines = lines;
	line->name = sp_strdup(name);
	line->provider = sp_strdup(provider ? provider : "");
	line->ledger = sp_ledger_new(lines->config.boot, &sp_lines_events, line);
	line->timer = sp_loop_timer_new(lines->config.loop, judge, line);
	load(line);
	lines->items = sp_realloc(lines->items, (lines->count + 1) * sizeof(*lines->items));
	lines->items[lines->count++] = line;
}

struct sp_line *sp_lines_find(const struct sp_lines *lines, const char *name)
{
	for (size_t i = 0; i < lines->count; i++)
		if (strcmp(lines->items[i]->name, name) == 0)
			return lines->items[i];
	return NULL;
}

/// A second uplink behind the same router is measured by the same devices.
static bool hears(const struct sp_line *line, const char *name)
{
	return strcmp(line->name, name) == 0 || (line->shares && strcmp(line->shares->name, name) == 0);
}

void sp_lines_report(struct sp_lines *lines, const char *name, const char *device,
		     const struct sp_rung_report *report, int64_t max_age_us)
{
	for (size_t i = 0; i < lines->count; i++) {
		struct sp_line *line = lines->items[i];
		if (!hears(line, name))
			continue;
		sp_ledger_report(line->ledger, device, report, max_age_us,
				 sp_loop_now_us(lines->config.loop));
		sp_line_judge_soon(line);
	}
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
		sp_line_judge_soon(lines->items[i]);
	}
}

void sp_lines_silence(struct sp_lines *lines, const struct sp_silence *silence)
{
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; i < lines->count; i++)
		sp_ledger_silence(lines->items[i]->ledger, silence, &now);
}

void sp_lines_load(struct sp_lines *lines, const char *name, const char *device, bool loading,
		   int64_t since_us)
{
	(void)device; // each tells its changes only
	for (size_t i = 0; i < lines->count; i++) {
		struct sp_line *line = lines->items[i];
		if (!hears(line, name) || (!loading && line->loads == 0))
			continue;
		line->loads = loading ? line->loads + 1 : line->loads - 1;
		sp_ledger_load_line(line->ledger, line->loads > 0, since_us);
		sp_line_judge_soon(line);
	}
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
	const struct sp_line *line = lines->items[index];
	size_t kept = line->closed < SP_LINES_HISTORY ? line->closed : SP_LINES_HISTORY;
	return outage < kept ? &line->history[(line->closed - 1 - outage) % SP_LINES_HISTORY] : NULL;
}

const struct cJSON *sp_lines_evidence(const struct sp_lines *lines, size_t index,
				      const struct sp_outage *outage)
{
	const struct sp_line *line = lines->items[index];
	if (!outage->closed)
		return line->evidence;
	return line->past_evidence[outage - line->history];
}
