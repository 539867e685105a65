// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What stays of samples as they grow old, on a clock that a test turns.
#include "tests/unit/hub/hub_util.h"

#include "tools/hub/store/store_sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/figures/summary.h"

#define DAY_MS (24 * HOUR_MS)

static struct hub hub;
static const struct sp_retention keep = {.raw_days = 35, .minute_days = 100, .hour_days = 730, .day_days = 0};

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	enter(&hub, "1", "board-1");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

static int upkeep(int64_t now_ms)
{
	const struct sp_upkeep_rules rules = {.attendance_days = 400, .extract_days = 30, .retention = &keep};
	int steps = 0, more;
	while ((more = sp_store_upkeep(hub.store, &rules, now_ms)) == 1)
		steps++;
	if (more < 0)
		fail_msg("%s", sp_store_error(hub.store));
	return steps;
}

/// Minutes of bulk from `from_ms` on, one record each, as the stream's next records.
static void minutes(const char *stream, int64_t first, int count, int64_t from_ms, int64_t heard_ms,
		    double value)
{
	struct sp_buf text = SP_BUF(1 << 20);
	const char *comma = "[";
	for (int i = 0; i < count; i++, comma = ",") {
		int64_t t_ms = from_ms + i * INT64_C(60000), seq = first + i;
		sp_buf_printf(&text,
			      "%s{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64
			      ",\"err_ms\":10,",
			      comma, seq, (t_ms - NOW_MS + 100 * DAY_MS) * 1000, t_ms);
		if (seq == 1)
			sp_buf_text(&text, "\"type\":\"opened\",\"class\":\"bulk\",\"prev\":null}");
		else
			sp_buf_printf(
			    &text,
			    "\"type\":\"samples\",\"device\":\"ping\",\"driver\":\"x\",\"seconds\":60,"
			    "\"metrics\":{\"rtt_seconds\":{\"a\":[10,%g,%g,%g]}}}",
			    value, value * 2, value * 3);
	}
	sp_buf_text(&text, "]");
	hub.now_ms = heard_ms;
	assert_int_equal(DELIVER(&hub, .stream = stream, .cls = SP_RECORD_BULK, .first = first,
				 .last = first + count - 1, .records = text.data,
				 .clk_mono_us = (heard_ms - NOW_MS + 100 * DAY_MS) * 1000, .synced = true,
				 .clk_t_ms = heard_ms, .clk_err_ms = 10),
			 SP_VERDICT_STORED);
	sp_buf_free(&text);
}

struct seen {
	int count;
	char first[512], last[512];
};

static void on_sample(void *arg, const struct sp_sample_view *view)
{
	struct seen *seen = arg;
	snprintf(seen->count++ ? seen->last : seen->first, 512, "%s", view->data);
}

static struct seen read_level(const char *level)
{
	struct seen seen = {0};
	struct sp_sample_filter filter = {
	    .device = "board-1", .from_ms = 0, .to_ms = INT64_MAX, .limit = 100000};
	assert_true(sp_sample_level(level, &filter.level));
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_samples(hub.store, &filter, on_sample, &seen), 0);
	sp_store_read_end(hub.store);
	return seen;
}

static void on_fact(void *arg, const struct sp_fact_view *view)
{
	(void)view;
	++*(int *)arg;
}

static int rows_read(bool all)
{
	int count = 0;
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_facts(hub.store, "board-1", all, 0, 1000000, on_fact, &count), 0);
	sp_store_read_end(hub.store);
	return count;
}

// 10:00 at UTC+7 is a full hour.

static void an_hour_is_summed_up_when_it_is_over(void **state)
{
	(void)state;
	minutes(STREAM_1, 1, 61, NOW_MS - 60000, NOW_MS + HOUR_MS, 0.01); // `opened`, and 60 of the hour
	upkeep(NOW_MS + HOUR_MS + 700000);
	assert_int_equal(read_level("hour").count, 0);
	upkeep(NOW_MS + 3 * HOUR_MS);
	struct seen seen = read_level("hour");
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.first,
			    "{\"seconds\":3600,\"metrics\":{\"rtt_seconds\":{\"a\":[600,0.01,0.02,0.03]}}}");
	assert_int_equal(read_level("day").count, 0);
	upkeep(NOW_MS + 2 * DAY_MS);
	seen = read_level("day");
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.first,
			    "{\"seconds\":3600,\"metrics\":{\"rtt_seconds\":{\"a\":[600,0.01,0.02,0.03]}}}");
}

