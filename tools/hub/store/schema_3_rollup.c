// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 3: days of sites, of which every KPI is computed.
#include "tools/hub/store/store_priv.h"

static const char *const up[] = {NULL};

static const char *const down[] = {NULL};

const struct sp_schema_step sp_schema_3_rollup = {
    .name = "rollup",
    .up = up,
    .down = down,
};
