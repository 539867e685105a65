// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows against each other, of one import and with what is stored.
#include "tools/hub/register/check.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/time/timetable.h"

enum {
	STRETCHES_MAX = 1000, ///< of one key, one after another
	DEPTH_MAX = 16,       ///< of a tree
};

static const char *file_of(const struct sp_register_set *set, const struct sp_rel_row *row)
{
	return row->file == SP_REGISTER_STORED ? "the register" : set->files[row->file].name;
}

static const char *const key_column[SP_RELATIONS] = {
    [SP_REL_AREA] = "area",        [SP_REL_SCHOOL] = "school",     [SP_REL_SCHOOL_AREA] = "school",
    [SP_REL_SITE] = "site",        [SP_REL_LINE] = "line",         [SP_REL_BOARD] = "device",
    [SP_REL_TIMETABLE] = "from",   [SP_REL_HOLIDAY] = "from",      [SP_REL_EXAM] = "from",
    [SP_REL_MAINTENANCE] = "from", [SP_REL_DECLARED] = "category", [SP_REL_ASSET] = "asset"};

// ---- within the files ------------------------------------------------------------------------------

static void check_twice(struct sp_register_set *set, enum sp_relation_id id)
{
	const struct sp_relation *relation = &sp_relations[id];
	const struct sp_rel_rows *rows = &set->rows[id];
	for (size_t i = 1, run = 0; i < rows->count; i++) {
		const struct sp_rel_row *a = &rows->items[i - 1], *b = &rows->items[i];
		if (sp_rel_compare(a, b, relation->keys) != 0) {
			run = 0;
			continue;
		}
		if (!relation->dated || a->to > b->from)
			sp_register_fault(set, b, key_column[id], "line %u of %s has the same%s", a->line,
					  file_of(set, a),
					  relation->dated ? ", and their times overlap" : "");
		else if (++run == STRETCHES_MAX)
			sp_register_fault(set, b, key_column[id], "more than %d stretches of the same",
					  STRETCHES_MAX);
	}
}

