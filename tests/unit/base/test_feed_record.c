// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Records and batches as the agent writes them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/feed_json.h"
#include "agent/base/mem.h"

static const struct sp_clock_reading synced = {
    .mono_us = 81234567, .synced = true, .wall_ms = 1795226102000, .err_ms = 15};
static const struct sp_clock_reading unsynced = {.mono_us = 7, .wall_ms = 1795226102000, .err_ms = 15};

static void a_record_says_when_and_of_what(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(4096);
	struct sp_field fields[] = {SP_TEXT("state", "down"), SP_NULL("cause")};
	assert_int_equal(sp_feed_record(&out, "line", "chính", &synced, fields, 2), 0);
	assert_string_equal(out.data,
			    "{\"type\":\"line\",\"device\":\"chính\",\"mono_us\":81234567,"
			    "\"t_ms\":1795226102000,\"err_ms\":15,\"state\":\"down\",\"cause\":null}");
	sp_buf_reset(&out);
	assert_int_equal(sp_feed_record(&out, "stop", NULL, &unsynced, NULL, 0), 0);
	assert_string_equal(out.data, "{\"type\":\"stop\",\"mono_us\":7}");
	sp_buf_free(&out);
}

static void a_refused_record_leaves_no_trace(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(SP_FEED_RECORD_MAX * 2);
	struct sp_field field = SP_TEXT("text", "before");
	assert_int_equal(sp_feed_record(&out, "storage", NULL, &synced, &field, 1), 0);
	char *before = sp_strdup(out.data);

	struct sp_field wrong[] = {SP_INT("n", SP_JSON_INT_MAX + 1), SP_INT(NULL, 1), SP_INT("seq", 1),
				   SP_TEXT("device", "x"), SP_INT("err_ms", 1)};
	for (size_t i = 0; i < SP_COUNT(wrong); i++)
		assert_int_equal(sp_feed_record(&out, "storage", NULL, &synced, &wrong[i], 1), -EINVAL);
	static const char *const types[] = {"", "Storage", "a-b", "line1",
					    "abcdefghijklmnopqrstuvwxyzabcdefg"};
	for (size_t i = 0; i < SP_COUNT(types); i++)
		assert_int_equal(sp_feed_record(&out, types[i], NULL, &synced, NULL, 0), -EINVAL);
	char *large = sp_alloc(SP_FEED_RECORD_MAX + 1);
	memset(large, 'x', SP_FEED_RECORD_MAX);
	struct sp_field text = SP_TEXT("text", large);
	assert_int_equal(sp_feed_record(&out, "storage", NULL, &synced, &text, 1), -EMSGSIZE);
	assert_string_equal(out.data, before);
	assert_false(out.overflowed);

	struct sp_buf small = SP_BUF(10);
	assert_int_equal(sp_feed_record(&small, "storage", NULL, &synced, NULL, 0), -EMSGSIZE);
	assert_int_equal(small.length, 0);
	assert_false(small.overflowed);
	sp_buf_free(&small);
	sp_buf_free(&out);
	free(before);
	free(large);
}

static void a_batch_splices_the_seqs_in(void **state)
{
	(void)state;
	struct sp_buf batch = SP_BUF(4096);
	sp_feed_batch_add(&batch, 41, "{\"type\":\"stop\",\"mono_us\":7}");
	sp_feed_batch_add(&batch, 42, "{\"type\":\"boot\",\"mono_us\":8}");
	sp_buf_text(&batch, "]");
	assert_string_equal(batch.data, "[{\"seq\":41,\"type\":\"stop\",\"mono_us\":7},"
					"{\"seq\":42,\"type\":\"boot\",\"mono_us\":8}]");
	sp_buf_free(&batch);
}

static void classes_have_names(void **state)
{
	(void)state;
	assert_string_equal(sp_record_class_name(SP_RECORD_FACTS), "facts");
	assert_string_equal(sp_record_class_name(SP_RECORD_ATTENDANCE), "attendance");
	assert_string_equal(sp_record_class_name(SP_RECORD_BULK), "bulk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_says_when_and_of_what),
	    cmocka_unit_test(a_refused_record_leaves_no_trace),
	    cmocka_unit_test(a_batch_splices_the_seqs_in),
	    cmocka_unit_test(classes_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
