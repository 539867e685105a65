// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub import`: the register from CSV files.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/db/db.h"
#include "tools/hub/store/store.h"
#include "tools/hub/time/local_time.h"

/// Every file with all that is wrong in it, in the order in which they were given.
static void print_errors(struct sp_register_set *set)
{
	for (unsigned i = 0; i < set->file_count; i++)
		sp_cli_errors(&set->files[i].errors);
}

static void print_counts(const char *what, const struct sp_rel_counts *counts, const char *ended,
			 const char *behind)
{
	printf("%s: %" PRId64 " added, %" PRId64 " changed, %" PRId64 " %s, %" PRId64 " unchanged%s\n", what,
	       counts->added, counts->changed, counts->ended, ended, counts->unchanged, behind);
}

static void print_result(const struct sp_register_set *set, const struct sp_register_result *done, bool dry)
{
	const char *behind = dry ? " (dry run: nothing was written)" : "";
	bool small = set->file_count == 1 && set->files[0].kind == SP_KIND_REGISTER;
	if (small) {
		char *what = sp_asprintf("%s: %zu lines", set->files[0].name, set->files[0].rows);
		print_counts(what, &done->lines, "removed", behind);
		free(what);
		return;
	}
	for (int i = 0; i < SP_RELATIONS; i++) {
		if (done->told[i])
			print_counts(sp_relations[i].what, &done->counts[i], "ended", behind);
	}
}

static int import(const struct sp_hub_config *config, struct sp_register_set *set,
		  const struct sp_register_options *options)
{
	struct sp_register_result done;
	struct sp_store *store = NULL;
	char why[256], day[SP_LOCAL_TIME_SIZE];
	int result = sp_store_open(&store, config->hub.db, SP_STORE_WRITE, why);
	if (result == 0) {
		result = sp_store_register(store, set, options, sp_clock_now().wall_ms, &done);
		if (result < 0)
			snprintf(why, sizeof(why), "%s", sp_store_error(store));
	}
	sp_store_close(store);
	if (result == -EINVAL)
		print_errors(set);
	else if (result < 0)
		fprintf(stderr, "schoolpulse-hub: %s: %s; nothing was imported\n",
			sp_db_shown(config->hub.db, (char[SP_DB_SHOWN]){0}), why);
	else
		print_result(set, &done, options->dry);
	if (result == 0 && options->from_ms >= 0)
		printf("from %s on: what held before stays, what was said of later days is corrected\n",
		       sp_local_date(options->from_ms, day));
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int with_files(const struct sp_hub_config *config, const struct sp_register_options *options, int kind,
		      const char *first, char **files)
{
	struct sp_register_set *set = sp_alloc(sizeof(*set));
	bool good = !first || sp_register_add_file(set, first, kind) == 0;
	for (; *files; files++)
		good = sp_register_add_file(set, *files, kind) == 0 && good;
	int status = EXIT_FAILURE;
	if (good)
		status = import(config, set, options);
	else
		print_errors(set);
	sp_register_set_free(set);
	free(set);
	return status;
}

int sp_import_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option words[] = {
	    {"csv", required_argument, NULL, 'c'},  {"dry-run", no_argument, NULL, 'n'},
	    {"from", required_argument, NULL, 'f'}, {"kind", required_argument, NULL, 'k'},
	    {"partial", no_argument, NULL, 'p'},    {0}};
	struct sp_register_options options = {.from_ms = -1};
	const char *first = NULL;
	int kind = -1;
	for (int c; (c = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		if (c == 'c')
			first = optarg;
		else if (c == 'n')
			options.dry = true;
		else if (c == 'p')
			options.partial = true;
		else if (c == 'f' && !sp_local_date_parse(optarg, &options.from_ms))
			return sp_cli_usage("import: --from wants a day like 2026-09-05, not ", optarg);
		else if (c == 'k' && (kind = sp_kind_find(optarg)) < 0)
			return sp_cli_usage("import: there is no kind of file called ", optarg);
		else if (c == '?')
			return SP_EXIT_USAGE;
	}
	if (options.from_ms > sp_clock_now().wall_ms)
		return sp_cli_usage("import: --from must not lie in the future: import it on that day", "");
	if (!first && optind >= argc)
		return sp_cli_usage("import: which CSV file?", "");
	return with_files(config, &options, kind, first, argv + optind);
}
