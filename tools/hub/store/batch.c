// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One envelope into the store: is its identity free, where in time are its records, what do they
// change. Births, stops and wills as well: they, too, say who is there and what was issued.
#include "tools/hub/store/hot.h"
#include "tools/hub/store/store_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/time/local_time.h"

/// The ledger holds disjoint ranges, so the last one that begins at or before `last` decides.
static int judge(struct sp_store *store, int64_t stream, const struct sp_feed_envelope *envelope,
		 enum sp_verdict *verdict)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT first, last, digest FROM batch WHERE stream = ? AND first <= ? ORDER BY"
		      " first DESC LIMIT 1",
		      I(stream), I(envelope->last));
	int result = sp_rows_next(store->db, rows);
	*verdict = SP_VERDICT_STORED;
	if (result != 1)
		return result;
	int64_t first = sp_row_int(rows, 0, 0), last = sp_row_int(rows, 1, 0);
	if (last >= envelope->first) {
		bool same = first == envelope->first && last == envelope->last &&
			    strcmp(sp_row_text(rows, 2), envelope->digest) == 0;
		*verdict = same ? SP_VERDICT_DUPLICATE : SP_VERDICT_CONFLICT;
	}
	sp_rows_leave(rows);
	return 0;
}

static int conflict(struct sp_store *store, int64_t device, int64_t stream,
		    const struct sp_feed_envelope *envelope)
{
	return sp_anomaly(store, "identity_conflict", device, stream,
			  "records %" PRId64 " to %" PRId64 " came with other content or in other batches",
			  envelope->first, envelope->last);
}

/// At `at_ms`, the hub's time; -1: not now, and it cannot be told when.
static int heard(struct sp_store *store, int64_t device, const struct sp_arrival *arrival, int64_t at_ms,
		 int64_t events)
{
	sp_touch(&store->devices, device);
	return SQL_DO(
	    store->db,
	    "UPDATE device SET last_heard_ms = nullif(greatest(coalesce(last_heard_ms, -1), ?2), -1),"
	    " shard = ?3, events = events + ?4 WHERE id = ?1",
	    I(device), I(at_ms), T(arrival->shard), I(events));
}

/// The same range with another digest: of a batch of which the board has erased something?
static int redacted(struct sp_store *store, const struct sp_stream_row *stream,
		    const struct sp_feed_message *message, enum sp_verdict *verdict)
{
	if (*verdict != SP_VERDICT_CONFLICT || stream->cls != message->envelope.cls ||
	    stream->cls != SP_RECORD_ATTENDANCE)
		return 0;
	int result = sp_punch_redacted(store, stream->id, message);
	if (result == 1)
		*verdict = SP_VERDICT_DUPLICATE;
	return result < 0 ? result : 0;
}

static int unread(struct sp_store *store, const struct sp_arrival *arrival, const struct sp_feed_event *event,
		  const char *fault)
{
	char why[128];
	snprintf(why, sizeof(why), "record %" PRId64 ", type \"%s\", is stored but not understood",
		 event->seq, event->type);
	return sp_store_set_aside(store, fault, arrival->device, event->type, why, 1);
}

/// Places, stores and projects one record. `loose` and the stream's span follow.
static int store_event(struct sp_store *store, const struct sp_arrival *arrival,
		       const struct sp_time_frame *frame, const struct sp_feed_event *event,
		       struct sp_placed *when)
{
	const struct sp_anchor own = {event->placed, event->mono_us, event->t_ms, event->err_ms};
	int64_t id = 0;
	int result = sp_time_place(store, frame, &own, event->mono_us, when);
	char *kept = sp_attendance_kept(event->type, event->data);
	if (result == 0)
		result = sp_event_room(store, arrival->arrived_ms);
	if (result == 0)
		result = SQL_GET(
		    store->db, &id,
		    "INSERT INTO event(stream, seq, type, instance, mono_us, t_ms, err_ms, placed,"
		    " arrived_ms, data) VALUES(?, ?, ?, ?, ?, ?, nullif(?, -1), ?, ?, ?) RETURNING id",
		    I(frame->stream), I(event->seq), T(event->type), T(event->device), I(event->mono_us),
		    I(when->t_ms), I(when->err_ms), I(when->by), I(arrival->arrived_ms),
		    T(kept ? kept : event->data));
	free(kept);
	if (result < 0)
		return result;
	const struct sp_record record = {.id = id,
					 .device = frame->device,
					 .stream = frame->stream,
					 .boot = frame->boot,
					 .seq = event->seq,
					 .mono_us = event->mono_us,
					 .type = event->type,
					 .instance = event->device,
					 .data = event->data,
					 .when = *when,
					 .was_ms = -1};
	result = sp_project(store, frame, &record);
	if (result == 1)
		result = unread(store, arrival, event, "malformed_record");
	else if (result == 2)
		result = sp_limit_refused(store, arrival->device, event->type);
	else if (result == 0 && !sp_fact_known_type(event->type))
		result = unread(store, arrival, event, "unknown_type");
	return result;
}

