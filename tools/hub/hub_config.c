// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The option tables of the hub, and what only the whole file shows.
#include "tools/hub/hub_config.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/base/ids.h"

#define SECOND     1000
#define HOUR       (3600 * SECOND)
#define DAY        (24 * INT64_C(3600) * SECOND)
#define AT(member) offsetof(struct sp_hub_config, member)

static const struct sp_option hub_options[] = {
    {"db", SP_OPTION_STRING, "/var/lib/schoolpulse-hub/hub.db", 1, 4000, AT(hub.db), NULL,
     "A file of SQLite, or postgresql://… with a server's database"},
    {"log_level", SP_OPTION_ENUM, "info", 0, 0, AT(hub.log_level), "error warning notice info debug",
     "How much is written to the log"},
    {"log_format", SP_OPTION_ENUM, "text", 0, 0, AT(hub.log_format), "text json logfmt",
     "Lines for people, or for a collector of logs"},
    {"plans", SP_OPTION_STRING, "", 0, 4000, AT(hub.plans), NULL,
     "Folder of plan files; none: those that came with the program"},
    {"reconnect_window", SP_OPTION_DURATION, "5min", 1 * SECOND, 1 * HOUR, AT(hub.reconnect_window_ms), NULL,
     "Boards spread their returns over this time"},
    {"silence", SP_OPTION_DURATION, "15min", 1 * 60 * SECOND, DAY, AT(hub.silence_ms), NULL,
     "A board not heard for longer is not believed to be watching"},
    {"lease", SP_OPTION_DURATION, "10s", 1 * SECOND, 10 * 60 * SECOND, AT(hub.lease_ms), NULL,
     "On PostgreSQL: a shard whose ingest was not heard for so long is taken over by another one"},
    {"attendance_days", SP_OPTION_INT, "400", 1, 3650, AT(hub.attendance_days), NULL,
     "Events of kiosks are held for so many days; boards keep the keys of their school years as long"},
    {"extract_days", SP_OPTION_INT, "30", 1, 365, AT(hub.extract_days), NULL,
     "What was put together for a person's request is held for so many days"},
    {.key = NULL},
};

static const struct sp_option mqtt_options[] = {
    {"host", SP_OPTION_STRING, "localhost", 1, 253, AT(mqtt.host), NULL, "The broker's name or address"},
    {"port", SP_OPTION_INT, "1883", 1, 65535, AT(mqtt.port), NULL,
     "The broker's port; 8883 is usual with TLS"},
    {"ca_file", SP_OPTION_STRING, "", 0, 4000, AT(mqtt.ca_file), NULL,
     "Certificates that may vouch for the broker; none: no TLS"},
    {"cert_file", SP_OPTION_STRING, "", 0, 4000, AT(mqtt.cert_file), NULL, "The hub's certificate"},
    {"key_file", SP_OPTION_STRING, "", 0, 4000, AT(mqtt.key_file), NULL, "The certificate's key"},
    {"bulk_cert_file", SP_OPTION_STRING, "", 0, 4000, AT(mqtt.bulk_cert_file), NULL,
     "The certificate of the sessions that take samples; without it, beside cert_file, one session takes "
     "all"},
    {"bulk_key_file", SP_OPTION_STRING, "", 0, 4000, AT(mqtt.bulk_key_file), NULL, "That certificate's key"},
    {"username", SP_OPTION_STRING, "", 0, 256, AT(mqtt.username), NULL, "For brokers that ask for one"},
    {"password", SP_OPTION_STRING, "", 0, 256, AT(mqtt.password), NULL, "For brokers that ask for one"},
    {"client_id", SP_OPTION_STRING, "schoolpulse-hub", 1, 128, AT(mqtt.client_id), NULL,
     "Name of the sessions; each shard's have '-' and the shard behind it, and '.bulk' that for samples"},
    {"shards", SP_OPTION_LIST, "default", 1, 64, AT(mqtt.shards), NULL,
     "Shards that this ingest may serve; one ingest at a time serves a shard"},
    {"keepalive", SP_OPTION_DURATION, "60s", 5 * SECOND, 1 * HOUR, AT(mqtt.keepalive_ms), NULL,
     "How soon the broker notices that the hub is gone"},
    {"session_expiry", SP_OPTION_DURATION, "1d", 0, 30 * DAY, AT(mqtt.session_expiry_ms), NULL,
     "How long the broker keeps what arrives while the hub is away"},
    {"facts_receive_maximum", SP_OPTION_INT, "200", 1, 65535, AT(mqtt.facts_receive_maximum), NULL,
     "Unacknowledged messages that the broker may have under way to a shard's session for facts"},
    {"bulk_receive_maximum", SP_OPTION_INT, "100", 1, 65535, AT(mqtt.bulk_receive_maximum), NULL,
     "The same of its session for samples"},
    {.key = NULL},
};

