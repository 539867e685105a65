// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `librespeed` driver: latency idle and under load, download and upload against any LibreSpeed backend. A
// round is one test (librespeed.h says who runs which phase).
#include "librespeed.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../drivers.h"
#include "../outward.h"

enum {
	PINGS = 20,
	IDLE_MOST_MS = 8000,
	IDLE_LOST = 3,  ///< in a row: nobody is there any more
	PAUSE_MS = 500, ///< between the directions, for queues to drain
	DURATION_MOST_MS = 30 * 1000,
};

struct state {
	struct sp_librespeed_round *round; ///< NULL between rounds
};

static void next_direction(struct sp_librespeed_round *round, unsigned from);

// ---- what the phases share ------------------------------------------------------------------------

struct sp_http_session *sp_librespeed_session(struct sp_librespeed_round *round)
{
	const struct sp_librespeed_conf *conf = round->conf;
	struct sp_http_session_config config = {
	    .resolve = round->address[0] ? round->address : conf->resolve,
	    .interface = sp_outward_interface(conf->interface),
	    .ca_file = conf->ca_file,
	    .family = round->family,
	    .connect_timeout_ms = conf->timeout_ms,
	};
	return sp_http_session_new(round->dev, &config);
}

void sp_librespeed_address(struct sp_librespeed_round *round, enum sp_librespeed_page page, unsigned chunks,
			   char out[SP_LIBRESPEED_URL])
{
	struct sp_librespeed_ask ask = {.form = round->form,
					.page = page,
					.chunks = chunks,
					.test = round->test,
					.unique = round->test ^ ++round->unique};
	sp_librespeed_url(round->conf->url, &ask, out);
}

// ---- the end --------------------------------------------------------------------------------------

static void dispose(struct sp_librespeed_round *round)
{
	struct state *state = sp_device_state(round->dev);
	sp_librespeed_ping_stop(round);
	sp_librespeed_unload(round);
	if (round->finder)
		sp_http_stream_cancel(round->finder);
	sp_http_session_free(round->pinger.session);
	sp_timer_free(round->pinger.timer);
	sp_timer_free(round->timer);
	free(round);
	state->round = NULL;
}

static bool has_figure(const struct sp_speed_result *result)
{
	return result->outcome == SP_SPEED_WHOLE || result->outcome == SP_SPEED_PARTIAL;
}

/// Tells everything and ends the round by its best direction: one figure is a success.
static void report(struct sp_librespeed_round *round)
{
	static const char *const scopes[] = {"domestic", "international"};
	struct sp_device *dev = round->dev;
	const struct sp_speed_result *best = NULL;
	struct sp_speed_report report = {.method = "librespeed",
					 .server = round->host,
					 .address = round->address[0] ? round->address : NULL,
					 .family = round->family,
					 .scope = scopes[round->conf->scope]};
	char reason[32], text[SP_LIBRESPEED_TEXT];
	sp_librespeed_ping_stop(round);
	report.wire_bytes = sp_librespeed_wire_now(round);
	sp_latency_result(&round->idle, &report.idle);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		const struct sp_speed_result *result = &round->results[i];
		report.results[i] = *result;
		if (result->outcome != SP_SPEED_NOT_DONE &&
		    (!best || (!has_figure(best) && has_figure(result))))
			best = result;
	}
	sp_speed_report(dev, &report);
	snprintf(reason, sizeof(reason), "%s", best && best->reason ? best->reason : "");
	snprintf(text, sizeof(text), "%s", best && best->text ? best->text : "");
	bool good = best && has_figure(best), skipped = best && best->outcome == SP_SPEED_SKIPPED;
	dispose(round);
	if (good)
		sp_round_ok(dev);
	else if (skipped)
		sp_round_unmeasured(dev, reason, "%s", text);
	else
		sp_round_failed(dev, reason, "%s", text);
}

void sp_librespeed_lost(struct sp_librespeed_round *round, const char *reason, const char *text)
{
	bool skipped = strcmp(reason, "no_capacity") == 0;
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		struct sp_speed_result *result = &round->results[i];
		if (!round->order.wanted[i] || result->outcome != SP_SPEED_NOT_DONE)
			continue;
		snprintf(round->texts[i], SP_LIBRESPEED_TEXT, "%s", text);
		result->outcome = skipped ? SP_SPEED_SKIPPED : SP_SPEED_FAILED;
		result->reason = reason;
		result->text = round->texts[i];
	}
	report(round);
}

