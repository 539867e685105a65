// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The schedule on a virtual clock, with a run that only notes what it is asked: tests begin to the second as
// planned, only by a known clock, are made up, outlive starts, and are taken back before an exam. And the
// list of the last ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/speed/list.h"
#include "agent/core/speed/schedule.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

#define MONDAY_MS INT64_C(1795366800000) // 2026-11-23T00:00+07:00
#define HOUR_MS   INT64_C(3600000)

// ---- a run that notes ------------------------------------------------------------------------------------

static struct sp_speed_request asked; ///< the last one
static bool waiting;
static enum sp_speed_stage stage;
static unsigned requests, skips, cancels;
static int answer;

int sp_speed_request(struct sp_speed_run *run, const struct sp_speed_request *request,
		     char test[SP_ID_LENGTH + 1])
{
	(void)run;
	requests++;
	if (answer)
		return answer;
	asked = *request;
	waiting = true;
	stage = SP_SPEED_STAGE_WAITING;
	strcpy(test, "one");
	return 0;
}

void sp_speed_skip(struct sp_speed_run *run, const struct sp_speed_request *request, const char *reason,
		   const char *text)
{
	(void)run;
	(void)request;
	(void)text;
	assert_string_equal(reason, "missed");
	skips++;
}

static void end_with(enum sp_speed_validity validity, const char *reason)
{
	struct sp_speed_end end = {.test = "one"};
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++)
		end.directions[i] = (struct sp_speed_end_direction){
		    .wanted = true, .validity = validity, .reason = reason, .text = ""};
	waiting = false;
	asked.ended(asked.arg, &end);
}

int sp_speed_cancel(struct sp_speed_run *run, const char *test)
{
	(void)run;
	assert_string_equal(test, "one");
	cancels++;
	end_with(SP_SPEED_IS_SKIPPED, "cancelled");
	return 0;
}

void sp_speed_forget(struct sp_speed_run *run, const void *arg)
{
	(void)run;
	(void)arg;
}

size_t sp_speed_count(const struct sp_speed_run *run)
{
	(void)run;
	return waiting;
}

void sp_speed_view(const struct sp_speed_run *run, size_t index, struct sp_speed_view *out)
{
	(void)run;
	(void)index;
	*out = (struct sp_speed_view){.test = "one", .stage = stage};
}

// ---- a board ---------------------------------------------------------------------------------------------

static struct sp_loop *loop;
static struct sp_speed_schedule *schedule;
static struct sp_speed_times times;
static char *card;
static unsigned writes;

static void put(void *arg, const char *key, const char *value)
{
	(void)arg;
	(void)key;
	free(card);
	card = sp_strdup(value);
	writes++;
}

static char *get(void *arg, const char *key)
{
	(void)arg;
	(void)key;
	return card ? sp_strdup(card) : NULL;
}

static void start(void)
{
	static const char *const names[] = {"neo"};
	static const struct sp_pace none = {0}, *const paces[] = {&none};
	sp_speed_schedule_free(schedule);
	waiting = false;
	schedule = sp_speed_schedule_new(
	    &(struct sp_speed_schedule_config){.loop = loop, .times = &times, .put = put, .get = get}, names,
	    paces, 1);
}

static int set_up(void **state)
{
	(void)state;
	loop = sp_loop_virtual_new();
	times = (struct sp_speed_times){
	    .windows = {{7 * 3600, 9 * 3600}}, .window_count = 1, .days = 0x3f, .samples = 1};
	requests = skips = cancels = writes = 0;
	answer = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_speed_schedule_free(schedule);
	schedule = NULL;
	free(card);
	card = NULL;
	size_t open = sp_loop_virtual_open(loop);
	sp_loop_virtual_free(loop);
	return open != 0;
}

static void run_until_asked(int64_t most_ms)
{
	for (int64_t ms = 0; !waiting && ms < most_ms; ms += 1000)
		sp_loop_virtual_run(loop, 1000);
}

