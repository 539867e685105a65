// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What becomes of kiosks' events: pseudonyms and identities, times, what the kiosks themselves are like, and
// what of all this leaves the school. One object per agent, on the main thread; io/kiosk.c brings it what
// drivers say.
#pragma once

#include <cjson/cJSON.h>

#include "agent/core/attendance/keys.h"
#include "agent/core/attendance/person.h"
#include "agent/core/journal/journal.h"
#include "agent/core/loop.h"
#include "agent/core/recorder.h"
#include "agent/core/settings.h"
#include "schoolpulse/kiosk.h"

struct sp_attendance;
struct sp_kiosk; ///< one device

/// An event that was new and is on the card now, without the person's number.
struct sp_attendance_event {
	const char *kiosk, *gate, *person; ///< `person`: the pseudonym
	enum sp_punch_direction direction;
	bool known; ///< `t_ms` is when it happened; false: the board or the kiosk cannot tell
	int64_t t_ms;
	int64_t mono_us; ///< when it came
};

struct sp_attendance_config {
	const struct sp_attendance_conf *conf; ///< of the settings; outlives this
	const char *state_dir;
	struct sp_loop *loop;
	struct sp_recorder *recorder; ///< for facts
	/// The journal's calls of the same names, but for tests.
	int (*append)(void *arg, const struct sp_journal_event *event, sp_journal_done_fn done,
		      void *done_arg);
	int (*seen)(void *arg, const char *kiosk, int32_t day, sp_journal_count_fn done, void *done_arg);
	/// Durable small state.
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	void *arg;
	/// This person must be forgotten: the event is committed as nothing. May be NULL.
	bool (*forgotten)(void *arg, enum sp_person_kind kind, const char *person, size_t length);
	/// An event is on the card that was not there before. May be NULL.
	void (*accepted)(void *arg, const struct sp_attendance_event *event);
	void *hooks_arg;
};

struct sp_attendance *sp_attendance_new(const struct sp_attendance_config *config);
/// The journal has ended, and what it posted was run. NULL is fine.
void sp_attendance_free(struct sp_attendance *attendance);

/// The keys; NULL without a legal basis, or when they cannot be read.
struct sp_keys *sp_attendance_keys(struct sp_attendance *attendance);
/// Why nothing is recorded although there is a legal basis; NULL: it is.
const char *sp_attendance_refused(const struct sp_attendance *attendance);
/// Keys that come back from a back-up take the place of what there is, also of keys that cannot be read. 0 or
/// -errno: -EPERM without a legal basis.
int sp_attendance_restore(struct sp_attendance *attendance, const struct sp_key_set *keys) SP_MUST_CHECK;
/// The hub holds events so long: keys of school years that ended earlier are deleted.
void sp_attendance_hub_keeps(struct sp_attendance *attendance, int64_t days);
/// Every few seconds: facts that are due.
void sp_attendance_look(struct sp_attendance *attendance);

/// The kiosk of that name, made at the first call; lives as long as `attendance`.
struct sp_kiosk *sp_attendance_kiosk(struct sp_attendance *attendance, const char *name, const char *driver);
/// kiosk.h's calls; `done` runs on the main thread, later.
int sp_attendance_punch(struct sp_kiosk *kiosk, const struct sp_punch *punch, sp_journal_done_fn done,
			void *arg) SP_MUST_CHECK;
void sp_attendance_health(struct sp_kiosk *kiosk, const struct sp_kiosk_health *health);
/// kiosk.h: sp_kiosk_same().
void sp_attendance_same(struct sp_kiosk *kiosk, const char *other);
void sp_attendance_total(struct sp_kiosk *kiosk, int32_t day, int64_t count);

/// For the status; `state` of a device is not known here.
/// One object; NULL beyond the last.
cJSON *sp_attendance_json(const struct sp_attendance *attendance, size_t index);
