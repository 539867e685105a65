// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where each line of each board stood at which time, by the history of the register, and by which hop it
// left: cut into stretches in which nothing of it changed.
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/incident_priv.h"

/// Something that held for a line of a board.
struct span {
	int64_t device, place_ms, from_ms, to_ms; ///< place_ms: when its placement began
	int64_t number;                           ///< of a placement: when the board was first heard
	char *line, *text;
};

struct spans {
	struct span *items;
	size_t count, room;
};

struct histories {
	struct spans places, providers, areas, hops;
};

struct cuts {
	int64_t *items;
	size_t count, room;
};

static char nothing[1];

// ---- rows ----------------------------------------------------------------------------------------

/// In order of device, line and placement, as the queries have them.
static int read_spans(struct sp_store *store, struct sp_rows *rows, struct spans *out)
{
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (out->count == out->room) {
			out->room = out->room ? out->room * 2 : 256;
			out->items = sp_realloc(out->items, out->room * sizeof(*out->items));
		}
		out->items[out->count++] = (struct span){.device = sp_row_int(rows, 0, 0),
							 .line = sp_strdup(sp_row_text(rows, 1)),
							 .place_ms = sp_row_int(rows, 2, 0),
							 .from_ms = sp_row_int(rows, 3, 0),
							 .to_ms = sp_row_int(rows, 4, 0),
							 .number = sp_row_int(rows, 5, 0),
							 .text = sp_strdup(sp_row_text(rows, 6))};
	}
	return result;
}

#define PLACES "FROM placement p JOIN device d ON d.name = p.device AND d.last_heard_ms IS NOT NULL "

static int read_histories(struct sp_store *store, struct histories *out)
{
	int result = read_spans(
	    store,
	    SQL_QUERY(store->db, "SELECT d.id, p.board_line, p.from_ms, p.from_ms, p.to_ms, d.first_heard_ms,"
				 " '' " PLACES "ORDER BY d.id, p.board_line, p.from_ms"),
	    &out->places);
	if (result == 0)
		result = read_spans(
		    store,
		    SQL_QUERY(
			store->db,
			"SELECT d.id, p.board_line, p.from_ms, l.from_ms, l.to_ms, 0, l.provider " PLACES
			"JOIN line_state l ON l.school = p.school AND l.site = p.site AND l.line = p.line"
			" AND l.from_ms < p.to_ms AND l.to_ms > p.from_ms"
			" ORDER BY d.id, p.board_line, p.from_ms, l.from_ms"),
		    &out->providers);
	// Of several trees that have the school at a time the first one counts: as on the page.
	if (result == 0)
		result = read_spans(
		    store,
		    SQL_QUERY(store->db,
			      "SELECT d.id, p.board_line, p.from_ms, x.from_ms, x.to_ms, 0, a.path " PLACES
			      "JOIN school_area x ON x.school = p.school AND x.from_ms < p.to_ms AND"
			      " x.to_ms > p.from_ms JOIN area a ON a.id = x.area LEFT JOIN tree t ON"
			      " t.name = x.tree ORDER BY d.id, p.board_line, p.from_ms,"
			      " coalesce(t.rank, 1000), x.tree, x.from_ms"),
		    &out->areas);
	if (result == 0)
		result = read_spans(
		    store,
		    SQL_QUERY(store->db,
			      "SELECT device, line, t_ms, t_ms, t_ms, 0, hop FROM line_hop ORDER BY"
			      " device, line, t_ms, stream, seq"),
		    &out->hops);
	return result;
}

static void free_spans(struct spans *spans)
{
	for (size_t i = 0; i < spans->count; i++) {
		free(spans->items[i].line);
		free(spans->items[i].text);
	}
	free(spans->items);
}

static int order(const struct span *span, const struct span *place, int64_t place_ms)
{
	if (span->device != place->device)
		return span->device < place->device ? -1 : 1;
	int by_line = strcmp(span->line, place->line);
	return by_line ? by_line : span->place_ms < place_ms ? -1 : span->place_ms > place_ms;
}

