// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The scripted driver, and the bench that it lies on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/device_bench.h"

struct state {
	struct sp_timer *timer;
	int mark;
};

struct script *script_of(const struct sp_device *dev)
{
	const struct conf *conf = sp_device_conf(dev);
	return conf->script;
}

static void late(struct sp_device *dev, void *arg)
{
	(void)arg;
	script_of(dev)->late_ends++;
	sp_round_ok(dev);
}

static int start(struct sp_device *dev)
{
	struct script *script = script_of(dev);
	struct state *state = sp_device_state(dev);
	assert_int_equal(state->mark, 0); // zeroed, also after a failed start
	state->mark = 1;
	state->timer = sp_timer_new(dev, late, NULL);
	return ++script->starts <= script->start_failures ? -ENODEV : 0;
}

static void poll_round(struct sp_device *dev)
{
	struct script *script = script_of(dev);
	struct state *state = sp_device_state(dev);
	size_t last = strlen(script->rounds) - 1;
	char what = script->rounds[(size_t)script->polls < last ? (size_t)script->polls : last];
	if ((size_t)script->polls < SP_COUNT(script->polled_at))
		script->polled_at[script->polls] = sp_device_now_us(dev);
	script->polls++;
	if (what == 'o')
		sp_round_ok(dev);
	else if (what == 'f')
		sp_round_failed(dev, "Refused!", "peer %d said no", 7);
	else if (what == 'd')
		sp_timer_start(state->timer, 4000);
}

static void stop(struct sp_device *dev)
{
	struct script *script = script_of(dev);
	struct state *state = sp_device_state(dev);
	script->stops++;
	if (!script->leave_open)
		sp_timer_free(state->timer);
	state->timer = NULL;
}

static const struct sp_metric metrics[] = {{"rtt_seconds", "s", SP_METRIC_GAUGE, ""}, {0}};

struct sp_driver scripted_driver(enum sp_driver_class cls, int64_t interval_ms)
{
	return (struct sp_driver){.name = "scripted",
				  .cls = cls,
				  .metrics = metrics,
				  .conf_size = sizeof(struct conf),
				  .state_size = sizeof(struct state),
				  .interval_ms = interval_ms,
				  .deadline_ms = 3000,
				  .start = start,
				  .poll = poll_round,
				  .stop = stop};
}

double bench_chance;

static double fixed_chance(void)
{
	return bench_chance;
}

static void on_rung(void *arg, const char *line, const char *device, const struct sp_rung_report *report,
		    int64_t max_age_us)
{
	struct bench *bench = arg;
	assert_string_equal(line, "main");
	assert_non_null(device);
	bench->last_report = *report;
	bench->last_max_age_us = max_age_us;
	bench->reports++;
}

struct bench *bench_begin(void)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	bench->loop = sp_loop_virtual_new();
	recorder_list_init(&bench->records);
	bench_chance = 0.5;
	bench->devices = sp_devices_new(&(struct sp_devices_config){.loop = bench->loop,
								    .recorder = &bench->records.base,
								    .rung = on_rung,
								    .arg = bench,
								    .random = fixed_chance});
	return bench;
}

void bench_end(struct bench *bench)
{
	sp_devices_stop(bench->devices);
	sp_devices_free(bench->devices);
	assert_int_equal(sp_loop_virtual_open(bench->loop), 0);
	recorder_list_clear(&bench->records);
	sp_loop_virtual_free(bench->loop);
	free(bench);
}

static char line_main[] = "main";
static char no_line[] = "";

struct sp_device *bench_add(struct bench *bench, const struct sp_driver *driver, const struct conf *conf,
			    const char *name)
{
	struct sp_device_common common = {.line = driver->cls == SP_DRIVER_LINK ? line_main : no_line,
					  .interval_ms = driver->interval_ms,
					  .enabled = true};
	return sp_devices_add(bench->devices, driver, name, &common, conf);
}

enum sp_device_state bench_state(const struct bench *bench)
{
	struct sp_device_view view;
	sp_devices_view(bench->devices, 0, &view);
	return view.state;
}
