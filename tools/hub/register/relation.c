// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows with a beginning and an end: sorting, finding, and the difference between what is stored and what a
// file says. Pure.
#include "tools/hub/register/relation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

#define X SP_REL_TEXT
#define N SP_REL_INT
#define R SP_REL_REAL
const struct sp_relation sp_relations[SP_RELATIONS] = {
    [SP_REL_AREA] = {"area_state", "areas", 2, 5, false, false, {X, X, X, X, X}},
    [SP_REL_SCHOOL] = {"school_state", "schools", 1, 5, false, false, {X, X, X, X, N}},
    [SP_REL_SCHOOL_AREA] = {"school_area", "areas of schools", 2, 3, false, false, {X, X, N}},
    [SP_REL_SITE] = {"site_state", "sites", 2, 8, false, false, {X, X, X, N, X, X, R, R}},
    [SP_REL_LINE] = {"line_state", "lines", 3, 10, false, false, {X, X, X, X, X, X, X, X, R, R}},
    [SP_REL_BOARD] = {"placement", "boards", 2, 6, false, false, {X, X, X, X, X, X}},
    [SP_REL_TIMETABLE] = {"timetable", "timetables", 3, 3, true, true, {X, X, X}},
    [SP_REL_HOLIDAY] = {"holiday", "holidays", 5, 5, true, true, {X, X, X, X, X}},
    [SP_REL_EXAM] = {"exam", "examinations", 4, 4, false, true, {X, X, X, X}},
    [SP_REL_MAINTENANCE] = {"maintenance", "maintenance", 4, 4, false, true, {X, X, X, X}},
    [SP_REL_DECLARED] = {"declared", "declared inventories", 2, 3, true, true, {X, X, N}},
    [SP_REL_ASSET] = {"asset", "assets", 2, 7, true, true, {X, X, X, X, X, X, N}},
};
#undef X
#undef N
#undef R

struct sp_rel_row *sp_rel_add(struct sp_rel_rows *rows)
{
	if (rows->count == rows->room) {
		rows->room = rows->room ? rows->room * 2 : 64;
		rows->items = sp_realloc(rows->items, rows->room * sizeof(*rows->items));
	}
	struct sp_rel_row *row = &rows->items[rows->count++];
	*row = (struct sp_rel_row){.to = SP_OPEN_END};
	return row;
}

