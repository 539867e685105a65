// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Columns of a table in bytes. Names are in NFC, as keyboards write them, and no letter of theirs is wide.
#include "tools/hub/text/columns.h"

#include <string.h>

static int begins(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

int sp_columns_of(const char *text, size_t length)
{
	int columns = 0;
	for (size_t i = 0; i < length; i++)
		columns += begins(text[i]);
	return columns;
}

int sp_columns(int columns, const char *text)
{
	size_t length = strlen(text);
	return columns + (int)length - sp_columns_of(text, length);
}

int sp_columns_clip(int columns, const char *text)
{
	int length = 0;
	for (; text[length]; length++) {
		if (begins(text[length]) && columns-- == 0)
			break;
	}
	return length;
}

void sp_columns_wrap(FILE *out, int indent, int width, const char *text)
{
	int at = 0;
	for (size_t length; *text; text += length + strspn(text + length, " ")) {
		length = strcspn(text, " ");
		int columns = sp_columns_of(text, length);
		if (at > 0 && at + 1 + columns > width) {
			fputc('\n', out);
			at = 0;
		}
		int gap = at > 0 ? 1 : indent;
		fprintf(out, "%*s%.*s", gap, "", (int)length, text);
		at += gap + columns;
	}
	fputc('\n', out);
}
