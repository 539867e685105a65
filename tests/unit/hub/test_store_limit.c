// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What one board, or a shard's strangers, can make the hub keep has an end; what was there before goes on.
#include <stdio.h>

#include "tests/unit/hub/hub_util.h"

static struct hub hub;

static int set_up(void **state)
{
	(void)state;
	const struct sp_store_limits limits = {
	    .new_devices = 2, .streams = 4, .boots = 2, .lines = 1, .instances = 2};
	hub_open(&hub);
	sp_store_set_limits(hub.store, &limits);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

static int64_t counted(const char *word, const char *device)
{
	return number(&hub,
		      "SELECT coalesce(sum(count), 0) FROM set_aside WHERE fault = '%s' AND device = '%s'",
		      word, device);
}

static void strangers_of_a_shard_are_few_in_an_hour(void **state)
{
	(void)state;
	register_csv(&hub,
		     "area,school,school_name,site,line,device,shard\nA,1,Trường A,chinh,main,known,north\n");
	assert_int_equal(DELIVER(&hub, .device = "x1"), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .device = "x2"), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .device = "x3"), SP_VERDICT_REFUSED);
	assert_int_equal(hub.news.ack_count, 0);
	assert_int_equal(counted("too_many_devices", "*"), 1);
	BORN(&hub, .device = "x4");
	assert_int_equal(counted("too_many_devices", "*"), 2);
	// Those who are known already, those of the register, and those of another shard.
	assert_int_equal(DELIVER(&hub, .device = "x1", .first = 2), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .device = "known"), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .device = "x5", .shard = "south"), SP_VERDICT_STORED);
	assert_int_equal(number(&hub, "SELECT count(*) FROM device"), 4);
	// What was refused may come again in the next hour.
	hub.now_ms += HOUR_MS;
	assert_int_equal(DELIVER(&hub, .device = "x3"), SP_VERDICT_STORED);
	assert_string_equal(acked(&hub, STREAM_1), "1");
}

static void streams_of_a_board_are_few_in_a_day(void **state)
{
	(void)state;
	assert_int_equal(DELIVER(&hub, .stream = STREAM_1), SP_VERDICT_STORED);
	// A predecessor that it names is one, too.
	assert_int_equal(
	    DELIVER(&hub, .stream = STREAM_2, .prev = "zzzzzzzzzzzzzzzzzzzzzzzzzz", .prev_last = 3),
	    SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .stream = STREAM_3), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .stream = STREAM_4), SP_VERDICT_REFUSED);
	assert_string_equal(acked(&hub, STREAM_4), "");
	// All of a birth or nothing: what it holds besides is not half taken.
	BORN(&hub, .held = {{STREAM_1, SP_RECORD_FACTS, 1, 9}, {STREAM_4, SP_RECORD_FACTS, 1, 9}},
	     .held_count = 2);
	assert_int_equal(counted("too_many_streams", "board-1"), 2);
	assert_int_equal(number(&hub, "SELECT count(*) FROM stream"), 4);
	assert_int_equal(number(&hub, "SELECT issued FROM stream WHERE name = '" STREAM_1 "'"), 1);
	assert_int_equal(DELIVER(&hub, .stream = STREAM_3, .first = 2), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .device = "board-2", .stream = STREAM_4), SP_VERDICT_STORED);
	hub.now_ms += 24 * HOUR_MS;
	assert_int_equal(DELIVER(&hub, .stream = STREAM_4), SP_VERDICT_STORED);
}

static void boots_of_a_board_are_few_in_a_day(void **state)
{
	(void)state;
	assert_int_equal(DELIVER(&hub, .boot = BOOT_1), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .boot = BOOT_1, .clk_boot = BOOT_2, .first = 2), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .boot = BOOT_1, .clk_boot = BOOT_3, .first = 3), SP_VERDICT_REFUSED);
	assert_int_equal(DELIVER(&hub, .boot = BOOT_2, .first = 3), SP_VERDICT_STORED);
	assert_int_equal(counted("too_many_boots", "board-1"), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM boot"), 2);
}

/// Records are kept, and acknowledged, but not made into ever more rows of what is now.
static void names_of_a_board_are_few(void **state)
{
	(void)state;
	static const char records[] =
	    "[{\"seq\":1,\"type\":\"line\",\"device\":\"a\",\"mono_us\":1,\"state\":\"up\"},"
	    "{\"seq\":2,\"type\":\"line\",\"device\":\"b\",\"mono_us\":2,\"state\":\"up\"},"
	    "{\"seq\":3,\"type\":\"line\",\"device\":\"a\",\"mono_us\":3,\"state\":\"down\"},"
	    "{\"seq\":4,\"type\":\"device\",\"device\":\"p\",\"mono_us\":4,\"driver\":\"x\",\"state\":\"up\"}"
	    ","
	    "{\"seq\":5,\"type\":\"device\",\"device\":\"q\",\"mono_us\":5,\"driver\":\"x\",\"state\":\"up\"}"
	    ","
	    "{\"seq\":6,\"type\":\"device\",\"device\":\"r\",\"mono_us\":6,\"driver\":\"adms\",\"state\":"
	    "\"up\"},"
	    "{\"seq\":7,\"type\":\"device\",\"device\":\"p\",\"mono_us\":7,\"driver\":\"x\",\"state\":"
	    "\"down\"}]";
	assert_int_equal(DELIVER(&hub, .first = 1, .last = 7, .records = records), SP_VERDICT_STORED);
	assert_string_equal(acked(&hub, STREAM_1), "7");
	assert_int_equal(number(&hub, "SELECT count(*) FROM event"), 7);
	assert_int_equal(number(&hub, "SELECT state FROM line WHERE name = 'a'"), SP_LINE_DOWN);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line"), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM instance"), 2);
	assert_int_equal(number(&hub, "SELECT count(*) FROM kiosk"), 0);
	assert_int_equal(counted("too_many_lines", "board-1"), 1);
	assert_int_equal(counted("too_many_instances", "board-1"), 1);
	// A better clock places them anew: nothing is counted twice, and nothing fails.
	assert_int_equal(
	    DELIVER(&hub, .first = 8, .synced = true, .clk_t_ms = NOW_MS - 1000, .clk_mono_us = 20 * SEC_US),
	    SP_VERDICT_STORED);
	assert_int_equal(counted("too_many_lines", "board-1"), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(strangers_of_a_shard_are_few_in_an_hour, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(streams_of_a_board_are_few_in_a_day, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(boots_of_a_board_are_few_in_a_day, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(names_of_a_board_are_few, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
