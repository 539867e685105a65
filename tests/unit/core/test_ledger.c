// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The outage ledger: scenarios as rungs fall silent and answer again; states, causes, whose, edges and
// times, and outages that outlive the agent.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/ledger.h"

#define CABLE   SP_RUNG_CABLE
#define ADDRESS SP_RUNG_ADDRESS
#define GATEWAY SP_RUNG_GATEWAY
#define ACCESS  SP_RUNG_ISP_ACCESS
#define CORE    SP_RUNG_ISP_CORE
#define ABROAD  SP_RUNG_INTERNATIONAL
#define DNS     SP_RUNG_DNS
#define PORTAL  SP_RUNG_PORTAL
#define HUB     SP_RUNG_HUB
#define ANY     SP_FAMILY_ANY
#define V4      SP_FAMILY_IPV4
#define V6      SP_FAMILY_IPV6
#define OK      SP_RUNG_OK
#define SILENT  SP_RUNG_SILENT
#define WRONG   SP_RUNG_WRONG

static const char boot_one[] = "11111111-1111-1111-1111-111111111111";
static const char boot_two[] = "22222222-2222-2222-2222-222222222222";

struct bench {
	struct sp_ledger *ledger;
	bool synced;
	int64_t wall_offset_ms;
	struct sp_line_view line;
	int lines, opened, updated, closed, saves;
	struct sp_outage outage;
	int64_t next_us;
};

static int64_t us(double seconds)
{
	return (int64_t)(seconds * 1e6);
}

static void on_line(void *arg, const struct sp_line_view *view)
{
	struct bench *bench = arg;
	bench->line = *view;
	bench->lines++;
}

static void on_outage(void *arg, const struct sp_outage *outage, enum sp_outage_phase phase)
{
	struct bench *bench = arg;
	bench->outage = *outage;
	if (phase == SP_OUTAGE_OPEN)
		bench->opened++;
	else if (phase == SP_OUTAGE_UPDATE)
		bench->updated++;
	else
		bench->closed++;
}

static void on_save(void *arg)
{
	struct bench *bench = arg;
	bench->saves++;
}

static const struct sp_ledger_events events = {.line = on_line, .outage = on_outage, .save = on_save};

static void begin(struct bench *bench, const char *boot)
{
	*bench = (struct bench){0};
	bench->ledger = sp_ledger_new(boot, &events, bench);
}

static void end(struct bench *bench)
{
	sp_ledger_free(bench->ledger);
}

/// One source per rung and family, heard at `t`, about what began at `since`.
static void say(struct bench *bench, double t, enum sp_rung rung, enum sp_family family,
		enum sp_rung_status status, double since)
{
	struct sp_rung_report report = {.rung = rung,
					.family = family,
					.status = status,
					.since_us = us(since),
					.rtt_us = -1,
					.detail = "x"};
	int64_t max_age = rung == CABLE ? 0 : us(60);
	sp_ledger_report(bench->ledger, "dev", &report, max_age, us(t));
}

static void judge(struct bench *bench, double t)
{
	struct sp_clock_reading now = {.mono_us = us(t),
				       .synced = bench->synced,
				       .wall_ms = us(t) / 1000 + bench->wall_offset_ms,
				       .err_ms = 3};
	bench->next_us = sp_ledger_judge(bench->ledger, &now);
}

/// Everything answers in IPv4 since `t`.
static void fine_since(struct bench *bench, double t, double since)
{
	say(bench, t, CABLE, ANY, OK, since);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		if (rung != ACCESS)
			say(bench, t, (enum sp_rung)rung, V4, OK, since);
	judge(bench, t);
}

static void all_fine(struct bench *bench, double t)
{
	fine_since(bench, t, t);
}

/// As it has been since second 100.
static void still_fine(struct bench *bench, double t)
{
	fine_since(bench, t, 100);
}

static void assert_line(const struct bench *bench, enum sp_line_state state, enum sp_cause cause,
			enum sp_whose whose)
{
	struct sp_line_view view;
	sp_ledger_view(bench->ledger, &view);
	assert_string_equal(sp_line_state_name(view.state), sp_line_state_name(state));
	assert_string_equal(sp_cause_name(view.cause), sp_cause_name(cause));
	assert_string_equal(sp_whose_name(view.whose), sp_whose_name(whose));
}

