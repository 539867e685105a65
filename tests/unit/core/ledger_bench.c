// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of the ledger: events counted, reports and readings made.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/core/ledger_bench.h"

const char boot_one[] = "11111111-1111-1111-1111-111111111111";
const char boot_two[] = "22222222-2222-2222-2222-222222222222";

int64_t us(double seconds)
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

static void on_ask(void *arg)
{
	struct bench *bench = arg;
	bench->asked++;
}

static const struct sp_ledger_events events = {
    .line = on_line, .outage = on_outage, .save = on_save, .ask = on_ask};

void bench_begin(struct bench *bench, const char *boot)
{
	*bench = (struct bench){0};
	bench->ledger = sp_ledger_new(boot, &events, bench);
}

void bench_end(struct bench *bench)
{
	sp_ledger_free(bench->ledger);
}

void say(struct bench *bench, double t, enum sp_rung rung, enum sp_family family, enum sp_rung_status status,
	 double since)
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

void judge(struct bench *bench, double t)
{
	struct sp_clock_reading now = {.mono_us = us(t),
				       .synced = bench->synced,
				       .wall_ms = us(t) / 1000 + bench->wall_offset_ms,
				       .err_ms = 3};
	bench->next_us = sp_ledger_judge(bench->ledger, &now);
}

void fine_since(struct bench *bench, double t, double since)
{
	say(bench, t, CABLE, ANY, OK, since);
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		if (rung != ACCESS)
			say(bench, t, (enum sp_rung)rung, V4, OK, since);
	judge(bench, t);
}

void all_fine(struct bench *bench, double t)
{
	fine_since(bench, t, t);
}

void still_fine(struct bench *bench, double t)
{
	fine_since(bench, t, 100);
}

void both_fine(struct bench *bench, double t)
{
	all_fine(bench, t);
	for (int rung = ADDRESS; rung <= ABROAD; rung++)
		if (rung != ACCESS)
			say(bench, t, (enum sp_rung)rung, V6, OK, t);
	judge(bench, t);
}

void rest_answers(struct bench *bench, double t, enum sp_family family, double since)
{
	for (int rung = ABROAD; rung <= PORTAL; rung++)
		say(bench, t, (enum sp_rung)rung, family, OK, since);
}

void family_lost(struct bench *bench, double t, enum sp_family family, double since)
{
	for (int rung = ADDRESS; rung <= PORTAL; rung++)
		if (rung != ACCESS)
			say(bench, t, (enum sp_rung)rung, family, rung <= GATEWAY ? OK : SILENT,
			    rung <= GATEWAY ? 100 : since);
}

void assert_line(const struct bench *bench, enum sp_line_state state, enum sp_cause cause,
		 enum sp_whose whose)
{
	struct sp_line_view view;
	sp_ledger_view(bench->ledger, &view);
	assert_string_equal(sp_line_state_name(view.state), sp_line_state_name(state));
	assert_string_equal(sp_cause_name(view.cause), sp_cause_name(cause));
	assert_string_equal(sp_whose_name(view.whose), sp_whose_name(whose));
}
