// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading what clients send (query.h). Sources: LibreSpeed's backend, garbage.php and getIP.php.
#include "tools/anchor/query.h"

#include <arpa/inet.h>
#include <string.h>

enum { TEST_NAME_MOST = 64 }; ///< characters of a test's name that count

enum sp_anchor_page sp_anchor_page_of(const char *path)
{
	static const struct {
		const char *name;
		enum sp_anchor_page page;
	} pages[] = {
	    {"garbage", SP_ANCHOR_GARBAGE}, {"empty", SP_ANCHOR_EMPTY}, {"getIP", SP_ANCHOR_ADDRESS}};
	static const char folder[] = "/backend";
	if (strncmp(path, folder, sizeof(folder) - 1) == 0)
		path += sizeof(folder) - 1;
	if (*path++ != '/')
		return SP_ANCHOR_NONE;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		size_t length = strlen(pages[i].name);
		if (strncmp(path, pages[i].name, length) == 0 &&
		    (path[length] == '\0' || strcmp(path + length, ".php") == 0))
			return pages[i].page;
	}
	return SP_ANCHOR_NONE;
}

unsigned sp_anchor_chunks(const char *text)
{
	unsigned count = 0;
	if (!text || !*text)
		return SP_ANCHOR_CHUNKS_DEFAULT;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return SP_ANCHOR_CHUNKS_DEFAULT;
		if (count <= SP_ANCHOR_CHUNKS_MOST)
			count = count * 10 + (unsigned)(*text - '0');
	}
	if (count == 0)
		return SP_ANCHOR_CHUNKS_DEFAULT;
	return count < SP_ANCHOR_CHUNKS_MOST ? count : SP_ANCHOR_CHUNKS_MOST;
}

/// FNV-1a; never 0, which means "no name".
static uint64_t hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; text[i] && i < TEST_NAME_MOST; i++)
		value = (value ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	return value ? value : 1;
}

bool sp_anchor_key_of(const char *address, const char *test, struct sp_anchor_key *out)
{
	struct in_addr v4;
	struct in6_addr v6;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &v4) == 1) {
		out->family = 4;
		memcpy(out->address, &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, address, &v6) == 1) {
		out->family = 6;
		memcpy(out->address, &v6, sizeof(out->address));
	} else {
		return false;
	}
	out->test = test && *test ? hash(test) : 0;
	return true;
}

bool sp_anchor_same_address(const struct sp_anchor_key *a, const struct sp_anchor_key *b)
{
	return a->family == b->family && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool sp_anchor_same_test(const struct sp_anchor_key *a, const struct sp_anchor_key *b)
{
	return a->test == b->test && sp_anchor_same_address(a, b);
}

bool sp_anchor_forwarded(const char *line, char out[46])
{
	struct sp_anchor_key key;
	const char *comma = strrchr(line, ',');
	const char *from = comma ? comma + 1 : line;
	from += strspn(from, " \t");
	size_t length = strcspn(from, " \t");
	if (length == 0 || length > 45)
		return false;
	memcpy(out, from, length);
	out[length] = '\0';
	return sp_anchor_key_of(out, NULL, &key);
}

const char *sp_anchor_address_note(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, address, &v4) == 1) {
		uint32_t host = ntohl(v4.s_addr);
		if (host >> 24 == 127)
			return " - localhost IPv4 access";
		if (host >> 24 == 10 || host >> 20 == 0xac1 || host >> 16 == 0xc0a8)
			return " - private IPv4 access";
		if (host >> 16 == 0xa9fe)
			return " - link-local IPv4 access";
		if (host >> 22 == 0x64400000 >> 22)
			return " - CGNAT IPv4 access";
	} else if (inet_pton(AF_INET6, address, &v6) == 1) {
		if (IN6_IS_ADDR_LOOPBACK(&v6))
			return " - localhost IPv6 access";
		if (IN6_IS_ADDR_LINKLOCAL(&v6))
			return " - link-local IPv6 access";
		if ((v6.s6_addr[0] & 0xfe) == 0xfc)
			return " - ULA IPv6 access";
	}
	return "";
}
