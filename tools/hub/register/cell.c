// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Cells of the register's files, fuzzed (tests/fuzz/fuzz_register.c).
#include "tools/hub/register/cell.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/ids.h"
#include "agent/base/utf8.h"
#include "tools/hub/register/relation.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/time/timetable.h"

static bool has_control(const char *text)
{
	uint32_t character;
	for (size_t n, left = strlen(text); left > 0; text += n, left -= n) {
		n = sp_utf8_next(text, left, &character);
		if (n == 0 || sp_utf8_is_control(character))
			return true;
	}
	return false;
}

bool sp_cell_is_formula(const char *cell)
{
	uint32_t first = 0;
	(void)sp_utf8_next(cell, strlen(cell), &first);
	switch (first) {
	case '=':
	case '+':
	case '-':
	case '@':
	case 0xff1d: // their wide forms
	case 0xff0b:
	case 0xff0d:
	case 0xff20:
		return true;
	default:
		return false;
	}
}

const char *sp_cell_text_fault(const char *cell, size_t max)
{
	if (strlen(cell) > max)
		return "too long";
	if (has_control(cell))
		return "contains a control character";
	if (sp_cell_is_formula(cell))
		return "begins with '=', '+', '-' or '@': a spreadsheet would take it for a formula";
	return NULL;
}

int sp_cell_mbps(const char *text, double *out)
{
	unsigned long long whole = 0, fraction = 0, scale = 1;
	if (!*text)
		return 0;
	if (!strchr("0123456789", *text) || strlen(text) > 12)
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++)
		whole = whole * 10 + (unsigned)(*text - '0');
	if (*text == '.' || *text == ',') {
		for (text++; *text >= '0' && *text <= '9'; text++, scale *= 10)
			fraction = fraction * 10 + (unsigned)(*text - '0');
	}
	*out = (double)whole + (double)fraction / (double)scale;
	return *text || *out <= 0 || *out > 1e6 ? -EINVAL : 0;
}

static const char *degrees(const char *cell, char room[SP_CELL_SIZE], const char **kept)
{
	static const char fault[] = "must be degrees like 17.214";
	char number[16];
	char *end = number;
	size_t length = strlen(cell);
	if (length >= sizeof(number) || strspn(cell, "-0123456789.,") != length)
		return fault;
	memcpy(number, cell, length + 1);
	char *comma = strchr(number, ',');
	if (comma)
		*comma = '.';
	double value = strtod(number, &end);
	if (end == number || *end || value < -180 || value > 180)
		return fault;
	*kept = sp_rel_real(value == 0 ? 0 : value, room); // there is a -0
	return NULL;
}

static const char *count_of(const char *cell, char room[SP_CELL_SIZE], const char **kept)
{
	size_t length = strlen(cell);
	if (length > 8 || strspn(cell, "0123456789") != length || strtol(cell, NULL, 10) > 10000000)
		return "must be a number from 0 to 10000000, without signs in between";
	snprintf(room, SP_CELL_SIZE, "%ld", strtol(cell, NULL, 10));
	*kept = room;
	return NULL;
}

static const char *flag(const char *cell, const char **kept)
{
	static const char *const yes[] = {"1", "x", "có", "yes", "true"};
	static const char *const no[] = {"0", "không", "no", "false"};
	for (size_t i = 0; i < SP_COUNT(yes); i++) {
		if (strcasecmp(cell, yes[i]) == 0)
			return *kept = "1", NULL;
	}
	for (size_t i = 0; i < SP_COUNT(no); i++) {
		if (strcasecmp(cell, no[i]) == 0)
			return *kept = "0", NULL;
	}
	return "must be 1 or 0";
}

static const char *word(const char *cell, const char *const *words, const char **kept)
{
	for (; *words; words++) {
		if (strcasecmp(cell, *words) == 0)
			return *kept = *words, NULL;
	}
	return "is none of the words that may stand there";
}

static const char *mbps(const char *cell, char room[SP_CELL_SIZE], const char **kept)
{
	double value = 0;
	if (sp_cell_mbps(cell, &value) < 0)
		return "must be Mbit/s like 100 or 33.5";
	*kept = sp_rel_real(value, room);
	return NULL;
}

