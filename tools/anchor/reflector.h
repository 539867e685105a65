// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The STAMP reflector's socket and thread: no test of throughput, however busy, makes it wait.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/anchor/stamp_rules.h"

struct sp_reflector;

/// `address` "::" is both families where there are both. NULL with `why`.
struct sp_reflector *sp_reflector_new(const char *address, const struct sp_stamp_rules_config *config,
				      char why[256]);
void sp_reflector_free(struct sp_reflector *reflector);
uint16_t sp_reflector_port(const struct sp_reflector *reflector);

struct sp_reflector_state {
	uint64_t packets[SP_STAMP_VERDICTS];
	uint64_t sessions;
};
/// From any thread.
void sp_reflector_state(struct sp_reflector *reflector, struct sp_reflector_state *out);
