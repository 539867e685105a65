// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines as the journal sees them: doors as facts, two uplinks behind one router, silences and parts in
// records.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/lines.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

static const char boot[] = "11111111-1111-1111-1111-111111111111";

static void put(void *arg, const char *key, const char *value)
{
	(void)arg;
	(void)key;
	(void)value;
}

static char *get(void *arg, const char *key)
{
	(void)arg;
	(void)key;
	return NULL;
}

struct bench {
	struct sp_loop *loop;
	struct recorder_list records;
	struct sp_lines *lines;
};

static void begin(struct bench *bench)
{
	*bench = (struct bench){.loop = sp_loop_virtual_new()};
	recorder_list_init(&bench->records);
	bench->lines = sp_lines_new(&(struct sp_lines_config){
	    .loop = bench->loop, .recorder = &bench->records.base, .boot = boot, .put = put, .get = get});
}

static void end(struct bench *bench)
{
	sp_lines_free(bench->lines);
	assert_int_equal(sp_loop_virtual_open(bench->loop), 0);
	recorder_list_clear(&bench->records);
	sp_loop_virtual_free(bench->loop);
}

static void answers(struct bench *bench, const char *line)
{
	static const enum sp_rung rungs[] = {SP_RUNG_GATEWAY, SP_RUNG_ISP_ACCESS, SP_RUNG_ISP_CORE};
	for (size_t i = 0; i < SP_COUNT(rungs); i++) {
		struct sp_rung_report report = {.rung = rungs[i],
						.family = SP_FAMILY_IPV4,
						.status = SP_RUNG_OK,
						.since_us = sp_loop_now_us(bench->loop),
						.rtt_us = 1000};
		sp_lines_report(bench->lines, line, "internet", &report, 60000000);
	}
	sp_loop_virtual_run(bench->loop, 10);
}

static void leaves_by(struct bench *bench, const char *hop, const char *address)
{
	struct sp_egress seen = {.family = SP_FAMILY_IPV4,
				 .hop = hop,
				 .position = 3,
				 .address = address,
				 .asked_us = sp_loop_now_us(bench->loop)};
	sp_lines_egress(bench->lines, "main", "hop", &seen);
	sp_loop_virtual_run(bench->loop, 10);
}

static enum sp_line_state state_of(const struct bench *bench, size_t line)
{
	struct sp_line_view view;
	sp_ledger_view(sp_lines_ledger(bench->lines, line), &view);
	return view.state;
}

static void test_two_uplinks_behind_one_router(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench);
	sp_lines_add(bench.lines, "main", "VNPT");
	sp_lines_add(bench.lines, "mobile", "Viettel");
	sp_lines_door(bench.lines, "main", &(struct sp_lines_door){.fixed = "auto"});
	sp_lines_door(bench.lines, "mobile", &(struct sp_lines_door){.fixed = "auto", .shares = "main"});
	leaves_by(&bench, "203.0.113.1", "198.51.100.7");
	answers(&bench, "main");
	assert_int_equal(state_of(&bench, 0), SP_LINE_UP);
	assert_int_equal(state_of(&bench, 1), SP_LINE_UNKNOWN); // nobody can say
	size_t fact = recorder_last(&bench.records, "egress");
	assert_int_equal(recorder_count(&bench.records, "egress"), 2); // learnt, and not the other's
	assert_string_equal(recorder_text(&bench.records, fact, "device"), "mobile");
	assert_string_equal(recorder_text(&bench.records, fact, "event"), "foreign");
	sp_loop_virtual_run(bench.loop, 20000);
	// The router fails over.
	leaves_by(&bench, "10.200.0.1", "192.0.2.5");
	answers(&bench, "main");
	assert_int_equal(state_of(&bench, 0), SP_LINE_UNKNOWN);
	assert_int_equal(state_of(&bench, 1), SP_LINE_UP);
	fact = recorder_last(&bench.records, "egress");
	assert_string_equal(recorder_text(&bench.records, fact, "device"), "mobile");
	assert_string_equal(recorder_text(&bench.records, fact, "event"), "learnt");
	assert_string_equal(recorder_text(&bench.records, fact, "hop"), "10.200.0.1");
	assert_string_equal(recorder_text(&bench.records, fact, "prefix"), "192.0.2.0/24");
	sp_loop_virtual_run(bench.loop, 20000);
	// And back.
	leaves_by(&bench, "203.0.113.1", "198.51.100.7");
	answers(&bench, "main");
	assert_int_equal(state_of(&bench, 0), SP_LINE_UP);
	assert_int_equal(state_of(&bench, 1), SP_LINE_UNKNOWN);
	assert_int_equal(recorder_count(&bench.records, "outage"), 0);
	end(&bench);
}

static void test_a_silence_is_told_of_every_line(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench);
	sp_lines_add(bench.lines, "main", "VNPT");
	sp_lines_add(bench.lines, "second", "Viettel");
	struct sp_silence silence = {.cause = SP_CAUSE_AGENT,
				     .whose = SP_WHOSE_OURS,
				     .start_mono_us = sp_loop_now_us(bench.loop) - 90000000,
				     .uncertainty_seconds = -1};
	snprintf(silence.boot, sizeof(silence.boot), "%s", boot);
	sp_lines_silence(bench.lines, &silence);
	assert_int_equal(recorder_count(&bench.records, "outage"), 2);
	size_t index = recorder_last(&bench.records, "outage");
	assert_string_equal(recorder_text(&bench.records, index, "phase"), "close");
	assert_string_equal(recorder_text(&bench.records, index, "cause"), "agent");
	assert_string_equal(recorder_text(&bench.records, index, "whose"), "ours");
	assert_string_equal(recorder_text(&bench.records, index, "state"), "unknown");
	const cJSON *parts = cJSON_GetObjectItemCaseSensitive(bench.records.items[index].json, "parts");
	assert_int_equal(cJSON_GetArraySize(parts), 1);
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(parts, 0), "seconds");
	assert_true(cJSON_IsNumber(seconds) && seconds->valuedouble == 90);
	assert_non_null(sp_lines_history(bench.lines, 1, 0));
	end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_two_uplinks_behind_one_router),
	    cmocka_unit_test(test_a_silence_is_told_of_every_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
