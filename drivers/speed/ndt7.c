// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `ndt7` driver: Measurement Lab's test of one TCP connection over a WebSocket, against a server of one's
// own or one that their locator names. This file knows whom to ask, and what to say of it; the test itself
// runs on a worker's thread (ndt7_run.h).
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../drivers.h"
#include "../outward.h"
#include "ndt7_conf.h"
#include "ndt7_json.h"
#include "ndt7_run.h"

enum {
	LOCATE_URL_MOST = 1024,
	REDIRECTS = 2,
	WATCH_MS = 100,
	TEXT = 256,
	/// Too little to begin with: a certificate and a handshake would use it up.
	LEAST_BYTES = 64 * 1024,
};

/// What lives as long as one round.
struct test {
	struct sp_device *dev;
	struct sp_http *http; ///< the question to the locator
	unsigned redirects;
	char locate[LOCATE_URL_MOST];
	unsigned count, first; ///< servers; the one that took the last direction
	struct sp_ndt7_server servers[SP_NDT7_SERVERS];
	struct sp_ndt7_run *run; ///< the worker's until it is done
	struct sp_timer *timer;
	struct sp_latency idle;
	struct sp_speed_report report;
	char texts[SP_SPEED_DIRECTIONS][TEXT], server[SP_NDT7_HOST], address[INET6_ADDRSTRLEN];
};

struct ndt7 {
	struct test *test; ///< NULL between rounds
};

// ---- the end of a round -----------------------------------------------------------------------

static void test_free(struct test *test)
{
	if (!test)
		return;
	sp_http_cancel(test->http);
	sp_timer_free(test->timer);
	// The worker sees it soon, and its run is freed when it is done.
	if (test->run)
		atomic_store(&test->run->cancel, true);
	free(test);
}

static void set_result(struct test *test, enum sp_speed_direction direction, enum sp_speed_outcome outcome,
		       const char *reason, const char *text)
{
	struct sp_speed_result *result = &test->report.results[direction];
	*result = (struct sp_speed_result){
	    .outcome = outcome, .reason = reason, .streams = 1, .retransmit_ratio = (double)NAN};
	snprintf(test->texts[direction], TEXT, "%s", text);
	result->text = test->texts[direction];
}

static void conclude(struct sp_device *dev)
{
	struct ndt7 *ndt7 = sp_device_state(dev);
	struct test *test = ndt7->test;
	const struct sp_speed_result *blame = NULL;
	bool measured = false;
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		struct sp_speed_result *result = &test->report.results[i];
		if (result->outcome == SP_SPEED_NOT_DONE)
			continue;
		measured |= result->outcome == SP_SPEED_WHOLE || result->outcome == SP_SPEED_PARTIAL;
		if (!blame || result->outcome == SP_SPEED_FAILED)
			blame = result;
	}
	sp_latency_result(&test->idle, &test->report.idle);
	sp_speed_report(dev, &test->report);
	ndt7->test = NULL;
	if (measured || !blame)
		sp_round_ok(dev);
	else if (blame->outcome == SP_SPEED_SKIPPED)
		sp_round_unmeasured(dev, blame->reason, "%s", blame->text);
	else
		sp_round_failed(dev, blame->reason, "%s", blame->text);
	test_free(test);
}

/// No direction can be measured.
static void give_up(struct sp_device *dev, enum sp_speed_outcome outcome, const char *reason,
		    const char *text)
{
	struct ndt7 *ndt7 = sp_device_state(dev);
	const struct sp_speed_order *order = sp_speed_order(dev);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++)
		if (order->wanted[i])
			set_result(ndt7->test, (enum sp_speed_direction)i, outcome, reason, text);
	conclude(dev);
}

// ---- one direction ----------------------------------------------------------------------------

static int64_t least_limit(int64_t one, int64_t other)
{
	return one > 0 && (other <= 0 || one < other) ? one : other;
}

/// For this direction of what the whole test may use; 0: no limit, -1: too little is left.
static int64_t share(struct sp_device *dev, const struct test *test, enum sp_speed_direction direction)
{
	const struct sp_ndt7_conf *conf = sp_device_conf(dev);
	const struct sp_speed_order *order = sp_speed_order(dev);
	int64_t limit = least_limit(conf->byte_limit, order->max_bytes);
	if (limit <= 0)
		return 0;
	int64_t left = limit - test->report.wire_bytes;
	if (direction == SP_SPEED_DOWN && order->wanted[SP_SPEED_UP])
		left /= 2;
	return left >= LEAST_BYTES ? left : -1;
}

