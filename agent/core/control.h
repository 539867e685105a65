// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The local socket of the agent: lines of JSON in, one document and a newline out for each. Several
// clients at once; a slow one, or one that sends garbage, harms nobody but itself.
#pragma once

#include "agent/base/buf.h"
#include "agent/core/control_request.h"
#include "agent/core/loop.h"

struct sp_control;

/// Appends one JSON document without line breaks.
typedef void (*sp_control_answer_fn)(void *arg, const struct sp_control_request *request, struct sp_buf *out);

/// Listens at `path` with mode 0660; a socket that nobody answers at is replaced. 0 or -errno: -EADDRINUSE
/// when somebody does.
int sp_control_open(struct sp_control **out, struct sp_loop *loop, const char *path,
		    sp_control_answer_fn answer, void *arg) SP_MUST_CHECK;
/// Closes every client and removes the socket. NULL is fine.
void sp_control_close(struct sp_control *control);
