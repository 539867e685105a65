// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `capture` driver: what moves on a mirror port, or past the board itself. A helper program reads the
// frames and has no rights; here arrive its counts, one line per second, and are believed as little.
#include "capture.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "capture_line.h"
#include "schoolpulse/io.h"

enum {
	AGAIN_MS = 1000, ///< after the helper's first end; doubled
	AGAIN_MAX_MS = 60 * 1000,
	SILENCE_MS = 10 * 1000, ///< a helper that says nothing for so long is ended
	SETTLED_LINES = 30,     ///< then it is believed to live
	HASTY_US = 300 * 1000,  ///< between two lines
	HASTY_MOST = 30,        ///< such ones in one round: a board that slept has some
	WINDOW_S = 10,          ///< percentiles of less than that would say little
	SECOND_LONGEST_S = 30,  ///< the board slept: no reading of a second
};

static const double loss_max = 0.01; ///< with more frames lost than that there are no readings

enum {
	METRIC_DOWN,
	METRIC_UP,
	METRIC_OTHER,
	METRIC_BROADCAST,
	METRIC_MULTICAST,
	METRIC_OUTSIDE,
	METRIC_INSIDE,
	METRIC_DNS,
	METRIC_HANDSHAKES,
	METRIC_DNS_ANSWERS,
	METRIC_DNS_UNANSWERED,
	METRIC_FRAMES,
	METRIC_LOSS,
	METRIC_KERNEL_DROPS,
	METRIC_INTERFACE_DROPS,
};

struct totals {
	double handshakes, dns_answers, dns_unanswered, frames, kernel_drops, interface_drops;
};

struct capture {
	struct sp_child *child;
	struct sp_timer *timer; ///< without a child: when to start one; with: how long it may be silent
	struct sp_capture_sides sides;
	unsigned failures;     ///< in a row
	bool round;            ///< under way: waits for a line
	unsigned lines, hasty; ///< of this child; of this round
	int64_t line_us;       ///< when the last one came
	const char *reason;    ///< why there is no child
	char text[200];
	struct sp_capture_second window;
	struct totals totals;
};

static const struct sp_child_events events;

// ---- the helper's life ------------------------------------------------------------------------------

/// No readings for a while: say why, and try again later.
static void give_up(struct sp_device *dev, struct capture *c, const char *reason, const char *text)
{
	const struct sp_capture_conf *conf = sp_device_conf(dev);
	sp_child_stop(c->child);
	c->child = NULL;
	c->window = (struct sp_capture_second){0};
	c->reason = reason;
	snprintf(c->text, sizeof(c->text), "%s: %s", conf->interface, text);
	int64_t delay_ms = (int64_t)AGAIN_MS << (c->failures < 6 ? c->failures : 6);
	c->failures++;
	sp_timer_start(c->timer, delay_ms < AGAIN_MAX_MS ? delay_ms : AGAIN_MAX_MS);
	for (unsigned metric = METRIC_DOWN; metric <= METRIC_OTHER; metric++)
		sp_sample_unavailable(dev, metric, NULL);
	if (c->round)
		sp_round_failed(dev, c->reason, "%s", c->text);
	c->round = false;
}

static void begin(struct sp_device *dev, struct capture *c)
{
	const struct sp_capture_conf *conf = sp_device_conf(dev);
	struct sp_capture_command command;
	if (sp_capture_sides_now(conf, &c->sides)) {
		give_up(dev, c, "no_route",
			"the default gateway's MAC, by which directions are told, is not known (router_mac)");
		return;
	}
	sp_capture_command(conf, &c->sides, &command);
	c->lines = 0;
	c->child = sp_child_start(dev, command.argv[0], command.argv, true, &events, c);
	if (c->child)
		sp_timer_start(c->timer, SILENCE_MS);
	else
		give_up(dev, c, errno == ENOENT ? "no_program" : "no_process",
			errno == ENOENT ? "schoolpulse-capture is not installed beside schoolpulsed"
					: "schoolpulse-capture cannot be started");
}

static void on_timer(struct sp_device *dev, void *arg)
{
	struct capture *c = arg;
	if (c->child)
		give_up(dev, c, "timeout", "schoolpulse-capture says nothing");
	else
		begin(dev, c);
}

static void on_ended(struct sp_device *dev, int status, void *arg)
{
	static const struct {
		const char *reason, *text;
	} words[] = {
	    [SP_CAPTURE_NO_PERMISSION] = {"no_permission",
					  "it may not be captured: the agent needs CAP_NET_RAW "
					  "(AmbientCapabilities= of its service)"},
	    [SP_CAPTURE_NO_INTERFACE] = {"no_interface", "there is no such interface"},
	    [SP_CAPTURE_DOWN] = {"interface_gone", "switched off or gone"},
	    [SP_CAPTURE_NOT_ETHERNET] = {"not_ethernet", "it does not carry Ethernet frames"},
	    [SP_CAPTURE_NOT_LOCKED] = {"not_locked", "the system does not let schoolpulse-capture give "
						     "up its rights, so it reads nothing"},
	};
	struct capture *c = arg;
	c->child = NULL;
	bool known = status > 0 && (size_t)status < sizeof(words) / sizeof(words[0]) && words[status].reason;
	give_up(dev, c, known ? words[status].reason : "helper_ended",
		known ? words[status].text : "schoolpulse-capture ended by itself");
}