static void watch_load(struct sp_device *dev, void *arg)
{
	struct test *test = arg;
	const struct sp_ndt7_run *run = test->run;
	if (atomic_load(&run->loading))
		sp_speed_progress(dev,
				  run->direction == SP_SPEED_DOWN ? SP_SPEED_LOAD_DOWN : SP_SPEED_LOAD_UP,
				  (double)atomic_load(&run->permille) / 1000, (double)atomic_load(&run->bps));
	sp_timer_start(test->timer, WATCH_MS);
}

static void next_direction(struct sp_device *dev);

static void take_result(struct test *test, const struct sp_ndt7_run *run)
{
	struct sp_speed_report *report = &test->report;
	struct sp_speed_result *result = &report->results[run->direction];
	*result = run->result;
	snprintf(test->texts[run->direction], TEXT, "%s", run->text);
	result->text = test->texts[run->direction];
	report->wire_bytes += run->wire_bytes;
	for (int i = 0; i < 2; i++)
		if (!isnan(run->idle_s[i]))
			sp_latency_add(&test->idle, run->idle_s[i]);
	snprintf(test->server, sizeof(test->server), "%s", run->urls[run->server].host);
	report->server = test->server;
	if (run->address[0]) {
		snprintf(test->address, sizeof(test->address), "%s", run->address);
		report->address = test->address;
		report->family = run->family;
	}
}

/// The other direction would go the same way: the same servers refused.
static void share_failure(struct sp_device *dev, struct test *test, enum sp_speed_direction from)
{
	const struct sp_speed_result *result = &test->report.results[from];
	if (from == SP_SPEED_DOWN && sp_speed_order(dev)->wanted[SP_SPEED_UP])
		set_result(test, SP_SPEED_UP, result->outcome, result->reason, result->text);
}

static void on_run(struct sp_device *dev, void *arg)
{
	struct sp_ndt7_run *run = arg;
	struct ndt7 *ndt7 = dev ? sp_device_state(dev) : NULL;
	struct test *test = ndt7 ? ndt7->test : NULL;
	if (!test || test->run != run) {
		sp_ndt7_run_free(run); // nobody waits for it any more
		return;
	}
	test->run = NULL;
	sp_timer_stop(test->timer);
	enum sp_speed_direction direction = run->direction;
	bool loaded = atomic_load(&run->loading);
	if (loaded)
		sp_speed_progress(dev, direction == SP_SPEED_DOWN ? SP_SPEED_LOAD_DOWN : SP_SPEED_LOAD_UP, 1,
				  (double)atomic_load(&run->bps));
	take_result(test, run);
	// The other direction begins with the server that took this one.
	test->first = (test->first + run->server) % test->count;
	sp_ndt7_run_free(run);
	if (!loaded)
		share_failure(dev, test, direction);
	next_direction(dev);
}

static struct sp_ndt7_times times_of(const struct sp_ndt7_conf *conf)
{
	struct sp_ndt7_times times = sp_ndt7_times_scaled(conf->duration_ms * 1000);
	times.stall_us = conf->timeout_ms * 1000;
	times.setup_us = conf->connect_timeout_ms * 1000;
	return times;
}

static void begin(struct sp_device *dev, struct test *test, enum sp_speed_direction direction,
		  int64_t max_wire)
{
	const struct sp_ndt7_conf *conf = sp_device_conf(dev);
	struct sp_ndt7_run *run = calloc(1, sizeof(*run));
	char *ca_file = strdup(conf->ca_file);
	if (!run || !ca_file) {
		free(run);
		free(ca_file);
		give_up(dev, SP_SPEED_FAILED, "child", "no memory");
		return;
	}
	run->direction = direction;
	run->times = times_of(conf);
	run->max_wire = max_wire;
	run->ca_file = ca_file;
	snprintf(run->interface, sizeof(run->interface), "%s", sp_outward_interface(conf->interface));
	run->count = test->count;
	for (unsigned i = 0; i < test->count; i++)
		run->urls[i] = test->servers[(test->first + i) % test->count].urls[direction];
	test->run = run;
	sp_timer_start(test->timer, WATCH_MS);
	sp_work(dev, sp_ndt7_run_work, on_run, run);
}

