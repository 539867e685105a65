// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What an anchor says our public address is, as a pure function over the bytes of its answer.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "schoolpulse/err.h"

enum { SP_EGRESS_BODY = 4096 };

/// The answer of LibreSpeed's getIP, {"processedString":"192.0.2.1 - …",…}, or an address as plain text. Port
/// and zone are left 0. 0, or -EBADMSG when it is neither, or no address by which the Internet could know us.
int sp_egress_parse(const uint8_t *body, size_t length, struct sockaddr_storage *out) SP_MUST_CHECK;
