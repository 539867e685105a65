// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How many events a second the hub takes into SQLite by its real path (decode the envelope, ledger, time,
// projections, acknowledgements, COMMIT), beside a bare loop that inserts the same rows, in one run
// and with equal transactions and durability.
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/feed.h"
#include "agent/base/mem.h"
#include "tools/hub/store/store.h"

enum {
	BOARDS = 200,
	RECORDS = 50, ///< per batch
	BATCHES = 40, ///< per transaction
	PAYLOADS = 4000,
};

struct payload {
	char *bytes, *type;
	size_t length;
	char device[33], stream[SP_ID_LENGTH + 1];
	int64_t first;
};

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_hub: %s: %s\n", what, why);
	exit(1);
}

static const char boot[] = "00000000-0000-4000-8000-000000000000";

/// What a board measures in a window: the ordinary record of the feed.
static void add_samples(struct sp_buf *batch, int64_t seq, const struct sp_clock_reading *when)
{
	const struct sp_field window[] = {SP_INT("", 30), SP_REAL("", 0.0021), SP_REAL("", 0.0043),
					  SP_REAL("", 0.0312)};
	const struct sp_field target[] = {SP_LIST("domestic", window, 4), SP_LIST("gateway", window, 4)};
	const struct sp_field metrics[] = {SP_OBJECT("rtt_seconds", target, 2),
					   SP_OBJECT("loss_ratio", target, 2)};
	const struct sp_field fields[] = {SP_TEXT("driver", "reach"), SP_INT("seconds", 60),
					  SP_OBJECT("metrics", metrics, 2)};
	struct sp_buf record = SP_BUF(SP_FEED_RECORD_MAX);
	if (sp_feed_record(&record, "samples", "internet", when, fields, 3) != 0)
		die("record", "refused");
	sp_feed_batch_add(batch, seq, record.data);
	sp_buf_free(&record);
}

static void add_opened(struct sp_buf *batch, const struct sp_clock_reading *when)
{
	const struct sp_field fields[] = {SP_TEXT("class", "bulk"), SP_NULL("prev")};
	struct sp_buf record = SP_BUF(SP_FEED_RECORD_MAX);
	if (sp_feed_record(&record, "opened", NULL, when, fields, 2) != 0)
		die("record", "refused");
	sp_feed_batch_add(batch, 1, record.data);
	sp_buf_free(&record);
}

static struct payload make_payload(unsigned board, unsigned round, char streams[][SP_ID_LENGTH + 1])
{
	struct payload out = {.first = (int64_t)round * RECORDS + 1};
	snprintf(out.device, sizeof(out.device), "board-%u", board);
	strcpy(out.stream, streams[board]);
	struct sp_buf batch = SP_BUF(SP_FEED_INFLATED_MAX), wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_clock_reading when = {.synced = true, .err_ms = 20};
	for (int64_t i = 0; i < RECORDS; i++) {
		int64_t seq = out.first + i;
		when.mono_us = seq * 60000000;
		when.wall_ms = 1767225600000 + seq * 60000;
		if (seq == 1)
			add_opened(&batch, &when);
		else
			add_samples(&batch, seq, &when);
	}
	sp_buf_text(&batch, "]");
	struct sp_feed_envelope envelope = {
	    .cls = SP_RECORD_BULK, .first = out.first, .last = out.first + RECORDS - 1, .clk = when};
	strcpy(envelope.device, out.device);
	strcpy(envelope.stream, out.stream);
	strcpy(envelope.boot, boot);
	strcpy(envelope.clk_boot, boot);
	sp_digest(batch.data, batch.length, envelope.digest);
	if (sp_feed_envelope_encode(&wire, &envelope, batch.data, true) != 0)
		die("envelope", "too large");
	out.length = wire.length;
	out.bytes = sp_buf_take(&wire);
	sp_buf_free(&batch);
	return out;
}

// ---- the hub's path -------------------------------------------------------------------------------

static void check(struct sp_store *store, int result, const char *what)
{
	if (result < 0)
		die(what, sp_store_error(store));
}

static void ingest_one(struct sp_store *store, const struct payload *payload)
{
	struct sp_feed_message message;
	enum sp_verdict verdict;
	char why[128];
	if (sp_feed_envelope_decode(&message, payload->bytes, payload->length, SP_FEED_DEFLATED, why) !=
	    SP_FEED_OK)
		die("decode", why);
	const struct sp_arrival arrival = {
	    .shard = "bench", .device = payload->device, .arrived_ms = 1767300000000};
	check(store, sp_store_batch(store, &arrival, &message, &verdict), "batch");
	if (verdict != SP_VERDICT_STORED)
		die("batch", "not stored");
	sp_feed_message_free(&message);
}

