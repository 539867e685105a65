// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: what a driver asks about itself, and what it reports.
#include "schoolpulse/io.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"

const char *sp_device_name(const struct sp_device *dev)
{
	return dev->name;
}

const void *sp_device_conf(const struct sp_device *dev)
{
	return dev->conf;
}

void *sp_device_state(struct sp_device *dev)
{
	return dev->state;
}

int64_t sp_device_now_us(const struct sp_device *dev)
{
	return sp_loop_now_us(sp_device_loop(dev));
}

void sp_round_ok(struct sp_device *dev)
{
	sp_device_outcome(dev, SP_OUTCOME_OK, "", "");
}

void sp_round_failed(struct sp_device *dev, const char *reason, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sp_device_outcome(dev, SP_OUTCOME_FAILED, reason, text);
}

void sp_round_unmeasured(struct sp_device *dev, const char *reason, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sp_device_outcome(dev, SP_OUTCOME_UNMEASURED, reason, text);
}

void sp_sample(struct sp_device *dev, unsigned metric, const char *target, double value)
{
	sp_samples_add(dev->samples, metric, target, value);
}

void sp_sample_unavailable(struct sp_device *dev, unsigned metric, const char *target)
{
	sp_samples_unavailable(dev->samples, metric, target);
}

struct waiting {
	struct sp_device *dev;
	sp_committed_fn committed;
	void *arg;
};

static void committed(void *arg, int result)
{
	struct waiting *waiting = arg;
	if (waiting->dev->phase != SP_PHASE_STOPPED)
		waiting->committed(waiting->dev, result, waiting->arg);
	free(waiting);
}

int sp_event(struct sp_device *dev, enum sp_record_class cls, const char *type, const struct sp_field *fields,
	     size_t count, sp_committed_fn done, void *arg)
{
	struct waiting *waiting = NULL;
	// What a person did goes by way of sp_punch(), which knows what of it may be kept.
	if (cls == SP_RECORD_ATTENDANCE)
		return -EPERM;
	if (done) {
		waiting = sp_alloc(sizeof(*waiting));
		*waiting = (struct waiting){.dev = dev, .committed = done, .arg = arg};
	}
	int result = sp_record(dev->set->config.recorder, cls, type, dev->name, fields, count,
			       done ? committed : NULL, waiting);
	if (result)
		free(waiting);
	return result;
}

enum { REPORT_LEAST_MS = 180 * 1000 };

/// Three rounds that say nothing, and what was said before them is no news any more. A driver may ask
/// some rungs less often than every round: the ledger learns their pace, this is for the first time.
static int64_t max_age_us(const struct sp_device *dev)
{
	if (dev->interval_ms == 0)
		return 0;
	int64_t rounds_ms = 3 * dev->interval_ms + dev->driver->deadline_ms;
	return (rounds_ms > REPORT_LEAST_MS ? rounds_ms : REPORT_LEAST_MS) * 1000;
}

void sp_rung_report(struct sp_device *dev, const struct sp_rung_report *report)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (config->rung && dev->line[0])
		config->rung(config->arg, dev->line, dev->name, report, max_age_us(dev));
}

void sp_egress_report(struct sp_device *dev, const struct sp_egress *egress)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (config->egress && dev->line[0])
		config->egress(config->arg, dev->line, dev->name, egress);
}

void sp_line_load(struct sp_device *dev, bool loading)
{
	const struct sp_devices_config *config = &dev->set->config;
	bool changed = dev->loading != loading;
	dev->loading = loading;
	if (changed && config->load && dev->line[0])
		config->load(config->arg, dev->line, dev->name, loading, sp_device_now_us(dev));
}

void sp_line_spent(struct sp_device *dev, enum sp_spending what, int64_t bytes)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (config->spent && dev->line[0])
		config->spent(config->arg, dev->line, what, bytes);
}

void sp_line_traffic(struct sp_device *dev, const struct sp_traffic *traffic)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (config->traffic && dev->line[0])
		config->traffic(config->arg, dev->line, traffic);
}

bool sp_line_frugal(const struct sp_device *dev)
{
	const struct sp_devices_config *config = &dev->set->config;
	return config->frugal && dev->line[0] && config->frugal(config->arg, dev->line);
}

bool sp_line_usable(const struct sp_device *dev)
{
	const struct sp_devices_config *config = &dev->set->config;
	return config->usable && dev->line[0] && config->usable(config->arg, dev->line);
}

bool sp_line_suspected(const struct sp_device *dev)
{
	return dev->suspected;
}

void sp_line_suspect(struct sp_device *dev)
{
	const struct sp_devices_config *config = &dev->set->config;
	if (!dev->line[0])
		return;
	sp_devices_burst(dev->set, dev->line);
	if (config->suspect)
		config->suspect(config->arg, dev->line);
}
