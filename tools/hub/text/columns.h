// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Tables on a terminal: printf() counts bytes, of which a Vietnamese letter has up to three.
#pragma once

#include <stdio.h>

/// The width for "%-*s" with which `text` fills so many columns: one for each UTF-8 character.
int sp_columns(int columns, const char *text);
/// The characters of it, which are its columns.
int sp_columns_of(const char *text, size_t length);
/// `text` on lines of at most `width` columns, each begun by `indent` spaces, cut between words.
void sp_columns_wrap(FILE *out, int indent, int width, const char *text);
/// The bytes of the longest beginning that fills at most so many columns.
int sp_columns_clip(int columns, const char *text);
