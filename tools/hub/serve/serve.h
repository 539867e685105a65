// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hub's page and its JSON API over HTTP, from a read-only view of the store.
#pragma once

#include "tools/hub/hub_config.h"

struct sp_serve;

/// Listens; answers once sp_serve_run() runs. NULL with `why`. `config` must outlive it.
struct sp_serve *sp_serve_new(const struct sp_hub_config *config, char why[256]);
/// Opens the store already now, and logs why it cannot be read: pages try it again with each request.
void sp_serve_look(struct sp_serve *serve);
void sp_serve_free(struct sp_serve *serve);
/// Answers until `stop_fd` is readable.
void sp_serve_run(struct sp_serve *serve, int stop_fd);
uint16_t sp_serve_port(const struct sp_serve *serve);
