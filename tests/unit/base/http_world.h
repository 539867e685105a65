// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The world of an HTTP client under test: its owner's loop, and a server that serves each connection
// as the test says, all in one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/http_client.h"

enum { FDS = 256, PEERS = 64 };

/// The owner's loop and the server's side of every connection, in one thread.
struct world {
	struct sp_http_client *client;
	unsigned wanted[FDS]; ///< by descriptor
	int64_t due_ms;       ///< -1: no timer
	int listener;
	uint16_t port;
	struct {
		int fd;
		char request[2048];
		size_t length;
		bool asked;
		void (*serve)(int fd); ///< again and again, once the request is there
	} peers[PEERS];
	size_t peer_count;
	void (*serve)(int fd); ///< for new connections
};

struct result {
	struct world *world;
	int calls, result;
	long status;
	enum sp_family family;
	int64_t bytes;
	char error[300], location[300], body[2048];
	size_t length;
	void (*then)(struct result *result);
	struct sp_http_transfer *transfer;
};

int world_set_up(void **state);
int world_tear_down(void **state);
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

extern const struct sp_http_loop world_loop;
/// One round of the loop, at most a few milliseconds.
void turn(struct world *world);
/// Begins a transfer; what the request leaves open is filled in. `with` serves it.
void begin(struct world *world, struct result *r, struct sp_http_request request, void (*with)(int fd));
/// Turns until its callback has run; the test fails after 30 s.
void wait_for(struct world *world, struct result *r);
struct result get(struct world *world, struct sp_http_request request, void (*with)(int fd));

// What a server may do with a connection.
void say(int fd, const char *text);
void say_and_close(int fd, const char *text);
void hello(int fd); ///< 200, "hello"
void silent(int fd);
