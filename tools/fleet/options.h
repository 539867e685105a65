// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The command line (README.md has the table).
#pragma once

#include "tools/fleet/fleet.h"

enum { SP_SCRIPTS_MAX = 64 };

struct sp_fleet_options {
	const char *registers, *write_register, *issued, *shard;
	const char *scripts[SP_SCRIPTS_MAX];
	size_t script_count;
	int64_t boards, shards;
	bool check, json, help;
	char *broker; ///< without its port
	uint16_t port;
	char *password;
	int64_t from_ms, to_ms, for_ms; ///< to INT64_MAX: not given
	struct sp_fleet_config fleet;   ///< filled in
};

/// 0, or -EINVAL with `why`.
int sp_options_read(struct sp_fleet_options *out, int argc, char **argv, int64_t now_ms, char why[256]);
void sp_fleet_options_free(struct sp_fleet_options *options);
void sp_fleet_usage(FILE *out);
