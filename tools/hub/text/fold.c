// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Letters of NFC by their blocks: Latin-1, Latin Extended-A and -B, and the Vietnamese ones, which Unicode
// has in alphabetical order. Marks of NFD are dropped.
#include "tools/hub/text/fold.h"

#include <stdint.h>
#include <string.h>

#include "agent/base/utf8.h"
#include "schoolpulse/err.h"

/// '\0': a mark. -1: none of ours.
static int letter(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		char letter;
	} blocks[] = {
	    {'A', 'Z', '+'},       {0x00c0, 0x00c3, 'a'}, {0x00c8, 0x00ca, 'e'}, {0x00cc, 0x00cd, 'i'},
	    {0x00d2, 0x00d5, 'o'}, {0x00d9, 0x00da, 'u'}, {0x00dd, 0x00dd, 'y'}, {0x00e0, 0x00e3, 'a'},
	    {0x00e8, 0x00ea, 'e'}, {0x00ec, 0x00ed, 'i'}, {0x00f2, 0x00f5, 'o'}, {0x00f9, 0x00fa, 'u'},
	    {0x00fd, 0x00fd, 'y'}, {0x0102, 0x0103, 'a'}, {0x0110, 0x0111, 'd'}, {0x0128, 0x0129, 'i'},
	    {0x0168, 0x0169, 'u'}, {0x01a0, 0x01a1, 'o'}, {0x01af, 0x01b0, 'u'}, {0x0300, 0x036f, '\0'},
	    {0x1ea0, 0x1eb7, 'a'}, {0x1eb8, 0x1ec7, 'e'}, {0x1ec8, 0x1ecb, 'i'}, {0x1ecc, 0x1ee3, 'o'},
	    {0x1ee4, 0x1ef1, 'u'}, {0x1ef2, 0x1ef9, 'y'},
	};
	for (size_t i = 0; i < SP_COUNT(blocks); i++) {
		if (c >= blocks[i].first && c <= blocks[i].last)
			return blocks[i].letter == '+' ? (int)(c - 'A' + 'a') : blocks[i].letter;
	}
	return -1;
}

char *sp_fold_vi(const char *text, char *out, size_t size)
{
	size_t left = strlen(text), used = 0;
	while (left > 0 && used + 1 < size) {
		uint32_t c;
		size_t length = sp_utf8_next(text, left, &c);
		int folded = length > 0 ? letter(c) : -1;
		if (length == 0)
			length = 1;
		if (folded < 0) {
			if (used + length >= size)
				break;
			memcpy(out + used, text, length);
			used += length;
		} else if (folded > 0) {
			out[used++] = (char)folded;
		}
		text += length;
		left -= length;
	}
	out[used] = '\0';
	return out;
}
