// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// An import into the store: files become what holds from a moment on, all or nothing, in one transaction.
#include "tools/hub/store/register_priv.h"

#include <stdlib.h>
#include <string.h>

#include "tools/hub/time/local_time.h"

enum { CHANGES_MAX = 1000 }; ///< schools of one import that are told one by one

struct importing {
	struct sp_store *store;
	struct sp_register_set *set;
	const struct sp_register_options *options;
	struct sp_register_moment from;
	int64_t now_ms;
	struct sp_rel_rows stored[SP_RELATIONS];
	struct sp_register_outcome outcome;
	struct sp_rel_changes changes[SP_RELATIONS];
	struct sp_rel_rows areas, changed; ///< numbers; schools with `from`
	struct sp_rel_rows by_line, trees; ///< of stored boards; of stored areas of schools
	bool any;
};

// ---- since when ----------------------------------------------------------------------------------

/// Is nothing stored yet of which this would be a change? Of a tree: nothing of that tree.
static bool first_of_all(const struct importing *im, enum sp_relation_id id, const struct sp_rel_row *row)
{
	if (id == SP_REL_AREA)
		return !sp_rel_find(&im->stored[id], 1, row->cells);
	if (id != SP_REL_SCHOOL_AREA)
		return im->stored[id].count == 0;
	return !sp_rel_find(&im->trees, 1, row->cells + 1);
}

/// A board that is new reported from its line also before it came into the register, but not while another
/// one stood there.
static int64_t line_free_since(const struct importing *im, const struct sp_rel_row *row)
{
	const struct sp_rel_row *other = sp_rel_find(&im->by_line, 3, row->cells + 2);
	const struct sp_rel_row *end = sp_rel_end(&im->by_line);
	int64_t since = 0;
	for (; other && other < end && strcmp(other->cells[0], row->cells[2]) == 0 &&
	       strcmp(other->cells[1], row->cells[3]) == 0 && strcmp(other->cells[2], row->cells[4]) == 0;
	     other++) {
		int64_t to = other->to < im->from.ms ? other->to : im->from.ms;
		since = to > since ? to : since;
	}
	return since;
}

/// What is stored, by what is asked of it.
static void index_stored(struct importing *im)
{
	for (size_t i = 0; i < im->stored[SP_REL_BOARD].count; i++) {
		const struct sp_rel_row *board = &im->stored[SP_REL_BOARD].items[i];
		struct sp_rel_row *row = sp_rel_add(&im->by_line);
		memcpy(row->cells, board->cells + 2, 3 * sizeof(*row->cells));
		row->from = board->from;
		row->to = board->to;
	}
	sp_rel_sort(&im->by_line, 3);
	for (size_t i = 0; i < im->stored[SP_REL_SCHOOL_AREA].count; i++) {
		const char *tree = im->stored[SP_REL_SCHOOL_AREA].items[i].cells[1];
		if (!sp_rel_find(&im->trees, 1, &tree)) {
			sp_rel_add(&im->trees)->cells[0] = tree;
			sp_rel_sort(&im->trees, 1);
		}
	}
}

/// What is said for the first time holds for all time before, too, unless the person says since when.
static void backdate(const struct importing *im, enum sp_relation_id id, struct sp_rel_changes *changes)
{
	bool of_line = id == SP_REL_LINE || id == SP_REL_BOARD;
	for (size_t i = 0; !sp_relations[id].dated && im->from.first && i < changes->count; i++) {
		struct sp_rel_row *row = &changes->items[i].row;
		if (changes->items[i].kind != SP_REL_INSERT)
			continue;
		bool unknown = of_line && !sp_rel_find(&im->stored[id], sp_relations[id].keys, row->cells);
		if (first_of_all(im, id, row) || (unknown && id == SP_REL_LINE))
			row->from = 0;
		else if (unknown)
			row->from = line_free_since(im, row);
	}
}

// ---- what is changed -----------------------------------------------------------------------------

static int64_t in_ms(enum sp_relation_id id, int64_t at)
{
	if (!sp_relations[id].days || at == SP_OPEN_END)
		return at;
	return sp_local_day_ms(at);
}

/// The earliest moment at which anything reads differently now.
static int64_t change_from(enum sp_relation_id id, const struct sp_rel_change *change)
{
	int64_t at = change->row.from;
	if (change->kind == SP_REL_CUT)
		at = change->was->to < change->row.to ? change->was->to : change->row.to;
	return in_ms(id, at);
}

