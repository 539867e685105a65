// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Counting is one atomic addition; only the few shards, which have names, are under a lock.
#include "tools/hub/ops/counters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "schoolpulse/err.h"

enum { BOUNDS_MAX = 16 };

struct histogram {
	size_t bound_count;
	double bounds[BOUNDS_MAX]; ///< seconds
	_Atomic int64_t counts[BOUNDS_MAX + 1];
	_Atomic int64_t sum_us;
};

static struct {
	_Atomic int64_t started_ms;
	_Atomic int64_t messages[SP_COUNT_MESSAGES];
	_Atomic int64_t batches[SP_COUNT_VERDICTS], events[SP_COUNT_VERDICTS];
	struct {
		const char *_Atomic word;
		_Atomic int64_t count;
	} faults[SP_COUNT_FAULTS];
	_Atomic int64_t commits, store_errors, acks, last_commit_ms;
	_Atomic int64_t queue_messages, queue_bytes;
	_Atomic bool failing;
} counted;

static struct histogram durations = {
    .bound_count = 13,
    .bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
};
// Live facts, then boards that come back: up to days.
static struct histogram delays = {
    .bound_count = 14,
    .bounds = {0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400, 604800},
};

struct session {
	char shard[33];
	bool samples, connected;
	int64_t connects, losses;
};
struct lease {
	char shard[33];
	bool held;
};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct session sessions[SP_COUNT_SESSIONS];
static struct lease leases[SP_COUNT_SHARDS];
static size_t session_count, lease_count;

// ---- counting ---------------------------------------------------------------------------------------

