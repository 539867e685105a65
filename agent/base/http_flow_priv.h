// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What http_flow*.c share.
#pragma once

#include "agent/base/http_flow.h"
#include "agent/base/http_job.h"
#include "agent/base/wire.h"

struct sp_http_flow {
	struct sp_http_job job;
	const struct sp_http_flow_events *events;
	void *arg;
	struct curl_slist *headers;
	int64_t send_bytes, filled, received, max_bytes;
	int64_t stall_us, moved_us, progress;
	int piece;                     ///< of SO_RCVLOWAT
	int64_t acked;                 ///< when its connection went; -1: not gone, or never there
	int64_t asked_us, answered_us; ///< the request's last byte handed out, the answer's first; 0: not yet
	bool posts, headed, cancelled, coded;
	bool endless; ///< no limit on its whole time
	bool paused;  ///< the owner takes nothing now
	bool resumes; ///< libcurl is to be told that he does again
	/// Digest login. A 401 may be libcurl's business, which answers it and asks again, or the end.
	bool login, reused; ///< with a nonce of an earlier request
	bool challenged;    ///< the last head was a 401 that nobody was told of yet
	unsigned challenges;
	struct sp_wire wire;
};

/// libcurl's header and write functions; `arg` is the flow.
size_t sp_http_flow_on_head(char *data, size_t size, size_t count, void *arg);
size_t sp_http_flow_on_body(char *data, size_t size, size_t count, void *arg);
/// The head of a 401 to which libcurl has no further answer, if there is one. False: the owner wants no more.
bool sp_http_flow_tell(struct sp_http_flow *flow);
/// It was answered 401 for a nonce of an earlier request, and not asked to take another.
bool sp_http_flow_forgotten(const struct sp_http_flow *flow);
