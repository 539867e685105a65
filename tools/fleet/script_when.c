// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When a statement holds, and its next time after a moment.
#include "tools/fleet/script_priv.h"

#include <string.h>

#include "tools/fleet/civil.h"

enum { SECOND_MS = 1000, DAYS_A_WEEK = 7, ALL_DAYS = 0x7f };

static const struct {
	const char *english, *vietnamese;
} weekdays[DAYS_A_WEEK] = {{"mon", "t2"}, {"tue", "t3"}, {"wed", "t4"}, {"thu", "t5"},
			   {"fri", "t6"}, {"sat", "t7"}, {"sun", "cn"}};

// ---- reading --------------------------------------------------------------------------------------------

static int weekday(const char *word, size_t length)
{
	for (int i = 0; i < DAYS_A_WEEK; i++)
		if ((strlen(weekdays[i].english) == length &&
		     memcmp(weekdays[i].english, word, length) == 0) ||
		    (strlen(weekdays[i].vietnamese) == length &&
		     memcmp(weekdays[i].vietnamese, word, length) == 0))
			return i;
	return -1;
}

/// "mon-fri", "sat"; 0: it is no such word.
static unsigned days_of(const char *word)
{
	size_t length = strcspn(word, "-");
	int first = weekday(word, length), last = first;
	if (word[length] == '-')
		last = weekday(word + length + 1, strlen(word + length + 1));
	unsigned mask = 0;
	if (first < 0 || last < 0)
		return 0;
	for (int day = first;; day = (day + 1) % DAYS_A_WEEK) {
		mask |= 1u << day;
		if (day == last)
			return mask;
	}
}

static bool read_clock(struct sp_tokens *t, int64_t *ms)
{
	const char *word = sp_tokens_take(t, "a time of day");
	if (!word)
		return false;
	return sp_civil_clock(word, ms) || sp_tokens_fail(t, "\"%.40s\" is no time of day like 07:30", word);
}

static bool read_day(struct sp_tokens *t, int64_t *day)
{
	const char *word = sp_tokens_take(t, "a day");
	if (!word)
		return false;
	return sp_civil_date(word, day) || sp_tokens_fail(t, "\"%.40s\" is no day like 2026-09-14", word);
}

static bool read_days(struct sp_tokens *t, struct sp_when *when)
{
	when->kind = SP_WHEN_DAYS;
	do {
		unsigned days = days_of(sp_tokens_peek(t));
		if (!days)
			return sp_tokens_fail(t, "\"%.40s\" is no moment and no day of the week",
					      sp_tokens_peek(t));
		when->weekdays |= days;
		t->at++;
	} while (sp_tokens_is(t, ","));
	return read_clock(t, &when->ms);
}

static bool read_each(struct sp_tokens *t, struct sp_when *when)
{
	if (sp_tokens_is(t, "day")) {
		when->kind = SP_WHEN_DAYS;
		when->weekdays = ALL_DAYS;
		return read_clock(t, &when->ms);
	}
	when->kind = SP_WHEN_EVERY;
	if (!sp_tokens_time(t, "each", &when->ms))
		return false;
	return when->ms >= SECOND_MS || sp_tokens_fail(t, "more often than each second");
}

static bool read_moment(struct sp_tokens *t, struct sp_when *when)
{
	int64_t day, clock_ms;
	const char *word = sp_tokens_peek(t);
	if (sp_tokens_is(t, "start")) {
		when->kind = SP_WHEN_START;
		return true;
	}
	if (sp_tokens_is(t, "each"))
		return read_each(t, when);
	if (sp_tokens_is(t, "day")) {
		when->kind = SP_WHEN_DAY;
		return sp_tokens_count(t, "day", 1, 10000, &when->day) && read_clock(t, &when->ms);
	}
	if (word[0] == '+') {
		when->kind = SP_WHEN_OFFSET;
		return sp_tokens_time(t, "the offset", &when->ms);
	}
	if (!sp_civil_date(word, &day))
		return read_days(t, when);
	t->at++;
	when->kind = SP_WHEN_MOMENT;
	if (!read_clock(t, &clock_ms))
		return false;
	when->ms = sp_civil_day_ms(day) + clock_ms;
	return true;
}

static bool read_until(struct sp_tokens *t, struct sp_when *when)
{
	int64_t day, clock_ms;
	if (sp_tokens_is(t, "end")) {
		when->until = SP_UNTIL_END;
		return true;
	}
	if (!sp_civil_date(sp_tokens_peek(t), &day)) {
		when->until = SP_UNTIL_CLOCK;
		return read_clock(t, &when->until_ms);
	}
	t->at++;
	when->until = SP_UNTIL_MOMENT;
	if (!read_clock(t, &clock_ms))
		return false;
	when->until_ms = sp_civil_day_ms(day) + clock_ms;
	return true;
}

static bool read_length(struct sp_tokens *t, struct sp_when *when)
{
	when->until = SP_UNTIL_LENGTH;
	if (!sp_tokens_time(t, "for", &when->until_ms))
		return false;
	return when->until_ms > 0 || sp_tokens_fail(t, "for: no length");
}

static bool repeats(const struct sp_when *when)
{
	return when->kind == SP_WHEN_DAYS || when->kind == SP_WHEN_EVERY;
}

