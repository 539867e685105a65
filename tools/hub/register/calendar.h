// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The schedules of all sites, with their history, put together once from the register's rows: what many sites
// have in common is there once. Pure.
#pragma once

#include "tools/hub/register/relation.h"
#include "tools/hub/register/schedule.h"

struct sp_calendar;

/// What it is made of; rows sorted by key, with all their history. They are not needed afterwards.
struct sp_calendar_rows {
	struct sp_rel_rows sites, timetables, holidays, exams, maintenance;
	/// Of schools in areas that holidays, exams or maintenance name: school, "TREE:CODE", from and to.
	struct sp_rel_rows areas;
};

struct sp_calendar *sp_calendar_new(struct sp_calendar_rows *rows);
void sp_calendar_free(struct sp_calendar *calendar);
/// An empty one for a site that nobody knows; never NULL.
const struct sp_schedule *sp_calendar_of(const struct sp_calendar *calendar, const char *school,
					 const char *site);
