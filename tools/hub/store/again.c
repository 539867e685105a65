// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Placing again: once a boot's clock becomes known, its records that were placed loosely, and what
// was projected from them, move to where they belong.
#include "tools/hub/store/store_priv.h"

#include <string.h>

struct loose_batch {
	int64_t stream, first, last;
};

static int next_batch(struct sp_store *store, int64_t boot, const struct loose_batch *after,
		      struct loose_batch *out)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT stream, first, last FROM batch WHERE boot = ?1 AND loose > 0 AND"
		      " (stream, first) > (?2, ?3) ORDER BY stream, first LIMIT 1",
		      I(boot), I(after->stream), I(after->first));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	*out = (struct loose_batch){sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0)};
	sp_rows_leave(rows);
	return 1;
}

/// The record stays valid until the next step of `rows`.
static int place_event(struct sp_store *store, const struct sp_time_frame *frame, struct sp_rows *rows)
{
	const struct sp_anchor none = {0};
	struct sp_record record = {.device = frame->device,
				   .stream = frame->stream,
				   .boot = frame->boot,
				   .seq = sp_row_int(rows, 0, 0),
				   .mono_us = sp_row_int(rows, 1, 0),
				   .type = sp_row_text(rows, 2),
				   .instance = sp_row_text(rows, 3),
				   .data = sp_row_text(rows, 4),
				   .was_ms = sp_row_int(rows, 5, 0),
				   .id = sp_row_int(rows, 6, 0)};
	int result = sp_time_place(store, frame, &none, record.mono_us, &record.when);
	sp_rollup_touch(store, frame->device,
			record.was_ms < record.when.t_ms ? record.was_ms : record.when.t_ms, store->now_ms);
	if (result == 0)
		result =
		    SQL_DO(store->db,
			   "UPDATE event SET t_ms = ?, err_ms = nullif(?, -1), placed = ? WHERE stream = ?"
			   " AND seq = ?",
			   I(record.when.t_ms), I(record.when.err_ms), I(record.when.by), I(record.stream),
			   I(record.seq));
	if (result == 0)
		result = sp_project(store, frame, &record);
	return result < 0 ? result : 0;
}

bool sp_time_is_loose(const struct sp_placed *placed)
{
	return placed->by >= SP_PLACED_ARRIVAL ||
	       (placed->by >= SP_PLACED_ENVELOPE && placed->err_ms > SP_PLACE_SHARP_MS);
}

struct reach {
	int64_t from_us, to_us;
	bool all;
};

static int place_batch(struct sp_store *store, struct sp_time_frame *frame, const struct loose_batch *batch,
		       const struct reach *reach, bool *lines_moved)
{
	int64_t left = 0;
	int result = 0;
	// One at a time: the event that a statement stands on is not to change under it.
	for (int64_t seq = batch->first - 1; result == 0;) {
		struct sp_rows *rows = SQL_QUERY(
		    store->db,
		    "SELECT seq, mono_us, type, instance, data, t_ms, id FROM event WHERE"
		    " stream = ? AND seq > ? AND seq <= ? AND (placed >= ? OR ? <> 0 OR (placed >= ? AND "
		    "err_ms > "
		    "?"
		    " AND mono_us BETWEEN ? AND ?)) ORDER BY seq LIMIT 1",
		    I(batch->stream), I(seq), I(batch->last), I(SP_PLACED_ARRIVAL), I(reach->all),
		    I(SP_PLACED_ENVELOPE), I(SP_PLACE_SHARP_MS), I(reach->from_us), I(reach->to_us));
		result = sp_rows_next(store->db, rows);
		if (result != 1)
			break;
		seq = sp_row_int(rows, 0, 0);
		*lines_moved |= strcmp(sp_row_text(rows, 2), "line") == 0;
		result = place_event(store, frame, rows);
		sp_rows_leave(rows);
	}
	if (result == 0)
		result = SQL_GET(
		    store->db, &left,
		    "SELECT count(*) FROM event WHERE stream = ? AND seq BETWEEN ? AND ? AND (placed >= ? OR"
		    " (placed >= ? AND err_ms > ?))",
		    I(batch->stream), I(batch->first), I(batch->last), I(SP_PLACED_ARRIVAL),
		    I(SP_PLACED_ENVELOPE), I(SP_PLACE_SHARP_MS));
	if (result >= 0)
		result = SQL_DO(store->db, "UPDATE batch SET loose = ? WHERE stream = ? AND first = ?",
				I(left), I(batch->stream), I(batch->first));
	return result;
}

/// A stream's records rise in time: the ends of the stored ones are the ends of what was heard.
static int span(struct sp_store *store, int64_t stream)
{
	return SQL_DO(store->db,
		      "UPDATE stream SET from_ms = (SELECT t_ms FROM event WHERE stream = ?1 AND placed < ?2 "
		      "AND type <> 'forgotten'"
		      " ORDER BY seq LIMIT 1), to_ms = (SELECT t_ms FROM event WHERE stream = ?1 AND placed "
		      "< ?2 AND type <> 'forgotten'"
		      " ORDER BY seq DESC LIMIT 1) WHERE id = ?1",
		      I(stream), I(SP_PLACED_BOUNDS));
}

static int stream_moved(struct sp_store *store, int64_t device, int64_t stream, bool lines)
{
	int result = span(store, stream);
	if (result == 0 && lines)
		result = sp_project_moved(store, device, stream);
	sp_touch(&store->devices, device);
	return result;
}

int sp_time_again(struct sp_store *store, int64_t device, int64_t boot, int64_t arrived_ms, int64_t from_us,
		  int64_t to_us, bool all)
{
	const struct reach reach = {from_us, to_us, all};
	const struct sp_clock_reading no_clock = {0};
	const struct sp_arrival arrival = {.arrived_ms = arrived_ms};
	struct loose_batch batch = {0};
	struct sp_time_frame frame;
	bool lines_moved = false;
	int result;
	for (;;) {
		int64_t stream = batch.stream;
		int found = next_batch(store, boot, &batch, &batch);
		if (found < 0)
			return found;
		if (stream && (!found || batch.stream != stream)) {
			result = stream_moved(store, device, stream, lines_moved);
			lines_moved = false;
			if (result < 0)
				return result;
		}
		if (!found)
			return 0;
		result = sp_time_frame(store, &arrival, device, boot, batch.stream, boot, &no_clock, &frame);
		if (result == 0)
			result = place_batch(store, &frame, &batch, &reach, &lines_moved);
		if (result < 0)
			return result;
	}
}
