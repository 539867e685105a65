// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The ndt7 driver on virtual time: whom it asks, what it refuses for want of consent, how it shares bytes and
// failures between directions, and what it reports. The worker's part is played here.
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/speed/ndt7_run.h"
#include "fake_io.h"

static struct {
	struct sp_speed_order order;
	unsigned reports, runs, pages;
	struct sp_speed_report report;
	char server[256], text[2][256], reason[2][32];
	double down, up; ///< last progress
	// what the worker was asked
	struct {
		enum sp_speed_direction direction;
		unsigned count;
		char first[256];
		char target[SP_NDT7_TARGET], interface[16];
		bool tls;
		int64_t max_wire;
		struct sp_ndt7_times times;
	} asked[4];
	// how it answers
	bool refuse;
	unsigned taken_by;
	bool cancelled;
	// the locator
	struct sp_http_answer pages_to_give[4];
	char url[1024], locate_interface[16];
} play;

// ---- what is played ---------------------------------------------------------------------------

const struct sp_speed_order *sp_speed_order(const struct sp_device *dev)
{
	(void)dev;
	return &play.order;
}

void sp_speed_progress(struct sp_device *dev, enum sp_speed_phase phase, double done, double bps)
{
	(void)dev, (void)bps;
	if (phase == SP_SPEED_LOAD_DOWN)
		play.down = done;
	if (phase == SP_SPEED_LOAD_UP)
		play.up = done;
}

void sp_speed_report(struct sp_device *dev, const struct sp_speed_report *report)
{
	(void)dev;
	play.reports++;
	play.report = *report;
	snprintf(play.server, sizeof(play.server), "%s", report->server ? report->server : "");
	for (int i = 0; i < 2; i++) {
		const struct sp_speed_result *result = &report->results[i];
		snprintf(play.text[i], sizeof(play.text[i]), "%s", result->text ? result->text : "");
		snprintf(play.reason[i], sizeof(play.reason[i]), "%s", result->reason ? result->reason : "");
	}
}

void sp_ndt7_run_work(void *arg)
{
	struct sp_ndt7_run *run = arg;
	unsigned at = play.runs++ % 4;
	play.cancelled = atomic_load(&run->cancel);
	play.asked[at].direction = run->direction;
	play.asked[at].count = run->count;
	play.asked[at].tls = run->urls[0].tls;
	play.asked[at].max_wire = run->max_wire;
	play.asked[at].times = run->times;
	snprintf(play.asked[at].first, sizeof(play.asked[at].first), "%s", run->urls[0].host);
	snprintf(play.asked[at].target, sizeof(play.asked[at].target), "%s", run->urls[0].target);
	snprintf(play.asked[at].interface, sizeof(play.asked[at].interface), "%s", run->interface);
	run->result = (struct sp_speed_result){.outcome = SP_SPEED_FAILED, .retransmit_ratio = (double)NAN};
	run->result.text = run->text;
	run->idle_s[0] = 0.010;
	run->idle_s[1] = (double)NAN;
	run->wire_bytes = 1100 * 1000;
	if (play.refuse) {
		run->wire_bytes = 5000;
		run->idle_s[0] = (double)NAN;
		run->result.reason = "refused";
		snprintf(run->text, sizeof(run->text), "nobody there");
		return;
	}
	run->server = play.taken_by < run->count ? play.taken_by : 0;
	snprintf(run->address, sizeof(run->address), "2001:db8::9");
	run->family = SP_FAMILY_IPV6;
	atomic_store(&run->loading, true);
	run->result.outcome = SP_SPEED_WHOLE;
	run->result.reason = "";
	run->result.bytes = 1000 * 1000;
	run->result.duration_us = 1000 * 1000;
}

void sp_ndt7_run_free(struct sp_ndt7_run *run)
{
	if (run)
		free(run->ca_file);
	free(run);
}

static void give_page(const struct sp_http_request *request, struct fake_page *out)
{
	snprintf(play.url, sizeof(play.url), "%s", request->url);
	snprintf(play.locate_interface, sizeof(play.locate_interface), "%s", request->interface);
	assert_true(play.pages < 4);
	out->answer = play.pages_to_give[play.pages++];
	if (!out->answer.location)
		out->answer.location = "";
	if (!out->answer.error)
		out->answer.error = "";
	out->delay_ms = 50;
}

// ---- benches ----------------------------------------------------------------------------------

