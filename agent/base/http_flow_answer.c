// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What comes back of a flowing transfer: heads, bodies, and the challenges of a login that are neither.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/http_flow_priv.h"
#include "schoolpulse/clock.h"

enum { CHALLENGES_MOST = 3 };

static const char *field(const struct sp_http_flow *flow, const char *name)
{
	struct curl_header *header = NULL;
	CURLHcode code = curl_easy_header(flow->job.easy, name, 0, CURLH_HEADER, -1, &header);
	// Where there are several, libcurl itself goes by the last.
	if (code == CURLHE_OK && header->amount > 1)
		code = curl_easy_header(flow->job.easy, name, header->amount - 1, CURLH_HEADER, -1, &header);
	return code == CURLHE_OK ? header->value : "";
}

static int64_t announced(const struct sp_http_flow *flow)
{
	const char *text = field(flow, "Content-Length");
	char *end;
	errno = 0;
	long long length = strtoll(text, &end, 10);
	return *text && !*end && !errno && length >= 0 ? length : -1;
}

/// A field that has the body coded. libcurl unfolds what is compressed for the way, asked or not, and then
/// more bytes come out of it than ever moved. Every line is looked at, those of 1xx included, as libcurl
/// does.
static bool is_coding(const char *data, size_t length)
{
	static const struct {
		const char *name, *plain; ///< what it may say instead of "identity"
	} fields[] = {{"Transfer-Encoding:", "chunked"}, {"Content-Encoding:", "identity"}};
	for (size_t i = 0; i < SP_COUNT(fields); i++) {
		char word[12] = "";
		size_t from = strlen(fields[i].name);
		if (length < from || strncasecmp(data, fields[i].name, from) != 0)
			continue;
		while (from < length && isspace((unsigned char)data[from]))
			from++;
		while (length > from && isspace((unsigned char)data[length - 1]))
			length--;
		snprintf(word, sizeof(word), "%.*s", (int)(length - from), data + from);
		return strcasecmp(word, "identity") != 0 && strcasecmp(word, fields[i].plain) != 0;
	}
	return false;
}

bool sp_http_flow_tell(struct sp_http_flow *flow)
{
	struct sp_http_head head = {0};
	flow->challenged = false;
	flow->headed = true;
	curl_easy_getinfo(flow->job.easy, CURLINFO_RESPONSE_CODE, &head.status);
	head.length = announced(flow);
	head.location = field(flow, "Location");
	head.retry_after = field(flow, "Retry-After");
	head.content_type = field(flow, "Content-Type");
	if (!flow->events->head || flow->events->head(flow->arg, &head))
		return true;
	flow->cancelled = true;
	return false;
}

bool sp_http_flow_forgotten(const struct sp_http_flow *flow)
{
	return flow->challenged && flow->reused && flow->challenges == 0;
}

/// libcurl asks again: what came was no answer yet. A peer that calls every nonce stale would go on for ever.
static bool begin_anew(struct sp_http_flow *flow)
{
	flow->challenged = flow->coded = false;
	flow->job.head_length = 0;
	return ++flow->challenges <= CHALLENGES_MOST;
}

size_t sp_http_flow_on_head(char *data, size_t size, size_t count, void *arg)
{
	struct sp_http_flow *flow = arg;
	size_t length = size * count;
	long status = 0;
	if (flow->challenged && length >= 5 && memcmp(data, "HTTP/", 5) == 0 && !begin_anew(flow))
		return 0;
	if (!flow->answered_us)
		flow->answered_us = sp_clock_mono_us();
	flow->coded |= is_coding(data, length);
	if (!sp_http_job_head(&flow->job, length) || flow->coded)
		return 0;
	// The empty line ends it; those of 1xx are none, and what comes after the body is a trailer.
	if (flow->headed || flow->challenged || length == 0 || (data[0] != '\r' && data[0] != '\n'))
		return length;
	curl_easy_getinfo(flow->job.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 101)
		return 0; // nobody asked to switch, and libcurl takes what follows for a body
	if (status < 200)
		return length;
	if (flow->login && status == 401) {
		flow->challenged = true;
		return length;
	}
	return sp_http_flow_tell(flow) ? length : 0;
}

size_t sp_http_flow_on_body(char *data, size_t size, size_t count, void *arg)
{
	struct sp_http_flow *flow = arg;
	size_t length = size * count;
	if (sp_http_flow_forgotten(flow))
		return length; // it is asked once more
	// The body of a challenge that libcurl answers does not come here.
	if (flow->challenged && !sp_http_flow_tell(flow))
		return 0;
	flow->received += (int64_t)length;
	if (flow->received > flow->max_bytes) {
		flow->job.body_too_long = true;
		return 0;
	}
	if (!flow->events->received || flow->events->received(flow->arg, (const uint8_t *)data, length))
		return length;
	flow->cancelled = true;
	return 0;
}
