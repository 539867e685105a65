// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance: what may be shown.
#include "tools/hub/figures/attendance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sp_attendance_basis_name(enum sp_attendance_basis basis)
{
	static const char *const names[] = {NULL, "events", "counts"};
	return names[basis];
}

struct sp_attendance_raw_group *sp_attendance_group(struct sp_attendance_raw *raw, const char *name)
{
	for (size_t i = 0; i < raw->group_count; i++) {
		if (strcmp(raw->groups[i].name, name) == 0)
			return &raw->groups[i];
	}
	if (raw->group_count < SP_ATTENDANCE_GROUPS) {
		struct sp_attendance_raw_group *group = &raw->groups[raw->group_count++];
		memset(group, 0, sizeof(*group));
		snprintf(group->name, sizeof(group->name), "%s", name);
		return group;
	}
	return &raw->groups[SP_ATTENDANCE_GROUPS - 1];
}

/// A running day's unfinished bin is not over.
static int bins_over(const struct sp_attendance_raw *raw)
{
	return raw->now_minute < 0 ? SP_ATTENDANCE_BINS : raw->now_minute / SP_ATTENDANCE_BIN_MINUTES;
}

static int64_t in_bin(const struct sp_attendance_raw *raw, int bin)
{
	int64_t persons = 0;
	for (size_t i = 0; i < raw->group_count; i++)
		persons += raw->groups[i].bins[bin];
	return persons;
}

static int64_t last_persons(const struct sp_attendance_day *out)
{
	return out->point_count ? out->points[out->point_count - 1].persons : 0;
}

/// A point stands where at least five more have come than at the one before, whatever comes later: so a day
/// that runs shows no more than it does when it is over.
static int64_t curve(const struct sp_attendance_raw *raw, struct sp_attendance_day *out)
{
	int64_t persons = 0;
	for (int bin = 0; bin < bins_over(raw); bin++) {
		persons += in_bin(raw, bin);
		if (persons - last_persons(out) >= SP_ATTENDANCE_LEAST)
			out->points[out->point_count++] =
			    (struct sp_attendance_point){(bin + 1) * SP_ATTENDANCE_BIN_MINUTES, persons};
	}
	return persons;
}

/// The whole day's number is one more point: what leaves fewer than five to it is taken back.
static void end_curve(struct sp_attendance_day *out, int64_t total)
{
	int64_t left = total - last_persons(out);
	while (left > 0 && left < SP_ATTENDANCE_LEAST && out->point_count > 0) {
		out->point_count--;
		left = total - last_persons(out);
	}
	out->persons = total >= SP_ATTENDANCE_LEAST ? total : -1;
}

/// It is a point of the curve, or equal to the last one before: no difference that the curve does not tell.
static int64_t on_time(const struct sp_attendance_raw *raw, const struct sp_attendance_day *out)
{
	int64_t there = 0, shown = 0;
	if (raw->begin_minute < 0 || out->persons < 0 ||
	    (raw->now_minute >= 0 && raw->now_minute < raw->begin_minute))
		return -1;
	for (int bin = 0; bin < bins_over(raw) && (bin + 1) * SP_ATTENDANCE_BIN_MINUTES <= raw->begin_minute;
	     bin++)
		there += in_bin(raw, bin);
	for (size_t i = 0; i < out->point_count; i++) {
		if (out->points[i].minute <= raw->begin_minute)
			shown = out->points[i].persons;
	}
	return there == shown || there == out->persons ? there : -1;
}

// ---- groups -------------------------------------------------------------------------------------------

static int by_size(const void *left, const void *right)
{
	const struct sp_attendance_figure *a = left, *b = right;
	if (a->persons != b->persons)
		return a->persons < b->persons ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct sp_attendance_figure *)left)->name,
		      ((const struct sp_attendance_figure *)right)->name);
}

/// Smallest first. One alone that is kept back would follow from the others and the total: the next one goes
/// with it.
static void keep_back(struct sp_attendance_day *out)
{
	int64_t hidden = 0;
	size_t count = 0;
	for (size_t i = 0; i < out->group_count; i++) {
		bool small = out->groups[i].persons < SP_ATTENDANCE_LEAST;
		if (!small && (count == 0 || (count > 1 && hidden >= SP_ATTENDANCE_LEAST)))
			break;
		hidden += out->groups[i].persons;
		out->groups[i].persons = -1;
		count++;
	}
	out->withheld += (int64_t)count;
}

static void groups(const struct sp_attendance_raw *raw, struct sp_attendance_day *out)
{
	int over = bins_over(raw);
	// Of a day that runs: up to the last point, so that both sides tell of the same persons.
	if (raw->now_minute >= 0)
		over = out->point_count ? out->points[out->point_count - 1].minute / SP_ATTENDANCE_BIN_MINUTES
					: 0;
	for (size_t i = 0; i < raw->group_count; i++) {
		struct sp_attendance_figure *group = &out->groups[out->group_count];
		group->persons = 0;
		for (int bin = 0; bin < over; bin++)
			group->persons += raw->groups[i].bins[bin];
		if (group->persons == 0)
			continue;
		snprintf(group->name, sizeof(group->name), "%s", raw->groups[i].name);
		out->group_count++;
	}
	qsort(out->groups, out->group_count, sizeof(*out->groups), by_size);
	// The school has kept back what had to be in its own counts.
	if (raw->basis == SP_ATTENDANCE_EVENTS)
		keep_back(out);
	qsort(out->groups, out->group_count, sizeof(*out->groups), by_name);
}

void sp_attendance_finish(const struct sp_attendance_raw *raw, struct sp_attendance_day *out)
{
	out->basis = raw->basis;
	out->begin_minute = raw->begin_minute;
	out->point_count = out->group_count = 0;
	out->withheld = raw->withheld;
	out->events = out->unplaced = -1;
	int64_t total = curve(raw, out);
	if (raw->now_minute < 0)
		end_curve(out, total);
	else
		out->persons = out->point_count ? last_persons(out) : -1;
	out->on_time = on_time(raw, out);
	groups(raw, out);
}
