// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The register as CSV files again, as it is or as it was: what an import of them would find unchanged.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/store/register_priv.h"
#include "tools/hub/time/local_time.h"

static void write_cell(FILE *out, bool first, const char *cell, bool text)
{
	// What came by an import is no formula; older rows may be.
	const char *before = text && sp_cell_is_formula(cell) ? "'" : "";
	size_t length = strlen(cell);
	if (!first)
		fputc(',', out);
	if (!*before && !strpbrk(cell, "\",;\t\r\n") && cell[0] != ' ' &&
	    (!length || cell[length - 1] != ' ')) {
		fputs(cell, out);
		return;
	}
	fprintf(out, "\"%s", before);
	for (; *cell; cell++)
		fputs(*cell == '"' ? "\"\"" : (char[2]){*cell, '\0'}, out);
	fputc('"', out);
}

static bool is_text(enum sp_cell_type type)
{
	return type == SP_CELL_TEXT || type == SP_CELL_LEVEL;
}

/// Days as their dates, the last one included; moments to the minute, which is how files tell them.
static const char *time_of(const struct sp_relation *relation, const struct sp_rel_row *row, bool end,
			   char room[SP_LOCAL_TIME_SIZE])
{
	int64_t at = end ? row->to : row->from;
	if (at <= 0 || at == SP_OPEN_END)
		return "";
	if (relation->days)
		return sp_local_date(sp_local_day_ms(end ? at - 1 : at), room);
	sp_local_time(at, room);
	room[10] = ' ';
	room[16] = '\0';
	return room;
}

struct exporting {
	const struct sp_kind *kind;
	struct sp_rel_rows areas;
	const char *trees[SP_REGISTER_TREES_MAX];
	unsigned tree_count;
	FILE *out;
};

static void write_header(const struct exporting *e)
{
	fputs("\xef\xbb\xbf", e->out);
	for (unsigned i = 0; i < sp_kind_columns(e->kind); i++)
		write_cell(e->out, i == 0, e->kind->columns[i].name, true);
	for (unsigned i = 0; i < e->tree_count; i++)
		fprintf(e->out, ",area:%s", e->trees[i]);
	fputs("\r\n", e->out);
}

static void write_row(const struct exporting *e, const struct sp_kind_map *map, const struct sp_rel_row *row)
{
	const struct sp_relation *relation = &sp_relations[map->relation];
	char room[SP_LOCAL_TIME_SIZE];
	for (unsigned i = 0; i < sp_kind_columns(e->kind); i++) {
		const struct sp_kind_column *column = &e->kind->columns[i];
		const char *cell = map->relation == SP_REL_EXAM && i == 0 ? "exam" : "";
		for (unsigned k = 0; k < relation->count; k++) {
			if (map->columns[k] == (int)i && row->cells[k])
				cell = row->cells[k];
		}
		if (column->type == SP_CELL_FROM || column->type == SP_CELL_TO)
			cell = time_of(relation, row, column->type == SP_CELL_TO, room);
		write_cell(e->out, i == 0, cell, is_text(column->type));
	}
	for (unsigned i = 0; i < e->tree_count; i++) {
		const char *key[2] = {row->cells[0], e->trees[i]};
		const struct sp_rel_row *area = sp_rel_find(&e->areas, 2, key);
		write_cell(e->out, false, area ? area->cells[2] : "", true);
	}
	fputs("\r\n", e->out);
}

static int write_relation(struct sp_store *store, const struct exporting *e, const struct sp_kind_map *map,
			  int64_t at_ms, struct sp_rel_texts *texts)
{
	struct sp_rel_rows rows = {0};
	int result = sp_register_load_at(store, map->relation, at_ms, texts, &rows);
	for (size_t i = 0; result == 0 && i < rows.count; i++)
		write_row(e, map, &rows.items[i]);
	free(rows.items);
	return result;
}

/// The tree that the page shows first.
static int load_trees(struct sp_store *store, int64_t at_ms, struct sp_rel_texts *texts, struct exporting *e)
{
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT name FROM tree ORDER BY rank, name");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (e->tree_count < SP_REGISTER_TREES_MAX)
			e->trees[e->tree_count++] = sp_rel_text(texts, sp_row_text(rows, 0));
	}
	return result < 0 ? result : sp_register_load_at(store, SP_REL_SCHOOL_AREA, at_ms, texts, &e->areas);
}

static void write_line(void *arg, const char *const cells[SP_KIND_COLUMNS])
{
	const struct exporting *e = arg;
	for (unsigned i = 0; i < sp_kind_columns(e->kind); i++)
		write_cell(e->out, i == 0, cells[i], is_text(e->kind->columns[i].type));
	fputs("\r\n", e->out);
}

int sp_store_register_export(struct sp_store *store, enum sp_register_kind kind, int64_t at_ms, FILE *out)
{
	static const struct sp_kind_map exams = {SP_REL_EXAM, {1, 2, 3, 4}};
	struct exporting e = {.kind = &sp_kinds[kind], .out = out};
	struct sp_rel_texts texts = {0};
	int result = kind == SP_KIND_SCHOOLS ? load_trees(store, at_ms, &texts, &e) : 0;
	if (result == 0)
		write_header(&e);
	if (result == 0)
		result = kind == SP_KIND_REGISTER ? sp_register_view_at(store, at_ms, write_line, &e)
						  : write_relation(store, &e, &e.kind->map, at_ms, &texts);
	if (result == 0 && kind == SP_KIND_CALENDAR)
		result = write_relation(store, &e, &exams, at_ms, &texts);
	free(e.areas.items);
	sp_rel_texts_free(&texts);
	return result == 0 && ferror(out) ? -EIO : result;
}
