// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h's HTTP server without a socket: a test plays the kiosk, hands a driver the head of a request and its
// body in pieces, and sees what is answered, when, and what is held back. One device per listener; to have
// two share one, make two with the same port: fake_request() asks them all.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/io.h"

struct sp_http_inbound {
	struct sp_http_listener *listener; ///< whose it is; NULL: its device has freed the listener
	char *head;                        ///< cut up; what follows points into it
	const char *method, *path;
	struct fake_pair {
		const char *name, *value;
	} queries[32], headers[64];
	size_t query_count, header_count;
	void *context;
	bool claiming, whole; ///< claim() runs; whole() ran
	// ---- what the driver did
	bool paused, replied, cut;
	unsigned status;
	char content_type[64];
	char *body; ///< NUL-terminated
	size_t length;
	bool date;
	int64_t retry_after_s;
};

/// As if sp_http_listen() failed with this; "" again: it works.
extern char fake_listen_why[256];
/// Of the requests to come; "192.0.2.10" at first.
extern char fake_peer[64];

/// A request's head: "POST /iclock/cdata?SN=A&table=ATTLOG HTTP/1.1\nContent-Type: text/plain\n", path and
/// query with %-codes. Every listener of `port` (0: all) is asked; then begin() runs. NULL: nobody's.
/// Freed by fake_gone().
struct sp_http_inbound *fake_request(uint16_t port, const char *head);
/// The body's next bytes in pieces of `step` (0: in one), until it is paused, replied or cut. How many went.
size_t fake_body(struct sp_http_inbound *in, const void *data, size_t length, size_t step);
/// The body is over, if it is still wanted; fails the test while paused.
void fake_whole(struct sp_http_inbound *in);
/// Head, body and its end at once.
struct sp_http_inbound *fake_ask(uint16_t port, const char *head, const char *body);
/// The connection ends, or the answer was taken: gone(), and `in` is freed.
void fake_gone(struct sp_http_inbound *in);
