// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From the register's rows to a schedule of each site.
#include "tools/hub/register/calendar.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/time/local_time.h"

struct site {
	const char *school, *site;
	struct sp_schedule schedule;
};
struct named_weeks {
	const char *name; ///< of a timetable, or the text of a week
	struct sp_weeks weeks;
};
struct scope {
	struct sp_rel_row key; ///< scope, code, site
	struct sp_marks marks;
};

struct sp_calendar {
	struct sp_rel_texts texts;
	struct site *sites;
	struct named_weeks *weeks;
	struct scope *scopes;
	size_t site_count, week_count, scope_count;
};

// ---- weeks ---------------------------------------------------------------------------------------

static void add_week(struct sp_weeks *weeks, const char *text, enum sp_time_kind kind, int64_t from_day,
		     int64_t to_day)
{
	struct sp_week week = {from_day, to_day, kind, {.count = 0}};
	// It was checked before the register took it.
	if (sp_timetable_parse(&week.week, text) < 0 || week.week.count == 0)
		return;
	weeks->items = sp_realloc(weeks->items, (weeks->count + 1) * sizeof(*weeks->items));
	weeks->items[weeks->count++] = week;
}

static struct sp_weeks weeks_of(const struct sp_rel_rows *timetables, const char *name)
{
	struct sp_weeks weeks = {0};
	const struct sp_rel_row *row = sp_rel_find(timetables, 1, &name);
	const struct sp_rel_row *end = sp_rel_end(timetables);
	if (!row)
		add_week(&weeks, name, SP_TIME_LESSON, INT64_MIN, INT64_MAX);
	for (; row && row < end && strcmp(row->cells[0], name) == 0; row++)
		add_week(&weeks, row->cells[2],
			 strcmp(row->cells[1], "exam") == 0 ? SP_TIME_EXAM : SP_TIME_LESSON, row->from,
			 row->to);
	return weeks;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/// Each timetable that any site uses, once.
static void read_weeks(struct sp_calendar *calendar, const struct sp_calendar_rows *rows)
{
	const char **names = sp_alloc((rows->sites.count + 1) * sizeof(*names));
	size_t count = 0;
	for (size_t i = 0; i < rows->sites.count; i++) {
		if (rows->sites.items[i].cells[5][0])
			names[count++] = rows->sites.items[i].cells[5];
	}
	if (count > 1)
		qsort(names, count, sizeof(*names), by_name);
	calendar->weeks = sp_alloc((count + 1) * sizeof(*calendar->weeks));
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
			continue;
		struct named_weeks *named = &calendar->weeks[calendar->week_count++];
		named->name = sp_rel_text(&calendar->texts, names[i]);
		named->weeks = weeks_of(&rows->timetables, names[i]);
	}
	free(names);
}

static const struct sp_weeks *find_weeks(const struct sp_calendar *calendar, const char *name)
{
	const struct named_weeks *found =
	    bsearch(&name, calendar->weeks, calendar->week_count, sizeof(*calendar->weeks), by_name);
	return found ? &found->weeks : NULL;
}

// ---- marks ---------------------------------------------------------------------------------------

/// Holidays, exams and maintenance of one scope, code and site have the same first three cells.
static void collect(const struct sp_rel_rows *rows, enum sp_mark_kind kind, bool days,
		    struct sp_rel_rows *out)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct sp_rel_row *row = &rows->items[i];
		struct sp_rel_row *mark = sp_rel_add(out);
		memcpy(mark->cells, row->cells, 3 * sizeof(*row->cells));
		mark->from = days ? sp_local_day_ms(row->from) : row->from;
		mark->to = days && row->to != SP_OPEN_END ? sp_local_day_ms(row->to) : row->to;
		mark->line = kind;
	}
}

static void read_marks(struct sp_calendar *calendar, const struct sp_calendar_rows *rows)
{
	struct sp_rel_rows marks = {0};
	collect(&rows->holidays, SP_MARK_OFF, true, &marks);
	collect(&rows->exams, SP_MARK_EXAM, false, &marks);
	collect(&rows->maintenance, SP_MARK_MAINTENANCE, false, &marks);
	sp_rel_sort(&marks, 3);
	calendar->scopes = sp_alloc((marks.count + 1) * sizeof(*calendar->scopes));
	for (size_t i = 0, first = 0; i < marks.count; i++) {
		if (i + 1 < marks.count && sp_rel_compare(&marks.items[i], &marks.items[i + 1], 3) == 0)
			continue;
		struct scope *scope = &calendar->scopes[calendar->scope_count++];
		for (int k = 0; k < 3; k++)
			scope->key.cells[k] = sp_rel_text(&calendar->texts, marks.items[i].cells[k]);
		scope->marks.items = sp_alloc((i + 1 - first) * sizeof(*scope->marks.items));
		for (; first <= i; first++)
			scope->marks.items[scope->marks.count++] =
			    (struct sp_mark){marks.items[first].from, marks.items[first].to,
					     (enum sp_mark_kind)marks.items[first].line};
	}
	free(marks.items);
}

