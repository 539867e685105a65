// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of the journal's attendance share: events with numbers, committed to a file or appended to a
// journal, and an auditor that finds each of them again.
#pragma once

#include "agent/core/journal/journal.h"
#include "tests/unit/core/journal_util.h"

#define GATE "cổng chính"

/// The pseudonym of person n, 32 digits.
void person_name(char out[33], int64_t n);
/// A punch {"type":"punch","device":GATE,…,"n":n,"person":…}; the caller frees.
char *event_record(int64_t n, int64_t person);
void event_key(uint8_t out[16], int64_t n);
/// Event n of that person, GATE and day; `record` lives as long as its owner.
struct sp_journal_event event_of(char *record, int64_t n, int32_t day, bool publish);

/// One commit of events n … n + count - 1, of persons n % 100; *known of them were there.
int commit_events(struct sp_journal_store *store, int64_t n, size_t count, int32_t day, bool publish,
		  size_t *known);

/// All events that a file holds, by walking.
struct roll {
	unsigned char seen[AUDIT_MAX]; ///< by n: how often
	size_t events;
	const char *person; ///< NULL, or: how many are of that one
	size_t of_person;
};
bool roll_event(void *arg, const char *record);
void call_roll(struct roll *out, struct sp_journal_store *store);

/// Do the raw bytes of any file in the directory contain the text?
bool anywhere(const struct test_place *place, const char *text);
