// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Quantities as people write them: durations and sizes, there and back.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/config.h"

struct unit {
	const char *word;
	int64_t factor;
};

/// Small to large.
static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
};
static const struct unit sizes[] = {{"", 1}, {"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};

static int parse(const char *text, const struct unit *units, size_t count, int64_t *out)
{
	int64_t number = 0;
	bool overflow = false;
	size_t digits = strspn(text, "0123456789");
	for (size_t i = 0; i < digits && !overflow; i++)
		overflow = __builtin_mul_overflow(number, 10, &number) ||
			   __builtin_add_overflow(number, text[i] - '0', &number);
	for (size_t i = 0; digits > 0 && i < count; i++)
		if (strcmp(units[i].word, text + digits) == 0) {
			if (overflow || __builtin_mul_overflow(number, units[i].factor, &number))
				return -ERANGE;
			*out = number;
			return 0;
		}
	return -EINVAL;
}

static const char *format(int64_t number, const struct unit *units, size_t count, char out[32])
{
	size_t best = 0;
	for (size_t i = 1; i < count && number != 0; i++)
		if (number % units[i].factor == 0)
			best = i;
	snprintf(out, 32, "%" PRId64 "%s", number / units[best].factor, units[best].word);
	return out;
}

int sp_duration_parse(const char *text, int64_t *ms)
{
	return parse(text, durations, SP_COUNT(durations), ms);
}

int sp_size_parse(const char *text, int64_t *bytes)
{
	return parse(text, sizes, SP_COUNT(sizes), bytes);
}

const char *sp_duration_format(int64_t ms, char out[32])
{
	return format(ms, durations, SP_COUNT(durations), out);
}

const char *sp_size_format(int64_t bytes, char out[32])
{
	return format(bytes, sizes, SP_COUNT(sizes), out);
}
