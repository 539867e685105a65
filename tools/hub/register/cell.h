// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One cell of a register's file: what may stand in it, and the one way in which it is kept. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_cell_type {
	SP_CELL_TEXT,    ///< for people
	SP_CELL_LEVEL,   ///< stands in a topic
	SP_CELL_ID,      ///< as sp_id_valid() says
	SP_CELL_MBPS,    ///< "100", "33.5", "33,5"
	SP_CELL_DEGREES, ///< "17.214"
	SP_CELL_COUNT,   ///< 0 to 10,000,000
	SP_CELL_FLAG,    ///< 1, 0, x, có, không, yes, no; empty is 0
	SP_CELL_WEEK,    ///< a week's timetable
	SP_CELL_WORD,    ///< one of the column's words
	SP_CELL_FROM,    ///< a day or a moment
	SP_CELL_TO,      ///< the same, included
};

enum { SP_CELL_SIZE = 64 }; ///< of what a cell that is no text is kept as

/// Why the text will not do as it stands, or NULL: its length, control characters, a spreadsheet's formula.
const char *sp_cell_text_fault(const char *cell, size_t max);
/// A text that begins like a formula is one to a spreadsheet that opens a file in which it stands: = + - @,
/// and their wide forms.
bool sp_cell_is_formula(const char *cell);
/// Mbit/s; 0 for an empty cell. 0 or -EINVAL.
int sp_cell_mbps(const char *cell, double *out);
/// Of a cell that is not empty: why it will not do, or NULL and what is to be kept in *kept, which is the
/// cell itself, or `room`, or NULL for nothing. `words` ends with NULL.
const char *sp_cell_read(enum sp_cell_type type, const char *cell, size_t max, const char *const *words,
			 char room[SP_CELL_SIZE], const char **kept);

struct sp_cell_moment {
	bool day;   ///< it is a whole day
	int64_t at; ///< when it begins, in days or in ms
};
/// "2026-09-05", "05/09/2026", "2026-09-05 07:00", "5/9/2026 7h00", at UTC+7; from 2000 on.
bool sp_cell_moment(const char *cell, struct sp_cell_moment *out);
