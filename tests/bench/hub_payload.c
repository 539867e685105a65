// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Messages for the benches of the hub, made by the agent's own code.
#include "tests/bench/hub_payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

struct bench_feed bench_feed_new(const char *prefix, unsigned boards, unsigned messages, int64_t now_ms)
{
	struct bench_feed feed = {prefix, boards, messages, now_ms, sp_alloc(boards * sizeof(*feed.streams))};
	for (unsigned i = 0; i < boards; i++)
		sp_id_new(feed.streams[i]);
	return feed;
}

static const char boot[] = "00000000-0000-4000-8000-000000000000";

static double noise(double least, double width)
{
	static uint64_t state = 88172645463325252U;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return least + width * (double)(state >> 40) / (double)(1 << 24);
}

/// What a board measures in a window: the ordinary record of the feed.
static void add_samples(struct sp_buf *batch, int64_t seq, const struct sp_clock_reading *when)
{
	struct sp_field windows[2][4];
	for (int i = 0; i < 2; i++) {
		windows[i][0] = SP_INT("", 30);
		windows[i][1] = SP_REAL("", (double)(int)noise(1000, 2000) / 1e6);
		windows[i][2] = SP_REAL("", (double)(int)noise(3000, 5000) / 1e6);
		windows[i][3] = SP_REAL("", (double)(int)noise(9000, 30000) / 1e6);
	}
	const struct sp_field target[] = {SP_LIST("domestic", windows[0], 4),
					  SP_LIST("gateway", windows[1], 4)};
	const struct sp_field metrics[] = {SP_OBJECT("rtt_seconds", target, 2),
					   SP_OBJECT("loss_ratio", target, 2)};
	const struct sp_field fields[] = {SP_TEXT("driver", "reach"), SP_INT("seconds", 60),
					  SP_OBJECT("metrics", metrics, 2)};
	struct sp_buf record = SP_BUF(SP_FEED_RECORD_MAX);
	if (sp_feed_record(&record, "samples", "internet", when, fields, 3) != 0)
		die("record", "refused");
	sp_feed_batch_add(batch, seq, record.data);
	sp_buf_free(&record);
}

static void add_opened(struct sp_buf *batch, const struct sp_clock_reading *when)
{
	const struct sp_field fields[] = {SP_TEXT("class", "bulk"), SP_NULL("prev")};
	struct sp_buf record = SP_BUF(SP_FEED_RECORD_MAX);
	if (sp_feed_record(&record, "opened", NULL, when, fields, 2) != 0)
		die("record", "refused");
	sp_feed_batch_add(batch, 1, record.data);
	sp_buf_free(&record);
}

/// A board that was away and is back: its records are minutes apart, and all of them are sent now.
struct payload bench_payload(const struct bench_feed *feed, unsigned number)
{
	const unsigned board = number % feed->boards, round = number / feed->boards;
	const int64_t first = (int64_t)round * BENCH_RECORDS + 1,
		      total = (int64_t)feed->messages / feed->boards * BENCH_RECORDS;
	struct payload out = {.arrived_ms = feed->now_ms + number, .last = first + BENCH_RECORDS - 1};
	snprintf(out.device, sizeof(out.device), "%.20s-%u", feed->prefix, board);
	strcpy(out.stream, feed->streams[board]);
	struct sp_buf batch = SP_BUF(SP_FEED_INFLATED_MAX), wire = SP_BUF(SP_FEED_PAYLOAD_MAX);
	const int64_t sent_us = (total + 2) * 60000000 + (int64_t)number * 1000;
	const struct sp_clock_reading sent = {
	    .synced = true, .mono_us = sent_us, .wall_ms = out.arrived_ms, .err_ms = 20};
	for (int64_t seq = first; seq < first + BENCH_RECORDS; seq++) {
		struct sp_clock_reading when = {.synced = true, .mono_us = seq * 60000000, .err_ms = 20};
		when.wall_ms = feed->now_ms - ((total + 2) * 60000000 - when.mono_us) / 1000;
		if (seq == 1)
			add_opened(&batch, &when);
		else
			add_samples(&batch, seq, &when);
	}
	sp_buf_text(&batch, "]");
	struct sp_feed_envelope envelope = {.cls = SP_RECORD_BULK, .clk = sent};
	strcpy(envelope.device, out.device);
	strcpy(envelope.stream, out.stream);
	strcpy(envelope.boot, boot);
	strcpy(envelope.clk_boot, boot);
	sp_digest(batch.data, batch.length, envelope.digest);
	if (sp_feed_envelope_encode(&wire, &envelope, batch.data, true) != 0)
		die("envelope", "too large");
	out.length = wire.length;
	out.bytes = sp_buf_take(&wire);
	sp_buf_free(&batch);
	return out;
}
