// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The line's recent past as spans of states, and the sums of two windows: the one that runs, and the one
// that is over and waits for the ledger's last word. Time is accounted for in whole milliseconds at the
// spans' edges, so that the parts add up to the whole exactly.
#include "agent/core/ledger/minute.h"

#include <math.h>
#include <string.h>

#include "agent/base/mem.h"

enum { SPANS = 32 };

struct span {
	int64_t since_us; ///< until the next one's
	enum sp_line_state state;
	enum sp_cause cause;
};

struct sum {
	int64_t count;
	double min, total, max;
};

struct window {
	int64_t from_us, to_us; ///< to_us of the running one is not known
	struct sum rtt[SP_MINUTE_SCOPES], loss[SP_MINUTE_SCOPES];
	bool loaded;
};

struct sp_minutes {
	struct sp_recorder *recorder;
	char *line;
	struct span spans[SPANS]; ///< ascending; the first one covers what is not yet accounted for
	size_t count;
	struct window now, over;
	bool waiting; ///< `over` is to be recorded
	bool loaded;
	// Of the earlier of the two windows, up to `accounted_us`.
	int64_t accounted_us;
	int64_t state_ms[SP_LINE_DOWN + 1], cause_ms[SP_CAUSES];
};

static const char *const scopes[SP_MINUTE_SCOPES] = {
    [SP_MINUTE_DOMESTIC] = "domestic", [SP_MINUTE_INTERNATIONAL] = "international",
    [SP_MINUTE_DNS] = "dns",           [SP_MINUTE_GATEWAY] = "gateway",
    [SP_MINUTE_SERVICE] = "service",
};

bool sp_minute_scope(const char *driver, const char *target, enum sp_minute_scope *out)
{
	bool family = strcmp(target, "ipv4") == 0 || strcmp(target, "ipv6") == 0 || target[0] == '\0';
	const char *word = family ? driver : target;
	for (int i = 0; i < SP_MINUTE_SCOPES; i++) {
		if (strcmp(word, scopes[i]) == 0) {
			*out = (enum sp_minute_scope)i;
			return true;
		}
	}
	return false;
}

struct sp_minutes *sp_minutes_new(struct sp_recorder *recorder, const char *line, int64_t now_us)
{
	struct sp_minutes *m = sp_alloc(sizeof(*m));
	m->recorder = recorder;
	m->line = sp_strdup(line);
	m->now.from_us = m->accounted_us = now_us;
	m->spans[m->count++] = (struct span){.since_us = now_us, .state = SP_LINE_UNKNOWN};
	return m;
}

void sp_minutes_free(struct sp_minutes *m)
{
	if (!m)
		return;
	free(m->line);
	free(m);
}

// ---- states ------------------------------------------------------------------------------------------

static int64_t ms(int64_t us)
{
	return us / 1000;
}

static int64_t end_of(const struct sp_minutes *m, size_t span)
{
	return span + 1 < m->count ? m->spans[span + 1].since_us : INT64_MAX;
}

/// Adds up what the spans say of the time before `until_us`, and forgets it.
static void account(struct sp_minutes *m, int64_t until_us)
{
	size_t gone = 0;
	for (size_t i = 0; i < m->count && m->accounted_us < until_us; i++) {
		int64_t end = end_of(m, i) < until_us ? end_of(m, i) : until_us;
		int64_t part = ms(end) - ms(m->accounted_us);
		m->state_ms[m->spans[i].state] += part;
		if (m->spans[i].state != SP_LINE_UP)
			m->cause_ms[m->spans[i].cause] += part;
		m->accounted_us = end;
		gone = end == end_of(m, i) ? i + 1 : i;
	}
	m->count -= gone;
	memmove(m->spans, m->spans + gone, m->count * sizeof(*m->spans));
	m->spans[0].since_us = m->accounted_us;
}

static void record(struct sp_minutes *m, const struct window *window, const struct sp_clock_reading *now);

/// Of a line that flaps faster than anybody could wait for: the oldest span is settled.
static void make_room(struct sp_minutes *m, const struct sp_clock_reading *now)
{
	int64_t until = m->spans[1].since_us;
	if (m->waiting && until > m->over.to_us)
		until = m->over.to_us;
	account(m, until);
	if (m->count < SPANS)
		return;
	// The window that waits is accounted for in full, and would stay so.
	record(m, &m->over, now);
	m->waiting = false;
	account(m, m->spans[1].since_us);
}

void sp_minutes_state(struct sp_minutes *m, enum sp_line_state state, enum sp_cause cause, int64_t since_us,
		      const struct sp_clock_reading *now)
{
	if (since_us < m->accounted_us)
		since_us = m->accounted_us;
	while (m->count > 0 && m->spans[m->count - 1].since_us >= since_us)
		m->count--;
	if (m->count == SPANS)
		make_room(m, now);
	m->spans[m->count++] = (struct span){.since_us = since_us, .state = state, .cause = cause};
	if (m->count == 1)
		m->spans[0].since_us = m->accounted_us;
}

void sp_minutes_loaded(struct sp_minutes *m, bool loaded)
{
	m->loaded = loaded;
	m->now.loaded = m->now.loaded || loaded;
}

// ---- values ------------------------------------------------------------------------------------------

static void add(struct sum *sum, const struct sp_minute_values *values)
{
	if (values->count <= 0)
		return;
	if (sum->count == 0 || values->min < sum->min)
		sum->min = values->min;
	if (sum->count == 0 || values->max > sum->max)
		sum->max = values->max;
	sum->total += values->mean * (double)values->count;
	sum->count += values->count;
}

