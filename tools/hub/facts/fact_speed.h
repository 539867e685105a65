// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A `speedtest` record: one direction of one speed test, also of one that failed or was not done
// (include/schoolpulse/feed/README.md, "Speed tests").
#pragma once

#include "tools/hub/facts/fact.h"

enum sp_test_direction { SP_TEST_DOWN, SP_TEST_UP };
#define SP_TEST_DIRECTIONS 2
const char *sp_test_direction_name(enum sp_test_direction direction);

enum sp_test_trigger { SP_TEST_SCHEDULE, SP_TEST_HAND, SP_TEST_COMMAND };
#define SP_TEST_TRIGGERS 3
const char *sp_test_trigger_name(enum sp_test_trigger trigger);

enum sp_test_validity {
	SP_TEST_VALID,
	SP_TEST_CONTENDED,
	SP_TEST_DEVICE_LIMITED,
	SP_TEST_LINK_LIMITED,
	SP_TEST_PARTIAL,
	SP_TEST_FAILED,
	SP_TEST_SKIPPED,
};
#define SP_TEST_VALIDITIES 7
const char *sp_test_validity_name(enum sp_test_validity validity);

enum sp_test_scope { SP_TEST_NOWHERE, SP_TEST_DOMESTIC, SP_TEST_INTERNATIONAL }; ///< NOWHERE: it does not say
#define SP_TEST_SCOPES 3
const char *sp_test_scope_name(enum sp_test_scope scope); ///< NULL: nowhere

/// Round trips in seconds; count 0: none was measured; -1: not known.
struct sp_test_latency {
	int64_t count;
	double min, median, p95, jitter;
};

/// Numbers: -1 is not known; what was bought: 0.
struct sp_fact_speedtest {
	char test[SP_ID_LENGTH + 1], line[129];
	char method[SP_WORD_MAX + 1];
	enum sp_test_direction direction;
	enum sp_test_trigger trigger;
	enum sp_test_validity validity;
	enum sp_test_scope scope;
	char reason[SP_WORD_MAX + 1], text[SP_TEXT_MAX + 1];
	char server[254], family[SP_WORD_MAX + 1], interface[16], duplex[SP_WORD_MAX + 1];
	double goodput_bps, duration_seconds, retransmit_ratio, cpu_ratio;
	int64_t bytes, wire_bytes, streams, link_mbps, deferrals;
	struct sp_test_latency idle, loaded;
	char cross_source[SP_WORD_MAX + 1];
	double cross_before, cross_during; ///< byte/s
	char provider[201], plan[201];
	double down_mbps, up_mbps; ///< bought
};

/// False also when it claims a figure's validity and has none.
bool sp_fact_speedtest(struct sp_fact_speedtest *out, const char *data);
