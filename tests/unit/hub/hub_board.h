// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board on a real broker that does what a test tells it, and keeps what the hub answers.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/base/feed.h"
#include "agent/base/mqtt.h"

struct board {
	char device[33], stream[SP_ID_LENGTH + 1], session[SP_ID_LENGTH + 1];
	struct sp_mqtt *mqtt;
	bool connected;
	int pubacks, subacks;
	struct sp_feed_hub hub; ///< the last state of the hub
	int hubs;               ///< how often it was heard
	struct sp_feed_ack ack; ///< the last one
	int acks;
	char site[512]; ///< the last message of any people's topic
	int sites;
	int64_t mono_us;
};

/// Connects as north/`device` and listens to its acks, the hub, and all people's topics.
void board_open(struct board *board, uint16_t port, const char *device);
void board_close(struct board *board);
/// Records first…last of its stream; the first of all is `opened`.
void board_send(struct board *board, int64_t first, int64_t last);
/// One record of samples, in a stream of its own.
void board_send_sample(struct board *board, int64_t seq);
/// Any bytes to any topic, retained or not.
void board_publish(struct board *board, const char *topic, const void *payload, size_t length,
		   const char *content_type, bool retain);
/// A birth that answers the hub's last epoch and holds 1…newest.
void board_birth(struct board *board, int64_t newest);
/// Turns until the condition holds; fails after a minute.
void board_until(struct board *board, bool (*holds)(const struct board *board, int64_t value), int64_t value,
		 const char *what);

bool board_is_settled(const struct board *board, int64_t upto);
bool board_hears_hub(const struct board *board, int64_t online);
bool board_has_pubacks(const struct board *board, int64_t count);
bool board_has_sites(const struct board *board, int64_t count);
