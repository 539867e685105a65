// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What an MQTT test talks to: a real mosquitto of its own, certificates, and sockets that misbehave.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct broker {
	pid_t pid;
	uint16_t port;
	char config[128];
};

/// In `dir`, on a free port of 127.0.0.1. `more` is put into its configuration. Ready when it returns.
void broker_start(struct broker *broker, const char *dir, const char *more);
void broker_stop(struct broker *broker);

/// Makes ca.pem, server.pem/.key (127.0.0.1, localhost), expired.pem, early.pem, named.pem (another
/// name), client.pem/.key (CN hcm/kim-dong-1), and other-ca.pem in `dir`.
void make_certificates(const char *dir);

int listen_here(int backlog, uint16_t *port);
