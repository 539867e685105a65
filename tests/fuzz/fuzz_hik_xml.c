// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A name (the first line) and a document (the rest): what is found is text of that document and nothing else.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "drivers/kiosk/hikvision_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	if (!line || line == data)
		return 0;
	char *name = sp_strndup((const char *)data, (size_t)(line - data));
	size_t length = size - (size_t)(line - data) - 1;
	char *xml = malloc(length + 1), out[24];
	memcpy(xml, line + 1, length);
	int found = sp_hik_xml_text(xml, length, name, out, sizeof(out));
	check(found < (int)sizeof(out));
	if (found >= 0) {
		check(strlen(out) == (size_t)found && !strpbrk(out, "<&"));
		check(found == 0 || memmem(xml, length, out, (size_t)found) != NULL);
	} else {
		check(out[0] == '\0');
	}
	free(xml);
	free(name);
	return 0;
}
