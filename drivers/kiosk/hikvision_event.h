// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a terminal says, in JSON or XML, as it comes: an event of its stream, a page of its memory, an
// answer's single value. Of a person the employee number is kept and nothing else; names, masks, faces and
// card numbers do not leave the parser.
#pragma once

#include "civil_time.h"
#include "schoolpulse/kiosk.h"

enum sp_hik_kind {
	SP_HIK_OTHER,       ///< nobody's passing: doors, alarms, operations, a heartbeat
	SP_HIK_PASSED,      ///< somebody was recognised
	SP_HIK_TURNED_AWAY, ///< somebody, or something, was not
};

struct sp_hik_event {
	int64_t major, minor, serial, door, reader; ///< -1: not given
	bool live, told_live;                       ///< `currentEvent`, and whether it was there
	bool timed;
	struct sp_civil when;
	enum sp_punch_direction status; ///< `attendanceStatus`
	char person[SP_PERSON_MAX + 1]; ///< "": none
	size_t person_length;
	bool unreadable; ///< it has a number that is too long or no text
};

/// A part of the stream. 0; -EINVAL: neither JSON nor XML, or cut short.
int sp_hik_event_parse(const char *text, size_t length, struct sp_hik_event *out) SP_MUST_CHECK;
/// Of an access event.
enum sp_hik_kind sp_hik_event_kind(const struct sp_hik_event *event, enum sp_punch_method *method);

enum sp_hik_page_state { SP_HIK_PAGE_LAST, SP_HIK_PAGE_MORE, SP_HIK_PAGE_EMPTY };
struct sp_hik_page {
	enum sp_hik_page_state state;
	int64_t total, count; ///< `totalMatches`; entries of this page, as found
};
/// An answer of AcsEvent, JSON; `event` for each of its entries. 0 or -EINVAL.
int sp_hik_page_parse(const char *text, size_t length, struct sp_hik_page *out,
		      void (*event)(void *arg, const struct sp_hik_event *event), void *arg) SP_MUST_CHECK;

/// A value by its name in an answer that is XML or JSON, whatever was asked for. See sp_hik_xml_text().
int sp_hik_value(const char *text, size_t length, const char *name, char *out, size_t size);
