// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows with a device are boards. Rows without one (schools, sites, lines, other kinds of file) tell of the
// boards of the same school, and of the same site and line where they name these.
#include "tools/fleet/roster.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/csv.h"
#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "tools/fleet/roster_areas.h"

enum { FACTS_MAX = 1000000 };

static const struct column {
	const char *name, *aliases[2];
	bool number;
	size_t offset;
} columns[] = {
    {"device", {"thiết bị"}, false, offsetof(struct sp_roster_board, device)},
    {"shard", {"phân mảnh"}, false, offsetof(struct sp_roster_board, shard)},
    {"area", {"khu vực"}, false, offsetof(struct sp_roster_board, area)},
    {"school", {"mã trường"}, false, offsetof(struct sp_roster_board, school)},
    {"school_name", {"tên trường"}, false, offsetof(struct sp_roster_board, school_name)},
    {"school_kind", {"loại trường"}, false, offsetof(struct sp_roster_board, kind)},
    {"site", {"mã điểm trường"}, false, offsetof(struct sp_roster_board, site)},
    {"line", {"đường truyền"}, false, offsetof(struct sp_roster_board, line)},
    {"provider", {"nhà mạng"}, false, offsetof(struct sp_roster_board, provider)},
    {"plan", {"contract", "gói cước"}, false, offsetof(struct sp_roster_board, plan)},
    {"zone", {"vùng"}, false, offsetof(struct sp_roster_board, zone)},
    {"down_mbps", {"tải xuống"}, true, offsetof(struct sp_roster_board, down_mbps)},
    {"up_mbps", {"tải lên"}, true, offsetof(struct sp_roster_board, up_mbps)},
};
#define COLUMNS SP_COUNT(columns)

/// Boards that were found, and what else was said.
struct reading {
	struct sp_roster *roster, *facts;
	struct sp_config_errors *errors;
	const char *file;
	struct sp_roster_areas areas;
	int place[COLUMNS];
	struct sp_roster_trees trees; ///< columns "area:TREE" of this file
};

static char **text_of(struct sp_roster_board *board, size_t column)
{
	return (char **)((char *)board + columns[column].offset);
}

static double *number_of(struct sp_roster_board *board, size_t column)
{
	return (double *)((char *)board + columns[column].offset);
}

static void board_free(struct sp_roster_board *board)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (!columns[i].number)
			free(*text_of(board, i));
}

void sp_roster_free(struct sp_roster *roster)
{
	for (size_t i = 0; i < roster->count; i++)
		board_free(&roster->boards[i]);
	free(roster->boards);
	*roster = (struct sp_roster){0};
}

static struct sp_roster_board *add(struct sp_roster *roster)
{
	if ((roster->count & (roster->count - 1)) == 0) {
		size_t room = roster->count ? roster->count * 2 : 16;
		roster->boards = sp_realloc(roster->boards, room * sizeof(*roster->boards));
	}
	struct sp_roster_board *board = &roster->boards[roster->count++];
	*board = (struct sp_roster_board){0};
	return board;
}

// ---- one file -------------------------------------------------------------------------------------------

static bool named(const struct column *column, const char *cell)
{
	if (strcasecmp(cell, column->name) == 0)
		return true;
	for (size_t i = 0; i < SP_COUNT(column->aliases); i++)
		if (column->aliases[i] && strcasecmp(cell, column->aliases[i]) == 0)
			return true;
	return false;
}

static bool find_columns(struct reading *r, const struct sp_csv_row *header)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		r->place[c] = -1;
		for (size_t i = 0; i < header->count; i++) {
			if (named(&columns[c], header->cells[i]))
				r->place[c] = (int)i;
		}
	}
	sp_roster_trees_find(&r->trees, header);
	return r->place[0] >= 0 || r->place[3] >= 0; // of boards, or of schools
}

/// "33.5", or "33,5"; empty is 0.
static double number(const char *cell)
{
	char copy[32];
	snprintf(copy, sizeof(copy), "%s", cell);
	char *comma = strchr(copy, ',');
	if (comma)
		*comma = '.';
	double value = strtod(copy, NULL);
	return value > 0 && value < 1e7 ? value : 0;
}

