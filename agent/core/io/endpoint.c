// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: address literals with a port. Pure.
#include "schoolpulse/io.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

static int parse_port(const char *text, uint16_t *port)
{
	unsigned value = 0;
	size_t digits = 0;
	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++)
		value = value * 10 + (unsigned)(text[digits] - '0');
	if (digits == 0 || text[digits] != '\0' || value == 0 || value > 65535)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static int parse_v4(struct sp_endpoint *out, const char *host, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return -EINVAL;
	memcpy(&out->address, &in, sizeof(in));
	return 0;
}

static int parse_v6(struct sp_endpoint *out, char *host, uint16_t port)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char *scope = strchr(host, '%');
	if (scope) {
		*scope++ = '\0';
		in.sin6_scope_id = if_nametoindex(scope);
		if (in.sin6_scope_id == 0)
			return -EINVAL;
	}
	if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1)
		return -EINVAL;
	memcpy(&out->address, &in, sizeof(in));
	return 0;
}

int sp_endpoint_parse(struct sp_endpoint *out, const char *text, uint16_t default_port)
{
	char host[96];
	uint16_t port = default_port;
	*out = (struct sp_endpoint){0};
	if (strnlen(text, sizeof(host)) >= sizeof(host))
		return -EINVAL;
	strcpy(host, text);
	if (host[0] == '[') {
		char *end = strchr(host, ']');
		if (!end || (end[1] != '\0' && (end[1] != ':' || parse_port(end + 2, &port))))
			return -EINVAL;
		*end = '\0';
		return parse_v6(out, host + 1, port);
	}
	char *colon = strchr(host, ':');
	if (colon && strchr(colon + 1, ':'))
		return parse_v6(out, host, port);
	if (colon) {
		if (parse_port(colon + 1, &port))
			return -EINVAL;
		*colon = '\0';
	}
	return parse_v4(out, host, port);
}

const char *sp_endpoint_host(const struct sp_endpoint *endpoint, char *out, size_t size)
{
	const void *address =
	    endpoint->address.ss_family == AF_INET6
		? (const void *)&((const struct sockaddr_in6 *)&endpoint->address)->sin6_addr
		: (const void *)&((const struct sockaddr_in *)&endpoint->address)->sin_addr;
	if (!inet_ntop(endpoint->address.ss_family, address, out, (socklen_t)size) && size > 0)
		out[0] = '\0';
	return out;
}
