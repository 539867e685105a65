// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One row per option.
#include "tools/fleet/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/fleet/civil.h"

enum kind { TEXT, FLAG, COUNT, SPAN, MOMENT, RANGE, SCRIPT, BROKER, PASSWORD };

static const struct row {
	const char *name, *value;
	enum kind kind;
	size_t offset;
	int64_t least, most;
} rows[] = {
#define AT(member) offsetof(struct sp_fleet_options, member)
#define DAY        (INT64_C(86400000))
    {"register", "FILE|DIR", TEXT, AT(registers), 0, 0},
    {"boards", "N", COUNT, AT(boards), 1, SP_ROSTER_BOARDS_MAX},
    {"shards", "S", COUNT, AT(shards), 1, 1000},
    {"shard", "NAME", TEXT, AT(shard), 0, 0},
    {"write-register", "FILE", TEXT, AT(write_register), 0, 0},
    {"script", "FILE", SCRIPT, AT(scripts), 0, 0},
    {"check", NULL, FLAG, AT(check), 0, 0},
    {"broker", "HOST[:PORT]", BROKER, AT(broker), 0, 0},
    {"user", "NAME", TEXT, AT(fleet.talk.username), 0, 0},
    {"password-file", "FILE", PASSWORD, AT(password), 0, 0},
    {"ca", "FILE", TEXT, AT(fleet.ca_file), 0, 0},
    {"certs", "DIR", TEXT, AT(fleet.certs), 0, 0},
    {"seed", "N", COUNT, AT(fleet.life.seed), 0, INT64_MAX / 2},
    {"from", "TIME", MOMENT, AT(from_ms), 0, 0},
    {"to", "TIME", MOMENT, AT(to_ms), 0, 0},
    {"for", "TIME", SPAN, AT(for_ms), 0, 366 * DAY},
    {"settle", "TIME", SPAN, AT(fleet.settle_ms), 0, DAY},
    {"warm-up", "TIME", SPAN, AT(fleet.warm_ms), 0, DAY},
    {"commit", "TIME", SPAN, AT(fleet.life.commit_ms), 100, DAY},
    {"minute", "TIME", SPAN, AT(fleet.life.minute_ms), 0, DAY},
    {"events", "N", COUNT, AT(fleet.life.events), 0, 900},
    {"connect-rate", "N", COUNT, AT(fleet.connect_rate), 1, 100000},
    {"backlog-rate", "N", COUNT, AT(fleet.talk.backlog_rate), 0, 1000},
    {"resend", "MIN-MAX", RANGE, AT(fleet.talk.resend_min_ms), 1000, DAY},
    {"keepalive", "TIME", SPAN, AT(fleet.talk.keepalive_ms), 5000, 3600000},
    {"sources", "N", COUNT, AT(fleet.way.most), 1, 250},
    {"issued", "FILE", TEXT, AT(issued), 0, 0},
    {"progress", "TIME", SPAN, AT(fleet.progress_ms), 0, DAY},
    {"json", NULL, FLAG, AT(json), 0, 0},
    {"help", NULL, FLAG, AT(help), 0, 0},
};

void sp_fleet_usage(FILE *out)
{
	fputs(
	    "usage: schoolpulse-fleet --register FILE|DIR | --boards N [options]   (tools/fleet/README.md)\n",
	    out);
	for (size_t i = 0; i < SP_COUNT(rows); i++)
		fprintf(out, "  --%s%s%s\n", rows[i].name, rows[i].value ? " " : "",
			rows[i].value ? rows[i].value : "");
}

// ---- values ---------------------------------------------------------------------------------------------

static bool read_count(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && !*end;
}

/// "2026-09-01", "2026-09-01 07:30", "-24h".
static bool read_moment(const char *text, int64_t now_ms, int64_t *out)
{
	char day_text[16];
	int64_t day, clock_ms = 0;
	if (text[0] == '-') {
		bool good = sp_duration_parse(text + 1, out) == 0;
		*out = now_ms - *out;
		return good;
	}
	size_t length = strcspn(text, " T");
	snprintf(day_text, sizeof(day_text), "%.*s", (int)(length < 12 ? length : 12), text);
	if (!sp_civil_date(day_text, &day) || (text[length] && !sp_civil_clock(text + length + 1, &clock_ms)))
		return false;
	*out = sp_civil_day_ms(day) + clock_ms;
	return true;
}

static bool read_range(const char *text, int64_t *out)
{
	char first[32];
	size_t length = strcspn(text, "-");
	snprintf(first, sizeof(first), "%.*s", (int)(length < 30 ? length : 30), text);
	return text[length] == '-' && sp_duration_parse(first, &out[0]) == 0 &&
	       sp_duration_parse(text + length + 1, &out[1]) == 0 && out[0] <= out[1] && out[0] >= 100;
}

