// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Spans of usable time and repeatable chance.
#include "agent/core/speed/draw.h"

static void add_span(struct sp_speed_spans *out, int64_t from_ms, int64_t to_ms)
{
	if (from_ms >= to_ms || out->count >= SP_SPEED_SPANS)
		return;
	out->spans[out->count++] = (struct sp_speed_span){from_ms, to_ms};
	out->total_ms += to_ms - from_ms;
}

/// Leaves out every quiet period from the `first` on that concerns this span, and adds what remains. None
/// remains in two pieces without a period of its own, so that the spans of a day have room.
static void add_around_quiets(struct sp_speed_spans *out, const struct sp_speed_times *times, int64_t from_ms,
			      int64_t to_ms)
{
	while (from_ms < to_ms) {
		// The period that ends the free time from here on first, or covers its beginning.
		int64_t free_to = to_ms, resume = to_ms;
		for (size_t i = 0; i < times->quiet_count; i++) {
			int64_t begin = times->quiets[i].from_ms - SP_SPEED_QUIET_AWAY_S * INT64_C(1000);
			int64_t end = times->quiets[i].to_ms;
			if (end <= from_ms || begin >= free_to)
				continue;
			free_to = begin;
			resume = end;
		}
		add_span(out, from_ms, free_to);
		from_ms = resume;
	}
}

void sp_speed_spans(const struct sp_speed_times *times, size_t window, int64_t day, int64_t after_ms,
		    struct sp_speed_spans *out)
{
	const struct sp_speed_window *w = &times->windows[window];
	int64_t midnight_ms = sp_speed_day_start_ms(day);
	*out = (struct sp_speed_spans){0};
	for (int mark_s = w->from_s / SP_SPEED_MARK_S * SP_SPEED_MARK_S; mark_s < w->to_s;
	     mark_s += SP_SPEED_MARK_S) {
		int from_s = mark_s + SP_SPEED_MARK_AWAY_S;
		int to_s = mark_s + SP_SPEED_MARK_S - SP_SPEED_MARK_AWAY_S;
		int64_t from_ms = midnight_ms + (from_s > w->from_s ? from_s : w->from_s) * INT64_C(1000);
		int64_t to_ms = midnight_ms + (to_s < w->to_s ? to_s : w->to_s) * INT64_C(1000);
		add_around_quiets(out, times, from_ms > after_ms ? from_ms : after_ms, to_ms);
	}
}

int64_t sp_speed_spans_at(const struct sp_speed_spans *spans, double share)
{
	int64_t into_ms = (int64_t)(share * (double)spans->total_ms);
	size_t i = 0;
	for (; i + 1 < spans->count && into_ms >= spans->spans[i].to_ms - spans->spans[i].from_ms; i++)
		into_ms -= spans->spans[i].to_ms - spans->spans[i].from_ms;
	return spans->spans[i].from_ms + into_ms;
}

/// splitmix64 (Steele, Lea, Flood 2014).
static uint64_t next(struct sp_speed_chance *chance)
{
	uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void stir(struct sp_speed_chance *chance, uint64_t value)
{
	chance->state ^= value;
	chance->state = next(chance);
}

static void stir_text(struct sp_speed_chance *chance, const char *text)
{
	uint64_t length = 0;
	for (; *text; text++, length++)
		stir(chance, (unsigned char)*text);
	stir(chance, length << 8);
}

struct sp_speed_chance sp_speed_chance(const char *salt, const char *name, int64_t a, int64_t b, int64_t c)
{
	struct sp_speed_chance chance = {0};
	stir_text(&chance, salt);
	stir_text(&chance, name);
	stir(&chance, (uint64_t)a);
	stir(&chance, (uint64_t)b);
	stir(&chance, (uint64_t)c);
	return chance;
}

double sp_speed_chance_unit(struct sp_speed_chance *chance)
{
	return (double)(next(chance) >> 11) * 0x1p-53;
}
