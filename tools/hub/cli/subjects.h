// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub subjects` and `schoolpulse-hub keys`: for whoever answers a person's request, and for
// whoever sets up a new board in the place of a dead one.
#pragma once

#include "tools/hub/hub_config.h"

/// Exit statuses.
int sp_subjects_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_keys_command(const struct sp_hub_config *config, int argc, char **argv);
