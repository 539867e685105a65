// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the hub says: its epoch, and what it has committed. All of it is decoded by the fuzzed codec and
// bounded here: a hub that lies can make us send again, a few batches in some minutes, and no more.
#include "agent/core/publisher/thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock_trust.h"
#include "agent/base/ids.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

enum {
	WINDOW_MAX_SECONDS = 3600,
	REBIRTH_SPREAD_MS = 30 * 1000, ///< a hub that starts anew must not hear all boards in one second
	REBIRTH_LEAST_MS = 5 * 1000,   ///< between two births of one session
	EARLY_US = 10 * 1000 * 1000,   ///< so soon after connecting the epoch is news, not an event
};

static int64_t rebirth_delay_ms(const struct sp_publisher *p, int64_t now_us)
{
	int64_t spread = p->hub_window_ms < REBIRTH_SPREAD_MS ? p->hub_window_ms : REBIRTH_SPREAD_MS;
	int64_t delay = (int64_t)((double)spread * sp_random_unit());
	int64_t since = (now_us - p->born_us) / 1000;
	if (!p->hub_heard && now_us - p->connected_us < EARLY_US)
		delay = 0;
	else if (delay < REBIRTH_LEAST_MS - since)
		delay = REBIRTH_LEAST_MS - since;
	return delay;
}

static void new_epoch(struct sp_publisher *p, int64_t now_us)
{
	if (p->phase == SP_PUBLISHER_UP && !p->birth_us)
		p->birth_us = now_us + rebirth_delay_ms(p, now_us) * 1000;
}

void sp_publisher_hub_says(struct sp_publisher *p, const struct sp_mqtt_message *message, int64_t now_us)
{
	struct sp_feed_hub hub;
	char why[128];
	enum sp_feed_fault fault = sp_feed_hub_decode(&hub, message->payload, message->length, why);
	if (fault != SP_FEED_OK) {
		sp_warning("publisher", "the hub's state is %s: %s", sp_feed_fault_name(fault), why);
		return;
	}
	int64_t seconds = hub.reconnect_window_seconds;
	if (seconds < 0 || seconds > WINDOW_MAX_SECONDS)
		seconds = WINDOW_MAX_SECONDS;
	if (hub.attendance_days > p->attendance_days)
		p->attendance_days = hub.attendance_days;
	if (hub.online) {
		p->hub_window_ms = seconds * 1000;
		if (strcmp(p->hub_epoch, hub.hub_epoch) != 0) {
			memcpy(p->hub_epoch, hub.hub_epoch, sizeof(p->hub_epoch));
			new_epoch(p, now_us);
		}
	}
	if (hub.online != p->hub_online)
		sp_info("publisher", "the hub is %s", hub.online ? "online" : "away");
	if (p->phase == SP_PUBLISHER_GREETING)
		p->birth_us = now_us; // that is what it waited for
	p->hub_heard = true;
	p->hub_online = hub.online;
	p->window.hold_backlog = p->config.ack_mode == SP_ACK_HUB && !p->hub_online;
}

/// Of an epoch that is over, or older than one that was already applied.
static bool stale(const struct sp_publisher *p, const struct sp_feed_ack *ack)
{
	if (p->hub_heard && p->hub_epoch[0] && strcmp(ack->hub_epoch, p->hub_epoch) != 0)
		return true;
	return strcmp(ack->hub_epoch, p->ack_epoch) == 0 && ack->number < p->ack_number;
}

/// What the hub says of the time. It is believed only from a broker whose certificate is good at that very
/// time, and only when it answers what was sent in this session: the echo says how old it can be. False: the
/// certificate is not good then; the session is over, and says why.
static bool learn_time(struct sp_publisher *p, const struct sp_feed_ack *ack)
{
	int64_t now_us = sp_clock_mono_us();
	if (!ack->timed || strcmp(ack->echo_boot, p->config.boot) != 0 ||
	    ack->echo_mono_us < p->connected_us || ack->echo_mono_us > now_us)
		return true;
	if (sp_clock_possible(ack->t_ms, ack->err_ms) && !sp_publisher_verify(p, ack->t_ms))
		return false;
	int result = sp_clock_hub_says(ack->echo_mono_us, now_us, ack->t_ms, ack->err_ms);
	if (result < 0 && !p->time_refused)
		sp_warning("publisher", "the hub's time, %" PRId64 " ms, cannot be true: not learnt",
			   ack->t_ms);
	p->time_refused = result < 0;
	return true;
}

void sp_publisher_ack_says(struct sp_publisher *p, const struct sp_mqtt_message *message)
{
	struct sp_feed_ack ack;
	char why[128];
	enum sp_feed_fault fault = sp_feed_ack_decode(&ack, message->payload, message->length, why);
	if (fault != SP_FEED_OK) {
		sp_warning("publisher", "an acknowledgement is %s: %s", sp_feed_fault_name(fault), why);
		return;
	}
	if (p->config.ack_mode != SP_ACK_HUB || stale(p, &ack)) {
		sp_debug("publisher", "a stale acknowledgement for stream %s", ack.stream);
		return;
	}
	// What is dropped leaves nothing behind, not even its number: it would make a true one stale.
	if (!learn_time(p, &ack) || !sp_publisher_may_settle(p))
		return;
	memcpy(p->ack_epoch, ack.hub_epoch, sizeof(p->ack_epoch));
	p->ack_number = ack.number;
	p->acknowledged += (int64_t)sp_window_ack(&p->window, &ack);
	sp_journal_ack(p->journal, &ack);
}
