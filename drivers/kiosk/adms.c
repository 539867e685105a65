// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `adms` driver: a terminal that pushes its events to us by HTTP, as ZKTeco and its many other names do.
// One section, one terminal; all of them share the port. It has no rounds: the terminal calls, and who has
// not called for three times its delay is silent.
#include "adms.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "schoolpulse/log.h"

enum {
	FIRST_WAIT_MS =
	    180 * 1000,      ///< after our start, in which a terminal may still be waiting to try again
	BODY_MAX = 64 << 20, ///< a whole log of a million events
};

enum { METRIC_REFUSED, METRIC_OPERATIONS };

/// Where it should call, for whoever stands before it.
static void our_address(const struct adms_conf *conf, char out[INET_ADDRSTRLEN + 16])
{
	struct ifaddrs *list = NULL;
	snprintf(out, INET_ADDRSTRLEN + 16, "%s", *conf->address ? conf->address : "this board's address");
	if (*conf->address || getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_LOOPBACK) ||
		    !(at->ifa_flags & IFF_UP))
			continue;
		struct sockaddr_in address;
		memcpy(&address, at->ifa_addr, sizeof(address));
		inet_ntop(AF_INET, &address.sin_addr, out, INET_ADDRSTRLEN);
		break;
	}
	freeifaddrs(list);
}

static void never_called(struct sp_device *dev, const struct adms *a)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	char address[INET_ADDRSTRLEN + 16];
	our_address(conf, address);
	if (a->stranger_count > 0)
		sp_round_failed(dev, "never_called",
				"serial number %s has never called, but %s has: is `serial` right?",
				conf->serial, a->strangers[0]);
	else
		sp_round_failed(dev, "never_called",
				"serial number %s has never called: in its menu Cloud Server (ADMS) it needs "
				"the address %s and the port %d",
				conf->serial, address, (int)conf->port);
}

static int64_t silence_us(const struct adms_conf *conf, const struct adms *a)
{
	int64_t ms = ADMS_SILENT_DELAYS * conf->delay_ms;
	if (a->patient)
		ms += conf->error_delay_ms;
	return ms * 1000;
}

static void wait_for_it(struct sp_device *dev)
{
	sp_round_unmeasured(dev, "waiting", "it has not called since the agent started");
}

static void judge(struct sp_device *dev, const struct adms *a)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	int64_t now_us = sp_device_now_us(dev);
	if (a->wrong_key && !a->heard_us)
		sp_round_failed(dev, "wrong_key", "it does not send the comm_key of this section");
	else if (!a->heard_us && now_us - a->started_us < FIRST_WAIT_MS * INT64_C(1000))
		wait_for_it(dev);
	else if (!a->heard_us)
		never_called(dev, a);
	else if (now_us - a->heard_us > silence_us(conf, a))
		sp_round_failed(dev, "silent", "it has not called for %d s",
				(int)((now_us - a->heard_us) / 1000000));
	else if (a->security)
		sp_round_failed(dev, "access_mode",
				"it is set to access control, which is not supported: set its device type to "
				"attendance (T&A PUSH); it keeps its events until then");
	else if (a->error == -EPERM)
		sp_round_failed(dev, "not_allowed",
				"[attendance] legal_basis is empty: its events stay in the terminal");
	else if (a->error)
		sp_round_failed(dev, "journal", "its events cannot be kept now, and stay in the terminal: %s",
				strerror(-a->error));
	else if (a->clock_waited)
		sp_round_unmeasured(dev, "clock",
				    "this board does not know the time yet, so the terminal waits");
	else
		sp_round_ok(dev);
}

static void report(struct sp_device *dev, const struct adms *a)
{
	// Its clock is measured by the core, from the events that come as they happen.
	struct sp_kiosk_health health = {
	    .heard_us = a->heard_us,
	    .clock_error_s = NAN,
	    .records = a->info.records,
	    .capacity = a->info.capacity,
	    .users = a->info.users,
	    .backlog = -1,
	    .refused = a->refused,
	    .model = *a->info.model ? a->info.model : NULL,
	    .firmware = *a->info.firmware ? a->info.firmware : NULL,
	};
	sp_kiosk_health(dev, &health);
	sp_sample(dev, METRIC_REFUSED, NULL, (double)a->refused);
	for (unsigned i = 0; i < ADMS_HAPPENINGS; i++)
		if (a->happened[i] > 0)
			sp_sample(dev, METRIC_OPERATIONS, adms_happening_name((enum adms_happening)i),
				  (double)a->happened[i]);
}

static void on_tick(struct sp_device *dev, void *arg)
{
	struct adms *a = arg;
	sp_timer_start(a->tick, ADMS_TICK_MS);
	adms_command_tick(dev);
	judge(dev, a);
	report(dev, a);
}

static int start(struct sp_device *dev)
{
	const struct adms_conf *conf = sp_device_conf(dev);
	struct adms *a = sp_device_state(dev);
	struct sp_http_listener_config listener = {
	    .address = conf->address,
	    .port = (uint16_t)conf->port,
	    .cert_file = conf->cert_file,
	    .key_file = conf->key_file,
	    .max_body = BODY_MAX,
	};
	char why[256] = "";
	*a = (struct adms){.started_us = sp_device_now_us(dev), .sum_day = INT32_MIN, .info_day = INT32_MIN};
	a->last_id = (unsigned)(a->started_us / 1000000 % 1000000);
	sp_adms_info_clear(&a->info);
	for (size_t i = 0; i < ADMS_DAYS; i++)
		a->tally[i].day = INT32_MIN;
	a->listener = sp_http_listen(dev, &listener, &adms_service, why);
	if (!a->listener) {
		int error = errno ? -errno : -EIO;
		sp_round_failed(dev, "start", "%s", why);
		return error;
	}
	a->tick = sp_timer_new(dev, on_tick, a);
	sp_timer_start(a->tick, ADMS_TICK_MS);
	wait_for_it(dev);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct adms *a = sp_device_state(dev);
	sp_timer_free(a->tick);
	sp_http_listener_free(a->listener);
	adms_upload_stop(a);
	*a = (struct adms){.started_us = 0};
}

static const struct sp_metric metrics[] = {
    [METRIC_REFUSED] = {"refused_total", "count", SP_METRIC_COUNTER,
			"Lines and events since start that nobody can use"},
    [METRIC_OPERATIONS] = {"operations_total", "count", SP_METRIC_COUNTER,
			   "What its own log says happened to it since start"},
    {0},
};

const struct sp_driver sp_driver_adms = {
    .name = "adms",
    .summary = "Attendance terminal that pushes its events (ZKTeco ADMS, Ronald Jack)",
    .cls = SP_DRIVER_KIOSK,
    .maturity = SP_MATURITY_EXPERIMENTAL,
    .options = adms_options,
    .metrics = metrics,
    .conf_size = sizeof(struct adms_conf),
    .state_size = sizeof(struct adms),
    .check = adms_check,
    .start = start,
    .stop = stop,
};