static void next_direction(struct sp_device *dev)
{
	struct ndt7 *ndt7 = sp_device_state(dev);
	struct test *test = ndt7->test;
	const struct sp_speed_order *order = sp_speed_order(dev);
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		enum sp_speed_direction direction = (enum sp_speed_direction)i;
		if (!order->wanted[i] || test->report.results[i].outcome != SP_SPEED_NOT_DONE)
			continue;
		int64_t max_wire = share(dev, test, direction);
		if (max_wire >= 0) {
			begin(dev, test, direction, max_wire);
			return;
		}
		set_result(test, direction, SP_SPEED_SKIPPED, "byte_limit",
			   "too few bytes are left to begin");
	}
	conclude(dev);
}

// ---- whom to ask ------------------------------------------------------------------------------

static bool add_metadata(struct sp_ndt7_server *server)
{
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++)
		if (sp_ndt7_url_add(&server->urls[i], "client_name", "schoolpulse") < 0 ||
		    sp_ndt7_url_add(&server->urls[i], "client_version", SP_VERSION) < 0)
			return false;
	return true;
}

/// Drops servers that may not be asked, and those whose address leaves no room for ours. Returns whether one
/// was dropped for want of consent.
static bool sift(const struct sp_ndt7_conf *conf, struct test *test, unsigned found)
{
	bool forbidden = false;
	for (unsigned i = 0; i < found; i++) {
		struct sp_ndt7_server *server = &test->servers[i];
		bool theirs = sp_ndt7_is_mlab(server->urls[SP_SPEED_DOWN].host) ||
			      sp_ndt7_is_mlab(server->urls[SP_SPEED_UP].host);
		if (theirs && !sp_ndt7_consents(conf->publish_consent))
			forbidden = true;
		else if (add_metadata(server))
			test->servers[test->count++] = *server;
	}
	return forbidden;
}

static void use(struct sp_device *dev, struct test *test, int found)
{
	bool forbidden = found > 0 && sift(sp_device_conf(dev), test, (unsigned)found);
	if (test->count > 0)
		next_direction(dev);
	else if (forbidden)
		give_up(dev, SP_SPEED_SKIPPED, "disabled",
			"the servers found publish results, and nobody agreed to that (publish_consent)");
	else if (found == 0)
		give_up(dev, SP_SPEED_SKIPPED, "no_capacity", "the locator names no server");
	else
		give_up(dev, SP_SPEED_FAILED, "protocol", "the locator's answer is none");
}

static void locate(struct sp_device *dev, struct test *test);

/// The protocol wants redirects to be followed. Not from https to http, and to nobody who publishes unless
/// that was agreed to.
static void follow(struct sp_device *dev, struct test *test, const char *location)
{
	const struct sp_ndt7_conf *conf = sp_device_conf(dev);
	bool secure = strncmp(location, "https://", 8) == 0;
	bool plain = strncmp(location, "http://", 7) == 0 && strncmp(test->locate, "http://", 7) == 0;
	if (++test->redirects > REDIRECTS || !(secure || plain) || strlen(location) >= sizeof(test->locate))
		give_up(dev, SP_SPEED_FAILED, "redirected", "the locator sends us elsewhere");
	else if (sp_ndt7_url_is_mlab(location) && !sp_ndt7_consents(conf->publish_consent))
		give_up(dev, SP_SPEED_SKIPPED, "disabled",
			"the locator sends us to one who publishes results, and nobody agreed to that");
	else {
		snprintf(test->locate, sizeof(test->locate), "%s", location);
		locate(dev, test);
	}
}

static const char *reason_of(int result)
{
	switch (-result) {
	case ETIMEDOUT:
		return "timeout";
	case ECONNREFUSED:
		return "refused";
	case EKEYREJECTED:
		return "certificate";
	case ENOENT:
		return "dns";
	case ECONNRESET:
		return "closed";
	case ENODEV:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		return "no_route";
	default:
		return "protocol";
	}
}

