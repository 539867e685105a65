// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Addresses of ndt7 servers. They come from a locator on the internet and end up in a request's head, so no
// character gets through that could end a line there.
#include "ndt7_url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool printable(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static int parse_port(const char *text, size_t length, uint16_t *port)
{
	unsigned value = 0;
	if (length == 0 || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static bool host_character(char c, bool literal)
{
	return isalnum((unsigned char)c) || c == '.' || (literal ? c == ':' : c == '-' || c == '_');
}

/// "host[:port]" of `length` bytes.
static int parse_authority(struct sp_ndt7_url *url, const char *text, size_t length)
{
	const char *host = text, *end = text + length, *port = NULL;
	size_t host_length;
	bool literal = length > 0 && *text == '[';
	if (literal) {
		const char *close = memchr(text, ']', length);
		if (!close)
			return -EINVAL;
		host++;
		host_length = (size_t)(close - host);
		port = close + 1 < end ? close + 1 : NULL;
		if (port && *port != ':')
			return -EINVAL;
	} else {
		port = memchr(text, ':', length);
		host_length = port ? (size_t)(port - text) : length;
	}
	if (host_length == 0 || host_length >= sizeof(url->host))
		return -EINVAL;
	for (size_t i = 0; i < host_length; i++)
		if (!host_character(host[i], literal))
			return -EINVAL;
	memcpy(url->host, host, host_length);
	url->host[host_length] = '\0';
	url->port = url->tls ? 443 : 80;
	return port ? parse_port(port + 1, (size_t)(end - port) - 1, &url->port) : 0;
}

int sp_ndt7_url_parse(struct sp_ndt7_url *url, const char *text)
{
	*url = (struct sp_ndt7_url){0};
	if (strncmp(text, "wss://", 6) == 0)
		url->tls = true;
	else if (strncmp(text, "ws://", 5) != 0)
		return -EINVAL;
	text += url->tls ? 6 : 5;
	if (!printable(text) || strchr(text, '#'))
		return -EINVAL;
	size_t length = strcspn(text, "/?");
	const char *target = text + length, *query = strchr(target, '?');
	if (*target != '/' || strlen(target) >= sizeof(url->target) ||
	    (query && strlen(query + 1) > SP_NDT7_QUERY))
		return -EINVAL;
	memcpy(url->target, target, strlen(target) + 1);
	return parse_authority(url, text, length);
}

int sp_ndt7_url_fixed(struct sp_ndt7_url *url, const char *server, bool tls,
		      enum sp_speed_direction direction)
{
	*url = (struct sp_ndt7_url){.tls = tls};
	snprintf(url->target, sizeof(url->target), "/ndt/v7/%s",
		 direction == SP_SPEED_DOWN ? "download" : "upload");
	return parse_authority(url, server, strlen(server));
}

static bool has_key(const char *query, const char *key)
{
	size_t length = strlen(key);
	for (const char *at = query; at; at = strchr(at, '&')) {
		at += *at == '&';
		if (strncmp(at, key, length) == 0 && (at[length] == '=' || at[length] == '&' || !at[length]))
			return true;
	}
	return false;
}

int sp_ndt7_url_add(struct sp_ndt7_url *url, const char *key, const char *value)
{
	const char *query = strchr(url->target, '?');
	if (query && has_key(query + 1, key))
		return 0;
	size_t used = strlen(url->target), of_query = query ? strlen(query + 1) : 0;
	size_t more = 1 + strlen(key) + 1 + strlen(value);
	if (of_query + more > SP_NDT7_QUERY || used + more >= sizeof(url->target))
		return -E2BIG;
	bool first = !query || !query[1];
	snprintf(url->target + used, sizeof(url->target) - used, "%s%s=%s", first ? (query ? "" : "?") : "&",
		 key, value);
	return 0;
}

const char *sp_ndt7_url_authority(const struct sp_ndt7_url *url, char *out, size_t size)
{
	bool literal = strchr(url->host, ':');
	int used = snprintf(out, size, "%s%s%s", literal ? "[" : "", url->host, literal ? "]" : "");
	if (url->port != (url->tls ? 443 : 80) && used > 0 && (size_t)used < size)
		snprintf(out + used, size - (size_t)used, ":%u", url->port);
	return out;
}

bool sp_ndt7_is_mlab(const char *host)
{
	static const char *const zones[] = {"measurementlab.net", "measurement-lab.org"};
	size_t length = strlen(host);
	while (length > 0 && host[length - 1] == '.')
		length--;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		size_t zone = strlen(zones[i]);
		if (length >= zone && strncasecmp(host + length - zone, zones[i], zone) == 0 &&
		    (length == zone || host[length - zone - 1] == '.'))
			return true;
	}
	return false;
}

bool sp_ndt7_url_is_mlab(const char *text)
{
	const char *authority = strstr(text, "://");
	if (!authority)
		return true;
	authority += 3;
	struct sp_ndt7_url url = {0};
	// A user's part before the host would fail here: not readable, so theirs.
	if (parse_authority(&url, authority, strcspn(authority, "/?#")) < 0)
		return true;
	return sp_ndt7_is_mlab(url.host);
}