// ---- its lines --------------------------------------------------------------------------------------

static void add(struct capture *c, const struct sp_capture_second *second)
{
	struct sp_capture_second *window = &c->window;
	window->duration_us += second->duration_us;
	window->frames += second->frames;
	window->broadcast_frames += second->broadcast_frames;
	window->multicast_frames += second->multicast_frames;
	window->kernel_drops += second->kernel_drops;
	window->interface_drops += second->interface_drops;
	sp_histogram_merge(&window->outside, &second->outside);
	sp_histogram_merge(&window->inside, &second->inside);
	sp_histogram_merge(&window->dns, &second->dns);
	c->totals.handshakes += (double)second->outside.count;
	c->totals.dns_answers += (double)second->dns.count;
	c->totals.dns_unanswered += (double)second->dns_unanswered;
	c->totals.frames += (double)second->frames;
	c->totals.kernel_drops += (double)second->kernel_drops;
	c->totals.interface_drops += (double)second->interface_drops;
}

static void report(struct sp_device *dev, const struct sp_capture_second *second)
{
	double seconds = (double)second->duration_us / 1e6;
	if (sp_capture_loss(second) > loss_max || seconds > SECOND_LONGEST_S) {
		for (unsigned metric = METRIC_DOWN; metric <= METRIC_OTHER; metric++)
			sp_sample_unavailable(dev, metric, NULL);
		return;
	}
	sp_sample(dev, METRIC_DOWN, NULL, (double)second->down_bytes / seconds);
	sp_sample(dev, METRIC_UP, NULL, (double)second->up_bytes / seconds);
	sp_sample(dev, METRIC_OTHER, NULL, (double)second->other_bytes / seconds);
	int64_t now = sp_device_now_us(dev);
	struct sp_traffic traffic = {.source = SP_TRAFFIC_CAPTURE,
				     .from_us = now - second->duration_us,
				     .to_us = now,
				     .down_bytes = second->down_bytes,
				     .up_bytes = second->up_bytes};
	sp_line_traffic(dev, &traffic);
}

static void on_line(struct sp_device *dev, const char *line, size_t length, void *arg)
{
	struct capture *c = arg;
	struct sp_capture_second second;
	int64_t now = sp_device_now_us(dev);
	if (c->lines > 0 && now - c->line_us < HASTY_US)
		c->hasty++;
	c->line_us = now;
	if (c->hasty > HASTY_MOST || sp_capture_read(line, length, &second)) {
		give_up(dev, c, "protocol", "schoolpulse-capture says what it must not");
		return;
	}
	if (++c->lines == SETTLED_LINES)
		c->failures = 0;
	sp_timer_start(c->timer, SILENCE_MS);
	add(c, &second);
	report(dev, &second);
	if (c->round)
		sp_round_ok(dev);
	c->round = false;
}

static const struct sp_child_events events = {.line = on_line, .ended = on_ended};

// ---- rounds -----------------------------------------------------------------------------------------

