// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How long the KPIs of a month take: of one province and of the country. The days of sites are generated
// rows, written as the store's own tables have them; what is timed is the store's reading and the evaluation,
// beside a plain scan of the same rows, which is the least that any answer could take.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schoolpulse/clock.h"
#include "tools/hub/db/db.h"
#include "tools/hub/kpi/evaluate.h"
#include "tools/hub/store/store_kpi.h"
#include "tools/hub/time/local_time.h"

enum { DAYS = 30, PROVINCE = 600, TESTS = 5 };
#define FIRST_DAY 20728 ///< 2026-10-02

static struct sp_db *db;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s (%s)\n", what, strerror(-result), db ? sp_db_error(db) : "");
	exit(1);
}

static double now(void)
{
	return (double)sp_clock_mono_us() / 1e6;
}

// ---- rows --------------------------------------------------------------------------------------------

static struct sp_bulk *open_bulk(const char *table, const char *columns)
{
	struct sp_bulk *bulk = NULL;
	check(sp_bulk_open(db, table, columns, &bulk), table);
	return bulk;
}

#define ADD(bulk, ...)                                                                           \
	check(sp_bulk_add((bulk), (const struct sp_arg[]){__VA_ARGS__},                          \
			  sizeof((const struct sp_arg[]){__VA_ARGS__}) / sizeof(struct sp_arg)), \
	      "a row")

static void done(struct sp_bulk *bulk)
{
	check(sp_bulk_flush(bulk), "rows");
	sp_bulk_close(bulk);
}

static void code_of(char out[16], int school)
{
	snprintf(out, 16, "%07d", school);
}

static void make_register(int schools)
{
	struct sp_bulk *school = open_bulk("school", "code");
	struct sp_bulk *state = open_bulk("school_state", "school, from_ms, to_ms, name, kind, zone, pupils");
	struct sp_bulk *site =
	    open_bulk("site_state", "school, site, from_ms, to_ms, name, main, zone, timetable");
	struct sp_bulk *line =
	    open_bulk("line_state", "school, site, line, from_ms, to_ms, provider, plan, contract_no,"
				    " medium, medium_evidence, down_mbps, up_mbps");
	struct sp_bulk *area = open_bulk("school_area", "school, tree, from_ms, to_ms, area");
	for (int i = 0; i < schools; i++) {
		static const char *const providers[] = {"VNPT", "Viettel", "FPT"}, *const zones[] = {
										       "favourable",
										       "difficult"};
		char code[16];
		code_of(code, i);
		ADD(school, T(code));
		ADD(state, T(code), I(0), I(INT64_MAX), T(code), T("primary"), T(zones[i % 2]),
		    I(300 + i % 700));
		ADD(site, T(code), T("chinh"), I(0), I(INT64_MAX), T(""), I(1), T(""),
		    T("mon-fri 07:00-11:00, 13:00-17:00"));
		ADD(line, T(code), T("chinh"), T("main"), I(0), I(INT64_MAX), T(providers[i % 3]),
		    T("Fiber100"), T(""), T("fibre"), T("contract"), R(100), R(100));
		ADD(area, T(code), T("2025"), I(0), I(INT64_MAX), I(i < PROVINCE ? 1 : 2));
	}
	done(school);
	done(state);
	done(site);
	done(line);
	done(area);
	check(
	    sp_sql_script(
		db,
		"INSERT INTO area(id, tree, code, name, kind, path) VALUES(1, '2025', 'one', 'One', "
		"'province',"
		" 'One'), (2, '2025', 'rest', 'The rest', 'province', 'The rest');"
		"INSERT INTO area_path(area, ancestor, from_ms, to_ms) VALUES(1, 1, 0, 9223372036854775807),"
		" (2, 2, 0, 9223372036854775807)"),
	    "areas");
}

static void make_day(struct sp_bulk *sites, struct sp_bulk *lines, const char *code, int64_t day, bool lesson,
		     int64_t down)
{
	const int64_t hour = 3600000, whole = lesson ? 8 * hour : 24 * hour;
	const char *kind = lesson ? "lesson" : "clock";
	ADD(sites, T(code), I(day), T("chinh"), T(kind), I(whole), I(whole - 3 * down), I(down), I(down),
	    I(0), I(down), I(0));
	ADD(lines, T(code), I(day), T("chinh"), T("main"), T(kind), I(whole), I(whole - 3 * down), I(down),
	    I(down), I(0), I(down), I(0));
}

#define TIMES " scheduled_ms, up_ms, degraded_ms, down_provider_ms, down_other_ms, unknown_ms, excluded_ms"

