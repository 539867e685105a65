// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Columns of a table in bytes. Names are in NFC, as keyboards write them, and no letter of theirs is wide.
#include "tools/hub/text/columns.h"

int sp_columns(int columns, const char *text)
{
	int more = 0;
	for (const char *c = text; *c; c++)
		more += ((unsigned char)*c & 0xc0) == 0x80;
	return columns + more;
}
