// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The set of devices: who is there, and what is asked of all of them.
#include "agent/core/device_priv.h"

#include <errno.h>
#include <string.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "agent/core/io/process.h"

enum { BURST_GAP_US = 3 * 1000 * 1000 };

struct sp_devices *sp_devices_new(const struct sp_devices_config *config)
{
	struct sp_devices *devices = sp_alloc(sizeof(*devices));
	devices->config = *config;
	if (!devices->config.random)
		devices->config.random = sp_random_unit;
	return devices;
}

static void free_device(struct sp_device *dev)
{
	sp_loop_timer_free(sp_device_loop(dev), dev->timer);
	sp_samples_free(dev->samples);
	free(dev->state);
	free(dev->name);
	free(dev->line);
	free(dev);
}

void sp_devices_free(struct sp_devices *devices)
{
	if (!devices)
		return;
	for (size_t i = 0; i < devices->count; i++)
		free_device(devices->items[i]);
	sp_http_pool_free(devices->http);
	sp_children_free(devices->children);
	sp_outputs_free(devices->outputs);
	for (size_t i = 0; i < devices->burst_count; i++)
		free(devices->bursts[i].line);
	free(devices->bursts);
	free(devices->items);
	free(devices);
}

struct sp_device *sp_devices_add(struct sp_devices *devices, const struct sp_driver *driver, const char *name,
				 const struct sp_device_common *common, const void *conf)
{
	struct sp_device *dev = sp_alloc(sizeof(*dev));
	dev->set = devices;
	dev->driver = driver;
	dev->name = sp_strdup(name);
	dev->line = sp_strdup(common->line ? common->line : "");
	dev->interval_ms = driver->interval_ms > 0 ? common->interval_ms : 0;
	dev->enabled = common->enabled;
	dev->conf = conf;
	dev->state = sp_alloc(driver->state_size + 1);
	dev->timer = sp_loop_timer_new(devices->config.loop, sp_device_timer, dev);
	dev->samples = sp_samples_new(driver->metrics);
	dev->since_us = sp_loop_now_us(devices->config.loop);
	dev->open.prev = dev->open.next = &dev->open;
	devices->items = sp_realloc(devices->items, (devices->count + 1) * sizeof(*devices->items));
	devices->items[devices->count++] = dev;
	return dev;
}

void sp_devices_start(struct sp_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		if (devices->items[i]->enabled)
			sp_device_begin(devices->items[i]);
}

void sp_devices_stop(struct sp_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		sp_device_end(devices->items[i]);
}

int sp_devices_round(struct sp_devices *devices)
{
	return devices->count > 0 ? sp_device_round(devices->items[0]) : -EAGAIN;
}

static struct sp_burst *burst_of(struct sp_devices *devices, const char *line)
{
	for (size_t i = 0; i < devices->burst_count; i++)
		if (strcmp(devices->bursts[i].line, line) == 0)
			return &devices->bursts[i];
	devices->bursts = sp_realloc(devices->bursts, (devices->burst_count + 1) * sizeof(*devices->bursts));
	struct sp_burst *burst = &devices->bursts[devices->burst_count++];
	*burst = (struct sp_burst){.line = sp_strdup(line), .last_us = INT64_MIN / 2};
	return burst;
}

void sp_devices_burst(struct sp_devices *devices, const char *line)
{
	struct sp_burst *burst = burst_of(devices, line);
	int64_t now = sp_loop_now_us(devices->config.loop), wait_us = burst->last_us + BURST_GAP_US - now;
	if (burst->last_us > now)
		return; // it is to come
	// Too soon after the last one, but what is suspected now was not asked then: later.
	burst->last_us = wait_us > 0 ? now + wait_us : now;
	for (size_t i = 0; i < devices->count; i++)
		if (strcmp(devices->items[i]->line, line) == 0)
			sp_device_soon(devices->items[i], wait_us > 0 ? wait_us / 1000 : 0);
}

void sp_devices_windows(struct sp_devices *devices, sp_devices_window_fn fn, void *arg)
{
	for (size_t i = 0; i < devices->count; i++) {
		const struct sp_device *dev = devices->items[i];
		if (dev->enabled)
			fn(arg, dev->name, dev->line, dev->driver, dev->samples);
	}
}

size_t sp_devices_count(const struct sp_devices *devices)
{
	return devices->count;
}

void sp_devices_view(const struct sp_devices *devices, size_t index, struct sp_device_view *out)
{
	const struct sp_device *dev = devices->items[index];
	*out = (struct sp_device_view){
	    .name = dev->name,
	    .line = dev->line,
	    .driver = dev->driver,
	    .state = dev->health.state,
	    .reason = dev->reason,
	    .text = dev->text,
	    .since_us = dev->since_us,
	    .rounds = dev->rounds,
	    .failed = dev->failed,
	    .overdue = dev->overdue,
	    .interval_ms = dev->interval_ms,
	    .enabled = dev->enabled,
	    .started = dev->phase == SP_PHASE_WAITING || dev->phase == SP_PHASE_ROUND,
	    .samples = dev->samples,
	};
}

void sp_resource_open(struct sp_resource *resource, struct sp_device *dev,
		      void (*close)(struct sp_resource *resource))
{
	resource->dev = dev;
	resource->close = close;
	resource->prev = dev->open.prev;
	resource->next = &dev->open;
	dev->open.prev->next = resource;
	dev->open.prev = resource;
}

void sp_resource_unlink(struct sp_resource *resource)
{
	resource->prev->next = resource->next;
	resource->next->prev = resource->prev;
	resource->prev = resource->next = resource;
}
