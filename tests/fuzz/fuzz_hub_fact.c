// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A record's members of any bytes, read as every type that the hub projects: what is accepted must keep the
// bounds that its struct promises.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/utf8.h"
#include "tools/hub/facts/fact.h"
#include "tools/hub/facts/fact_attendance.h"
#include "tools/hub/facts/fact_extract.h"
#include "tools/hub/facts/fact_speed.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void check_word(const char *text)
{
	CHECK(strlen(text) <= SP_WORD_MAX &&
	      strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text));
}

static void check_states(const char *data)
{
	struct sp_fact_line line;
	struct sp_fact_device device;
	if (sp_fact_line(&line, data)) {
		CHECK(line.state < SP_LINE_STATES && line.ipv4 < SP_LINE_STATES &&
		      line.ipv6 < SP_LINE_STATES);
		check_word(line.cause);
		check_word(line.whose);
	}
	if (sp_fact_device(&device, data)) {
		CHECK(device.state < SP_LINE_STATES && strlen(device.text) < SP_TEXT_MAX);
		check_word(device.reason);
	}
}

static void check_outage(const char *data)
{
	struct sp_fact_outage outage;
	if (sp_fact_outage(&outage, data)) {
		CHECK(outage.id[0] && strlen(outage.id) < sizeof(outage.id) &&
		      outage.phase < SP_OUTAGE_PHASES);
		CHECK(outage.start_t_ms >= -1 && outage.start_mono_us >= -1 && outage.end_t_ms >= -1);
		CHECK(outage.start_uncertainty_ms >= 0);
	}
	free(outage.evidence);
	free(outage.parts);
}

static void check_chain(const char *data)
{
	struct sp_fact_opened opened;
	struct sp_fact_dropped dropped;
	if (sp_fact_opened(&opened, data) && opened.has_prev)
		CHECK(strlen(opened.prev) == SP_ID_LENGTH && opened.prev_last >= 0);
	if (!sp_fact_dropped(&dropped, data))
		return;
	CHECK(dropped.cls < SP_RECORD_CLASSES);
	CHECK(dropped.stream[0] ? dropped.from >= 1 && dropped.to >= dropped.from : dropped.count >= 1);
}

/// -1 or from 0 to `max`, and so a number at all.
static bool known_or_not(double value, double max)
{
	return value == -1 || (value >= 0 && value <= max);
}

static void check_latency(const struct sp_test_latency *latency)
{
	CHECK(latency->count >= 0);
	CHECK(known_or_not(latency->min, 86400) && known_or_not(latency->median, 86400));
	CHECK(known_or_not(latency->p95, 86400) && known_or_not(latency->jitter, 86400));
}

static void check_speedtest(const char *data)
{
	struct sp_fact_speedtest test;
	if (!sp_fact_speedtest(&test, data))
		return;
	CHECK(strlen(test.test) == SP_ID_LENGTH && test.line[0] && test.method[0]);
	CHECK((unsigned)test.direction < SP_TEST_DIRECTIONS && (unsigned)test.trigger < SP_TEST_TRIGGERS);
	CHECK((unsigned)test.validity < SP_TEST_VALIDITIES && (unsigned)test.scope < SP_TEST_SCOPES);
	check_word(test.method);
	check_word(test.reason);
	check_word(test.family);
	check_word(test.duplex);
	check_word(test.cross_source);
	CHECK(strlen(test.line) < sizeof(test.line) && strlen(test.text) < sizeof(test.text));
	CHECK(strlen(test.provider) < sizeof(test.provider) && strlen(test.plan) < sizeof(test.plan));
	CHECK(strlen(test.server) < sizeof(test.server) && strlen(test.interface) < sizeof(test.interface));
	CHECK(known_or_not(test.goodput_bps, 1e13) && known_or_not(test.duration_seconds, 86400));
	CHECK(test.goodput_bps >= 0 || test.validity >= SP_TEST_PARTIAL);
	CHECK(known_or_not(test.retransmit_ratio, 1) && known_or_not(test.cpu_ratio, 1));
	CHECK(known_or_not(test.cross_before, 1e15) && known_or_not(test.cross_during, 1e15));
	CHECK(test.down_mbps >= 0 && test.down_mbps <= 1e7 && test.up_mbps >= 0 && test.up_mbps <= 1e7);
	CHECK(test.bytes >= -1 && test.wire_bytes >= -1 && test.streams >= -1 && test.link_mbps >= -1);
	check_latency(&test.idle);
	check_latency(&test.loaded);
}

