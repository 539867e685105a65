// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The chain of streams: what a board's journals say of each other, what that proves to be missing,
// and what it proves to be wrong (a copied card, one rolled back, one begun anew).
#include "tools/hub/store/store_priv.h"

#include <inttypes.h>
#include <string.h>

/// Two streams that name the same predecessor: the card was copied, or an old copy came back.
static int find_clone(struct sp_store *store, int64_t device, const struct sp_stream_row *stream,
		      int64_t prev)
{
	int64_t other = 0;
	int result = SQL_GET(store->db, &other, "SELECT id FROM stream WHERE prev = ? AND id != ?", I(prev),
			     I(stream->id));
	if (result != 1)
		return result;
	return sp_anomaly(store, "clone", device, prev,
			  "two journals continue the same one: a copied card, or an old copy put back");
}

static int follow(struct sp_store *store, int64_t device, const struct sp_stream_row *stream,
		  const struct sp_fact_opened *opened)
{
	struct sp_stream_row prev;
	int result = sp_stream_get(store, device, opened->prev, stream->cls, &prev);
	if (result == 0 && (prev.cls != stream->cls || prev.id == stream->id))
		return sp_anomaly(store, "chain_missing", device, stream->id,
				  "it names itself, or a stream of another class, as its predecessor");
	if (result == 0)
		result = SQL_DO(store->db, "UPDATE stream SET opened = 1, prev = ? WHERE id = ?", I(prev.id),
				I(stream->id));
	if (result == 0 && opened->prev_last < prev.issued)
		result = sp_anomaly(store, "rollback", device, prev.id,
				    "the card says that it issued %" PRId64 " records, %" PRId64 " are known",
				    opened->prev_last, prev.issued);
	if (result == 0)
		result = sp_gap_issued(store, &prev, opened->prev_last);
	// With two successors the larger word stands: the smaller one was reported as a rollback.
	if (result == 0)
		result = SQL_DO(store->db,
				"UPDATE stream SET final = greatest(coalesce(final, 0), ?) WHERE id = ?",
				I(opened->prev_last), I(prev.id));
	if (result == 0)
		result = find_clone(store, device, stream, prev.id);
	return result;
}

/// Another journal's beginning, of the same device and class. Streams heard out of order may yet turn out to
/// descend from this one; so only a beginning that is proven counts: a first record that says so, or one
/// that was lost and will never say anything.
static int find_stranger(struct sp_store *store, int64_t device, const struct sp_stream_row *stream,
			 int64_t *found)
{
	return SQL_GET(
	    store->db, found,
	    "SELECT id FROM stream s WHERE device = ?1 AND class = ?2 AND id != ?3 AND prev IS NULL AND"
	    " (opened = 1 OR EXISTS(SELECT 1 FROM gap WHERE stream = s.id AND first = 1 AND kind > 0))"
	    " LIMIT 1",
	    I(device), I(stream->cls), I(stream->id));
}

int sp_chain_opened(struct sp_store *store, int64_t device, struct sp_stream_row *stream,
		    const struct sp_feed_event *event)
{
	struct sp_fact_opened opened;
	int64_t stranger = 0;
	stream->opened = true;
	if (strcmp(event->type, "opened") != 0 || !sp_fact_opened(&opened, event->data))
		return sp_anomaly(store, "chain_missing", device, stream->id,
				  "its first record does not say what came before it");
	if (opened.has_prev)
		return follow(store, device, stream, &opened);
	int result = find_stranger(store, device, stream, &stranger);
	if (result == 1)
		result = sp_anomaly(store, "journal_reset", device, stream->id,
				    opened.set_aside
					? "the journal was corrupt and was set aside: a new one begins"
					: "a new journal begins where one was known");
	if (result >= 0)
		result = SQL_DO(store->db, "UPDATE stream SET opened = 1 WHERE id = ?", I(stream->id));
	return result;
}

int sp_chain_beyond(struct sp_store *store, int64_t device, const struct sp_stream_row *stream, int64_t last)
{
	if (stream->final < 0 || last <= stream->final)
		return 0;
	return sp_anomaly(store, "rollback", device, stream->id,
			  "record %" PRId64 " came, its successor says that %" PRId64 " were issued", last,
			  stream->final);
}

