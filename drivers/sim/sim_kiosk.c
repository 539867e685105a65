// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `sim_kiosk` driver: a simulated kiosk that numbers its punches, so that a test can prove that every
// number which was reported as committed is at the hub exactly once. An ordinary kiosk driver; nobody punched
// anything.
//
// After a crash a number may be in the journal without standing in the log. So numbers are set aside by the
// thousand before they are used, and a restart goes on behind them: none is used twice, and the log has gaps.
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../drivers.h"
#include "punch_log.h"
#include "schoolpulse/kiosk.h"
#include "schoolpulse/log.h"

enum {
	WAITING_MAX = 1000, ///< punches whose commit is not reported yet; numbers set aside at a time
	LOG_MAX = 4096,
	NUMBER = 24,
	CAPACITY = 100000,
	LOCAL_MS = 7 * 3600 * 1000, ///< Vietnam's time less UTC
	DAY_MS = 24 * 3600 * 1000,
};

struct sim_kiosk_conf {
	int64_t period_ms, count, samples, persons;
	char *log;
	bool totals;
};

enum { METRIC_VALUE, METRIC_COMMITTED, METRIC_REFUSED };

struct sim_kiosk {
	struct sp_timer *timer;
	int log; ///< descriptor, -1 without one
	bool opened;
	int64_t next, used_upto, committed, refused;
	int64_t waiting[WAITING_MAX]; ///< numbers whose commit is not reported, each in its place; 0: free
	int error;                    ///< the last refusal's, 0 since the last commit
};

static void refuse(struct sp_device *dev, struct sim_kiosk *kiosk, int error)
{
	if (kiosk->error != error)
		sp_warning("sim_kiosk", "\"%s\": the journal refuses punches: %s", sp_device_name(dev),
			   strerror(-error));
	kiosk->error = error;
	kiosk->refused++;
}

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	struct sim_kiosk *kiosk = sp_device_state(dev);
	int64_t *place = arg, number = *place;
	*place = 0;
	if (result < 0) {
		refuse(dev, kiosk, result);
		return;
	}
	kiosk->committed++;
	kiosk->error = 0;
	if (kiosk->log < 0)
		return;
	result = sp_punch_log_append(kiosk->log, number);
	if (result < 0)
		sp_err("sim_kiosk", "\"%s\": the log cannot be written: %s", sp_device_name(dev),
		       strerror(-result));
}

static bool set_aside(struct sp_device *dev, struct sim_kiosk *kiosk)
{
	const struct sim_kiosk_conf *conf = sp_device_conf(dev);
	if (kiosk->next <= kiosk->used_upto || !conf->log[0])
		return true;
	int result = sp_punch_log_use(conf->log, kiosk->next + WAITING_MAX - 1);
	if (result < 0) {
		refuse(dev, kiosk, result);
		return false;
	}
	kiosk->used_upto = kiosk->next + WAITING_MAX - 1;
	return true;
}

/// False when no more can be taken now; the number is used again, since nothing was kept.
static bool punch_one(struct sp_device *dev, struct sim_kiosk *kiosk)
{
	int64_t *place = &kiosk->waiting[kiosk->next % WAITING_MAX];
	if (*place || !set_aside(dev, kiosk))
		return false;
	const struct sim_kiosk_conf *conf = sp_device_conf(dev);
	char key[NUMBER], person[NUMBER];
	int64_t t_ms, err_ms;
	struct sp_punch punch = {
	    .key = key,
	    .key_length = (size_t)snprintf(key, sizeof(key), "%" PRId64, kiosk->next),
	    .kind = SP_PERSON_PIN,
	    .person = person,
	    .person_length =
		(size_t)snprintf(person, sizeof(person), "%" PRId64, kiosk->next % conf->persons),
	    .kiosk_ms = sp_clock_known(dev, &t_ms, &err_ms) ? t_ms : SP_PUNCH_NO_TIME,
	    .live = true,
	    .direction = kiosk->next % 2 ? SP_PUNCH_IN : SP_PUNCH_OUT,
	    .method = SP_PUNCH_BY_CARD,
	    .number = kiosk->next,
	};
	*place = kiosk->next;
	int result = sp_punch(dev, &punch, on_committed, place);
	if (result < 0) {
		*place = 0;
		refuse(dev, kiosk, result);
		return false;
	}
	kiosk->next++;
	return true;
}

static void on_timer(struct sp_device *dev, void *arg)
{
	struct sim_kiosk *kiosk = arg;
	const struct sim_kiosk_conf *conf = sp_device_conf(dev);
	sp_timer_start(kiosk->timer, conf->period_ms);
	for (int64_t i = 0; i < conf->count; i++)
		if (!punch_one(dev, kiosk))
			break;
	for (int64_t i = 0; i < conf->samples; i++)
		sp_sample(dev, METRIC_VALUE, NULL, (double)i);
}

