// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the commands share: what they say when they do not understand, and how they ask the database.
#include "tools/hub/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "schoolpulse/clock.h"
#include "tools/hub/db/db.h"

int sp_cli_usage(const char *text, const char *word)
{
	fprintf(stderr, "schoolpulse-hub: %s%s\n(schoolpulse-hub --help lists the commands)\n", text, word);
	return SP_EXIT_USAGE;
}

void sp_cli_errors(struct sp_config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	sp_config_errors_free(errors);
}

int sp_cli_store_failed(const struct sp_hub_config *config, const char *why)
{
	char shown[SP_DB_SHOWN];
	fprintf(stderr, "schoolpulse-hub: %s: %s\n", sp_db_shown(config->hub.db, shown), why);
	return EXIT_FAILURE;
}

struct sp_store *sp_cli_open(const struct sp_hub_config *config)
{
	struct sp_store *store = NULL;
	char why[256];
	if (sp_store_open(&store, config->hub.db, SP_STORE_READ, why) < 0) {
		sp_cli_store_failed(config, why);
		return NULL;
	}
	sp_store_set_silence(store, config->hub.silence_ms);
	return store;
}

int sp_cli_answer(const struct sp_hub_config *config, int (*answer)(struct sp_store *store, void *arg),
		  void *arg)
{
	struct sp_store *store = sp_cli_open(config);
	if (!store)
		return EXIT_FAILURE;
	int result = sp_store_read_begin(store, sp_clock_now().wall_ms);
	if (result == 0)
		result = answer(store, arg);
	if (result < 0)
		sp_cli_store_failed(config,
				    result == -EMSGSIZE ? "the answer is too large" : sp_store_error(store));
	sp_store_read_end(store);
	sp_store_close(store);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
