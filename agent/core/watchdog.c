// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Feeds the watchdog while all deadlines hold.
#include "agent/core/watchdog.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum {
	CHECK_MS = 10 * 1000, ///< where no manager asks for more
	FEEDINGS_PER_PERIOD = 3,
};

struct sp_watchdog {
	struct sp_watchdog_config config;
	struct sp_loop_timer *timer;
	int64_t every_ms;
	bool starved;
	char status[160];
};

static void real_notify(void *arg, const char *message)
{
	(void)arg;
	sd_notify(0, message);
}

static void tell(struct sp_watchdog *watchdog, const char *message)
{
	watchdog->config.notify(watchdog->config.arg, message);
}

/// The thread that is most overdue, or NULL while all keep their word.
static const struct sp_deadline *latecomer(const struct sp_watchdog *watchdog, int64_t now, int64_t *by_us)
{
	const struct sp_deadline *worst = NULL;
	*by_us = 0;
	for (const struct sp_deadline *const *it = watchdog->config.deadlines; *it; it++) {
		int64_t overdue = sp_deadline_overdue_us(*it, now);
		if (overdue > *by_us) {
			*by_us = overdue;
			worst = *it;
		}
	}
	return worst;
}

static void feed(void *arg)
{
	struct sp_watchdog *watchdog = arg;
	int64_t by_us;
	const struct sp_deadline *late = latecomer(watchdog, sp_loop_now_us(watchdog->config.loop), &by_us);
	if (late)
		sp_err("watchdog", "thread %s is %.1f s overdue: not feeding", late->thread,
		       (double)by_us / 1e6);
	else
		tell(watchdog, "WATCHDOG=1");
	if (!late && watchdog->starved)
		sp_notice("watchdog", "all threads answer again");
	watchdog->starved = late != NULL;
	sp_loop_timer_start(watchdog->config.loop, watchdog->timer, watchdog->every_ms);
}

struct sp_watchdog *sp_watchdog_new(const struct sp_watchdog_config *config)
{
	struct sp_watchdog *watchdog = sp_alloc(sizeof(*watchdog));
	watchdog->config = *config;
	if (!watchdog->config.notify)
		watchdog->config.notify = real_notify;
	int64_t period = config->period_ms;
	uint64_t asked = 0;
	if (period == 0 && sd_watchdog_enabled(0, &asked) > 0)
		period = (int64_t)(asked / 1000);
	watchdog->every_ms = period > 0 ? period / FEEDINGS_PER_PERIOD : CHECK_MS;
	watchdog->timer = sp_loop_timer_new(config->loop, feed, watchdog);
	sp_loop_timer_start(config->loop, watchdog->timer, watchdog->every_ms);
	return watchdog;
}

void sp_watchdog_free(struct sp_watchdog *watchdog)
{
	if (!watchdog)
		return;
	sp_loop_timer_free(watchdog->config.loop, watchdog->timer);
	free(watchdog);
}

void sp_watchdog_ready(struct sp_watchdog *watchdog)
{
	tell(watchdog, "READY=1");
}

void sp_watchdog_stopping(struct sp_watchdog *watchdog)
{
	tell(watchdog, "STOPPING=1");
}

void sp_watchdog_status(struct sp_watchdog *watchdog, const char *text)
{
	if (strncmp(watchdog->status, text, sizeof(watchdog->status) - 1) == 0)
		return;
	snprintf(watchdog->status, sizeof(watchdog->status), "%s", text);
	char message[sizeof(watchdog->status) + 8];
	snprintf(message, sizeof(message), "STATUS=%s", watchdog->status);
	tell(watchdog, message);
}
