// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Places at the anchor: who gets one, who waits, and how long.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/anchor/admit.h"

enum { SECOND_US = 1000000 };

static const struct sp_admit_config usual = {
    .tests = 2, .tests_per_address = 1, .streams = 3, .test_ms = 60000, .idle_ms = 5000, .seed = 12345};

static int64_t now;

static struct sp_anchor_key key(const char *address, const char *test)
{
	struct sp_anchor_key out;
	assert_true(sp_anchor_key_of(address, test, &out));
	return out;
}

static struct sp_admit *begin(const struct sp_admit_config *config)
{
	now = SECOND_US;
	return sp_admit_new(config);
}

static struct sp_admit_answer ask(struct sp_admit *admit, const char *address, const char *test)
{
	struct sp_anchor_key who = key(address, test);
	return sp_admit_stream(admit, &who, now);
}

static unsigned in(struct sp_admit *admit, const char *address)
{
	struct sp_admit_answer answer = ask(admit, address, NULL);
	assert_int_equal(answer.why, SP_ADMIT_YES);
	assert_true(answer.left_ms > 0);
	return answer.slot;
}

static unsigned out(struct sp_admit *admit, const char *address, enum sp_admit_why why)
{
	struct sp_admit_answer answer = ask(admit, address, NULL);
	assert_int_equal(answer.why, why);
	assert_true(answer.retry_seconds >= 1);
	return answer.retry_seconds;
}

static struct sp_admit_state state_of(struct sp_admit *admit)
{
	struct sp_admit_state state;
	sp_admit_state(admit, now, &state);
	return state;
}

static void streams_of_one_test_count_once(void **state)
{
	(void)state;
	struct sp_admit *admit = begin(&usual);
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.1");
	out(admit, "192.0.2.1", SP_ADMIT_STREAMS);
	in(admit, "192.0.2.2");
	out(admit, "192.0.2.3", SP_ADMIT_FULL);
	assert_int_equal(state_of(admit).tests, 2);
	assert_int_equal(state_of(admit).streams, 4);
	assert_int_equal(state_of(admit).waiting, 1);
	assert_int_equal(state_of(admit).refused[SP_ADMIT_FULL], 1);
	sp_admit_free(admit);
}

static void a_place_outlasts_the_pause_between_stages(void **state)
{
	(void)state;
	struct sp_admit *admit = begin(&usual);
	struct sp_anchor_key who = key("192.0.2.1", NULL);
	sp_admit_left(admit, in(admit, "192.0.2.1"), 0, now);
	in(admit, "192.0.2.2");
	now += 4 * SECOND_US;
	out(admit, "192.0.2.3", SP_ADMIT_FULL);
	sp_admit_touch(admit, &who, now); // pings
	now += 4 * SECOND_US;
	in(admit, "192.0.2.1");
	assert_int_equal(state_of(admit).admitted, 2);
	sp_admit_free(admit);
}

static void a_place_ends(void **state)
{
	(void)state;
	struct sp_admit *admit = begin(&usual);
	unsigned first = in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	sp_admit_left(admit, first, 0, now);
	now += 5 * SECOND_US; // silence
	assert_int_equal(state_of(admit).tests, 1);
	first = in(admit, "192.0.2.4");
	// However long a client's streams last: his time is up, though he holds the place until they are cut.
	now += 60 * SECOND_US;
	out(admit, "192.0.2.4", SP_ADMIT_FULL);
	sp_admit_left(admit, first, 0, now);
	in(admit, "192.0.2.5");
	sp_admit_free(admit);
}

static void an_address_leaves_room_for_others(void **state)
{
	(void)state;
	struct sp_admit_config config = usual;
	config.tests = 4;
	config.tests_per_address = 2;
	struct sp_admit *admit = begin(&config);
	assert_int_equal(ask(admit, "100.64.0.1", "school-a").why, SP_ADMIT_YES);
	assert_int_equal(ask(admit, "100.64.0.1", "school-b").why, SP_ADMIT_YES);
	assert_int_equal(ask(admit, "100.64.0.1", "school-c").why, SP_ADMIT_ADDRESS);
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	sp_admit_free(admit);
}

static void returns_are_spread_over_what_the_queue_takes(void **state)
{
	enum { CLIENTS = 600 };
	(void)state;
	struct sp_admit *admit = begin(&usual);
	unsigned most = 0, tenths[10] = {0};
	char address[16];
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 200, i % 200);
		unsigned seconds = out(admit, address, SP_ADMIT_FULL);
		assert_in_range(seconds, 1, 1800);
		most = seconds > most ? seconds : most;
		tenths[(seconds - 1) / 180]++;
	}
	assert_true(most > 1500);
	assert_int_equal(state_of(admit).waiting, CLIENTS);
	for (unsigned i = 0; i < 10; i++)
		assert_true(tenths[i] > 5);
	sp_admit_free(admit);

	admit = begin(&usual);
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	// One who waits is not sent far.
	assert_in_range(out(admit, "192.0.2.3", SP_ADMIT_FULL), 1, 30);
	sp_admit_free(admit);
}

