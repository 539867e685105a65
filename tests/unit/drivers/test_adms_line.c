// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines of ATTLOG and OPERLOG as terminals send them, in pieces cut anywhere, and what must never come out.
#include "drivers/kiosk/adms_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct seen {
	char text[4096]; ///< "pin@local_s/status/verify;"
	size_t length, count;
};

static void on_punch(const struct sp_adms_punch *punch, void *arg)
{
	struct seen *seen = arg;
	seen->count++;
	seen->length += (size_t)snprintf(seen->text + seen->length, sizeof(seen->text) - seen->length,
					 "%.*s@%s%lld/%u/%u;", (int)punch->pin_length, punch->pin,
					 punch->epoch ? "e" : "", (long long)punch->local_s, punch->status,
					 punch->verify);
	assert_true(seen->length < sizeof(seen->text));
}

static void on_operation(const struct sp_adms_operation *operation, void *arg)
{
	struct seen *seen = arg;
	seen->count++;
	seen->length +=
	    (size_t)snprintf(seen->text + seen->length, sizeof(seen->text) - seen->length, "%u@%lld/%u;",
			     operation->code, (long long)operation->local_s, operation->object);
	assert_true(seen->length < sizeof(seen->text));
}

static struct sp_adms_lines read_in(const char *body, size_t length, size_t step, bool attlog,
				    struct seen *seen)
{
	struct sp_adms_lines lines;
	*seen = (struct seen){.length = 0};
	sp_adms_lines_begin(&lines, attlog ? on_punch : NULL, attlog ? NULL : on_operation, seen);
	for (size_t at = 0; at < length; at += step)
		sp_adms_lines_piece(&lines, (const uint8_t *)body + at,
				    step < length - at ? step : length - at);
	sp_adms_lines_end(&lines);
	return lines;
}

/// However the body is cut.
static void attlog_bytes(const char *body, size_t length, const char *expected, int64_t count,
			 int64_t malformed)
{
	for (size_t step = 1; step <= length; step++) {
		struct seen seen;
		struct sp_adms_lines lines = read_in(body, length, step, true, &seen);
		assert_string_equal(seen.text, expected);
		assert_int_equal(lines.count, count);
		assert_int_equal(lines.malformed, malformed);
	}
}

static void attlog(const char *body, const char *expected, int64_t count, int64_t malformed)
{
	attlog_bytes(body, strlen(body), expected, count, malformed);
}

static void operlog(const char *body, const char *expected, int64_t count)
{
	for (size_t step = 1; step <= strlen(body); step++) {
		struct seen seen;
		assert_int_equal(read_in(body, strlen(body), step, false, &seen).count, count);
		assert_string_equal(seen.text, expected);
	}
}

static void recorded_lines(void **state)
{
	(void)state;
	attlog("1156\t2024-08-05 12:40:57\t1\t1\t\t0\t0\t\n", "1156@1722861657/1/1;", 1, 0);
	attlog("3\t2023-10-16 08:38:16\t255\t15\t0\t0\t0\t255\t0\t0\t", "3@1697445496/255/15;", 1, 0);
	attlog("1001\t2026-06-19 14:30:15\t0\t1\t0\t0\t0", "1001@1781879415/0/1;", 1, 0);
	attlog("7\t2026-06-19 09:15:00", "7@1781860500/255/255;", 1, 0);
	attlog("5\tnot-a-date\t0\t1", "", 1, 1);
}

static void a_batch_goes_on_behind_a_bad_line(void **state)
{
	(void)state;
	attlog("1\t2026-06-19 09:15:00\t0\t1\n5\tnot-a-date\t0\t1\n0017\t2026-06-19 09:15:01\t1\t4\n",
	       "1@1781860500/0/1;0017@1781860501/1/4;", 3, 1);
	attlog("no tab at all\n\t2026-06-19 09:15:00\n1\t\n2\t2026-02-30 09:15:00\n", "", 4, 4);
}

static void line_ends_headings_and_blanks(void **state)
{
	(void)state;
	attlog("TABLE=ATTLOG\r\n1\t2026-06-19 09:15:00\r\n\r\n\n        2\t2026-06-19T09:15:00\t 0 \r\n",
	       "1@1781860500/255/255;2@1781860500/0/255;", 2, 0);
	attlog("\n\r\n\n", "", 0, 0);
	// A person whose number looks like a heading is still a record.
	attlog("TABLE=9\t2026-06-19 09:15:00\n", "TABLE=9@1781860500/255/255;", 1, 0);
}

static void the_us_variant_and_integers(void **state)
{
	(void)state;
	attlog("9\t2026-06-19 09:15:00\t5\t200\t0\t0\t0\t8\t9\t10\t11\t12\t13\t14\t15\t16\n",
	       "9@1781860500/5/200;", 1, 0);
	attlog("9\t1722836457\t5\t200\n", "9@e1722836457/5/200;", 1, 0);
	attlog("9\t123\t5\t200\n", "", 1, 1);
	attlog("9\t2026-06-19 09:15:00\tin\t-1\n8\t2026-06-19 09:15:00\t256\t99999999999999999999\n",
	       "9@1781860500/255/255;8@1781860500/255/255;", 2, 0);
}

static void binary_in_text_fields(void **state)
{
	(void)state;
	static const char nul[] = "1\0002\t2026-06-19 09:15:00\t0\t1\n7\t2026-06-19 09:15:00\t0\t1\n";
	attlog_bytes(nul, sizeof(nul) - 1, "7@1781860500/0/1;", 2, 1);
	static const char bytes[] =
	    "\x01\xff\t\xfe\n\x80\x81\t2026-06-19 09:15:00\n1 2\t2026-06-19 09:15:00\n";
	attlog_bytes(bytes, sizeof(bytes) - 1, "\x80\x81@1781860500/255/255;", 3, 2);
}

