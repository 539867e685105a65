// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The log: one clean line per event, repeats counted on a virtual clock.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "schoolpulse/clock.h"

static char *text; ///< what was logged
static size_t length;
static FILE *stream;
static int64_t virtual_us;

static void read_virtual(void *arg, struct sp_clock_reading *out)
{
	out->mono_us = *(int64_t *)arg;
	errno = EIO; // anything that a log line does inside may change it
}

static int open_log(void **state)
{
	(void)state;
	static const struct sp_clock_source source = {.read = read_virtual, .arg = &virtual_us};
	virtual_us = 1000000;
	sp_clock_set_source(&source);
	stream = open_memstream(&text, &length);
	if (!stream || fflush(stream) != 0) // which sets both
		return -1;
	sp_log_setup(SP_LOG_INFO, false, stream);
	return 0;
}

static int close_log(void **state)
{
	(void)state;
	sp_log_setup(SP_LOG_INFO, false, NULL);
	sp_clock_set_source(NULL);
	fclose(stream);
	free(text);
	return 0;
}

static unsigned lines_from(size_t mark)
{
	unsigned count = 0;
	for (const char *at = text + mark; (at = strchr(at, '\n')) != NULL; at++)
		count++;
	return count;
}

static void a_line_is_level_module_text(void **state)
{
	(void)state;
	sp_err("journal", "disk full on %s", "/data");
	sp_warning("publisher", "refused");
	sp_notice("main", "started");
	sp_info("main", "đường truyền 1 lên");
	sp_debug("main", "not shown");
	assert_string_equal(text, "error journal: disk full on /data\n"
				  "warning publisher: refused\n"
				  "notice main: started\n"
				  "info main: đường truyền 1 lên\n");
}

static void journald_gets_its_prefix(void **state)
{
	(void)state;
	sp_log_setup(SP_LOG_DEBUG, true, stream);
	sp_err("journal", "disk full");
	sp_debug("main", "shown");
	assert_string_equal(text, "<3>error journal: disk full\n<7>debug main: shown\n");
}

static void hostile_bytes_forge_no_line(void **state)
{
	(void)state;
	sp_info("http", "GET /%s", "a\nerror main: forged\r\x1b[2J\x7f\t\xc2\x85\xff\xe2\x80\xae");
	assert_string_equal(text, "info http: GET /a\\x0aerror main: forged\\x0d\\x1b[2J\\x7f\\x09"
				  "\\xc2\\x85\\xff\\xe2\\x80\\xae\n");
}

static void a_long_line_is_cut_at_a_character(void **state)
{
	(void)state;
	static const char *const fills[] = {"ữ", "x", "\x01", "đ"};
	for (size_t i = 0; i < SP_COUNT(fills); i++) {
		char many[4096] = "";
		for (size_t at = 0; at + strlen(fills[i]) < sizeof(many); at += strlen(fills[i]))
			memcpy(many + at, fills[i], strlen(fills[i]) + 1);
		size_t mark = length;
		sp_info("http", "%s", many);
		size_t line = length - mark;
		assert_true(line <= 513 && line >= 500);
		assert_int_equal(lines_from(mark), 1);
		assert_string_equal(text + length - 4, "…\n");
		assert_int_equal((line - 4 - strlen("info http: ")) % (*fills[i] == 1 ? 4 : strlen(fills[i])),
				 0);
	}
}

static void repeats_are_counted_not_written(void **state)
{
	(void)state;
	for (int second = 0; second < 42; second++) {
		sp_warning("publisher", "no broker");
		virtual_us += 1000000;
	}
	assert_string_equal(text, "warning publisher: no broker\n");
	virtual_us += 120 * INT64_C(1000000);
	size_t mark = length;
	sp_info("main", "something else"); // the other line has ceased
	assert_string_equal(text + mark, "warning publisher: no broker (repeated 41 times)\n"
					 "info main: something else\n");
}

static void a_line_that_goes_on_is_told_once_a_minute(void **state)
{
	(void)state;
	for (int second = 0; second < 600; second++) {
		sp_warning("publisher", "no broker");
		sp_info("reach", "anchor %s silent", "192.0.2.1"); // two that alternate are both held back
		virtual_us += 1000000;
	}
	assert_int_equal(lines_from(0), 20);
	assert_non_null(strstr(text, "warning publisher: no broker (repeated 60 times)\n"));
	size_t mark = length;
	sp_log_flush();
	assert_non_null(strstr(text + mark, "warning publisher: no broker (repeated 59 times)\n"));
	assert_non_null(strstr(text + mark, "info reach: anchor 192.0.2.1 silent (repeated 59 times)\n"));
}

