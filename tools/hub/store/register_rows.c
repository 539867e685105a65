// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows of the register's relations, from the database and into it.
#include "tools/hub/store/register_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/hub/time/local_time.h"

/// The cells in their order, then from and to.
struct words {
	const char *select, *columns, *cut, *erase;
};

#define SPANS "from_ms, to_ms"
#define DAYS  "from_day, to_day"
#define WORDS(table, cells, from, to, where)                                                               \
	{                                                                                                  \
		"SELECT " cells ", " from ", " to " FROM " table " WHERE " to " > ?1 AND (?2 = 0 OR " from \
		" <= ?1)",                                                                                 \
		    cells ", " from ", " to,                                                               \
		    "UPDATE " table " SET " to " = ?1 WHERE " from " = ?2 AND " where,                     \
		    "DELETE FROM " table " WHERE " from " = ?1 AND " from " = ?2 AND " where               \
	}
/// A key's cells are ?3, ?4 … in both; ?1 of the erasure is the same as ?2.
#define KEY_1(a)             a " = ?3"
#define KEY_2(a, b)          KEY_1(a) " AND " b " = ?4"
#define KEY_3(a, b, c)       KEY_2(a, b) " AND " c " = ?5"
#define KEY_4(a, b, c, d)    KEY_3(a, b, c) " AND " d " = ?6"
#define KEY_5(a, b, c, d, e) KEY_4(a, b, c, d) " AND " e " = ?7"

static const struct words words[SP_RELATIONS] = {
    [SP_REL_AREA] =
	WORDS("area_state", "tree, code, parent, name, kind", "from_ms", "to_ms", KEY_2("tree", "code")),
    [SP_REL_SCHOOL] =
	WORDS("school_state", "school, name, kind, zone, pupils", "from_ms", "to_ms", KEY_1("school")),
    // Its area is a number in the table, and a code everywhere else.
    [SP_REL_SCHOOL_AREA] =
	{"SELECT s.school, s.tree, a.code, s.from_ms, s.to_ms FROM school_area s JOIN area a"
	 " ON a.id = s.area WHERE s.to_ms > ?1 AND (?2 = 0 OR s.from_ms <= ?1)",
	 "school, tree, area, from_ms, to_ms",
	 "UPDATE school_area SET to_ms = ?1 WHERE from_ms = ?2 AND school = ?3 AND tree = ?4",
	 "DELETE FROM school_area WHERE from_ms = ?1 AND from_ms = ?2 AND school = ?3 AND tree = ?4"},
    [SP_REL_SITE] = WORDS("site_state", "school, site, name, main, zone, timetable, lat, lon", "from_ms",
			  "to_ms", KEY_2("school", "site")),
    [SP_REL_LINE] = WORDS("line_state",
			  "school, site, line, provider, plan, contract_no, medium, medium_evidence,"
			  " down_mbps, up_mbps",
			  "from_ms", "to_ms", KEY_3("school", "site", "line")),
    [SP_REL_BOARD] = WORDS("placement", "device, board_line, school, site, line, shard", "from_ms", "to_ms",
			   KEY_2("device", "board_line")),
    [SP_REL_TIMETABLE] =
	WORDS("timetable", "name, kind, week", "from_day", "to_day", KEY_3("name", "kind", "week")),
    [SP_REL_HOLIDAY] = WORDS("holiday", "scope, code, site, kind, name", "from_day", "to_day",
			     KEY_5("scope", "code", "site", "kind", "name")),
    [SP_REL_EXAM] =
	WORDS("exam", "scope, code, site, name", "from_ms", "to_ms", KEY_4("scope", "code", "site", "name")),
    [SP_REL_MAINTENANCE] = WORDS("maintenance", "scope, code, site, reason", "from_ms", "to_ms",
				 KEY_4("scope", "code", "site", "reason")),
    [SP_REL_DECLARED] =
	WORDS("declared", "school, category, count", "from_day", "to_day", KEY_2("school", "category")),
    [SP_REL_ASSET] = WORDS("asset", "school, asset, category, model, serial, room, complete", "from_day",
			   "to_day", KEY_2("school", "asset")),
};

// ---- from the database ---------------------------------------------------------------------------

static const char *cell_of(const struct sp_rows *rows, int column, enum sp_rel_type type,
			   struct sp_rel_texts *texts)
{
	char number[32];
	if (type != SP_REL_TEXT && sp_row_is_null(rows, column))
		return NULL;
	switch (type) {
	case SP_REL_TEXT:
		return sp_rel_text(texts, sp_row_text(rows, column));
	case SP_REL_INT:
		snprintf(number, sizeof(number), "%" PRId64, sp_row_int(rows, column, 0));
		break;
	case SP_REL_REAL:
		sp_rel_real(sp_row_real(rows, column, 0), number);
		break;
	}
	return sp_rel_text(texts, number);
}

