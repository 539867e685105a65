// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Starts and ends of the agent: openings of the journal, boot facts, the clock.
#include "tools/fleet/life.h"

#include <string.h>

enum { FIRST_UPTIME_MS = 60000 };

static const struct {
	const char *reason, *evidence;
	bool same_boot;
	int cause;
} ends[] = {
    {"power", "simulated: power came back", false, SP_CAUSE_BY_POWER},
    {"reboot", "simulated: a reboot", false, SP_CAUSE_BY_REBOOT},
    {"restart", NULL, true, SP_CAUSE_BY_AGENT},
    {"crash", "simulated: the agent died", true, SP_CAUSE_BY_AGENT},
};

static size_t end_of(const char *reason)
{
	for (size_t i = 0; i < SP_COUNT(ends); i++)
		if (strcmp(ends[i].reason, reason) == 0)
			return i;
	return 0;
}

// ---- the clock ------------------------------------------------------------------------------------------

void sp_life_clock_fact(struct sp_life *life, const char *event, int64_t step_ms)
{
	struct sp_clock_reading now = sp_life_clock(life, life->at_ms);
	int64_t offset_ms = now.wall_ms - now.mono_us / 1000;
	bool first = life->clock_told_ms == 0;
	const struct sp_field fields[] = {
	    SP_TEXT("event", event),
	    SP_TEXT("source", now.synced ? "kernel" : "none"),
	    first ? SP_NULL("offset_before_seconds")
		  : SP_REAL("offset_before_seconds", (double)life->clock_told_ms / 1000),
	    SP_REAL("offset_seconds", (double)offset_ms / 1000),
	    now.synced ? SP_REAL("err_seconds", (double)now.err_ms / 1000) : SP_NULL("err_seconds"),
	    SP_REAL("step_seconds", (double)step_ms / 1000),
	};
	life->clock_told_ms = offset_ms;
	sp_life_fact(life, "clock", NULL, fields, SP_COUNT(fields) - (step_ms == 0));
}

// ---- a start --------------------------------------------------------------------------------------------

static void add_opened(struct sp_life *life)
{
	for (int i = 0; i < 2; i++) {
		enum sp_record_class cls = i == 0 ? SP_RECORD_FACTS : SP_RECORD_BULK;
		const struct sp_keep_stream *stream = &life->keep.streams[cls];
		const struct sp_field prev[] = {SP_TEXT("stream", stream->prev),
						SP_INT("last", stream->prev_last)};
		const struct sp_field fields[] = {SP_TEXT("class", sp_record_class_name(cls)),
						  stream->prev[0] ? SP_OBJECT("prev", prev, 2)
								  : SP_NULL("prev"),
						  SP_BOOL("set_aside", true)};
		size_t count = life->renews ? 3 : 2;
		if (cls == SP_RECORD_FACTS)
			sp_life_fact(life, "opened", NULL, fields, count);
		else
			sp_life_bulk(life, "opened", NULL, fields, count);
	}
	life->renews = false;
}

static void boot_fact(struct sp_life *life)
{
	bool first = life->births == 1;
	bool told = !first && life->gone_t_ms >= 0;
	const char *evidence = first ? NULL : ends[end_of(life->gone)].evidence;
	const struct sp_field fields[] = {
	    SP_TEXT("reason", first ? "first" : life->gone),
	    SP_BOOL("clean_shutdown", !first && life->clean),
	    first ? SP_NULL("previous_boot") : SP_TEXT("previous_boot", life->previous_boot),
	    first ? SP_NULL("silence_start_mono_us") : SP_INT("silence_start_mono_us", life->gone_mono_us),
	    told ? SP_INT("silence_start_t_ms", life->gone_t_ms) : SP_NULL("silence_start_t_ms"),
	    first ? SP_NULL("uncertainty_seconds") : SP_REAL("uncertainty_seconds", 0),
	    evidence ? SP_TEXT("evidence", evidence) : SP_NULL("evidence"),
	    SP_TEXT("version", SP_VERSION),
	    SP_TEXT("board", "fleet"),
	    SP_NULL("model"),
	    SP_NULL("kernel"),
	    SP_NULL("os"),
	};
	sp_life_fact(life, "boot", NULL, fields, SP_COUNT(fields));
}

static void new_boot(struct sp_life *life)
{
	memcpy(life->previous_boot, life->boot, sizeof(life->boot));
	sp_rng_boot(&life->rng, life->boot);
	life->boots++;
	// Monotonic time 0 is no time to a reader.
	life->boot_ms = life->at_ms - (life->births == 1 ? FIRST_UPTIME_MS : 1);
	life->clock_told_ms = 0;
}

void sp_life_begin(struct sp_life *life)
{
	bool first = life->births++ == 0;
	size_t end = first ? 0 : end_of(life->gone);
	if (first || !ends[end].same_boot)
		new_boot(life);
	else
		memcpy(life->previous_boot, life->boot, sizeof(life->boot));
	life->running = true;
	if (life->renews)
		sp_keep_renew(&life->keep);
	sp_keep_open(&life->keep, &life->rng, life->boot);
	add_opened(life);
	boot_fact(life);
	if (!life->clock_lost)
		sp_life_clock_fact(life, "synced", 0);
	sp_life_bulk_start(life);
	life->line = SP_LINE_IS_UNKNOWN;
	life->cause = &sp_line_causes[SP_CAUSE_NO_CAUSE];
	if (!first)
		sp_life_line_silence(life, &sp_line_causes[ends[end].cause]);
	sp_life_line_follow(life);
}

// ---- an end ---------------------------------------------------------------------------------------------

void sp_life_end(struct sp_life *life, const char *why, bool clean)
{
	if (!life->running) {
		// Power may go while the agent is away for a smaller reason.
		if (strcmp(why, "power") == 0)
			life->gone = why;
		return;
	}
	if (clean) {
		const struct sp_field reason = SP_TEXT("reason", "signal");
		sp_life_minute(life);
		sp_life_commit_bulk(life);
		sp_life_fact(life, "stop", NULL, &reason, 1);
		sp_life_commit(life, SP_RECORD_FACTS, life->at_ms);
	}
	struct sp_clock_reading now = sp_life_clock(life, life->at_ms);
	sp_life_minute_count(life);
	sp_keep_lose_pending(&life->keep);
	life->gone = why;
	life->gone_ms = life->at_ms;
	life->gone_mono_us = now.mono_us;
	life->gone_t_ms = now.synced ? now.wall_ms : -1;
	life->clean = clean;
	life->running = false;
}