static int store_events(struct sp_store *store, const struct sp_arrival *arrival,
			const struct sp_time_frame *frame, const struct sp_feed_message *message)
{
	int64_t loose = 0, from_ms = INT64_MAX, to_ms = -1, first_ms = INT64_MAX, last_ms = -1;
	for (size_t i = 0; i < message->count; i++) {
		struct sp_placed when;
		int result = store_event(store, arrival, frame, &message->events[i], &when);
		if (result < 0)
			return result;
		loose += sp_time_is_loose(&when);
		first_ms = when.t_ms < first_ms ? when.t_ms : first_ms;
		last_ms = when.t_ms > last_ms ? when.t_ms : last_ms;
		// What was erased has no time of its own any more.
		if (when.by == SP_PLACED_BOUNDS || strcmp(message->events[i].type, "forgotten") == 0)
			continue;
		from_ms = when.t_ms < from_ms ? when.t_ms : from_ms;
		to_ms = when.t_ms > to_ms ? when.t_ms : to_ms;
	}
	int result =
	    SQL_DO(store->db, "INSERT INTO batch VALUES(?, ?, ?, ?, ?, ?, ?, ?)", I(frame->stream),
		   I(message->envelope.first), I(message->envelope.last), T(message->envelope.digest),
		   I(frame->boot), I(arrival->arrived_ms), I(loose), I(message->envelope.redacted));
	if (result == 0 && last_ms >= 0)
		result = sp_rollup_records(store, frame->device, frame->stream,
					   message->envelope.cls == SP_RECORD_FACTS, first_ms, last_ms);
	if (result < 0 || to_ms < 0)
		return result;
	return SQL_DO(store->db,
		      "UPDATE stream SET boot = ?2, from_ms = least(coalesce(from_ms, ?3), ?3),"
		      " to_ms = greatest(coalesce(to_ms, ?4), ?4) WHERE id = ?1",
		      I(frame->stream), I(frame->boot), I(from_ms), I(to_ms));
}

/// The clocks first, so that this very message is placed with what it teaches.
static int learn(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t stream,
		 const struct sp_feed_message *message, struct sp_time_frame *frame)
{
	const struct sp_feed_envelope *envelope = &message->envelope;
	int64_t boot, clk_boot;
	int result = sp_boot_row(store, device, envelope->boot, &boot);
	if (result == 0)
		result = sp_boot_row(store, device, envelope->clk_boot, &clk_boot);
	if (result == 0)
		result = sp_time_clk(store, arrival, device, clk_boot, &envelope->clk);
	for (size_t i = 0; result == 0 && i < message->count; i++) {
		const struct sp_feed_event *event = &message->events[i];
		const struct sp_anchor own = {true, event->mono_us, event->t_ms, event->err_ms};
		// The first one, and the clock's own facts: hourly ones are enough for a boot.
		if (event->placed && (i == 0 || strcmp(event->type, "clock") == 0))
			result = sp_time_own(store, device, boot, &own, arrival->arrived_ms);
	}
	if (result == 0)
		result = SQL_DO(store->db, "UPDATE stream SET boot = ? WHERE id = ? AND boot IS NULL",
				I(boot), I(stream));
	if (result == 0)
		result = sp_time_frame(store, arrival, device, boot, stream, clk_boot, &envelope->clk, frame);
	return result;
}

