// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs of a small register whose every number is known: who counts, on which date, and what is not known.
#include "tests/unit/hub/hub_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/kpi/ask.h"
#include "tools/hub/kpi/evaluate.h"
#include "tools/hub/time/local_time.h"

static struct hub hub;
static struct sp_kpi_data *data;
static struct sp_plan_thresholds rules;

/// 2026-11-02 and 2026-11-03, Monday and Tuesday.
#define MON INT64_C(20759)

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	hub.now_ms = sp_local_day_ms(MON - 30);
	register_csv(&hub,
		     "school,school_name,site,line,area,device,shard,provider,contract,down_mbps,up_mbps,"
		     "zone,timetable\n"
		     "A,A,chinh,main,Lào Cai/Sa Pa,board-1,north,VNPT,F100,100,50,near,mon-fri 07:00-11:00\n"
		     "B,B,chinh,main,Lào Cai/Sa Pa,board-2,north,VNPT,F100,100,50,far,mon-fri 07:00-11:00\n"
		     "C,C,chinh,main,Lai Châu,,,Viettel,F50,50,25,far,mon-fri 07:00-11:00\n");
	execute(
	    &hub,
	    "UPDATE line_state SET medium = 'fibre', medium_evidence = 'contract' WHERE school = 'A';"
	    "UPDATE line_state SET medium = 'mobile' WHERE school = 'B';"
	    // A: two good days. B: the first one only, half of it offline by its own fault.
	    "INSERT INTO site_day VALUES('A', 20759, 'chinh', 'lesson', 100, 90, 10, 0, 0, 0, 0),"
	    " ('A', 20760, 'chinh', 'lesson', 100, 80, 0, 20, 0, 0, 0), ('A', 20759, 'chinh', 'clock', 240, "
	    "200, 0, 0,"
	    " 0, 40, 0), ('A', 20760, 'chinh', 'clock', 240, 240, 0, 0, 0, 0, 0), ('B', 20759, 'chinh', "
	    "'lesson', 100,"
	    " 50, 0, 0, 50, 0, 0), ('B', 20759, 'chinh', 'clock', 240, 100, 0, 0, 50, 90, 0), ('B', 20760, "
	    "'chinh',"
	    " 'lesson', 100, 50, 0, 0, 50, 0, 0), ('B', 20760, 'chinh', 'clock', 240, 240, 0, 0, 0, 0, 0);"
	    "INSERT INTO line_day VALUES('A', 20759, 'chinh', 'main', 'clock', 240, 200, 0, 0, 0, 40, 0);"
	    "INSERT INTO board_day VALUES('A', 20759, 'chinh', 'board-1', 1, 10, 9, 100, 0, 1, 5, 100, 100, "
	    "50, 0, 1, 4, 4,"
	    " 5), ('A', 20760, 'chinh', 'board-1', 1, 10, 10, 99, 1, 6, 9, 100, 98, 50, 1, 1, 5, 5, 5), "
	    "('B', 20759,"
	    " 'chinh', 'board-2', 1, 4, 1, 50, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 5), ('B', 20760, 'chinh', "
	    "'board-2', 1, 0, 0,"
	    " 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 5);"
	    "INSERT INTO speed_day VALUES('A', 20759, 'chinh', 'main', 'VNPT', 'F100', 100000, 50000, 3, "
	    "60000000, 1,"
	    " 50000000, '10000000 20000000 30000000', '50000000', '90000'), ('A', 20760, 'chinh', 'main', "
	    "'VNPT', 'F100',"
	    " 100000, 50000, 1, 20000000, 0, 0, '20000000', '', '');"
	    "INSERT INTO declared(school, category, from_day, to_day, count) VALUES('A', 'pc', 0, 99999, 4), "
	    "('A',"
	    " 'tv', 0, 99999, 1);"
	    "INSERT INTO asset(school, asset, from_day, to_day, category, model, serial, room, complete) "
	    "VALUES('A', '1', 0,"
	    " 99999, 'tv', '', '', '', 1), ('A', '2', 0, 99999, 'tv', '', '', '', 1), ('A', '3', 0, 99999, "
	    "'pc', '', '', '',"
	    " 1), ('A', '4', 0, 99999, 'pc', '', '', '', 0)");
	rules = sp_plan_defaults();
	rules.speed.min_samples = 4;
	rules.contract_samples = 4;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_kpi_data_free(data);
	data = NULL;
	hub_close(&hub);
	return 0;
}

