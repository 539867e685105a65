// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who is in which class: a CSV file of the school, on the board only. One row per person: number, class and,
// if it is not a PIN, the kind of number (pin, card, code, other). UTF-8, with a BOM or without, `,` `;` or
// tab between, a first row of headings allowed. No names: a fourth cell is a mistake.
//
// Nothing is kept of the numbers but pseudonyms, for one school year at a time; no error text holds a number.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/config.h"
#include "agent/core/attendance/keys.h"
#include "agent/core/attendance/person.h"

enum {
	SP_CLASSES_ROWS_MAX = 20000,
	SP_CLASSES_MAX = 400,   ///< different classes
	SP_CLASS_NAME_MAX = 32, ///< bytes
	SP_CLASSES_FILE_MAX = 4 * 1024 * 1024,
};

/// One row, as it was read; `person` is valid until the next.
struct sp_class_row {
	enum sp_person_kind kind;
	const char *person; ///< a card's number as kiosk.h has it
	size_t person_length;
	const char *name; ///< of the class
	unsigned line;
};

typedef void (*sp_class_row_fn)(void *arg, const struct sp_class_row *row);

/// Pure: gives each good row to `row` (NULL: only checks). Mistakes go to `errors` as "file:line: text":
/// malformed rows, the second row of a person, more rows or classes than the limits. 0, or -EINVAL when
/// errors were added.
int sp_classes_parse(const char *file, const char *text, size_t length, sp_class_row_fn row, void *arg,
		     struct sp_config_errors *errors) SP_MUST_CHECK;
/// Reads and checks a file; an unreadable one is an error line, too.
int sp_classes_check(const char *file, struct sp_config_errors *errors) SP_MUST_CHECK;

struct sp_classes;

/// Of a file that was checked; rows that became wrong since are left out and counted in the log. NULL or "":
/// a list of nobody.
struct sp_classes *sp_classes_new(const char *file);
void sp_classes_free(struct sp_classes *classes);

/// Reads the file for that school year, if it is not the one at hand. The time of 20,000 keyed hashes.
void sp_classes_year(struct sp_classes *classes, int32_t year, const uint8_t *year_key);
/// The keys have changed: the list is read again when a year is asked for.
void sp_classes_new_keys(struct sp_classes *classes);
/// The class of the person by his pseudonym of that year (16 bytes): an index below sp_classes_count(); -1:
/// of none.
int sp_classes_find(const struct sp_classes *classes, int32_t year, const uint8_t person[16]);
size_t sp_classes_count(const struct sp_classes *classes);
const char *sp_classes_name(const struct sp_classes *classes, size_t index);
