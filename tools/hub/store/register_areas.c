// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Trees of areas: from each area's history who lay within whom, and since when, at whatever depth.
#include "tools/hub/store/register_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum { DEPTH_MAX = 16 };

struct trees {
	struct sp_rel_rows states;  ///< of every area at all times, by tree, code and time
	struct sp_rel_rows numbers; ///< tree, code, number
	struct sp_rel_rows paths;   ///< area, ancestor, both as rows of `numbers`
};

int sp_register_area_numbers(struct sp_store *store, struct sp_rel_texts *texts, struct sp_rel_rows *out)
{
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT tree, code, id FROM area");
	char number[32];
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_rel_row *row = sp_rel_add(out);
		snprintf(number, sizeof(number), "%" PRId64, sp_row_int(rows, 2, 0));
		row->cells[0] = sp_rel_text(texts, sp_row_text(rows, 0));
		row->cells[1] = sp_rel_text(texts, sp_row_text(rows, 1));
		row->cells[2] = sp_rel_text(texts, number);
	}
	sp_rel_sort(out, 2);
	return result;
}

// ---- who lies within whom ------------------------------------------------------------------------

struct walk {
	struct trees *trees;
	const char *tree, *area; ///< its number
};

static void climb(const struct walk *w, const char *code, int64_t from, int64_t to, int depth)
{
	const char *key[2] = {w->tree, code};
	const struct sp_rel_row *state = sp_rel_find(&w->trees->states, 2, key);
	const struct sp_rel_row *end = sp_rel_end(&w->trees->states);
	const struct sp_rel_row *number = sp_rel_find(&w->trees->numbers, 2, key);
	for (; state && number && state < end && strcmp(state->cells[0], w->tree) == 0 &&
	       strcmp(state->cells[1], code) == 0;
	     state++) {
		int64_t begins = state->from > from ? state->from : from,
			ends = state->to < to ? state->to : to;
		if (begins >= ends)
			continue;
		struct sp_rel_row *path = sp_rel_add(&w->trees->paths);
		path->cells[0] = w->area;
		path->cells[1] = number->cells[2];
		path->from = begins;
		path->to = ends;
		if (state->cells[2][0] && depth < DEPTH_MAX)
			climb(w, state->cells[2], begins, ends, depth + 1);
	}
}

static int write_paths(struct sp_store *store, struct sp_rel_rows *paths)
{
	struct sp_bulk *bulk = NULL;
	int result = SQL_DO(store->db, "DELETE FROM area_path");
	if (result == 0)
		result = sp_bulk_open(store->db, "area_path", "area, ancestor, from_ms, to_ms", &bulk);
	sp_rel_sort(paths, 2);
	for (size_t i = 0; result == 0 && i < paths->count; i++) {
		struct sp_rel_row row = paths->items[i];
		// A name or a rank that changed on the way does not matter here.
		while (i + 1 < paths->count && sp_rel_compare(&row, &paths->items[i + 1], 2) == 0 &&
		       paths->items[i + 1].from <= row.to) {
			i++;
			if (paths->items[i].to > row.to)
				row.to = paths->items[i].to;
		}
		const struct sp_arg args[] = {I(strtoll(row.cells[0], NULL, 10)),
					      I(strtoll(row.cells[1], NULL, 10)), I(row.from), I(row.to)};
		result = sp_bulk_add(bulk, args, SP_COUNT(args));
	}
	if (result == 0)
		result = sp_bulk_flush(bulk);
	if (bulk)
		sp_bulk_close(bulk);
	return result;
}

// ---- what they are called ------------------------------------------------------------------------

/// The last state that an area had; NULL without one.
static const struct sp_rel_row *last_state(const struct trees *trees, const char *tree, const char *code)
{
	const char *key[2] = {tree, code};
	const struct sp_rel_row *state = sp_rel_find(&trees->states, 2, key);
	const struct sp_rel_row *end = sp_rel_end(&trees->states);
	while (state && state + 1 < end && sp_rel_compare(state, state + 1, 2) == 0)
		state++;
	return state;
}