static void a_line_alone_in_its_window_is_just_written(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		sp_info("main", "hourly");
		virtual_us += 3600 * INT64_C(1000000);
	}
	assert_string_equal(text, "info main: hourly\ninfo main: hourly\ninfo main: hourly\n");
}

static void the_same_words_at_another_level_are_another_line(void **state)
{
	(void)state;
	sp_info("main", "x");
	sp_err("main", "x");
	sp_info("core", "x");
	assert_int_equal(lines_from(0), 3);
}

static void many_different_lines_lose_no_count(void **state)
{
	(void)state;
	enum { LINES = 500, TIMES = 3 };
	for (int i = 0; i < LINES; i++)
		for (int j = 0; j < TIMES; j++)
			sp_info("main", "line %d", i);
	sp_log_flush();
	unsigned total = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		const char *repeated = strstr(line, "(repeated ");
		total += repeated ? (unsigned)atoi(repeated + strlen("(repeated ")) : 1;
	}
	assert_int_equal(total, LINES * TIMES);
}

static void a_clock_set_back_holds_nothing_back(void **state)
{
	(void)state;
	sp_info("main", "x");
	virtual_us -= 500000;
	sp_info("main", "x");
	assert_int_equal(lines_from(0), 2);
}

static void errno_survives(void **state)
{
	(void)state;
	errno = ENOSPC;
	sp_err("journal", "x");
	assert_int_equal(errno, ENOSPC);
}

static void levels_are_parsed(void **state)
{
	(void)state;
	assert_int_equal(sp_log_level_parse("error"), SP_LOG_ERR);
	assert_int_equal(sp_log_level_parse("warning"), SP_LOG_WARNING);
	assert_int_equal(sp_log_level_parse("notice"), SP_LOG_NOTICE);
	assert_int_equal(sp_log_level_parse("info"), SP_LOG_INFO);
	assert_int_equal(sp_log_level_parse("debug"), SP_LOG_DEBUG);
	assert_int_equal(sp_log_level_parse("Info"), -EINVAL);
	assert_int_equal(sp_log_level_parse(""), -EINVAL);
}

static void journald_is_known_by_its_stream(void **state)
{
	(void)state;
	struct stat where;
	char value[64];
	assert_int_equal(fstat(STDERR_FILENO, &where), 0);
	unsetenv("JOURNAL_STREAM");
	assert_false(sp_log_wants_sd_prefix());
	snprintf(value, sizeof(value), "%llu:%llu", (unsigned long long)where.st_dev,
		 (unsigned long long)where.st_ino);
	setenv("JOURNAL_STREAM", value, 1);
	assert_true(sp_log_wants_sd_prefix());
	snprintf(value, sizeof(value), "%llu:%llu", (unsigned long long)where.st_dev,
		 (unsigned long long)where.st_ino + 1);
	setenv("JOURNAL_STREAM", value, 1); // inherited, but stderr went elsewhere since
	assert_false(sp_log_wants_sd_prefix());
	setenv("JOURNAL_STREAM", "rubbish", 1);
	assert_false(sp_log_wants_sd_prefix());
	unsetenv("JOURNAL_STREAM");
}

enum { THREADS = 4, EACH = 300 };

static void *log_much(void *arg)
{
	for (int i = 0; i < EACH; i++)
		sp_info("thread", "%d says %d and then some more words", *(int *)arg, i);
	return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	int numbers[THREADS];
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	int next[THREADS] = {0}, thread, number, end;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		end = 0;
		assert_int_equal(sscanf(line, "info thread: %d says %d and then some more words%n", &thread,
					&number, &end),
				 2);
		assert_int_equal(line[end], '\0');
		assert_int_equal(next[thread]++, number);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], EACH);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LOG_TEST(a_line_is_level_module_text),
	    LOG_TEST(journald_gets_its_prefix),
	    LOG_TEST(hostile_bytes_forge_no_line),
	    LOG_TEST(a_long_line_is_cut_at_a_character),
	    LOG_TEST(repeats_are_counted_not_written),
	    LOG_TEST(a_line_that_goes_on_is_told_once_a_minute),
	    LOG_TEST(a_line_alone_in_its_window_is_just_written),
	    LOG_TEST(the_same_words_at_another_level_are_another_line),
	    LOG_TEST(many_different_lines_lose_no_count),
	    LOG_TEST(a_clock_set_back_holds_nothing_back),
	    LOG_TEST(errno_survives),
	    cmocka_unit_test(levels_are_parsed),
	    cmocka_unit_test(journald_is_known_by_its_stream),
	    LOG_TEST(threads_do_not_mix_their_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
