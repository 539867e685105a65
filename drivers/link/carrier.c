// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `carrier` driver: is the cable of the line's interface connected? Told by the kernel as it happens; a
// slow look at the tables only brings the counters and mends what an overrun might have lost.
#include <stddef.h>
#include <string.h>

#include "ethtool.h"
#include "rtnl.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"
#include "../drivers.h"
#include "../outward.h"
#include "schoolpulse/log.h"

enum {
	SOON_MS = 30, ///< after a change, so that one look serves a whole flock of them
	LOOK_MS = 30 * 1000,
};

struct carrier_conf {
	char *interface;
};

enum { METRIC_RX_BYTES, METRIC_TX_BYTES, METRIC_RX_ERRORS, METRIC_TX_ERRORS };

/// What a `carrier` fact says.
struct fact {
	char interface[IF_NAMESIZE];
	bool carrier;
	struct sp_link_mode mode;
};

struct carrier {
	struct sp_rtnl *rtnl;
	struct sp_timer *timer;
	uint32_t index; ///< of the interface, 0 while there is none
	struct fact now, told;
	bool is_told;
	enum sp_rung_status status;
	int64_t since_us;
};

static bool same_fact(const struct fact *a, const struct fact *b)
{
	return strcmp(a->interface, b->interface) == 0 && a->carrier == b->carrier &&
	       a->mode.speed_mbps == b->mode.speed_mbps && a->mode.duplex == b->mode.duplex;
}

/// Tells the feed what changed; what the journal refuses is told at the next look.
static void tell(struct sp_device *dev, struct carrier *c)
{
	if (!c->now.interface[0] || (c->is_told && same_fact(&c->now, &c->told)))
		return;
	const struct sp_link_mode *mode = &c->now.mode;
	struct sp_field fields[] = {
	    SP_TEXT("interface", c->now.interface),
	    SP_BOOL("carrier", c->now.carrier),
	    mode->speed_mbps >= 0 ? SP_INT("speed_mbps", mode->speed_mbps) : SP_NULL("speed_mbps"),
	    mode->duplex ? SP_TEXT("duplex", mode->duplex) : SP_NULL("duplex"),
	};
	if (sp_event(dev, SP_RECORD_FACTS, "carrier", fields, SP_COUNT(fields), NULL, NULL) == 0) {
		c->told = c->now;
		c->is_told = true;
	}
}

struct word {
	const char *reason, *detail;
};

static struct word word_of(const struct carrier *c)
{
	switch (c->status) {
	case SP_RUNG_OK:
		return (struct word){"carrier", "connected"};
	case SP_RUNG_UNKNOWN:
		return (struct word){"no_interface", "no interface"};
	case SP_RUNG_SILENT:
	case SP_RUNG_WRONG:
		break;
	}
	return c->index ? (struct word){"no_carrier", "no carrier"}
			: (struct word){"interface_gone", "the interface is gone"};
}

static void conclude(struct sp_device *dev, struct carrier *c, enum sp_rung_status status)
{
	bool first = c->since_us == 0, changed = first || c->status != status;
	if (changed) {
		c->status = status;
		c->since_us = sp_device_now_us(dev);
	}
	struct word word = word_of(c);
	struct sp_rung_report report = {.rung = SP_RUNG_CABLE,
					.family = SP_FAMILY_ANY,
					.status = status,
					.since_us = c->since_us,
					.rtt_us = -1,
					.detail = word.detail,
					.reason = word.reason,
					.host = c->now.interface[0] ? c->now.interface : NULL};
	sp_rung_report(dev, &report);
	const struct carrier_conf *conf = sp_device_conf(dev);
	if (status == SP_RUNG_UNKNOWN)
		sp_round_failed(dev, "no_interface",
				strcmp(conf->interface, "auto") == 0
				    ? "no default route, and not exactly one physical interface"
				    : "there is no interface %s",
				conf->interface);
	else
		sp_round_ok(dev);
	if (changed && !first)
		sp_line_suspect(dev);
}

/// The tracked interface is as `link` says; NULL: it is not there.
static void apply(struct sp_device *dev, struct carrier *c, const struct sp_nl_link *link)
{
	c->now.carrier = link && link->carrier;
	c->now.mode = (struct sp_link_mode){-1, NULL};
	c->index = link ? link->index : 0;
	if (link) {
		memcpy(c->now.interface, link->name, sizeof(c->now.interface));
		if (link->carrier)
			c->now.mode = sp_ethtool_mode(link->name);
	}
	tell(dev, c);
	// An interface that was there and went (a USB adapter) is as good as a pulled cable.
	conclude(dev, c,
		 !c->now.interface[0] ? SP_RUNG_UNKNOWN
		 : c->now.carrier     ? SP_RUNG_OK
				      : SP_RUNG_SILENT);
}

