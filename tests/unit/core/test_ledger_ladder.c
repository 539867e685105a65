// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The upper ladder: the provider's first hop, routers that hijack, platforms and pages as proof of life, and
// bytes that come in against all appearances.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/core/ledger_bench.h"

static void beyond_silent(struct bench *bench, double t, double since)
{
	say(bench, t, ADDRESS, V4, OK, 50);
	say(bench, t, GATEWAY, V4, OK, 50);
	for (int rung = CORE; rung <= DNS; rung++)
		say(bench, t, (enum sp_rung)rung, V4, SILENT, since);
}

/// Everything answers from 100 on, the first hop too if `hop`.
static void begin(struct bench *bench, bool hop)
{
	bench_begin(bench, boot_one);
	if (hop)
		say(bench, 100, ACCESS, V4, OK, 60);
	all_fine(bench, 100);
}

// ---- the first hop ----------------------------------------------------------------------------------

static void test_a_hop_that_falls_silent_with_the_rest_is_the_access(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, true);
	beyond_silent(&bench, 110, 106);
	say(&bench, 110, ACCESS, V4, SILENT, 107);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_ACCESS, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.start_mono_us, us(103));
	bench_end(&bench);
}

static void test_a_hop_that_went_deaf_before_tells_nothing(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, true);
	say(&bench, 140, ACCESS, V4, SILENT, 120);
	still_fine(&bench, 150);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.opened, 0);
	say(&bench, 160, ACCESS, V4, SILENT, 120);
	beyond_silent(&bench, 160, 156);
	judge(&bench, 160);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

static void test_a_hop_that_dies_later_takes_the_rest_of_the_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, true);
	beyond_silent(&bench, 110, 106);
	say(&bench, 110, ACCESS, V4, OK, 60);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_CORE, SP_WHOSE_PROVIDER);
	say(&bench, 150, ACCESS, V4, OK, 60);
	beyond_silent(&bench, 160, 106);
	say(&bench, 160, ACCESS, V4, SILENT, 154);
	judge(&bench, 160);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_ACCESS, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.since_us, us(152));
	assert_int_equal(bench.outage.part_count, 2);
	assert_int_equal(bench.outage.parts[0].cause, SP_CAUSE_ISP_CORE);
	assert_int_equal(bench.outage.parts[0].us, us(49));
	bench_end(&bench);
}

static void test_a_hop_found_during_the_outage_refines_it_from_then_on(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	beyond_silent(&bench, 110, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	beyond_silent(&bench, 112, 106);
	say(&bench, 112, ACCESS, V4, OK, 111);
	judge(&bench, 112);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_CORE, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.part_count, 1); // nothing has changed but what is known
	assert_int_equal(bench.outage.start_mono_us, us(103));
	bench_end(&bench);
}

// ---- hijackers and portals --------------------------------------------------------------------------

static void test_a_router_that_hijacks_when_its_wan_is_dead_is_no_portal(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, true);
	beyond_silent(&bench, 110, 106);
	say(&bench, 110, DNS, V4, WRONG, 106);
	say(&bench, 110, PORTAL, V4, WRONG, 107);
	say(&bench, 110, ACCESS, V4, SILENT, 107);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_ACCESS, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

static void test_a_portal_behind_an_answering_hop_is_the_accounts(void **unused)
{
	(void)unused;
	for (int hop = 0; hop < 2; hop++) {
		struct bench bench;
		begin(&bench, hop);
		beyond_silent(&bench, 110, 106);
		say(&bench, 110, PORTAL, V4, WRONG, 107);
		if (hop)
			say(&bench, 110, ACCESS, V4, OK, 60);
		judge(&bench, 110);
		assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
		assert_int_equal(bench.outage.start_mono_us, us(103));
		bench_end(&bench);
	}
}

static void test_a_portal_that_comes_up_later_takes_over_then(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, true);
	beyond_silent(&bench, 110, 106);
	say(&bench, 110, PORTAL, V4, SILENT, 106);
	say(&bench, 110, ACCESS, V4, OK, 60);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_CORE, SP_WHOSE_PROVIDER);
	say(&bench, 400, PORTAL, V4, SILENT, 106);
	beyond_silent(&bench, 430, 106);
	say(&bench, 430, ACCESS, V4, OK, 60);
	say(&bench, 430, PORTAL, V4, WRONG, 425);
	judge(&bench, 430);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
	assert_int_equal(bench.line.since_us, us(425));
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP_CORE); // it held longest
	assert_int_equal(bench.outage.parts[0].us, us(425 - 103));
	bench_end(&bench);
}