// ---- from phase to phase ----------------------------------------------------------------------------

static void start_direction(struct sp_device *dev, void *arg)
{
	struct sp_librespeed_round *round = arg;
	int64_t limit = round->conf->byte_limit, left;
	unsigned direction = SP_SPEED_DOWN;
	(void)dev;
	while (!round->order.wanted[direction] || round->results[direction].outcome != SP_SPEED_NOT_DONE)
		direction++;
	if (round->order.max_bytes > 0 && (limit == 0 || round->order.max_bytes < limit))
		limit = round->order.max_bytes;
	if (limit > 0) {
		// Half of what is left, unless it is the last one.
		left = limit - round->wire;
		if (direction == SP_SPEED_DOWN && round->order.wanted[SP_SPEED_UP])
			left /= 2;
		limit = left > 0 ? round->wire + left : 1;
	}
	sp_librespeed_load(round, direction, limit);
}

static void next_direction(struct sp_librespeed_round *round, unsigned from)
{
	while (from < SP_SPEED_DIRECTIONS && !round->order.wanted[from])
		from++;
	if (from == SP_SPEED_DIRECTIONS) {
		report(round);
		return;
	}
	sp_timer_free(round->timer);
	round->timer = sp_timer_new(round->dev, start_direction, round);
	sp_timer_start(round->timer, PAUSE_MS);
}

void sp_librespeed_loaded(struct sp_librespeed_round *round)
{
	next_direction(round, (unsigned)round->load.direction + 1);
}

static void asked_idle(struct sp_librespeed_round *round)
{
	const struct sp_librespeed_pinger *pinger = &round->pinger;
	int64_t took_ms = (sp_device_now_us(round->dev) - round->begun_us) / 1000;
	unsigned count = round->idle.count;
	if (pinger->lost >= IDLE_LOST) {
		sp_librespeed_lost(round, pinger->verdict.reason, pinger->verdict.text);
	} else if (count >= PINGS || took_ms >= IDLE_MOST_MS) {
		sp_speed_progress(round->dev, SP_SPEED_IDLE, 1, -1);
		sp_librespeed_ping_stop(round);
		next_direction(round, SP_SPEED_DOWN);
	} else {
		sp_speed_progress(round->dev, SP_SPEED_IDLE, (double)count / PINGS, -1);
	}
}

void sp_librespeed_found(struct sp_librespeed_round *round)
{
	round->begun_us = sp_device_now_us(round->dev);
	sp_librespeed_ping(round, &round->idle, asked_idle);
}

static void poll(struct sp_device *dev)
{
	struct state *state = sp_device_state(dev);
	if (state->round)
		dispose(state->round); // after a round that the core ended by its deadline
	struct sp_librespeed_round *round = calloc(1, sizeof(*round));
	if (!round) {
		sp_round_failed(dev, "protocol", "no memory");
		return;
	}
	state->round = round;
	round->dev = dev;
	round->conf = sp_device_conf(dev);
	round->order = *sp_speed_order(dev);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		round->results[i].reason = "";
		round->results[i].retransmit_ratio = __builtin_nan("");
	}
	sp_librespeed_host(round->conf->url, round->host);
	// Neither is a secret: an identity among tests, and bytes that nothing on the way can squeeze.
	if (getrandom(&round->test, sizeof(round->test), GRND_NONBLOCK) < 0)
		round->test = (uint64_t)sp_device_now_us(dev);
	uint64_t x = round->test | 1;
	for (size_t i = 0; i + sizeof(x) <= sizeof(round->block); i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(round->block + i, &x, sizeof(x));
	}
	round->pinger.session = sp_librespeed_session(round);
	sp_librespeed_find(round);
}

// ---- tables -----------------------------------------------------------------------------------------

