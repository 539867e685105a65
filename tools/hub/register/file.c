// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Files become rows: the header tells the kind, each cell is checked, each mistake has its line and column.
#include "tools/hub/register/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/csv.h"
#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "agent/base/utf8.h"
#include "tools/hub/time/local_time.h"

// ---- bytes ---------------------------------------------------------------------------------------

int sp_register_load(const char *file, struct sp_buf *text, struct sp_config_errors *errors)
{
	*text = SP_BUF(SP_REGISTER_FILE_MAX);
	FILE *stream = fopen(file, "rbe");
	if (!stream) {
		int error = errno;
		sp_config_error(errors, file, 0, "cannot be read: %s", strerror(error));
		return -error;
	}
	char chunk[65536];
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), stream)) > 0 && !text->overflowed;)
		sp_buf_add(text, chunk, n);
	int result = 0;
	if (ferror(stream)) {
		sp_config_error(errors, file, 0, "cannot be read: %s", strerror(errno));
		result = -EIO;
	} else if (text->overflowed) {
		sp_config_error(errors, file, 0, "larger than 64 MiB");
		result = -EFBIG;
	}
	fclose(stream);
	return result;
}

/// Every second byte of text in UTF-16 is zero, as long as it is ASCII.
static bool is_utf16(const char *text, size_t length)
{
	size_t even = 0, odd = 0, looked = length < 256 ? length : 256;
	if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return true;
	for (size_t i = 0; i < looked; i++) {
		if (text[i] == '\0')
			*(i % 2 ? &odd : &even) += 1;
	}
	return looked >= 8 && (even * 4 > looked || odd * 4 > looked);
}

/// Windows-1258 writes tones behind their letters, with bytes that no other of its neighbours has there.
static bool is_1258(const char *text, size_t length)
{
	size_t tones = 0;
	for (size_t i = 1; i < length && i < 1 << 20; i++) {
		if (strchr("\xcc\xd2\xde\xec\xf2", text[i]) && text[i] &&
		    strchr("aeiouyAEIOUY\xe2\xea\xf4\xe3\xf5\xfd\xc2\xca\xd4\xc3\xd5\xdd", text[i - 1]) &&
		    text[i - 1])
			tones++;
	}
	return tones > 0;
}

bool sp_register_encoding(const char *file, const char *text, size_t length, struct sp_config_errors *errors)
{
	unsigned line = 1;
	if (is_utf16(text, length)) {
		sp_config_error(errors, file, 1, "this is UTF-16: save it as \"CSV UTF-8\"");
		return false;
	}
	for (size_t at = 0, n; at < length; at += n) {
		n = (unsigned char)text[at] < 0x80 ? 1 : sp_utf8_next(text + at, length - at, NULL);
		if (n == 0) {
			sp_config_error(
			    errors, file, line, "this is not UTF-8 but %s: save it as \"CSV UTF-8\"",
			    is_1258(text, length) ? "Windows-1258"
						  : "another encoding, such as TCVN3 (ABC) or VNI");
			return false;
		}
		line += text[at] == '\n';
	}
	return true;
}

// ---- the header ----------------------------------------------------------------------------------

struct reader {
	struct sp_register_set *set;
	struct sp_register_file *file;
	unsigned number;                       ///< the file's
	int place[SP_KIND_COLUMNS];            ///< of each column in a row; -1: not there
	int tree_place[SP_REGISTER_TREES_MAX]; ///< of each tree of the set
	size_t width;
};

/// How well a header fits a kind: all of what it must have, and nothing else.
static int fit(const struct sp_kind *kind, const struct sp_csv_row *row)
{
	int known = 0, unknown = 0, mandatory = 0, missing = 0;
	const char *tree;
	for (size_t cell = 0; cell < row->count; cell++) {
		if (sp_kind_column(kind, row->cells[cell], &tree) >= 0 || tree)
			known++;
		else
			unknown++;
	}
	for (unsigned i = 0; i < sp_kind_columns(kind); i++) {
		size_t cell = 0;
		if (!kind->columns[i].mandatory)
			continue;
		while (cell < row->count && sp_kind_column(kind, row->cells[cell], &tree) != (int)i)
			cell++;
		mandatory++;
		missing += cell == row->count;
	}
	return missing == 0 && unknown == 0 ? 1000 + mandatory : known - unknown - missing;
}

static enum sp_register_kind kind_of(const struct sp_csv_row *row)
{
	int best = SP_KIND_REGISTER, best_fit = fit(&sp_kinds[SP_KIND_REGISTER], row);
	for (int i = 0; i < SP_KIND_REGISTER; i++) {
		int fits = fit(&sp_kinds[i], row);
		if (fits > best_fit) {
			best = i;
			best_fit = fits;
		}
	}
	return (enum sp_register_kind)best;
}

