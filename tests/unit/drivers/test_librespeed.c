// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The librespeed driver against scripted servers and lines, on virtual time.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_stream.h"

#define URL  "url = http://speed.example/base\n"
#define MBIT 1e6

static int64_t largest; ///< POST that the server takes
static struct fake_script bad_get, bad_post;
static unsigned gets, posts, bad_from; ///< the n-th request of the kind on is bad; 0: none
static const char *prefix;             ///< where the pages are
static char tests[64];

static void serve(const struct sp_http_stream_request *request, struct fake_script *out)
{
	const char *test = strstr(request->url, "&test=");
	assert_non_null(test);
	if (!tests[0])
		snprintf(tests, sizeof(tests), "%s", test);
	assert_string_equal(tests, test); // one identity for the whole test
	if (strncmp(request->url, prefix, strlen(prefix)) != 0) {
		out->status = 404;
		out->length = 100;
	} else if (strcmp(request->method, "POST") == 0) {
		posts++;
		if (bad_from && posts >= bad_from && bad_post.head_ms)
			*out = bad_post;
		else if (request->send_bytes > largest)
			out->status = 413;
	} else if (strstr(request->url, "garbage")) {
		gets++;
		assert_non_null(strstr(request->url, "ckSize=100&"));
		out->length = INT64_C(100) << 20;
		if (bad_from && gets >= bad_from && bad_get.head_ms)
			*out = bad_get;
	}
}

