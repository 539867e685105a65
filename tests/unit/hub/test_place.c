// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which evidence places a record, and how wrong it may be.
#include "tests/unit/hub/hub_util.h"

static const struct sp_anchor nothing = {0};

static struct sp_place_evidence evidence(void)
{
	return (struct sp_place_evidence){.arrived_ms = NOW_MS, .not_after_ms = NOW_MS};
}

static void check(struct sp_placed placed, enum sp_placed_by by, int64_t t_ms, int64_t err_ms)
{
	assert_string_equal(sp_placed_by_name(placed.by), sp_placed_by_name(by));
	assert_int_equal(placed.t_ms, t_ms);
	assert_int_equal(placed.err_ms, err_ms);
}

static void its_own_time_comes_first(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.envelope = (struct sp_anchor){true, 100 * SEC_US, NOW_MS, 1};
	check(sp_place(&e, &(struct sp_anchor){true, 0, NOW_MS - 5000, 20}, 90 * SEC_US), SP_PLACED_OWN,
	      NOW_MS - 5000, 20);
}

static void a_time_that_cannot_be_is_not_believed(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.envelope = (struct sp_anchor){true, 100 * SEC_US, NOW_MS, 7};
	const struct sp_anchor future = {true, 0, NOW_MS + 600000, 20}, past = {true, 0, HOUR_MS, 20},
			       negative = {true, 0, NOW_MS, -1};
	check(sp_place(&e, &future, 90 * SEC_US), SP_PLACED_ENVELOPE, NOW_MS - 10000, 7 + 1);
	check(sp_place(&e, &past, 90 * SEC_US), SP_PLACED_ENVELOPE, NOW_MS - 10000, 7 + 1);
	check(sp_place(&e, &negative, 90 * SEC_US), SP_PLACED_ENVELOPE, NOW_MS - 10000, 7 + 1);
}

static void the_error_grows_with_the_distance(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.envelope = (struct sp_anchor){true, 7200 * SEC_US, NOW_MS, 10};
	// An hour at 100 ppm is 360 ms.
	check(sp_place(&e, &nothing, 3600 * SEC_US), SP_PLACED_ENVELOPE, NOW_MS - HOUR_MS, 10 + 360);
}

static void a_record_from_after_its_sending_is_not_placed_by_it(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.envelope = (struct sp_anchor){true, 10 * SEC_US, NOW_MS, 10};
	check(sp_place(&e, &nothing, 11 * SEC_US), SP_PLACED_BOUNDS, NOW_MS, -1);
}

static void between_two_anchors_drift_is_measured(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	// The board's crystal runs 0.3 s an hour too fast, and strays by no more than 20 ppm from that.
	e.before = (struct sp_anchor){true, 0, NOW_MS - 2 * HOUR_MS, 10};
	e.after = (struct sp_anchor){true, 3600300000, NOW_MS - HOUR_MS, 30};
	struct sp_placed placed = sp_place(&e, &nothing, 3600300000 / 2);
	assert_in_range(placed.t_ms, NOW_MS - HOUR_MS - HOUR_MS / 2 - 1, NOW_MS - HOUR_MS - HOUR_MS / 2 + 1);
	assert_int_equal(placed.by, SP_PLACED_ANCHOR);
	assert_int_equal(placed.err_ms, 20 + 36 + 1);
	// Near a good one, that one alone is better than a line with the bad one.
	placed = sp_place(&e, &nothing, 1 * SEC_US);
	assert_int_equal(placed.err_ms, 10 + 1);
	// Anchors that contradict each other give no line.
	e.after.t_ms += 2000;
	placed = sp_place(&e, &nothing, 3600300000 / 2);
	assert_int_equal(placed.err_ms, 10 + 181);
}

static void a_claim_that_contradicts_the_boots_clock_is_not_believed(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.before = (struct sp_anchor){true, 0, NOW_MS - 2 * HOUR_MS, 10};
	const struct sp_anchor wrong = {true, 0, NOW_MS - HOUR_MS, 20},
			       good = {true, 0, NOW_MS - 2 * HOUR_MS + 60000, 20};
	check(sp_place(&e, &good, 60 * SEC_US), SP_PLACED_OWN, NOW_MS - 2 * HOUR_MS + 60000, 20);
	check(sp_place(&e, &wrong, 60 * SEC_US), SP_PLACED_ANCHOR, NOW_MS - 2 * HOUR_MS + 60000, 10 + 6);
	e.envelope = (struct sp_anchor){true, 70 * SEC_US, NOW_MS - HOUR_MS, 1};
	check(sp_place(&e, &nothing, 60 * SEC_US), SP_PLACED_ANCHOR, NOW_MS - 2 * HOUR_MS + 60000, 10 + 6);
}

static void a_vague_claim_gives_way_to_better_evidence(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.before = (struct sp_anchor){true, 0, NOW_MS - 2 * HOUR_MS, 10};
	const struct sp_anchor vague = {true, 0, NOW_MS - 2 * HOUR_MS + 61500, 4000};
	check(sp_place(&e, &vague, 60 * SEC_US), SP_PLACED_ANCHOR, NOW_MS - 2 * HOUR_MS + 60000, 10 + 6);
	e.before.known = false;
	check(sp_place(&e, &vague, 60 * SEC_US), SP_PLACED_OWN, NOW_MS - 2 * HOUR_MS + 61500, 4000);
}

static void the_smallest_error_wins(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	e.arrival = (struct sp_anchor){true, 100 * SEC_US, NOW_MS, 5000};
	check(sp_place(&e, &nothing, 90 * SEC_US), SP_PLACED_ARRIVAL, NOW_MS - 10000, 5000 + 1);
	e.before = (struct sp_anchor){true, 80 * SEC_US, NOW_MS - 20500, 50};
	check(sp_place(&e, &nothing, 90 * SEC_US), SP_PLACED_ANCHOR, NOW_MS - 10500, 51);
}

static void without_any_clock_there_are_bounds(void **state)
{
	(void)state;
	struct sp_place_evidence e = evidence();
	check(sp_place(&e, &nothing, 5), SP_PLACED_BOUNDS, NOW_MS, -1);
	e.not_before_ms = NOW_MS - 1000;
	check(sp_place(&e, &nothing, 5), SP_PLACED_BOUNDS, NOW_MS, 1000);
	// That long after the boot began.
	check(sp_place(&e, &nothing, SEC_US / 2), SP_PLACED_BOUNDS, NOW_MS, 500 + 1);
	e.not_before_ms = NOW_MS + 1; // a contradiction: no lower bound then
	check(sp_place(&e, &nothing, 5), SP_PLACED_BOUNDS, NOW_MS, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_own_time_comes_first),
	    cmocka_unit_test(a_time_that_cannot_be_is_not_believed),
	    cmocka_unit_test(the_error_grows_with_the_distance),
	    cmocka_unit_test(a_record_from_after_its_sending_is_not_placed_by_it),
	    cmocka_unit_test(between_two_anchors_drift_is_measured),
	    cmocka_unit_test(a_claim_that_contradicts_the_boots_clock_is_not_believed),
	    cmocka_unit_test(a_vague_claim_gives_way_to_better_evidence),
	    cmocka_unit_test(the_smallest_error_wins),
	    cmocka_unit_test(without_any_clock_there_are_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
