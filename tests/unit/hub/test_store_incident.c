// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Regional incidents in the store: from wills, births and facts in whatever order they come.
#include "tests/unit/hub/incident_hub.h"

#include "tools/hub/store/store_sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_member(void *arg, const struct sp_incident_member_view *view)
{
	int64_t *counts = arg;
	counts[0]++;
	counts[1] += view->to_ms < 0;
	counts[2] += strcmp(view->told, "line") == 0;
	counts[3] = view->joined_ms > counts[3] ? view->joined_ms : counts[3];
}

/// Boards are born, and a minute later those from `first` to `last` are given up by the broker.
static void go_silent(int first, int last)
{
	for (int i = 0; i < BOARDS; i++)
		birth(i, name_of(i, 's'), BOOT_1, NOW_MS);
	for (int i = first; i < last; i++)
		lose(i, name_of(i, 's'), NOW_MS + 10 * MINUTE_MS + i * 1000);
}

static void many_that_fall_silent_are_one_incident(void **state)
{
	(void)state;
	go_silent(0, 15);
	look(hub.now_ms);
	struct seen seen = found();
	assert_string_equal(seen.text, "unknown area X/H/A 15/15 15 away");
	assert_int_equal(seen.to_ms[0], -1);
	int64_t id = seen.ids[0];
	for (int i = 0; i < 15; i++) { // they come back, and some have told
		birth(i, name_of(i, 't'), BOOT_1, NOW_MS + HOUR_MS + i * 1000);
		if (i < 10)
			tell_outage(i, 'a', NOW_MS + 8 * MINUTE_MS, NOW_MS + HOUR_MS,
				    NOW_MS + HOUR_MS + 20000);
	}
	look(hub.now_ms);
	seen = found();
	assert_string_equal(seen.text, "line area X/H/A 15/15 0 away");
	assert_int_equal(seen.ids[0], id);
	assert_true(seen.to_ms[0] >= NOW_MS + HOUR_MS && seen.to_ms[0] < NOW_MS + HOUR_MS + 20000);
	int64_t counts[4] = {0};
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_incident_members(hub.store, id, 100, on_member, counts), 0);
	sp_store_read_end(hub.store);
	assert_int_equal(counts[0], 15);
	assert_int_equal(counts[1], 0);
	assert_int_equal(counts[2], 10);
}

static void what_is_told_days_later_joins(void **state)
{
	(void)state;
	for (int i = 0; i < BOARDS; i++)
		birth(i, name_of(i, 's'), BOOT_1, NOW_MS);
	for (int i = 0; i < BOARDS; i++) {
		if (i % 3 != 2 && i < 15)
			tell_outage(i, 'a', NOW_MS + 8 * MINUTE_MS, NOW_MS + HOUR_MS,
				    NOW_MS + HOUR_MS + i * 1000);
	}
	look(hub.now_ms);
	struct seen seen = found();
	assert_string_equal(seen.text, "line provider_area oneX/H/A 10/10 0 away");
	int64_t id = seen.ids[0], days_later = NOW_MS + 72 * HOUR_MS;
	for (int i = BOARDS - 1; i >= 15; i--) {
		if (i % 3 != 2)
			tell_outage(i, 'a', NOW_MS + 8 * MINUTE_MS, NOW_MS + HOUR_MS, days_later);
	}
	look(days_later);
	seen = found();
	assert_string_equal(seen.text, "line provider one 20/20 0 away");
	assert_int_equal(seen.ids[0], id);
	assert_true(seen.found_ms[0] < days_later);
	int64_t counts[4] = {0};
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_incident_members(hub.store, id, 100, on_member, counts), 0);
	sp_store_read_end(hub.store);
	assert_true(counts[3] >= days_later);
}

