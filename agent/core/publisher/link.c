// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The session: one sp_mqtt per attempt, since each carries a will with a session id of its own that pairs
// it with its birth. The MQTT session behind it is kept by the broker (no clean start), or taking it over
// would publish the old will.
#include "agent/core/publisher/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	HUB_WAIT_US = 1000 * 1000,       ///< for the hub's retained state before the first birth
	WILL_DELAY_SECONDS = 15,         ///< unless configured: a quick return is no loss
	EXPIRY_BEYOND_WILL_SECONDS = 60, ///< a session that ends publishes its will at once
	JOURNAL_WAIT_US = 1000 * 1000,   ///< between questions to a journal that is not open
	HUB_WINDOW_LEAST_MS = 3000,      ///< a hub may not make us hammer at the broker
	STATE_MAX = SP_FEED_PAYLOAD_MAX,
};

int sp_publisher_publish_state(struct sp_publisher *p, enum sp_feed_presence presence,
			       const struct sp_feed_held *held, size_t count, int *mid)
{
	struct sp_feed_state *state = sp_alloc(sizeof(*state));
	struct sp_buf wire = SP_BUF(STATE_MAX);
	snprintf(state->device, sizeof(state->device), "%s", p->config.device);
	snprintf(state->session, sizeof(state->session), "%s", p->session);
	snprintf(state->boot, sizeof(state->boot), "%s", p->config.boot);
	snprintf(state->version, sizeof(state->version), "%s", p->config.version);
	snprintf(state->hub_epoch, sizeof(state->hub_epoch), "%s", p->hub_epoch);
	state->presence = presence;
	state->clk = sp_clock_now();
	state->held_count = count;
	if (count > 0)
		memcpy(state->held, held, count * sizeof(*held));
	int result = sp_feed_state_encode(&wire, state);
	if (result == 0)
		result =
		    sp_mqtt_publish(p->mqtt, p->state_topic, wire.data, wire.length, true, SP_FEED_JSON, mid);
	sp_buf_free(&wire);
	free(state);
	return result;
}

// ---- what the broker says -------------------------------------------------------------------------

static void on_connected(void *arg, int reason, const char *text, bool session_present)
{
	struct sp_publisher *p = arg;
	(void)session_present;
	if (reason != 0) {
		sp_publisher_reason(p, "%s", text);
		p->over = true;
		return;
	}
	if (sp_mqtt_subscribe(p->mqtt, p->ack_topic) < 0 || sp_mqtt_subscribe(p->mqtt, p->hub_topic) < 0 ||
	    (p->config.command && sp_mqtt_subscribe(p->mqtt, p->cmd_topic) < 0)) {
		sp_publisher_reason(p, "cannot subscribe");
		p->over = true;
		return;
	}
	int64_t now_us = sp_clock_mono_us();
	p->connected_us = now_us;
	sp_mqtt_interface(p->mqtt, p->interface);
	p->birth_us = p->config.ack_mode == SP_ACK_HUB ? now_us + HUB_WAIT_US : now_us;
	p->phase = SP_PUBLISHER_GREETING;
	p->reason[0] = '\0';
	p->unbelieved = false;
	sp_notice("publisher", "connected to %s port %u", p->config.mqtt.host, p->config.mqtt.port);
}

static void on_disconnected(void *arg, int reason, const char *text)
{
	struct sp_publisher *p = arg;
	(void)reason;
	sp_publisher_reason(p, "%s", text);
	p->over = true;
}

static void on_acknowledged(void *arg, int mid, int reason)
{
	sp_publisher_no_doubt(arg);
	sp_publisher_puback(arg, mid, reason);
}

static void on_subscribed(void *arg, const char *topic, int reason)
{
	struct sp_publisher *p = arg;
	sp_publisher_no_doubt(p);
	if (reason >= 0x80)
		sp_publisher_reason(p, "the broker refuses the subscription to %s: 0x%02x", topic,
				    (unsigned)reason);
}

static void on_message(void *arg, const struct sp_mqtt_message *message)
{
	struct sp_publisher *p = arg;
	sp_publisher_no_doubt(p);
	if (strcmp(message->topic, p->hub_topic) == 0)
		sp_publisher_hub_says(p, message, sp_clock_mono_us());
	else if (strcmp(message->topic, p->ack_topic) == 0)
		sp_publisher_ack_says(p, message);
	else if (p->config.command && strcmp(message->topic, p->cmd_topic) == 0 && !message->retained)
		p->config.command(p->config.command_arg, message->payload, message->length);
}

// ---- attempts -----------------------------------------------------------------------------------------

/// A new session id and the will that carries it.
static size_t make_will(struct sp_publisher *p)
{
	struct sp_feed_state *state = sp_alloc(sizeof(*state));
	struct sp_buf wire = SP_BUF(sizeof(p->will) - 1);
	sp_id_new(p->session);
	snprintf(state->device, sizeof(state->device), "%s", p->config.device);
	snprintf(state->session, sizeof(state->session), "%s", p->session);
	state->presence = SP_FEED_LOST;
	size_t length = 0;
	if (sp_feed_state_encode(&wire, state) == 0 && wire.data) {
		length = wire.length;
		memcpy(p->will, wire.data, length);
	}
	sp_buf_free(&wire);
	free(state);
	return length;
}