// ---- one verdict per situation ---------------------------------------------------------------------

struct situation {
	const char *name;
	/// Reports of second 110 on a line that was fine at 100, each since 105; ends with status UNKNOWN.
	struct {
		enum sp_rung rung;
		enum sp_family family;
		enum sp_rung_status status;
	} reports[12];
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
    {"abroad and names: the nearer cause is named",
     {{CORE, V4, OK}, {ABROAD, V4, SILENT}, {DNS, V4, SILENT}},
     SP_LINE_DEGRADED,
     SP_CAUSE_INTERNATIONAL,
     SP_WHOSE_PROVIDER},
};

static void test_verdicts(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < SP_COUNT(situations); i++) {
		const struct situation *situation = &situations[i];
		struct bench bench;
		begin(&bench, boot_one);
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
			assert_int_equal(bench.outage.start_mono_us, us(105));
		end(&bench);
	}
}

// ---- edges, times, updates -------------------------------------------------------------------------

static void test_an_outage_opens_and_closes_at_the_probes(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	assert_int_equal(bench.outage.start_mono_us, us(106));
	assert_true(bench.outage.uncertainty_seconds > 1.99 && bench.outage.uncertainty_seconds < 2.01);
	assert_int_equal(bench.outage.start_t_ms, 1700000000000 + 106000);
	assert_false(bench.outage.closed);
	// answers again from 130.2 on; what is silent still was measured before and is not blamed
	say(&bench, 131, CORE, V4, OK, 130.2);
	judge(&bench, 131);
	assert_int_equal(bench.closed, 1);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.outage.end_mono_us, us(130.2));
	assert_int_equal(bench.outage.end_t_ms, 1700000000000 + 130200);
	assert_int_equal(bench.line.since_us, us(130.2));
	assert_int_equal(bench.saves, 2);
	// measured again over the working path, it is a matter of its own
	say(&bench, 140, ABROAD, V4, SILENT, 106.5);
	judge(&bench, 140);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.opened, 2);
	assert_int_equal(bench.outage.start_mono_us, us(130.2)); // before that it could not be told
	end(&bench);
}

static void test_a_stale_answer_from_afar_hides_nothing(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	// abroad answered at 100, domestic anchors are silent since 106 and abroad was not asked again
	say(&bench, 111, ADDRESS, V4, OK, 100);
	say(&bench, 111, GATEWAY, V4, OK, 100);
	say(&bench, 111, CORE, V4, SILENT, 106);
	judge(&bench, 111);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	end(&bench);
}

static void test_a_burst_that_clears_the_loss_leaves_no_trace(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	end(&bench);
}

static void test_a_cause_is_refined(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	assert_int_equal(bench.outage.start_mono_us, us(106));
	end(&bench);
}

static void test_the_way_back_from_a_pulled_cable_blames_nobody_else(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	assert_int_equal(bench.next_us, us(124));
	say(&bench, 120.2, GATEWAY, V4, OK, 120.2);
	say(&bench, 120.3, CORE, V4, SILENT, 106);
	judge(&bench, 120.3);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_CABLE, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.next_us, us(124.2));
	say(&bench, 121, CORE, V4, OK, 121);
	judge(&bench, 121);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.state, SP_LINE_UNKNOWN);
	assert_int_equal(bench.outage.cause, SP_CAUSE_CABLE);
	end(&bench);
}

static void test_the_start_is_the_first_loss_on_any_rung(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	// the router is asked rarely: its own first loss comes later than the anchors'
	say(&bench, 115, ADDRESS, V4, OK, 100);
	say(&bench, 115, GATEWAY, V4, SILENT, 112);
	say(&bench, 115, CORE, V4, SILENT, 103.5);
	judge(&bench, 115);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_GATEWAY, SP_WHOSE_SCHOOL);
	assert_int_equal(bench.outage.start_mono_us, us(103.5));
	end(&bench);
}

static void test_old_reports_count_for_nothing(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_true(bench.next_us > us(160) && bench.next_us < us(161));
	judge(&bench, 161);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.opened, 0); // not measured is not an outage
	assert_int_equal(bench.next_us, INT64_MAX);
	end(&bench);
}

static void test_the_ledger_learns_how_often_a_rung_is_asked(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	end(&bench);
}

