// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The pages (backend.h). Header fields are those of LibreSpeed's garbage.php, empty.php and getIP.php,
// always with CORS, so that its web client works from any page.
#include "tools/anchor/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "tools/anchor/query.h"

enum { BLOCK = 1024 * 1024 };

struct sp_anchor_backend {
	struct sp_anchor_backend_config config;
	uint8_t *block; ///< random, sent over and over
	struct sp_anchor_traffic traffic;
};

/// One stream of a test, from its admission to its end.
struct stream {
	struct sp_anchor_backend *backend;
	unsigned slot;
};

static bool fill_randomly(uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = getrandom(data + at, size - at, 0);
		if (got < 0 && errno != EINTR)
			return false;
		at += got > 0 ? (size_t)got : 0;
	}
	return true;
}

struct sp_anchor_backend *sp_anchor_backend_new(const struct sp_anchor_backend_config *config)
{
	struct sp_anchor_backend *backend = sp_alloc(sizeof(*backend));
	backend->config = *config;
	backend->block = sp_alloc(BLOCK);
	if (fill_randomly(backend->block, BLOCK))
		return backend;
	sp_anchor_backend_free(backend);
	return NULL;
}

void sp_anchor_backend_free(struct sp_anchor_backend *backend)
{
	if (!backend)
		return;
	free(backend->block);
	free(backend);
}

const struct sp_anchor_traffic *sp_anchor_backend_traffic(const struct sp_anchor_backend *backend)
{
	return &backend->traffic;
}

// ---- who asks -----------------------------------------------------------------------------------------

static void client_of(const struct sp_anchor_backend *backend, const struct sp_http_call *call, char out[46])
{
	const char *peer = sp_http_call_peer(call);
	bool local = strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
	const char *line = sp_http_call_header(call, "X-Forwarded-For");
	if (backend->config.behind_proxy && local && line && sp_anchor_forwarded(line, out))
		return;
	snprintf(out, 46, "%s", peer);
}

static bool key_of(const struct sp_anchor_backend *backend, const struct sp_http_call *call,
		   struct sp_anchor_key *out)
{
	char address[46];
	client_of(backend, call, address);
	return sp_anchor_key_of(address, sp_http_call_query(call, "test"), out);
}

// ---- common header fields -----------------------------------------------------------------------------

static void add_fields(struct sp_http_call *call)
{
	sp_http_reply_header(call, "Access-Control-Allow-Origin", "*");
	sp_http_reply_header(call, "Access-Control-Allow-Methods", "GET, POST");
	sp_http_reply_header(call, "Access-Control-Allow-Headers", "Content-Encoding, Content-Type");
	sp_http_reply_header(call, "Cache-Control",
			     "no-store, no-cache, must-revalidate, max-age=0, s-maxage=0, post-check=0, "
			     "pre-check=0");
	sp_http_reply_header(call, "Pragma", "no-cache");
}

static void refuse(struct sp_http_call *call, const struct sp_admit_answer *answer)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%u", answer->retry_seconds);
	add_fields(call);
	sp_http_reply_header(call, "Access-Control-Expose-Headers", "Retry-After");
	sp_http_reply_header(call, "Retry-After", seconds);
	if (answer->why == SP_ADMIT_BYTES)
		sp_http_reply_text(call, 429, "this address has had its share of bytes\n");
	else
		sp_http_reply_text(call, 503, "all places are taken; come back after Retry-After seconds\n");
}

// ---- admission ------------------------------------------------------------------------------------------

static void stream_ended(const struct sp_http_moved *moved, void *context)
{
	struct stream *stream = context;
	struct sp_anchor_backend *backend = stream->backend;
	backend->traffic.sent_bytes += moved->sent;
	backend->traffic.received_bytes += moved->received;
	sp_admit_left(backend->config.admit, stream->slot, moved->sent + moved->received, sp_clock_mono_us());
	free(stream);
}

