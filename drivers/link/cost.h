// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a TCP handshake or a page costs in bytes of IP, both ways: reckoned from what was sent, since nobody
// counts a socket's packets. Rather too much than too little.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sp_http_request;
struct sp_http_answer;

/// A handshake and its end. `result` as of sp_tcp_connect().
size_t sp_cost_connect(bool ipv6, int result);
/// A page with its connection, and for https the TLS handshake; with the question for the name, if one was
/// asked.
size_t sp_cost_http(const struct sp_http_request *request, const struct sp_http_answer *answer);
