// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which shards this ingest serves now, where several may stand over one database. A lease that its holder
// does not renew is taken over; that it was not renewed is judged by this program's own monotonic clock, so
// that no machine's wall clock matters. On the commit thread.
#include "tools/hub/ingest/ingest_priv.h"

#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

/// Its holder does the upkeep of the whole database.
#define UPKEEP_LEASE "*"

enum { PULSE_US = 5 * 1000 * 1000 };

static bool serves(const void *arg, const char *shard)
{
	const struct sp_ingest *ingest = arg;
	for (size_t i = 0; i < ingest->lease_count; i++) {
		if (strcmp(ingest->leases[i].shard, shard) == 0)
			return atomic_load(&ingest->leases[i].held);
	}
	return false;
}

void sp_leases_init(struct sp_ingest *ingest)
{
	const struct sp_strings *shards = &ingest->config->mqtt.shards;
	ingest->leased = sp_db_kind_of(ingest->config->hub.db) == SP_DB_POSTGRES;
	ingest->lease_count = shards->count + 1;
	ingest->leases = sp_alloc(ingest->lease_count * sizeof(*ingest->leases));
	sp_id_new(ingest->holder);
	for (size_t i = 0; i < ingest->lease_count; i++) {
		ingest->leases[i].shard = i < shards->count ? shards->items[i] : UPKEEP_LEASE;
		// A file has one ingest, by its lock.
		atomic_store(&ingest->leases[i].held, !ingest->leased);
	}
}

struct sp_shard_lease *sp_lease_of(struct sp_ingest *ingest, const char *shard)
{
	for (size_t i = 0; i < ingest->lease_count; i++) {
		if (strcmp(ingest->leases[i].shard, shard) == 0)
			return &ingest->leases[i];
	}
	return NULL;
}

size_t sp_leases_held(const struct sp_ingest *ingest)
{
	size_t held = 0;
	for (size_t i = 0; i < ingest->lease_count; i++)
		held += atomic_load(&ingest->leases[i].held);
	return held;
}

bool sp_leases_upkeep(const struct sp_ingest *ingest)
{
	return atomic_load(&ingest->leases[ingest->lease_count - 1].held);
}

static int64_t until_ms(const struct sp_ingest *ingest)
{
	return sp_clock_now().wall_ms + ingest->config->hub.lease_ms;
}

static void wake(struct sp_ingest *ingest)
{
	for (size_t i = 0; i < ingest->session_count; i++)
		sp_session_wake(&ingest->sessions[i]);
}

/// Free, released, or not renewed for as long as a lease lasts since it was first seen like that.
static bool may_take(const struct sp_ingest *ingest, struct sp_shard_lease *lease, const struct sp_lease *now)
{
	int64_t now_us = sp_clock_mono_us();
	if (lease->since_us == 0 || lease->seen.token != now->token ||
	    lease->seen.until_ms != now->until_ms) {
		lease->seen = *now;
		lease->since_us = now_us;
	}
	return now->token == 0 || now->until_ms == 0 ||
	       now_us - lease->since_us > ingest->config->hub.lease_ms * 1000;
}

static int try_one(struct sp_ingest *ingest, struct sp_shard_lease *lease, bool *taken)
{
	struct sp_lease now;
	int result = sp_store_lease_look(ingest->store, lease->shard, &now);
	*taken = false;
	if (result < 0 || !may_take(ingest, lease, &now))
		return result;
	result = sp_store_lease_take(ingest->store, lease->shard, ingest->holder, &now, until_ms(ingest));
	*taken = result == 1;
	return result < 0 ? result : 0;
}

static void took(const struct sp_shard_lease *lease)
{
	const char *how = lease->seen.token == 0      ? "nobody had it"
			  : lease->seen.until_ms == 0 ? "handed over"
						      : "its holder does not renew it";
	if (strcmp(lease->shard, UPKEEP_LEASE) != 0)
		sp_log_with(SP_LOG_INFO, "ingest", SP_LOG_FIELDS({"shard", lease->shard, 0}),
			    "shard %s is served from here now: %s", lease->shard, how);
}

