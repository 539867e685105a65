// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From CSV rows to the register's lines: columns by name, values checked one by one and against
// each other, errors by file, line and column.
#include "tools/hub/register/register.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/base/csv.h"
#include "tools/hub/register/cell.h"
#include "tools/hub/register/file.h"

#define TEXT      SP_CELL_TEXT
#define LEVEL     SP_CELL_LEVEL
#define ID        SP_CELL_ID
#define MBPS      SP_CELL_MBPS
#define TIMETABLE SP_CELL_WEEK

static const struct column {
	const char *name;
	enum sp_cell_type kind;
	bool mandatory;
	size_t max, offset;
} columns[] = {
    {"area", TEXT, false, 256, offsetof(struct sp_register_line, area)},
    {"school", LEVEL, true, 64, offsetof(struct sp_register_line, school)},
    {"school_name", TEXT, true, 256, offsetof(struct sp_register_line, school_name)},
    {"site", LEVEL, true, 64, offsetof(struct sp_register_line, site)},
    {"site_name", TEXT, false, 256, offsetof(struct sp_register_line, site_name)},
    {"line", LEVEL, true, 64, offsetof(struct sp_register_line, line)},
    {"provider", TEXT, false, 128, offsetof(struct sp_register_line, provider)},
    {"contract", TEXT, false, 128, offsetof(struct sp_register_line, contract)},
    {"down_mbps", MBPS, false, 16, offsetof(struct sp_register_line, down_mbps)},
    {"up_mbps", MBPS, false, 16, offsetof(struct sp_register_line, up_mbps)},
    {"zone", TEXT, false, 64, offsetof(struct sp_register_line, zone)},
    {"device", ID, false, 32, offsetof(struct sp_register_line, device)},
    {"shard", ID, false, 32, offsetof(struct sp_register_line, shard)},
    {"timetable", TIMETABLE, false, 256, offsetof(struct sp_register_line, timetable)},
};
#define COLUMNS SP_COUNT(columns)

struct reader {
	const char *file;
	struct sp_config_errors *errors;
	size_t errors_before;
	int place[COLUMNS]; ///< of each column in a row; -1: not there
	size_t width;       ///< cells of the header
};

static char **text_of(struct sp_register_line *line, const struct column *column)
{
	return (char **)((char *)line + column->offset);
}

static void line_free(struct sp_register_line *line)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (columns[i].kind != MBPS)
			free(*text_of(line, &columns[i]));
	}
}

void sp_register_free(struct sp_register *reg)
{
	for (size_t i = 0; i < reg->count; i++)
		line_free(&reg->lines[i]);
	free(reg->lines);
	*reg = (struct sp_register){0};
}

static void unknown_column(struct reader *r, unsigned line, const char *cell)
{
	const char *names[COLUMNS];
	for (size_t i = 0; i < COLUMNS; i++)
		names[i] = columns[i].name;
	const char *meant = sp_config_suggest(cell, names, COLUMNS);
	if (meant)
		sp_config_error(r->errors, r->file, line, "unknown column '%.64s'; did you mean '%s'?", cell,
				meant);
	else
		sp_config_error(r->errors, r->file, line, "unknown column '%.64s'", cell);
}

static void header(struct reader *r, const struct sp_csv_row *row)
{
	for (size_t i = 0; i < COLUMNS; i++)
		r->place[i] = -1;
	r->width = row->count;
	for (size_t cell = 0; cell < row->count; cell++) {
		size_t i = 0;
		while (i < COLUMNS && strcasecmp(columns[i].name, row->cells[cell]) != 0)
			i++;
		if (i == COLUMNS)
			unknown_column(r, row->line, row->cells[cell]);
		else if (r->place[i] >= 0)
			sp_config_error(r->errors, r->file, row->line, "column '%s' stands there twice",
					columns[i].name);
		else
			r->place[i] = (int)cell;
	}
	for (size_t i = 0; i < COLUMNS; i++) {
		if (columns[i].mandatory && r->place[i] < 0)
			sp_config_error(r->errors, r->file, row->line, "column '%s' is missing",
					columns[i].name);
	}
}

static const char *fault_of(const struct column *column, const char *cell)
{
	char room[SP_CELL_SIZE];
	const char *unused;
	if (!*cell)
		return column->mandatory ? "must not be empty" : NULL;
	return sp_cell_read(column->kind, cell, column->max, NULL, room, &unused);
}

static void read_line(struct reader *r, const struct sp_csv_row *row, struct sp_register_line *line)
{
	line->csv_line = row->line;
	if (row->count > r->width)
		sp_config_error(r->errors, r->file, row->line,
				"%zu cells, but the first line names %zu columns", row->count, r->width);
	for (size_t i = 0; i < COLUMNS; i++) {
		const struct column *column = &columns[i];
		bool there = r->place[i] >= 0 && (size_t)r->place[i] < row->count;
		const char *cell = there ? row->cells[r->place[i]] : "";
		const char *fault = fault_of(column, cell);
		if (fault)
			sp_config_error(r->errors, r->file, row->line, "column '%s': %s", column->name,
					fault);
		if (column->kind != MBPS)
			*text_of(line, column) = sp_strdup(cell);
		else if (!fault)
			(void)!sp_cell_mbps(cell, (double *)((char *)line + column->offset));
	}
	if (!line->device[0] != !line->shard[0])
		sp_config_error(r->errors, r->file, row->line,
				"column '%s': must be given together with '%s'",
				line->device[0] ? "shard" : "device", line->device[0] ? "device" : "shard");
}

