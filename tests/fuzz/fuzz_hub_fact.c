// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A record's members of any bytes, read as every type that the hub projects: what is accepted must keep the
// bounds that its struct promises.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/utf8.h"
#include "tools/hub/fact.h"
#include "tools/hub/fact_speed.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct sp_buf summary = SP_BUF(64 * 1024);
	char *data = sp_strndup((const char *)bytes, size);
	check_states(data);
	check_outage(data);
	check_chain(data);
	check_speedtest(data);
	sp_fact_summary(&summary, data);
	CHECK(summary.length <= summary.max);
	sp_buf_free(&summary);
	free(data);
	return 0;
}
