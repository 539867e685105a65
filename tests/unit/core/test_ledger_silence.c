// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Times in which nobody measured: outages of their own, or parts of the one that was open, and never the
// provider's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/ledger_bench.h"

static const int64_t wall_one = 1700000000000, wall_two = 1700003600000;

static struct sp_silence silence_since(const char *boot, double start, bool placed)
{
	struct sp_silence silence = {.cause = SP_CAUSE_POWER,
				     .whose = SP_WHOSE_SCHOOL,
				     .start_mono_us = us(start),
				     .start_placed = placed,
				     .start_t_ms = placed ? wall_one + us(start) / 1000 : 0,
				     .uncertainty_seconds = 300};
	snprintf(silence.boot, sizeof(silence.boot), "%s", boot);
	return silence;
}

static struct sp_clock_reading reading(double t, bool synced)
{
	return (struct sp_clock_reading){
	    .mono_us = us(t), .synced = synced, .wall_ms = wall_two + us(t) / 1000, .err_ms = 3};
}

static void assert_part(const struct bench *bench, size_t index, enum sp_cause cause, double seconds)
{
	assert_true(index < bench->outage.part_count);
	const struct sp_outage_part *part = &bench->outage.parts[index];
	assert_string_equal(sp_cause_name(part->cause), sp_cause_name(cause));
	assert_int_equal(part->us, us(seconds));
}

static void test_a_silence_is_an_outage_of_its_own(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_two);
	struct sp_silence silence = silence_since(boot_one, 100, true);
	struct sp_clock_reading now = reading(7, true);
	sp_ledger_silence(bench.ledger, &silence, &now);
	assert_int_equal(bench.opened, 0);
	assert_int_equal(bench.closed, 1);
	assert_null(sp_ledger_outage(bench.ledger));
	assert_string_equal(bench.outage.start_boot, boot_one);
	assert_int_equal(bench.outage.start_mono_us, us(100));
	assert_int_equal(bench.outage.start_t_ms, wall_one + 100000);
	assert_string_equal(bench.outage.end_boot, boot_two);
	assert_int_equal(bench.outage.end_mono_us, us(7));
	assert_int_equal(bench.outage.state, SP_LINE_UNKNOWN);
	assert_int_equal(bench.outage.whose, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.outage.part_count, 1);
	assert_part(&bench, 0, SP_CAUSE_POWER, 3600 + 7 - 100);
	// What is found right after begins where the silence ended, at the earliest.
	say(&bench, 8, GATEWAY, V4, OK, 4);
	say(&bench, 8, CORE, V4, SILENT, 5);
	judge(&bench, 8);
	assert_int_equal(bench.opened, 0); // a router that had no power either has its time to dial
	say(&bench, 60, GATEWAY, V4, OK, 4);
	say(&bench, 60, CORE, V4, SILENT, 5);
	judge(&bench, 127);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.start_mono_us, us(7));
	bench_end(&bench);
}

static void test_a_silence_without_clocks_has_no_length(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_two);
	struct sp_silence silence = silence_since(boot_one, 100, false);
	struct sp_clock_reading now = reading(7, false);
	sp_ledger_silence(bench.ledger, &silence, &now);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.unmeasured, 0);
	assert_false(bench.outage.end_placed);
	bench_end(&bench);
}

static void test_a_restart_in_one_boot_is_measured_without_a_clock(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	// It does not reach into the outage that ended at 110.
	struct sp_outage past = {.closed = true, .end_mono_us = us(110)};
	snprintf(past.end_boot, sizeof(past.end_boot), "%s", boot_one);
	sp_ledger_past(bench.ledger, &past);
	struct sp_silence silence = silence_since(boot_one, 100, false);
	struct sp_clock_reading now = reading(130, false);
	sp_ledger_silence(bench.ledger, &silence, &now);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.start_mono_us, us(110));
	assert_part(&bench, 0, SP_CAUSE_POWER, 20);
	bench_end(&bench);
}

/// The line was down from 103 on, seen until 110, and then the agent was gone.
static char *down_and_gone(bool synced)
{
	struct bench bench;
	bench_begin(&bench, boot_one);
	bench.synced = synced;
	bench.wall_offset_ms = wall_one;
	all_fine(&bench, 100);
	family_lost(&bench, 110, V4, 106);
	judge(&bench, 110);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.start_mono_us, us(103));
	struct sp_buf text = SP_BUF(64 * 1024);
	sp_ledger_save(bench.ledger, &text);
	bench_end(&bench);
	return sp_buf_take(&text);
}

