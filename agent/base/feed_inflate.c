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

struct piece {
	char *text;
	size_t length;
};

enum { ROOM_MIN = 4096, RATIO = 8 }; ///< records are most often deflated to less than a sixth

/// One piece of memory, so that zlib need not remember what it has written elsewhere.
static enum sp_feed_fault inflate_into(struct piece *out, const void *payload, size_t length, char why[128])
{
	z_stream z = {.next_in = payload, .avail_in = (uInt)length};
	if (inflateInit(&z) != Z_OK)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "no memory to inflate");
	size_t room = length * RATIO > ROOM_MIN ? length * RATIO : ROOM_MIN;
	int result = Z_OK;
	while (result == Z_OK && out->length <= SP_FEED_INFLATED_MAX) {
		room = room < SP_FEED_INFLATED_MAX + 1 ? room : SP_FEED_INFLATED_MAX + 1;
		out->text = sp_realloc(out->text, room + 1);
		z.next_out = (unsigned char *)out->text + out->length;
		z.avail_out = (uInt)(room - out->length);
		// Z_FINISH finds nothing wrong with a text that is longer than the room, but calls it
		// Z_BUF_ERROR.
		result = inflate(&z, Z_FINISH);
		out->length = room - z.avail_out;
		if (result == Z_BUF_ERROR && z.avail_out == 0)
			result = Z_OK;
		room *= 2;
	}
	// Z_BUF_ERROR: the stream is cut off. What follows a stream belongs to nobody.
	bool whole = result == Z_STREAM_END && z.avail_in == 0;
	inflateEnd(&z);
	if (out->length > SP_FEED_INFLATED_MAX)
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
	struct piece out = {0};
	enum sp_feed_fault fault = SP_FEED_OK;
	if (plain) {
		out = (struct piece){sp_alloc(*length + 1), *length};
		if (*length > 0)
			memcpy(out.text, payload, *length);
	} else {
		fault = inflate_into(&out, payload, *length, why);
	}
	if (fault == SP_FEED_OK && out.length == 0)
		fault = sp_feed_fail(why, SP_FEED_MALFORMED, "an empty payload");
	if (fault != SP_FEED_OK) {
		free(out.text);
		return fault;
	}
	out.text[out.length] = '\0';
	*length = out.length;
	*text = out.text;
	return SP_FEED_OK;
}