static void read_kpis(const char *area, int64_t as_of_ms)
{
	const struct sp_kpi_ask ask = {MON, MON + 2, as_of_ms, area, NULL, NULL};
	sp_kpi_data_free(data);
	assert_int_equal(sp_store_read_begin(hub.store, sp_local_day_ms(MON + 5)), 0);
	int result = sp_store_kpi(hub.store, &ask, &data);
	if (result < 0)
		fail_msg("%d: %s", result, sp_store_error(hub.store));
	sp_store_read_end(hub.store);
}

static void counts(enum sp_kpi_id id, const char *zone, int64_t yes, int64_t no, int64_t unknown)
{
	const struct sp_kpi_figure figure = sp_kpi_figure(id, &rules, data, zone, NULL);
	if (figure.counts.yes != yes || figure.counts.no != no || figure.counts.unknown != unknown)
		fail_msg("%s: %d %d %d", sp_kpi(id)->name, (int)figure.counts.yes, (int)figure.counts.no,
			 (int)figure.counts.unknown);
}

static void value(enum sp_kpi_id id, int64_t num, int64_t den, int64_t covered, int64_t total)
{
	const struct sp_kpi_value v = sp_kpi_figure(id, &rules, data, NULL, NULL).value;
	if (v.num != num || v.den != den || v.covered != covered || v.total != total)
		fail_msg("%s: %d/%d of %d/%d", sp_kpi(id)->name, (int)v.num, (int)v.den, (int)v.covered,
			 (int)v.total);
}

static void every_kpi_of_three_schools(void **state)
{
	(void)state;
	read_kpis(NULL, sp_local_day_ms(MON + 2) - 1);
	counts(SP_KPI_FIBRE_SCHOOLS, NULL, 1, 1, 1);
	counts(SP_KPI_HIGH_SPEED_SITES, NULL, 1, 0, 2);
	counts(SP_KPI_DATA_CONNECTED, NULL, 1, 1, 1);
	counts(SP_KPI_DATA_CONNECTED, "far", 0, 1, 1);
	counts(SP_KPI_PLATFORM_REACHABLE, NULL, 1, 0, 2);
	counts(SP_KPI_ATTENDANCE_AUTOMATION, NULL, 1, 0, 2);
	counts(SP_KPI_ONLINE_READY, NULL, 0, 2,
	       1); // A: four fifths of a percent of loss, but 90 % online; B: half of the time
	counts(SP_KPI_CONTRACT_KEPT, NULL, 0, 1, 1);
	value(SP_KPI_DATA_COMPLETENESS, 249, 250, 2, 3);
	value(SP_KPI_DATA_TIMELINESS, 20, 24, 2, 3);
	value(SP_KPI_ASSETS_RECORDED, 2, 5, 1, 3);
	value(SP_KPI_AVAILABILITY_LESSON, 280, 400, 2, 3);
	value(SP_KPI_AVAILABILITY_CLOCK, 440, 440, 1, 3); // B was watched for 390 of 480
	value(SP_KPI_SMART_CLASSROOM, 0, 0, 0, 3);
	assert_int_equal(data->newest_ms, 9);
}

