// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The lines between the agent and the process that tests: what is written is read again; what is out of range
// or no such line is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/speed/line.h"

static struct sp_speed_message message;
static struct sp_speed_tale tale;

static int read_again(struct sp_buf *line)
{
	assert_false(line->overflowed);
	assert_null(strchr(line->data, '\n'));
	int result = sp_speed_line_read(line->data, line->length, &message, &tale);
	sp_buf_free(line);
	return result;
}

static struct sp_speed_report report_new(void)
{
	struct sp_speed_report report = {.method = "librespeed",
					 .server = "anchor.example",
					 .address = "2001:db8::1",
					 .family = SP_FAMILY_IPV6,
					 .scope = "domestic",
					 .idle = {10, 0.001, 0.002, 0.003, 0.0005},
					 .wire_bytes = INT64_C(3000000000)};
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		struct sp_speed_result *result = &report.results[i];
		*result = (struct sp_speed_result){.outcome = SP_SPEED_PARTIAL,
						   .reason = "byte_limit",
						   .text = "nói bằng tiếng Việt",
						   .bytes = 125000000,
						   .duration_us = 10000000,
						   .warmup_us = 2000000,
						   .streams = 6,
						   .retransmit_ratio = i ? 0.01 : NAN,
						   .loaded = {7, 0.01, 0.02, 0.03, 0.004},
						   .curve_count = SP_SPEED_CURVE};
		for (int k = 0; k < SP_SPEED_CURVE; k++)
			result->curve[k] = 9.87654321e9 + k;
	}
	return report;
}

static void test_an_order_comes_through(void **state)
{
	(void)state;
	struct sp_speed_order order = {.wanted = {false, true}, .max_bytes = INT64_C(5000000000)}, out;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_order(&line, &order);
	assert_int_equal(sp_speed_line_read_order(line.data, line.length, &out), 0);
	sp_buf_free(&line);
	assert_false(out.wanted[SP_SPEED_DOWN] || out.unattended);
	assert_true(out.wanted[SP_SPEED_UP] && out.max_bytes == order.max_bytes);
	static const char *const bad[] = {"", "{}", "[]",
					  "{\"down\":true,\"up\":true,\"max_bytes\":-1,\"unattended\":true}",
					  "{\"down\":1,\"up\":true,\"max_bytes\":0,\"unattended\":true}"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_speed_line_read_order(bad[i], strlen(bad[i]), &out), -EBADMSG);
}

static void test_small_lines_come_through(void **state)
{
	(void)state;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_progress(&line, SP_SPEED_LOAD_DOWN, 0.25, 9.5e7, 123456);
	assert_int_equal(read_again(&line), 0);
	assert_int_equal(message.kind, SP_SPEED_LINE_PROGRESS);
	assert_int_equal(message.phase, SP_SPEED_LOAD_DOWN);
	assert_true(message.done == 0.25 && message.bps == 9.5e7 && message.cpu_us == 123456);
	line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_spent(&line, 987654321);
	assert_int_equal(read_again(&line), 0);
	assert_true(message.kind == SP_SPEED_LINE_SPENT && message.bytes == 987654321);
	line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_end(&line, false, "no such reason!", "a \"text\"\nof two lines");
	assert_int_equal(read_again(&line), 0);
	assert_true(message.kind == SP_SPEED_LINE_END && !message.ok);
	assert_string_equal(message.reason, "no_such_reason_");
	assert_string_equal(message.text, "a \"text\"\nof two lines");
}

static void test_a_report_comes_through(void **state)
{
	(void)state;
	struct sp_speed_report report = report_new();
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_report(&line, &report);
	assert_int_equal(read_again(&line), 0);
	assert_int_equal(message.kind, SP_SPEED_LINE_REPORT);
	assert_string_equal(tale.report.method, "librespeed");
	assert_string_equal(tale.report.server, "anchor.example");
	assert_string_equal(tale.report.address, "2001:db8::1");
	assert_string_equal(tale.report.scope, "domestic");
	assert_int_equal(tale.report.family, SP_FAMILY_IPV6);
	assert_true(tale.report.wire_bytes == report.wire_bytes);
	assert_memory_equal(&tale.report.idle, &report.idle, sizeof(report.idle));
	const struct sp_speed_result *up = &tale.report.results[SP_SPEED_UP];
	assert_int_equal(up->outcome, SP_SPEED_PARTIAL);
	assert_string_equal(up->reason, "byte_limit");
	assert_string_equal(up->text, "nói bằng tiếng Việt");
	assert_true(up->bytes == 125000000 && up->duration_us == 10000000 && up->warmup_us == 2000000);
	assert_true(up->streams == 6 && up->retransmit_ratio == 0.01 && up->curve_count == SP_SPEED_CURVE);
	assert_true(up->loaded.count == 7 && up->loaded.p95 == 0.03);
	assert_true(up->curve[59] == floor(9.87654321e9 + 59));
	assert_true(isnan(tale.report.results[SP_SPEED_DOWN].retransmit_ratio));
}

