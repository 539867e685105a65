// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `stamp` driver: loss and delay of each direction apart, against a reflector that a province hosts
// (schoolpulse-anchor; any STAMP reflector). Each round is a session of its own, since a router's NAT forgets
// the last one between two rounds: two packets, and twenty more when one is lost or the line is suspected. It
// judges no rung: one anchor, asked rarely, is no evidence of now.
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "../drivers.h"
#include "../outward.h"
#include "anchors.h"
#include "no_way.h"
#include "stamp_session.h"
#include "stamp_socket.h"
#include "view.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/io.h"

enum {
	PAIR = 2,
	BURST = 20,
	PAIR_GAP_MS = 100,
	BURST_GAP_MS = 50,
	RECEIVE = 128, ///< what follows the base packet is of no interest
	HEADERS_V4 = 20 + 8,
	HEADERS_V6 = 40 + 8,
	PORT = 862,
};
static const int64_t BURST_EACH_US = INT64_C(600) * 1000 * 1000;
static const int64_t FRUGAL_US = INT64_C(3) * 3600 * 1000 * 1000;

struct stamp_conf {
	char *interface, *host;
	int64_t port, timeout_ms;
};

enum metric {
	RTT,
	LOSS,
	FORWARD_LOSS,
	BACKWARD_LOSS,
	FORWARD_VARIATION,
	BACKWARD_VARIATION,
	FORWARD_DELAY,
	BACKWARD_DELAY,
	DELAY_ERROR,
	BYTES,
};

struct stamp {
	struct sp_endpoint peer;
	struct sp_stamp_socket socket;
	struct sp_watch *watch;
	struct sp_timer *timer;
	struct sp_stamp_session session;
	size_t planned;    ///< packets of this session
	size_t open_since; ///< the first packet of the burst; PAIR unless the round began with it
	uint16_t estimate;
	double clock_error; ///< ours, seconds; NAN: not synchronised
	bool refused;
	bool answers;               ///< it did, when it was last asked
	int64_t asked_us, burst_us; ///< 0: never
	double bytes;
};

// ---- what was measured ------------------------------------------------------------------------------

static const char *target_of(const struct stamp *stamp, size_t number)
{
	return number < stamp->open_since ? NULL : "burst";
}

static void sample_losses(struct sp_device *dev, const struct stamp *stamp)
{
	for (size_t i = 0; i < stamp->session.count; i++) {
		enum sp_stamp_fate fate = stamp->session.probes[i].fate;
		const char *target = target_of(stamp, i);
		sp_sample(dev, LOSS, target, fate != SP_STAMP_ANSWERED);
		if (fate == SP_STAMP_EITHER || stamp->session.stateless)
			continue;
		sp_sample(dev, FORWARD_LOSS, target, fate == SP_STAMP_FORWARD);
		sp_sample(dev, BACKWARD_LOSS, target, fate == SP_STAMP_BACKWARD);
	}
	if (stamp->session.stateless || sp_stamp_session_answered(&stamp->session) == 0) {
		sp_sample_unavailable(dev, FORWARD_LOSS, NULL);
		sp_sample_unavailable(dev, BACKWARD_LOSS, NULL);
	}
}

/// RFC 3393: between packets that followed one another. Clocks may differ, but not by another amount so soon.
static void sample_variation(struct sp_device *dev, const struct stamp *stamp)
{
	for (size_t i = 1; i < stamp->session.count; i++) {
		const struct sp_stamp_probe *a = &stamp->session.probes[i - 1], *b = a + 1;
		if (a->fate != SP_STAMP_ANSWERED || b->fate != SP_STAMP_ANSWERED || isnan(a->rtt) ||
		    isnan(b->rtt))
			continue;
		sp_sample(dev, FORWARD_VARIATION, NULL, fabs(b->forward - a->forward));
		sp_sample(dev, BACKWARD_VARIATION, NULL, fabs(b->backward - a->backward));
	}
}

