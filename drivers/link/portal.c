// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Judging the portal check's answer (portal.h).
#include "portal.h"

#include <stdbool.h>
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

static bool nothing_came(int result)
{
	return result == -ETIMEDOUT || result == -ECONNREFUSED || result == -ECONNRESET || result == -EPIPE;
}

enum sp_rung_status sp_portal_judge(const struct sp_http_answer *answer,
				    const struct sp_portal_expect *expect, char *why, size_t size)
{
	if (answer->result == -EMSGSIZE) {
		snprintf(why, size, "a long page came instead");
		return SP_RUNG_WRONG;
	}
	if (answer->result < 0) {
		snprintf(why, size, "%.100s",
			 answer->error && answer->error[0] ? answer->error : strerror(-answer->result));
		return nothing_came(answer->result) ? SP_RUNG_SILENT : SP_RUNG_UNKNOWN;
	}
	if (answer->status == expect->status && same_body(answer, expect)) {
		snprintf(why, size, "the expected page");
		return SP_RUNG_OK;
	}
	if (answer->status == expect->status) {
		snprintf(why, size, "another page came instead");
		return SP_RUNG_WRONG;
	}
	bool troubled = answer->status >= 500 && answer->status != NETWORK_AUTHENTICATION;
	bool redirect = answer->status >= 300 && answer->status < 400;
	snprintf(why, size, redirect ? "redirected (status %ld)" : "status %ld came instead", answer->status);
	return troubled ? SP_RUNG_UNKNOWN : SP_RUNG_WRONG;
}
