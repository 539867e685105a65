// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any text as any of the files in /proc and /sys that the boards read.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boards/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	int64_t integer;
	uint64_t natural;
	double real;
	struct sp_text_mount mount;
	(void)!sp_text_integer(text, &integer);
	(void)!sp_text_hex(text, &natural);
	if (sp_text_fraction(text, &real) == 0)
		check(real >= 0 && real < 1e15 + 1);
	for (unsigned column = 0; column < 12; column++)
		(void)!sp_text_column(text, column, &natural);
	(void)!sp_text_meminfo(text, "MemAvailable", &natural);
	check(sp_text_cpus(text) <= 65536);
	if (sp_text_life_time(text, &real) == 0)
		check(real > 0 && real <= 1);
	if (sp_text_mount_of(text, "/var/lib/schoolpulse", &mount) == 0)
		check(memchr(mount.type, 0, sizeof(mount.type)) &&
		      memchr(mount.source, 0, sizeof(mount.source)) &&
		      memchr(mount.upper, 0, sizeof(mount.upper)));
	char port[SP_BOARD_PORT_NAME];
	if (sp_text_way_out(text, port) == 0)
		check(port[0] && memchr(port, 0, sizeof(port)));
	if (sp_text_way_out6(text, port) == 0)
		check(port[0] && memchr(port, 0, sizeof(port)));
	struct sp_board_cores cores;
	sp_text_cores(text, &cores);
	check(cores.count <= SP_BOARD_CORES);
	for (size_t i = 0; i < cores.count; i++)
		check(cores.cores[i].busy <= cores.cores[i].all);
	free(text);
	return 0;
}