/// One way there is no truth without two good clocks; and where the result contradicts what they claim of
/// themselves, one of them is not.
static void sample_delays(struct sp_device *dev, const struct stamp *stamp)
{
	bool any = false;
	for (size_t i = 0; i < stamp->session.count; i++) {
		const struct sp_stamp_probe *probe = &stamp->session.probes[i];
		if (probe->fate != SP_STAMP_ANSWERED || isnan(probe->rtt))
			continue;
		sp_sample(dev, RTT, NULL, probe->rtt);
		double error = stamp->clock_error + probe->peer.error;
		if (isnan(error) || !probe->peer.synced || probe->peer.ptp || probe->forward < -error ||
		    probe->backward < -error)
			continue;
		any = true;
		sp_sample(dev, FORWARD_DELAY, NULL, probe->forward);
		sp_sample(dev, BACKWARD_DELAY, NULL, probe->backward);
		sp_sample(dev, DELAY_ERROR, NULL, error);
	}
	for (unsigned i = FORWARD_DELAY; !any && i <= DELAY_ERROR; i++)
		sp_sample_unavailable(dev, i, NULL);
}

static void count_bytes(struct sp_device *dev, struct stamp *stamp, size_t payload)
{
	bool ipv6 = stamp->peer.address.ss_family == AF_INET6;
	size_t bytes = payload + (ipv6 ? HEADERS_V6 : HEADERS_V4);
	stamp->bytes += (double)bytes;
	sp_sample(dev, BYTES, NULL, stamp->bytes);
	sp_line_spent(dev, SP_SPENT_PROBES, (int64_t)bytes);
}

// ---- the round --------------------------------------------------------------------------------------

static void close_session(struct stamp *stamp)
{
	sp_timer_stop(stamp->timer);
	sp_watch_free(stamp->watch);
	stamp->watch = NULL;
	sp_stamp_socket_close(&stamp->socket);
}

static void conclude(struct sp_device *dev, struct stamp *stamp)
{
	close_session(stamp);
	sp_stamp_tally(&stamp->session);
	sample_losses(dev, stamp);
	sample_variation(dev, stamp);
	sample_delays(dev, stamp);
	size_t answered = sp_stamp_session_answered(&stamp->session);
	stamp->answers = answered > 0;
	if (answered)
		sp_round_ok(dev);
	else if (stamp->refused)
		sp_round_failed(dev, "refused", "nobody reflects at port %lld",
				(long long)((const struct stamp_conf *)sp_device_conf(dev))->port);
	else
		sp_round_failed(dev, "timeout", "none of %zu packets came back", stamp->session.count);
}

static void give_up(struct sp_device *dev, struct stamp *stamp, int error)
{
	close_session(stamp);
	if (sp_no_way(error))
		sp_round_failed(dev, "no_route", "no route to the reflector");
	else
		sp_round_failed(dev, "protocol", "cannot send: %s", strerror(-error));
}

static bool burst_is_due(const struct stamp *stamp, int64_t now_us)
{
	return stamp->burst_us == 0 || now_us - stamp->burst_us >= BURST_EACH_US;
}

static int send_one(struct sp_device *dev, struct stamp *stamp)
{
	uint8_t packet[SP_STAMP_PACKET];
	struct sp_stamp_session *session = &stamp->session;
	uint64_t time = sp_stamp_socket_time(&stamp->socket);
	sp_stamp_encode(packet, session->first + (uint32_t)session->count, time, stamp->estimate,
			session->ssid);
	int result = sp_stamp_socket_send(&stamp->socket, packet, sizeof(packet));
	if (result < 0)
		return result;
	sp_stamp_session_sent(session, sp_device_now_us(dev), time);
	count_bytes(dev, stamp, sizeof(packet));
	return 0;
}

