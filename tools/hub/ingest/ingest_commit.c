// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The commit thread: groups of messages into the store, one transaction each; what is to be told is
// told after COMMIT. A store that fails is tried again for as long as it takes, with the same group,
// and nothing is acknowledged meanwhile.
#include "tools/hub/ingest/ingest_priv.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/hub/db/db.h"
#include "tools/hub/ops/counters.h"

enum {
	PULSE_US = 5 * 1000 * 1000,
	UPKEEP_US = 20 * 1000, ///< between two steps, when nothing comes
	RETRY_MS = 1000,
	LAST_RETRIES = 5, ///< once the end has come
};

struct group {
	struct sp_inbound *items[SP_INGEST_GROUP_MAX];
	size_t count;
	size_t events;
	bool all_sites, stop;
};

/// Facts first, but for a part of the group that samples get when they wait, so that they come through, too.
static struct sp_inbound *next(struct sp_ingest *ingest, size_t taken)
{
	struct sp_queue_node *node = NULL;
	bool bulk_first = taken >= SP_INGEST_GROUP_FACTS && !atomic_load(&ingest->stopping);
	for (int i = 0; !node && i < SP_LANES; i++)
		node = sp_queue_pop(ingest->in[bulk_first ? SP_LANES - 1 - i : i].queue, 0);
	return (struct sp_inbound *)node;
}

/// NULL when nothing came for so long.
static struct sp_inbound *wait_next(struct sp_ingest *ingest, size_t taken, int64_t until_us)
{
	struct sp_inbound *in;
	while (!(in = next(ingest, taken))) {
		int64_t left_us = until_us - sp_clock_mono_us();
		struct pollfd p = {.fd = ingest->in_fd, .events = POLLIN};
		uint64_t count;
		if (left_us <= 0 || (poll(&p, 1, (int)(left_us / 1000) + 1) < 0 && errno != EINTR))
			return NULL;
		if ((p.revents & POLLIN) && read(ingest->in_fd, &count, sizeof(count)) < 0)
			sp_debug("ingest", "wake: %s", strerror(errno));
	}
	return in;
}

/// How long it may wait when nothing comes: shards are sought and renewed, and old things deleted, in
/// between.
static int64_t idle_us(const struct sp_ingest *ingest)
{
	if (ingest->upkeep_more)
		return UPKEEP_US;
	return ingest->leased ? SP_INGEST_LEASE_US : PULSE_US;
}

/// A flood of what cannot be read costs one row of each fault and board, not a row each.
static void join_alike(const struct group *group, struct sp_inbound *in)
{
	for (size_t i = 0; in->kind == SP_INBOUND_ASIDE && !in->told && i < group->count; i++) {
		struct sp_inbound *first = group->items[i];
		if (first->kind != SP_INBOUND_ASIDE || first->told || first->fault != in->fault ||
		    strcmp(first->device, in->device) != 0 || strcmp(first->shard, in->shard) != 0)
			continue;
		first->alike++;
		memcpy(first->topic, in->topic, sizeof(first->topic));
		memcpy(first->why, in->why, sizeof(first->why));
		in->told = true;
	}
}

/// Until the group is full or its first message has waited long enough; an empty one is a pulse.
static void gather(struct sp_ingest *ingest, struct group *group)
{
	int64_t until = sp_clock_mono_us() + idle_us(ingest);
	while (group->count < SP_INGEST_GROUP_MAX && group->events < SP_INGEST_GROUP_EVENTS && !group->stop) {
		struct sp_inbound *in = wait_next(ingest, group->count, until);
		if (!in)
			return;
		if (group->count == 0)
			until = sp_clock_mono_us() + SP_INGEST_GROUP_US;
		join_alike(group, in);
		group->items[group->count++] = in;
		group->events += in->message.count;
		group->all_sites |= in->kind == SP_INBOUND_CONNECTED;
		group->stop = in->kind == SP_INBOUND_STOP;
	}
}

static int apply_one(struct sp_ingest *ingest, struct sp_inbound *in)
{
	const struct sp_arrival arrival = {in->shard, in->device, in->arrived_ms, in->lag_ms, in->retained};
	int result;
	// Its new holder hears it, too, or hears it again.
	if (in->lease && !atomic_load(&in->lease->held))
		return 0;
	switch (in->kind) {
	case SP_INBOUND_BATCH:
		result = sp_store_batch(ingest->store, &arrival, &in->message, &in->verdict);
		if (result == 0 && in->verdict == SP_VERDICT_CONFLICT)
			sp_log_with(SP_LOG_WARNING, "ingest",
				    SP_LOG_FIELDS({"shard", in->shard, 0}, {"device", in->device, 0},
						  {"records", NULL, (int64_t)in->message.count}),
				    "%s: a batch of stream %s contradicts what is stored: not taken",
				    in->device, in->message.envelope.stream);
		if (result == 0 && in->verdict == SP_VERDICT_FOREIGN)
			sp_log_with(SP_LOG_WARNING, "ingest",
				    SP_LOG_FIELDS({"shard", in->shard, 0}, {"device", in->device, 0},
						  {"records", NULL, (int64_t)in->message.count}),
				    "%s belongs to another shard than %s: a batch is set aside", in->device,
				    in->shard);
		return result;
	case SP_INBOUND_STATE:
		return sp_store_state(ingest->store, &arrival, in->state);
	case SP_INBOUND_ASIDE:
		sp_log_with(SP_LOG_INFO, "ingest",
			    SP_LOG_FIELDS({"shard", in->shard, 0}, {"device", in->device, 0},
					  {"fault", sp_feed_fault_name(in->fault), 0}),
			    "set aside (%s) from %s: %s", sp_feed_fault_name(in->fault), in->topic, in->why);
		if (in->told)
			return 0;
		return sp_store_set_aside(ingest->store, sp_feed_fault_name(in->fault), in->device, in->topic,
					  in->why, 1 + in->alike);
	case SP_INBOUND_CONNECTED:
	case SP_INBOUND_STOP:
		return 0;
	}
	return 0;
}

