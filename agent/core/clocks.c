// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Clock facts from successive readings.
#include "agent/core/clocks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock_trust.h"
#include "schoolpulse/log.h"

enum {
	STEP_MS = 500, ///< what a daemon slews away in one look is less
	FIELDS = 6,
	SAVED_REACHES = 2, ///< so far after the build a time may have been saved
};
static const int64_t HOUR_US = 3600LL * 1000 * 1000;

int64_t sp_clocks_saved(const char *text)
{
	char *end;
	errno = 0;
	int64_t t_ms = text ? strtoll(text, &end, 10) : 0;
	return text && errno == 0 && end != text && *end == '\0' && t_ms >= SP_CLOCK_BUILT_MS &&
		       t_ms <= SP_CLOCK_BUILT_MS + SAVED_REACHES * SP_CLOCK_REACH_MS
		   ? t_ms
		   : 0;
}

void sp_clocks_init(struct sp_clocks *clocks, struct sp_recorder *recorder,
		    void (*put)(void *arg, const char *key, const char *value), void *arg)
{
	*clocks = (struct sp_clocks){.recorder = recorder, .put = put, .arg = arg, .every_us = HOUR_US};
}

static int64_t offset_ms(const struct sp_clock_reading *reading)
{
	return reading->wall_ms - reading->mono_us / 1000;
}

static struct sp_field real_or_null(const char *name, bool known, int64_t ms)
{
	return known ? SP_REAL(name, (double)ms / 1000.0) : SP_NULL(name);
}

static const char *source_name(const struct sp_clock_reading *reading)
{
	if (!reading->synced)
		return "none";
	return reading->from == SP_CLOCK_HUB ? "hub" : "kernel";
}

/// `step_ms` 0: none. The offsets of wall time from the monotonic clock make the fact whole also where the
/// record itself has no t_ms.
static void tell(struct sp_clocks *clocks, const struct sp_clock_reading *now, const char *event,
		 int64_t step_ms)
{
	bool first = clocks->last.mono_us == 0;
	struct sp_field fields[FIELDS] = {
	    SP_TEXT("event", event),
	    SP_TEXT("source", source_name(now)),
	    real_or_null("offset_before_seconds", !first, first ? 0 : offset_ms(&clocks->last)),
	    real_or_null("offset_seconds", true, offset_ms(now)),
	    real_or_null("err_seconds", now->synced, now->err_ms),
	    SP_REAL("step_seconds", (double)step_ms / 1000.0),
	};
	sp_record_fact(clocks->recorder, "clock", NULL, fields, step_ms ? FIELDS : FIELDS - 1);
	sp_notice("clock", "%s, by: %s%s", event, source_name(now), step_ms ? " (wall time jumped)" : "");
}

static void save(struct sp_clocks *clocks, const struct sp_clock_reading *reading)
{
	char text[24];
	if (!clocks->put || !reading->synced)
		return;
	snprintf(text, sizeof(text), "%" PRId64, reading->wall_ms - reading->err_ms);
	clocks->put(clocks->arg, SP_CLOCKS_KEY, text);
}

/// How far wall time went beyond what drift and, where the hub's word is in play, the errors explain.
static int64_t step_of(const struct sp_clocks *clocks, const struct sp_clock_reading *now)
{
	const struct sp_clock_reading *last = &clocks->last;
	if (last->mono_us == 0)
		return 0;
	int64_t jump = offset_ms(now) - offset_ms(last);
	int64_t most = STEP_MS + (now->mono_us - last->mono_us) / 1000 * SP_CLOCK_DRIFT_PPM / 1000000;
	bool by_hub =
	    (now->synced && now->from == SP_CLOCK_HUB) || (last->synced && last->from == SP_CLOCK_HUB);
	if (by_hub && now->synced && last->synced && now->err_ms + last->err_ms > most)
		most = now->err_ms + last->err_ms;
	return llabs(jump) > most ? jump : 0;
}

/// The kernel wins, but that the hub holds another time for true is worth a fact. Once, until they agree.
static void compare(struct sp_clocks *clocks, const struct sp_clock_reading *now)
{
	int64_t t_ms, err_ms;
	if (!now->synced || now->from != SP_CLOCK_KERNEL || !sp_clock_hub(now->mono_us, &t_ms, &err_ms))
		return;
	int64_t apart = t_ms - now->wall_ms;
	bool disagree = llabs(apart) > err_ms + now->err_ms;
	if (disagree && !clocks->disagreeing)
		tell(clocks, now, "disagreed", apart);
	clocks->disagreeing = disagree;
}

void sp_clocks_look(struct sp_clocks *clocks, const struct sp_clock_reading *now)
{
	const struct sp_clock_reading last = clocks->last;
	int64_t step = step_of(clocks, now);
	bool told = true;
	if (now->doubted && !last.doubted)
		tell(clocks, now, "doubted", 0);
	if (now->synced && (!last.synced || now->from != last.from))
		tell(clocks, now, "synced", step);
	else if (!now->synced && last.synced)
		tell(clocks, now, "lost", step);
	else if (step)
		tell(clocks, now, "step", step);
	else if (now->synced && now->mono_us - clocks->told_us >= clocks->every_us)
		tell(clocks, now, "hourly", 0);
	else
		told = false;
	if (told && now->synced)
		clocks->told_us = now->mono_us;
	if (now->synced && (told || now->mono_us - clocks->hour_us >= HOUR_US)) {
		clocks->hour_us = now->mono_us;
		save(clocks, now);
	}
	compare(clocks, now);
	clocks->last = *now;
}

void sp_clocks_leave(struct sp_clocks *clocks)
{
	save(clocks, &clocks->last);
}