static void test_a_day(void **state)
{
	(void)state;
	sp_loop_virtual_wall(loop, MONDAY_MS);
	start();
	sp_loop_virtual_run(loop, 10000);
	int64_t planned_ms = sp_speed_schedule_next_ms(schedule, "neo");
	assert_in_range(planned_ms - MONDAY_MS, 7 * HOUR_MS, 9 * HOUR_MS);
	assert_int_equal(sp_speed_schedule_next_ms(schedule, "other"), 0);
	sp_loop_virtual_run(loop, planned_ms - sp_clock_now().wall_ms - 2);
	assert_int_equal(requests, 0);
	sp_loop_virtual_run(loop, 3);
	assert_int_equal(requests, 1);
	assert_string_equal(asked.device, "neo");
	assert_int_equal(asked.trigger, SP_SPEED_BY_SCHEDULE);
	assert_false(asked.force);
	struct sp_speed_view view = {.stage = SP_SPEED_STAGE_RUNNING};
	asked.progress(asked.arg, &view);
	end_with(SP_SPEED_IS_VALID, "");
	sp_loop_virtual_run(loop, 14 * HOUR_MS);
	assert_int_equal(requests, 1);
	// The card is written when something changes, not with each look.
	assert_true(writes <= 4);
}

static void test_the_clock_is_waited_for(void **state)
{
	(void)state;
	start();
	sp_loop_virtual_run(loop, 48 * HOUR_MS);
	assert_int_equal(requests, 0);
	assert_int_equal(sp_speed_schedule_next_ms(schedule, "neo"), 0);
	sp_loop_virtual_wall(loop, MONDAY_MS + 6 * HOUR_MS);
	run_until_asked(4 * HOUR_MS);
	assert_int_equal(requests, 1);
}

static void test_what_did_not_begin(void **state)
{
	(void)state;
	sp_loop_virtual_wall(loop, MONDAY_MS + 6 * HOUR_MS);
	start();
	run_until_asked(4 * HOUR_MS);
	bool room = sp_clock_now().wall_ms < MONDAY_MS + 8 * HOUR_MS;
	end_with(SP_SPEED_IS_SKIPPED, "busy");
	run_until_asked(4 * HOUR_MS);
	assert_true(!room || requests == 2);
	// No use in trying again.
	if (waiting)
		end_with(SP_SPEED_IS_SKIPPED, "budget");
	unsigned before = requests;
	run_until_asked(4 * HOUR_MS);
	assert_int_equal(requests, before);
}

static void test_a_run_that_takes_no_more(void **state)
{
	(void)state;
	sp_loop_virtual_wall(loop, MONDAY_MS + 6 * HOUR_MS);
	answer = -EALREADY;
	start();
	sp_loop_virtual_run(loop, 6 * HOUR_MS);
	assert_in_range(requests, 1, SP_SPEED_PLAN_TRIES);
}

static void test_starts(void **state)
{
	(void)state;
	sp_loop_virtual_wall(loop, MONDAY_MS + 6 * HOUR_MS);
	start();
	run_until_asked(4 * HOUR_MS);
	struct sp_speed_view view = {.stage = SP_SPEED_STAGE_RUNNING};
	asked.progress(asked.arg, &view);
	start(); // the power went while it ran
	sp_loop_virtual_run(loop, 12 * HOUR_MS);
	assert_int_equal(requests, 1);
	assert_int_equal(skips, 0);
	// Off on Tuesday until the window was over: told once.
	sp_loop_virtual_wall(loop, MONDAY_MS + 24 * HOUR_MS + HOUR_MS);
	sp_loop_virtual_run(loop, 10000);
	sp_loop_virtual_wall(loop, MONDAY_MS + 24 * HOUR_MS + 10 * HOUR_MS);
	start();
	sp_loop_virtual_run(loop, HOUR_MS);
	start();
	sp_loop_virtual_run(loop, HOUR_MS);
	assert_int_equal(requests, 1);
	assert_int_equal(skips, 1);
}