/// The same facts in another order, looked at after every few: the same incidents, but for their numbers.
static void the_order_of_arrival_does_not_matter(void **state)
{
	char first[1024] = "";
	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		int order[BOARDS];
		if (seed > 1) {
			hub_close(&hub);
			hub_open(&hub);
			fill_register();
		}
		for (int i = 0; i < BOARDS; i++) {
			order[i] = i;
			birth(i, name_of(i, 's'), BOOT_1, NOW_MS);
		}
		unsigned random = seed;
		for (int i = BOARDS; i > 1; i--) {
			int k = rand_r(&random) % i, other = order[i - 1];
			order[i - 1] = order[k];
			order[k] = other;
		}
		for (int i = 0; i < BOARDS; i++) {
			int board = order[i];
			int64_t from_ms = NOW_MS + (board < 15 ? 8 : 58) * MINUTE_MS + board * 500;
			tell_outage(board, 'a', from_ms, from_ms + 30 * MINUTE_MS,
				    NOW_MS + (3 + i) * HOUR_MS);
			if (i % 4 == 0)
				look(hub.now_ms);
		}
		look(hub.now_ms);
		struct seen seen = found();
		if (seed == 1)
			snprintf(first, sizeof(first), "%s", seen.text);
		assert_int_equal(seen.count, 2);
		assert_string_equal(seen.text, first);
	}
}

static void the_school_s_own_is_none(void **state)
{
	(void)state;
	for (int i = 0; i < 15; i++) {
		birth(i, name_of(i, 's'), BOOT_1, NOW_MS);
		tell(i, 'a', NOW_MS + HOUR_MS, NOW_MS + HOUR_MS,
		     "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o%d\",\"phase\":\"close\","
		     "\"state\":"
		     "\"unknown\",\"cause\":\"gateway\",\"whose\":\"school\",\"start_t_ms\":%" PRId64
		     ",\"end_t_ms\":%" PRId64,
		     i, NOW_MS + 8 * MINUTE_MS, NOW_MS + HOUR_MS);
	}
	look(hub.now_ms);
	assert_int_equal(found().count, 0);
}

static void the_hop_that_failed_is_named(void **state)
{
	(void)state;
	for (int i = 0; i < BOARDS; i++) {
		birth(i, name_of(i, 's'), BOOT_1, NOW_MS);
		tell(i, 'e', NOW_MS, NOW_MS + 100,
		     "\"type\":\"egress\",\"device\":\"main\",\"family\":\"ipv4\",\"egress\":\"own\","
		     "\"event\":"
		     "\"learnt\",\"hop\":\"203.0.113.%d\",\"position\":3",
		     i % 2);
	}
	for (int i = 0; i < BOARDS; i += 2)
		tell_outage(i, 'a', NOW_MS + 8 * MINUTE_MS, NOW_MS + HOUR_MS, NOW_MS + HOUR_MS);
	look(hub.now_ms);
	// Both providers' boards: the one with ten of them weighs more.
	assert_string_equal(found().text, "line hop two 5/5 0 away; line hop one 10/10 0 away");
}

static void one_process_looks_at_a_time(void **state)
{
	struct sp_store *other;
	char why[256];
	const struct sp_upkeep_rules rules = {400, 30, .incidents = &incidents};
	(void)state;
	assert_int_equal(sp_store_open(&other, hub.path, SP_STORE_WRITE, why), 0);
	assert_int_equal(sp_store_begin(other, NOW_MS), 0);
	assert_int_equal(sp_store_epoch(other, STREAM_1), 0);
	assert_int_equal(sp_store_commit(other), 0);
	go_silent(0, 15);
	look(hub.now_ms); // holds the lease now
	lose(20, name_of(20, 's'), hub.now_ms);
	lose(21, name_of(21, 's'), hub.now_ms);
	while (sp_store_upkeep(other, &rules, hub.now_ms + 20000) == 1)
		; // days of sites
	assert_true(number(&hub, "SELECT count(*) FROM incident_dirty") > 0);
	// It is gone for longer than its lease.
	while (sp_store_upkeep(other, &rules, hub.now_ms + 200000) == 1)
		;
	assert_int_equal(number(&hub, "SELECT count(*) FROM incident_dirty"), 0);
	sp_store_close(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, incident_set_up, incident_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(many_that_fall_silent_are_one_incident), TEST(what_is_told_days_later_joins),
	    TEST(the_order_of_arrival_does_not_matter),   TEST(the_school_s_own_is_none),
	    TEST(the_hop_that_failed_is_named),           TEST(one_process_looks_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
