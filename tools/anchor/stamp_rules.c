// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Buckets that fill with time, and sessions (stamp_rules.h).
#include "tools/anchor/stamp_rules.h"

#include <string.h>

#include "agent/base/mem.h"
#include "tools/anchor/lru.h"
#include "tools/anchor/stamp_wire.h"

enum {
	SOURCES = 16384,
	BURST_S = 2, ///< a bucket holds so many seconds of its rate
	WELL_KNOWN = 1024,
};

struct bucket {
	int64_t tokens, since_us; ///< in millionths of a packet
};

struct session {
	uint32_t sequence;
};

struct sp_stamp_rules {
	struct sp_stamp_rules_config config;
	struct bucket total;
	struct sp_lru *sources, *sessions;
};

struct sp_stamp_rules *sp_stamp_rules_new(const struct sp_stamp_rules_config *config)
{
	struct sp_stamp_rules *rules = sp_alloc(sizeof(*rules));
	rules->config = *config;
	rules->sources = sp_lru_new(SOURCES, sizeof(struct bucket), config->secret);
	rules->sessions = sp_lru_new(config->sessions, sizeof(struct session), ~config->secret);
	return rules;
}

void sp_stamp_rules_free(struct sp_stamp_rules *rules)
{
	if (!rules)
		return;
	sp_lru_free(rules->sources);
	sp_lru_free(rules->sessions);
	free(rules);
}

static bool take(struct bucket *bucket, int64_t rate, int64_t now_us)
{
	int64_t most = rate * BURST_S * 1000000, gone = now_us - bucket->since_us;
	if (bucket->since_us == 0 || gone > BURST_S * INT64_C(1000000))
		bucket->tokens = most;
	else if (gone > 0)
		bucket->tokens += gone * rate;
	if (bucket->tokens > most)
		bucket->tokens = most;
	bucket->since_us = now_us;
	if (bucket->tokens < 1000000)
		return false;
	bucket->tokens -= 1000000;
	return true;
}

static bool source_may(struct sp_stamp_rules *rules, const struct in6_addr *address, int64_t now_us)
{
	uint8_t key[SP_LRU_KEY] = {0};
	memcpy(key, address, IN6_IS_ADDR_V4MAPPED(address) ? 16 : 8);
	return take(sp_lru_use(rules->sources, key), rules->config.source_rate, now_us);
}

enum sp_stamp_verdict sp_stamp_judge(struct sp_stamp_rules *rules, const struct sockaddr_in6 *from,
				     uint16_t ssid, size_t length, int64_t now_us, uint32_t *sequence)
{
	uint8_t key[SP_LRU_KEY] = {0};
	uint16_t port = ntohs(from->sin6_port);
	if (length < SP_STAMP_LEAST)
		return SP_STAMP_SHORT;
	if (port < WELL_KNOWN || port == rules->config.port)
		return SP_STAMP_ORIGIN;
	if (!source_may(rules, &from->sin6_addr, now_us))
		return SP_STAMP_SOURCE;
	if (!take(&rules->total, rules->config.rate, now_us))
		return SP_STAMP_TOTAL;
	memcpy(key, &from->sin6_addr, 16);
	memcpy(key + 16, &from->sin6_port, 2);
	memcpy(key + 18, &ssid, 2);
	struct session *session = sp_lru_use(rules->sessions, key);
	*sequence = session->sequence++;
	return SP_STAMP_ANSWER;
}

size_t sp_stamp_sessions(const struct sp_stamp_rules *rules)
{
	return sp_lru_count(rules->sessions);
}
