// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Text for a terminal: columns that line up in any script, colours only where they are wanted,
// and redrawing in place.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "schoolpulse/err.h"

enum sp_style { SP_STYLE_PLAIN, SP_STYLE_BOLD, SP_STYLE_DIM, SP_STYLE_GOOD, SP_STYLE_WARN, SP_STYLE_BAD };

struct sp_page {
	struct sp_buf text;
	bool colours;
};

/// True when `fd` is a terminal that wants colours (NO_COLOR, TERM=dumb).
bool sp_page_wants_colours(int fd);
void sp_page_free(struct sp_page *page);

/// Columns that the text takes on a screen; what cannot be shown takes one.
size_t sp_page_width(const char *text);
/// Adds text; control characters become '?'.
void sp_page_add(struct sp_page *page, enum sp_style style, const char *text);
void sp_page_printf(struct sp_page *page, enum sp_style style, const char *format, ...) SP_PRINTF(3, 4);
/// Adds a line break.
void sp_page_end(struct sp_page *page);

/// Writes the page once.
void sp_page_print(const struct sp_page *page);
/// Writes it over the `previous` lines drawn before, cut to the terminal. Returns the lines drawn.
size_t sp_page_redraw(const struct sp_page *page, size_t previous);

// ---- tables --------------------------------------------------------------------------------------

enum { SP_TABLE_COLUMNS = 8 };

/// Rows of cells; each column as wide as its widest cell, two blanks between, no lines.
struct sp_table {
	struct sp_cell {
		char *text;
		enum sp_style style;
	} (*rows)[SP_TABLE_COLUMNS];
	size_t count, columns;
	unsigned right; ///< bit mask of columns that are aligned to the right
};

/// Begins a row; cells follow.
void sp_table_row(struct sp_table *table);
void sp_table_cell(struct sp_table *table, enum sp_style style, const char *format, ...) SP_PRINTF(3, 4);
/// Adds the table to the page, each line after `indent` blanks, and frees it.
void sp_table_end(struct sp_table *table, struct sp_page *page, size_t indent);

// ---- values for people ---------------------------------------------------------------------------

/// "12.3 ms", "0.35 ms", "1.2 s"
const char *sp_text_rtt(double seconds, char out[32]);
/// "3 s", "12 min", "2 h 5 min", "3 d 4 h"
const char *sp_text_span(double seconds, char out[48]);
/// "512 B", "1.2 MB", "3.4 GB" (powers of 1000)
const char *sp_text_bytes(double bytes, char out[32]);
/// Local time: "14:03:22" today, "21 Nov 14:03" otherwise.
const char *sp_text_when(int64_t t_ms, int64_t now_ms, char out[32]);