static struct sp_device *begin(const char *options, double down, double up)
{
	struct sp_device *dev = fake_new(&sp_driver_librespeed, "here", options);
	prefix = "http://speed.example/base/empty.php?";
	prefix = "http://speed.example/base/";
	largest = 1 << 30;
	gets = posts = bad_from = 0;
	memset(&bad_get, 0, sizeof(bad_get));
	memset(&bad_post, 0, sizeof(bad_post));
	tests[0] = '\0';
	fake_line_reset(down, up, serve);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static void run(struct sp_device *dev)
{
	int64_t from = dev->now_us;
	fake_poll(dev);
	while (dev->round && dev->now_us - from < 170 * 1000 * 1000)
		fake_run(dev, 100, false);
	assert_false(dev->round); // bounded, whatever the server does
	assert_true(fake_line.reported);
	assert_int_equal(fake_line.sessions, 0);
	assert_int_equal(fake_line.open, 0);
}

static double mbps(enum sp_speed_direction direction)
{
	const struct sp_speed_result *result = &fake_line.report.results[direction];
	return result->duration_us ? 8.0 * (double)result->bytes / (double)result->duration_us : 0;
}

#define assert_near(value, expected, ratio) \
	assert_true(fabs((double)(value) - (double)(expected)) <= (ratio) * (double)(expected))

static void assert_said(enum sp_speed_direction direction, enum sp_speed_outcome outcome, const char *reason)
{
	const struct sp_speed_result *result = &fake_line.report.results[direction];
	if (result->outcome != outcome || strcmp(result->reason, reason) != 0)
		fail_msg("direction %d: outcome %d %s (%s) instead of %d %s", direction, result->outcome,
			 result->reason, result->text ? result->text : "", outcome, reason);
}

static void a_good_test(void **state)
{
	(void)state;
	static const double rates[][2] = {{0.5, 0.25}, {10, 5}, {100, 40}, {300, 300}};
	for (size_t i = 0; i < SP_COUNT(rates); i++) {
		struct sp_device *dev = begin(URL, rates[i][0] * MBIT, rates[i][1] * MBIT);
		run(dev);
		const struct sp_speed_report *report = &fake_line.report;
		assert_said(SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
		assert_said(SP_SPEED_UP, SP_SPEED_WHOLE, "");
		assert_near(mbps(SP_SPEED_DOWN), rates[i][0], 0.01);
		assert_near(mbps(SP_SPEED_UP), rates[i][1], 0.02);
		assert_string_equal(report->method, "librespeed");
		assert_string_equal(report->server, "speed.example");
		assert_string_equal(report->address, "192.0.2.7");
		assert_string_equal(report->scope, "domestic");
		assert_int_equal(report->family, SP_FAMILY_IPV4);
		assert_int_equal(report->idle.count, 20);
		assert_near(report->idle.median, 0.01, 0.001);
		assert_true(report->results[0].loaded.count > 40 && report->results[1].loaded.count > 40);
		assert_int_equal(report->results[0].streams, 6);
		assert_int_equal(report->results[1].streams, 3);
		assert_int_equal(report->results[0].warmup_us, 2 * 1000 * 1000);
		assert_int_equal(report->results[0].duration_us, 8 * 1000 * 1000);
		assert_int_equal(report->results[0].curve_count, 10);
		assert_true(isnan(report->results[0].retransmit_ratio));
		assert_near(report->results[1].retransmit_ratio, 0.01, 0.01);
		assert_true(report->wire_bytes >= fake_line.wire);
		assert_true(report->wire_bytes <= sp_driver_librespeed.worst_bytes(dev->conf, rates[i][0]));
		assert_int_equal(dev->rounds_ok, 1);
		for (int phase = SP_SPEED_LOAD_DOWN; phase <= SP_SPEED_LOAD_UP; phase++)
			assert_true(fake_line.began[phase] && fake_line.ended[phase]);
		fake_free(dev);
	}
}

static void only_what_is_wanted(void **state)
{
	(void)state;
	for (int direction = 0; direction < SP_SPEED_DIRECTIONS; direction++) {
		struct sp_device *dev = begin(URL, 20 * MBIT, 20 * MBIT);
		fake_line.order.wanted[!direction] = false;
		run(dev);
		assert_int_equal(fake_line.report.results[direction].outcome, SP_SPEED_WHOLE);
		assert_int_equal(fake_line.report.results[!direction].outcome, SP_SPEED_NOT_DONE);
		fake_free(dev);
	}
}

static void the_pages_are_found(void **state)
{
	(void)state;
	static const char *const places[] = {
	    "http://speed.example/base/empty.php", "http://speed.example/base/backend/empty.php",
	    "http://speed.example/base/empty?", "http://speed.example/base/backend/empty?"};
	for (size_t i = 0; i < SP_COUNT(places); i++) {
		struct sp_device *dev = begin(URL, 20 * MBIT, 20 * MBIT);
		prefix = places[i];
		fake_line.order.wanted[SP_SPEED_DOWN] = false;
		run(dev);
		assert_said(SP_SPEED_UP, SP_SPEED_WHOLE, "");
		fake_free(dev);
	}
	struct sp_device *dev = begin(URL, 20 * MBIT, 20 * MBIT);
	prefix = "nowhere";
	run(dev);
	assert_said(SP_SPEED_DOWN, SP_SPEED_FAILED, "http_status");
	assert_said(SP_SPEED_UP, SP_SPEED_FAILED, "http_status");
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "http_status");
	assert_int_equal(fake_line.requests, 4);
	fake_free(dev);
}

static struct fake_script everything;
static void serve_all(const struct sp_http_stream_request *request, struct fake_script *out)
{
	(void)request;
	*out = everything;
}

static void nobody_is_there(void **state)
{
	(void)state;
	static const struct {
		struct fake_script script;
		const char *reason;
		enum sp_speed_outcome outcome;
	} cases[] = {
	    {{.result = -ECONNREFUSED, .head_ms = 1}, "refused", SP_SPEED_FAILED},
	    {{.result = -ENOENT, .head_ms = 1}, "dns", SP_SPEED_FAILED},
	    {{.result = -ENETUNREACH, .head_ms = 1}, "no_route", SP_SPEED_FAILED},
	    {{.result = -ENODEV, .head_ms = 1}, "no_route", SP_SPEED_FAILED},
	    {{.result = -EKEYREJECTED, .head_ms = 1}, "certificate", SP_SPEED_FAILED},
	    {{.result = -ECONNRESET, .head_ms = 1}, "closed", SP_SPEED_FAILED},
	    {{.result = -EPROTO, .head_ms = 1}, "protocol", SP_SPEED_FAILED},
	    {{.stalls = true, .head_ms = 1}, "timeout", SP_SPEED_FAILED},
	    {{.status = 302, .head_ms = 1, .location = "http://login.example/"},
	     "redirected",
	     SP_SPEED_FAILED},
	    {{.status = 500, .head_ms = 1}, "http_status", SP_SPEED_FAILED},
	    {{.status = 503, .head_ms = 1, .retry_after = "30"}, "no_capacity", SP_SPEED_SKIPPED},
	    {{.status = 429, .head_ms = 1}, "no_capacity", SP_SPEED_SKIPPED},
	    // A captive portal's page in the place of every page.
	    {{.status = 200, .head_ms = 1, .length = 700, .after_bytes = INT64_MAX},
	     "protocol",
	     SP_SPEED_FAILED},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = begin(URL, 20 * MBIT, 20 * MBIT);
		everything = cases[i].script;
		fake_line.serve = serve_all;
		run(dev);
		assert_said(SP_SPEED_DOWN, cases[i].outcome, cases[i].reason);
		assert_said(SP_SPEED_UP, cases[i].outcome, cases[i].reason);
		assert_int_equal(dev->rounds_failed, cases[i].outcome == SP_SPEED_FAILED);
		assert_int_equal(dev->rounds_unmeasured, cases[i].outcome == SP_SPEED_SKIPPED);
		assert_string_equal(dev->reason, cases[i].reason);
		assert_true(fake_line.wire < 10000);
		fake_free(dev);
	}
}

/// From the first or the 30th request on the server does this instead.
static void downloads_that_go_wrong(void **state)
{
	(void)state;
	static const struct {
		struct fake_script script;
		const char *reason;
		enum sp_speed_outcome outcome;
	} cases[] = {
	    {{.status = 500, .head_ms = 5, .length = 1 << 20, .after_bytes = INT64_MAX},
	     "http_status",
	     SP_SPEED_FAILED},
	    {{.status = 404, .head_ms = 5, .length = 1 << 20, .after_bytes = INT64_MAX},
	     "http_status",
	     SP_SPEED_FAILED},
	    {{.status = 302, .head_ms = 5}, "redirected", SP_SPEED_FAILED},
	    {{.status = 503, .head_ms = 5}, "no_capacity", SP_SPEED_SKIPPED},
	    // Too little, too much, and an end in the middle.
	    {{.status = 200, .head_ms = 5, .length = 3000, .after_bytes = INT64_MAX},
	     "protocol",
	     SP_SPEED_FAILED},
	    {{.status = 200, .head_ms = 5, .length = INT64_MAX, .after_bytes = INT64_MAX},
	     "",
	     SP_SPEED_WHOLE},
	    {{.status = 200,
	      .head_ms = 5,
	      .length = INT64_C(100) << 20,
	      .after_bytes = 500000,
	      .result = -ECONNRESET},
	     "closed",
	     SP_SPEED_FAILED},
	    {{.status = 200,
	      .head_ms = 5,
	      .length = INT64_C(100) << 20,
	      .after_bytes = 500000,
	      .stalls = true},
	     "stalled",
	     SP_SPEED_FAILED},
	    {{.status = 200,
	      .head_ms = 5,
	      .length = INT64_C(100) << 20,
	      .after_bytes = 12000000,
	      .stalls = true},
	     "stalled",
	     SP_SPEED_PARTIAL},
	    {{.head_ms = 5, .stalls = true}, "timeout", SP_SPEED_FAILED},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = begin(URL, 100 * MBIT, 50 * MBIT);
		bad_get = cases[i].script;
		bad_from = 1;
		run(dev);
		assert_said(SP_SPEED_DOWN, cases[i].outcome, cases[i].reason);
		assert_said(SP_SPEED_UP, SP_SPEED_WHOLE, "");
		if (cases[i].outcome == SP_SPEED_PARTIAL)
			assert_near(mbps(SP_SPEED_DOWN), 100, 0.05);
		if (cases[i].outcome == SP_SPEED_FAILED)
			assert_true(mbps(SP_SPEED_DOWN) == 0);
		fake_free(dev);
	}
	// A server that sends without an end: what it sends is read no further than asked for, and it is no
	// backend.
	struct sp_device *dev = begin(URL, 900 * MBIT, 50 * MBIT);
	bad_get =
	    (struct fake_script){.status = 200, .head_ms = 5, .length = INT64_MAX, .after_bytes = INT64_MAX};
	bad_from = 1;
	run(dev);
	assert_said(SP_SPEED_DOWN, SP_SPEED_FAILED, "protocol");
	fake_free(dev);
}

static void errors_are_no_speed(void **state)
{
	(void)state;
	static const struct {
		struct fake_script script;
		const char *reason;
		enum sp_speed_outcome outcome;
	} cases[] = {
	    // It swallows the body and then says no: nothing of it counts.
	    {{.status = 500, .head_ms = 3000, .after_bytes = INT64_MAX}, "http_status", SP_SPEED_FAILED},
	    {{.status = 500, .head_ms = 5, .after_bytes = INT64_MAX}, "http_status", SP_SPEED_FAILED},
	    {{.status = 429, .head_ms = 5, .after_bytes = INT64_MAX}, "no_capacity", SP_SPEED_SKIPPED},
	    {{.status = 307, .head_ms = 5, .after_bytes = INT64_MAX}, "redirected", SP_SPEED_FAILED},
	    {{.status = 413, .head_ms = 5, .after_bytes = INT64_MAX}, "http_status", SP_SPEED_FAILED},
	    {{.result = -ECONNRESET, .head_ms = 5, .after_bytes = 1000}, "closed", SP_SPEED_FAILED},
	    {{.head_ms = 5, .after_bytes = 1000, .stalls = true}, "stalled", SP_SPEED_FAILED},
	    {{.head_ms = 5, .after_bytes = INT64_MAX, .stalls = true}, "stalled", SP_SPEED_FAILED},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = begin(URL, 50 * MBIT, 50 * MBIT);
		bad_post = cases[i].script;
		bad_from = 1;
		run(dev);
		assert_said(SP_SPEED_DOWN, SP_SPEED_WHOLE, "");
		assert_said(SP_SPEED_UP, cases[i].outcome, cases[i].reason);
		assert_true(mbps(SP_SPEED_UP) == 0);
		assert_int_equal(dev->rounds_ok, 1); // the other direction has a figure
		fake_free(dev);
	}
	// It takes bytes for seconds, and only then says no.
	struct sp_device *slow = begin(URL, 50 * MBIT, 0.3 * MBIT);
	bad_post = (struct fake_script){.status = 500, .head_ms = 4500, .after_bytes = INT64_MAX};
	bad_from = 1;
	run(slow);
	assert_said(SP_SPEED_UP, SP_SPEED_FAILED, "http_status");
	fake_free(slow);
	// It takes a dozen and then fails: what was before stands, if it is enough.
	struct sp_device *dev = begin(URL "upload_size = 2M\n", 50 * MBIT, 50 * MBIT);
	bad_post = (struct fake_script){.status = 500, .head_ms = 5, .after_bytes = INT64_MAX};
	bad_from = 25;
	run(dev);
	assert_said(SP_SPEED_UP, SP_SPEED_PARTIAL, "http_status");
	assert_near(mbps(SP_SPEED_UP), 50, 0.05);
	assert_true(fake_line.report.results[SP_SPEED_UP].duration_us < 8000000);
	fake_free(dev);
}

static void uploads_fit_the_server(void **state)
{
	(void)state;
	static const int64_t sizes[] = {70000, 1 << 20, 3000000, 8 << 20};
	for (size_t i = 0; i < SP_COUNT(sizes); i++) {
		struct sp_device *dev = begin(URL, 50 * MBIT, 50 * MBIT);
		largest = sizes[i];
		run(dev);
		assert_said(SP_SPEED_UP, SP_SPEED_WHOLE, "");
		assert_near(mbps(SP_SPEED_UP), 50, sizes[i] < 100000 ? 0.3 : 0.03);
		// Where POSTs must stay small, twice as many fill the line while some wait for their answers.
		// The largest is never tried: those of a quarter already take long enough.
		assert_int_equal(fake_line.report.results[SP_SPEED_UP].streams, sizes[i] < 8 << 20 ? 6 : 3);
		fake_free(dev);
	}
	struct sp_device *dev = begin(URL, 50 * MBIT, 50 * MBIT);
	largest = 1000;
	run(dev);
	assert_said(SP_SPEED_UP, SP_SPEED_FAILED, "http_status");
	assert_non_null(strstr(fake_line.report.results[SP_SPEED_UP].text, "413"));
	fake_free(dev);
}

static void bytes_are_limited(void **state)
{
	(void)state;
	static const int64_t limits[] = {100000, 5000000, 40000000, 100000000};
	for (size_t i = 0; i < 2 * SP_COUNT(limits); i++) {
		int64_t limit = limits[i / 2];
		char options[128];
		snprintf(options, sizeof(options), URL "byte_limit = %lld\n", (long long)limit);
		struct sp_device *dev = begin(i % 2 ? options : URL, 100 * MBIT, 50 * MBIT);
		if (i % 2 == 0)
			fake_line.order.max_bytes = limit;
		run(dev);
		assert_true(fake_line.report.wire_bytes <= limit + 300000);
		for (int k = 0; k < SP_SPEED_DIRECTIONS; k++) {
			const struct sp_speed_result *result = &fake_line.report.results[k];
			assert_string_equal(result->reason, "byte_limit");
			assert_int_equal(result->outcome, result->bytes ? SP_SPEED_PARTIAL : SP_SPEED_FAILED);
		}
		if (limit >= 100000000)
			assert_near(mbps(SP_SPEED_DOWN), 100, 0.02);
		fake_free(dev);
	}
}

static void stopped_at_any_time(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 26000; ms += 331) {
		struct sp_device *dev = begin(URL, 20 * MBIT, 10 * MBIT);
		fake_poll(dev);
		fake_run(dev, ms, false);
		fake_free(dev);
		assert_int_equal(fake_line.sessions, 0);
	}
}

