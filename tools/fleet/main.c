// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-fleet: README.md says what it does.
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "tools/fleet/civil.h"
#include "tools/fleet/options.h"

enum { WELL, FAILED, MISUSED };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int print_errors(struct sp_config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	bool any = errors->count > 0;
	sp_config_errors_free(errors);
	return any ? MISUSED : WELL;
}

static int read_roster(const struct sp_fleet_options *options, struct sp_roster *roster)
{
	struct sp_config_errors errors = {0};
	if (options->boards)
		sp_roster_make(roster, (size_t)options->boards, (size_t)options->shards);
	else
		(void)!sp_roster_read(roster, options->registers, &errors);
	if (options->shard && !options->write_register) {
		sp_roster_keep_shard(roster, options->shard);
		if (roster->count == 0 && errors.count == 0)
			sp_config_error(&errors, options->shard, 0, "no board is of that shard");
	}
	return print_errors(&errors);
}

static int write_roster(const struct sp_fleet_options *options, const struct sp_roster *roster)
{
	FILE *file = fopen(options->write_register, "we");
	int result = file ? sp_roster_write(roster, file) : -errno;
	if (file && fclose(file) != 0 && result == 0)
		result = -errno;
	if (result < 0)
		fprintf(stderr, "schoolpulse-fleet: %s: %s\n", options->write_register, strerror(-result));
	return result < 0 ? FAILED : WELL;
}

static int read_scripts(const struct sp_fleet_options *options, struct sp_script *script)
{
	struct sp_config_errors errors = {0};
	for (size_t i = 0; i < options->script_count; i++)
		(void)!sp_script_read(script, options->scripts[i], &errors);
	return print_errors(&errors);
}

/// What each statement meets, and when it first happens.
static int check(const struct sp_fleet_options *options, const struct sp_roster *roster,
		 const struct sp_script *script)
{
	printf("%zu boards, %zu statements\n", roster->count, script->count);
	for (size_t i = 0; i < script->count; i++) {
		const struct sp_statement *s = script->statements[i];
		const struct sp_life_config *life = &options->fleet.life;
		struct sp_span span;
		char when[32] = "never";
		size_t met = 0;
		for (size_t b = 0; b < roster->count; b++)
			met += sp_statement_meets(s, &roster->boards[b], b, life->seed);
		if (sp_when_next(&s->when, life->start_ms, life->start_ms, INT64_MIN, &span) &&
		    span.begin_ms < life->end_ms)
			sp_civil_format(span.begin_ms, when);
		printf("line %u: %s, %zu boards, first %s\n", s->line, s->word->name, met, when);
	}
	return WELL;
}

static void on_made(void *arg, const char *device, const struct sp_batch *batch)
{
	fprintf(arg, "%s %s %s %" PRId64 " %" PRId64 " %s\n", device, batch->stream,
		sp_record_class_name(batch->cls), batch->first, batch->last, batch->digest);
}

static int report(const struct sp_fleet_options *options, const struct sp_fleet *fleet)
{
	struct sp_figures_more more = sp_fleet_more(fleet);
	bool whole = more.waiting == 0 && fleet->living == 0;
	if (options->json)
		sp_figures_json(&fleet->figures, &more, stdout);
	fprintf(stderr,
		"%" PRId64 " batches with %" PRId64 " records were made, %" PRId64 " are not acknowledged\n",
		more.made, more.made_events, more.waiting);
	return whole ? WELL : FAILED;
}

static int play(struct sp_fleet_options *options, const struct sp_roster *roster,
		const struct sp_script *script)
{
	struct sp_fleet fleet;
	char why[256] = "";
	bool enough;
	int64_t limit = sp_link_raise_limit((int64_t)roster->count, &enough);
	FILE *issued = options->issued ? fopen(options->issued, "we") : NULL;
	if (!enough) {
		fprintf(
		    stderr,
		    "schoolpulse-fleet: %zu boards need as many descriptors, and this system allows %" PRId64
		    "\n",
		    roster->count, limit);
		return FAILED;
	}
	if ((options->issued && !issued) ||
	    sp_link_resolve(&options->fleet.way, options->broker, options->port, why) < 0) {
		fprintf(stderr, "schoolpulse-fleet: %s\n", why[0] ? why : options->issued);
		return FAILED;
	}
	options->fleet.host = options->broker;
	options->fleet.stop = &stop;
	options->fleet.life.script = script;
	options->fleet.life.made = issued ? on_made : NULL;
	options->fleet.life.made_arg = issued;
	int result = sp_fleet_init(&fleet, &options->fleet, roster, why) < 0 ? FAILED : WELL;
	if (result == WELL)
		sp_fleet_run(&fleet);
	else
		fprintf(stderr, "schoolpulse-fleet: %s\n", why);
	if (result == WELL)
		result = report(options, &fleet);
	sp_fleet_free(&fleet);
	if (issued && fclose(issued) != 0)
		result = FAILED;
	return result;
}

static int run(struct sp_fleet_options *options)
{
	struct sp_roster roster = {0};
	struct sp_script script = {0};
	int result = read_roster(options, &roster);
	if (result == WELL)
		result = read_scripts(options, &script);
	if (result == WELL && options->write_register)
		result = write_roster(options, &roster);
	else if (result == WELL && options->check)
		result = check(options, &roster, &script);
	else if (result == WELL)
		result = play(options, &roster, &script);
	sp_script_free(&script);
	sp_roster_free(&roster);
	return result;
}

int main(int argc, char **argv)
{
	struct sp_fleet_options options;
	struct sigaction action = {.sa_handler = on_signal};
	char why[256] = "";
	int result = MISUSED;
	sp_log_setup(SP_LOG_NOTICE, false, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (sp_options_read(&options, argc, argv, sp_fleet_now().wall_ms, why) < 0) {
		fprintf(stderr, "schoolpulse-fleet: %s\n(schoolpulse-fleet --help lists the options)\n", why);
	} else if (options.help) {
		sp_fleet_usage(stdout);
		result = WELL;
	} else {
		result = run(&options);
	}
	sp_fleet_options_free(&options);
	sp_log_flush();
	return result;
}