static int by_line(const void *left, const void *right)
{
	const struct sp_rel_row *a = *(const struct sp_rel_row *const *)left;
	const struct sp_rel_row *b = *(const struct sp_rel_row *const *)right;
	int order = 0;
	for (int i = 2; order == 0 && i < 5; i++)
		order = strcmp(a->cells[i], b->cells[i]);
	if (!order)
		order = (a->file > b->file) - (a->file < b->file);
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

/// Of all boards: a line has one of them, and all lines of a board have one shard.
static void check_boards(struct sp_register_set *set, const struct sp_rel_rows *rows)
{
	const struct sp_rel_row **sorted = sp_alloc((rows->count + 1) * sizeof(*sorted));
	for (size_t i = 0; i < rows->count; i++) {
		const struct sp_rel_row *a = i > 0 ? &rows->items[i - 1] : NULL, *b = &rows->items[i];
		sorted[i] = b;
		if (a && sp_rel_compare(a, b, 1) == 0 && strcmp(a->cells[5], b->cells[5]) != 0)
			sp_register_fault(set, b->file == SP_REGISTER_STORED ? a : b, "shard",
					  "differs from line %u of %s, which names the same device", a->line,
					  file_of(set, a));
	}
	if (rows->count > 1)
		qsort(sorted, rows->count, sizeof(*sorted), by_line);
	for (size_t i = 1; i < rows->count; i++) {
		const struct sp_rel_row *a = sorted[i - 1], *b = sorted[i];
		if (strcmp(a->cells[2], b->cells[2]) != 0 || strcmp(a->cells[3], b->cells[3]) != 0 ||
		    strcmp(a->cells[4], b->cells[4]) != 0)
			continue;
		const struct sp_rel_row *told = b->file == SP_REGISTER_STORED ? a : b;
		const struct sp_rel_row *other = told == a ? b : a;
		if (told->file == SP_REGISTER_STORED)
			continue;
		if (other->file == SP_REGISTER_STORED)
			sp_register_fault(set, told, "line", "board %s stands at this line in the register",
					  other->cells[0]);
		else
			sp_register_fault(set, told, "line", "line %u of %s has another board at it",
					  other->line, file_of(set, other));
	}
	free(sorted);
}

static int any_errors(const struct sp_register_set *set)
{
	for (unsigned i = 0; i < set->file_count; i++) {
		if (set->files[i].errors.count > 0)
			return -EINVAL;
	}
	return 0;
}

int sp_register_finish(struct sp_register_set *set)
{
	for (int i = 0; i < SP_RELATIONS; i++) {
		sp_rel_sort(&set->rows[i], sp_relations[i].keys);
		check_twice(set, (enum sp_relation_id)i);
	}
	return any_errors(set);
}

// ---- what is left behind ---------------------------------------------------------------------------

static bool replaced(const struct sp_register_set *set, enum sp_relation_id id, const struct sp_rel_row *row,
		     bool partial)
{
	unsigned keys = sp_relations[id].keys;
	if (!set->has[id])
		return false;
	if (sp_rel_find(&set->rows[id], keys, row->cells))
		return true;
	if (partial)
		return false;
	// A tree that no file names stays.
	if (id == SP_REL_AREA)
		return sp_rel_find(&set->rows[id], 1, row->cells) != NULL;
	if (id != SP_REL_SCHOOL_AREA)
		return true;
	for (unsigned i = 0; i < set->tree_count; i++) {
		if (strcmp(set->trees[i], row->cells[1]) == 0)
			return true;
	}
	return false;
}

static void merge(struct sp_register_set *set, enum sp_relation_id id, const struct sp_rel_rows *stored,
		  const struct sp_register_moment *from, struct sp_rel_rows *out)
{
	int64_t since = sp_relations[id].days ? from->day : from->ms;
	for (size_t i = 0; i < set->rows[id].count; i++)
		*sp_rel_add(out) = set->rows[id].items[i];
	for (size_t i = 0; i < stored->count; i++) {
		const struct sp_rel_row *row = &stored->items[i];
		if (row->to <= since || replaced(set, id, row, from->partial))
			continue;
		struct sp_rel_row *kept = sp_rel_add(out);
		*kept = *row;
		kept->file = kept->line = SP_REGISTER_STORED;
	}
	sp_rel_sort(out, sp_relations[id].keys);
}

/// What a row of one relation names in another: nothing is there without it.
struct reference {
	enum sp_relation_id child, parent;
	unsigned keys;
	int cells[3]; ///< of the child
	const char *column;
};
static const struct reference references[] = {
    {SP_REL_SCHOOL_AREA, SP_REL_SCHOOL, 1, {0}, "school"},
    {SP_REL_SCHOOL_AREA, SP_REL_AREA, 2, {1, 2}, "area"},
    {SP_REL_SITE, SP_REL_SCHOOL, 1, {0}, "school"},
    {SP_REL_LINE, SP_REL_SITE, 2, {0, 1}, "site"},
    {SP_REL_BOARD, SP_REL_LINE, 3, {2, 3, 4}, "line"},
    {SP_REL_DECLARED, SP_REL_SCHOOL, 1, {0}, "school"},
    {SP_REL_ASSET, SP_REL_SCHOOL, 1, {0}, "school"},
};

static void missing(struct sp_register_set *set, const struct sp_rel_row *row, const struct reference *r,
		    const char *const *key)
{
	switch (r->parent) {
	case SP_REL_AREA:
		sp_register_fault(set, row, r->column, "there is no area %s in the tree %s", key[1], key[0]);
		return;
	case SP_REL_SITE:
		sp_register_fault(set, row, r->column, "the school %s has no site %s", key[0], key[1]);
		return;
	case SP_REL_LINE:
		sp_register_fault(set, row, r->column, "the school %s has no line %s at a site %s", key[0],
				  key[2], key[1]);
		return;
	default:
		sp_register_fault(set, row, r->column, "there is no school %s", key[0]);
	}
}

/// Files' rows must have what they name; stored ones end with it.
static void refer(struct sp_register_set *set, const struct reference *r, struct sp_register_outcome *out)
{
	struct sp_rel_rows *rows = &out->rows[r->child];
	size_t kept = 0;
	for (size_t i = 0; i < rows->count; i++) {
		struct sp_rel_row *row = &rows->items[i];
		const char *key[3] = {NULL};
		for (unsigned k = 0; k < r->keys; k++)
			key[k] = row->cells[r->cells[k]];
		bool there = sp_rel_find(&out->rows[r->parent], r->keys, key) != NULL;
		if (!there && row->file != SP_REGISTER_STORED)
			missing(set, row, r, key);
		if (there || row->file != SP_REGISTER_STORED)
			rows->items[kept++] = *row;
		else
			out->touched[r->child] = true;
	}
	rows->count = kept;
}

/// A parent is an area of the same tree, and nobody's own ancestor.
static void check_areas(struct sp_register_set *set, const struct sp_rel_rows *areas)
{
	for (size_t i = 0; i < areas->count; i++) {
		const struct sp_rel_row *row = &areas->items[i], *at = row;
		int depth = 0;
		for (; at && at->cells[2][0] && depth <= DEPTH_MAX; depth++) {
			const char *key[2] = {at->cells[0], at->cells[2]};
			at = sp_rel_find(areas, 2, key);
		}
		if (row->file == SP_REGISTER_STORED)
			continue;
		if (depth > DEPTH_MAX)
			sp_register_fault(set, row, "parent",
					  "lies more than %d areas deep, or within itself", DEPTH_MAX);
		else if (!at)
			sp_register_fault(set, row, "parent",
					  "there is no area %s in the tree %s, or one above it",
					  row->cells[2], row->cells[0]);
	}
}

static void check_timetables(struct sp_register_set *set, const struct sp_register_outcome *out)
{
	struct sp_timetable week;
	for (size_t i = 0; i < set->rows[SP_REL_SITE].count; i++) {
		const struct sp_rel_row *row = &set->rows[SP_REL_SITE].items[i];
		const char *used = row->cells[5];
		if (!used[0] || sp_rel_find(&out->rows[SP_REL_TIMETABLE], 1, &used) ||
		    sp_timetable_parse(&week, used) == 0)
			continue;
		sp_register_fault(set, row, "timetable",
				  "is neither the name of a timetable nor a week like 'mon-fri 07:00-17:00'");
	}
}

/// What a holiday, an examination or a maintenance is of may be gone by now, but not unknown.
static bool known(const struct sp_register_outcome *out, const struct sp_rel_rows *stored,
		  enum sp_relation_id id, unsigned keys, const char *const *key)
{
	return sp_rel_find(&out->rows[id], keys, key) || sp_rel_find(&stored[id], keys, key);
}

static void check_scope(struct sp_register_set *set, const struct sp_rel_row *row,
			const struct sp_register_outcome *out, const struct sp_rel_rows *stored)
{
	const char *scope = row->cells[0], *code = row->cells[1], *site = row->cells[2];
	if (strcmp(scope, "area") == 0) {
		const char *colon = strchr(code, ':');
		char *tree = sp_strndup(code, (size_t)(colon - code));
		if (!known(out, stored, SP_REL_AREA, 2, (const char *const[]){tree, colon + 1}))
			sp_register_fault(set, row, "code", "there is no area %s in the tree %s", colon + 1,
					  tree);
		free(tree);
	} else if (strcmp(scope, "school") == 0) {
		if (!known(out, stored, SP_REL_SCHOOL, 1, &code))
			sp_register_fault(set, row, "code", "there is no school %s", code);
	} else if (strcmp(scope, "site") == 0) {
		if (!known(out, stored, SP_REL_SITE, 2, (const char *const[]){code, site}))
			sp_register_fault(set, row, "site", "the school %s has no site %s", code, site);
	}
}

/// What lies before the import's day is past: it would be left out without a word.
static void check_past(struct sp_register_set *set, enum sp_relation_id id, const struct sp_rel_rows *stored,
		       const struct sp_register_moment *from)
{
	const struct sp_relation *relation = &sp_relations[id];
	int64_t since = relation->days ? from->day : from->ms;
	for (size_t i = 0; relation->dated && i < set->rows[id].count; i++) {
		const struct sp_rel_row *row = &set->rows[id].items[i];
		if (row->to > since || (from->first && stored->count == 0))
			continue;
		const struct sp_rel_row *at = sp_rel_find(stored, relation->keys, row->cells);
		const struct sp_rel_row *end = sp_rel_end(stored);
		for (; at && at < end && sp_rel_compare(at, row, relation->keys) == 0; at++) {
			if (at->from == row->from && at->to == row->to &&
			    sp_rel_compare(at, row, relation->count) == 0)
				break;
		}
		if (!at || at == end || sp_rel_compare(at, row, relation->keys) != 0)
			sp_register_fault(
			    set, row, "to",
			    "lies before what this import changes: --from DAY corrects earlier days");
	}
}

int sp_register_outcome(struct sp_register_set *set, const struct sp_rel_rows stored[SP_RELATIONS],
			const struct sp_register_moment *from, struct sp_register_outcome *out)
{
	static const enum sp_relation_id scoped[] = {SP_REL_HOLIDAY, SP_REL_EXAM, SP_REL_MAINTENANCE};
	*out = (struct sp_register_outcome){0};
	for (int i = 0; i < SP_RELATIONS; i++) {
		merge(set, (enum sp_relation_id)i, &stored[i], from, &out->rows[i]);
		out->touched[i] = set->has[i];
		check_past(set, (enum sp_relation_id)i, &stored[i], from);
	}
	check_areas(set, &out->rows[SP_REL_AREA]);
	for (size_t i = 0; i < SP_COUNT(references); i++)
		refer(set, &references[i], out);
	check_boards(set, &out->rows[SP_REL_BOARD]);
	check_timetables(set, out);
	for (size_t i = 0; i < SP_COUNT(scoped); i++) {
		for (size_t k = 0; k < set->rows[scoped[i]].count; k++)
			check_scope(set, &set->rows[scoped[i]].items[k], out, stored);
	}
	return any_errors(set);
}

void sp_register_outcome_free(struct sp_register_outcome *outcome)
{
	for (int i = 0; i < SP_RELATIONS; i++)
		free(outcome->rows[i].items);
	*outcome = (struct sp_register_outcome){0};
}
