// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A list of classes of any bytes: the reader must end, keep its limits, and tell of no number.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/utf8.h"
#include "agent/core/attendance/classes.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct seen {
	size_t rows;
	unsigned line;
};

static void on_row(void *arg, const struct sp_class_row *row)
{
	struct seen *seen = arg;
	size_t name = strlen(row->name);
	CHECK(++seen->rows <= SP_CLASSES_ROWS_MAX);
	CHECK(row->line > seen->line);
	seen->line = row->line;
	CHECK(row->person_length >= 1 && row->person_length <= SP_PERSON_MAX);
	CHECK(strlen(row->person) == row->person_length);
	CHECK(name >= 1 && name <= SP_CLASS_NAME_MAX && sp_utf8_valid(row->name, name));
	CHECK(row->kind != SP_PERSON_CARD || strspn(row->person, "0123456789") == row->person_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_config_errors errors = {0};
	struct seen seen = {0};
	int result = sp_classes_parse("classes.csv", (const char *)data, size, on_row, &seen, &errors);
	CHECK((result == 0) == (errors.count == 0));
	sp_config_errors_free(&errors);
	return 0;
}
