// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How the rest of a statement is read, word by word.
#include "tools/fleet/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/mem.h"
#include "tools/fleet/civil.h"

enum { TEXT_MAX = 64, REBOOT_MS = 40000, RESTART_MS = 5000, CRASH_MS = 8000, DAY_MS = 86400000 };

/// The next word, copied; `which` of the texts it becomes.
static bool keep(struct sp_tokens *t, struct sp_args *args, int which, const char *what)
{
	const char *text = sp_tokens_take(t, what);
	if (!text)
		return false;
	if (strlen(text) > TEXT_MAX)
		return sp_tokens_fail(t, "%s is longer than %d bytes", what, TEXT_MAX);
	if (args->text[which])
		return sp_tokens_fail(t, "%s is given twice", what);
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20)
			return sp_tokens_fail(t, "%s has a control character", what);
	args->text[which] = sp_strdup(text);
	return true;
}

/// A name as records may bear it: [a-z][a-z0-9_]*, at most 32.
static bool keep_word(struct sp_tokens *t, struct sp_args *args, int which, const char *what)
{
	if (!keep(t, args, which, what))
		return false;
	const char *text = args->text[which];
	size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return (good > 0 && good <= 32 && !text[good] && text[0] >= 'a') ||
	       sp_tokens_fail(t, "%s: \"%.40s\" is not made of a-z, 0-9 and _", what, text);
}

bool sp_read_nothing(struct sp_tokens *tokens, struct sp_args *args)
{
	(void)tokens, (void)args;
	return true;
}

static bool read_only(struct sp_tokens *t, const char *word)
{
	return sp_tokens_is(t, word) ||
	       sp_tokens_fail(t, "\"%s\" is expected, not \"%.40s\"", word, sp_tokens_peek(t));
}

bool sp_read_cut(struct sp_tokens *tokens, struct sp_args *args)
{
	(void)args;
	return read_only(tokens, "cut");
}

bool sp_read_off(struct sp_tokens *tokens, struct sp_args *args)
{
	(void)args;
	return read_only(tokens, "off");
}

// ---- line -----------------------------------------------------------------------------------------------

static bool read_cause(struct sp_tokens *t, struct sp_args *args)
{
	const char *word = sp_tokens_peek(t);
	for (int i = 0; sp_line_causes[i].cause; i++) {
		if (sp_line_causes[i].rung && sp_tokens_is(t, sp_line_causes[i].cause)) {
			args->index[1] = i;
			return true;
		}
	}
	return sp_tokens_fail(t, "\"%.40s\" is no cause", word);
}

bool sp_read_line(struct sp_tokens *tokens, struct sp_args *args)
{
	for (int i = SP_LINE_IS_UNKNOWN; i <= SP_LINE_IS_DOWN; i++)
		if (sp_tokens_is(tokens, sp_line_is_names[i]))
			args->index[0] = i;
	if (args->index[0] == SP_LINE_IS_UNKNOWN)
		return true;
	if (args->index[0] == SP_LINE_IS_UP)
		return sp_tokens_fail(tokens, "\"%.40s\" is not down, degraded or unknown",
				      sp_tokens_peek(tokens));
	return read_cause(tokens, args) && (!sp_tokens_is(tokens, "hop") || keep(tokens, args, 0, "the hop"));
}

// ---- board ----------------------------------------------------------------------------------------------

static bool read_away(struct sp_tokens *t, struct sp_args *args, int64_t usual_ms)
{
	args->ms = usual_ms;
	if (sp_tokens_end(t))
		return true;
	return sp_tokens_time(t, "how long", &args->ms) &&
	       (args->ms > 0 || sp_tokens_fail(t, "it takes some time"));
}

bool sp_read_reboot(struct sp_tokens *tokens, struct sp_args *args)
{
	return read_away(tokens, args, REBOOT_MS);
}

bool sp_read_restart(struct sp_tokens *tokens, struct sp_args *args)
{
	return read_away(tokens, args, RESTART_MS);
}

bool sp_read_crash(struct sp_tokens *tokens, struct sp_args *args)
{
	return read_away(tokens, args, CRASH_MS);
}

bool sp_read_clock(struct sp_tokens *tokens, struct sp_args *args)
{
	if (sp_tokens_is(tokens, "lost"))
		return true;
	return read_only(tokens, "wrong") && sp_tokens_time(tokens, "by how much", &args->ms) &&
	       (args->ms != 0 || sp_tokens_fail(tokens, "a clock that is wrong by nothing"));
}

bool sp_read_late(struct sp_tokens *tokens, struct sp_args *args)
{
	return read_only(tokens, "late") && sp_tokens_time(tokens, "how late", &args->ms) &&
	       (args->ms > 0 || sp_tokens_fail(tokens, "late by nothing"));
}

