// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// HTTP(S) as a client, over libcurl, on somebody else's event loop: the owner lends descriptor
// watches and one timer. Hostile peers are expected: head, body and time are bounded, redirects are
// reported and not followed, environment variables (proxies) are not read.
#pragma once

#include <stdint.h>

#include "schoolpulse/io.h"

struct sp_http_client;
struct sp_http_transfer;

/// What the owner's loop does for the client. Both are called inside the client's functions and may
/// not call the client back.
struct sp_http_loop {
	/// Tell sp_http_client_ready() about these events (SP_READABLE, SP_WRITABLE) of `fd`, in place of
	/// what was asked before. 0: no more, at once, since the descriptor is about to be closed.
	void (*watch)(void *arg, int fd, unsigned events);
	/// Call sp_http_client_expired() once after `delay_ms`, in place of what was asked before. < 0: do
	/// not.
	void (*timer)(void *arg, int64_t delay_ms);
};

/// Costs next to nothing before the first transfer. `loop` must outlive it.
struct sp_http_client *sp_http_client_new(const struct sp_http_loop *loop, void *arg);
/// Cancels what is under way, without callbacks. Not from a callback.
void sp_http_client_free(struct sp_http_client *client);
void sp_http_client_ready(struct sp_http_client *client, int fd, unsigned events);
void sp_http_client_expired(struct sp_http_client *client);

/// `answer` lives during the call. It may start and cancel transfers.
typedef void (*sp_http_done_fn)(void *arg, const struct sp_http_answer *answer);

/// Begins one GET, see struct sp_http_request; copies it. `done` always comes later, from
/// sp_http_client_ready() or _expired(), also for a URL that is none; then the transfer is freed.
struct sp_http_transfer *sp_http_transfer_get(struct sp_http_client *client,
					      const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg);
/// Ends it without its callback; NULL is fine, and so is the transfer whose callback is running.
void sp_http_transfer_cancel(struct sp_http_transfer *transfer);
