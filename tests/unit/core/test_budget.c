// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A line's monthly budget: what is said when, months by local time, and a count that no power cut lowers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/ledger/budget.h"
#include "tests/unit/core/recorder_list.h"

enum { WAITING = 64 };
#define NOVEMBER INT64_C(1793466000000) ///< 2026-11-01 00:00 +07:00
#define DECEMBER INT64_C(1796058000000)
#define HOUR_MS  INT64_C(3600000)

/// A journal of one value: what is put becomes durable when the test says so.
static struct {
	char *durable;
	struct {
		char *value;
		bool soon;
		sp_journal_done_fn done;
		void *arg;
	} waiting[WAITING];
	size_t count;
	int puts, refuse;
	bool closed;
} store;

static struct recorder_list records;
static struct sp_clock_reading now;

static int put(void *arg, const char *key, const char *value, bool soon, sp_journal_done_fn done,
	       void *done_arg)
{
	(void)arg;
	assert_string_equal(key, "budget.main");
	if (store.refuse)
		return store.refuse;
	assert_true(store.count < WAITING);
	store.waiting[store.count].value = sp_strdup(value);
	store.waiting[store.count].soon = soon;
	store.waiting[store.count].done = done;
	store.waiting[store.count++].arg = done_arg;
	store.puts++;
	return 0;
}

static int get(void *arg, const char *key, char **out)
{
	(void)arg;
	(void)key;
	if (store.closed)
		return -EAGAIN;
	*out = store.durable ? sp_strdup(store.durable) : NULL;
	return 0;
}

/// One commit takes everything that waits, or a power cut does.
static void commit(int result)
{
	for (size_t i = 0; i < store.count; i++) {
		if (result == 0) {
			free(store.durable);
			store.durable = store.waiting[i].value;
		} else {
			free(store.waiting[i].value);
		}
		store.waiting[i].done(store.waiting[i].arg, result);
	}
	store.count = 0;
}

static struct sp_budget *open_budget(int64_t cap, bool frugal)
{
	return sp_budget_new(&(struct sp_budget_config){.line = "main",
							.cap_bytes = cap,
							.frugal = frugal,
							.recorder = &records.base,
							.put = put,
							.get = get},
			     &now);
}

static void cut(struct sp_budget *budget)
{
	commit(-EIO);
	sp_budget_free(budget);
}

static int64_t used(const struct sp_budget *budget)
{
	struct sp_budget_view view;
	sp_budget_view(budget, &now, &view);
	return view.used;
}

static int begin(void **unused)
{
	(void)unused;
	recorder_list_init(&records);
	memset(&store, 0, sizeof(store));
	now = (struct sp_clock_reading){.mono_us = 1, .synced = true, .wall_ms = NOVEMBER + 100 * HOUR_MS};
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	commit(-EIO);
	free(store.durable);
	recorder_list_clear(&records);
	return 0;
}

static void spend(struct sp_budget *budget, int64_t bytes)
{
	sp_budget_spend(budget, SP_BUDGET_PROBES, bytes, &now);
}

static void test_it_says_when_it_is_nearly_and_when_it_is_used_up(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(1000000, false);
	spend(budget, 700000);
	assert_int_equal(records.count, 0);
	sp_budget_spend(budget, SP_BUDGET_TELEMETRY, 100000, &now);
	assert_int_equal(records.count, 1);
	assert_string_equal(recorder_text(&records, 0, "event"), "warning");
	assert_string_equal(recorder_text(&records, 0, "month"), "2026-11");
	assert_string_equal(recorder_text(&records, 0, "device"), "main");
	assert_true(recorder_number(&records, 0, "used_bytes") == 800000);
	assert_true(recorder_number(&records, 0, "cap_bytes") == 1000000);
	const cJSON *spent = cJSON_GetObjectItemCaseSensitive(records.items[0].json, "spent");
	assert_true(cJSON_GetObjectItemCaseSensitive(spent, "telemetry")->valuedouble == 100000);
	assert_false(sp_budget_exhausted(budget) || sp_budget_frugal(budget));
	sp_budget_spend(budget, SP_BUDGET_TESTS, 200000, &now);
	assert_string_equal(recorder_text(&records, 1, "event"), "exhausted");
	assert_true(sp_budget_exhausted(budget) && sp_budget_frugal(budget));
	spend(budget, 5000000);
	sp_budget_look(budget, &now);
	assert_int_equal(records.count, 2); // once each
	// Neither is said again after a reboot.
	commit(0);
	sp_budget_settle(budget);
	commit(0);
	sp_budget_free(budget);
	budget = open_budget(1000000, false);
	assert_int_equal(records.count, 2);
	assert_true(sp_budget_exhausted(budget));
	cut(budget);
	// More was bought.
	budget = open_budget(10000000, false);
	assert_int_equal(records.count, 3);
	assert_string_equal(recorder_text(&records, 2, "event"), "raised");
	assert_false(sp_budget_exhausted(budget));
	spend(budget, 3000000);
	assert_string_equal(recorder_text(&records, 3, "event"), "warning");
	cut(budget);
}

