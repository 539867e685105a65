// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Gaps: the complement of what is stored in 1…issued, as disjoint ranges that say why. What a hub
// acknowledges is everything issued that is in no open gap.
#include "tools/hub/store/store_priv.h"

#include <inttypes.h>
#include <stdio.h>

struct sp_gap_range {
	int64_t first, last;
};

struct range {
	int64_t first, last, kind, at_ms;
	char reason[SP_WORD_MAX + 1];
};

static int insert(struct sp_store *store, int64_t stream, int64_t first, int64_t last, int64_t kind,
		  const char *reason, int64_t at_ms)
{
	if (first > last)
		return 0;
	return SQL_DO(store->db, "INSERT INTO gap VALUES(?, ?, ?, ?, ?, ?)", I(stream), I(first), I(last),
		      I(kind), T(reason), I(at_ms));
}

/// Takes out the first gap that overlaps first…last and is of a kind from `least` to `most`: 1, with
/// its range; 0: there is none.
static int take(struct sp_store *store, int64_t stream, int64_t first, int64_t last, int64_t least,
		int64_t most, struct range *out)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT first, last, kind, at_ms, reason FROM gap WHERE stream = ?1 AND first <= ?3 AND"
		      " first >= coalesce((SELECT max(first) FROM gap WHERE stream = ?1 AND first <= ?2), ?2)"
		      " AND last >= ?2 AND kind BETWEEN ?4 AND ?5 ORDER BY first LIMIT 1",
		      I(stream), I(first), I(last), I(least), I(most));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	*out = (struct range){sp_row_int(rows, 0, 0), sp_row_int(rows, 1, 0), sp_row_int(rows, 2, 0),
			      sp_row_int(rows, 3, 0), ""};
	snprintf(out->reason, sizeof(out->reason), "%s", sp_row_text(rows, 4));
	sp_rows_leave(rows);
	result =
	    SQL_DO(store->db, "DELETE FROM gap WHERE stream = ? AND first = ?", I(stream), I(out->first));
	return result < 0 ? result : 1;
}

/// Puts back what of `range` lies outside of first…last.
static int put_back(struct sp_store *store, int64_t stream, const struct range *range, int64_t first,
		    int64_t last)
{
	int64_t before = range->last < first - 1 ? range->last : first - 1;
	int64_t after = range->first > last + 1 ? range->first : last + 1;
	int result = insert(store, stream, range->first, before, range->kind, range->reason, range->at_ms);
	if (result == 0)
		result = insert(store, stream, after, range->last, range->kind, range->reason, range->at_ms);
	return result;
}

static int set_issued(struct sp_store *store, struct sp_stream_row *stream, int64_t last)
{
	stream->issued = last;
	return SQL_DO(store->db, "UPDATE stream SET issued = ? WHERE id = ?", I(last), I(stream->id));
}

int sp_gap_issued(struct sp_store *store, struct sp_stream_row *stream, int64_t last)
{
	if (last <= stream->issued)
		return 0;
	int result = insert(store, stream->id, stream->issued + 1, last, SP_GAP_OPEN, "", store->now_ms);
	if (result == 0)
		result = sp_rollup_gap(store, stream->id, stream->issued + 1);
	store->seen_changes = true;
	return result < 0 ? result : set_issued(store, stream, last);
}

int sp_gap_fill(struct sp_store *store, struct sp_stream_row *stream, int64_t first, int64_t last)
{
	struct range range;
	int64_t known = stream->issued;
	int result = 0;
	if (last > known) {
		result = insert(store, stream->id, known + 1, first - 1, SP_GAP_OPEN, "", store->now_ms);
		if (result == 0 && first > known + 1)
			result = sp_rollup_gap(store, stream->id, known + 1);
		if (result == 0)
			result = set_issued(store, stream, last);
	}
	// Behind the known end there is no gap to shrink: the ordinary case costs nothing.
	if (result < 0 || first > known)
		return result;
	while ((result = take(store, stream->id, first, last, SP_GAP_OPEN, SP_GAP_DROPPED, &range)) == 1) {
		result = put_back(store, stream->id, &range, first, last);
		if (result == 0)
			result = sp_rollup_gap(store, stream->id, range.first);
		if (result < 0)
			return result;
	}
	return result;
}

/// Gaps of a kind from `least` to `most` become `kind`, as far as they lie in first…last.
static int turn(struct sp_store *store, int64_t stream, const struct sp_gap_range *range, int64_t least,
		int64_t most, enum sp_gap_kind kind, const char *reason)
{
	struct range gap;
	int result;
	for (int64_t at = range->first;
	     (result = take(store, stream, at, range->last, least, most, &gap)) == 1; at = gap.last + 1) {
		int64_t from = gap.first > range->first ? gap.first : range->first;
		int64_t to = gap.last < range->last ? gap.last : range->last;
		result = put_back(store, stream, &gap, range->first, range->last);
		if (result == 0)
			result = insert(store, stream, from, to, kind, reason, store->now_ms);
		if (result == 0)
			result = sp_rollup_gap(store, stream, gap.first);
		if (result < 0)
			return result;
		store->seen_changes = true;
	}
	return result;
}

int sp_gap_close(struct sp_store *store, int64_t stream, int64_t first, int64_t last, enum sp_gap_kind kind,
		 const char *reason)
{
	return turn(store, stream, &(struct sp_gap_range){first, last}, SP_GAP_OPEN, kind - 1, kind, reason);
}

int sp_gap_reopen(struct sp_store *store, int64_t stream, int64_t first, int64_t last)
{
	return turn(store, stream, &(struct sp_gap_range){first, last}, SP_GAP_LOST, SP_GAP_LOST, SP_GAP_OPEN,
		    "");
}

int sp_gap_settled(struct sp_store *store, int64_t stream, struct sp_feed_ack *ack)
{
	int64_t issued = 0, settled_from = 1;
	bool open = false;
	int result = SQL_GET(store->db, &issued, "SELECT issued FROM stream WHERE id = ?", I(stream));
	if (result < 0)
		return result;
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT first, last FROM gap WHERE stream = ? AND kind = 0 ORDER BY first", I(stream));
	ack->upto = 0;
	ack->have_count = 0;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t first = sp_row_int(rows, 0, 0);
		if (!open)
			ack->upto = first - 1;
		else if (first > settled_from && ack->have_count < SP_FEED_HAVE_MAX) {
			ack->have[ack->have_count].from = settled_from;
			ack->have[ack->have_count++].to = first - 1;
		}
		open = true;
		settled_from = sp_row_int(rows, 1, 0) + 1;
		if (ack->have_count == SP_FEED_HAVE_MAX) {
			sp_rows_leave(rows);
			return 0;
		}
	}
	if (!open) {
		ack->upto = issued;
	} else if (issued >= settled_from) {
		ack->have[ack->have_count].from = settled_from;
		ack->have[ack->have_count++].to = issued;
	}
	return result;
}