static void count(struct sp_device *dev, const struct sp_nl_link *link)
{
	if (!link || !link->has_counters) {
		for (unsigned metric = METRIC_RX_BYTES; metric <= METRIC_TX_ERRORS; metric++)
			sp_sample_unavailable(dev, metric, NULL);
		return;
	}
	sp_sample(dev, METRIC_RX_BYTES, NULL, (double)link->rx_bytes);
	sp_sample(dev, METRIC_TX_BYTES, NULL, (double)link->tx_bytes);
	sp_sample(dev, METRIC_RX_ERRORS, NULL, (double)link->rx_errors);
	sp_sample(dev, METRIC_TX_ERRORS, NULL, (double)link->tx_errors);
}

static void look(struct sp_device *dev, struct carrier *c)
{
	const struct carrier_conf *conf = sp_device_conf(dev);
	struct sp_view view;
	sp_timer_start(c->timer, LOOK_MS);
	int result = sp_rtnl_look(&view);
	if (result < 0) {
		sp_round_failed(dev, "netlink", "the kernel's tables cannot be read: %s", strerror(-result));
		return;
	}
	const struct sp_nl_link *link = sp_view_choose(&view, conf->interface, c->now.interface);
	apply(dev, c, link);
	count(dev, link);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	look(dev, arg);
}

/// Our own link's news is acted on at once: a look later would miss a short flap.
static void follow(struct sp_device *dev, struct carrier *c, const struct sp_nl_event *event)
{
	const struct carrier_conf *conf = sp_device_conf(dev);
	if (c->index == 0)
		return;
	if (event->kind == SP_NL_LINK_GONE && event->link.index == c->index) {
		apply(dev, c, NULL);
	} else if (event->kind == SP_NL_LINK && event->link.index == c->index) {
		bool renamed = strcmp(event->link.name, c->now.interface) != 0;
		// A name that was asked for is kept to; without one the link is the same under its new name.
		if (renamed && strcmp(conf->interface, "auto") != 0)
			apply(dev, c, NULL);
		else if (renamed || event->link.carrier != c->now.carrier)
			apply(dev, c, &event->link);
	}
}

static void on_change(struct sp_device *dev, const struct sp_nl_event *event, void *arg)
{
	struct carrier *c = arg;
	if (event)
		follow(dev, c, event);
	sp_timer_start(c->timer, SOON_MS);
}

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct carrier_conf *conf = of;
	*key = "interface";
	return sp_outward_check_interface(conf->interface, why, size);
}

static int start(struct sp_device *dev)
{
	struct carrier *c = sp_device_state(dev);
	c->timer = sp_timer_new(dev, on_timer, c);
	int result = sp_rtnl_listen(dev, on_change, c, &c->rtnl);
	if (result < 0)
		return result;
	look(dev, c);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct carrier *c = sp_device_state(dev);
	sp_rtnl_free(c->rtnl);
	sp_timer_free(c->timer);
}

static const struct sp_option options[] = {
    {.key = "interface",
     .type = SP_OPTION_STRING,
     .def = "auto",
     .min = 1,
     .max = IF_NAMESIZE - 1,
     .offset = offsetof(struct carrier_conf, interface),
     .help = "Network interface of the line; auto: that of the default route"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_RX_BYTES] = {"rx_bytes", "bytes", SP_METRIC_COUNTER, "Received by the interface"},
    [METRIC_TX_BYTES] = {"tx_bytes", "bytes", SP_METRIC_COUNTER, "Sent by the interface"},
    [METRIC_RX_ERRORS] = {"rx_errors_total", "count", SP_METRIC_COUNTER, "Receive errors of the interface"},
    [METRIC_TX_ERRORS] = {"tx_errors_total", "count", SP_METRIC_COUNTER, "Send errors of the interface"},
    {0},
};

const struct sp_driver sp_driver_carrier = {
    .name = "carrier",
    .summary = "Cable and link of the line's network interface",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct carrier_conf),
    .state_size = sizeof(struct carrier),
    .check = check,
    .start = start,
    .stop = stop,
};