static int load(struct sp_store *store, enum sp_relation_id id, int64_t after, bool at,
		struct sp_rel_texts *texts, struct sp_rel_rows *out)
{
	const struct sp_relation *relation = &sp_relations[id];
	int columns = (int)relation->count, result;
	struct sp_rows *rows =
	    sp_sql_query(store->db, words[id].select, (const struct sp_arg[]){I(after), I(at)}, 2);
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_rel_row *row = sp_rel_add(out);
		for (int i = 0; i < columns; i++) {
			// An area's number is not what its code looks like.
			enum sp_rel_type type = id == SP_REL_SCHOOL_AREA ? SP_REL_TEXT : relation->types[i];
			row->cells[i] = cell_of(rows, i, type, texts);
		}
		row->from = sp_row_int(rows, columns, 0);
		row->to = sp_row_int(rows, columns + 1, SP_OPEN_END);
		row->file = row->line = SP_REGISTER_STORED;
	}
	sp_rel_sort(out, relation->keys);
	return result;
}

int sp_register_load_rows(struct sp_store *store, enum sp_relation_id id, struct sp_rel_texts *texts,
			  struct sp_rel_rows *out)
{
	return load(store, id, INT64_MIN, false, texts, out);
}

int sp_register_load_at(struct sp_store *store, enum sp_relation_id id, int64_t at_ms,
			struct sp_rel_texts *texts, struct sp_rel_rows *out)
{
	int64_t at = sp_relations[id].days ? sp_local_day(at_ms) : at_ms;
	return load(store, id, at, !sp_relations[id].dated, texts, out);
}

// ---- into the database ---------------------------------------------------------------------------

/// ?1 and ?2, then the key.
static int on_key(struct sp_store *store, const char *sql, const struct sp_relation *relation, int64_t first,
		  const struct sp_rel_row *was)
{
	struct sp_arg args[2 + SP_REL_CELLS] = {I(first), I(was->from)};
	for (unsigned i = 0; i < relation->keys; i++)
		args[2 + i] = T(was->cells[i]);
	return sp_sql_do(store->db, sql, args, 2 + relation->keys);
}

static struct sp_arg arg_of(const char *cell, enum sp_rel_type type)
{
	if (!cell)
		return T(NULL);
	switch (type) {
	case SP_REL_TEXT:
		break;
	case SP_REL_INT:
		return I(strtoll(cell, NULL, 10));
	case SP_REL_REAL:
		return R(strtod(cell, NULL));
	}
	return T(cell);
}

static int insert(struct sp_bulk *bulk, enum sp_relation_id id, const struct sp_rel_row *row,
		  const struct sp_rel_rows *areas)
{
	const struct sp_relation *relation = &sp_relations[id];
	struct sp_arg args[SP_REL_CELLS + 2];
	unsigned count = relation->count;
	for (unsigned i = 0; i < count; i++)
		args[i] = arg_of(row->cells[i], relation->types[i]);
	if (id == SP_REL_SCHOOL_AREA) {
		const struct sp_rel_row *area = sp_rel_find(areas, 2, row->cells + 1);
		if (!area)
			return -ENOENT; // it was checked that there is one
		args[2] = arg_of(area->cells[2], SP_REL_INT);
	}
	args[count++] = I(row->from);
	args[count++] = I(row->to);
	return sp_bulk_add(bulk, args, count);
}

int sp_register_write(struct sp_store *store, enum sp_relation_id id, const struct sp_rel_changes *changes,
		      const struct sp_rel_rows *areas)
{
	const struct sp_relation *relation = &sp_relations[id];
	struct sp_bulk *bulk = NULL;
	int result = 0;
	for (size_t i = 0; result == 0 && i < changes->count; i++) {
		const struct sp_rel_change *change = &changes->items[i];
		if (change->kind == SP_REL_CUT)
			result = on_key(store, words[id].cut, relation, change->row.to, change->was);
		else if (change->kind == SP_REL_ERASE)
			result = on_key(store, words[id].erase, relation, change->was->from, change->was);
	}
	if (result == 0)
		result = sp_bulk_open(store->db, relation->table, words[id].columns, &bulk);
	for (size_t i = 0; result == 0 && i < changes->count; i++) {
		if (changes->items[i].kind == SP_REL_INSERT)
			result = insert(bulk, id, &changes->items[i].row, areas);
	}
	if (result == 0)
		result = sp_bulk_flush(bulk);
	if (bulk)
		sp_bulk_close(bulk);
	return result;
}
