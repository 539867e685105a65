// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The opening of a WebSocket (RFC 6455 §4) as ndt7 wants it: the request's text, and whether the answer is
// one. Pure functions over bytes.
#pragma once

#include "ndt7_url.h"

enum {
	SP_NDT7_NONCE = 16,
	SP_NDT7_KEY = 25,         ///< base64 of the nonce
	SP_NDT7_ACCEPT = 29,      ///< what the server makes of the key
	SP_NDT7_HEAD = 16 * 1024, ///< longest head of an answer
	SP_NDT7_REQUEST = SP_NDT7_TARGET + SP_NDT7_HOST + 512,
};

#define SP_NDT7_SUBPROTOCOL "net.measurementlab.ndt.v7"

/// How a direction or an attempt went: a word of the feed's vocabulary, and a text for people.
struct sp_ndt7_verdict {
	const char *reason; ///< a constant; "" while nothing is wrong
	char text[160];
};

void sp_ndt7_upgrade_key(const uint8_t nonce[SP_NDT7_NONCE], char out[SP_NDT7_KEY]);
/// RFC 6455 §4.2.2: base64 of SHA-1 of the key and a fixed text.
void sp_ndt7_upgrade_accept(const char *key, char out[SP_NDT7_ACCEPT]);

/// The request; returns its length.
size_t sp_ndt7_upgrade_request(const struct sp_ndt7_url *url, const char *key, char out[SP_NDT7_REQUEST]);

/// Looks at what has come so far. The length of the answer's head when it is whole and good; 0: more must
/// come; -EPROTO and a verdict: refused.
int sp_ndt7_upgrade_answer(const char *data, size_t length, const char *key,
			   struct sp_ndt7_verdict *verdict) SP_MUST_CHECK;
