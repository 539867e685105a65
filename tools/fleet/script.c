// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A script's file, statement by statement: every mistake is told, by file and line.
#include "tools/fleet/script_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/base/mem.h"
#include "agent/base/utf8.h"
#include "tools/fleet/words.h"

static void statement_free(struct sp_statement *s)
{
	for (size_t i = 0; i < s->who_count; i++)
		free(s->who[i].pattern);
	for (size_t i = 0; i < SP_SCRIPT_TEXTS_MAX; i++)
		free(s->args.text[i]);
	for (size_t i = 0; i < s->args.pairs; i++) {
		free(s->args.pair[i].key);
		free(s->args.pair[i].text);
	}
	free(s);
}

void sp_script_free(struct sp_script *script)
{
	for (size_t i = 0; i < script->count; i++)
		statement_free(script->statements[i]);
	free(script->statements);
	*script = (struct sp_script){0};
}

static bool read_statement(struct sp_tokens *t, struct sp_statement *s)
{
	s->line = t->line;
	return sp_who_read(t, s) && sp_when_read(t, &s->when) && sp_words_read(t, s) &&
	       (sp_tokens_end(t) || sp_tokens_fail(t, "\"%.40s\" is too much", sp_tokens_peek(t)));
}

static void add(struct sp_script *script, struct sp_statement *s)
{
	if ((script->count & (script->count - 1)) == 0) {
		size_t room = script->count ? script->count * 2 : 16;
		script->statements = sp_realloc(script->statements, room * sizeof(struct sp_statement *));
	}
	s->number = script->count;
	script->statements[script->count++] = s;
}

int sp_script_parse(struct sp_script *script, const char *file, const char *text, size_t length,
		    struct sp_config_errors *errors)
{
	size_t before = errors->count;
	const char *end = text + length;
	struct sp_tokens tokens;
	unsigned line = 1;
	if (length > SP_SCRIPT_FILE_MAX || !sp_utf8_valid(text, length)) {
		sp_config_error(errors, file, 0, "larger than 4 MiB, or no UTF-8");
		return -EINVAL;
	}
	for (int result; (result = sp_tokens_next(&tokens, &text, end, &line)) != 0;) {
		struct sp_statement *s = sp_alloc(sizeof(*s));
		bool room = script->count < SP_SCRIPT_STATEMENTS_MAX;
		if (result == 1 && room && read_statement(&tokens, s)) {
			add(script, s);
		} else {
			sp_config_error(errors, file, tokens.line, "%s",
					room ? tokens.why : "more than 20,000 statements");
			statement_free(s);
		}
		sp_tokens_free(&tokens);
		if (!room)
			break;
	}
	return errors->count > before ? -EINVAL : 0;
}

int sp_script_read(struct sp_script *script, const char *file, struct sp_config_errors *errors)
{
	FILE *in = fopen(file, "re");
	char *text = sp_alloc(SP_SCRIPT_FILE_MAX + 2);
	int result = -EINVAL;
	size_t length = in ? fread(text, 1, SP_SCRIPT_FILE_MAX + 1, in) : 0;
	if (!in || ferror(in))
		sp_config_error(errors, file, 0, "cannot be read");
	else
		result = sp_script_parse(script, file, text, length, errors);
	if (in)
		fclose(in);
	free(text);
	return result;
}
