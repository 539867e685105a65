// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub facts`: what is committed, for people; and waiting until a board's first facts are.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sp_facts_request {
	const char *db;
	const char *device;   ///< NULL: any
	int64_t wait_seconds; ///< 0: do not wait
	bool json;
};

/// Prints to stdout, reasons to stderr. The exit status: 0, or 1 when there is nothing to print or
/// the first facts did not come in time.
int sp_facts_run(const struct sp_facts_request *request);