/// The first one of that line whose place_ms is not before that.
static const struct span *lower(const struct spans *spans, const struct span *place, int64_t place_ms)
{
	size_t low = 0, high = spans->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (order(&spans->items[middle], place, place_ms) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return spans->items + low;
}

/// Those of a placement: from *first to before *end.
static void of_place(const struct spans *spans, const struct span *place, const struct span **first,
		     const struct span **end)
{
	*first = lower(spans, place, place->place_ms);
	*end = lower(spans, place, place->place_ms + 1);
}

/// What a board said of hops while it stood there.
static void hops_of(const struct spans *hops, const struct span *place, const struct span **first,
		    const struct span **end)
{
	*first = lower(hops, place, place->from_ms);
	*end = lower(hops, place, place->to_ms);
}

// ---- stretches -----------------------------------------------------------------------------------

static void cut(struct cuts *cuts, int64_t at_ms)
{
	if (cuts->count == cuts->room) {
		cuts->room = cuts->room ? cuts->room * 2 : 64;
		cuts->items = sp_realloc(cuts->items, cuts->room * sizeof(*cuts->items));
	}
	cuts->items[cuts->count++] = at_ms;
}

static int by_number(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

/// Where anything of any line of the board changes: its lines are cut alike, so that two of their stretches
/// are of the same time or have none in common.
static void cut_board(const struct histories *of, const struct span *places, size_t count, struct cuts *out)
{
	const struct span *span, *end;
	out->count = 0;
	for (size_t i = 0; i < count; i++) {
		cut(out, places[i].from_ms);
		cut(out, places[i].to_ms);
		for (of_place(&of->providers, &places[i], &span, &end); span < end; span++) {
			cut(out, span->from_ms);
			cut(out, span->to_ms);
		}
		for (of_place(&of->areas, &places[i], &span, &end); span < end; span++) {
			cut(out, span->from_ms);
			cut(out, span->to_ms);
		}
		hops_of(&of->hops, &places[i], &span, &end);
		for (const char *last = NULL; span < end; span++) {
			if (last && strcmp(last, span->text) != 0)
				cut(out, span->from_ms);
			last = span->text;
		}
	}
	qsort(out->items, out->count, sizeof(*out->items), by_number);
}

static char *text_at(const struct spans *spans, const struct span *place, int64_t at_ms)
{
	const struct span *span, *end;
	for (of_place(spans, place, &span, &end); span < end; span++) {
		if (span->from_ms <= at_ms && span->to_ms > at_ms)
			return span->text;
	}
	return nothing;
}

/// What was first said of it holds for all time before, too, as long as the board stood there.
static char *hop_at(const struct spans *hops, const struct span *place, int64_t at_ms)
{
	const struct span *span, *end;
	hops_of(hops, place, &span, &end);
	char *hop = span < end ? span->text : nothing;
	for (; span < end && span->from_ms <= at_ms; span++)
		hop = span->text;
	return hop;
}

/// A board is watched from its first word on.
static void cut_place(const struct histories *of, const struct span *place, const struct cuts *cuts,
		      bool alone, struct sp_inc_lines *out)
{
	int64_t from_ms = place->from_ms > place->number ? place->from_ms : place->number, at_ms = from_ms;
	struct sp_incident_line *last = NULL;
	for (size_t i = 0; i < cuts->count && at_ms < place->to_ms; i++) {
		if (cuts->items[i] <= at_ms)
			continue;
		int64_t to_ms = cuts->items[i] < place->to_ms ? cuts->items[i] : place->to_ms;
		const struct sp_inc_name name = {
		    place->device, place->line, text_at(&of->providers, place, at_ms),
		    text_at(&of->areas, place, at_ms), hop_at(&of->hops, place, at_ms)};
		const struct sp_inc_name *was = &out->names[out->count ? out->count - 1 : 0];
		if (alone && last && strcmp(was->provider, name.provider) == 0 &&
		    strcmp(was->area, name.area) == 0 && strcmp(was->hop, name.hop) == 0) {
			last->to_ms = to_ms;
		} else {
			last = sp_inc_line_add(out, &name);
			last->from_ms = at_ms;
			last->to_ms = to_ms;
		}
		at_ms = to_ms;
	}
}

int sp_inc_places(struct sp_store *store, struct sp_inc_lines *out)
{
	struct histories of = {0};
	struct cuts cuts = {0};
	int result = read_histories(store, &of);
	const struct span *places = of.places.items;
	for (size_t i = 0, end; result == 0 && i < of.places.count; i = end) {
		bool alone = true;
		for (end = i + 1; end < of.places.count && places[end].device == places[i].device; end++)
			alone = alone && strcmp(places[end].line, places[i].line) == 0;
		cut_board(&of, &places[i], end - i, &cuts);
		for (size_t k = i; k < end; k++)
			cut_place(&of, &places[k], &cuts, alone, out);
	}
	free(cuts.items);
	free_spans(&of.places);
	free_spans(&of.providers);
	free_spans(&of.areas);
	free_spans(&of.hops);
	return result;
}
