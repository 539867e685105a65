// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The `gateway_counters` driver: what the router's outer interface carried, by SNMP. It sees all of the
// school's traffic, and so tells best whether the line is free for a speed test.
#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters_read.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"
#include "../drivers.h"

enum {
	PASSWORD_LEAST = 8, ///< RFC 3414 §11.2
	/// `auto` looks again where the default route leads, e.g. after the router switched to its second
	/// line.
	LOOK_AGAIN = 30,
};

enum { VERSION_2C, VERSION_3 };

struct gateway_counters_conf {
	char *host;
	int64_t port;
	int version;
	char *community;
	char *user, *auth_password, *priv_password;
	int auth;
	char *interface;
};

enum { METRIC_RX_BYTES, METRIC_TX_BYTES };

/// What a worker's thread has while it works; ours only in between. It outlives the device's stop.
struct job {
	struct sp_snmp *snmp;
	char *interface;
	uint32_t index; ///< found by the last reading; 0: to be looked for
	int result;
	struct sp_counters_reading reading;
	char why[160];
};

struct gateway_counters {
	struct job *job;
	bool busy;
	int64_t began_us;
	unsigned rounds;
	uint32_t told_index;
	struct sp_counters counters;
};

static void job_free(struct job *job)
{
	if (!job)
		return;
	sp_snmp_free(job->snmp);
	free(job->interface);
	free(job);
}

// ---- a round ----------------------------------------------------------------------------------

/// On a worker's thread.
static void work(void *arg)
{
	struct job *job = arg;
	struct sp_counters_wish wish = {.interface = job->interface, .known = job->index};
	job->result = sp_counters_read(job->snmp, &wish, &job->reading, job->why, sizeof(job->why));
	job->index = job->result == 0 ? job->reading.index : 0;
}

static void fail(struct sp_device *dev, const struct job *job)
{
	const struct gateway_counters_conf *conf = sp_device_conf(dev);
	switch (job->result) {
	case -ETIMEDOUT:
		sp_round_failed(dev, "timeout", "the router does not answer SNMP");
		break;
	case -ECONNREFUSED:
		sp_round_failed(dev, "refused", "the router has no SNMP service");
		break;
	case -EACCES:
		sp_round_failed(dev, "refused", "the router does not accept user or password");
		break;
	case -EBADMSG:
		sp_round_failed(dev, "protocol", "the router's answer is none");
		break;
	case -ENODEV:
		sp_round_failed(dev, "no_interface", "%s: %s",
				strcmp(conf->interface, "auto") == 0
				    ? "which interface is the outer one cannot "
				      "be told; name it"
				    : "no such interface with counters",
				job->why[0] ? job->why : "the router names none");
		break;
	default:
		sp_round_failed(dev, "no_route", "the router cannot be asked: %s", strerror(-job->result));
		break;
	}
}

static void tell(struct sp_device *dev, struct gateway_counters *g, const struct sp_counters_reading *now)
{
	struct sp_counters_moved moved;
	sp_sample(dev, METRIC_RX_BYTES, NULL, (double)now->in);
	sp_sample(dev, METRIC_TX_BYTES, NULL, (double)now->out);
	if (g->told_index != now->index) {
		sp_notice("gateway_counters", "\"%s\": the outer interface is number %u, %d bits",
			  sp_device_name(dev), now->index, now->wide ? 64 : 32);
		g->told_index = now->index;
	}
	if (sp_counters_step(&g->counters, now, &moved) != SP_COUNTERS_MOVED)
		return;
	struct sp_traffic traffic = {
	    .source = SP_TRAFFIC_GATEWAY,
	    .from_us = moved.from_us,
	    .to_us = moved.to_us,
	    .down_bytes = (int64_t)moved.in,
	    .up_bytes = (int64_t)moved.out,
	};
	sp_line_traffic(dev, &traffic);
}

static void on_done(struct sp_device *dev, void *arg)
{
	struct job *job = arg;
	if (!dev) {
		job_free(job);
		return;
	}
	struct gateway_counters *g = sp_device_state(dev);
	g->busy = false;
	if (job->result < 0) {
		sp_sample_unavailable(dev, METRIC_RX_BYTES, NULL);
		sp_sample_unavailable(dev, METRIC_TX_BYTES, NULL);
		fail(dev, job);
		return;
	}
	job->reading.at_us += g->began_us;
	tell(dev, g, &job->reading);
	sp_round_ok(dev);
}

static void poll(struct sp_device *dev)
{
	const struct gateway_counters_conf *conf = sp_device_conf(dev);
	struct gateway_counters *g = sp_device_state(dev);
	if (g->busy) {
		// Only when threads are rare: the question before this one has not even begun.
		sp_round_unmeasured(dev, "timeout", "the last question is still under way");
		return;
	}
	if (strcmp(conf->interface, "auto") == 0 && g->rounds++ % LOOK_AGAIN == 0)
		g->job->index = 0;
	g->busy = true;
	g->began_us = sp_device_now_us(dev);
	sp_work(dev, work, on_done, g->job);
}

