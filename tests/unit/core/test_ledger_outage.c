// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Outages as they open, change and close: once each, at the edges that the probes saw.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/core/ledger_bench.h"

static void test_an_outage_opens_and_closes_at_the_probes(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	bench.synced = true;
	bench.wall_offset_ms = 1700000000000;
	all_fine(&bench, 100);
	assert_int_equal(bench.lines, 1);
	say(&bench, 104, CORE, V4, OK, 100); // the last answer
	judge(&bench, 104);
	// lost from 106.0 on, told at 109
	say(&bench, 109, GATEWAY, V4, OK, 100);
	say(&bench, 109, CORE, V4, SILENT, 106);
	say(&bench, 109, ABROAD, V4, SILENT, 106.5);
	judge(&bench, 109);
	// The gateway answered after the loss; address was heard before it: wait for it, briefly.
	assert_int_equal(bench.opened, 0);
	assert_int_equal(bench.next_us, us(110));
	judge(&bench, 110);
	assert_int_equal(bench.opened, 1);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(strlen(bench.outage.id), SP_ID_LENGTH);
	assert_int_equal(bench.outage.start_mono_us, us(105)); // the middle
	assert_true(bench.outage.uncertainty_seconds > 0.99 && bench.outage.uncertainty_seconds < 1.01);
	assert_int_equal(bench.outage.start_t_ms, 1700000000000 + 105000);
	assert_false(bench.outage.closed);
	// answers again from 130.2 on; what is silent still was measured before: it is asked again first
	say(&bench, 131, CORE, V4, OK, 130.2);
	judge(&bench, 131);
	assert_int_equal(bench.closed, 0);
	assert_int_equal(bench.asked, 1);
	assert_true(bench.next_us >= us(160) && bench.next_us <= us(161));
	say(&bench, 131.5, ABROAD, V4, OK, 131.2);
	judge(&bench, 131.5);
	assert_int_equal(bench.closed, 1);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.outage.end_mono_us, us(130.2));
	assert_int_equal(bench.outage.end_t_ms, 1700000000000 + 130200);
	assert_int_equal(bench.line.since_us, us(130.2));
	assert_int_equal(bench.saves, 3);
	assert_int_equal(bench.outage.part_count, 1);
	assert_int_equal(bench.outage.parts[0].us, us(130.2) - us(105));
	assert_true(bench.outage.end_uncertainty_seconds >= 1 && bench.outage.end_uncertainty_seconds < 23);
	bench_end(&bench);
}

static void test_a_burst_that_clears_the_loss_leaves_no_trace(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 107, CORE, V4, SILENT, 106);
	judge(&bench, 107); // the others have not spoken since
	say(&bench, 107.5, GATEWAY, V4, OK, 100);
	say(&bench, 107.5, ABROAD, V4, OK, 100);
	judge(&bench, 107.5);
	say(&bench, 108, CORE, V4, OK, 107.8);
	judge(&bench, 108);
	judge(&bench, 115);
	assert_int_equal(bench.opened, 0);
	assert_int_equal(bench.lines, 1);
	bench_end(&bench);
}

static void test_a_cause_is_refined(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 100, ACCESS, V4, OK, 100);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		say(&bench, 110, (enum sp_rung)rung, V4, rung <= ACCESS ? OK : SILENT,
		    rung <= ACCESS ? 100 : 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_CORE, SP_WHOSE_PROVIDER);
	say(&bench, 115, ACCESS, V4, SILENT, 106);
	judge(&bench, 115);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_ACCESS, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.updated, 1);
	char id[SP_ID_LENGTH + 1];
	strcpy(id, bench.outage.id);
	// somebody switches the router off meanwhile: the line is unknown now, the outage keeps its worst
	say(&bench, 120, ADDRESS, V4, OK, 100);
	say(&bench, 120, GATEWAY, V4, SILENT, 116);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_GATEWAY, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.updated, 2);
	assert_string_equal(bench.outage.id, id);
	assert_int_equal(bench.outage.state, SP_LINE_DOWN);
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP_ACCESS);
	assert_int_equal(bench.outage.start_mono_us, us(103));
	bench_end(&bench);
}

static void test_the_way_back_from_a_pulled_cable_blames_nobody_else(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	for (int rung = CABLE; rung <= PORTAL; rung++)
		if (rung != ADDRESS && rung != ACCESS)
			say(&bench, 110, (enum sp_rung)rung, rung == CABLE ? ANY : V4, SILENT, 106);
	say(&bench, 110, ADDRESS, V4, OK, 100);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_CABLE, SP_WHOSE_SCHOOL);
	// plugged in again: the others' silence is still that of the cable
	say(&bench, 120, CABLE, ANY, OK, 120);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_CABLE, SP_WHOSE_SCHOOL);
	assert_true(bench.next_us >= us(124));
	say(&bench, 120.2, GATEWAY, V4, OK, 120.2);
	say(&bench, 120.3, CORE, V4, SILENT, 106);
	judge(&bench, 120.3);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_CABLE, SP_WHOSE_SCHOOL);
	assert_true(bench.next_us >= us(124.2));
	say(&bench, 121, CORE, V4, OK, 121);
	rest_answers(&bench, 121, V4, 121);
	judge(&bench, 121);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.state, SP_LINE_UNKNOWN);
	assert_int_equal(bench.outage.cause, SP_CAUSE_CABLE);
	bench_end(&bench);
}

