// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Pieces of a day.
#include "tools/hub/kpi/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum sp_piece_class sp_piece_class_of(const struct sp_segment *segment)
{
	static const char *const offline[] = {"cable", "address", "gateway", "power"};
	size_t length = strcspn(segment->cause, "/");
	switch (segment->state) {
	case SP_LINE_UP:
		return SP_PIECE_UP;
	case SP_LINE_DEGRADED:
		return SP_PIECE_DEGRADED;
	case SP_LINE_DOWN:
		return strcmp(segment->cause + length, "/provider") == 0 ? SP_PIECE_DOWN_PROVIDER
									 : SP_PIECE_DOWN_OTHER;
	case SP_LINE_UNKNOWN:
		break;
	}
	for (size_t i = 0; i < SP_COUNT(offline); i++) {
		if (strlen(offline[i]) == length && strncmp(segment->cause, offline[i], length) == 0)
			return SP_PIECE_DOWN_OTHER;
	}
	return SP_PIECE_UNKNOWN;
}

void sp_pieces_add(struct sp_pieces *pieces, int64_t from_ms, int64_t to_ms, enum sp_piece_class cls)
{
	struct sp_piece *last = pieces->count ? &pieces->items[pieces->count - 1] : NULL;
	if (from_ms >= to_ms)
		return;
	if (last && last->cls == cls && last->to_ms == from_ms) {
		last->to_ms = to_ms;
		return;
	}
	if (pieces->count == pieces->room) {
		pieces->room = pieces->room ? 2 * pieces->room : 16;
		pieces->items = sp_realloc(pieces->items, pieces->room * sizeof(*pieces->items));
	}
	pieces->items[pieces->count++] = (struct sp_piece){from_ms, to_ms, cls};
}

/// The class at `at_ms`, which rises from call to call, and until when it holds.
static enum sp_piece_class class_at(const struct sp_pieces *pieces, size_t *index, int64_t at_ms,
				    int64_t *until_ms)
{
	while (*index < pieces->count && pieces->items[*index].to_ms <= at_ms)
		++*index;
	*until_ms = INT64_MAX;
	if (*index == pieces->count)
		return SP_PIECE_NONE;
	const struct sp_piece *piece = &pieces->items[*index];
	*until_ms = piece->from_ms > at_ms ? piece->from_ms : piece->to_ms;
	return piece->from_ms > at_ms ? SP_PIECE_NONE : piece->cls;
}

void sp_pieces_combine(struct sp_pieces *site, const struct sp_pieces *line)
{
	struct sp_pieces out = {0};
	size_t a = 0, b = 0;
	if (line->count == 0)
		return;
	int64_t at_ms = line->items[0].from_ms;
	if (site->count > 0 && site->items[0].from_ms < at_ms)
		at_ms = site->items[0].from_ms;
	for (;;) {
		int64_t a_ms, b_ms;
		enum sp_piece_class one = class_at(site, &a, at_ms, &a_ms);
		enum sp_piece_class other = class_at(line, &b, at_ms, &b_ms);
		int64_t until_ms = a_ms < b_ms ? a_ms : b_ms;
		if (until_ms == INT64_MAX)
			break;
		sp_pieces_add(&out, at_ms, until_ms, one < other ? one : other);
		at_ms = until_ms;
	}
	sp_pieces_free(site);
	*site = out;
}

static int64_t *sum_of(struct sp_kpi_uptime *out, enum sp_piece_class cls, int64_t *unknown)
{
	switch (cls) {
	case SP_PIECE_UP:
		return &out->up_ms;
	case SP_PIECE_DEGRADED:
		return &out->degraded_ms;
	case SP_PIECE_DOWN_PROVIDER:
		return &out->down_provider_ms;
	case SP_PIECE_DOWN_OTHER:
		return &out->down_other_ms;
	case SP_PIECE_UNKNOWN:
	case SP_PIECE_NONE:
		break;
	}
	return unknown;
}

void sp_pieces_sum(const struct sp_pieces *pieces, int64_t from_ms, int64_t to_ms, struct sp_kpi_uptime *out)
{
	int64_t unknown = 0;
	size_t low = 0, high = pieces->count;
	if (from_ms >= to_ms)
		return;
	out->scheduled_ms += to_ms - from_ms;
	while (low < high) { // the first one that ends after from_ms
		size_t middle = (low + high) / 2;
		if (pieces->items[middle].to_ms <= from_ms)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < pieces->count && pieces->items[i].from_ms < to_ms; i++) {
		const struct sp_piece *piece = &pieces->items[i];
		int64_t begin = piece->from_ms > from_ms ? piece->from_ms : from_ms;
		int64_t end = piece->to_ms < to_ms ? piece->to_ms : to_ms;
		*sum_of(out, piece->cls, &unknown) += end - begin;
	}
}

void sp_pieces_free(struct sp_pieces *pieces)
{
	free(pieces->items);
	*pieces = (struct sp_pieces){0};
}