int sp_leases_seek(struct sp_ingest *ingest)
{
	bool taken[SP_INGEST_LEASES_MAX] = {false}, any = false;
	const int64_t now_us = sp_clock_mono_us();
	if (!ingest->leased || sp_leases_held(ingest) == ingest->lease_count || !ingest->store ||
	    atomic_load(&ingest->stopping) ||
	    (ingest->sought_us && now_us - ingest->sought_us < SP_INGEST_LEASE_US))
		return 0;
	ingest->sought_us = now_us;
	sp_store_set_shards(ingest->store, serves, ingest);
	int result = sp_store_begin(ingest->store, sp_clock_now().wall_ms);
	for (size_t i = 0; result == 0 && i < ingest->lease_count; i++) {
		if (!atomic_load(&ingest->leases[i].held))
			result = try_one(ingest, &ingest->leases[i], &taken[i]);
	}
	if (result == 0)
		result = sp_store_commit(ingest->store);
	if (result < 0) {
		sp_warning("ingest", "cannot ask for shards: %s; trying again",
			   sp_store_error(ingest->store));
		sp_store_rollback(ingest->store);
		return result;
	}
	for (size_t i = 0; i < ingest->lease_count; i++) {
		if (!taken[i])
			continue;
		took(&ingest->leases[i]);
		// What is known of its boards may be older than what another ingest did to them.
		sp_store_forget(ingest->store);
		ingest->leases[i].since_us = 0;
		atomic_store(&ingest->leases[i].held, true);
		any = true;
	}
	if (any)
		wake(ingest);
	return 0;
}

static int find_lost(struct sp_ingest *ingest)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < ingest->lease_count; i++) {
		struct sp_shard_lease *lease = &ingest->leases[i];
		struct sp_lease now;
		if (!atomic_load(&lease->held))
			continue;
		result = sp_store_lease_look(ingest->store, lease->shard, &now);
		if (result < 0 || strcmp(now.holder, ingest->holder) == 0)
			continue;
		sp_log_with(SP_LOG_WARNING, "ingest", SP_LOG_FIELDS({"shard", lease->shard, 0}),
			    "shard %s was taken over by another ingest: nothing of it is written from here",
			    lease->shard);
		lease->since_us = 0;
		atomic_store(&lease->held, false);
	}
	sp_store_forget(ingest->store);
	wake(ingest);
	return result;
}

int sp_leases_renew(struct sp_ingest *ingest, const char *state)
{
	if (!ingest->leased)
		return sp_store_pulse(ingest->store, state);
	size_t held = sp_leases_held(ingest);
	if (held == 0)
		return 0;
	sp_store_set_shards(ingest->store, serves, ingest);
	int renewed = sp_store_lease_renew(ingest->store, ingest->holder, state, until_ms(ingest));
	return renewed < 0 || (size_t)renewed == held ? (renewed < 0 ? renewed : 0) : find_lost(ingest);
}

bool sp_leases_fresh(const struct sp_ingest *ingest)
{
	int64_t every_us = ingest->config->hub.lease_ms * 1000 / 4;
	return ingest->leased && ingest->store && ingest->renewed_us && !ingest->upkeep_more &&
	       sp_clock_mono_us() - ingest->renewed_us < (every_us < PULSE_US ? every_us : PULSE_US);
}

void sp_leases_release(struct sp_ingest *ingest)
{
	if (!ingest->leased || !ingest->store || sp_leases_held(ingest) == 0)
		return;
	int result = sp_store_begin(ingest->store, sp_clock_now().wall_ms);
	if (result == 0)
		result = sp_store_lease_release(ingest->store, ingest->holder);
	if (result == 0)
		result = sp_store_commit(ingest->store);
	if (result < 0)
		sp_warning("ingest", "cannot hand shards over: %s; they are taken over when their leases end",
			   sp_store_error(ingest->store));
	if (result < 0)
		sp_store_rollback(ingest->store);
}
