// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of counts, shared by counts.c and counts_store.c.
#pragma once

#include "agent/core/attendance/classes.h"
#include "agent/core/attendance/counts.h"
#include "agent/core/attendance/counts_day.h"

struct sp_counted_day {
	int32_t day;  ///< local, since 1970-01-01
	int32_t year; ///< the school year
	unsigned slot_minutes;
	bool closed;      ///< nothing more is told of it: what was told before is not known
	bool listed;      ///< the list of classes was read for its year
	bool *dirty;      ///< of each slot: somebody came since it was decided
	int64_t *told_ms; ///< when each slot was told last
	struct sp_counts_day table;
};

struct sp_counts {
	struct sp_counts_config config;
	char **kiosks;
	size_t kiosk_count;
	struct sp_classes *classes;
	struct sp_counted_day *days[SP_COUNTS_DAYS + 1]; ///< rising
	size_t count;
	bool ready; ///< the journal's events are in
	bool full;  ///< said so
};

/// "in", "out", "unknown"
const char *sp_counts_direction(size_t direction);
/// The name of a group; "": there is none of this number that is listed.
const char *sp_counts_group(const struct sp_counts *counts, size_t group);
/// A day without anybody; NULL: there are too many. The least that `slot_minutes` may be is 5.
struct sp_counted_day *sp_counts_open(struct sp_counts *counts, int32_t day, unsigned slot_minutes);

// ---- counts_store.c --------------------------------------------------------------------------------------

/// The days that were told of before this start.
void sp_counts_load(struct sp_counts *counts);
/// False: it is too much to be kept, so that nothing of it may be told.
bool sp_counts_store(struct sp_counts *counts, const struct sp_counted_day *day);
/// The list of days that are kept.
void sp_counts_store_list(struct sp_counts *counts);
void sp_counts_forget_day(struct sp_counts *counts, int32_t day);
/// Reads a day's durable state; false: it cannot be read. Pure.
bool sp_counts_read(struct sp_counts *counts, struct sp_counted_day *day, const char *text);
/// The slot length of a day's durable state; 0: it cannot be read.
unsigned sp_counts_read_minutes(const char *text);
