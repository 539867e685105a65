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

#include "agent/core/ledger/lines_evidence.h"
#include "schoolpulse/clock.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

static const char boot[] = "11111111-1111-1111-1111-111111111111";

/// What the journal would keep, while a test wants it kept.
static struct {
	bool on;
	struct {
		char key[64], *value;
	} items[8];
} kept;

static void put(void *arg, const char *key, const char *value)
{
	(void)arg;
	for (size_t i = 0; kept.on && i < SP_COUNT(kept.items); i++) {
		if (kept.items[i].key[0] && strcmp(kept.items[i].key, key) != 0)
			continue;
		snprintf(kept.items[i].key, sizeof(kept.items[i].key), "%s", key);
		free(kept.items[i].value);
		kept.items[i].value = value ? strdup(value) : NULL;
		return;
	}
	assert_false(kept.on);
}

static char *get(void *arg, const char *key)
{
	(void)arg;
	for (size_t i = 0; kept.on && i < SP_COUNT(kept.items); i++)
		if (strcmp(kept.items[i].key, key) == 0)
			return kept.items[i].value ? strdup(kept.items[i].value) : NULL;
	return NULL;
}

static void forget(void)
{
	for (size_t i = 0; i < SP_COUNT(kept.items); i++)
		free(kept.items[i].value);
	memset(&kept, 0, sizeof(kept));
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

static void answers_up_to(struct bench *bench, const char *line, enum sp_rung last)
{
	static const enum sp_rung rungs[] = {SP_RUNG_GATEWAY, SP_RUNG_ISP_ACCESS, SP_RUNG_ISP_CORE};
	for (size_t i = 0; i < SP_COUNT(rungs) && rungs[i] <= last; i++) {
		struct sp_rung_report report = {.rung = rungs[i],
						.family = SP_FAMILY_IPV4,
						.status = SP_RUNG_OK,
						.since_us = sp_loop_now_us(bench->loop),
						.rtt_us = 1000};
		sp_lines_report(bench->lines, line, "internet", &report, 60000000);
	}
	sp_loop_virtual_run(bench->loop, 10);
}

static void answers(struct bench *bench, const char *line)
{
	answers_up_to(bench, line, SP_RUNG_ISP_CORE);
}

static void answers_six(struct bench *bench)
{
	struct sp_rung_report report = {.rung = SP_RUNG_ISP_CORE,
					.family = SP_FAMILY_IPV6,
					.status = SP_RUNG_OK,
					.since_us = sp_loop_now_us(bench->loop),
					.rtt_us = 1000};
	sp_lines_report(bench->lines, "main", "internet", &report, 60000000);
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

static bool offers_six(const struct bench *bench, size_t line)
{
	struct sp_line_view view;
	sp_ledger_view(sp_lines_ledger(bench->lines, line), &view);
	return view.offered[SP_FAMILY_IPV6];
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
	answers_six(&bench); // the first one's, of a moment ago
	leaves_by(&bench, "10.200.0.1", "192.0.2.5");
	answers(&bench, "main");
	assert_int_equal(state_of(&bench, 0), SP_LINE_UNKNOWN);
	assert_int_equal(state_of(&bench, 1), SP_LINE_UP);
	assert_true(offers_six(&bench, 0));
	assert_false(offers_six(&bench, 1));
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

static void core_is(struct bench *bench, enum sp_rung_status status)
{
	struct sp_rung_report report = {.rung = SP_RUNG_ISP_CORE,
					.family = SP_FAMILY_IPV4,
					.status = status,
					.since_us = sp_loop_now_us(bench->loop),
					.rtt_us = -1,
					.detail = status == SP_RUNG_OK ? "answered" : "4 of 4 silent",
					.reason = status == SP_RUNG_OK ? "answered" : "all_silent"};
	for (int second = 0; second < 40; second++) {
		answers_up_to(bench, "main", SP_RUNG_ISP_ACCESS);
		sp_lines_report(bench->lines, "main", "internet", &report, 60000000);
		sp_loop_virtual_run(bench->loop, 1000);
	}
}

static const char *core_evidence(const cJSON *evidence, const char *member)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, evidence)
	{
		const cJSON *rung = cJSON_GetObjectItemCaseSensitive(item, "rung");
		if (strcmp(rung->valuestring, "isp_core") == 0)
			return cJSON_GetObjectItemCaseSensitive(item, member)->valuestring;
	}
	return "";
}

static const char *last_evidence(const struct bench *bench, const char *phase)
{
	size_t index = recorder_last(&bench->records, "outage");
	assert_string_equal(recorder_text(&bench->records, index, "phase"), phase);
	return core_evidence(cJSON_GetObjectItemCaseSensitive(bench->records.items[index].json, "evidence"),
			     "reason");
}

/// When it closes every rung answers; what it stood on is told all the same, also by the next run.
static void test_evidence_outlives_the_outage(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench);
	forget();
	kept.on = true;
	sp_lines_add(bench.lines, "main", "VNPT");
	core_is(&bench, SP_RUNG_OK);
	core_is(&bench, SP_RUNG_SILENT);
	assert_int_not_equal(recorder_last(&bench.records, "outage"), SIZE_MAX);
	const struct sp_outage *outage = sp_ledger_outage(sp_lines_ledger(bench.lines, 0));
	assert_non_null(outage);
	assert_string_equal(core_evidence(sp_lines_evidence(bench.lines, 0, outage), "status"), "silent");
	end(&bench);
	begin(&bench);
	sp_lines_add(bench.lines, "main", "VNPT");
	core_is(&bench, SP_RUNG_OK);
	sp_loop_virtual_run(bench.loop, 120000);
	core_is(&bench, SP_RUNG_OK);
	assert_string_equal(last_evidence(&bench, "close"), "all_silent");
	outage = sp_lines_history(bench.lines, 0, 0);
	assert_string_equal(core_evidence(sp_lines_evidence(bench.lines, 0, outage), "detail"),
			    "4 of 4 silent");
	end(&bench);
	begin(&bench);
	sp_lines_add(bench.lines, "main", "VNPT");
	outage = sp_lines_history(bench.lines, 0, 0);
	assert_non_null(outage);
	assert_string_equal(core_evidence(sp_lines_evidence(bench.lines, 0, outage), "detail"),
			    "4 of 4 silent");
	end(&bench);
	forget();
}

