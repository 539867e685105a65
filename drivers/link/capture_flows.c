// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A table of sets: a newcomer takes the place of the oldest of its set.
#include "capture_flows.h"

#include <stdlib.h>
#include <string.h>

enum {
	SETS = 1024, ///< a power of two
	WAYS = 4,
	TCP_WAIT_US = 10 * 1000 * 1000,
	DNS_WAIT_US = 5 * 1000 * 1000, ///< a stub resolver's own patience
};

enum stage { FREE, SYN, SYN_ACK, DNS };

struct flow {
	uint64_t hash;
	int64_t time_us;       ///< of the last step
	uint32_t seq, far_seq; ///< of the client and of the server
	uint8_t stage;
	bool outward;  ///< the client is inside
	bool repeated; ///< the last step: nobody can tell which one was answered (Karn)
};

struct sp_flows {
	uint8_t key[16];
	struct flow sets[SETS][WAYS];
};

// ---- the hash -------------------------------------------------------------------------------------

static uint64_t rotate(uint64_t value, int by)
{
	return value << by | value >> (64 - by);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value = 0;
	for (int i = 7; i >= 0; i--)
		value = value << 8 | at[i];
	return value;
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t sp_flows_hash(const uint8_t key[16], const uint8_t *data, size_t length)
{
	uint64_t k0 = get64(key), k1 = get64(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
			 k1 ^ 0x7465646279746573};
	size_t whole = length & ~(size_t)7;
	for (size_t i = 0; i < whole; i += 8)
		sip_take(v, get64(data + i));
	uint8_t last[8] = {0};
	memcpy(last, data + whole, length - whole);
	last[7] = (uint8_t)length;
	sip_take(v, get64(last));
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/// The same for both directions: client, server, their ports, and what else tells two exchanges apart.
static uint64_t hash_of(const struct sp_flows *flows, const struct sp_frame *frame, bool from_client,
			bool dns)
{
	size_t size = frame->version == 4 ? 4 : 16;
	uint8_t data[2 * 16 + 8] = {0};
	uint16_t client = from_client ? frame->source_port : frame->dest_port;
	uint16_t server = from_client ? frame->dest_port : frame->source_port;
	memcpy(data, from_client ? frame->source : frame->dest, size);
	memcpy(data + 16, from_client ? frame->dest : frame->source, size);
	memcpy(data + 32, &client, 2);
	memcpy(data + 34, &server, 2);
	if (dns)
		memcpy(data + 36, &frame->id, 2);
	data[38] = (uint8_t)frame->version;
	data[39] = dns;
	return sp_flows_hash(flows->key, data, sizeof(data));
}

// ---- the table ------------------------------------------------------------------------------------

struct sp_flows *sp_flows_new(const uint8_t key[16])
{
	struct sp_flows *flows = calloc(1, sizeof(*flows));
	if (flows)
		memcpy(flows->key, key, sizeof(flows->key));
	return flows;
}

void sp_flows_free(struct sp_flows *flows)
{
	free(flows);
}

static struct flow *find(struct sp_flows *flows, uint64_t hash)
{
	struct flow *set = flows->sets[hash & (SETS - 1)];
	for (int i = 0; i < WAYS; i++)
		if (set[i].stage != FREE && set[i].hash == hash)
			return &set[i];
	return NULL;
}

static struct flow *add(struct sp_flows *flows, uint64_t hash)
{
	struct flow *set = flows->sets[hash & (SETS - 1)], *place = set;
	for (int i = 0; i < WAYS; i++) {
		if (set[i].stage == FREE) {
			place = &set[i];
			break;
		}
		if (set[i].time_us < place->time_us)
			place = &set[i];
	}
	*place = (struct flow){.hash = hash};
	return place;
}

/// The clock may have been set meanwhile: then there is no telling.
static bool in_time(const struct flow *flow, int64_t time_us)
{
	int64_t most = flow->stage == DNS ? DNS_WAIT_US : TCP_WAIT_US;
	return time_us >= flow->time_us && time_us - flow->time_us <= most;
}

// ---- steps ----------------------------------------------------------------------------------------

static void on_syn(struct sp_flows *flows, const struct sp_frame *frame, enum sp_way way, int64_t time_us)
{
	if (way == SP_WAY_OTHER)
		return;
	uint64_t hash = hash_of(flows, frame, true, false);
	struct flow *flow = find(flows, hash);
	if (flow && flow->stage == SYN && flow->seq == frame->seq && in_time(flow, time_us)) {
		flow->repeated = true;
		return;
	}
	if (!flow)
		flow = add(flows, hash);
	*flow = (struct flow){
	    .hash = hash, .time_us = time_us, .seq = frame->seq, .stage = SYN, .outward = way == SP_WAY_UP};
}

static void on_syn_ack(struct sp_flows *flows, const struct sp_frame *frame, int64_t time_us,
		       struct sp_capture_second *out)
{
	struct flow *flow = find(flows, hash_of(flows, frame, false, false));
	if (!flow || frame->ack != flow->seq + 1 || !in_time(flow, time_us))
		return;
	if (flow->stage == SYN_ACK) {
		flow->repeated = true;
		return;
	}
	if (!flow->repeated)
		sp_histogram_add(flow->outward ? &out->outside : &out->inside, time_us - flow->time_us);
	flow->stage = SYN_ACK;
	flow->far_seq = frame->seq;
	flow->time_us = time_us;
	flow->repeated = false;
}

static void on_ack(struct sp_flows *flows, const struct sp_frame *frame, int64_t time_us,
		   struct sp_capture_second *out)
{
	struct flow *flow = find(flows, hash_of(flows, frame, true, false));
	if (!flow || flow->stage != SYN_ACK || frame->seq != flow->seq + 1 || frame->ack != flow->far_seq + 1)
		return;
	if (!flow->repeated && in_time(flow, time_us))
		sp_histogram_add(flow->outward ? &out->inside : &out->outside, time_us - flow->time_us);
	flow->stage = FREE;
}

static void on_query(struct sp_flows *flows, const struct sp_frame *frame, int64_t time_us,
		     struct sp_capture_second *out)
{
	uint64_t hash = hash_of(flows, frame, true, true);
	struct flow *flow = find(flows, hash);
	if (flow && in_time(flow, time_us))
		return; // asked again: whoever waits has waited since the first time
	if (flow)
		out->dns_unanswered++;
	else
		flow = add(flows, hash);
	*flow = (struct flow){.hash = hash, .time_us = time_us, .stage = DNS};
}

static void on_answer(struct sp_flows *flows, const struct sp_frame *frame, int64_t time_us,
		      struct sp_capture_second *out)
{
	struct flow *flow = find(flows, hash_of(flows, frame, false, true));
	if (!flow || flow->stage != DNS)
		return;
	if (in_time(flow, time_us))
		sp_histogram_add(&out->dns, time_us - flow->time_us);
	flow->stage = FREE;
}

void sp_flows_frame(struct sp_flows *flows, const struct sp_frame *frame, enum sp_way way, int64_t time_us,
		    struct sp_capture_second *out)
{
	switch (frame->kind) {
	case SP_FRAME_OTHER:
		break;
	case SP_FRAME_SYN:
		on_syn(flows, frame, way, time_us);
		break;
	case SP_FRAME_SYN_ACK:
		on_syn_ack(flows, frame, time_us, out);
		break;
	case SP_FRAME_ACK:
		on_ack(flows, frame, time_us, out);
		break;
	case SP_FRAME_DNS_QUERY:
		on_query(flows, frame, time_us, out);
		break;
	case SP_FRAME_DNS_ANSWER:
		on_answer(flows, frame, time_us, out);
		break;
	}
}

void sp_flows_sweep(struct sp_flows *flows, int64_t time_us, struct sp_capture_second *out)
{
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++) {
		struct flow *flow = &flows->sets[i / WAYS][i % WAYS];
		if (flow->stage == FREE || in_time(flow, time_us))
			continue;
		if (flow->stage == DNS && time_us > flow->time_us)
			out->dns_unanswered++;
		flow->stage = FREE;
	}
}
