// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Around a journal that cannot be used: why, moving it out of the way, what can be saved from it.
#pragma once

#include <sqlite3.h>
#include <stddef.h>

#include "schoolpulse/err.h"

enum { SP_JOURNAL_CORRUPT_KEPT = 2 };

/// Renames journal.db and its WAL to journal.db.<word>-<n>. Of those called "corrupt" the newest two stay;
/// others (a newer version's, a stranger's) are never deleted. 0 or -errno; a file that is not there is 0.
/// *name (may be NULL) is what it is called now; the caller frees.
int sp_journal_set_aside(const char *path, const char *word, char **name) SP_MUST_CHECK;

/// Deletes what was set aside, with WALs, but for a stranger's file: it may hold what must be erased, and
/// cannot be searched with certainty. 0 or -errno.
int sp_journal_purge_asides(const char *path) SP_MUST_CHECK;

/// SQLite forgets errno on the way up. What does the disk say to a page written beside the journal?
/// -EIO when that works.
int sp_journal_probe(const char *path) SP_MUST_CHECK;

/// Durable small state that could be read from a damaged file.
struct sp_journal_saved {
	struct {
		char *key, *value;
	} * pairs;
	size_t count;
};
void sp_journal_save_small(sqlite3 *db, struct sp_journal_saved *out);
int sp_journal_restore_small(sqlite3 *db, const struct sp_journal_saved *saved) SP_MUST_CHECK;
void sp_journal_saved_free(struct sp_journal_saved *saved);
