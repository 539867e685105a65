// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `service` driver: do the platforms that a school teaches with answer over HTTPS? One that does is also
// the best proof that the line lives: no router can give a trusted certificate in its name. One that does not
// is judged only while the line is usable and the board knows the time.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../drivers.h"
#include "../outward.h"
#include "no_way.h"
#include "portal.h"
#include "view.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/io.h"

enum {
	URLS = 8,
	BODY_MAX = 4096, ///< who sends more has answered, too
	/// The least time between two askings, however often the line is suspected: others own these servers.
	GAP_US = 60 * 1000 * 1000,
	TROUBLE = 500, ///< HTTP status from which on a server speaks of its own trouble
};

struct service_conf {
	char *interface, *ca_file;
	struct sp_strings urls;
	int64_t timeout_ms;
};

enum { METRIC_TIME, METRIC_ANSWERED };

enum outcome {
	UNASKED, ///< not yet, or there was no way to
	ANSWERED,
	TROUBLED,  ///< it says itself that it is not well
	UNTRUSTED, ///< somebody answered in its name
	SILENT,
};

struct target {
	struct sp_device *dev;
	const char *url;
	char host[SP_PORTAL_HOST];
	struct sp_http *http;
	enum outcome outcome;
	int64_t elapsed_us;
};

struct service {
	struct target targets[URLS];
	unsigned count, open; ///< `open`: transfers under way
	int64_t asked_us;     ///< when the last round that asked began; 0: none did
	bool usable;          ///< the line was, when it asked
	enum sp_rung_status status;
	const char *reason; ///< of that status
	int64_t since_us;
};

// ---- the verdict ------------------------------------------------------------------------------

static enum outcome judge(const struct sp_http_answer *answer)
{
	// With a status the certificate was good: without that no request is sent.
	if (answer->status > 0)
		return answer->status < TROUBLE ? ANSWERED : TROUBLED;
	if (answer->result == -EKEYREJECTED)
		return UNTRUSTED;
	return sp_no_way(answer->result) || answer->result == -ENOMEM ? UNASKED : SILENT;
}

static const char *reason_of(enum outcome outcome)
{
	switch (outcome) {
	case UNASKED:
		return "no_route";
	case ANSWERED:
		return "answers";
	case TROUBLED:
		return "server_error";
	case UNTRUSTED:
		return "untrusted";
	case SILENT:
		break;
	}
	return "no_answer";
}

/// The one that says most of all: an answer before trouble before a foreign hand before silence.
static const struct target *best(const struct service *service)
{
	static const int rank[] = {
	    [UNASKED] = 0, [SILENT] = 1, [UNTRUSTED] = 2, [TROUBLED] = 3, [ANSWERED] = 4};
	const struct target *best = &service->targets[0];
	for (unsigned i = 1; i < service->count; i++)
		if (rank[service->targets[i].outcome] > rank[best->outcome])
			best = &service->targets[i];
	return best;
}

static void report(struct sp_device *dev, enum sp_rung_status status, int64_t rtt_us, const char *reason,
		   const char *host, const char *detail)
{
	struct service *service = sp_device_state(dev);
	if (status != service->status || service->since_us == 0) {
		service->status = status;
		service->since_us = status == SP_RUNG_UNKNOWN ? sp_device_now_us(dev) : service->asked_us;
	}
	service->reason = reason;
	struct sp_rung_report report = {.rung = SP_RUNG_SERVICE,
					.family = SP_FAMILY_ANY,
					.status = status,
					.since_us = service->since_us,
					.rtt_us = rtt_us,
					.detail = detail,
					.reason = reason,
					.host = host};
	sp_rung_report(dev, &report);
}

/// Nobody can be judged: what was known is old.
static void leave(struct sp_device *dev, const char *reason, const char *text)
{
	report(dev, SP_RUNG_UNKNOWN, -1, reason, NULL, text);
	sp_round_unmeasured(dev, reason, "%s", text);
}

static void sample(struct sp_device *dev, const struct target *target, bool fair)
{
	if (target->outcome == ANSWERED)
		sp_sample(dev, METRIC_TIME, target->host, (double)target->elapsed_us / 1e6);
	if (target->outcome == ANSWERED || (fair && target->outcome != UNASKED))
		sp_sample(dev, METRIC_ANSWERED, target->host, target->outcome == ANSWERED);
}

static void conclude(struct sp_device *dev)
{
	struct service *service = sp_device_state(dev);
	const struct target *speaker = best(service);
	unsigned answered = 0;
	char detail[192];
	for (unsigned i = 0; i < service->count; i++)
		answered += service->targets[i].outcome == ANSWERED;
	// The line may have broken, or come back, while we waited; and who answers shows that it lives.
	bool fair = answered || (service->usable && sp_line_usable(dev));
	for (unsigned i = 0; i < service->count; i++)
		sample(dev, &service->targets[i], fair);
	snprintf(detail, sizeof(detail), "%u of %u platforms answer", answered, service->count);
	if (answered) {
		report(dev, SP_RUNG_OK, speaker->elapsed_us, "answers", speaker->host, detail);
		sp_round_ok(dev);
	} else if (speaker->outcome == UNASKED) {
		leave(dev, "no_route", "there is no way to ask");
	} else if (!fair) {
		leave(dev, "line", "the line is not usable: no platform can be judged");
	} else {
		const char *reason = reason_of(speaker->outcome);
		report(dev, SP_RUNG_SILENT, -1, reason, speaker->host, detail);
		sp_round_failed(dev, reason, "%s: %s", speaker->host, detail);
	}
}

// ---- the round --------------------------------------------------------------------------------

