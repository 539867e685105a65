// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board's life under a script, day by day: exact edges, chains that hold, and the same bytes for the same
// seed.
#include "tests/unit/fleet/fleet_util.h"

#include <cjson/cJSON.h>
#include <math.h>

static struct sp_script script;
static struct sp_roster roster;
static struct sp_life_config config;
static struct sp_life life;

static int set_up(void **state)
{
	(void)state;
	roster_of(&roster, 3);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_life_free(&life);
	sp_script_free(&script);
	sp_roster_free(&roster);
	return 0;
}

static void live(const char *text, int64_t days, uint64_t seed)
{
	script_of(&script, text);
	config = (struct sp_life_config){.start_ms = SEPTEMBER,
					 .end_ms = SEPTEMBER + days * DAY,
					 .minute_ms = HOUR,
					 .commit_ms = 6 * HOUR,
					 .events = 1,
					 .seed = seed,
					 .script = &script};
	sp_life_init(&life, &config, &roster.boards[0], 0);
	while (!life.over)
		sp_life_step(&life);
}

/// The n-th record of that type, with that member's text if one is given; NULL: there is none.
static cJSON *record(const char *type, const char *member, const char *value, size_t n)
{
	cJSON *found = NULL;
	for (struct sp_batch *batch = life.keep.oldest; batch && !found; batch = batch->next) {
		cJSON *list = cJSON_Parse(batch->text);
		cJSON *item;
		assert_non_null(list);
		cJSON_ArrayForEach(item, list)
		{
			const char *told =
			    cJSON_GetStringValue(cJSON_GetObjectItem(item, member ? member : "type"));
			bool fits = strcmp(cJSON_GetObjectItem(item, "type")->valuestring, type) == 0 &&
				    (!member || (told && strcmp(told, value) == 0));
			if (fits && n-- == 0) {
				found = cJSON_Duplicate(item, true);
				break;
			}
		}
		cJSON_Delete(list);
	}
	return found;
}

static double number(const cJSON *item, const char *member)
{
	const cJSON *value = cJSON_GetObjectItem(item, member);
	assert_true(cJSON_IsNumber(value));
	return value->valuedouble;
}

static size_t count(const char *type, const char *member, const char *value)
{
	size_t found = 0;
	for (cJSON *one; (one = record(type, member, value, found)); found++)
		cJSON_Delete(one);
	return found;
}

static void test_an_outage_has_exact_edges(void **state)
{
	(void)state;
	live("all at 2026-09-02 08:10 for 2h : line down isp_access\n"
	     "all at 2026-09-02 09:00 for 2h : line degraded dns\n",
	     3, 1);
	cJSON *close = record("outage", "phase", "close", 0);
	assert_non_null(close);
	assert_true(number(close, "start_t_ms") == (double)(SEPTEMBER + DAY + 8 * HOUR + 10 * MINUTE));
	assert_true(number(close, "end_t_ms") == (double)(SEPTEMBER + DAY + 11 * HOUR));
	assert_true(number(close, "start_uncertainty_seconds") == 0);
	assert_string_equal(cJSON_GetObjectItem(close, "cause")->valuestring, "isp_access");
	assert_string_equal(cJSON_GetObjectItem(close, "state")->valuestring, "down");
	const cJSON *parts = cJSON_GetObjectItem(close, "parts");
	assert_int_equal(cJSON_GetArraySize(parts), 2);
	assert_true(number(cJSON_GetArrayItem(parts, 0), "seconds") == 7200);
	assert_true(number(cJSON_GetArrayItem(parts, 1), "seconds") == 3000);
	cJSON_Delete(close);
	assert_int_equal(count("outage", NULL, NULL), 3);
	assert_int_equal(count("line", "state", "down"), 1);
	assert_int_equal(count("line", "state", "up"), 2);
}

static void test_a_power_cut(void **state)
{
	(void)state;
	live("all at 2026-09-02 18:00 for 12h : power cut\n", 3, 1);
	cJSON *boot = record("boot", "reason", "power", 0), *close = record("outage", "cause", "power", 0);
	assert_non_null(boot);
	assert_non_null(close);
	assert_true(number(boot, "silence_start_t_ms") == (double)(SEPTEMBER + DAY + 18 * HOUR));
	assert_true(number(boot, "t_ms") == (double)(SEPTEMBER + 2 * DAY + 6 * HOUR));
	assert_true(number(close, "end_t_ms") - number(close, "start_t_ms") == 12.0 * HOUR);
	assert_string_equal(cJSON_GetObjectItem(close, "start_boot")->valuestring,
			    cJSON_GetObjectItem(boot, "previous_boot")->valuestring);
	cJSON_Delete(boot);
	cJSON_Delete(close);
	assert_int_equal(count("opened", NULL, NULL), 4);
	assert_int_equal(life.boots, 2);
}

static void test_a_cut_within_an_outage_is_its_part(void **state)
{
	(void)state;
	live("all at 2026-09-02 08:00 for 4h : line down isp_core\nall at 2026-09-02 09:00 for 1h : power "
	     "cut\n",
	     3, 1);
	assert_int_equal(count("outage", "phase", "close"), 1);
	cJSON *close = record("outage", "phase", "close", 0);
	const cJSON *parts = cJSON_GetObjectItem(close, "parts");
	assert_int_equal(cJSON_GetArraySize(parts), 2);
	assert_true(number(cJSON_GetArrayItem(parts, 0), "seconds") == 3 * 3600);
	assert_true(number(cJSON_GetArrayItem(parts, 1), "seconds") == 3600);
	assert_string_equal(cJSON_GetObjectItem(close, "cause")->valuestring, "isp_core");
	cJSON_Delete(close);
}

