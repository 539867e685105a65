// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Inflates in steps and stops at the limit: 64 KiB of deflate can hold 64 MiB.
#include "agent/base/feed_inflate.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "agent/base/feed_read.h"
#include "agent/base/mem.h"

static enum sp_feed_fault inflate_into(struct sp_buf *out, const void *payload, size_t length, char why[128])
{
	unsigned char chunk[16 * 1024];
	z_stream z = {.next_in = payload, .avail_in = (uInt)length};
	if (inflateInit(&z) != Z_OK)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "no memory to inflate");
	int result;
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		result = inflate(&z, Z_NO_FLUSH);
		sp_buf_add(out, chunk, sizeof(chunk) - z.avail_out);
	} while (result == Z_OK && !out->overflowed);
	// Z_BUF_ERROR: the stream is cut off. What follows a stream belongs to nobody.
	bool whole = result == Z_STREAM_END && z.avail_in == 0;
	inflateEnd(&z);
	if (out->overflowed)
		return sp_feed_fail(why, SP_FEED_TOO_LARGE, "inflates to more than %d bytes",
				    SP_FEED_INFLATED_MAX);
	if (!whole)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "not one whole zlib stream");
	return SP_FEED_OK;
}

enum sp_feed_fault sp_feed_inflate(char **text, size_t *length, const void *payload, const char *content_type,
				   char why[128])
{
	if (*length > SP_FEED_PAYLOAD_MAX)
		return sp_feed_fail(why, SP_FEED_TOO_LARGE, "%zu bytes; at most %d", *length,
				    SP_FEED_PAYLOAD_MAX);
	bool plain = !content_type || !*content_type || strcmp(content_type, SP_FEED_JSON) == 0;
	if (!plain && strcmp(content_type, SP_FEED_DEFLATED) != 0)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "content type is neither %s nor %s", SP_FEED_JSON,
				    SP_FEED_DEFLATED);
	struct sp_buf out = SP_BUF(SP_FEED_INFLATED_MAX);
	enum sp_feed_fault fault = SP_FEED_OK;
	if (plain)
		sp_buf_add(&out, payload, *length);
	else
		fault = inflate_into(&out, payload, *length, why);
	if (fault == SP_FEED_OK && out.length == 0)
		fault = sp_feed_fail(why, SP_FEED_MALFORMED, "an empty payload");
	if (fault == SP_FEED_OK) {
		*length = out.length;
		*text = sp_buf_take(&out);
	}
	sp_buf_free(&out);
	return fault;
}
