// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ingest against a real mosquitto: honest boards, hostile ones, brokers that come and go.
#include "tests/unit/hub/hub_board.h"

#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "tests/unit/base/mqtt_peer.h"
#include "tests/unit/base/pretend_kernel.h"
#include "schoolpulse/clock.h"
#include "tools/hub/ingest/ingest.h"
#include "tools/hub/store/store.h"

static char dir[64], path[128];
static struct broker broker;
static struct sp_hub_config config;
static struct sp_ingest *ingest;

static void start(void)
{
	char why[256] = "";
	if (sp_ingest_start(&ingest, &config, why) != 0)
		fail_msg("%s", why);
}

static int set_up(void **state)
{
	char file[160], why[1024] = "";
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sp-hub-XXXXXX");
	assert_non_null(mkdtemp(dir));
	broker_start(&broker, dir, "");
	snprintf(path, sizeof(path), "%s/hub.db", dir);
	snprintf(file, sizeof(file), "%s/hub.conf", dir);
	FILE *out = fopen(file, "w");
	fprintf(out,
		"[hub]\ndb = %s\nreconnect_window = 1s\n[mqtt]\nhost = 127.0.0.1\nport = %u\nshards = north, "
		"south\n",
		path, broker.port);
	fclose(out);
	struct sp_config_errors errors = {0};
	if (sp_hub_config_read(&config, file, &errors) != 0)
		snprintf(why, sizeof(why), "%s", errors.lines[0]);
	assert_string_equal(why, "");
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_ingest_stop(ingest);
	ingest = NULL;
	sp_hub_config_free(&config);
	broker_stop(&broker);
	char *command = sp_asprintf("rm -rf %s", dir);
	int result = system(command);
	free(command);
	return result;
}

static int64_t number(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int64_t value = -1;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static bool database_says(const struct board *board, int64_t wanted)
{
	(void)board;
	return number("SELECT coalesce(sum(count), 0) FROM set_aside") >= wanted;
}

static void what_is_acknowledged_is_committed(void **state)
{
	(void)state;
	struct board board;
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	assert_int_equal(board.hub.reconnect_window_seconds, 1);
	assert_int_equal(board.hub.attendance_days, 400);
	board_send(&board, 1, 3);
	board_until(&board, board_is_settled, 3, "an acknowledgement");
	assert_int_equal(number("SELECT count(*) FROM event"), 3);
	assert_string_equal(board.ack.hub_epoch, board.hub.hub_epoch);
	assert_string_equal(board.ack.stream, board.stream);
	// Again: nothing new, and said again.
	int acks = board.acks;
	board_send(&board, 1, 3);
	board_send(&board, 4, 5);
	board_until(&board, board_is_settled, 5, "another");
	assert_true(board.acks > acks);
	assert_int_equal(number("SELECT count(*) FROM event"), 5);
	board_close(&board);
}

static void a_birth_is_answered_for_every_stream(void **state)
{
	(void)state;
	struct board board;
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 3);
	board_until(&board, board_is_settled, 3, "an acknowledgement");
	board.acks = 0;
	board_birth(&board, 7);
	board_until(&board, board_is_settled, 3, "the answer to the birth");
	assert_int_equal(board.ack.upto, 3);
	assert_int_equal(number("SELECT first * 100 + last FROM gap WHERE kind = 0"), 407);
	assert_int_equal(number("SELECT presence FROM device"), 1);
	board_close(&board);
}

/// Our own session refuses to send so much: another client does.
static void oversized(void)
{
	char *command =
	    sp_asprintf("head -c 200000 /dev/zero | tr '\\0' ' ' | mosquitto_pub -p %u -V 5 -q 1 -t "
			"sp1/up/north/board-1/facts -s -i stranger",
			broker.port);
	assert_int_equal(system(command), 0);
	free(command);
}

