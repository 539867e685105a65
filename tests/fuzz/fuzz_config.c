// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A configuration file of any bytes: parsed, every section put through a table of every option
// type, and what came out checked against what the table promises; each value read as a time of tests, too.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/base/utf8.h"
#include "agent/core/speed/times.h"

struct conf {
	char *host, *note;
	int64_t port, interval, size;
	bool on;
	int mode;
	struct sp_strings anchors, tags;
};

static const struct sp_option options[] = {
    {"host", SP_OPTION_STRING, NULL, 1, 64, offsetof(struct conf, host), NULL, "Host"},
    {"note", SP_OPTION_STRING, "", 0, 0, offsetof(struct conf, note), NULL, "Note"},
    {"port", SP_OPTION_INT, "1883", -9, 65535, offsetof(struct conf, port), NULL, "Port"},
    {"interval", SP_OPTION_DURATION, "30s", 1000, INT64_MAX, offsetof(struct conf, interval), NULL,
     "Interval"},
    {"size", SP_OPTION_SIZE, "16M", 1, INT64_MAX, offsetof(struct conf, size), NULL, "Size"},
    {"on", SP_OPTION_BOOL, "yes", 0, 0, offsetof(struct conf, on), NULL, "On"},
    {"mode", SP_OPTION_ENUM, "hub", 0, 0, offsetof(struct conf, mode), "hub broker none", "Mode"},
    {"anchors", SP_OPTION_LIST, "192.0.2.1", 1, 4, offsetof(struct conf, anchors), NULL, "Anchors"},
    {"tags", SP_OPTION_LIST, "", 0, 0, offsetof(struct conf, tags), NULL, "Tags"},
    {.key = NULL},
};
static const struct sp_option elsewhere[] = {
    {"line", SP_OPTION_STRING, "", 0, 0, 0, NULL, "Line"},
    {.key = NULL},
};
static const char *const known[] = {"mqtt", "gateway", "reach"};

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void check_text(const char *text, size_t max)
{
	CHECK(strlen(text) <= max && sp_utf8_valid(text, strlen(text)));
}

static void check_times(const char *value)
{
	struct sp_speed_window window;
	struct sp_speed_quiet quiet;
	unsigned days = 0;
	if (sp_speed_window_parse(value, &window) == 0)
		CHECK(window.from_s >= 0 && window.from_s < window.to_s && window.to_s <= SP_SPEED_DAY_S);
	CHECK(sp_speed_days_parse(value, &days) == 0 ? days > 0 && days < 0x80 : days == 0);
	if (sp_speed_quiet_parse(value, &quiet) == 0) {
		struct sp_speed_times times = {.quiets = {quiet}, .quiet_count = 1};
		CHECK(quiet.from_ms < quiet.to_ms);
		CHECK(sp_speed_day_start_ms(sp_speed_day(quiet.from_ms)) <= quiet.from_ms);
		CHECK(sp_speed_is_quiet(&times, quiet.from_ms) && !sp_speed_is_quiet(&times, quiet.to_ms));
	}
}

static void check_section(const struct sp_config *config, const struct sp_config_section *section)
{
	check_text(section->name, SP_CONFIG_NAME_MAX);
	check_text(section->instance, SP_CONFIG_NAME_MAX);
	CHECK(*section->name);
	CHECK(sp_config_find(config, section->name, section->instance) == section);
	CHECK(section->count <= SP_CONFIG_KEYS_MAX);
	for (size_t i = 0; i < section->count; i++) {
		CHECK(*section->entries[i].key && section->entries[i].line > section->line);
		check_text(section->entries[i].key, SP_CONFIG_NAME_MAX);
		check_text(section->entries[i].value, SP_CONFIG_LINE_MAX);
		check_times(section->entries[i].value);
	}
}

static void check_conf(const struct conf *conf)
{
	CHECK(strlen(conf->host) >= 1 && strlen(conf->host) <= 64);
	CHECK(conf->note && conf->port >= -9 && conf->port <= 65535);
	CHECK(conf->interval >= 1000 && conf->size >= 1);
	CHECK(conf->mode >= 0 && conf->mode <= 2);
	CHECK(conf->anchors.count >= 1 && conf->anchors.count <= 4);
	for (size_t i = 0; i < conf->anchors.count; i++)
		CHECK(*conf->anchors.items[i] && !strchr(conf->anchors.items[i], ','));
	char text[32];
	int64_t again;
	CHECK(sp_duration_parse(sp_duration_format(conf->interval, text), &again) == 0 &&
	      again == conf->interval);
	CHECK(sp_size_parse(sp_size_format(conf->size, text), &again) == 0 && again == conf->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_config config;
	struct sp_config_errors errors = {0};
	int result = sp_config_parse(&config, "fuzz.conf", (const char *)data, size, &errors);
	CHECK(result == (errors.count ? -EINVAL : 0));
	CHECK(config.count <= SP_CONFIG_SECTIONS_MAX);
	for (size_t i = 0; i < config.count; i++) {
		const struct sp_config_section *section = &config.sections[i];
		struct conf conf = {0};
		size_t before = errors.count + errors.more;
		check_section(&config, section);
		result = sp_options_apply(options, elsewhere, &config, section, &conf, &errors);
		CHECK((result == 0) == (errors.count + errors.more == before));
		if (result == 0)
			check_conf(&conf);
		sp_options_free(options, &conf);
		sp_config_unknown_section(&config, section, known, SP_COUNT(known), &errors);
	}
	CHECK(errors.count <= 50);
	for (size_t i = 0; i < errors.count; i++) {
		check_text(errors.lines[i], 2000);
		CHECK(!strpbrk(errors.lines[i], "\n\r\x1b"));
	}
	sp_config_free(&config);
	sp_config_errors_free(&errors);
	return 0;
}
