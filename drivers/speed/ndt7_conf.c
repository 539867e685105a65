// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Options of the `ndt7` driver.
#include "ndt7_conf.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "../outward.h"
#include "ndt7_plan.h"
#include "ndt7_url.h"

#define LOCATE_URL "https://locate.measurementlab.net/v2/nearest/ndt/ndt7"

bool sp_ndt7_consents(const char *text)
{
	unsigned letters = 0, digits = 0;
	for (; *text; text++) {
		letters += isalpha((unsigned char)*text) || (*text & 0x80);
		digits += isdigit((unsigned char)*text) != 0;
	}
	return letters >= 4 && digits >= 4;
}

static bool publishes(const struct sp_ndt7_conf *conf, const struct sp_ndt7_url *server)
{
	return *conf->server ? sp_ndt7_is_mlab(server->host) : sp_ndt7_url_is_mlab(conf->locate_url);
}

int sp_ndt7_check(const void *options, const char **key, char *why, size_t size)
{
	const struct sp_ndt7_conf *conf = options;
	struct sp_ndt7_url url = {0};
	if (*conf->server && sp_ndt7_url_fixed(&url, conf->server, true, SP_SPEED_DOWN) < 0) {
		*key = "server";
		snprintf(why, size, "\"%s\" is no host or host:port", conf->server);
		return -EINVAL;
	}
	if (*conf->country && !(isupper((unsigned char)conf->country[0]) &&
				isupper((unsigned char)conf->country[1]) && !conf->country[2])) {
		*key = "country";
		snprintf(why, size, "a country is two capital letters, as in VN");
		return -EINVAL;
	}
	*key = "interface";
	if (sp_outward_check_interface(conf->interface, why, size) < 0)
		return -EINVAL;
	*key = "ca_file";
	if (sp_outward_check_ca_file(conf->ca_file, why, size) < 0)
		return -EINVAL;
	if (publishes(conf, &url) && !sp_ndt7_consents(conf->publish_consent)) {
		*key = "publish_consent";
		snprintf(
		    why, size,
		    "Measurement Lab publishes each result together with this line's public address: write "
		    "here who agreed to that, and the date, or set server to one of your own");
		return -EINVAL;
	}
	return 0;
}

int64_t sp_ndt7_conf_worst_bytes(const void *options, double mbps)
{
	const struct sp_ndt7_conf *conf = options;
	return sp_ndt7_worst_bytes(mbps, conf->byte_limit);
}

#define OPTION(member) .offset = offsetof(struct sp_ndt7_conf, member)

const struct sp_option sp_ndt7_options[] = {
    {.key = "server",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 260,
     OPTION(server),
     .help = "An ndt7 server of your own, host or host:port; empty: the locator is asked"},
    {.key = "scheme",
     .type = SP_OPTION_ENUM,
     .def = "wss",
     .choices = "wss ws",
     OPTION(scheme),
     .help = "With TLS or without: slow boards measure themselves with it"},
    {.key = "locate_url",
     .type = SP_OPTION_STRING,
     .def = LOCATE_URL,
     .min = 8,
     .max = 512,
     OPTION(locate_url),
     .help = "Who names servers (Locate API v2)"},
    {.key = "country",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 2,
     OPTION(country),
     .help = "Only servers in that country, two letters"},
    {.key = "scope",
     .type = SP_OPTION_ENUM,
     .def = "international",
     .choices = "domestic international",
     OPTION(scope),
     .help = "Where the server is"},
    {.key = "publish_consent",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 250,
     OPTION(publish_consent),
     .help = "Who agreed, and when, that Measurement Lab publishes results with the line's address"},
    {.key = "interface",
     .type = SP_OPTION_STRING,
     .def = "auto",
     .min = 1,
     .max = 15,
     OPTION(interface),
     .help = "Network interface to leave by; auto: the kernel's choice"},
    {.key = "ca_file",
     .type = SP_OPTION_STRING,
     .def = "",
     .max = 4095,
     OPTION(ca_file),
     .help = "Certificates of the authorities to trust, PEM; empty: the system's"},
    {.key = "duration",
     .type = SP_OPTION_DURATION,
     .def = "10s",
     .min = 1000,
     .max = 10000,
     OPTION(duration_ms),
     .help = "Of each direction; the protocol's own is 10s"},
    {.key = "timeout",
     .type = SP_OPTION_DURATION,
     .def = "7s",
     .min = 200,
     .max = 15000,
     OPTION(timeout_ms),
     .help = "Nothing moved for so long: stalled"},
    {.key = "connect_timeout",
     .type = SP_OPTION_DURATION,
     .def = "10s",
     .min = 200,
     .max = 10000,
     OPTION(connect_timeout_ms),
     .help = "For a server's name, connection, TLS and upgrade together"},
    {.key = "byte_limit",
     .type = SP_OPTION_SIZE,
     .def = "0",
     .max = INT64_C(1) << 40,
     OPTION(byte_limit),
     .help = "Most bytes of IP of one test, both directions; 0: no limit"},
    {0},
};
