// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What listen.c (ports and who shares them) and listen_request.c (one request) share.
#pragma once

#include "agent/base/http_server.h"
#include "agent/core/device_priv.h"

/// One address and port, of as many devices as name it.
struct sp_http_port {
	struct sp_http_port *next;
	struct sp_devices *set;
	char *address, *cert_file, *key_file;
	char *certificate, *key; ///< PEM
	struct sp_http_server *server;
	struct sp_loop_watch *watch;
	struct sp_loop_timer *timer;
	struct sp_http_listener *listeners; ///< in the order of their coming
	unsigned depth;                     ///< turns of the server that run
};

/// One device's share of a port.
struct sp_http_listener {
	struct sp_resource open;
	struct sp_http_listener *next;
	struct sp_http_port *port;
	const struct sp_http_service *service;
	int64_t max_body, stall_ms;
	struct sp_http_inbound *inbounds;
};

struct sp_http_inbound {
	struct sp_http_call *call;
	struct sp_http_listener *listener; ///< NULL: its device has left
	struct sp_http_inbound *next, *previous;
	void *context;
	bool answered; ///< replied or cut
};

/// Something was done to a request: the server must have its turn.
void sp_http_port_stir(struct sp_http_port *port);
/// The server's begin().
void sp_http_inbound_came(struct sp_http_call *call, void *port);
/// Every request, as the server's only route.
void sp_http_inbound_whole(struct sp_http_call *call, void *port);
/// Ends it without gone().
void sp_http_inbound_leave(struct sp_http_inbound *in);
