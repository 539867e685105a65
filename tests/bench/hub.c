// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How many events (stored rows) a second the hub takes into a store by its real path: decode, ledger, time,
// acknowledgements, COMMIT, with decoding beside the store as ingest does it, and without it. Beside it the
// limit: the same decoded rows into a like table, by the same COMMITs, with nothing else: for SQLite an
// insert loop, for PostgreSQL a staged COPY.
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/feed.h"
#include "agent/base/mem.h"
#include "agent/base/queue.h"
#include "tests/bench/hub_payload.h"
#include "tools/hub/db/db.h"
#include "tools/hub/store/store.h"

enum {
	BOARDS = 300,
	GROUP = 500, ///< messages per transaction, as ingest's
	MESSAGES = 12000,
	AHEAD = 2000, ///< decoded messages that may wait, as ingest's
	RUNS = 2,     ///< of each; the quicker one counts, since nobody has this machine alone
};
#define NOW_MS INT64_C(1767300000000)

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

// ---- decoding ---------------------------------------------------------------------------------

/// A decoded message under way to the store.
struct inbound {
	struct sp_queue_node node; ///< first
	const struct payload *payload;
	struct sp_feed_message message;
};

static struct inbound *decode(const struct payload *payload)
{
	struct inbound *in = sp_alloc(sizeof(*in));
	char why[128];
	in->payload = payload;
	if (sp_feed_envelope_decode(&in->message, payload->bytes, payload->length, SP_FEED_DEFLATED, why) !=
	    SP_FEED_OK)
		die("decode", why);
	return in;
}

static void dispose(struct inbound *in)
{
	sp_feed_message_free(&in->message);
	free(in);
}

/// Where the store gets its next message: from a thread that decodes beside it, or decoded before.
struct source {
	const struct payload *payloads;
	struct sp_queue *queue; ///< NULL: all of them are in `decoded`
	struct inbound **decoded;
	size_t at;
};

static void *decode_beside(void *arg)
{
	struct source *source = arg;
	const struct timespec moment = {.tv_nsec = 200000};
	for (size_t i = 0; i < MESSAGES; i++) {
		struct inbound *in = decode(&source->payloads[i]);
		while (sp_queue_push(source->queue, &in->node) < 0)
			nanosleep(&moment, NULL);
	}
	return NULL;
}

static struct inbound *next(struct source *source)
{
	if (source->queue)
		return (struct inbound *)sp_queue_pop(source->queue, -1);
	return source->decoded[source->at++];
}

static double run_decode(const struct payload *payloads, struct inbound **decoded)
{
	double start = now();
	for (size_t i = 0; i < MESSAGES; i++)
		decoded[i] = decode(&payloads[i]);
	return now() - start;
}

// ---- the hub's path ----------------------------------------------------------------------------

static void check(struct sp_store *store, int result, const char *what)
{
	if (result < 0)
		die(what, sp_store_error(store));
}

static void ingest_one(struct sp_store *store, const struct inbound *in)
{
	const struct sp_arrival arrival = {
	    .shard = "bench", .device = in->payload->device, .arrived_ms = in->payload->arrived_ms};
	enum sp_verdict verdict;
	check(store, sp_store_batch(store, &arrival, &in->message, &verdict), "batch");
	if (verdict != SP_VERDICT_STORED)
		die("batch", "not stored");
}

static double run_hub(const char *where, struct source *source)
{
	struct sp_store *store;
	struct sp_store_news news;
	char why[256], epoch[SP_ID_LENGTH + 1];
	size_t acks = 0;
	if (sp_store_open(&store, where, SP_STORE_WRITE, why) != 0)
		die(where, why);
	sp_id_new(epoch);
	check(store, sp_store_begin(store, NOW_MS), "begin");
	check(store, sp_store_epoch(store, epoch), "epoch");
	check(store, sp_store_commit(store), "commit");
	double start = now();
	pthread_t thread;
	if (source->queue && pthread_create(&thread, NULL, decode_beside, source) != 0)
		die("thread", "none");
	for (size_t i = 0; i < MESSAGES; i += GROUP) {
		check(store, sp_store_begin(store, NOW_MS + (int64_t)i), "begin");
		for (size_t j = i; j < i + GROUP && j < MESSAGES; j++) {
			struct inbound *in = next(source);
			ingest_one(store, in);
			if (source->queue)
				dispose(in);
		}
		check(store, sp_store_seal(store, false, &news), "seal");
		check(store, sp_store_commit(store), "commit");
		acks += news.ack_count;
		sp_store_news_free(&news);
	}
	double seconds = now() - start;
	if (source->queue)
		pthread_join(thread, NULL);
	if (acks == 0)
		die("acknowledgements", "none");
	sp_store_close(store);
	return seconds;
}

// ---- the limit: the same rows, already decoded, and nothing else ----------------------------------

static void must(struct sp_db *db, int result, const char *what)
{
	if (result < 0)
		die(what, sp_db_error(db));
}

