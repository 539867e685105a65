// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The fact `speedtest` (feed/README.md): one direction of one test, also of one that failed or was not done.
#pragma once

#include "agent/core/speed/guard.h"
#include "agent/core/speed/run.h"

/// All that is told of one direction. Texts "" and numbers NAN are left out.
struct sp_speed_fact {
	const char *test, *device, *line, *method;
	const char *scope; ///< of the server as configured; "" not told. A report's own stands before it
	enum sp_speed_direction direction;
	enum sp_speed_trigger trigger;
	struct sp_speed_verdict verdict;
	const char *text;
	const struct sp_speed_report *report; ///< NULL: none came
	bool first;                           ///< of the test's records
	int64_t wire_bytes;                   ///< of the test; < 0: not known
	const char *interface;
	int64_t link_mbps; ///< 0: not known
	enum sp_duplex duplex;
	double cpu_ratio;
	bool watched; ///< others' traffic was, by `source`
	enum sp_traffic_source source;
	double before, during;              ///< byte/s
	const struct sp_speed_line *bought; ///< NULL: not known
	unsigned deferrals;
	int64_t start_us; ///< < 0: not known
};

/// Bits per second of the direction, NAN without a figure.
double sp_speed_goodput(const struct sp_speed_report *report, enum sp_speed_direction direction);
void sp_speed_record(struct sp_recorder *recorder, const struct sp_speed_fact *fact);
const char *sp_speed_direction_name(enum sp_speed_direction direction); ///< "down", "up"
