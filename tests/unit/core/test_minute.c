// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Minutes: a line's time is parted without gap or overlap, whenever the ledger finds out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/ledger/minute.h"
#include "tests/unit/core/recorder_list.h"

#define S INT64_C(1000000)

static struct recorder_list records;
static struct sp_minutes *minutes;

static struct sp_clock_reading at(int64_t mono_us)
{
	return (struct sp_clock_reading){
	    .mono_us = mono_us, .synced = true, .wall_ms = 1700000000000 + mono_us / 1000, .err_ms = 5};
}

static int begin(void **unused)
{
	(void)unused;
	recorder_list_init(&records);
	minutes = sp_minutes_new(&records.base, "main", 100 * S);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	sp_minutes_free(minutes);
	recorder_list_clear(&records);
	return 0;
}

static void state(enum sp_line_state which, enum sp_cause cause, int64_t since_us, int64_t now_us)
{
	struct sp_clock_reading now = at(now_us);
	sp_minutes_state(minutes, which, cause, since_us, &now);
}

static void close_at(int64_t now_us)
{
	struct sp_clock_reading now = at(now_us);
	sp_minutes_close(minutes, &now);
}

static void look_at(int64_t now_us)
{
	struct sp_clock_reading now = at(now_us);
	sp_minutes_look(minutes, &now);
}

static const cJSON *member(size_t index, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(records.items[index].json, name);
}

/// Seconds of a state; 0 when it is absent.
static double part(size_t index, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(member(index, "state_seconds"), name);
	return item ? item->valuedouble : 0;
}

static void test_a_minute_ends_where_it_ended_and_not_where_it_was_written(void **unused)
{
	(void)unused;
	state(SP_LINE_UP, SP_CAUSE_NONE, 100 * S, 101 * S);
	close_at(160 * S);
	look_at(169 * S);
	assert_int_equal(records.count, 0); // the ledger may still find out
	look_at(170 * S);
	assert_int_equal(records.count, 1);
	assert_string_equal(recorder_text(&records, 0, "type"), "minute");
	assert_string_equal(recorder_text(&records, 0, "device"), "main");
	assert_int_equal(records.items[0].cls, SP_RECORD_BULK);
	assert_true(recorder_number(&records, 0, "mono_us") == (double)(160 * S));
	assert_true(recorder_number(&records, 0, "t_ms") == 1700000000000.0 + 160000);
	assert_true(recorder_number(&records, 0, "seconds") == 60);
	assert_true(part(0, "up") == 60);
	assert_int_equal(cJSON_GetArraySize(member(0, "state_seconds")), 1);
	assert_null(member(0, "cause"));
	assert_null(member(0, "self_loaded"));
	assert_null(member(0, "rtt_seconds"));
}

static void test_an_outage_found_late_takes_its_time_back(void **unused)
{
	(void)unused;
	state(SP_LINE_UP, SP_CAUSE_NONE, 100 * S, 100 * S);
	close_at(160 * S);
	// Five seconds into the next minute the ledger knows: since a little before its beginning.
	state(SP_LINE_DOWN, SP_CAUSE_ISP, 157 * S + 250 * 1000, 165 * S);
	look_at(170 * S);
	close_at(220 * S);
	state(SP_LINE_UP, SP_CAUSE_NONE, 200 * S, 225 * S);
	look_at(230 * S);
	assert_int_equal(records.count, 2);
	assert_true(part(0, "up") == 57.25 && part(0, "down") == 2.75);
	assert_string_equal(recorder_text(&records, 0, "cause"), "isp");
	assert_true(part(1, "down") == 40 && part(1, "up") == 20);
}

static void test_what_was_written_down_stays(void **unused)
{
	(void)unused;
	state(SP_LINE_UP, SP_CAUSE_NONE, 100 * S, 100 * S);
	close_at(160 * S);
	look_at(170 * S);
	state(SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, 130 * S, 190 * S); // a minute late
	close_at(220 * S);
	look_at(230 * S);
	assert_true(part(0, "up") == 60);
	assert_true(part(1, "down") == 60);
}

static void test_the_longest_cause_is_named_and_up_has_none(void **unused)
{
	(void)unused;
	state(SP_LINE_UP, SP_CAUSE_HUB, 100 * S, 100 * S);
	state(SP_LINE_DEGRADED, SP_CAUSE_DNS, 130 * S, 131 * S);
	state(SP_LINE_DOWN, SP_CAUSE_GATEWAY, 135 * S, 136 * S);
	state(SP_LINE_UP, SP_CAUSE_HUB, 143 * S, 144 * S);
	close_at(160 * S);
	close_at(220 * S);
	look_at(230 * S);
	assert_string_equal(recorder_text(&records, 0, "cause"), "gateway");
	assert_true(part(0, "up") == 47 && part(0, "degraded") == 5 && part(0, "down") == 8);
	assert_null(member(1, "cause"));
}