/// Of each stream seqs rise by one from 1, and its first record names the stream before.
static void test_the_chain_holds(void **state)
{
	(void)state;
	live(
	    "all at each day 09:00 : reboot\nall at each day 12:00 : crash\nall at each day 13:00 : restart\n"
	    "all at each day 18:00 for 6h : power cut\n",
	    4, 7);
	char last_stream[3][SP_ID_LENGTH + 1] = {""};
	int64_t last[3] = {0};
	size_t openings = 0;
	for (struct sp_batch *batch = life.keep.oldest; batch; batch = batch->next) {
		bool same = strcmp(batch->stream, last_stream[batch->cls]) == 0;
		assert_int_equal(batch->first, same ? last[batch->cls] + 1 : 1);
		if (!same) {
			char prev[160];
			snprintf(prev, sizeof(prev), "\"prev\":{\"stream\":\"%s\",\"last\":%d}",
				 last_stream[batch->cls], (int)last[batch->cls]);
			assert_non_null(strstr(batch->text, last[batch->cls] ? prev : "\"prev\":null"));
			openings++;
		}
		memcpy(last_stream[batch->cls], batch->stream, sizeof(batch->stream));
		last[batch->cls] = batch->last;
	}
	assert_true(openings > 20);
	assert_int_equal(count("boot", "reason", "power"), 4);
	assert_int_equal(count("boot", "reason", "reboot"), 4);
	assert_int_equal(count("boot", "reason", "crash"), 4);
	assert_int_equal(count("stop", NULL, NULL), 8);
}

static void test_minutes_add_up(void **state)
{
	double up = 0, down = 0, seconds = 0;
	(void)state;
	live("all at 2026-09-02 08:10 for 90min : line down isp_access\nall at start : platform 4 of 5\n", 2,
	     3);
	for (size_t i = 0;; i++) {
		cJSON *minute = record("minute", NULL, NULL, i);
		if (!minute)
			break;
		const cJSON *states = cJSON_GetObjectItem(minute, "state_seconds");
		const cJSON *u = cJSON_GetObjectItem(states, "up"), *d = cJSON_GetObjectItem(states, "down");
		up += u ? u->valuedouble : 0;
		down += d ? d->valuedouble : 0;
		seconds += number(minute, "seconds");
		const cJSON *loss = cJSON_GetObjectItem(cJSON_GetObjectItem(minute, "loss_ratio"), "service");
		if (u && number(minute, "seconds") == 3600 && !d)
			assert_true(cJSON_GetArrayItem(loss, 0)->valuedouble == 300 &&
				    cJSON_GetArrayItem(loss, 1)->valuedouble == 0.2);
		cJSON_Delete(minute);
	}
	// In milliseconds: thousandths of a second do not add up exactly.
	assert_int_equal(llround(down * 1000), 5400 * 1000);
	assert_int_equal(llround(up * 1000), (2 * 86400 - 5400) * 1000);
	assert_int_equal(llround(seconds * 1000), 2 * 86400 * 1000);
}

static void test_tests_are_counted(void **state)
{
	(void)state;
	live("all at each day 06:00 for 12h : speedtest down 94.5 up 47 times 20\n", 2, 1);
	assert_int_equal(count("speedtest", "direction", "down"), 40);
	assert_int_equal(count("speedtest", "direction", "up"), 40);
	cJSON *test = record("speedtest", "direction", "down", 0);
	assert_true(number(test, "goodput_bps") == 94.5e6);
	cJSON_Delete(test);
}

static void test_clocks(void **state)
{
	(void)state;
	live("all at 2026-09-01 06:00 for 1h : clock wrong +3h\nall at 2026-09-01 08:00 for 1h : clock lost\n"
	     "all at 2026-09-01 08:30 : device a onvif up\n",
	     1, 1);
	assert_int_equal(count("clock", "event", "step"), 2);
	assert_int_equal(count("clock", "event", "lost"), 1);
	assert_int_equal(count("clock", "event", "synced"), 2);
	cJSON *device = record("device", NULL, NULL, 0);
	assert_null(cJSON_GetObjectItem(device, "t_ms"));
	cJSON_Delete(device);
}

static void test_the_same_seed_makes_the_same_bytes(void **state)
{
	static const char text[] = "share 50% at each day 08:00 for 1h spread 30min : line down isp_core\n"
				   "all at each day 18:00 for 6h spread 1h : power cut\n";
	uint64_t digests[3];
	(void)state;
	for (int i = 0; i < 3; i++) {
		live(text, 5, i == 2 ? 2 : 1);
		digests[i] = life.keep.digest;
		assert_true(life.keep.batches > 20);
		sp_life_free(&life);
		sp_script_free(&script);
	}
	assert_true(digests[0] == digests[1]);
	assert_true(digests[0] != digests[2]);
	life = (struct sp_life){0};
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_an_outage_has_exact_edges, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_power_cut, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_cut_within_an_outage_is_its_part, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_chain_holds, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_minutes_add_up, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_tests_are_counted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_clocks, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_same_seed_makes_the_same_bytes, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
