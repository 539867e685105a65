// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A session with the broker, on its own thread: at least one per shard, because a session has one will, and
// sp1/hub/<shard>/state needs one each; and another one for samples, because the broker delivers what waits
// in a session in its order, and facts should not stand behind a day's samples of a province.
//
// libmosquitto sends PUBACK before it hands a message over. So to the broker a message is done while
// it is still in this program's memory, and a crash loses it. That is why boards do not trust PUBACK:
// they keep what they sent until an ack comes, which is written after COMMIT, and send it again.
#include "tools/hub/ingest/ingest_priv.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"
#include "tools/hub/ops/counters.h"

enum {
	BACKOFF_MIN_MS = 500,
	BACKOFF_MAX_MS = 60 * 1000,
	FINISH_US = 3 * 1000 * 1000, ///< for acknowledgements that are still to be sent at the end
	TURN_US = 1000 * 1000,
	PAUSE_MS = 50, ///< between looks at a queue that is full
};

// ---- outwards -------------------------------------------------------------------------------------

void sp_session_wake(struct sp_session *session)
{
	uint64_t one = 1;
	ssize_t ignored = write(session->wake_fd, &one, sizeof(one));
	(void)ignored;
}

static void wake(void *arg)
{
	sp_session_wake(arg);
}

void sp_session_send(struct sp_session *session, struct sp_outbound *message)
{
	if (message->retain)
		sp_queue_push_always(session->out, &message->node);
	else if (sp_queue_push(session->out, &message->node) < 0)
		sp_outbound_free(&message->node); // the board asks again
}

static void drop_outbound(struct sp_session *session)
{
	struct sp_queue_node *node;
	while ((node = sp_queue_pop(session->out, 0)))
		sp_outbound_free(node);
	if (session->unsent)
		sp_outbound_free(&session->unsent->node);
	session->unsent = NULL;
	session->unacknowledged = 0;
}

static bool publish(struct sp_session *session, const char *topic, const char *payload, size_t length,
		    bool retain)
{
	int mid;
	int result = sp_mqtt_publish(session->mqtt, topic, payload, length, retain,
				     length ? SP_FEED_JSON : NULL, &mid);
	if (result == -ENOBUFS)
		return false;
	if (result == 0)
		session->unacknowledged++;
	else
		sp_warning("ingest", "cannot publish to %s: %s", topic, strerror(-result));
	return true;
}

/// As much as the window of unacknowledged publishes takes.
static void flush(struct sp_session *session)
{
	while (sp_mqtt_connected(session->mqtt)) {
		if (!session->unsent)
			session->unsent = (struct sp_outbound *)sp_queue_pop(session->out, 0);
		struct sp_outbound *next = session->unsent;
		if (!next || !publish(session, next->topic, next->payload, next->length, next->retain))
			return;
		sp_count_acks(!next->retain);
		sp_outbound_free(&next->node);
		session->unsent = NULL;
	}
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	struct sp_session *session = arg;
	(void)mid;
	if (session->unacknowledged > 0)
		session->unacknowledged--;
	if (reason >= 0x80)
		sp_warning("ingest", "the broker refuses a message of the hub (reason 0x%02x): check its ACL",
			   reason);
}

static bool speaks(const struct sp_session *session)
{
	return session->role != SP_SESSION_BULK;
}

static const char *lane_of(const struct sp_session *session)
{
	return session->role == SP_SESSION_BULK ? " (samples)" : "";
}

// ---- coming and going ---------------------------------------------------------------------------------

static void count_connected(struct sp_session *session, bool connected)
{
	if (session->counted != connected)
		atomic_fetch_add(&session->ingest->connected, connected ? 1 : -1);
	session->counted = connected;
	sp_count_connected(session->shard, session->role == SP_SESSION_BULK, connected);
}

/// Full jitter: boards come back spread out, and so do hubs.
static void plan_attempt(struct sp_session *session)
{
	int64_t most_ms = BACKOFF_MIN_MS;
	for (unsigned i = 0; i < session->failures && most_ms < BACKOFF_MAX_MS; i++)
		most_ms *= 2;
	if (most_ms > BACKOFF_MAX_MS)
		most_ms = BACKOFF_MAX_MS;
	session->next_attempt_us = sp_clock_mono_us() + (int64_t)(sp_random_unit() * (double)most_ms * 1000);
	session->failures++;
}

