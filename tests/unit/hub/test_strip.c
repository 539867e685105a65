// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Segments of a day from what was heard, what is missing and what was said.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/hub/time/strip.h"

#define UP   SP_LINE_UP
#define DOWN SP_LINE_DOWN

#define SPANS(...) \
	(struct sp_span[]){__VA_ARGS__}, sizeof((struct sp_span[]){__VA_ARGS__}) / sizeof(struct sp_span)
#define POINTS(...) \
	(struct sp_point[]){__VA_ARGS__}, sizeof((struct sp_point[]){__VA_ARGS__}) / sizeof(struct sp_point)

static const struct sp_quiet *quiet;
static size_t quiet_count;

/// "up 10-20, down 20-30 isp"
static const char *strip(struct sp_span *heard, size_t heard_count, struct sp_span *holes, size_t hole_count,
			 struct sp_point *points, size_t point_count, int64_t from, int64_t to)
{
	static char text[1024];
	struct sp_strip s = {heard, heard_count, holes, hole_count, points, point_count, quiet, quiet_count};
	size_t count, used = 0;
	struct sp_segment *segments = sp_strip_segments(&s, from, to, &count);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		assert_true(segments[i].from_ms < segments[i].to_ms);
		if (i > 0) // they join
			assert_int_equal(segments[i - 1].to_ms, segments[i].from_ms);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %" PRId64 "-%" PRId64 "%s%s",
					 i ? ", " : "", sp_line_state_name(segments[i].state),
					 segments[i].from_ms, segments[i].to_ms,
					 segments[i].cause[0] ? " " : "", segments[i].cause);
	}
	if (count > 0) {
		assert_int_equal(segments[0].from_ms, from);
		assert_int_equal(segments[count - 1].to_ms, to);
	}
	free(segments);
	return text;
}

static void never_heard_is_unknown(void **state)
{
	(void)state;
	assert_string_equal(strip(NULL, 0, NULL, 0, NULL, 0, 0, 100), "unknown 0-100");
	assert_string_equal(strip(NULL, 0, NULL, 0, POINTS({10, UP, ""}), 0, 100), "unknown 0-100");
}

static void a_state_holds_until_the_next_or_until_silence(void **state)
{
	(void)state;
	assert_string_equal(
	    strip(SPANS({5, 80}), NULL, 0, POINTS({10, UP, ""}, {30, DOWN, "isp"}, {40, UP, ""}), 0, 100),
	    "unknown 0-10, up 10-30, down 30-40 isp, up 40-80, unknown 80-100");
}

static void a_state_from_the_day_before_goes_on(void **state)
{
	(void)state;
	assert_string_equal(strip(SPANS({5, 80}), NULL, 0, POINTS({10, DOWN, "isp"}), 50, 100),
			    "down 50-80 isp, unknown 80-100");
	assert_string_equal(strip(SPANS({5, 200}), NULL, 0, POINTS({10, UP, ""}), 50, 100), "up 50-100");
}

static void a_silence_ends_what_is_known(void **state)
{
	(void)state;
	// Two openings: nothing is known of the second before its own first word.
	assert_string_equal(
	    strip(SPANS({50, 90}, {5, 30}), NULL, 0, POINTS({10, UP, ""}, {60, UP, ""}), 0, 100),
	    "unknown 0-10, up 10-30, unknown 30-60, up 60-90, unknown 90-100");
	// The silence lies before the day.
	assert_string_equal(strip(SPANS({5, 30}, {40, 90}), NULL, 0, POINTS({10, UP, ""}), 50, 100),
			    "unknown 50-100");
}

static void a_silence_that_is_explained_has_its_cause(void **state)
{
	(void)state;
	static const struct sp_quiet known[] = {
	    {0, 3, "agent"}, {35, 60, "power"}, {95, 200, "switched_off"}};
	quiet = known;
	quiet_count = SP_COUNT(known);
	assert_string_equal(
	    strip(SPANS({50, 90}, {5, 30}), NULL, 0, POINTS({10, UP, ""}, {60, UP, ""}), 0, 100),
	    "unknown 0-3 agent, unknown 3-10, up 10-30, unknown 30-35, unknown 35-50 power, unknown 50-60, "
	    "up "
	    "60-90, unknown 90-95, unknown 95-100 switched_off");
	assert_string_equal(strip(NULL, 0, NULL, 0, NULL, 0, 40, 50), "unknown 40-50 power");
	// Where records are, they count and no silence.
	assert_string_equal(strip(SPANS({0, 100}), NULL, 0, POINTS({0, UP, ""}), 0, 100), "up 0-100");
	quiet_count = 0;
}

static void streams_that_overlap_are_one_watch(void **state)
{
	(void)state;
	assert_string_equal(strip(SPANS({5, 30}, {20, 60}, {60, 90}), NULL, 0, POINTS({10, UP, ""}), 0, 90),
			    "unknown 0-10, up 10-90");
}

static void missing_facts_are_a_hole(void **state)
{
	(void)state;
	assert_string_equal(
	    strip(SPANS({0, 100}), SPANS({60, 70}, {30, 40}, {35, 45}),
		  POINTS({10, UP, ""}, {45, DOWN, "isp"}, {50, UP, ""}), 0, 100),
	    "unknown 0-10, up 10-30, unknown 30-45, down 45-50 isp, up 50-60, unknown 60-100");
	assert_string_equal(strip(SPANS({0, 100}), SPANS({20, INT64_MAX}), POINTS({10, UP, ""}), 0, 100),
			    "unknown 0-10, up 10-20, unknown 20-100");
	assert_string_equal(
	    strip(SPANS({0, 10}, {20, 30}), SPANS({5, 25}), POINTS({0, UP, ""}, {25, UP, ""}), 0, 30),
	    "up 0-5, unknown 5-25, up 25-30");
}

static void equal_neighbours_become_one(void **state)
{
	(void)state;
	assert_string_equal(
	    strip(SPANS({0, 100}), NULL, 0,
		  POINTS({0, UP, ""}, {20, UP, ""}, {30, DOWN, "isp"}, {30, DOWN, "dns"}, {40, DOWN, "dns"}),
		  0, 100),
	    "up 0-30, down 30-100 dns");
}

static void an_empty_day_has_no_segments(void **state)
{
	(void)state;
	assert_string_equal(strip(SPANS({0, 100}), NULL, 0, POINTS({0, UP, ""}), 50, 50), "");
	assert_string_equal(strip(SPANS({0, 100}), NULL, 0, POINTS({0, UP, ""}), 50, 40), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(never_heard_is_unknown),
	    cmocka_unit_test(a_state_holds_until_the_next_or_until_silence),
	    cmocka_unit_test(a_state_from_the_day_before_goes_on),
	    cmocka_unit_test(a_silence_ends_what_is_known),
	    cmocka_unit_test(a_silence_that_is_explained_has_its_cause),
	    cmocka_unit_test(streams_that_overlap_are_one_watch),
	    cmocka_unit_test(missing_facts_are_a_hole),
	    cmocka_unit_test(equal_neighbours_become_one),
	    cmocka_unit_test(an_empty_day_has_no_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
