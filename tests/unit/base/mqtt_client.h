// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A client under test with everything that it was told, and turns until something holds.
#pragma once

#include <stdbool.h>

#include "agent/base/mqtt.h"

enum { CLIENT_MESSAGES = 16 };

struct client {
	struct sp_mqtt *mqtt;
	int answers; ///< calls of connected()
	int reason;
	bool session_present;
	int losses, loss_reason; ///< calls of disconnected()
	char text[256];
	int acknowledged, last_mid, last_reason;
	int subscribed, subscribe_reason;
	char topic[64];
	int messages;
	struct {
		char topic[64], payload[64], content_type[64];
		size_t length;
		bool retained;
	} message[CLIENT_MESSAGES]; ///< the last ones, by number modulo CLIENT_MESSAGES
	void (*on_message)(struct client *client);
};

void client_new(struct client *client, const struct sp_mqtt_config *config);
void client_free(struct client *client);
/// Turns of all `count` clients until *counter is at least `wanted`; the test fails after 30 s.
void turn_until(struct client *const *clients, int count, const int *counter, int wanted);
/// Begins an attempt and turns until it has its answer, at once or later; returns the reason.
int client_connect(struct client *client);
/// One turn without waiting.
void client_turn(struct client *client);

/// Puts the clock forward; virtual_clock() before the first use, real_clock() after the last.
void virtual_clock(void);
void real_clock(void);
void clock_forward(int64_t seconds);