static int start(struct sp_device *dev)
{
	const struct sim_kiosk_conf *conf = sp_device_conf(dev);
	struct sim_kiosk *kiosk = sp_device_state(dev);
	int64_t last = 0;
	kiosk->log = conf->log[0] ? sp_punch_log_open(conf->log, &last) : -1;
	kiosk->opened = kiosk->log >= 0;
	if (conf->log[0] && !kiosk->opened) {
		sp_err("sim_kiosk", "%s: %s", conf->log, strerror(-kiosk->log));
		return kiosk->log;
	}
	if (kiosk->opened) {
		int result = sp_punch_log_used(conf->log, &kiosk->used_upto);
		if (result < 0) {
			sp_err("sim_kiosk", "%s.used: %s", conf->log, strerror(-result));
			return result;
		}
	}
	kiosk->next = (last > kiosk->used_upto ? last : kiosk->used_upto) + 1;
	kiosk->timer = sp_timer_new(dev, on_timer, kiosk);
	sp_timer_start(kiosk->timer, conf->period_ms);
	return 0;
}

static void poll(struct sp_device *dev)
{
	const struct sim_kiosk_conf *conf = sp_device_conf(dev);
	const struct sim_kiosk *kiosk = sp_device_state(dev);
	sp_sample(dev, METRIC_COMMITTED, NULL, (double)kiosk->committed);
	sp_sample(dev, METRIC_REFUSED, NULL, (double)kiosk->refused);
	struct sp_kiosk_health health = {
	    .heard_us = sp_device_now_us(dev),
	    .clock_error_s = NAN,
	    .records = kiosk->next - 1,
	    .capacity = CAPACITY,
	    .users = conf->persons,
	    .backlog = 0,
	    .refused = kiosk->refused,
	    .model = "simulated",
	};
	sp_kiosk_health(dev, &health);
	int64_t t_ms, err_ms;
	if (conf->totals && sp_clock_known(dev, &t_ms, &err_ms))
		sp_kiosk_total(dev, (int32_t)((t_ms + LOCAL_MS) / DAY_MS), kiosk->committed);
	if (kiosk->error)
		sp_round_failed(dev, "refused", "the journal refuses punches: %s", strerror(-kiosk->error));
	else
		sp_round_ok(dev);
}

static void stop(struct sp_device *dev)
{
	struct sim_kiosk *kiosk = sp_device_state(dev);
	sp_timer_free(kiosk->timer);
	if (kiosk->opened)
		close(kiosk->log);
}

static const struct sp_option options[] = {
    {.key = "period",
     .type = SP_OPTION_DURATION,
     .def = "1s",
     .min = 1,
     .max = 24 * 3600 * 1000,
     .offset = offsetof(struct sim_kiosk_conf, period_ms),
     .help = "Time from one group of punches to the next"},
    {.key = "count",
     .type = SP_OPTION_INT,
     .def = "1",
     .min = 0,
     .max = WAITING_MAX,
     .offset = offsetof(struct sim_kiosk_conf, count),
     .help = "Punches in a group"},
    {.key = "persons",
     .type = SP_OPTION_INT,
     .def = "500",
     .min = 1,
     .max = 100000,
     .offset = offsetof(struct sim_kiosk_conf, persons),
     .help = "Made-up persons who take turns"},
    {.key = "samples",
     .type = SP_OPTION_INT,
     .def = "0",
     .min = 0,
     .max = 100000,
     .offset = offsetof(struct sim_kiosk_conf, samples),
     .help = "Samples with each group, to fill the bulk stream"},
    {.key = "totals",
     .type = SP_OPTION_BOOL,
     .def = "no",
     .offset = offsetof(struct sim_kiosk_conf, totals),
     .help = "With each round it tells how many it has counted since its start, as today's"},
    {.key = "log",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = LOG_MAX,
     .offset = offsetof(struct sim_kiosk_conf, log),
     .help = "File to which the number of each committed punch is appended, and behind which numbering "
	     "continues"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_VALUE] = {"simulated_value", "count", SP_METRIC_GAUGE, "A made-up number"},
    [METRIC_COMMITTED] = {"committed_total", "count", SP_METRIC_COUNTER,
			  "Simulated punches committed since start"},
    [METRIC_REFUSED] = {"refused_total", "count", SP_METRIC_COUNTER, "Simulated punches refused since start"},
    {0},
};

const struct sp_driver sp_driver_sim_kiosk = {
    .name = "sim_kiosk",
    .summary = "Simulated kiosk that numbers its punches: nobody punched",
    .cls = SP_DRIVER_KIOSK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct sim_kiosk_conf),
    .state_size = sizeof(struct sim_kiosk),
    .interval_ms = 10 * 1000,
    .deadline_ms = 1000,
    .start = start,
    .poll = poll,
    .stop = stop,
};