static void test_the_start_is_the_first_loss_on_any_rung(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	// the router is asked rarely: its own first loss comes later than the anchors'
	say(&bench, 115, ADDRESS, V4, OK, 100);
	say(&bench, 115, GATEWAY, V4, SILENT, 112);
	say(&bench, 115, CORE, V4, SILENT, 103.5);
	judge(&bench, 115);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_GATEWAY, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.outage.start_mono_us, us(101.75));
	bench_end(&bench);
}

/// The router was off from 106 on, and is back since 120; nothing beyond it yet.
static void router_comes_back(struct bench *bench)
{
	all_fine(bench, 100);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		if (rung != ACCESS)
			say(bench, 110, (enum sp_rung)rung, V4, rung == ADDRESS ? OK : SILENT, 106);
	judge(bench, 110);
	assert_line(bench, SP_LINE_UNKNOWN, SP_CAUSE_GATEWAY, SP_WHOSE_SCHOOL);
	say(bench, 120, GATEWAY, V4, OK, 120);
	for (int rung = CORE; rung <= PORTAL; rung++)
		say(bench, 125, (enum sp_rung)rung, V4, SILENT, 106);
	judge(bench, 125);
}

static void test_healing_does_not_rename_the_cause(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	router_comes_back(&bench);
	assert_int_equal(bench.updated, 0);
	assert_true(bench.next_us >= us(131)); // not before the router has had time to dial
	say(&bench, 128, CORE, V4, OK, 127);
	rest_answers(&bench, 128, V4, 127);
	judge(&bench, 128);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.cause, SP_CAUSE_GATEWAY);
	assert_int_equal(bench.outage.end_mono_us, us(127));
	bench_end(&bench);
	// What stays silent is trouble of its own.
	bench_begin(&bench, boot_one);
	router_comes_back(&bench);
	for (int rung = CORE; rung <= PORTAL; rung++)
		say(&bench, 181, (enum sp_rung)rung, V4, SILENT, 106);
	say(&bench, 181, GATEWAY, V4, OK, 120);
	judge(&bench, 181);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.since_us, us(120)); // since the router is back, and not before
	assert_int_equal(bench.outage.part_count, 2);
	assert_int_equal(bench.outage.parts[0].cause, SP_CAUSE_GATEWAY);
	assert_int_equal(bench.outage.parts[0].us, us(17));
	bench_end(&bench);
}

static void test_a_nearer_cause_of_the_same_event_corrects_the_first(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		say(&bench, 110, (enum sp_rung)rung, V4, rung <= GATEWAY ? OK : SILENT, 106);
	judge(&bench, 110);
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP);
	say(&bench, 114, ADDRESS, V4, OK, 100);
	say(&bench, 114, GATEWAY, V4, SILENT, 107);
	judge(&bench, 114);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_GATEWAY, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.updated, 1);
	assert_int_equal(bench.outage.state, SP_LINE_UNKNOWN);
	assert_int_equal(bench.outage.cause, SP_CAUSE_GATEWAY);
	assert_int_equal(bench.outage.whose, SP_WHOSE_SCHOOL);
	bench_end(&bench);
}

static void test_a_page_from_before_the_fault_does_not_end_it(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 106, ADDRESS, V4, SILENT, 106);
	for (int rung = GATEWAY; rung <= DNS; rung++)
		say(&bench, 106, (enum sp_rung)rung, V4, SP_RUNG_UNKNOWN, 106);
	judge(&bench, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_ADDRESS, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.outage.start_mono_us, us(106)); // the kernel's word is exact
	say(&bench, 120, ADDRESS, V4, OK, 120);
	judge(&bench, 120);
	assert_int_equal(bench.closed, 0);
	say(&bench, 121, CORE, V4, OK, 119.6); // estimated, but nothing came through before 120
	judge(&bench, 121);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.end_mono_us, us(120));
	bench_end(&bench);
}

/// The session broke during the fault and is still away when the line heals.
static void test_a_lost_hub_does_not_move_the_end(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	still_fine(&bench, 110);
	say(&bench, 116, ABROAD, V4, SILENT, 112);
	judge(&bench, 116);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	say(&bench, 140, HUB, ANY, SILENT, 130);
	judge(&bench, 140);
	say(&bench, 151, ABROAD, V4, OK, 150);
	judge(&bench, 151);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.end_mono_us, us(150));
	bench_end(&bench);
}