static void unknown_column(struct reader *r, unsigned line, const char *cell)
{
	const struct sp_kind *kind = &sp_kinds[r->file->kind];
	const char *names[SP_KIND_COLUMNS];
	unsigned count = sp_kind_columns(kind);
	for (unsigned i = 0; i < count; i++)
		names[i] = kind->columns[i].name;
	const char *meant = sp_config_suggest(cell, names, count);
	if (meant)
		sp_config_error(&r->file->errors, r->file->name, line,
				"unknown column '%.64s' in a file of %s; did you mean '%s'?", cell,
				kind->name, meant);
	else
		sp_config_error(&r->file->errors, r->file->name, line,
				"unknown column '%.64s' in a file of %s", cell, kind->name);
}

static void tree_column(struct reader *r, unsigned line, const char *tree, int cell)
{
	struct sp_register_set *set = r->set;
	unsigned i = 0;
	while (i < set->tree_count && strcmp(set->trees[i], tree) != 0)
		i++;
	if (!sp_id_valid(tree))
		sp_config_error(&r->file->errors, r->file->name, line,
				"column 'area:%.64s': the tree must be 1 to 32 of a-z, 0-9 and '-'", tree);
	else if (i == SP_REGISTER_TREES_MAX)
		sp_config_error(&r->file->errors, r->file->name, line, "more than %d trees",
				SP_REGISTER_TREES_MAX);
	else if (r->tree_place[i] >= 0)
		sp_config_error(&r->file->errors, r->file->name, line, "column 'area:%s' stands there twice",
				tree);
	else {
		r->tree_place[i] = cell;
		if (i == set->tree_count)
			set->trees[set->tree_count++] = sp_rel_text(&set->texts, tree);
	}
}

static void header(struct reader *r, const struct sp_csv_row *row)
{
	const struct sp_kind *kind = &sp_kinds[r->file->kind];
	struct sp_config_errors *errors = &r->file->errors;
	memset(r->place, -1, sizeof(r->place));
	memset(r->tree_place, -1, sizeof(r->tree_place));
	r->width = row->count;
	for (size_t cell = 0; cell < row->count; cell++) {
		const char *tree;
		int column = sp_kind_column(kind, row->cells[cell], &tree);
		if (tree)
			tree_column(r, row->line, tree, (int)cell);
		else if (column < 0)
			unknown_column(r, row->line, row->cells[cell]);
		else if (r->place[column] >= 0)
			sp_config_error(errors, r->file->name, row->line, "column '%s' stands there twice",
					kind->columns[column].name);
		else
			r->place[column] = (int)cell;
	}
	for (unsigned i = 0; i < sp_kind_columns(kind); i++) {
		if (kind->columns[i].mandatory && r->place[i] < 0)
			sp_config_error(errors, r->file->name, row->line, "column '%s' is missing",
					kind->columns[i].name);
	}
}

// ---- rows ----------------------------------------------------------------------------------------

void sp_register_fault(struct sp_register_set *set, const struct sp_rel_row *row, const char *column,
		       const char *format, ...)
{
	struct sp_register_file *file = &set->files[row->file];
	char text[512];
	va_list args;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		snprintf(text, sizeof(text), "%s", format);
	va_end(args);
	sp_config_error(&file->errors, file->name, row->line, "column '%s': %s", column, text);
}

/// From a moment to a moment, or from a day to the day behind the last one, in the relation's unit.
static void times(struct reader *r, struct sp_rel_row *row, const struct sp_relation *relation,
		  const char *from, const char *to)
{
	struct sp_cell_moment begin, end;
	bool begins = from && sp_cell_moment(from, &begin), ends = to && sp_cell_moment(to, &end);
	row->from = 0;
	row->to = SP_OPEN_END;
	if (relation->days && ((begins && !begin.day) || (ends && !end.day))) {
		sp_register_fault(r->set, row, begins && !begin.day ? "from" : "to",
				  "must be a day, without a time");
		return;
	}
	if (begins)
		row->from = relation->days || !begin.day ? begin.at : sp_local_day_ms(begin.at);
	if (ends && end.day)
		row->to = relation->days ? end.at + 1 : sp_local_day_ms(end.at + 1);
	else if (ends)
		row->to = end.at;
	if (row->to <= row->from)
		sp_register_fault(r->set, row, "to", "lies before 'from'");
}