static void bad_options(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "url = ftp://x/\n",
	    "url = speed.example\n",
	    "url = http://\n",
	    "url = http:///x\n",
	    "url = http://a:b@speed.example/\n",
	    "url = http://speed.example/?x=1\n",
	    "url = http://speed.example/<>\n",
	    URL "resolve = speed.example\n",
	    URL "interface = a/b\n",
	    URL "ca_file = here.pem\n",
	    URL "duration = 4s\nwarmup = 3s\n",
	};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		struct sp_device *dev = fake_new(&sp_driver_librespeed, "here", bad[i]);
		if (fake_start(dev) != -EINVAL)
			fail_msg("case %zu", i);
		fake_free(dev);
	}
}

int main(void)
{
	const struct CMUnitTest all[] = {
	    cmocka_unit_test(a_good_test),
	    cmocka_unit_test(only_what_is_wanted),
	    cmocka_unit_test(the_pages_are_found),
	    cmocka_unit_test(nobody_is_there),
	    cmocka_unit_test(downloads_that_go_wrong),
	    cmocka_unit_test(errors_are_no_speed),
	    cmocka_unit_test(uploads_fit_the_server),
	    cmocka_unit_test(bytes_are_limited),
	    cmocka_unit_test(stopped_at_any_time),
	    cmocka_unit_test(bad_options),
	};
	return cmocka_run_group_tests(all, NULL, NULL);
}
