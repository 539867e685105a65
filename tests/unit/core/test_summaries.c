// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which window becomes a record: minutes always, a healthy line's detail hardly ever, one in trouble at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/core/summaries.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

enum { WINDOW_MS = 60000 };

static struct recorder_list records;
static struct sp_loop *loop;
static struct sp_devices *devices;
static struct sp_summaries *summaries;
static bool is_frugal;

static int start(struct sp_device *dev)
{
	(void)dev;
	return 0;
}

static void stop(struct sp_device *dev)
{
	(void)dev;
}

static void poll_once(struct sp_device *dev)
{
	sp_sample(dev, 0, "domestic", 0.012);
	sp_sample(dev, 0, "192.0.2.1", 0.012);
	sp_sample(dev, 1, "domestic", 0);
	sp_round_ok(dev);
}

static const struct sp_metric metrics[] = {
    {"rtt_seconds", "seconds", SP_METRIC_GAUGE, ""}, {"loss_ratio", "ratio", SP_METRIC_GAUGE, ""}, {0}};
static const struct sp_driver link_driver = {.name = "reach",
					     .cls = SP_DRIVER_LINK,
					     .metrics = metrics,
					     .interval_ms = 10000,
					     .deadline_ms = 1000,
					     .start = start,
					     .poll = poll_once,
					     .stop = stop};

static void poll_platforms(struct sp_device *dev)
{
	sp_sample(dev, 0, "one.example.vn", 0.25);
	sp_sample(dev, 1, "one.example.vn", 1);
	sp_sample(dev, 1, "two.example.vn", 0);
	sp_round_ok(dev);
}

static const struct sp_metric service_metrics[] = {
    {"https_seconds", "seconds", SP_METRIC_GAUGE, ""}, {"answered_ratio", "ratio", SP_METRIC_GAUGE, ""}, {0}};
static const struct sp_driver service_driver = {.name = "service",
						.cls = SP_DRIVER_LINK,
						.metrics = service_metrics,
						.interval_ms = 10000,
						.deadline_ms = 1000,
						.start = start,
						.poll = poll_platforms,
						.stop = stop};

static bool frugal(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	return is_frugal;
}

static double even(void)
{
	return 0.5;
}

static int begin(void **state)
{
	(void)state;
	is_frugal = false;
	loop = sp_loop_virtual_new();
	recorder_list_init(&records);
	devices = sp_devices_new(
	    &(struct sp_devices_config){.loop = loop, .recorder = &records.base, .random = even});
	char line[] = "main";
	struct sp_device_common common = {.line = line, .interval_ms = 10000, .enabled = true};
	sp_devices_add(devices, &link_driver, "internet", &common, NULL);
	sp_devices_add(devices, &service_driver, "lesson", &common, NULL);
	common.line = NULL;
	sp_devices_add(devices, &link_driver, "gear", &common, NULL);
	summaries = sp_summaries_new(&(struct sp_summaries_config){.loop = loop,
								   .recorder = &records.base,
								   .window_ms = WINDOW_MS,
								   .samples_ms = 15 * WINDOW_MS,
								   .frugal = frugal});
	sp_summaries_add(summaries, "main");
	sp_devices_start(devices);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sp_devices_stop(devices);
	sp_devices_free(devices);
	sp_summaries_free(summaries);
	sp_loop_virtual_free(loop);
	recorder_list_clear(&records);
	return 0;
}

static void windows(int count)
{
	for (int i = 0; i < count; i++) {
		sp_loop_virtual_run(loop, WINDOW_MS);
		sp_summaries_close(summaries, devices, NULL);
	}
}

static void verdict(enum sp_line_state state, enum sp_cause cause)
{
	sp_summaries_line(
	    summaries, "main",
	    &(struct sp_line_view){
		.state = state, .cause = cause, .since_us = sp_loop_now_us(loop), .began = true});
}

/// Samples of that device.
static size_t samples_of(const char *device)
{
	size_t count = 0;
	for (size_t i = 0; i < records.count; i++)
		count += strcmp(recorder_text(&records, i, "type"), "samples") == 0 &&
			 strcmp(recorder_text(&records, i, "device"), device) == 0;
	return count;
}

static void forget(void)
{
	recorder_list_clear(&records);
}