static void insert_message(struct sp_db *db, struct sp_bulk *bulk, int64_t stream,
			   const struct sp_feed_message *message)
{
	for (size_t i = 0; i < message->count; i++) {
		const struct sp_feed_event *event = &message->events[i];
		const struct sp_arg row[] = {
		    I(stream),      I(event->seq),    T(event->type), T(event->device), I(event->mono_us),
		    I(event->t_ms), I(event->err_ms), I(1),           I(NOW_MS),        T(event->data)};
		must(db, sp_bulk_add(bulk, row, SP_COUNT(row)), "insert");
	}
}

static double run_bare(const char *where, struct inbound **decoded)
{
	struct sp_db *db;
	struct sp_bulk *bulk;
	char why[256];
	if (sp_db_open(&db, where, SP_DB_WRITE, why) != 0)
		die(where, why);
	must(db, sp_db_settle(db), "settle");
	must(db, sp_db_begin(db), "begin");
	must(db,
	     sp_sql_script(db, "CREATE TABLE bare(id {ID}, stream BIGINT NOT NULL, seq BIGINT NOT NULL,"
			       " type TEXT NOT NULL, instance TEXT NOT NULL, mono_us BIGINT NOT NULL,"
			       " t_ms BIGINT NOT NULL, err_ms BIGINT, placed INTEGER NOT NULL,"
			       " arrived_ms BIGINT NOT NULL, data TEXT NOT NULL, UNIQUE(stream, seq))"),
	     "create");
	must(db, sp_db_commit(db), "commit");
	must(db,
	     sp_bulk_open(db, "bare",
			  "stream, seq, type, instance, mono_us, t_ms, err_ms, placed, arrived_ms, data",
			  &bulk),
	     "bulk");
	double start = now();
	for (size_t i = 0; i < MESSAGES; i += GROUP) {
		must(db, sp_db_begin(db), "begin");
		for (size_t j = i; j < i + GROUP && j < MESSAGES; j++)
			insert_message(db, bulk, (int64_t)(j % BOARDS), &decoded[j]->message);
		must(db, sp_bulk_flush(bulk), "flush");
		must(db, sp_db_commit(db), "commit");
	}
	double seconds = now() - start;
	sp_bulk_close(bulk);
	must(db, sp_db_begin(db), "begin");
	must(db, sp_sql_script(db, "DROP TABLE bare"), "drop");
	must(db, sp_db_commit(db), "commit");
	sp_db_close(db);
	return seconds;
}

// ---- both ----------------------------------------------------------------------------------------

static void line(const char *what, double seconds)
{
	printf("  %-52s %10.0f events/s\n", what, (double)MESSAGES * BENCH_RECORDS / seconds);
}

static double quicker(double one, double other)
{
	return other > 0 && other < one ? other : one;
}

static int number;

/// WHERE has %d for the number of a database that is not used yet.
static char *fresh(const char *where)
{
	const char *place = strstr(where, "%d");
	if (!place)
		die(where, "has no %d");
	return sp_asprintf("%.*s%d%s", (int)(place - where), where, number++, place + 2);
}

static void compare(const char *where, const struct payload *payloads, struct inbound **decoded)
{
	double bare = 0, stored = 0, beside = 0;
	number = 0;
	for (int run = 0; run < RUNS; run++) {
		char *file = fresh(where);
		bare = quicker(run_bare(file, decoded), bare);
		free(file);
		struct source before = {.payloads = payloads, .decoded = decoded};
		stored = quicker(run_hub(file = fresh(where), &before), stored);
		free(file);
		struct source thread = {.payloads = payloads, .queue = sp_queue_new(AHEAD, NULL, NULL)};
		beside = quicker(run_hub(file = fresh(where), &thread), beside);
		free(file);
		sp_queue_free(thread.queue, NULL);
	}
	bool file = sp_db_kind_of(where) == SP_DB_SQLITE;
	printf("%s\n", file ? "SQLite (WAL, FULL)" : "PostgreSQL (fsync)");
	line("hub: decode beside ledger, place, store", beside);
	line("hub: ledger, place, store", stored);
	line(file ? "bare: an insert loop" : "bare: a staged COPY", bare);
	printf("  %-52s %10.2f\n", "ratio with decoding", bare / beside);
	printf("  %-52s %10.2f\n\n", "ratio without decoding", bare / stored);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: bench_hub DATABASE…    (each a path or postgresql://…, with %d for a number)\n",
		      stderr);
		return 2;
	}
	const struct bench_feed feed = bench_feed_new("board", BOARDS, MESSAGES, NOW_MS);
	struct payload *payloads = sp_alloc(MESSAGES * sizeof(*payloads));
	struct inbound **decoded = sp_alloc(MESSAGES * sizeof(struct inbound *));
	for (unsigned i = 0; i < MESSAGES; i++)
		payloads[i] = bench_payload(&feed, i);
	double decoding = run_decode(payloads, decoded);
	printf("%d events from %d boards, %d a message, %d messages a COMMIT\n\n", MESSAGES * BENCH_RECORDS,
	       BOARDS, BENCH_RECORDS, GROUP);
	line("decode alone", decoding);
	for (int i = 1; i < argc; i++)
		compare(argv[i], payloads, decoded);
	for (unsigned i = 0; i < MESSAGES; i++) {
		free(payloads[i].bytes);
		dispose(decoded[i]);
	}
	free(payloads);
	free(decoded);
	free(feed.streams);
	return 0;
}
