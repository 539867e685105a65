// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance of one school and day as figures that may be shown: how many came, by when, by which door or
// class. No figure, and no difference of two of them, is about fewer than five persons. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SP_ATTENDANCE_LEAST = 5,       ///< persons of the smallest group that is shown
	SP_ATTENDANCE_BIN_MINUTES = 5, ///< of the punctuality curve
	SP_ATTENDANCE_BINS = 1440 / SP_ATTENDANCE_BIN_MINUTES,
	SP_ATTENDANCE_GROUPS = 400,
	SP_ATTENDANCE_GROUP_NAME = 129,
};

enum sp_attendance_basis {
	SP_ATTENDANCE_NOTHING,
	SP_ATTENDANCE_EVENTS, ///< each person's first event of the day
	SP_ATTENDANCE_COUNTS, ///< the school's own counts by slot
};
const char *sp_attendance_basis_name(enum sp_attendance_basis basis); ///< NULL: nothing

/// What is known, before anything is kept back.
struct sp_attendance_raw {
	enum sp_attendance_basis basis;
	int begin_minute; ///< of lessons; -1: not known
	int now_minute;   ///< of a day that runs; -1: it is over
	size_t group_count;
	struct sp_attendance_raw_group {
		char name[SP_ATTENDANCE_GROUP_NAME];
		int64_t bins[SP_ATTENDANCE_BINS]; ///< persons by arrival
	} groups[SP_ATTENDANCE_GROUPS];
	int64_t withheld; ///< groups that the school has kept back
};
/// The group of that name, made when it is not there; the last one when there is no room.
struct sp_attendance_raw_group *sp_attendance_group(struct sp_attendance_raw *raw, const char *name);

struct sp_attendance_day {
	enum sp_attendance_basis basis;
	int begin_minute;
	int64_t
	    persons; ///< -1: kept back, or nobody came yet; of a day that runs: up to the curve's last point
	int64_t on_time; ///< by the beginning of lessons; -1: kept back, or not known
	size_t point_count;
	struct sp_attendance_point {
		int minute;      ///< of the day: by then
		int64_t persons; ///< so many in all
	} points[SP_ATTENDANCE_BINS];
	size_t group_count;
	struct sp_attendance_figure {
		char name[SP_ATTENDANCE_GROUP_NAME];
		int64_t persons; ///< -1: kept back
	} groups[SP_ATTENDANCE_GROUPS];
	int64_t withheld; ///< groups kept back, here or by the school
	int64_t events,
	    unplaced; ///< with details: events; of these without a believable time. -1: not counted
};
void sp_attendance_finish(const struct sp_attendance_raw *raw, struct sp_attendance_day *out);
