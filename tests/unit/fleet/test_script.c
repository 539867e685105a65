// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Scripts: what they say, whom they meet, when, and how mistakes are told.
#include "tests/unit/fleet/fleet_util.h"

#include "tools/fleet/civil.h"

static struct sp_script script;

static int tear_down(void **state)
{
	(void)state;
	sp_script_free(&script);
	return 0;
}

static void expect_error(const char *text, const char *part)
{
	struct sp_config_errors errors = {0};
	struct sp_script bad = {0};
	assert_int_equal(sp_script_parse(&bad, "s", text, strlen(text), &errors), -EINVAL);
	assert_int_equal(errors.count, 1);
	if (!strstr(errors.lines[0], part))
		fail_msg("\"%s\" is told by \"%s\"", text, errors.lines[0]);
	sp_config_errors_free(&errors);
	sp_script_free(&bad);
}

static void test_mistakes(void **state)
{
	(void)state;
	expect_error("all at start : lone down cable", "s:1: \"lone\" is no word; \"line\"?");
	expect_error("\n\nall at start for 2h : line down wire", "s:3: \"wire\" is no cause");
	expect_error("all at start : line down cable", "it needs for or until");
	expect_error("all at start for 2h : replay 2", "no for and no until");
	expect_error("all at 25:00 for 2h : silent", "no moment and no day");
	expect_error("all at each day 25:00 for 2h : silent", "no time of day");
	expect_error("all at 2026-02-30 10:00 for 2h : silent", "no moment");
	expect_error("all at +5x : replay 1", "no time like");
	expect_error("all for 5min : silent", "\"at\" or a comma");
	expect_error("some at start : replay 1", "no way to choose boards");
	expect_error("share 5 at start : replay 1", "no share");
	expect_error("all at start : replay 1 2", "is too much");
	expect_error("all at start : replay 1.5", "whole number");
	expect_error("all at start : replay", "missing");
	expect_error("all at start : fact t seq=4", "written by the board itself");
	expect_error("all at start : fact t a=1 a=2", "twice");
	expect_error("school \"a at start : replay 1", "quote is not closed");
	expect_error("all at each 5min for 6min : silent", "longer than until its next time");
	expect_error("all at start : speedtest times 3", "neither down nor up");
	expect_error("all at start : platform 6 of 5", "more answers");
}

static void test_parts(void **state)
{
	(void)state;
	script_of(&script,
		  "# nothing\n"
		  "area \"Lào Cai/Sa Pa\", not share 5% of a at mon-fri 07:30 for 20min spread 40s \\\n"
		  "  from 2026-09-07 to 2026-09-21 : line down isp_access hop 203.0.113.1 # a hop\n"
		  "all at start : fact storage event=full text=\"a, b\" n=4 r=0.5 b=true z=null\n");
	assert_int_equal(script.count, 2);
	const struct sp_statement *s = script.statements[0];
	assert_int_equal(s->line, 2);
	assert_int_equal(s->who_count, 2);
	assert_string_equal(s->who[0].pattern, "Lào Cai/Sa Pa");
	assert_true(s->who[1].negated);
	assert_int_equal(s->when.weekdays, 0x1f);
	assert_int_equal(s->when.until_ms, 20 * MINUTE);
	assert_int_equal(s->when.spread_ms, 40000);
	assert_string_equal(s->args.text[0], "203.0.113.1");
	const struct sp_args *a = &script.statements[1]->args;
	assert_int_equal(a->pairs, 6);
	assert_string_equal(a->pair[1].text, "a, b");
	assert_int_equal(a->pair[2].kind, SP_PAIR_INT);
	assert_int_equal(a->pair[3].kind, SP_PAIR_REAL);
	assert_int_equal(a->pair[4].kind, SP_PAIR_BOOL);
	assert_int_equal(a->pair[5].kind, SP_PAIR_NULL);
}

