// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From one version of the schema to another, with the data, while no ingest runs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/err.h"

struct sp_migration {
	int to;    ///< 0: the newest that this program knows
	bool dry;  ///< says what would be done
	bool lose; ///< also what a step down cannot keep
	int64_t now_ms;
	/// Each step before it is done; `rows` that a step down loses, and what they are; else 0 and "".
	void (*step)(void *arg, int from, int to, const char *name, int64_t rows, const char *lost);
	void *arg;
};

/// 0 with the version: 0 when the database is empty.
int sp_migrate_status(const char *where, int *version, int *newest, char why[256]) SP_MUST_CHECK;
/// Each step is a transaction of its own: after a failure the steps before it are done. -EBUSY an ingest
/// runs, -EPERM a step would lose rows, -EPROTO the database is newer than this program, -EINVAL no such
/// version.
int sp_migrate(const char *where, const struct sp_migration *how, char why[256]) SP_MUST_CHECK;
