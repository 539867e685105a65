// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The words of scripts that each kind of database says in its own way.
#pragma once

#include <stddef.h>

struct sp_db_word {
	const char *word, *means;
};
/// Words of the scripts replaced, outside of quotes; a word that is in no braces is matched whole. The caller
/// frees it.
char *sp_db_words(const char *sql, const struct sp_db_word *words, size_t count);