static void test_a_lump_past_both_edges_is_one_fact(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(1000, false);
	spend(budget, 5000);
	assert_int_equal(records.count, 1);
	assert_string_equal(recorder_text(&records, 0, "event"), "exhausted");
	cut(budget);
}

static void test_without_a_cap_it_counts_all_the_same(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(0, false);
	spend(budget, INT64_C(1) << 40);
	assert_int_equal(used(budget), INT64_C(1) << 40);
	assert_int_equal(records.count, 0);
	assert_false(sp_budget_exhausted(budget));
	cut(budget);
}

static void test_months_are_local(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(1000000, false);
	now.wall_ms = DECEMBER - 1;
	spend(budget, 900000);
	assert_int_equal(records.count, 1); // the warning
	now.wall_ms = DECEMBER;
	spend(budget, 7);
	assert_int_equal(used(budget), 7);
	assert_string_equal(recorder_text(&records, 1, "event"), "month");
	assert_string_equal(recorder_text(&records, 1, "month"), "2026-11"); // what it came to
	assert_true(recorder_number(&records, 1, "used_bytes") == 900000);
	struct sp_budget_view view;
	sp_budget_view(budget, &now, &view);
	assert_string_equal(view.month, "2026-12");
	// A new month warns anew.
	spend(budget, 900000);
	assert_string_equal(recorder_text(&records, 2, "event"), "warning");
	cut(budget);
}

static void test_an_unknown_clock_goes_on_with_the_last_month(void **unused)
{
	(void)unused;
	now.synced = false;
	now.wall_ms = 0;
	struct sp_budget *budget = open_budget(1000, false);
	spend(budget, 2000);
	assert_true(sp_budget_exhausted(budget)); // counted without a name
	assert_int_equal(records.count, 0);
	now.synced = true;
	now.wall_ms = NOVEMBER + HOUR_MS;
	sp_budget_look(budget, &now);
	assert_int_equal(used(budget), 2000);
	assert_string_equal(recorder_text(&records, 0, "event"), "exhausted");
	commit(0);
	sp_budget_settle(budget);
	commit(0);
	sp_budget_free(budget);
	now.synced = false;
	now.wall_ms = DECEMBER + HOUR_MS; // a mere hint
	budget = open_budget(1000, false);
	spend(budget, 5);
	assert_int_equal(used(budget), 2005);
	now.synced = true;
	sp_budget_look(budget, &now);
	assert_int_equal(used(budget), 0);
	cut(budget);
}

static void test_a_clock_that_goes_back_forgives_nothing(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(1000, false);
	spend(budget, 600);
	now.wall_ms = NOVEMBER - 1;
	sp_budget_look(budget, &now);
	assert_int_equal(used(budget), 600);
	assert_int_equal(records.count, 0);
	cut(budget);
}

static void test_a_clock_over_the_edge_and_back_forgives_nothing(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(1000, false);
	spend(budget, 600);
	now.wall_ms = DECEMBER + HOUR_MS; // too early: the server was wrong
	spend(budget, 5);
	assert_int_equal(recorder_count(&records, "budget"), 1); // what November came to
	now.wall_ms = DECEMBER - 24 * HOUR_MS;
	spend(budget, 300);
	now.wall_ms = DECEMBER + 2 * HOUR_MS;
	spend(budget, 50);
	assert_int_equal(used(budget),
			 355); // all of December's own, and nothing given away at the second edge
	assert_int_equal(recorder_count(&records, "budget"), 1);
	cut(budget);
}

static void test_a_clock_far_back_for_long_is_followed(void **unused)
{
	(void)unused;
	struct sp_clock_reading right = now;
	now.wall_ms += 400 * 24 * HOUR_MS; // a year and more ahead
	struct sp_budget *budget = open_budget(100000, false);
	spend(budget, 600);
	struct sp_budget_view view;
	for (int hour = 0; hour < 6; hour++) {
		now = right;
		now.mono_us += hour * HOUR_MS * 1000;
		now.wall_ms += hour * HOUR_MS;
		sp_budget_look(budget, &now);
		sp_budget_view(budget, &now, &view);
		assert_string_equal(view.month, "2027-12");
	}
	now.mono_us += HOUR_MS * 1000;
	spend(budget, 7);
	sp_budget_view(budget, &now, &view);
	assert_string_equal(view.month, "2026-11");
	assert_int_equal(view.used, 607);
	assert_int_equal(records.count, 0);
	cut(budget);
}

