// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One GET whose body is kept. Nothing outlives it: no cached name, no kept connection, so that a probe
// measures the line and not our memory.
#include "agent/base/http_transfer.h"

#include "agent/base/mem.h"
#include "agent/base/wire.h"

enum { TIMEOUT_DEFAULT_MS = 30 * 1000 };

static size_t on_head(char *data, size_t size, size_t count, void *arg)
{
	struct sp_http_transfer *transfer = arg;
	(void)data;
	return sp_http_job_head(&transfer->job, size * count) ? size * count : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct sp_http_transfer *transfer = arg;
	sp_buf_add(&transfer->body, data, size * count);
	if (!transfer->body.overflowed)
		return size * count;
	transfer->job.body_too_long = true;
	return 0;
}

#define SET(option, value)                                                       \
	do {                                                                     \
		CURLcode set = curl_easy_setopt(t->job.easy, (option), (value)); \
		if (set != CURLE_OK)                                             \
			return set;                                              \
	} while (0)

static CURLcode set_limits(struct sp_http_transfer *t, const struct sp_http_request *request)
{
	long timeout_ms = request->timeout_ms > 0 ? (long)request->timeout_ms : TIMEOUT_DEFAULT_MS;
	SET(CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	// Refuses what announces itself as too long; on_body() sees to the rest.
	if (request->max_bytes > 0)
		SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_bytes);
	return CURLE_OK;
}

#undef SET

static void release(struct sp_http_job *job)
{
	struct sp_http_transfer *transfer = (struct sp_http_transfer *)job;
	sp_http_job_clear(job);
	sp_buf_free(&transfer->body);
	free(transfer);
}

static void count(struct sp_http_job *job, int fd)
{
	struct sp_http_transfer *transfer = (struct sp_http_transfer *)job;
	// The resolver's own descriptors come along, too: none of TCP.
	int64_t bytes = sp_wire_bytes(fd);
	if (bytes > transfer->wire_bytes)
		transfer->wire_bytes = bytes;
}

static void report(struct sp_http_job *job, CURLcode code)
{
	struct sp_http_transfer *transfer = (struct sp_http_transfer *)job;
	char error[CURL_ERROR_SIZE];
	char *location = NULL;
	curl_off_t elapsed_us = 0;
	struct sp_http_answer answer = {.location = ""};
	answer.result = sp_http_job_errno(job, code);
	sp_http_job_describe(job, code, (int64_t)transfer->body.max, error, sizeof(error));
	answer.error = error;
	answer.family = sp_http_job_family(job, NULL);
	if (job->easy) {
		curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &answer.status);
		curl_easy_getinfo(job->easy, CURLINFO_REDIRECT_URL, &location);
		curl_easy_getinfo(job->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
	}
	if (location)
		answer.location = location;
	answer.body = (const uint8_t *)(transfer->body.data ? transfer->body.data : "");
	answer.length = transfer->body.length;
	answer.elapsed_us = elapsed_us;
	answer.bytes = transfer->wire_bytes;
	transfer->done(transfer->arg, &answer);
}

static const struct sp_http_job_kind kind = {.report = report, .free = release, .released = count};

struct sp_http_transfer *sp_http_transfer_new(const struct sp_http_request *request, sp_http_done_fn done,
					      void *arg)
{
	struct sp_http_transfer *transfer = sp_alloc(sizeof(*transfer));
	struct sp_http_way way = {.url = request->url,
				  .resolve = request->resolve,
				  .interface = request->interface,
				  .ca_file = request->ca_file};
	transfer->done = done;
	transfer->arg = arg;
	transfer->body = SP_BUF(request->max_bytes);
	sp_http_job_init(&transfer->job, &kind, &way);
	if (transfer->job.early == CURLE_OK)
		transfer->job.early = set_limits(transfer, request);
	return transfer;
}
