// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Rows of incidents and of their members: read, matched with what was found anew, written where they differ.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/incident_priv.h"

int sp_incident_rows(struct sp_store *store, int64_t from_ms, int64_t to_ms, struct sp_incident_row **out,
		     size_t *count)
{
	size_t room = 0;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT id, from_ms, to_ms FROM incident WHERE from_ms < ? AND until_ms > ? ORDER BY from_ms, id",
	    I(to_ms), I(from_ms));
	int result;
	free(*out);
	*out = NULL;
	*count = 0;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (*count == room) {
			room = room ? room * 2 : 16;
			*out = sp_realloc(*out, room * sizeof(**out));
		}
		(*out)[(*count)++] = (struct sp_incident_row){.id = sp_row_int(rows, 0, 0),
							      .from_ms = sp_row_int(rows, 1, 0),
							      .to_ms = sp_row_int(rows, 2, INT64_MAX)};
	}
	return result;
}

int sp_incident_delete(struct sp_store *store, int64_t id)
{
	int result = SQL_DO(store->db, "DELETE FROM incident_member WHERE incident = ?", I(id));
	store->seen_changes = true;
	return result < 0 ? result : SQL_DO(store->db, "DELETE FROM incident WHERE id = ?", I(id));
}

// ---- members ------------------------------------------------------------------------------------------

struct member {
	int64_t device, from_ms, err_ms, to_ms, kind, joined_ms;
	char line[65];
};

struct members {
	struct member *items;
	size_t count, room;
};

static struct member *add(struct members *members)
{
	if (members->count == members->room) {
		members->room = members->room ? members->room * 2 : 64;
		members->items = sp_realloc(members->items, members->room * sizeof(*members->items));
	}
	struct member *member = &members->items[members->count++];
	*member = (struct member){0};
	return member;
}

static int by_key(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	int order = strcmp(a->line, b->line);
	return order ? order : a->from_ms < b->from_ms ? -1 : a->from_ms > b->from_ms;
}

static void found_members(const struct sp_inc_scene *scene, const struct sp_incident *incident,
			  int64_t now_ms, struct members *out)
{
	for (size_t i = 0; i < incident->member_count; i++) {
		const struct sp_loss *loss = &scene->losses[incident->members[i]];
		struct member *member = add(out);
		member->device = scene->names[loss->line].device;
		member->err_ms = (loss->hi_ms - loss->lo_ms + 1) / 2;
		member->from_ms = loss->lo_ms + (loss->hi_ms - loss->lo_ms) / 2;
		member->to_ms = loss->to_ms;
		member->kind = loss->kind;
		member->joined_ms = now_ms;
		snprintf(member->line, sizeof(member->line), "%s", scene->names[loss->line].line);
	}
	if (out->count > 1)
		qsort(out->items, out->count, sizeof(*out->items), by_key);
}

static int old_members(struct sp_store *store, int64_t id, struct members *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT device, line, from_ms, err_ms, to_ms, kind, joined_ms FROM incident_member WHERE"
	    " incident = ?",
	    I(id));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct member *member = add(out);
		member->device = sp_row_int(rows, 0, 0);
		snprintf(member->line, sizeof(member->line), "%s", sp_row_text(rows, 1));
		member->from_ms = sp_row_int(rows, 2, 0);
		member->err_ms = sp_row_int(rows, 3, 0);
		member->to_ms = sp_row_int(rows, 4, INT64_MAX);
		member->kind = sp_row_int(rows, 5, 0);
		member->joined_ms = sp_row_int(rows, 6, 0);
	}
	if (out->count > 1)
		qsort(out->items, out->count, sizeof(*out->items), by_key);
	return result;
}

/// Boards that both have.
static size_t shared(const struct members *a, const struct members *b)
{
	size_t i = 0, k = 0, count = 0;
	while (i < a->count && k < b->count) {
		int64_t left = a->items[i].device, right = b->items[k].device;
		count += left == right;
		if (left <= right) {
			while (i < a->count && a->items[i].device == left)
				i++;
		}
		if (right <= left) {
			while (k < b->count && b->items[k].device == right)
				k++;
		}
	}
	return count;
}

static int put(struct sp_store *store, int64_t id, const struct member *member)
{
	store->seen_changes = true;
	return SQL_DO(store->db,
		      "INSERT INTO incident_member VALUES(?1, ?2, ?3, ?4, ?5, nullif(?6, ?7), ?8, ?9)"
		      " ON CONFLICT (incident, device, line, from_ms) DO UPDATE SET err_ms = excluded.err_ms,"
		      " to_ms = excluded.to_ms, kind = excluded.kind",
		      I(id), I(member->device), T(member->line), I(member->from_ms), I(member->err_ms),
		      I(member->to_ms), I(INT64_MAX), I(member->kind), I(member->joined_ms));
}

