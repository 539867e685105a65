// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Pure parsers of the kernel's route tables and of its account of the processors.
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UP = 1, REJECT = 0x200 }; // linux/route.h: RTF_UP, RTF_REJECT

/// The lines of a text, one after another; false at its end.
static bool next_line(const char **at, char line[256])
{
	while (**at) {
		size_t length = strcspn(*at, "\n");
		bool fits = length < 256;
		if (fits) {
			memcpy(line, *at, length);
			line[length] = '\0';
		}
		*at += length + ((*at)[length] == '\n');
		if (fits)
			return true;
	}
	return false;
}

static void keep_better(const char *interface, uint32_t metric, uint32_t *best, char out[SP_BOARD_PORT_NAME])
{
	if (out[0] && metric >= *best)
		return;
	*best = metric;
	snprintf(out, SP_BOARD_PORT_NAME, "%s", interface);
}

int sp_text_way_out(const char *table, char out[SP_BOARD_PORT_NAME])
{
	char line[256], interface[SP_BOARD_PORT_NAME];
	uint32_t to, gateway, flags, metric, mask, best = 0;
	out[0] = '\0';
	while (next_line(&table, line))
		if (sscanf(line, "%15s %8" SCNx32 " %8" SCNx32 " %8" SCNx32 " %*s %*s %9" SCNu32 " %8" SCNx32,
			   interface, &to, &gateway, &flags, &metric, &mask) == 6 &&
		    to == 0 && mask == 0 && (flags & UP) && !(flags & REJECT))
			keep_better(interface, metric, &best, out);
	return out[0] ? 0 : -ENOENT;
}

int sp_text_way_out6(const char *table, char out[SP_BOARD_PORT_NAME])
{
	char line[256], interface[SP_BOARD_PORT_NAME], to[33];
	uint32_t length, flags, metric, best = 0;
	out[0] = '\0';
	while (next_line(&table, line))
		if (sscanf(line, "%32s %2" SCNx32 " %*s %*s %*s %8" SCNx32 " %*s %*s %8" SCNx32 " %15s", to,
			   &length, &metric, &flags, interface) == 5 &&
		    strspn(to, "0") == 32 && length == 0 && (flags & UP) && !(flags & REJECT) &&
		    strcmp(interface, "lo") != 0)
			keep_better(interface, metric, &best, out);
	return out[0] ? 0 : -ENOENT;
}

/// user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
static void take_core(const char *line, struct sp_board_cores *out)
{
	unsigned number;
	uint64_t ticks[8];
	if (sscanf(line,
		   "cpu%u %18" SCNu64 " %18" SCNu64 " %18" SCNu64 " %18" SCNu64 " %18" SCNu64 " %18" SCNu64
		   " %18" SCNu64 " %18" SCNu64,
		   &number, &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6],
		   &ticks[7]) != 9 ||
	    number >= SP_BOARD_CORES)
		return;
	uint64_t idle = ticks[3] + ticks[4], all = 0;
	for (size_t i = 0; i < 8; i++)
		all += ticks[i];
	out->cores[number].busy = all - idle;
	out->cores[number].all = all;
	if (number >= out->count)
		out->count = number + 1;
}

void sp_text_cores(const char *text, struct sp_board_cores *out)
{
	char line[256];
	*out = (struct sp_board_cores){0};
	while (next_line(&text, line))
		if (strncmp(line, "cpu", 3) == 0 && line[3] >= '0' && line[3] <= '9')
			take_core(line, out);
}