static void hostile_messages_are_set_aside_and_nothing_else_suffers(void **state)
{
	(void)state;
	struct board board;
	const char *topic = "sp1/up/north/board-1/facts";
	char *large = sp_alloc(SP_FEED_PAYLOAD_MAX + 2);
	memset(large, ' ', SP_FEED_PAYLOAD_MAX + 1);
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_publish(&board, topic, "", 0, SP_FEED_JSON, false);
	board_publish(&board, topic, "{}", 2, SP_FEED_JSON, false);
	board_publish(&board, topic, "\xff\xfe\x00{", 4, SP_FEED_JSON, false);
	board_publish(&board, topic, "{\"v\":99}", 8, SP_FEED_JSON, false);
	board_publish(&board, topic, "no zlib", 7, SP_FEED_DEFLATED, false);
	board_publish(&board, topic, "{}", 2, "text/html", false);
	board_publish(&board, topic, large, SP_FEED_PAYLOAD_MAX, SP_FEED_JSON, false);
	board_publish(&board, "sp1/up/north/board-1/state", "{\"v\":1}", 7, SP_FEED_JSON, false);
	board_publish(&board, "sp1/up/north/Board_1/facts", "{}", 2, SP_FEED_JSON, false);
	oversized();
	board_send(&board, 1, 2);
	board_until(&board, board_is_settled, 2, "an acknowledgement");
	board_until(&board, database_says, 10, "ten messages set aside");
	assert_int_equal(number("SELECT sum(count) FROM set_aside"), 10);
	assert_int_equal(number("SELECT count FROM set_aside WHERE fault = 'unknown_version'"), 1);
	assert_int_equal(number("SELECT count FROM set_aside WHERE fault = 'foreign'"), 1);
	assert_int_equal(number("SELECT count FROM set_aside WHERE fault = 'too_large'"), 1);
	assert_int_equal(number("SELECT count(*) FROM event"), 2);
	free(large);
	board_close(&board);
}

static void another_boards_words_are_foreign(void **state)
{
	(void)state;
	struct board board;
	static const char words[] = "{\"v\":1,\"dev\":\"board-2\",\"class\":\"facts\",\"stream\":"
				    "\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"boot\":"
				    "\"11111111-1111-4111-8111-111111111111\",\"digest\":"
				    "\"00000000000000000000000000000000\",\"clk\":{\"boot\":"
				    "\"11111111-1111-4111-8111-111111111111\",\"mono_us\":9,\"synced\":false}"
				    ",\"ev\":[{\"seq\":1,\"type\":\"opened\","
				    "\"mono_us\":5,\"class\":\"facts\",\"prev\":null}]}";
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_publish(&board, "sp1/up/north/board-1/facts", words, strlen(words), SP_FEED_JSON, false);
	board_publish(&board, "sp1/up/north/board-2/attendance", words, strlen(words), SP_FEED_JSON, false);
	board_until(&board, database_says, 2, "two foreign messages");
	assert_int_equal(number("SELECT sum(count) FROM set_aside WHERE fault = 'foreign'"), 2);
	// On its own topic the very same is good; of a shard that is not served nothing is heard.
	board_publish(&board, "sp1/up/west/board-2/facts", words, strlen(words), SP_FEED_JSON, false);
	board_publish(&board, "sp1/up/south/board-2/facts", words, strlen(words), SP_FEED_JSON, false);
	board_send(&board, 1, 1);
	board_until(&board, board_is_settled, 1, "an acknowledgement");
	while (number("SELECT count(*) FROM event") < 2)
		sp_mqtt_turn(board.mqtt, 20000, -1);
	assert_int_equal(number("SELECT count(*) FROM device WHERE shard = 'south'"), 1);
	board_close(&board);
}