static const char *pulse_of(const struct sp_ingest *ingest, const struct group *group)
{
	if (group->stop)
		return "stopped";
	size_t wanted = 0;
	for (size_t i = 0; i < ingest->session_count; i++)
		wanted += atomic_load(&ingest->sessions[i].lease->held);
	return (size_t)atomic_load(&ingest->connected) >= wanted ? "running" : "disconnected";
}

/// What was acknowledged from the database that is gone is not in the one that is there now: a new
/// epoch asks the boards for all that they hold.
static void let_go(struct sp_ingest *ingest)
{
	sp_store_close(ingest->store);
	ingest->store = NULL;
	ingest->moved = true;
	ingest->epoch_written = false;
	pthread_mutex_lock(&ingest->epoch_lock);
	sp_id_new(ingest->epoch);
	pthread_mutex_unlock(&ingest->epoch_lock);
}

static int apply(struct sp_ingest *ingest, const struct group *group, struct sp_store_news *news)
{
	const struct sp_waiting waiting = sp_ingest_waiting(ingest);
	char why[256];
	int result = 0;
	// One that was moved away is not made anew: somebody may be about to put another in its place.
	if (!ingest->store && ingest->moved && access(ingest->config->hub.db, F_OK) < 0) {
		sp_err("ingest", "%s is gone; waiting for it",
		       sp_db_shown(ingest->config->hub.db, (char[SP_DB_SHOWN]){0}));
		return -ENOENT;
	}
	if (!ingest->store)
		result = sp_store_open(&ingest->store, ingest->config->hub.db, SP_STORE_WRITE, why);
	if (result < 0) {
		sp_err("ingest", "%s: %s; trying again until it works",
		       sp_db_shown(ingest->config->hub.db, (char[SP_DB_SHOWN]){0}), why);
		return result;
	}
	sp_store_set_silence(ingest->store, ingest->config->hub.silence_ms);
	sp_store_set_attendance_days(ingest->store, ingest->config->hub.attendance_days);
	sp_store_set_limits(ingest->store, &ingest->config->limits);
	result = sp_store_begin(ingest->store, sp_clock_now().wall_ms);
	if (result == 0 && !ingest->epoch_written)
		result = sp_store_epoch(ingest->store, ingest->epoch);
	if (result == 0)
		result = sp_leases_renew(ingest, pulse_of(ingest, group));
	for (size_t i = 0; result == 0 && i < group->count; i++)
		result = apply_one(ingest, group->items[i]);
	if (result == 0)
		result = sp_store_seal(ingest->store, group->all_sites, news);
	if (result == 0 && (result = sp_store_commit(ingest->store)) < 0)
		sp_store_news_free(news);
	if (result == 0)
		ingest->renewed_us = sp_clock_mono_us();
	if (result == 0)
		ingest->epoch_written = true;
	else
		sp_log_with(
		    SP_LOG_ERR, "ingest",
		    SP_LOG_FIELDS({"messages", NULL, (int64_t)group->count},
				  {"waiting", NULL, waiting.messages}, {"waiting_bytes", NULL, waiting.bytes},
				  {"error", strerror(-result), 0}),
		    "cannot commit %zu messages: %s; nothing is acknowledged, trying again until it works",
		    group->count, sp_store_error(ingest->store));
	if (result < 0)
		sp_store_rollback(ingest->store);
	if (result == -ESTALE)
		let_go(ingest);
	return result;
}

static struct sp_session *session_of(struct sp_ingest *ingest, const char *shard)
{
	for (size_t i = 0; i < ingest->session_count; i++) {
		if (ingest->sessions[i].role != SP_SESSION_BULK &&
		    strcmp(ingest->sessions[i].shard, shard) == 0)
			return &ingest->sessions[i];
	}
	return NULL;
}

/// The clock of the last message of that board in the group, with its boot; NULL when there is none.
static const struct sp_clock_reading *clock_of(const struct group *group, const char *device,
					       const char **boot)
{
	for (size_t i = group->count; i-- > 0;) {
		const struct sp_inbound *in = group->items[i];
		if (in->retained || strcmp(in->device, device) != 0)
			continue;
		if (in->kind == SP_INBOUND_BATCH) {
			*boot = in->message.envelope.clk_boot;
			return &in->message.envelope.clk;
		}
		if (in->kind == SP_INBOUND_STATE && in->state->presence == SP_FEED_ONLINE) {
			*boot = in->state->boot;
			return &in->state->clk;
		}
	}
	return NULL;
}

