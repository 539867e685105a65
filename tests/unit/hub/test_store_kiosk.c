// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Kiosks in the store: what is said of each, counts that replace each other, key backups; and the figures of
// a school as they are read.
#include "tests/unit/hub/kiosk_util.h"

#include <inttypes.h>
#include <stdlib.h>

#include "tools/hub/serve/api_attendance.h"

static struct hub hub;
static int64_t seq;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	register_csv(&hub, SCHOOL_A "2,Trường B,chinh,main,board-2,north,mon-sat 07:00-11:00\n");
	seq = 2;
	DELIVER(&hub, .t_ms = BEGAN_MS, .err_ms = 10, .mono_us = 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

/// A fact of board-1 at so many minutes after BOOT_1 began (06:00), by a clock that knows.
static void SP_PRINTF(2, 3) say(int64_t minute, const char *format, ...)
{
	char members[2048], record[2400];
	va_list args;
	va_start(args, format);
	vsnprintf(members, sizeof(members), format, args);
	va_end(args);
	snprintf(record, sizeof(record),
		 "[{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64 ",\"err_ms\":10,%s}]", seq,
		 minute * 60000000, BEGAN_MS + minute * MIN_MS, members);
	DELIVER(&hub, .first = seq, .records = record);
	seq++;
}

#define KIOSK "\"type\":\"kiosk\",\"device\":\"cổng\",\"driver\":\"adms\","

static void the_latest_word_on_a_kiosk_holds(void **state)
{
	(void)state;
	say(60, KIOSK
	    "\"heard_mono_us\":3540000000,\"clock_error_seconds\":-61.5,\"records\":120,\"capacity\":100000,"
	    "\"users\":412,\"backlog\":0,\"refused\":1,\"accepted\":90,\"known\":30,\"model\":\"M1\","
	    "\"firmware\":\"V 1\"");
	assert_int_equal(number(&hub, "SELECT heard_ms FROM kiosk"), BEGAN_MS + 59 * MIN_MS);
	assert_int_equal(number(&hub, "SELECT clock_error_seconds * 10 FROM kiosk"), -615);
	say(50, KIOSK "\"records\":100,\"clock_error_seconds\":null");
	assert_int_equal(number(&hub, "SELECT records FROM kiosk"), 120);
	say(70, KIOSK "\"records\":130,\"clock_error_seconds\":null");
	assert_int_equal(number(&hub, "SELECT records FROM kiosk WHERE clock_error_seconds IS NULL"), 130);
}

static void a_kiosks_own_total_stands_beside_what_came(void **state)
{
	(void)state;
	struct punches p;
	DELIVER(&hub, .stream = STREAM_2, .cls = SP_RECORD_ATTENDANCE);
	punches_begin(&p, 2);
	punches_add(&p, "cổng", 1, 1, MIDNIGHT, "");
	punches_add(&p, "cổng", 2, 2, MIDNIGHT, "");
	SEND(&hub, &p, .stream = STREAM_2);
	say(100,
	    "\"type\":\"kiosk_total\",\"device\":\"cổng\",\"date\":\"2026-11-21\",\"kiosk\":4,\"taken\":3");
	say(90,
	    "\"type\":\"kiosk_total\",\"device\":\"cổng\",\"date\":\"2026-11-21\",\"kiosk\":1,\"taken\":1");
	assert_int_equal(number(&hub, "SELECT counted * 100 + taken * 10 + arrived FROM kiosk_day"), 432);
}

// ---- counts -------------------------------------------------------------------------------------------

#define COUNTS "\"type\":\"attendance\",\"date\":\"2026-11-20\",\"slot_minutes\":15,"

static const char *asked(const char *school, int64_t from_ms, int64_t to_ms, bool kiosks)
{
	static char text[64 * 1024];
	struct sp_buf out = SP_BUF(sizeof(text));
	const struct sp_period period = {from_ms, to_ms};
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	int result = kiosks ? sp_api_kiosks(hub.store, school, &period, &out)
			    : sp_api_attendance(hub.store, school, &period, &out);
	assert_int_equal(result, 0);
	sp_store_read_end(hub.store);
	snprintf(text, sizeof(text), "%s", out.data);
	sp_buf_free(&out);
	return text;
}

static void assert_said(const char *text, const char *piece)
{
	if (!strstr(text, piece))
		fail_msg("%s\nis not in\n%s", piece, text);
}

static void a_higher_revision_replaces_a_slot_whole(void **state)
{
	(void)state;
	say(10, COUNTS "\"slot\":\"06:30\",\"revision\":1,\"groups\":[{\"group\":\"6A\",\"direction\":\"in\","
		       "\"persons\":20}]");
	say(12, COUNTS "\"slot\":\"06:30\",\"revision\":3,\"groups\":[{\"group\":\"6A\",\"direction\":\"in\","
		       "\"persons\":31},"
		       "{\"group\":\"6B\",\"direction\":\"in\",\"persons\":null},"
		       "{\"group\":\"6B\",\"direction\":\"out\",\"persons\":9}]");
	say(14, COUNTS "\"slot\":\"06:30\",\"revision\":2,\"groups\":[{\"group\":\"6A\",\"direction\":\"in\","
		       "\"persons\":7}]");
	say(14, COUNTS "\"slot\":\"07:00\",\"revision\":1,\"groups\":[{\"group\":\"6A\",\"direction\":\"in\","
		       "\"persons\":9}]");
	// Long after the bell: nobody comes then for the first time.
	say(14, COUNTS "\"slot\":\"13:00\",\"revision\":1,\"groups\":[{\"group\":\"6A\",\"direction\":\"in\","
		       "\"persons\":30}]");
	assert_int_equal(number(&hub, "SELECT arrived * 10 + withheld FROM attendance WHERE slot = 390"),
			 311);
	const char *text = asked("1", MIDNIGHT - DAY_MS, MIDNIGHT, false);
	assert_said(
	    text,
	    "\"date\":\"2026-11-20\",\"basis\":\"counts\",\"lessons\":\"07:00\",\"persons\":40,\"on_time\":"
	    "31,"
	    "\"on_time_ratio\":0.775,\"withheld\":1,\"events\":null,\"unplaced\":null,\"groups\":[{\"group\":"
	    "\"6A\",\"persons\":40}],\"curve\":[{\"until\":\"06:45\",\"persons\":31,\"ratio\":0.775},"
	    "{\"until\":\"07:15\",\"persons\":40,\"ratio\":1}]");
}

// ---- from events --------------------------------------------------------------------------------------

/// So many persons in one minute of yesterday at that board.
static void crowd(const char *device, const char *stream, int first, int persons, int minute)
{
	struct punches p;
	DELIVER(&hub, .device = device, .stream = stream, .cls = SP_RECORD_ATTENDANCE);
	punches_begin(&p, 2);
	for (int i = 0; i < persons; i++)
		punches_add(&p, "cổng", minute * 1000 + first + i, first + i,
			    MIDNIGHT - DAY_MS + minute * MIN_MS, "");
	SEND(&hub, &p, .device = device, .stream = stream);
}

static void a_day_of_events_as_counts(void **state)
{
	(void)state;
	crowd("board-1", STREAM_2, 0, 30, 6 * 60 + 50);
	crowd("board-1", STREAM_3, 30, 10, 7 * 60 + 12);
	const char *text = asked("1", MIDNIGHT - DAY_MS, MIDNIGHT, false);
	assert_said(
	    text,
	    "\"basis\":\"events\",\"lessons\":\"07:00\",\"persons\":40,\"on_time\":30,\"on_time_ratio\":0.75,"
	    "\"withheld\":0,\"events\":40,\"unplaced\":0,\"groups\":[{\"group\":\"cổng\",\"persons\":40}],"
	    "\"curve\":[{\"until\":\"06:55\",\"persons\":30,\"ratio\":0.75},{\"until\":\"07:15\",\"persons\":"
	    "40,"
	    "\"ratio\":1}]");
	// Of a month, without the curve.
	text = asked(NULL, MIDNIGHT - 20 * DAY_MS, MIDNIGHT + DAY_MS, false);
	assert_said(text, "\"persons\":40,\"on_time\":30,");
	assert_null(strstr(text, "curve"));
}

static void who_comes_by_two_boards_came_once(void **state)
{
	(void)state;
	register_csv(&hub, SCHOOLS "1,Trường A,chinh,main,board-1,north,mon-sat 07:00-11:00\n"
				   "1,Trường A,phu,main,board-5,north,\n");
	crowd("board-1", STREAM_2, 0, 30, 6 * 60 + 50);
	crowd("board-5", STREAM_3, 10, 30, 6 * 60 + 40);
	assert_said(asked("1", MIDNIGHT - DAY_MS, MIDNIGHT, false),
		    "\"persons\":40,\"on_time\":40,\"on_time_ratio\":1,\"withheld\":0,\"events\":60");
}

static void events_belong_to_the_school_where_the_board_stood(void **state)
{
	(void)state;
	crowd("board-1", STREAM_2, 0, 30, 6 * 60 + 50);
	register_csv(&hub, SCHOOLS "1,Trường A,chinh,main,,,mon-sat 07:00-11:00\n"
				   "2,Trường B,chinh,main,board-1,north,\n");
	assert_said(asked("1", MIDNIGHT - DAY_MS, MIDNIGHT, false), "\"persons\":30");
	assert_null(strstr(asked("2", MIDNIGHT - DAY_MS, MIDNIGHT, false), "persons\":30"));
}

// ---- timelines ----------------------------------------------------------------------------------------

#define DEVICE(state, reason)                                                                                \
	"\"type\":\"device\",\"device\":\"cổng\",\"driver\":\"adms\",\"class\":\"kiosk\",\"state\":\"" state \
	"\",\"reason\":\"" reason "\""
#define OUTAGE(cause, from, to)                                                  \
	"\"type\":\"outage\",\"device\":\"main\",\"outage\":\"" cause            \
	"\",\"phase\":\"close\",\"state\":\"down\","                             \
	"\"cause\":\"" cause "\",\"whose\":\"provider\",\"start_mono_us\":" from \
	"000000,\"end_mono_us\":" to "000000"

static void times_down_are_explained(void **state)
{
	(void)state;
	say(0, DEVICE("up", "none"));
	say(70, DEVICE("down", "silent")); // 07:10
	say(80, DEVICE("up", "none"));
	say(120, DEVICE("down", "silent")); // 08:00
	say(130, DEVICE("up", "none"));
	say(131, OUTAGE("isp_access", "7140", "7800")); // 07:59 to 08:10
	say(150, DEVICE("down", "refused"));            // 08:30
	say(160, DEVICE("up", "none"));
	say(161, OUTAGE("hub", "9000", "9600"));
	say(239, DEVICE("degraded", "clock"));
	const char *text = asked("1", MIDNIGHT, MIDNIGHT + DAY_MS, true);
	assert_said(text, "\"cause\":\"kiosk\",\"detail\":\"silent\"},{");
	assert_said(text, "\"state\":\"down\",\"cause\":\"line\",\"detail\":\"isp_access\"}");
	assert_said(text, "\"state\":\"down\",\"cause\":\"hub\",\"detail\":null}");
	// From the bell at seven until now, ten o'clock: three times ten minutes, and the last minute is not
	// heard of.
	assert_said(
	    text,
	    "\"school_seconds\":10800,\"up_seconds\":8940,\"down_seconds\":1800,\"unknown_seconds\":60,");
	assert_said(text, "\"state\":\"degraded\",\"reason\":\"clock\"");
	text = asked(NULL, MIDNIGHT, MIDNIGHT + DAY_MS, true);
	assert_said(text, "\"school\":\"1\",\"school_name\":\"Trường "
			  "A\",\"automated\":\"yes\",\"reason\":null,\"kiosks\":1,"
			  "\"days\":1,\"yes\":1,\"no\":0,\"unknown\":0}");
	assert_said(text, "\"school\":\"2\",\"school_name\":\"Trường "
			  "B\",\"automated\":\"unknown\",\"reason\":\"no_kiosk\"");
	assert_said(text, "\"attendance_automation_ratio\":{\"yes\":1,\"no\":0,\"unknown\":1,\"ratio\":0.5,");
	assert_said(text, "\"segments\":[{");
	assert_null(strstr(asked("1", MIDNIGHT - DAY_MS, MIDNIGHT + DAY_MS, true), "segments"));
}

static void power_that_was_lost_explains_a_kiosk(void **state)
{
	(void)state;
	say(0, DEVICE("up", "none"));
	say(70, "\"type\":\"clock\",\"event\":\"hourly\""); // 07:10, the last that was heard of that boot
	// The next boot began at 08:00.
	DELIVER(&hub, .stream = STREAM_2, .boot = BOOT_2, .t_ms = MIDNIGHT + 8 * HOUR_MS, .err_ms = 10,
		.mono_us = 1, .prev = STREAM_1, .prev_last = seq - 1);
	char *records = sp_asprintf("[{\"seq\":2,\"mono_us\":1000,\"t_ms\":%" PRId64
				    ",\"err_ms\":10,\"type\":\"boot\",\"reason\":\"power\","
				    "\"previous_boot\":\"" BOOT_1
				    "\",\"silence_start_mono_us\":4200000000,\"uncertainty_seconds\":5},"
				    "{\"seq\":3,\"mono_us\":1000,\"t_ms\":%" PRId64
				    ",\"err_ms\":10," DEVICE("up", "none") "}]",
				    MIDNIGHT + 8 * HOUR_MS, MIDNIGHT + 8 * HOUR_MS);
	DELIVER(&hub, .stream = STREAM_2, .boot = BOOT_2, .first = 2, .last = 3, .records = records);
	free(records);
	const char *text = asked("1", MIDNIGHT, MIDNIGHT + DAY_MS, true);
	assert_said(text, "\"gaps\":[{\"from_ms\":1795219800000,\"to_ms\":1795222800000,\"state\":"
			  "\"unknown\",\"cause\":\"power\","
			  "\"detail\":null}");
}

static void SP_PRINTF(1, 2) change(const char *format, ...)
{
	char sql[256];
	va_list args;
	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	execute(&hub, sql);
}

/// The agent's start at 05:00 of a day is the first that does not name it.
static void restart_without_it(int64_t day_ms)
{
	say(0, "\"type\":\"boot\",\"reason\":\"restart\",\"previous_boot\":\"" BOOT_1 "\"");
	change("UPDATE silence SET end_ms = %" PRId64, day_ms + 5 * HOUR_MS);
}

static void what_its_board_no_longer_names_is_gone(void **state)
{
	(void)state;
	say(0, DEVICE("up", "none"));
	change("UPDATE instance_point SET t_ms = t_ms - %" PRId64, 5 * DAY_MS);
	const char *named = "\"kiosk\":\"cổng\"";
	assert_said(asked("1", MIDNIGHT, MIDNIGHT + DAY_MS, true), named);
	restart_without_it(MIDNIGHT - 2 * DAY_MS);
	assert_null(strstr(asked("1", MIDNIGHT, MIDNIGHT + DAY_MS, true), named));
	assert_said(asked("1", MIDNIGHT - 3 * DAY_MS, MIDNIGHT + DAY_MS, true), named);
	// Not before a day has passed: it may speak yet.
	change("UPDATE silence SET end_ms = %" PRId64, MIDNIGHT - HOUR_MS);
	assert_said(asked("1", MIDNIGHT, MIDNIGHT + DAY_MS, true), named);
	// And not when it was told of after the start.
	restart_without_it(MIDNIGHT - 2 * DAY_MS);
	say(60, KIOSK "\"records\":1");
	assert_said(asked("1", MIDNIGHT, MIDNIGHT + DAY_MS, true), named);
}

// ---- keys ---------------------------------------------------------------------------------------------

#define BACKUP "\"type\":\"key_backup\",\"mark\":\"AB12-34CD\","

static void on_backup(void *arg, const struct sp_key_backup_view *backup)
{
	snprintf(arg, 256, "%s %s %s %s", backup->device, backup->school_years, backup->mark, backup->blob);
}

static void the_newest_backup_is_kept(void **state)
{
	(void)state;
	char found[256] = "";
	say(10, BACKUP "\"school_years\":[2025,2026],\"blob\":\"bmV3ZXN0\"");
	say(5, BACKUP "\"school_years\":[2025],\"blob\":\"b2xkZXI=\"");
	assert_int_equal(sp_store_key_backups(hub.store, "board-1", on_backup, found), 0);
	assert_string_equal(found, "board-1 2025,2026 AB12-34CD bmV3ZXN0");
	// The older one is nowhere any more, the newest in one place.
	assert_int_equal(number(&hub, "SELECT count(*) FROM event WHERE data LIKE '%%blob%%'"), 0);
	say(20, BACKUP "\"school_years\":[2026],\"blob\":\"not base64!\"");
	assert_int_equal(number(&hub, "SELECT count(*) FROM set_aside WHERE fault = 'malformed_record'"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(the_latest_word_on_a_kiosk_holds),
	    T(a_kiosks_own_total_stands_beside_what_came),
	    T(a_higher_revision_replaces_a_slot_whole),
	    T(a_day_of_events_as_counts),
	    T(who_comes_by_two_boards_came_once),
	    T(events_belong_to_the_school_where_the_board_stood),
	    T(times_down_are_explained),
	    T(power_that_was_lost_explains_a_kiosk),
	    T(what_its_board_no_longer_names_is_gone),
	    T(the_newest_backup_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