static void test_an_open_outage_goes_on_through_a_power_cut(void **unused)
{
	(void)unused;
	char *text = down_and_gone(true);
	struct bench bench;
	bench_begin(&bench, boot_two);
	bench.wall_offset_ms = wall_two;
	assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
	free(text);
	struct sp_silence silence = silence_since(boot_one, 163, true);
	struct sp_clock_reading now = reading(10, false); // the clock is learnt later
	sp_ledger_silence(bench.ledger, &silence, &now);
	assert_int_equal(bench.updated, 1);
	assert_int_equal(bench.outage.part_count, 2);
	assert_part(&bench, 0, SP_CAUSE_ISP, 60);
	assert_int_equal(bench.outage.unmeasured, 1);
	assert_int_equal(bench.outage.state, SP_LINE_DOWN); // the worst state is still the provider's
	family_lost(&bench, 25, V4, 20);
	say(&bench, 25, ADDRESS, V4, OK, 5);
	say(&bench, 25, GATEWAY, V4, OK, 5);
	judge(&bench, 25);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	family_lost(&bench, 131, V4, 20); // the router has had its time to dial
	say(&bench, 131, ADDRESS, V4, OK, 5);
	say(&bench, 131, GATEWAY, V4, OK, 5);
	judge(&bench, 131);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.opened, 0);
	bench.synced = true;
	all_fine(&bench, 150);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.unmeasured, -1);
	assert_part(&bench, 0, SP_CAUSE_ISP, 60 + 130);
	// From 163 of the first boot to 20 of the second, an hour of wall time apart.
	assert_part(&bench, 1, SP_CAUSE_POWER, 3600 - 163 + 20);
	assert_int_equal(bench.outage.end_t_ms - bench.outage.start_t_ms, (3600 - 103 + 150) * 1000);
	assert_int_equal(bench.outage.whose, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

static void test_the_longest_of_the_worst_names_the_outage(void **unused)
{
	(void)unused;
	char *text = down_and_gone(false);
	struct bench bench;
	bench_begin(&bench, boot_one);
	assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
	struct sp_silence silence = silence_since(boot_one, 110, false);
	silence.cause = SP_CAUSE_AGENT;
	silence.whose = SP_WHOSE_OURS;
	struct sp_clock_reading now = reading(150, false);
	sp_ledger_silence(bench.ledger, &silence, &now);
	all_fine(&bench, 151);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.part_count, 2);
	assert_part(&bench, 0, SP_CAUSE_ISP, 7);
	assert_part(&bench, 1, SP_CAUSE_AGENT, 41); // until the first answer nobody had measured
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP);
	bench_end(&bench);
	free(text);
}

static void test_what_nobody_explains_is_unresolved(void **unused)
{
	(void)unused;
	char *text = down_and_gone(false);
	struct bench bench;
	bench_begin(&bench, boot_one);
	assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
	judge(&bench, 150);
	all_fine(&bench, 151);
	assert_int_equal(bench.outage.part_count, 2);
	assert_part(&bench, 0, SP_CAUSE_ISP, 7);
	assert_part(&bench, 1, SP_CAUSE_NONE, 41);
	assert_int_equal(bench.outage.parts[1].whose, SP_WHOSE_UNRESOLVED);
	bench_end(&bench);
	free(text);
}

// ---- our own load -----------------------------------------------------------------------------------

static void test_a_test_of_our_own_is_no_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	sp_ledger_load_line(bench.ledger, true, us(104));
	judge(&bench, 104);
	assert_true(bench.line.self_loaded);
	assert_false(bench.line.began);
	family_lost(&bench, 110, V4, 105);
	judge(&bench, 110);
	sp_ledger_load_line(bench.ledger, false, us(120));
	judge(&bench, 120);
	assert_int_equal(bench.opened, 0);
	assert_int_equal(bench.next_us, us(125));
	still_fine(&bench, 122);
	assert_int_equal(bench.opened, 0);
	bench_end(&bench);
}

static void test_what_is_silent_after_our_test_is_trouble(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	sp_ledger_load_line(bench.ledger, true, us(104));
	family_lost(&bench, 110, V4, 105);
	judge(&bench, 110);
	sp_ledger_load_line(bench.ledger, false, us(120));
	family_lost(&bench, 124, V4, 105);
	judge(&bench, 126);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.start_mono_us, us(120));
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP);
	bench_end(&bench);
}

static void test_a_cable_is_pulled_during_a_test(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	sp_ledger_load_line(bench.ledger, true, us(104));
	say(&bench, 110, CABLE, ANY, SILENT, 110);
	judge(&bench, 110);
	judge(&bench, 114);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.cause, SP_CAUSE_CABLE);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_silence_is_an_outage_of_its_own),
	    cmocka_unit_test(test_a_silence_without_clocks_has_no_length),
	    cmocka_unit_test(test_a_restart_in_one_boot_is_measured_without_a_clock),
	    cmocka_unit_test(test_an_open_outage_goes_on_through_a_power_cut),
	    cmocka_unit_test(test_the_longest_of_the_worst_names_the_outage),
	    cmocka_unit_test(test_what_nobody_explains_is_unresolved),
	    cmocka_unit_test(test_a_test_of_our_own_is_no_outage),
	    cmocka_unit_test(test_what_is_silent_after_our_test_is_trouble),
	    cmocka_unit_test(test_a_cable_is_pulled_during_a_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
