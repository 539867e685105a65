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
#include "tools/hub/db/db.h"
#include "tools/hub/store/store.h"

enum {
	BOARDS = 300,
	RECORDS = 20, ///< per message
	GROUP = 500,  ///< messages per transaction, as ingest's
	MESSAGES = 12000,
	AHEAD = 2000, ///< decoded messages that may wait, as ingest's
	RUNS = 2,     ///< of each; the quicker one counts, since nobody has this machine alone
};
#define NOW_MS INT64_C(1767300000000)

struct payload {
	char *bytes, *type;
	size_t length;
	char device[33], stream[SP_ID_LENGTH + 1];
	int64_t arrived_ms;
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

static double noise(double least, double width)
{
	static uint64_t state = 88172645463325252U;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return least + width * (double)(state >> 40) / (double)(1 << 24);
}

/// What a board measures in a window: the ordinary record of the feed.
static void add_samples(struct sp_buf *batch, int64_t seq, const struct sp_clock_reading *when)
{
	struct sp_field windows[2][4];
	for (int i = 0; i < 2; i++) {
		windows[i][0] = SP_INT("", 30);
		windows[i][1] = SP_REAL("", (double)(int)noise(1000, 2000) / 1e6);
		windows[i][2] = SP_REAL("", (double)(int)noise(3000, 5000) / 1e6);
		windows[i][3] = SP_REAL("", (double)(int)noise(9000, 30000) / 1e6);
	}
	const struct sp_field target[] = {SP_LIST("domestic", windows[0], 4),
					  SP_LIST("gateway", windows[1], 4)};
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

/// A board that was away and is back: its records are minutes apart, and all of them are sent now.
static struct payload make_payload(unsigned number, char streams[][SP_ID_LENGTH + 1])
{
	const unsigned board = number % BOARDS, round = number / BOARDS;
	const int64_t first = (int64_t)round * RECORDS + 1, total = (int64_t)MESSAGES / BOARDS * RECORDS;
	struct payload out = {.arrived_ms = NOW_MS + number};
	snprintf(out.device, sizeof(out.device), "board-%u", board);
	strcpy(out.stream, streams[board]);
	struct sp_buf batch = SP_BUF(SP_FEED_INFLATED_MAX), wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	const int64_t sent_us = (total + 2) * 60000000 + (int64_t)number * 1000;
	const struct sp_clock_reading sent = {
	    .synced = true, .mono_us = sent_us, .wall_ms = out.arrived_ms, .err_ms = 20};
	for (int64_t seq = first; seq < first + RECORDS; seq++) {
		struct sp_clock_reading when = {.synced = true, .mono_us = seq * 60000000, .err_ms = 20};
		when.wall_ms = NOW_MS - ((total + 2) * 60000000 - when.mono_us) / 1000;
		if (seq == 1)
			add_opened(&batch, &when);
		else
			add_samples(&batch, seq, &when);
	}
	sp_buf_text(&batch, "]");
	struct sp_feed_envelope envelope = {.cls = SP_RECORD_BULK, .clk = sent};
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
	printf("  %-52s %10.0f events/s\n", what, (double)MESSAGES * RECORDS / seconds);
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
	static char streams[BOARDS][SP_ID_LENGTH + 1];
	struct payload *payloads = sp_alloc(MESSAGES * sizeof(*payloads));
	struct inbound **decoded = sp_alloc(MESSAGES * sizeof(struct inbound *));
	for (unsigned i = 0; i < BOARDS; i++)
		sp_id_new(streams[i]);
	for (unsigned i = 0; i < MESSAGES; i++)
		payloads[i] = make_payload(i, streams);
	double decoding = run_decode(payloads, decoded);
	printf("%d events from %d boards, %d a message, %d messages a COMMIT\n\n", MESSAGES * RECORDS, BOARDS,
	       RECORDS, GROUP);
	line("decode alone", decoding);
	for (int i = 1; i < argc; i++)
		compare(argv[i], payloads, decoded);
	for (unsigned i = 0; i < MESSAGES; i++) {
		free(payloads[i].bytes);
		dispose(decoded[i]);
	}
	free(payloads);
	free(decoded);
	return 0;
}
