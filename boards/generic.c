// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any Linux machine: what the kernel tells everywhere.
#include "family.h"

#include <stddef.h>

static void read_generic(const struct sp_board_root *root, struct sp_board_reading *out)
{
	sp_linux_read_temperature(root, out);
	sp_linux_read_system(root, out);
	sp_linux_read_storage(root, out);
}

static const char *const anything[] = {NULL};

const struct sp_board sp_board_generic = {
    .name = "generic",
    .summary = "Any Linux machine",
    .compatible = anything,
    .read = read_generic,
    .past = sp_linux_read_past,
};
