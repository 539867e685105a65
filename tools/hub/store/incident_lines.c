// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines as the correlator wants them: by the register, split where the hop by which a line leaves has
// changed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/incident_priv.h"

enum {
	AREAS_MAX = 16, ///< levels of a path
	PATH_MAX_BYTES = 1024,
};

static struct sp_incident_line *add(struct sp_inc_scene *out, const struct sp_inc_name *name)
{
	if (out->scene.line_count == out->line_room) {
		out->line_room = out->line_room ? out->line_room * 2 : 256;
		out->lines = sp_realloc(out->lines, out->line_room * sizeof(*out->lines));
		out->names = sp_realloc(out->names, out->line_room * sizeof(*out->names));
	}
	out->names[out->scene.line_count] = (struct sp_inc_name){.device = name->device,
								 .line = sp_strdup(name->line),
								 .provider = sp_strdup(name->provider),
								 .area = sp_strdup(name->area),
								 .hop = sp_strdup(name->hop)};
	struct sp_incident_line *line = &out->lines[out->scene.line_count++];
	*line = (struct sp_incident_line){.board = name->device, .provider = -1, .hop = -1};
	return line;
}

/// "A/B/C" is in A, in A/B and in A/B/C: each goes to `each`.
static size_t levels(const char *path, char out[AREAS_MAX][PATH_MAX_BYTES])
{
	size_t count = 0;
	for (const char *at = path; *at && count < AREAS_MAX; at++) {
		const char *slash = strchr(at, '/');
		size_t length = slash ? (size_t)(slash - path) : strlen(path);
		if (length >= PATH_MAX_BYTES)
			break;
		memcpy(out[count], path, length);
		out[count++][length] = '\0';
		if (!slash)
			break;
		at = slash;
	}
	return count;
}

/// A board is watched from its first word on, and for as long after its last one as a loss counts.
static int read_lines(struct sp_store *store, const struct sp_incident_rules *rules, struct sp_inc_scene *out)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT d.id, r.line, r.provider, r.area, d.first_heard_ms, d.last_heard_ms, d.presence"
		      " FROM register r JOIN device d ON d.name = r.device WHERE d.last_heard_ms IS NOT NULL"
		      " ORDER BY d.id, r.line");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		// Texts of a row live together.
		char text[3][PATH_MAX_BYTES];
		for (int i = 0; i < 3; i++)
			snprintf(text[i], sizeof(text[i]), "%s", sp_row_text(rows, i + 1));
		const struct sp_inc_name name = {sp_row_int(rows, 0, 0), text[0], text[1], text[2],
						 (char[]){""}};
		bool away = sp_row_int(rows, 6, 0) != SP_PRESENCE_ONLINE;
		struct sp_incident_line *line = add(out, &name);
		line->from_ms = sp_row_int(rows, 4, 0);
		line->to_ms = away ? sp_row_int(rows, 5, 0) + rules->longest_ms : INT64_MAX;
	}
	return result;
}

// ---- hops ----------------------------------------------------------------------------------------

static size_t find(const struct sp_inc_scene *scene, size_t count, int64_t device, const char *line)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct sp_inc_name *name = &scene->names[middle];
		int order =
		    name->device != device ? (name->device < device ? -1 : 1) : strcmp(name->line, line);
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}

/// A line with a new hop goes on as another one.
static int read_hops(struct sp_store *store, struct sp_inc_scene *out)
{
	size_t count = out->scene.line_count, last = SIZE_MAX, first = SIZE_MAX;
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT device, line, t_ms, hop FROM line_hop ORDER BY"
						    " device, line, t_ms, stream, seq");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		char hop[128];
		size_t at = find(out, count, sp_row_int(rows, 0, 0), sp_row_text(rows, 1));
		int64_t t_ms = sp_row_int(rows, 2, 0);
		snprintf(hop, sizeof(hop), "%s", sp_row_text(rows, 3));
		if (at == SIZE_MAX)
			continue;
		if (at != first)
			first = last = at;
		if (strcmp(out->names[last].hop, hop) == 0)
			continue;
		// What was first said of it holds for all time before, too.
		if (out->names[last].hop[0]) {
			struct sp_inc_name name = out->names[last];
			int64_t to_ms = out->lines[last].to_ms;
			name.hop = hop;
			struct sp_incident_line *line = add(out, &name);
			line->from_ms = t_ms;
			line->to_ms = to_ms;
			out->lines[last].to_ms = t_ms;
			last = out->scene.line_count - 1;
		} else {
			free(out->names[last].hop);
			out->names[last].hop = sp_strdup(hop);
		}
	}
	return result;
}

