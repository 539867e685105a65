// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Tables on a page.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/cli/page.h"

enum { CELL_MAX = 512 };

void sp_table_row(struct sp_table *table)
{
	table->rows = sp_realloc(table->rows, (table->count + 1) * sizeof(*table->rows));
	memset(table->rows[table->count++], 0, sizeof(*table->rows));
	table->columns = 0;
}

void sp_table_cell(struct sp_table *table, enum sp_style style, const char *format, ...)
{
	if (table->count == 0 || table->columns >= SP_TABLE_COLUMNS)
		return;
	char text[CELL_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	struct sp_cell *cell = &table->rows[table->count - 1][table->columns++];
	cell->text = sp_strdup(text);
	cell->style = style;
}

static void blanks(struct sp_page *page, size_t count)
{
	while (count-- > 0)
		sp_buf_text(&page->text, " ");
}

static size_t column_width(const struct sp_table *table, size_t column)
{
	size_t width = 0;
	for (size_t row = 0; row < table->count; row++) {
		const char *text = table->rows[row][column].text;
		size_t needed = text ? sp_page_width(text) : 0;
		if (needed > width)
			width = needed;
	}
	return width;
}

static void add_row(const struct sp_table *table, const struct sp_cell *cells, struct sp_page *page,
		    const size_t *widths)
{
	size_t owed = 0; // blanks before the next text: none at the end of a line
	for (size_t column = 0; column < SP_TABLE_COLUMNS; column++) {
		const char *text = cells[column].text ? cells[column].text : "";
		size_t pad = widths[column] - sp_page_width(text);
		bool right = table->right & (1u << column);
		if (text[0]) {
			blanks(page, owed + (right ? pad : 0));
			sp_page_add(page, cells[column].style, text);
			owed = right ? 0 : pad;
		} else {
			owed += pad;
		}
		owed += widths[column] > 0 ? 2 : 0;
	}
	sp_page_end(page);
}

void sp_table_end(struct sp_table *table, struct sp_page *page, size_t indent)
{
	size_t widths[SP_TABLE_COLUMNS];
	for (size_t column = 0; column < SP_TABLE_COLUMNS; column++)
		widths[column] = column_width(table, column);
	for (size_t row = 0; row < table->count; row++) {
		blanks(page, indent);
		add_row(table, table->rows[row], page, widths);
	}
	for (size_t row = 0; row < table->count; row++)
		for (size_t column = 0; column < SP_TABLE_COLUMNS; column++)
			free(table->rows[row][column].text);
	free(table->rows);
	*table = (struct sp_table){0};
}