static void test_a_journal_that_opens_late_is_added(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(1000000, false);
	spend(budget, 900000);
	assert_int_equal(records.count, 1); // the warning
	sp_budget_settle(budget);
	commit(0);
	sp_budget_free(budget);
	store.closed = true;
	budget = open_budget(1000000, false);
	int puts = store.puts;
	spend(budget, 90000);
	assert_int_equal(used(budget), 90000);
	assert_int_equal(store.puts, puts); // nothing takes the stored count's place
	store.closed = false;
	sp_budget_look(budget, &now);
	assert_int_equal(used(budget), 990000);
	assert_int_equal(records.count, 1);
	spend(budget, 10000);
	assert_string_equal(recorder_text(&records, 1, "event"), "exhausted");
	commit(0);
	cut(budget);
	budget = open_budget(1000000, false);
	assert_true(used(budget) >= 1000000);
	cut(budget);
}

static void test_a_clean_stop_gives_the_reserve_back(void **unused)
{
	(void)unused;
	struct sp_budget *budget = open_budget(0, false);
	commit(0);
	for (int i = 0; i < 1000; i++) {
		spend(budget, 100);
		commit(0);
	}
	assert_true(store.puts < 1000 * 100 / 16384 + 3); // 64 KiB are reserved, a quarter never used
	sp_budget_settle(budget);
	commit(0);
	sp_budget_free(budget);
	budget = open_budget(0, false);
	assert_int_equal(used(budget), 100 * 1000);
	cut(budget);
}

static void test_what_the_card_says_is_not_trusted(void **unused)
{
	(void)unused;
	static const char *const texts[] = {
	    "",
	    "[]",
	    "{\"month\":7,\"probes\":-5,\"telemetry\":1e300,\"reserved\":\"x\",\"said\":9e9}",
	    "{\"month\":\"2026-11-and-much-more\",\"probes\":1}",
	    "{\"month\":\"zz\",\"probes\":1}",
	};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		free(store.durable);
		store.durable = sp_strdup(texts[i]);
		struct sp_budget *budget = open_budget(1000, false);
		spend(budget, 1);
		assert_true(used(budget) >= 1 && used(budget) <= 2);
		cut(budget);
	}
}

static void test_a_store_that_refuses_is_asked_again(void **unused)
{
	(void)unused;
	store.refuse = -ENOBUFS;
	struct sp_budget *budget = open_budget(0, false);
	spend(budget, 10);
	store.refuse = 0;
	spend(budget, 10);
	assert_int_equal(store.count, 1);
	commit(0);
	cut(budget);
	budget = open_budget(0, false);
	assert_true(used(budget) >= 20);
	cut(budget);
}

// ---- a test's share -----------------------------------------------------------------------------------

static void told(void *arg, int result)
{
	int *out = arg;
	*out = result;
}

static void test_what_a_test_may_take_is_set_aside_before_it_begins(void **unused)
{
	(void)unused;
	int result = 1;
	struct sp_budget *budget = open_budget(10000000, false);
	commit(0);
	assert_true(sp_budget_left(budget) == 10000000);
	assert_int_equal(sp_budget_set_aside(budget, 6000000, told, &result), 0);
	assert_int_equal(result, 1);
	assert_true(sp_budget_left(budget) == 4000000);
	assert_int_equal(sp_budget_set_aside(budget, 1, told, &result), -EBUSY);
	commit(0);
	assert_int_equal(result, 0);
	assert_int_equal(records.count, 0); // nothing was used yet
	// The power goes in the middle: all of it counts as used by tests.
	sp_budget_spend(budget, SP_BUDGET_TESTS, 2000000, &now);
	assert_true(sp_budget_left(budget) == 4000000); // of what was set aside
	cut(budget);
	budget = open_budget(10000000, false);
	struct sp_budget_view view;
	sp_budget_view(budget, &now, &view);
	assert_true(view.spent[SP_BUDGET_TESTS] == 6000000);
	assert_true(sp_budget_left(budget) <= 4000000);
	cut(budget);
}

static void test_what_a_test_did_not_spend_is_there_again(void **unused)
{
	(void)unused;
	int result = 1;
	struct sp_budget *budget = open_budget(10000000, false);
	assert_int_equal(sp_budget_set_aside(budget, 6000000, told, &result), 0);
	commit(0);
	sp_budget_spend(budget, SP_BUDGET_TESTS, 1000000, &now);
	sp_budget_give_back(budget);
	assert_true(sp_budget_left(budget) == 9000000);
	commit(0);
	// More than was set aside counts, too.
	assert_int_equal(sp_budget_set_aside(budget, 500000, told, &result), 0);
	sp_budget_spend(budget, SP_BUDGET_TESTS, 800000, &now);
	sp_budget_give_back(budget);
	assert_true(sp_budget_left(budget) == 8200000);
	cut(budget);
	budget = open_budget(10000000, false);
	assert_true(used(budget) >= 1000000 && used(budget) <= 1000000 + 64 * 1024);
	cut(budget);
}

