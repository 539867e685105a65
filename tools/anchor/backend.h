// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// LibreSpeed's backend over HTTP: garbage to take, a hole to fill, "what is my address?".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/http_server.h"
#include "tools/anchor/admit.h"

struct sp_anchor_backend;

struct sp_anchor_backend_config {
	struct sp_admit *admit; ///< outlives the backend
	bool behind_proxy;      ///< X-Forwarded-For of a peer on this machine is believed
	int64_t most_upload;    ///< bytes of one body
	int64_t stall_ms;
};

/// NULL and errno when there is no randomness.
struct sp_anchor_backend *sp_anchor_backend_new(const struct sp_anchor_backend_config *config);
void sp_anchor_backend_free(struct sp_anchor_backend *backend);

/// For servers whose `arg` is the backend.
extern const struct sp_http_route sp_anchor_routes[];
void sp_anchor_begin(struct sp_http_call *call, void *arg);

struct sp_anchor_traffic {
	uint64_t downloads, uploads, pings, addresses; ///< requests that were served
	int64_t sent_bytes, received_bytes;            ///< bodies of tests
};
const struct sp_anchor_traffic *sp_anchor_backend_traffic(const struct sp_anchor_backend *backend);
