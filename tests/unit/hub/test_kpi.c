// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The formulas of the KPIs at their edges: nothing at all, exactly reached, one short, all unknown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tools/hub/kpi/kpi.h"

#define PERCENT (SP_KPI_ONE / 100)

static enum sp_kpi_verdict judge(int64_t yes, int64_t no, int64_t unknown, int64_t target)
{
	const struct sp_kpi_counts counts = {yes, no, unknown};
	return sp_kpi_judge_counts(&counts, target);
}

static void counts_are_judged_at_the_edges(void **state)
{
	(void)state;
	assert_int_equal(judge(0, 0, 0, 100 * PERCENT), SP_KPI_NOT_RATED);
	assert_int_equal(judge(0, 0, 0, 0), SP_KPI_NOT_RATED);
	assert_int_equal(judge(9, 1, 0, 90 * PERCENT), SP_KPI_MET);
	assert_int_equal(judge(899, 101, 0, 90 * PERCENT), SP_KPI_NOT_MET);
	// Those that are not known could still make it, or not.
	assert_int_equal(judge(8, 1, 1, 90 * PERCENT), SP_KPI_NOT_RATED);
	assert_int_equal(judge(8, 2, 0, 90 * PERCENT), SP_KPI_NOT_MET);
	assert_int_equal(judge(7, 2, 1, 90 * PERCENT), SP_KPI_NOT_MET);
	assert_int_equal(judge(9, 0, 1, 90 * PERCENT), SP_KPI_MET);
	assert_int_equal(judge(0, 0, 81, 80 * PERCENT), SP_KPI_NOT_RATED);
	assert_int_equal(judge(0, 5, 0, 0), SP_KPI_MET);
}

static void thirds_and_tenths_do_not_round_away(void **state)
{
	(void)state;
	// 0.1 + 0.2 style: 70 % of 10, 55 % of 20, 35 % of 20, 99.5 % of 200 and 41,000.
	assert_int_equal(judge(7, 3, 0, 70 * PERCENT), SP_KPI_MET);
	assert_int_equal(judge(11, 9, 0, 55 * PERCENT), SP_KPI_MET);
	assert_int_equal(judge(7, 13, 0, 35 * PERCENT), SP_KPI_MET);
	assert_int_equal(judge(199, 1, 0, 995000), SP_KPI_MET);
	assert_int_equal(judge(40795, 205, 0, 995000), SP_KPI_MET);
	assert_int_equal(judge(40794, 206, 0, 995000), SP_KPI_NOT_MET);
	for (int64_t total = 1; total < 2000; total++) {
		for (int64_t target = 0; target <= 100; target += 5) {
			int64_t least = (total * target + 99) / 100;
			assert_int_equal(judge(least, total - least, 0, target * PERCENT), SP_KPI_MET);
			if (least > 0)
				assert_int_equal(judge(least - 1, total - least + 1, 0, target * PERCENT),
						 SP_KPI_NOT_MET);
		}
	}
}

static void values_need_coverage(void **state)
{
	(void)state;
	struct sp_kpi_value value = {9, 10, 90, 100};
	assert_int_equal(sp_kpi_judge_value(&value, 90 * PERCENT, 90 * PERCENT), SP_KPI_MET);
	value.num = 8;
	assert_int_equal(sp_kpi_judge_value(&value, 90 * PERCENT, 90 * PERCENT), SP_KPI_NOT_MET);
	value.covered = 89;
	assert_int_equal(sp_kpi_judge_value(&value, 90 * PERCENT, 90 * PERCENT), SP_KPI_NOT_RATED);
	value = (struct sp_kpi_value){0, 0, 0, 100};
	assert_int_equal(sp_kpi_judge_value(&value, 0, 0), SP_KPI_NOT_RATED);
	value = (struct sp_kpi_value){0};
	assert_int_equal(sp_kpi_judge_value(&value, 0, 0), SP_KPI_NOT_RATED);
	// A country's year in milliseconds, times millionths, is beyond 64 bits.
	int64_t year = INT64_C(41000) * 366 * 86400000;
	value = (struct sp_kpi_value){year - 1, year, year, year};
	assert_int_equal(sp_kpi_judge_value(&value, SP_KPI_ONE, SP_KPI_ONE), SP_KPI_NOT_MET);
	value.num++;
	assert_int_equal(sp_kpi_judge_value(&value, SP_KPI_ONE, SP_KPI_ONE), SP_KPI_MET);
	struct sp_kpi_value sum = {1, 2, 3, 4};
	sp_kpi_value_add(&sum, &(struct sp_kpi_value){10, 20, 30, 40});
	assert_int_equal(sum.num + sum.den + sum.covered + sum.total, 110);
}

static void a_quotient_is_rounded_once(void **state)
{
	(void)state;
	const struct sp_kpi_counts counts = {2, 1, 0}, none = {0};
	assert_int_equal(sp_kpi_counts_value(&counts), 666667);
	assert_int_equal(sp_kpi_counts_value(&none), SP_KPI_UNKNOWN);
	assert_int_equal(sp_kpi_quotient(1, 3), 333333);
	assert_int_equal(sp_kpi_quotient(0, 0), SP_KPI_UNKNOWN);
	assert_int_equal(sp_kpi_quotient(5, 5), SP_KPI_ONE);
}

