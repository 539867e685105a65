// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days of sites: what a day adds up to, and that computing anew what was touched gives what computing
// everything gives, however late and out of order facts arrive.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/time/local_time.h"

static struct hub hub;

#define MIN_MS INT64_C(60000)
/// 2026-11-16, a Monday, 00:00 +07:00.
#define MONDAY (NOW_MS - 10 * HOUR_MS - 5 * 24 * HOUR_MS)
#define DAY(n) (MONDAY + (n)*24 * HOUR_MS)

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	hub.now_ms = DAY(0);
	register_csv(
	    &hub, "school,school_name,site,line,device,shard,provider,contract,down_mbps,up_mbps,timetable\n"
		  "S1,A,chinh,main,board-1,north,VNPT,Fiber100,100,50,mon-fri 07:00-11:00\n"
		  "S1,A,le,main,board-2,north,Viettel,Fiber50,50,25,mon-fri 07:00-11:00\n"
		  "S2,B,chinh,main,,,VNPT,Fiber100,100,50,mon-fri 07:00-11:00\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

static void roll_up(int64_t now_ms)
{
	int result;
	while ((result = sp_store_rollup(hub.store, true, now_ms)) == 1)
		;
	assert_int_equal(result, 0);
}

// ---- boards that say things --------------------------------------------------------------------------

/// A board's boot of one stream, whose clock is right. Records are made first and sent in any order.
struct board {
	const char *device, *stream, *bulk, *boot;
	int64_t began_ms;
	int64_t seq, bulk_seq;
};

static char *record(const struct board *board, int64_t seq, int64_t t_ms, const char *rest)
{
	return sp_asprintf("{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64
			   ",\"err_ms\":5,%s}",
			   seq, (t_ms - board->began_ms) * 1000, t_ms, rest);
}

/// One envelope with these records of facts or bulk, which arrives at `at_ms`.
static void send_at(const struct board *board, bool bulk, int64_t first, int64_t last, char *records,
		    int64_t t_ms, int64_t at_ms)
{
	char *list = sp_asprintf("[%s]", records);
	hub.now_ms = at_ms;
	enum sp_verdict verdict =
	    DELIVER(&hub, .device = board->device, .stream = bulk ? board->bulk : board->stream,
		    .cls = bulk ? SP_RECORD_BULK : SP_RECORD_FACTS, .boot = board->boot, .first = first,
		    .last = last, .records = list, .clk_mono_us = (t_ms - board->began_ms) * 1000 + 1000,
		    .synced = true, .clk_t_ms = t_ms + 1, .clk_err_ms = 5, .arrived_ms = at_ms);
	assert_int_equal(verdict, SP_VERDICT_STORED);
	free(list);
	free(records);
}

static void opened(struct board *board, bool bulk, int64_t at_ms)
{
	send_at(board, bulk, 1, 1,
		record(board, 1, board->began_ms + 1000, "\"type\":\"opened\",\"device\":\"\",\"prev\":null"),
		board->began_ms + 1000, at_ms);
	*(bulk ? &board->bulk_seq : &board->seq) = 1;
}

static const char *line_fact(const char *state, const char *cause, const char *whose)
{
	static char text[256];
	snprintf(text, sizeof(text),
		 "\"type\":\"line\",\"device\":\"main\",\"state\":\"%s\",\"cause\":\"%s\",\"whose\":\"%s\"",
		 state, cause, whose);
	return text;
}

static void says(struct board *board, int64_t t_ms, const char *text)
{
	int64_t seq = ++board->seq;
	send_at(board, false, seq, seq, record(board, seq, t_ms, text), t_ms, t_ms + 1000);
}

static void minute(struct board *board, int64_t t_ms)
{
	int64_t seq = ++board->bulk_seq;
	send_at(board, true, seq, seq,
		record(board, seq, t_ms,
		       "\"type\":\"minute\",\"device\":\"main\",\"seconds\":60,\"state_seconds\":{\"up\":60},"
		       "\"loss_ratio\":{\"domestic\":[30,0.1],\"service\":[10,0.2]}"),
		t_ms, t_ms + 1000);
}

#define BOARD_1 ((struct board){"board-1", STREAM_1, STREAM_2, BOOT_1, DAY(0) + 6 * HOUR_MS, 0, 0})

// ---- a day -------------------------------------------------------------------------------------------

static int64_t of_day(const char *column, const char *kind, int day)
{
	return number(&hub,
		      "SELECT %s FROM site_day WHERE school = 'S1' AND site = 'chinh' AND kind = '%s' AND "
		      "day = %" PRId64,
		      column, kind, sp_local_day(DAY(day)));
}

static void a_day_adds_up(void **state)
{
	(void)state;
	struct board board = BOARD_1;
	opened(&board, false, board.began_ms + 2000);
	opened(&board, true, board.began_ms + 2000);
	says(&board, DAY(0) + 6 * HOUR_MS + 5 * MIN_MS, line_fact("up", "none", "unresolved"));
	says(&board, DAY(0) + 8 * HOUR_MS, line_fact("down", "isp_access", "provider"));
	says(&board, DAY(0) + 9 * HOUR_MS, line_fact("up", "none", "unresolved"));
	says(&board, DAY(0) + 9 * HOUR_MS + 30 * MIN_MS, line_fact("unknown", "cable", "school"));
	says(&board, DAY(0) + 10 * HOUR_MS, line_fact("degraded", "dns", "resolver"));
	minute(&board, DAY(0) + 10 * HOUR_MS + 30 * MIN_MS);
	minute(&board, DAY(0) + 12 * HOUR_MS);
	roll_up(DAY(1) + 3 * HOUR_MS);
	assert_int_equal(of_day("scheduled_ms", "lesson", 0), 4 * HOUR_MS);
	assert_int_equal(of_day("up_ms", "lesson", 0), 90 * MIN_MS);
	assert_int_equal(of_day("degraded_ms", "lesson", 0), 60 * MIN_MS);
	assert_int_equal(of_day("down_provider_ms", "lesson", 0), 60 * MIN_MS);
	assert_int_equal(of_day("down_other_ms", "lesson", 0), 30 * MIN_MS);
	assert_int_equal(of_day("unknown_ms", "lesson", 0), 0);
	assert_int_equal(of_day("scheduled_ms", "clock", 0), 24 * HOUR_MS);
	assert_int_equal(of_day("unknown_ms", "clock", 0), 18 * HOUR_MS + 5 * MIN_MS);
	// Opened and five line facts; two minutes and another opening. Lessons alone count for probes.
	assert_int_equal(number(&hub,
				"SELECT facts FROM board_day WHERE device = 'board-1' AND day = %" PRId64,
				sp_local_day(DAY(0))),
			 6);
	assert_int_equal(number(&hub,
				"SELECT committed FROM board_day WHERE device = 'board-1' AND day = %" PRId64,
				sp_local_day(DAY(0))),
			 9);
	assert_int_equal(
	    number(&hub,
		   "SELECT probes * 1000 + lost FROM board_day WHERE device = 'board-1' AND day = %" PRId64,
		   sp_local_day(DAY(0))),
	    30003);
	assert_int_equal(
	    number(&hub,
		   "SELECT checks * 1000 + answered FROM board_day WHERE device = 'board-1' AND day ="
		   " %" PRId64,
		   sp_local_day(DAY(0))),
	    10008);
	// The site without a board has no days; the board that never spoke has unknown ones.
	assert_int_equal(number(&hub, "SELECT count(*) FROM site_day WHERE school = 'S2'"), 0);
	assert_int_equal(
	    number(&hub,
		   "SELECT unknown_ms FROM site_day WHERE site = 'le' AND kind = 'lesson' AND day = %" PRId64,
		   sp_local_day(DAY(0))),
	    4 * HOUR_MS);
}

static void late_facts_and_gaps_count(void **state)
{
	(void)state;
	struct board board = BOARD_1;
	opened(&board, false, board.began_ms + 2000);
	// Number 2 comes two days later.
	char *late = record(&board, 2, DAY(0) + 7 * HOUR_MS, line_fact("up", "none", "unresolved"));
	board.seq = 2;
	says(&board, DAY(0) + 12 * HOUR_MS, line_fact("down", "isp_core", "provider"));
	roll_up(DAY(1) + 3 * HOUR_MS);
	assert_int_equal(of_day("up_ms", "lesson", 0), 0);
	assert_int_equal(number(&hub,
				"SELECT missing FROM board_day WHERE device = 'board-1' AND day = %" PRId64,
				sp_local_day(DAY(0))),
			 1);
	send_at(&board, false, 2, 2, late, DAY(0) + 7 * HOUR_MS, DAY(2) + 8 * HOUR_MS);
	roll_up(DAY(2) + 9 * HOUR_MS);
	assert_int_equal(of_day("up_ms", "lesson", 0), 4 * HOUR_MS);
	assert_int_equal(
	    number(&hub,
		   "SELECT missing * 100 + facts * 10 + timely FROM board_day WHERE device = 'board-1'"
		   " AND day = %" PRId64,
		   sp_local_day(DAY(0))),
	    32);
}

static void imports_change_the_days_they_speak_of(void **state)
{
	(void)state;
	struct board board = BOARD_1;
	opened(&board, false, board.began_ms + 2000);
	roll_up(DAY(0) + 20 * HOUR_MS);
	roll_up(DAY(2) + 3 * HOUR_MS);
	assert_int_equal(of_day("scheduled_ms", "lesson", 1), 4 * HOUR_MS);
	hub.now_ms = DAY(1);
	register_csv(&hub, "school,school_name,site,line,device,shard,timetable\n"
			   "S1,A,chinh,main,board-1,north,mon-fri 07:00-09:00\n"
			   "S1,A,le,main,board-2,north,mon-fri 07:00-11:00\n");
	roll_up(DAY(2) + 3 * HOUR_MS);
	assert_int_equal(of_day("scheduled_ms", "lesson", 1), 2 * HOUR_MS);
}

// ---- anew against from the beginning -----------------------------------------------------------------

/// Every number of a table's rows, each with a weight of its own and of its day.
#define TIMES                                                                                            \
	"sum((day - 20000) * (3 * (scheduled_ms %% 99991) + 5 * (up_ms %% 99991) + 7 * (degraded_ms %% " \
	"99991) + 11 *"                                                                                  \
	" (down_provider_ms %% 99991) + 13 * (down_other_ms %% 99991) + 17 * (unknown_ms %% 99991) + "   \
	"length(kind)))"

/// The rollups as one text, which differs when they do.
static char *everything(void)
{
	int64_t facts =
	    number(&hub, "SELECT sum((day - 20000) * (facts * 3 + timely * 5 + committed * 7 + missing * 11 +"
			 " probes * 13 + lost * 17 + checks * 19 + school_day * 23)) FROM board_day");
	int64_t ends = number(&hub, "SELECT sum((day - 20000) * (coalesce(first_ms, 0) %% 99991 + 3 *"
				    " (coalesce(last_ms, 0) %% 99991))) FROM board_day");
	return sp_asprintf(
	    "%" PRId64 " site days %" PRId64 ", %" PRId64 " line days %" PRId64 ", %" PRId64
	    " board days %" PRId64 " %" PRId64,
	    number(&hub, "SELECT count(*) FROM site_day"), number(&hub, "SELECT " TIMES " FROM site_day"),
	    number(&hub, "SELECT count(*) FROM line_day"), number(&hub, "SELECT " TIMES " FROM line_day"),
	    number(&hub, "SELECT count(*) FROM board_day"), facts, ends);
}

struct sent {
	bool bulk;
	int64_t seq, t_ms;
	char *text;
};

static unsigned seed;
static unsigned below(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % n;
}

/// A week of a board, shuffled by how late each record is, with rollups in between at random.
static void a_week(unsigned with)
{
	static const char *const states[][3] = {{"up", "none", "unresolved"},
						{"down", "isp_access", "provider"},
						{"down", "captive_portal", "account"},
						{"degraded", "dns", "resolver"},
						{"unknown", "gateway", "school"}};
	enum { RECORDS = 60 };
	struct board board = BOARD_1;
	struct sent sent[RECORDS];
	seed = with;
	hub.now_ms = DAY(0);
	int64_t t_ms = board.began_ms + 2000, seqs[2] = {1, 1};
	for (int i = 0; i < RECORDS; i++) {
		sent[i].bulk = below(2);
		t_ms += 1000 + (int64_t)below(100) * 3 * MIN_MS;
		sent[i].seq = ++seqs[sent[i].bulk];
		sent[i].t_ms = t_ms;
		const char *const *s = states[below(5)];
		sent[i].text = record(&board, sent[i].seq, t_ms,
				      sent[i].bulk ? "\"type\":\"minute\",\"device\":\"main\",\"seconds\":60,"
						     "\"loss_ratio\":{\"domestic\":[30,0.1]}"
						   : line_fact(s[0], s[1], s[2]));
	}
	for (int i = RECORDS - 1; i > 0; i--) {
		int j = i - (int)below(i < 12 ? (unsigned)i + 1 : 12);
		struct sent swap = sent[i];
		sent[i] = sent[j];
		sent[j] = swap;
	}
	opened(&board, below(2), t_ms);
	opened(&board, board.seq == 1, t_ms);
	int64_t now_ms = t_ms;
	for (int i = 0; i < RECORDS; i++) {
		now_ms += MIN_MS;
		if (below(10) == 0)
			free(sent[i].text); // never comes
		else
			send_at(&board, sent[i].bulk, sent[i].seq, sent[i].seq, sent[i].text, sent[i].t_ms,
				now_ms);
		if (below(6) == 0)
			roll_up(now_ms);
	}
	hub.now_ms = now_ms + 48 * HOUR_MS; // all of it is over
}

static void anew_is_as_from_the_beginning(void **state)
{
	(void)state;
	for (unsigned with = 1; with <= (hub_is_postgres() ? 1 : 12); with++) {
		a_week(with);
		roll_up(hub.now_ms);
		char *touched = everything();
		execute(
		    &hub,
		    "DELETE FROM site_day; DELETE FROM line_day; DELETE FROM board_day; DELETE FROM "
		    "speed_day;"
		    "INSERT INTO dirty_site SELECT DISTINCT p.school, p.site, CAST(f.value AS BIGINT),"
		    " CAST(t.value AS BIGINT) FROM placement p JOIN meta f ON f.key = 'rollup_first' JOIN "
		    "meta t"
		    " ON t.key = 'rollup_day'");
		roll_up(hub.now_ms);
		char *whole = everything();
		if (strcmp(touched, whole) != 0)
			fail_msg("with seed %u: %s instead of %s", with, touched, whole);
		assert_true(number(&hub, "SELECT count(DISTINCT day) FROM site_day WHERE up_ms > 0") > 2);
		free(touched);
		free(whole);
		tear_down(NULL);
		set_up(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_day_adds_up, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(late_facts_and_gaps_count, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(imports_change_the_days_they_speak_of, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(anew_is_as_from_the_beginning, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
