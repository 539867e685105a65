// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One device's life: start with back-off, rounds with jitter and deadline, state with hysteresis.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/device_priv.h"
#include "schoolpulse/log.h"

enum {
	START_FIRST_MS = 1000,
	START_MOST_MS = 5 * 60 * 1000,
	BACKOFF_AFTER = 3, ///< failures in a row
	BACKOFF_MOST_MS = 10 * 60 * 1000,
	FIRST_LINK_MS = 1000,
	FIRST_OTHER_MS = 10 * 1000,
	GAP_LEAST_MS = 10, ///< between the end of a long round and the next
	DEADLINE_MS = 10 * 1000,
};

static double chance(const struct sp_device *dev)
{
	return dev->set->config.random();
}

static int64_t doubled(int64_t base, unsigned times, int64_t most)
{
	while (times-- > 0 && base < most)
		base *= 2;
	return base < most ? base : most;
}

static int64_t round_spacing_ms(const struct sp_device *dev)
{
	int64_t interval = dev->interval_ms;
	// A kiosk that is back has events for us, and minutes of its absence are counted.
	bool patient = dev->driver->cls == SP_DRIVER_GEAR || dev->driver->cls == SP_DRIVER_SPEED;
	if (patient && dev->health.failures >= BACKOFF_AFTER && interval < BACKOFF_MOST_MS)
		interval = doubled(interval, dev->health.failures - BACKOFF_AFTER + 1, BACKOFF_MOST_MS);
	// A link's rounds are to see an outage in time: they may come early, but not late.
	double least = dev->driver->cls == SP_DRIVER_LINK ? 0.8 : 0.9;
	return (int64_t)((double)interval * (least + 0.2 * chance(dev)));
}

static void begin_in(struct sp_device *dev, int64_t delay_ms)
{
	dev->due_us = sp_loop_now_us(sp_device_loop(dev)) + delay_ms * 1000;
	sp_loop_timer_start(sp_device_loop(dev), dev->timer, delay_ms);
}

static void wait_for_round(struct sp_device *dev)
{
	dev->phase = SP_PHASE_WAITING;
	if (dev->interval_ms == 0)
		return;
	int64_t due = dev->round_us + round_spacing_ms(dev) * 1000;
	int64_t delay = (due - sp_loop_now_us(sp_device_loop(dev))) / 1000;
	begin_in(dev, delay < GAP_LEAST_MS ? GAP_LEAST_MS : delay);
}

const char *sp_driver_class_name(enum sp_driver_class cls)
{
	switch (cls) {
	case SP_DRIVER_LINK:
		return "link";
	case SP_DRIVER_SPEED:
		return "speed";
	case SP_DRIVER_GEAR:
		return "gear";
	case SP_DRIVER_KIOSK:
		return "kiosk";
	}
	return "gear";
}

static void tell(struct sp_device *dev, enum sp_device_state previous)
{
	bool up = dev->health.state == SP_DEVICE_UP;
	dev->since_us = sp_loop_now_us(sp_device_loop(dev));
	struct sp_field fields[] = {
	    SP_TEXT("driver", dev->driver->name),
	    SP_TEXT("class", sp_driver_class_name(dev->driver->cls)),
	    SP_TEXT("state", sp_device_state_name(dev->health.state)),
	    SP_TEXT("previous", sp_device_state_name(previous)),
	    up ? SP_NULL("reason") : SP_TEXT("reason", dev->reason),
	    up ? SP_NULL("text") : SP_TEXT("text", dev->text),
	};
	sp_record_fact(dev->set->config.recorder, "device", dev->name, fields, SP_COUNT(fields));
	sp_notice("device", "%s \"%s\" is %s%s%s", dev->driver->name, dev->name,
		  sp_device_state_name(dev->health.state), up ? "" : ": ", up ? "" : dev->text);
}