static void check_scope(struct sp_register_set *set, const struct sp_rel_row *row)
{
	const char *scope = row->cells[0], *code = row->cells[1], *site = row->cells[2];
	bool all = strcmp(scope, "all") == 0, of_site = strcmp(scope, "site") == 0;
	if (!scope[0])
		return;
	if (all != !code[0])
		sp_register_fault(set, row, "code",
				  all ? "must be empty with the scope 'all'" : "must not be empty");
	else if (of_site != (site[0] != '\0'))
		sp_register_fault(set, row, "site",
				  of_site ? "must not be empty" : "is for the scope 'site' only");
	else if (strcmp(scope, "area") == 0 && !strchr(code, ':'))
		sp_register_fault(set, row, "code",
				  "an area is named by its tree and its code, like 2025:%.64s", code);
}

/// Where the cells of a row of this file go.
static struct sp_kind_map map_of(const struct reader *r, const char *const *cells)
{
	static const struct sp_kind_map exam = {SP_REL_EXAM, {1, 2, 3, 4}};
	if (r->file->kind == SP_KIND_CALENDAR && cells[0] && strcmp(cells[0], "exam") == 0)
		return exam;
	return sp_kinds[r->file->kind].map;
}

static void put(struct reader *r, unsigned line, const char *const *cells)
{
	const struct sp_kind *kind = &sp_kinds[r->file->kind];
	struct sp_kind_map map = map_of(r, cells);
	const struct sp_relation *relation = &sp_relations[map.relation];
	struct sp_rel_row *row = sp_rel_add(&r->set->rows[map.relation]);
	const char *from = NULL, *to = NULL;
	row->file = r->number;
	row->line = line;
	for (unsigned i = 0; i < relation->count; i++) {
		const char *cell = cells[map.columns[i]];
		bool text = relation->types[i] == SP_REL_TEXT;
		row->cells[i] = cell ? sp_rel_text(&r->set->texts, cell) : text ? "" : NULL;
	}
	for (unsigned i = 0; i < sp_kind_columns(kind); i++) {
		if (kind->columns[i].type == SP_CELL_FROM)
			from = cells[i];
		if (kind->columns[i].type == SP_CELL_TO)
			to = cells[i];
	}
	if (relation->dated)
		times(r, row, relation, from, to);
	if (r->file->kind == SP_KIND_CALENDAR || r->file->kind == SP_KIND_MAINTENANCE)
		check_scope(r->set, row);
	if (map.relation == SP_REL_TIMETABLE && !row->cells[1][0])
		row->cells[1] = "lesson";
}

static void put_areas(struct reader *r, const struct sp_csv_row *csv, const char *school)
{
	for (unsigned i = 0; i < r->set->tree_count; i++) {
		int place = r->tree_place[i];
		if (place < 0 || (size_t)place >= csv->count || !csv->cells[place][0] || !school)
			continue;
		struct sp_rel_row *row = sp_rel_add(&r->set->rows[SP_REL_SCHOOL_AREA]);
		*row = (struct sp_rel_row){.to = SP_OPEN_END, .file = r->number, .line = csv->line};
		row->cells[0] = sp_rel_text(&r->set->texts, school);
		row->cells[1] = r->set->trees[i];
		row->cells[2] = sp_rel_text(&r->set->texts, csv->cells[place]);
		const char *fault = sp_cell_text_fault(csv->cells[place], 512);
		if (fault)
			sp_register_fault(r->set, row, "area", "%s", fault);
	}
}

static void read_row(struct reader *r, const struct sp_csv_row *row)
{
	const struct sp_kind *kind = &sp_kinds[r->file->kind];
	char rooms[SP_KIND_COLUMNS][SP_CELL_SIZE];
	const char *cells[SP_KIND_COLUMNS] = {NULL};
	if (row->count > r->width)
		sp_config_error(&r->file->errors, r->file->name, row->line,
				"%zu cells, but the first line names %zu columns", row->count, r->width);
	for (unsigned i = 0; i < sp_kind_columns(kind); i++) {
		const struct sp_kind_column *column = &kind->columns[i];
		bool there = r->place[i] >= 0 && (size_t)r->place[i] < row->count;
		const char *cell = there ? row->cells[r->place[i]] : "", *fault = NULL;
		if (*cell)
			fault =
			    sp_cell_read(column->type, cell, column->max, column->words, rooms[i], &cells[i]);
		else if (column->mandatory)
			fault = "must not be empty";
		else if (column->type == SP_CELL_FLAG)
			cells[i] = "0";
		if (fault) {
			sp_config_error(&r->file->errors, r->file->name, row->line, "column '%s': %s",
					column->name, fault);
			cells[i] = NULL;
		}
	}
	put(r, row->line, cells);
	put_areas(r, row, cells[0]);
	r->file->rows++;
}