static void claims_have_their_own_words(void **state)
{
	(void)state;
	assert_string_equal(sp_kpi_verdict_name(SP_KPI_MET, true), "confirmed");
	assert_string_equal(sp_kpi_verdict_name(SP_KPI_NOT_MET, true), "not_confirmed");
	assert_string_equal(sp_kpi_verdict_name(SP_KPI_NOT_RATED, true), "not_rated");
	assert_string_equal(sp_kpi_verdict_name(SP_KPI_NOT_MET, false), "not_met");
	assert_int_equal(sp_kpi_both(SP_KPI_MET, SP_KPI_MET), SP_KPI_MET);
	assert_int_equal(sp_kpi_both(SP_KPI_NOT_RATED, SP_KPI_MET), SP_KPI_NOT_RATED);
	assert_int_equal(sp_kpi_both(SP_KPI_NOT_RATED, SP_KPI_NOT_MET), SP_KPI_NOT_MET);
}

static void a_share_of_days(void **state)
{
	(void)state;
	assert_int_equal(sp_kpi_share_unit(9, 0, 10, 90 * PERCENT), SP_UNIT_YES);
	assert_int_equal(sp_kpi_share_unit(8, 0, 10, 90 * PERCENT), SP_UNIT_NO);
	assert_int_equal(sp_kpi_share_unit(8, 1, 10, 90 * PERCENT), SP_UNIT_UNKNOWN);
	assert_int_equal(sp_kpi_share_unit(0, 0, 0, 90 * PERCENT), SP_UNIT_UNKNOWN);
	assert_int_equal(sp_kpi_share_unit(0, 10, 10, 0), SP_UNIT_UNKNOWN);
}

static void fibre_needs_evidence(void **state)
{
	(void)state;
	assert_int_equal(sp_kpi_fibre(&(struct sp_kpi_lines){2, 1, 1}), SP_UNIT_YES);
	assert_int_equal(sp_kpi_fibre(&(struct sp_kpi_lines){2, 0, 2}), SP_UNIT_NO);
	assert_int_equal(sp_kpi_fibre(&(struct sp_kpi_lines){2, 0, 1}), SP_UNIT_UNKNOWN);
	assert_int_equal(sp_kpi_fibre(&(struct sp_kpi_lines){0}), SP_UNIT_UNKNOWN);
}

static void speed_of_large_schools(void **state)
{
	(void)state;
	struct sp_kpi_speed_rules rules = {20000, 0, 400, 20};
	assert_int_equal(sp_kpi_high_speed(19, 90000000, 100, &rules), SP_UNIT_UNKNOWN);
	assert_int_equal(sp_kpi_high_speed(20, 20000000, 2000, &rules), SP_UNIT_YES);
	assert_int_equal(sp_kpi_high_speed(20, 19999999, 100, &rules), SP_UNIT_NO);
	assert_int_equal(sp_kpi_high_speed(0, 0, 100, &(struct sp_kpi_speed_rules){0}), SP_UNIT_UNKNOWN);
	rules.kbps_per_pupil = 50;
	assert_int_equal(sp_kpi_high_speed(20, 20000000, 400, &rules), SP_UNIT_YES);
	assert_int_equal(sp_kpi_high_speed(20, 25049999, 501, &rules), SP_UNIT_NO);
	assert_int_equal(sp_kpi_high_speed(20, 25050000, 501, &rules), SP_UNIT_YES);
	assert_int_equal(sp_kpi_high_speed(20, 20000000, SP_KPI_UNKNOWN, &rules), SP_UNIT_YES);
}

static void whose_fault_it_was(void **state)
{
	(void)state;
	const struct sp_kpi_uptime time = {1000, 700, 100, 50, 100};
	struct sp_kpi_value all = sp_kpi_availability(&time, false),
			    provider = sp_kpi_availability(&time, true);
	assert_int_equal(all.num, 800);
	assert_int_equal(all.den, 950);
	assert_int_equal(provider.den, 850);
	assert_int_equal(provider.covered, 850);
	assert_int_equal(all.total, 1000);
	assert_int_equal(sp_kpi_available(&all, 84 * PERCENT, 95 * PERCENT), SP_UNIT_YES);
	assert_int_equal(sp_kpi_available(&all, 85 * PERCENT, 95 * PERCENT), SP_UNIT_NO);
	assert_int_equal(sp_kpi_available(&all, 84 * PERCENT, 96 * PERCENT), SP_UNIT_UNKNOWN);
	const struct sp_kpi_uptime nothing = {0};
	all = sp_kpi_availability(&nothing, false);
	assert_int_equal(sp_kpi_available(&all, 0, 0), SP_UNIT_UNKNOWN);
}