static void asking_again_and_again_gains_nothing(void **state)
{
	(void)state;
	struct sp_admit *admit = begin(&usual);
	char address[16];
	unsigned seconds = 0;
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	for (unsigned i = 0; seconds < 20; i++) { // one whose turn is some time off
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		seconds = out(admit, address, SP_ADMIT_FULL);
	}
	assert_int_equal(out(admit, address, SP_ADMIT_FULL), seconds);
	now += 10 * SECOND_US;
	assert_int_equal(out(admit, address, SP_ADMIT_FULL), seconds - 10);
	sp_admit_free(admit);
}

static void who_comes_early_lets_others_go_first(void **state)
{
	(void)state;
	struct sp_admit *admit = begin(&usual);
	unsigned first = in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	unsigned mine = out(admit, "198.51.100.9", SP_ADMIT_FULL);
	assert_true(mine > 5); // by this seed
	sp_admit_left(admit, first, 0, now);
	now += 5 * SECOND_US;
	// Nobody else waits: why should the place stay empty?
	in(admit, "198.51.100.9");
	sp_admit_free(admit);

	admit = begin(&usual);
	first = in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	char address[16];
	for (unsigned i = 0; i < 50; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		mine = out(admit, address, SP_ADMIT_FULL);
	}
	sp_admit_left(admit, first, 0, now);
	now += 5 * SECOND_US;
	unsigned early = 0;
	for (unsigned i = 0; i < 50 && !early; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		early = ask(admit, address, NULL).why == SP_ADMIT_EARLY;
	}
	assert_int_equal(early, 1);
	// When his time has come he is in.
	now += 40 * 60 * (int64_t)SECOND_US;
	in(admit, "10.0.0.49");
	sp_admit_free(admit);
}

static void tables_are_bounded(void **state)
{
	(void)state;
	struct sp_admit *admit = begin(&usual);
	char address[32];
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	for (unsigned i = 0; i < 6000; i++) {
		snprintf(address, sizeof(address), "10.%u.%u.%u", i / 65536, i / 256 % 256, i % 256);
		assert_in_range(out(admit, address, SP_ADMIT_FULL), 1, 1800);
	}
	assert_int_equal(state_of(admit).waiting, 4096);
	sp_admit_free(admit);
	// One address with many names does not fill it.
	admit = begin(&usual);
	in(admit, "192.0.2.1");
	in(admit, "192.0.2.2");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "name-%u", i);
		assert_int_equal(ask(admit, "198.51.100.9", address).why, SP_ADMIT_FULL);
	}
	assert_int_equal(state_of(admit).waiting, 64);
	sp_admit_free(admit);
}

static void a_share_of_bytes_is_kept(void **state)
{
	(void)state;
	struct sp_admit_config config = usual;
	config.hour_bytes = 1000;
	config.day_bytes = 1500;
	struct sp_admit *admit = begin(&config);
	sp_admit_left(admit, in(admit, "192.0.2.1"), 999, now);
	sp_admit_left(admit, in(admit, "192.0.2.1"), 1, now);
	assert_in_range(out(admit, "192.0.2.1", SP_ADMIT_BYTES), 3590, 3600);
	in(admit, "192.0.2.2");
	now += 3600 * (int64_t)SECOND_US;
	sp_admit_left(admit, in(admit, "192.0.2.1"), 500, now);
	assert_in_range(out(admit, "192.0.2.1", SP_ADMIT_BYTES), 22 * 3600, 23 * 3600);
	now += 24 * 3600 * (int64_t)SECOND_US;
	in(admit, "192.0.2.1");
	sp_admit_free(admit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(streams_of_one_test_count_once),
	    cmocka_unit_test(a_place_outlasts_the_pause_between_stages),
	    cmocka_unit_test(a_place_ends),
	    cmocka_unit_test(an_address_leaves_room_for_others),
	    cmocka_unit_test(returns_are_spread_over_what_the_queue_takes),
	    cmocka_unit_test(asking_again_and_again_gains_nothing),
	    cmocka_unit_test(who_comes_early_lets_others_go_first),
	    cmocka_unit_test(tables_are_bounded),
	    cmocka_unit_test(a_share_of_bytes_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
