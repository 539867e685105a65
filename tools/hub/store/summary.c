// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Hours and days of samples. What came is looked through once, in order of arrival, for the hours that it
// belongs to; an hour that is over is summarised from its rows, and again whenever something comes for it
// later. Of hours whose rows are gone already, what still comes is added to what stands there.
#include "tools/hub/store/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/time/local_time.h"

enum {
	SCAN_ROWS = 2000,
	SCAN_LAG_MS = 600000, ///< transactions that were given lower ids have ended by then
	OVER_MS = 900000,     ///< an hour is summarised so long after its end
	MAKE_ROWS = 20,       ///< hours of boards in one step
	SUMS_MAX = 2048,      ///< instances of a board, or their minutes
	DISORDER = 64,        ///< rows of a stream whose times do not rise
};

bool sp_is_sample(const char *type)
{
	return strcmp(type, "samples") == 0 || strcmp(type, "minute") == 0;
}

int64_t sp_level_start(int level, int64_t t_ms)
{
	return level == SP_LEVEL_MINUTE ? t_ms - t_ms % SP_MINUTE_MS
	       : level == SP_LEVEL_HOUR ? t_ms - t_ms % SP_HOUR_MS
					: sp_local_day_ms(sp_local_day(t_ms));
}

// ---- sums -----------------------------------------------------------------------------------------

void sp_sums_add(struct sp_sums *sums, int64_t t_ms, const char *instance, const char *text)
{
	size_t at = sums->count;
	// Rows come in order of time: it is one of the last.
	while (at > 0 &&
	       (sums->items[at - 1].t_ms != t_ms || strcmp(sums->items[at - 1].instance, instance) != 0))
		at--;
	if (at == 0) {
		if (sums->count == SUMS_MAX || strlen(instance) >= sizeof(sums->items[0].instance))
			return;
		if (sums->count == sums->room) {
			sums->room = sums->room ? sums->room * 2 : 8;
			sums->items = sp_realloc(sums->items, sums->room * sizeof(*sums->items));
		}
		at = ++sums->count;
		sums->items[at - 1] = (struct sp_sum){.t_ms = t_ms};
		snprintf(sums->items[at - 1].instance, sizeof(sums->items[0].instance), "%s", instance);
	}
	(void)!sp_summary_add(&sums->items[at - 1].summary, text); // what cannot be read counts for nothing
}

void sp_sums_free(struct sp_sums *sums)
{
	free(sums->items);
	*sums = (struct sp_sums){0};
}

static int read_one(struct sp_store *store, int level, int64_t device, struct sp_sum *sum)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT data FROM summary WHERE level = ? AND device = ? AND t_ms = ? AND instance = ?",
		      I(level), I(device), I(sum->t_ms), T(sum->instance));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	(void)!sp_summary_add(&sum->summary, sp_row_text(rows, 0));
	sp_rows_leave(rows);
	return 0;
}

int sp_sums_write(struct sp_store *store, int level, int64_t device, struct sp_sums *sums, bool merge)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < sums->count; i++) {
		struct sp_sum *sum = &sums->items[i];
		struct sp_buf text = SP_BUF(SP_SUMMARY_BYTES);
		if (merge)
			result = read_one(store, level, device, sum);
		sp_summary_print(&text, &sum->summary);
		if (result == 0 && !text.overflowed)
			result =
			    SQL_DO(store->db,
				   "INSERT INTO summary VALUES(?, ?, ?, ?, ?) ON CONFLICT (level, device,"
				   " t_ms, instance) DO UPDATE SET data = excluded.data",
				   I(level), I(device), I(sum->t_ms), T(sum->instance), T(text.data));
		sp_buf_free(&text);
	}
	return result;
}

// ---- what came --------------------------------------------------------------------------------------

static int mark(struct sp_store *store, int level, int64_t device, int64_t t_ms)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO summary_dirty VALUES(?, ?, ?) ON CONFLICT (level, t_ms, device) DO NOTHING",
	    I(level), I(sp_level_start(level, t_ms)), I(device));
}

/// A straggler of an hour whose rows are gone, or going.
static int add_late(struct sp_store *store, int64_t event, int64_t device)
{
	struct sp_sums hour = {0}, day = {0};
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT t_ms, instance, data FROM event WHERE id = ?", I(event));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	int64_t t_ms = sp_row_int(rows, 0, 0);
	char instance[65];
	snprintf(instance, sizeof(instance), "%s", sp_row_text(rows, 1));
	char *data = sp_strdup(sp_row_text(rows, 2));
	sp_rows_leave(rows);
	sp_sums_add(&hour, sp_level_start(SP_LEVEL_HOUR, t_ms), instance, data);
	sp_sums_add(&day, sp_level_start(SP_LEVEL_DAY, t_ms), instance, data);
	free(data);
	result = sp_sums_write(store, SP_LEVEL_HOUR, device, &hour, true);
	if (result == 0)
		result = sp_sums_write(store, SP_LEVEL_DAY, device, &day, true);
	sp_sums_free(&hour);
	sp_sums_free(&day);
	return result;
}

