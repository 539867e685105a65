// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `webhook` driver: any kiosk, or the program behind it, that posts its events as signed JSON
// (drivers/kiosk/webhook.md). It has no rounds: the kiosk calls.
#include "webhook.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "civil_time.h"
#include "direction.h"
#include "schoolpulse/log.h"

enum { TICK_MS = 10 * 1000, TEXT_MAX = 256 };

enum { METRIC_REFUSED, METRIC_STRANGE };

#define AT(member) offsetof(struct webhook_conf, member)

static const struct sp_option options[] = {
    {"secret_file", SP_OPTION_STRING, NULL, 1, TEXT_MAX, AT(secret_file), NULL,
     "File with the secret that signs, 16 to 128 bytes in a line; a second line while it is being changed"},
    {"path", SP_OPTION_STRING, "/events", 1, TEXT_MAX, AT(path), NULL,
     "Path to which this kiosk posts; each one that shares a port needs its own"},
    {"port", SP_OPTION_INT, "8090", 1, 65535, AT(port), NULL, "Port to which kiosks post; several share one"},
    {"address", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(address), NULL,
     "Address of this board on which to listen; empty: all"},
    {"cert_file", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(cert_file), NULL, "Certificate (PEM), for HTTPS"},
    {"key_file", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(key_file), NULL, "Its private key (PEM)"},
    {"window", SP_OPTION_DURATION, "5min", 30 * 1000, 60 * 60 * 1000, AT(window_ms), NULL,
     "How far the time of a request may be from ours, before and after"},
    {"silence", SP_OPTION_DURATION, "15min", 60 * 1000, 7 * 24 * 60 * 60 * 1000LL, AT(silence_ms), NULL,
     "Time after which a kiosk that does not call is missed; an empty batch is a call"},
    {"time_zone", SP_OPTION_STRING, "+07:00", 1, 6, AT(time_zone), NULL,
     "Zone of times that are sent without one"},
    {"direction", SP_OPTION_ENUM, "auto", 0, 0, AT(direction), SP_DIRECTION_CHOICES,
     "What an event here means; auto: what it says"},
    {0},
};

static int wrong(const char **key, const char *name, char *why, size_t size, const char *text)
{
	*key = name;
	snprintf(why, size, "%s", text);
	return -EINVAL;
}

static int check(const void *generic, const char **key, char *why, size_t size)
{
	const struct webhook_conf *conf = generic;
	int32_t zone_s;
	if (conf->path[0] != '/' || strpbrk(conf->path, "%?# \"\\"))
		return wrong(key, "path", why, size, "a path as /events is meant, without query or % codes");
	if (sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &zone_s) < 0)
		return wrong(key, "time_zone", why, size, "an offset is meant, as in +07:00");
	if (!*conf->cert_file != !*conf->key_file)
		return wrong(key, *conf->cert_file ? "cert_file" : "key_file", why, size,
			     "cert_file and key_file belong together");
	return 0;
}

// ---- what is known of it ------------------------------------------------------------------------------

static void judge(struct sp_device *dev, const struct webhook *webhook)
{
	const struct webhook_conf *conf = sp_device_conf(dev);
	int64_t now_us = sp_device_now_us(dev), since_us = webhook->heard_us;
	if (since_us == 0)
		since_us = webhook->started_us;
	if (now_us - since_us > conf->silence_ms * 1000 && webhook->strange > 0 && !webhook->heard_us)
		sp_round_failed(dev, "wrong_key", "somebody calls, but not with the secret of this section");
	else if (now_us - since_us > conf->silence_ms * 1000 && !webhook->heard_us)
		sp_round_failed(dev, "never_called", "nobody has called at port %d, path %s", (int)conf->port,
				conf->path);
	else if (now_us - since_us > conf->silence_ms * 1000)
		sp_round_failed(dev, "silent", "it has not called for %d s",
				(int)((now_us - since_us) / 1000000));
	else if (webhook->error == -EPERM)
		sp_round_failed(dev, "not_allowed",
				"[attendance] legal_basis is empty: its events stay with it");
	else if (webhook->error)
		sp_round_failed(dev, "journal", "its events cannot be kept now, and stay with it: %s",
				strerror(-webhook->error));
	else if (webhook->clock_waited)
		sp_round_unmeasured(dev, "clock",
				    "this board does not know the time yet, so the kiosk waits");
	else if (!webhook->heard_us)
		sp_round_unmeasured(dev, "waiting", "it has not called since the agent started");
	else
		sp_round_ok(dev);
}

