// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The CSV parser: pure functions over bytes, fuzzed (tests/fuzz/fuzz_csv.c).
#include "agent/base/csv.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/utf8.h"

static bool at_line_end(const struct sp_csv *csv)
{
	return csv->at == csv->end || *csv->at == '\n' || *csv->at == '\r';
}

/// Past "\n", "\r\n" or a lone "\r" (old spreadsheets); false at the end of the text.
static bool skip_line_end(struct sp_csv *csv)
{
	if (csv->at == csv->end)
		return false;
	if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n')
		csv->at++;
	csv->at++;
	csv->line++;
	return true;
}

/// The sign that stands most often outside quotes in the first line.
static char find_separator(const char *at, const char *end)
{
	static const char signs[] = ",;\t";
	size_t counts[3] = {0}, best = 0;
	bool quoted = false;
	for (; at < end && (quoted || (*at != '\n' && *at != '\r')); at++) {
		if (*at == '"')
			quoted = !quoted;
		const char *sign = quoted || *at == '\0' ? NULL : strchr(signs, *at);
		if (sign)
			counts[sign - signs]++;
	}
	for (size_t i = 1; i < 3; i++) {
		if (counts[i] > counts[best])
			best = i;
	}
	return signs[best];
}

int sp_csv_start(struct sp_csv *csv, const char *text, size_t length, char why[128])
{
	*csv = (struct sp_csv){.at = text, .end = text + length, .line = 1};
	if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		snprintf(why, 128, "this is UTF-16: save it as \"CSV UTF-8\"");
		return -EINVAL;
	}
	if (memchr(text, '\0', length)) {
		snprintf(why, 128, "there are NUL bytes in it: not a CSV file");
		return -EINVAL;
	}
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		csv->at += 3;
	csv->separator = find_separator(csv->at, csv->end);
	return 0;
}

void sp_csv_end(struct sp_csv *csv)
{
	// A list of people may have stood there.
	if (csv->row)
		explicit_bzero(csv->row, (size_t)SP_CSV_CELLS_MAX * (SP_CSV_CELL_MAX + 1));
	free(csv->row);
	csv->row = NULL;
}

/// Reads a cell that begins with a quote; the text goes to `out`. NULL or why not.
static const char *quoted_cell(struct sp_csv *csv, char *out, size_t *length)
{
	csv->at++;
	while (csv->at < csv->end) {
		if (*csv->at == '"') {
			csv->at++;
			if (csv->at == csv->end || *csv->at != '"')
				return NULL;
		}
		if (*csv->at == '\n' || (*csv->at == '\r' && (csv->at + 1 == csv->end || csv->at[1] != '\n')))
			csv->line++;
		if (*length < SP_CSV_CELL_MAX)
			out[*length] = *csv->at;
		++*length;
		csv->at++;
	}
	return "a quoted cell is never closed";
}

static const char *cell(struct sp_csv *csv, char *out, size_t *length)
{
	while (csv->at < csv->end && *csv->at == ' ')
		csv->at++;
	if (csv->at < csv->end && *csv->at == '"') {
		const char *fault = quoted_cell(csv, out, length);
		while (csv->at < csv->end && *csv->at == ' ')
			csv->at++;
		if (!fault && !at_line_end(csv) && *csv->at != csv->separator)
			fault = "there is text after a closing quote";
		return fault;
	}
	for (; !at_line_end(csv) && *csv->at != csv->separator; csv->at++) {
		if (*csv->at == '"')
			return "there is a quote inside a cell that is not quoted";
		if (*length < SP_CSV_CELL_MAX)
			out[*length] = *csv->at;
		++*length;
	}
	return NULL;
}

/// Cuts blanks, terminates; NULL or why this cell will not do.
static const char *finish_cell(char *text, size_t length, const char **cut)
{
	if (length > SP_CSV_CELL_MAX)
		return "a cell is longer than 4096 bytes";
	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		length--;
	text[length] = '\0';
	*cut = text + strspn(text, " \t\r\n");
	return sp_utf8_valid(text, length) ? NULL : "a cell is not UTF-8: save the file as \"CSV UTF-8\"";
}

static const char *cells(struct sp_csv *csv, struct sp_csv_row *row)
{
	size_t used = 0;
	for (row->count = 0;;) {
		if (row->count == SP_CSV_CELLS_MAX)
			return "more than 64 cells";
		char *text = csv->row + used;
		size_t length = 0;
		const char *fault = cell(csv, text, &length);
		if (!fault)
			fault = finish_cell(text, length, &row->cells[row->count]);
		if (fault)
			return fault;
		row->count++;
		used += length + 1;
		if (at_line_end(csv))
			return NULL;
		csv->at++;
	}
}

static bool blank(const struct sp_csv_row *row)
{
	for (size_t i = 0; i < row->count; i++) {
		if (row->cells[i][0])
			return false;
	}
	return true;
}

int sp_csv_next(struct sp_csv *csv, struct sp_csv_row *row, char why[128])
{
	if (!csv->row)
		csv->row = sp_alloc((size_t)SP_CSV_CELLS_MAX * (SP_CSV_CELL_MAX + 1));
	while (csv->at < csv->end) {
		row->line = csv->line;
		const char *fault = cells(csv, row);
		// A fault ends the row where its line ends, so that one bad row is one error.
		while (!at_line_end(csv))
			csv->at++;
		skip_line_end(csv);
		if (fault) {
			snprintf(why, 128, "%s", fault);
			return -EINVAL;
		}
		if (!blank(row))
			return 1;
	}
	return 0;
}
