// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Counts over time: when a slot is told, what late events change, and what a restart must not forget.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/attendance/counts.h"
#include "tests/unit/core/recorder_list.h"

enum { KEYS = 16 };

static const int64_t MINUTE = 60 * INT64_C(1000), HOUR = 3600 * INT64_C(1000),
		     DAY = 24 * 3600 * INT64_C(1000);
/// 2026-11-23T00:00 at +07:00.
static const int64_t MIDNIGHT = INT64_C(1795366800000);

struct world {
	struct sp_clock_source source;
	int64_t now_ms;
	bool synced;
	struct sp_attendance_conf conf;
	struct recorder_list facts;
	struct {
		char key[48];
		char *value;
	} kept[KEYS];
	struct sp_counts *counts;
	uint64_t person;
	char *journal[2000];
	size_t count;
};

static struct world world;

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	const struct world *it = arg;
	*out = (struct sp_clock_reading){
	    .mono_us = it->now_ms * 1000, .synced = it->synced, .wall_ms = it->now_ms, .err_ms = 10};
}

static void put(void *arg, const char *key, const char *value)
{
	(void)arg;
	size_t i = 0;
	while (world.kept[i].key[0] && strcmp(world.kept[i].key, key) != 0)
		assert_true(++i < KEYS);
	snprintf(world.kept[i].key, sizeof(world.kept[i].key), "%s", key);
	free(world.kept[i].value);
	world.kept[i].value = value ? sp_strdup(value) : NULL;
}

static char *get(void *arg, const char *key)
{
	(void)arg;
	for (size_t i = 0; i < KEYS; i++)
		if (strcmp(world.kept[i].key, key) == 0)
			return world.kept[i].value ? sp_strdup(world.kept[i].value) : NULL;
	return NULL;
}

static const uint8_t *year_key(void *arg, int32_t year)
{
	static const uint8_t key[SP_KEY_LENGTH] = {1};
	(void)arg;
	assert_int_equal(year, 2026);
	return key;
}

static void start(void)
{
	static const char *const kiosks[] = {"cổng trước", "cổng sau"};
	world.counts = sp_counts_new(&(struct sp_counts_config){.conf = &world.conf,
								.kiosks = kiosks,
								.kiosk_count = 2,
								.recorder = &world.facts.base,
								.put = put,
								.get = get,
								.year_key = year_key});
	struct sp_counts_replay *replay = sp_counts_replay_new();
	for (size_t i = 0; i < world.count; i++)
		sp_counts_replay_add(replay, world.journal[i]);
	sp_counts_replay_end(world.counts, replay);
}

static int setup(void **state)
{
	(void)state;
	world = (struct world){
	    .now_ms = MIDNIGHT,
	    .synced = true,
	    .conf = {.keep_ms = 7 * DAY, .slot_ms = 15 * MINUTE, .year_month = 8, .year_day = 1}};
	world.source = (struct sp_clock_source){read_clock, &world};
	sp_clock_set_source(&world.source);
	recorder_list_init(&world.facts);
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sp_counts_free(world.counts);
	for (size_t i = 0; i < KEYS; i++)
		free(world.kept[i].value);
	for (size_t i = 0; i < world.count; i++)
		free(world.journal[i]);
	recorder_list_clear(&world.facts);
	sp_clock_set_source(NULL);
	return 0;
}

/// New persons at a moment of the day, in the journal and told to the counts.
static void come(int64_t of_day, const char *kiosk, unsigned persons)
{
	while (persons-- > 0) {
		char person[SP_PSEUDONYM_LENGTH + 1];
		int64_t t_ms = MIDNIGHT + of_day;
		snprintf(person, sizeof(person), "%016llx%016llx",
			 (unsigned long long)(++world.person * 77777), 0x1234567812345678ULL);
		struct sp_attendance_event event = {.kiosk = kiosk,
						    .gate = "",
						    .person = person,
						    .direction = SP_PUNCH_IN,
						    .known = true,
						    .t_ms = t_ms};
		sp_counts_event(world.counts, &event);
		world.journal[world.count++] = sp_asprintf(
		    "{\"type\":\"punch\",\"device\":\"%s\",\"person\":\"%s\",\"direction\":\"in\","
		    "\"corrected_t_ms\":%lld}",
		    kiosk, person, (long long)t_ms);
	}
}

static void both(int64_t of_day, unsigned persons)
{
	come(of_day, "cổng trước", persons);
	come(of_day, "cổng sau", persons);
}

static void look(int64_t of_day)
{
	world.now_ms = MIDNIGHT + of_day;
	sp_counts_look(world.counts);
}

static size_t told(void)
{
	return recorder_count(&world.facts, "attendance");
}

