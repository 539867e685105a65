// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which cause the ledger names, and whose it is: situation by situation, and from what is heard of a rung.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/core/ledger_bench.h"

// ---- one verdict per situation ------------------------------------------------------------------

struct situation {
	const char *name;
	/// Reports of second 110 on a line that was fine at 100, each since 105.
	struct {
		enum sp_rung rung;
		enum sp_family family;
		enum sp_rung_status status;
	} reports[12]; ///< ends with status UNKNOWN
	enum sp_line_state state;
	enum sp_cause cause;
	enum sp_whose whose;
};

#define BEYOND_SILENT                                                \
	{CORE, V4, SILENT}, {ABROAD, V4, SILENT}, {DNS, V4, SILENT}, \
	{                                                            \
		PORTAL, V4, SILENT                                   \
	}
#define NEAR_OK                 \
	{ADDRESS, V4, OK},      \
	{                       \
		GATEWAY, V4, OK \
	}

static const struct situation situations[] = {
    {"nothing new", {{CORE, V4, OK}}, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY},
    {"cable out",
     {{CABLE, ANY, SILENT}, {ADDRESS, V4, SILENT}, {GATEWAY, V4, SILENT}, BEYOND_SILENT},
     SP_LINE_UNKNOWN,
     SP_CAUSE_CABLE,
     SP_WHOSE_SCHOOL},
    {"cable out, the address stays",
     {{CABLE, ANY, SILENT}, {ADDRESS, V4, OK}, {GATEWAY, V4, SILENT}, BEYOND_SILENT},
     SP_LINE_UNKNOWN,
     SP_CAUSE_CABLE,
     SP_WHOSE_SCHOOL},
    {"no address",
     {{ADDRESS, V4, SILENT}, {GATEWAY, V4, SILENT}, BEYOND_SILENT},
     SP_LINE_UNKNOWN,
     SP_CAUSE_ADDRESS,
     SP_WHOSE_SCHOOL},
    {"router off",
     {{ADDRESS, V4, OK}, {GATEWAY, V4, SILENT}, BEYOND_SILENT},
     SP_LINE_UNKNOWN,
     SP_CAUSE_GATEWAY,
     SP_WHOSE_SCHOOL},
    {"beyond the gateway, not resolved",
     {NEAR_OK, BEYOND_SILENT},
     SP_LINE_DOWN,
     SP_CAUSE_ISP,
     SP_WHOSE_PROVIDER},
    {"the first hop answers",
     {NEAR_OK, {ACCESS, V4, OK}, BEYOND_SILENT},
     SP_LINE_DOWN,
     SP_CAUSE_ISP_CORE,
     SP_WHOSE_PROVIDER},
    {"a first hop that never answered tells nothing",
     {NEAR_OK, {ACCESS, V4, SILENT}, BEYOND_SILENT},
     SP_LINE_DOWN,
     SP_CAUSE_ISP,
     SP_WHOSE_PROVIDER},
    {"abroad",
     {{CORE, V4, OK}, {ABROAD, V4, SILENT}},
     SP_LINE_DEGRADED,
     SP_CAUSE_INTERNATIONAL,
     SP_WHOSE_PROVIDER},
    {"names", {{CORE, V4, OK}, {DNS, V4, SILENT}}, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER},
    {"lying resolver", {{CORE, V4, OK}, {DNS, V4, WRONG}}, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER},
    {"a portal that lets echo through",
     {NEAR_OK, {CORE, V4, OK}, {PORTAL, V4, WRONG}},
     SP_LINE_DOWN,
     SP_CAUSE_CAPTIVE_PORTAL,
     SP_WHOSE_ACCOUNT},
    {"a portal that lets nothing through",
     {NEAR_OK, {CORE, V4, SILENT}, {ABROAD, V4, SILENT}, {PORTAL, V4, WRONG}},
     SP_LINE_DOWN,
     SP_CAUSE_CAPTIVE_PORTAL,
     SP_WHOSE_ACCOUNT},
    {"a portal's answer does not hide a dead router",
     {{ADDRESS, V4, OK}, {GATEWAY, V4, SILENT}, {CORE, V4, SILENT}, {PORTAL, V4, WRONG}},
     SP_LINE_UNKNOWN,
     SP_CAUSE_GATEWAY,
     SP_WHOSE_SCHOOL},
    {"a deaf gateway", {{GATEWAY, V4, SILENT}, {CORE, V4, OK}}, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY},
    {"deaf domestic anchors",
     {NEAR_OK, {CORE, V4, SILENT}, {ABROAD, V4, OK}},
     SP_LINE_UP,
     SP_CAUSE_NONE,
     SP_WHOSE_NOBODY},
    {"anchors deaf to echo, the web answers",
     {NEAR_OK, {CORE, V4, SILENT}, {ABROAD, V4, OK}, {PORTAL, V4, OK}},
     SP_LINE_UP,
     SP_CAUSE_NONE,
     SP_WHOSE_NOBODY},
    {"the portal check alone is silent",
     {{CORE, V4, OK}, {PORTAL, V4, SILENT}},
     SP_LINE_UP,
     SP_CAUSE_NONE,
     SP_WHOSE_NOBODY},
    {"a platform answers, anchors do not",
     {NEAR_OK, {CORE, V4, SILENT}, {ABROAD, V4, SILENT}, {SERVICE, V4, OK}},
     SP_LINE_DEGRADED,
     SP_CAUSE_INTERNATIONAL,
     SP_WHOSE_PROVIDER},
    {"platforms are silent: theirs",
     {{CORE, V4, OK}, {SERVICE, V4, SILENT}},
     SP_LINE_UP,
     SP_CAUSE_NONE,
     SP_WHOSE_NOBODY},
    {"anchors and hub in one dead data centre",
     {NEAR_OK, {CORE, V4, SILENT}, {HUB, ANY, SILENT}, {ABROAD, V4, OK}, {PORTAL, V4, OK}},
     SP_LINE_UP,
     SP_CAUSE_NONE,
     SP_WHOSE_NOBODY},
    {"full-size packets vanish",
     {{CORE, V4, OK}, {FULL_SIZE, V4, OK}, {FULL_SIZE, V4, SILENT}},
     SP_LINE_DEGRADED,
     SP_CAUSE_MTU,
     SP_WHOSE_PROVIDER},
    {"a link that never carried one",
     {{CORE, V4, OK}, {FULL_SIZE, V4, SILENT}},
     SP_LINE_UP,
     SP_CAUSE_NONE,
     SP_WHOSE_NOBODY},
    {"abroad and names: the nearer cause is named",
     {{CORE, V4, OK}, {ABROAD, V4, SILENT}, {DNS, V4, SILENT}},
     SP_LINE_DEGRADED,
     SP_CAUSE_INTERNATIONAL,
     SP_WHOSE_PROVIDER},
};

