// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 5: samples by minute, hour and day, and how long each is held.
#include "tools/hub/store/store_priv.h"

static const char *const up[] = {NULL};

static const char *const down[] = {NULL};

const struct sp_schema_step sp_schema_5_summary = {
    .name = "summary",
    .up = up,
    .down = down,
};
