// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Envelopes from the wire. The first byte says how the rest travels: as JSON, as it is but called
// deflated, or deflated here, so that what is inside is reached, too.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/base/feed.h"
#include "agent/base/feed_json.h"
#include "agent/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool good)
{
	if (!good)
		abort();
}

/// What a hub relies on when a message is good.
static void check(const struct sp_feed_message *m)
{
	hold(m->count >= 1 && m->count <= SP_FEED_BATCH_MAX && m->envelope.first >= 1);
	hold(m->envelope.last - m->envelope.first + 1 == (int64_t)m->count);
	hold(sp_id_valid(m->envelope.device) && m->envelope.boot[0] && m->envelope.clk_boot[0]);
	hold(strlen(m->envelope.stream) == SP_ID_LENGTH && strlen(m->envelope.digest) == SP_DIGEST_LENGTH);
	for (size_t i = 0; i < m->count; i++) {
		const struct sp_feed_event *e = &m->events[i];
		hold(e->seq == m->envelope.first + (int64_t)i && e->mono_us >= 0);
		hold(sp_feed_type_valid(e->type) && sp_utf8_valid(e->device, strlen(e->device)));
		hold(!e->placed || (e->t_ms >= 0 && e->err_ms >= 0));
		hold(e->data[0] == '{' && sp_json_valid(e->data, strlen(e->data)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char packed[256 * 1024];
	struct sp_feed_message message;
	char why[128];
	if (size < 1)
		return 0;
	unsigned mode = *data++ % 3;
	uLongf length = sizeof(packed);
	const void *payload = data;
	size--;
	if (mode == 2) {
		if (compress2(packed, &length, data, size, 1) != Z_OK)
			return 0;
		payload = packed;
		size = length;
	}
	enum sp_feed_fault fault =
	    sp_feed_envelope_decode(&message, payload, size, mode ? SP_FEED_DEFLATED : SP_FEED_JSON, why);
	hold((fault == SP_FEED_OK) == (why[0] == '\0') && strlen(why) < sizeof(why));
	if (fault == SP_FEED_OK)
		check(&message);
	sp_feed_message_free(&message);
	return 0;
}
