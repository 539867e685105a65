// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The anchor as a whole: its servers on one thread, its reflector on another.
#pragma once

#include "schoolpulse/err.h"
#include "tools/anchor/anchor_config.h"

struct sp_anchor;

/// NULL with `why`. `config` outlives it.
struct sp_anchor *sp_anchor_new(const struct sp_anchor_config *config, char why[256]);
/// Serves until `stop_fd` is readable.
void sp_anchor_run(struct sp_anchor *anchor, int stop_fd);
void sp_anchor_free(struct sp_anchor *anchor);