static int reset(void **state)
{
	(void)state;
	memset(&play, 0, sizeof(play));
	play.order.wanted[0] = play.order.wanted[1] = true;
	return 0;
}

static struct sp_device *make(const char *options)
{
	struct sp_device *dev = fake_new(&sp_driver_ndt7, "test", options);
	dev->http = give_page;
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static void round_of(const char *options)
{
	struct sp_device *dev = make(options);
	fake_poll(dev);
	fake_run(dev, 5000, false);
	assert_int_equal(play.reports, 1);
	assert_int_equal(dev->rounds_ok + dev->rounds_failed + dev->rounds_unmeasured, 1);
	fake_free(dev);
}

static const char servers[] =
    "{\"results\":["
    "{\"urls\":{\"wss:///ndt/v7/download\":\"wss://a.example/ndt/v7/download?access_token=A\","
    "\"wss:///ndt/v7/upload\":\"wss://a.example/ndt/v7/upload?access_token=B\"}},"
    "{\"urls\":{\"wss:///ndt/v7/download\":\"wss://mlab1.measurement-lab.org/ndt/v7/"
    "download?access_token=C\","
    "\"wss:///ndt/v7/upload\":\"wss://mlab1.measurement-lab.org/ndt/v7/upload?access_token=D\"}},"
    "{\"urls\":{\"wss:///ndt/v7/download\":\"wss://c.example/ndt/v7/download?access_token=E\","
    "\"wss:///ndt/v7/upload\":\"wss://c.example/ndt/v7/upload?access_token=F\"}}]}";

#define CONSENT     "publish_consent = the head of IT agreed on 2026-09-01\n"
#define OWN_LOCATOR "locate_url = https://locate.example.vn/v2\n"

static void give(const char *body, long status)
{
	play.pages_to_give[0] = (struct sp_http_answer){
	    .status = status, .body = (const uint8_t *)body, .length = strlen(body), .bytes = 4000};
}

// ---- tests ------------------------------------------------------------------------------------

static int checked(const char *options, char why[256])
{
	struct sp_device *dev = fake_new(&sp_driver_ndt7, "test", options);
	const char *key = NULL;
	int result = sp_driver_ndt7.check(dev->conf, &key, why, 256);
	// Nor does it start.
	assert_int_equal(sp_driver_ndt7.start(dev), result);
	fake_free(dev);
	return result;
}

static void test_nothing_is_published_without_consent(void **state)
{
	(void)state;
	static const char *const refused[] = {
	    "",
	    "publish_consent = yes\n",
	    "publish_consent = 2026-09-01\n",
	    "locate_url = https://locate-staging.MeasurementLab.net/v2/x\n",
	    "locate_url = https://user@locate.example/v2/x\n",
	    "server = ndt-mlab1.measurement-lab.org\n",
	    "server = measurementlab.net.:443\n",
	};
	static const char *const allowed[] = {
	    CONSENT,
	    "server = ndt.example.vn\n",
	    "server = [2001:db8::1]:4443\n",
	    OWN_LOCATOR,
	    "server = notmeasurementlab.net\n",
	    ("server = ndt-mlab1.measurement-lab.org\n" CONSENT),
	};
	char why[256];
	for (size_t i = 0; i < SP_COUNT(refused); i++) {
		assert_int_equal(checked(refused[i], why), -EINVAL);
		assert_non_null(strstr(why, "publishes"));
	}
	for (size_t i = 0; i < SP_COUNT(allowed); i++)
		assert_int_equal(checked(allowed[i], why), 0);
	assert_int_equal(checked("server = a b\n", why), -EINVAL);
	assert_int_equal(checked("server = a:99999\n", why), -EINVAL);
	assert_int_equal(checked("server = a\ninterface = eth 0\n", why), -EINVAL);
	assert_int_equal(checked("server = a\nca_file = ca.pem\n", why), -EINVAL);
	assert_int_equal(checked(CONSENT "country = vn\n", why), -EINVAL);
}

static void test_own_server(void **state)
{
	(void)state;
	round_of("server = ndt.example.vn:8080\nscheme = ws\nscope = domestic\nduration = 4s\n");
	assert_int_equal(play.runs, 2);
	assert_int_equal(play.pages, 0);
	assert_int_equal(play.asked[0].direction, SP_SPEED_DOWN);
	assert_int_equal(play.asked[1].direction, SP_SPEED_UP);
	assert_string_equal(play.asked[0].target,
			    "/ndt/v7/download?client_name=schoolpulse&client_version=" SP_VERSION);
	assert_false(play.asked[0].tls);
	assert_int_equal(play.asked[0].times.up_us, 4 * 1000 * 1000);
	assert_int_equal(play.asked[0].times.stall_us, 7 * 1000 * 1000);
	assert_string_equal(play.report.method, "ndt7");
	assert_string_equal(play.report.scope, "domestic");
	assert_string_equal(play.server, "ndt.example.vn");
	assert_int_equal(play.report.family, SP_FAMILY_IPV6);
	assert_int_equal(play.report.results[0].outcome, SP_SPEED_WHOLE);
	assert_int_equal(play.report.results[1].bytes, 1000 * 1000);
	assert_int_equal(play.report.wire_bytes, 2 * 1100 * 1000);
	assert_int_equal(play.report.idle.count, 2);
	assert_true(play.down == 1 && play.up == 1);
}

/// "auto", as with every driver, and whoever is asked on the way there.
static void test_leaves_by_the_interface_named(void **state)
{
	static const struct {
		const char *options, *by;
	} cases[] = {{OWN_LOCATOR, ""},
		     {OWN_LOCATOR "interface = auto\n", ""},
		     {OWN_LOCATOR "interface = eth1\n", "eth1"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reset(state);
		give(servers, 200);
		round_of(cases[i].options);
		assert_string_equal(play.locate_interface, cases[i].by);
		assert_string_equal(play.asked[0].interface, cases[i].by);
		assert_string_equal(play.asked[1].interface, cases[i].by);
	}
}

static void test_locates_and_sifts(void **state)
{
	(void)state;
	give(servers, 200);
	play.taken_by = 1;
	round_of(OWN_LOCATOR "country = VN\n");
	assert_string_equal(play.url,
			    "https://locate.example.vn/v2?client_name=schoolpulse&client_version=" SP_VERSION
			    "&country=VN");
	// The one in the middle publishes, and nobody agreed.
	assert_int_equal(play.asked[0].count, 2);
	assert_string_equal(play.asked[0].first, "a.example");
	// The upload begins where the download ended up, with its own token.
	assert_string_equal(play.asked[1].first, "c.example");
	assert_non_null(strstr(play.asked[1].target, "access_token=F&client_name=schoolpulse"));
	assert_int_equal(play.report.wire_bytes, 4000 + 2 * 1100 * 1000);

	reset(NULL);
	give(servers, 200);
	round_of(CONSENT);
	assert_int_equal(play.asked[0].count, 3);
}

static void test_what_a_locator_may_answer(void **state)
{
	static const struct {
		long status;
		const char *body, *location;
		enum sp_speed_outcome outcome;
		const char *reason;
	} cases[] = {
	    {204, "", NULL, SP_SPEED_SKIPPED, "no_capacity"},
	    {200, "{\"results\":[]}", NULL, SP_SPEED_SKIPPED, "no_capacity"},
	    {200, "<html>", NULL, SP_SPEED_FAILED, "protocol"},
	    {200, "{\"results\":{}}", NULL, SP_SPEED_FAILED, "protocol"},
	    {500, "", NULL, SP_SPEED_FAILED, "http_status"},
	    {302, "", "http://locate.example.vn/", SP_SPEED_FAILED, "redirected"},
	    {302, "", "", SP_SPEED_FAILED, "redirected"},
	    {302, "", "https://locate.measurementlab.net/v2", SP_SPEED_SKIPPED, "disabled"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		reset(state);
		give(cases[i].body, cases[i].status);
		play.pages_to_give[0].location = cases[i].location;
		round_of(OWN_LOCATOR);
		assert_int_equal(play.runs, 0);
		for (int d = 0; d < 2; d++) {
			assert_int_equal(play.report.results[d].outcome, cases[i].outcome);
			assert_string_equal(play.reason[d], cases[i].reason);
			assert_true(play.text[d][0]);
		}
	}
	// A redirect that may be followed, but not for ever.
	reset(state);
	for (int i = 0; i < 4; i++)
		play.pages_to_give[i] =
		    (struct sp_http_answer){.status = 307, .location = "https://two.example/"};
	round_of(OWN_LOCATOR);
	assert_int_equal(play.pages, 3);
	assert_string_equal(play.reason[0], "redirected");
	// Nobody answers.
	reset(state);
	play.pages_to_give[0] = (struct sp_http_answer){.result = -EKEYREJECTED, .error = "expired"};
	round_of(OWN_LOCATOR);
	assert_string_equal(play.reason[1], "certificate");
}

static void test_refused_once_is_refused_twice(void **state)
{
	(void)state;
	play.refuse = true;
	struct sp_device *dev = make("server = ndt.example.vn\n");
	fake_poll(dev);
	fake_run(dev, 1000, false);
	assert_int_equal(play.runs, 1);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "refused");
	assert_string_equal(play.reason[1], "refused");
	assert_string_equal(play.text[1], "nobody there");
	fake_free(dev);
}

static void test_only_what_is_wanted(void **state)
{
	(void)state;
	play.order.wanted[SP_SPEED_DOWN] = false;
	round_of("server = ndt.example.vn\n");
	assert_int_equal(play.runs, 1);
	assert_int_equal(play.asked[0].direction, SP_SPEED_UP);
	assert_int_equal(play.report.results[SP_SPEED_DOWN].outcome, SP_SPEED_NOT_DONE);
}

static void test_bytes_are_shared(void **state)
{
	(void)state;
	play.order.max_bytes = 10 * 1000 * 1000;
	round_of("server = ndt.example.vn\nbyte_limit = 64M\n");
	assert_int_equal(play.asked[0].max_wire, 5 * 1000 * 1000);
	assert_int_equal(play.asked[1].max_wire, 10 * 1000 * 1000 - 1100 * 1000);
	reset(state);
	round_of("server = ndt.example.vn\nbyte_limit = 1M\n");
	assert_int_equal(play.asked[0].max_wire, 512 * 1024);
	// The download took more than all of it.
	assert_int_equal(play.runs, 1);
	assert_int_equal(play.report.results[SP_SPEED_UP].outcome, SP_SPEED_SKIPPED);
	assert_string_equal(play.reason[SP_SPEED_UP], "byte_limit");
}

static void test_stops_in_the_middle(void **state)
{
	(void)state;
	struct sp_device *dev = make("server = ndt.example.vn\n");
	fake_poll(dev);
	fake_free(dev); // the worker's part ends after the device
	assert_int_equal(play.runs, 1);
	assert_true(play.cancelled);
	assert_int_equal(play.reports, 0);
	// While it locates.
	reset(state);
	give(servers, 200);
	dev = make(OWN_LOCATOR);
	fake_poll(dev);
	fake_free(dev);
	assert_int_equal(play.runs, 0);
}

static void test_its_rules_for_the_core(void **state)
{
	(void)state;
	assert_int_equal(sp_driver_ndt7.pace.mean_s, 21600);
	assert_int_equal(sp_driver_ndt7.pace.least_s, 2160);
	assert_int_equal(sp_driver_ndt7.pace.most_s, 54000);
	struct sp_device *dev = fake_new(&sp_driver_ndt7, "test", "server = a\n");
	int64_t slow = sp_driver_ndt7.worst_bytes(dev->conf, 10),
		fast = sp_driver_ndt7.worst_bytes(dev->conf, 100);
	// Both directions to their ends, each byte of 10 Mbit/s.
	assert_true(slow >= 26 * 10 * 1000 * 1000 / 8 && slow < 36 * 10 * 1000 * 1000 / 8);
	assert_true(fast > 9 * slow && fast < 10 * slow);
	fake_free(dev);
	dev = fake_new(&sp_driver_ndt7, "test", "server = a\nbyte_limit = 16M\n");
	assert_true(sp_driver_ndt7.worst_bytes(dev->conf, 100) < 24 << 20);
	assert_true(sp_driver_ndt7.worst_bytes(dev->conf, 100) > 16 << 20);
	fake_free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_nothing_is_published_without_consent, reset),
	    cmocka_unit_test_setup(test_own_server, reset),
	    cmocka_unit_test_setup(test_leaves_by_the_interface_named, reset),
	    cmocka_unit_test_setup(test_locates_and_sifts, reset),
	    cmocka_unit_test_setup(test_what_a_locator_may_answer, reset),
	    cmocka_unit_test_setup(test_refused_once_is_refused_twice, reset),
	    cmocka_unit_test_setup(test_only_what_is_wanted, reset),
	    cmocka_unit_test_setup(test_bytes_are_shared, reset),
	    cmocka_unit_test_setup(test_stops_in_the_middle, reset),
	    cmocka_unit_test_setup(test_its_rules_for_the_core, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