bool sp_read_drop(struct sp_tokens *tokens, struct sp_args *args)
{
	return sp_tokens_count(tokens, "how many records", 1, 1000000, &args->count[0]);
}

bool sp_read_replay(struct sp_tokens *tokens, struct sp_args *args)
{
	return sp_tokens_count(tokens, "how many batches", 1, 16, &args->count[0]);
}

// ---- measurements ---------------------------------------------------------------------------------------

static bool read_speed_option(struct sp_tokens *t, struct sp_args *args)
{
	static const char *const texts[] = {"scope", "validity", "reason", "method"};
	for (int i = 0; i < (int)SP_COUNT(texts); i++)
		if (sp_tokens_is(t, texts[i]))
			return keep_word(t, args, i, texts[i]);
	if (sp_tokens_is(t, "down"))
		return sp_tokens_number(t, "down", 0, 1e6, &args->real[0]);
	if (sp_tokens_is(t, "up"))
		return sp_tokens_number(t, "up", 0, 1e6, &args->real[1]);
	if (sp_tokens_is(t, "times"))
		return sp_tokens_count(t, "times", 1, 100000, &args->times);
	if (sp_tokens_is(t, "loaded"))
		return sp_tokens_time(t, "loaded", &args->ms);
	return sp_tokens_fail(t, "\"%.40s\" is nothing of a speed test", sp_tokens_peek(t));
}

static bool one_of(const char *text, const char *const *words)
{
	for (; text && *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return !text;
}

bool sp_read_speedtest(struct sp_tokens *tokens, struct sp_args *args)
{
	static const char *const scopes[] = {"domestic", "international", NULL};
	static const char *const validities[] = {"valid",   "contended", "device_limited", "link_limited",
						 "partial", "failed",    "skipped",        NULL};
	while (!sp_tokens_end(tokens))
		if (!read_speed_option(tokens, args))
			return false;
	if (args->real[0] < 0 && args->real[1] < 0)
		return sp_tokens_fail(tokens, "neither down nor up");
	return (one_of(args->text[0], scopes) && one_of(args->text[1], validities)) ||
	       sp_tokens_fail(tokens, "no such scope or validity");
}

static bool read_scope(struct sp_tokens *t, int *out)
{
	for (int i = 0; i < SP_SCOPES; i++) {
		if (sp_tokens_is(t, sp_scope_names[i])) {
			*out = i;
			return true;
		}
	}
	return sp_tokens_fail(t, "\"%.40s\" is no scope", sp_tokens_peek(t));
}

bool sp_read_rtt(struct sp_tokens *tokens, struct sp_args *args)
{
	int scope = 0;
	int64_t ms;
	do {
		if (!read_scope(tokens, &scope) || !sp_tokens_time(tokens, "the round trip", &ms))
			return false;
		args->scope[scope].has_rtt = true;
		args->scope[scope].rtt_seconds = (double)(ms < 0 ? 0 : ms) / 1000;
	} while (sp_tokens_is(tokens, ","));
	return true;
}

bool sp_read_loss(struct sp_tokens *tokens, struct sp_args *args)
{
	int scope = 0;
	do {
		if (!read_scope(tokens, &scope) ||
		    !sp_tokens_share(tokens, "the loss", &args->scope[scope].loss_ratio))
			return false;
		args->scope[scope].has_loss = true;
	} while (sp_tokens_is(tokens, ","));
	return true;
}

bool sp_read_platform(struct sp_tokens *tokens, struct sp_args *args)
{
	struct sp_scope_value *service = &args->scope[SP_SCOPE_SERVICE];
	int64_t answered;
	if (!sp_tokens_count(tokens, "how many answered", 0, 1000, &answered) || !read_only(tokens, "of") ||
	    !sp_tokens_count(tokens, "how many were asked", 1, 1000, &service->probes))
		return false;
	service->has_loss = true;
	service->loss_ratio = 1 - (double)answered / (double)service->probes;
	return answered <= service->probes || sp_tokens_fail(tokens, "more answers than questions");
}

// ---- devices and facts ----------------------------------------------------------------------------------

bool sp_read_device(struct sp_tokens *tokens, struct sp_args *args)
{
	if (!keep(tokens, args, 0, "the name") || !keep_word(tokens, args, 1, "the driver"))
		return false;
	args->index[0] = -1;
	for (int i = 0; i < 4; i++)
		if (sp_tokens_is(tokens, sp_line_is_names[i]))
			args->index[0] = i;
	if (args->index[0] < 0)
		return sp_tokens_fail(tokens, "\"%.40s\" is no state", sp_tokens_peek(tokens));
	const char *next = sp_tokens_peek(tokens);
	if (next[0] && strcmp(next, "class") != 0 && !keep_word(tokens, args, 2, "the reason"))
		return false;
	static const char *const classes[] = {"link", "speed", "gear", "kiosk", NULL};
	return !sp_tokens_is(tokens, "class") ||
	       (keep_word(tokens, args, 3, "the class") &&
		(one_of(args->text[3], classes) ||
		 sp_tokens_fail(tokens, "no class link, speed, gear, kiosk")));
}

bool sp_read_kiosk_total(struct sp_tokens *tokens, struct sp_args *args)
{
	return keep(tokens, args, 0, "the name") && read_only(tokens, "counted") &&
	       sp_tokens_count(tokens, "counted", 0, 1000000, &args->count[0]) &&
	       read_only(tokens, "taken") && sp_tokens_count(tokens, "taken", 0, 1000000, &args->count[1]);
}

bool sp_read_present(struct sp_tokens *tokens, struct sp_args *args)
{
	if (!keep(tokens, args, 0, "the group") ||
	    !sp_tokens_count(tokens, "how many", 0, 100000, &args->count[0]))
		return false;
	args->count[1] = 15;
	while (!sp_tokens_end(tokens)) {
		bool good = false;
		int64_t ms;
		if (sp_tokens_is(tokens, "slot"))
			good = keep(tokens, args, 1, "slot") && strlen(args->text[1]) == 5 &&
			       sp_civil_clock(args->text[1], &ms) && ms < DAY_MS;
		else if (sp_tokens_is(tokens, "minutes"))
			good = sp_tokens_count(tokens, "minutes", 1, 1440, &args->count[1]);
		else if (sp_tokens_is(tokens, "direction"))
			good = keep_word(tokens, args, 2, "direction") &&
			       one_of(args->text[2], (const char *const[]){"in", "out", "unknown", NULL});
		if (!good)
			return sp_tokens_fail(tokens,
					      "not slot HH:MM, minutes N or direction in, out, unknown");
	}
	return true;
}

/// What stands behind the "=": numbers, true, false, null; else, and if quoted, a text.
static void read_value(struct sp_pair *pair, const char *text, bool quoted)
{
	char *end;
	pair->kind = SP_PAIR_TEXT;
	pair->text = sp_strdup(text);
	if (quoted)
		return;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		pair->kind = SP_PAIR_BOOL;
		pair->integer = text[0] == 't';
	} else if (strcmp(text, "null") == 0) {
		pair->kind = SP_PAIR_NULL;
	} else {
		double real = strtod(text, &end);
		if (end == text || *end || !isfinite(real))
			return;
		bool whole = fabs(real) < 9e15 && real == floor(real) && !strpbrk(text, ".eE");
		pair->kind = whole ? SP_PAIR_INT : SP_PAIR_REAL;
		pair->real = real;
		pair->integer = whole ? (int64_t)real : 0;
	}
}

