// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A client of base's on the agent's loop, private to io_http*.c.
#pragma once

#include "agent/base/http_client.h"
#include "agent/core/loop.h"

struct sp_http_pool {
	struct sp_loop *loop;
	struct sp_http_client *client;
	struct sp_loop_timer *timer;
	struct {
		int fd;
		struct sp_loop_watch *watch;
	} * watches;
	size_t count;
	unsigned depth; ///< calls into the client that run
	bool doomed;
};

/// Ended by sp_http_pool_free() of device_priv.h.
struct sp_http_pool *sp_http_pool_new(struct sp_loop *loop);
