// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Hands a terminal's log to the core, some records at a time: most of them are known. Nothing is
// acknowledged, since nothing may be written to the terminal: what the journal did not take is read again.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "zk_punch.h"
#include "zk4370.h"

enum {
	DAY_S = 86400,
	AGAIN_MS = 1000,
	FULL_MAX =
	    60, ///< times that the journal may be full, each a pause of AGAIN_MS, before the visit has failed
};

struct totals {
	struct sp_device *dev;
	int64_t today; ///< in the terminal's zone
};

static void on_total(void *arg, int32_t day, int64_t count)
{
	const struct totals *totals = arg;
	if (day < totals->today)
		sp_kiosk_total(totals->dev, day, count);
}

/// Of the last days, and not of today, which goes on.
static void tell_totals(struct sp_device *dev)
{
	const struct zk_conf *conf = sp_device_conf(dev);
	struct zk *zk = sp_device_state(dev);
	struct totals totals = {.dev = dev};
	int64_t t_ms, err_ms;
	if (!sp_clock_known(dev, &t_ms, &err_ms))
		return;
	totals.today = (t_ms / 1000 + zk->zone_s) / DAY_S;
	// Without memory for it there are no totals tonight.
	(void)!sp_zk_log_days(&zk->log, (int32_t)(totals.today - conf->totals_days), on_total, &totals);
}

static void finish(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	int error = zk->feed_error;
	if (!error)
		tell_totals(dev);
	zk_feed_stop(dev);
	zk_health(dev);
	if (error == -EPERM)
		zk_over(dev, "not_allowed",
			"[attendance] legal_basis is empty: its events stay in the terminal");
	else if (error)
		zk_over(dev, "journal", "the journal does not take its events");
	else
		zk_over(dev, NULL, "");
}

static void go_on(struct sp_device *dev);

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	(void)arg;
	struct zk *zk = sp_device_state(dev);
	if (!zk->feeding)
		return;
	zk->flying--;
	zk->taken += result >= 0;
	if (result < 0) {
		zk->total_refused++;
		zk->feed_error = result;
	}
	go_on(dev);
}

/// 0, or what sp_punch() says.
static int hand_over(struct sp_device *dev, const struct sp_zk_record *record)
{
	const struct zk_conf *conf = sp_device_conf(dev);
	struct zk *zk = sp_device_state(dev);
	uint8_t key[SP_PUNCH_KEY_MAX];
	const struct sp_punch punch = {
	    .key = key,
	    .key_length = sp_zk_punch_key(key, zk->serial, record->id, record->id_length, record->local_s,
					  record->state, record->verify),
	    .kind = SP_PERSON_PIN,
	    .person = record->id,
	    .person_length = record->id_length,
	    .kiosk_ms = (record->local_s - zk->zone_s) * 1000,
	    .zone_ahead_s = zk->zone_s - SP_VIETNAM_S,
	    .live = false,
	    .direction = sp_zk_direction((enum sp_direction_option)conf->direction, conf->status_is_direction,
					 record->state),
	    .method = sp_zk_method((enum sp_zk_verify)conf->verify_codes, record->verify),
	    .number = -1,
	};
	int result = punch.key_length ? sp_punch(dev, &punch, on_committed, NULL) : -EINVAL;
	explicit_bzero(key, sizeof(key));
	return result;
}

static void go_on(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	while (zk->next < zk->log.count && zk->flying < ZK_FLYING_MAX && !zk->feed_error) {
		struct sp_zk_record record;
		sp_zk_log_record(&zk->log, zk->next, &record);
		int result = hand_over(dev, &record);
		explicit_bzero(&record, sizeof(record));
		if (result == -ENOBUFS && zk->refused < FULL_MAX) {
			zk->refused++;
			sp_timer_start(zk->feeder, AGAIN_MS);
			return;
		}
		if (result < 0) {
			zk->total_refused++;
			zk->feed_error = result;
			break;
		}
		zk->next++;
		zk->flying++;
	}
	if (zk->flying == 0)
		finish(dev);
}

static void on_feeder(struct sp_device *dev, void *arg)
{
	(void)arg;
	struct zk *zk = sp_device_state(dev);
	if (zk->feeding)
		go_on(dev);
}

static void learn(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	memcpy(zk->serial, zk->session.serial, sizeof(zk->serial));
	memcpy(zk->model, zk->session.model, sizeof(zk->model));
	memcpy(zk->firmware, zk->session.firmware, sizeof(zk->firmware));
	zk->sizes = zk->session.has_sizes ? zk->session.sizes : (struct sp_zk_sizes){-1, -1, -1};
}

/// The later of its dial and ours: what it recorded, it recorded by its own.
static int64_t now_of(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	int64_t t_ms, err_ms, now_s = zk->session.has_time ? zk->session.local_s : 0;
	if (sp_clock_known(dev, &t_ms, &err_ms) && t_ms / 1000 + zk->zone_s > now_s)
		now_s = t_ms / 1000 + zk->zone_s;
	return now_s;
}

void zk_feed(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	learn(dev);
	zk_health(dev);
	int result = sp_zk_log_open(zk->session.log, zk->session.log_length, now_of(dev), &zk->log);
	if (result < 0) {
		zk->total_refused++;
		sp_zk_session_end(&zk->session);
		zk_health(dev);
		zk_over(dev, "protocol",
			result == -ENOTUNIQ ? "its log can be read in more than one way: nothing is taken"
					    : "its log makes no sense: nothing is taken");
		return;
	}
	if (!zk->feeder)
		zk->feeder = sp_timer_new(dev, on_feeder, NULL);
	zk->feeding = true;
	zk->feed_error = 0;
	zk->next = zk->flying = zk->taken = zk->refused = 0;
	go_on(dev);
}

void zk_feed_stop(struct sp_device *dev)
{
	struct zk *zk = sp_device_state(dev);
	zk->feeding = false;
	if (zk->feeder)
		sp_timer_stop(zk->feeder);
	zk->log = (struct sp_zk_log){0};
	sp_zk_session_end(&zk->session);
}
