// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Clock facts over the lives that a board's clock can have, through sp_clock_now() and a kernel that says
// what the test wants; what is saved for the next boot, and what the next boot makes of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "agent/base/clock_trust.h"
#include "agent/core/clocks.h"
#include "tests/unit/core/recorder_list.h"

#define NOW_MS  (SP_CLOCK_BUILT_MS + INT64_C(200) * 24 * 3600 * 1000)
#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

static struct timex kernel;

/// Stands before the C library's.
int adjtimex(struct timex *out)
{
	*out = kernel;
	return kernel.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

static struct recorder_list records;
static struct sp_clocks clocks;
static char saved[32];
static size_t seen;

static void put(void *arg, const char *key, const char *value)
{
	(void)arg;
	assert_string_equal(key, SP_CLOCKS_KEY);
	snprintf(saved, sizeof(saved), "%s", value);
}

/// What a boot begins with.
static void boot(int64_t saved_ms)
{
	sp_clock_saved(saved_ms);
	sp_clocks_init(&clocks, &records.base, put, NULL);
}

static int set_up(void **state)
{
	(void)state;
	recorder_list_init(&records);
	saved[0] = '\0';
	seen = 0;
	boot(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	recorder_list_clear(&records);
	sp_clock_saved(0);
	return 0;
}

/// A look at `mono_s`, when the kernel says `wall_ms`.
static void look(int64_t mono_s, bool synced, int64_t wall_ms)
{
	kernel = (struct timex){.status = synced ? 0 : STA_UNSYNC, .maxerror = 20000};
	kernel.time.tv_sec = (time_t)(wall_ms / 1000);
	kernel.time.tv_usec = wall_ms % 1000 * 1000;
	struct sp_clock_reading now = sp_clock_now();
	now.mono_us = mono_s * 1000000;
	sp_clocks_look(&clocks, &now);
}

/// The next fact, as "event source step"; "" when there is none.
static const char *told(void)
{
	static char text[64];
	if (seen == records.count)
		return "";
	snprintf(text, sizeof(text), "%s %s %.0f", recorder_text(&records, seen, "event"),
		 recorder_text(&records, seen, "source"), recorder_number(&records, seen, "step_seconds"));
	if (!cJSON_GetObjectItemCaseSensitive(records.items[seen].json, "step_seconds"))
		*strrchr(text, ' ') = '\0';
	seen++;
	return text;
}

static void a_boot_in_1970_whose_time_server_comes_an_hour_late(void **state)
{
	(void)state;
	for (int64_t s = 10; s < 3610; s += 5)
		look(s, false, s * 1000);
	assert_string_equal(told(), "");
	assert_string_equal(saved, "");
	look(3610, true, NOW_MS);
	assert_string_equal(told(), "synced kernel 1784501990");
	assert_true(recorder_number(&records, 0, "offset_before_seconds") == 0);
	assert_true(recorder_number(&records, 0, "offset_seconds") == (double)(NOW_MS / 1000 - 3610));
	assert_true(recorder_number(&records, 0, "err_seconds") < 0.06);
	assert_int_equal(sp_clocks_saved(saved) / 1000, NOW_MS / 1000 - 1); // less its error
	for (int64_t s = 3615; s < 3610 + 2 * 3600 + 100; s += 5)
		look(s, true, NOW_MS + (s - 3610) * 1000);
	assert_string_equal(told(), "hourly kernel");
	assert_string_equal(told(), "hourly kernel");
	assert_string_equal(told(), "");
	assert_in_range(sp_clocks_saved(saved), NOW_MS + 7200000 - 100, NOW_MS + 7200000);
}

static void a_boot_in_2033_that_claims_nothing_saves_nothing(void **state)
{
	(void)state;
	for (int64_t s = 10; s < 1000; s += 5)
		look(s, false, NOW_MS + 7 * YEAR_MS + s * 1000);
	sp_clocks_leave(&clocks);
	assert_string_equal(told(), "");
	assert_string_equal(saved, "");
}

static void steps_both_ways_and_a_loss(void **state)
{
	(void)state;
	look(10, true, NOW_MS);
	assert_string_equal(told(), "synced kernel");
	look(15, true, NOW_MS + 5000 + 3600000);
	assert_string_equal(told(), "step kernel 3600");
	look(20, true, NOW_MS + 10000 - 7200000);
	assert_string_equal(told(), "step kernel -10800");
	// A step back is saved as well: what stood there was wrong.
	assert_in_range(sp_clocks_saved(saved), NOW_MS + 10000 - 7200000 - 100, NOW_MS + 10000 - 7200000);
	// Setting the time by hand makes the kernel forget that it was synchronised.
	look(25, false, NOW_MS + YEAR_MS);
	assert_string_equal(told(), "lost none 31543185");
	look(30, true, NOW_MS + 20000);
	assert_string_equal(told(), "synced kernel -31535985");
	assert_string_equal(told(), "");
}

static void a_kernel_that_cannot_be_right_is_doubted_once(void **state)
{
	(void)state;
	boot(NOW_MS);
	for (int64_t s = 10; s < 100; s += 5)
		look(s, true, SP_CLOCK_BUILT_MS + s * 1000);
	assert_string_equal(told(), "doubted none");
	assert_string_equal(told(), "");
	assert_string_equal(saved, "");
	look(100, true, NOW_MS + 5000);
	assert_non_null(strstr(told(), "synced kernel"));
}

static void the_hub_teaches_and_the_kernel_takes_over(void **state)
{
	(void)state;
	look(10, false, 10000);
	assert_int_equal(sp_clock_hub_says(11000000, 13000000, NOW_MS, 20), 0);
	struct sp_clock_reading now = {.mono_us = 15000000,
				       .synced = true,
				       .from = SP_CLOCK_HUB,
				       .wall_ms = NOW_MS + 3000,
				       .err_ms = 1025};
	sp_clocks_look(&clocks, &now);
	assert_non_null(strstr(told(), "synced hub 17"));
	assert_in_range(sp_clocks_saved(saved), NOW_MS + 1900, NOW_MS + 2000);
	// A better sample moves it within its error: no step.
	now = (struct sp_clock_reading){.mono_us = 20000000,
					.synced = true,
					.from = SP_CLOCK_HUB,
					.wall_ms = NOW_MS + 8900,
					.err_ms = 100};
	sp_clocks_look(&clocks, &now);
	assert_string_equal(told(), "");
	look(25, true, NOW_MS + 13850);
	assert_string_equal(told(), "synced kernel");
	assert_string_equal(told(), "");
}

static void a_hub_that_excludes_the_kernel_is_a_fact(void **state)
{
	(void)state;
	look(10, true, NOW_MS);
	told();
	assert_int_equal(sp_clock_hub_says(11000000, 12000000, NOW_MS + 600000, 20), 0);
	for (int64_t s = 15; s < 60; s += 5)
		look(s, true, NOW_MS + (s - 10) * 1000);
	assert_string_equal(told(), "disagreed kernel 598");
	assert_string_equal(told(), "");
	assert_true(sp_clock_now().from == SP_CLOCK_KERNEL);
}

static void only_a_number_was_saved(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",
					    " ",
					    "-5",
					    "0",
					    "12x",
					    "x",
					    "99999999999999999999999",
					    "1000",
					    "9007199254740991",
					    "9223372036854775807"};
	assert_int_equal(sp_clocks_saved(NULL), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(sp_clocks_saved(wrong[i]), 0);
	assert_int_equal(sp_clocks_saved("1784501990123"), INT64_C(1784501990123));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_boot_in_1970_whose_time_server_comes_an_hour_late),
	    T(a_boot_in_2033_that_claims_nothing_saves_nothing),
	    T(steps_both_ways_and_a_loss),
	    T(a_kernel_that_cannot_be_right_is_doubted_once),
	    T(the_hub_teaches_and_the_kernel_takes_over),
	    T(a_hub_that_excludes_the_kernel_is_a_fact),
	    T(only_a_number_was_saved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
