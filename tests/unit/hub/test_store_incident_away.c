// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What looks like a regional incident and is none: a broker or the hub itself was away. And losses that last
// for days.
#include "tests/unit/hub/incident_hub.h"

#include <inttypes.h>

static void all_born(int64_t at_ms, char session)
{
	for (int i = 0; i < BOARDS; i++)
		birth(i, name_of(i, session), BOOT_1, at_ms);
}

/// A will of the broker that the hub hears only as it comes back: kept for its session, or retained.
static void will_late(int board, int64_t at_ms, bool retained, int64_t lag_ms)
{
	hub.now_ms = at_ms;
	BORN(&hub, .device = board_name(board), .session = name_of(board, 's'), .presence = SP_FEED_LOST,
	     .retained = retained, .lag_ms = lag_ms);
}

/// The broker of the shard died: nobody heard any board, and no will came. All connect again at once.
static void a_broker_is_gone_for_hours(void **state)
{
	(void)state;
	all_born(NOW_MS, 's');
	look(NOW_MS + 2 * HOUR_MS);
	assert_int_equal(found().count, 0);
	all_born(NOW_MS + 3 * HOUR_MS, 't');
	look(hub.now_ms);
	assert_int_equal(found().count, 0);
}

/// While the hub was down for an hour half of a commune was lost, one board after the other, each for reasons
/// of its own. It hears of all of them at once as it comes back.
static void the_hub_was_down_for_an_hour(void **state)
{
	(void)state;
	for (int retained = 0; retained < 2; retained++) {
		all_born(NOW_MS + retained * 24 * HOUR_MS, 's');
		int64_t back_ms = NOW_MS + retained * 24 * HOUR_MS + HOUR_MS;
		for (int i = 0; i < 15; i++)
			will_late(i, back_ms + i * 10, retained, retained ? 0 : HOUR_MS);
		look(hub.now_ms);
		assert_int_equal(found().count, 0);
	}
}

/// The same wills in a hub that was there are one.
static void heard_at_once_it_is_one(void **state)
{
	(void)state;
	all_born(NOW_MS, 's');
	for (int i = 0; i < 15; i++)
		will_late(i, NOW_MS + HOUR_MS + i * 10, false, 0);
	look(hub.now_ms);
	assert_string_equal(found().text, "unknown area X/H/A 15/15 15 away");
}

/// The centre's own line was down: all boards lost their sessions, and say that theirs were up.
static void the_centre_was_cut_off(void **state)
{
	(void)state;
	all_born(NOW_MS, 's');
	for (int i = 0; i < BOARDS; i++)
		will_late(i, NOW_MS + 10 * MINUTE_MS + i * 10, false, 0);
	look(hub.now_ms);
	assert_int_equal(found().count, 1); // nobody can know it yet
	for (int i = 0; i < BOARDS; i++) {
		birth(i, name_of(i, 't'), BOOT_1, NOW_MS + HOUR_MS);
		int64_t said_ms = NOW_MS + 11 * MINUTE_MS; // as long as the hub was silent it kept that
		tell(i, 'a', said_ms, NOW_MS + HOUR_MS + 10000,
		     "\"type\":\"line\",\"device\":\"main\",\"state\":\"up\",\"cause\":\"hub\","
		     "\"whose\":\"ours\",\"ipv4\":\"up\",\"ipv6\":\"none\"");
		if (i == 0)
			look(hub.now_ms); // one has told: the others may come
	}
	look(hub.now_ms + MINUTE_MS);
	assert_int_equal(found().count, 0);
}

// ---- long ones -----------------------------------------------------------------------------------------

/// Ten boards without power for nine days: as it ends only its ends are weighed again. It stays one incident
/// with its members; so does what happened meanwhile, and one that stays dark for longer.
static void nine_days_are_one_incident(void **state)
{
	const int64_t cut_ms = NOW_MS + 10 * MINUTE_MS, day_ms = 24 * HOUR_MS;
	(void)state;
	all_born(NOW_MS, 's');
	for (int i = 0; i < 15; i++)
		lose(i, name_of(i, 's'), cut_ms + i * 1000);
	look(hub.now_ms);
	struct seen first = found();
	assert_string_equal(first.text, "unknown area X/H/A 15/15 15 away");
	for (int i = 15; i < BOARDS; i++) // another commune, days later
		tell_outage(i, 'm', cut_ms + 4 * day_ms, cut_ms + 4 * day_ms + HOUR_MS,
			    cut_ms + 4 * day_ms + HOUR_MS + 1000);
	look(hub.now_ms);
	assert_string_equal(found().text, "line area X/H/B 15/15 0 away; unknown area X/H/A 15/15 15 away");
	for (int i = 0; i < 14; i++) { // told one by one, with a look at each
		int64_t back_ms = cut_ms + 9 * day_ms + i * 10 * MINUTE_MS;
		birth(i, name_of(i, 't'), BOOT_1, back_ms);
		tell_outage(i, 'a', cut_ms - MINUTE_MS, back_ms, back_ms + 1000);
		look(hub.now_ms);
		assert_int_equal(found().count, 2);
	}
	struct seen last = found();
	assert_string_equal(last.text, "line area X/H/B 15/15 0 away; line area X/H/A 15/15 1 away");
	assert_int_equal(last.ids[1], first.ids[0]);
	assert_true(last.to_ms[1] >= cut_ms + 9 * day_ms && last.to_ms[1] < cut_ms + 10 * day_ms);
	// Whatever is looked at later: they are the same.
	execute(&hub,
		"INSERT INTO incident_dirty(from_ms, to_ms) SELECT from_ms + 100000000, from_ms + 200000000"
		" FROM incident");
	look(hub.now_ms + 60000);
	struct seen again = found();
	assert_string_equal(again.text, last.text);
	assert_int_equal(again.ids[1], first.ids[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, incident_set_up, incident_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_broker_is_gone_for_hours), TEST(the_hub_was_down_for_an_hour),
	    TEST(heard_at_once_it_is_one),    TEST(the_centre_was_cut_off),
	    TEST(nine_days_are_one_incident),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
