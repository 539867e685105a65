// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any text as a terminal's path, table, version, device type and stamp, one per line; what may be echoed is
// fit for a line of ours.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/adms_reply.h"
#include "drivers/kiosk/adms_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handshake(const char *stamp)
{
	char out[SP_ADMS_REPLY_MAX];
	struct sp_adms_terms terms = {.serial = "ABC123",
				      .attlog_stamp = stamp,
				      .operlog_stamp = stamp,
				      .version = SP_ADMS_VERSION_OURS,
				      .delay_s = 10,
				      .error_delay_s = 60,
				      .zone_s = 19800};
	size_t length = sp_adms_reply_handshake(out, &terms), lines = 0;
	for (size_t i = 0; i < length; i++)
		lines += out[i] == '\n';
	if (strlen(out) != length || lines != 20 || out[length - 1] != '\n')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text;
	const char *parts[5] = {"", "", "", "", ""};
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < 5 && rest; i++)
		parts[i] = strsep(&rest, "\n");
	if (sp_adms_path(parts[0]) != SP_ADMS_ELSEWHERE && !strcasestr(parts[0], "iclock/"))
		abort();
	sp_adms_table(parts[1]);
	if (sp_adms_version(parts[2]) > 999999)
		abort();
	sp_adms_is_security(parts[2], parts[3]);
	if (sp_adms_stamp_good(parts[4]))
		handshake(parts[4]);
	free(text);
	return 0;
}
