// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The small messages and topics. The first byte chooses which. What is taken must encode to a text
// that is taken again, and encodes to itself.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool good)
{
	if (!good)
		abort();
}

static void same(const struct sp_buf *a, const struct sp_buf *b)
{
	hold(a->length == b->length && memcmp(a->data, b->data, a->length) == 0);
}

#define THERE_AND_BACK(name, once, twice)                                                             \
	do {                                                                                          \
		struct sp_feed_##name in, out;                                                        \
		if (sp_feed_##name##_decode(&in, data, size, why) != SP_FEED_OK)                      \
			break;                                                                        \
		hold(sp_feed_##name##_encode(once, &in) == 0);                                        \
		hold(sp_feed_##name##_decode(&out, (once)->data, (once)->length, why) == SP_FEED_OK); \
		hold(sp_feed_##name##_encode(twice, &out) == 0);                                      \
		same(once, twice);                                                                    \
	} while (0)

static void topic(const uint8_t *data, size_t size)
{
	struct sp_feed_topic out;
	char *text = sp_strndup((const char *)data, size);
	if (sp_feed_topic_parse(&out, text)) {
		char *again = sp_asprintf("sp1/up/%s/%s/%s", out.shard, out.device, out.leaf);
		hold(strcmp(again, text) == 0);
		free(again);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_buf once = SP_BUF(SP_FEED_PAYLOAD_MAX), twice = SP_BUF(SP_FEED_PAYLOAD_MAX);
	char why[128] = "";
	if (size < 1)
		return 0;
	unsigned kind = *data++ % 4;
	size--;
	if (kind == 0)
		THERE_AND_BACK(state, &once, &twice);
	else if (kind == 1)
		THERE_AND_BACK(ack, &once, &twice);
	else if (kind == 2)
		THERE_AND_BACK(hub, &once, &twice);
	else
		topic(data, size);
	sp_buf_free(&once);
	sp_buf_free(&twice);
	return 0;
}