static void lines_longer_than_anything(void **state)
{
	(void)state;
	enum { LONG = 100000 };
	char *body = malloc(3 * LONG);
	assert_non_null(body);
	// Behind the fourth field anything may follow; before it, it is no record.
	int head = sprintf(body, "1\t2026-06-19 09:15:00\t0\t1\t");
	memset(body + head, 'x', LONG);
	strcpy(body + head + LONG, "\n2\t2026-06-19 09:15:00\t0\t1\n");
	size_t length = strlen(body);
	memset(body + length, '9', LONG);
	strcpy(body + length + LONG, "\t2026-06-19 09:15:00\n");
	struct seen seen;
	struct sp_adms_lines lines = read_in(body, strlen(body), 1400, true, &seen);
	assert_string_equal(seen.text, "1@1781860500/0/1;2@1781860500/0/1;");
	assert_int_equal(lines.count, 3);
	assert_int_equal(lines.malformed, 1);
	char pin[128];
	memset(pin, '9', sizeof(pin));
	strcpy(pin + SP_ADMS_PIN_MAX, "\t2026-06-19 09:15:00");
	lines = read_in(pin, strlen(pin), 10, true, &seen);
	assert_int_equal(lines.malformed, 0);
	memset(pin, '9', sizeof(pin));
	strcpy(pin + SP_ADMS_PIN_MAX + 1, "\t2026-06-19 09:15:00");
	lines = read_in(pin, strlen(pin), 10, true, &seen);
	assert_int_equal(lines.malformed, 1);
	free(body);
}

static void nothing_private_stays_in_memory(void **state)
{
	(void)state;
	static const char body[] = "1\t2026-06-19 09:15:00\t0\t1\t\t0\t0\tMASK\t36.6\tCANARY\n";
	static const char oper[] = "USER PIN=1\tName=CANARY\tPasswd=CANARY\tCard=CANARY\n";
	struct seen seen;
	struct sp_adms_lines lines;
	for (int attendance = 0; attendance < 2; attendance++) {
		const char *text = attendance ? body : oper;
		sp_adms_lines_begin(&lines, attendance ? on_punch : NULL, attendance ? NULL : on_operation,
				    &seen);
		for (const char *c = text; *c; c++) {
			seen = (struct seen){.length = 0};
			sp_adms_lines_piece(&lines, (const uint8_t *)c, 1);
			assert_null(memmem(&lines, sizeof(lines), "CAN", 3));
			assert_null(memmem(&lines, sizeof(lines), "36.", 3));
			assert_null(memmem(&lines, sizeof(lines), "MAS", 3));
		}
	}
	// And of what was a line, nothing is left.
	sp_adms_lines_begin(&lines, on_punch, NULL, &seen);
	sp_adms_lines_piece(&lines, (const uint8_t *)"CANARY\t2026", 11);
	sp_adms_lines_wipe(&lines);
	assert_null(memmem(&lines, sizeof(lines), "CAN", 3));
}

static void of_operations_only_the_terminals_own(void **state)
{
	(void)state;
	operlog("OPLOG 0\t0\t2026-06-19 09:15:00\t0\t0\t0\t0\n"
		"USER PIN=1\tName=\xd5\xc5\xc8\xfd\tPri=0\tPasswd=\tCard=[aabbccdd]\tGrp=1\n"
		"FP PIN=1\tFID=0\tSize=8\tValid=1\tTMP=AAECAwQF\n"
		"FACE PIN=1\tFID=0\nUSERPIC PIN=1\nBIOPHOTO PIN=1\n"
		"oplog\t3\t7\t2026-06-19 09:15:01\t55\t0\t0\t0\r\n",
		"0@1781860500/0;3@1781860501/55;", 7);
	operlog("OPLOG 3\t0\t55\t0\t2026-06-19 09:15:00", "3@1781860500/0;", 1);
	operlog("OPLOG 21\t0\tnever\nOPLOG\nOPLOG x\t0\t2026-06-19 09:15:00\nOPLOG 70000\t0\t2026-06-19 "
		"09:15:00\n",
		"", 4);
	operlog("TABLE=OPERLOG\nOPLOG 21\t0\t2026-06-19 09:15:00\n", "21@1781860500/0;", 1);
}

static void other_tables_are_but_counted(void **state)
{
	(void)state;
	struct sp_adms_lines lines;
	sp_adms_lines_begin(&lines, NULL, NULL, NULL);
	static const char body[] = "BIODATA Pin=1\tNo=0\nIDCARD PIN=1\tName=x\n";
	sp_adms_lines_piece(&lines, (const uint8_t *)body, sizeof(body) - 1);
	sp_adms_lines_end(&lines);
	assert_int_equal(lines.count, 2);
	assert_int_equal(lines.malformed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(recorded_lines),
	    cmocka_unit_test(a_batch_goes_on_behind_a_bad_line),
	    cmocka_unit_test(line_ends_headings_and_blanks),
	    cmocka_unit_test(the_us_variant_and_integers),
	    cmocka_unit_test(binary_in_text_fields),
	    cmocka_unit_test(lines_longer_than_anything),
	    cmocka_unit_test(nothing_private_stays_in_memory),
	    cmocka_unit_test(of_operations_only_the_terminals_own),
	    cmocka_unit_test(other_tables_are_but_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