static const struct sp_option http_options[] = {
    {"listen", SP_OPTION_STRING, "127.0.0.1", 1, 45, AT(http.listen), NULL,
     "Address of the page; plain HTTP, so beyond this machine it belongs behind a proxy with TLS"},
    {"port", SP_OPTION_INT, "8080", 1, 65535, AT(http.port), NULL, "Port of the page"},
    {.key = NULL},
};

static const struct sp_option metrics_options[] = {
    {"sites", SP_OPTION_BOOL, "yes", 0, 0, AT(metrics.sites), NULL,
     "Gauges of each line beside those of the hub; a request may ask otherwise: ?sites=no"},
    {"cache", SP_OPTION_DURATION, "10s", 0, HOUR, AT(metrics.cache_ms), NULL,
     "What was read of the database is told for so long"},
    {"listen", SP_OPTION_STRING, "", 0, 45, AT(metrics.listen), NULL,
     "Where an `ingest` without a page tells its own figures; empty: nowhere"},
    {"port", SP_OPTION_INT, "9469", 1, 65535, AT(metrics.port), NULL, "Port of that"},
    {.key = NULL},
};

static const struct sp_option evidence_options[] = {
    {"min_samples", SP_OPTION_INT, "1000", 1, 1000000, AT(evidence.min_samples), NULL,
     "Valid speed tests of each direction from which a plan is rated"},
    {"kept_percent", SP_OPTION_INT, "80", 1, 100, AT(evidence.kept_percent), NULL,
     "Of the speed that was bought, what the mean has to reach"},
    {.key = NULL},
};

static const struct sp_option limits_options[] = {
    {"new_devices", SP_OPTION_INT, "1000", 1, 1000000, AT(limits.new_devices), NULL,
     "Boards that the register does not know: taken on by a shard in an hour"},
    {"streams", SP_OPTION_INT, "6000", 300, 10000000, AT(limits.streams), NULL,
     "New openings of journals taken of one board in a day"},
    {"boots", SP_OPTION_INT, "2000", 50, 10000000, AT(limits.boots), NULL,
     "New boots taken of one board in a day"},
    {"lines", SP_OPTION_INT, "32", 1, 10000, AT(limits.lines), NULL, "Lines that one board may have"},
    {"instances", SP_OPTION_INT, "1000", 10, 100000, AT(limits.instances), NULL,
     "Gear, kiosks and probes that one board may watch"},
    {.key = NULL},
};

static const struct sp_option incident_options[] = {
    {"boards", SP_OPTION_INT, "5", 2, 10000, AT(incident.boards), NULL,
     "Fewer boards that are lost together are no regional incident"},
    {"share_percent", SP_OPTION_INT, "50", 1, 100, AT(incident.share_percent), NULL,
     "Of the boards behind a provider, area or hop that were up, how many have to be lost together"},
    {"losses_per_day", SP_OPTION_INT, "1", 1, 24, AT(incident.losses_per_day), NULL,
     "How often one board is lost by chance: incidents are what chance does not explain"},
    {"rolling", SP_OPTION_DURATION, "30min", 60 * SECOND, 12 * HOUR, AT(incident.rolling_ms), NULL,
     "Losses so far apart can still be one fault"},
    {"again", SP_OPTION_DURATION, "15min", 0, 12 * HOUR, AT(incident.again_ms), NULL,
     "A fault that comes back within this time is the same one"},
    {.key = NULL},
};

static const struct sp_option retention_options[] = {
    {"raw_days", SP_OPTION_INT, "35", 2, 3650, AT(retention.raw_days), NULL,
     "Samples are kept as they came for so many days"},
    {"minute_days", SP_OPTION_INT, "100", 0, 3650, AT(retention.minute_days), NULL,
     "Summed up by the minute they are kept for so many days; 0: for ever"},
    {"hour_days", SP_OPTION_INT, "730", 0, 36500, AT(retention.hour_days), NULL, "By the hour; 0: for ever"},
    {"day_days", SP_OPTION_INT, "0", 0, 36500, AT(retention.day_days), NULL, "By the day; 0: for ever"},
    {.key = NULL},
};

static const char *const sections[] = {"hub",      "mqtt",   "http",     "metrics",
				       "evidence", "limits", "incident", "retention"};
static const struct sp_option *const tables[] = {hub_options,      mqtt_options,     http_options,
						 metrics_options,  evidence_options, limits_options,
						 incident_options, retention_options};

