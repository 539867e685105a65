// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A visitor to an HTTP server under test: handlers that show what came, plain sockets that ask, a
// clock that can be put forward, all in one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/http_server.h"

enum { LARGE = 4 * 1024 * 1024 }; ///< bytes behind GET /large

extern struct sp_http_server *server;
extern int handled;        ///< calls of the handler that shows
extern int64_t forward_us; ///< the clock's lead

int visitor_set_up(void **state);
int visitor_tear_down(void **state);
#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, visitor_set_up, visitor_tear_down)

/// Starts `server`; NULL and errno when it cannot.
void start(const struct sp_http_server_config *config, char why[256]);
void start_default(void);
int dial(void);
void turn(void);
void say(int fd, const char *text);
/// Reads until the server hangs up (true), or until `wanted` has come (false). At most 30 s.
bool hear(int fd, char *out, size_t size, const char *wanted);
/// One request on a connection of its own. To be used at once.
const char *ask(const char *request);
/// The answer has this status and holds this.
void has(const char *answer, const char *status, const char *part);

#define CLOSE "Connection: close\r\n\r\n"
