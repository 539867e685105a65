// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A boot that a better clock places anew, later or earlier: all that was said of its lines moves along.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>

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

/// When the boot truly began. Its clock is an hour late at first.
#define BEGAN_MS (NOW_MS - 4 * HOUR_MS)

/// So many seconds after the boot began, by a clock that is `late_ms` late. Another boot sends all of it, so
/// that no arrival decides.
static void say(int64_t seq, int64_t at, int64_t late_ms, const char *members)
{
	char record[1024];
	snprintf(record, sizeof(record),
		 "[{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64 ",\"err_ms\":10,%s}]", seq,
		 at * SEC_US, BEGAN_MS - late_ms + at * 1000, members);
	DELIVER(&hub, .first = seq, .records = record, .clk_boot = BOOT_3, .clk_mono_us = (5 + seq) * SEC_US);
}

#define OPENED "\"type\":\"opened\",\"class\":\"facts\",\"prev\":null"
#define CLOCK  "\"type\":\"clock\",\"event\":\"synced\""
#define LINE(state, cause, whose)                                                               \
	"\"type\":\"line\",\"device\":\"main\",\"state\":\"" state "\",\"cause\":\"" cause "\"" \
	",\"whose\":\"" whose "\""
#define UP   LINE("up", "none", "nobody")
#define DOWN LINE("down", "isp", "provider")

static void on_day(void *arg, const struct sp_line_view *view, const struct sp_segment *segments,
		   size_t count)
{
	char *text = arg;
	size_t used = 0;
	(void)view;
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, 256 - used, "%s%s %" PRId64, i ? ", " : "",
					 sp_line_state_name(segments[i].state),
					 (segments[i].to_ms - segments[i].from_ms) / 60000);
}

/// The three hours since the wrong beginning, in minutes per segment.
static const char *day(void)
{
	static char text[256];
	text[0] = '\0';
	assert_int_equal(
	    sp_store_day(hub.store, BEGAN_MS - HOUR_MS, BEGAN_MS + 2 * HOUR_MS, NOW_MS, on_day, text), 0);
	return text;
}

static void points_ten_minutes_apart(void)
{
	say(1, 0, HOUR_MS, OPENED);
	say(2, 60, HOUR_MS, UP);
	say(3, 660, HOUR_MS, DOWN);
	say(4, 1260, HOUR_MS, UP);
	say(5, 1860, HOUR_MS, DOWN);
}

static void a_line_moves_whole_forward_and_back(void **state)
{
	(void)state;
	points_ten_minutes_apart();
	assert_string_equal(day(), "unknown 1, up 10, down 10, up 10, unknown 149");
	// Nearer to now by an hour: while they move, those that were said later still stand before them.
	say(6, 2460, 0, CLOCK);
	assert_int_equal(anomalies(&hub, "clock_stepped", ""), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_point"), 4);
	assert_int_equal(number(&hub, "SELECT min(t_ms) FROM line_point"), BEGAN_MS + 60000);
	assert_string_equal(day(), "unknown 61, up 10, down 10, up 10, down 10, unknown 79");
	assert_int_equal(number(&hub, "SELECT since_ms FROM line"), BEGAN_MS + 1860000);
	// The next word is that of the first: it was the one between that was wrong.
	say(7, 3060, HOUR_MS, CLOCK);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_point"), 4);
	assert_string_equal(day(), "unknown 1, up 10, down 10, up 10, down 20, unknown 129");
	assert_int_equal(number(&hub, "SELECT since_ms FROM line"), BEGAN_MS - HOUR_MS + 1860000);
}

/// It comes in several batches, the later of which are not there yet when the first is placed.
static void what_comes_after_the_move_joins_it(void **state)
{
	(void)state;
	points_ten_minutes_apart();
	say(7, 3060, 0, UP);
	say(6, 2460, 0, CLOCK);
	assert_string_equal(day(), "unknown 61, up 10, down 10, up 10, down 20, unknown 69");
	assert_int_equal(number(&hub, "SELECT state FROM line"), SP_LINE_UP);
}

/// What holds is the later word, wherever the boot lies.
static void what_was_told_again_stays_so(void **state)
{
	(void)state;
	say(1, 0, HOUR_MS, OPENED);
	say(2, 60, HOUR_MS, LINE("degraded", "international", "provider"));
	say(3, 659, HOUR_MS, LINE("degraded", "ipv6", "provider"));
	say(4, 661, HOUR_MS, UP ",\"since_mono_us\":600000000");
	for (int64_t i = 0; i < 3; i++) {
		assert_int_equal(number(&hub, "SELECT count(*) FROM line_point"), 3);
		assert_int_equal(number(&hub, "SELECT seq FROM line_point WHERE retold = 1"), 3);
		assert_int_equal(number(&hub, "SELECT state FROM line"), SP_LINE_UP);
		assert_int_equal(number(&hub, "SELECT since_ms FROM line"),
				 BEGAN_MS - (i % 2 ? 0 : HOUR_MS) + 600000);
		say(5 + i, 1260 + 600 * i, i % 2 ? HOUR_MS : 0, CLOCK);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_line_moves_whole_forward_and_back),
	    T(what_comes_after_the_move_joins_it),
	    T(what_was_told_again_stays_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
