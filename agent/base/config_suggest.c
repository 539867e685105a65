// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// "Did you mean": edit distance with neighbours swapped, blind to case and to - for _.
#include <string.h>

#include "agent/base/config.h"

static int fold(char byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A' + 'a';
	return byte == '-' ? '_' : (unsigned char)byte;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/// Optimal string alignment over three rolling rows; both words at most SP_CONFIG_NAME_MAX bytes.
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][SP_CONFIG_NAME_MAX + 1];
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			int same = fold(a[i - 1]) == fold(b[j - 1]);
			row[j] = least(above[j - 1] + !same, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

const char *sp_config_suggest(const char *word, const char *const *words, size_t count)
{
	size_t length = strlen(word);
	if (length < 2 || length > SP_CONFIG_NAME_MAX)
		return NULL;
	const char *best = NULL;
	unsigned best_distance = length < 4 ? 1 : length < 8 ? 2 : 3;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(words[i]);
		if (other > SP_CONFIG_NAME_MAX)
			continue;
		unsigned steps = distance(word, length, words[i], other);
		// As many edits as the word has letters would turn it into anything.
		if (steps <= best_distance && steps < other && (!best || steps < best_distance)) {
			best = words[i];
			best_distance = steps;
		}
	}
	return best;
}
