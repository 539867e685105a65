// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub speed`: what a period's tests say of each provider and plan.
#pragma once

#include "tools/hub/hub_config.h"
#include "tools/hub/time/period.h"

enum sp_speed_format { SP_SPEED_TABLE, SP_SPEED_JSON, SP_SPEED_CSV };

struct sp_speed_request {
	const char *provider, *plan; ///< NULL: all
	struct sp_period period;
	enum sp_speed_format format;
};

/// Prints it to stdout; an exit status.
int sp_speed_report(const struct sp_hub_config *config, const struct sp_speed_request *request);