// ---- proof of life ----------------------------------------------------------------------------------

static void test_only_a_page_is_configured(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V4, OK, 100);
	say(&bench, 100, PORTAL, V4, OK, 100);
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 130, GATEWAY, V4, OK, 100);
	say(&bench, 130, PORTAL, V4, SILENT, 125); // one server: it may be its own trouble
	judge(&bench, 130);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.opened, 1);
	say(&bench, 160, GATEWAY, V4, OK, 100);
	say(&bench, 160, PORTAL, V4, WRONG, 155);
	judge(&bench, 160);
	judge(&bench, 167);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_CAPTIVE_PORTAL, SP_WHOSE_ACCOUNT);
	say(&bench, 190, PORTAL, V4, OK, 185);
	judge(&bench, 190);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	bench_end(&bench);
}

static void test_pages_and_names_together_are_the_line(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V4, OK, 100);
	say(&bench, 100, PORTAL, V4, OK, 100);
	say(&bench, 100, DNS, V4, OK, 100);
	judge(&bench, 100);
	say(&bench, 110, GATEWAY, V4, OK, 100);
	say(&bench, 110, PORTAL, V4, SILENT, 105);
	say(&bench, 110, DNS, V4, SILENT, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

static void test_a_page_of_unknown_family_keeps_the_line_from_being_down(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	for (int family = V4; family <= V6; family++) {
		family_lost(&bench, 110, (enum sp_family)family, 106);
		say(&bench, 110, PORTAL, (enum sp_family)family, SP_RUNG_UNKNOWN, 106);
		say(&bench, 110, ABROAD, (enum sp_family)family, SP_RUNG_UNKNOWN, 106);
		say(&bench, 110, DNS, (enum sp_family)family, SP_RUNG_UNKNOWN, 106);
	}
	say(&bench, 110, SERVICE, ANY, OK, 100);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	bench_end(&bench);
}

// ---- what a symptom does after the path came back -----------------------------------------------------

static void test_a_symptom_does_not_part_an_outage_in_two(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	say(&bench, 110, CORE, V4, OK, 100);
	say(&bench, 110, DNS, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER);
	beyond_silent(&bench, 130, 124);
	say(&bench, 130, DNS, V4, SILENT, 105);
	judge(&bench, 130);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	say(&bench, 151, CORE, V4, OK, 150);
	say(&bench, 151, ABROAD, V4, OK, 150);
	judge(&bench, 151);
	assert_int_equal(bench.closed, 0);
	assert_int_equal(bench.asked, 1);
	say(&bench, 155, DNS, V4, SILENT, 105);
	judge(&bench, 155);
	judge(&bench, 161);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER);
	assert_int_equal(bench.line.since_us, us(150));
	say(&bench, 171, CORE, V4, OK, 150);
	say(&bench, 171, DNS, V4, OK, 170);
	judge(&bench, 171);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.end_mono_us, us(170));
	assert_int_equal(bench.outage.part_count, 2);
	assert_int_equal(bench.outage.parts[0].us + bench.outage.parts[1].us,
			 bench.outage.end_mono_us - bench.outage.start_mono_us);
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP);
	bench_end(&bench);
}

static void test_a_hub_that_is_lost_has_edges(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	say(&bench, 120, HUB, ANY, SILENT, 110);
	judge(&bench, 120);
	assert_int_equal(bench.line.since_us, us(110));
	say(&bench, 160, HUB, ANY, OK, 158);
	still_fine(&bench, 160);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.line.since_us, us(158));
	bench_end(&bench);
}

static void test_anchors_at_home_place_the_end_that_those_abroad_see_first(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	beyond_silent(&bench, 110, 106);
	judge(&bench, 110);
	assert_int_equal(bench.opened, 1);
	// Asked every four seconds, abroad answers first; the sweep at home that was lost meanwhile is told
	// after it.
	beyond_silent(&bench, 199.4, 106);
	rest_answers(&bench, 200.6, V4, 198.7);
	judge(&bench, 200.6);
	say(&bench, 200.9, CORE, V4, SILENT, 106);
	judge(&bench, 200.9);
	assert_int_equal(bench.closed, 0);
	say(&bench, 201.4, CORE, V4, OK, 200.5);
	judge(&bench, 201.4);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.end_mono_us, us(200.5));
	bench_end(&bench);
}