static void note_changes(struct importing *im, enum sp_relation_id id)
{
	static const int school_cell[SP_RELATIONS] = {
	    [SP_REL_AREA] = -1, [SP_REL_SCHOOL] = 0,       [SP_REL_SCHOOL_AREA] = 0, [SP_REL_SITE] = 0,
	    [SP_REL_LINE] = 0,  [SP_REL_BOARD] = 2,        [SP_REL_TIMETABLE] = -1,  [SP_REL_HOLIDAY] = -1,
	    [SP_REL_EXAM] = -1, [SP_REL_MAINTENANCE] = -1, [SP_REL_DECLARED] = 0,    [SP_REL_ASSET] = 0};
	for (size_t i = 0; i < im->changes[id].count; i++) {
		const struct sp_rel_change *change = &im->changes[id].items[i];
		struct sp_rel_row *row = sp_rel_add(&im->changed);
		row->cells[0] = school_cell[id] >= 0 ? change->row.cells[school_cell[id]] : "";
		row->from = change_from(id, change);
		im->any = true;
	}
}

static int tell_change(struct importing *im, int64_t from_ms, const char *school)
{
	return SQL_DO(im->store->db, "INSERT INTO register_change(at_ms, from_ms, school) VALUES(?, ?, ?)",
		      I(im->now_ms), I(from_ms), T(school));
}

static int tell_changes(struct importing *im)
{
	struct sp_rel_rows *changed = &im->changed;
	size_t schools = 0;
	int64_t from_ms = SP_OPEN_END;
	int result = 0;
	sp_rel_sort(changed, 1);
	for (size_t i = 0; i < changed->count; i++) {
		if (changed->items[i].from < from_ms)
			from_ms = changed->items[i].from;
		schools += i == 0 || sp_rel_compare(&changed->items[i - 1], &changed->items[i], 1) != 0;
	}
	bool all = schools > CHANGES_MAX;
	if (schools > 0 && all)
		return tell_change(im, from_ms, "");
	for (size_t i = 0; result == 0 && i < changed->count; i++) {
		// Sorted by time behind the school: the first one is the earliest.
		if (i == 0 || sp_rel_compare(&changed->items[i - 1], &changed->items[i], 1) != 0)
			result = tell_change(im, changed->items[i].from, changed->items[i].cells[0]);
	}
	return result;
}

// ---- steps ---------------------------------------------------------------------------------------

static int load(struct importing *im)
{
	int result = 0;
	for (int i = 0; result == 0 && i < SP_RELATIONS; i++)
		result =
		    sp_register_load_rows(im->store, (enum sp_relation_id)i, &im->set->texts, &im->stored[i]);
	return result;
}

/// What starts with this import starts with the first moment of all.
static void compare(struct importing *im)
{
	for (int i = 0; i < SP_RELATIONS; i++) {
		enum sp_relation_id id = (enum sp_relation_id)i;
		int64_t since = sp_relations[i].days ? im->from.day : im->from.ms;
		if (!im->outcome.touched[i])
			continue;
		if (im->from.first && sp_relations[i].dated && im->stored[i].count == 0)
			since = 0;
		sp_rel_diff(&sp_relations[i], &im->stored[i], &im->outcome.rows[i], since, &im->changes[i]);
		backdate(im, id, &im->changes[i]);
		note_changes(im, id);
	}
}

static int write_schools(struct importing *im)
{
	const struct sp_rel_changes *changes = &im->changes[SP_REL_SCHOOL];
	struct sp_bulk *bulk = NULL;
	int result = sp_bulk_open(im->store->db, "school", "code", &bulk);
	for (size_t i = 0; result == 0 && i < changes->count; i++) {
		if (changes->items[i].kind == SP_REL_INSERT)
			result = sp_bulk_add(bulk, &T(changes->items[i].row.cells[0]), 1);
	}
	if (result == 0)
		result = sp_bulk_flush(bulk);
	if (bulk)
		sp_bulk_close(bulk);
	return result;
}

/// The page shows the first tree of the last import that named any.
static int write_trees(struct importing *im)
{
	const struct sp_register_set *set = im->set;
	int result = 0;
	if (set->tree_count > 0)
		result = SQL_DO(im->store->db, "UPDATE tree SET rank = rank + ?", I(set->tree_count));
	for (unsigned i = 0; result == 0 && i < set->tree_count; i++)
		result = SQL_DO(
		    im->store->db,
		    "INSERT INTO tree(name, rank) VALUES(?1, ?2) ON CONFLICT (name) DO UPDATE SET rank = "
		    "excluded.rank",
		    T(set->trees[i]), I(i));
	return result;
}

static int write(struct importing *im)
{
	struct sp_rel_texts *texts = &im->set->texts;
	int result = sp_register_write(im->store, SP_REL_AREA, &im->changes[SP_REL_AREA], NULL);
	if (result == 0 && im->changes[SP_REL_AREA].count > 0)
		result = sp_register_renew_areas(im->store, texts);
	if (result == 0)
		result = sp_register_area_numbers(im->store, texts, &im->areas);
	if (result == 0)
		result = write_schools(im);
	for (int i = SP_REL_SCHOOL; result == 0 && i < SP_RELATIONS; i++) {
		if (im->changes[i].count > 0)
			result =
			    sp_register_write(im->store, (enum sp_relation_id)i, &im->changes[i], &im->areas);
	}
	if (result == 0)
		result = write_trees(im);
	return result == 0 ? tell_changes(im) : result;
}