struct seen {
	int64_t id, device, t_ms;
};

static int read_new(struct sp_store *store, int64_t *upto, int64_t before_ms, struct seen *out, size_t *count,
		    size_t *rows_read)
{
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT e.id, s.device, e.t_ms, e.arrived_ms, e.type FROM event e "
					 "JOIN stream s ON s.id = e.stream"
					 " WHERE e.id > ? ORDER BY e.id LIMIT ?",
					 I(*upto), I(SCAN_ROWS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (sp_row_int(rows, 3, 0) >= before_ms) {
			sp_rows_leave(rows);
			return 0;
		}
		*upto = sp_row_int(rows, 0, 0);
		++*rows_read;
		if (sp_is_sample(sp_row_text(rows, 4)))
			out[(*count)++] =
			    (struct seen){*upto, sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0)};
	}
	return result;
}

static int by_hour(const void *left, const void *right)
{
	const struct seen *a = left, *b = right;
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->t_ms < b->t_ms ? -1 : a->t_ms > b->t_ms;
}

static int note(struct sp_store *store, struct seen *seen, size_t count, int64_t raw_ms)
{
	int64_t device = -1, hour_ms = -1;
	int result = 0;
	if (count > 1)
		qsort(seen, count, sizeof(*seen), by_hour);
	for (size_t i = 0; result == 0 && i < count; i++) {
		int64_t start_ms = sp_level_start(SP_LEVEL_HOUR, seen[i].t_ms);
		if (seen[i].t_ms < raw_ms) {
			result = add_late(store, seen[i].id, seen[i].device);
		} else if (seen[i].device != device || start_ms != hour_ms) {
			device = seen[i].device;
			hour_ms = start_ms;
			result = mark(store, SP_LEVEL_HOUR, device, hour_ms);
		}
	}
	return result;
}

/// Hours that records have left for others, when a clock was known better.
static int note_moved(struct sp_store *store, int64_t raw_ms)
{
	struct seen moved[SCAN_ROWS / 10];
	size_t count = 0;
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT id, device, t_ms FROM summary_moved ORDER BY id LIMIT ?",
		      I((int64_t)SP_COUNT(moved)));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		moved[count++] =
		    (struct seen){sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0)};
	for (size_t i = 0; result == 0 && i < count; i++) {
		if (moved[i].t_ms >= raw_ms)
			result = mark(store, SP_LEVEL_HOUR, moved[i].device, moved[i].t_ms);
		if (result == 0)
			result = SQL_DO(store->db, "DELETE FROM summary_moved WHERE id = ?", I(moved[i].id));
	}
	return result;
}

int sp_summary_scan(struct sp_store *store, int64_t now_ms)
{
	int64_t upto = 0, was, raw_ms = 0;
	size_t count = 0, rows_read = 0;
	struct seen *seen;
	int result = sp_store_meta_get(store, "summary_event", &upto);
	if (result == 0)
		result = sp_store_meta_get(store, "summary_raw_ms", &raw_ms);
	if (result == 0)
		result = note_moved(store, raw_ms);
	if (result < 0)
		return result;
	was = upto;
	seen = sp_alloc(SCAN_ROWS * sizeof(*seen));
	result = read_new(store, &upto, now_ms - SCAN_LAG_MS, seen, &count, &rows_read);
	if (result == 0)
		result = note(store, seen, count, raw_ms);
	if (result == 0 && upto != was)
		result = sp_store_meta_set(store, "summary_event", upto);
	free(seen);
	return result < 0 ? result : rows_read == SCAN_ROWS;
}

// ---- hours and days -----------------------------------------------------------------------------------

/// The first record of the stream that is not surely before `t_ms`: times rise with seqs, but for a few.
static int first_seq(struct sp_store *store, int64_t stream, int64_t t_ms, int64_t *out)
{
	int64_t low = 1, high = 1;
	int result = SQL_GET(store->db, &high, "SELECT max(seq) FROM event WHERE stream = ?", I(stream));
	while (result >= 0 && low < high) {
		int64_t middle = low + (high - low) / 2, at_ms = INT64_MAX;
		result = SQL_GET(store->db, &at_ms,
				 "SELECT t_ms FROM event WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT 1",
				 I(stream), I(middle));
		if (at_ms < t_ms)
			low = middle + 1;
		else
			high = middle;
	}
	*out = low > DISORDER ? low - DISORDER : 1;
	return result < 0 ? result : 0;
}

