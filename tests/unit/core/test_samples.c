// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Summaries of measurements: counts, extremes, what is unavailable, and records that stay in bounds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/samples.h"
#include "tests/unit/core/recorder_list.h"

static const struct sp_metric metrics[] = {{"rtt_seconds", "s", SP_METRIC_GAUGE, ""},
					   {"rx_bytes", "bytes", SP_METRIC_COUNTER, ""},
					   {"temperature_celsius", "°C", SP_METRIC_GAUGE, ""},
					   {0}};

struct bench {
	struct recorder_list records;
	struct sp_samples *samples;
};

static void begin(struct bench *bench, const struct sp_metric *table)
{
	recorder_list_init(&bench->records);
	bench->samples = sp_samples_new(table);
}

static void end(struct bench *bench)
{
	sp_samples_free(bench->samples);
	recorder_list_clear(&bench->records);
}

static void close_window(struct bench *bench)
{
	sp_samples_close(bench->samples, &bench->records.base, "main", "reach", 60.5);
}

/// The numbers of one series in the i-th record as text: "[3,1,2,3]"; "" without.
static const char *series(const struct bench *bench, size_t index, const char *metric, const char *target)
{
	static char text[256];
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(bench->records.items[index].json, "metrics");
	const cJSON *list =
	    cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(all, metric), target);
	text[0] = '\0';
	if (list) {
		char *made = cJSON_PrintUnformatted(list);
		snprintf(text, sizeof(text), "%s", made);
		cJSON_free(made);
	}
	return text;
}

static void test_a_window_is_summarised(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	sp_samples_add(bench.samples, 0, "domestic", 0.25);
	sp_samples_add(bench.samples, 0, "domestic", 0.125);
	sp_samples_add(bench.samples, 0, "domestic", 0.375);
	sp_samples_add(bench.samples, 0, "international", 2);
	sp_samples_add(bench.samples, 1, NULL, 1000);
	sp_samples_add(bench.samples, 1, NULL, 1500);
	sp_samples_unavailable(bench.samples, 2, NULL);
	close_window(&bench);
	assert_int_equal(bench.records.count, 1);
	assert_int_equal(bench.records.items[0].cls, SP_RECORD_BULK);
	assert_string_equal(recorder_text(&bench.records, 0, "type"), "samples");
	assert_string_equal(recorder_text(&bench.records, 0, "driver"), "reach");
	assert_true(recorder_number(&bench.records, 0, "seconds") == 60.5);
	assert_string_equal(series(&bench, 0, "rtt_seconds", "domestic"), "[3,0.125,0.25,0.375]");
	assert_string_equal(series(&bench, 0, "rtt_seconds", "international"), "[1,2,2,2]");
	assert_string_equal(series(&bench, 0, "rx_bytes", ""), "[1500]");
	assert_string_equal(series(&bench, 0, "temperature_celsius", ""), "");
	const cJSON *missing = cJSON_GetObjectItemCaseSensitive(bench.records.items[0].json, "unavailable");
	assert_int_equal(cJSON_GetArraySize(missing), 1);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(missing, 0)), "temperature_celsius");
	end(&bench);
}

static void test_a_window_starts_from_nothing(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	sp_samples_add(bench.samples, 0, NULL, 5);
	close_window(&bench);
	close_window(&bench); // nothing measured: nothing to say
	assert_int_equal(bench.records.count, 1);
	sp_samples_add(bench.samples, 0, NULL, 1);
	close_window(&bench);
	assert_string_equal(series(&bench, 1, "rtt_seconds", ""), "[1,1,1,1]");
	assert_null(cJSON_GetObjectItemCaseSensitive(bench.records.items[1].json, "unavailable"));
	end(&bench);
}

static void test_a_value_beats_unavailable_and_nonsense_is_unavailable(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	sp_samples_unavailable(bench.samples, 0, NULL);
	sp_samples_add(bench.samples, 0, NULL, 3);
	sp_samples_add(bench.samples, 2, NULL, NAN);
	sp_samples_add(bench.samples, 1, NULL, INFINITY);
	close_window(&bench);
	assert_string_equal(series(&bench, 0, "rtt_seconds", ""), "[1,3,3,3]");
	const cJSON *missing = cJSON_GetObjectItemCaseSensitive(bench.records.items[0].json, "unavailable");
	assert_int_equal(cJSON_GetArraySize(missing), 2);
	end(&bench);
}

