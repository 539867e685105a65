// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What webhook.c (the device) and webhook_request.c (one request) share.
#pragma once

#include "schoolpulse/kiosk.h"
#include "webhook_json.h"
#include "webhook_sign.h"

enum {
	WEBHOOK_BODY_MAX = 128 * 1024,
	WEBHOOK_HELD_MAX = 1024 * 1024, ///< of all bodies that are coming in: what a flood may cost
};

struct webhook_conf {
	char *path, *address, *cert_file, *key_file, *secret_file, *time_zone;
	int64_t port, window_ms, silence_ms;
	int direction; ///< enum sp_direction_option
};

struct webhook {
	struct sp_http_listener *listener;
	struct sp_timer *tick;
	struct webhook_secrets secrets;
	int32_t zone_s;
	struct webhook_request *requests; ///< the youngest first
	uintptr_t last_number;            ///< of a request: what a commit names it by
	size_t held;                      ///< bytes of bodies
	int64_t started_us, heard_us;
	double clock_error_s; ///< NAN before the first
	struct webhook_kiosk told;
	int64_t refused;   ///< batches with a mistake
	int64_t strange;   ///< requests without a good signature
	bool clock_waited; ///< the last one had to wait for our clock
	int error;         ///< why the last batch could not be kept; 0
	int64_t warned_us; ///< of a request that was refused
};

extern const struct sp_http_service webhook_service;
/// Wipes and frees what is under way.
void webhook_requests_free(struct webhook *webhook);