static int store_batch(struct sp_store *store, const struct sp_arrival *arrival, int64_t device,
		       struct sp_stream_row *stream, const struct sp_feed_message *message)
{
	const struct sp_feed_envelope *envelope = &message->envelope;
	struct sp_time_frame frame;
	int result = sp_gap_fill(store, stream, envelope->first, envelope->last);
	// The chain before the clocks: it bounds what they do not place.
	if (result == 0 && envelope->first == 1)
		result = sp_chain_opened(store, device, stream, &message->events[0]);
	if (result == 0)
		result = sp_chain_beyond(store, device, stream, envelope->last);
	if (result == 0)
		result = learn(store, arrival, device, stream->id, message, &frame);
	if (result == 0)
		result = store_events(store, arrival, &frame, message);
	return result;
}

static int batch(struct sp_store *store, const struct sp_arrival *arrival,
		 const struct sp_feed_message *message, enum sp_verdict *verdict)
{
	const struct sp_feed_envelope *envelope = &message->envelope;
	struct sp_stream_row stream;
	int64_t device;
	int result = sp_device_row(store, arrival->device, arrival->shard, &device);
	if (result == 0)
		result = sp_stream_get(store, device, envelope->stream, envelope->cls, &stream);
	if (result == 0)
		result = judge(store, stream.id, envelope, verdict);
	if (result == 0)
		result = redacted(store, &stream, message, verdict);
	if (result != 0)
		return result;
	if (stream.cls != envelope->cls)
		*verdict = SP_VERDICT_CONFLICT;
	if (*verdict == SP_VERDICT_CONFLICT)
		return conflict(store, device, stream.id, envelope);
	if (*verdict == SP_VERDICT_STORED)
		result = store_batch(store, arrival, device, &stream, message);
	if (result == 0)
		result = heard(store, device, arrival, arrival->arrived_ms,
			       *verdict == SP_VERDICT_STORED ? (int64_t)message->count : 0);
	sp_touch(&store->streams, stream.id);
	return result;
}

// ---- births, stops, wills -----------------------------------------------------------------------------

/// A broker may bring back an old retained birth: the same boot's monotonic clock shows its age.
static int is_stale(struct sp_store *store, int64_t device, const struct sp_feed_state *state)
{
	int64_t stale = 0;
	int result =
	    SQL_GET(store->db, &stale, "SELECT 1 FROM device WHERE id = ? AND boot = ? AND birth_mono_us > ?",
		    I(device), T(state->boot), I(state->clk.mono_us));
	return result < 0 ? result : (int)stale;
}

static int set_presence(struct sp_store *store, int64_t device, const struct sp_feed_state *state)
{
	int64_t presence = state->presence == SP_FEED_ONLINE ? SP_PRESENCE_ONLINE : SP_PRESENCE_STOPPED;
	// A retained message that is read again is no news: the time of the change stays.
	return SQL_DO(
	    store->db,
	    "UPDATE device SET presence_ms = CASE WHEN presence = ?2 AND session = ?3 THEN presence_ms ELSE "
	    "?6 END,"
	    " presence = ?2, session = ?3, boot = ?4, version = ?5, birth_mono_us = ?7 WHERE id = ?1",
	    I(device), I(presence), T(state->session), T(state->boot), T(state->version), I(store->now_ms),
	    I(state->clk.mono_us));
}

static int will(struct sp_store *store, const struct sp_arrival *arrival, const struct sp_feed_state *state)
{
	int64_t device = 0;
	int result = SQL_GET(store->db, &device,
			     "SELECT id FROM device WHERE name = ? AND session = ? AND presence = ?",
			     T(state->device), T(state->session), I(SP_PRESENCE_ONLINE));
	if (result != 1)
		return result;
	sp_touch(&store->devices, device);
	sp_rollup_touch(store, device, store->now_ms - SP_DAY_MS, store->now_ms);
	result = SQL_DO(store->db, "UPDATE device SET presence = ?, presence_ms = ? WHERE id = ?",
			I(SP_PRESENCE_LOST), I(store->now_ms), I(device));
	if (result == 0)
		result = sp_absence_begins(store, arrival, device);
	return result < 0 ? result : sp_silence_lost(store, device);
}

/// A birth that the broker repeats was said when its own clock says.
static int64_t heard_at(const struct sp_arrival *arrival, const struct sp_clock_reading *clk)
{
	if (!arrival->retained)
		return arrival->arrived_ms;
	if (clk->synced && sp_place_credible(clk->wall_ms, clk->err_ms, arrival->arrived_ms))
		return clk->wall_ms < arrival->arrived_ms ? clk->wall_ms : arrival->arrived_ms;
	return -1;
}

