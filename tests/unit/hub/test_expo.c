// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The two text formats to the letter, and which of them an Accept header asks for. That others read them is
// checked with theirs, in tests/system/test_metrics.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tools/hub/ops/counters.h"
#include "tools/hub/ops/expo.h"

static void accept_is_weighed(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		enum sp_expo_format format;
	} cases[] = {
	    {NULL, SP_EXPO_CLASSIC},
	    {"", SP_EXPO_CLASSIC},
	    {"*/*", SP_EXPO_CLASSIC},
	    {"text/html,application/xhtml+xml,*/*;q=0.8", SP_EXPO_CLASSIC},
	    {"text/plain", SP_EXPO_CLASSIC},
	    {"application/openmetrics-text", SP_EXPO_OPENMETRICS},
	    {"APPLICATION/OpenMetrics-Text; version=1.0.0", SP_EXPO_OPENMETRICS},
	    {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
	     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	     SP_EXPO_OPENMETRICS},
	    {"application/openmetrics-text;q=0.4,text/plain;q=0.5", SP_EXPO_CLASSIC},
	    {"application/openmetrics-text; q=0.455,text/plain;q=0.450", SP_EXPO_OPENMETRICS},
	    {"application/openmetrics-text;q=0", SP_EXPO_CLASSIC},
	    {"application/openmetrics-text;q=0.000", SP_EXPO_CLASSIC},
	    {"application/openmetrics-texts", SP_EXPO_CLASSIC},
	    {"text/plain;q=,application/openmetrics-text;q=", SP_EXPO_OPENMETRICS},
	    {";;;,,,q=1;", SP_EXPO_CLASSIC},
	    {"application/openmetrics-text;q=0.99999999999999999999", SP_EXPO_OPENMETRICS},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		if (sp_expo_accepted(cases[i].accept) != cases[i].format)
			fail_msg("%s", cases[i].accept ? cases[i].accept : "no header");
	}
}

static void labels_hold_any_text(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(1024);
	sp_expo_label(&out, "school", "Tiểu học \"số 1\"\\\n");
	sp_expo_label(&out, "site", "a\xff\xc3{}=,");
	sp_expo_label(&out, "line", "");
	assert_string_equal(out.data,
			    "school=\"Tiểu học \\\"số 1\\\"\\\\\\n\",site=\"a\xef\xbf\xbd\xef\xbf\xbd{}=,"
			    "\",line=\"\"");
	sp_buf_free(&out);
}

static void write_all(struct sp_buf *out, enum sp_expo_format format)
{
	static const struct sp_expo_family counter = {SP_EXPO_COUNTER, "x_seen", NULL, "What \"was\"\nseen."};
	static const struct sp_expo_family info = {SP_EXPO_INFO, "x_build", NULL, "It."};
	static const struct sp_expo_family histogram = {SP_EXPO_HISTOGRAM, "x_time_seconds", "seconds",
							"How long."};
	static const double bounds[] = {0.5, 1, 2.5e6};
	sp_expo_head(out, format, &counter);
	sp_expo_int(out, &counter, "kind=\"a\"", INT64_MAX);
	sp_expo_created(out, format, &counter, "kind=\"a\"", 1234005);
	sp_expo_head(out, format, &info);
	sp_expo_int(out, &info, "version=\"1\"", 1);
	sp_expo_head(out, format, &histogram);
	sp_expo_histogram(out, &histogram, "", bounds, 3, (const int64_t[]){1, 0, 2, 4}, 1.25);
	sp_expo_end(out, format);
}

static void openmetrics_to_the_letter(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(4096);
	write_all(&out, SP_EXPO_OPENMETRICS);
	assert_string_equal(out.data, "# HELP x_seen What \\\"was\\\"\\nseen.\n"
				      "# TYPE x_seen counter\n"
				      "x_seen_total{kind=\"a\"} 9223372036854775807\n"
				      "x_seen_created{kind=\"a\"} 1234.005\n"
				      "# HELP x_build It.\n"
				      "# TYPE x_build info\n"
				      "x_build_info{version=\"1\"} 1\n"
				      "# HELP x_time_seconds How long.\n"
				      "# TYPE x_time_seconds histogram\n"
				      "# UNIT x_time_seconds seconds\n"
				      "x_time_seconds_bucket{le=\"0.5\"} 1\n"
				      "x_time_seconds_bucket{le=\"1.0\"} 1\n"
				      "x_time_seconds_bucket{le=\"2500000.0\"} 3\n"
				      "x_time_seconds_bucket{le=\"+Inf\"} 7\n"
				      "x_time_seconds_count 7\n"
				      "x_time_seconds_sum 1.25\n"
				      "# EOF\n");
	sp_buf_free(&out);
}

