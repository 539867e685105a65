// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What ingest tells /metrics of a message that is committed.
#include "tools/hub/ingest/ingest_priv.h"

#include "tools/hub/ops/counters.h"

_Static_assert(SP_VERDICT_FOREIGN + 1 == SP_COUNT_VERDICTS, "each verdict has its counter");

_Static_assert(SP_VERDICT_REFUSED == 3 && SP_VERDICT_FOREIGN == SP_COUNT_VERDICTS - 1,
	       "counters.c has the words");

static enum sp_count_message class_of(enum sp_record_class cls)
{
	switch (cls) {
	case SP_RECORD_FACTS:
		return SP_COUNT_FACTS;
	case SP_RECORD_ATTENDANCE:
		return SP_COUNT_ATTENDANCE;
	case SP_RECORD_BULK:
		return SP_COUNT_BULK;
	}
	return SP_COUNT_BULK;
}

/// Of live and of late batches alike. Clocks that both call themselves right differ by less than a batch
/// takes on most days: what comes out below 0 is 0.
static int64_t delay_ms(const struct sp_inbound *in, const struct sp_clock_reading *now)
{
	const struct sp_clock_reading *sent = &in->message.envelope.clk;
	if (!now->synced || !sent->synced || in->verdict != SP_VERDICT_STORED)
		return -1;
	return now->wall_ms > sent->wall_ms ? now->wall_ms - sent->wall_ms : 0;
}

void sp_inbound_count(const struct sp_inbound *in, const struct sp_clock_reading *now)
{
	switch (in->kind) {
	case SP_INBOUND_BATCH:
		sp_count_message(class_of(in->message.envelope.cls));
		sp_count_batch(in->verdict, (int64_t)in->message.count, delay_ms(in, now));
		return;
	case SP_INBOUND_STATE:
		sp_count_message(SP_COUNT_STATE);
		return;
	case SP_INBOUND_ASIDE:
		sp_count_message(SP_COUNT_ASIDE);
		sp_count_fault(in->fault, sp_feed_fault_name(in->fault));
		return;
	case SP_INBOUND_CONNECTED:
	case SP_INBOUND_STOP:
		return;
	}
}

struct sp_waiting sp_ingest_waiting(struct sp_ingest *ingest)
{
	struct sp_waiting waiting = {0};
	for (int i = 0; i < SP_LANES; i++) {
		waiting.messages += (int64_t)sp_queue_length(ingest->in[i].queue);
		waiting.bytes += atomic_load(&ingest->in[i].bytes);
	}
	return waiting;
}

void sp_ingest_count(struct sp_ingest *ingest)
{
	const struct sp_waiting waiting = sp_ingest_waiting(ingest);
	sp_count_queue(waiting.messages, waiting.bytes);
	// The last one is for upkeep, and no shard.
	for (size_t i = 0; ingest->leased && i + 1 < ingest->lease_count; i++)
		sp_count_lease(ingest->leases[i].shard, atomic_load(&ingest->leases[i].held));
}