// ---- lines against each other: sorted by what must be unique or the same ------------------------

#define ORDER(name, first, second, third)                                                          \
	static int name(const void *left, const void *right)                                       \
	{                                                                                          \
		const struct sp_register_line *a = *(const struct sp_register_line *const *)left;  \
		const struct sp_register_line *b = *(const struct sp_register_line *const *)right; \
		int order = strcmp(a->first, b->first);                                            \
		if (!order)                                                                        \
			order = strcmp(a->second, b->second);                                      \
		if (!order)                                                                        \
			order = strcmp(a->third, b->third);                                        \
		if (!order)                                                                        \
			order = a->csv_line < b->csv_line ? -1 : a->csv_line > b->csv_line;        \
		return order;                                                                      \
	}
ORDER(by_place, school, site, line)
ORDER(by_device, device, line, line)

static void differs(struct reader *r, const char *column, const struct sp_register_line *a,
		    const struct sp_register_line *b, const char *of)
{
	sp_config_error(r->errors, r->file, b->csv_line,
			"column '%s': differs from line %u, which names the same %s", column, a->csv_line,
			of);
}

static void check_places(struct reader *r, struct sp_register_line **sorted, size_t count)
{
	qsort(sorted, count, sizeof(*sorted), by_place);
	for (size_t i = 1; i < count; i++) {
		const struct sp_register_line *a = sorted[i - 1], *b = sorted[i];
		if (strcmp(a->school, b->school) != 0)
			continue;
		if (strcmp(a->school_name, b->school_name) != 0)
			differs(r, "school_name", a, b, "school");
		if (strcmp(a->area, b->area) != 0)
			differs(r, "area", a, b, "school");
		if (strcmp(a->site, b->site) != 0)
			continue;
		if (strcmp(a->site_name, b->site_name) != 0)
			differs(r, "site_name", a, b, "site");
		if (strcmp(a->zone, b->zone) != 0)
			differs(r, "zone", a, b, "site");
		if (strcmp(a->timetable, b->timetable) != 0)
			differs(r, "timetable", a, b, "site");
		if (strcmp(a->line, b->line) == 0)
			sp_config_error(r->errors, r->file, b->csv_line,
					"column 'line': line %u has the same school, site and line",
					a->csv_line);
	}
}

static void check_devices(struct reader *r, struct sp_register_line **sorted, size_t count)
{
	qsort(sorted, count, sizeof(*sorted), by_device);
	for (size_t i = 1; i < count; i++) {
		const struct sp_register_line *a = sorted[i - 1], *b = sorted[i];
		if (!b->device[0] || strcmp(a->device, b->device) != 0)
			continue;
		if (strcmp(a->shard, b->shard) != 0)
			differs(r, "shard", a, b, "device");
		if (strcmp(a->line, b->line) == 0)
			sp_config_error(r->errors, r->file, b->csv_line,
					"column 'device': line %u has the same device and line", a->csv_line);
	}
}

static void check_together(struct reader *r, const struct sp_register *reg)
{
	struct sp_register_line **sorted = sp_alloc((reg->count + 1) * sizeof(*sorted));
	for (size_t i = 0; i < reg->count; i++)
		sorted[i] = &reg->lines[i];
	check_places(r, sorted, reg->count);
	check_devices(r, sorted, reg->count);
	free(sorted);
}

static void rows(struct reader *r, struct sp_csv *csv, struct sp_register *out)
{
	struct sp_csv_row *row = sp_alloc(sizeof(*row));
	char why[128];
	size_t room = 0;
	bool named = false;
	for (int result; (result = sp_csv_next(csv, row, why)) != 0;) {
		if (result < 0) {
			sp_config_error(r->errors, r->file, row->line, "%s", why);
			if (!named)
				break;
		} else if (!named) {
			header(r, row);
			named = true;
			if (r->errors->count > r->errors_before)
				break;
		} else {
			if (out->count == room) {
				room = room ? room * 2 : 64;
				out->lines = sp_realloc(out->lines, room * sizeof(*out->lines));
			}
			out->lines[out->count] = (struct sp_register_line){0};
			read_line(r, row, &out->lines[out->count++]);
		}
	}
	free(row);
	if (out->count == 0 && r->errors->count == r->errors_before)
		sp_config_error(r->errors, r->file, 1, "there is not one line in it");
}

int sp_register_parse(struct sp_register *out, const char *file, const char *text, size_t length,
		      struct sp_config_errors *errors)
{
	struct reader r = {.file = file, .errors = errors, .errors_before = errors->count};
	struct sp_csv csv;
	char why[128];
	*out = (struct sp_register){0};
	if (!sp_register_encoding(file, text, length, errors))
		return -EINVAL;
	if (sp_csv_start(&csv, text, length, why) < 0) {
		sp_config_error(errors, file, 1, "%s", why);
		return -EINVAL;
	}
	rows(&r, &csv, out);
	sp_csv_end(&csv);
	if (errors->count == r.errors_before)
		check_together(&r, out);
	return errors->count > r.errors_before ? -EINVAL : 0;
}

int sp_register_read(struct sp_register *out, const char *file, struct sp_config_errors *errors)
{
	struct sp_buf text;
	*out = (struct sp_register){0};
	int result = sp_register_load(file, &text, errors);
	if (result == 0)
		result = sp_register_parse(out, file, text.data ? text.data : "", text.length, errors);
	sp_buf_free(&text);
	return result;
}
