// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h's HTTP sessions as a driver that reads words sees them, on virtual time: a test answers each request
// as a whole, or leaves an answer open and says more of it later. (fake_stream.h has lines with a rate
// instead.)
#pragma once

#include "fake_io.h"

enum { FAKE_BODY = 32 * 1024, FAKE_SESSION_REQUESTS = 8192 };

struct fake_reply {
	int result;  ///< < 0: no answer
	long status; ///< 200 at first
	const char *type;
	char body[FAKE_BODY];
	bool open; ///< more comes by fake_say()
	int64_t delay_ms;
};
/// `path`: behind the host. `body`: of a POST, else "".
typedef void (*fake_reply_fn)(const char *method, const char *path, const char *body, struct fake_reply *out);

struct fake_session {
	fake_reply_fn reply;
	char requests[FAKE_SESSION_REQUESTS][96]; ///< "GET /path", in order
	size_t request_count;
	char posted[1024]; ///< the last POST's body
	unsigned sessions, pauses;
	struct sp_http_stream *held; ///< the answer left open; NULL: none
	bool paused, logs_in, pinned;
};
extern struct fake_session fake_session;
void fake_session_reset(fake_reply_fn reply);
/// More of the open answer, all at once; false: the driver did not want it.
bool fake_say(const char *text);
/// It ends.
void fake_hang_up(int result);
/// Requests of that path since index `from`.
size_t fake_asked(const char *path, size_t from);
