// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// CSV as Excel and LibreOffice write it (RFC 4180, with `;` where the comma is the decimal sign):
// a pull parser over bytes in memory, no files, no meaning.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schoolpulse/err.h"

enum {
	SP_CSV_CELLS_MAX = 64,
	SP_CSV_CELL_MAX = 4096, ///< bytes of one cell
};

struct sp_csv {
	const char *at, *end;
	char separator; ///< found in the first line: `,` `;` or tab
	unsigned line;  ///< of `at`, from 1
	char *row;      ///< unquoted text of the current row's cells
};

struct sp_csv_row {
	unsigned line; ///< where it begins; a quoted cell may span lines
	size_t count;
	const char *cells[SP_CSV_CELLS_MAX]; ///< UTF-8, blanks around cut; valid until the next row
};

/// Does not copy `text`. -EINVAL with `why` when these bytes cannot be CSV in UTF-8 at all.
int sp_csv_start(struct sp_csv *csv, const char *text, size_t length, char why[128]) SP_MUST_CHECK;
/// The next row that is not blank: 1; 0 at the end; -EINVAL with `why` and `row->line`: the row is
/// skipped, and the next call goes on behind it.
int sp_csv_next(struct sp_csv *csv, struct sp_csv_row *row, char why[128]) SP_MUST_CHECK;
void sp_csv_end(struct sp_csv *csv);