/// Only what differs is written.
static int write_members(struct sp_store *store, int64_t id, const struct members *old, struct members *now)
{
	size_t i = 0, k = 0;
	int result = 0;
	while (result == 0 && (i < old->count || k < now->count)) {
		int order = i == old->count   ? 1
			    : k == now->count ? -1
					      : by_key(&old->items[i], &now->items[k]);
		if (order < 0) {
			store->seen_changes = true;
			result = SQL_DO(store->db,
					"DELETE FROM incident_member WHERE incident = ? AND device = ? AND"
					" line = ? AND from_ms = ?",
					I(id), I(old->items[i].device), T(old->items[i].line),
					I(old->items[i].from_ms));
			i++;
			continue;
		}
		const struct member *was = order == 0 ? &old->items[i++] : NULL;
		struct member *is = &now->items[k++];
		if (!was || was->to_ms != is->to_ms || was->kind != is->kind || was->err_ms != is->err_ms)
			result = put(store, id, is);
	}
	return result;
}

// ---- incidents -----------------------------------------------------------------------------------------

/// Of what was known the one that shares most boards; NULL: it is new.
static int match(struct sp_store *store, const struct members *now, struct sp_incident_row *old, size_t count,
		 struct sp_incident_row **out)
{
	size_t most = 0;
	*out = NULL;
	for (size_t i = 0; i < count; i++) {
		struct members was = {0};
		int result = old[i].claimed ? 0 : old_members(store, old[i].id, &was);
		size_t boards = shared(&was, now);
		free(was.items);
		if (result < 0)
			return result;
		if (boards > most) {
			most = boards;
			*out = &old[i];
		}
	}
	return 0;
}

static const char *word(const struct sp_inc_words *words, int32_t index)
{
	return index < 0 ? "" : words->items[index];
}

static int insert(struct sp_store *store, int64_t *id)
{
	store->seen_changes = true;
	return SQL_GET(
	    store->db, id,
	    "INSERT INTO incident(scope, provider, area, hop, cause, from_ms, until_ms, boards,"
	    " of_boards, told_line, told_power, found_ms, changed_ms) VALUES(0, '', '', '', 0, 0, 0,"
	    " 0, 0, 0, 0, ?1, 0) RETURNING id",
	    I(store->now_ms));
}

static int update(struct sp_store *store, const struct sp_inc_scene *scene,
		  const struct sp_incident *incident, int64_t id)
{
	int64_t until_ms = incident->from_ms + scene->scene.rules->longest_ms;
	if (incident->to_ms < until_ms)
		until_ms = incident->to_ms;
	int result = SQL_DO(
	    store->db,
	    "UPDATE incident SET scope = ?2, provider = ?3, area = ?4, hop = ?5, cause = ?6, from_ms = ?7,"
	    " to_ms = nullif(?8, ?9), until_ms = ?10, boards = ?11, of_boards = ?12, told_line = ?13,"
	    " told_power = ?14, changed_ms = ?15 WHERE id = ?1 AND (scope <> ?2 OR provider <> ?3 OR area <> "
	    "?4"
	    " OR hop <> ?5 OR cause <> ?6 OR from_ms <> ?7 OR coalesce(to_ms, ?9) <> ?8 OR boards <> ?11 OR"
	    " of_boards <> ?12 OR told_line <> ?13 OR told_power <> ?14)",
	    I(id), I(incident->scope), T(word(&scene->words->providers, incident->provider)),
	    T(word(&scene->words->area_names, incident->area)), T(word(&scene->words->hops, incident->hop)),
	    I(incident->cause), I(incident->from_ms), I(incident->to_ms), I(INT64_MAX), I(until_ms),
	    I(incident->boards), I(incident->of_boards), I(incident->told_line), I(incident->told_power),
	    I(store->now_ms));
	if (result == 0 && sp_sql_changes(store->db) > 0)
		store->seen_changes = true;
	return result;
}

int sp_incident_write(struct sp_store *store, const struct sp_inc_scene *scene,
		      const struct sp_incident *incident, struct sp_incident_row *old, size_t old_count)
{
	struct members now = {0}, was = {0};
	struct sp_incident_row *same = NULL;
	int64_t id = 0;
	found_members(scene, incident, store->now_ms, &now);
	int result = match(store, &now, old, old_count, &same);
	if (result == 0 && same) {
		same->claimed = true;
		id = same->id;
		result = old_members(store, id, &was);
	} else if (result == 0) {
		result = insert(store, &id);
	}
	if (result >= 0)
		result = write_members(store, id, &was, &now);
	if (result >= 0)
		result = update(store, scene, incident, id);
	free(now.items);
	free(was.items);
	return result;
}
