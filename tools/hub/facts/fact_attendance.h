// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Records of kiosks: `punch`, `kiosk`, `kiosk_total`, `attendance`, `subject_request`, `key_backup`
// (include/schoolpulse/feed/README.md, "Attendance").
#pragma once

#include "tools/hub/facts/fact.h"

enum {
	SP_PSEUDONYM_LENGTH = 32,  ///< hexadecimal digits of `event` and `person`
	SP_PERSONS_MAX = 512,      ///< of one request: more do not fit into a record
	SP_GROUPS_MAX = 600,       ///< of one slot: likewise
	SP_GROUP_NAME = 129,       ///< bytes with the end
	SP_BACKUP_MAX = 16 * 1024, ///< bytes of a sealed key backup, in base64
	SP_KIOSK_TEXT = 65,        ///< model, firmware, gate
};
#define SP_NO_TIME INT64_MIN

enum sp_punch_way { SP_WAY_UNKNOWN, SP_WAY_IN, SP_WAY_OUT };
#define SP_WAYS 3
const char *sp_punch_way_name(enum sp_punch_way way);

/// Those up to LATE are where they belong in time.
enum sp_punch_mark { SP_MARK_LIVE, SP_MARK_LATE, SP_MARK_FUTURE, SP_MARK_IMPLAUSIBLE };
#define SP_MARKS 4
const char *sp_punch_mark_name(enum sp_punch_mark mark);

enum sp_punch_correction {
	SP_CORRECTION_UNKNOWN,
	SP_CORRECTION_NONE,
	SP_CORRECTION_KIOSK_CLOCK,
	SP_CORRECTION_ZONE,
	SP_CORRECTION_RECEIVED,
};
#define SP_CORRECTIONS 5
const char *sp_punch_correction_name(enum sp_punch_correction correction);

#define SP_METHODS      10 ///< the words of the feed; one that we do not know is "unknown"
#define SP_PERSON_KINDS 4
const char *sp_punch_method_name(int method);
const char *sp_person_kind_name(int kind);

struct sp_fact_punch {
	char event[SP_PSEUDONYM_LENGTH + 1], person[SP_PSEUDONYM_LENGTH + 1];
	int person_kind, method;
	enum sp_punch_way way;
	enum sp_punch_mark mark;
	enum sp_punch_correction correction;
	char gate[SP_KIOSK_TEXT];
	char kiosk_time[20];                ///< "": it has no clock
	int64_t kiosk_t_ms, corrected_t_ms; ///< SP_NO_TIME
	double correction_seconds;          ///< 0: none, or not known
	int64_t number;                     ///< -1: it has none
};
bool sp_fact_punch(struct sp_fact_punch *out, const char *data);

/// Numbers: -1 is not known; the clock's error: has_clock_error.
struct sp_fact_kiosk {
	char driver[SP_KIOSK_TEXT], model[SP_KIOSK_TEXT], firmware[SP_KIOSK_TEXT];
	int64_t heard_mono_us;
	bool has_clock_error;
	double clock_error_seconds;
	int64_t records, capacity, users, backlog, refused, accepted, known;
};
bool sp_fact_kiosk(struct sp_fact_kiosk *out, const char *data);

struct sp_fact_kiosk_total {
	int64_t day;   ///< since 1970-01-01
	int64_t kiosk; ///< by the kiosk's own count
	int64_t taken; ///< by the board's; -1: not known
};
bool sp_fact_kiosk_total(struct sp_fact_kiosk_total *out, const char *data);

struct sp_fact_attendance {
	int64_t day, slot, slot_minutes, revision; ///< slot: minutes from midnight
	size_t count;
	struct sp_fact_group {
		char name[SP_GROUP_NAME];
		enum sp_punch_way way;
		int64_t persons; ///< -1: kept back
	} groups[SP_GROUPS_MAX];
};
bool sp_fact_attendance(struct sp_fact_attendance *out, const char *data);

/// The groups as a list in text, for the store, and back: how many there are, up to SP_GROUPS_MAX.
void sp_fact_groups_write(struct sp_buf *out, const struct sp_fact_attendance *fact);
size_t sp_fact_groups(struct sp_fact_group out[SP_GROUPS_MAX], const char *text);

enum sp_subject_action { SP_SUBJECT_FORGET, SP_SUBJECT_EXPORT };
#define SP_SUBJECT_ACTIONS 2
const char *sp_subject_action_name(enum sp_subject_action action);

struct sp_fact_subject {
	char request[65];
	enum sp_subject_action action;
	bool once;      ///< later events of the person are taken again
	int64_t erased; ///< by the board; 0: it does not say
	size_t count;
	char persons[SP_PERSONS_MAX][SP_PSEUDONYM_LENGTH + 1];
};
bool sp_fact_subject(struct sp_fact_subject *out, const char *data);

struct sp_fact_backup {
	char school_years[SP_TEXT_MAX]; ///< joined by commas
	char mark[16];                  ///< which printed code opens it
	char blob[SP_BACKUP_MAX + 1];
};
bool sp_fact_backup(struct sp_fact_backup *out, const char *data);
