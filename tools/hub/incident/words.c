// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Names as numbers.
#include "tools/hub/incident/words.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

void sp_inc_word_add(struct sp_inc_words *words, const char *word)
{
	// Rows come in order, so that the same name often comes again at once.
	if (!word[0] || (words->count > 0 && strcmp(words->items[words->count - 1], word) == 0))
		return;
	if (words->count == words->room) {
		words->room = words->room ? words->room * 2 : 64;
		words->items = sp_realloc(words->items, words->room * sizeof(*words->items));
	}
	words->items[words->count++] = sp_strdup(word);
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

void sp_inc_words_sort(struct sp_inc_words *words)
{
	size_t kept = 0;
	if (words->count > 1)
		qsort(words->items, words->count, sizeof(*words->items), by_text);
	for (size_t i = 0; i < words->count; i++) {
		if (kept > 0 && strcmp(words->items[kept - 1], words->items[i]) == 0)
			free(words->items[i]);
		else
			words->items[kept++] = words->items[i];
	}
	words->count = kept;
}

int32_t sp_inc_word(const struct sp_inc_words *words, const char *word)
{
	if (words->count == 0 || !word[0])
		return -1;
	char **found = bsearch(&word, words->items, words->count, sizeof(*words->items), by_text);
	return found ? (int32_t)(found - words->items) : -1;
}

void sp_inc_words_free(struct sp_inc_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct sp_inc_words){0};
}
