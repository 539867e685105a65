// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Incidents and the register's history: a loss belongs to where its line stood then.
#include "tests/unit/hub/incident_hub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT_MS  (NOW_MS + 8 * MINUTE_MS)
#define BACK_MS (NOW_MS + HOUR_MS)

/// Boards 0 to 14 stand in commune `low`, the others in B; every third line is of provider two, the others of
/// `provider`.
static void import_now(const char *low, const char *provider, int64_t now_ms)
{
	char *text = sp_strdup("school,school_name,site,line,area,provider,device,shard\n");
	for (int i = 0; i < BOARDS; i++) {
		char *more = sp_asprintf("%s%d,T%d,chinh,main,X/H/%s,%s,board-%d,north\n", text, i, i,
					 i < BOARDS / 2 ? low : "B", i % 3 == 2 ? "two" : provider, i);
		free(text);
		text = more;
	}
	hub.now_ms = now_ms;
	register_csv(&hub, text);
	free(text);
}

/// The schools of two boards change places.
static void swap(int64_t now_ms)
{
	char *text = sp_strdup("school,school_name,site,line,area,provider,device,shard\n");
	for (int i = 0; i < BOARDS; i++) {
		char *more =
		    sp_asprintf("%s%d,T%d,chinh,main,X/H/%s,%s,board-%d,north\n", text, i, i,
				i < BOARDS / 2 ? "A" : "B", i % 3 == 2 ? "two" : "one", BOARDS - 1 - i);
		free(text);
		text = more;
	}
	hub.now_ms = now_ms;
	register_csv(&hub, text);
	free(text);
}

static void all_born(void)
{
	for (int i = 0; i < BOARDS; i++)
		birth(i, name_of(i, 's'), BOOT_1, NOW_MS);
}

static void on_member(void *arg, const struct sp_incident_member_view *view)
{
	char *text = arg;
	size_t used = strlen(text);
	snprintf(text + used, 1024 - used, "%s%s %s %s", used ? "; " : "", view->device, view->school,
		 view->area);
}

/// Between a cut in commune A and what its boards tell of it days later, every board moved to a school of the
/// other commune.
static void a_board_moves_before_it_tells(void **state)
{
	char members[1024] = "";
	(void)state;
	all_born();
	swap(NOW_MS + 24 * HOUR_MS);
	for (int i = 0; i < 15; i++)
		tell_outage(i, 'a', CUT_MS, BACK_MS, NOW_MS + 72 * HOUR_MS + i * 1000);
	look(hub.now_ms);
	struct seen seen = found();
	assert_string_equal(seen.text, "line area X/H/A 15/15 0 away");
	// Members, too, are shown where they were.
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_incident_members(hub.store, seen.ids[0], 3, on_member, members), 0);
	sp_store_read_end(hub.store);
	assert_string_equal(members, "board-0 0 X/H/A; board-1 1 X/H/A; board-10 10 X/H/A");
}

/// What happens behind the new place is judged by the new place.
static void after_the_move_it_is_the_new_place(void **state)
{
	(void)state;
	all_born();
	swap(NOW_MS + 24 * HOUR_MS);
	for (int i = 0; i < BOARDS; i++)
		birth(i, name_of(i, 't'), BOOT_1, NOW_MS + 25 * HOUR_MS);
	for (int i = 0; i < 15; i++)
		tell_outage(i, 'a', NOW_MS + 26 * HOUR_MS, NOW_MS + 27 * HOUR_MS,
			    NOW_MS + 27 * HOUR_MS + 1000);
	look(hub.now_ms);
	assert_string_equal(found().text, "line area X/H/B 15/15 0 away");
}

/// The lines of one provider were bought of another one before it was told.
static void a_provider_is_that_of_its_time(void **state)
{
	(void)state;
	all_born();
	import_now("A", "three", NOW_MS + 24 * HOUR_MS);
	for (int i = 0; i < BOARDS; i++) {
		if (i % 3 != 2)
			tell_outage(i, 'a', CUT_MS, BACK_MS, NOW_MS + 72 * HOUR_MS);
	}
	look(hub.now_ms);
	assert_string_equal(found().text, "line provider one 20/20 0 away");
}

/// Communes were joined: the one of that time is named, and its schools are no others.
static void an_area_is_that_of_its_time(void **state)
{
	(void)state;
	all_born();
	import_now("B", "one", NOW_MS + 24 * HOUR_MS);
	for (int i = 0; i < 15; i++)
		tell_outage(i, 'a', CUT_MS, BACK_MS, NOW_MS + 72 * HOUR_MS);
	look(hub.now_ms);
	assert_string_equal(found().text, "line area X/H/A 15/15 0 away");
}

/// A line that leaves by another hop than before still counts behind its provider.
static void a_hop_changes(void **state)
{
	(void)state;
	all_born();
	for (int i = 0; i < BOARDS; i++) {
		for (int k = 0; k < 2; k++)
			tell(i, k ? 'f' : 'e', NOW_MS + k * HOUR_MS, NOW_MS + k * HOUR_MS + 100,
			     "\"type\":\"egress\",\"device\":\"main\",\"family\":\"ipv4\",\"egress\":"
			     "\"own\",\"event\":\"learnt\",\"hop\":\"203.0.113.%d\",\"position\":3",
			     k ? i % 5 : 9);
	}
	for (int i = 0; i < BOARDS; i++) {
		if (i % 3 != 2)
			tell_outage(i, 'a', NOW_MS + 3 * HOUR_MS, NOW_MS + 4 * HOUR_MS, NOW_MS + 4 * HOUR_MS);
	}
	look(hub.now_ms);
	assert_string_equal(found().text, "line provider one 20/20 0 away");
}

/// What is said again and again of a hop does not make the table grow.
static void hops_are_kept_where_they_change(void **state)
{
	(void)state;
	all_born();
	for (int k = 0; k < 12; k++)
		tell(0, (char)('e' + k), NOW_MS + k * HOUR_MS, NOW_MS + k * HOUR_MS + 100,
		     "\"type\":\"egress\",\"device\":\"main\",\"family\":\"ipv4\",\"egress\":\"own\","
		     "\"event\":\"learnt\",\"hop\":\"203.0.113.%d\",\"position\":3",
		     k / 6);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_hop"), 4);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_hop WHERE hop = '203.0.113.0'"), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, incident_set_up, incident_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_board_moves_before_it_tells),
	    TEST(after_the_move_it_is_the_new_place),
	    TEST(a_provider_is_that_of_its_time),
	    TEST(an_area_is_that_of_its_time),
	    TEST(a_hop_changes),
	    TEST(hops_are_kept_where_they_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