/// Two seconds of nothing: the anchors' burst ends with a late answer, the one abroad a little later without.
static void test_a_burst_from_before_the_return_names_nobody(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	still_fine(&bench, 110);
	say(&bench, 114.6, CORE, V4, SILENT, 112);
	say(&bench, 114.7, CORE, V4, OK, 114.2);
	say(&bench, 114.8, ABROAD, V4, SILENT, 112);
	judge(&bench, 114.8);
	say(&bench, 116.2, ABROAD, V4, OK, 116.1);
	judge(&bench, 116.2);
	assert_int_equal(bench.opened, 0);
	// Asked again, and still silent: now it is its own.
	say(&bench, 120, CORE, V4, OK, 114.2);
	say(&bench, 120, ABROAD, V4, SILENT, 117);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

/// The resolver's questions are given up a moment before the anchors' burst.
static void test_a_symptom_waits_for_the_anchors(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	still_fine(&bench, 110);
	say(&bench, 114.5, DNS, V4, SILENT, 111.5);
	judge(&bench, 114.5);
	assert_int_equal(bench.opened, 0);
	say(&bench, 114.6, CORE, V4, SILENT, 112);
	say(&bench, 114.6, ABROAD, V4, SILENT, 112);
	judge(&bench, 116.1); // the gateway has a moment, too
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.opened, 1);
	bench_end(&bench);
}

/// The portal check's rung was never silent, only asked anew when the line was back.
static void test_what_was_only_not_asked_does_not_move_the_end(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	still_fine(&bench, 110);
	for (int rung = CORE; rung <= DNS; rung++)
		say(&bench, 116, (enum sp_rung)rung, V4, SILENT, 112);
	judge(&bench, 116);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	say(&bench, 131, CORE, V4, OK, 130);
	say(&bench, 131.1, ABROAD, V4, OK, 130.2);
	say(&bench, 131.2, DNS, V4, OK, 131);
	say(&bench, 131.2, PORTAL, V4, OK, 131);
	judge(&bench, 131.2);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.outage.end_mono_us, us(130));
	bench_end(&bench);
}

static void test_a_lost_hub_is_placed_where_it_was_lost(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	still_fine(&bench, 140);
	say(&bench, 140, HUB, ANY, SILENT, 130);
	judge(&bench, 140);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
	assert_int_equal(bench.line.since_us, us(130));
	say(&bench, 150, HUB, ANY, OK, 149);
	judge(&bench, 150);
	assert_int_equal(bench.line.since_us, us(149));
	bench_end(&bench);
}

static void test_nothing_is_claimed_of_an_unwatched_time(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		say(&bench, 1010, (enum sp_rung)rung, V4, rung <= GATEWAY ? OK : SILENT, 1006);
	judge(&bench, 1010);
	assert_int_equal(bench.outage.start_mono_us, us(1006));
	assert_true(bench.outage.uncertainty_seconds > 905 && bench.outage.uncertainty_seconds < 907);
	bench_end(&bench);
}

static void test_an_outage_survives_a_time_without_measurements(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		say(&bench, 110, (enum sp_rung)rung, V4, rung <= GATEWAY ? OK : SILENT, 106);
	judge(&bench, 110);
	assert_int_equal(bench.opened, 1);
	judge(&bench, 300);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.closed, 0);
	assert_non_null(sp_ledger_outage(bench.ledger));
	all_fine(&bench, 400);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.opened, 1);
	bench_end(&bench);
}

static void test_down_from_the_start(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	judge(&bench, 50);
	assert_int_equal(bench.lines, 0);
	say(&bench, 60, GATEWAY, V4, OK, 55);
	say(&bench, 60, CORE, V4, SILENT, 55);
	say(&bench, 60, ADDRESS, V6, SILENT, 55); // there is no IPv6 here
	judge(&bench, 60);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.start_mono_us, us(55));
	assert_true(bench.outage.uncertainty_seconds < 0); // never seen otherwise
	assert_true(bench.line.offered[V4]);               // it is what is missed
	assert_false(bench.line.offered[V6]);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_outage_opens_and_closes_at_the_probes),
	    cmocka_unit_test(test_a_burst_that_clears_the_loss_leaves_no_trace),
	    cmocka_unit_test(test_a_cause_is_refined),
	    cmocka_unit_test(test_the_way_back_from_a_pulled_cable_blames_nobody_else),
	    cmocka_unit_test(test_the_start_is_the_first_loss_on_any_rung),
	    cmocka_unit_test(test_healing_does_not_rename_the_cause),
	    cmocka_unit_test(test_a_nearer_cause_of_the_same_event_corrects_the_first),
	    cmocka_unit_test(test_a_page_from_before_the_fault_does_not_end_it),
	    cmocka_unit_test(test_a_lost_hub_does_not_move_the_end),
	    cmocka_unit_test(test_a_burst_from_before_the_return_names_nobody),
	    cmocka_unit_test(test_a_symptom_waits_for_the_anchors),
	    cmocka_unit_test(test_what_was_only_not_asked_does_not_move_the_end),
	    cmocka_unit_test(test_a_lost_hub_is_placed_where_it_was_lost),
	    cmocka_unit_test(test_nothing_is_claimed_of_an_unwatched_time),
	    cmocka_unit_test(test_an_outage_survives_a_time_without_measurements),
	    cmocka_unit_test(test_down_from_the_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
