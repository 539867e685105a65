// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What kiosk drivers' tests lean on: the made-up core keeps the contract of kiosk.h.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_io.h"

static int start(struct sp_device *dev)
{
	(void)dev;
	return 0;
}

static void stop(struct sp_device *dev)
{
	(void)dev;
}

static const struct sp_driver quiet = {
    .name = "quiet", .summary = "Says nothing", .cls = SP_DRIVER_KIOSK, .start = start, .stop = stop};

static int answers[8];
static size_t answered;

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	(void)dev;
	(void)arg;
	answers[answered++ % 8] = result;
}

static int hand_over(struct sp_device *dev, const char *key, const char *person)
{
	struct sp_punch punch = {.key = key,
				 .key_length = key ? strlen(key) : 0,
				 .person = person,
				 .person_length = strlen(person),
				 .kiosk_ms = FAKE_WALL_MS,
				 .number = -1};
	return sp_punch(dev, &punch, on_committed, NULL);
}

static void test_commits(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&quiet, "cổng", "");
	answered = 0;
	assert_int_equal(hand_over(dev, "a", "17"), 0);
	assert_int_equal(hand_over(dev, "b", "17"), 0);
	assert_int_equal(hand_over(dev, "a", "17"), 0);
	assert_int_equal(hand_over(dev, NULL, "17"), 0);
	assert_int_equal(hand_over(dev, NULL, "17"), 0);
	assert_int_equal(answered, 0);
	assert_int_equal(fake_commit(dev, 0), 5);
	static const int expected[] = {0, 0, SP_PUNCH_KNOWN, 0, 0};
	assert_memory_equal(answers, expected, sizeof(expected));
	assert_int_equal(fake_committed(dev), 4);
	assert_int_equal(fake_commit(dev, 0), 0);
	assert_string_equal(fake_punch(dev, 1)->punch.person, "17");
	assert_memory_equal(fake_punch(dev, 1)->punch.key, "b", 1);
	// What failed is not known the next time.
	assert_int_equal(hand_over(dev, "c", "18"), 0);
	assert_int_equal(fake_commit(dev, -EROFS), 1);
	assert_int_equal(answers[5], -EROFS);
	assert_int_equal(hand_over(dev, "c", "18"), 0);
	assert_int_equal(fake_commit(dev, 0), 1);
	assert_int_equal(answers[6], 0);
	fake_free(dev);
}

static void test_refuses(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&quiet, "cổng", "");
	char key[SP_PUNCH_KEY_MAX + 2], person[SP_PERSON_MAX + 2];
	memset(key, 'k', sizeof(key) - 1);
	memset(person, '1', sizeof(person) - 1);
	key[sizeof(key) - 1] = person[sizeof(person) - 1] = '\0';
	assert_int_equal(hand_over(dev, key, "1"), -EINVAL);
	assert_int_equal(hand_over(dev, "k", person), -EINVAL);
	assert_int_equal(hand_over(dev, "k", ""), -EINVAL);
	assert_int_equal(hand_over(dev, key + 1, person + 1), 0);
	dev->kiosk.result = -EPERM;
	assert_int_equal(hand_over(dev, "k", "1"), -EPERM);
	assert_int_equal(dev->kiosk.punch_count, 1);
	fake_free(dev);
}

static void test_clock(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&quiet, "cổng", "");
	int64_t t_ms, err_ms;
	assert_true(sp_clock_known(dev, &t_ms, &err_ms));
	assert_int_equal(t_ms, FAKE_WALL_MS);
	fake_run(dev, 1500, false);
	assert_true(sp_clock_known(dev, &t_ms, &err_ms));
	assert_int_equal(t_ms, FAKE_WALL_MS + 1500);
	dev->kiosk.clock_unknown = true;
	assert_false(sp_clock_known(dev, &t_ms, &err_ms));
	sp_kiosk_health(dev, &(struct sp_kiosk_health){.records = 7, .capacity = -1, .model = "X"});
	assert_string_equal(dev->kiosk.health.model, "X");
	assert_null(dev->kiosk.health.firmware);
	sp_kiosk_total(dev, 20780, 31);
	assert_int_equal(dev->kiosk.totals[0].count, 31);
	fake_free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commits),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