static void on_connected(void *arg, int reason, const char *text, bool session_present)
{
	struct sp_session *session = arg;
	session->trying = false;
	if (reason != 0) {
		sp_log_with(SP_LOG_WARNING, "ingest",
			    SP_LOG_FIELDS({"shard", session->shard, 0}, {"reason", NULL, reason},
					  {"attempts", NULL, (int64_t)session->failures}),
			    "shard %s: broker %s:%d: %s", session->shard, session->ingest->config->mqtt.host,
			    (int)session->ingest->config->mqtt.port, text);
		plan_attempt(session);
		return;
	}
	sp_log_with(
	    SP_LOG_INFO, "ingest",
	    SP_LOG_FIELDS({"shard", session->shard, 0}, {"attempts", NULL, (int64_t)session->failures}),
	    "shard %s%s: connected to %s:%d%s", session->shard, lane_of(session),
	    session->ingest->config->mqtt.host, (int)session->ingest->config->mqtt.port,
	    session_present ? ", the session goes on" : "");
	session->failures = 0;
	session->connected_ms = sp_clock_now().wall_ms;
	if (!session_present)
		session->away_since_ms = 0;
	session->arrived = true;
}

/// After the turn that connected: not within libmosquitto's callback, under its locks.
static void introduce(struct sp_session *session)
{
	static const struct {
		const char *name;
		enum sp_session_role not_of;
	} leaves[] = {{"state", SP_SESSION_BULK},
		      {"facts", SP_SESSION_BULK},
		      {"attendance", SP_SESSION_BULK},
		      {"bulk", SP_SESSION_FACTS}};
	char topic[96];
	session->arrived = session->held_back = false;
	drop_outbound(session);
	for (size_t i = 0; i < SP_COUNT(leaves); i++) {
		if (session->role == leaves[i].not_of)
			continue;
		snprintf(topic, sizeof(topic), "sp1/up/%s/+/%s", session->shard, leaves[i].name);
		int result = sp_mqtt_subscribe(session->mqtt, topic);
		if (result < 0)
			sp_warning("ingest", "cannot subscribe to %s: %s", topic, strerror(-result));
	}
	count_connected(session, true);
	if (!speaks(session))
		return;
	publish(session, session->state_topic, session->online, session->online_length, true);
	sp_session_push(session, sp_session_inbound(session, SP_INBOUND_CONNECTED));
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	struct sp_session *session = arg;
	if (reason < 0x80)
		return;
	sp_err("ingest", "the broker refuses the subscription %s (reason 0x%02x): check its ACL", topic,
	       reason);
	count_connected(session, false); // connected, and yet deaf
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	struct sp_session *session = arg;
	sp_log_with(SP_LOG_WARNING, "ingest",
		    SP_LOG_FIELDS({"shard", session->shard, 0}, {"reason", NULL, reason}),
		    "shard %s%s: connection lost: %s (%d)", session->shard, lane_of(session), text, reason);
	session->away_since_ms = sp_clock_now().wall_ms;
	count_connected(session, false);
	session->arrived = false;
	drop_outbound(session);
	plan_attempt(session);
}

static void connect_when_due(struct sp_session *session)
{
	char why[256];
	if (session->trying || sp_mqtt_connected(session->mqtt) ||
	    sp_clock_mono_us() < session->next_attempt_us)
		return;
	session->trying = sp_mqtt_connect(session->mqtt, why) == 0;
	if (session->trying)
		return;
	sp_warning("ingest", "shard %s: %s", session->shard, why);
	plan_attempt(session);
}

static int64_t turn_us(const struct sp_session *session)
{
	int64_t wait = session->next_attempt_us - sp_clock_mono_us();
	if (session->trying || sp_mqtt_connected(session->mqtt) || wait > TURN_US)
		return TURN_US;
	return wait > 0 ? wait : 0;
}