void sp_publisher_attempt(struct sp_publisher *p, int64_t now_us)
{
	static const struct sp_mqtt_events events = {.connected = on_connected,
						     .disconnected = on_disconnected,
						     .acknowledged = on_acknowledged,
						     .subscribed = on_subscribed,
						     .message = on_message};
	struct sp_mqtt_config config = p->config.mqtt;
	char why[256] = "";
	config.client_id = p->client_id;
	config.clean_start = false;
	config.trust = &p->trust;
	config.will_length = make_will(p);
	config.will_payload = p->will;
	config.will_topic = p->state_topic;
	if (config.will_delay_seconds <= 0)
		config.will_delay_seconds = WILL_DELAY_SECONDS;
	if (config.session_expiry_seconds < config.will_delay_seconds + EXPIRY_BEYOND_WILL_SECONDS)
		config.session_expiry_seconds = config.will_delay_seconds + EXPIRY_BEYOND_WILL_SECONDS;
	p->phase = SP_PUBLISHER_DIALING;
	p->over = false;
	// Name resolution blocks for servers × tries × search domains, each with the administrator's own
	// timeout: no bound would be true, and a restart would not make it answer. So no promise is made; the
	// journal goes on meanwhile, and the status shows the connection as down. wait() promises again.
	sp_deadline_idle(p->deadline);
	p->mqtt = sp_mqtt_new(&config, &events, p, why);
	if (p->mqtt && sp_mqtt_connect(p->mqtt, why) == 0)
		return;
	sp_publisher_reason(p, "%s", why);
	sp_publisher_drop(p, now_us);
}

static int64_t max_backoff_ms(const struct sp_publisher *p)
{
	if (p->hub_window_ms >= HUB_WINDOW_LEAST_MS)
		return p->hub_window_ms;
	return p->config.backoff_max_ms < HUB_WINDOW_LEAST_MS || !p->hub_window_ms ? p->config.backoff_max_ms
										   : HUB_WINDOW_LEAST_MS;
}

void sp_publisher_forget_session(struct sp_publisher *p)
{
	if (p->mqtt)
		p->traffic += sp_mqtt_traffic(p->mqtt);
	sp_mqtt_free(p->mqtt);
	p->mqtt = NULL;
}

void sp_publisher_drop(struct sp_publisher *p, int64_t now_us)
{
	sp_publisher_forget_session(p);
	if (p->connected_us)
		sp_backoff_stood(&p->backoff, (now_us - p->connected_us) / 1000);
	int64_t delay = sp_backoff_next_ms(&p->backoff, max_backoff_ms(p), sp_random_unit());
	p->phase = SP_PUBLISHER_DOWN;
	p->over = false;
	p->connected_us = 0;
	sp_publisher_leave(p);
	p->hub_heard = p->hub_online = false;
	p->birth_us = p->born_us = 0;
	p->generation++;
	p->next_us = now_us + delay * 1000;
	p->window.hold_backlog = p->config.ack_mode == SP_ACK_HUB;
	sp_window_reset(&p->window, now_us);
	sp_info("publisher", "next attempt in %.1f s", (double)delay / 1000);
}

// ---- births -------------------------------------------------------------------------------------------

/// Asks for what the birth must name. Nothing is sent from then until the birth is out: a stream that is not
/// in it would be taken for lost.
void sp_publisher_greet(struct sp_publisher *p, int64_t now_us)
{
	bool connected = p->phase == SP_PUBLISHER_GREETING || p->phase == SP_PUBLISHER_UP;
	// The answer to a question that is open belongs before the birth.
	if (!connected || !p->birth_us || now_us < p->birth_us || p->asking)
		return;
	sp_publisher_ask_held(p);
}

void sp_publisher_born(struct sp_publisher *p, const struct sp_publisher_answer *answer, int64_t now_us)
{
	int mid;
	p->asking_held = false;
	if (p->over || (p->phase != SP_PUBLISHER_GREETING && p->phase != SP_PUBLISHER_UP))
		return;
	if (!answer->streams) {
		// A birth without streams would tell the hub that all is lost.
		p->birth_us = now_us + JOURNAL_WAIT_US;
		return;
	}
	int result = sp_publisher_publish_state(p, SP_FEED_ONLINE, answer->streams, answer->count, &mid);
	if (result < 0) {
		sp_publisher_reason(p, "publishing the birth: %s", strerror(-result));
		p->over = true;
		return;
	}
	p->phase = SP_PUBLISHER_UP;
	p->birth_us = 0;
	p->born_us = now_us;
	// Everything unsettled is due again.
	p->generation++;
	sp_window_reset(&p->window, now_us);
}
