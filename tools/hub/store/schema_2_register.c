// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 2: areas as trees, schools, sites, lines, boards and their moves over time.
#include "tools/hub/store/store_priv.h"

static const char *const up[] = {NULL};

static const char *const down[] = {NULL};

const struct sp_schema_step sp_schema_2_register = {
    .name = "register",
    .up = up,
    .down = down,
};
