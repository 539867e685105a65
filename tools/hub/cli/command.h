// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub command`: signs a command, publishes it through the configured broker, and waits for what
// the board makes of it; `command-key` makes the key.
#pragma once

#include "tools/hub/hub_config.h"

/// `argv[0]` is the command's own name. The exit status: 0 the broker took it, and with --wait it is done; 1
/// not; 2 bad words, which were told on stderr.
int sp_hub_command(const struct sp_hub_config *config, int argc, char **argv);
/// A new key pair: the private key in `file`, the public one on stdout. 0 or 1.
int sp_hub_command_key(const char *file);