const char *sp_cell_read(enum sp_cell_type type, const char *cell, size_t max, const char *const *words,
			 char room[SP_CELL_SIZE], const char **kept)
{
	struct sp_timetable week;
	struct sp_cell_moment moment;
	const char *fault = sp_cell_text_fault(cell, max);
	bool text = type == SP_CELL_TEXT || type == SP_CELL_LEVEL;
	*kept = cell;
	// The others say themselves what they must be, and a minus is no formula in a number.
	if (fault && (text || !sp_cell_is_formula(cell) || strlen(cell) > max))
		return fault;
	switch (type) {
	case SP_CELL_TEXT:
		return NULL;
	case SP_CELL_LEVEL:
		return strpbrk(cell, "/+#") || *cell == '$'
			   ? "stands in a topic: no '/', '+', '#', and no '$' first"
			   : NULL;
	case SP_CELL_ID:
		return sp_id_valid(cell) ? NULL : "must be 1 to 32 of a-z, 0-9 and '-'";
	case SP_CELL_MBPS:
		return mbps(cell, room, kept);
	case SP_CELL_DEGREES:
		return degrees(cell, room, kept);
	case SP_CELL_COUNT:
		return count_of(cell, room, kept);
	case SP_CELL_FLAG:
		return flag(cell, kept);
	case SP_CELL_WEEK:
		return sp_timetable_parse(&week, cell) < 0
			   ? "must be like 'mon-fri 07:00-17:00; sat 07:00-11:30' or 't2-t6 7h00-11h30, "
			     "13h30-17h00'"
			   : NULL;
	case SP_CELL_WORD:
		return word(cell, words, kept);
	case SP_CELL_FROM:
	case SP_CELL_TO:
		return sp_cell_moment(cell, &moment) ? NULL
						     : "must be a day like 2026-09-05 or 05/09/2026, with a "
						       "time like 07:00 behind it or "
						       "without";
	}
	return NULL;
}

// ---- days and moments ----------------------------------------------------------------------------

/// Up to `digits` digits; -1 without one.
static int number(const char **at, int digits)
{
	int value = 0, seen = 0;
	for (; isdigit((unsigned char)**at) && seen < digits; ++*at, seen++)
		value = value * 10 + (**at - '0');
	return seen ? value : -1;
}

static bool sign(const char **at, const char *one_of)
{
	if (!**at || !strchr(one_of, **at))
		return false;
	++*at;
	return true;
}

static bool date(const char **at, int64_t *from_ms)
{
	char text[40];
	int a = number(at, 4), b, c;
	if (a < 0 || !**at || !strchr("-/.", **at))
		return false;
	char between[2] = {**at, '\0'};
	++*at;
	b = number(at, 2);
	if (b < 0 || !sign(at, between))
		return false;
	c = number(at, 4);
	if (a > 31)
		snprintf(text, sizeof(text), "%04d-%02d-%02d", a % 10000, b % 100, c < 0 || c > 99 ? 0 : c);
	else
		snprintf(text, sizeof(text), "%04d-%02d-%02d", c < 0 ? 0 : c % 10000, b % 100, a % 100);
	return sp_local_date_parse(text, from_ms);
}

bool sp_cell_moment(const char *cell, struct sp_cell_moment *out)
{
	int64_t from_ms;
	if (!date(&cell, &from_ms))
		return false;
	*out = (struct sp_cell_moment){true, sp_local_day(from_ms)};
	if (!*cell)
		return true;
	if (!sign(&cell, " T"))
		return false;
	int hours = number(&cell, 2);
	if (hours < 0 || !sign(&cell, ":h"))
		return false;
	int minutes = number(&cell, 2);
	if (minutes < 0 || minutes > 59 || hours * 60 + minutes > 24 * 60 || *cell)
		return false;
	*out = (struct sp_cell_moment){false, from_ms + (hours * 60 + minutes) * INT64_C(60000)};
	return true;
}