static bool read_more(struct sp_tokens *t, struct sp_when *when)
{
	if (sp_tokens_is(t, "for"))
		return read_length(t, when);
	if (sp_tokens_is(t, "until"))
		return read_until(t, when);
	if (sp_tokens_is(t, "spread")) {
		if (!sp_tokens_time(t, "spread", &when->spread_ms))
			return false;
		return when->spread_ms >= 0 || sp_tokens_fail(t, "spread: less than nothing");
	}
	if (repeats(when) && sp_tokens_is(t, "from"))
		return read_day(t, &when->from_day);
	if (repeats(when) && sp_tokens_is(t, "to"))
		return read_day(t, &when->to_day);
	return sp_tokens_fail(t, "for, until, spread or a colon is expected, not \"%.40s\"",
			      sp_tokens_peek(t));
}

bool sp_when_read(struct sp_tokens *tokens, struct sp_when *when)
{
	*when = (struct sp_when){.from_day = INT64_MIN, .to_day = INT64_MAX};
	if (!read_moment(tokens, when))
		return false;
	while (!sp_tokens_is(tokens, ":"))
		if (!read_more(tokens, when))
			return false;
	if (when->kind == SP_WHEN_EVERY && when->until == SP_UNTIL_LENGTH && when->until_ms > when->ms)
		return sp_tokens_fail(tokens, "it lasts longer than until its next time");
	return true;
}

// ---- the next time --------------------------------------------------------------------------------------

static int64_t end_of(const struct sp_when *when, int64_t begin_ms)
{
	int64_t end;
	switch (when->until) {
	case SP_UNTIL_NOW:
		return begin_ms;
	case SP_UNTIL_LENGTH:
		return begin_ms + when->until_ms;
	case SP_UNTIL_CLOCK:
		end = sp_civil_day_ms(sp_civil_day(begin_ms)) + when->until_ms;
		return end > begin_ms ? end : end + SP_CIVIL_DAY_MS; // of the next day
	case SP_UNTIL_MOMENT:
		return when->until_ms > begin_ms ? when->until_ms : begin_ms;
	case SP_UNTIL_END:
		return INT64_MAX;
	}
	return begin_ms;
}

static bool fits(const struct sp_when *when, int64_t begin_ms, int64_t at_ms, int64_t after_ms,
		 struct sp_span *out)
{
	*out = (struct sp_span){begin_ms, end_of(when, begin_ms)};
	bool over = out->end_ms > begin_ms ? out->end_ms <= at_ms : begin_ms < at_ms;
	return begin_ms >= after_ms && !over;
}

/// Days since 1970 on which it happens, from the first that can still matter.
static bool next_day(const struct sp_when *when, int64_t at_ms, int64_t after_ms, struct sp_span *out)
{
	int64_t long_days = when->until == SP_UNTIL_LENGTH ? when->until_ms / SP_CIVIL_DAY_MS + 1 : 1;
	int64_t day = sp_civil_day(at_ms) - long_days - 1;
	if (after_ms > 0 && sp_civil_day(after_ms) - 1 > day)
		day = sp_civil_day(after_ms) - 1;
	if (day < when->from_day)
		day = when->from_day;
	for (int64_t last = day + 4 * DAYS_A_WEEK + long_days; day < when->to_day && day < last; day++) {
		bool on = when->weekdays >> sp_civil_weekday(day) & 1;
		if (on && fits(when, sp_civil_day_ms(day) + when->ms, at_ms, after_ms, out))
			return true;
	}
	return false;
}

static bool next_round(const struct sp_when *when, int64_t start_ms, int64_t at_ms, int64_t after_ms,
		       struct sp_span *out)
{
	int64_t from = after_ms > at_ms - when->ms ? after_ms : at_ms - when->ms;
	int64_t round = from > start_ms ? (from - start_ms) / when->ms : 0;
	for (int i = 0; i < 4; i++, round++) {
		int64_t begin = start_ms + round * when->ms, day = sp_civil_day(begin);
		if (day >= when->to_day)
			return false;
		if (day < when->from_day) {
			round = (sp_civil_day_ms(when->from_day) - start_ms) / when->ms;
			continue;
		}
		if (fits(when, begin, at_ms, after_ms, out))
			return true;
	}
	return false;
}

bool sp_when_next(const struct sp_when *when, int64_t start_ms, int64_t at_ms, int64_t after_ms,
		  struct sp_span *out)
{
	switch (when->kind) {
	case SP_WHEN_START:
		return fits(when, start_ms, at_ms, after_ms, out);
	case SP_WHEN_OFFSET:
		return fits(when, start_ms + when->ms, at_ms, after_ms, out);
	case SP_WHEN_MOMENT:
		return fits(when, when->ms, at_ms, after_ms, out);
	case SP_WHEN_DAY:
		return fits(when, sp_civil_day_ms(sp_civil_day(start_ms) + when->day - 1) + when->ms, at_ms,
			    after_ms, out);
	case SP_WHEN_DAYS:
		return next_day(when, at_ms, after_ms, out);
	case SP_WHEN_EVERY:
		return next_round(when, start_ms, at_ms, after_ms, out);
	}
	return false;
}