static void test_an_exam_begins(void **state)
{
	(void)state;
	sp_loop_virtual_wall(loop, MONDAY_MS + 6 * HOUR_MS);
	start();
	run_until_asked(4 * HOUR_MS);
	int64_t now_ms = sp_clock_now().wall_ms;
	times.quiet_count = 1;
	times.quiets[0] = (struct sp_speed_quiet){now_ms + 600000, now_ms + 10 * HOUR_MS};
	sp_loop_virtual_run(loop, 500000);
	assert_int_equal(cancels, 0);
	stage = SP_SPEED_STAGE_RUNNING; // what runs already is left to its end
	sp_loop_virtual_run(loop, 60000);
	assert_int_equal(cancels, 0);
	stage = SP_SPEED_STAGE_WAITING;
	sp_loop_virtual_run(loop, 10000);
	assert_int_equal(cancels, 1);
	sp_loop_virtual_run(loop, 9 * HOUR_MS);
	assert_int_equal(requests, 1);
}

// ---- the list --------------------------------------------------------------------------------------------

static void record_test(struct sp_speed_list *list, const char *device, unsigned number)
{
	char test[8];
	snprintf(test, sizeof(test), "t%u", number);
	static const struct sp_field curve[] = {SP_REAL("", 1), SP_REAL("", 2)};
	struct sp_field fields[] = {SP_TEXT("test", test), SP_TEXT("direction", "down"),
				    SP_LIST("curve_bps", curve, 2)};
	sp_record_fact(sp_speed_list_recorder(list), "speedtest", device, fields, 3);
	fields[1] = SP_TEXT("direction", "up");
	sp_record_fact(sp_speed_list_recorder(list), "speedtest", device, fields, 3);
}

static void test_the_last_ones(void **state)
{
	(void)state;
	struct recorder_list records;
	recorder_list_init(&records);
	struct sp_speed_list_config config = {.recorder = &records.base, .put = put, .get = get};
	struct sp_speed_list *list = sp_speed_list_new(&config);
	for (unsigned i = 0; i < 12; i++)
		record_test(list, "neo", i);
	record_test(list, "far", 50);
	sp_record_fact(sp_speed_list_recorder(list), "line", "main", NULL, 0);
	assert_int_equal(records.count, 27); // everything went on
	cJSON *json = sp_speed_list_json(list);
	assert_int_equal(cJSON_GetArraySize(json), 11);
	cJSON_Delete(json);
	json = sp_speed_list_test(list, "t11");
	assert_int_equal(cJSON_GetArraySize(json), 2);
	assert_non_null(cJSON_GetObjectItem(cJSON_GetArrayItem(json, 0), "curve_bps"));
	cJSON_Delete(json);
	json = sp_speed_list_test(list, "t1");
	assert_int_equal(cJSON_GetArraySize(json), 0); // the eleventh
	cJSON_Delete(json);
	sp_speed_list_free(list);
	list = sp_speed_list_new(&config);
	json = sp_speed_list_test(list, "t2");
	assert_int_equal(cJSON_GetArraySize(json), 2);
	assert_null(cJSON_GetObjectItem(cJSON_GetArrayItem(json, 0), "curve_bps"));
	cJSON_Delete(json);
	sp_speed_list_free(list);
	free(card);
	card = sp_strdup("[7,{\"test\":\"x\"},{\"test\":\"y\",\"records\":{}},null]");
	list = sp_speed_list_new(&config);
	for (unsigned i = 0; i < 100; i++) {
		char device[8];
		snprintf(device, sizeof(device), "d%u", i);
		record_test(list, device, i);
	}
	json = sp_speed_list_json(list);
	assert_int_equal(cJSON_GetArraySize(json), SP_SPEED_LIST_MAX);
	assert_true(strlen(card) < 64 * 1024);
	cJSON_Delete(json);
	sp_speed_list_free(list);
	recorder_list_clear(&records);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_day),
	    TEST(test_the_clock_is_waited_for),
	    TEST(test_what_did_not_begin),
	    TEST(test_a_run_that_takes_no_more),
	    TEST(test_starts),
	    TEST(test_an_exam_begins),
	    TEST(test_the_last_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
