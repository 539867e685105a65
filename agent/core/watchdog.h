// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The service manager's watchdog: fed from the main loop, and only while every thread keeps the
// promise that it announced.
#pragma once

#include "agent/core/deadline.h"
#include "agent/core/loop.h"

struct sp_watchdog;

struct sp_watchdog_config {
	struct sp_loop *loop;
	const struct sp_deadline *const *deadlines; ///< ends with NULL; outlives the watchdog
	/// Sends one message of sd_notify(3); NULL: the real one.
	void (*notify)(void *arg, const char *message);
	void *arg;
	int64_t period_ms; ///< 0: what the service manager asks for
};

/// Begins to feed. Says READY=1 at sp_watchdog_ready(), STOPPING=1 at sp_watchdog_stopping().
struct sp_watchdog *sp_watchdog_new(const struct sp_watchdog_config *config);
void sp_watchdog_free(struct sp_watchdog *watchdog);
void sp_watchdog_ready(struct sp_watchdog *watchdog);
void sp_watchdog_stopping(struct sp_watchdog *watchdog);
/// One line for `systemctl status`; sent when it changed.
void sp_watchdog_status(struct sp_watchdog *watchdog, const char *text);