/// Takes a stream of a test, or replies why not.
static bool admit(struct sp_anchor_backend *backend, struct sp_http_call *call)
{
	struct sp_anchor_key key;
	if (!key_of(backend, call, &key)) {
		sp_http_reply_text(call, 400, "no address\n");
		return false;
	}
	struct sp_admit_answer answer = sp_admit_stream(backend->config.admit, &key, sp_clock_mono_us());
	if (answer.why != SP_ADMIT_YES) {
		refuse(call, &answer);
		return false;
	}
	struct stream *stream = sp_alloc(sizeof(*stream));
	*stream = (struct stream){backend, answer.slot};
	sp_http_call_pace(call, answer.left_ms > 0 ? answer.left_ms : 1, backend->config.stall_ms);
	sp_http_call_ended(call, stream_ended, stream);
	return true;
}

/// Judges a test's stream by its head, so that a refused upload sends nothing.
void sp_anchor_begin(struct sp_http_call *call, void *arg)
{
	struct sp_anchor_backend *backend = arg;
	enum sp_anchor_page page = sp_anchor_page_of(sp_http_call_path(call));
	const char *method = sp_http_call_method(call);
	if (page == SP_ANCHOR_GARBAGE && strcmp(method, "GET") == 0) {
		(void)!admit(backend, call);
	} else if (page == SP_ANCHOR_EMPTY && strcmp(method, "POST") == 0 && admit(backend, call)) {
		sp_http_call_stream(call, backend->config.most_upload, NULL);
	}
}

// ---- pages ----------------------------------------------------------------------------------------------

static void garbage(struct sp_http_call *call, struct sp_anchor_backend *backend)
{
	backend->traffic.downloads++;
	sp_http_reply_header(call, "Content-Description", "File Transfer");
	sp_http_reply_header(call, "Content-Disposition", "attachment; filename=random.dat");
	sp_http_reply_header(call, "Content-Transfer-Encoding", "binary");
	sp_http_reply_repeat(call, 200, "application/octet-stream", backend->block, BLOCK,
			     sp_anchor_chunks(sp_http_call_query(call, "ckSize")));
}

static void empty(struct sp_http_call *call, struct sp_anchor_backend *backend)
{
	struct sp_anchor_key key;
	if (strcmp(sp_http_call_method(call), "POST") == 0) {
		backend->traffic.uploads++;
	} else {
		backend->traffic.pings++;
		if (key_of(backend, call, &key))
			sp_admit_touch(backend->config.admit, &key, sp_clock_mono_us());
	}
	sp_http_reply(call, 200, NULL, "", 0, SP_HTTP_STATIC);
}

static void address(struct sp_http_call *call, struct sp_anchor_backend *backend)
{
	char client[46], text[256];
	const char *format = sp_http_call_query(call, "format");
	bool plain = format && strcmp(format, "text") == 0;
	client_of(backend, call, client);
	backend->traffic.addresses++;
	snprintf(text, sizeof(text), plain ? "%s%s\n" : "{\"processedString\":\"%s%s\",\"rawIspInfo\":\"\"}",
		 client, plain ? "" : sp_anchor_address_note(client));
	sp_http_reply(call, 200, plain ? "text/plain; charset=utf-8" : "application/json; charset=utf-8",
		      text, strlen(text), SP_HTTP_COPY);
}

static void page(struct sp_http_call *call, void *arg)
{
	struct sp_anchor_backend *backend = arg;
	const char *method = sp_http_call_method(call);
	enum sp_anchor_page which = sp_anchor_page_of(sp_http_call_path(call));
	add_fields(call);
	if (which == SP_ANCHOR_NONE)
		sp_http_reply_text(call, 404, "not here\n");
	else if (strcmp(method, "OPTIONS") == 0)
		sp_http_reply(call, 204, NULL, "", 0, SP_HTTP_STATIC);
	else if (strcmp(method, "POST") == 0 && which != SP_ANCHOR_EMPTY)
		sp_http_reply_text(call, 405, "not by this method\n");
	else if (which == SP_ANCHOR_GARBAGE)
		garbage(call, backend);
	else if (which == SP_ANCHOR_EMPTY)
		empty(call, backend);
	else
		address(call, backend);
}

const struct sp_http_route sp_anchor_routes[] = {
    {"GET", "/*", page},
    {"POST", "/*", page},
    {"OPTIONS", "/*", page},
    {0},
};
