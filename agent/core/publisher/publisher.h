// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Carries journalled batches to the broker and the hub's acknowledgements back, on its own thread.
// Two lanes, a window of 16 batches, full-jitter back-off; all rules are design notes in publisher.c.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/mqtt.h"
#include "agent/core/deadline.h"
#include "agent/core/journal/journal.h"

struct sp_publisher;

enum sp_ack_mode { SP_ACK_HUB, SP_ACK_BROKER };

typedef void (*sp_publisher_command_fn)(void *arg, const void *payload, size_t length);

struct sp_publisher_config {
	struct sp_mqtt_config mqtt; ///< client id and will are filled in by the publisher
	const char *shard, *device, *boot, *version;
	enum sp_ack_mode ack_mode;
	int64_t backlog_per_second;           ///< batches
	int64_t resend_min_ms, resend_max_ms; ///< without an acknowledgement; 1…5 min by default
	int64_t backoff_max_ms;               ///< until the hub announces its window
	/// Not NULL: commands are subscribed to. Called on the publisher's thread with a message of that
	/// topic that is not retained, as it came; it must only hand over and return.
	sp_publisher_command_fn command;
	void *command_arg;
};

struct sp_publisher_status {
	bool connected, hub_online;
	char broker[300]; ///< host:port
	/// Why not connected, or what is wrong while it is: the broker refuses our messages, or nothing is
	/// settled, since nobody knows the time and so whether its certificate is out of date. "" otherwise.
	char reason[160];
	char hub_epoch[SP_ID_LENGTH + 1];
	int64_t attendance_days;    ///< the most that a hub said since start; 0: none did
	int64_t connected_since_us; ///< monotonic; 0 when not
	int64_t silent_since_us; ///< connected, but a question of then is not answered; 0: as far as known it
				 ///< lives
	int64_t sent, acknowledged, resent, refused; ///< batches since start
	int64_t in_flight;
	int64_t traffic_bytes;   ///< of IP, both ways, since start
	char interface[16];      ///< of the last connection; "" before one
	int64_t next_attempt_us; ///< monotonic; 0 when connected
};

/// `changed` (may be NULL) runs on the publisher's thread when `connected`, `hub_online` or `silent_since_us`
/// changed.
int sp_publisher_start(struct sp_publisher **out, const struct sp_publisher_config *config,
		       struct sp_journal *journal, struct sp_deadline *deadline, void (*changed)(void *arg),
		       void *arg) SP_MUST_CHECK;
/// The journal's `news` customer. Any thread.
void sp_publisher_news(struct sp_publisher *publisher);
/// The network came up: the next attempt comes within 0…3 s. Any thread.
void sp_publisher_hurry(struct sp_publisher *publisher);
/// Something on the line fell silent: the broker is asked whether it lives. Any thread, as often as you like.
void sp_publisher_doubt(struct sp_publisher *publisher);
/// Until it is told otherwise the backlog waits, bulk with it: a speed test has the line. Facts go. Any
/// thread.
void sp_publisher_hush(struct sp_publisher *publisher, bool hushed);
void sp_publisher_status(struct sp_publisher *publisher, struct sp_publisher_status *out);
/// When bytes of a broker beyond the gateway came in last, monotonic; 0: not yet. Any thread.
int64_t sp_publisher_received_us(struct sp_publisher *publisher);
/// Sends what is unsent for at most `flush_ms`, publishes "stopped", disconnects, joins (bounded).
/// -ETIMEDOUT when the thread hangs in name resolution: it is then left behind.
int sp_publisher_stop(struct sp_publisher *publisher, int64_t flush_ms);
/// After sp_journal_close(), which may call sp_publisher_news() and answer the publisher's requests until
/// then. NULL is fine; a publisher whose thread was left behind is left behind, too.
void sp_publisher_free(struct sp_publisher *publisher);
