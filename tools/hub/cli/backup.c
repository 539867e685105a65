// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub backup` and `restore`.
#include "tools/hub/ops/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/time/local_time.h"

static void print_holds(const struct sp_copy *copy)
{
	if (copy->boards >= 0)
		printf("%" PRId64 " boards, %" PRId64 " events, %" PRId64 " requests to forget\n",
		       copy->boards, copy->events, copy->requests);
}

int sp_backup_command(const struct sp_hub_config *config, int argc, char **argv)
{
	struct sp_copy copy;
	char why[256];
	if (argc != 2)
		return sp_cli_usage("backup: to which file or folder?", "");
	if (sp_backup(config->hub.db, argv[1], sp_clock_now().wall_ms, &copy, why) < 0) {
		fprintf(stderr, "schoolpulse-hub: %s; there is no copy\n", why);
		return EXIT_FAILURE;
	}
	printf("%s: %" PRId64 " bytes\n", copy.file, copy.bytes);
	print_holds(&copy);
	return EXIT_SUCCESS;
}

/// Nobody who was forgotten since comes back unsaid.
static void warn_of_persons(const struct sp_copy *copy)
{
	char made[SP_LOCAL_TIME_SIZE], last[SP_LOCAL_TIME_SIZE];
	fprintf(
	    stderr,
	    "schoolpulse-hub: this copy was made %s%s. Who asked since then to be forgotten is in it again"
	    " until the board repeats the request: boards do that by themselves with the next ingest, for"
	    " as long as they hold it ([attendance] keep, 7 days). Requests that are older, or of boards that"
	    " are gone, have to be made again at the school.\n",
	    copy->at_ms > 0 ? "at " : "", copy->at_ms > 0 ? sp_local_time(copy->at_ms, made) : "earlier");
	if (copy->last_ms > 0)
		fprintf(stderr,
			"schoolpulse-hub: the last request that it knows came at %s; compare with the "
			"schools' lists"
			" (schoolpulse-hub subjects)\n",
			sp_local_time(copy->last_ms, last));
}

int sp_restore_command(const struct sp_hub_config *config, int argc, char **argv)
{
	struct sp_copy copy;
	char why[256];
	if (argc != 2)
		return sp_cli_usage("restore: from which file?", "");
	if (sp_restore(config->hub.db, argv[1], &copy, why) < 0) {
		fprintf(stderr, "schoolpulse-hub: %s; nothing was restored\n", why);
		return EXIT_FAILURE;
	}
	printf("restored from %s\n", copy.file);
	print_holds(&copy);
	warn_of_persons(&copy);
	return EXIT_SUCCESS;
}
