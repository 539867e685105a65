// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as a line of the process that tests: refused, or in range and the same after being written again.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/speed/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_result(const struct sp_speed_result *result)
{
	check(result->bytes >= 0 && result->duration_us >= 0 && result->curve_count <= SP_SPEED_CURVE);
	check(isnan(result->retransmit_ratio) ||
	      (result->retransmit_ratio >= 0 && result->retransmit_ratio <= 1));
	for (unsigned i = 0; i < result->curve_count; i++)
		check(result->curve[i] >= 0);
	check(strlen(result->reason) <= SP_SPEED_WORD_MAX && strlen(result->text) <= SP_SPEED_TEXT_MAX);
}

static void check_report(const struct sp_speed_tale *tale)
{
	struct sp_speed_message again;
	static struct sp_speed_tale second;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	check_result(&tale->report.results[SP_SPEED_DOWN]);
	check_result(&tale->report.results[SP_SPEED_UP]);
	sp_speed_line_report(&line, &tale->report);
	// Texts may grow beyond a line when they are escaped.
	if (!line.overflowed) {
		check(sp_speed_line_read(line.data, line.length, &again, &second) == 0);
		check(second.report.wire_bytes == tale->report.wire_bytes);
	}
	sp_buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_speed_message message;
	struct sp_speed_order order;
	static struct sp_speed_tale tale;
	if (sp_speed_line_read((const char *)data, size, &message, &tale) == 0) {
		check(message.bytes >= 0 && message.cpu_us >= 0);
		check(message.kind != SP_SPEED_LINE_PROGRESS || (message.done >= 0 && message.done <= 1));
		if (message.kind == SP_SPEED_LINE_REPORT)
			check_report(&tale);
	}
	if (sp_speed_line_read_order((const char *)data, size, &order) == 0)
		check(order.max_bytes >= 0);
	return 0;
}
