// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where an ndt7 test goes: ws and wss addresses with all their query parameters, and whose server that is.
// Pure functions.
#pragma once

#include "schoolpulse/speed.h"

enum {
	SP_NDT7_HOST = 254,
	SP_NDT7_QUERY = 4096,                 ///< longest query that the protocol allows
	SP_NDT7_TARGET = SP_NDT7_QUERY + 256, ///< path, '?' and query
};

struct sp_ndt7_url {
	bool tls;
	uint16_t port;
	char host[SP_NDT7_HOST]; ///< a name or an address, IPv6 without its brackets
	char target[SP_NDT7_TARGET];
};

/// "wss://host[:port]/path?query", from outside: printable ASCII only, no user, no fragment. 0 or -EINVAL.
int sp_ndt7_url_parse(struct sp_ndt7_url *url, const char *text) SP_MUST_CHECK;
/// "host", "host:port", "[address]:port" as configured; the protocol's own path. 0 or -EINVAL.
int sp_ndt7_url_fixed(struct sp_ndt7_url *url, const char *server, bool tls,
		      enum sp_speed_direction direction) SP_MUST_CHECK;
/// Adds "key=value" (both need no escaping), unless the query has that key already. 0 or -E2BIG.
int sp_ndt7_url_add(struct sp_ndt7_url *url, const char *key, const char *value) SP_MUST_CHECK;
/// Host and port as the Host header and an http(s) URL want them. Returns `out`.
const char *sp_ndt7_url_authority(const struct sp_ndt7_url *url, char *out, size_t size);
/// A server of Measurement Lab's platform, which publishes each result with the client's address.
bool sp_ndt7_is_mlab(const char *host);
/// The same of an http(s) or ws(s) URL; one that cannot be read is taken for theirs.
bool sp_ndt7_url_is_mlab(const char *text);
