// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Envelopes: a batch on the wire. Encoding never holds more than header and result, since a
// board's memory is small; deflate gets small windows for the same reason.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "agent/base/feed.h"
#include "agent/base/feed_inflate.h"
#include "agent/base/feed_json.h"
#include "agent/base/feed_read.h"

enum {
	WINDOW_BITS = 13, ///< 8 KiB: 64 KiB of memory together with LEVEL, for 3 % more bytes than 15/8
	MEMORY_LEVEL = 6,
	HEADER_MAX = 1024,
};

static void write_header(struct sp_buf *out, const struct sp_feed_envelope *e)
{
	sp_buf_printf(out, "{\"v\":%d,\"dev\":", SP_FEED_VERSION);
	sp_json_text(out, e->device);
	sp_buf_printf(out, ",\"class\":\"%s\",\"stream\":", sp_record_class_name(e->cls));
	sp_json_text(out, e->stream);
	sp_buf_text(out, ",\"boot\":");
	sp_json_text(out, e->boot);
	sp_buf_text(out, ",\"digest\":");
	sp_json_text(out, e->digest);
	if (e->redacted > 0)
		sp_buf_printf(out, ",\"redacted\":%" PRId64, e->redacted);
	sp_buf_text(out, ",");
	sp_feed_clk_write(out, &e->clk, e->clk_boot);
	sp_buf_text(out, ",\"ev\":");
}

/// Feeds one piece; false when the result would pass SP_FEED_PAYLOAD_MAX.
static bool deflate_piece(z_stream *z, struct sp_buf *out, size_t start, const char *text, size_t length,
			  int flush)
{
	unsigned char chunk[4096];
	z->next_in = (const unsigned char *)text;
	z->avail_in = (uInt)length;
	do {
		z->next_out = chunk;
		z->avail_out = sizeof(chunk);
		int result = deflate(z, flush);
		if (result == Z_STREAM_ERROR)
			return false;
		sp_buf_add(out, chunk, sizeof(chunk) - z->avail_out);
		if (out->overflowed || out->length - start > SP_FEED_PAYLOAD_MAX)
			return false;
	} while (z->avail_out == 0);
	return true;
}

static int write_deflated(struct sp_buf *out, const struct sp_buf *header, const char *batch, size_t length)
{
	z_stream z = {0};
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	size_t start = out->length;
	bool good = deflate_piece(&z, out, start, header->data, header->length, Z_NO_FLUSH) &&
		    deflate_piece(&z, out, start, batch, length, Z_NO_FLUSH) &&
		    deflate_piece(&z, out, start, "}", 1, Z_FINISH);
	deflateEnd(&z);
	return good ? 0 : -EMSGSIZE;
}

int sp_feed_deflate(struct sp_buf *out, const char *text, size_t length)
{
	z_stream z = {0};
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	size_t start = out->length;
	bool good = deflate_piece(&z, out, start, text, length, Z_FINISH);
	deflateEnd(&z);
	if (good)
		return 0;
	out->length = start;
	out->overflowed = false;
	return -EMSGSIZE;
}

int sp_feed_envelope_encode(struct sp_buf *out, const struct sp_feed_envelope *envelope, const char *batch,
			    bool deflate)
{
	struct sp_buf header = SP_BUF(HEADER_MAX);
	size_t start = out->length, length = strlen(batch);
	int result = 0;
	if (out->overflowed)
		return -EMSGSIZE;
	write_header(&header, envelope);
	if (header.overflowed || header.length + length + 1 > SP_FEED_INFLATED_MAX) {
		result = -EMSGSIZE;
	} else if (deflate) {
		result = write_deflated(out, &header, batch, length);
	} else {
		sp_buf_add(out, header.data, header.length);
		sp_buf_add(out, batch, length);
		sp_buf_add(out, "}", 1);
		if (out->overflowed || out->length - start > SP_FEED_PAYLOAD_MAX)
			result = -EMSGSIZE;
	}
	if (result < 0) {
		out->length = start;
		out->overflowed = false;
		if (out->data)
			out->data[start] = '\0';
	}
	sp_buf_free(&header);
	return result;
}

static enum sp_feed_fault read_envelope(struct sp_feed_envelope *e, const cJSON *root, char why[128])
{
	const char *wrong = NULL;
	if (!sp_feed_text(sp_feed_member(root, "dev"), sp_id_valid, e->device, sizeof(e->device)))
		wrong = "dev";
	else if (!sp_feed_class(sp_feed_member(root, "class"), &e->cls))
		wrong = "class";
	else if (!sp_feed_text(sp_feed_member(root, "stream"), sp_feed_is_stream, e->stream,
			       sizeof(e->stream)))
		wrong = "stream";
	else if (!sp_feed_text(sp_feed_member(root, "boot"), sp_feed_is_boot, e->boot, sizeof(e->boot)))
		wrong = "boot";
	else if (!sp_feed_text(sp_feed_member(root, "digest"), sp_feed_is_digest, e->digest,
			       sizeof(e->digest)))
		wrong = "digest";
	else if (!sp_feed_unknown(sp_feed_member(root, "redacted")) &&
		 !sp_feed_int(sp_feed_member(root, "redacted"), 1, &e->redacted))
		wrong = "redacted";
	else if (!sp_feed_clk(sp_feed_member(root, "clk"), &e->clk, e->clk_boot))
		wrong = "clk";
	if (wrong)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "\"%s\" is missing or wrong", wrong);
	return SP_FEED_OK;
}

/// The members of a checked text, but for the records, which are most of it.
static enum sp_feed_fault read_header(struct sp_feed_envelope *e, const char *text, size_t length,
				      const char *list, const char *list_end, char why[128])
{
	struct sp_buf header = SP_BUF(SP_FEED_INFLATED_MAX + 8);
	cJSON *root = NULL;
	if (list) {
		sp_buf_add(&header, text, (size_t)(list - text));
		sp_buf_add(&header, "null", 4);
		sp_buf_add(&header, list_end, length - (size_t)(list_end - text));
		text = header.data;
		length = header.length;
	}
	enum sp_feed_fault fault = sp_feed_read_tree(&root, text, length, why);
	if (fault == SP_FEED_OK)
		fault = read_envelope(e, root, why);
	cJSON_Delete(root);
	sp_buf_free(&header);
	return fault;
}

static enum sp_feed_fault read_text(struct sp_feed_message *out, const char *text, size_t length,
				    char why[128])
{
	if (!sp_json_valid(text, length))
		return sp_feed_fail(why, SP_FEED_MALFORMED, "not JSON, or deeper than %d levels",
				    SP_JSON_DEPTH_MAX);
	const char *end = NULL, *list = sp_feed_events_at(text, &end);
	enum sp_feed_fault fault = read_header(&out->envelope, text, length, list, end, why);
	return fault == SP_FEED_OK ? sp_feed_read_events(out, list, end, why) : fault;
}

enum sp_feed_fault sp_feed_envelope_decode(struct sp_feed_message *out, const void *payload, size_t length,
					   const char *content_type, char why[128])
{
	*out = (struct sp_feed_message){0};
	why[0] = '\0';
	char *text = NULL;
	enum sp_feed_fault fault = sp_feed_inflate(&text, &length, payload, content_type, why);
	if (fault == SP_FEED_OK)
		fault = read_text(out, text, length, why);
	free(text);
	return fault;
}

void sp_feed_message_free(struct sp_feed_message *message)
{
	free(message->events);
	free(message->texts);
	*message = (struct sp_feed_message){0};
}
