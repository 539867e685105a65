// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The keys behind which lines may go down together: their provider, each area above them, their hop, and
// their provider within each area. Only keys of lines that were lost are made.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/incident/correlate_priv.h"

bool sp_inc_behind(const struct sp_incident_line *line, const struct sp_inc_key *key)
{
	if (key->provider >= 0 && line->provider != key->provider)
		return false;
	switch (key->scope) {
	case SP_SCOPE_PROVIDER:
		return true;
	case SP_SCOPE_HOP:
		return line->hop == key->place;
	case SP_SCOPE_AREA:
	case SP_SCOPE_PROVIDER_AREA:
		for (size_t i = 0; i < line->area_count; i++) {
			if (line->areas[i] == key->place)
				return true;
		}
		return false;
	}
	return false;
}

static int by_key(const void *left, const void *right)
{
	const struct sp_inc_key *a = left, *b = right;
	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	if (a->provider != b->provider)
		return a->provider < b->provider ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static size_t keys_of(const struct sp_incident_line *line, struct sp_inc_key *out)
{
	size_t count = 0;
	if (line->provider >= 0)
		out[count++] = (struct sp_inc_key){SP_SCOPE_PROVIDER, line->provider, -1, 0, 0, 0, 0};
	if (line->hop >= 0)
		out[count++] = (struct sp_inc_key){SP_SCOPE_HOP, line->provider, line->hop, 0, 0, 0, 0};
	for (size_t i = 0; i < line->area_count; i++) {
		out[count++] = (struct sp_inc_key){SP_SCOPE_AREA, -1, line->areas[i], 0, 0, 0, 0};
		if (line->provider >= 0)
			out[count++] = (struct sp_inc_key){
			    SP_SCOPE_PROVIDER_AREA, line->provider, line->areas[i], 0, 0, 0, 0};
	}
	return count;
}

static size_t most_keys(const struct sp_incident_scene *scene)
{
	size_t most = 0;
	for (size_t i = 0; i < scene->line_count; i++) {
		if (scene->lines[i].area_count > most)
			most = scene->lines[i].area_count;
	}
	return 2 * most + 2;
}

/// Of all lines that a loss in question names; sorted, each once.
static void collect(struct sp_inc_work *work, size_t most)
{
	const struct sp_incident_scene *scene = work->scene;
	bool *named = sp_alloc(scene->line_count + 1);
	size_t lines = 0;
	for (size_t i = 0; i < work->loss_count; i++) {
		if (!work->losses[i].taken && !named[work->losses[i].line]) {
			named[work->losses[i].line] = true;
			lines++;
		}
	}
	work->keys = sp_alloc((lines * most + 1) * sizeof(*work->keys));
	size_t count = 0;
	for (size_t i = 0; i < scene->line_count; i++) {
		if (named[i])
			count += keys_of(&scene->lines[i], work->keys + count);
	}
	free(named);
	qsort(work->keys, count, sizeof(*work->keys), by_key);
	for (size_t i = 0; i < count; i++) {
		if (work->key_count == 0 || by_key(&work->keys[work->key_count - 1], &work->keys[i]) != 0)
			work->keys[work->key_count++] = work->keys[i];
	}
}

/// A second line of a board counts only behind what the first one does not stand behind at that time: boards
/// are counted.
static bool counted(const struct sp_inc_work *work, size_t line, size_t key)
{
	const struct sp_incident_line *lines = work->scene->lines;
	for (size_t i = line; i-- > 0 && lines[i].board == lines[line].board;) {
		bool together = lines[i].from_ms < lines[line].to_ms && lines[line].from_ms < lines[i].to_ms;
		if (together && sp_inc_behind(&lines[i], &work->keys[key]))
			return true;
	}
	return false;
}

void sp_inc_keys_make(struct sp_inc_work *work)
{
	const struct sp_incident_scene *scene = work->scene;
	size_t most = most_keys(scene), count = 0, room = 64;
	struct sp_inc_key *mine = sp_alloc(most * sizeof(*mine));
	collect(work, most);
	work->key_at = sp_alloc((scene->line_count + 1) * sizeof(*work->key_at));
	work->key_of = sp_alloc(room * sizeof(*work->key_of));
	for (size_t i = 0; i < scene->line_count; i++) {
		work->key_at[i] = count;
		size_t keys = keys_of(&scene->lines[i], mine);
		for (size_t k = 0; k < keys; k++) {
			const struct sp_inc_key *found =
			    bsearch(&mine[k], work->keys, work->key_count, sizeof(*mine), by_key);
			if (!found || counted(work, i, (size_t)(found - work->keys)))
				continue;
			if (count == room) {
				room *= 2;
				work->key_of = sp_realloc(work->key_of, room * sizeof(*work->key_of));
			}
			work->key_of[count++] = (size_t)(found - work->keys);
		}
	}
	work->key_at[scene->line_count] = count;
	free(mine);
}