int sp_chain_dropped(struct sp_store *store, int64_t device, const struct sp_fact_dropped *dropped)
{
	struct sp_stream_row stream;
	int result = sp_stream_get(store, device, dropped->stream, dropped->cls, &stream);
	if (result == 0)
		result = sp_gap_issued(store, &stream, dropped->to);
	if (result == 0)
		result = sp_gap_close(store, stream.id, dropped->from, dropped->to, SP_GAP_DROPPED,
				      dropped->reason);
	if (result == 0)
		sp_touch(&store->streams, stream.id);
	return result;
}

// ---- births -----------------------------------------------------------------------------------------

static int held(struct sp_store *store, int64_t device, const struct sp_feed_held *held, bool answers)
{
	struct sp_stream_row stream;
	int result = sp_stream_get(store, device, held->stream, held->cls, &stream);
	if (result < 0)
		return result;
	if (stream.cls != held->cls)
		return sp_anomaly(store, "identity_conflict", device, stream.id,
				  "the board holds it as another class");
	result = sp_chain_beyond(store, device, &stream, held->newest);
	if (result == 0)
		result = sp_gap_issued(store, &stream, held->newest);
	if (result == 0)
		result = sp_gap_reopen(store, stream.id, held->oldest, held->newest);
	if (result == 0)
		result = sp_gap_close(store, stream.id, 1, held->oldest - 1, SP_GAP_LOST, "forgotten");
	if (result == 0 && answers)
		sp_touch(&store->streams, stream.id);
	return result;
}

/// The next stream with open gaps that came before a held one, in its chain: what the journal no longer
/// holds of it is gone, however old the birth is.
static int next_before(struct sp_store *store, int64_t device, const char *held_names, int64_t after,
		       int64_t *stream)
{
	return SQL_GET(store->db, stream,
		       "WITH RECURSIVE held(id) AS (SELECT id FROM stream WHERE device = ?1 AND"
		       " replace(?2, name, '') <> ?2), before(id) AS (SELECT prev FROM stream WHERE id IN "
		       "(SELECT id FROM held) AND prev"
		       " IS NOT NULL UNION SELECT s.prev FROM stream s JOIN before ON s.id = before.id WHERE"
		       " s.prev IS NOT NULL) SELECT min(id) FROM before WHERE id > ?3 AND id NOT IN (SELECT "
		       "id FROM held) AND"
		       " EXISTS(SELECT 1 FROM gap WHERE stream = before.id AND kind = 0)",
		       I(device), T(held_names), I(after));
}

/// The next one that is not held at all. Only a birth said now proves that: one that a broker repeats
/// may be older than the stream. After a reset, or on a card that was put back, this closes what the
/// other state of the card had announced. Should that state come back, its birth opens it again before
/// anything of it is acknowledged.
static int next_absent(struct sp_store *store, int64_t device, const char *held_names, int64_t after,
		       int64_t *stream)
{
	return SQL_GET(
	    store->db, stream,
	    "SELECT min(id) FROM stream s WHERE device = ?1 AND id > ?3 AND replace(?2, name, '') = ?2 AND"
	    " EXISTS(SELECT 1 FROM gap WHERE stream = s.id AND kind = 0)",
	    I(device), T(held_names), I(after));
}

static int give_up(struct sp_store *store, int64_t device, const char *names,
		   int (*next)(struct sp_store *store, int64_t device, const char *held_names, int64_t after,
			       int64_t *stream),
		   const char *reason)
{
	int64_t stream = 0;
	int result;
	while ((result = next(store, device, names, stream, &stream)) == 1) {
		result = sp_gap_close(store, stream, 1, INT64_MAX - 1, SP_GAP_LOST, reason);
		if (result < 0)
			return result;
	}
	return result;
}

int sp_chain_birth(struct sp_store *store, int64_t device, const struct sp_feed_state *state, bool live,
		   bool answers)
{
	char names[SP_FEED_HELD_MAX * (SP_ID_LENGTH + 1) + 1] = "";
	size_t used = 0;
	for (size_t i = 0; i < state->held_count; i++) {
		int result = held(store, device, &state->held[i], answers);
		if (result < 0)
			return result;
		memcpy(names + used, state->held[i].stream, SP_ID_LENGTH);
		used += SP_ID_LENGTH;
		names[used++] = ' ';
	}
	names[used] = '\0';
	// A full list may have been cut short: what it does not name may still be held. An empty one is that
	// of a board whose journal is not open yet.
	if (state->held_count == 0 || state->held_count == SP_FEED_HELD_MAX)
		return 0;
	int result = give_up(store, device, names, next_before, "forgotten");
	if (result == 0 && live)
		result = give_up(store, device, names, next_absent, "not_held");
	return result;
}