static void test_deaf_anchors_at_home_keep_no_outage_open(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	beyond_silent(&bench, 110, 106);
	judge(&bench, 110);
	beyond_silent(&bench, 199.4, 106);
	rest_answers(&bench, 200.6, V4, 198.7);
	judge(&bench, 200.6);
	assert_int_equal(bench.closed, 0);
	say(&bench, 203, CORE, V4, SILENT, 106);
	judge(&bench, 203);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.end_mono_us, us(198.7));
	bench_end(&bench);
}

// ---- bytes that come in -----------------------------------------------------------------------------

static void test_incoming_bytes_contradict_a_silence(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	sp_ledger_traffic(bench.ledger, us(107)); // under way when the line broke, perhaps
	beyond_silent(&bench, 110, 106);
	sp_ledger_traffic(bench.ledger, us(109));
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.next_us, us(119));
	struct sp_evidence evidence[SP_EVIDENCE_MAX];
	size_t count = sp_ledger_evidence(bench.ledger, us(110), evidence);
	assert_string_equal(evidence[count - 1].reason, "incoming_bytes");
	// no more of them: the silence is judged again, and began after the last
	judge(&bench, 119);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.start_mono_us, us(109));
	// and if they come again, what is asked is deaf
	sp_ledger_traffic(bench.ledger, us(125));
	beyond_silent(&bench, 126, 106);
	judge(&bench, 126);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.end_mono_us, us(125));
	beyond_silent(&bench, 180, 106);
	judge(&bench, 180);
	assert_int_equal(bench.opened, 1);
	bench_end(&bench);
}

static void test_bytes_alone_end_no_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	beyond_silent(&bench, 110, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	// By which door did they come? What is asked will tell.
	int asked = bench.asked;
	sp_ledger_traffic(bench.ledger, us(130));
	beyond_silent(&bench, 131, 106);
	judge(&bench, 131);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.closed, 0);
	assert_int_equal(bench.asked, asked + 1);
	bench_end(&bench);
}

static void test_bytes_from_before_do_not(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	sp_ledger_traffic(bench.ledger, us(107));
	beyond_silent(&bench, 110, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

// ---- lies -------------------------------------------------------------------------------------------

static void test_impossible_times_are_bounded(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, false);
	static const int64_t rtts[] = {INT64_MIN, -2, INT64_MAX, 121000000};
	for (size_t i = 0; i < SP_COUNT(rtts); i++) {
		struct sp_rung_report report = {.rung = CORE,
						.family = V4,
						.status = OK,
						.since_us = i % 2 ? INT64_MIN : INT64_MAX,
						.rtt_us = rtts[i]};
		sp_ledger_report(bench.ledger, "dev", &report, us(60), us(110));
		judge(&bench, 110);
		struct sp_evidence evidence[SP_EVIDENCE_MAX];
		size_t count = sp_ledger_evidence(bench.ledger, us(110), evidence);
		for (size_t j = 0; j < count; j++)
			assert_int_equal(evidence[j].rtt_us, -1);
		assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
		assert_true(bench.line.since_us >= 0 && bench.line.since_us <= us(110));
	}
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_hop_that_falls_silent_with_the_rest_is_the_access),
	    cmocka_unit_test(test_a_hop_that_went_deaf_before_tells_nothing),
	    cmocka_unit_test(test_a_hop_that_dies_later_takes_the_rest_of_the_outage),
	    cmocka_unit_test(test_a_hop_found_during_the_outage_refines_it_from_then_on),
	    cmocka_unit_test(test_a_router_that_hijacks_when_its_wan_is_dead_is_no_portal),
	    cmocka_unit_test(test_a_portal_behind_an_answering_hop_is_the_accounts),
	    cmocka_unit_test(test_a_portal_that_comes_up_later_takes_over_then),
	    cmocka_unit_test(test_only_a_page_is_configured),
	    cmocka_unit_test(test_pages_and_names_together_are_the_line),
	    cmocka_unit_test(test_a_page_of_unknown_family_keeps_the_line_from_being_down),
	    cmocka_unit_test(test_a_symptom_does_not_part_an_outage_in_two),
	    cmocka_unit_test(test_a_hub_that_is_lost_has_edges),
	    cmocka_unit_test(test_anchors_at_home_place_the_end_that_those_abroad_see_first),
	    cmocka_unit_test(test_deaf_anchors_at_home_keep_no_outage_open),
	    cmocka_unit_test(test_incoming_bytes_contradict_a_silence),
	    cmocka_unit_test(test_bytes_alone_end_no_outage),
	    cmocka_unit_test(test_bytes_from_before_do_not),
	    cmocka_unit_test(test_impossible_times_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