static bool is_full(struct sp_ingest *ingest, enum sp_lane lane)
{
	return sp_queue_length(ingest->in[lane].queue) >= SP_INGEST_QUEUE_MAX ||
	       atomic_load(&ingest->in[lane].bytes) >= SP_INGEST_BYTES_MAX;
}

static bool must_pause(struct sp_session *session)
{
	struct sp_ingest *ingest = session->ingest;
	return !atomic_load(&ingest->stopping) &&
	       ((session->role != SP_SESSION_BULK && is_full(ingest, SP_LANE_FACTS)) ||
		(session->role != SP_SESSION_FACTS && is_full(ingest, SP_LANE_BULK)));
}

/// While the store cannot follow, what came is not acknowledged to the broker: it sends no more than the
/// receive maximum, keeps the rest, and so do the boards. The session itself goes on, since the hub's own
/// words need the broker's PUBACKs: boards that hear nothing would send everything again.
static void hold_back(struct sp_session *session)
{
	bool full = must_pause(session);
	if (full != session->held_back)
		sp_mqtt_hold(session->mqtt, full);
	session->held_back = full;
}

/// A broker that heeds no receive maximum, or boards that publish with QoS 0, for which there is none.
static bool is_flooded(struct sp_session *session)
{
	struct sp_ingest *ingest = session->ingest;
	size_t most = 2 * SP_INGEST_QUEUE_MAX;
	for (size_t i = 0; i < ingest->session_count; i++)
		most += (size_t)ingest->sessions[i].receive_maximum;
	for (int lane = 0; session->held_back && lane < SP_LANES; lane++) {
		if (sp_queue_length(ingest->in[lane].queue) > most ||
		    atomic_load(&ingest->in[lane].bytes) > SP_INGEST_FLOOD_BYTES)
			return true;
	}
	return false;
}

/// Then nothing at all is read.
static void pause_reading(struct sp_session *session)
{
	uint64_t count;
	struct pollfd p = {.fd = session->wake_fd, .events = POLLIN};
	if (poll(&p, 1, PAUSE_MS) > 0 && read(session->wake_fd, &count, sizeof(count)) < 0)
		sp_debug("ingest", "wake: %s", strerror(errno));
}

/// Another ingest serves the shard. Its word that the hub is there must stay the last one, so no will.
static void stand_by(struct sp_session *session)
{
	uint64_t count;
	struct pollfd p = {.fd = session->wake_fd, .events = POLLIN};
	if (session->trying || sp_mqtt_connected(session->mqtt)) {
		sp_mqtt_disconnect(session->mqtt, false);
		count_connected(session, false);
		drop_outbound(session);
	}
	session->trying = session->arrived = false;
	session->next_attempt_us = 0;
	if (poll(&p, 1, TURN_US / 1000) > 0 && read(session->wake_fd, &count, sizeof(count)) < 0)
		sp_debug("ingest", "wake: %s", strerror(errno));
}

static void finish(struct sp_session *session)
{
	int64_t until = sp_clock_mono_us() + FINISH_US;
	bool said = !speaks(session);
	while (sp_mqtt_connected(session->mqtt) && sp_clock_mono_us() < until) {
		flush(session);
		bool empty = !session->unsent && sp_queue_length(session->out) == 0;
		if (empty && !said)
			said = publish(session, session->state_topic, session->offline,
				       session->offline_length, true);
		else if (empty && session->unacknowledged == 0)
			break;
		sp_mqtt_turn(session->mqtt, 20 * 1000, session->wake_fd);
	}
	sp_mqtt_disconnect(session->mqtt, speaks(session) && !said);
	count_connected(session, false);
}

static char *hub_state(struct sp_ingest *ingest, bool online, size_t *length);

/// Another database, another epoch. The will keeps the old one: it only says that the hub is gone.
static void announce(struct sp_session *session)
{
	free(session->online);
	session->online = hub_state(session->ingest, true, &session->online_length);
	if (speaks(session) && sp_mqtt_connected(session->mqtt) && !session->arrived)
		publish(session, session->state_topic, session->online, session->online_length, true);
}