static void test_what_could_not_be_kept_is_not_set_aside(void **unused)
{
	(void)unused;
	int result = 1;
	struct sp_budget *budget = open_budget(0, false);
	assert_true(sp_budget_left(budget) == INT64_MAX);
	commit(0);
	store.refuse = -EIO;
	assert_int_equal(sp_budget_set_aside(budget, 1000, told, &result), -EIO);
	store.refuse = 0;
	assert_int_equal(sp_budget_set_aside(budget, 1000, told, &result), 0); // the first is forgotten
	commit(-ENOSPC);
	assert_int_equal(result, -ENOSPC);
	sp_budget_give_back(budget);
	cut(budget);
	store.closed = true; // what was counted before is not known
	budget = open_budget(1000000, false);
	assert_true(sp_budget_left(budget) == -1);
	assert_int_equal(sp_budget_set_aside(budget, 1000, told, &result), -EAGAIN);
	cut(budget);
}

static void test_the_forecast(void **unused)
{
	(void)unused;
	now.wall_ms = NOVEMBER;
	struct sp_budget *budget = open_budget(0, false);
	struct sp_budget_view view;
	now.wall_ms += HOUR_MS;
	spend(budget, 1000);
	sp_budget_view(budget, &now, &view);
	assert_int_equal(view.forecast_bytes, -1); // an hour says nothing of a month
	now.wall_ms = NOVEMBER + 72 * HOUR_MS;     // a tenth of November
	sp_budget_view(budget, &now, &view);
	assert_int_equal(view.forecast_bytes, 10000);
	now.synced = false;
	sp_budget_view(budget, &now, &view);
	assert_int_equal(view.forecast_bytes, -1);
	cut(budget);
}

/// Commits come late, the power goes at any moment, pieces are of all sizes that a probe or a batch has.
static void test_no_power_cut_lowers_the_count(void **unused)
{
	(void)unused;
	for (unsigned seed = 0; seed < 400; seed++) {
		bool frugal = seed % 2;
		const int64_t reserve = frugal ? 8 * 1024 : 64 * 1024, most = reserve / 64;
		int64_t spent = 0, cuts = 0;
		int late = 0;
		end(NULL);
		begin(NULL);
		srand(seed);
		struct sp_budget *budget = open_budget(0, frugal);
		commit(0);
		for (int step = 0; step < 3000; step++) {
			int64_t bytes = 1 + rand() % most;
			spend(budget, bytes);
			spent += bytes;
			// What has to be soon is kept within a few probes; the rest when something else is.
			bool soon = false;
			for (size_t i = 0; i < store.count; i++)
				soon = soon || store.waiting[i].soon;
			late = soon ? late + 1 : 0;
			if (late == 8 || rand() % (soon ? 4 : 200) == 0)
				commit(0);
			assert_true(used(budget) >= spent);
			assert_true(used(budget) <= spent + cuts * reserve);
			if (rand() % 300 == 0) {
				cut(budget);
				cuts++;
				budget = open_budget(0, frugal);
				assert_true(used(budget) >= spent);
				assert_true(used(budget) <= spent + cuts * reserve);
				commit(0);
			}
		}
		cut(budget);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(it_says_when_it_is_nearly_and_when_it_is_used_up),
	    TEST(a_lump_past_both_edges_is_one_fact),
	    TEST(without_a_cap_it_counts_all_the_same),
	    TEST(months_are_local),
	    TEST(an_unknown_clock_goes_on_with_the_last_month),
	    TEST(a_clock_that_goes_back_forgives_nothing),
	    TEST(a_clock_over_the_edge_and_back_forgives_nothing),
	    TEST(a_clock_far_back_for_long_is_followed),
	    TEST(a_journal_that_opens_late_is_added),
	    TEST(a_clean_stop_gives_the_reserve_back),
	    TEST(what_the_card_says_is_not_trusted),
	    TEST(a_store_that_refuses_is_asked_again),
	    TEST(what_a_test_may_take_is_set_aside_before_it_begins),
	    TEST(what_a_test_did_not_spend_is_there_again),
	    TEST(what_could_not_be_kept_is_not_set_aside),
	    TEST(the_forecast),
	    TEST(no_power_cut_lowers_the_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
