// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the journal's tests share: a directory of their own, records with a number, and an auditor that
// reads everything a journal holds and checks identities, digests and chains.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/journal/store.h"

#define TEST_BOOT "11111111-2222-3333-4444-555555555555"

/// "<dir>/journal.db" in a new temporary directory.
struct test_place {
	char dir[128], file[160];
};
void test_place_make(struct test_place *place);
void test_place_remove(struct test_place *place);
/// Copies journal.db and its WAL between two places.
void test_place_copy(const struct test_place *from, const struct test_place *to);
/// Files in the directory whose name contains `part`; WALs do not count.
size_t test_place_count(const struct test_place *place, const char *part);

struct sp_journal_store_config test_config(const struct test_place *place);

/// A record {"type":"device","mono_us":1,"n":…[,"fill":…]}; the caller frees.
char *test_record(int64_t n, size_t fill);
/// Commits `count` records n, n+1, … of the class.
int test_commit(struct sp_journal_store *store, enum sp_record_class cls, int64_t n, size_t count,
		size_t fill);

enum { AUDIT_MAX = 20000 };
/// What was found: numbers, and per stream its records.
struct audit {
	unsigned char *seen; ///< by n: how often
	size_t batches, records, opened, dropped, streams;
	int64_t dropped_records, memory_records; ///< told by `dropped` facts
	int64_t last_prev;                       ///< prev.last of the newest `opened` fact, -1: null
	bool set_aside;
};
/// Reads what is unsettled; asserts that every batch is contiguous, unique, encodable and true to its
/// digest. `whole`: and that each stream begins at 1 and has no hole.
void audit(struct audit *out, struct sp_journal_store *store, bool whole);
void audit_free(struct audit *audit);