static int compare_cell(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

int sp_rel_compare(const struct sp_rel_row *a, const struct sp_rel_row *b, unsigned cells)
{
	int order = 0;
	for (unsigned i = 0; order == 0 && i < cells; i++)
		order = compare_cell(a->cells[i], b->cells[i]);
	return order;
}

static int compare_rows(const void *left, const void *right, void *keys)
{
	const struct sp_rel_row *a = left, *b = right;
	int order = sp_rel_compare(a, b, *(const unsigned *)keys);
	if (!order)
		order = (a->from > b->from) - (a->from < b->from);
	if (!order)
		order = (a->file > b->file) - (a->file < b->file);
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

void sp_rel_sort(struct sp_rel_rows *rows, unsigned keys)
{
	if (rows->count > 1)
		qsort_r(rows->items, rows->count, sizeof(*rows->items), compare_rows, &keys);
}

const struct sp_rel_row *sp_rel_find(const struct sp_rel_rows *rows, unsigned keys, const char *const *key)
{
	struct sp_rel_row wanted = {0};
	size_t low = 0, high = rows->count;
	memcpy(wanted.cells, key, keys * sizeof(*key));
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sp_rel_compare(&rows->items[middle], &wanted, keys) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < rows->count && sp_rel_compare(&rows->items[low], &wanted, keys) == 0;
	return found ? &rows->items[low] : NULL;
}

const char *sp_rel_real(double value, char out[32])
{
	snprintf(out, 32, "%.10g", value);
	return out;
}

// ---- texts ---------------------------------------------------------------------------------------

enum { CHUNK = 256 * 1024 };
struct sp_rel_chunk {
	struct sp_rel_chunk *next;
	size_t used, size;
	char bytes[];
};

const char *sp_rel_text(struct sp_rel_texts *texts, const char *text)
{
	size_t length = strlen(text) + 1;
	struct sp_rel_chunk *chunk = texts->chunks;
	if (length == 1)
		return "";
	if (!chunk || chunk->size - chunk->used < length) {
		size_t size = length > CHUNK ? length : CHUNK;
		chunk = sp_alloc(sizeof(*chunk) + size);
		chunk->size = size;
		chunk->next = texts->chunks;
		texts->chunks = chunk;
	}
	char *kept = chunk->bytes + chunk->used;
	memcpy(kept, text, length);
	chunk->used += length;
	return kept;
}

void sp_rel_texts_free(struct sp_rel_texts *texts)
{
	for (struct sp_rel_chunk *chunk = texts->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	texts->chunks = NULL;
}

// ---- the difference ------------------------------------------------------------------------------

/// Rows of one key: stored ones, and the wanted ones.
struct group {
	const struct sp_relation *relation;
	const struct sp_rel_row *stored, *wanted;
	size_t stored_count, wanted_count;
	int64_t since;
};

static void change(struct sp_rel_changes *out, enum sp_rel_change_kind kind, const struct sp_rel_row *row,
		   const struct sp_rel_row *was, int64_t from, int64_t to)
{
	if (out->count == out->room) {
		out->room = out->room ? out->room * 2 : 64;
		out->items = sp_realloc(out->items, out->room * sizeof(*out->items));
	}
	struct sp_rel_change *item = &out->items[out->count++];
	*item = (struct sp_rel_change){kind, *row, was};
	item->row.from = from;
	item->row.to = to;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool same(const struct group *g, const struct sp_rel_row *a, const struct sp_rel_row *b)
{
	return sp_rel_compare(a, b, g->relation->count) == 0;
}

/// The stored row that says from `since` on just what this one does.
static bool matched(const struct group *g, const struct sp_rel_row *row, const struct sp_rel_row *others,
		    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (others[i].to == row->to &&
		    later(others[i].from, g->since) == later(row->from, g->since) && same(g, &others[i], row))
			return true;
	}
	return false;
}

/// A stored row with the same content, up to `since` or beyond: it is to last longer, or less.
static const struct sp_rel_row *before(const struct group *g, const struct sp_rel_row *row)
{
	for (size_t i = 0; i < g->stored_count && row->from <= g->since; i++) {
		const struct sp_rel_row *was = &g->stored[i];
		if (was->from < g->since && was->to >= g->since && same(g, was, row))
			return was;
	}
	return NULL;
}

static bool goes_on(const struct group *g, const struct sp_rel_row *was)
{
	for (size_t i = 0; i < g->wanted_count; i++) {
		const struct sp_rel_row *row = &g->wanted[i];
		if (row->to > g->since && before(g, row) == was &&
		    !matched(g, row, g->stored, g->stored_count))
			return true;
	}
	return false;
}

static void diff_group(const struct group *g, struct sp_rel_changes *out)
{
	int64_t matches = 0, gone = 0, come = 0;
	for (size_t i = 0; i < g->stored_count; i++) {
		const struct sp_rel_row *was = &g->stored[i];
		if (was->to <= g->since)
			continue;
		if (matched(g, was, g->wanted, g->wanted_count)) {
			matches++;
			continue;
		}
		gone++;
		if (goes_on(g, was))
			continue;
		if (was->from >= g->since)
			change(out, SP_REL_ERASE, was, was, was->from, was->to);
		else
			change(out, SP_REL_CUT, was, was, was->from, g->since);
	}
	for (size_t i = 0; i < g->wanted_count; i++) {
		const struct sp_rel_row *row = &g->wanted[i], *was;
		if (row->to <= g->since)
			matches++; // of the past: it was checked that it is stored
		if (row->to <= g->since || matched(g, row, g->stored, g->stored_count))
			continue;
		come++;
		if ((was = before(g, row)) != NULL)
			change(out, SP_REL_CUT, row, was, was->from, row->to);
		else
			change(out, SP_REL_INSERT, row, NULL, later(row->from, g->since), row->to);
	}
	int64_t both = gone < come ? gone : come;
	out->counts.unchanged += matches;
	out->counts.changed += both;
	out->counts.ended += gone - both;
	out->counts.added += come - both;
}

static size_t run(const struct sp_rel_rows *rows, size_t at, const struct sp_rel_row *key, unsigned keys)
{
	size_t end = at;
	while (end < rows->count && sp_rel_compare(&rows->items[end], key, keys) == 0)
		end++;
	return end - at;
}

void sp_rel_diff(const struct sp_relation *relation, const struct sp_rel_rows *stored,
		 const struct sp_rel_rows *wanted, int64_t since, struct sp_rel_changes *out)
{
	size_t s = 0, w = 0;
	while (s < stored->count || w < wanted->count) {
		const struct sp_rel_row *a = s < stored->count ? &stored->items[s] : NULL;
		const struct sp_rel_row *b = w < wanted->count ? &wanted->items[w] : NULL;
		const struct sp_rel_row *key = !b || (a && sp_rel_compare(a, b, relation->keys) <= 0) ? a : b;
		struct group g = {relation, a, b, 0, 0, since};
		g.stored_count = run(stored, s, key, relation->keys);
		g.wanted_count = run(wanted, w, key, relation->keys);
		diff_group(&g, out);
		s += g.stored_count;
		w += g.wanted_count;
	}
}

void sp_rel_changes_free(struct sp_rel_changes *changes)
{
	free(changes->items);
	*changes = (struct sp_rel_changes){0};
}
