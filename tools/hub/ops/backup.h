// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A copy of the whole store while ingest goes on, and a store made of such a copy. A copy is one file: an
// SQLite database, or what pg_dump writes. README.md says what a restored hub does not know.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// What a copy holds.
struct sp_copy {
	char file[4096];
	int64_t bytes;
	int64_t at_ms;             ///< when it was made
	int64_t boards, events;    ///< of SQLite; -1: not known
	int64_t requests, last_ms; ///< requests to forget that are in it, and when the last one came; 0: none
};

/// Of the database at `db` to the file `to`, or into the folder `to` under a name with the time. Never over a
/// file that is there; the file has its name once it is whole, was checked and is on the disk. -errno with
/// `why`.
int sp_backup(const char *db, const char *to, int64_t now_ms, struct sp_copy *out,
	      char why[256]) SP_MUST_CHECK;
/// `db` must not be there yet, or be an empty database on its server. What cannot be read whole is not taken.
int sp_restore(const char *db, const char *file, struct sp_copy *out, char why[256]) SP_MUST_CHECK;

// ---- copy.c, for both -----------------------------------------------------------------------------------

/// A file of this path is on the disk with all that it holds.
int sp_copy_sync(const char *path) SP_MUST_CHECK;
/// Gives `from` its name, unless that is taken (-EEXIST).
int sp_copy_place(const char *from, const char *to) SP_MUST_CHECK;
/// To a new file that only its owner may read.
int sp_copy_bytes(const char *from, const char *to) SP_MUST_CHECK;
int64_t sp_copy_size(const char *path);
/// An SQLite copy: is it whole and one of ours? Fills what it holds.
int sp_copy_check(const char *path, struct sp_copy *out, char why[256]) SP_MUST_CHECK;
/// Runs pg_dump or pg_restore on the server's database `db`, whose password is seen by nobody.
int sp_copy_run(const char *program, const char *db, const char *const *words, char why[256]) SP_MUST_CHECK;
