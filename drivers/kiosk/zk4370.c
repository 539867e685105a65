// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `zk4370` driver: asks terminals that cannot push, or whose pushes may have been lost, for their whole
// log, once a night. It writes nothing to a terminal (zk4370_wire.h).
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../drivers.h"
#include "civil_time.h"
#include "schoolpulse/log.h"
#include "zk4370.h"
#include "zk_punch.h"

enum { DAY_S = 86400, DAY_MS = DAY_S * 1000 };

/// "02:30": milliseconds of the day, -1 for anything else.
static int64_t hour_of(const char *text)
{
	int hour, minute, end = 0;
	if (sscanf(text, "%2d:%2d%n", &hour, &minute, &end) != 2 || end != 5 || text[5])
		return -1;
	return hour < 0 || hour > 23 || minute < 0 || minute > 59 ? -1
								  : (hour * 60 + minute) * INT64_C(60000);
}

void zk_health(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	sp_kiosk_health(dev, &(struct sp_kiosk_health){
				 .heard_us = zk->heard_us,
				 .clock_error_s = zk->clock_error_s,
				 .records = zk->sizes.records,
				 .capacity = zk->sizes.capacity,
				 .users = zk->sizes.users,
				 .backlog = -1,
				 .refused = zk->total_refused,
				 .model = zk->model[0] ? zk->model : NULL,
				 .firmware = zk->firmware[0] ? zk->firmware : NULL,
			     });
}

static void tell(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	if (zk->reason[0])
		sp_round_failed(dev, zk->reason, "%s", zk->why);
	else
		sp_round_ok(dev);
}

void zk_over(struct sp_device *dev, const char *reason, const char *why)
{
	const struct zk_conf *conf = sp_device_conf(dev);
	struct zk *zk = sp_device_state(dev);
	sp_zk_session_end(&zk->session);
	zk->visiting = false;
	zk->judged = true;
	zk->again = reason != NULL;
	snprintf(zk->reason, sizeof(zk->reason), "%s", reason ? reason : "");
	snprintf(zk->why, sizeof(zk->why), "%s", why);
	if (reason)
		zk->not_before_us = sp_device_now_us(dev) + conf->retry_ms * 1000;
	zk_health(dev);
	tell(dev);
}

/// The day, in our zone, whose `at` (and this terminal's delay after it) has come.
static bool day_now(struct sp_device *dev, int64_t *day)
{
	const struct zk_conf *conf = sp_device_conf(dev);
	const struct zk *zk = sp_device_state(dev);
	int64_t t_ms, err_ms;
	if (!sp_clock_known(dev, &t_ms, &err_ms))
		return false;
	*day = (t_ms + SP_VIETNAM_S * 1000 - hour_of(conf->at) - zk->shift_ms) / DAY_MS;
	return true;
}

/// The first visit comes soon after the start: a school that cuts its power at night would never see another.
/// Then one a night, or after `retry` when one has failed; without a clock there is no night, and so every 24
/// h.
static bool is_due(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	int64_t day = 0, now_us = sp_device_now_us(dev);
	bool known = day_now(dev, &day);
	bool night =
	    known ? zk->next_day && day >= zk->next_day : now_us - zk->visited_us >= INT64_C(1000) * DAY_MS;
	bool due = !zk->judged || zk->again ? now_us >= zk->not_before_us : night;
	if (known && (due || !zk->next_day))
		zk->next_day = day + 1;
	if (due)
		zk->visited_us = now_us;
	return due;
}

static void poll(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	if (zk->visiting) // its end ends a round
		return;
	if (is_due(dev))
		zk_visit(dev);
	else if (zk->judged)
		tell(dev);
	else
		sp_round_unmeasured(dev, "waiting", "its first visit comes soon");
}

static int64_t random_below(int64_t limit)
{
	uint64_t value = 0;
	if (limit <= 0 || getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		return 0;
	return (int64_t)(value % (uint64_t)limit);
}

static int start(struct sp_device *dev)
{
	const struct zk_conf *conf = sp_device_conf(dev);
	struct zk *zk = sp_device_state(dev);
	zk->fd = -1;
	zk->clock_error_s = NAN;
	zk->sizes = (struct sp_zk_sizes){-1, -1, -1};
	int result = sp_endpoint_parse(&zk->peer, conf->host, (uint16_t)conf->port);
	if (result < 0 || sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &zk->zone_s) < 0)
		return -EINVAL;
	snprintf(zk->peer.interface, sizeof(zk->peer.interface), "%s", conf->interface);
	sp_kiosk_same(dev, conf->same_as);
	zk->shift_ms = random_below(conf->spread_ms);
	zk->not_before_us = sp_device_now_us(dev) + random_below(conf->spread_ms) * 1000;
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	zk_link_close(dev);
	zk_feed_stop(dev);
	sp_timer_free(zk->timer);
	sp_timer_free(zk->feeder);
}