static void fill(const struct reading *r, struct sp_roster_board *board, const struct sp_csv_row *row)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		bool there = r->place[c] >= 0 && (size_t)r->place[c] < row->count;
		const char *cell = there ? row->cells[r->place[c]] : "";
		if (columns[c].number)
			*number_of(board, c) = number(cell);
		else
			*text_of(board, c) = sp_strdup(cell);
	}
	if (r->trees.count > 0) {
		free(board->area);
		board->area = sp_roster_trees_read(&r->trees, row);
	}
}

static int compare_devices(const void *a, const void *b)
{
	const struct sp_roster_board *const *x = a, *const *y = b;
	int order = strcmp((*x)->device, (*y)->device);
	return order ? order : (*x > *y) - (*x < *y);
}

static bool usable(const struct reading *r, const struct sp_csv_row *row, struct sp_roster_board *board)
{
	if (!board->shard[0]) {
		free(board->shard);
		board->shard = sp_strdup("default");
	}
	if (sp_id_valid(board->device) && sp_id_valid(board->shard))
		return true;
	sp_config_error(r->errors, r->file, row->line,
			"device and shard are 1 to 32 of [a-z0-9-], not \"%.40s\" and \"%.40s\"",
			board->device, board->shard);
	return false;
}

static void take_row(struct reading *r, const struct sp_csv_row *row)
{
	struct sp_roster_board board;
	fill(r, &board, row);
	bool is_board = board.device[0] != '\0';
	struct sp_roster *into = is_board ? r->roster : r->facts;
	if ((is_board && !usable(r, row, &board)) || (!is_board && !board.school[0]) ||
	    into->count >= (is_board ? SP_ROSTER_BOARDS_MAX : FACTS_MAX)) {
		board_free(&board);
		return;
	}
	*add(into) = board;
}

static void take_file(struct reading *r, const char *text, size_t length)
{
	struct sp_csv csv;
	struct sp_csv_row row;
	char why[128];
	if (sp_csv_start(&csv, text, length, why) < 0) {
		sp_config_error(r->errors, r->file, 0, "%s", why);
		return;
	}
	int result = sp_csv_next(&csv, &row, why);
	if (result == 1 && sp_roster_areas_take(&r->areas, &csv, &row)) {
		sp_csv_end(&csv);
		return;
	}
	bool known = result == 1 && find_columns(r, &row);
	while (known && (result = sp_csv_next(&csv, &row, why)) != 0) {
		if (result == 1)
			take_row(r, &row);
		else
			sp_config_error(r->errors, r->file, row.line, "%s", why);
	}
	sp_csv_end(&csv);
}

// ---- all of them together -------------------------------------------------------------------------------

/// One row per board: what is said again of a device is another line of it, or another time.
static void drop_repeats(struct sp_roster *roster)
{
	struct sp_roster_board **order = sp_alloc((roster->count + 1) * sizeof(*order));
	bool *again = sp_alloc(roster->count + 1);
	for (size_t i = 0; i < roster->count; i++)
		order[i] = &roster->boards[i];
	qsort(order, roster->count, sizeof(*order), compare_devices);
	for (size_t i = 1; i < roster->count; i++)
		again[order[i] - roster->boards] = strcmp(order[i - 1]->device, order[i]->device) == 0;
	size_t kept = 0;
	for (size_t i = 0; i < roster->count; i++) {
		if (again[i])
			board_free(&roster->boards[i]);
		else
			roster->boards[kept++] = roster->boards[i];
	}
	roster->count = kept;
	free(order);
	free(again);
}

static int compare_schools(const void *a, const void *b)
{
	const struct sp_roster_board *x = a, *y = b;
	return strcmp(x->school, y->school);
}

static bool about(const struct sp_roster_board *fact, const struct sp_roster_board *board)
{
	return (!fact->site[0] || strcmp(fact->site, board->site) == 0) &&
	       (!fact->line[0] || strcmp(fact->line, board->line) == 0);
}

