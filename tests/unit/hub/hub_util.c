// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board's words, made by the codec that boards use; what the store holds, by its own connection.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tools/hub/db/db.h"

// ---- the store ------------------------------------------------------------------------------------

static void open_store(struct hub *hub)
{
	char why[256] = "";
	if (sp_store_open(&hub->store, hub->path, SP_STORE_WRITE, why) != 0)
		fail_msg("%s", why);
	assert_int_equal(sp_store_begin(hub->store, hub->now_ms), 0);
	assert_int_equal(sp_store_epoch(hub->store, EPOCH), 0);
	assert_int_equal(sp_store_commit(hub->store), 0);
}

bool hub_is_postgres(void)
{
	return getenv("SP_TEST_POSTGRES") != NULL;
}

static void at_server(const char *sql)
{
	struct sp_db *db;
	char why[256] = "";
	if (sp_db_open(&db, getenv("SP_TEST_POSTGRES"), SP_DB_WRITE, why) != 0)
		fail_msg("%s", why);
	if (sp_sql_script(db, sql) != 0)
		fail_msg("%s: %s", sql, sp_db_error(db));
	sp_db_close(db);
}

/// A schema of its own on the server that runs for the tests: quicker than a database.
static void make_schema(struct hub *hub)
{
	static int made;
	char sql[128];
	snprintf(hub->schema, sizeof(hub->schema), "hub_%d_%d", (int)getpid(), ++made);
	snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", hub->schema);
	at_server(sql);
	assert_true(snprintf(hub->path, sizeof(hub->path), "%s&options=-csearch_path%%3D%s",
			     getenv("SP_TEST_POSTGRES"), hub->schema) < (int)sizeof(hub->path));
}

void hub_open(struct hub *hub)
{
	*hub = (struct hub){.dir = "/tmp/sp-hub-XXXXXX", .now_ms = NOW_MS};
	assert_non_null(mkdtemp(hub->dir));
	if (hub_is_postgres())
		make_schema(hub);
	else
		snprintf(hub->path, sizeof(hub->path), "%s/hub.db", hub->dir);
	open_store(hub);
}

void hub_reopen(struct hub *hub)
{
	sp_store_close(hub->store);
	open_store(hub);
}

/// Frees it.
static void shell(char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
	free(command);
}

void hub_keep(struct hub *hub)
{
	const char *p = hub->path;
	if (hub->schema[0])
		shell(sp_asprintf("pg_dump -n %s -f %s/old.sql '%s'", hub->schema, hub->dir, p));
	else
		shell(sp_asprintf("cp %s %s.old && cp %s-wal %s.old-wal", p, p, p, p));
}

void hub_restore(struct hub *hub)
{
	const char *p = hub->path, *schema = hub->schema;
	if (*schema)
		shell(sp_asprintf(
		    "psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -c 'SET client_min_messages = error'"
		    " -c 'DROP SCHEMA %s CASCADE' -f %s/old.sql '%s'",
		    schema, hub->dir, p));
	else
		shell(sp_asprintf("rm %s; mv %s.old %s && mv %s.old-wal %s-wal; rm -f %s-shm", p, p, p, p, p,
				  p));
}

void hub_close(struct hub *hub)
{
	sp_store_news_free(&hub->news);
	// A schema goes with its database, behind the last test.
	sp_store_close(hub->store);
	char *command = sp_asprintf("rm -rf %s", hub->dir);
	assert_int_equal(system(command), 0);
	free(command);
}

// ---- envelopes ------------------------------------------------------------------------------------

#define DEFAULT(member, value) e->member = e->member ? e->member : (value)

static void defaults(const struct hub *hub, struct envelope *e)
{
	DEFAULT(device, "board-1");
	DEFAULT(shard, "north");
	DEFAULT(stream, STREAM_1);
	DEFAULT(boot, BOOT_1);
	DEFAULT(first, 1);
	DEFAULT(last, e->first);
	DEFAULT(mono_us, 10 * SEC_US);
	DEFAULT(clk_boot, e->boot);
	DEFAULT(clk_mono_us, e->mono_us + (e->last - e->first + 1) * SEC_US);
	DEFAULT(arrived_ms, hub->now_ms);
}

