// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The anchor's option table, and what follows from it.
#include "tools/anchor/anchor_config.h"

#include <arpa/inet.h>
#include <string.h>

#define SECOND     1000
#define AT(member) offsetof(struct sp_anchor_config, member)
#define TERABYTE   (INT64_C(1) << 40)

const struct sp_option sp_anchor_options[] = {
    {"listen", SP_OPTION_STRING, "::", 1, 45, AT(listen), NULL,
     "Address to serve on; ::, if there is IPv6, is every address of both families"},
    {"port", SP_OPTION_INT, "8080", 0, 65535, AT(port), NULL, "Port of plain HTTP; 0: none"},
    {"tls_port", SP_OPTION_INT, "0", 0, 65535, AT(tls_port), NULL, "Port of HTTPS; 0: none"},
    {"cert_file", SP_OPTION_STRING, "", 0, 4000, AT(cert_file), NULL,
     "Certificate for HTTPS, with those between it and the authority (PEM)"},
    {"key_file", SP_OPTION_STRING, "", 0, 4000, AT(key_file), NULL, "The certificate's key (PEM)"},
    {"stamp_port", SP_OPTION_INT, "862", 0, 65535, AT(stamp_port), NULL,
     "UDP port of the STAMP reflector; 0: none"},
    {"status_listen", SP_OPTION_STRING, "127.0.0.1", 1, 45, AT(status_listen), NULL,
     "Address of the status page; it is open to whoever reaches it"},
    {"status_port", SP_OPTION_INT, "8862", 0, 65535, AT(status_port), NULL,
     "Port of the status page; 0: none"},
    {"uplink_mbps", SP_OPTION_INT, "1000", 1, 400000, AT(uplink_mbps), NULL,
     "What this host's own line carries each way, in Mbit/s"},
    {"per_test_mbps", SP_OPTION_INT, "200", 1, 100000, AT(per_test_mbps), NULL,
     "What one test may need: the fastest line that schools have, in Mbit/s"},
    {"tests", SP_OPTION_INT, "0", 0, 1000, AT(tests), NULL, "Tests at once; 0: uplink_mbps / per_test_mbps"},
    {"tests_per_address", SP_OPTION_INT, "0", 0, 1000, AT(tests_per_address), NULL,
     "Tests at once of one address, behind which several schools may stand; 0: half of all"},
    {"streams", SP_OPTION_INT, "16", 1, 64, AT(streams), NULL, "Parallel streams of one test"},
    {"test_time", SP_OPTION_DURATION, "60s", 5 * SECOND, 600 * SECOND, AT(test_time_ms), NULL,
     "A test's streams are cut after this time"},
    {"hour_bytes", SP_OPTION_SIZE, "0", 0, TERABYTE, AT(hour_bytes), NULL,
     "What one address may move in an hour; 0: no limit"},
    {"day_bytes", SP_OPTION_SIZE, "0", 0, TERABYTE, AT(day_bytes), NULL,
     "What one address may move in a day; 0: no limit"},
    {"stamp_rate", SP_OPTION_INT, "20000", 1, 1000000, AT(stamp_rate), NULL,
     "STAMP packets answered in a second, of all senders"},
    {"stamp_source_rate", SP_OPTION_INT, "200", 1, 1000000, AT(stamp_source_rate), NULL,
     "STAMP packets answered in a second, of one address"},
    {"stamp_sessions", SP_OPTION_INT, "65536", 64, 1000000, AT(stamp_sessions), NULL,
     "STAMP sessions remembered; the one that was silent longest is forgotten first"},
    {"behind_proxy", SP_OPTION_BOOL, "no", 0, 0, AT(behind_proxy), NULL,
     "Believe the last address in X-Forwarded-For when a proxy on this machine sends it"},
    {"log_level", SP_OPTION_ENUM, "info", 0, 0, AT(log_level), "error warning notice info debug",
     "How much is written to the log"},
    {.key = NULL},
};

static bool is_address(const char *text)
{
	unsigned char scrap[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, text, scrap) == 1 || inet_pton(AF_INET6, text, scrap) == 1;
}

static void check(const struct sp_anchor_config *out, const char *file, unsigned line,
		  struct sp_config_errors *errors)
{
	if (!is_address(out->listen))
		sp_config_error(errors, file, line, "listen = %s: must be an address such as :: or 0.0.0.0",
				out->listen);
	if (!is_address(out->status_listen))
		sp_config_error(errors, file, line,
				"status_listen = %s: must be an address such as 127.0.0.1",
				out->status_listen);
	if (!out->cert_file[0] != !out->key_file[0])
		sp_config_error(errors, file, line, "cert_file and key_file go together");
	if (out->tls_port && !out->cert_file[0])
		sp_config_error(errors, file, line, "tls_port needs cert_file and key_file");
	if (!out->port && !out->tls_port && !out->stamp_port)
		sp_config_error(errors, file, line,
				"port, tls_port and stamp_port are all 0: nothing to serve");
}

static void derive(struct sp_anchor_config *out)
{
	if (!out->tests)
		out->tests = out->uplink_mbps / out->per_test_mbps;
	if (out->tests < 1)
		out->tests = 1;
	if (out->tests > 1000)
		out->tests = 1000;
	if (!out->tests_per_address)
		out->tests_per_address = (out->tests + 1) / 2;
}

int sp_anchor_config_read(struct sp_anchor_config *out, const char *file, const char *text,
			  struct sp_config_errors *errors)
{
	static const char *const known[] = {"anchor"};
	struct sp_config config;
	*out = (struct sp_anchor_config){0};
	int result = text ? sp_config_parse(&config, file, text, strlen(text), errors)
			  : sp_config_read(&config, file, errors);
	for (size_t i = 0; result == 0 && i < config.count; i++) {
		const struct sp_config_section *section = &config.sections[i];
		if (strcmp(section->name, known[0]) != 0)
			sp_config_unknown_section(&config, section, known, 1, errors);
		else if (section->instance[0])
			sp_config_error(errors, file, section->line, "[%s] takes no name", section->name);
	}
	if (result == 0) {
		const struct sp_config_section *section = sp_config_find(&config, known[0], "");
		result = sp_options_apply(sp_anchor_options, NULL, &config, section, out, errors);
		if (result == 0)
			check(out, file, section ? section->line : 0, errors);
	}
	sp_config_free(&config);
	if (errors->count)
		return -EINVAL;
	derive(out);
	return 0;
}

void sp_anchor_config_free(struct sp_anchor_config *config)
{
	sp_options_free(sp_anchor_options, config);
}
