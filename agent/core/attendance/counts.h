// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Publication level `counts`: how many persons of each class, or at each kiosk, came or went in each slot of
// a day, as facts `attendance`. What of it may be told decides counts_day.h; here are days, clocks, names and
// what is kept: counts are made again from the journal's events after a restart, and what was told stands in
// the journal's durable state, for that must never be forgotten as long as a slot may be revised.
#pragma once

#include "agent/core/attendance/attendance.h"

enum {
	SP_COUNTS_DAYS = 8,                   ///< today and what late events may still change
	SP_COUNTS_WAIT_MS = 5 * 60 * 1000,    ///< after its end a slot is told
	SP_COUNTS_REVISE_MS = 60 * 60 * 1000, ///< between two revisions of a slot
	SP_COUNTS_STATE_MAX = 60 * 1024,      ///< of a day's durable state
};

struct sp_counts_config {
	const struct sp_attendance_conf *conf; ///< outlives this
	const char *const *kiosks;             ///< names; copied
	size_t kiosk_count;
	struct sp_recorder *recorder;
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	/// The key of a school year; NULL: there is none.
	const uint8_t *(*year_key)(void *arg, int32_t year);
	void *arg;
};

struct sp_counts;

/// Reads what was told before.
struct sp_counts *sp_counts_new(const struct sp_counts_config *config);
void sp_counts_free(struct sp_counts *counts);

/// An event that is on the card. The same one twice is counted once.
void sp_counts_event(struct sp_counts *counts, const struct sp_attendance_event *event);

/// Events that the journal has kept, on whichever thread reads them: collected, and then counted at once.
struct sp_counts_replay;
struct sp_counts_replay *sp_counts_replay_new(void);
/// A record as sp_journal_events() gives it.
void sp_counts_replay_add(struct sp_counts_replay *replay, const char *record);
/// On the main thread: counts all of them and frees the replay. `counts` NULL: only that. From now on slots
/// are told.
void sp_counts_replay_end(struct sp_counts *counts, struct sp_counts_replay *replay);

/// Other keys came back from a back-up: who is in which class is found by them.
void sp_counts_new_keys(struct sp_counts *counts);

/// Every few seconds: tells what is due.
void sp_counts_look(struct sp_counts *counts);