static void on_tick(struct sp_device *dev, void *arg)
{
	struct webhook *webhook = arg;
	const struct webhook_kiosk *told = &webhook->told;
	struct sp_kiosk_health health = {
	    .heard_us = webhook->heard_us,
	    .clock_error_s = webhook->clock_error_s,
	    .records = told->records,
	    .capacity = told->capacity,
	    .users = told->users,
	    .backlog = told->backlog,
	    .refused = webhook->refused,
	    .model = *told->model ? told->model : NULL,
	    .firmware = *told->firmware ? told->firmware : NULL,
	};
	sp_timer_start(webhook->tick, TICK_MS);
	judge(dev, webhook);
	sp_kiosk_health(dev, &health);
	sp_sample(dev, METRIC_REFUSED, NULL, (double)webhook->refused);
	sp_sample(dev, METRIC_STRANGE, NULL, (double)webhook->strange);
}

// ---- its life -----------------------------------------------------------------------------------------

static int start(struct sp_device *dev)
{
	const struct webhook_conf *conf = sp_device_conf(dev);
	struct webhook *webhook = sp_device_state(dev);
	struct sp_http_listener_config listener = {
	    .address = conf->address,
	    .port = (uint16_t)conf->port,
	    .cert_file = conf->cert_file,
	    .key_file = conf->key_file,
	    .max_body = WEBHOOK_BODY_MAX,
	};
	char why[256] = "";
	*webhook = (struct webhook){.started_us = sp_device_now_us(dev), .clock_error_s = NAN};
	webhook->told = (struct webhook_kiosk){.records = -1, .capacity = -1, .users = -1, .backlog = -1};
	// A commit that comes after a restart must not be taken for one of a new request.
	webhook->last_number = (uintptr_t)webhook->started_us;
	int result = sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &webhook->zone_s);
	if (!result)
		result = webhook_secrets_read(conf->secret_file, &webhook->secrets, why);
	if (!result) {
		webhook->listener = sp_http_listen(dev, &listener, &webhook_service, why);
		result = webhook->listener ? 0 : errno ? -errno : -EIO;
	}
	if (result) {
		sp_round_failed(dev, "start", "%s", why);
		return result;
	}
	webhook->tick = sp_timer_new(dev, on_tick, webhook);
	sp_timer_start(webhook->tick, TICK_MS);
	judge(dev, webhook);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct webhook *webhook = sp_device_state(dev);
	sp_timer_free(webhook->tick);
	sp_http_listener_free(webhook->listener);
	webhook_requests_free(webhook);
	explicit_bzero(webhook, sizeof(*webhook));
}

static const struct sp_metric metrics[] = {
    [METRIC_REFUSED] = {"refused_total", "count", SP_METRIC_COUNTER,
			"Batches since start that were signed, but not as they should be"},
    [METRIC_STRANGE] = {"unsigned_total", "count", SP_METRIC_COUNTER,
			"Requests since start without a good signature or time"},
    {0},
};

const struct sp_driver sp_driver_webhook = {
    .name = "webhook",
    .summary = "Any attendance kiosk that posts its events as signed JSON",
    .cls = SP_DRIVER_KIOSK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct webhook_conf),
    .state_size = sizeof(struct webhook),
    .check = check,
    .start = start,
    .stop = stop,
};
