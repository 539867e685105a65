// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The register's history: boards move, zones change, communes are joined, and every day reads as it was.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/register/calendar.h"
#include "tools/hub/time/local_time.h"

static struct hub hub;
/// 2026-11-10 at UTC+7, eleven days before NOW_MS.
#define TENTH_MS INT64_C(1794243600000)

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

#define AREAS                                                                                           \
	"tree,area,parent,area_name,area_kind\n2025,01,,Lào Cai,province\n2025,a,01,Sa Pa,commune\n"   \
	"2025,b,01,Tả Van,commune\nold,10,,Lào Cai,province\nold,d,10,Sa Pa,district\nold,x,d,Tả " \
	"Phìn,commune\n"
#define SCHOOLS                                                                                              \
	"school,school_name,school_kind,zone,pupils,area:2025,area:old\n1,A,primary,thuận lợi,300,a,x\n" \
	"2,B,preschool,khó khăn,,b,x\n"
#define SITES                                                                               \
	"school,site,site_name,main,timetable\n1,chinh,Điểm chính,1,t2-t6 7h00-11h00\n" \
	"2,chinh,Điểm chính,1,\n"
#define LINES                                                                                   \
	"school,site,line,provider,plan,contract_no,medium,medium_evidence,down_mbps,up_mbps\n" \
	"1,chinh,main,Nhà mạng A,Gói 100,HD-1,fibre,contract,100,50\n2,chinh,main,Nhà mạng B,,,,,,\n"
#define BOARDS "device,shard,school,site,line\nboard-1,north,1,chinh,main\n"

static struct sp_register_result done;
static char errors[2048];

/// Several files of one import; NULL ends them.
static int import(int64_t from_ms, unsigned flags, const char *const *files)
{
	struct sp_register_set *set = sp_alloc(sizeof(*set));
	struct sp_register_options options = {.dry = flags & 1, .partial = flags & 2, .from_ms = from_ms};
	int result = 0;
	for (; *files; files++)
		result = sp_register_add(set, "r.csv", -1, *files, strlen(*files)) < 0 ? -EINVAL : result;
	if (result == 0)
		result = sp_store_register(hub.store, set, &options, hub.now_ms, &done);
	errors[0] = '\0';
	for (unsigned i = 0; i < set->file_count; i++) {
		for (size_t k = 0; k < set->files[i].errors.count; k++)
			snprintf(errors + strlen(errors), sizeof(errors) - strlen(errors), "%s\n",
				 set->files[i].errors.lines[k]);
	}
	sp_register_set_free(set);
	free(set);
	return result;
}
#define IMPORT(from_ms, ...) assert_int_equal(import(from_ms, 0, (const char *const[]){__VA_ARGS__, NULL}), 0)
#define REFUSED(expected, ...)                                                                      \
	do {                                                                                        \
		assert_int_equal(import(-1, 0, (const char *const[]){__VA_ARGS__, NULL}), -EINVAL); \
		assert_string_equal(errors, expected);                                              \
	} while (0)

static void counted(enum sp_relation_id id, int added, int changed, int ended, int unchanged)
{
	assert_int_equal(done.counts[id].added, added);
	assert_int_equal(done.counts[id].changed, changed);
	assert_int_equal(done.counts[id].ended, ended);
	assert_int_equal(done.counts[id].unchanged, unchanged);
}

static int64_t below(const char *tree, const char *area, int64_t t_ms)
{
	return number(
	    &hub,
	    "SELECT count(DISTINCT s.school) FROM area a JOIN area_path p ON p.ancestor = a.id AND"
	    " p.from_ms <= %" PRId64 " AND p.to_ms > %" PRId64 " JOIN school_area s ON s.area = p.area AND"
	    " s.from_ms <= %" PRId64 " AND s.to_ms > %" PRId64 " WHERE a.tree = '%s' AND a.code = '%s'",
	    t_ms, t_ms, t_ms, t_ms, tree, area);
}

