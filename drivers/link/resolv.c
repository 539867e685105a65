// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// "nameserver 192.168.1.1" lines (resolv.h).
#include "resolv.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool parse_address(const char *at, size_t length, struct sp_resolver *out)
{
	char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	if (length == 0 || length >= sizeof(text) || memchr(at, '\0', length))
		return false;
	memcpy(text, at, length);
	text[length] = '\0';
	memset(out, 0, sizeof(*out));
	char *zone = strchr(text, '%');
	if (zone) {
		*zone++ = '\0';
		size_t size = strlen(zone);
		if (size == 0 || size >= sizeof(out->zone))
			return false;
		memcpy(out->zone, zone, size + 1);
	}
	out->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (out->family == AF_INET)
		return !zone && inet_pton(AF_INET, text, &out->v4) == 1;
	return inet_pton(AF_INET6, text, &out->v6) == 1;
}

size_t sp_resolv_parse(const char *text, size_t length, struct sp_resolver out[SP_RESOLVERS])
{
	static const char keyword[] = "nameserver";
	const size_t size = sizeof(keyword) - 1;
	size_t count = 0;
	for (size_t at = 0; at < length && count < SP_RESOLVERS;) {
		const char *newline = memchr(text + at, '\n', length - at);
		size_t end = newline ? (size_t)(newline - text) : length;
		if (end - at > size && memcmp(text + at, keyword, size) == 0 && is_blank(text[at + size])) {
			size_t from = at + size, to;
			while (from < end && is_blank(text[from]))
				from++;
			for (to = from; to < end && !is_blank(text[to]);)
				to++;
			count += parse_address(text + from, to - from, &out[count]);
		}
		at = end + 1;
	}
	return count;
}
