// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h's helper programs without a process: a test speaks and ends in the helper's place.
#pragma once

#include <stdbool.h>

#include "schoolpulse/io.h"

extern struct fake_child {
	int start_error; ///< errno of the next start; 0: it starts
	unsigned starts, stops;
	bool running, raw;
	char command[512]; ///< program and arguments of the last start
} fake_child;

void fake_child_reset(void);
void fake_child_says(const char *line);
void fake_child_ends(int status);
