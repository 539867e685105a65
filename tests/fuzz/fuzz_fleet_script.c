// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A fleet's script of any bytes: it is refused with file and line, or a board lives an hour by it and its
// records can be read by the feed's own reader.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/utf8.h"
#include "tools/fleet/life.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

enum { STEPS = 300 };

static void read_back(const struct sp_batch *batch)
{
	struct sp_feed_envelope envelope = {.cls = batch->cls, .first = batch->first, .last = batch->last};
	struct sp_feed_message message;
	struct sp_buf wire = SP_BUF(SP_FEED_INFLATED_MAX);
	char why[128] = "";
	strcpy(envelope.device, "b");
	memcpy(envelope.stream, batch->stream, sizeof(envelope.stream));
	memcpy(envelope.boot, batch->boot, sizeof(envelope.boot));
	memcpy(envelope.clk_boot, batch->boot, sizeof(envelope.boot));
	memcpy(envelope.digest, batch->digest, sizeof(envelope.digest));
	CHECK(sp_feed_envelope_encode(&wire, &envelope, batch->text, true) == 0);
	enum sp_feed_fault fault =
	    sp_feed_envelope_decode(&message, wire.data, wire.length, SP_FEED_DEFLATED, why);
	if (fault != SP_FEED_OK)
		fprintf(stderr, "%s: %s\n", why, batch->text);
	CHECK(fault == SP_FEED_OK);
	CHECK((int64_t)message.count == batch->last - batch->first + 1);
	sp_feed_message_free(&message);
	sp_buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sp_roster roster;
	struct sp_config_errors errors = {0};
	struct sp_script script = {0};
	if (!roster.count)
		sp_roster_make(&roster, 1, 1);
	int result = sp_script_parse(&script, "s", (const char *)data, size, &errors);
	CHECK((result == 0) == (errors.count == 0));
	struct sp_life_config config = {.start_ms = INT64_C(1788195600000),
					.end_ms = INT64_C(1788195600000) + 7200000,
					.minute_ms = 600000,
					.commit_ms = 1200000,
					.events = 2,
					.seed = 1,
					.script = &script};
	struct sp_life life;
	sp_life_init(&life, &config, &roster.boards[0], 0);
	for (int i = 0; i < STEPS && !life.over; i++) {
		int64_t before = life.at_ms;
		sp_life_step(&life);
		CHECK(life.at_ms > before);
	}
	for (const struct sp_batch *batch = life.keep.oldest; batch; batch = batch->next)
		read_back(batch);
	sp_life_free(&life);
	sp_script_free(&script);
	sp_config_errors_free(&errors);
	return 0;
}
