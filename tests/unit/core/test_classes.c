// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The school's list of classes, as spreadsheets write it, and who is found by it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/core/attendance/classes.h"
#include "agent/core/attendance/number.h"

static const uint8_t key_2025[SP_KEY_LENGTH] = {25}, key_2026[SP_KEY_LENGTH] = {26};

static void add_row(void *arg, const struct sp_class_row *row)
{
	sp_buf_printf(arg, "%u:%s:%s:%s ", row->line, sp_person_kind_name(row->kind), row->person, row->name);
}

/// What is read of a text, and below it each mistake.
static char *reads(const char *text)
{
	struct sp_config_errors errors = {0};
	struct sp_buf out = SP_BUF(1 << 16);
	int result = sp_classes_parse("l.csv", text, strlen(text), add_row, &out, &errors);
	assert_int_equal(result, errors.count ? -EINVAL : 0);
	for (size_t i = 0; i < errors.count; i++)
		sp_buf_printf(&out, "\n%s", errors.lines[i]);
	sp_config_errors_free(&errors);
	sp_buf_text(&out, "");
	return sp_buf_take(&out);
}

#define READS(text, expected)                         \
	do {                                          \
		char *it_ = reads(text);              \
		assert_string_equal(it_, (expected)); \
		free(it_);                            \
	} while (0)

static void lists_as_spreadsheets_write_them(void **state)
{
	(void)state;
	READS("17,6A\n0018,6A\n", "1:pin:17:6A 2:pin:0018:6A ");
	READS("\xef\xbb\xbfPIN;Lớp\r\n17;6A\r\n\r\n 18 ; 7 B \r\n", "2:pin:17:6A 4:pin:18:7 B ");
	READS("Mã;lớp;Loại\n17;6A;\n0012345678;6B;card\n\"a;b\";6C;code\nvũ an;6C;other",
	      "2:pin:17:6A 3:card:12345678:6B 4:code:a;b:6C 5:other:vũ an:6C ");
	READS("17,6A,,,\n", "1:pin:17:6A ");
	// Two kinds of number are two persons.
	READS("17,6A,pin\n17,6A,card\n", "1:pin:17:6A 2:card:17:6A ");
}

static void mistakes_have_a_line_and_no_number(void **state)
{
	(void)state;
	READS("4711,6A\n4711,6B\n5,6A\n4711,6C\n",
	      "1:pin:4711:6A 2:pin:4711:6B 3:pin:5:6A 4:pin:4711:6C "
	      "\nl.csv:2: the person of this row stands in line 1 already"
	      "\nl.csv:4: the person of this row stands in line 1 already");
	READS("007,6A,card\n7,6B,card\n", "1:card:7:6A 2:card:7:6B "
					  "\nl.csv:2: the person of this row stands in line 1 already");
	READS("4711\n", "\nl.csv:1: a row is a number and a class");
	READS("4711,\n", "\nl.csv:1: there is no class");
	READS(",6A\n47 11,6A\n47Đ,6A\n", "\nl.csv:1: this is no number of a person of that kind"
					 "\nl.csv:2: this is no number of a person of that kind"
					 "\nl.csv:3: this is no number of a person of that kind");
	READS("4711a,6A,card\n", "\nl.csv:1: this is no number of a person of that kind");
	READS("4711,6A,face\n", "\nl.csv:1: the kind is none of pin, card, code, other");
	READS("4711,6A,pin,An\n",
	      "\nl.csv:1: more than number, class and kind: nothing else of a person belongs here");
	READS("4711,a class whose name is far too long for it\n",
	      "\nl.csv:1: the class has more than 32 bytes");
	READS("4711,6\x07 A\n", "\nl.csv:1: the class has characters that cannot be shown");
	// A heading that is not known is a mistake, not a person.
	READS("Mã học sinh,Tên\n17,6A\n",
	      "2:pin:17:6A \nl.csv:1: this is no number of a person of that kind");
	// A second heading is none.
	READS("pin,class\nan,class\n", "2:pin:an:class ");
}