static void classic_to_the_letter(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(4096);
	write_all(&out, SP_EXPO_CLASSIC);
	assert_non_null(strstr(out.data, "# HELP x_seen_total What \"was\"\\nseen.\n"
					 "# TYPE x_seen_total counter\n"
					 "x_seen_total{kind=\"a\"} 9223372036854775807\n"
					 "# HELP x_build_info It.\n"
					 "# TYPE x_build_info gauge\n"));
	assert_null(strstr(out.data, "UNIT"));
	assert_null(strstr(out.data, "_created"));
	assert_null(strstr(out.data, "EOF"));
	sp_buf_free(&out);
}

static void what_was_counted_is_told(void **state)
{
	(void)state;
	struct sp_buf out = SP_BUF(64 * 1024);
	sp_counters_expose(&out, SP_EXPO_OPENMETRICS);
	assert_int_equal(out.length, 0); // nobody counts here
	sp_counters_start(1000);
	sp_counters_start(2000); // as of the first
	sp_count_message(SP_COUNT_BULK);
	sp_count_fault(2, "malformed");
	sp_count_fault(99, "beyond");
	sp_count_batch(0, 20, 1500);
	sp_count_batch(1, 20, -1);
	sp_count_batch(99, 20, 0);
	sp_count_commit(4000, 5000);
	sp_count_store_error();
	sp_count_queue(7, 700);
	sp_count_connected("lao-cai", false, true);
	sp_count_connected("lao-cai", false, true);
	sp_count_connected("lao-cai", false, false);
	sp_count_connected("lao-cai", true, true);
	sp_count_batch(4, 7, -1);
	sp_count_lease("ha-noi", false);
	sp_count_lease("ha-noi", true);
	sp_counters_expose(&out, SP_EXPO_OPENMETRICS);
	static const char *const lines[] = {
	    "\nschoolpulse_ingest_messages_total{kind=\"bulk\"} 1\n",
	    "\nschoolpulse_ingest_messages_created{kind=\"bulk\"} 1.000\n",
	    "\nschoolpulse_ingest_set_aside_total{fault=\"malformed\"} 1\n",
	    "\nschoolpulse_ingest_events_total{verdict=\"stored\"} 20\n",
	    "\nschoolpulse_ingest_events_total{verdict=\"duplicate\"} 20\n",
	    "\nschoolpulse_ingest_publish_to_commit_seconds_bucket{le=\"1.0\"} 0\n",
	    "\nschoolpulse_ingest_publish_to_commit_seconds_bucket{le=\"2.0\"} 1\n",
	    "\nschoolpulse_ingest_publish_to_commit_seconds_count 1\n",
	    "\nschoolpulse_ingest_publish_to_commit_seconds_sum 1.5\n",
	    "\nschoolpulse_ingest_commit_duration_seconds_bucket{le=\"0.0025\"} 0\n",
	    "\nschoolpulse_ingest_commit_duration_seconds_bucket{le=\"0.005\"} 1\n",
	    "\nschoolpulse_ingest_store_failing 1\n",
	    "\nschoolpulse_ingest_queue_bytes 700\n",
	    "\nschoolpulse_ingest_last_commit_timestamp_seconds 5.000\n",
	    "\nschoolpulse_ingest_connected{shard=\"lao-cai\",session=\"facts\"} 0\n",
	    "\nschoolpulse_ingest_connects_total{shard=\"lao-cai\",session=\"facts\"} 1\n",
	    "\nschoolpulse_ingest_connection_losses_total{shard=\"lao-cai\",session=\"facts\"} 1\n",
	    "\nschoolpulse_ingest_connected{shard=\"lao-cai\",session=\"samples\"} 1\n",
	    "\nschoolpulse_ingest_events_total{verdict=\"foreign\"} 7\n",
	    "\nschoolpulse_ingest_lease{shard=\"ha-noi\"} 1\n",
	};
	for (size_t i = 0; i < SP_COUNT(lines); i++) {
		if (!strstr(out.data, lines[i]))
			fail_msg("missing:%sin\n%s", lines[i], out.data);
	}
	assert_null(strstr(out.data, "beyond"));
	assert_null(strstr(out.data, "lease{shard=\"lao-cai\"}"));
	sp_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accept_is_weighed),         cmocka_unit_test(labels_hold_any_text),
	    cmocka_unit_test(openmetrics_to_the_letter), cmocka_unit_test(classic_to_the_letter),
	    cmocka_unit_test(what_was_counted_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
