// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A hub's store under test, and a board that says whatever a test wants, through the real codec.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/base/mem.h"
#include "tools/hub/store/store.h"

struct sp_db;

#define HOUR_MS INT64_C(3600000)
#define SEC_US  INT64_C(1000000)
/// 2026-11-21 10:00:00 +07:00
#define NOW_MS INT64_C(1795230000000)

#define BOOT_1 "11111111-1111-4111-8111-111111111111"
#define BOOT_2 "22222222-2222-4222-8222-222222222222"
#define BOOT_3 "33333333-3333-4333-8333-333333333333"

/// 26 characters each.
#define STREAM_1 "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define STREAM_2 "bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define STREAM_3 "cccccccccccccccccccccccccc"
#define STREAM_4 "dddddddddddddddddddddddddd"
#define EPOCH    "eeeeeeeeeeeeeeeeeeeeeeeeee"

struct hub {
	char dir[64], path[256];
	char schema[48]; ///< on the server; "" when it is a file
	struct sp_store *store;
	int64_t now_ms;
	struct sp_store_news news; ///< of the last delivery
	bool at_once;              ///< within one transaction, since begin_many()
};

/// Of the server that SP_TEST_POSTGRES names, or SQLite in a file when it is not set.
bool hub_is_postgres(void);
void hub_open(struct hub *hub); ///< a fresh folder and database, with EPOCH
void hub_close(struct hub *hub);
void hub_reopen(struct hub *hub);
/// A copy of the database as it is, and its return; no store is open then.
void hub_keep(struct hub *hub);
void hub_restore(struct hub *hub);

/// One envelope. Zero means the default in brackets.
struct envelope {
	const char *device;           ///< [board-1]
	const char *shard;            ///< of the topic [north]
	const char *stream;           ///< [STREAM_1]
	enum sp_record_class cls;     ///< [facts]
	const char *boot;             ///< [BOOT_1]
	int64_t first, last;          ///< [1, first]
	const char *prev;             ///< of the `opened` record: its stream [null]
	int64_t prev_last;            ///< and its last seq
	bool set_aside;               ///< in `opened`
	const char *records;          ///< the whole list of records instead of made-up ones
	int64_t mono_us;              ///< of the first made-up record [10 s]; each next one is a second later
	int64_t t_ms, err_ms;         ///< of the first made-up record [not there]
	const char *digest;           ///< [of first and last]
	const char *clk_boot;         ///< [boot]
	int64_t clk_mono_us;          ///< [that of the last record + 1 s]
	bool synced;                  ///< the sender's clock
	int64_t clk_t_ms, clk_err_ms; ///< of the sender's clock
	int64_t arrived_ms, lag_ms;   ///< [hub->now_ms]
	int64_t redacted;
};
/// One transaction: begin, batch, seal, commit.
enum sp_verdict deliver(struct hub *hub, struct envelope envelope);
/// What is delivered between them is one transaction: for many messages.
void begin_many(struct hub *hub);
void end_many(struct hub *hub);
#define DELIVER(hub, ...) deliver((hub), (struct envelope){__VA_ARGS__})

/// A birth (or stop) of `device` that holds what `held` lists.
struct birth {
	const char *device;  ///< [board-1]
	const char *shard;   ///< of the topic [north]
	const char *session; ///< [STREAM_4]
	const char *boot;    ///< [BOOT_1]
	const char *epoch;   ///< [EPOCH]; "": none heard
	enum sp_feed_presence presence;
	int64_t mono_us; ///< [20 s]
	bool synced, retained;
	int64_t t_ms;
	int64_t lag_ms; ///< as long as it may have lain in the broker
	struct held {
		const char *stream;
		enum sp_record_class cls;
		int64_t oldest, newest;
	} held[4];
	size_t held_count;
};
void born(struct hub *hub, struct birth birth);
#define BORN(hub, ...) born((hub), (struct birth){__VA_ARGS__})

/// The acknowledgement of the last delivery for a stream, as "5" or "5 7-9 12-12"; "" when there is none.
const char *acked(struct hub *hub, const char *stream);

/// A second connection; sp_db_close() it.
struct sp_db *hub_connection(struct hub *hub);
/// What it sees: the first column of the first row; -1 when there is no row.
#define number(hub, ...) number_of((hub), sp_asprintf(__VA_ARGS__))
int64_t number_of(struct hub *hub, char *sql); ///< frees it
/// The gaps of a stream as "open 3-5, lost 7-9 forgotten"; a static buffer.
const char *gaps(struct hub *hub, const char *stream);
/// How often an anomaly was seen on a stream ("" for the device).
int64_t anomalies(struct hub *hub, const char *kind, const char *stream);
void execute(struct hub *hub, const char *sql);
/// Does the database file, or what stands beside it, hold these bytes? On a server: any row.
bool holds(struct hub *hub, const void *bytes, size_t length);
/// Replaces the register by this CSV text.
void register_csv(struct hub *hub, const char *csv);
/// Registers line "main" of a school at shard "north" with that board.
void enter(struct hub *hub, const char *school, const char *device);
