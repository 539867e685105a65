// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which boards there are: read from the CSV that the hub imports, or made up.
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "agent/base/config.h"

enum { SP_ROSTER_FILE_MAX = 64 * 1024 * 1024, SP_ROSTER_BOARDS_MAX = 200000 };

struct sp_roster_board {
	char *device, *shard;
	char *area; ///< paths from the top down, one for each tree, a line each
	char *school, *school_name, *kind, *site, *line;
	char *provider, *plan, *zone;
	double down_mbps, up_mbps; ///< bought; 0: not known
};

struct sp_roster {
	struct sp_roster_board *boards;
	size_t count;
};

/// A file, or all *.csv of a folder in the order of their names. Mistakes go to `errors`. 0 or -EINVAL.
int sp_roster_read(struct sp_roster *out, const char *path, struct sp_config_errors *errors) SP_MUST_CHECK;
/// The same from bytes: what the other files say joins what is known.
int sp_roster_parse(struct sp_roster *out, const char *file, const char *text, size_t length,
		    struct sp_config_errors *errors) SP_MUST_CHECK;
void sp_roster_make(struct sp_roster *out, size_t boards, size_t shards);
/// The flat register. 0 or -errno.
int sp_roster_write(const struct sp_roster *roster, FILE *file) SP_MUST_CHECK;
/// Leaves only the boards of one shard.
void sp_roster_keep_shard(struct sp_roster *roster, const char *shard);
void sp_roster_free(struct sp_roster *roster);
