// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The life of ingest: one per database, threads up and down in an order that loses no acknowledgement.
#include "tools/hub/ingest/ingest_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/hub/db/db.h"
#include "tools/hub/ops/counters.h"

void sp_inbound_free(struct sp_queue_node *node)
{
	struct sp_inbound *in = (struct sp_inbound *)node;
	if (!in)
		return;
	sp_feed_message_free(&in->message);
	free(in->state);
	free(in);
}

void sp_outbound_free(struct sp_queue_node *node)
{
	struct sp_outbound *out = (struct sp_outbound *)node;
	if (!out)
		return;
	free(out->topic);
	free(out->payload);
	free(out);
}

/// Two ingests on one SQLite file would acknowledge under two epochs and answer each other's births.
static int lock(struct sp_ingest *ingest, char why[256])
{
	// A server has no file to be locked.
	if (sp_db_kind_of(ingest->config->hub.db) != SP_DB_SQLITE)
		return 0;
	char *path = sp_asprintf("%s.ingest", ingest->config->hub.db);
	ingest->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	int result = ingest->lock_fd < 0 ? -errno : 0;
	if (result < 0)
		snprintf(why, 256, "%.200s: %s", path, strerror(-result));
	else if (flock(ingest->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		result = -errno;
		snprintf(why, 256, "another ingest is running on %.150s", ingest->config->hub.db);
	}
	free(path);
	return result;
}

/// What will not pass by waiting. A full or read-only disk may.
static bool is_final(int result)
{
	return result == -EPROTO || result == -EUCLEAN || result == -ENOENT;
}

static int open_store(struct sp_ingest *ingest, int64_t *away_since_ms, char why[256])
{
	struct sp_store_status status;
	int result = sp_store_open(&ingest->store, ingest->config->hub.db, SP_STORE_WRITE, why);
	if (is_final(result)) {
		sp_err("ingest", "%s cannot be used",
		       sp_db_shown(ingest->config->hub.db, (char[SP_DB_SHOWN]){0}));
		return result;
	}
	if (result < 0) {
		sp_err("ingest", "%s: %s; trying again until it works",
		       sp_db_shown(ingest->config->hub.db, (char[SP_DB_SHOWN]){0}), why);
		return 0;
	}
	if (sp_store_status(ingest->store, &status) == 0)
		*away_since_ms = status.ingest_ms;
	return 0;
}

static int start_threads(struct sp_ingest *ingest)
{
	int error = pthread_create(&ingest->committer, NULL, sp_committer_run, ingest);
	if (error)
		return -error;
	for (size_t i = 0; i < ingest->session_count; i++) {
		struct sp_session *session = &ingest->sessions[i];
		error = pthread_create(&session->thread, NULL, sp_session_run, session);
		session->started = error == 0;
		if (error)
			sp_err("ingest", "no thread for shard %s: %s", session->shard, strerror(error));
	}
	return 0;
}

static void release(struct sp_ingest *ingest)
{
	for (size_t i = 0; i < ingest->session_count; i++)
		sp_session_free(&ingest->sessions[i]);
	free(ingest->sessions);
	free(ingest->leases);
	for (int i = 0; i < SP_LANES; i++)
		sp_queue_free(ingest->in[i].queue, sp_inbound_free);
	sp_store_close(ingest->store);
	pthread_mutex_destroy(&ingest->epoch_lock);
	if (ingest->lock_fd >= 0)
		close(ingest->lock_fd);
	if (ingest->stop_fd >= 0)
		close(ingest->stop_fd);
	if (ingest->in_fd >= 0)
		close(ingest->in_fd);
	free(ingest);
}

static void wake_committer(void *arg)
{
	struct sp_ingest *ingest = arg;
	uint64_t one = 1;
	if (write(ingest->in_fd, &one, sizeof(one)) < 0)
		sp_debug("ingest", "wake: %s", strerror(errno));
}

/// A broker that names sessions by their certificate, as ours does, gives one to each certificate.
static bool has_lanes(const struct sp_hub_config *config)
{
	return !config->mqtt.cert_file[0] || config->mqtt.bulk_cert_file[0];
}

static int make_sessions(struct sp_ingest *ingest, int64_t away_since_ms, char why[256])
{
	const struct sp_strings *shards = &ingest->config->mqtt.shards;
	const size_t each = has_lanes(ingest->config) ? 2 : 1;
	int result = 0;
	ingest->sessions = sp_alloc(each * shards->count * sizeof(*ingest->sessions));
	for (size_t i = 0; result == 0 && i < each * shards->count; i++) {
		enum sp_session_role role = each == 1    ? SP_SESSION_ALL
					    : i % 2 == 0 ? SP_SESSION_FACTS
							 : SP_SESSION_BULK;
		result = sp_session_init(&ingest->sessions[i], ingest, shards->items[i / each], role, why);
		ingest->sessions[i].away_since_ms = away_since_ms;
		ingest->session_count++;
	}
	if (result == 0 && each == 1)
		sp_notice("ingest", "one session takes facts and samples of a shard, since there is no "
				    "bulk_cert_file: a backlog holds up facts");
	return result;
}

int sp_ingest_start(struct sp_ingest **out, const struct sp_hub_config *config, char why[256])
{
	struct sp_ingest *ingest = sp_alloc(sizeof(*ingest));
	int64_t away_since_ms = 0;
	ingest->config = config;
	sp_counters_start(sp_clock_now().wall_ms);
	ingest->lock_fd = -1;
	ingest->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ingest->in_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < SP_LANES; i++)
		ingest->in[i].queue = sp_queue_new(SP_INGEST_QUEUE_MAX, wake_committer, ingest);
	pthread_mutex_init(&ingest->epoch_lock, NULL);
	sp_id_new(ingest->epoch);
	sp_leases_init(ingest);
	int result = lock(ingest, why);
	if (result == 0)
		result = open_store(ingest, &away_since_ms, why);
	if (result == 0)
		result = make_sessions(ingest, away_since_ms, why);
	if (result == 0 && (result = start_threads(ingest)) < 0)
		snprintf(why, 256, "no thread: %s", strerror(-result));
	if (result < 0) {
		release(ingest);
		ingest = NULL;
	}
	*out = ingest;
	return result;
}

static void wake_sessions(struct sp_ingest *ingest)
{
	for (size_t i = 0; i < ingest->session_count; i++)
		sp_session_wake(&ingest->sessions[i]);
}

void sp_ingest_stop(struct sp_ingest *ingest)
{
	if (!ingest)
		return;
	struct sp_inbound *stop = sp_alloc(sizeof(*stop));
	uint64_t one = 1;
	stop->kind = SP_INBOUND_STOP;
	// What a session takes from here on is dropped without an acknowledgement, as if it had come
	// after the end; so the stop request is the last word in the queue.
	atomic_store(&ingest->stopping, true);
	wake_sessions(ingest);
	if (write(ingest->stop_fd, &one, sizeof(one)) < 0)
		sp_warning("ingest", "stop: %s", strerror(errno));
	sp_queue_push_always(ingest->in[SP_LANE_BULK].queue, &stop->node);
	pthread_join(ingest->committer, NULL);
	atomic_store(&ingest->finishing, true);
	wake_sessions(ingest);
	for (size_t i = 0; i < ingest->session_count; i++) {
		if (ingest->sessions[i].started)
			pthread_join(ingest->sessions[i].thread, NULL);
	}
	sp_leases_release(ingest);
	release(ingest);
}