/// After everything of the group was heard, and so after what it echoes.
static void tell_time(const struct group *group, const struct sp_clock_reading *now, struct sp_store_ack *ack)
{
	const char *boot = NULL;
	const struct sp_clock_reading *clk = now->synced ? clock_of(group, ack->device, &boot) : NULL;
	if (!clk)
		return;
	ack->ack.timed = true;
	ack->ack.t_ms = now->wall_ms;
	ack->ack.err_ms = now->err_ms;
	ack->ack.echo_mono_us = clk->mono_us;
	snprintf(ack->ack.echo_boot, sizeof(ack->ack.echo_boot), "%s", boot);
}

static void tell(struct sp_ingest *ingest, const struct group *group, const struct sp_store_news *news)
{
	const struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; ingest->moved && i < ingest->session_count; i++)
		atomic_store(&ingest->sessions[i].announce, true); // dispose() wakes it
	ingest->moved = false;
	for (size_t i = 0; i < news->ack_count; i++) {
		struct sp_session *session = session_of(ingest, news->acks[i].shard);
		tell_time(group, &now, &news->acks[i]);
		if (session)
			sp_session_send(session, sp_outbound_ack(&news->acks[i]));
	}
	for (size_t i = 0; i < news->site_count; i++) {
		struct sp_session *session = session_of(ingest, news->sites[i].shard);
		if (session)
			sp_session_send(session, sp_outbound_site(&news->sites[i]));
	}
}

static void count(const struct group *group, int64_t began_us)
{
	const struct sp_clock_reading now = sp_clock_now();
	int64_t took_us = now.mono_us - began_us;
	sp_count_commit(took_us, now.wall_ms);
	for (size_t i = 0; i < group->count; i++)
		sp_inbound_count(group->items[i], &now);
	if (group->events > 0)
		sp_log_with(SP_LOG_DEBUG, "ingest",
			    SP_LOG_FIELDS({"messages", NULL, (int64_t)group->count},
					  {"records", NULL, (int64_t)group->events},
					  {"duration_us", NULL, took_us}),
			    "committed");
}

static void dispose(struct sp_ingest *ingest, struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		atomic_fetch_sub(&ingest->in[sp_inbound_lane(group->items[i])].bytes,
				 (int64_t)group->items[i]->weight);
		sp_inbound_free(&group->items[i]->node);
	}
	for (size_t i = 0; i < ingest->session_count; i++)
		sp_session_wake(&ingest->sessions[i]); // it may have paused reading
}

/// False when the end has come and the store still fails: the boards keep what was not acknowledged.
static bool commit(struct sp_ingest *ingest, struct group *group)
{
	struct sp_store_news news = {0};
	int64_t began_us = sp_clock_mono_us();
	sp_ingest_count(ingest);
	for (int tries = 0; apply(ingest, group, &news) < 0; began_us = sp_clock_mono_us()) {
		sp_count_store_error();
		sp_ingest_count(ingest);
		struct pollfd p = {.fd = ingest->stop_fd, .events = POLLIN};
		bool ending = poll(&p, 1, RETRY_MS) > 0;
		if (ending && ++tries > LAST_RETRIES) {
			sp_err("ingest", "stopping without a commit: the boards will send %zu messages again",
			       group->count);
			return false;
		}
		if (ending)
			poll(NULL, 0, RETRY_MS / LAST_RETRIES);
	}
	count(group, began_us);
	tell(ingest, group, &news);
	sp_store_news_free(&news);
	return true;
}

/// After a group, so that nobody waits for more than one small step.
static void upkeep(struct sp_ingest *ingest)
{
	const struct sp_incident_rules incidents = sp_hub_incident_rules(ingest->config);
	const struct sp_upkeep_rules rules = {.attendance_days = ingest->config->hub.attendance_days,
					      .extract_days = ingest->config->hub.extract_days,
					      .incidents = &incidents,
					      .retention = &ingest->config->retention};
	if (!ingest->store || !sp_leases_upkeep(ingest))
		return;
	int result = sp_store_upkeep(ingest->store, &rules, sp_clock_now().wall_ms);
	if (result < 0 && result != -ESTALE) // the next commit opens it again
		sp_warning("ingest", "upkeep failed: %s; trying again", sp_store_error(ingest->store));
	ingest->upkeep_more = result == 1;
}

void *sp_committer_run(void *arg)
{
	struct sp_ingest *ingest = arg;
	struct group *group = sp_alloc(sizeof(*group));
	bool going = true;
	while (going) {
		*group = (struct group){0};
		if (sp_leases_seek(ingest) < 0)
			sp_count_store_error();
		gather(ingest, group);
		if (group->count == 0 && sp_leases_fresh(ingest))
			continue;
		going = commit(ingest, group) && !group->stop;
		dispose(ingest, group);
		upkeep(ingest);
	}
	free(group);
	return NULL;
}
