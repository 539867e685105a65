// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What was put together for a person's request, as a table for a spreadsheet.
#pragma once

#include <stdbool.h>

#include "agent/base/buf.h"

/// From the store's JSON list to CSV with a byte-order mark; false when it is none.
bool sp_fact_extract_csv(struct sp_buf *out, const char *json);