static void the_peoples_topic_follows_the_commit(void **state)
{
	(void)state;
	struct board board;
	static const char csv[] =
	    "school,school_name,site,line,device,shard\n1020,Trường A,chinh,main,board-1,north\n";
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store *store;
	struct sp_store_import done;
	char why[256];
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	assert_int_equal(sp_register_parse(&reg, "r.csv", csv, strlen(csv), &errors), 0);
	assert_int_equal(sp_store_open(&store, path, SP_STORE_WRITE, why), 0);
	assert_int_equal(sp_store_import(store, &reg, false, 1000, &done), 0);
	sp_store_close(store);
	sp_register_free(&reg);
	board_send(&board, 1, 2);
	board_until(&board, board_has_sites, 1, "the people's topic");
	while (!strstr(board.site, "\"state\":\"down\""))
		sp_mqtt_turn(board.mqtt, 20000, -1);
	assert_non_null(
	    strstr(board.site, "sp1/site/1020/chinh/main {\"v\":1,\"state\":\"down\",\"since\":\"2"));
	assert_non_null(strstr(board.site, "+07:00\",\"since_ms\":"));
	assert_non_null(strstr(board.site, "\"cause\":\"isp\",\"whose\":\"provider\""));
	board_close(&board);
}

/// Nothing is acknowledged into a file that has lost its name.
static void a_database_that_was_moved_is_let_go(void **state)
{
	(void)state;
	struct board board;
	char epoch[SP_ID_LENGTH + 1];
	char *old = sp_asprintf("%s/old.db", dir);
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 2);
	board_until(&board, board_is_settled, 2, "an acknowledgement");
	memcpy(epoch, board.hub.hub_epoch, sizeof(epoch));
	assert_int_equal(rename(path, old), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
	assert_true(fd >= 0);
	close(fd);
	board_send(&board, 1, 4);
	board_until(&board, board_is_settled, 4, "an acknowledgement from the new database");
	assert_string_not_equal(board.ack.hub_epoch, epoch);
	while (strcmp(board.hub.hub_epoch, epoch) == 0)
		sp_mqtt_turn(board.mqtt, 20000, -1);
	assert_string_equal(board.hub.hub_epoch, board.ack.hub_epoch);
	assert_int_equal(number("SELECT count(*) FROM event"), 4);
	free(old);
	board_close(&board);
}

/// The broker dies with everything it had; the hub comes back by itself and says all of it again.
static void a_broker_that_dies_is_found_again(void **state)
{
	(void)state;
	struct board board;
	uint16_t port = broker.port;
	char command[256];
	board_open(&board, port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 2);
	board_until(&board, board_is_settled, 2, "an acknowledgement");
	board_close(&board);
	broker_stop(&broker);
	// The same port again: this broker's configuration stays.
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin mosquitto -d -c %s", broker.config);
	FILE *conf = fopen(broker.config, "a");
	fprintf(conf, "pid_file %s/pid\n", dir);
	fclose(conf);
	assert_int_equal(system(command), 0);
	char file[160];
	snprintf(file, sizeof(file), "%s/pid", dir);
	FILE *pid = NULL;
	while (!pid || fscanf(pid, "%d", &broker.pid) != 1) {
		if (pid)
			fclose(pid);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		pid = fopen(file, "r");
	}
	fclose(pid);
	board_open(&board, port, "board-1");
	snprintf(board.stream, sizeof(board.stream), "%s", "aaaaaaaaaaaaaaaaaaaaaaaaaa");
	board_until(&board, board_hears_hub, true, "the hub");
	board_birth(&board, 1);
	board_send(&board, 1, 1);
	board_until(&board, board_is_settled, 1, "an acknowledgement");
	board_close(&board);
}

static void a_second_ingest_on_the_same_database_is_refused(void **state)
{
	(void)state;
	struct sp_ingest *second;
	char why[256];
	assert_int_equal(sp_ingest_start(&second, &config, why), -EWOULDBLOCK);
	assert_null(second);
	assert_non_null(strstr(why, "another ingest is running on "));
}

