// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which STAMP packets are answered, and with which number: limits per source and in total, a count of its
// own for every session. No I/O, no clock of its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

struct sp_stamp_rules;

struct sp_stamp_rules_config {
	int64_t rate, source_rate; ///< packets in a second, of all and of one address (IPv6: of a /64)
	size_t sessions;
	uint16_t port; ///< ours
	uint64_t secret;
};

enum sp_stamp_verdict {
	SP_STAMP_ANSWER,
	SP_STAMP_SHORT,  ///< an answer would be longer than the question
	SP_STAMP_ORIGIN, ///< it says that it comes from a service, maybe another reflector: no loops
	SP_STAMP_SOURCE, ///< more than this address may
	SP_STAMP_TOTAL,  ///< more than all may
};
#define SP_STAMP_VERDICTS 5

struct sp_stamp_rules *sp_stamp_rules_new(const struct sp_stamp_rules_config *config);
void sp_stamp_rules_free(struct sp_stamp_rules *rules);

/// A packet came from this address. `sequence` is ours for the answer (RFC 8762 §4.3: stateful).
enum sp_stamp_verdict sp_stamp_judge(struct sp_stamp_rules *rules, const struct sockaddr_in6 *from,
				     uint16_t ssid, size_t length, int64_t now_us, uint32_t *sequence);
size_t sp_stamp_sessions(const struct sp_stamp_rules *rules);