static bool read_pair(struct sp_tokens *t, struct sp_args *args)
{
	const struct sp_token *token = &t->list[t->at++];
	const char *equals = strchr(token->text, '=');
	size_t length = equals ? (size_t)(equals - token->text) : 0;
	size_t good = strspn(token->text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (!equals || length == 0 || length > 32 || good < length)
		return sp_tokens_fail(t, "\"%.40s\" is not KEY=VALUE", token->text);
	if (strlen(token->text) > 512)
		return sp_tokens_fail(t, "a value of more than 512 bytes");
	if (args->pairs == SP_SCRIPT_PAIRS_MAX)
		return sp_tokens_fail(t, "more than %d values", SP_SCRIPT_PAIRS_MAX);
	struct sp_pair *pair = &args->pair[args->pairs++];
	pair->key = sp_strndup(token->text, length);
	read_value(pair, equals + 1, token->quoted == (int)length + 1);
	return true;
}

bool sp_read_fact(struct sp_tokens *tokens, struct sp_args *args)
{
	static const char *const own[] = {"seq", "type", "device", "mono_us", "t_ms", "err_ms"};
	if (!keep_word(tokens, args, 0, "the type"))
		return false;
	if (!sp_feed_type_valid(args->text[0]))
		return sp_tokens_fail(tokens, "\"%.40s\" is no type of record", args->text[0]);
	if ((sp_tokens_is(tokens, "device") && !keep(tokens, args, 1, "the device")))
		return false;
	while (!sp_tokens_end(tokens)) {
		if (!read_pair(tokens, args))
			return false;
		for (size_t i = 0; i < SP_COUNT(own); i++)
			if (strcmp(args->pair[args->pairs - 1].key, own[i]) == 0)
				return sp_tokens_fail(tokens, "\"%s\" is written by the board itself",
						      own[i]);
		for (size_t i = 0; i + 1 < args->pairs; i++)
			if (strcmp(args->pair[args->pairs - 1].key, args->pair[i].key) == 0)
				return sp_tokens_fail(tokens, "\"%s\" stands twice", args->pair[i].key);
	}
	return true;
}
