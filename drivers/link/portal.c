// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Judging the portal check's answer (portal.h). Whatever a stranger wrote is only compared, never repeated,
// but for the host that a redirect leads to.
#include "portal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NETWORK_AUTHENTICATION = 511 }; // RFC 6585 §6: said by portals only

static bool blank(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool same_body(const struct sp_http_answer *answer, const struct sp_portal_expect *expect)
{
	const uint8_t *body = answer->body;
	size_t length = answer->length;
	if (!expect->body[0])
		return expect->status != 204 || length == 0;
	while (length && blank(body[length - 1]))
		length--;
	while (length && blank(*body)) {
		body++;
		length--;
	}
	return length == strlen(expect->body) && memcmp(body, expect->body, length) == 0;
}

bool sp_portal_host(const char *url, char out[SP_PORTAL_HOST])
{
	const char *at = strstr(url, "://");
	size_t length = 0;
	out[0] = '\0';
	if (!at)
		return false;
	at += 3;
	size_t authority = strcspn(at, "/?#\\");
	const char *end = at + authority, *user = memrchr(at, '@', authority);
	if (user)
		at = user + 1;
	for (; at < end; at++) {
		char c = *at;
		bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
		if ((!upper && !lower && !digit && !strchr(".-:[]", c)) || length + 1 >= SP_PORTAL_HOST) {
			out[0] = '\0';
			return false;
		}
		if (c != '[' && c != ']')
			out[length++] = upper ? (char)(c - 'A' + 'a') : c;
	}
	out[length] = '\0';
	return length > 0;
}

static SP_PRINTF(4, 5) void find(struct sp_portal_finding *out, enum sp_rung_status status,
				 const char *reason, const char *format, ...)
{
	va_list args;
	out->status = status;
	out->reason = reason;
	va_start(args, format);
	vsnprintf(out->detail, sizeof(out->detail), format, args);
	va_end(args);
}

static bool nothing_came(int result)
{
	return result == -ETIMEDOUT || result == -ECONNREFUSED || result == -ECONNRESET || result == -EPIPE;
}

/// A status line came, and it is not the expected one.
static void judge_status(const struct sp_http_answer *answer, struct sp_portal_finding *out)
{
	if (answer->status >= 500 && answer->status != NETWORK_AUTHENTICATION)
		find(out, SP_RUNG_UNKNOWN, "server_error", "the page's own server is in trouble (status %ld)",
		     answer->status);
	else if (answer->status >= 300 && answer->status < 400)
		find(out, SP_RUNG_WRONG, "redirected", "redirected (status %ld)%s%s", answer->status,
		     sp_portal_host(answer->location ? answer->location : "", out->host) ? " to " : "",
		     out->host);
	else
		find(out, SP_RUNG_WRONG, "another_page", "status %ld came instead", answer->status);
}

void sp_portal_judge(const struct sp_http_answer *answer, const struct sp_portal_expect *expect,
		     struct sp_portal_finding *out)
{
	int result = answer->result;
	*out = (struct sp_portal_finding){.status = SP_RUNG_UNKNOWN};
	// Who answers wrongly does so with his first line: how the rest came does not matter.
	if (answer->status > 0 && answer->status != expect->status)
		judge_status(answer, out);
	else if (answer->status > 0 && result == -EMSGSIZE)
		find(out, SP_RUNG_WRONG, "another_page", "a long page came instead");
	else if (answer->status > 0 && result < 0)
		find(out, SP_RUNG_UNKNOWN, "cut_off", "the answer broke off: %s", strerror(-result));
	else if (result < 0)
		find(out, nothing_came(result) ? SP_RUNG_SILENT : SP_RUNG_UNKNOWN,
		     nothing_came(result) ? "no_answer" : "not_measured", "%.100s",
		     answer->error && answer->error[0] ? answer->error : strerror(-result));
	else if (answer->status <= 0)
		find(out, SP_RUNG_UNKNOWN, "not_measured", "no HTTP answer");
	else if (same_body(answer, expect))
		find(out, SP_RUNG_OK, "expected_page", "the expected page");
	else
		find(out, SP_RUNG_WRONG, "another_page", "another page came instead");
}
