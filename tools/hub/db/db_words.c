// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One word for another in a script.
#include "tools/hub/db/db_words.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "agent/base/buf.h"

enum { SCRIPT_MAX = 1024 * 1024 }; ///< ours, never from outside

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static const struct sp_db_word *word_at(const char *at, bool inside, const struct sp_db_word *words,
					size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(words[i].word);
		if (strncmp(at, words[i].word, length) != 0)
			continue;
		if (*at == '{' || (!inside && !in_word(at[length])))
			return &words[i];
	}
	return NULL;
}

char *sp_db_words(const char *sql, const struct sp_db_word *words, size_t count)
{
	struct sp_buf out = SP_BUF(SCRIPT_MAX);
	bool quoted = false, inside = false;
	for (const char *at = sql; *at;) {
		const struct sp_db_word *word = quoted ? NULL : word_at(at, inside, words, count);
		quoted ^= *at == '\'';
		inside = in_word(*at);
		if (word) {
			sp_buf_text(&out, word->means);
			at += strlen(word->word);
		} else {
			sp_buf_add(&out, at++, 1);
		}
	}
	return sp_buf_take(&out);
}
