// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How much that is new a board may make the hub keep. A row for each journal, boot, line and instance that a
// message names would let one board, or one that borrows names, fill the database with what it makes up. Only
// what is made for the first time costs a look here; what is known costs nothing.
#include <inttypes.h>
#include <stdio.h>

#include "tools/hub/store/store_priv.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

static const struct {
	const char *word, *what;
	int64_t every_ms; ///< 0: for ever
} table[SP_LIMITS] = {
    [SP_LIMIT_DEVICES] = {"too_many_devices", "boards that the register does not know, in an hour", HOUR_MS},
    [SP_LIMIT_STREAMS] = {"too_many_streams", "new streams of one board in a day", DAY_MS},
    [SP_LIMIT_BOOTS] = {"too_many_boots", "new boots of one board in a day", DAY_MS},
    [SP_LIMIT_LINES] = {"too_many_lines", "lines of one board", 0},
    [SP_LIMIT_INSTANCES] = {"too_many_instances", "instances of one board", 0},
    [SP_LIMIT_KIOSKS] = {"too_many_instances", "kiosks of one board", 0},
};

void sp_store_set_limits(struct sp_store *store, const struct sp_store_limits *limits)
{
	store->limits = *limits;
}

static int64_t most(const struct sp_store *store, enum sp_limit limit)
{
	switch (limit) {
	case SP_LIMIT_DEVICES:
		return store->limits.new_devices;
	case SP_LIMIT_STREAMS:
		return store->limits.streams;
	case SP_LIMIT_BOOTS:
		return store->limits.boots;
	case SP_LIMIT_LINES:
		return store->limits.lines;
	case SP_LIMIT_INSTANCES:
	case SP_LIMIT_KIOSKS:
		return store->limits.instances;
	}
	return 0;
}

int sp_limit_spend(struct sp_store *store, enum sp_limit limit, const char *owner)
{
	int64_t from_ms = store->now_ms, used = 0, every_ms = table[limit].every_ms;
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT from_ms, used FROM allowance WHERE kind = ? AND owner = ?", I(limit),
		      T(owner));
	int result = sp_rows_next(store->db, rows);
	if (result < 0)
		return result;
	if (result == 1) {
		int64_t since_ms = store->now_ms - sp_row_int(rows, 0, 0);
		// A clock that was set back begins anew, too.
		if (every_ms == 0 || (since_ms >= 0 && since_ms < every_ms)) {
			from_ms = sp_row_int(rows, 0, 0);
			used = sp_row_int(rows, 1, 0);
		}
		sp_rows_leave(rows);
	}
	if (used >= most(store, limit)) {
		store->limit = limit;
		return -EDQUOT;
	}
	return SQL_DO(store->db,
		      "INSERT INTO allowance VALUES(?1, ?2, ?3, ?4) ON CONFLICT (kind, owner) DO UPDATE SET"
		      " from_ms = ?3, used = ?4",
		      I(limit), T(owner), I(from_ms), I(used + 1));
}

int sp_limit_spend_of(struct sp_store *store, enum sp_limit limit, int64_t device)
{
	char owner[24];
	snprintf(owner, sizeof(owner), "%" PRId64, device);
	return sp_limit_spend(store, limit, owner);
}

int sp_limit_refused(struct sp_store *store, const char *device, const char *about)
{
	char why[128];
	snprintf(why, sizeof(why), "more than %" PRId64 " %s", most(store, store->limit),
		 table[store->limit].what);
	// Names that somebody makes up are not worth a row each.
	return sp_store_set_aside(store, table[store->limit].word,
				  store->limit == SP_LIMIT_DEVICES ? "*" : device, about, why, 1);
}
