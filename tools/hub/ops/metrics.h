// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// GET /metrics: what this process counted, and what the store holds. README.md has the names.
#pragma once

#include "agent/base/http_server.h"
#include "tools/hub/hub_config.h"
#include "tools/hub/store/store.h"

struct sp_metrics;

/// `config` must outlive it.
struct sp_metrics *sp_metrics_new(const struct sp_hub_config *config);
void sp_metrics_free(struct sp_metrics *metrics);

/// Answers. `open` gives a store to read, or NULL when it cannot be read: the answer then says so, and has
/// what is left. It is asked only when what was read last has become too old.
void sp_metrics_answer(struct sp_metrics *metrics, struct sp_http_call *call,
		       struct sp_store *(*open)(void *arg), void *arg);

// ---- of an ingest without a page ------------------------------------------------------------------------

struct sp_metrics_server;
/// NULL with `why`.
struct sp_metrics_server *sp_metrics_server_new(const struct sp_hub_config *config, char why[256]);
void sp_metrics_server_free(struct sp_metrics_server *server);
/// Answers until `stop_fd` is readable.
void sp_metrics_server_run(struct sp_metrics_server *server, int stop_fd);
uint16_t sp_metrics_server_port(const struct sp_metrics_server *server);
