// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Transfers whose bodies are made and used up as they move, on an HTTP client (http_client.h) of their own:
// those of one client share its connections. The shapes are io.h's.
#pragma once

#include "agent/base/http_client.h"

struct sp_http_flow;

/// As struct sp_http_stream_events, without the device. May start and cancel flows.
struct sp_http_flow_events {
	bool (*head)(void *arg, const struct sp_http_head *head);
	bool (*received)(void *arg, const uint8_t *data, size_t length);
	void (*fill)(void *arg, uint8_t *data, size_t size);
	void (*done)(void *arg, const struct sp_http_stream_end *end);
};

/// See io.h; copies all but `events`. Never NULL. `done` always comes later.
struct sp_http_flow *sp_http_flow_start(struct sp_http_client *client,
					const struct sp_http_session_config *config,
					const struct sp_http_stream_request *request,
					const struct sp_http_flow_events *events, void *arg);
/// How it stands now, `result` and `error` aside. Their texts live as long as the flow.
void sp_http_flow_look(struct sp_http_flow *flow, struct sp_http_stream_end *out);
/// Ends it without done(); NULL is fine, and so is the flow whose done() is running.
void sp_http_flow_cancel(struct sp_http_flow *flow);
/// As io.h's sp_http_stream_pause() and _resume().
void sp_http_flow_pause(struct sp_http_flow *flow);
void sp_http_flow_resume(struct sp_http_flow *flow);
/// Bytes of the request's body that the peer has acknowledged; -1: not known.
int64_t sp_http_flow_acked(const struct sp_http_flow *flow);