/// The feed's reasons are constant words; anything else in one is our driver's slip.
static void keep_reason(struct sp_device *dev, const char *reason, const char *text)
{
	size_t length = strnlen(reason, sizeof(dev->reason) - 1);
	for (size_t i = 0; i < length; i++) {
		char c = reason[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		dev->reason[i] = word ? c : '_';
	}
	dev->reason[length] = '\0';
	length = strnlen(text, sizeof(dev->text) - 1);
	memcpy(dev->text, text, length);
	dev->text[length] = '\0';
}

static bool count(struct sp_device *dev, enum sp_outcome outcome)
{
	switch (outcome) {
	case SP_OUTCOME_OK:
		return sp_health_success(&dev->health);
	case SP_OUTCOME_FAILED:
		dev->failed++;
		return sp_health_failure(&dev->health);
	case SP_OUTCOME_UNMEASURED:
		return sp_health_unmeasured(&dev->health);
	}
	return false;
}

static void judge(struct sp_device *dev, enum sp_outcome outcome, const char *reason, const char *text)
{
	enum sp_device_state previous = dev->health.state;
	if (outcome != SP_OUTCOME_OK)
		keep_reason(dev, reason, text);
	if (count(dev, outcome))
		tell(dev, previous);
	if (dev->health.state == SP_DEVICE_UP && outcome == SP_OUTCOME_OK)
		dev->reason[0] = dev->text[0] = '\0';
}

void sp_device_outcome(struct sp_device *dev, enum sp_outcome outcome, const char *reason, const char *text)
{
	if (dev->phase != SP_PHASE_ROUND) {
		// A driver without rounds speaks when it has something to say; from any other it
		// is the late end of a round that has been judged.
		if (dev->interval_ms == 0 && dev->phase == SP_PHASE_WAITING)
			judge(dev, outcome, reason, text);
		return;
	}
	const struct sp_devices_config *config = &dev->set->config;
	dev->rounds++;
	judge(dev, outcome, reason, text);
	sp_loop_timer_stop(sp_device_loop(dev), dev->timer);
	wait_for_round(dev);
	bool ok = outcome == SP_OUTCOME_OK;
	if (config->round)
		config->round(config->arg, dev->name, ok, ok ? "" : dev->reason, ok ? "" : dev->text);
}

static int64_t deadline_ms(const struct sp_device *dev)
{
	return dev->driver->deadline_ms > 0 ? dev->driver->deadline_ms : DEADLINE_MS;
}

static void begin_round(struct sp_device *dev)
{
	dev->phase = SP_PHASE_ROUND;
	dev->round_us = sp_loop_now_us(sp_device_loop(dev));
	dev->suspected = dev->hurried;
	dev->hurried = false;
	sp_loop_timer_start(sp_device_loop(dev), dev->timer, deadline_ms(dev));
	dev->driver->poll(dev);
}

static void overdue(struct sp_device *dev)
{
	dev->overdue++;
	char text[80];
	snprintf(text, sizeof(text), "the round had not ended after %.1f s",
		 (double)deadline_ms(dev) / 1000.0);
	sp_device_outcome(dev, SP_OUTCOME_FAILED, "timeout", text);
}

static void close_all(struct sp_device *dev)
{
	while (dev->open.next != &dev->open)
		dev->open.next->close(dev->open.next);
}

static void start_failed(struct sp_device *dev, int result)
{
	dev->driver->stop(dev);
	close_all(dev);
	memset(dev->state, 0, dev->driver->state_size);
	int64_t delay = doubled(START_FIRST_MS, dev->start_failures, START_MOST_MS);
	if (dev->start_failures < 64)
		dev->start_failures++;
	// What the driver said of it names the file or the key; an error number alone helps nobody.
	if (!dev->text[0])
		judge(dev, SP_OUTCOME_FAILED, "start", strerror(-result));
	sp_warning("device", "%s \"%s\" does not start: %s", dev->driver->name, dev->name,
		   dev->text[0] ? dev->text : strerror(-result));
	dev->phase = SP_PHASE_STARTING;
	sp_loop_timer_start(sp_device_loop(dev), dev->timer,
			    (int64_t)((double)delay * (0.5 + 0.5 * chance(dev))));
}

void sp_device_begin(struct sp_device *dev)
{
	// While start runs, the device takes reports of what it finds.
	dev->phase = SP_PHASE_WAITING;
	dev->reason[0] = dev->text[0] = '\0';
	int result = dev->driver->start(dev);
	if (result < 0) {
		start_failed(dev, result);
		return;
	}
	dev->start_failures = 0;
	if (dev->interval_ms == 0) {
		// To have started is its answer, unless it has said otherwise already: that it failed, or
		// that it must wait and see.
		if (!dev->reason[0]) {
			dev->health.successes = SP_HEALTH_UP_AFTER;
			judge(dev, SP_OUTCOME_OK, "", "");
		}
		return;
	}
	int64_t most = dev->driver->cls == SP_DRIVER_LINK ? FIRST_LINK_MS : FIRST_OTHER_MS;
	if (most > dev->interval_ms)
		most = dev->interval_ms;
	begin_in(dev, (int64_t)((double)most * chance(dev)));
}

void sp_device_end(struct sp_device *dev)
{
	if (dev->phase == SP_PHASE_STOPPED)
		return;
	bool started = dev->phase != SP_PHASE_STARTING;
	dev->phase = SP_PHASE_STOPPED;
	sp_loop_timer_stop(sp_device_loop(dev), dev->timer);
	if (started)
		dev->driver->stop(dev);
	sp_line_load(dev, false);
	close_all(dev);
}

int sp_device_round(struct sp_device *dev)
{
	if (dev->phase != SP_PHASE_WAITING)
		return -EAGAIN;
	begin_round(dev);
	return 0;
}

void sp_device_soon(struct sp_device *dev, int64_t delay_ms)
{
	if (dev->phase != SP_PHASE_WAITING || dev->interval_ms == 0)
		return;
	dev->hurried = true;
	if (dev->due_us > sp_loop_now_us(sp_device_loop(dev)) + delay_ms * 1000)
		begin_in(dev, delay_ms);
}

void sp_device_timer(void *arg)
{
	struct sp_device *dev = arg;
	switch (dev->phase) {
	case SP_PHASE_STOPPED:
		break;
	case SP_PHASE_STARTING:
		sp_device_begin(dev);
		break;
	case SP_PHASE_WAITING:
		begin_round(dev);
		break;
	case SP_PHASE_ROUND:
		overdue(dev);
		break;
	}
}
