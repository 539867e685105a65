// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub attendance`: days of schools as counts, kiosks, and the KPI attendance_automation_ratio.
#pragma once

#include "tools/hub/hub_config.h"

/// Prints it to stdout; an exit status.
int sp_attendance_report(const struct sp_hub_config *config, int argc, char **argv);