static void sample_times(struct sp_device *dev, unsigned metric, const struct sp_histogram *histogram)
{
	static const struct {
		const char *target;
		double share;
	} percentiles[] = {{"p50", 0.5}, {"p95", 0.95}};
	for (size_t i = 0; histogram->count > 0 && i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		sp_sample(dev, metric, percentiles[i].target,
			  sp_histogram_seconds(histogram, percentiles[i].share));
}

/// Of what is lost nobody knows what it was: with more than a little of it lost, the rest would mislead.
static void sample_window(struct sp_device *dev, const struct sp_capture_second *window)
{
	if (sp_capture_loss(window) > loss_max) {
		for (unsigned metric = METRIC_BROADCAST; metric <= METRIC_DNS; metric++)
			sp_sample_unavailable(dev, metric, NULL);
		return;
	}
	if (window->frames > 0) {
		double frames = (double)window->frames;
		sp_sample(dev, METRIC_BROADCAST, NULL, (double)window->broadcast_frames / frames);
		sp_sample(dev, METRIC_MULTICAST, NULL, (double)window->multicast_frames / frames);
	}
	sample_times(dev, METRIC_OUTSIDE, &window->outside);
	sample_times(dev, METRIC_INSIDE, &window->inside);
	sample_times(dev, METRIC_DNS, &window->dns);
}

static void sample_totals(struct sp_device *dev, const struct totals *totals)
{
	sp_sample(dev, METRIC_HANDSHAKES, NULL, totals->handshakes);
	sp_sample(dev, METRIC_DNS_ANSWERS, NULL, totals->dns_answers);
	sp_sample(dev, METRIC_DNS_UNANSWERED, NULL, totals->dns_unanswered);
	sp_sample(dev, METRIC_FRAMES, NULL, totals->frames);
	sp_sample(dev, METRIC_KERNEL_DROPS, NULL, totals->kernel_drops);
	sp_sample(dev, METRIC_INTERFACE_DROPS, NULL, totals->interface_drops);
}

/// The router was exchanged, say: begin anew with its successor's MAC.
static bool sides_changed(struct sp_device *dev, const struct capture *c)
{
	struct sp_capture_sides now;
	return sp_capture_sides_now(sp_device_conf(dev), &now) == 0 &&
	       (now.mac_count != c->sides.mac_count ||
		memcmp(now.macs, c->sides.macs, sizeof(now.macs)) != 0);
}

static void capture_poll(struct sp_device *dev)
{
	struct capture *c = sp_device_state(dev);
	c->hasty = 0;
	if (!c->child) {
		sp_round_failed(dev, c->reason, "%s", c->text);
		return;
	}
	if (sides_changed(dev, c)) {
		sp_child_stop(c->child);
		c->round = true;
		begin(dev, c);
		return;
	}
	if (c->window.duration_us >= WINDOW_S * INT64_C(1000000)) {
		sp_sample(dev, METRIC_LOSS, NULL, sp_capture_loss(&c->window));
		sample_window(dev, &c->window);
		sample_totals(dev, &c->totals);
		c->window = (struct sp_capture_second){0};
	}
	c->round = true; // the next line ends it
}

static int capture_start(struct sp_device *dev)
{
	struct capture *c = sp_device_state(dev);
	*c = (struct capture){.timer = sp_timer_new(dev, on_timer, c)};
	begin(dev, c);
	return 0;
}

static void capture_stop(struct sp_device *dev)
{
	struct capture *c = sp_device_state(dev);
	sp_child_stop(c->child);
	sp_timer_free(c->timer);
	*c = (struct capture){0};
}

// ---- tables -----------------------------------------------------------------------------------------

#define OFFSET(member) offsetof(struct sp_capture_conf, member)

static const struct sp_option options[] = {
    {"interface", SP_OPTION_STRING, NULL, 1, 15, OFFSET(interface), NULL,
     "Interface at the mirror port, or in the path of the line's traffic"},
    {"router_mac", SP_OPTION_LIST, "auto", 1, SP_CAPTURE_MACS, OFFSET(router_mac), NULL,
     "MAC of the router on the captured cable; auto: the default gateway's"},
    {"side", SP_OPTION_ENUM, "lan", 0, 0, OFFSET(side), "lan wan",
     "Which side of the router is captured: the school's or the provider's"},
    {"inside", SP_OPTION_LIST, "", 0, SP_CAPTURE_PREFIXES, OFFSET(inside), NULL,
     "The school's networks, where directions are to be told by them instead of the MAC"},
    {0},
};

static const struct sp_metric metrics[] = {
    {"down_bytes_per_second", "bytes/s", SP_METRIC_GAUGE, "Towards the school, second by second"},
    {"up_bytes_per_second", "bytes/s", SP_METRIC_GAUGE, "From the school, second by second"},
    {"other_bytes_per_second", "bytes/s", SP_METRIC_GAUGE, "Seen, but neither to nor from the line"},
    {"broadcast_ratio", "ratio", SP_METRIC_GAUGE, "Of all frames"},
    {"multicast_ratio", "ratio", SP_METRIC_GAUGE, "Of all frames"},
    {"tcp_outside_seconds", "seconds", SP_METRIC_GAUGE, "Handshake's half beyond the capturing point"},
    {"tcp_inside_seconds", "seconds", SP_METRIC_GAUGE, "Handshake's half on the school's side"},
    {"dns_seconds", "seconds", SP_METRIC_GAUGE, "From a question to its answer"},
    {"handshakes_total", "count", SP_METRIC_COUNTER, "Handshakes whose outer half was measured"},
    {"dns_answers_total", "count", SP_METRIC_COUNTER, "DNS questions that were answered"},
    {"dns_unanswered_total", "count", SP_METRIC_COUNTER, "DNS questions without an answer within 5 s"},
    {"frames_total", "count", SP_METRIC_COUNTER, "Frames counted"},
    {"drop_ratio", "ratio", SP_METRIC_GAUGE, "Frames that were lost before they could be counted"},
    {"kernel_drops_total", "count", SP_METRIC_COUNTER, "Frames for which there was no room in the ring"},
    {"interface_drops_total", "count", SP_METRIC_COUNTER, "Frames that the interface itself has lost"},
    {0},
};

const struct sp_driver sp_driver_capture = {
    .name = "capture",
    .summary = "What moves on the line, seen at a mirror port or in the path: counts only",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct sp_capture_conf),
    .state_size = sizeof(struct capture),
    .interval_ms = 60 * 1000,
    .deadline_ms = 15 * 1000,
    .check = sp_capture_check,
    .start = capture_start,
    .poll = capture_poll,
    .stop = capture_stop,
};