static void on_answer(struct sp_device *dev, const struct sp_http_answer *answer, void *arg)
{
	struct target *target = arg;
	struct service *service = sp_device_state(dev);
	target->http = NULL;
	target->outcome = judge(answer);
	target->elapsed_us = answer->elapsed_us;
	sp_line_spent(dev, SP_SPENT_PROBES, answer->bytes);
	if (--service->open == 0)
		conclude(dev);
}

static void ask(struct target *target)
{
	const struct service_conf *conf = sp_device_conf(target->dev);
	struct sp_http_request request = {
	    .url = target->url,
	    .interface = sp_outward_interface(conf->interface),
	    .ca_file = conf->ca_file,
	    .timeout_ms = conf->timeout_ms,
	    .max_bytes = BODY_MAX,
	};
	target->outcome = UNASKED;
	target->http = sp_http_get(target->dev, &request, on_answer, target);
}

/// Too early to ask again: the round ends as the last one did, and nothing is reported.
static void repeat(struct sp_device *dev, const struct service *service)
{
	static const char text[] = "as it was less than a minute ago";
	switch (service->status) {
	case SP_RUNG_OK:
		sp_round_ok(dev);
		break;
	case SP_RUNG_SILENT:
	case SP_RUNG_WRONG:
		sp_round_failed(dev, service->reason, "%s", text);
		break;
	case SP_RUNG_UNKNOWN:
		sp_round_unmeasured(dev, service->reason ? service->reason : "late", "%s", text);
		break;
	}
}

static void poll(struct sp_device *dev)
{
	struct service *service = sp_device_state(dev);
	int64_t now = sp_device_now_us(dev);
	// After a round that the core ended by its deadline.
	for (unsigned i = 0; i < service->count; i++) {
		sp_http_cancel(service->targets[i].http);
		service->targets[i].http = NULL;
	}
	service->open = 0;
	if (sp_line_frugal(dev)) {
		leave(dev, "frugal", "a frugal line is not asked to carry this");
	} else if (!sp_clock_now().synced) {
		// A good certificate looks expired to who does not know the time, and an expired one good.
		leave(dev, "clock", "the clock is not synchronised: no certificate can be judged");
	} else if (service->asked_us && now - service->asked_us < GAP_US) {
		repeat(dev, service);
	} else {
		service->asked_us = now;
		service->usable = sp_line_usable(dev);
		service->open = service->count;
		for (unsigned i = 0; i < service->count; i++)
			ask(&service->targets[i]);
	}
}

// ---- start and stop -----------------------------------------------------------------------------

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct service_conf *conf = of;
	char host[SP_PORTAL_HOST];
	*key = "urls";
	for (size_t i = 0; i < conf->urls.count; i++) {
		const char *url = conf->urls.items[i];
		bool secure = strncmp(url, "https://", 8) == 0;
		if (!secure || strchr(url, '@') || !sp_portal_host(url, host)) {
			snprintf(why, size, "\"%.100s\" is no https:// address of a platform%s", url,
				 strchr(url, '@') ? "; passwords do not belong here" : "");
			return -EINVAL;
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(conf->urls.items[k], url) != 0)
				continue;
			snprintf(why, size, "\"%.100s\" is there twice", url);
			return -EINVAL;
		}
	}
	*key = "interface";
	if (sp_outward_check_interface(conf->interface, why, size) < 0)
		return -EINVAL;
	*key = "ca_file";
	return sp_outward_check_ca_file(conf->ca_file, why, size);
}

static int start(struct sp_device *dev)
{
	const struct service_conf *conf = sp_device_conf(dev);
	struct service *service = sp_device_state(dev);
	int result = sp_outward_see_ca_file(conf->ca_file);
	if (result < 0)
		return result;
	for (size_t i = 0; i < conf->urls.count && i < URLS; i++) {
		struct target *target = &service->targets[service->count++];
		target->dev = dev;
		target->url = conf->urls.items[i];
		(void)sp_portal_host(target->url, target->host); // check() has looked
	}
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct service *service = sp_device_state(dev);
	for (unsigned i = 0; i < service->count; i++)
		sp_http_cancel(service->targets[i].http);
}

#define CONF(member) offsetof(struct service_conf, member)

static const struct sp_option options[] = {
    {.key = "urls",
     .type = SP_OPTION_LIST,
     .min = 1,
     .max = URLS,
     .offset = CONF(urls),
     .help = "Platforms by a page of each: https:// addresses; ask their operators first"},
    {.key = "interface",
     .type = SP_OPTION_STRING,
     .def = "auto",
     .min = 1,
     .max = 15,
     .offset = CONF(interface),
     .help = "Network interface to leave by; auto: the kernel's choice"},
    {.key = "ca_file",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 4095,
     .offset = CONF(ca_file),
     .help = "Certificates of the authorities to trust, PEM; empty: the system's"},
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "10s",
     .min = 1000,
     .max = 30 * 1000,
     .offset = CONF(timeout_ms),
     .help = "A platform without answer for so long is silent"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_TIME] = {"https_seconds", "seconds", SP_METRIC_GAUGE,
		     "Time to a platform's answer, name and certificate included"},
    [METRIC_ANSWERED] = {"answered_ratio", "ratio", SP_METRIC_GAUGE,
			 "How often a platform answered while the line was usable"},
    {0},
};

const struct sp_driver sp_driver_service = {
    .name = "service",
    .summary = "Whether the platforms that a school teaches with answer over HTTPS",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct service_conf),
    .state_size = sizeof(struct service),
    .interval_ms = 30 * 60 * 1000,
    .deadline_ms = 40 * 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