/// Another card's, or a broken one.
static void test_evidence_of_a_strange_card_is_not_taken(void **unused)
{
	(void)unused;
	static const char *const texts[] = {
	    "7",
	    "{}",
	    "[7]",
	    "[{}]",
	    "[{\"rung\":\"moon\",\"family\":\"any\",\"status\":\"ok\"}]",
	    "[{\"rung\":\"dns\",\"family\":\"any\",\"status\":\"ok\",\"host\":7}]",
	    "[{\"rung\":\"dns\",\"family\":\"any\",\"status\":\"ok\",\"rtt_seconds\":-1}]"};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		cJSON *json = cJSON_Parse(texts[i]);
		assert_non_null(json);
		assert_null(sp_evidence_checked(json));
		cJSON_Delete(json);
	}
	cJSON *json =
	    cJSON_Parse("[{\"rung\":\"dns\",\"family\":\"any\",\"status\":\"ok\",\"rtt_seconds\":1}]");
	cJSON *copy = sp_evidence_checked(json);
	assert_non_null(copy);
	cJSON_Delete(copy);
	cJSON_Delete(json);
}

// ---- more than the journal keeps under one key ----------------------------------------------------------

/// Every rung of every family, each with as many texts as fit, of bytes that JSON writes as six.
static void answer_at_length(struct bench *bench)
{
	char text[256];
	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int rung = 0; rung < SP_RUNGS; rung++) {
		for (int family = 0; family < SP_FAMILIES; family++) {
			struct sp_rung_report report = {.rung = (enum sp_rung)rung,
							.family = (enum sp_family)family,
							.status = SP_RUNG_OK,
							.since_us = sp_loop_now_us(bench->loop),
							.rtt_us = 123456,
							.detail = text,
							.reason = text,
							.host = text};
			sp_lines_report(bench->lines, "main", "internet", &report, 60000000);
		}
	}
}