static void test_values_by_scope(void **unused)
{
	(void)unused;
	sp_minutes_rtt(minutes, SP_MINUTE_DOMESTIC, &(struct sp_minute_values){2, 0.010, 0.020, 0.030});
	sp_minutes_rtt(minutes, SP_MINUTE_DOMESTIC, &(struct sp_minute_values){1, 0.005, 0.005, 0.005});
	sp_minutes_loss(minutes, SP_MINUTE_DOMESTIC, &(struct sp_minute_values){29, 0, 0, 0});
	sp_minutes_loss(minutes, SP_MINUTE_DOMESTIC, &(struct sp_minute_values){1, 1, 1, 1});
	sp_minutes_loaded(minutes, true);
	sp_minutes_loaded(minutes, false);
	close_at(160 * S);
	sp_minutes_rtt(minutes, SP_MINUTE_GATEWAY, &(struct sp_minute_values){1, 1, 1, 1}); // of the next
	look_at(170 * S);
	char *rtt = cJSON_PrintUnformatted(member(0, "rtt_seconds"));
	char *loss = cJSON_PrintUnformatted(member(0, "loss_ratio"));
	assert_string_equal(rtt, "{\"domestic\":[3,0.005,0.015,0.03]}");
	assert_string_equal(loss, "{\"domestic\":[30,0.0333]}");
	assert_true(cJSON_IsTrue(member(0, "self_loaded")));
	cJSON_free(rtt);
	cJSON_free(loss);
	close_at(220 * S);
	look_at(230 * S);
	assert_null(member(1, "self_loaded"));
	assert_non_null(cJSON_GetObjectItemCaseSensitive(member(1, "rtt_seconds"), "gateway"));
}

static void test_a_stop_cuts_the_minute(void **unused)
{
	(void)unused;
	state(SP_LINE_UP, SP_CAUSE_NONE, 100 * S, 100 * S);
	close_at(160 * S);
	struct sp_clock_reading now = at(171 * S + 500 * 1000);
	sp_minutes_end(minutes, &now);
	assert_int_equal(records.count, 2);
	assert_true(recorder_number(&records, 1, "seconds") == 11.5);
	assert_true(part(1, "up") == 11.5);
}

static void test_scopes(void **unused)
{
	(void)unused;
	enum sp_minute_scope scope;
	assert_true(sp_minute_scope("reach", "domestic", &scope) && scope == SP_MINUTE_DOMESTIC);
	assert_true(sp_minute_scope("gateway", "ipv6", &scope) && scope == SP_MINUTE_GATEWAY);
	assert_false(sp_minute_scope("reach", "domestic/ipv4", &scope));
	assert_false(sp_minute_scope("reach", "192.0.2.1", &scope));
	assert_false(sp_minute_scope("reach", "", &scope));
}

/// Whatever a ledger says and when: every millisecond once, in order, exactly.
static void test_any_history_is_parted_exactly(void **unused)
{
	(void)unused;
	for (unsigned seed = 0; seed < 300; seed++) {
		end(NULL);
		begin(NULL);
		int64_t now = 100 * S, stop = now + 3600 * S;
		srand(seed);
		int pace = 1 + rand() % 20000; // ms between verdicts: from a storm to hardly any
		int64_t window = now + 60 * S;
		while (now < stop) {
			now += (1 + rand() % pace) * INT64_C(1000) + rand() % 1000;
			state((enum sp_line_state)(rand() % 4), (enum sp_cause)(rand() % SP_CAUSES),
			      now - rand() % (120 * S), now);
			look_at(now);
			if (now >= window) {
				close_at(now);
				window = now + 60 * S;
			}
		}
		struct sp_clock_reading last = at(now);
		sp_minutes_end(minutes, &last);
		int64_t reached_ms = 100000;
		for (size_t i = 0; i < records.count; i++) {
			int64_t length = llround(recorder_number(&records, i, "seconds") * 1000);
			int64_t sum = 0;
			const cJSON *it;
			cJSON_ArrayForEach(it, member(i, "state_seconds"))
			{
				assert_true(it->valuedouble > 0);
				sum += llround(it->valuedouble * 1000);
			}
			assert_int_equal(sum, length);
			reached_ms += length;
			assert_int_equal((int64_t)recorder_number(&records, i, "mono_us") / 1000, reached_ms);
		}
		assert_int_equal(reached_ms, now / 1000);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_minute_ends_where_it_ended_and_not_where_it_was_written),
	    TEST(an_outage_found_late_takes_its_time_back),
	    TEST(what_was_written_down_stays),
	    TEST(the_longest_cause_is_named_and_up_has_none),
	    TEST(values_by_scope),
	    TEST(a_stop_cuts_the_minute),
	    TEST(scopes),
	    TEST(any_history_is_parted_exactly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
