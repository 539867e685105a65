// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Files of the register of any bytes, several at once: what is taken keeps its promises, the same files again
// change nothing, and days made of them are in order.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/utf8.h"
#include "tools/hub/register/calendar.h"
#include "tools/hub/register/check.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

enum { NOW_DAY = 20778, FILES = 6, SEPARATOR = 0x1d };
#define NOW_MS INT64_C(1795230000000)

/// Files follow each other behind a line that is one byte 0x1d.
static bool read_files(struct sp_register_set *set, const char *text, size_t size)
{
	bool good = true;
	for (int files = 0; files < FILES; files++) {
		const char *end = memchr(text, SEPARATOR, size);
		size_t length = end ? (size_t)(end - text) : size;
		int result = sp_register_add(set, "fuzz.csv", -1, text, length);
		CHECK((result < 0) == (set->files[files].errors.count > 0));
		good = good && result == 0;
		if (!end)
			break;
		text = end + 1;
		size -= length + 1;
		if (size > 0 && *text == '\n') {
			text++;
			size--;
		}
	}
	return good;
}

static void check_rows(const struct sp_register_set *set)
{
	for (int id = 0; id < SP_RELATIONS; id++) {
		const struct sp_relation *relation = &sp_relations[id];
		for (size_t i = 0; i < set->rows[id].count; i++) {
			const struct sp_rel_row *row = &set->rows[id].items[i];
			CHECK(row->from < row->to && row->line >= 2);
			for (unsigned k = 0; k < relation->count; k++) {
				const char *cell = row->cells[k];
				CHECK(cell || relation->types[k] != SP_REL_TEXT);
				CHECK(!cell || sp_utf8_valid(cell, strlen(cell)));
				if (relation->types[k] == SP_REL_TEXT)
					CHECK(!strpbrk(cell, "\t\r\n") &&
					      !strchr("=+-@", cell[0] ? cell[0] : 'x'));
			}
			CHECK(row->cells[0][0]);
		}
	}
}

/// What the files say, as if it had been stored: the same import has nothing to do.
static void check_again(struct sp_register_set *set)
{
	static const struct sp_rel_rows nothing[SP_RELATIONS];
	const struct sp_register_moment now = {NOW_MS, NOW_DAY, false, true};
	struct sp_register_outcome outcome, again = {0};
	int result = sp_register_outcome(set, nothing, &now, &outcome);
	if (result == 0)
		CHECK(sp_register_outcome(set, outcome.rows, &now, &again) == 0);
	for (int id = 0; result == 0 && id < SP_RELATIONS; id++) {
		struct sp_rel_changes changes = {0};
		sp_rel_diff(&sp_relations[id], &outcome.rows[id], &again.rows[id],
			    sp_relations[id].days ? NOW_DAY : NOW_MS, &changes);
		CHECK(changes.count == 0);
		CHECK(changes.counts.added + changes.counts.changed + changes.counts.ended == 0);
		sp_rel_changes_free(&changes);
	}
	sp_register_outcome_free(&outcome);
	sp_register_outcome_free(&again);
}

static void check_days(const struct sp_register_set *set)
{
	struct sp_calendar_rows rows = {set->rows[SP_REL_SITE],        set->rows[SP_REL_TIMETABLE],
					set->rows[SP_REL_HOLIDAY],     set->rows[SP_REL_EXAM],
					set->rows[SP_REL_MAINTENANCE], {0}};
	struct sp_calendar *calendar = sp_calendar_new(&rows);
	struct sp_stretch stretches[SP_STRETCHES_MAX];
	for (size_t i = 0; i < rows.sites.count && i < 4; i++) {
		const struct sp_rel_row *site = &rows.sites.items[i];
		const struct sp_schedule *schedule = sp_calendar_of(calendar, site->cells[0], site->cells[1]);
		for (int64_t day = NOW_DAY - 10; day < NOW_DAY + 10; day++) {
			size_t count = sp_schedule_day(schedule, day, stretches);
			CHECK(count <= SP_STRETCHES_MAX);
			for (size_t k = 0; k < count; k++) {
				CHECK(stretches[k].from_ms < stretches[k].to_ms);
				CHECK(k == 0 || stretches[k - 1].to_ms <= stretches[k].from_ms);
			}
		}
	}
	sp_calendar_free(calendar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_register_set *set = calloc(1, sizeof(*set));
	if (set && read_files(set, (const char *)data, size) && sp_register_finish(set) == 0) {
		check_rows(set);
		check_again(set);
		check_days(set);
	}
	if (set)
		sp_register_set_free(set);
	free(set);
	return 0;
}