static void check_pseudonym(const char *text)
{
	CHECK(strlen(text) == SP_PSEUDONYM_LENGTH && strspn(text, "0123456789abcdef") == SP_PSEUDONYM_LENGTH);
}

static void check_punch(const char *data)
{
	struct sp_fact_punch punch;
	if (!sp_fact_punch(&punch, data))
		return;
	check_pseudonym(punch.event);
	check_pseudonym(punch.person);
	CHECK(strlen(punch.kiosk_time) == 0 || strlen(punch.kiosk_time) == 19);
	CHECK(strlen(punch.gate) < sizeof(punch.gate));
	CHECK((unsigned)punch.way < SP_WAYS && (unsigned)punch.mark < SP_MARKS);
	CHECK((unsigned)punch.correction < SP_CORRECTIONS);
	CHECK((unsigned)punch.method < SP_METHODS && (unsigned)punch.person_kind < SP_PERSON_KINDS);
	CHECK(punch.kiosk_t_ms == SP_NO_TIME || llabs(punch.kiosk_t_ms) < 40000000000000);
	CHECK(punch.corrected_t_ms == SP_NO_TIME || llabs(punch.corrected_t_ms) < 40000000000000);
	CHECK(punch.correction_seconds >= -1e10 && punch.correction_seconds <= 1e10 && punch.number >= -1);
}

static void check_kiosk(const char *data)
{
	struct sp_fact_kiosk kiosk;
	struct sp_fact_kiosk_total total;
	if (sp_fact_kiosk(&kiosk, data)) {
		CHECK(kiosk.records >= -1 && kiosk.capacity >= -1 && kiosk.backlog >= -1);
		CHECK(strlen(kiosk.model) < sizeof(kiosk.model) &&
		      strlen(kiosk.driver) < sizeof(kiosk.driver));
		CHECK(kiosk.clock_error_seconds >= -1e10 && kiosk.clock_error_seconds <= 1e10);
	}
	if (sp_fact_kiosk_total(&total, data))
		CHECK(total.kiosk >= 0 && total.taken >= -1 && total.day > 10000 && total.day < 400000);
}

/// What the store writes of the groups it reads again as they were.
static void check_counts(const char *data)
{
	struct sp_fact_attendance *fact = sp_alloc(sizeof(*fact));
	struct sp_fact_group *again = sp_alloc(SP_GROUPS_MAX * sizeof(*again));
	struct sp_buf text = SP_BUF(1024 * 1024);
	if (sp_fact_attendance(fact, data)) {
		CHECK(fact->count <= SP_GROUPS_MAX && fact->slot >= 0 && fact->slot < 1440);
		CHECK(fact->slot_minutes >= 1 && fact->slot_minutes <= 1440 && fact->revision >= 0);
		sp_fact_groups_write(&text, fact);
		CHECK(sp_fact_groups(again, text.data) == fact->count);
		for (size_t i = 0; i < fact->count; i++)
			CHECK(again[i].way == fact->groups[i].way &&
			      again[i].persons == fact->groups[i].persons);
	}
	(void)sp_fact_groups(again, data);
	sp_buf_free(&text);
	free(again);
	free(fact);
}

static void check_requests(const char *data)
{
	struct sp_fact_subject *subject = sp_alloc(sizeof(*subject));
	struct sp_fact_backup *backup = sp_alloc(sizeof(*backup));
	struct sp_buf csv = SP_BUF(1024 * 1024);
	if (sp_fact_subject(subject, data)) {
		CHECK(subject->count <= SP_PERSONS_MAX && subject->erased >= 0);
		CHECK(subject->request[0] && strlen(subject->request) < sizeof(subject->request));
		for (size_t i = 0; i < subject->count; i++)
			check_pseudonym(subject->persons[i]);
	}
	if (sp_fact_backup(backup, data))
		CHECK(backup->blob[0] && strlen(backup->blob) <= SP_BACKUP_MAX &&
		      strlen(backup->school_years) < SP_TEXT_MAX);
	(void)sp_fact_extract_csv(&csv, data);
	sp_buf_free(&csv);
	free(backup);
	free(subject);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct sp_buf summary = SP_BUF(64 * 1024);
	char *data = sp_strndup((const char *)bytes, size);
	check_states(data);
	check_outage(data);
	check_chain(data);
	check_speedtest(data);
	check_punch(data);
	check_kiosk(data);
	check_counts(data);
	check_requests(data);
	sp_fact_summary(&summary, data);
	CHECK(summary.length <= summary.max);
	sp_buf_free(&summary);
	free(data);
	return 0;
}