void *sp_session_run(void *arg)
{
	struct sp_session *session = arg;
	while (!atomic_load(&session->ingest->finishing)) {
		if (!atomic_load(&session->lease->held)) {
			stand_by(session);
			continue;
		}
		hold_back(session);
		if (is_flooded(session)) {
			pause_reading(session);
			continue;
		}
		connect_when_due(session);
		sp_mqtt_turn(session->mqtt, turn_us(session), session->wake_fd);
		if (atomic_exchange(&session->announce, false))
			announce(session);
		if (session->arrived && sp_mqtt_connected(session->mqtt))
			introduce(session);
		flush(session);
	}
	finish(session);
	return NULL;
}

// ---- setting up -----------------------------------------------------------------------------------------

static char *hub_state(struct sp_ingest *ingest, bool online, size_t *length)
{
	struct sp_buf out = SP_BUF(1024);
	struct sp_feed_hub hub = {.online = online,
				  .reconnect_window_seconds =
				      (ingest->config->hub.reconnect_window_ms + 999) / 1000,
				  .attendance_days = ingest->config->hub.attendance_days};
	pthread_mutex_lock(&ingest->epoch_lock);
	snprintf(hub.hub_epoch, sizeof(hub.hub_epoch), "%s", ingest->epoch);
	pthread_mutex_unlock(&ingest->epoch_lock);
	if (sp_feed_hub_encode(&out, &hub) < 0)
		abort(); // our own constants
	*length = out.length;
	return sp_buf_take(&out);
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

int sp_session_init(struct sp_session *session, struct sp_ingest *ingest, const char *shard,
		    enum sp_session_role role, char why[256])
{
	static const struct sp_mqtt_events events = {on_connected, on_disconnected, on_acknowledged,
						     on_subscribed, sp_session_on_message};
	const struct sp_hub_config *config = ingest->config;
	const bool bulk = role == SP_SESSION_BULK;
	char *client_id = sp_asprintf("%s-%s%s", config->mqtt.client_id, shard, bulk ? ".bulk" : "");
	const char *cert = bulk ? config->mqtt.bulk_cert_file : config->mqtt.cert_file;
	const char *key = bulk ? config->mqtt.bulk_key_file : config->mqtt.key_file;
	session->ingest = ingest;
	session->shard = shard;
	session->role = role;
	session->lease = sp_lease_of(ingest, shard);
	session->receive_maximum =
	    bulk ? config->mqtt.bulk_receive_maximum : config->mqtt.facts_receive_maximum;
	session->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	session->out = sp_queue_new(SP_INGEST_OUT_MAX, wake, session);
	session->online = hub_state(ingest, true, &session->online_length);
	session->offline = hub_state(ingest, false, &session->offline_length);
	snprintf(session->state_topic, sizeof(session->state_topic), "sp1/hub/%s/state", shard);
	const struct sp_mqtt_config mqtt = {.host = config->mqtt.host,
					    .port = (uint16_t)config->mqtt.port,
					    .client_id = client_id,
					    .username = or_null(config->mqtt.username),
					    .password = or_null(config->mqtt.password),
					    .ca_file = or_null(config->mqtt.ca_file),
					    .cert_file = or_null(cert),
					    .key_file = or_null(key),
					    .receive_maximum = session->receive_maximum,
					    .keepalive_seconds = config->mqtt.keepalive_ms / 1000,
					    .session_expiry_seconds = config->mqtt.session_expiry_ms / 1000,
					    .will_topic = bulk ? NULL : session->state_topic,
					    .will_payload = session->offline,
					    .will_length = session->offline_length};
	session->mqtt = sp_mqtt_new(&mqtt, &events, session, why);
	int result = session->mqtt ? 0 : -errno;
	free(client_id);
	return result;
}

void sp_session_free(struct sp_session *session)
{
	sp_mqtt_free(session->mqtt);
	sp_queue_free(session->out, sp_outbound_free);
	if (session->unsent)
		sp_outbound_free(&session->unsent->node);
	free(session->online);
	free(session->offline);
	if (session->wake_fd > 0)
		close(session->wake_fd);
}