/// Between the last answer at 100 and the loss at 105; but what the kernel tells is exact, and what is wrong
/// with a path that came at 105 began with it.
static double beginning(const struct situation *situation)
{
	bool exact = situation->cause == SP_CAUSE_CABLE || situation->cause == SP_CAUSE_ADDRESS;
	for (size_t i = 0; situation->reports[i].status != SP_RUNG_UNKNOWN; i++)
		exact |= (situation->reports[i].rung == CORE || situation->reports[i].rung == SERVICE) &&
			 situation->reports[i].status == OK;
	return exact ? 105 : 102.5;
}

static void test_verdicts(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < SP_COUNT(situations); i++) {
		const struct situation *situation = &situations[i];
		struct bench bench;
		bench_begin(&bench, boot_one);
		all_fine(&bench, 100);
		for (size_t j = 0; situation->reports[j].status != SP_RUNG_UNKNOWN; j++)
			say(&bench, 110, situation->reports[j].rung, situation->reports[j].family,
			    situation->reports[j].status, 105);
		judge(&bench, 110);
		struct sp_line_view view;
		sp_ledger_view(bench.ledger, &view);
		if (view.state != situation->state || view.cause != situation->cause ||
		    view.whose != situation->whose)
			fail_msg("%s: %s, %s, %s", situation->name, sp_line_state_name(view.state),
				 sp_cause_name(view.cause), sp_whose_name(view.whose));
		bool trouble = situation->state != SP_LINE_UP;
		assert_int_equal(bench.opened, trouble ? 1 : 0);
		if (trouble)
			assert_int_equal(bench.outage.start_mono_us, us(beginning(situation)));
		bench_end(&bench);
	}
}

// ---- lines with parts missing -------------------------------------------------------------------

static void test_a_stale_answer_from_afar_hides_nothing(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	// abroad answered at 100, domestic anchors are silent since 106 and abroad was not asked again
	say(&bench, 111, ADDRESS, V4, OK, 100);
	say(&bench, 111, GATEWAY, V4, OK, 100);
	say(&bench, 111, CORE, V4, SILENT, 106);
	judge(&bench, 111);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

static void test_without_a_gateway_nobody_is_blamed(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	say(&bench, 100, CORE, V4, OK, 100);
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 110, CORE, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.opened, 1);
	bench_end(&bench);
}

static void test_a_gateway_that_never_answered_is_not_blamed(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V4, SILENT, 95);
	say(&bench, 100, CORE, V4, OK, 100);
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 110, GATEWAY, V4, SILENT, 95);
	say(&bench, 110, CORE, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	bench_end(&bench);
}

static void test_only_abroad_is_configured(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V4, OK, 100);
	say(&bench, 100, ABROAD, V4, OK, 100);
	say(&bench, 100, DNS, V4, OK, 100);
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 110, GATEWAY, V4, OK, 100);
	say(&bench, 110, ABROAD, V4, SILENT, 105);
	say(&bench, 110, DNS, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	say(&bench, 115, DNS, V4, OK, 114);
	judge(&bench, 115);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER); // the rest may follow at once
	assert_int_equal(bench.next_us, us(118));
	assert_int_equal(bench.asked, 1);
	judge(&bench, 118);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	bench_end(&bench);
}