static int64_t school_of(const char *device, int64_t t_ms)
{
	return number(
	    &hub,
	    "SELECT CAST(school AS BIGINT) FROM placement WHERE device = '%s' AND from_ms <= %" PRId64
	    " AND to_ms > %" PRId64,
	    device, t_ms, t_ms);
}

static void all_kinds_together(void **state)
{
	(void)state;
	assert_int_equal(import(-1, 1, (const char *const[]){AREAS, SCHOOLS, SITES, LINES, BOARDS, NULL}), 0);
	counted(SP_REL_SCHOOL, 2, 0, 0, 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM school_state"), 0); // a dry run
	IMPORT(-1, LINES, BOARDS, SITES, SCHOOLS, AREAS);
	counted(SP_REL_AREA, 6, 0, 0, 0);
	counted(SP_REL_SCHOOL_AREA, 4, 0, 0, 0);
	assert_int_equal(number(&hub,
				"SELECT count(*) FROM register WHERE area = 'Lào Cai/Sa Pa' AND device ="
				" 'board-1' AND zone = 'thuận lợi' AND contract = 'Gói 100'"),
			 1);
	assert_int_equal(below("2025", "01", hub.now_ms), 2);
	assert_int_equal(below("2025", "a", hub.now_ms), 1);
	assert_int_equal(below("old", "d", 1000), 2); // what is said first holds for all time before
	int64_t rev = number(&hub, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'register_rev'");
	hub.now_ms += HOUR_MS;
	IMPORT(-1, AREAS, SCHOOLS, SITES, LINES, BOARDS);
	counted(SP_REL_LINE, 0, 0, 0, 2);
	counted(SP_REL_AREA, 0, 0, 0, 6);
	assert_int_equal(number(&hub, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'register_rev'"),
			 rev);
}

static void a_board_moves_and_last_month_stays(void **state)
{
	(void)state;
	IMPORT(-1, AREAS, SCHOOLS, SITES, LINES, BOARDS);
	hub.now_ms += HOUR_MS;
	IMPORT(TENTH_MS, "device,shard,school,site,line\nboard-1,north,2,chinh,main\n");
	counted(SP_REL_BOARD, 0, 1, 0, 0);
	assert_int_equal(school_of("board-1", TENTH_MS - 1), 1);
	assert_int_equal(school_of("board-1", TENTH_MS), 2);
	assert_int_equal(
	    number(&hub, "SELECT count(*) FROM register WHERE school = '2' AND device = 'board-1'"), 1);
	assert_int_equal(
	    number(&hub, "SELECT count(*) FROM register_change WHERE from_ms = %" PRId64, TENTH_MS), 2);
	// A new board stands at the free line since the other one left it, and not before.
	IMPORT(-1, "device,shard,school,site,line\nboard-1,north,2,chinh,main\nboard-2,north,1,chinh,main\n");
	counted(SP_REL_BOARD, 1, 0, 0, 1);
	assert_int_equal(school_of("board-2", TENTH_MS - 1), -1);
	assert_int_equal(school_of("board-2", TENTH_MS), 1);
	// The correction is corrected: it never moved.
	IMPORT(TENTH_MS, BOARDS);
	assert_int_equal(school_of("board-1", TENTH_MS + HOUR_MS), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM placement"), 1);
}

static void zones_names_and_areas_change(void **state)
{
	(void)state;
	IMPORT(-1, AREAS, SCHOOLS, SITES, LINES, BOARDS);
	hub.now_ms += HOUR_MS;
	// b joins a; school 2 is called otherwise and lies in another zone. The old tree is not spoken of.
	IMPORT(
	    TENTH_MS,
	    "tree,area,parent,area_name,area_kind\n2025,01,,Lào Cai,province\n2025,a,01,Sa Pa mới,commune\n",
	    "school,school_name,school_kind,zone,pupils,area:2025\n1,A,primary,thuận lợi,300,a\n"
	    "2,B mới,preschool,biên giới,20,a\n");
	counted(SP_REL_AREA, 0, 1, 1, 4); // with the other tree
	counted(SP_REL_SCHOOL, 0, 1, 0, 1);
	counted(SP_REL_SCHOOL_AREA, 0, 1, 0, 3);
	assert_int_equal(below("2025", "b", TENTH_MS - 1), 1);
	assert_int_equal(below("2025", "b", TENTH_MS), 0);
	assert_int_equal(below("2025", "a", TENTH_MS - 1), 1);
	assert_int_equal(below("2025", "a", TENTH_MS), 2);
	assert_int_equal(below("old", "10", TENTH_MS), 2);
	assert_int_equal(number(&hub,
				"SELECT count(*) FROM school_state WHERE school = '2' AND zone = 'khó khăn'"
				" AND name = 'B' AND to_ms = %" PRId64,
				TENTH_MS),
			 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM register WHERE area = 'Lào Cai/Sa Pa mới'"), 2);
	// A school that is gone takes with it what it had, and its past stays.
	IMPORT(-1, "school,school_name,area:2025,area:old\n1,A,a,x\n");
	counted(SP_REL_SITE, 0, 0, 1, 1);
	counted(SP_REL_LINE, 0, 0, 1, 1);
	assert_int_equal(below("old", "x", hub.now_ms), 1);
	assert_int_equal(below("old", "x", hub.now_ms - 1), 2);
}

static void only_what_is_named_with_partial(void **state)
{
	(void)state;
	IMPORT(-1, AREAS, SCHOOLS, SITES, LINES, BOARDS);
	hub.now_ms += HOUR_MS;
	assert_int_equal(import(-1, 2, (const char *const[]){"school,school_name,area:2025\n3,C,b\n", NULL}),
			 0);
	counted(SP_REL_SCHOOL, 1, 0, 0, 2);
	assert_int_equal(below("2025", "01", hub.now_ms), 3);
	assert_int_equal(below("2025", "01", hub.now_ms - 1), 2); // a new school is none of last year's
}

static void what_is_not_there_is_told_by_its_row(void **state)
{
	(void)state;
	REFUSED("r.csv:2: column 'school': there is no school 1\nr.csv:3: column 'school': there is no "
		"school 2\n",
		SITES);
	REFUSED("r.csv:2: column 'area': there is no area a in the tree 2025\n"
		"r.csv:3: column 'area': there is no area b in the tree 2025\n",
		"school,school_name,area:2025\n1,A,a\n2,B,b\n");
	IMPORT(-1, AREAS, SCHOOLS, SITES, LINES, BOARDS);
	REFUSED("r.csv:3: column 'line': the school 1 has no line wifi at a site chinh\n",
		BOARDS "board-2,north,1,chinh,wifi\n");
	REFUSED("r.csv:3: column 'line': line 2 of r.csv has another board at it\n",
		BOARDS "board-2,north,1,chinh,main\n");
	REFUSED("r.csv:3: column 'parent': lies more than 16 areas deep, or within itself\n"
		"r.csv:4: column 'parent': lies more than 16 areas deep, or within itself\n",
		"tree,area,parent,area_name\n2025,a,,A\nx,p,q,P\nx,q,p,Q\n"
		"2025,b,,B\n");
	REFUSED("r.csv:2: column 'timetable': is neither the name of a timetable nor a week like 'mon-fri "
		"07:00-17:00'\n",
		"school,site,timetable\n1,chinh,cap1\n2,chinh,\n");
	assert_int_equal(number(&hub, "SELECT count(*) FROM area"), 6);
}

#define CALENDAR                                                                                   \
	"day_kind,scope,code,site,name,from,to\nholiday,area,2025:a,,Lễ,2026-11-20,20/11/2026\n" \
	"exam,school,1,,Thi,2026-11-21 07:00,2026-11-21 09:00\nsummer,all,,,Hè,2027-06-01,2027-08-31\n"

static void a_calendar_counts_everywhere(void **state)
{
	(void)state;
	const struct sp_calendar *calendar;
	struct sp_stretch out[SP_STRETCHES_MAX];
	int64_t today = sp_local_day(NOW_MS); // a Saturday
	IMPORT(-1, AREAS, SCHOOLS, SITES, LINES, BOARDS, CALENDAR,
	       "scope,code,site,reason,from,to\nprovider,Nhà mạng A,,Bảo trì,2026-11-19 08:00,2026-11-19 "
	       "09:00\n");
	counted(SP_REL_HOLIDAY, 2, 0, 0, 0);
	assert_int_equal(sp_store_calendar(hub.store, &calendar), 0);
	const struct sp_schedule *schedule = sp_calendar_of(calendar, "1", "chinh");
	assert_int_equal(sp_schedule_day(schedule, today, out), 1);
	assert_int_equal(out[0].kind, SP_TIME_EXAM);
	assert_int_equal(sp_schedule_day(schedule, today - 1, out), 0);
	assert_int_equal(sp_schedule_day(schedule, today - 2, out), 2); // around the maintenance
	assert_int_equal(out[1].from_ms, out[0].to_ms + HOUR_MS);
	// The past is not changed without a word.
	REFUSED(
	    "r.csv:2: column 'to': lies before what this import changes: --from DAY corrects earlier days\n",
	    "day_kind,scope,name,from,to\nholiday,all,Tết,2026-01-01,2026-01-02\n");
	IMPORT(-1, CALENDAR);
	counted(SP_REL_HOLIDAY, 0, 0, 0, 2);
}

// ---- out again ------------------------------------------------------------------------------------

static char *export(enum sp_register_kind kind, int64_t at_ms)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	assert_int_equal(sp_store_register_export(hub.store, kind, at_ms, out), 0);
	fclose(out);
	return text;
}

static void what_comes_out_may_come_in(void **state)
{
	(void)state;
	char *files[SP_KINDS + 1] = {NULL};
	IMPORT(
	    TENTH_MS, AREAS, SCHOOLS, SITES, LINES, BOARDS, CALENDAR,
	    "timetable,week,from,to\ncap1,t7 7h00-9h00,2026-09-05,\n",
	    "scope,code,site,reason,from,to\nsite,1,chinh,\"Sửa \"\"điện\"\"; nước\",2027-01-01,2027-01-02\n",
	    "school,category,declared\n1,máy chiếu,12\n",
	    "school,asset,category,complete,from\n1,TS-1,máy chiếu,x,2026-11-12\n");
	hub.now_ms += HOUR_MS;
	for (int kind = 0; kind < SP_KIND_REGISTER; kind++) {
		files[kind] = export((enum sp_register_kind)kind, hub.now_ms);
		assert_int_equal(import(-1, 0, (const char *const[]){files[kind], NULL}), 0);
		for (int id = 0; id < SP_RELATIONS; id++)
			assert_int_equal(
			    done.counts[id].added + done.counts[id].changed + done.counts[id].ended, 0);
	}
	assert_int_equal(import(-1, 0, (const char *const *)files), 0);
	counted(SP_REL_ASSET, 0, 0, 0, 1);
	counted(SP_REL_MAINTENANCE, 0, 0, 0, 1);
	assert_string_equal(strchr(files[SP_KIND_BOARDS], '\n') + 1, "board-1,north,1,chinh,main\r\n");
	for (int kind = 0; kind < SP_KINDS; kind++)
		free(files[kind]);
	// As it was before there was anything, and all in one.
	char *before = export(SP_KIND_SCHOOLS, TENTH_MS - 1), *now = export(SP_KIND_REGISTER, hub.now_ms);
	assert_string_equal(strchr(before, '\n') + 1, "");
	assert_non_null(strstr(now,
			       "\r\nLào Cai/Sa Pa,1,A,chinh,Điểm chính,main,Nhà mạng A,Gói 100,100,50,thuận "
			       "lợi,board-1,north,t2-t6 7h00-11h00\r\n"));
	free(before);
	free(now);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(all_kinds_together),
	    T(a_board_moves_and_last_month_stays),
	    T(zones_names_and_areas_change),
	    T(only_what_is_named_with_partial),
	    T(what_is_not_there_is_told_by_its_row),
	    T(a_calendar_counts_everywhere),
	    T(what_comes_out_may_come_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