void sp_minutes_rtt(struct sp_minutes *m, enum sp_minute_scope scope, const struct sp_minute_values *seconds)
{
	add(&m->now.rtt[scope], seconds);
}

void sp_minutes_loss(struct sp_minutes *m, enum sp_minute_scope scope, const struct sp_minute_values *ratio)
{
	add(&m->now.loss[scope], ratio);
}

// ---- records -----------------------------------------------------------------------------------------

/// Digits beyond what was measured cost bytes and say nothing.
static double microseconds(double seconds)
{
	return round(seconds * 1e6) / 1e6;
}

static double hundredths_of_a_percent(double ratio)
{
	return round(ratio * 1e4) / 1e4;
}

struct draft {
	struct sp_field fields[8], states[SP_LINE_DOWN + 1];
	struct sp_field rtt[SP_MINUTE_SCOPES], rtt_values[SP_MINUTE_SCOPES][4];
	struct sp_field loss[SP_MINUTE_SCOPES], loss_values[SP_MINUTE_SCOPES][2];
	size_t count;
};

static void add_states(const struct sp_minutes *m, struct draft *draft)
{
	size_t count = 0;
	for (int i = 0; i <= SP_LINE_DOWN; i++) {
		if (m->state_ms[i] > 0)
			draft->states[count++] =
			    SP_REAL(sp_line_state_name((enum sp_line_state)i), (double)m->state_ms[i] / 1000);
	}
	draft->fields[draft->count++] = SP_OBJECT("state_seconds", draft->states, count);
	int longest = SP_CAUSE_NONE;
	for (int i = 0; i < SP_CAUSES; i++) {
		if (m->cause_ms[i] > m->cause_ms[longest])
			longest = i;
	}
	if (m->cause_ms[longest] > 0)
		draft->fields[draft->count++] = SP_TEXT("cause", sp_cause_name((enum sp_cause)longest));
}

static void add_values(const struct window *window, struct draft *draft)
{
	size_t rtts = 0, losses = 0;
	for (int i = 0; i < SP_MINUTE_SCOPES; i++) {
		const struct sum *rtt = &window->rtt[i], *loss = &window->loss[i];
		if (rtt->count > 0) {
			double mean = rtt->total / (double)rtt->count;
			struct sp_field *values = draft->rtt_values[i];
			values[0] = SP_INT("", rtt->count);
			values[1] = SP_REAL("", microseconds(rtt->min));
			values[2] = SP_REAL("", microseconds(fmin(fmax(mean, rtt->min), rtt->max)));
			values[3] = SP_REAL("", microseconds(rtt->max));
			draft->rtt[rtts++] = SP_LIST(scopes[i], values, 4);
		}
		if (loss->count > 0) {
			struct sp_field *values = draft->loss_values[i];
			values[0] = SP_INT("", loss->count);
			values[1] = SP_REAL("", hundredths_of_a_percent(loss->total / (double)loss->count));
			draft->loss[losses++] = SP_LIST(scopes[i], values, 2);
		}
	}
	if (rtts > 0)
		draft->fields[draft->count++] = SP_OBJECT("rtt_seconds", draft->rtt, rtts);
	if (losses > 0)
		draft->fields[draft->count++] = SP_OBJECT("loss_ratio", draft->loss, losses);
}

/// The clock as it stood at the window's end.
static struct sp_clock_reading at(const struct sp_clock_reading *now, int64_t then_us)
{
	struct sp_clock_reading then = *now;
	then.mono_us = then_us;
	then.wall_ms = now->wall_ms - (now->mono_us - then_us) / 1000;
	return then;
}

static void record(struct sp_minutes *m, const struct window *window, const struct sp_clock_reading *now)
{
	struct draft draft = {.count = 0};
	account(m, window->to_us);
	int64_t length = ms(window->to_us) - ms(window->from_us);
	draft.fields[draft.count++] = SP_REAL("seconds", (double)length / 1000);
	add_states(m, &draft);
	if (window->loaded)
		draft.fields[draft.count++] = SP_BOOL("self_loaded", true);
	add_values(window, &draft);
	struct sp_clock_reading then = at(now, window->to_us);
	if (length > 0)
		sp_record_bulk_at(m->recorder, "minute", m->line, draft.fields, draft.count, &then);
	memset(m->state_ms, 0, sizeof(m->state_ms));
	memset(m->cause_ms, 0, sizeof(m->cause_ms));
}

static void record_waiting(struct sp_minutes *m, const struct sp_clock_reading *now)
{
	if (m->waiting)
		record(m, &m->over, now);
	m->waiting = false;
}

void sp_minutes_close(struct sp_minutes *m, const struct sp_clock_reading *now)
{
	record_waiting(m, now);
	m->over = m->now;
	m->over.to_us = now->mono_us;
	m->waiting = true;
	m->now = (struct window){.from_us = now->mono_us, .loaded = m->loaded};
}

void sp_minutes_look(struct sp_minutes *m, const struct sp_clock_reading *now)
{
	if (m->waiting && now->mono_us >= m->over.to_us + SP_MINUTE_LAG_US)
		record_waiting(m, now);
}

void sp_minutes_end(struct sp_minutes *m, const struct sp_clock_reading *now)
{
	sp_minutes_close(m, now);
	record_waiting(m, now);
}