static void a_line_is_ready_when_all_is_good(void **state)
{
	(void)state;
	const struct sp_kpi_ready_rules rules = {10000, 2000, 10000, 150000, 990000, 900000};
	struct sp_kpi_ready line = {10000000, 2000000, 10000, 150000, 990000, 900000};
	assert_int_equal(sp_kpi_online_ready(&line, &rules), SP_UNIT_YES);
	line.coverage--;
	assert_int_equal(sp_kpi_online_ready(&line, &rules), SP_UNIT_UNKNOWN);
	line.coverage++;
	line.loaded_us = SP_KPI_UNKNOWN;
	assert_int_equal(sp_kpi_online_ready(&line, &rules), SP_UNIT_UNKNOWN);
	line.up_bps = 1999999; // one that is bad decides
	assert_int_equal(sp_kpi_online_ready(&line, &rules), SP_UNIT_NO);
	line = (struct sp_kpi_ready){-1, -1, -1, -1, -1, -1};
	assert_int_equal(sp_kpi_online_ready(&line, &rules), SP_UNIT_UNKNOWN);
	line.loss = 10001;
	assert_int_equal(sp_kpi_online_ready(&line, &rules), SP_UNIT_NO);
}

static void contracts_by_qcvn_34(void **state)
{
	(void)state;
	assert_int_equal(sp_kpi_kept(1000, INT64_C(80000000) * 1000, 100000, 1000, 800000), SP_UNIT_YES);
	assert_int_equal(sp_kpi_kept(1000, INT64_C(80000000) * 1000 - 1, 100000, 1000, 800000), SP_UNIT_NO);
	assert_int_equal(sp_kpi_kept(999, INT64_C(90000000) * 999, 100000, 1000, 800000), SP_UNIT_UNKNOWN);
	assert_int_equal(sp_kpi_kept(1000, INT64_C(90000000) * 1000, 0, 1000, 800000), SP_UNIT_UNKNOWN);
	assert_int_equal(sp_kpi_kept(0, 0, 100000, 0, 800000), SP_UNIT_UNKNOWN);
	// A country's year of gigabit tests.
	assert_int_equal(sp_kpi_kept(75000000, INT64_C(75000000) * 1000000000, 1000000, 1000, SP_KPI_ONE),
			 SP_UNIT_YES);
}

static void registers_of_equipment(void **state)
{
	(void)state;
	struct sp_kpi_value value = sp_kpi_assets(4, 5);
	assert_int_equal(value.num, 4);
	assert_int_equal(value.den, 5);
	assert_int_equal(value.covered, 1);
	value = sp_kpi_assets(7, 5);
	assert_int_equal(value.num, 5);
	value = sp_kpi_assets(7, 0);
	assert_int_equal(value.den, 0);
	assert_int_equal(value.covered, 0);
	assert_int_equal(value.total, 1);
	value = sp_kpi_classroom(0, 0, 45);
	assert_int_equal(sp_kpi_judge_value(&value, 0, 900000), SP_KPI_NOT_RATED);
}

static void an_index_needs_all_of_its_parts(void **state)
{
	(void)state;
	assert_int_equal(sp_kpi_index((const int64_t[]){SP_KPI_ONE, 0, 500000}, 3), 500000);
	assert_int_equal(sp_kpi_index((const int64_t[]){SP_KPI_ONE, SP_KPI_ONE, 0}, 3), 666667);
	assert_int_equal(sp_kpi_index((const int64_t[]){SP_KPI_ONE, SP_KPI_UNKNOWN}, 2), SP_KPI_UNKNOWN);
	assert_int_equal(sp_kpi_index(NULL, 0), SP_KPI_UNKNOWN);
}

static void the_table_is_whole(void **state)
{
	(void)state;
	for (int i = 0; i < SP_KPIS; i++) {
		const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)i);
		assert_int_equal(sp_kpi_find(kpi->name), i);
		assert_true(strlen(kpi->title[0]) > 5 && strlen(kpi->title[1]) > 5 &&
			    strlen(kpi->numerator) > 5 && strlen(kpi->denominator) > 5 &&
			    strlen(kpi->not_rated) > 5 && strlen(kpi->basis) > 3);
	}
	assert_int_equal(sp_kpi_find("fibre"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_are_judged_at_the_edges),
	    cmocka_unit_test(thirds_and_tenths_do_not_round_away),
	    cmocka_unit_test(values_need_coverage),
	    cmocka_unit_test(a_quotient_is_rounded_once),
	    cmocka_unit_test(claims_have_their_own_words),
	    cmocka_unit_test(a_share_of_days),
	    cmocka_unit_test(fibre_needs_evidence),
	    cmocka_unit_test(speed_of_large_schools),
	    cmocka_unit_test(whose_fault_it_was),
	    cmocka_unit_test(a_line_is_ready_when_all_is_good),
	    cmocka_unit_test(contracts_by_qcvn_34),
	    cmocka_unit_test(registers_of_equipment),
	    cmocka_unit_test(an_index_needs_all_of_its_parts),
	    cmocka_unit_test(the_table_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