static void test_an_outage_survives_a_time_without_measurements(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	end(&bench);
}

static void test_without_a_gateway_nobody_is_blamed(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	say(&bench, 100, CORE, V4, OK, 100);
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 110, CORE, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.opened, 1);
	end(&bench);
}

static void test_a_gateway_that_never_answered_is_not_blamed(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V4, SILENT, 95);
	say(&bench, 100, CORE, V4, OK, 100);
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 110, GATEWAY, V4, SILENT, 95);
	say(&bench, 110, CORE, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	end(&bench);
}

static void test_down_from_the_start(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	end(&bench);
}

static void test_only_abroad_is_configured(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_INTERNATIONAL, SP_WHOSE_PROVIDER);
	end(&bench);
}

// ---- two families -----------------------------------------------------------------------------------

static void both_fine(struct bench *bench, double t)
{
	all_fine(bench, t);
	for (int rung = ADDRESS; rung <= ABROAD; rung++)
		if (rung != ACCESS)
			say(bench, t, (enum sp_rung)rung, V6, OK, t);
	judge(bench, t);
}

static void family_lost(struct bench *bench, double t, enum sp_family family, double since)
{
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		if (rung != ACCESS)
			say(bench, t, (enum sp_rung)rung, family, rung <= GATEWAY ? OK : SILENT,
			    rung <= GATEWAY ? 100 : since);
}

static void test_a_family_that_never_worked_is_not_missed(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	say(&bench, 100, GATEWAY, V6, OK, 100); // a router that advertises itself, and nothing behind it
	say(&bench, 100, CORE, V6, SILENT, 95);
	all_fine(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_true(bench.line.offered[V4]);
	assert_false(bench.line.offered[V6]);
	assert_int_equal(bench.opened, 0);
	end(&bench);
}

static void test_one_family_out_is_degraded_and_both_are_down(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	both_fine(&bench, 100);
	assert_true(bench.line.offered[V6]);
	still_fine(&bench, 110);
	family_lost(&bench, 110, V6, 104);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.family[V4], SP_LINE_UP);
	assert_int_equal(bench.line.family[V6], SP_LINE_DOWN);
	assert_int_equal(bench.outage.start_mono_us, us(104));
	family_lost(&bench, 120, V4, 114);
	family_lost(&bench, 120, V6, 104);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.line.since_us, us(114)); // down since the second was lost
	assert_int_equal(bench.outage.start_mono_us, us(104));
	assert_int_equal(bench.outage.state, SP_LINE_DOWN);
	say(&bench, 130, CORE, V6, OK, 129);
	judge(&bench, 130);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV4, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.closed, 0);
	say(&bench, 140, CORE, V4, OK, 139);
	say(&bench, 140, CORE, V6, OK, 129);
	judge(&bench, 140);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.end_mono_us, us(139));
	end(&bench);
}

static void test_both_families_lost_at_once(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	both_fine(&bench, 100);
	family_lost(&bench, 110, V4, 104);
	family_lost(&bench, 110, V6, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	assert_int_equal(bench.outage.start_mono_us, us(104));
	end(&bench);
}

static void test_the_family_that_gets_farther_tells_the_cause(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	both_fine(&bench, 100);
	say(&bench, 111, ADDRESS, V4, SILENT, 104);
	say(&bench, 111, CORE, V4, SILENT, 104);
	family_lost(&bench, 111, V6, 104);
	judge(&bench, 111);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	end(&bench);
}

static void test_a_family_lost_at_school_is_the_schools(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	both_fine(&bench, 100);
	still_fine(&bench, 112);
	say(&bench, 112, ADDRESS, V6, SILENT, 104);
	say(&bench, 112, GATEWAY, V6, SILENT, 104);
	say(&bench, 112, CORE, V6, SILENT, 104);
	judge(&bench, 112);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_SCHOOL);
	end(&bench);
}

// ---- the hub ------------------------------------------------------------------------------------------

static void test_the_hub_is_ours_and_no_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 120, HUB, ANY, SILENT, 110);
	judge(&bench, 120);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
	assert_int_equal(bench.opened, 0);
	say(&bench, 125, HUB, ANY, OK, 124);
	judge(&bench, 125);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	end(&bench);
}

