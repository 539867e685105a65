// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Segments of a strip: first when anything is known at all, then what was said in it.
#include "tools/hub/time/strip.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum { FIRST_ROOM = 16 };

struct pieces {
	struct sp_segment *items;
	size_t count, room;
};

static void add(struct pieces *out, int64_t from_ms, int64_t to_ms, enum sp_line_state state,
		const char *cause)
{
	if (from_ms >= to_ms)
		return;
	if (out->count > 0) {
		struct sp_segment *last = &out->items[out->count - 1];
		if (last->to_ms == from_ms && last->state == state && strcmp(last->cause, cause) == 0) {
			last->to_ms = to_ms;
			return;
		}
	}
	if (out->count == out->room) {
		out->room *= 2;
		out->items = sp_realloc(out->items, out->room * sizeof(*out->items));
	}
	out->items[out->count++] = (struct sp_segment){from_ms, to_ms, state, cause};
}

/// Nothing was heard: unknown, for the causes that became known afterwards.
static void gap(struct pieces *out, const struct sp_strip *strip, int64_t from_ms, int64_t to_ms)
{
	for (size_t i = 0; i < strip->quiet_count && from_ms < to_ms; i++) {
		const struct sp_quiet *quiet = &strip->quiet[i];
		if (quiet->to_ms <= from_ms || quiet->from_ms >= to_ms)
			continue;
		int64_t begin = quiet->from_ms > from_ms ? quiet->from_ms : from_ms;
		int64_t end = quiet->to_ms < to_ms ? quiet->to_ms : to_ms;
		add(out, from_ms, begin, SP_LINE_UNKNOWN, "");
		add(out, begin, end, SP_LINE_UNKNOWN, quiet->cause);
		from_ms = end;
	}
	add(out, from_ms, to_ms, SP_LINE_UNKNOWN, "");
}

static int by_start(const void *left, const void *right)
{
	const struct sp_span *a = left, *b = right;
	return a->from_ms < b->from_ms ? -1 : a->from_ms > b->from_ms;
}

/// Sorted and disjoint; spans that touch become one.
static size_t unite(struct sp_span *spans, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(spans, count, sizeof(*spans), by_start);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && spans[i].from_ms <= spans[kept - 1].to_ms) {
			if (spans[i].to_ms > spans[kept - 1].to_ms)
				spans[kept - 1].to_ms = spans[i].to_ms;
		} else {
			spans[kept++] = spans[i];
		}
	}
	return kept;
}

/// `heard` without `holes`, both united.
static struct sp_span *known_spans(struct sp_strip *strip, size_t *count)
{
	strip->heard_count = unite(strip->heard, strip->heard_count);
	strip->hole_count = unite(strip->holes, strip->hole_count);
	struct sp_span *known = sp_alloc((strip->heard_count + strip->hole_count + 1) * sizeof(*known));
	size_t kept = 0, hole = 0;
	for (size_t i = 0; i < strip->heard_count; i++) {
		int64_t at = strip->heard[i].from_ms, end = strip->heard[i].to_ms;
		while (hole < strip->hole_count && strip->holes[hole].to_ms <= at)
			hole++;
		for (size_t h = hole; h < strip->hole_count && strip->holes[h].from_ms < end; h++) {
			if (strip->holes[h].from_ms > at)
				known[kept++] = (struct sp_span){at, strip->holes[h].from_ms};
			at = strip->holes[h].to_ms;
		}
		if (at < end)
			known[kept++] = (struct sp_span){at, end};
	}
	*count = kept;
	return known;
}

/// What the points say within one known span, cut to from_ms…to_ms.
static void say(struct pieces *out, const struct sp_strip *strip, size_t *point, const struct sp_span *span,
		int64_t from_ms, int64_t to_ms)
{
	enum sp_line_state state = SP_LINE_UNKNOWN;
	const char *cause = "";
	int64_t at = span->from_ms;
	while (*point < strip->point_count && strip->points[*point].t_ms < span->from_ms)
		++*point;
	for (;;) {
		bool more = *point < strip->point_count && strip->points[*point].t_ms < span->to_ms;
		int64_t next = more ? strip->points[*point].t_ms : span->to_ms;
		add(out, at < from_ms ? from_ms : at, next > to_ms ? to_ms : next, state, cause);
		if (!more)
			return;
		state = strip->points[*point].state;
		cause = strip->points[*point].cause;
		at = next;
		++*point;
	}
}

struct sp_segment *sp_strip_segments(struct sp_strip *strip, int64_t from_ms, int64_t to_ms, size_t *count)
{
	struct pieces out = {.items = sp_alloc(FIRST_ROOM * sizeof(*out.items)), .room = FIRST_ROOM};
	size_t spans, point = 0;
	struct sp_span *known = known_spans(strip, &spans);
	int64_t at = from_ms;
	for (size_t i = 0; i < spans && at < to_ms; i++) {
		if (known[i].to_ms <= from_ms)
			continue;
		int64_t start = known[i].from_ms < to_ms ? known[i].from_ms : to_ms;
		gap(&out, strip, at, start);
		say(&out, strip, &point, &known[i], from_ms, to_ms);
		at = known[i].to_ms;
	}
	gap(&out, strip, at, to_ms);
	free(known);
	*count = out.count;
	return out.items;
}