static int presence(struct sp_store *store, const struct sp_arrival *arrival,
		    const struct sp_feed_state *state)
{
	int64_t device, boot;
	if (state->presence == SP_FEED_LOST)
		return will(store, arrival, state);
	bool answers = state->hub_epoch[0] && strcmp(state->hub_epoch, store->epoch) == 0;
	int result = sp_device_row(store, arrival->device, arrival->shard, &device);
	if (result == 0)
		result = is_stale(store, device, state);
	if (result != 0)
		return result < 0 ? result : 0;
	result = set_presence(store, device, state);
	if (result == 0 && !arrival->retained)
		result = sp_absence_ends(store, device);
	sp_rollup_touch(store, device, store->now_ms - SP_DAY_MS, store->now_ms);
	if (result == 0)
		result = sp_boot_row(store, device, state->boot, &boot);
	// What is refused for the streams that it names must not have placed a boot anew, time and again.
	if (result == 0)
		result = sp_chain_birth(store, device, state, !arrival->retained, answers);
	if (result == 0 && (state->clk.synced || !arrival->retained))
		result = sp_time_clk(store, arrival, device, boot, &state->clk);
	if (result == 0)
		result = heard(store, device, arrival, heard_at(arrival, &state->clk), 0);
	return result;
}

// ---- either ------------------------------------------------------------------------------------------

/// A batch, or a state when `message` is NULL.
static int one_message(struct sp_store *store, const struct sp_arrival *arrival,
		       const struct sp_feed_message *message, const struct sp_feed_state *state,
		       enum sp_verdict *verdict)
{
	char why[128];
	assert(message || state);
	int home = sp_device_at_home(store, arrival->device, arrival->shard);
	if (home < 0)
		return home;
	if (home)
		return message ? batch(store, arrival, message, verdict) : presence(store, arrival, state);
	*verdict = SP_VERDICT_FOREIGN;
	snprintf(why, sizeof(why), "heard on shard %s, but belongs to another one", arrival->shard);
	return sp_store_set_aside(store, "foreign", arrival->device, arrival->shard, why, 1);
}

static int undo(struct sp_store *store)
{
	store->marked_from_ms = store->marked_to_ms = 0; // what was noted in it is gone, too
	sp_event_forget(store, true);                    // and a partition, a claim
	return SQL_DO(store->db, "ROLLBACK TO message");
}

/// All of a message or nothing. What the tables refuse is refused for ever: one hostile message must
/// not hold up the others.
static int guarded(struct sp_store *store, const struct sp_arrival *arrival,
		   const struct sp_feed_message *message, const struct sp_feed_state *state,
		   enum sp_verdict *verdict)
{
	int result = sp_hot_leave(store, arrival->device);
	if (result == 0)
		result = SQL_DO(store->db, "SAVEPOINT message");
	if (result == 0)
		result = one_message(store, arrival, message, state, verdict);
	if (result == -EEXIST) {
		char why[256];
		snprintf(why, sizeof(why), "%.255s", sp_db_error(store->db));
		*verdict = SP_VERDICT_CONFLICT;
		sp_rollup_unsure(store);
		result = undo(store);
		if (result == 0)
			result = sp_store_set_aside(store, "refused", arrival->device,
						    message ? message->envelope.stream : "state", why, 1);
	} else if (result == -EDQUOT) {
		*verdict = SP_VERDICT_REFUSED;
		result = undo(store);
		if (result == 0)
			result = sp_limit_refused(store, arrival->device,
						  message ? message->envelope.stream : "state");
	}
	return result < 0 ? result : SQL_DO(store->db, "RELEASE message");
}

int sp_store_batch(struct sp_store *store, const struct sp_arrival *arrival,
		   const struct sp_feed_message *message, enum sp_verdict *verdict)
{
	int result = sp_hot_batch(store, arrival, message);
	*verdict = SP_VERDICT_STORED;
	if (result != 0)
		return result < 0 ? result : 0;
	return guarded(store, arrival, message, NULL, verdict);
}

int sp_store_state(struct sp_store *store, const struct sp_arrival *arrival,
		   const struct sp_feed_state *state)
{
	enum sp_verdict verdict;
	return guarded(store, arrival, NULL, state, &verdict);
}