static void test_targets_are_bounded(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	for (int i = 0; i < 40; i++) {
		char target[100];
		snprintf(target, sizeof(target), "%d-%080d", i, 0); // and longer than is kept
		sp_samples_add(bench.samples, 0, target, i);
	}
	sp_samples_add(bench.samples, 7, NULL, 1); // a metric that does not exist
	close_window(&bench);
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(bench.records.items[0].json, "metrics");
	const cJSON *targets = cJSON_GetObjectItemCaseSensitive(all, "rtt_seconds");
	assert_int_equal(cJSON_GetArraySize(targets), SP_SAMPLES_TARGETS);
	assert_int_equal(strlen(targets->child->string), SP_SAMPLES_TARGET_MAX);
	end(&bench);
}

static void test_targets_that_fell_silent_make_room(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < SP_SAMPLES_TARGETS; i++) {
			char target[32];
			snprintf(target, sizeof(target), "%d-%d", round, i);
			sp_samples_add(bench.samples, 0, target, 1);
		}
		for (int window = 0; window < 3; window++)
			close_window(&bench);
	}
	assert_int_equal(bench.records.count, 5);
	assert_string_equal(series(&bench, 4, "rtt_seconds", "4-31"), "[1,1,1,1]");
	end(&bench);
}

static void test_a_long_record_is_split(void **unused)
{
	(void)unused;
	enum { MANY = 30 };
	static struct sp_metric many[MANY + 1];
	static char names[MANY][32];
	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "metric_%d_seconds", i);
		many[i] = (struct sp_metric){names[i], "s", SP_METRIC_GAUGE, ""};
	}
	struct bench bench;
	begin(&bench, many);
	for (unsigned i = 0; i < MANY; i++)
		for (int j = 0; j < SP_SAMPLES_TARGETS; j++) {
			char target[80];
			snprintf(target, sizeof(target), "%d-%050d", j, 0);
			sp_samples_add(bench.samples, i, target, 1.0 / 3);
		}
	close_window(&bench);
	assert_true(bench.records.count > 1);
	int found = 0;
	for (size_t i = 0; i < bench.records.count; i++)
		found += cJSON_GetArraySize(
		    cJSON_GetObjectItemCaseSensitive(bench.records.items[i].json, "metrics"));
	assert_int_equal(found, MANY);
	end(&bench);
}

static void test_the_last_window_is_shown(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	struct sp_summary summary;
	assert_false(sp_samples_last(bench.samples, 0, &summary));
	sp_samples_add(bench.samples, 0, "a", 1);
	assert_true(sp_samples_last(bench.samples, 0, &summary)); // no window was closed yet
	assert_true(summary.known && summary.mean == 1);
	sp_samples_add(bench.samples, 0, "a", 3);
	close_window(&bench);
	sp_samples_add(bench.samples, 0, "a", 100);
	sp_samples_unavailable(bench.samples, 2, NULL);
	assert_true(sp_samples_last(bench.samples, 0, &summary));
	assert_string_equal(summary.target, "a");
	assert_true(summary.count == 2 && summary.mean == 2 && summary.min == 1 && summary.max == 3);
	assert_true(sp_samples_last(bench.samples, 1, &summary));
	assert_false(summary.known);
	assert_false(sp_samples_last(bench.samples, 2, &summary));
	end(&bench);
}

static void test_the_mean_stays_inside(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, metrics);
	for (int i = 0; i < 10; i++)
		sp_samples_add(bench.samples, 0, NULL, 0.1);
	struct sp_summary summary;
	assert_true(sp_samples_last(bench.samples, 0, &summary));
	assert_true(summary.mean >= summary.min && summary.mean <= summary.max);
	end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_window_is_summarised),
	    cmocka_unit_test(test_a_window_starts_from_nothing),
	    cmocka_unit_test(test_a_value_beats_unavailable_and_nonsense_is_unavailable),
	    cmocka_unit_test(test_targets_are_bounded),
	    cmocka_unit_test(test_targets_that_fell_silent_make_room),
	    cmocka_unit_test(test_a_long_record_is_split),
	    cmocka_unit_test(test_the_last_window_is_shown),
	    cmocka_unit_test(test_the_mean_stays_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