static int by_scope(const void *left, const void *right)
{
	return sp_rel_compare(left, right, 3); // the key is the first of both
}

static const struct sp_marks *find_marks(const struct sp_calendar *calendar, const char *scope,
					 const char *code, const char *site)
{
	struct scope key = {.key.cells = {scope, code, site}};
	const struct scope *found =
	    bsearch(&key, calendar->scopes, calendar->scope_count, sizeof(*calendar->scopes), by_scope);
	return found ? &found->marks : NULL;
}

// ---- sites ---------------------------------------------------------------------------------------

static void add_layer(struct sp_schedule *schedule, const struct sp_marks *marks, int64_t from_ms,
		      int64_t to_ms)
{
	if (!marks)
		return;
	schedule->layers =
	    sp_realloc(schedule->layers, (schedule->layer_count + 1) * sizeof(*schedule->layers));
	schedule->layers[schedule->layer_count++] = (struct sp_schedule_layer){from_ms, to_ms, marks};
}

static void add_layers(const struct sp_calendar *calendar, const struct sp_rel_rows *areas, struct site *site)
{
	const struct sp_rel_row *area = sp_rel_find(areas, 1, &site->school);
	const struct sp_rel_row *end = sp_rel_end(areas);
	add_layer(&site->schedule, find_marks(calendar, "all", "", ""), 0, SP_OPEN_END);
	for (; area && area < end && strcmp(area->cells[0], site->school) == 0; area++)
		add_layer(&site->schedule, find_marks(calendar, "area", area->cells[1], ""), area->from,
			  area->to);
	add_layer(&site->schedule, find_marks(calendar, "school", site->school, ""), 0, SP_OPEN_END);
	add_layer(&site->schedule, find_marks(calendar, "site", site->school, site->site), 0, SP_OPEN_END);
}

static void read_sites(struct sp_calendar *calendar, const struct sp_calendar_rows *rows)
{
	const struct sp_rel_rows *sites = &rows->sites;
	calendar->sites = sp_alloc((sites->count + 1) * sizeof(*calendar->sites));
	for (size_t i = 0; i < sites->count; i++) {
		const struct sp_rel_row *row = &sites->items[i];
		bool new = i == 0 || sp_rel_compare(row - 1, row, 2) != 0;
		struct site *site = &calendar->sites[calendar->site_count - !new];
		if (new) {
			calendar->site_count++;
			site->school = sp_rel_text(&calendar->texts, row->cells[0]);
			site->site = sp_rel_text(&calendar->texts, row->cells[1]);
			add_layers(calendar, &rows->areas, site);
		}
		const struct sp_weeks *weeks = find_weeks(calendar, row->cells[5]);
		if (!weeks)
			continue;
		struct sp_schedule *schedule = &site->schedule;
		schedule->uses =
		    sp_realloc(schedule->uses, (schedule->use_count + 1) * sizeof(*schedule->uses));
		schedule->uses[schedule->use_count++] = (struct sp_schedule_use){row->from, row->to, weeks};
	}
}

struct sp_calendar *sp_calendar_new(struct sp_calendar_rows *rows)
{
	struct sp_calendar *calendar = sp_alloc(sizeof(*calendar));
	sp_rel_sort(&rows->sites, 2);
	sp_rel_sort(&rows->timetables, 1);
	sp_rel_sort(&rows->areas, 1);
	read_weeks(calendar, rows);
	read_marks(calendar, rows);
	read_sites(calendar, rows);
	return calendar;
}

static int by_place(const void *left, const void *right)
{
	const struct site *a = left, *b = right;
	int order = strcmp(a->school, b->school);
	return order ? order : strcmp(a->site, b->site);
}

const struct sp_schedule *sp_calendar_of(const struct sp_calendar *calendar, const char *school,
					 const char *site)
{
	static const struct sp_schedule nothing;
	const struct site key = {.school = school, .site = site};
	const struct site *found =
	    bsearch(&key, calendar->sites, calendar->site_count, sizeof(*calendar->sites), by_place);
	return found ? &found->schedule : &nothing;
}

void sp_calendar_free(struct sp_calendar *calendar)
{
	if (!calendar)
		return;
	for (size_t i = 0; i < calendar->site_count; i++) {
		free(calendar->sites[i].schedule.uses);
		free(calendar->sites[i].schedule.layers);
	}
	for (size_t i = 0; i < calendar->week_count; i++)
		free(calendar->weeks[i].weeks.items);
	for (size_t i = 0; i < calendar->scope_count; i++)
		free(calendar->scopes[i].marks.items);
	free(calendar->sites);
	free(calendar->weeks);
	free(calendar->scopes);
	sp_rel_texts_free(&calendar->texts);
	free(calendar);
}