static void test_who(void **state)
{
	struct sp_roster roster;
	size_t met[8] = {0};
	(void)state;
	roster_of(&roster, 2000);
	script_of(&script,
		  "all at start : replay 1\nschool T0000* at start : replay 1\n"
		  "area \"Tỉnh 1\" at start : replay 1\narea \"Tỉnh 1/Xã 2\" at start : replay 1\n"
		  "share 10% of a at start : replay 1\nshare 5% of a at start : replay 1\n"
		  "share 10% at start : replay 1\nfirst 7, not board board-00003 at start : replay 1\n");
	for (size_t i = 0; i < roster.count; i++) {
		bool of_ten = sp_statement_meets(script.statements[4], &roster.boards[i], i, 1);
		bool of_five = sp_statement_meets(script.statements[5], &roster.boards[i], i, 1);
		assert_true(of_ten || !of_five);
		for (size_t s = 0; s < 8; s++)
			met[s] += sp_statement_meets(script.statements[s], &roster.boards[i], i, 1);
	}
	sp_roster_free(&roster);
	assert_int_equal(met[0], 2000);
	assert_int_equal(met[1], 9);
	assert_int_equal(met[2], 600);
	assert_int_equal(met[3], 10);
	assert_in_range(met[4], 140, 260);
	assert_in_range(met[5], 60, 140);
	assert_in_range(met[6], 140, 260);
	assert_int_equal(met[7], 6);
}

static struct sp_span next(size_t statement, int64_t start_ms, int64_t at_ms, int64_t after_ms)
{
	struct sp_span span = {-1, -1};
	if (!sp_when_next(&script.statements[statement]->when, start_ms, at_ms, after_ms, &span))
		return (struct sp_span){-1, -1};
	return span;
}

static void test_when(void **state)
{
	(void)state;
	script_of(&script,
		  "all at mon-fri 07:30 for 20min from 2026-09-07 to 2026-09-21 : silent\n"
		  "all at day 3 11:00 : replay 1\nall at each 10min for 1min : silent\n"
		  "all at sat, cn 22:00 until 06:00 : silent\nall at 2026-09-02 08:10 until end : silent\n"
		  "all at +90s : replay 1\n");
	struct sp_span span = next(0, SEPTEMBER, SEPTEMBER, INT64_MIN);
	assert_int_equal(span.begin_ms, SEPTEMBER + 6 * DAY + 7 * HOUR + 30 * MINUTE);
	assert_int_equal(span.end_ms - span.begin_ms, 20 * MINUTE);
	span = next(0, SEPTEMBER, SEPTEMBER, SEPTEMBER + 10 * DAY + 8 * HOUR); // after Friday's
	assert_int_equal(span.begin_ms, SEPTEMBER + 13 * DAY + 7 * HOUR + 30 * MINUTE);
	assert_int_equal(next(0, SEPTEMBER, SEPTEMBER, SEPTEMBER + 20 * DAY).begin_ms, -1);
	assert_int_equal(next(1, SEPTEMBER, SEPTEMBER, INT64_MIN).begin_ms, SEPTEMBER + 2 * DAY + 11 * HOUR);
	assert_int_equal(next(2, SEPTEMBER, SEPTEMBER + 31 * MINUTE, SEPTEMBER + 30 * MINUTE + 1).begin_ms,
			 SEPTEMBER + 40 * MINUTE);
	assert_int_equal(next(3, SEPTEMBER, SEPTEMBER, INT64_MIN).begin_ms, SEPTEMBER + 4 * DAY + 22 * HOUR);
	assert_int_equal(next(3, SEPTEMBER, SEPTEMBER, INT64_MIN).end_ms, SEPTEMBER + 5 * DAY + 6 * HOUR);
	assert_int_equal(next(4, SEPTEMBER, SEPTEMBER, INT64_MIN).end_ms, INT64_MAX);
	assert_int_equal(next(5, SEPTEMBER, SEPTEMBER, INT64_MIN).begin_ms, SEPTEMBER + 90000);
	assert_int_equal(next(5, SEPTEMBER, SEPTEMBER + 90001, INT64_MIN).begin_ms, -1);
}

static void test_civil(void **state)
{
	int64_t day, ms;
	char text[32];
	(void)state;
	assert_true(sp_civil_date("2026-09-01", &day));
	assert_int_equal(sp_civil_day_ms(day), SEPTEMBER);
	assert_int_equal(sp_civil_weekday(day), 1);
	assert_int_equal(sp_civil_day(SEPTEMBER - 1), day - 1);
	assert_false(sp_civil_date("2025-02-29", &day));
	assert_true(sp_civil_date("2024-02-29", &day));
	assert_true(sp_civil_clock("24:00", &ms));
	assert_false(sp_civil_clock("24:01", &ms));
	assert_false(sp_civil_clock("7:5", &ms));
	sp_civil_format(SEPTEMBER + 8 * HOUR + 15000, text);
	assert_string_equal(text, "2026-09-01 08:00:15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test_teardown(test_parts, tear_down),
	    cmocka_unit_test_teardown(test_who, tear_down),
	    cmocka_unit_test_teardown(test_when, tear_down),
	    cmocka_unit_test(test_civil),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