static void opened(struct sp_buf *out, const struct envelope *e)
{
	sp_buf_printf(out, "\"type\":\"opened\",\"class\":\"%s\",\"set_aside\":%s,\"prev\":",
		      sp_record_class_name(e->cls), e->set_aside ? "true" : "false");
	if (e->prev)
		sp_buf_printf(out, "{\"stream\":\"%s\",\"last\":%" PRId64 "}", e->prev, e->prev_last);
	else
		sp_buf_text(out, "null");
}

static void records(struct sp_buf *out, const struct envelope *e)
{
	if (e->records) {
		sp_buf_text(out, e->records);
		return;
	}
	for (int64_t seq = e->first; seq <= e->last; seq++) {
		int64_t after = seq - e->first;
		sp_buf_printf(out, "%s{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",", after ? "," : "[", seq,
			      e->mono_us + after * SEC_US);
		if (e->t_ms)
			sp_buf_printf(out, "\"t_ms\":%" PRId64 ",\"err_ms\":%" PRId64 ",",
				      e->t_ms + after * 1000, e->err_ms);
		if (seq == 1)
			opened(out, e);
		else
			sp_buf_text(out, "\"type\":\"clock\",\"event\":\"hourly\"");
		sp_buf_text(out, "}");
	}
	sp_buf_text(out, "]");
}

static void decode(const struct envelope *e, struct sp_feed_message *message)
{
	struct sp_buf text = SP_BUF(SP_FEED_INFLATED_MAX), wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	struct sp_feed_envelope envelope = {.cls = e->cls,
					    .redacted = e->redacted,
					    .clk = {.mono_us = e->clk_mono_us,
						    .synced = e->synced,
						    .wall_ms = e->clk_t_ms,
						    .err_ms = e->clk_err_ms}};
	char why[128] = "";
	snprintf(envelope.device, sizeof(envelope.device), "%s", e->device);
	snprintf(envelope.stream, sizeof(envelope.stream), "%s", e->stream);
	snprintf(envelope.boot, sizeof(envelope.boot), "%s", e->boot);
	snprintf(envelope.clk_boot, sizeof(envelope.clk_boot), "%s", e->clk_boot);
	if (e->digest)
		snprintf(envelope.digest, sizeof(envelope.digest), "%s", e->digest);
	else
		snprintf(envelope.digest, sizeof(envelope.digest), "%016" PRIx64 "%016" PRIx64, e->first,
			 e->last);
	records(&text, e);
	assert_int_equal(sp_feed_envelope_encode(&wire, &envelope, text.data, false), 0);
	if (sp_feed_envelope_decode(message, wire.data, wire.length, SP_FEED_JSON, why) != SP_FEED_OK)
		fail_msg("%s: %s", why, wire.data);
	sp_buf_free(&text);
	sp_buf_free(&wire);
}

static void seal(struct hub *hub)
{
	sp_store_news_free(&hub->news);
	assert_int_equal(sp_store_seal(hub->store, false, &hub->news), 0);
	assert_int_equal(sp_store_commit(hub->store), 0);
}

enum sp_verdict deliver(struct hub *hub, struct envelope envelope)
{
	struct sp_feed_message message;
	enum sp_verdict verdict;
	defaults(hub, &envelope);
	const struct sp_arrival arrival = {envelope.shard, envelope.device, envelope.arrived_ms,
					   envelope.lag_ms, false};
	decode(&envelope, &message);
	if (!hub->at_once)
		assert_int_equal(sp_store_begin(hub->store, hub->now_ms), 0);
	if (sp_store_batch(hub->store, &arrival, &message, &verdict) != 0)
		fail_msg("%s", sp_store_error(hub->store));
	if (!hub->at_once)
		seal(hub);
	sp_feed_message_free(&message);
	return verdict;
}

void begin_many(struct hub *hub)
{
	assert_int_equal(sp_store_begin(hub->store, hub->now_ms), 0);
	hub->at_once = true;
}

void end_many(struct hub *hub)
{
	hub->at_once = false;
	seal(hub);
}

void born(struct hub *hub, struct birth b)
{
	struct sp_feed_state *state = sp_alloc(sizeof(*state));
	const char *device = b.device ? b.device : "board-1";
	const struct sp_arrival arrival = {b.shard ? b.shard : "north", device, hub->now_ms, b.lag_ms,
					   b.retained};
	snprintf(state->device, sizeof(state->device), "%s", device);
	snprintf(state->session, sizeof(state->session), "%s", b.session ? b.session : STREAM_4);
	snprintf(state->boot, sizeof(state->boot), "%s", b.boot ? b.boot : BOOT_1);
	snprintf(state->version, sizeof(state->version), "0.1.0");
	snprintf(state->hub_epoch, sizeof(state->hub_epoch), "%s", b.epoch ? b.epoch : EPOCH);
	state->presence = b.presence;
	state->clk = (struct sp_clock_reading){.mono_us = b.mono_us ? b.mono_us : 20 * SEC_US,
					       .synced = b.synced,
					       .wall_ms = b.t_ms,
					       .err_ms = 10};
	state->held_count = b.held_count;
	for (size_t i = 0; i < b.held_count; i++) {
		struct sp_feed_held *out = &state->held[i];
		*out = (struct sp_feed_held){
		    .cls = b.held[i].cls, .oldest = b.held[i].oldest, .newest = b.held[i].newest};
		snprintf(out->stream, sizeof(out->stream), "%s", b.held[i].stream);
	}
	assert_int_equal(sp_store_begin(hub->store, hub->now_ms), 0);
	if (sp_store_state(hub->store, &arrival, state) != 0)
		fail_msg("%s", sp_store_error(hub->store));
	seal(hub);
	free(state);
}

const char *acked(struct hub *hub, const char *stream)
{
	static char text[2048];
	text[0] = '\0';
	for (size_t i = 0; i < hub->news.ack_count; i++) {
		const struct sp_feed_ack *ack = &hub->news.acks[i].ack;
		if (strcmp(ack->stream, stream) != 0)
			continue;
		assert_string_equal(ack->hub_epoch, EPOCH);
		size_t used = (size_t)snprintf(text, sizeof(text), "%" PRId64, ack->upto);
		for (size_t j = 0; j < ack->have_count; j++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %" PRId64 "-%" PRId64,
						 ack->have[j].from, ack->have[j].to);
	}
	return text;
}

// ---- what a second connection sees ----------------------------------------------------------------------

struct sp_db *hub_connection(struct hub *hub)
{
	struct sp_db *db;
	char why[256] = "";
	if (sp_db_open(&db, hub->path, SP_DB_WRITE, why) != 0)
		fail_msg("%s", why);
	return db;
}

int64_t number_of(struct hub *hub, char *sql)
{
	struct sp_db *db = hub_connection(hub);
	struct sp_rows *rows = sp_sql_once(db, sql);
	int result = sp_rows_next(db, rows);
	int64_t value = -1;
	if (result < 0)
		fail_msg("%s: %s", sql, sp_db_error(db));
	if (result == 1) {
		value = sp_row_int(rows, 0, -1);
		sp_rows_leave(rows);
	}
	sp_db_close(db);
	free(sql);
	return value;
}

const char *gaps(struct hub *hub, const char *stream)
{
	static const char *const kinds[] = {"open", "lost", "dropped"};
	static char text[2048];
	size_t used = 0;
	struct sp_db *db = hub_connection(hub);
	struct sp_rows *rows = SQL_QUERY(db,
					 "SELECT kind, g.first, g.last, reason FROM gap g JOIN stream s ON"
					 " s.id = g.stream WHERE s.name = ? ORDER BY g.first",
					 T(stream));
	text[0] = '\0';
	while (sp_rows_next(db, rows) == 1) {
		const char *reason = sp_row_text(rows, 3);
		used +=
		    (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %" PRId64 "-%" PRId64 "%s%s",
				     used ? ", " : "", kinds[sp_row_int(rows, 0, 0)], sp_row_int(rows, 1, -1),
				     sp_row_int(rows, 2, -1), *reason ? " " : "", reason);
	}
	sp_db_close(db);
	return text;
}

int64_t anomalies(struct hub *hub, const char *kind, const char *stream)
{
	int64_t count =
	    number(hub,
		   "SELECT sum(a.count) FROM anomaly a LEFT JOIN stream s ON s.id = a.stream WHERE"
		   " a.kind = '%s' AND coalesce(s.name, '') = '%s'",
		   kind, stream);
	return count < 0 ? 0 : count;
}

void execute(struct hub *hub, const char *sql)
{
	struct sp_db *db = hub_connection(hub);
	if (sp_sql_script(db, sql) != 0)
		fail_msg("%s: %s", sql, sp_db_error(db));
	sp_db_close(db);
}

static bool file_holds(const char *path, const void *bytes, size_t length)
{
	struct sp_buf all = SP_BUF(256 * 1024 * 1024);
	char chunk[64 * 1024];
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		sp_buf_add(&all, chunk, n);
	fclose(file);
	bool found = all.length > 0 && memmem(all.data, all.length, bytes, length);
	sp_buf_free(&all);
	return found;
}

/// In any row of any table, as text or as bytes.
static bool server_holds(struct hub *hub, const unsigned char *bytes, size_t length)
{
	struct sp_db *db = hub_connection(hub);
	struct sp_rows *rows = SQL_QUERY(db, "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND"
					     " relnamespace = current_schema()::regnamespace");
	struct sp_buf hex = SP_BUF(4096);
	bool found = false;
	for (size_t i = 0; i < length; i++)
		sp_buf_printf(&hex, "%02x", bytes[i]);
	while (sp_rows_next(db, rows) == 1) {
		char *sql = sp_asprintf("SELECT EXISTS(SELECT 1 FROM %s t WHERE strpos(t::text, '%s') > 0 OR"
					" strpos(encode(convert_to(t::text, 'UTF8'), 'hex'), '%s') > 0)",
					sp_row_text(rows, 0), hex.data, hex.data);
		struct sp_rows *any = sp_sql_once(db, sql);
		if (sp_rows_next(db, any) != 1)
			fail_msg("%s: %s", sql, sp_db_error(db));
		found |= sp_row_int(any, 0, 0) != 0;
		sp_rows_leave(any);
		free(sql);
	}
	sp_buf_free(&hex);
	sp_db_close(db);
	return found;
}

bool holds(struct hub *hub, const void *bytes, size_t length)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	bool found = false;
	if (hub_is_postgres())
		return server_holds(hub, bytes, length);
	for (size_t i = 0; i < SP_COUNT(suffixes); i++) {
		char *path = sp_asprintf("%s%s", hub->path, suffixes[i]);
		found |= file_holds(path, bytes, length);
		free(path);
	}
	return found;
}

void register_csv(struct hub *hub, const char *csv)
{
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	struct sp_store_import done;
	if (sp_register_parse(&reg, "r.csv", csv, strlen(csv), &errors) != 0)
		fail_msg("%s", errors.lines[0]);
	assert_int_equal(sp_store_import(hub->store, &reg, false, hub->now_ms, &done), 0);
	sp_register_free(&reg);
}

void enter(struct hub *hub, const char *school, const char *device)
{
	char sql[512];
	snprintf(sql, sizeof(sql),
		 "INSERT INTO register VALUES('%s', 's', 'main', 'a', 'n', '', '', '', NULL, NULL, '', '', "
		 "'%s', 'north');"
		 "INSERT INTO meta VALUES('register_rev', '1') ON CONFLICT (key) DO UPDATE SET"
		 " value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)",
		 school, device);
	execute(hub, sql);
}