static unsigned line_of(const struct sp_config *config, const char *section, const char *key)
{
	const struct sp_config_section *found = sp_config_find(config, section, "");
	for (size_t i = 0; found && i < found->count; i++) {
		if (strcmp(found->entries[i].key, key) == 0)
			return found->entries[i].line;
	}
	return found ? found->line : 0;
}

static void check_sections(const struct sp_config *config, struct sp_config_errors *errors)
{
	for (size_t i = 0; i < config->count; i++) {
		const struct sp_config_section *section = &config->sections[i];
		size_t known = 0;
		while (known < SP_COUNT(sections) && strcmp(sections[known], section->name) != 0)
			known++;
		if (known == SP_COUNT(sections))
			sp_config_unknown_section(config, section, sections, SP_COUNT(sections), errors);
		else if (section->instance[0])
			sp_config_error(errors, config->file, section->line, "[%s] takes no name",
					section->name);
	}
}

static void check_mqtt(const struct sp_config *config, const struct sp_hub_config *out,
		       struct sp_config_errors *errors)
{
	bool cert = out->mqtt.cert_file[0], key = out->mqtt.key_file[0], bulk = out->mqtt.bulk_cert_file[0];
	const char *given = cert ? "cert_file" : "key_file";
	if (cert != key)
		sp_config_error(errors, config->file, line_of(config, "mqtt", given),
				"cert_file and key_file go together");
	if (bulk != (out->mqtt.bulk_key_file[0] != '\0'))
		sp_config_error(errors, config->file,
				line_of(config, "mqtt", bulk ? "bulk_cert_file" : "bulk_key_file"),
				"bulk_cert_file and bulk_key_file go together");
	if (bulk && !cert)
		sp_config_error(errors, config->file, line_of(config, "mqtt", "bulk_cert_file"),
				"bulk_cert_file without cert_file");
	if ((cert || key) && !out->mqtt.ca_file[0])
		sp_config_error(errors, config->file, line_of(config, "mqtt", given),
				"a certificate without ca_file: TLS needs to know whom to trust");
	for (size_t i = 0; i < out->mqtt.shards.count; i++) {
		const char *shard = out->mqtt.shards.items[i];
		if (!sp_id_valid(shard))
			sp_config_error(errors, config->file, line_of(config, "mqtt", "shards"),
					"shards: '%.64s': only a-z, 0-9 and - are allowed, 32 at most",
					shard);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(shard, out->mqtt.shards.items[j]) == 0)
				sp_config_error(errors, config->file, line_of(config, "mqtt", "shards"),
						"shards: '%.64s' stands there twice", shard);
		}
	}
}

static void check_address(const struct sp_config *config, const char *section, const char *address,
			  struct sp_config_errors *errors)
{
	unsigned char scrap[sizeof(struct in6_addr)];
	if (inet_pton(AF_INET, address, scrap) != 1 && inet_pton(AF_INET6, address, scrap) != 1)
		sp_config_error(errors, config->file, line_of(config, section, "listen"),
				"listen = %s: must be an address such as 127.0.0.1, ::1 or 0.0.0.0", address);
}

int sp_hub_config_read(struct sp_hub_config *out, const char *file, struct sp_config_errors *errors)
{
	struct sp_config config;
	*out = (struct sp_hub_config){0};
	int result = sp_config_read(&config, file, errors);
	if (result == 0) {
		check_sections(&config, errors);
		for (size_t i = 0; i < SP_COUNT(tables); i++) {
			if (sp_options_apply(tables[i], NULL, &config,
					     sp_config_find(&config, sections[i], ""), out, errors) < 0)
				result = -EINVAL;
		}
	}
	if (result == 0) {
		check_mqtt(&config, out, errors);
		check_address(&config, "http", out->http.listen, errors);
		if (out->metrics.listen[0])
			check_address(&config, "metrics", out->metrics.listen, errors);
	}
	sp_config_free(&config);
	return errors->count ? -EINVAL : 0;
}

void sp_hub_config_free(struct sp_hub_config *config)
{
	for (size_t i = 0; i < SP_COUNT(tables); i++)
		sp_options_free(tables[i], config);
}

struct sp_evidence_rules sp_hub_evidence_rules(const struct sp_hub_config *config)
{
	return (struct sp_evidence_rules){config->evidence.min_samples,
					  (double)config->evidence.kept_percent / 100};
}

struct sp_incident_rules sp_hub_incident_rules(const struct sp_hub_config *config)
{
	struct sp_incident_rules rules = sp_incident_rules_default();
	rules.boards = config->incident.boards;
	rules.share = (double)config->incident.share_percent / 100;
	rules.losses_per_day = (double)config->incident.losses_per_day;
	rules.rolling_ms = config->incident.rolling_ms;
	rules.again_ms = config->incident.again_ms;
	return rules;
}
