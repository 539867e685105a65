// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading the answer to "what is my address?" (egress.h).
#include "egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "hop.h"

static const char key[] = "processedString";

struct text {
	const char *at, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct text *text)
{
	while (text->at < text->end && is_space(*text->at))
		text->at++;
}

static bool take(struct text *text, char c)
{
	skip_space(text);
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

/// Behind the opening quote: what stands before the closing one, escapes as they are written.
static bool string(struct text *text, struct text *out)
{
	out->at = text->at;
	for (; text->at < text->end && *text->at != '"'; text->at++)
		if (*text->at == '\\' && ++text->at == text->end)
			return false;
	if (text->at == text->end)
		return false;
	out->end = text->at++;
	return true;
}

/// The value of our key in the outermost object.
static bool find_value(struct text *text, struct text *value)
{
	int depth = 0;
	while (text->at < text->end) {
		char c = *text->at++;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (c != '"')
			continue;
		struct text name;
		if (!string(text, &name))
			return false;
		bool ours = depth == 1 && (size_t)(name.end - name.at) == sizeof(key) - 1 &&
			    memcmp(name.at, key, sizeof(key) - 1) == 0;
		if (ours && take(text, ':'))
			return take(text, '"') && string(text, value);
	}
	return false;
}

static int parse_address(const struct text *word, struct sockaddr_storage *out)
{
	char text[INET6_ADDRSTRLEN];
	size_t length = (size_t)(word->end - word->at);
	if (length == 0 || length >= sizeof(text) || memchr(word->at, 0, length))
		return -EBADMSG;
	memcpy(text, word->at, length);
	text[length] = '\0';
	memset(out, 0, sizeof(*out));
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct in6_addr v6;
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
	} else if (inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_V4MAPPED(&v6)) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, v6.s6_addr + 12, 4);
	} else if (inet_pton(AF_INET6, text, &v6) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = v6;
	}
	bool known = sp_hop_owner(out, &(struct sockaddr_storage){0}) == SP_HOP_PROVIDER;
	return known ? 0 : -EBADMSG;
}

int sp_egress_parse(const uint8_t *body, size_t length, struct sockaddr_storage *out)
{
	if (length == 0 || length > SP_EGRESS_BODY)
		return -EBADMSG;
	struct text text = {(const char *)body, (const char *)body + length}, value;
	skip_space(&text);
	if (text.at < text.end && *text.at == '{') {
		if (!find_value(&text, &value))
			return -EBADMSG;
		struct text word = {value.at, value.at};
		while (word.end < value.end && *word.end != ' ')
			word.end++;
		return parse_address(&word, out);
	}
	value = text;
	while (value.end > value.at && is_space(value.end[-1]))
		value.end--;
	return parse_address(&value, out);
}