/// The morning until 06:30: two slots that are kept back.
static void open_morning(void)
{
	both(6 * HOUR, 10);
	both(6 * HOUR + 15 * MINUTE, 10);
	look(6 * HOUR + 35 * MINUTE);
	assert_int_equal(told(), 0);
}

static int persons(size_t record, int group)
{
	const cJSON *groups = cJSON_GetObjectItem(world.facts.items[record].json, "groups");
	const cJSON *cell = cJSON_GetObjectItem(cJSON_GetArrayItem(groups, group), "persons");
	return cJSON_IsNumber(cell) ? cell->valueint : 0;
}

static void a_slot_is_told_some_minutes_after_its_end(void **state)
{
	(void)state;
	open_morning();
	both(6 * HOUR + 30 * MINUTE, 12);
	look(6 * HOUR + 49 * MINUTE);
	assert_int_equal(told(), 0);
	look(6 * HOUR + 50 * MINUTE);
	assert_int_equal(told(), 1);
	assert_string_equal(recorder_text(&world.facts, 0, "date"), "2026-11-23");
	assert_string_equal(recorder_text(&world.facts, 0, "slot"), "06:30");
	assert_int_equal(recorder_number(&world.facts, 0, "slot_minutes"), 15);
	assert_int_equal(recorder_number(&world.facts, 0, "revision"), 1);
	assert_int_equal(persons(0, 0), 12);
	look(12 * HOUR);
	assert_int_equal(told(), 1);
}

static void late_events_revise_at_most_hourly(void **state)
{
	(void)state;
	open_morning();
	both(6 * HOUR + 30 * MINUTE, 12);
	look(6 * HOUR + 50 * MINUTE);
	both(6 * HOUR + 31 * MINUTE, 6);
	look(7 * HOUR + 49 * MINUTE);
	assert_int_equal(told(), 1);
	look(7 * HOUR + 50 * MINUTE);
	assert_int_equal(told(), 2);
	assert_int_equal(recorder_number(&world.facts, 1, "revision"), 2);
	assert_int_equal(persons(1, 0), 18);
	// Days later, as long as the day's events are held; and not beyond.
	both(6 * HOUR + 32 * MINUTE, 5);
	look(6 * DAY + HOUR);
	assert_int_equal(told(), 3);
	look(8 * DAY);
	both(6 * HOUR + 33 * MINUTE, 20);
	look(9 * DAY);
	assert_int_equal(told(), 3);
	assert_null(get(NULL, "attendance.counts.20780"));
}

static void a_restart_tells_nothing_twice_and_forgets_nothing(void **state)
{
	(void)state;
	open_morning();
	both(6 * HOUR + 30 * MINUTE, 12);
	look(6 * HOUR + 50 * MINUTE);
	assert_int_equal(told(), 1);
	// Somebody is forgotten, so that the journal holds fewer: what was told does not fall.
	free(world.journal[--world.count]);
	sp_counts_free(world.counts);
	start();
	look(9 * HOUR);
	assert_int_equal(told(), 1);
	both(6 * HOUR + 30 * MINUTE, 4);
	look(10 * HOUR);
	assert_int_equal(told(), 1);
	both(6 * HOUR + 30 * MINUTE, 2);
	look(12 * HOUR);
	assert_int_equal(told(), 2);
	assert_int_equal(recorder_number(&world.facts, 1, "revision"), 2);
	// The slots of the opening stay kept back.
	both(6 * HOUR, 30);
	look(15 * HOUR);
	assert_int_equal(told(), 2);
}

static void what_was_told_and_cannot_be_read_closes_the_day(void **state)
{
	(void)state;
	open_morning();
	both(6 * HOUR + 30 * MINUTE, 12);
	look(6 * HOUR + 50 * MINUTE);
	put(NULL, "attendance.counts.20780", "{\"minutes\":15,\"opening\":7,\"slots\":[{\"slot\":99}]}");
	sp_counts_free(world.counts);
	start();
	both(7 * HOUR, 40);
	look(9 * HOUR);
	assert_int_equal(told(), 1);
}

static void without_the_time_nothing_is_told(void **state)
{
	(void)state;
	world.synced = false;
	both(6 * HOUR, 10);
	both(6 * HOUR + 15 * MINUTE, 10);
	both(6 * HOUR + 30 * MINUTE, 10);
	look(12 * HOUR);
	assert_int_equal(told(), 0);
	world.synced = true;
	look(12 * HOUR);
	assert_int_equal(told(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_slot_is_told_some_minutes_after_its_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(late_events_revise_at_most_hourly, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_restart_tells_nothing_twice_and_forgets_nothing, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(what_was_told_and_cannot_be_read_closes_the_day, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_the_time_nothing_is_told, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
