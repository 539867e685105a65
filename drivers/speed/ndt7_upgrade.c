// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The opening of a WebSocket.
#include "ndt7_upgrade.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MEANT_FOR_PEOPLE = 80 };

void sp_ndt7_upgrade_key(const uint8_t nonce[SP_NDT7_NONCE], char out[SP_NDT7_KEY])
{
	EVP_EncodeBlock((unsigned char *)out, nonce, SP_NDT7_NONCE);
}

void sp_ndt7_upgrade_accept(const char *key, char out[SP_NDT7_ACCEPT])
{
	char text[SP_NDT7_KEY + 40];
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	int length = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(text, (size_t)length, digest, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)out, digest, 20);
}

size_t sp_ndt7_upgrade_request(const struct sp_ndt7_url *url, const char *key, char out[SP_NDT7_REQUEST])
{
	char authority[SP_NDT7_HOST + 16];
	return (size_t)snprintf(out, SP_NDT7_REQUEST,
				"GET %s HTTP/1.1\r\n"
				"Host: %s\r\n"
				"Connection: Upgrade\r\n"
				"Upgrade: websocket\r\n"
				"Sec-WebSocket-Key: %s\r\n"
				"Sec-WebSocket-Version: 13\r\n"
				"Sec-WebSocket-Protocol: " SP_NDT7_SUBPROTOCOL "\r\n"
				"User-Agent: SchoolPulse/" SP_VERSION "\r\n"
				"\r\n",
				url->target, sp_ndt7_url_authority(url, authority, sizeof(authority)), key);
}

struct text {
	const char *at;
	size_t length;
};

static struct text trimmed(const char *at, size_t length)
{
	while (length > 0 && (*at == ' ' || *at == '\t'))
		at++, length--;
	while (length > 0 && strchr(" \t\r", at[length - 1]))
		length--;
	return (struct text){at, length};
}

static bool equals(struct text text, const char *other, bool exact)
{
	size_t length = strlen(other);
	return text.length == length &&
	       (exact ? memcmp(text.at, other, length) == 0 : strncasecmp(text.at, other, length) == 0);
}

static bool has_token(struct text list, const char *token)
{
	while (list.length > 0) {
		const char *comma = memchr(list.at, ',', list.length);
		size_t length = comma ? (size_t)(comma - list.at) : list.length;
		if (equals(trimmed(list.at, length), token, false))
			return true;
		length += comma ? 1 : 0;
		list.at += length;
		list.length -= length;
	}
	return false;
}

static int refuse(struct sp_ndt7_verdict *verdict, const char *reason, const char *text)
{
	verdict->reason = reason;
	snprintf(verdict->text, sizeof(verdict->text), "%s", text);
	return -EPROTO;
}

/// Another's words, for people: no control characters, no end.
static int quote(struct sp_ndt7_verdict *verdict, const char *reason, const char *say, struct text text)
{
	char clean[MEANT_FOR_PEOPLE + 1];
	size_t length = text.length < MEANT_FOR_PEOPLE ? text.length : MEANT_FOR_PEOPLE;
	for (size_t i = 0; i < length; i++)
		clean[i] = text.at[i] < ' ' || text.at[i] > '~' ? '?' : text.at[i];
	clean[length] = '\0';
	verdict->reason = reason;
	snprintf(verdict->text, sizeof(verdict->text), "%s: %s", say, clean);
	return -EPROTO;
}

struct headers {
	bool upgrade, connection, accept, protocol, other_protocol, extensions;
	struct text location;
};

static void read_header(struct text line, const char *accept, struct headers *headers)
{
	const char *colon = memchr(line.at, ':', line.length);
	if (!colon)
		return;
	struct text name = {line.at, (size_t)(colon - line.at)};
	struct text value = trimmed(colon + 1, line.length - name.length - 1);
	if (equals(name, "upgrade", false))
		headers->upgrade |= equals(value, "websocket", false);
	else if (equals(name, "connection", false))
		headers->connection |= has_token(value, "upgrade");
	else if (equals(name, "sec-websocket-accept", false))
		headers->accept = equals(value, accept, true);
	else if (equals(name, "sec-websocket-extensions", false))
		headers->extensions |= value.length > 0;
	else if (equals(name, "location", false))
		headers->location = value;
	else if (equals(name, "sec-websocket-protocol", false)) {
		headers->protocol = equals(value, SP_NDT7_SUBPROTOCOL, true);
		headers->other_protocol |= !headers->protocol;
	}
}

/// Status of "HTTP/1.1 101 Switching Protocols", 0 for what is none.
static unsigned status_of(struct text line)
{
	if (line.length < 12 || memcmp(line.at, "HTTP/1.", 7) != 0 || line.at[8] != ' ')
		return 0;
	unsigned status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (line.at[i] < '0' || line.at[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(line.at[i] - '0');
	}
	return status;
}

static int judge(unsigned status, struct text first, const struct headers *headers,
		 struct sp_ndt7_verdict *verdict)
{
	if (status >= 300 && status < 400)
		return quote(verdict, "redirected", "sent elsewhere", headers->location);
	if (status != 101)
		return quote(verdict, "http_status", "the server answered", trimmed(first.at, first.length));
	if (!headers->upgrade || !headers->connection || !headers->accept)
		return refuse(verdict, "protocol", "the server's upgrade to a WebSocket is not one");
	if (!headers->protocol || headers->other_protocol)
		return refuse(verdict, "protocol", "the server does not speak " SP_NDT7_SUBPROTOCOL);
	if (headers->extensions)
		return refuse(verdict, "protocol", "the server uses an extension that nobody offered");
	return 0;
}

int sp_ndt7_upgrade_answer(const char *data, size_t length, const char *key, struct sp_ndt7_verdict *verdict)
{
	static const char magic[] = "HTTP/1.";
	size_t seen = length < sizeof(magic) - 1 ? length : sizeof(magic) - 1;
	if (memcmp(data, magic, seen) != 0)
		return refuse(verdict, "protocol", "the server does not speak HTTP");
	const char *end = memmem(data, length, "\r\n\r\n", 4);
	if (!end)
		return length < SP_NDT7_HEAD ? 0
					     : refuse(verdict, "protocol", "the answer's head has no end");
	struct headers headers = {0};
	char accept[SP_NDT7_ACCEPT];
	sp_ndt7_upgrade_accept(key, accept);
	const char *line = data, *stop = end + 2;
	struct text first = {data, 0};
	while (line < stop) {
		const char *next = memchr(line, '\n', (size_t)(stop - line));
		struct text text = {line, next ? (size_t)(next - line) : (size_t)(stop - line)};
		if (line == data)
			first = text;
		else
			read_header(text, accept, &headers);
		line = next ? next + 1 : stop;
	}
	unsigned status = status_of(first);
	if (status == 0)
		return refuse(verdict, "protocol", "the server does not speak HTTP");
	int result = judge(status, first, &headers, verdict);
	return result < 0 ? result : (int)(end + 4 - data);
}