static void rows(struct reader *r, struct sp_csv *csv, int kind)
{
	struct sp_csv_row *row = sp_alloc(sizeof(*row));
	struct sp_config_errors *errors = &r->file->errors;
	char why[128];
	bool named = false;
	for (int result; (result = sp_csv_next(csv, row, why)) != 0;) {
		if (result < 0) {
			sp_config_error(errors, r->file->name, row->line, "%s", why);
			if (!named)
				break;
		} else if (!named) {
			r->file->kind = kind >= 0 ? (enum sp_register_kind)kind : kind_of(row);
			if (r->file->kind == SP_KIND_REGISTER)
				break;
			header(r, row);
			named = true;
			if (errors->count > 0)
				break;
		} else {
			read_row(r, row);
		}
	}
	free(row);
	if (named && r->file->rows == 0 && errors->count == 0)
		sp_config_error(errors, r->file->name, 1, "there is not one row in it");
}

static struct sp_register_file *next_file(struct sp_register_set *set, const char *name)
{
	if (set->file_count == SP_REGISTER_FILES_MAX) {
		struct sp_register_file *last = &set->files[SP_REGISTER_FILES_MAX - 1];
		sp_config_error(&last->errors, name, 0, "more than %d files", SP_REGISTER_FILES_MAX);
		return NULL;
	}
	struct sp_register_file *file = &set->files[set->file_count++];
	*file = (struct sp_register_file){.name = sp_strdup(name), .kind = SP_KIND_REGISTER};
	return file;
}

static void mark(struct sp_register_set *set, const struct sp_register_file *file)
{
	set->has[sp_kinds[file->kind].map.relation] = true;
	if (file->kind == SP_KIND_SCHOOLS)
		set->has[SP_REL_SCHOOL_AREA] = true;
	if (file->kind == SP_KIND_CALENDAR)
		set->has[SP_REL_EXAM] = true;
}

static int add(struct sp_register_set *set, struct sp_register_file *file, int kind, const char *text,
	       size_t length)
{
	struct reader r = {.set = set, .file = file, .number = (unsigned)(file - set->files)};
	struct sp_register flat;
	struct sp_csv csv;
	char why[128];
	file->kind = kind >= 0 ? (enum sp_register_kind)kind : SP_KIND_REGISTER;
	if (!sp_register_encoding(file->name, text, length, &file->errors))
		return -EINVAL;
	if (sp_csv_start(&csv, text, length, why) < 0) {
		sp_config_error(&file->errors, file->name, 1, "%s", why);
		return -EINVAL;
	}
	rows(&r, &csv, kind);
	sp_csv_end(&csv);
	if (file->errors.count > 0)
		return -EINVAL;
	mark(set, file);
	if (file->kind != SP_KIND_REGISTER)
		return 0;
	int result = sp_register_parse(&flat, file->name, text, length, &file->errors);
	if (result == 0)
		sp_register_flat_rows(set, r.number, &flat);
	file->rows = flat.count;
	sp_register_free(&flat);
	return result;
}

int sp_register_add(struct sp_register_set *set, const char *file, int kind, const char *text, size_t length)
{
	struct sp_register_file *added = next_file(set, file);
	return added ? add(set, added, kind, text, length) : -EINVAL;
}

int sp_register_add_file(struct sp_register_set *set, const char *file, int kind)
{
	struct sp_register_file *added = next_file(set, file);
	struct sp_buf text;
	if (!added)
		return -EINVAL;
	int result = sp_register_load(file, &text, &added->errors);
	if (result == 0)
		result = add(set, added, kind, text.data ? text.data : "", text.length);
	sp_buf_free(&text);
	return result < 0 ? -EINVAL : 0;
}

int sp_register_add_flat(struct sp_register_set *set, const char *file, const struct sp_register *reg)
{
	struct sp_register_file *added = next_file(set, file);
	if (!added)
		return -EINVAL;
	mark(set, added);
	sp_register_flat_rows(set, (unsigned)(added - set->files), reg);
	return 0;
}

void sp_register_set_free(struct sp_register_set *set)
{
	for (unsigned i = 0; i < set->file_count; i++) {
		free(set->files[i].name);
		sp_config_errors_free(&set->files[i].errors);
	}
	for (int i = 0; i < SP_RELATIONS; i++)
		free(set->rows[i].items);
	sp_rel_texts_free(&set->texts);
	*set = (struct sp_register_set){0};
}
