// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The template's protocol (skeleton_wire.h). Whatever the bytes are: bounded, and a clear yes or no.
#include "skeleton_wire.h"

#include <stdbool.h>
#include <string.h>

static const char question[] = "STATUS\n";

size_t sp_skeleton_ask(uint8_t *out, size_t size)
{
	size_t length = sizeof(question) - 1;
	if (size < length)
		return 0;
	memcpy(out, question, length);
	return length;
}

/// What is left to read; the answer's newline is already cut off.
struct text {
	const uint8_t *at, *end;
};

static bool skip(struct text *text, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0)
		return false;
	text->at += length;
	return true;
}

static bool digits(struct text *text, int64_t max, int64_t *out)
{
	const uint8_t *start = text->at;
	int64_t value = 0;
	for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
		value = value * 10 + (*text->at - '0');
		if (value > max)
			return false;
	}
	*out = value;
	return text->at > start;
}

/// "-3", "41.5": one decimal at most.
static bool temperature(struct text *text, double *out)
{
	bool negative = skip(text, "-");
	int64_t whole, tenth = 0;
	if (!digits(text, 150, &whole) || (skip(text, ".") && !digits(text, 9, &tenth)))
		return false;
	*out = (negative ? -1 : 1) * ((double)whole + (double)tenth / 10);
	return *out >= -55 && *out <= 150;
}

static bool word(struct text *text, char *out, size_t size)
{
	size_t length = (size_t)(text->end - text->at);
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!((text->at[i] >= 'a' && text->at[i] <= 'z') || text->at[i] == '_'))
			return false;
	memcpy(out, text->at, length);
	out[length] = '\0';
	text->at = text->end;
	return true;
}

int sp_skeleton_parse(const uint8_t *data, size_t length, struct sp_skeleton_status *out)
{
	memset(out, 0, sizeof(*out));
	if (length == 0 || data[length - 1] != '\n')
		return -EBADMSG;
	struct text text = {data, data + length - 1};
	bool good;
	if (skip(&text, "ERR "))
		good = word(&text, out->error, sizeof(out->error));
	else
		good = skip(&text, "OK ") && temperature(&text, &out->celsius) && skip(&text, " ") &&
		       digits(&text, 1000000, &out->lamp_hours);
	return good && text.at == text.end ? 0 : -EBADMSG;
}