static void an_area_and_a_date(void **state)
{
	(void)state;
	struct sp_kpi_ask ask = {MON, MON + 2, sp_local_day_ms(MON + 2) - 1, "nowhere", NULL, NULL};
	assert_int_equal(sp_store_read_begin(hub.store, sp_local_day_ms(MON + 5)), 0);
	assert_int_equal(sp_store_kpi(hub.store, &ask, &data), -ENOENT);
	sp_store_read_end(hub.store);
	execute(&hub, "UPDATE area SET code = 'sapa' WHERE path = 'Lào Cai/Sa Pa'");
	read_kpis("sapa", sp_local_day_ms(MON + 2) - 1);
	assert_int_equal(data->school_count, 2);
	counts(SP_KPI_FIBRE_SCHOOLS, NULL, 1, 1, 0);
	counts(SP_KPI_HIGH_SPEED_SITES, NULL, 1, 0, 1);
	// B lies between A and C, and is another area's.
	execute(&hub,
		"UPDATE area SET code = '12' WHERE path = 'Lai Châu';"
		"UPDATE school_area SET area = (SELECT id FROM area WHERE code = '12') WHERE school = 'A'");
	read_kpis("12", sp_local_day_ms(MON + 2) - 1);
	assert_int_equal(data->school_count, 2);
	counts(SP_KPI_FIBRE_SCHOOLS, NULL, 1, 0, 1);
	value(SP_KPI_AVAILABILITY_LESSON, 180, 200, 1, 2);
	// Before the day on which C came, there were two schools; each is asked about its own time's line.
	execute(&hub, "UPDATE school_state SET from_ms = 1000 WHERE school = 'C'");
	read_kpis(NULL, 500);
	assert_int_equal(data->school_count, 2);
}

static void likely(const char *word, const char *expected)
{
	struct sp_kpi_area like;
	assert_int_equal(sp_store_read_begin(hub.store, sp_local_day_ms(MON + 5)), 0);
	int result = sp_store_kpi_area_like(hub.store, word, &like);
	sp_store_read_end(hub.store);
	assert_int_equal(result, expected != NULL);
	if (expected)
		assert_string_equal(like.path, expected);
}

static void an_area_may_be_meant(void **state)
{
	(void)state;
	execute(&hub, "UPDATE area SET code = 'district-7' WHERE path = 'Lào Cai/Sa Pa'");
	likely("lao cai", "Lào Cai");
	likely("LAI CHÂU", "Lai Châu");
	likely("district_8", "Lào Cai/Sa Pa");
	likely("Cà Mau", NULL);
	likely("", NULL);
}

static void days_without_a_board_count_as_not_measured(void **state)
{
	(void)state;
	execute(&hub, "DELETE FROM site_day WHERE school = 'B' AND day = 20760; DELETE FROM board_day WHERE "
		      "school = 'B' AND day ="
		      " 20760");
	read_kpis(NULL, sp_local_day_ms(MON + 2) - 1);
	counts(SP_KPI_DATA_CONNECTED, NULL, 1, 0, 2);
	value(SP_KPI_AVAILABILITY_LESSON, 180, 200, 1, 3);
}