// ---- the device -------------------------------------------------------------------------------

static int check(const void *of, const char **key, char *why, size_t size)
{
	const struct gateway_counters_conf *conf = of;
	struct in6_addr literal;
	*key = "host";
	if (inet_pton(AF_INET, conf->host, &literal) != 1 && inet_pton(AF_INET6, conf->host, &literal) != 1) {
		snprintf(why, size, "the router's address, as a literal without a port");
		return -EINVAL;
	}
	if (conf->version != VERSION_3)
		return 0;
	*key = "user";
	if (!conf->user[0]) {
		snprintf(why, size, "version 3 needs a user");
		return -EINVAL;
	}
	*key = strlen(conf->auth_password) < PASSWORD_LEAST ? "auth_password" : "priv_password";
	if (strlen(conf->auth_password) < PASSWORD_LEAST || strlen(conf->priv_password) < PASSWORD_LEAST) {
		snprintf(why, size, "version 3 needs both passwords, of %d characters at least",
			 PASSWORD_LEAST);
		return -EINVAL;
	}
	return 0;
}

static int start(struct sp_device *dev)
{
	const struct gateway_counters_conf *conf = sp_device_conf(dev);
	struct gateway_counters *g = sp_device_state(dev);
	struct sp_endpoint peer;
	int result = sp_endpoint_parse(&peer, conf->host, (uint16_t)conf->port);
	if (result < 0)
		return result;
	struct sp_snmp_login login = {
	    .port = (uint16_t)conf->port,
	    .v3 = conf->version == VERSION_3,
	    .community = conf->community,
	    .user = conf->user,
	    .auth_password = conf->auth_password,
	    .priv_password = conf->priv_password,
	    .auth = conf->auth == 1 ? SP_SNMP_SHA256 : SP_SNMP_SHA,
	};
	sp_endpoint_host(&peer, login.host, sizeof(login.host));
	g->job = calloc(1, sizeof(*g->job));
	char *interface = strdup(conf->interface);
	if (!g->job || !interface) {
		free(interface);
		return -ENOMEM;
	}
	g->job->interface = interface;
	g->job->snmp = sp_snmp_new(&login);
	return 0;
}

static void stop(struct sp_device *dev)
{
	struct gateway_counters *g = sp_device_state(dev);
	// What is under way is freed when it comes back, without a device.
	if (!g->busy)
		job_free(g->job);
	g->job = NULL;
}

#define AT(member) .offset = offsetof(struct gateway_counters_conf, member)

static const struct sp_option options[] = {
    {.key = "host", .type = SP_OPTION_STRING, .min = 2, .max = 45, AT(host), .help = "Address of the router"},
    {.key = "port",
     .type = SP_OPTION_INT,
     .def = "161",
     .min = 1,
     .max = 65535,
     AT(port),
     .help = "UDP port of its SNMP service"},
    {.key = "version",
     .type = SP_OPTION_ENUM,
     .def = "2c",
     .choices = "2c 3",
     AT(version),
     .help = "SNMP version; 3 with authentication and encryption"},
    {.key = "community",
     .type = SP_OPTION_STRING,
     .def = "public",
     .min = 1,
     .max = 64,
     AT(community),
     .help = "Community, of version 2c"},
    {.key = "user", .type = SP_OPTION_STRING, .def = "", .max = 32, AT(user), .help = "User, of version 3"},
    {.key = "auth",
     .type = SP_OPTION_ENUM,
     .def = "sha",
     .choices = "sha sha256",
     AT(auth),
     .help = "Authentication, of version 3; its encryption is AES-128"},
    {.key = "auth_password",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 64,
     AT(auth_password),
     .help = "Password for authentication, of version 3"},
    {.key = "priv_password",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 64,
     AT(priv_password),
     .help = "Password for encryption, of version 3"},
    {.key = "interface",
     .type = SP_OPTION_STRING,
     .def = "auto",
     .min = 1,
     .max = SP_SNMP_TEXT - 1,
     AT(interface),
     .help = "The router's outer interface by name or number; auto: that of its default route, else the one "
	     "that is named like it"},
    {0},
};

static const struct sp_metric metrics[] = {
    [METRIC_RX_BYTES] = {"rx_bytes", "bytes", SP_METRIC_COUNTER, "Received by the router's outer interface"},
    [METRIC_TX_BYTES] = {"tx_bytes", "bytes", SP_METRIC_COUNTER, "Sent by the router's outer interface"},
    {0},
};

const struct sp_driver sp_driver_gateway_counters = {
    .name = "gateway_counters",
    .summary = "What the router's outer interface carries, by SNMP",
    .cls = SP_DRIVER_LINK,
    .maturity = SP_MATURITY_BETA,
    .options = options,
    .metrics = metrics,
    .conf_size = sizeof(struct gateway_counters_conf),
    .state_size = sizeof(struct gateway_counters),
    .interval_ms = 10 * 1000,
    .deadline_ms = 9 * 1000,
    .check = check,
    .start = start,
    .poll = poll,
    .stop = stop,
};