static void on_located(struct sp_device *dev, const struct sp_http_answer *answer, void *arg)
{
	struct test *test = arg;
	const struct sp_ndt7_conf *conf = sp_device_conf(dev);
	char text[TEXT];
	test->http = NULL;
	test->report.wire_bytes += answer->bytes;
	if (answer->result < 0) {
		snprintf(text, sizeof(text), "locating a server: %s", answer->error);
		give_up(dev, SP_SPEED_FAILED, reason_of(answer->result), text);
	} else if (answer->status == 204) {
		give_up(dev, SP_SPEED_SKIPPED, "no_capacity", "the locator has no server for us now");
	} else if (answer->status >= 300 && answer->status < 400) {
		follow(dev, test, answer->location);
	} else if (answer->status != 200) {
		snprintf(text, sizeof(text), "the locator answered with status %ld", answer->status);
		give_up(dev, SP_SPEED_FAILED, "http_status", text);
	} else {
		use(dev, test,
		    sp_ndt7_locate_parse((const char *)answer->body, answer->length,
					 conf->scheme == SP_NDT7_WSS, test->servers));
	}
}

static void locate(struct sp_device *dev, struct test *test)
{
	const struct sp_ndt7_conf *conf = sp_device_conf(dev);
	const struct sp_http_request request = {.url = test->locate,
						.interface = sp_outward_interface(conf->interface),
						.ca_file = conf->ca_file,
						.timeout_ms = conf->connect_timeout_ms,
						.max_bytes = SP_NDT7_JSON};
	test->http = sp_http_get(dev, &request, on_located, test);
}

static void poll(struct sp_device *dev)
{
	const struct sp_ndt7_conf *conf = sp_device_conf(dev);
	struct ndt7 *ndt7 = sp_device_state(dev);
	struct test *test = calloc(1, sizeof(*test));
	test_free(ndt7->test); // of a round that the core gave up
	ndt7->test = test;
	if (!test) {
		sp_round_failed(dev, "child", "no memory");
		return;
	}
	test->dev = dev;
	test->timer = sp_timer_new(dev, watch_load, test);
	test->report.method = "ndt7";
	test->report.scope = conf->scope == SP_NDT7_DOMESTIC ? "domestic" : "international";
	sp_speed_progress(dev, SP_SPEED_PREPARE, 0, -1);
	if (*conf->server) {
		// Looked at by check(): it cannot fail.
		struct sp_ndt7_server *server = &test->servers[0];
		bool good = true;
		for (int i = 0; i < SP_SPEED_DIRECTIONS; i++)
			good &= sp_ndt7_url_fixed(&server->urls[i], conf->server, conf->scheme == SP_NDT7_WSS,
						  (enum sp_speed_direction)i) == 0;
		use(dev, test, good ? 1 : -EINVAL);
		return;
	}
	snprintf(test->locate, sizeof(test->locate), "%s%cclient_name=schoolpulse&client_version=%s%s%s",
		 conf->locate_url, strchr(conf->locate_url, '?') ? '&' : '?', SP_VERSION,
		 *conf->country ? "&country=" : "", conf->country);
	locate(dev, test);
}

// ---- the driver -------------------------------------------------------------------------------

static int start(struct sp_device *dev)
{
	const char *key;
	char why[TEXT];
	return sp_ndt7_check(sp_device_conf(dev), &key, why, sizeof(why));
}

static void stop(struct sp_device *dev)
{
	struct ndt7 *ndt7 = sp_device_state(dev);
	test_free(ndt7->test);
	ndt7->test = NULL;
}

const struct sp_driver sp_driver_ndt7 = {
    .name = "ndt7",
    .summary = "Speed by ndt7: one TCP connection to a Measurement Lab server or one of your own",
    .cls = SP_DRIVER_SPEED,
    .maturity = SP_MATURITY_BETA,
    .options = sp_ndt7_options,
    .conf_size = sizeof(struct sp_ndt7_conf),
    .state_size = sizeof(struct ndt7),
    // Locating with two redirects, four servers that do not answer for each direction, and both tests.
    .deadline_ms = (3 * 10 + 2 * 4 * 10 + 15 + 15) * 1000,
    .worst_bytes = sp_ndt7_conf_worst_bytes,
    // Spec v0.11.0, requirements for non-interactive clients.
    .pace = {.mean_s = 21600, .least_s = 2160, .most_s = 54000},
    .check = sp_ndt7_check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