static void on_timer(struct sp_device *dev, void *arg)
{
	struct stamp *stamp = arg;
	const struct stamp_conf *conf = sp_device_conf(dev);
	struct sp_stamp_session *session = &stamp->session;
	int64_t now = sp_device_now_us(dev);
	bool over = session->count == stamp->planned;
	if (over && stamp->planned == PAIR && !sp_line_frugal(dev) && burst_is_due(stamp, now)) {
		stamp->planned = PAIR + BURST; // one of the two was lost: which way?
		stamp->burst_us = now;
		over = false;
	}
	if (over) {
		conclude(dev, stamp);
		return;
	}
	int result = send_one(dev, stamp);
	if (result < 0 && session->count == 0) {
		give_up(dev, stamp, result);
	} else if (session->count == stamp->planned || result < 0) {
		stamp->planned = session->count;
		sp_timer_start(stamp->timer, conf->timeout_ms);
	} else {
		sp_timer_start(stamp->timer, session->count < PAIR ? PAIR_GAP_MS : BURST_GAP_MS);
	}
}

static void on_readable(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	struct stamp *stamp = arg;
	struct sp_stamp_arrival arrival;
	uint8_t data[RECEIVE];
	int result;
	(void)fd, (void)events;
	// As many as can be ours, and some of others' making.
	for (unsigned i = 0; i < 2 * SP_STAMP_PACKETS; i++) {
		result = sp_stamp_socket_receive(&stamp->socket, data, sizeof(data), &arrival);
		if (result == -ECONNREFUSED)
			stamp->refused = true;
		if (result <= 0)
			break;
		size_t here = arrival.length < sizeof(data) ? arrival.length : sizeof(data);
		if (sp_stamp_session_take(&stamp->session, data, here, sp_device_now_us(dev) - arrival.age_us,
					  arrival.time))
			count_bytes(dev, stamp, arrival.length);
	}
	if (stamp->session.count == stamp->planned &&
	    sp_stamp_session_answered(&stamp->session) == stamp->session.count)
		conclude(dev, stamp);
}

/// Until its time has come the round ends as the last one did.
static bool skip(struct sp_device *dev, const struct stamp *stamp, int64_t now_us)
{
	if (!sp_line_frugal(dev) || stamp->asked_us == 0 || now_us - stamp->asked_us >= FRUGAL_US)
		return false;
	if (stamp->answers)
		sp_round_ok(dev);
	else
		sp_round_failed(dev, "timeout", "as it was when it was last asked");
	return true;
}

static int open_session(struct sp_device *dev, struct stamp *stamp)
{
	uint8_t random[6];
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return -EAGAIN;
	sp_stamp_session_begin(&stamp->session, random);
	int result = sp_stamp_socket_open(&stamp->socket, &stamp->peer);
	if (result < 0)
		return result;
	stamp->watch = sp_watch_new(dev, stamp->socket.fd, SP_READABLE, on_readable, stamp);
	return stamp->watch ? 0 : -errno;
}

static void poll(struct sp_device *dev)
{
	struct stamp *stamp = sp_device_state(dev);
	int64_t now = sp_device_now_us(dev);
	close_session(stamp); // of a round that the core ended by its deadline
	if (skip(dev, stamp, now))
		return;
	struct sp_clock_reading clock = sp_clock_now();
	bool known = clock.synced && !clock.doubted;
	stamp->clock_error = known ? (double)clock.err_ms / 1e3 : (double)NAN;
	stamp->estimate = sp_stamp_estimate(known ? clock.err_ms * 1000 : -1);
	stamp->asked_us = now;
	stamp->refused = false;
	stamp->planned = stamp->open_since = PAIR;
	if (sp_line_suspected(dev) && !sp_line_frugal(dev) && burst_is_due(stamp, now)) {
		stamp->planned = PAIR + BURST;
		stamp->open_since = 0; // a loss somewhere has begun it: no sample of every day
		stamp->burst_us = now;
	}
	int result = open_session(dev, stamp);
	if (result < 0)
		give_up(dev, stamp, result);
	else
		on_timer(dev, stamp);
}

// ---- start and stop ---------------------------------------------------------------------------------