static double run_hub(const char *path, const struct payload *payloads)
{
	struct sp_store *store;
	struct sp_store_news news;
	char why[256], epoch[SP_ID_LENGTH + 1];
	if (sp_store_open(&store, path, SP_STORE_WRITE, why) != 0)
		die(path, why);
	sp_id_new(epoch);
	check(store, sp_store_begin(store, 1767300000000), "begin");
	check(store, sp_store_epoch(store, epoch), "epoch");
	check(store, sp_store_commit(store), "commit");
	double start = now();
	for (size_t i = 0; i < PAYLOADS; i += BATCHES) {
		check(store, sp_store_begin(store, 1767300000000), "begin");
		for (size_t j = i; j < i + BATCHES; j++)
			ingest_one(store, &payloads[j]);
		check(store, sp_store_seal(store, false, &news), "seal");
		check(store, sp_store_commit(store), "commit");
		sp_store_news_free(&news);
	}
	double seconds = now() - start;
	sp_store_close(store);
	return seconds;
}

// ---- the bare loop: the same rows, already in memory --------------------------------------------------

static void sql(sqlite3 *db, const char *text)
{
	char *why = NULL;
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		die(text, why);
}

static void insert_message(sqlite3 *db, sqlite3_stmt *insert, int64_t stream,
			   const struct sp_feed_message *message)
{
	for (size_t i = 0; i < message->count; i++) {
		const struct sp_feed_event *event = &message->events[i];
		sqlite3_bind_int64(insert, 1, stream);
		sqlite3_bind_int64(insert, 2, event->seq);
		sqlite3_bind_text(insert, 3, event->type, -1, SQLITE_STATIC);
		sqlite3_bind_text(insert, 4, event->device, -1, SQLITE_STATIC);
		sqlite3_bind_int64(insert, 5, event->mono_us);
		sqlite3_bind_int64(insert, 6, event->t_ms);
		sqlite3_bind_int64(insert, 7, event->err_ms);
		sqlite3_bind_int64(insert, 8, 1);
		sqlite3_bind_int64(insert, 9, 1767300000000);
		sqlite3_bind_text(insert, 10, event->data, -1, SQLITE_STATIC);
		if (sqlite3_step(insert) != SQLITE_DONE)
			die("insert", sqlite3_errmsg(db));
		sqlite3_reset(insert);
	}
}

static double run_bare(const char *path, const struct payload *payloads)
{
	struct sp_feed_message *messages = sp_alloc(PAYLOADS * sizeof(*messages));
	char why[128];
	for (size_t i = 0; i < PAYLOADS; i++)
		if (sp_feed_envelope_decode(&messages[i], payloads[i].bytes, payloads[i].length,
					    SP_FEED_DEFLATED, why) != SP_FEED_OK)
			die("decode", why);
	sqlite3 *db;
	sqlite3_stmt *insert;
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die(path, sqlite3_errmsg(db));
	sql(db,
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "CREATE TABLE event(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
	    " type TEXT NOT NULL, instance TEXT NOT NULL, mono_us INTEGER NOT NULL, t_ms INTEGER NOT NULL,"
	    " err_ms INTEGER, placed INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, data TEXT NOT NULL,"
	    " UNIQUE(stream, seq))");
	if (sqlite3_prepare_v2(db, "INSERT INTO event VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", -1,
			       &insert, NULL) != SQLITE_OK)
		die("prepare", sqlite3_errmsg(db));
	double start = now();
	for (size_t i = 0; i < PAYLOADS; i += BATCHES) {
		sql(db, "BEGIN IMMEDIATE");
		for (size_t j = i; j < i + BATCHES; j++)
			insert_message(db, insert, (int64_t)(j % BOARDS), &messages[j]);
		sql(db, "COMMIT");
	}
	double seconds = now() - start;
	sqlite3_finalize(insert);
	sqlite3_close(db);
	for (size_t i = 0; i < PAYLOADS; i++)
		sp_feed_message_free(&messages[i]);
	free(messages);
	return seconds;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: bench_hub FOLDER\n", stderr);
		return 2;
	}
	static char streams[BOARDS][SP_ID_LENGTH + 1];
	struct payload *payloads = sp_alloc(PAYLOADS * sizeof(*payloads));
	for (unsigned i = 0; i < BOARDS; i++)
		sp_id_new(streams[i]);
	for (unsigned i = 0; i < PAYLOADS; i++)
		payloads[i] = make_payload(i % BOARDS, i / BOARDS, streams);
	char *hub = sp_asprintf("%s/hub.db", argv[1]), *bare = sp_asprintf("%s/bare.db", argv[1]);
	const double events = (double)PAYLOADS * RECORDS;
	double bare_seconds = run_bare(bare, payloads);
	double hub_seconds = run_hub(hub, payloads);
	printf("%.0f events from %d boards, %d a batch, %d batches a COMMIT (WAL, FULL)\n\n", events, BOARDS,
	       RECORDS, BATCHES);
	printf("%-44s %10.0f events/s\n", "hub: decode, ledger, place, project, store", events / hub_seconds);
	printf("%-44s %10.0f events/s\n", "bare: insert the decoded rows", events / bare_seconds);
	printf("%-44s %10.2f\n", "ratio", bare_seconds / hub_seconds);
	for (unsigned i = 0; i < PAYLOADS; i++)
		free(payloads[i].bytes);
	free(payloads);
	free(hub);
	free(bare);
	return 0;
}