static void periods_by_words(void **state)
{
	(void)state;
	struct sp_kpi_ask ask;
	char why[SP_KPI_WHY];
	const int64_t now_ms = sp_local_day_ms(MON) + HOUR_MS;
	assert_int_equal(sp_kpi_ask_parse(&ask, NULL, NULL, NULL, now_ms, why), 0);
	assert_int_equal(ask.to_day, MON);
	assert_int_equal(ask.from_day, MON - 30);
	assert_int_equal(ask.as_of_ms, sp_local_day_ms(MON) - 1);
	assert_int_equal(sp_kpi_ask_parse(&ask, NULL, NULL, "2025-11-02", now_ms, why), 0);
	assert_int_equal(ask.to_day, MON - 365 + 1);
	assert_int_equal(ask.as_of_ms, sp_local_day_ms(MON - 364) - 1);
	assert_int_equal(sp_kpi_ask_parse(&ask, "2026-11-01", "2026-12-01", NULL, now_ms, why), 0);
	assert_int_equal(ask.as_of_ms, now_ms); // no register is of the future
	assert_int_equal(sp_kpi_ask_month(&ask, "2025-12", NULL, now_ms, why), 0);
	assert_int_equal(sp_local_day_ms(ask.to_day), ask.as_of_ms + 1);
	assert_int_equal(ask.to_day - ask.from_day, 31);
	assert_int_equal(ask.to_day, 20454); // 2026-01-01
	assert_int_equal(sp_kpi_ask_month(&ask, "2025-13", NULL, now_ms, why), -EINVAL);
	assert_int_equal(sp_kpi_ask_month(&ask, "2025-1", NULL, now_ms, why), -EINVAL);
	assert_int_equal(sp_kpi_ask_month(&ask, "25-1-01", NULL, now_ms, why), -EINVAL);
	assert_int_equal(sp_kpi_ask_parse(&ask, "2026-11-02", "2026-11-02", NULL, now_ms, why), -EINVAL);
	assert_int_equal(sp_kpi_ask_parse(&ask, "2024-01-01", "2026-11-02", NULL, now_ms, why), -EINVAL);
	assert_int_equal(sp_kpi_ask_parse(&ask, "soon", NULL, NULL, now_ms, why), -EINVAL);
}

static void zones_decide_with_the_whole(void **state)
{
	(void)state;
	static const char text[] =
	    "[plan]\nid = p\ntitle = A\ntitle_vi = Ă\nissuer = B\nissuer_vi = Bờ\nsource = S\n"
	    "[thresholds]\ncoverage_percent = 50\n"
	    "[promise \"a\"]\nkind = target\nkpi = data_timeliness_ratio\ntarget_percent = 80\n"
	    "zone_targets = far 30\ntext = a\ntext_vi = á\n"
	    "[promise \"b\"]\nkind = claim\nkpi = data_connected_ratio\ntarget_percent = 30\nzone_targets ="
	    " far 60\ntext = b\ntext_vi = b\n";
	struct sp_config_errors errors = {0};
	struct sp_plan plan;
	assert_int_equal(sp_plan_parse(&plan, "p", text, strlen(text), &errors), 0);
	read_kpis(NULL, sp_local_day_ms(MON + 2) - 1);
	struct sp_plan_result *result = sp_plan_evaluate(&plan, data);
	assert_int_equal(result->promises[0].all.verdict, SP_KPI_MET); // 20 of 24
	assert_int_equal(result->promises[0].zone_count, 2);
	assert_string_equal(result->promises[0].zones[0].zone, "far");
	assert_int_equal(result->promises[0].zones[0].figure.verdict,
			 SP_KPI_NOT_MET); // 1 of 4, of half of the schools
	assert_int_equal(result->promises[0].verdict, SP_KPI_NOT_MET);
	assert_int_equal(result->promises[1].all.verdict, SP_KPI_MET);
	assert_int_equal(result->promises[1].zones[0].figure.verdict,
			 SP_KPI_NOT_MET); // 0 yes, 1 unknown of 2
	assert_int_equal(result->promises[1].verdict, SP_KPI_NOT_MET);
	sp_plan_result_free(result);
	sp_plan_free(&plan);
}

static void the_readme_says_what_the_table_says(void **state)
{
	(void)state;
	static char text[64 * 1024];
	FILE *file = fopen(README, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (int i = 0; i < SP_KPIS; i++) {
		const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)i);
		const char *row = strstr(text, kpi->numerator);
		if (!row || !strstr(text, kpi->name) || !strstr(row, kpi->denominator) ||
		    !strstr(row, kpi->not_rated) || !strstr(row, kpi->basis))
			fail_msg("README.md does not say what %s means", kpi->name);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(every_kpi_of_three_schools),
	    TEST(an_area_and_a_date),
	    TEST(an_area_may_be_meant),
	    TEST(days_without_a_board_count_as_not_measured),
	    TEST(zones_decide_with_the_whole),
	    cmocka_unit_test(periods_by_words),
	    cmocka_unit_test(the_readme_says_what_the_table_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