static void stopping_says_so_and_starting_again_goes_on(void **state)
{
	(void)state;
	struct board board;
	char epoch[SP_ID_LENGTH + 1];
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 500);
	snprintf(epoch, sizeof(epoch), "%s", board.hub.hub_epoch);
	sp_ingest_stop(ingest);
	board_until(&board, board_hears_hub, false, "the hub's farewell");
	assert_int_equal(number("SELECT value = 'stopped' FROM meta WHERE key = 'ingest'"), 1);
	start();
	board_until(&board, board_hears_hub, true, "the hub's return");
	assert_string_not_equal(board.hub.hub_epoch, epoch);
	board.acks = 0;
	board_send(&board, 1, 500); // a board resends what it has no acknowledgement for
	board_until(&board, board_is_settled, 500, "an acknowledgement");
	assert_string_equal(board.ack.hub_epoch, board.hub.hub_epoch);
	assert_int_equal(number("SELECT count(*) FROM event"), 500);
	board_close(&board);
}

/// What lay in the broker while the hub was away came later than it was sent: its time says so.
static void what_waited_in_the_broker_is_placed_less_sharply(void **state)
{
	(void)state;
	struct board before, meanwhile;
	board_open(&before, broker.port, "board-1");
	board_until(&before, board_hears_hub, true, "the hub");
	board_send(&before, 1, 1);
	board_until(&before, board_is_settled, 1, "an acknowledgement");
	assert_int_equal(number("SELECT err_ms FROM event"), SP_PLACE_TRANSIT_MS + 1);
	sp_ingest_stop(ingest);
	board_open(&meanwhile, broker.port, "board-2");
	board_send(&meanwhile, 1, 1);
	start();
	board_until(&meanwhile, board_is_settled, 1, "an acknowledgement");
	assert_true(number("SELECT max(err_ms) FROM event") > SP_PLACE_TRANSIT_MS);
	board_close(&before);
	board_close(&meanwhile);
}

/// The store cannot commit for a while: nothing is acknowledged, nothing is lost.
static void a_store_that_is_held_up_is_waited_for(void **state)
{
	(void)state;
	struct board board;
	sqlite3 *db;
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	board_send(&board, 1, 1);
	board_until(&board, board_is_settled, 1, "an acknowledgement");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int64_t seq = 2; seq <= 50; seq++)
		board_send(&board, seq, seq);
	assert_int_equal(board.ack.upto, 1);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	board_until(&board, board_is_settled, 50, "the acknowledgement of all");
	board_close(&board);
}

static void a_hub_that_knows_the_time_tells_it(void **state)
{
	(void)state;
	struct board board;
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub"); // what comes before it subscribed is lost
	board_send(&board, 1, 3);
	board_until(&board, board_is_settled, 3, "an acknowledgement");
	assert_false(board.ack.timed);
	kernel_synced = true;
	int64_t before_ms = sp_clock_now().wall_ms;
	board.mono_us += 7000000;
	board_send(&board, 4, 6);
	board_until(&board, board_is_settled, 6, "an acknowledgement");
	assert_true(board.ack.timed);
	assert_in_range(board.ack.t_ms, before_ms, sp_clock_now().wall_ms);
	assert_in_range(board.ack.err_ms, 50, 60);
	assert_int_equal(board.ack.echo_mono_us, board.mono_us + 1000000);
	assert_int_equal(strlen(board.ack.echo_boot), 36);
	board_close(&board);
	kernel_synced = false;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(what_is_acknowledged_is_committed),
	    T(a_birth_is_answered_for_every_stream),
	    T(hostile_messages_are_set_aside_and_nothing_else_suffers),
	    T(another_boards_words_are_foreign),
	    T(the_peoples_topic_follows_the_commit),
	    T(a_database_that_was_moved_is_let_go),
	    T(a_broker_that_dies_is_found_again),
	    T(a_second_ingest_on_the_same_database_is_refused),
	    T(stopping_says_so_and_starting_again_goes_on),
	    T(what_waited_in_the_broker_is_placed_less_sharply),
	    T(a_store_that_is_held_up_is_waited_for),
	    T(a_hub_that_knows_the_time_tells_it),
	};
	sp_mqtt_library_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sp_mqtt_library_cleanup();
	return failed;
}
