// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A `minute` record: of it what KPIs count, which is how many probes were sent and how many of them were
// lost.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sp_minute_probes {
	int64_t probes, lost; ///< of a ratio, the nearest whole number
};
struct sp_fact_minute {
	struct sp_minute_probes domestic; ///< to anchors in the country
	struct sp_minute_probes service;  ///< to education platforms over HTTPS
};
/// False when it is no object. What is missing or out of bounds counts nothing.
bool sp_fact_minute(struct sp_fact_minute *out, const char *data);
