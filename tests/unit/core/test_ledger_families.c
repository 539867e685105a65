// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines with IPv4 and IPv6: what the loss of one is, and of both.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/core/ledger_bench.h"

static void test_a_family_that_never_worked_is_not_missed(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V6, OK, 100); // a router that advertises itself, and nothing behind it
	say(&bench, 100, CORE, V6, SILENT, 95);
	all_fine(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_true(bench.line.offered[V4]);
	assert_false(bench.line.offered[V6]);
	assert_int_equal(bench.opened, 0);
	bench_end(&bench);
}

static void test_one_family_out_is_degraded_and_both_are_down(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	assert_true(bench.line.offered[V6]);
	still_fine(&bench, 110);
	family_lost(&bench, 110, V6, 104);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.family[V4], SP_LINE_UP);
	assert_int_equal(bench.line.family[V6], SP_LINE_DOWN);
	assert_int_equal(bench.outage.start_mono_us, us(102));
	family_lost(&bench, 120, V4, 114);
	family_lost(&bench, 120, V6, 104);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.since_us, us(112)); // down since the second was lost
	assert_int_equal(bench.outage.start_mono_us, us(102));
	assert_int_equal(bench.outage.state, SP_LINE_DOWN);
	say(&bench, 130, CORE, V6, OK, 129);
	judge(&bench, 130);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER); // the other has a moment
	judge(&bench, 136);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV4, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.since_us, us(129)); // until then it was down
	assert_int_equal(bench.closed, 0);
	say(&bench, 140, CORE, V4, OK, 139);
	say(&bench, 140, CORE, V6, OK, 129);
	rest_answers(&bench, 140, V4, 139);
	rest_answers(&bench, 140, V6, 139);
	judge(&bench, 140);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.end_mono_us, us(139));
	bench_end(&bench);
}

static void test_both_families_lost_at_once(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	family_lost(&bench, 110, V4, 104);
	family_lost(&bench, 110, V6, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.start_mono_us, us(102));
	bench_end(&bench);
}

/// The cable is back: IPv4 answers at once, IPv6 has its address 2 s later.
static void test_up_waits_a_moment_for_the_second_family(void **unused)
{
	(void)unused;
	for (int never = 0; never < 2; never++) {
		struct bench bench;
		bench_begin(&bench, boot_one);
		both_fine(&bench, 100);
		say(&bench, 110, CABLE, ANY, SILENT, 110);
		judge(&bench, 115);
		assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_CABLE, SP_WHOSE_SCHOOL);
		for (int rung = ADDRESS; rung <= ABROAD; rung++)
			say(&bench, 119, (enum sp_rung)rung, V6, SP_RUNG_UNKNOWN, 111);
		fine_since(&bench, 121, 120);
		assert_int_equal(bench.closed, 0);
		assert_int_equal(bench.asked, 1);
		assert_int_equal(bench.next_us, us(125));
		if (never) { // and does not wait for ever
			judge(&bench, 125);
			assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
			assert_int_equal(bench.outage.end_mono_us, us(120));
		} else {
			say(&bench, 123, GATEWAY, V6, OK, 122);
			say(&bench, 123, CORE, V6, SILENT, 120);
			judge(&bench, 123);
			assert_int_equal(bench.closed, 0);
			say(&bench, 123.5, CORE, V6, OK, 123);
			say(&bench, 123.5, ABROAD, V6, OK, 123);
			judge(&bench, 123.5);
			assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
			assert_int_equal(bench.outage.end_mono_us, us(123));
			assert_int_equal(bench.outage.part_count, 1);
		}
		assert_int_equal(bench.opened, 1);
		assert_int_equal(bench.closed, 1);
		bench_end(&bench);
	}
}

static void test_the_family_that_gets_farther_tells_the_cause(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	say(&bench, 111, ADDRESS, V4, SILENT, 104);
	say(&bench, 111, CORE, V4, SILENT, 104);
	family_lost(&bench, 111, V6, 104);
	judge(&bench, 111);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

static void test_a_family_lost_at_school_is_the_schools(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	still_fine(&bench, 112);
	say(&bench, 112, ADDRESS, V6, SILENT, 104);
	say(&bench, 112, GATEWAY, V6, SILENT, 104);
	say(&bench, 112, CORE, V6, SILENT, 104);
	judge(&bench, 112);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_SCHOOL);
	bench_end(&bench);
}

static void test_a_page_without_a_family_speaks_for_neither(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	say(&bench, 100, PORTAL, ANY, OK, 100);
	still_fine(&bench, 110);
	say(&bench, 110, PORTAL, ANY, OK, 100); // it came by IPv4
	say(&bench, 110, ADDRESS, V6, OK, 100);
	say(&bench, 110, GATEWAY, V6, OK, 100);
	say(&bench, 110, CORE, V6, SILENT, 104);
	say(&bench, 110, ABROAD, V6, SILENT, 104);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_family_that_never_worked_is_not_missed),
	    cmocka_unit_test(test_one_family_out_is_degraded_and_both_are_down),
	    cmocka_unit_test(test_both_families_lost_at_once),
	    cmocka_unit_test(test_up_waits_a_moment_for_the_second_family),
	    cmocka_unit_test(test_the_family_that_gets_farther_tells_the_cause),
	    cmocka_unit_test(test_a_family_lost_at_school_is_the_schools),
	    cmocka_unit_test(test_a_page_without_a_family_speaks_for_neither),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
