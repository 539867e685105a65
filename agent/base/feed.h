// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The wire codec: envelopes, births, acknowledgements and hub state, both ways. The contract is
// include/schoolpulse/feed/README.md; every decoder here takes hostile bytes and is fuzzed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/ids.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/record.h"

enum {
	SP_FEED_VERSION = 1,
	SP_FEED_PAYLOAD_MAX = 64 * 1024, ///< on the wire, deflated or not
	SP_FEED_INFLATED_MAX = 512 * 1024,
	SP_FEED_BATCH_MAX = 1000,       ///< records in an envelope
	SP_FEED_RECORD_MAX = 16 * 1024, ///< one record's JSON text
	SP_FEED_HAVE_MAX = 32,          ///< ranges in an acknowledgement
	SP_FEED_HELD_MAX = 256,         ///< streams in a birth: a board that restarts often while offline
	SP_FEED_BOOT_LENGTH = 36,
};

/// Content types of MQTT 5 and of journalled batches.
#define SP_FEED_JSON     "application/json"
#define SP_FEED_DEFLATED "application/json+deflate"

// ---- records (agent) --------------------------------------------------------------------------

/// Appends one record without its seq: `{"type":…,"device":…,"mono_us":…[,"t_ms":…,"err_ms":…],…}`.
/// `device` NULL: the agent itself. The journal splices the seq in. 0, -EMSGSIZE above
/// SP_FEED_RECORD_MAX, -EINVAL for a field that JSON cannot hold.
int sp_feed_record(struct sp_buf *out, const char *type, const char *device,
		   const struct sp_clock_reading *when, const struct sp_field *fields,
		   size_t count) SP_MUST_CHECK;
/// Appends the record to a batch text, `[{"seq":N,…` (the caller closes it with "]").
void sp_feed_batch_add(struct sp_buf *batch, int64_t seq, const char *record);

/// [a-z_], 1…32 bytes.
bool sp_feed_type_valid(const char *type);

// ---- envelopes ---------------------------------------------------------------------------------

struct sp_feed_envelope {
	char device[33];
	char stream[SP_ID_LENGTH + 1];
	char boot[SP_FEED_BOOT_LENGTH + 1]; ///< the boot in which the records were made
	char digest[SP_DIGEST_LENGTH + 1];  ///< of the batch text, made when it was journalled
	enum sp_record_class cls;
	int64_t first, last; ///< seq of the first and last record; contiguous
	int64_t redacted;    ///< how often the board has erased something of this batch; 0: never
	char clk_boot[SP_FEED_BOOT_LENGTH + 1]; ///< the sender's boot when it sent
	struct sp_clock_reading clk;            ///< the sender's clocks when it sent
};

/// `batch` is the whole JSON array as journalled. Deflates (zlib) when `deflate`. 0 or -EMSGSIZE.
int sp_feed_envelope_encode(struct sp_buf *out, const struct sp_feed_envelope *envelope, const char *batch,
			    bool deflate) SP_MUST_CHECK;

/// One decoded record; texts live as long as the message.
struct sp_feed_event {
	int64_t seq;
	const char *type, *device; ///< device "" when the agent speaks of itself
	int64_t mono_us;
	bool placed; ///< t_ms and err_ms were there
	int64_t t_ms, err_ms;
	const char *data; ///< the remaining members as a JSON object text
};

struct sp_feed_message {
	struct sp_feed_envelope envelope;
	struct sp_feed_event *events;
	size_t count;
	char *texts; ///< private
};

/// Why a message was set aside; the hub counts by these words.
enum sp_feed_fault {
	SP_FEED_OK,
	SP_FEED_TOO_LARGE,
	SP_FEED_MALFORMED, ///< not JSON, not deflate, wrong types, missing members
	SP_FEED_UNKNOWN_VERSION,
	SP_FEED_FOREIGN,        ///< the topic and the content name different devices or classes
	SP_FEED_NOT_CONTIGUOUS, ///< seqs that do not rise by one
};
#define SP_FEED_FAULTS 6
const char *sp_feed_fault_name(enum sp_feed_fault fault);

/// `why` (≥ 128 bytes) gets a line for people. The message is to be freed in either case.
enum sp_feed_fault sp_feed_envelope_decode(struct sp_feed_message *out, const void *payload, size_t length,
					   const char *content_type, char why[128]);
void sp_feed_message_free(struct sp_feed_message *message);

// ---- births, wills, stops ------------------------------------------------------------------------

enum sp_feed_presence { SP_FEED_ONLINE, SP_FEED_STOPPED, SP_FEED_LOST };

struct sp_feed_held {
	char stream[SP_ID_LENGTH + 1];
	enum sp_record_class cls;
	int64_t oldest, newest; ///< both inclusive, of what the journal still holds
};

struct sp_feed_state {
	char device[33];
	char session[SP_ID_LENGTH + 1]; ///< pairs a will with its birth
	enum sp_feed_presence presence;
	char boot[SP_FEED_BOOT_LENGTH + 1];
	char version[32];
	char hub_epoch[SP_ID_LENGTH + 1]; ///< the epoch this birth answers; "" when none was heard
	struct sp_clock_reading clk;
	struct sp_feed_held held[SP_FEED_HELD_MAX]; ///< every stream in the journal, oldest first
	size_t held_count;
};

int sp_feed_state_encode(struct sp_buf *out, const struct sp_feed_state *state) SP_MUST_CHECK;
enum sp_feed_fault sp_feed_state_decode(struct sp_feed_state *out, const void *payload, size_t length,
					char why[128]);

// ---- acknowledgements and hub state ----------------------------------------------------------------

struct sp_feed_ack {
	char hub_epoch[SP_ID_LENGTH + 1];
	int64_t number; ///< rises within an epoch; an older one is ignored
	char stream[SP_ID_LENGTH + 1];
	int64_t upto; ///< 1…upto are settled (committed, dropped or lost); 0: none
	struct {
		int64_t from, to;
	} have[SP_FEED_HAVE_MAX]; ///< beyond upto, ascending, disjoint
	size_t have_count;
	/// The hub read its clock after it had heard what this board sent at `echo_mono_us` of `echo_boot`:
	/// so the board knows how old t_ms ± err_ms is at most, however long the message lay about.
	bool timed;
	int64_t t_ms, err_ms;
	char echo_boot[SP_FEED_BOOT_LENGTH + 1];
	int64_t echo_mono_us;
};

int sp_feed_ack_encode(struct sp_buf *out, const struct sp_feed_ack *ack) SP_MUST_CHECK;
enum sp_feed_fault sp_feed_ack_decode(struct sp_feed_ack *out, const void *payload, size_t length,
				      char why[128]);

struct sp_feed_hub {
	char hub_epoch[SP_ID_LENGTH + 1];
	bool online;
	int64_t reconnect_window_seconds; ///< boards spread their returns over it
	int64_t attendance_days;          ///< how long it holds events of kiosks; 0: it does not say
};

int sp_feed_hub_encode(struct sp_buf *out, const struct sp_feed_hub *hub) SP_MUST_CHECK;
enum sp_feed_fault sp_feed_hub_decode(struct sp_feed_hub *out, const void *payload, size_t length,
				      char why[128]);

// ---- topics -----------------------------------------------------------------------------------------

struct sp_feed_topic {
	char shard[33], device[33], leaf[16]; ///< leaf: "state", "facts", "bulk", "attendance", "reply"
};

/// Splits sp1/up/<shard>/<device>/<leaf>; false for anything else.
bool sp_feed_topic_parse(struct sp_feed_topic *out, const char *topic);
