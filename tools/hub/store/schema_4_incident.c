// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 4: regional incidents and their members.
#include "tools/hub/store/store_priv.h"

static const char *const up[] = {NULL};

static const char *const down[] = {NULL};

const struct sp_schema_step sp_schema_4_incident = {
    .name = "incident",
    .up = up,
    .down = down,
};