static void make_days(int schools)
{
	struct sp_bulk *sites = open_bulk("site_day", "school, day, site, kind," TIMES);
	struct sp_bulk *lines = open_bulk("line_day", "school, day, site, line, kind," TIMES);
	struct sp_bulk *boards = open_bulk(
	    "board_day", "school, day, site, device, school_day, facts, timely, committed, missing, "
			 "first_ms, last_ms, checks,"
			 " answered, probes, lost, kiosks, kiosk_up_ms, kiosk_possible_ms, lesson_ms");
	struct sp_bulk *speed = open_bulk(
	    "speed_day",
	    "school, day, site, line, provider, plan, bought_down_kbps, bought_up_kbps, down_count, down_bps,"
	    " up_count, up_bps, down_samples, up_samples, loaded_samples");
	static const char *const providers[] = {"VNPT", "Viettel", "FPT"};
	for (int64_t day = FIRST_DAY; day < FIRST_DAY + DAYS; day++) {
		bool school_day = (day + 3) % 7 < 5;
		int64_t at = sp_local_day_ms(day);
		for (int i = 0; i < schools; i++) {
			int64_t down = (i * 7919 + day * 104729) % 600000;
			char code[16], samples[64];
			code_of(code, i);
			make_day(sites, lines, code, day, false, down);
			if (school_day)
				make_day(sites, lines, code, day, true, down / 4);
			ADD(boards, T(code), I(day), T("chinh"), T(code), I(school_day), I(30), I(29),
			    I(15000), I(i % 50 == 0), I(at), I(at + 80000000), I(960), I(955), I(14400),
			    I(20), I(1), I(27000000), I(28000000), I(28800000));
			snprintf(samples, sizeof(samples), "%d %d %d %d %d", 90000000 + i, 91000000, 89000000,
				 88000000 - i, 92000000);
			ADD(speed, T(code), I(day), T("chinh"), T("main"), T(providers[i % 3]), T("Fiber100"),
			    I(100000), I(100000), I(TESTS), I(TESTS * INT64_C(90000000)), I(TESTS),
			    I(TESTS * INT64_C(90000000)), T(samples), T(samples),
			    T("80000 81000 82000 83000 84000"));
		}
	}
	done(sites);
	done(lines);
	done(boards);
	done(speed);
}

static void fill(const char *where, int schools)
{
	struct sp_store *store;
	char why[256];
	check(sp_store_open(&store, where, SP_STORE_WRITE, why), why);
	sp_store_close(store);
	check(sp_db_open(&db, where, SP_DB_WRITE, why), why);
	check(sp_db_begin(db), "begin");
	make_register(schools);
	make_days(schools);
	check(sp_db_commit(db), "commit");
	if (sp_db_kind(db) == SP_DB_POSTGRES)
		check(sp_sql_script(db, "ANALYZE"), "ANALYZE");
	sp_db_close(db);
	db = NULL;
}

// ---- times -------------------------------------------------------------------------------------------

static void plain_scan(const char *where)
{
	static const char *const tables[] = {"site_day", "line_day", "board_day", "speed_day"};
	char why[256];
	int64_t rows = 0, some = 0;
	check(sp_db_open(&db, where, SP_DB_READ, why), why);
	double began = now();
	check(SQL_GET(db, &some, "SELECT CAST(sum(up_ms + length(school)) AS BIGINT) FROM site_day"), "scan");
	check(SQL_GET(db, &some, "SELECT CAST(sum(up_ms + length(school)) AS BIGINT) FROM line_day"), "scan");
	check(SQL_GET(db, &some, "SELECT CAST(sum(committed + length(school)) AS BIGINT) FROM board_day"),
	      "scan");
	check(
	    SQL_GET(db, &some, "SELECT CAST(sum(down_bps + length(down_samples)) AS BIGINT) FROM speed_day"),
	    "scan");
	double took = now() - began;
	check(
	    SQL_GET(
		db, &rows,
		"SELECT (SELECT count(*) FROM site_day) + (SELECT count(*) FROM line_day) + (SELECT count(*)"
		" FROM board_day) + (SELECT count(*) FROM speed_day)"),
	    "count");
	printf("plain scan of %" PRId64 " rows of %zu tables: %.2f s\n", rows, SP_COUNT(tables), took);
	sp_db_close(db);
	db = NULL;
}

static void measure(const char *where, const char *plan_file, const char *area)
{
	struct sp_store *store;
	struct sp_kpi_data *data;
	struct sp_plan plan;
	struct sp_config_errors errors = {0};
	char why[256];
	const struct sp_kpi_ask ask = {
	    FIRST_DAY, FIRST_DAY + DAYS, sp_local_day_ms(FIRST_DAY + DAYS) - 1, area, NULL, NULL};
	check(sp_plan_read(&plan, plan_file, NULL, &errors), plan_file);
	check(sp_store_open(&store, where, SP_STORE_READ, why), why);
	double began = now();
	const clock_t cpu = clock();
	check(sp_store_read_begin(store, sp_local_day_ms(FIRST_DAY + DAYS + 2)), "read");
	int result = sp_store_kpi(store, &ask, &data);
	if (result < 0)
		fprintf(stderr, "%s\n", sp_store_error(store));
	check(result, "kpi");
	double read = now() - began;
	struct sp_plan_result *judged = sp_plan_evaluate(&plan, data);
	double took = now() - began;
	printf("KPIs of %s, %zu schools, %d days, %zu promises: %.2f s (read %.2f s, evaluated %.2f s; %.2f "
	       "s of our own "
	       "CPU)\n",
	       area ? "a province-month" : "the country", data->school_count, DAYS, judged->count, took, read,
	       took - read, (double)(clock() - cpu) / CLOCKS_PER_SEC);
	sp_plan_result_free(judged);
	sp_kpi_data_free(data);
	sp_store_read_end(store);
	sp_store_close(store);
	sp_plan_free(&plan);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: %s DATABASE PLAN-FILE SCHOOLS (0: of a database filled before)\n",
			argv[0]);
		return 2;
	}
	double began = now();
	if (atoi(argv[3]) > 0) {
		fill(argv[1], atoi(argv[3]));
		printf("generated rows written in %.1f s\n", now() - began);
	}
	measure(argv[1], argv[2], "one");
	measure(argv[1], argv[2], NULL);
	plain_scan(argv[1]);
	return 0;
}
