// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One transfer on libcurl's easy handle. Nothing outlives it: no cached name, no kept connection, so
// that a probe measures the line and not our memory.
#include "agent/base/http_transfer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/mem.h"
#include "agent/base/wire.h"

enum {
	HEAD_MAX = 32 * 1024, ///< status line and header fields, those of 1xx answers included
	TIMEOUT_DEFAULT_MS = 30 * 1000,
};

static size_t on_head(char *data, size_t size, size_t count, void *arg)
{
	struct sp_http_transfer *transfer = arg;
	(void)data;
	transfer->head_length += size * count;
	if (transfer->head_length <= HEAD_MAX)
		return size * count;
	transfer->head_too_long = true;
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct sp_http_transfer *transfer = arg;
	sp_buf_add(&transfer->body, data, size * count);
	if (!transfer->body.overflowed)
		return size * count;
	transfer->body_too_long = true;
	return 0;
}

/// "::192.0.2.1:" connects there whatever host and port the URL names, and the port stays.
/// CURLOPT_RESOLVE would leave the address in the multi handle's cache for other transfers.
static struct curl_slist *connect_to(const char *address)
{
	char *entry = sp_asprintf(strchr(address, ':') ? "::[%s]:" : "::%s:", address);
	struct curl_slist *list = curl_slist_append(NULL, entry);
	free(entry);
	return list;
}

#define SET(option, value)                                                   \
	do {                                                                 \
		CURLcode set = curl_easy_setopt(t->easy, (option), (value)); \
		if (set != CURLE_OK)                                         \
			return set;                                          \
	} while (0)

static CURLcode set_limits(struct sp_http_transfer *t, const struct sp_http_request *request)
{
	long timeout_ms = request->timeout_ms > 0 ? (long)request->timeout_ms : TIMEOUT_DEFAULT_MS;
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	// Refuses what announces itself as too long; on_body() sees to the rest.
	if (request->max_bytes > 0)
		SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_bytes);
	return CURLE_OK;
}

static CURLcode set_manners(struct sp_http_transfer *t)
{
	SET(CURLOPT_NOSIGNAL, 1L);
	// Without it a transfer that times out while its name is resolved waits for the resolver.
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROXY, ""); // the environment's proxies are somebody else's
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_USERAGENT, "SchoolPulse/" SP_VERSION);
	SET(CURLOPT_ERRORBUFFER, t->error);
	SET(CURLOPT_PRIVATE, t);
	return CURLE_OK;
}

static CURLcode set_request(struct sp_http_transfer *t, const struct sp_http_request *request)
{
	SET(CURLOPT_URL, request->url);
	if (request->resolve && *request->resolve) {
		t->connect_to = connect_to(request->resolve);
		SET(CURLOPT_CONNECT_TO, t->connect_to);
	}
	if (request->ca_file && *request->ca_file) {
		SET(CURLOPT_CAINFO, request->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (request->interface && *request->interface) {
		// "if!": an interface, never a host name to look up.
		char *interface = sp_asprintf("if!%s", request->interface);
		CURLcode code = curl_easy_setopt(t->easy, CURLOPT_INTERFACE, interface);
		free(interface);
		return code;
	}
	return CURLE_OK;
}

#undef SET

struct sp_http_transfer *sp_http_transfer_new(const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg)
{
	struct sp_http_transfer *transfer = sp_alloc(sizeof(*transfer));
	transfer->done = done;
	transfer->arg = arg;
	transfer->body = SP_BUF(request->max_bytes);
	transfer->easy = curl_easy_init();
	transfer->early = transfer->easy ? CURLE_OK : CURLE_OUT_OF_MEMORY;
	if (transfer->early == CURLE_OK)
		transfer->early = set_manners(transfer);
	if (transfer->early == CURLE_OK)
		transfer->early = set_limits(transfer, request);
	if (transfer->early == CURLE_OK)
		transfer->early = set_request(transfer, request);
	return transfer;
}

void sp_http_transfer_free(struct sp_http_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->connect_to);
	sp_buf_free(&transfer->body);
	free(transfer);
}

/// libcurl's codes in errno's words; what needs a closer look says so by its text.
static int errno_of(const struct sp_http_transfer *transfer, CURLcode code)
{
	long os_error = 0, sent = 0;
	switch ((int)code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_UNSUPPORTED_PROTOCOL: // of the URL, or of an answer that is no HTTP
		curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
		return sent > 0 ? -EPROTO : -EINVAL;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_COULDNT_RESOLVE_HOST:
		return -ENOENT;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
		return os_error > 0 ? -(int)os_error : -ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
		return -EKEYREJECTED;
	case CURLE_INTERFACE_FAILED:
		return -ENODEV;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_FILESIZE_EXCEEDED:
		return -EMSGSIZE;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

static void describe(const struct sp_http_transfer *transfer, CURLcode code, int result, char *out,
		     size_t size)
{
	if (code == CURLE_OK)
		snprintf(out, size, "%s", "");
	else if (transfer->head_too_long)
		snprintf(out, size, "the header is longer than %d bytes", HEAD_MAX);
	else if (result == -EMSGSIZE)
		snprintf(out, size, "the body is longer than %zu bytes", transfer->body.max);
	else if (result == -ETIMEDOUT)
		snprintf(out, size, "no complete answer in time");
	else if (code == CURLE_COULDNT_CONNECT)
		snprintf(out, size, "%s", strerror(-result));
	else if (code == CURLE_GOT_NOTHING)
		snprintf(out, size, "the peer closed the connection without an answer");
	else if (code == CURLE_PARTIAL_FILE)
		snprintf(out, size, "the peer closed the connection before its answer was complete");
	else
		snprintf(out, size, "%s", transfer->error[0] ? transfer->error : curl_easy_strerror(code));
}

void sp_http_transfer_count(struct sp_http_transfer *transfer, int fd)
{
	// The resolver's own descriptors come along, too: none of TCP.
	int64_t bytes = sp_wire_bytes(fd);
	if (bytes > transfer->wire_bytes)
		transfer->wire_bytes = bytes;
}

static enum sp_family family_of(CURL *easy)
{
	char *address = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
	if (!address || !*address)
		return SP_FAMILY_ANY;
	return strchr(address, ':') ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
}

void sp_http_transfer_report(struct sp_http_transfer *transfer, CURLcode code)
{
	char error[CURL_ERROR_SIZE];
	char *location = NULL;
	curl_off_t elapsed_us = 0;
	struct sp_http_answer answer = {.location = ""};
	answer.result = errno_of(transfer, code);
	if (transfer->body_too_long)
		answer.result = -EMSGSIZE;
	if (transfer->head_too_long)
		answer.result = -EPROTO;
	describe(transfer, code, answer.result, error, sizeof(error));
	answer.error = error;
	if (transfer->easy) {
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
		curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location);
		curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
		answer.family = family_of(transfer->easy);
	}
	if (location)
		answer.location = location;
	answer.body = (const uint8_t *)(transfer->body.data ? transfer->body.data : "");
	answer.length = transfer->body.length;
	answer.elapsed_us = elapsed_us;
	answer.bytes = transfer->wire_bytes;
	transfer->done(transfer->arg, &answer);
}
