// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a person, or its parents, may ask the school for: everything that the board holds of it, and to be
// forgotten. The number goes no further than this: it becomes one pseudonym for each school year whose key
// the board holds.
//
// To forget: whom to refuse and what to erase is on the card first (refused.h), then the journal erases, then
// the fact `subject_request` is recorded, for the hub, and then the rest of the note goes. After a crash all
// of it happens again, which does no harm: the request has the same id.
#pragma once

#include <cjson/cJSON.h>

#include "agent/core/attendance/attendance.h"
#include "agent/core/attendance/refused.h"

enum { SP_SUBJECT_EVENTS_MAX = 2000, SP_SUBJECT_BYTES_MAX = 800 * 1024 };

struct sp_subject_config {
	const char *state_dir;
	struct sp_recorder *recorder;
	/// NULL: attendance is off, or its keys cannot be read.
	const struct sp_key_set *(*keys)(void *arg);
	/// The journal's calls of the same names, but for tests.
	int (*events)(void *arg, bool (*event)(void *event_arg, const char *record), sp_journal_done_fn done,
		      void *done_arg);
	int (*erase)(void *arg, const char *const *persons, size_t count, sp_journal_count_fn done,
		     void *done_arg);
	void *arg;
};

struct sp_subject;

/// What came of a request, on the main thread; `answer` is the caller's then, NULL unless `result` is 0:
/// {"request":…,"persons":[…],"erased":17} or {"request":…,"persons":[…],"events":[…],"left_out":0}.
typedef void (*sp_subject_done_fn)(void *arg, int result, cJSON *answer);

/// Reads whom to refuse; a list that cannot be read is an error: -errno, and nothing may be taken.
int sp_subject_new(struct sp_subject **out, const struct sp_subject_config *config) SP_MUST_CHECK;
/// The journal has ended, and what it posted was run: requests under way end with -ECANCELED.
void sp_subject_free(struct sp_subject *subject);
/// Finishes what a crash has interrupted.
void sp_subject_resume(struct sp_subject *subject);

/// Must this person be forgotten?
bool sp_subject_refuses(const struct sp_subject *subject, enum sp_person_kind kind, const char *person,
			size_t length);
const struct sp_refused *sp_subject_list(const struct sp_subject *subject);
/// Adds those whom another board of the school has refused. 0 or -errno.
int sp_subject_merge(struct sp_subject *subject, const uint8_t (*persons)[SP_REFUSED_DIGEST],
		     size_t count) SP_MUST_CHECK;

/// `once`: later events are taken again. 0, and `done` runs; or -errno, and it does not: -ENOKEY (no keys),
/// -EBUSY (one at a time), -ENODATA (no school year yet), or what the card says.
int sp_subject_forget(struct sp_subject *subject, enum sp_person_kind kind, const char *person, size_t length,
		      bool once, sp_subject_done_fn done, void *arg) SP_MUST_CHECK;
int sp_subject_export(struct sp_subject *subject, enum sp_person_kind kind, const char *person, size_t length,
		      sp_subject_done_fn done, void *arg) SP_MUST_CHECK;
/// Later events are taken again. 0; -ENOENT: they were not refused; or -errno.
int sp_subject_remember(struct sp_subject *subject, enum sp_person_kind kind, const char *person,
			size_t length) SP_MUST_CHECK;