static void test_a_healthy_line_is_told_in_brief(void **state)
{
	(void)state;
	verdict(SP_LINE_UP, SP_CAUSE_NONE);
	windows(10); // it has just come up: detail for a while
	assert_in_range(samples_of("internet"), 4, 5);
	forget();
	windows(120);
	assert_int_equal(recorder_count(&records, "minute"), 120);
	assert_int_equal(samples_of("internet"), 2); // one an hour
	assert_int_equal(samples_of("gear"), 8);
	size_t last = recorder_last(&records, "minute");
	const cJSON *rtt = cJSON_GetObjectItem(records.items[last].json, "rtt_seconds");
	assert_int_equal(cJSON_GetArraySize(rtt), 2); // no anchor by itself
	assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(rtt, "domestic"), 0)->valueint, 6);
}

static double minute_value(const char *what, const char *scope, int index)
{
	const cJSON *json = records.items[recorder_last(&records, "minute")].json;
	const cJSON *values = cJSON_GetObjectItem(cJSON_GetObjectItem(json, what), scope);
	assert_non_null(values);
	return cJSON_GetArrayItem(values, index)->valuedouble;
}

static void test_all_platforms_are_one_service(void **state)
{
	(void)state;
	verdict(SP_LINE_UP, SP_CAUSE_NONE);
	windows(3);
	double answered = minute_value("rtt_seconds", "service", 0);
	assert_true(answered > 0);
	assert_true(minute_value("rtt_seconds", "service", 2) == 0.25);
	assert_true(minute_value("loss_ratio", "service", 0) == 2 * answered);
	assert_true(minute_value("loss_ratio", "service", 1) == 0.5);
}

static void test_trouble_is_told_in_detail_and_by_itself(void **state)
{
	(void)state;
	verdict(SP_LINE_UP, SP_CAUSE_NONE);
	windows(30);
	forget();
	verdict(SP_LINE_DEGRADED, SP_CAUSE_DNS);
	windows(3);
	// The good half hour before is a record of its own.
	assert_int_equal(samples_of("internet"), 4);
	for (size_t i = 0, found = 0; i < records.count; i++) {
		if (strcmp(recorder_text(&records, i, "device"), "internet") != 0)
			continue;
		double seconds = recorder_number(&records, i, "seconds");
		assert_true(found++ == 0 ? seconds > 1000 : seconds == 60);
	}
	verdict(SP_LINE_UP, SP_CAUSE_NONE);
	forget();
	windows(20);
	assert_in_range(samples_of("internet"), 4, 5); // and a little after
}

static void test_a_frugal_line_has_one_record_an_hour(void **state)
{
	(void)state;
	is_frugal = true;
	verdict(SP_LINE_DOWN, SP_CAUSE_ISP);
	windows(90);
	verdict(SP_LINE_UP, SP_CAUSE_NONE);
	windows(90);
	assert_int_equal(samples_of("internet"), 0);
	sp_summaries_end(summaries, devices, NULL);
	assert_int_equal(recorder_count(&records, "minute"), 3);
	double down = 0;
	for (size_t i = 0; i < records.count; i++) {
		const cJSON *parts = cJSON_GetObjectItem(records.items[i].json, "state_seconds");
		const cJSON *part = cJSON_GetObjectItem(parts, "down");
		down += part ? part->valuedouble : 0;
		if (parts)
			assert_true(recorder_number(&records, i, "seconds") == 3600);
	}
	assert_true(down == 90 * 60);
}

static void test_an_end_keeps_what_was_measured(void **state)
{
	(void)state;
	verdict(SP_LINE_UP, SP_CAUSE_NONE);
	windows(20);
	forget();
	sp_loop_virtual_run(loop, 25000);
	sp_summaries_end(summaries, devices, NULL);
	assert_int_equal(samples_of("internet"), 1);
	assert_int_equal(samples_of("gear"), 1);
	assert_int_equal(recorder_count(&records, "minute"), 2); // the one that waited, and a short one
	assert_true(recorder_number(&records, recorder_last(&records, "minute"), "seconds") == 25);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_healthy_line_is_told_in_brief),         TEST(all_platforms_are_one_service),
	    TEST(trouble_is_told_in_detail_and_by_itself), TEST(a_frugal_line_has_one_record_an_hour),
	    TEST(an_end_keeps_what_was_measured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