/// "Lào Cai/Sa Pa"
static void add_path(const struct trees *trees, const struct sp_rel_row *state, int depth, struct sp_buf *out)
{
	const struct sp_rel_row *above = state->cells[2][0] && depth < DEPTH_MAX
					     ? last_state(trees, state->cells[0], state->cells[2])
					     : NULL;
	if (above) {
		add_path(trees, above, depth + 1, out);
		sp_buf_text(out, "/");
	}
	sp_buf_text(out, state->cells[3]);
}

/// Areas that are new get a number.
static int number_areas(struct sp_store *store, const struct trees *trees)
{
	struct sp_bulk *bulk = NULL;
	int result = sp_bulk_open(store->db, "area", "tree, code, name, kind, path", &bulk);
	for (size_t i = 0; result == 0 && i < trees->states.count; i++) {
		const struct sp_rel_row *state = &trees->states.items[i];
		if ((i > 0 && sp_rel_compare(state - 1, state, 2) == 0) ||
		    sp_rel_find(&trees->numbers, 2, state->cells))
			continue;
		const struct sp_arg args[] = {T(state->cells[0]), T(state->cells[1]), T(""), T(""), T("")};
		result = sp_bulk_add(bulk, args, SP_COUNT(args));
	}
	if (result == 0)
		result = sp_bulk_flush(bulk);
	if (bulk)
		sp_bulk_close(bulk);
	return result;
}

static int name_area(struct sp_store *store, const struct trees *trees, const struct sp_rel_row *number,
		     struct sp_buf *path)
{
	const struct sp_rel_row *state = last_state(trees, number->cells[0], number->cells[1]), *above = NULL;
	if (!state)
		return 0;
	const char *key[2] = {state->cells[0], state->cells[2]};
	if (state->cells[2][0])
		above = sp_rel_find(&trees->numbers, 2, key);
	sp_buf_reset(path);
	add_path(trees, state, 0, path);
	return SQL_DO(
	    store->db,
	    "UPDATE area SET parent = nullif(?1, 0), name = ?2, kind = ?3, path = ?4 WHERE id = ?5 AND"
	    " (parent IS DISTINCT FROM nullif(?1, 0) OR name <> ?2 OR kind <> ?3 OR path <> ?4)",
	    I(above ? strtoll(above->cells[2], NULL, 10) : 0), T(state->cells[3]), T(state->cells[4]),
	    T(path->data ? path->data : ""), I(strtoll(number->cells[2], NULL, 10)));
}

static int renew(struct sp_store *store, struct sp_rel_texts *texts, struct trees *trees)
{
	struct sp_buf path = SP_BUF(DEPTH_MAX * 300);
	int result = sp_register_load_rows(store, SP_REL_AREA, texts, &trees->states);
	if (result == 0)
		result = sp_register_area_numbers(store, texts, &trees->numbers);
	if (result == 0)
		result = number_areas(store, trees);
	trees->numbers.count = 0;
	if (result == 0)
		result = sp_register_area_numbers(store, texts, &trees->numbers);
	for (size_t i = 0; result == 0 && i < trees->numbers.count; i++) {
		const struct sp_rel_row *number = &trees->numbers.items[i];
		struct walk walk = {trees, number->cells[0], number->cells[2]};
		climb(&walk, number->cells[1], INT64_MIN, SP_OPEN_END, 0);
		result = name_area(store, trees, number, &path);
	}
	sp_buf_free(&path);
	return result == 0 ? write_paths(store, &trees->paths) : result;
}

int sp_register_renew_areas(struct sp_store *store, struct sp_rel_texts *texts)
{
	struct trees trees = {0};
	int result = renew(store, texts, &trees);
	free(trees.states.items);
	free(trees.numbers.items);
	free(trees.paths.items);
	return result;
}
