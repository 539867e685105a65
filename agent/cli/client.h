// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Asks the agent over its local socket: one request, one answer; or lines until the last.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schoolpulse/err.h"

#define SP_CLIENT_SOCKET "/run/schoolpulse/agent.sock"

struct cJSON;

enum sp_client_result {
	SP_CLIENT_OK,
	SP_CLIENT_ABSENT,    ///< nobody listens there
	SP_CLIENT_DENIED,    ///< not ours to ask
	SP_CLIENT_BROKEN,    ///< no answer in time, or none that can be read
	SP_CLIENT_REFUSED,   ///< the agent says no; `why` is its own word
	SP_CLIENT_CANCELLED, ///< we did not want to wait any more
};

/// `name` may be NULL. The document is to be freed by cJSON_Delete(); `why` explains anything but OK.
enum sp_client_result sp_client_ask(const char *socket_path, const char *command, const char *name,
				    struct cJSON **out, char why[512]);

/// Sends `request`, a JSON text, and gives each line of the answer to `line`, until one has a member "ok":
/// that is the document. A few times per second `line` is called without one (NULL). When it says false, the
/// connection is closed.
enum sp_client_result sp_client_follow(const char *socket_path, const char *request,
				       bool (*line)(void *arg, const struct cJSON *json), void *arg,
				       struct cJSON **out, char why[512]);
