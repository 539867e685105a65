// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `sim_line` driver: a simulated line that breaks and heals by a script, for tests and shows without a
// network. An ordinary driver; nothing that it reports was measured.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"
#include "script.h"

struct sim_line_conf {
	struct sp_strings faults;
	int64_t repeat_ms;
};

enum { METRIC_RTT };

struct sim_line {
	struct sp_sim_step steps[SP_SIM_STEPS];
	size_t count;
	int64_t started_us;
	enum sp_sim_state state;
	int64_t since_us;
	struct sp_timer *timer;
};

static const int64_t rtt_us = 12000;

static void report_rung(struct sp_device *dev, const struct sim_line *sim, enum sp_rung rung,
			enum sp_family family)
{
	enum sp_rung_status status = sp_sim_rung(sim->state, rung, family);
	char detail[64];
	snprintf(detail, sizeof(detail), "simulated: %s", sp_sim_state_names[sim->state]);
	struct sp_rung_report report = {.rung = rung,
					.family = family,
					.status = status,
					.since_us = sim->since_us,
					.rtt_us = status == SP_RUNG_OK ? rtt_us : -1,
					.detail = detail,
					.reason = "simulated"};
	sp_rung_report(dev, &report);
}

static void report(struct sp_device *dev, const struct sim_line *sim)
{
	static const enum sp_rung per_family[] = {SP_RUNG_ADDRESS,  SP_RUNG_GATEWAY,       SP_RUNG_ISP_ACCESS,
						  SP_RUNG_ISP_CORE, SP_RUNG_INTERNATIONAL, SP_RUNG_FULL_SIZE};
	report_rung(dev, sim, SP_RUNG_CABLE, SP_FAMILY_ANY);
	for (size_t i = 0; i < SP_COUNT(per_family); i++) {
		report_rung(dev, sim, per_family[i], SP_FAMILY_IPV4);
		report_rung(dev, sim, per_family[i], SP_FAMILY_IPV6);
	}
	report_rung(dev, sim, SP_RUNG_DNS, SP_FAMILY_ANY);
	report_rung(dev, sim, SP_RUNG_PORTAL, SP_FAMILY_ANY);
	report_rung(dev, sim, SP_RUNG_SERVICE, SP_FAMILY_ANY);
	if (sim->state == SP_SIM_OK)
		sp_sample(dev, METRIC_RTT, NULL, (double)rtt_us / 1e6);
}

/// Sets the state of this moment and the timer for the next.
static void advance(struct sp_device *dev, struct sim_line *sim)
{
	const struct sim_line_conf *conf = sp_device_conf(dev);
	int64_t now_us = sp_device_now_us(dev), begin_us = sim->started_us,
		length_us = conf->repeat_ms * 1000;
	if (length_us > 0)
		begin_us += (now_us - begin_us) / length_us * length_us;
	int64_t next_us = length_us > 0 ? begin_us + length_us : INT64_MAX;
	enum sp_sim_state state = SP_SIM_OK;
	int64_t since_us = begin_us;
	for (size_t i = 0; i < sim->count; i++) {
		int64_t at_us = begin_us + sim->steps[i].at_ms * 1000;
		if (at_us > now_us) {
			next_us = at_us < next_us ? at_us : next_us;
			break;
		}
		state = sim->steps[i].state;
		since_us = at_us;
	}
	if (state != sim->state) {
		sim->state = state;
		sim->since_us = since_us;
		sp_notice("sim_line", "\"%s\" is now: %s (simulated)", sp_device_name(dev),
			  sp_sim_state_names[state]);
		sp_line_suspect(dev);
	}
	if (next_us != INT64_MAX)
		sp_timer_start(sim->timer, (next_us - now_us + 999) / 1000);
	report(dev, sim);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	advance(dev, arg);
}

static int start(struct sp_device *dev)
{
	const struct sim_line_conf *conf = sp_device_conf(dev);
	struct sim_line *sim = sp_device_state(dev);
	size_t bad;
	int count = sp_sim_parse(&conf->faults, sim->steps, &bad);
	if (count < 0) {
		sp_err("sim_line", "faults: \"%s\" is not state@seconds, or out of order",
		       conf->faults.items[bad]);
		return count;
	}
	sim->count = (size_t)count;
	sim->started_us = sim->since_us = sp_device_now_us(dev);
	sim->timer = sp_timer_new(dev, on_timer, sim);
	advance(dev, sim);
	return 0;
}

static void poll(struct sp_device *dev)
{
	advance(dev, sp_device_state(dev));
	sp_round_ok(dev);
}

static void stop(struct sp_device *dev)
{
	struct sim_line *sim = sp_device_state(dev);
	sp_timer_free(sim->timer);
}

static const struct sp_option options[] = {
    {.key = "faults",
     .type = SP_OPTION_LIST,
     .def = "",
     .max = SP_SIM_STEPS,
     .offset = offsetof(struct sim_line_conf, faults),
     .help =
	 "What happens when: state@seconds, e.g. isp_core@60, ok@90; states: ok, cable, address, gateway, "
	 "isp_access, isp_core, international, dns, portal, ipv4, ipv6, deaf, mtu, service"},
    {.key = "repeat",
     .type = SP_OPTION_DURATION,
     .def = "0s",
     .max = INT64_C(366) * 24 * 3600 * 1000,
     .offset = offsetof(struct sim_line_conf, repeat_ms),
     .help = "Start over after so long; 0s: the last state stays"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_RTT] = {"simulated_rtt_seconds", "seconds", SP_METRIC_GAUGE,
		    "A constant, while the simulated line is up"},
    {0},
};

const struct sp_driver sp_driver_sim_line = {
    .name = "sim_line",
    .summary = "Simulated line that breaks by a script: no measurement",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct sim_line_conf),
    .state_size = sizeof(struct sim_line),
    .interval_ms = 1000,
    .deadline_ms = 1000,
    .start = start,
    .poll = poll,
    .stop = stop,
};
