// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a full queue may hold up, and what not: told by what was taken in which order, not by clocks.
#include "tests/unit/hub/hub_board.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tests/unit/base/mqtt_peer.h"
#include "tools/hub/ingest/ingest_priv.h"

enum { RECEIVE_MAX = 10, ACKS = 100, SENT = 40, BACKLOG = 1500 };

static char dir[64], path[128];
static struct broker broker;
static struct sp_hub_config config;

static int set_up(void **state)
{
	char file[160];
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sp-hub-XXXXXX");
	assert_non_null(mkdtemp(dir));
	broker_start(&broker, dir, "max_queued_messages 100000\n");
	snprintf(path, sizeof(path), "%s/hub.db", dir);
	snprintf(file, sizeof(file), "%s/hub.conf", dir);
	FILE *out = fopen(file, "w");
	fprintf(out,
		"[hub]\ndb = %s\n[mqtt]\nhost = 127.0.0.1\nport = %u\nshards = north\nfacts_receive_maximum "
		"= %d\n",
		path, broker.port, RECEIVE_MAX);
	fclose(out);
	struct sp_config_errors errors = {0};
	if (sp_hub_config_read(&config, file, &errors) != 0)
		fail_msg("%s", errors.lines[0]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_hub_config_free(&config);
	broker_stop(&broker);
	char *command = sp_asprintf("rm -rf %s", dir);
	int result = system(command);
	free(command);
	return result;
}

// ---- a session whose queue nobody empties ----------------------------------------------------------

static struct sp_ingest full;

static void fill(void)
{
	for (int i = 0; i < SP_INGEST_QUEUE_MAX; i++) {
		struct sp_inbound *in = sp_alloc(sizeof(*in));
		in->kind = SP_INBOUND_CONNECTED;
		sp_queue_push_always(full.in[SP_LANE_FACTS].queue, &in->node);
	}
}

/// How many of those that are not ours it takes out.
static int64_t empty(void)
{
	int64_t batches = 0;
	struct sp_inbound *in;
	while ((in = (struct sp_inbound *)sp_queue_pop(full.in[SP_LANE_FACTS].queue, 0))) {
		batches += in->kind == SP_INBOUND_BATCH;
		sp_inbound_free(&in->node);
	}
	return batches;
}

static bool has_acks(const struct board *board, int64_t count)
{
	return board->acks >= count;
}

static void acknowledge(struct board *board, int count)
{
	int wanted = board->acks + count;
	for (int i = 0; i < count; i++) {
		struct sp_store_ack ack = {.shard = "north", .ack = {.number = i + 1, .upto = i}};
		snprintf(ack.device, sizeof(ack.device), "%s", board->device);
		snprintf(ack.ack.stream, sizeof(ack.ack.stream), "%s", board->stream);
		sp_id_new(ack.ack.hub_epoch);
		sp_session_send(&full.sessions[0], sp_outbound_ack(&ack));
	}
	board_until(board, has_acks, wanted, "what the hub says while its queue is full");
}

static void open_full(void)
{
	char why[256] = "";
	full = (struct sp_ingest){.config = &config, .lock_fd = -1, .stop_fd = -1, .in_fd = -1};
	for (int i = 0; i < SP_LANES; i++)
		full.in[i].queue = sp_queue_new(SP_INGEST_QUEUE_MAX, NULL, NULL);
	pthread_mutex_init(&full.epoch_lock, NULL);
	sp_id_new(full.epoch);
	sp_leases_init(&full);
	for (size_t i = 0; i < full.lease_count; i++)
		atomic_store(&full.leases[i].held, true);
	full.sessions = sp_alloc(sizeof(*full.sessions));
	if (sp_session_init(&full.sessions[0], &full, "north", SP_SESSION_FACTS, why) != 0)
		fail_msg("%s", why);
	full.session_count = 1;
	assert_int_equal(pthread_create(&full.sessions[0].thread, NULL, sp_session_run, &full.sessions[0]),
			 0);
}

static void close_full(void)
{
	atomic_store(&full.finishing, true);
	sp_session_wake(&full.sessions[0]);
	pthread_join(full.sessions[0].thread, NULL);
	sp_session_free(&full.sessions[0]);
	free(full.sessions);
	free(full.leases);
	for (int i = 0; i < SP_LANES; i++)
		sp_queue_free(full.in[i].queue, sp_inbound_free);
	pthread_mutex_destroy(&full.epoch_lock);
}

/// Many more than may be under way without the broker's PUBACK: they are heard.
static void a_full_queue_holds_up_no_acknowledgement(void **state)
{
	struct board board;
	(void)state;
	open_full();
	board_open(&board, broker.port, "board-1");
	board_until(&board, board_hears_hub, true, "the hub");
	fill();
	acknowledge(&board, ACKS);
	for (int i = 0; i < SENT; i++)
		board_send(&board, 1, 1);
	acknowledge(&board, ACKS);
	acknowledge(&board, ACKS);
	// What the broker may send without a PUBACK, and what came with the turn in which the queue was
	// filled.
	assert_in_range(sp_queue_length(full.in[SP_LANE_FACTS].queue), SP_INGEST_QUEUE_MAX,
			SP_INGEST_QUEUE_MAX + RECEIVE_MAX + 1);
	int64_t batches = empty();
	assert_true(batches <= RECEIVE_MAX);
	sp_session_wake(&full.sessions[0]);
	int64_t until = sp_clock_mono_us() + 60 * INT64_C(1000000);
	while (batches < SENT && sp_clock_mono_us() < until) {
		sp_mqtt_turn(board.mqtt, 20000, -1);
		batches += empty();
	}
	assert_int_equal(batches, SENT);
	board_close(&board);
	close_full();
}

// ---- who comes first -------------------------------------------------------------------------------

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static void until_taken(struct sp_ingest *ingest, struct board *board, int64_t count)
{
	int64_t until = sp_clock_mono_us() + 60 * INT64_C(1000000);
	while (sp_ingest_waiting(ingest).messages < count && sp_clock_mono_us() < until)
		sp_mqtt_turn(board->mqtt, 20000, -1);
	assert_true(sp_ingest_waiting(ingest).messages >= count);
}

/// A fact that came behind a backlog is stored behind one group of it at most.
static void a_backlog_holds_up_no_fact(void **state)
{
	struct board away, live;
	struct sp_ingest *ingest;
	sqlite3 *db;
	char why[256] = "";
	(void)state;
	if (sp_ingest_start(&ingest, &config, why) != 0)
		fail_msg("%s", why);
	board_open(&away, broker.port, "board-1");
	board_open(&live, broker.port, "board-2");
	board_until(&live, board_hears_hub, true, "the hub");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	// The session for samples may not have subscribed yet: what nobody takes is sent again, as boards do.
	while (away.acks == 0) {
		board_send_sample(&away, 1);
		for (int i = 0; away.acks == 0 && i < 25; i++)
			sp_mqtt_turn(away.mqtt, 20 * 1000, -1);
	}
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int64_t seq = 2; seq <= BACKLOG; seq++)
		board_send_sample(&away, seq);
	until_taken(ingest, &away, BACKLOG - 1 - SP_INGEST_GROUP_MAX);
	int64_t before = sp_ingest_waiting(ingest).messages;
	board_send(&live, 1, 1);
	until_taken(ingest, &live, before + 1);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	board_until(&live, board_is_settled, 1, "the fact's acknowledgement");
	while (number(db, "SELECT count(*) FROM event") < BACKLOG + 1)
		sp_mqtt_turn(away.mqtt, 20000, -1);
	int64_t earlier =
	    number(db, "SELECT count(*) FROM event e WHERE e.id < (SELECT f.id FROM event f JOIN stream s"
		       " ON s.id = f.stream JOIN device d ON d.id = s.device WHERE d.name = 'board-2')");
	print_message("%" PRId64 " of %d records of the backlog before the fact\n", earlier, BACKLOG);
	assert_in_range(earlier, 0, 1 + SP_INGEST_GROUP_MAX);
	sqlite3_close(db);
	board_close(&away);
	board_close(&live);
	sp_ingest_stop(ingest);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(a_full_queue_holds_up_no_acknowledgement),
	    CASE(a_backlog_holds_up_no_fact),
	};
	sp_mqtt_library_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sp_mqtt_library_cleanup();
	return failed;
}