static int sum_stream(struct sp_store *store, int64_t stream, int64_t from_ms, struct sp_sums *sums)
{
	int64_t seq, to_ms = from_ms + SP_HOUR_MS;
	int beyond = 0, result = first_seq(store, stream, from_ms, &seq);
	if (result < 0)
		return result;
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT t_ms, type, instance, data FROM event WHERE stream = ? AND seq >= ? ORDER BY seq",
	    I(stream), I(seq));
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t t_ms = sp_row_int(rows, 0, 0);
		beyond = t_ms >= to_ms ? beyond + 1 : 0;
		if (beyond > DISORDER) {
			sp_rows_leave(rows);
			return 0;
		}
		if (t_ms >= from_ms && t_ms < to_ms && sp_is_sample(sp_row_text(rows, 1)))
			sp_sums_add(sums, from_ms, sp_row_text(rows, 2), sp_row_text(rows, 3));
	}
	return result;
}

static int sum_hour(struct sp_store *store, int64_t device, int64_t from_ms, struct sp_sums *sums)
{
	int64_t streams[256];
	size_t count = 0;
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT id FROM stream WHERE device = ? AND class = ? AND to_ms >= "
					 "? AND from_ms < ? ORDER BY id LIMIT ?",
					 I(device), I(SP_RECORD_BULK), I(from_ms), I(from_ms + SP_HOUR_MS),
					 I((int64_t)SP_COUNT(streams)));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		streams[count++] = sp_row_int(rows, 0, 0);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = sum_stream(store, streams[i], from_ms, sums);
	return result;
}

static int sum_day(struct sp_store *store, int64_t device, int64_t from_ms, struct sp_sums *sums)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT instance, data FROM summary WHERE level = ? AND device = ? AND t_ms >= ? AND t_ms < ?",
	    I(SP_LEVEL_HOUR), I(device), I(from_ms), I(from_ms + SP_DAY_MS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		sp_sums_add(sums, from_ms, sp_row_text(rows, 0), sp_row_text(rows, 1));
	return result;
}

static int make(struct sp_store *store, int level, int64_t device, int64_t t_ms)
{
	struct sp_sums sums = {0};
	int result = level == SP_LEVEL_HOUR ? sum_hour(store, device, t_ms, &sums)
					    : sum_day(store, device, t_ms, &sums);
	if (result == 0)
		result = SQL_DO(store->db, "DELETE FROM summary WHERE level = ? AND device = ? AND t_ms = ?",
				I(level), I(device), I(t_ms));
	if (result == 0)
		result = sp_sums_write(store, level, device, &sums, false);
	sp_sums_free(&sums);
	if (result == 0 && level == SP_LEVEL_HOUR)
		result = mark(store, SP_LEVEL_DAY, device, t_ms);
	if (result == 0)
		result =
		    SQL_DO(store->db, "DELETE FROM summary_dirty WHERE level = ? AND t_ms = ? AND device = ?",
			   I(level), I(t_ms), I(device));
	return result;
}

static int make_level(struct sp_store *store, int level, int64_t before_ms, int64_t from_ms)
{
	struct seen due[MAKE_ROWS];
	size_t count = 0;
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT t_ms, device FROM summary_dirty WHERE level = ? AND t_ms < "
					 "? ORDER BY t_ms, device LIMIT ?",
					 I(level), I(before_ms), I(MAKE_ROWS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		due[count++] = (struct seen){0, sp_row_int(rows, 1, 0), sp_row_int(rows, 0, 0)};
	for (size_t i = 0; result == 0 && i < count; i++) {
		// What it would be made of is gone, so that what stands there stays.
		if (due[i].t_ms < from_ms)
			result =
			    SQL_DO(store->db,
				   "DELETE FROM summary_dirty WHERE level = ? AND t_ms = ? AND device = ?",
				   I(level), I(due[i].t_ms), I(due[i].device));
		else
			result = make(store, level, due[i].device, due[i].t_ms);
	}
	return result < 0 ? result : count == MAKE_ROWS;
}

int sp_summary_make(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms)
{
	int64_t raw_ms = 0;
	int result = sp_store_meta_get(store, "summary_raw_ms", &raw_ms);
	if (result == 0)
		result = make_level(store, SP_LEVEL_HOUR, now_ms - SP_HOUR_MS - OVER_MS, raw_ms);
	if (result != 0)
		return result;
	int64_t hours_ms = keep->hour_days ? sp_local_day_ms(sp_local_day(now_ms) - keep->hour_days + 1) : 0;
	return make_level(store, SP_LEVEL_DAY, now_ms - SP_DAY_MS - SP_HOUR_MS, hours_ms);
}
