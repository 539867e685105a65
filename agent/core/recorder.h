// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where records go: the journal in the agent, a list in tests. Adds the time of making.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/journal/journal.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/err.h"
#include "schoolpulse/record.h"

struct sp_recorder {
	/// `device` NULL: the agent itself. `done` (may be NULL) runs on the main thread once the record is
	/// on the card; not when this returns -errno. -ENOBUFS: full.
	int (*record)(struct sp_recorder *recorder, enum sp_record_class cls, const char *type,
		      const char *device, const struct sp_field *fields, size_t count,
		      sp_journal_done_fn done, void *arg);
	/// While it records what was true at another moment than now; NULL otherwise.
	const struct sp_clock_reading *when;
};

static inline SP_MUST_CHECK int sp_record(struct sp_recorder *recorder, enum sp_record_class cls,
					  const char *type, const char *device, const struct sp_field *fields,
					  size_t count, sp_journal_done_fn done, void *arg)
{
	return recorder->record(recorder, cls, type, device, fields, count, done, arg);
}

/// Measurements of a time that is over: a failure is logged here.
void sp_record_bulk_at(struct sp_recorder *recorder, const char *type, const char *device,
		       const struct sp_field *fields, size_t count, const struct sp_clock_reading *when);

/// A fact that nobody waits for: a failure is logged here.
void sp_record_fact(struct sp_recorder *recorder, const char *type, const char *device,
		    const struct sp_field *fields, size_t count);

struct sp_journal_recorder {
	struct sp_recorder base;
	struct sp_journal *journal;
};

void sp_journal_recorder_init(struct sp_journal_recorder *recorder, struct sp_journal *journal);