static int renew(struct importing *im)
{
	int64_t rev = 0;
	int result = sp_register_renew_view(im->store, im->now_ms);
	if (result == 0)
		result = sp_store_meta_get(im->store, "register_rev", &rev);
	if (result == 0)
		result = sp_store_meta_set(im->store, "register_rev", rev + 1);
	im->store->seen_changes = true;
	return result;
}

static void count(struct sp_rel_rows *before, struct sp_rel_rows *after, struct sp_rel_counts *out)
{
	struct sp_rel_changes changes = {0};
	sp_rel_diff(&sp_register_view, before, after, 0, &changes);
	*out = changes.counts;
	sp_rel_changes_free(&changes);
}

static int steps(struct importing *im, struct sp_register_result *out)
{
	struct sp_rel_rows before = {0}, after = {0};
	int result = sp_register_load_view(im->store, &im->set->texts, &before);
	if (result == 0)
		result = load(im);
	if (result == 0)
		result = sp_register_outcome(im->set, im->stored, &im->from, &im->outcome);
	if (result == 0) {
		index_stored(im);
		compare(im);
	}
	if (result == 0 && im->any)
		result = write(im);
	if (result == 0 && im->any)
		result = renew(im);
	if (result == 0)
		result = sp_register_load_view(im->store, &im->set->texts, &after);
	if (result == 0)
		count(&before, &after, &out->lines);
	for (int i = 0; i < SP_RELATIONS; i++) {
		out->counts[i] = im->changes[i].counts;
		out->told[i] = im->set->has[i] || im->changes[i].count > 0;
	}
	free(before.items);
	free(after.items);
	return result;
}

static void importing_free(struct importing *im)
{
	for (int i = 0; i < SP_RELATIONS; i++) {
		free(im->stored[i].items);
		sp_rel_changes_free(&im->changes[i]);
	}
	sp_register_outcome_free(&im->outcome);
	free(im->areas.items);
	free(im->changed.items);
	free(im->by_line.items);
	free(im->trees.items);
}

int sp_store_register(struct sp_store *store, struct sp_register_set *set,
		      const struct sp_register_options *options, int64_t now_ms,
		      struct sp_register_result *out)
{
	struct importing im = {.store = store, .set = set, .options = options, .now_ms = now_ms};
	int64_t from_ms = options->from_ms >= 0 ? options->from_ms : now_ms;
	im.from = (struct sp_register_moment){from_ms, sp_local_day(from_ms), options->partial,
					      options->from_ms < 0};
	*out = (struct sp_register_result){0};
	int result = sp_register_finish(set);
	if (result < 0)
		return result;
	result = sp_store_begin(store, now_ms);
	if (result == 0)
		result = steps(&im, out);
	if (result == 0 && !options->dry)
		result = sp_store_commit(store);
	if (result < 0 || options->dry)
		sp_store_rollback(store);
	importing_free(&im);
	return result;
}

int sp_register_carry(struct sp_store *store)
{
	struct sp_register_set set = {0};
	struct sp_rel_rows areas = {0};
	struct sp_rel_changes in_tree = {0}, of_schools = {0};
	const struct sp_rel_rows nothing = {0};
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT school, min(area) FROM register WHERE area <> '' GROUP BY school");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		sp_register_flat_areas(&set, 0, 0, sp_row_text(rows, 0), sp_row_text(rows, 1));
	sp_register_once(&set, 0);
	sp_rel_diff(&sp_relations[SP_REL_AREA], &nothing, &set.rows[SP_REL_AREA], 0, &in_tree);
	sp_rel_diff(&sp_relations[SP_REL_SCHOOL_AREA], &nothing, &set.rows[SP_REL_SCHOOL_AREA], 0,
		    &of_schools);
	if (result == 0)
		result = sp_register_write(store, SP_REL_AREA, &in_tree, NULL);
	if (result == 0)
		result = sp_register_renew_areas(store, &set.texts);
	if (result == 0)
		result = sp_register_area_numbers(store, &set.texts, &areas);
	if (result == 0)
		result = sp_register_write(store, SP_REL_SCHOOL_AREA, &of_schools, &areas);
	sp_rel_changes_free(&in_tree);
	sp_rel_changes_free(&of_schools);
	free(areas.items);
	sp_register_set_free(&set);
	return result;
}

int sp_store_import(struct sp_store *store, const struct sp_register *reg, bool dry, int64_t now_ms,
		    struct sp_store_import *out)
{
	struct sp_register_set set = {0};
	struct sp_register_result done;
	const struct sp_register_options options = {.dry = dry, .from_ms = -1};
	int result = sp_register_add_flat(&set, "register", reg);
	if (result == 0)
		result = sp_store_register(store, &set, &options, now_ms, &done);
	if (result == 0)
		*out = (struct sp_store_import){done.lines.added, done.lines.changed, done.lines.ended,
						done.lines.unchanged};
	sp_register_set_free(&set);
	return result;
}
