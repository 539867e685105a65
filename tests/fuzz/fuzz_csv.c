// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A CSV file of any bytes: the parser must end, keep its limits, and read back what it read; the
// register made of it must hold what it promises.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/ids.h"
#include "agent/base/utf8.h"
#include "agent/base/csv.h"
#include "tools/hub/register/register.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void write_cell(struct sp_buf *out, const char *cell)
{
	sp_buf_text(out, "\"");
	for (; *cell; cell++)
		sp_buf_add(out, *cell == '"' ? "\"\"" : cell, *cell == '"' ? 2 : 1);
	sp_buf_text(out, "\"");
}

/// What was read, written by the rules and read again, is the same.
static void check_round(const struct sp_csv_row *row, char separator)
{
	static struct sp_csv_row again;
	struct sp_buf text = SP_BUF(1 << 20);
	struct sp_csv csv;
	char why[128];
	for (size_t i = 0; i < row->count; i++) {
		if (i > 0)
			sp_buf_add(&text, &separator, 1);
		write_cell(&text, row->cells[i]);
	}
	CHECK(sp_csv_start(&csv, text.data, text.length, why) == 0);
	csv.separator = separator; // a single cell does not show it
	CHECK(sp_csv_next(&csv, &again, why) == 1);
	CHECK(again.count == row->count);
	for (size_t i = 0; i < row->count; i++)
		CHECK(strcmp(again.cells[i], row->cells[i]) == 0);
	sp_csv_end(&csv);
	sp_buf_free(&text);
}

static void check_rows(const char *text, size_t size)
{
	static struct sp_csv_row row;
	struct sp_csv csv;
	char why[128];
	unsigned line = 0;
	if (sp_csv_start(&csv, text, size, why) < 0)
		return;
	for (int result; (result = sp_csv_next(&csv, &row, why)) != 0;) {
		CHECK(row.line > line);
		line = row.line;
		if (result < 0)
			continue;
		CHECK(row.count >= 1 && row.count <= SP_CSV_CELLS_MAX);
		for (size_t i = 0; i < row.count; i++) {
			size_t length = strlen(row.cells[i]);
			CHECK(length <= SP_CSV_CELL_MAX && sp_utf8_valid(row.cells[i], length));
		}
		check_round(&row, csv.separator);
	}
	CHECK(csv.at == csv.end);
	sp_csv_end(&csv);
}

static void check_register(const char *text, size_t size)
{
	struct sp_config_errors errors = {0};
	struct sp_register reg;
	int result = sp_register_parse(&reg, "fuzz.csv", text, size, &errors);
	CHECK(result == (errors.count ? -EINVAL : 0));
	CHECK(result < 0 || reg.count > 0);
	for (size_t i = 0; result == 0 && i < reg.count; i++) {
		const struct sp_register_line *line = &reg.lines[i];
		CHECK(line->school[0] && line->school_name[0] && line->site[0] && line->line[0]);
		CHECK(!strpbrk(line->school, "/+#") && !strpbrk(line->site, "/+#") &&
		      !strpbrk(line->line, "/+#"));
		CHECK(!line->device[0] == !line->shard[0]);
		CHECK(!line->device[0] || (sp_id_valid(line->device) && sp_id_valid(line->shard)));
		CHECK(line->down_mbps >= 0 && line->down_mbps <= 1e6);
	}
	sp_register_free(&reg);
	sp_config_errors_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_rows((const char *)data, size);
	check_register((const char *)data, size);
	return 0;
}
