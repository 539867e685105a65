// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the threads of ingest share. Private to ingest*.c.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "agent/base/mqtt.h"
#include "agent/base/queue.h"
#include "tools/hub/ingest/ingest.h"
#include "tools/hub/db/db.h"
#include "tools/hub/store/store.h"

enum {
	SP_INGEST_QUEUE_MAX = 2000,             ///< messages of a lane between the sockets and the store
	SP_INGEST_BYTES_MAX = 32 * 1024 * 1024, ///< and their size in memory, roughly
	/// Far beyond: what a broker that was told to wait may still send is much less.
	SP_INGEST_FLOOD_BYTES = 8 * SP_INGEST_BYTES_MAX,
	SP_INGEST_GROUP_MAX = 500,       ///< messages of one transaction
	SP_INGEST_GROUP_FACTS = 375,     ///< of them before a batch of samples that waits
	SP_INGEST_GROUP_EVENTS = 20000,  ///< and records
	SP_INGEST_GROUP_US = 100 * 1000, ///< how long the first of them may wait
	SP_INGEST_OUT_MAX = 20000,       ///< acknowledgements that wait for the broker, per shard
	SP_INGEST_LEASES_MAX = 65,       ///< shards, and the lease of upkeep
	SP_INGEST_LEASE_US = 250 * 1000, ///< between looks at shards that others serve
	SP_INGEST_DRAIN_MS = 60 * 1000,  ///< after a return, messages may be from before it
};

/// Two ways in, so that a province's backlog of samples holds up nobody's facts: neither in the broker, where
/// each shard has a session for either, nor here, where facts are taken first.
enum sp_lane {
	SP_LANE_FACTS, ///< states, facts, attendance
	SP_LANE_BULK,  ///< samples, and what was set aside
	SP_LANES,
};

enum sp_inbound_kind {
	SP_INBOUND_BATCH,
	SP_INBOUND_STATE,
	SP_INBOUND_ASIDE,
	SP_INBOUND_CONNECTED, ///< the broker may have lost its retained messages
	SP_INBOUND_STOP,      ///< nothing comes behind it
};

struct sp_inbound {
	struct sp_queue_node node; ///< first
	enum sp_inbound_kind kind;
	char shard[33], device[33];
	const struct sp_shard_lease *lease; ///< of the shard
	int64_t arrived_ms, lag_ms;
	bool retained;
	size_t weight; ///< bytes, roughly
	struct sp_feed_message message;
	struct sp_feed_state *state;
	enum sp_feed_fault fault;
	int64_t alike; ///< others of this group with that fault and board, which stand for nothing themselves
	bool told;     ///< it is one of those
	char topic[128], why[128];
	enum sp_verdict verdict; ///< of a batch, once it was applied
};

struct sp_outbound {
	struct sp_queue_node node; ///< first
	bool retain;
	size_t length;
	char *topic, *payload;
};

/// What a session takes.
enum sp_session_role {
	SP_SESSION_FACTS, ///< and says for the shard: acknowledgements, people's topics, the hub's state
	SP_SESSION_BULK,
	SP_SESSION_ALL, ///< both, where the broker lets the hub have one session only
};

/// A shard that this ingest may serve.
struct sp_shard_lease {
	const char *shard;
	_Atomic bool held;
	struct sp_lease seen; ///< as it was when it was looked at last, and since when it is like that
	int64_t since_us;
};

struct sp_session {
	struct sp_ingest *ingest;
	struct sp_shard_lease *lease;
	const char *shard;
	enum sp_session_role role;
	pthread_t thread;
	bool started;
	struct sp_mqtt *mqtt;
	int wake_fd;
	struct sp_queue *out;
	struct sp_outbound *unsent; ///< popped, and refused for now
	int unacknowledged;         ///< publishes without their PUBACK
	char state_topic[64];
	char *online, *offline; ///< payloads of the hub's state
	size_t online_length, offline_length;
	_Atomic bool announce; ///< the epoch is a new one: say so
	bool trying;           ///< an attempt is under way
	bool arrived;          ///< connected, and not yet introduced
	bool counted;          ///< connected, and counted as such
	bool held_back;        ///< the broker is not told that messages arrived
	int64_t receive_maximum;
	unsigned failures;
	int64_t next_attempt_us;
	int64_t connected_ms, away_since_ms; ///< 0: not known
};