static void what_comes_late_is_summed_up_once(void **state)
{
	(void)state;
	minutes(STREAM_1, 1, 31, NOW_MS - 60000, NOW_MS + HOUR_MS, 0.01);
	upkeep(NOW_MS + 2 * DAY_MS);
	assert_non_null(strstr(read_level("day").first, "[300,0.01,0.02,0.03]"));
	minutes(STREAM_1, 32, 30, NOW_MS + 30 * 60000, NOW_MS + 3 * DAY_MS, 0.02);
	upkeep(NOW_MS + 3 * DAY_MS + HOUR_MS);
	upkeep(NOW_MS + 4 * DAY_MS);
	assert_string_equal(read_level("hour").first,
			    "{\"seconds\":3600,\"metrics\":{\"rtt_seconds\":{\"a\":[600,0.01,0.03,0.06]}}}");
	assert_string_equal(read_level("day").first, read_level("hour").first);
}

static void rows_go_and_their_sums_and_their_ledger_stay(void **state)
{
	(void)state;
	minutes(STREAM_1, 1, 61, NOW_MS - 60000, NOW_MS + HOUR_MS, 0.01);
	DELIVER(&hub, .stream = STREAM_2, .last = 20); // facts
	minutes(STREAM_1, 62, 60, NOW_MS + 20 * DAY_MS, NOW_MS + 20 * DAY_MS + HOUR_MS, 0.02);
	DELIVER(&hub, .stream = STREAM_2, .first = 21);
	upkeep(NOW_MS + 30 * DAY_MS);
	int facts = rows_read(false), all = rows_read(true);
	assert_int_equal(all - facts, 121);
	char day[512];
	snprintf(day, sizeof(day), "%s", read_level("day").first);
	assert_int_equal(read_level("minute").count, 0);

	upkeep(NOW_MS + 36 * DAY_MS);
	assert_int_equal(rows_read(false), facts);
	assert_int_equal(rows_read(true) - facts, 61); // `opened`, and what is 16 days old
	struct seen seen = read_level("minute");
	assert_int_equal(seen.count, 60);
	assert_string_equal(seen.first,
			    "{\"seconds\":60,\"metrics\":{\"rtt_seconds\":{\"a\":[10,0.01,0.02,0.03]}}}");
	assert_string_equal(read_level("day").first, day);
	assert_int_equal(read_level("day").count, 2);

	// The board sends it again: it is known, though its rows are gone.
	hub.now_ms = NOW_MS + 36 * DAY_MS;
	assert_int_equal(DELIVER(&hub, .stream = STREAM_1, .cls = SP_RECORD_BULK, .first = 30, .last = 40,
				 .digest = "22222222222222222222222222222222"),
			 SP_VERDICT_CONFLICT);
	assert_string_equal(acked(&hub, STREAM_1), "");

	upkeep(NOW_MS + 101 * DAY_MS);
	assert_int_equal(read_level("minute").count, 60); // those of the twentieth day
	assert_int_equal(rows_read(true) - facts, 1);
	upkeep(NOW_MS + 800 * DAY_MS);
	assert_int_equal(read_level("minute").count, 0);
	assert_int_equal(read_level("hour").count, 0);
	assert_int_equal(read_level("day").count, 2); // for ever
	assert_int_equal(rows_read(false), facts);
}

static void what_is_older_than_rows_are_kept_is_added(void **state)
{
	(void)state;
	minutes(STREAM_1, 1, 31, NOW_MS - 60000, NOW_MS + HOUR_MS, 0.01);
	upkeep(NOW_MS + 40 * DAY_MS);
	// The newest row of all stays: the next one's number comes after it.
	assert_int_equal(read_level("minute").count, 29);
	minutes(STREAM_1, 32, 30, NOW_MS + 30 * 60000, NOW_MS + 41 * DAY_MS, 0.02);
	upkeep(NOW_MS + 41 * DAY_MS + HOUR_MS);
	upkeep(NOW_MS + 42 * DAY_MS);
	assert_int_equal(read_level("minute").count, 59);
	assert_string_equal(read_level("hour").first,
			    "{\"seconds\":3600,\"metrics\":{\"rtt_seconds\":{\"a\":[600,0.01,0.03,0.06]}}}");
	assert_string_equal(read_level("day").first, read_level("hour").first);
}