static void plus(_Atomic int64_t *counter, int64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void observe(struct histogram *histogram, int64_t us)
{
	size_t i = 0;
	while (i < histogram->bound_count && (double)us / 1e6 > histogram->bounds[i])
		i++;
	plus(&histogram->counts[i], 1);
	plus(&histogram->sum_us, us);
}

void sp_counters_start(int64_t now_ms)
{
	int64_t never = 0;
	atomic_compare_exchange_strong(&counted.started_ms, &never, now_ms);
}

bool sp_counters_started(void)
{
	return atomic_load(&counted.started_ms) != 0;
}

void sp_count_message(enum sp_count_message kind)
{
	plus(&counted.messages[kind], 1);
}

void sp_count_fault(unsigned fault, const char *word)
{
	if (fault >= SP_COUNT_FAULTS)
		return;
	atomic_store(&counted.faults[fault].word, word);
	plus(&counted.faults[fault].count, 1);
}

void sp_count_batch(unsigned verdict, int64_t events, int64_t delay_ms)
{
	if (verdict >= SP_COUNT_VERDICTS)
		return;
	plus(&counted.batches[verdict], 1);
	plus(&counted.events[verdict], events);
	if (delay_ms >= 0)
		observe(&delays, delay_ms * 1000);
}

void sp_count_commit(int64_t duration_us, int64_t now_ms)
{
	plus(&counted.commits, 1);
	observe(&durations, duration_us < 0 ? 0 : duration_us);
	atomic_store(&counted.last_commit_ms, now_ms);
	atomic_store(&counted.failing, false);
}

void sp_count_store_error(void)
{
	plus(&counted.store_errors, 1);
	atomic_store(&counted.failing, true);
}

void sp_count_queue(int64_t messages, int64_t bytes)
{
	atomic_store_explicit(&counted.queue_messages, messages, memory_order_relaxed);
	atomic_store_explicit(&counted.queue_bytes, bytes, memory_order_relaxed);
}

void sp_count_acks(int64_t sent)
{
	plus(&counted.acks, sent);
}

/// Under the lock. NULL: too many.
static struct session *session_of(const char *shard, bool samples)
{
	for (size_t i = 0; i < session_count; i++) {
		if (strcmp(sessions[i].shard, shard) == 0 && sessions[i].samples == samples)
			return &sessions[i];
	}
	if (session_count == SP_COUNT_SESSIONS)
		return NULL;
	struct session *session = &sessions[session_count++];
	*session = (struct session){.samples = samples};
	snprintf(session->shard, sizeof(session->shard), "%s", shard);
	return session;
}

void sp_count_connected(const char *shard, bool samples, bool connected)
{
	pthread_mutex_lock(&mutex);
	struct session *session = session_of(shard, samples);
	if (session && session->connected != connected) {
		session->connected = connected;
		session->connects += connected;
		session->losses += !connected;
	}
	pthread_mutex_unlock(&mutex);
}

void sp_count_lease(const char *shard, bool held)
{
	size_t i = 0;
	pthread_mutex_lock(&mutex);
	while (i < lease_count && strcmp(leases[i].shard, shard) != 0)
		i++;
	if (i < SP_COUNT_SHARDS) {
		snprintf(leases[i].shard, sizeof(leases[i].shard), "%s", shard);
		leases[i].held = held;
		lease_count += i == lease_count;
	}
	pthread_mutex_unlock(&mutex);
}

// ---- telling ------------------------------------------------------------------------------------------

static void one(struct sp_buf *out, enum sp_expo_format format, enum sp_expo_type type, const char *name,
		const char *unit, const char *help, int64_t value)
{
	const struct sp_expo_family family = {type, name, unit, help};
	sp_expo_head(out, format, &family);
	sp_expo_int(out, &family, "", value);
	if (type == SP_EXPO_COUNTER)
		sp_expo_created(out, format, &family, "", counted.started_ms);
}

/// A counter with a sample per word.
static void by_word(struct sp_buf *out, enum sp_expo_format format, const struct sp_expo_family *family,
		    const char *label, const char *const *words, _Atomic int64_t *counts, size_t count)
{
	sp_expo_head(out, format, family);
	for (size_t i = 0; i < count; i++) {
		struct sp_buf labels = SP_BUF(256);
		sp_expo_label(&labels, label, words[i]);
		sp_expo_int(out, family, labels.data, atomic_load(&counts[i]));
		sp_expo_created(out, format, family, labels.data, counted.started_ms);
		sp_buf_free(&labels);
	}
}

static void expose_histogram(struct sp_buf *out, enum sp_expo_format format,
			     const struct sp_expo_family *family, struct histogram *histogram)
{
	int64_t counts[BOUNDS_MAX + 1];
	for (size_t i = 0; i <= histogram->bound_count; i++)
		counts[i] = atomic_load(&histogram->counts[i]);
	sp_expo_head(out, format, family);
	sp_expo_histogram(out, family, "", histogram->bounds, histogram->bound_count, counts,
			  (double)atomic_load(&histogram->sum_us) / 1e6);
	sp_expo_created(out, format, family, "", counted.started_ms);
}

static void expose_faults(struct sp_buf *out, enum sp_expo_format format)
{
	static const struct sp_expo_family family = {SP_EXPO_COUNTER, "schoolpulse_ingest_set_aside", NULL,
						     "Messages that could not be read, by fault."};
	sp_expo_head(out, format, &family);
	for (size_t i = 0; i < SP_COUNT_FAULTS; i++) {
		const char *word = atomic_load(&counted.faults[i].word);
		struct sp_buf labels = SP_BUF(256);
		if (!word)
			continue;
		sp_expo_label(&labels, "fault", word);
		sp_expo_int(out, &family, labels.data, atomic_load(&counted.faults[i].count));
		sp_expo_created(out, format, &family, labels.data, counted.started_ms);
		sp_buf_free(&labels);
	}
}

static int64_t connected_of(const struct session *session)
{
	return session->connected;
}

static int64_t connects_of(const struct session *session)
{
	return session->connects;
}

static int64_t losses_of(const struct session *session)
{
	return session->losses;
}

static const struct {
	struct sp_expo_family family;
	int64_t (*value)(const struct session *session);
} of_sessions[] = {
    {{SP_EXPO_GAUGE, "schoolpulse_ingest_connected", NULL, "1 while the shard's session is up."},
     connected_of},
    {{SP_EXPO_COUNTER, "schoolpulse_ingest_connects", NULL, "Sessions that came up."}, connects_of},
    {{SP_EXPO_COUNTER, "schoolpulse_ingest_connection_losses", NULL, "Sessions that were lost."}, losses_of},
};

static void expose_sessions(struct sp_buf *out, enum sp_expo_format format)
{
	struct session copy[SP_COUNT_SESSIONS];
	pthread_mutex_lock(&mutex);
	size_t count = session_count;
	memcpy(copy, sessions, sizeof(copy));
	pthread_mutex_unlock(&mutex);
	for (size_t k = 0; k < SP_COUNT(of_sessions); k++) {
		sp_expo_head(out, format, &of_sessions[k].family);
		for (size_t i = 0; i < count; i++) {
			struct sp_buf labels = SP_BUF(256);
			sp_expo_label(&labels, "shard", copy[i].shard);
			sp_expo_label(&labels, "session", copy[i].samples ? "samples" : "facts");
			sp_expo_int(out, &of_sessions[k].family, labels.data, of_sessions[k].value(&copy[i]));
			sp_buf_free(&labels);
		}
	}
}

static void expose_leases(struct sp_buf *out, enum sp_expo_format format)
{
	static const struct sp_expo_family family = {
	    SP_EXPO_GAUGE, "schoolpulse_ingest_lease", NULL,
	    "1 while this process may write the shard; nothing where there are no leases."};
	sp_expo_head(out, format, &family);
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < lease_count; i++) {
		struct sp_buf labels = SP_BUF(256);
		sp_expo_label(&labels, "shard", leases[i].shard);
		sp_expo_int(out, &family, labels.data, leases[i].held);
		sp_buf_free(&labels);
	}
	pthread_mutex_unlock(&mutex);
}

