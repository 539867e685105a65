// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whom a statement meets.
#include "tools/fleet/script_priv.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/fleet/rng.h"

enum { PATTERN_MAX = 256 };

static const struct {
	const char *word;
	size_t offset;
} texts[] = {
    {"school", offsetof(struct sp_roster_board, school)},
    {"site", offsetof(struct sp_roster_board, site)},
    {"line", offsetof(struct sp_roster_board, line)},
    {"board", offsetof(struct sp_roster_board, device)},
    {"shard", offsetof(struct sp_roster_board, shard)},
    {"plan", offsetof(struct sp_roster_board, plan)},
    {"zone", offsetof(struct sp_roster_board, zone)},
    {"kind", offsetof(struct sp_roster_board, kind)},
    {"provider", offsetof(struct sp_roster_board, provider)},
};

static bool read_pattern(struct sp_tokens *t, struct sp_who *who, const char *what)
{
	const char *text = sp_tokens_take(t, what);
	if (!text)
		return false;
	if (strlen(text) > PATTERN_MAX)
		return sp_tokens_fail(t, "a pattern of more than %d bytes", PATTERN_MAX);
	who->pattern = sp_strdup(text);
	return true;
}

static bool read_text(struct sp_tokens *t, struct sp_who *who)
{
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		if (!sp_tokens_is(t, texts[i].word))
			continue;
		who->kind = SP_WHO_TEXT;
		who->offset = texts[i].offset;
		return read_pattern(t, who, texts[i].word);
	}
	return sp_tokens_fail(t, "\"%.40s\" is no way to choose boards", sp_tokens_peek(t));
}

static bool read_condition(struct sp_tokens *t, struct sp_who *who)
{
	who->negated = sp_tokens_is(t, "not");
	if (sp_tokens_is(t, "all")) {
		who->kind = SP_WHO_ALL;
		return true;
	}
	if (sp_tokens_is(t, "area")) {
		who->kind = SP_WHO_AREA;
		who->offset = offsetof(struct sp_roster_board, area);
		return read_pattern(t, who, "area");
	}
	if (sp_tokens_is(t, "share")) {
		who->kind = SP_WHO_SHARE;
		return sp_tokens_share(t, "share", &who->share) &&
		       (!sp_tokens_is(t, "of") || read_pattern(t, who, "the name of a share"));
	}
	if (sp_tokens_is(t, "first")) {
		who->kind = SP_WHO_FIRST;
		return sp_tokens_count(t, "first", 1, SP_ROSTER_BOARDS_MAX, &who->first);
	}
	return read_text(t, who);
}

bool sp_who_read(struct sp_tokens *tokens, struct sp_statement *statement)
{
	do {
		if (statement->who_count == SP_SCRIPT_CONDITIONS_MAX)
			return sp_tokens_fail(tokens, "more than %d conditions", SP_SCRIPT_CONDITIONS_MAX);
		if (!read_condition(tokens, &statement->who[statement->who_count++]))
			return false;
	} while (sp_tokens_is(tokens, ","));
	if (sp_tokens_is(tokens, "at"))
		return true;
	return sp_tokens_fail(tokens, "\"at\" or a comma is expected, not \"%.40s\"", sp_tokens_peek(tokens));
}

// ---- meeting --------------------------------------------------------------------------------------------

/// One path itself or what lies above it: "Lào Cai" of "Lào Cai/Sa Pa".
static bool path_fits(const char *pattern, const char *path, size_t length)
{
	bool fits = false;
	while (!fits) {
		char *area = sp_strndup(path, length);
		fits = fnmatch(pattern, area, 0) == 0;
		free(area);
		while (length > 0 && path[length - 1] != '/')
			length--;
		if (length == 0)
			break;
		length--;
	}
	return fits;
}

/// In any of the trees.
static bool area_fits(const char *pattern, const char *areas)
{
	for (size_t length; *areas; areas += length + (areas[length] == '\n')) {
		length = strcspn(areas, "\n");
		if (path_fits(pattern, areas, length))
			return true;
	}
	return false;
}

static bool share_meets(const struct sp_who *who, const struct sp_statement *statement,
			const struct sp_roster_board *board, uint64_t seed)
{
	uint64_t mixed = sp_rng_mix(seed, who->pattern ? who->pattern : "share");
	if (!who->pattern)
		mixed = sp_rng_mix_number(mixed, statement->number);
	struct sp_rng rng = {sp_rng_mix(mixed, board->device)};
	return sp_rng_unit(&rng) < who->share;
}

static bool condition_meets(const struct sp_who *who, const struct sp_statement *statement,
			    const struct sp_roster_board *board, size_t index, uint64_t seed)
{
	char *const *text = (char *const *)((const char *)board + who->offset);
	switch (who->kind) {
	case SP_WHO_ALL:
		return true;
	case SP_WHO_TEXT:
		return fnmatch(who->pattern, *text, 0) == 0;
	case SP_WHO_AREA:
		return area_fits(who->pattern, *text);
	case SP_WHO_SHARE:
		return share_meets(who, statement, board, seed);
	case SP_WHO_FIRST:
		return index < (size_t)who->first;
	}
	return false;
}

bool sp_statement_meets(const struct sp_statement *statement, const struct sp_roster_board *board,
			size_t index, uint64_t seed)
{
	for (size_t i = 0; i < statement->who_count; i++) {
		const struct sp_who *who = &statement->who[i];
		if (condition_meets(who, statement, board, index, seed) == who->negated)
			return false;
	}
	return true;
}
