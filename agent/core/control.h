// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The local socket of the agent: lines of JSON in, one document and a newline out for each; or, for what
// takes long, lines of JSON as it goes on and a last one that has a member "ok". Several clients at once; a
// slow one, or one that sends garbage, harms nobody but itself.
#pragma once

#include "agent/base/buf.h"
#include "agent/core/control_request.h"
#include "agent/core/loop.h"

struct sp_control;

/// A client that waits for lines.
struct sp_control_stream;

/// Appends one JSON document without line breaks and returns false; or returns true: lines follow by
/// `stream`, which is good until its end or gone().
typedef bool (*sp_control_answer_fn)(void *arg, const struct sp_control_request *request, struct sp_buf *out,
				     struct sp_control_stream *stream);
/// The client of an unfinished stream went away.
typedef void (*sp_control_gone_fn)(void *arg, struct sp_control_stream *stream);

/// Listens at `path` with mode 0660; a socket that nobody answers at is replaced. 0 or -errno: -EADDRINUSE
/// when somebody does.
int sp_control_open(struct sp_control **out, struct sp_loop *loop, const char *path,
		    sp_control_answer_fn answer, sp_control_gone_fn gone, void *arg) SP_MUST_CHECK;
/// Closes every client and removes the socket. NULL is fine.
void sp_control_close(struct sp_control *control);

/// One line of JSON, without its break. A client that is behind by much misses it: only the last counts.
/// Neither calls back; a client whose socket fails is gone() later.
void sp_control_stream_line(struct sp_control_stream *stream, const char *line);
/// The last one; the client may ask again.
void sp_control_stream_end(struct sp_control_stream *stream, const char *line);
