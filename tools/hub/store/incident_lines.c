// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines as the correlator wants them: read once for each state of the register, with numbers for names.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/incident_priv.h"

enum {
	AREAS_MAX = 16, ///< levels of a path
	PATH_MAX_BYTES = 1024,
};

struct sp_incident_line *sp_inc_line_add(struct sp_inc_lines *out, const struct sp_inc_name *name)
{
	if (out->count == out->room) {
		out->room = out->room ? out->room * 2 : 256;
		out->items = sp_realloc(out->items, out->room * sizeof(*out->items));
		out->names = sp_realloc(out->names, out->room * sizeof(*out->names));
	}
	out->names[out->count] = (struct sp_inc_name){.device = name->device,
						      .line = sp_strdup(name->line),
						      .provider = sp_strdup(name->provider),
						      .area = sp_strdup(name->area),
						      .hop = sp_strdup(name->hop)};
	struct sp_incident_line *line = &out->items[out->count++];
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

// ---- numbers --------------------------------------------------------------------------------------

static void number(struct sp_inc_lines *out)
{
	static _Thread_local char path[AREAS_MAX][PATH_MAX_BYTES];
	size_t used = 0;
	for (size_t i = 0; i < out->count; i++) {
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
	for (size_t i = 0; i < out->count; i++) {
		struct sp_incident_line *line = &out->items[i];
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
		out->boards += i == 0 || line->board != line[-1].board;
	}
}

void sp_inc_lines_free(struct sp_inc_lines *lines)
{
	if (!lines)
		return;
	for (size_t i = 0; i < lines->count; i++) {
		free(lines->names[i].line);
		free(lines->names[i].provider);
		free(lines->names[i].area);
		free(lines->names[i].hop);
	}
	free(lines->names);
	free(lines->items);
	free(lines->areas);
	free(lines->area_depth);
	sp_inc_words_free(&lines->providers);
	sp_inc_words_free(&lines->area_names);
	sp_inc_words_free(&lines->hops);
	free(lines);
}

// ---- kept from look to look ------------------------------------------------------------------------

/// What the lines depend on, but for when boards were last heard.
static int read_state(struct sp_store *store, struct sp_inc_state *out)
{
	*out = (struct sp_inc_state){0};
	int result = sp_store_meta_get(store, "register_rev", &out->register_rev);
	if (result >= 0)
		result = SQL_GET(store->db, &out->boards, "SELECT count(last_heard_ms) FROM device");
	// Whatever was added, or placed anew.
	if (result >= 0)
		result = SQL_GET(store->db, &out->hops,
				 "SELECT CAST(coalesce(sum(t_ms % 1000003 + 1), 0) AS BIGINT) FROM line_hop");
	return result < 0 ? result : 0;
}

static bool same(const struct sp_inc_state *a, const struct sp_inc_state *b)
{
	return a->register_rev == b->register_rev && a->boards == b->boards && a->hops == b->hops;
}

/// As after the last look, unless something has changed since.
static int keep(struct sp_store *store)
{
	struct sp_inc_state state;
	int result = read_state(store, &state);
	if (result < 0 || (store->lines && same(&store->lines->state, &state)))
		return result;
	sp_inc_lines_free(store->lines);
	store->lines = NULL;
	struct sp_inc_lines *lines = sp_alloc(sizeof(*lines));
	lines->state = state;
	result = sp_inc_places(store, lines);
	if (result < 0) {
		sp_inc_lines_free(lines);
		return result;
	}
	number(lines);
	store->lines = lines;
	return 0;
}

/// A board that is away is watched for as long after its last word as a loss counts.
static int end_lines(struct sp_store *store, const struct sp_incident_rules *rules, struct sp_inc_scene *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT id, last_heard_ms FROM device WHERE presence <> ? AND last_heard_ms IS NOT NULL",
	    I(SP_PRESENCE_ONLINE));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t device = sp_row_int(rows, 0, 0), to_ms = sp_row_int(rows, 1, 0) + rules->longest_ms;
		for (size_t i = sp_inc_scene_first(out, device);
		     i < out->scene.line_count && out->names[i].device == device; i++) {
			struct sp_incident_line *line = &out->lines[i];
			line->to_ms = to_ms < line->from_ms ? line->from_ms
				      : to_ms < line->to_ms ? to_ms
							    : line->to_ms;
		}
	}
	return result;
}

size_t sp_inc_scene_first(const struct sp_inc_scene *scene, int64_t device)
{
	size_t low = 0, high = scene->scene.line_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (scene->names[middle].device < device)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int sp_inc_scene_lines(struct sp_store *store, const struct sp_incident_rules *rules,
		       struct sp_inc_scene *out)
{
	*out = (struct sp_inc_scene){0};
	int result = keep(store);
	if (result < 0)
		return result;
	const struct sp_inc_lines *kept = store->lines;
	out->names = kept->names;
	out->words = kept;
	out->lines = sp_alloc((kept->count + 1) * sizeof(*out->lines));
	if (kept->count > 0)
		memcpy(out->lines, kept->items, kept->count * sizeof(*out->lines));
	out->scene = (struct sp_incident_scene){.rules = rules,
						.lines = out->lines,
						.line_count = kept->count,
						.area_depth = kept->area_depth,
						.boards = kept->boards};
	result = end_lines(store, rules, out);
	if (result < 0)
		sp_inc_scene_free(out);
	return result;
}

void sp_inc_scene_free(struct sp_inc_scene *scene)
{
	free(scene->lines);
	free(scene->losses);
	*scene = (struct sp_inc_scene){0};
}