static void expose_events(struct sp_buf *out, enum sp_expo_format format)
{
	static const char *const kinds[] = {"facts", "attendance", "bulk", "state", "set_aside"};
	static const char *const verdicts[] = {"stored", "duplicate", "conflict", "refused", "foreign"};
	static const struct sp_expo_family families[] = {
	    {SP_EXPO_COUNTER, "schoolpulse_ingest_messages", NULL,
	     "Messages taken from the broker, by kind."},
	    {SP_EXPO_COUNTER, "schoolpulse_ingest_batches", NULL, "Batches by what became of them."},
	    {SP_EXPO_COUNTER, "schoolpulse_ingest_events", NULL,
	     "Records in batches, by what became of them."},
	};
	by_word(out, format, &families[0], "kind", kinds, counted.messages, SP_COUNT(kinds));
	by_word(out, format, &families[1], "verdict", verdicts, counted.batches, SP_COUNT(verdicts));
	by_word(out, format, &families[2], "verdict", verdicts, counted.events, SP_COUNT(verdicts));
}

void sp_counters_expose(struct sp_buf *out, enum sp_expo_format format)
{
	static const struct sp_expo_family duration = {
	    SP_EXPO_HISTOGRAM, "schoolpulse_ingest_commit_duration_seconds", "seconds",
	    "How long transactions took that were committed."};
	static const struct sp_expo_family delay = {
	    SP_EXPO_HISTOGRAM, "schoolpulse_ingest_publish_to_commit_seconds", "seconds",
	    "From a board's sending of a batch to its commit, where both clocks are synchronised."};
	static const struct sp_expo_family last = {SP_EXPO_GAUGE,
						   "schoolpulse_ingest_last_commit_timestamp_seconds",
						   "seconds", "When something was committed last."};
	if (!sp_counters_started())
		return;
	expose_events(out, format);
	expose_faults(out, format);
	one(out, format, SP_EXPO_COUNTER, "schoolpulse_ingest_commits", NULL, "Transactions committed.",
	    counted.commits);
	one(out, format, SP_EXPO_COUNTER, "schoolpulse_ingest_store_errors", NULL,
	    "Attempts to commit that failed and were made again.", counted.store_errors);
	one(out, format, SP_EXPO_GAUGE, "schoolpulse_ingest_store_failing", NULL,
	    "1 while the last attempt to commit failed: nothing is acknowledged.", counted.failing);
	one(out, format, SP_EXPO_COUNTER, "schoolpulse_ingest_acknowledgements", NULL,
	    "Acknowledgements given to the broker.", counted.acks);
	one(out, format, SP_EXPO_GAUGE, "schoolpulse_ingest_queue_messages", NULL,
	    "Messages between the broker and the store, at the last attempt to commit.",
	    counted.queue_messages);
	one(out, format, SP_EXPO_GAUGE, "schoolpulse_ingest_queue_bytes", "bytes",
	    "Their size in memory, roughly.", counted.queue_bytes);
	sp_expo_head(out, format, &last);
	sp_expo_ms(out, &last, "", counted.last_commit_ms);
	expose_histogram(out, format, &duration, &durations);
	expose_histogram(out, format, &delay, &delays);
	expose_sessions(out, format);
	expose_leases(out, format);
}
