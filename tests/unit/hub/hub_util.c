// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board's words, made by the codec that boards use; what the store holds, by its own connection.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "agent/base/mem.h"

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

void hub_open(struct hub *hub)
{
	*hub = (struct hub){.dir = "/tmp/sp-hub-XXXXXX", .now_ms = NOW_MS};
	assert_non_null(mkdtemp(hub->dir));
	snprintf(hub->path, sizeof(hub->path), "%s/hub.db", hub->dir);
	open_store(hub);
}

void hub_reopen(struct hub *hub)
{
	sp_store_close(hub->store);
	open_store(hub);
}

void hub_close(struct hub *hub)
{
	sp_store_news_free(&hub->news);
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
	const struct sp_arrival arrival = {b.shard ? b.shard : "north", device, hub->now_ms, 0, b.retained};
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

static sqlite3 *connection(struct hub *hub)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(hub->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return stmt;
}

int64_t number_of(struct hub *hub, char *sql)
{
	sqlite3 *db = connection(hub);
	sqlite3_stmt *stmt = prepare(db, sql);
	int64_t value = -1;
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	free(sql);
	return value;
}

const char *gaps(struct hub *hub, const char *stream)
{
	static const char *const kinds[] = {"open", "lost", "dropped"};
	static char text[2048];
	size_t used = 0;
	sqlite3 *db = connection(hub);
	sqlite3_stmt *stmt =
	    prepare(db, "SELECT kind, g.first, g.last, reason FROM gap g JOIN stream s ON s.id ="
			" g.stream WHERE s.name = ? ORDER BY g.first");
	sqlite3_bind_text(stmt, 1, stream, -1, SQLITE_STATIC);
	text[0] = '\0';
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *reason = (const char *)sqlite3_column_text(stmt, 3);
		used +=
		    (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %lld-%lld%s%s", used ? ", " : "",
				     kinds[sqlite3_column_int(stmt, 0)], sqlite3_column_int64(stmt, 1),
				     sqlite3_column_int64(stmt, 2), *reason ? " " : "", reason);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
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
	sqlite3 *db = connection(hub);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
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

bool holds(struct hub *hub, const void *bytes, size_t length)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	bool found = false;
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
		 "INSERT INTO meta VALUES('register_rev', 1) ON CONFLICT DO UPDATE SET value = value + 1",
		 school, device);
	execute(hub, sql);
}