static struct sp_outage long_outage(int number)
{
	struct sp_outage outage = {.start_boot = "11111111-1111-1111-1111-111111111111",
				   .start_mono_us = INT64_C(123456789012345),
				   .uncertainty_seconds = 1.0 / 3,
				   .end_uncertainty_seconds = 2.0 / 3,
				   .state = SP_LINE_DOWN,
				   .cause = SP_CAUSE_ISP,
				   .part_count = SP_OUTAGE_PARTS,
				   .unmeasured = -1,
				   .closed = true,
				   .end_boot = "11111111-1111-1111-1111-111111111111",
				   .end_mono_us = INT64_C(123456889012345)};
	snprintf(outage.id, sizeof(outage.id), "%0*d", SP_ID_LENGTH, number);
	for (int i = 0; i < SP_OUTAGE_PARTS; i++)
		outage.parts[i] =
		    (struct sp_outage_part){.cause = (enum sp_cause)i, .state = SP_LINE_DOWN, .us = 1234567};
	return outage;
}

static const char *kept_text(const char *key)
{
	for (size_t i = 0; i < SP_COUNT(kept.items); i++)
		if (strcmp(kept.items[i].key, key) == 0)
			return kept.items[i].value;
	return NULL;
}

static void test_a_long_history_keeps_its_end(void **unused)
{
	(void)unused;
	struct bench bench;
	begin(&bench);
	forget();
	kept.on = true;
	sp_lines_add(bench.lines, "main", "VNPT");
	for (int i = 0; i < SP_LINES_HISTORY; i++) {
		struct sp_outage outage = long_outage(i);
		struct sp_line *line = sp_lines_find(bench.lines, "main");
		line->evidence = cJSON_CreateArray();
		for (int item = 0; item < SP_EVIDENCE_MAX; item++)
			cJSON_AddItemToArray(
			    line->evidence,
			    cJSON_Parse(
				"{\"rung\":\"international\",\"family\":\"ipv4\",\"status\":\"silent\","
				"\"detail\":\"0123456789 0123456789 0123456789 0123456789 0123456789 "
				"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\","
				"\"host\":\"0123456789.0123456789.0123456789.0123456789.0123456789."
				"0123456789.0123456789.0123456789.0123456789.0123456789.012345\"}"));
		line->evidence_cause = outage.cause;
		line->evidence_state = outage.state;
		sp_lines_events.outage(line, &outage, SP_OUTAGE_CLOSE);
		assert_non_null(kept_text("outages.main"));
		assert_true(strlen(kept_text("outages.main")) < SP_LINES_SAVED_MAX);
	}
	end(&bench);
	begin(&bench);
	sp_lines_add(bench.lines, "main", "VNPT");
	const struct sp_outage *last = sp_lines_history(bench.lines, 0, 0);
	assert_string_equal(last->id, long_outage(SP_LINES_HISTORY - 1).id);
	assert_int_equal(cJSON_GetArraySize(sp_lines_evidence(bench.lines, 0, last)), SP_EVIDENCE_MAX);
	// Evidence gives way before outages do.
	const struct sp_outage *first = sp_lines_history(bench.lines, 0, SP_LINES_HISTORY - 1);
	assert_non_null(first);
	assert_null(sp_lines_evidence(bench.lines, 0, first));
	end(&bench);
	forget();
}

static void test_evidence_too_long_leaves_none_behind(void **unused)
{
	(void)unused;
	struct bench bench;
	struct sp_outage outage = long_outage(1);
	outage.closed = false;
	begin(&bench);
	forget();
	kept.on = true;
	sp_lines_add(bench.lines, "main", "VNPT");
	answers(&bench, "main");
	struct sp_line *line = sp_lines_find(bench.lines, "main");
	sp_lines_events.outage(line, &outage, SP_OUTAGE_OPEN);
	assert_non_null(kept_text("evidence.main"));
	answer_at_length(&bench);
	outage.cause = SP_CAUSE_GATEWAY;
	sp_lines_events.outage(line, &outage, SP_OUTAGE_UPDATE);
	assert_null(kept_text("evidence.main"));
	end(&bench);
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_two_uplinks_behind_one_router),
	    cmocka_unit_test(test_a_silence_is_told_of_every_line),
	    cmocka_unit_test(test_evidence_outlives_the_outage),
	    cmocka_unit_test(test_evidence_of_a_strange_card_is_not_taken),
	    cmocka_unit_test(test_a_long_history_keeps_its_end),
	    cmocka_unit_test(test_evidence_too_long_leaves_none_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