static void learn(struct sp_roster_board *board, const struct sp_roster_board *fact)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		if (columns[c].number) {
			double *own = number_of(board, c);
			// The same column of both, and both are only read.
			const double *told = (const double *)((const char *)fact + columns[c].offset);
			*own = *own > 0 ? *own : *told;
			continue;
		}
		char **own = text_of(board, c);
		char *const *told = (char *const *)((const char *)fact + columns[c].offset);
		if ((*own)[0] || !(*told)[0])
			continue;
		free(*own);
		*own = sp_strdup(*told);
	}
}

/// What is said of a board's school; first of its own site and line, which may differ from the rest.
static void learn_all(struct sp_roster_board *board, const struct sp_roster *facts)
{
	size_t low = 0, high = facts->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(facts->boards[middle].school, board->school) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (int general = 0; general < 2; general++) {
		for (size_t i = low; i < facts->count && strcmp(facts->boards[i].school, board->school) == 0;
		     i++) {
			const struct sp_roster_board *fact = &facts->boards[i];
			bool of_school = !fact->site[0] && !fact->line[0];
			if (of_school == (general == 1) && about(fact, board))
				learn(board, fact);
		}
	}
}

static void join(struct sp_roster *roster, struct sp_roster *facts, const struct sp_roster_areas *areas)
{
	if (facts->count > 0)
		qsort(facts->boards, facts->count, sizeof(*facts->boards), compare_schools);
	for (size_t i = 0; i < roster->count; i++) {
		struct sp_roster_board *board = &roster->boards[i];
		learn_all(board, facts);
		sp_roster_areas_name(areas, &board->area);
		if (!board->line[0]) {
			free(board->line);
			board->line = sp_strdup("main");
		}
	}
}

static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	*length = 0;
	if (!file)
		return NULL;
	for (size_t got = 1; got > 0 && *length <= SP_ROSTER_FILE_MAX; *length += got) {
		text = sp_realloc(text, *length + 65536);
		got = fread(text + *length, 1, 65536, file);
	}
	if (ferror(file) || *length > SP_ROSTER_FILE_MAX) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static void take_path(struct reading *r, const char *path)
{
	size_t length;
	char *text = read_file(path, &length);
	r->file = path;
	if (text)
		take_file(r, text, length);
	else
		sp_config_error(r->errors, path, 0, "cannot be read, or is larger than 64 MiB");
	free(text);
}

static int is_csv(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	return length > 4 && strcmp(entry->d_name + length - 4, ".csv") == 0;
}

static int finish(struct reading *r, size_t errors_before)
{
	drop_repeats(r->roster);
	join(r->roster, r->facts, &r->areas);
	sp_roster_areas_free(&r->areas);
	if (r->roster->count == 0)
		sp_config_error(r->errors, r->file, 0, "names no board");
	sp_roster_free(r->facts);
	return r->errors->count > errors_before ? -EINVAL : 0;
}

int sp_roster_read(struct sp_roster *out, const char *path, struct sp_config_errors *errors)
{
	struct sp_roster facts = {0};
	struct reading r = {.roster = out, .facts = &facts, .errors = errors};
	struct dirent **entries = NULL;
	size_t before = errors->count;
	int count = scandir(path, &entries, is_csv, alphasort);
	if (count < 0)
		take_path(&r, path);
	for (int i = 0; i < count; i++) {
		char *name = sp_asprintf("%s/%s", path, entries[i]->d_name);
		take_path(&r, name);
		free(name);
		free(entries[i]);
	}
	free(entries);
	r.file = path;
	return finish(&r, before);
}

int sp_roster_parse(struct sp_roster *out, const char *file, const char *text, size_t length,
		    struct sp_config_errors *errors)
{
	struct sp_roster facts = {0};
	struct reading r = {.roster = out, .facts = &facts, .errors = errors, .file = file};
	size_t before = errors->count;
	take_file(&r, text, length);
	return finish(&r, before);
}

void sp_roster_keep_shard(struct sp_roster *roster, const char *shard)
{
	size_t kept = 0;
	for (size_t i = 0; i < roster->count; i++) {
		if (strcmp(roster->boards[i].shard, shard) == 0)
			roster->boards[kept++] = roster->boards[i];
		else
			board_free(&roster->boards[i]);
	}
	roster->count = kept;
}
