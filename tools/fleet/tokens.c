// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Bytes from a file: nothing in them is trusted.
#include "tools/fleet/tokens.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/base/mem.h"

// ---- lines ----------------------------------------------------------------------------------------------

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/// One line without its comment; true when it goes on in the next one.
static bool copy_line(char *out, size_t *length, const char *at, const char *end)
{
	bool quoted = false;
	while (end > at && blank(end[-1]))
		end--;
	for (; at < end; at++) {
		if (*at == '#' && !quoted)
			return false;
		if (*at == '\\' && at + 1 == end)
			return true;
		if (*at == '"')
			quoted = !quoted;
		if (*length < SP_TOKENS_TEXT_MAX)
			out[(*length)++] = *at;
		if (*at == '\\' && *length < SP_TOKENS_TEXT_MAX)
			out[(*length)++] = *++at;
	}
	return false;
}

/// A statement's text, which may span lines. False at the end of the file.
static bool collect(struct sp_tokens *out, const char **text, const char *end, unsigned *line)
{
	size_t length = 0;
	bool more = true;
	out->line = *line;
	if (*text >= end)
		return false;
	while (more && *text < end) {
		const char *stop = memchr(*text, '\n', (size_t)(end - *text));
		const char *line_end = stop ? stop : end;
		more = copy_line(out->memory, &length, *text, line_end);
		*text = stop ? stop + 1 : end;
		++*line;
		if (more && length < SP_TOKENS_TEXT_MAX)
			out->memory[length++] = ' ';
	}
	out->memory[length] = '\0';
	if (length >= SP_TOKENS_TEXT_MAX || strlen(out->memory) < length)
		return sp_tokens_fail(out, "too long, or a NUL in it"), true;
	return true;
}

// ---- words ----------------------------------------------------------------------------------------------

/// Does the character end a word, or stand alone as one?
static bool stands_alone(const char *at)
{
	return *at == ',' || (*at == ':' && (at[1] == '\0' || blank(at[1])));
}

/// Reads one word from *from to *to, both in the same memory; the latter never passes the former.
static bool word(struct sp_tokens *t, char **from, char **to)
{
	struct sp_token *token = &t->list[t->count++];
	char *start = *to;
	bool open = false;
	*token = (struct sp_token){.text = start, .quoted = -1};
	for (; **from && (open || (!blank(**from) && !stands_alone(*from))); ++*from) {
		if (**from == '"') {
			open = !open;
			token->quoted = token->quoted < 0 ? (int)(*to - start) : token->quoted;
			continue;
		}
		if (**from == '\\' && open && (*from)[1])
			++*from;
		*(*to)++ = **from;
	}
	return open ? sp_tokens_fail(t, "a quote is not closed") : true;
}

static bool cut(struct sp_tokens *t)
{
	char *from = t->memory, *to = t->memory + SP_TOKENS_TEXT_MAX + 1;
	for (;;) {
		while (blank(*from))
			from++;
		if (!*from)
			return true;
		if (t->count == SP_TOKENS_MAX)
			return sp_tokens_fail(t, "more than %d words", SP_TOKENS_MAX);
		if (stands_alone(from)) {
			t->list[t->count++] =
			    (struct sp_token){.text = *from == ',' ? "," : ":", .quoted = -1};
			from++;
			continue;
		}
		if (!word(t, &from, &to))
			return false;
		*to++ = '\0';
	}
}

int sp_tokens_next(struct sp_tokens *out, const char **text, const char *end, unsigned *line)
{
	*out = (struct sp_tokens){.memory = sp_alloc(2 * (SP_TOKENS_TEXT_MAX + 2) + SP_TOKENS_MAX)};
	while (out->count == 0) {
		if (!collect(out, text, end, line)) {
			sp_tokens_free(out);
			return 0;
		}
		if (out->why[0] || !cut(out))
			return -EINVAL;
	}
	return 1;
}

void sp_tokens_free(struct sp_tokens *tokens)
{
	free(tokens->memory);
	tokens->memory = NULL;
	tokens->count = 0;
}

// ---- reading --------------------------------------------------------------------------------------------

bool sp_tokens_fail(struct sp_tokens *tokens, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (!tokens->why[0])
		vsnprintf(tokens->why, sizeof(tokens->why), format, args);
	va_end(args);
	return false;
}

const char *sp_tokens_peek(const struct sp_tokens *tokens)
{
	return tokens->at < tokens->count ? tokens->list[tokens->at].text : "";
}

bool sp_tokens_end(const struct sp_tokens *tokens)
{
	return tokens->at >= tokens->count;
}

bool sp_tokens_is(struct sp_tokens *tokens, const char *word)
{
	if (sp_tokens_end(tokens) || tokens->list[tokens->at].quoted >= 0 ||
	    strcmp(tokens->list[tokens->at].text, word) != 0)
		return false;
	tokens->at++;
	return true;
}

const char *sp_tokens_take(struct sp_tokens *tokens, const char *what)
{
	if (!sp_tokens_end(tokens))
		return tokens->list[tokens->at++].text;
	sp_tokens_fail(tokens, "%s is missing at the end", what);
	return NULL;
}

bool sp_tokens_number(struct sp_tokens *tokens, const char *what, double least, double most, double *out)
{
	const char *text = sp_tokens_take(tokens, what);
	char *end = NULL;
	if (!text)
		return false;
	*out = strtod(text, &end);
	if (end == text || *end || !isfinite(*out) || *out < least || *out > most)
		return sp_tokens_fail(tokens, "%s: \"%.40s\" is no number from %g to %g", what, text, least,
				      most);
	return true;
}

bool sp_tokens_count(struct sp_tokens *tokens, const char *what, int64_t least, int64_t most, int64_t *out)
{
	double number;
	if (!sp_tokens_number(tokens, what, (double)least, (double)most, &number))
		return false;
	*out = (int64_t)number;
	return (double)*out == number ? true : sp_tokens_fail(tokens, "%s is no whole number", what);
}

bool sp_tokens_time(struct sp_tokens *tokens, const char *what, int64_t *ms)
{
	const char *text = sp_tokens_take(tokens, what);
	if (!text)
		return false;
	bool back = text[0] == '-', sign = back || text[0] == '+';
	if (sp_duration_parse(text + sign, ms) < 0 || *ms > INT64_C(1000) * 366 * 86400000)
		return sp_tokens_fail(tokens, "%s: \"%.40s\" is no time like 300ms, 90s, 10min, 2h, 7d", what,
				      text);
	*ms = back ? -*ms : *ms;
	return true;
}

bool sp_tokens_share(struct sp_tokens *tokens, const char *what, double *ratio)
{
	const char *text = sp_tokens_take(tokens, what);
	char *end = NULL;
	if (!text)
		return false;
	double percent = strtod(text, &end);
	if (end == text || strcmp(end, "%") != 0 || !(percent >= 0 && percent <= 100))
		return sp_tokens_fail(tokens, "%s: \"%.40s\" is no share like 5%%", what, text);
	*ratio = percent / 100;
	return true;
}
