// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as a line of schoolpulse-capture: what is believed is what it would have printed.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/capture_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_capture_second second;
	char line[SP_CAPTURE_LINE_MAX];
	if (sp_capture_read((const char *)data, size, &second))
		return 0;
	size_t length = sp_capture_print(&second, line, sizeof(line));
	if (length != size || memcmp(line, data, size) != 0)
		abort();
	double loss = sp_capture_loss(&second), median = sp_histogram_seconds(&second.dns, 0.5);
	if (!(loss >= 0 && loss <= 1) || (second.dns.count > 0 && !(median >= 0 && median < 17)))
		abort();
	return 0;
}
