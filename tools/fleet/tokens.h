// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A statement of a script cut into words, and the errand of reading them one by one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { SP_TOKENS_MAX = 128, SP_TOKENS_TEXT_MAX = 16 * 1024 };

struct sp_token {
	const char *text; ///< "," and ":" stand alone unless they are a part of a word or quoted
	int quoted;       ///< from which character on it was quoted; -1: nowhere
};

struct sp_tokens {
	char *memory;
	struct sp_token list[SP_TOKENS_MAX];
	size_t count, at;
	unsigned line; ///< where the statement begins
	char why[160]; ///< what is wrong with it
};

/// Takes the next statement from *text, moving it and *line on: 1; 0: the end; -EINVAL with `why`: this one
/// cannot be cut, and the next call goes on behind it.
int sp_tokens_next(struct sp_tokens *out, const char **text, const char *end, unsigned *line) SP_MUST_CHECK;
void sp_tokens_free(struct sp_tokens *tokens);

const char *sp_tokens_peek(const struct sp_tokens *tokens); ///< "" at the end
bool sp_tokens_end(const struct sp_tokens *tokens);         ///< nothing is left
/// Takes the next word if it is this one.
bool sp_tokens_is(struct sp_tokens *tokens, const char *word);
/// Takes the next word; NULL with `why` when there is none.
const char *sp_tokens_take(struct sp_tokens *tokens, const char *what);
/// Sets `why`, returns false.
bool sp_tokens_fail(struct sp_tokens *tokens, const char *format, ...) SP_PRINTF(2, 3);

// Each takes a word of its kind, or fails.
bool sp_tokens_number(struct sp_tokens *tokens, const char *what, double least, double most, double *out);
bool sp_tokens_count(struct sp_tokens *tokens, const char *what, int64_t least, int64_t most, int64_t *out);
bool sp_tokens_time(struct sp_tokens *tokens, const char *what, int64_t *ms);    ///< "90s", "-2h", "+1d"
bool sp_tokens_share(struct sp_tokens *tokens, const char *what, double *ratio); ///< "5%"
