// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whether a peer stands beyond the gateway: what comes from there proves the line.
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

/// False for this machine, for what is link-local, and for every subnet that an interface of ours stands in;
/// also when that cannot be told.
bool sp_beyond_address(const struct sockaddr *address);
/// The same of the peer of a connected socket.
bool sp_beyond_peer(int fd);