static int parse_host(const struct stamp_conf *conf, struct sp_endpoint *out)
{
	return sp_endpoint_parse(out, conf->host, (uint16_t)conf->port);
}

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct stamp_conf *conf = of;
	struct sp_endpoint peer;
	*key = "host";
	if (parse_host(conf, &peer) < 0) {
		snprintf(why, size, "\"%.100s\" is no address, such as 192.0.2.1 or 2001:db8::1", conf->host);
		return -EINVAL;
	}
	*key = "interface";
	return sp_outward_check_interface(conf->interface, why, size);
}

static int start(struct sp_device *dev)
{
	const struct stamp_conf *conf = sp_device_conf(dev);
	struct stamp *stamp = sp_device_state(dev);
	stamp->socket.fd = -1;
	stamp->timer = sp_timer_new(dev, on_timer, stamp);
	int result = parse_host(conf, &stamp->peer);
	if (result == 0 && strcmp(conf->interface, "auto") != 0)
		snprintf(stamp->peer.interface, sizeof(stamp->peer.interface), "%s", conf->interface);
	return result;
}

static void stop(struct sp_device *dev)
{
	struct stamp *stamp = sp_device_state(dev);
	if (!stamp->timer)
		return; // never started
	close_session(stamp);
	sp_timer_free(stamp->timer);
}

// ---- tables -----------------------------------------------------------------------------------------

#define CONF(member) offsetof(struct stamp_conf, member)

static const struct sp_option options[] = {
    {.key = "host",
     .type = SP_OPTION_STRING,
     .min = 1,
     .max = 64,
     .offset = CONF(host),
     .help = "Address of a STAMP reflector, such as the province's schoolpulse-anchor"},
    {.key = "port",
     .type = SP_OPTION_INT,
     .def = "862",
     .min = 1,
     .max = 65535,
     .offset = CONF(port),
     .help = "The reflector's UDP port"},
    SP_ANCHORS_OPTION_INTERFACE(CONF(interface)),
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "2s",
     .min = 200,
     .max = 3000,
     .offset = CONF(timeout_ms),
     .help = "A packet without answer for so long is lost"},
    {0},
};

static const struct sp_metric metrics[] = {
    [RTT] = {"rtt_seconds", "seconds", SP_METRIC_GAUGE, "There and back, without the reflector's own time"},
    [LOSS] = {"loss_ratio", "ratio", SP_METRIC_GAUGE, "Packets without answer"},
    [FORWARD_LOSS] = {"forward_loss_ratio", "ratio", SP_METRIC_GAUGE,
		      "Packets lost on the way to the reflector"},
    [BACKWARD_LOSS] = {"backward_loss_ratio", "ratio", SP_METRIC_GAUGE, "Packets lost on the way back"},
    [FORWARD_VARIATION] =
	{"forward_variation_seconds", "seconds", SP_METRIC_GAUGE,
	 "How much the delay to the reflector differs between packets that follow one another"},
    [BACKWARD_VARIATION] = {"backward_variation_seconds", "seconds", SP_METRIC_GAUGE,
			    "The same on the way back"},
    [FORWARD_DELAY] = {"forward_delay_seconds", "seconds", SP_METRIC_GAUGE,
		       "Delay to the reflector, when both clocks are synchronised"},
    [BACKWARD_DELAY] = {"backward_delay_seconds", "seconds", SP_METRIC_GAUGE, "The same on the way back"},
    [DELAY_ERROR] = {"delay_error_seconds", "seconds", SP_METRIC_GAUGE,
		     "How far both clocks may make the delay of one direction wrong"},
    [BYTES] = {"probe_bytes", "bytes", SP_METRIC_COUNTER, "Bytes of IP spent on probes, both ways"},
    {0},
};

const struct sp_driver sp_driver_stamp = {
    .name = "stamp",
    .summary = "Loss and delay of each direction apart, against a STAMP reflector",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct stamp_conf),
    .state_size = sizeof(struct stamp),
    .interval_ms = 5 * 60 * 1000,
    .deadline_ms = 9 * 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
