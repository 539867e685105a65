// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the `hikvision` driver share: one terminal, its stream, its questions, its memory.
#pragma once

#include "hikvision_event.h"
#include "hikvision_parts.h"
#include "schoolpulse/kiosk.h"

enum {
	SP_HIK_ANSWER_MAX = 256 * 1024, ///< a page of 30 entries takes some 20 KiB
	SP_HIK_REFUSAL_MAX = 2048,      ///< of a stream that is refused
	SP_HIK_URL_MAX = 320,
	SP_HIK_WAITING_MOST = 64,  ///< handed over, not committed: the stream waits
	SP_HIK_WAITING_LEAST = 16, ///< and goes on; the next page is asked for
};

struct hik_conf {
	char *url, *user, *password, *fingerprint, *ca_file, *time_zone;
	int direction; ///< enum sp_direction_option
	struct sp_strings in_doors, out_doors, in_readers, out_readers;
	int64_t silence_ms, history_ms, page;
};

/// A punch on its way to the card.
struct hik_waiting {
	struct hik_waiting *next, *previous;
	int64_t kiosk_ms;
};

/// Why something does not work; "": it does.
struct hik_fault {
	char reason[24], text[200];
};

struct hik;
typedef void (*hik_answer_fn)(struct sp_device *dev, struct hik *hik, int result, long status);

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): what belongs together stands together
struct hik {
	int32_t zone_s;
	struct sp_http_session *session;
	struct sp_timer *timer;      ///< the next step
	int64_t next_us, backoff_ms; ///< when it is tried again: the first question, or the stream
	struct hik_fault fault, stream_fault;

	// ---- who it is
	bool identified;
	char serial[65], model[65], firmware[65];

	// ---- the login that was refused
	int64_t locked_until_us; ///< 0: not
	unsigned refusals;       ///< in a row
	bool denied;             ///< no legal basis: nothing is read

	// ---- one question at a time
	struct sp_http_stream *ask;
	hik_answer_fn answered;
	char *question; ///< body of a POST
	size_t question_length, question_sent;
	char *answer;
	size_t answer_length;
	long ask_status;
	int64_t asked_us;
	bool round, examined; ///< the core's round is under way; its question was asked

	// ---- its clock
	int64_t unit_ms, unit_at_us;      ///< what it last said, and when; at 0: never
	double clock_error_s;             ///< NAN: not known
	int32_t unit_zone_s, told_zone_s; ///< as it writes;  the last wrong zone that people were told of

	// ---- the stream
	struct sp_http_stream *stream;
	struct sp_hik_parts parts;
	int64_t opened_us, heard_us, streamed_us;
	long stream_status;
	char refusal[SP_HIK_REFUSAL_MAX];
	size_t refusal_length;
	bool flowing, paused;

	// ---- its memory: windows of kiosk time that are to be read
	bool begun;              ///< with what it remembers of before our start
	int64_t owed_ms;         ///< everything from here on; INT64_MAX: nothing
	int64_t pull_at_us;      ///< not before
	bool pulling, no_memory; ///< it does not answer such questions
	int64_t pull_from_ms, pull_to_ms, position, total, page, counted;
	int64_t entry_ms;              ///< of the last entry; INT64_MAX: they are not in order
	int32_t pull_day;              ///< whose total is counted; -1: none
	int32_t night_day;             ///< the next day to be gone through; INT32_MAX: none
	int32_t night_done;            ///< the last day on which that was begun
	unsigned pulls, pull_failures; ///< in a row
	int64_t daily_us;              ///< when it was last asked what changes slowly

	// ---- punches
	struct hik_waiting *waiting;
	unsigned waiting_count;
	bool trouble; ///< one could not be kept

	// ---- counts since start
	int64_t turned_away, others, malformed, pictures, records, users;
};

// hikvision.c
/// Works out what is to be done next, and does it soon.
void hik_soon(struct hik *hik);
/// Not before a while: twice as long as the last time, unless the last attempt was a good one.
void hik_back_off(const struct sp_device *dev, struct hik *hik, bool good, int64_t least_ms);
/// Asks by GET, or by POST with `question`, which it takes. `answered` sees the answer in hik->answer.
void hik_ask(struct sp_device *dev, struct hik *hik, const char *path, char *question,
	     hik_answer_fn answered);
/// Ends the round, if one is under way, by what is known.
void hik_round_over(struct sp_device *dev, struct hik *hik);
void hik_fault(struct hik_fault *fault, const char *reason, const char *format, ...) SP_PRINTF(3, 4);
/// Why a transfer ended without an answer.
void hik_unanswered(struct hik_fault *fault, const char *what, int result, long status);
/// A login was refused: nothing more is asked until it may be.
void hik_refused(struct sp_device *dev, struct hik *hik, const char *body, size_t length);

// hikvision_stream.c
void hik_stream_open(struct sp_device *dev, struct hik *hik);
void hik_stream_close(const struct sp_device *dev, struct hik *hik);
/// As waiting_count says.
void hik_stream_pace(struct hik *hik);

// hikvision_pull.c
/// There is something to be read of its memory, and nothing in the way.
bool hik_pull_due(const struct hik *hik);
/// Asks for the next page, or ends what was read to its end.
void hik_pull_step(struct sp_device *dev, struct hik *hik);
/// Everything since then, in the terminal's time, is to be read again.
void hik_owe(struct hik *hik, int64_t since_ms);
void hik_pull_abandon(struct hik *hik);
/// After midnight, once a day: the days before.
void hik_pull_nightly(const struct sp_device *dev, struct hik *hik);

// hikvision_punch.c
/// False: nothing more can be taken.
bool hik_punch(struct sp_device *dev, struct hik *hik, const struct sp_hik_event *event, bool streamed);
void hik_punch_forget(struct hik *hik);

// hikvision_health.c
void hik_identify(struct sp_device *dev, struct hik *hik);
/// Asks for its time, and what the round wants to know besides.
void hik_examine(struct sp_device *dev, struct hik *hik);
void hik_health_tell(struct sp_device *dev, struct hik *hik);
/// The terminal's time now, by what it last said.
int64_t hik_unit_now(const struct sp_device *dev, const struct hik *hik);
void hik_unit_said(const struct sp_device *dev, struct hik *hik, const struct sp_civil *civil);
