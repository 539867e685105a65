// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which connection serves which flow, and what it cost it: a connection outlives a transfer and is taken over
// by the next, so its counters are read at each change of hands. Private to http_*.c.
#pragma once

#include "agent/base/wire.h"

struct sp_http_flow;

struct sp_http_socket {
	struct sp_http_socket *next;
	int fd;
	struct sp_http_flow *owner; ///< NULL: kept open for the next
	struct sp_wire counted;     ///< up to the last settlement
	int64_t owed;               ///< unacknowledged when its last owner left it
};

/// A new descriptor of that owner.
void sp_http_socket_add(struct sp_http_socket **list, int fd, struct sp_http_flow *owner);
/// It serves that flow now, if it is one of ours. What it cost since its last settlement is the flow's:
/// libcurl names the descriptor only after the request went out.
void sp_http_socket_claim(struct sp_http_socket **list, int fd, struct sp_http_flow *owner);
/// Reads the counters of all that serve this flow and adds what is new to `sum`.
void sp_http_socket_settle(struct sp_http_socket *list, const struct sp_http_flow *owner,
			   struct sp_wire *sum);
/// They serve nobody any more.
void sp_http_socket_release(struct sp_http_socket *list, const struct sp_http_flow *owner);
/// One that serves the flow; -1: none.
int sp_http_socket_of(const struct sp_http_socket *list, const struct sp_http_flow *owner);
/// Its owner; NULL: nobody.
struct sp_http_flow *sp_http_socket_owner(struct sp_http_socket *list, int fd);
/// What to add to the bytes that its owner sent, to have those acknowledged in its time: less what is still
/// under way, and more what the owner before it left so. False: not known.
bool sp_http_socket_news(struct sp_http_socket *list, int fd, int64_t *out);
/// It is about to be closed: its last costs, and whose they are (NULL: nobody's).
struct sp_http_flow *sp_http_socket_remove(struct sp_http_socket **list, int fd, struct sp_wire *last);
