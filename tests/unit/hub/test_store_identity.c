// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who may speak under a board's name, and what a refused message leaves behind: nothing.
#include "tests/unit/hub/hub_util.h"

static struct hub hub;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

/// Two brokers, one name: the second is not the board, whatever it says.
static void a_board_stays_with_its_shard(void **state)
{
	(void)state;
	BORN(&hub, .session = STREAM_2, .mono_us = HOUR_MS * 1000);
	assert_int_equal(DELIVER(&hub, .last = 2), SP_VERDICT_STORED);
	assert_int_equal(DELIVER(&hub, .shard = "south", .first = 3), SP_VERDICT_FOREIGN);
	assert_int_equal(hub.news.ack_count, 0);
	BORN(&hub, .shard = "south", .session = STREAM_3, .boot = BOOT_2, .mono_us = 2 * HOUR_MS * 1000);
	BORN(&hub, .shard = "south", .session = STREAM_2, .presence = SP_FEED_LOST);
	assert_int_equal(number(&hub, "SELECT count(*) FROM event"), 2);
	assert_int_equal(number(&hub,
				"SELECT count(*) FROM device WHERE shard = 'north' AND session = '" STREAM_2
				"' AND presence = 1"),
			 1);
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE fault = 'foreign' AND device ="
				      " 'board-1'"),
			 3);
	// The register moves it; from then on its old shard is the foreign one.
	enter(&hub, "1020", "board-1");
	execute(&hub, "UPDATE register SET shard = 'south'");
	assert_int_equal(DELIVER(&hub, .shard = "north", .first = 3), SP_VERDICT_FOREIGN);
	assert_int_equal(DELIVER(&hub, .shard = "south", .first = 3), SP_VERDICT_STORED);
	assert_string_equal(hub.news.acks[0].shard, "south");
	// Also one that was never heard before.
	enter(&hub, "1021", "board-2");
	assert_int_equal(DELIVER(&hub, .device = "board-2", .shard = "south"), SP_VERDICT_FOREIGN);
	assert_int_equal(number(&hub, "SELECT count(*) FROM device"), 1);
}

/// What the tables refuse of a birth leaves nothing behind, and holds up nobody.
static void a_refused_birth_is_undone_and_counted(void **state)
{
	(void)state;
	assert_int_equal(DELIVER(&hub, .last = 2), SP_VERDICT_STORED);
	if (hub_is_postgres())
		execute(
		    &hub,
		    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = '" BOOT_2
		    "' THEN RAISE check_violation USING MESSAGE = 'refused here'; END IF; RETURN NEW; END $$;"
		    "CREATE TRIGGER no BEFORE INSERT ON boot FOR EACH ROW EXECUTE FUNCTION no()");
	else
		execute(&hub, "CREATE TRIGGER no BEFORE INSERT ON boot WHEN NEW.name = '" BOOT_2
			      "' BEGIN SELECT raise(ABORT, 'refused here'); END");
	BORN(&hub, .boot = BOOT_2, .session = STREAM_3);
	assert_int_equal(number(&hub, "SELECT count(*) FROM device WHERE session IS NULL"), 1);
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE fault = 'refused' AND topic ="
				      " 'state' AND why = 'refused here'"),
			 1);
	assert_int_equal(DELIVER(&hub, .first = 3), SP_VERDICT_STORED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_board_stays_with_its_shard),
	    T(a_refused_birth_is_undone_and_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