static void test_the_hub_gets_a_moment_after_an_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	family_lost(&bench, 110, V4, 104);
	say(&bench, 110, HUB, ANY, SILENT, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	say(&bench, 131, CORE, V4, OK, 130);
	say(&bench, 135, HUB, ANY, SILENT, 106);
	judge(&bench, 135);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	say(&bench, 146, HUB, ANY, SILENT, 106);
	judge(&bench, 146);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_HUB, SP_WHOSE_OURS);
	end(&bench);
}

// ---- several sources ----------------------------------------------------------------------------------

static void test_any_source_that_is_answered_speaks_for_the_rung(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
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
	assert_int_equal(bench.outage.start_mono_us, us(111));
	end(&bench);
}

static void test_evidence_names_the_rungs(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	struct sp_evidence evidence[SP_EVIDENCE_MAX];
	assert_int_equal(sp_ledger_evidence(bench.ledger, us(100), evidence), 7);
	assert_int_equal(evidence[0].rung, CABLE);
	assert_int_equal(evidence[0].family, ANY);
	assert_int_equal(evidence[1].rung, ADDRESS);
	assert_string_equal(evidence[1].detail, "x");
	assert_int_equal(sp_ledger_evidence(bench.ledger, us(200), evidence),
			 1); // the cable holds, the rest is old
	end(&bench);
}

static void test_too_many_sources_are_refused(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	for (int i = 0; i < 300; i++) {
		char source[16];
		snprintf(source, sizeof(source), "s%d", i);
		struct sp_rung_report report = {.rung = CORE, .family = V4, .status = OK, .rtt_us = -1};
		sp_ledger_report(bench.ledger, source, &report, us(60), us(100));
	}
	judge(&bench, 100);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	end(&bench);
}

// ---- restarts -----------------------------------------------------------------------------------------

static char *save(const struct bench *bench)
{
	struct sp_buf text = SP_BUF(64 * 1024);
	sp_ledger_save(bench->ledger, &text);
	char *taken = sp_buf_take(&text);
	return taken ? taken : calloc(1, 1);
}

static void test_an_outage_goes_on_in_the_next_boot(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	both_fine(&bench, 100);
	char *nothing = save(&bench);
	assert_string_equal(nothing, "");
	free(nothing);
	family_lost(&bench, 110, V4, 104);
	family_lost(&bench, 110, V6, 104);
	judge(&bench, 110);
	struct sp_outage first = bench.outage;
	assert_false(first.start_placed);
	// the clock is learnt during the outage, and its beginning with it
	int saves = bench.saves;
	bench.synced = true;
	bench.wall_offset_ms = 1700000000000;
	judge(&bench, 111);
	assert_int_equal(bench.saves, saves + 1);
	char *text = save(&bench);
	end(&bench);

	begin(&bench, boot_two);
	assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
	free(text);
	const struct sp_outage *open = sp_ledger_outage(bench.ledger);
	assert_non_null(open);
	assert_string_equal(open->id, first.id);
	assert_string_equal(open->start_boot, boot_one);
	assert_true(open->start_placed);
	assert_int_equal(open->start_t_ms, 1700000000000 + 104000);
	judge(&bench, 5);
	assert_int_equal(bench.closed, 0);
	// the same trouble, seen again: no second outage
	family_lost(&bench, 20, V4, 15);
	judge(&bench, 20);
	assert_int_equal(bench.opened, 0);
	// IPv6 was offered before, so it is still missed
	say(&bench, 31, CORE, V4, OK, 30);
	say(&bench, 31, CORE, V6, SILENT, 15);
	say(&bench, 31, GATEWAY, V6, OK, 15);
	judge(&bench, 31);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_PROVIDER);
	bench.synced = true;
	bench.wall_offset_ms = 1700000900000;
	say(&bench, 41, CORE, V6, OK, 40);
	judge(&bench, 41);
	assert_int_equal(bench.closed, 1);
	assert_string_equal(bench.outage.id, first.id);
	assert_string_equal(bench.outage.end_boot, boot_two);
	assert_int_equal(bench.outage.end_mono_us, us(40));
	assert_int_equal(bench.outage.end_t_ms, 1700000900000 + 40000);
	assert_int_equal(bench.outage.state, SP_LINE_DOWN);
	char *empty = save(&bench);
	assert_string_equal(empty, "");
	free(empty);
	end(&bench);
}