/// Time under load is bounded by the duration, a server's late word on sizes and a slow first upload; then
/// what is under way comes to its end. Headers, acknowledgements and repetitions are within the quarter.
static int64_t worst_bytes(const void *of, double mbps)
{
	const struct sp_librespeed_conf *conf = of;
	double seconds = (double)conf->duration_ms / 1e3 + 3 + 5 + 1;
	double bytes = SP_SPEED_DIRECTIONS * seconds * 1.25 * mbps * 1e6 / 8 + (1 << 20);
	double limit = (double)conf->byte_limit + (1 << 20);
	return (int64_t)(conf->byte_limit > 0 && limit < bytes ? limit : bytes);
}

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct sp_librespeed_conf *conf = of;
	struct sp_endpoint endpoint;
	*key = "url";
	if (!sp_librespeed_base_ok(conf->url, why, size))
		return -EINVAL;
	*key = "interface";
	if (sp_outward_check_interface(conf->interface, why, size) < 0)
		return -EINVAL;
	*key = "resolve";
	if (conf->resolve[0] && sp_endpoint_parse(&endpoint, conf->resolve, 0) < 0) {
		snprintf(why, size, "\"%.100s\" is no address", conf->resolve);
		return -EINVAL;
	}
	*key = "ca_file";
	if (sp_outward_check_ca_file(conf->ca_file, why, size) < 0)
		return -EINVAL;
	*key = "warmup";
	if (conf->duration_ms - conf->warmup_ms < 2000) {
		snprintf(why, size, "less than 2 s of the duration would be left to measure");
		return -EINVAL;
	}
	return 0;
}

static int start(struct sp_device *dev)
{
	const struct sp_librespeed_conf *conf = sp_device_conf(dev);
	return sp_outward_see_ca_file(conf->ca_file);
}

static void stop(struct sp_device *dev)
{
	struct state *state = sp_device_state(dev);
	if (state->round)
		dispose(state->round);
}

#define CONF(member) offsetof(struct sp_librespeed_conf, member)

static const struct sp_option options[] = {
    {.key = "url",
     .type = SP_OPTION_STRING,
     .min = 1,
     .max = SP_LIBRESPEED_BASE - 1,
     .offset = CONF(url),
     .help = "The LibreSpeed backend: the directory that has garbage.php or garbage, or its parent"},
    {.key = "scope",
     .type = SP_OPTION_ENUM,
     .def = "domestic",
     .offset = CONF(scope),
     .choices = "domestic international",
     .help = "Where that server stands"},
    {.key = "interface",
     .type = SP_OPTION_STRING,
     .def = "auto",
     .min = 1,
     .max = 15,
     .offset = CONF(interface),
     .help = "Network interface to leave by; auto: the kernel's choice"},
    {.key = "resolve",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 45,
     .offset = CONF(resolve),
     .help = "Address to use for the URL's host instead of asking DNS"},
    {.key = "ca_file",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 4095,
     .offset = CONF(ca_file),
     .help = "Certificates of the authorities to trust, PEM; empty: the system's"},
    {.key = "download_streams",
     .type = SP_OPTION_INT,
     .def = "6",
     .min = 1,
     .max = SP_LIBRESPEED_STREAMS,
     .offset = CONF(download_streams),
     .help = "Connections that download at once"},
    {.key = "upload_streams",
     .type = SP_OPTION_INT,
     .def = "3",
     .min = 1,
     .max = SP_LIBRESPEED_STREAMS,
     .offset = CONF(upload_streams),
     .help = "Connections that upload at once"},
    {.key = "duration",
     .type = SP_OPTION_DURATION,
     .def = "10s",
     .min = 4000,
     .max = DURATION_MOST_MS,
     .offset = CONF(duration_ms),
     .help = "How long each direction is loaded, the warm-up included"},
    {.key = "warmup",
     .type = SP_OPTION_DURATION,
     .def = "2s",
     .min = 500,
     .max = 10 * 1000,
     .offset = CONF(warmup_ms),
     .help = "How long a load runs before its bytes count"},
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "10s",
     .min = 1000,
     .max = 20 * 1000,
     .offset = CONF(timeout_ms),
     .help = "A server that has not been found or reached for so long is not there"},
    {.key = "upload_size",
     .type = SP_OPTION_SIZE,
     .def = "20M",
     .min = 64 * 1024,
     .max = 1024 * 1024 * 1024,
     .offset = CONF(upload_size),
     .help = "The largest POST; a server that refuses it gets smaller ones"},
    {.key = "byte_limit",
     .type = SP_OPTION_SIZE,
     .def = "0",
     .offset = CONF(byte_limit),
     .max = INT64_C(1) << 40,
     .help = "Most bytes of IP that one test may take; 0: what its duration takes"},
    {0},
};

const struct sp_driver sp_driver_librespeed = {
    .name = "librespeed",
    .summary = "Download, upload and latency against a LibreSpeed backend",
    .cls = SP_DRIVER_SPEED,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .conf_size = sizeof(struct sp_librespeed_conf),
    .state_size = sizeof(struct state),
    .deadline_ms = 3 * 60 * 1000,
    .worst_bytes = worst_bytes,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