// ---- the hub ------------------------------------------------------------------------------------

static void test_the_hub_is_ours_and_no_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 120, HUB, ANY, SILENT, 110);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
	assert_int_equal(bench.opened, 0);
	say(&bench, 125, HUB, ANY, OK, 124);
	judge(&bench, 125);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	bench_end(&bench);
}

static void test_the_hub_gets_a_moment_after_an_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	family_lost(&bench, 110, V4, 104);
	say(&bench, 110, HUB, ANY, SILENT, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	say(&bench, 131, CORE, V4, OK, 130);
	rest_answers(&bench, 131, V4, 130);
	say(&bench, 135, HUB, ANY, SILENT, 106);
	judge(&bench, 135);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 146, HUB, ANY, SILENT, 106);
	judge(&bench, 146);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
	bench_end(&bench);
}

// ---- what is heard of a rung: several sources, old reports --------------------------------------

static void test_any_source_that_is_answered_speaks_for_the_rung(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	struct sp_rung_report silent = {
	    .rung = CORE, .family = V4, .status = SILENT, .since_us = us(104), .rtt_us = -1};
	struct sp_rung_report answered = {
	    .rung = CORE, .family = V4, .status = OK, .since_us = us(90), .rtt_us = 7};
	say(&bench, 110, ADDRESS, V4, OK, 100);
	say(&bench, 110, GATEWAY, V4, OK, 100);
	sp_ledger_report(bench.ledger, "dev", &silent, us(60), us(110));
	sp_ledger_report(bench.ledger, "other", &answered, us(60), us(110));
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	// and when the last of them falls silent, the silence begins there
	say(&bench, 115, ADDRESS, V4, OK, 100);
	say(&bench, 115, GATEWAY, V4, OK, 100);
	silent.since_us = us(111);
	sp_ledger_report(bench.ledger, "other", &silent, us(60), us(115));
	say(&bench, 115, ABROAD, V4, SILENT, 112);
	say(&bench, 115, PORTAL, V4, SILENT, 112);
	judge(&bench, 116);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.start_mono_us, us(110.5));
	bench_end(&bench);
}

static void test_evidence_names_the_rungs(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	struct sp_evidence evidence[SP_EVIDENCE_MAX];
	assert_int_equal(sp_ledger_evidence(bench.ledger, us(100), evidence), 7);
	assert_int_equal(evidence[0].rung, CABLE);
	assert_int_equal(evidence[0].family, ANY);
	assert_int_equal(evidence[1].rung, ADDRESS);
	assert_string_equal(evidence[1].detail, "x");
	assert_int_equal(sp_ledger_evidence(bench.ledger, us(200), evidence),
			 1); // the cable holds, the rest is old
	bench_end(&bench);
}

static void test_too_many_sources_are_refused(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	for (int i = 0; i < 300; i++) {
		char source[16];
		snprintf(source, sizeof(source), "s%d", i);
		struct sp_rung_report report = {.rung = CORE, .family = V4, .status = OK, .rtt_us = -1};
		sp_ledger_report(bench.ledger, source, &report, us(60), us(100));
	}
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	bench_end(&bench);
}

static void test_old_reports_count_for_nothing(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_true(bench.next_us > us(160) && bench.next_us < us(161));
	judge(&bench, 161);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.opened, 0); // not measured is not an outage
	assert_int_equal(bench.next_us, INT64_MAX);
	bench_end(&bench);
}

static void test_the_ledger_learns_how_often_a_rung_is_asked(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	for (int t = 100; t <= 2500; t += 300) // far slower than the 60 s that were promised
		say(&bench, t, CORE, V4, OK, 100);
	judge(&bench, 2500 + 899);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	judge(&bench, 2500 + 901);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	// a faster pace is learnt again
	for (int t = 4000; t <= 4400; t += 10)
		say(&bench, t, CORE, V4, OK, 4000);
	judge(&bench, 4400);
	judge(&bench, 4461);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_a_stale_answer_from_afar_hides_nothing),
	    cmocka_unit_test(test_without_a_gateway_nobody_is_blamed),
	    cmocka_unit_test(test_a_gateway_that_never_answered_is_not_blamed),
	    cmocka_unit_test(test_only_abroad_is_configured),
	    cmocka_unit_test(test_the_hub_is_ours_and_no_outage),
	    cmocka_unit_test(test_the_hub_gets_a_moment_after_an_outage),
	    cmocka_unit_test(test_any_source_that_is_answered_speaks_for_the_rung),
	    cmocka_unit_test(test_evidence_names_the_rungs),
	    cmocka_unit_test(test_too_many_sources_are_refused),
	    cmocka_unit_test(test_old_reports_count_for_nothing),
	    cmocka_unit_test(test_the_ledger_learns_how_often_a_rung_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