static void test_what_is_missing_stays_missing(void **state)
{
	(void)state;
	struct sp_speed_report report = {.method = "ndt7"};
	report.results[0].retransmit_ratio = report.results[1].retransmit_ratio = NAN;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_report(&line, &report);
	assert_int_equal(read_again(&line), 0);
	assert_null(tale.report.server);
	assert_null(tale.report.address);
	assert_true(tale.report.idle.count == 0 && tale.report.results[0].curve_count == 0);
	assert_int_equal(tale.report.results[0].outcome, SP_SPEED_NOT_DONE);
}

static void test_texts_of_any_length_are_cut_between_characters(void **state)
{
	(void)state;
	char text[1024] = "";
	for (size_t i = 0; i + 3 < sizeof(text); i += 2)
		strcpy(text + i, &"ệ"[1]); // not even UTF-8
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_end(&line, false, "child", text);
	assert_int_equal(read_again(&line), 0);
	memset(text, 0, sizeof(text));
	text[0] = 'a';
	for (size_t i = 1; i + 4 < sizeof(text); i += 3)
		strcpy(text + i, "ệ");
	char json[1200];
	int length = snprintf(json, sizeof(json),
			      "{\"is\":\"end\",\"ok\":false,\"reason\":\"x\",\"text\":\"%s\"}", text);
	assert_int_equal(sp_speed_line_read(json, (size_t)length, &message, &tale), 0);
	assert_int_equal(strlen(message.text), 256); // one letter, and 85 of three bytes
}

static void test_bad_lines_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "progress",
	    "[]",
	    "{}",
	    "{\"is\":\"started\"}",
	    "{\"is\":\"spent\"}",
	    "{\"is\":\"spent\",\"bytes\":-1}",
	    "{\"is\":\"spent\",\"bytes\":1e300}",
	    "{\"is\":\"spent\",\"bytes\":\"1\"}",
	    "{\"is\":\"spent\",\"bytes\":1} {}",
	    "{\"is\":\"progress\",\"phase\":4,\"done\":0,\"bps\":0,\"cpu_us\":0}",
	    "{\"is\":\"progress\",\"phase\":1,\"done\":1.5,\"bps\":0,\"cpu_us\":0}",
	    "{\"is\":\"progress\",\"phase\":1,\"done\":0,\"bps\":1e15,\"cpu_us\":0}",
	    "{\"is\":\"end\",\"ok\":0,\"reason\":\"\",\"text\":\"\"}",
	    "{\"is\":\"end\",\"ok\":true}",
	    "{\"is\":\"report\"}",
	};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_speed_line_read(bad[i], strlen(bad[i]), &message, &tale), -EBADMSG);
	// Every report that is out of range somewhere.
	struct sp_speed_report reports[] = {report_new(), report_new(), report_new(), report_new(),
					    report_new()};
	reports[0].results[0].bytes = -1;
	reports[1].results[1].retransmit_ratio = 1.5;
	reports[2].idle.median = -1;
	reports[3].wire_bytes = INT64_MAX;
	reports[4].results[0].outcome = (enum sp_speed_outcome)7;
	for (size_t i = 0; i < SP_COUNT(reports); i++) {
		struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
		sp_speed_line_report(&line, &reports[i]);
		assert_int_equal(read_again(&line), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_order_comes_through),
	    cmocka_unit_test(test_small_lines_come_through),
	    cmocka_unit_test(test_a_report_comes_through),
	    cmocka_unit_test(test_what_is_missing_stays_missing),
	    cmocka_unit_test(test_texts_of_any_length_are_cut_between_characters),
	    cmocka_unit_test(test_bad_lines_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