struct sp_ingest {
	const struct sp_hub_config *config;
	char epoch[SP_ID_LENGTH + 1];
	int lock_fd, stop_fd; ///< stop_fd: an eventfd, readable once the end has come
	struct {
		struct sp_queue *queue;
		_Atomic int64_t bytes;
	} in[SP_LANES];
	int in_fd;              ///< an eventfd: a queue is no longer empty
	_Atomic int connected;  ///< sessions
	_Atomic bool stopping;  ///< what arrives is no longer taken
	_Atomic bool finishing; ///< the commit thread has ended: send what is left and go
	pthread_t committer;
	struct sp_store *store; ///< the commit thread's, once it runs
	bool epoch_written;
	bool upkeep_more;           ///< there is more to delete
	bool moved;                 ///< the database was; `epoch` is new, and not yet announced
	pthread_mutex_t epoch_lock; ///< of `epoch`, which the commit thread may change
	struct sp_session *sessions;
	size_t session_count;
	bool leased; ///< there may be others over this database
	char holder[SP_ID_LENGTH + 1];
	struct sp_shard_lease *leases; ///< of each shard, and of upkeep
	int64_t renewed_us;            ///< when the own ones were committed last
	int64_t sought_us;             ///< when others' leases were last looked at
	size_t lease_count;
};

// Leases (ingest_lease.c), on the commit thread but for the first.
void sp_leases_init(struct sp_ingest *ingest);
struct sp_shard_lease *sp_lease_of(struct sp_ingest *ingest, const char *shard);
size_t sp_leases_held(const struct sp_ingest *ingest);
bool sp_leases_upkeep(const struct sp_ingest *ingest);
/// Takes what is free. Between transactions.
int sp_leases_seek(struct sp_ingest *ingest) SP_MUST_CHECK;
/// Within a transaction, before anything else: this ingest lives, and these are its shards until COMMIT.
int sp_leases_renew(struct sp_ingest *ingest, const char *state) SP_MUST_CHECK;
/// Shards are sought more often than there is anything to say of one's own.
bool sp_leases_fresh(const struct sp_ingest *ingest);
/// When the sessions have ended.
void sp_leases_release(struct sp_ingest *ingest);

void *sp_session_run(void *arg); ///< the session
/// Prepares everything but the thread. -errno with `why`.
int sp_session_init(struct sp_session *session, struct sp_ingest *ingest, const char *shard,
		    enum sp_session_role role, char why[256]) SP_MUST_CHECK;
void sp_session_free(struct sp_session *session);
void sp_session_wake(struct sp_session *session);
/// Takes `message` from any thread; acknowledgements are refused (and disposed of) when too many wait.
void sp_session_send(struct sp_session *session, struct sp_outbound *message);

/// A message of this session, with its arrival (ingest_read.c).
struct sp_inbound *sp_session_inbound(struct sp_session *session, enum sp_inbound_kind kind);
enum sp_lane sp_inbound_lane(const struct sp_inbound *in);
/// To the commit thread; dropped once the end has come.
void sp_session_push(struct sp_session *session, struct sp_inbound *in);
void sp_session_on_message(void *arg, const struct sp_mqtt_message *message);

void *sp_committer_run(void *arg); ///< the ingest

/// Once it is committed (ingest_count.c).
void sp_inbound_count(const struct sp_inbound *in, const struct sp_clock_reading *now);
/// Taken, and not yet in the hands of the commit thread.
struct sp_waiting {
	int64_t messages, bytes;
};
struct sp_waiting sp_ingest_waiting(struct sp_ingest *ingest);
/// At each attempt to commit.
void sp_ingest_count(struct sp_ingest *ingest);
void sp_inbound_free(struct sp_queue_node *node);
void sp_outbound_free(struct sp_queue_node *node);
/// The people's topic, or an empty payload for one that is gone.
struct sp_outbound *sp_outbound_site(const struct sp_store_site *site);
struct sp_outbound *sp_outbound_ack(const struct sp_store_ack *ack);