/// Between any two steps a commit of ingest goes through at once, and the file gives its room back.
static void ingest_goes_on_and_the_file_shrinks(void **state)
{
	const struct sp_upkeep_rules rules = {.attendance_days = 400, .extract_days = 30, .retention = &keep};
	int64_t largest = 0, seq = 1, facts = 0;
	const int days = hub_is_postgres() ? 2 : 8; // there each row is a journey
	(void)state;
	for (int day = 0; day < days; day++, seq += 1440)
		for (int part = 0; part < 8; part++)
			minutes(STREAM_1, seq + part * 180, 180, NOW_MS + day * DAY_MS + part * 3 * HOUR_MS,
				NOW_MS + (day + 1) * DAY_MS, 0.01);
	if (!hub_is_postgres())
		largest = number(&hub, "SELECT page_count FROM pragma_page_count");
	int more = 1, steps = 0;
	while (more) {
		more = sp_store_upkeep(hub.store, &rules, NOW_MS + 200 * DAY_MS);
		assert_true(more >= 0);
		hub.now_ms = NOW_MS + 200 * DAY_MS + steps;
		facts +=
		    DELIVER(&hub, .stream = STREAM_2, .first = 1 + steps, .last = 1 + steps,
			    .digest = steps ? NULL : "33333333333333333333333333333333") == SP_VERDICT_STORED;
		steps++;
	}
	assert_int_equal(facts, steps);
	assert_true(steps > days * 1440 / 1000); // a thousand rows in each at most
	assert_int_equal(rows_read(true) - rows_read(false), 1);
	if (hub_is_postgres())
		return; // its files are the server's
	assert_true(number(&hub, "SELECT page_count FROM pragma_page_count") < largest);
	assert_true(number(&hub, "SELECT freelist_count FROM pragma_freelist_count") <= 250);
}

static void sums_do_not_depend_on_order(void **state)
{
	static const char *const texts[] = {
	    "{\"seconds\":60,\"metrics\":{\"rtt_seconds\":{\"b\":[2,1,2,3],\"a\":[1,5,5,5]},\"x\":{\"\":[7]}}"
	    "}",
	    "{\"seconds\":30,\"state_seconds\":{\"up\":20,\"down\":10},\"rtt_seconds\":{\"a\":[3,1,2,4]},"
	    "\"loss_ratio\":{\"a\":0.5}}",
	    "{\"metrics\":{\"rtt_seconds\":{\"b\":[0,9,9,9],\"c\":\"no\",\"d\":[1,2]},\"y\":[1,2,3,4]}}",
	};
	struct sp_summary a = {0}, b = {0};
	struct sp_buf one = SP_BUF(4096), other = SP_BUF(4096);
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(sp_summary_add(&a, texts[i]));
		assert_true(sp_summary_add(&b, texts[2 - i]));
	}
	assert_false(sp_summary_add(&a, "[1]"));
	assert_false(sp_summary_add(&a, "{\"seconds\":"));
	sp_summary_print(&one, &a);
	sp_summary_print(&other, &b);
	assert_string_equal(one.data, other.data);
	assert_string_equal(
	    one.data,
	    "{\"seconds\":90,\"state_seconds\":{\"up\":20,\"down\":10},\"metrics\":{\"loss_ratio\":"
	    "{\"a\":[1,0.5,0.5,0.5]},\"rtt_seconds\":{\"a\":[4,1,2.75,5],\"b\":[2,1,2,3]},\"x\":{\"\":"
	    "[1,7,7,7]}}}");
	struct sp_summary again = {0};
	struct sp_buf third = SP_BUF(4096);
	assert_true(sp_summary_add(&again, one.data)); // it reads what it writes
	sp_summary_print(&third, &again);
	assert_string_equal(third.data, one.data);
	sp_buf_free(&one);
	sp_buf_free(&other);
	sp_buf_free(&third);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(an_hour_is_summed_up_when_it_is_over),
	    TEST(what_comes_late_is_summed_up_once),
	    TEST(rows_go_and_their_sums_and_their_ledger_stay),
	    TEST(what_is_older_than_rows_are_kept_is_added),
	    TEST(ingest_goes_on_and_the_file_shrinks),
	    cmocka_unit_test(sums_do_not_depend_on_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
