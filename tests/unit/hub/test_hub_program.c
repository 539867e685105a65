// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The program as it is installed: killed at the worst moment, on a disk that takes nothing, stopped,
// misconfigured.
#include "tests/unit/hub/hub_board.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "agent/base/mem.h"
#include "tests/unit/base/mqtt_peer.h"

static char dir[64], db[128], conf[128], hub_log[128];
static struct broker broker;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sp-hub-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(db, sizeof(db), "%s/hub.db", dir);
	snprintf(conf, sizeof(conf), "%s/hub.conf", dir);
	snprintf(hub_log, sizeof(hub_log), "%s/hub.log", dir);
	broker_start(&broker, dir, "log_type all\n");
	uint16_t http;
	close(listen_here(1, &http));
	FILE *out = fopen(conf, "w");
	fprintf(out,
		"[hub]\ndb = %s\n[mqtt]\nhost = 127.0.0.1\nport = %u\nshards = north\nclient_id = centre\n"
		"[http]\nport = %u\n",
		db, broker.port, http);
	fclose(out);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	broker_stop(&broker);
	char *command = sp_asprintf("rm -rf %s", dir);
	int result = system(command);
	free(command);
	return result;
}

// ---- the program --------------------------------------------------------------------------------------

static pid_t start(const char *const *words)
{
	const char *argv[12] = {HUB_PROGRAM, "--config", conf};
	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = words[i];
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int log = open(hub_log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (getppid() != parent || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(98);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(97);
}
#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

static int end(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Is this text in the file?
static bool said(const char *file, const char *text)
{
	static char all[1024 * 1024];
	FILE *in = fopen(file, "r");
	if (!in)
		return false;
	all[fread(all, 1, sizeof(all) - 1, in)] = '\0';
	fclose(in);
	return strstr(all, text);
}

static void until_said(struct board *board, const char *file, const char *text)
{
	for (int i = 0; i < 3000 && !said(file, text); i++)
		sp_mqtt_turn(board->mqtt, 20000, -1);
	if (!said(file, text))
		fail_msg("\"%s\" never stood in %s", text, file);
}

static int64_t number(const char *sql)
{
	sqlite3 *handle;
	sqlite3_stmt *stmt;
	int64_t value = -1;
	assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
	sqlite3_busy_timeout(handle, 10000);
	if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(handle);
	return value;
}

// ---- tests ------------------------------------------------------------------------------------------------

/// libmosquitto has told the broker that it has the message; the commit never comes.
static void killed_between_puback_and_commit_nothing_is_lost(void **state)
{
	(void)state;
	struct board board;
	sqlite3 *holder;
	char log[160], epoch[SP_ID_LENGTH + 1];
	snprintf(log, sizeof(log), "%s.log", broker.config);
	pid_t hub = START("all");
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 1);
	board_until(&board, board_is_settled, 1, "an acknowledgement");
	snprintf(epoch, sizeof(epoch), "%s", board.hub.hub_epoch);
	// Whoever holds the write lock keeps the hub from committing.
	assert_int_equal(sqlite3_open(db, &holder), SQLITE_OK);
	sqlite3_busy_timeout(holder, 10000);
	assert_int_equal(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	board_send(&board, 2, 40);
	until_said(&board, log, "Received PUBACK from centre-north (Mid: 2");
	assert_int_equal(kill(hub, SIGKILL), 0);
	assert_int_equal(end(hub), 128 + SIGKILL);
	assert_int_equal(sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(holder);
	assert_int_equal(board.ack.upto, 1);
	assert_int_equal(number("SELECT count(*) FROM event"), 1); // gone, as far as broker and hub know
	hub = START("ingest");
	while (strcmp(board.hub.hub_epoch, epoch) == 0)
		sp_mqtt_turn(board.mqtt, 20000, -1);
	// The board announces what it holds, hears that it is not settled, and sends it again.
	board.acks = 0;
	board_birth(&board, 40);
	board_until(&board, board_is_settled, 1, "the answer to the birth");
	assert_int_equal(board.ack.upto, 1);
	board_send(&board, 2, 40);
	board_until(&board, board_is_settled, 40, "an acknowledgement");
	assert_int_equal(number("SELECT count(*) FROM event"), 40);
	assert_int_equal(kill(hub, SIGTERM), 0);
	assert_int_equal(end(hub), 0);
	board_until(&board, board_hears_hub, false, "the hub's farewell");
	board_close(&board);
}

/// A killed hub's will says what it no longer can.
static void the_will_speaks_for_a_killed_hub(void **state)
{
	(void)state;
	struct board board;
	pid_t hub = START("ingest");
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	kill(hub, SIGKILL);
	end(hub);
	board_until(&board, board_hears_hub, false, "the will");
	board_close(&board);
}

static void a_disk_that_takes_nothing_is_waited_for(void **state)
{
	(void)state;
	struct board board;
	const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
	pid_t hub = START("ingest");
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 1);
	board_until(&board, board_is_settled, 1, "an acknowledgement");
	assert_int_equal(prlimit(hub, RLIMIT_FSIZE, &none, NULL), 0);
	board_send(&board, 2, 9);
	// Its log cannot be written either: it is seen by what does not come.
	for (int64_t i = 0; i < 100; i++)
		sp_mqtt_turn(board.mqtt, 20000, -1);
	assert_int_equal(board.ack.upto, 1);
	assert_int_equal(waitpid(hub, NULL, WNOHANG), 0);
	assert_int_equal(prlimit(hub, RLIMIT_FSIZE, &all, NULL), 0);
	board_until(&board, board_is_settled, 9, "an acknowledgement");
	kill(hub, SIGINT);
	assert_int_equal(end(hub), 0);
	board_close(&board);
}

static void a_newer_database_stops_the_start(void **state)
{
	(void)state;
	sqlite3 *handle;
	assert_int_equal(end(START("facts")), 1); // there is no database yet
	assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle,
				      "CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
				      "INSERT INTO meta VALUES('schema_version', 1000)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(handle);
	assert_int_equal(end(START("all")), 1);
	assert_true(said(hub_log, "the database has schema 1000, this program knows "));
}

static void words_that_are_none_are_refused(void **state)
{
	(void)state;
	assert_int_equal(end(START("kpis")), 2);
	assert_true(said(hub_log, "unknown command kpis"));
	assert_int_equal(end(START("kpi", "--help")), 0);
	assert_true(said(hub_log, "usage: schoolpulse-hub --config FILE kpi --plan ID "));
	assert_int_equal(end(START("kpi", "--plan", "lethuy-2024", "--lang", "fr")), 2);
	assert_int_equal(end(START("kpi", "--plan", "no-such")), 2);
	assert_true(said(hub_log, "lethuy-2024"));
	assert_int_equal(end(START("status")), 1);
	assert_true(said(hub_log, "/hub.db: there is no such file: import or ingest makes it\n"));
	assert_int_equal(end(START("ingest", "now")), 2);
	assert_int_equal(end(START("import")), 2);
	assert_int_equal(end(START("facts", "--wait", "soon")), 2);
	assert_int_equal(end(START("import", "/nonexistent.csv")), 1);
	FILE *out = fopen(conf, "a");
	fprintf(out, "[mqqt]\n[hub2]\nport = x\n");
	fclose(out);
	assert_int_equal(end(START("all")), 1);
	assert_true(said(hub_log, "unknown section [mqqt]; did you mean [mqtt]?"));
}

/// A server that nobody can reach, with a password in its address: each command says what is wrong, and not
/// that.
static void no_command_tells_the_password(void **state)
{
	(void)state;
	FILE *out = fopen(conf, "w");
	fputs("[hub]\ndb = postgresql://hub:geheim@127.0.0.1:1/hub\n", out);
	fclose(out);
	const char *const commands[][4] = {{"status"},
					   {"size"},
					   {"incidents"},
					   {"anomalies"},
					   {"register"},
					   {"subjects"},
					   {"keys"},
					   {"migrate"},
					   {"migrate", "--status"},
					   {"import", conf},
					   {"kpi", "--plan", "lethuy-2024"},
					   {"attendance"},
					   {"backup", dir},
					   {"restore", conf}};
	for (size_t i = 0; i < SP_COUNT(commands); i++)
		assert_int_equal(end(start(commands[i])), 1);
	assert_true(
	    said(hub_log, "schoolpulse-hub: postgresql://hub@127.0.0.1:1/hub: connection to server at "));
	assert_false(said(hub_log, "geheim"));
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

/// Two tests of 2026-11-21 in the register's contract, one that counts and one that does not.
static void with_speed_tests(void)
{
	char *csv = sp_asprintf("%s/r.csv", dir);
	write_file(csv, "school,school_name,site,line,device,shard,provider,contract,down_mbps,up_mbps\n"
			"1,A,chinh,main,board-1,north,Mạng A,\"Gói \"\"100\"\"\",100,50\n");
	assert_int_equal(end(START("import", csv)), 0);
	free(csv);
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(
		handle,
		"INSERT INTO device(id, name, shard, first_heard_ms) VALUES(1, 'board-1', 'north', 0);"
		"INSERT INTO speedtest VALUES(1795230000000, 1, 2, 10, 0, 1, 'main', 0, 0, '', 1,"
		" 'librespeed', 93.4e6, '=Mạng A', NULL, NULL, NULL, 'lan'), (1795230000001, 1, 3, 10, 0, 1, "
		"'main', 0,"
		" 1, 'busy', 1, 'librespeed', 30e6, '=Mạng A', NULL, NULL, NULL, 'lan')",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(handle);
}

static void speed_is_printed_in_three_ways(void **state)
{
	(void)state;
	assert_int_equal(end(START("speed", "--from", "2026-11-01", "--to", "2026-12-01")), 1); // no database
	with_speed_tests();
	assert_int_equal(end(START("speed", "--from", "2026-11-01", "--to", "2026-12-01")), 0);
	assert_true(said(hub_log, "=Mạng A · Gói \"100\" · domestic: not rated\n"));
	assert_true(said(hub_log, "not rated (1 of 1000 tests)\n        by hour: 10 h: 1\n"));
	assert_true(said(hub_log, "not counted: 1 × contended, busy (mean of 1: 30.0 Mbit/s)\n"));
	assert_true(
	    said(hub_log, "with those that have a figure: 2 tests, mean 61.7 Mbit/s, 61.7 % of bought"));
	assert_int_equal(end(START("speed", "--from", "2026-11-01", "--to", "2026-12-01", "--csv")), 0);
	// No spreadsheet takes a provider's name for a formula.
	assert_true(
	    said(hub_log,
		 "\n\"'=Mạng A\",\"Gói \"\"100\"\"\",domestic,down,not_rated,not_rated,100,1,93.4,0.934,"
		 "0.934,93.4,93.4,93.4,1,1,2,61.7,0.617,0.617,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,"
		 "0,\"contended/busy: 1\"\n"));
	FILE *out = fopen(conf, "a");
	fputs("[evidence]\nmin_samples = 1\nkept_percent = 94\n", out);
	fclose(out);
	assert_int_equal(end(START("speed", "--from", "2026-11-21", "--to", "2026-11-22", "--json")), 0);
	assert_true(said(hub_log,
			 "\"min_samples\":1,\"kept_ratio\":0.94,\"pools\":[{\"provider\":\"=Mạng A\","
			 "\"plan\":\"Gói \\\"100\\\"\",\"scope\":\"domestic\",\"verdict\":\"not_kept\""));
	assert_int_equal(end(START("speed", "--from", "2026-11-22", "--to", "2026-11-23")), 0);
	assert_true(said(hub_log, "No speed test in this period."));
}

/// A day on which 40 came, 30 of them by the bell; a request and a key backup.
static void with_attendance(void)
{
	char *csv = sp_asprintf("%s/r.csv", dir);
	write_file(csv, "school,school_name,site,line,device,shard,timetable\n"
			"1,A,chinh,main,board-1,north,mon-sat 07:00-11:00\n");
	assert_int_equal(end(START("import", csv)), 0);
	free(csv);
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(
		handle,
		"INSERT INTO device(id, name, shard, first_heard_ms) VALUES(1, 'board-1', 'north', 0);"
		"INSERT INTO kiosk(id, device, name, driver, first_ms) VALUES(1, 1, 'cổng', 'adms', 0);"
		"INSERT INTO arrival VALUES(1, 20777, 1, 82, 30), (1, 20777, 1, 86, 10);"
		"INSERT INTO subject VALUES(1, 'r-1', 1, 1, 0, 2, 1795230000000, '1', "
		"'[{\"person\":1,\"kiosk\":"
		"\"=x\",\"number\":7}]'), (1, 'r-2', 0, 1, 3, 4, 1795230000000, '1', NULL);"
		"INSERT INTO key_backup VALUES(1, 1795230000000, 1, 2, '2025,2026', 'AB12-34CD', "
		"'c2VhbGVk');",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(handle);
}

static void attendance_is_printed_as_counts(void **state)
{
	(void)state;
	with_attendance();
	assert_int_equal(
	    end(START("attendance", "--from", "2026-11-20", "--to", "2026-11-21", "--school", "1")), 0);
	assert_true(said(hub_log,
			 "2026-11-20  1            A                                events    07:00       40"
			 "       30   75.0\n"));
	assert_true(said(hub_log, "came by 06:55 30, 07:15 40\n"));
	assert_true(
	    said(hub_log, "attendance_automation_ratio: 0.0 % (0 yes, 0 no, 1 unknown of 1 schools)"));
	assert_int_equal(end(START("attendance", "--from", "2026-11-20", "--to", "2026-11-21", "--json")), 0);
	assert_true(said(hub_log, "\"persons\":40,\"on_time\":30,\"on_time_ratio\":0.75"));
	assert_int_equal(end(START("attendance", "--from", "soon")), 2);
}

static void requests_and_keys_are_fetched(void **state)
{
	(void)state;
	with_attendance();
	assert_int_equal(end(START("subjects", "--json")), 0);
	assert_true(said(
	    hub_log, "\"request\":\"r-2\",\"device\":\"board-1\",\"school\":\"1\",\"action\":\"forget\""));
	assert_int_equal(end(START("subjects", "--fetch", "r-1", "--csv")), 0);
	// No spreadsheet takes a kiosk's name for a formula.
	assert_true(said(hub_log, "\n1,,,,,,,,,,\"'=x\",,7,\r\n"));
	assert_int_equal(end(START("subjects", "--fetch", "r-2")), 1);
	assert_true(said(hub_log, "there is no extract of that request"));
	assert_int_equal(end(START("subjects", "--csv")), 2);
	char *file = sp_asprintf("%s/keys", dir), text[64] = "";
	assert_int_equal(end(START("keys")), 0);
	assert_true(said(hub_log, "AB12-34CD  2025,2026\n"));
	assert_int_equal(end(START("keys", "--device", "board-2", "--output", file)), 1);
	assert_int_equal(end(START("keys", "--device", "board-1", "--output", file)), 0);
	FILE *in = fopen(file, "r");
	assert_non_null(in);
	assert_non_null(fgets(text, sizeof(text), in));
	fclose(in);
	assert_string_equal(text, "c2VhbGVk\n");
	// What is there is not overwritten.
	assert_int_equal(end(START("keys", "--device", "board-1", "--output", file)), 1);
	unlink(file);
	free(file);
}

static void a_period_that_is_none_is_refused(void **state)
{
	(void)state;
	assert_int_equal(end(START("speed")), 2);
	assert_true(said(hub_log, "speed: of which period?"));
	assert_int_equal(end(START("speed", "--from", "2026-11-31", "--to", "2026-12-01")), 2);
	assert_true(said(hub_log, "speed: from must be a day like 2026-11-01"));
	assert_int_equal(end(START("speed", "--from", "2026-11-02", "--to", "2026-11-02")), 2);
	assert_true(said(hub_log, "speed: from must be before to"));
	assert_int_equal(end(START("speed", "--from", "2024-11-02", "--to", "2026-11-02")), 2);
	assert_true(said(hub_log, "speed: a period has at most 400 days"));
	assert_int_equal(end(START("speed", "--from", "2026-11-01", "--to", "2026-11-02", "loud")), 2);
}

static void facts_waits_for_a_boards_first_ones(void **state)
{
	(void)state;
	struct board board;
	pid_t hub = START("ingest"), facts = START("facts", "--device", "board-1", "--wait", "60", "--json");
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 3);
	board_until(&board, board_is_settled, 3, "an acknowledgement");
	assert_int_equal(waitpid(facts, NULL, WNOHANG), 0); // no `boot` yet
	static const char boot[] = "{\"v\":1,\"dev\":\"board-1\",\"class\":\"facts\",\"stream\":"
				   "\"bbbbbbbbbbbbbbbbbbbbbbbbbb\",\"boot\":"
				   "\"11111111-1111-4111-8111-111111111111\",\"digest\":"
				   "\"00000000000000000000000000000000\",\"clk\":{\"boot\":"
				   "\"11111111-1111-4111-8111-111111111111\",\"mono_us\":9,\"synced\":false},"
				   "\"ev\":[{\"seq\":2,\"type\":\"boot\","
				   "\"mono_us\":5,\"reason\":\"first\"}]}";
	board_publish(&board, "sp1/up/north/board-1/facts", boot, strlen(boot), SP_FEED_JSON, false);
	assert_int_equal(end(facts), 0);
	assert_true(said(hub_log, "\"type\":\"boot\""));
	assert_int_equal(end(START("facts", "--device", "board-2", "--wait", "1")), 1);
	assert_true(said(hub_log, "no fact of board-2 is committed"));
	assert_int_equal(end(START("facts")), 0);
	kill(hub, SIGTERM);
	assert_int_equal(end(hub), 0);
	board_close(&board);
}

static void a_kpi_that_cannot_be_told_says_what_could(void **state)
{
	(void)state;
	char *csv = sp_asprintf("%s/register.csv", dir);
	FILE *out = fopen(csv, "w");
	fputs("school,school_name,site,line,area,device,shard\nA,A,chinh,main,Lệ Thủy,board-1,north\n", out);
	fclose(out);
	assert_int_equal(end(START("import", csv)), 0);
	assert_int_equal(end(START("kpi", "--plan", "lethuy-2042", "--month", "2026-10")), 2);
	assert_true(said(hub_log, "there are: anlao-2024, laichau-2022-2025, laocai-2022-2025, lethuy-2024"));
	assert_int_equal(end(START("kpi", "--plan", "lethuy-2024", "--area", "le thuy")), 2);
	assert_true(said(hub_log, "(Lệ Thủy, tree "));
	assert_int_equal(end(START("kpi", "--plan", "lethuy-2024", "--month", "october")), 2);
	assert_int_equal(
	    end(START("kpi", "--plan", "lethuy-2024", "--month", "2026-10", "--to", "2026-11-01")), 2);
	assert_int_equal(end(START("kpi", "--plan", "lethuy-2024", "--month", "2025-10", "--lang", "vi")), 0);
	assert_true(said(hub_log, "Từ 2025-10-01 đến 2025-10-31"));
	free(csv);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(killed_between_puback_and_commit_nothing_is_lost),
	    T(the_will_speaks_for_a_killed_hub),
	    T(a_disk_that_takes_nothing_is_waited_for),
	    T(a_newer_database_stops_the_start),
	    T(words_that_are_none_are_refused),
	    T(no_command_tells_the_password),
	    T(facts_waits_for_a_boards_first_ones),
	    T(speed_is_printed_in_three_ways),
	    T(attendance_is_printed_as_counts),
	    T(requests_and_keys_are_fetched),
	    T(a_period_that_is_none_is_refused),
	    T(a_kpi_that_cannot_be_told_says_what_could),
	};
	sp_mqtt_library_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sp_mqtt_library_cleanup();
	return failed;
}