// ---- numbers --------------------------------------------------------------------------------------

struct pair {
	struct sp_inc_name name;
	struct sp_incident_line line;
};

static int by_board(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;
	if (a->name.device != b->name.device)
		return a->name.device < b->name.device ? -1 : 1;
	int order = strcmp(a->name.line, b->name.line);
	return order ? order : a->line.from_ms < b->line.from_ms ? -1 : a->line.from_ms > b->line.from_ms;
}

/// The lines of one board stand together.
static void sort(struct sp_inc_scene *out)
{
	size_t count = out->scene.line_count;
	struct pair *pairs = sp_alloc((count + 1) * sizeof(*pairs));
	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct pair){out->names[i], out->lines[i]};
	qsort(pairs, count, sizeof(*pairs), by_board);
	for (size_t i = 0; i < count; i++) {
		out->names[i] = pairs[i].name;
		out->lines[i] = pairs[i].line;
	}
	free(pairs);
}

static void number(struct sp_inc_scene *out)
{
	static _Thread_local char path[AREAS_MAX][PATH_MAX_BYTES];
	size_t used = 0;
	for (size_t i = 0; i < out->scene.line_count; i++) {
		sp_inc_word_add(&out->providers, out->names[i].provider);
		sp_inc_word_add(&out->hops, out->names[i].hop);
		size_t count = levels(out->names[i].area, path);
		used += count;
		for (size_t k = 0; k < count; k++)
			sp_inc_word_add(&out->area_names, path[k]);
	}
	sp_inc_words_sort(&out->providers);
	sp_inc_words_sort(&out->hops);
	sp_inc_words_sort(&out->area_names);
	out->areas = sp_alloc((used + 1) * sizeof(*out->areas));
	out->area_depth = sp_alloc((out->area_names.count + 1) * sizeof(*out->area_depth));
	used = 0;
	for (size_t i = 0; i < out->scene.line_count; i++) {
		struct sp_incident_line *line = &out->lines[i];
		line->provider = sp_inc_word(&out->providers, out->names[i].provider);
		line->hop = sp_inc_word(&out->hops, out->names[i].hop);
		line->areas = out->areas + used;
		line->area_count = levels(out->names[i].area, path);
		for (size_t k = 0; k < line->area_count; k++) {
			int32_t area = sp_inc_word(&out->area_names, path[k]);
			out->area_depth[area] = (int32_t)k;
			out->areas[used + line->area_count - 1 - k] = area;
		}
		used += line->area_count;
	}
}

static int64_t boards(const struct sp_inc_scene *scene)
{
	int64_t count = 0;
	for (size_t i = 0; i < scene->scene.line_count; i++)
		count += i == 0 || scene->lines[i].board != scene->lines[i - 1].board;
	return count;
}

int sp_inc_scene_lines(struct sp_store *store, const struct sp_incident_rules *rules,
		       struct sp_inc_scene *out)
{
	*out = (struct sp_inc_scene){0};
	int result = read_lines(store, rules, out);
	if (result == 0)
		result = read_hops(store, out);
	if (result < 0) {
		sp_inc_scene_free(out);
		return result;
	}
	sort(out);
	number(out);
	out->scene.rules = rules;
	out->scene.lines = out->lines;
	out->scene.area_depth = out->area_depth;
	out->scene.boards = boards(out);
	return 0;
}

void sp_inc_scene_free(struct sp_inc_scene *scene)
{
	for (size_t i = 0; i < scene->scene.line_count; i++) {
		free(scene->names[i].line);
		free(scene->names[i].provider);
		free(scene->names[i].area);
		free(scene->names[i].hop);
	}
	free(scene->names);
	free(scene->lines);
	free(scene->areas);
	free(scene->area_depth);
	free(scene->losses);
	sp_inc_words_free(&scene->providers);
	sp_inc_words_free(&scene->area_names);
	sp_inc_words_free(&scene->hops);
	*scene = (struct sp_inc_scene){0};
}