static bool read_broker(const char *text, struct sp_fleet_options *out)
{
	const char *colon = strrchr(text, ':');
	int64_t port = 0;
	bool has_port = colon && strchr(text, ':') == colon; // more of them: an IPv6 address
	if (has_port && (!read_count(colon + 1, &port) || port < 1 || port > 65535))
		return false;
	free(out->broker);
	out->broker = sp_strndup(text, has_port ? (size_t)(colon - text) : strlen(text));
	if (has_port)
		out->port = (uint16_t)port;
	return out->broker[0] != '\0';
}

static bool read_password(const char *path, struct sp_fleet_options *out)
{
	char text[256] = "";
	FILE *file = fopen(path, "re");
	bool good = file && fgets(text, sizeof(text), file);
	if (file)
		fclose(file);
	text[strcspn(text, "\r\n")] = '\0';
	free(out->password);
	out->password = sp_strdup(text);
	out->fleet.talk.password = out->password;
	return good;
}

static bool take(struct sp_fleet_options *out, const struct row *row, const char *text, int64_t now_ms)
{
	void *at = (char *)out + row->offset;
	int64_t *number = at;
	switch (row->kind) {
	case TEXT:
		*(const char **)at = text;
		return true;
	case FLAG:
		*(bool *)at = true;
		return true;
	case COUNT:
		if (row->offset == AT(fleet.way.most)) {
			int64_t value = 0;
			bool good = read_count(text, &value) && value >= row->least && value <= row->most;
			*(unsigned *)at = (unsigned)value;
			return good;
		}
		return read_count(text, number) && *number >= row->least && *number <= row->most;
	case SPAN:
		if (strcmp(text, "0") == 0 && row->least == 0) {
			*number = 0;
			return true;
		}
		return sp_duration_parse(text, number) == 0 && *number >= row->least && *number <= row->most;
	case MOMENT:
		return read_moment(text, now_ms, number);
	case RANGE:
		return read_range(text, number);
	case SCRIPT:
		if (out->script_count == SP_SCRIPTS_MAX)
			return false;
		out->scripts[out->script_count++] = text;
		return true;
	case BROKER:
		return read_broker(text, out);
	case PASSWORD:
		return read_password(text, out);
	}
	return false;
}

// ---- all of it ------------------------------------------------------------------------------------------

static void set_defaults(struct sp_fleet_options *out, int64_t now_ms)
{
	*out = (struct sp_fleet_options){.shards = 1,
					 .port = 1883,
					 .broker = sp_strdup("localhost"),
					 .from_ms = now_ms,
					 .to_ms = INT64_MAX,
					 .for_ms = 60000};
	out->fleet = (struct sp_fleet_config){
	    .talk = {.keepalive_ms = 60000,
		     .will_delay_ms = 30000,
		     .session_expiry_ms = DAY,
		     .resend_min_ms = 60000,
		     .resend_max_ms = 300000},
	    .life = {.minute_ms = 60000, .commit_ms = 60000, .events = 1, .seed = 1},
	    .connect_rate = 500,
	    .settle_ms = 120000,
	    .progress_ms = 5000,
	};
}

/// What fits together, and the span of the lives.
static const char *settle(struct sp_fleet_options *out, int64_t now_ms)
{
	bool past = out->to_ms != INT64_MAX;
	if (!out->registers == !out->boards)
		return "which boards? --register FILE|DIR, or --boards N";
	if (out->write_register && !out->boards)
		return "--write-register writes what --boards made";
	if (past && out->to_ms > now_ms)
		return "--to lies in the future: no hub believes such a clock";
	if (out->from_ms > now_ms || (past && out->from_ms >= out->to_ms))
		return "--from must lie before --to and now";
	if (out->fleet.certs && !out->fleet.ca_file)
		return "--certs without --ca";
	out->fleet.life.start_ms = out->from_ms;
	out->fleet.life.end_ms = past ? out->to_ms : out->for_ms ? now_ms + out->for_ms : INT64_MAX;
	out->fleet.talk.past = past;
	return NULL;
}

int sp_options_read(struct sp_fleet_options *out, int argc, char **argv, int64_t now_ms, char why[256])
{
	struct option list[SP_COUNT(rows) + 1] = {0};
	int index = 0;
	for (size_t i = 0; i < SP_COUNT(rows); i++)
		list[i] = (struct option){.name = rows[i].name, .has_arg = rows[i].kind != FLAG};
	set_defaults(out, now_ms);
	opterr = 0;
	for (int result; (result = getopt_long(argc, argv, "", list, &index)) != -1;) {
		if (result != 0 || !take(out, &rows[index], optarg, now_ms)) {
			snprintf(why, 256, "\"%.100s\" is not understood",
				 optind > 0 ? argv[optind - 1] : "");
			return -EINVAL;
		}
	}
	if (out->help)
		return 0;
	const char *wrong = optind < argc ? argv[optind] : settle(out, now_ms);
	if (wrong)
		snprintf(why, 256, "%s%.100s", optind < argc ? "nobody asked for " : "", wrong);
	return wrong ? -EINVAL : 0;
}

void sp_fleet_options_free(struct sp_fleet_options *options)
{
	free(options->broker);
	free(options->password);
}
