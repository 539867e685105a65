// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The template to copy when you write a driver: complete, built in CI, in no registry. It polls an invented
// device by UDP. drivers/README.md goes through it step by step.
#include <stddef.h>
#include <string.h>

#include "drivers.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"
#include "skeleton_wire.h"

// 1. What can be set: parsed by the core into this struct, constant after start.
struct skeleton_conf {
	char *address;
	int64_t timeout_ms;
};

// 2. What can be measured: the index of each row is the `metric` of sp_sample().
enum { METRIC_TEMPERATURE, METRIC_LAMP };

// 3. What one device remembers: zeroed before start. Nothing static, so that two devices are two of these.
struct skeleton {
	struct sp_endpoint peer;
	char trouble[33]; ///< the last one told
};

/// A fact only when it changes; the core keeps repeating what is up and what is down by itself.
static void note_trouble(struct sp_device *dev, struct skeleton *s, const char *trouble)
{
	if (strcmp(s->trouble, trouble) == 0)
		return;
	size_t size = strnlen(trouble, sizeof(s->trouble) - 1);
	memcpy(s->trouble, trouble, size);
	s->trouble[size] = '\0';
	if (trouble[0])
		sp_notice("skeleton", "\"%s\" says: %s", sp_device_name(dev), s->trouble);
}

static void on_answer(struct sp_device *dev, int result, const uint8_t *data, size_t length,
		      int64_t elapsed_us, void *arg)
{
	(void)elapsed_us;
	struct skeleton *s = arg;
	struct sp_skeleton_status status;
	if (result < 0) {
		// A device's failure is data, not our error. The reason is a word of the feed's vocabulary.
		sp_round_failed(dev, result == -ETIMEDOUT ? "timeout" : "refused", "%s", strerror(-result));
		return;
	}
	if (sp_skeleton_parse(data, length, &status) < 0) {
		sp_round_failed(dev, "protocol", "an answer of %zu bytes that is none", length);
		return;
	}
	note_trouble(dev, s, status.error);
	if (status.error[0]) {
		// The source is missing: unavailable, never 0 and never the last value.
		sp_sample_unavailable(dev, METRIC_TEMPERATURE, NULL);
		sp_sample_unavailable(dev, METRIC_LAMP, NULL);
	} else {
		sp_sample(dev, METRIC_TEMPERATURE, NULL, status.celsius);
		sp_sample(dev, METRIC_LAMP, NULL, (double)status.lamp_hours * 3600);
	}
	sp_round_ok(dev);
}

// 4. One round: begin it and return. It ends in the callback, or at the deadline the core ends it.
static void poll(struct sp_device *dev)
{
	const struct skeleton_conf *conf = sp_device_conf(dev);
	struct skeleton *s = sp_device_state(dev);
	uint8_t question[16];
	size_t length = sp_skeleton_ask(question, sizeof(question));
	sp_udp_exchange(dev, &s->peer, question, length, conf->timeout_ms, NULL, on_answer, s);
}

// 5. Before the first round: look at what the option table cannot check. Never blocks.
static int start(struct sp_device *dev)
{
	const struct skeleton_conf *conf = sp_device_conf(dev);
	struct skeleton *s = sp_device_state(dev);
	int result = sp_endpoint_parse(&s->peer, conf->address, 9999);
	if (result < 0)
		sp_err("skeleton", "address: \"%s\" is no address", conf->address);
	return result;
}

// 6. Frees what start made; timers, watches and exchanges are closed by the core.
static void stop(struct sp_device *dev)
{
	(void)dev;
}

static const struct sp_option options[] = {
    {.key = "address",
     .type = SP_OPTION_STRING,
     .min = 2,
     .max = 64,
     .offset = offsetof(struct skeleton_conf, address),
     .help = "Address of the device, with :port if not 9999"},
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "2s",
     .min = 100,
     .max = 10000,
     .offset = offsetof(struct skeleton_conf, timeout_ms),
     .help = "How long to wait for its answer"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_TEMPERATURE] = {"temperature_celsius", "celsius", SP_METRIC_GAUGE,
			    "Temperature inside the device"},
    [METRIC_LAMP] = {"lamp_seconds_total", "seconds", SP_METRIC_COUNTER, "Time that the lamp has burnt"},
    {0},
};

const struct sp_driver sp_driver_skeleton = {
    .name = "skeleton",
    .summary = "Template of a driver: an invented device",
    .cls = SP_DRIVER_GEAR,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct skeleton_conf),
    .state_size = sizeof(struct skeleton),
    .interval_ms = 60 * 1000,
    .deadline_ms = 12 * 1000,
    .start = start,
    .poll = poll,
    .stop = stop,
};