static void there_are_limits(void **state)
{
	(void)state;
	struct sp_config_errors errors = {0};
	struct sp_buf text = SP_BUF(2 * SP_CLASSES_FILE_MAX);
	for (unsigned i = 0; i < SP_CLASSES_ROWS_MAX; i++)
		sp_buf_printf(&text, "%u,%u\n", i, i % SP_CLASSES_MAX);
	assert_int_equal(sp_classes_parse("l.csv", text.data, text.length, NULL, NULL, &errors), 0);
	sp_buf_text(&text, "x,1\ny,1\n");
	assert_int_equal(sp_classes_parse("l.csv", text.data, text.length, NULL, NULL, &errors), -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], "l.csv:20001: more than 20000 rows");
	sp_config_errors_free(&errors);
	errors = (struct sp_config_errors){0};
	sp_buf_reset(&text);
	for (unsigned i = 0; i < SP_CLASSES_MAX + 1; i++)
		sp_buf_printf(&text, "%u,c%u\n", i, i);
	assert_int_equal(sp_classes_parse("l.csv", text.data, text.length, NULL, NULL, &errors), -EINVAL);
	assert_string_equal(errors.lines[0], "l.csv:401: more than 400 classes");
	sp_config_errors_free(&errors);
	errors = (struct sp_config_errors){0};
	while (text.length <= SP_CLASSES_FILE_MAX)
		sp_buf_text(&text, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n");
	assert_int_equal(sp_classes_parse("l.csv", text.data, SP_CLASSES_FILE_MAX + 1, NULL, NULL, &errors),
			 -EINVAL);
	assert_string_equal(errors.lines[0], "l.csv: larger than 4 MiB: not a list of classes");
	sp_config_errors_free(&errors);
	sp_buf_free(&text);
}

static int find(const struct sp_classes *classes, int32_t year, const uint8_t *key, const char *pin)
{
	char text[SP_PSEUDONYM_LENGTH + 1];
	uint8_t person[16];
	sp_person_pseudonym(key, SP_PERSON_PIN, pin, strlen(pin), text);
	for (size_t i = 0; i < sizeof(person); i++) {
		unsigned byte;
		assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
		person[i] = (uint8_t)byte;
	}
	return sp_classes_find(classes, year, person);
}

static void persons_are_found_by_their_years_pseudonyms(void **state)
{
	(void)state;
	char path[] = "/tmp/sp-classes-XXXXXX";
	static const char list[] = "pin;class\n17;6B\n18;6A\n19;6B\n";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, list, sizeof(list) - 1), sizeof(list) - 1);
	struct sp_classes *classes = sp_classes_new(path);
	assert_int_equal(sp_classes_count(classes), 2);
	assert_string_equal(sp_classes_name(classes, 0), "6B");
	assert_string_equal(sp_classes_name(classes, 1), "6A");
	assert_int_equal(find(classes, 2026, key_2026, "17"), -1);
	sp_classes_year(classes, 2026, key_2026);
	assert_int_equal(find(classes, 2026, key_2026, "17"), 0);
	assert_int_equal(find(classes, 2026, key_2026, "18"), 1);
	assert_int_equal(find(classes, 2026, key_2026, "19"), 0);
	assert_int_equal(find(classes, 2026, key_2026, "20"), -1);
	assert_int_equal(find(classes, 2026, key_2025, "17"), -1);
	assert_int_equal(find(classes, 2025, key_2026, "17"), -1);
	// Another year: the list is read again; who left is gone, and no class changes its index.
	static const char later[] = "18;6A\n20;9C\n";
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, later, sizeof(later) - 1, 0), sizeof(later) - 1);
	sp_classes_year(classes, 2025, key_2025);
	assert_int_equal(find(classes, 2025, key_2025, "17"), -1);
	assert_int_equal(find(classes, 2025, key_2025, "18"), 1);
	assert_int_equal(find(classes, 2025, key_2025, "20"), 2);
	assert_int_equal(sp_classes_count(classes), 3);
	sp_classes_new_keys(classes);
	assert_int_equal(find(classes, 2025, key_2025, "18"), -1);
	sp_classes_year(classes, 2025, key_2026);
	assert_int_equal(find(classes, 2025, key_2026, "18"), 1);
	sp_classes_free(classes);
	close(fd);
	unlink(path);
	classes = sp_classes_new(path);
	sp_classes_year(classes, 2026, key_2026);
	assert_int_equal(sp_classes_count(classes), 0);
	assert_int_equal(find(classes, 2026, key_2026, "17"), -1);
	sp_classes_free(classes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_as_spreadsheets_write_them),
	    cmocka_unit_test(mistakes_have_a_line_and_no_number),
	    cmocka_unit_test(there_are_limits),
	    cmocka_unit_test(persons_are_found_by_their_years_pseudonyms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
