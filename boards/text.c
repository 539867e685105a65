// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Numbers and tables as the kernel writes them (text.h). Mount lines are in text_mount.c.
#include "text.h"

#include <string.h>

bool sp_text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/// Digits of `base` from *at on; *at is left behind them.
static int digits(const char **at, unsigned base, uint64_t *out)
{
	const char *start = *at;
	uint64_t value = 0;
	for (int d; (d = hex_digit(**at)) >= 0 && (unsigned)d < base; ++*at) {
		if (value > (UINT64_MAX - (unsigned)d) / base)
			return -ERANGE;
		value = value * base + (unsigned)d;
	}
	*out = value;
	return *at == start ? -EBADMSG : 0;
}

int sp_text_integer(const char *text, int64_t *out)
{
	bool negative = *text == '-';
	const char *at = text + (negative || *text == '+');
	uint64_t value;
	int result = digits(&at, 10, &value);
	if (result < 0)
		return result;
	if (*at)
		return -EBADMSG;
	if (value > INT64_MAX)
		return -ERANGE;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return 0;
}

int sp_text_hex(const char *text, uint64_t *out)
{
	const char *at = text;
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
		at += 2;
	int result = digits(&at, 16, out);
	if (result < 0)
		return result;
	return *at ? -EBADMSG : 0;
}

int sp_text_fraction(const char *text, double *out)
{
	const char *at = text;
	uint64_t whole;
	if (digits(&at, 10, &whole) < 0 || whole > 1000000000000000u)
		return -EBADMSG;
	double value = (double)whole;
	if (*at == '.') {
		double unit = 0.1;
		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			value += (*at - '0') * unit;
	}
	if (*at && !sp_text_is_space(*at))
		return -EBADMSG;
	*out = value;
	return 0;
}

static const char *skip_spaces(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

int sp_text_column(const char *text, unsigned column, uint64_t *out)
{
	const char *at = text;
	for (unsigned i = 1; i <= column; i++) {
		at = skip_spaces(at);
		int result = digits(&at, 10, out);
		if (result < 0)
			return result;
		if (*at && !sp_text_is_space(*at))
			return -EBADMSG;
	}
	return column ? 0 : -EBADMSG;
}

int sp_text_meminfo(const char *text, const char *key, uint64_t *out)
{
	size_t length = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		const char *at = skip_spaces(line + length + 1);
		uint64_t kilobytes;
		if (digits(&at, 10, &kilobytes) < 0 || kilobytes > (UINT64_MAX >> 10))
			return -EBADMSG;
		if (strncmp(skip_spaces(at), "kB", 2) != 0)
			return -EBADMSG;
		*out = kilobytes << 10;
		return 0;
	}
	return -ENOENT;
}

unsigned sp_text_cpus(const char *text)
{
	uint64_t count = 0;
	const char *at = text;
	for (;;) {
		uint64_t first, last;
		if (digits(&at, 10, &first) < 0)
			return 0;
		last = first;
		if (*at == '-') {
			at++;
			if (digits(&at, 10, &last) < 0)
				return 0;
		}
		if (last < first || last > 65535)
			return 0;
		count += last - first + 1;
		if (count > 65536)
			return 0;
		if (*at != ',')
			break;
		at++;
	}
	return *at && !sp_text_is_space(*at) ? 0 : (unsigned)count;
}

int sp_text_life_time(const char *text, double *out)
{
	uint64_t worst = 0;
	const char *at = text;
	for (int i = 0; i < 2; i++) {
		uint64_t step;
		at = skip_spaces(at);
		if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
			at += 2;
		if (digits(&at, 16, &step) < 0 || step > 0x0b)
			return -EBADMSG;
		if (step > worst)
			worst = step;
	}
	if (*skip_spaces(at) || worst == 0)
		return -EBADMSG;
	*out = worst >= 10 ? 1.0 : (double)worst / 10;
	return 0;
}