static void test_a_restart_does_not_end_what_lies_farther_out(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 110, CORE, V4, OK, 100);
	say(&bench, 110, DNS, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER);
	char *text = save(&bench);
	end(&bench);
	for (int answers = 0; answers < 3; answers++) {
		begin(&bench, boot_one);
		assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
		judge(&bench, 200);
		assert_int_equal(bench.lines, 0); // nothing measured is nothing to say
		for (int t = 205; t <= 285; t += 10) {
			say(&bench, t, CORE, V4, OK, 205);
			judge(&bench, t);
			assert_int_equal(bench.closed, 0); // the resolver has not been asked yet
		}
		if (answers == 0)
			say(&bench, 286, DNS, V4, OK, 285);
		else if (answers == 1)
			say(&bench, 286, DNS, V4, SILENT, 206);
		judge(&bench, answers == 2 ? 291 : 286); // nobody asks it any more
		assert_int_equal(bench.closed, answers == 1 ? 0 : 1);
		assert_int_equal(bench.opened, 0);
		if (answers == 0)
			assert_int_equal(bench.outage.end_mono_us, us(285));
		end(&bench);
	}
	free(text);
}

static void test_a_spoilt_memory_is_refused(void **unused)
{
	(void)unused;
	static const char *const texts[] = {
	    "",
	    "null",
	    "[]",
	    "{\"outage\":\"x\"}",
	    "{\"outage\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"state\":\"down\",\"cause\":\"isp\",\"whose\":"
	    "\"provider\","
	    "\"start_boot\":\"b\",\"start_mono_us\":1e300}",
	    "{\"outage\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"state\":\"dawn\",\"cause\":\"isp\",\"whose\":"
	    "\"provider\","
	    "\"start_boot\":\"b\",\"start_mono_us\":1}",
	    "{\"outage\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"state\":\"down\",\"cause\":7,\"whose\":"
	    "\"provider\","
	    "\"start_boot\":\"b\",\"start_mono_us\":1}",
	    "{\"outage\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		struct bench bench;
		begin(&bench, boot_one);
		assert_int_equal(sp_ledger_load(bench.ledger, texts[i]), -EINVAL);
		assert_null(sp_ledger_outage(bench.ledger));
		end(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_an_outage_opens_and_closes_at_the_probes),
	    cmocka_unit_test(test_a_stale_answer_from_afar_hides_nothing),
	    cmocka_unit_test(test_a_burst_that_clears_the_loss_leaves_no_trace),
	    cmocka_unit_test(test_a_cause_is_refined),
	    cmocka_unit_test(test_the_way_back_from_a_pulled_cable_blames_nobody_else),
	    cmocka_unit_test(test_the_start_is_the_first_loss_on_any_rung),
	    cmocka_unit_test(test_old_reports_count_for_nothing),
	    cmocka_unit_test(test_the_ledger_learns_how_often_a_rung_is_asked),
	    cmocka_unit_test(test_an_outage_survives_a_time_without_measurements),
	    cmocka_unit_test(test_without_a_gateway_nobody_is_blamed),
	    cmocka_unit_test(test_a_gateway_that_never_answered_is_not_blamed),
	    cmocka_unit_test(test_down_from_the_start),
	    cmocka_unit_test(test_only_abroad_is_configured),
	    cmocka_unit_test(test_a_family_that_never_worked_is_not_missed),
	    cmocka_unit_test(test_one_family_out_is_degraded_and_both_are_down),
	    cmocka_unit_test(test_both_families_lost_at_once),
	    cmocka_unit_test(test_the_family_that_gets_farther_tells_the_cause),
	    cmocka_unit_test(test_a_family_lost_at_school_is_the_schools),
	    cmocka_unit_test(test_the_hub_is_ours_and_no_outage),
	    cmocka_unit_test(test_the_hub_gets_a_moment_after_an_outage),
	    cmocka_unit_test(test_any_source_that_is_answered_speaks_for_the_rung),
	    cmocka_unit_test(test_evidence_names_the_rungs),
	    cmocka_unit_test(test_too_many_sources_are_refused),
	    cmocka_unit_test(test_an_outage_goes_on_in_the_next_boot),
	    cmocka_unit_test(test_a_restart_does_not_end_what_lies_farther_out),
	    cmocka_unit_test(test_a_spoilt_memory_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
