// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Names as numbers, the same ones whatever the order in which they were met. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sp_inc_words {
	char **items; ///< sorted, each once, after sp_inc_words_sort()
	size_t count, room;
};

void sp_inc_word_add(struct sp_inc_words *words, const char *word);
void sp_inc_words_sort(struct sp_inc_words *words);
/// -1: not among them, or "".
int32_t sp_inc_word(const struct sp_inc_words *words, const char *word);
void sp_inc_words_free(struct sp_inc_words *words);
