// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What went the short way, into the tables: many rows in one statement each.
#include "tools/hub/store/hot.h"

/// So many boards in one statement. Where there are fewer, the last one stands there again.
#define ROWS 12
#define ROW3 "(?, ?, ?)"
#define ROW4 "(?, ?, ?, ?)"
#define ROW5 "(?, ?, ?, ?, ?)"
#define TWELVE(row)                                                                                       \
	row ", " row ", " row ", " row ", " row ", " row ", " row ", " row ", " row ", " row ", " row "," \
	    " " row

static int write_devices(struct sp_store *store, const struct sp_hot_board *const b[ROWS])
{
	struct sp_arg args[ROWS * 3];
	for (size_t i = 0; i < ROWS; i++) {
		args[3 * i] = I(b[i]->device);
		args[3 * i + 1] = I(b[i]->last_heard_ms);
		args[3 * i + 2] = I(b[i]->events);
	}
	return sp_sql_do(
	    store->db,
	    "UPDATE device SET last_heard_ms = v.column2, events = v.column3 FROM (VALUES " TWELVE(
		ROW3) ") AS v WHERE device.id = v.column1",
	    args, SP_COUNT(args));
}

static int write_streams(struct sp_store *store, const struct sp_hot_board *const b[ROWS])
{
	struct sp_arg args[ROWS * 4];
	for (size_t i = 0; i < ROWS; i++) {
		args[4 * i] = I(b[i]->stream);
		args[4 * i + 1] = I(b[i]->issued);
		args[4 * i + 2] = I(b[i]->from_ms);
		args[4 * i + 3] = I(b[i]->to_ms);
	}
	return sp_sql_do(store->db,
			 "UPDATE stream SET issued = v.column2, from_ms = v.column3, to_ms = v.column4 FROM"
			 " (VALUES " TWELVE(ROW4) ") AS v WHERE stream.id = v.column1",
			 args, SP_COUNT(args));
}

static int write_boots(struct sp_store *store, const struct sp_hot_board *const b[ROWS])
{
	struct sp_arg args[ROWS * 5];
	for (size_t i = 0; i < ROWS; i++) {
		args[5 * i] = I(b[i]->boot);
		args[5 * i + 1] = I(b[i]->heard_ms);
		args[5 * i + 2] = I(b[i]->arrival.mono_us);
		args[5 * i + 3] = I(b[i]->arrival.t_ms);
		args[5 * i + 4] = I(b[i]->arrival.err_ms);
	}
	return sp_sql_do(store->db,
			 "UPDATE boot SET heard_ms = v.column2, arrival_mono_us = v.column3, arrival_ms ="
			 " v.column4, arrival_err_ms = v.column5 FROM (VALUES " TWELVE(
			     ROW5) ") AS v WHERE boot.id = v.column1",
			 args, SP_COUNT(args));
}

static int write_boards(struct sp_store *store)
{
	struct sp_hot *hot = store->hot;
	int result = 0;
	for (size_t from = 0; result == 0 && from < hot->pending_count; from += ROWS) {
		const struct sp_hot_board *boards[ROWS];
		for (size_t i = 0; i < ROWS; i++) {
			size_t at = from + i < hot->pending_count ? from + i : hot->pending_count - 1;
			boards[i] = hot->pending[at];
		}
		result = write_devices(store, boards);
		if (result == 0)
			result = write_streams(store, boards);
		if (result == 0)
			result = write_boots(store, boards);
	}
	return result;
}

int sp_hot_flush(struct sp_store *store)
{
	struct sp_hot *hot = store->hot;
	if (!hot || hot->pending_count == 0)
		return 0;
	int result = sp_bulk_flush(hot->events);
	if (result == 0)
		result = sp_bulk_flush(hot->batches);
	if (result == 0)
		result = sp_bulk_flush(hot->anchors);
	if (result == 0)
		result = write_boards(store);
	for (size_t i = 0; result == 0 && i < hot->pending_count; i++)
		hot->pending[i]->pending = false;
	if (result == 0)
		hot->pending_count = 0;
	return result;
}
