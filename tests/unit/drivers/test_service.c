// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The service driver over scripted answers, lines and clocks, on virtual time.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_io.h"
#include "schoolpulse/clock.h"

#define URLS "urls = https://one.example/, https://two.example/login\n"

enum { TIME, ANSWERED, SECOND_US = 1000 * 1000 };

static struct sp_http_answer answers[2]; ///< of one and two; status 0 and result 0: nothing comes
static unsigned asked[2];
static bool synced;

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	(void)arg;
	*out = (struct sp_clock_reading){.synced = synced};
}

static const struct sp_clock_source source = {read_clock, NULL};

static void http(const struct sp_http_request *request, struct fake_page *out)
{
	unsigned which = strstr(request->url, "two") != NULL;
	assert_true(request->max_bytes <= 4096);
	asked[which]++;
	out->answer.bytes = 7000;
	if (answers[which].status == 0 && answers[which].result == 0)
		return; // times out
	out->answer = answers[which];
	out->answer.bytes = 7000;
	out->answer.error = out->answer.location = "";
	out->delay_ms = which ? 300 : 200;
}

static void say(unsigned which, long status, int result)
{
	answers[which] = (struct sp_http_answer){.status = status, .result = result};
}

static int setup(void **state)
{
	(void)state;
	sp_clock_set_source(&source);
	synced = true;
	memset(asked, 0, sizeof(asked));
	say(0, 200, 0);
	say(1, 302, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sp_clock_set_source(NULL);
	return 0;
}

static struct sp_device *begin(void)
{
	struct sp_device *dev = fake_new(&sp_driver_service, "platforms", URLS);
	dev->http = http;
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static const struct fake_report *last(const struct sp_device *dev)
{
	const struct fake_report *report = fake_last(dev, SP_RUNG_SERVICE, SP_FAMILY_ANY);
	assert_non_null(report);
	return report;
}

#define assert_said(dev, status_, reason_)                           \
	do {                                                         \
		assert_int_equal(last(dev)->report.status, status_); \
		assert_string_equal(last(dev)->reason, reason_);     \
	} while (0)

static void test_all_answer(void **state)
{
	(void)state;
	struct sp_device *dev = begin();
	int64_t from = dev->now_us;
	fake_run(dev, 5 * 1000, true);
	assert_said(dev, SP_RUNG_OK, "answers");
	assert_string_equal(last(dev)->host, "one.example");
	assert_string_equal(last(dev)->detail, "2 of 2 platforms answer");
	assert_true(last(dev)->report.since_us == from);
	assert_int_equal(dev->rounds_ok, 1);
	assert_true(fake_sample(dev, TIME, "one.example")->last == 0.2);
	assert_true(fake_sample(dev, TIME, "two.example")->last == 0.3);
	assert_true(fake_sample(dev, ANSWERED, "two.example")->last == 1);
	assert_int_equal(dev->spent[SP_SPENT_PROBES], 14000);
	// One question per platform and half hour.
	fake_run(dev, 3600 * 1000, true);
	assert_in_range(asked[0], 2, 4);
	assert_int_equal(dev->rounds_failed, 0);
	fake_free(dev);
}

static void test_one_is_proof_of_life(void **state)
{
	(void)state;
	static const struct {
		long status;
		int result;
		bool answered;
	} cases[] = {{404, 0, true},         {499, 0, true},
		     {200, -EMSGSIZE, true}, {200, -ETIMEDOUT, true},
		     {503, 0, false},        {0, -EKEYREJECTED, false},
		     {0, -ENOENT, false},    {0, -ECONNREFUSED, false},
		     {0, -EPROTO, false},    {0, 0, false}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		say(1, cases[i].status, cases[i].result);
		struct sp_device *dev = begin();
		dev->usable = false; // an answer needs no ledger's leave
		fake_run(dev, 20 * 1000, true);
		assert_said(dev, SP_RUNG_OK, "answers");
		assert_int_equal(dev->rounds_ok, 1);
		assert_int_equal(fake_sample(dev, ANSWERED, "two.example")->last, cases[i].answered);
		assert_int_equal(fake_sample(dev, TIME, "two.example") != NULL, cases[i].answered);
		fake_free(dev);
	}
}

static void test_none_answers(void **state)
{
	(void)state;
	static const struct {
		long status;
		int result;
		const char *reason;
	} cases[] = {{0, 0, "no_answer"},
		     {0, -ECONNRESET, "no_answer"},
		     {500, 0, "server_error"},
		     {0, -EKEYREJECTED, "untrusted"}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = begin();
		say(0, 0, 0);
		say(1, cases[i].status, cases[i].result);
		fake_run(dev, 15 * 1000, true);
		assert_said(dev, SP_RUNG_SILENT, cases[i].reason);
		assert_int_equal(dev->rounds_failed, 1);
		assert_string_equal(dev->reason, cases[i].reason);
		assert_true(fake_sample(dev, ANSWERED, "one.example")->last == 0);
		fake_free(dev);
	}
}

static void test_a_line_that_is_down_is_no_platforms_fault(void **state)
{
	(void)state;
	say(0, 0, 0);
	say(1, 0, 0);
	struct sp_device *dev = begin();
	dev->usable = false;
	fake_run(dev, 15 * 1000, true);
	assert_said(dev, SP_RUNG_UNKNOWN, "line");
	assert_int_equal(dev->rounds_failed, 0);
	assert_int_equal(dev->rounds_unmeasured, 1);
	assert_null(fake_sample(dev, ANSWERED, "one.example"));
	fake_free(dev);
	// It breaks while we wait: the ledger is quicker than our timeout.
	dev = begin();
	fake_run(dev, 3 * 1000, true);
	dev->usable = false;
	fake_run(dev, 12 * 1000, true);
	assert_said(dev, SP_RUNG_UNKNOWN, "line");
	fake_free(dev);
	// Or comes back meanwhile.
	dev = begin();
	dev->usable = false;
	fake_run(dev, 3 * 1000, true);
	dev->usable = true;
	fake_run(dev, 12 * 1000, true);
	assert_said(dev, SP_RUNG_UNKNOWN, "line");
	fake_free(dev);
}

static void test_not_asked(void **state)
{
	(void)state;
	synced = false;
	struct sp_device *dev = begin();
	fake_run(dev, 15 * 1000, true);
	assert_said(dev, SP_RUNG_UNKNOWN, "clock");
	assert_int_equal(dev->rounds_unmeasured, 1);
	assert_string_equal(dev->reason, "clock");
	synced = true;
	fake_run(dev, 3700 * 1000, true);
	assert_said(dev, SP_RUNG_OK, "answers");
	dev->frugal = true;
	unsigned before = asked[0];
	fake_run(dev, 3700 * 1000, true);
	assert_int_equal(asked[0], before);
	assert_said(dev, SP_RUNG_UNKNOWN, "frugal");
	dev->frugal = false;
	say(0, 0, -ENETUNREACH);
	say(1, 0, -ENODEV);
	fake_run(dev, 1900 * 1000, true);
	assert_said(dev, SP_RUNG_UNKNOWN, "no_route");
	fake_free(dev);
}

static void test_suspicion(void **state)
{
	(void)state;
	struct sp_device *dev = begin();
	fake_run(dev, 120 * 1000, true);
	assert_int_equal(asked[0], 1);
	// The core begins rounds every three seconds while the line flaps.
	for (int i = 0; i < 100; i++) {
		if (!dev->round)
			fake_poll(dev);
		fake_run(dev, 3 * 1000, false);
	}
	assert_in_range(asked[0], 5, 7);
	assert_int_equal(dev->rounds_unmeasured + dev->rounds_failed, 0);
	// What was not asked now is not said again.
	assert_int_equal(fake_count(dev, SP_RUNG_SERVICE, SP_FAMILY_ANY, SP_RUNG_OK, 0), asked[0]);
	// The same while the line is down: the limit holds for failures, too.
	say(0, 0, 0);
	say(1, 0, 0);
	dev->usable = false;
	memset(asked, 0, sizeof(asked));
	for (int i = 0; i < 100; i++) {
		if (!dev->round)
			fake_poll(dev);
		fake_run(dev, 3 * 1000, false);
	}
	assert_in_range(asked[0], 4, 6);
	assert_int_equal(dev->rounds_failed, 0);
	fake_free(dev);
}

static void test_check(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "urls = http://one.example/\n",
	    "urls = one.example\n",
	    "urls = https://user:secret@one.example/\n",
	    "urls = https://one.example/, https://one.example/\n",
	    "urls = https:///path\n",
	    URLS "ca_file = here.pem\n",
	    URLS "interface = eth0/1\n",
	};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		struct sp_device *dev = fake_new(&sp_driver_service, "platforms", bad[i]);
		if (fake_start(dev) != -EINVAL)
			fail_msg("case %zu", i);
		fake_free(dev);
	}
	struct sp_device *dev = fake_new(&sp_driver_service, "platforms", URLS "ca_file = /nowhere/ca.pem\n");
	assert_int_equal(fake_start(dev), -ENOENT); // tried again: it may come with a card or a mount
	fake_free(dev);
}

static void test_stop_under_way(void **state)
{
	(void)state;
	say(1, 0, 0);
	for (int64_t ms = 0; ms < 12000; ms += 97) {
		struct sp_device *dev = begin();
		fake_run(dev, ms, true);
		fake_free(dev);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_all_answer),   TEST(test_one_is_proof_of_life),
	    TEST(test_none_answers), TEST(test_a_line_that_is_down_is_no_platforms_fault),
	    TEST(test_not_asked),    TEST(test_suspicion),
	    TEST(test_check),        TEST(test_stop_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