static int check(const void *arg, const char **key, char *why, size_t size)
{
	const struct zk_conf *conf = arg;
	struct sp_endpoint peer;
	int32_t zone_s;
	const char *text = NULL;
	if (sp_endpoint_parse(&peer, conf->host, 4370) < 0) {
		*key = "host";
		text = "an address is meant, as in 192.168.1.201";
	} else if (hour_of(conf->at) < 0) {
		*key = "at";
		text = "a time of the day is meant, as in 02:30";
	} else if (sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &zone_s) < 0) {
		*key = "time_zone";
		text = "an offset is meant, as in +07:00";
	}
	for (const char *c = conf->serial; !text && *c; c++)
		if (*c <= ' ' || *c > '~') {
			*key = "serial";
			text = "letters and digits only";
		}
	if (text)
		snprintf(why, size, "%s", text);
	return text ? -EINVAL : 0;
}

#define AT(member) offsetof(struct zk_conf, member)
static const struct sp_option options[] = {
    {"host", SP_OPTION_STRING, NULL, 1, 64, AT(host), NULL, "The terminal's address"},
    {"port", SP_OPTION_INT, "4370", 1, 65535, AT(port), NULL, "Its port"},
    {"interface", SP_OPTION_STRING, "", 0, 15, AT(interface), NULL,
     "Interface to leave by; empty: the kernel's choice"},
    {"transport", SP_OPTION_ENUM, "tcp", 0, 0, AT(transport), "tcp udp",
     "What it speaks; old ones know only udp"},
    {"comm_key", SP_OPTION_INT, "0", 0, UINT32_MAX, AT(comm_key), NULL,
     "The communication key (Comm Key) that is set in the terminal"},
    {"serial", SP_OPTION_STRING, "", 0, SP_ZK_TEXT, AT(serial), NULL,
     "Its serial, so that no other terminal is taken for it; empty: whichever it tells"},
    {"at", SP_OPTION_STRING, "02:30", 5, 5, AT(at), NULL, "When its log is read each night, local time"},
    {"spread", SP_OPTION_DURATION, "30min", 0, 6 * 3600 * 1000, AT(spread_ms), NULL,
     "Up to so much later, by chance, so that not every school does so at once"},
    {"retry", SP_OPTION_DURATION, "30min", 60 * 1000, DAY_MS, AT(retry_ms), NULL,
     "How long after a visit that failed it is tried again"},
    {"totals", SP_OPTION_INT, "14", 0, 366, AT(totals_days), NULL,
     "Of so many last days the terminal's own count of events is reported beside ours"},
    {"same_as", SP_OPTION_STRING, "", 0, 255, AT(same_as), NULL,
     "Name of the [adms] section by which this same terminal pushes, so that no event counts twice"},
    {"time_zone", SP_OPTION_STRING, "+07:00", 1, 6, AT(time_zone), NULL, "Zone of the terminal's clock"},
    {"direction", SP_OPTION_ENUM, "auto", 0, 0, AT(direction), SP_DIRECTION_CHOICES,
     "What an event here means; auto: what status_is_direction says"},
    {"status_is_direction", SP_OPTION_BOOL, "no", 0, 0, AT(status_is_direction), NULL,
     "Whether people press check-in and check-out keys, so that the status tells the direction"},
    {"verify_codes", SP_OPTION_ENUM, "auto", 0, 0, AT(verify_codes), SP_ZK_VERIFY_CHOICES,
     "How the terminal numbers ways of recognising 0, 2, 3 and 4; auto: those are not known"},
    {0},
};
#undef AT

const struct sp_driver sp_driver_zk4370 = {
    .name = "zk4370",
    .summary = "ZKTeco terminals that cannot push: their log is read each night, nothing is written",
    .cls = SP_DRIVER_KIOSK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .conf_size = sizeof(struct zk_conf),
    .state_size = sizeof(struct zk),
    .interval_ms = 60 * 1000,
    .deadline_ms = 30 * 60 * 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
