// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Tables on a terminal: printf() counts bytes, of which a Vietnamese letter has up to three.
#pragma once

/// The width for "%-*s" with which `text` fills so many columns: one for each UTF-8 character.
int sp_columns(int columns, const char *text);
