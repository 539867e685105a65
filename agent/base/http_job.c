// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The common part of every transfer: what a handle may do and never does.
#include "agent/base/http_job.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"

enum { HEAD_MAX = 32 * 1024 }; ///< status line and header fields, those of 1xx answers included

/// "::192.0.2.1:" connects there whatever host and port the URL names, and the port stays.
/// CURLOPT_RESOLVE would leave the address in the multi handle's cache for other transfers.
static struct curl_slist *connect_to(const char *address)
{
	char *entry = sp_asprintf(strchr(address, ':') ? "::[%s]:" : "::%s:", address);
	struct curl_slist *list = curl_slist_append(NULL, entry);
	free(entry);
	return list;
}

#define SET(option, value)                                                     \
	do {                                                                   \
		CURLcode set = curl_easy_setopt(job->easy, (option), (value)); \
		if (set != CURLE_OK)                                           \
			return set;                                            \
	} while (0)

static CURLcode set_manners(struct sp_http_job *job)
{
	SET(CURLOPT_NOSIGNAL, 1L);
	// Without it a transfer that times out while its name is resolved waits for the resolver.
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROXY, ""); // the environment's proxies are somebody else's
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_USERAGENT, "SchoolPulse/" SP_VERSION);
	SET(CURLOPT_ERRORBUFFER, job->error);
	SET(CURLOPT_PRIVATE, job);
	return CURLE_OK;
}

static CURLcode set_way(struct sp_http_job *job, const struct sp_http_way *way)
{
	SET(CURLOPT_URL, way->url);
	if (way->resolve && *way->resolve) {
		job->connect_to = connect_to(way->resolve);
		SET(CURLOPT_CONNECT_TO, job->connect_to);
	}
	if (way->ca_file && *way->ca_file) {
		SET(CURLOPT_CAINFO, way->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (way->interface && *way->interface) {
		// "if!": an interface, never a host name to look up.
		char *interface = sp_asprintf("if!%s", way->interface);
		CURLcode code = curl_easy_setopt(job->easy, CURLOPT_INTERFACE, interface);
		free(interface);
		return code;
	}
	return CURLE_OK;
}

#undef SET

void sp_http_job_init(struct sp_http_job *job, const struct sp_http_job_kind *kind,
		      const struct sp_http_way *way)
{
	job->kind = kind;
	job->check_us = -1;
	if (!job->easy)
		job->easy = curl_easy_init();
	job->early = job->easy ? CURLE_OK : CURLE_OUT_OF_MEMORY;
	if (job->early == CURLE_OK)
		job->early = set_manners(job);
	if (job->early == CURLE_OK)
		job->early = set_way(job, way);
}

void sp_http_job_clear(struct sp_http_job *job)
{
	curl_easy_cleanup(job->easy);
	curl_slist_free_all(job->connect_to);
}

bool sp_http_job_head(struct sp_http_job *job, size_t length)
{
	job->head_length += length;
	job->head_too_long = job->head_length > HEAD_MAX;
	return !job->head_too_long;
}

static int errno_of(const struct sp_http_job *job, CURLcode code)
{
	long os_error = 0, sent = 0;
	switch ((int)code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_UNSUPPORTED_PROTOCOL: // of the URL, or of an answer that is no HTTP
		curl_easy_getinfo(job->easy, CURLINFO_REQUEST_SIZE, &sent);
		return sent > 0 ? -EPROTO : -EINVAL;
	case CURLE_URL_MALFORMAT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return -EINVAL;
	case CURLE_COULDNT_RESOLVE_HOST:
		return -ENOENT;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(job->easy, CURLINFO_OS_ERRNO, &os_error);
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
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

int sp_http_job_errno(const struct sp_http_job *job, CURLcode code)
{
	if (job->head_too_long)
		return -EPROTO;
	return job->body_too_long ? -EMSGSIZE : errno_of(job, code);
}

void sp_http_job_describe(const struct sp_http_job *job, CURLcode code, int64_t max, char *out, size_t size)
{
	int result = sp_http_job_errno(job, code);
	if (result == 0)
		snprintf(out, size, "%s", "");
	else if (job->head_too_long)
		snprintf(out, size, "the header is longer than %d bytes", HEAD_MAX);
	else if (result == -EMSGSIZE)
		snprintf(out, size, "the body is longer than %lld bytes", (long long)max);
	else if (result == -ETIMEDOUT)
		snprintf(out, size, "no complete answer in time");
	else if (code == CURLE_COULDNT_CONNECT)
		snprintf(out, size, "%s", strerror(-result));
	else if (code == CURLE_GOT_NOTHING)
		snprintf(out, size, "the peer closed the connection without an answer");
	else if (code == CURLE_PARTIAL_FILE)
		snprintf(out, size, "the peer closed the connection before its answer was complete");
	else
		snprintf(out, size, "%s", job->error[0] ? job->error : curl_easy_strerror(code));
}

enum sp_family sp_http_job_family(const struct sp_http_job *job, char address[INET6_ADDRSTRLEN])
{
	char *found = NULL;
	if (job->easy)
		curl_easy_getinfo(job->easy, CURLINFO_PRIMARY_IP, &found);
	const char *text = found ? found : "";
	if (address)
		snprintf(address, INET6_ADDRSTRLEN, "%s", text);
	if (!*text)
		return SP_FAMILY_ANY;
	return strchr(text, ':') ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
}
