// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The judgement of any HTTP answer as the client might bring it: result, status, location and body from the
// bytes.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/portal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void look(const struct sp_http_answer *answer, const struct sp_portal_expect *expect)
{
	struct sp_portal_finding f;
	sp_portal_judge(answer, expect, &f);
	check(f.reason && f.reason[0] && f.detail[0] && strlen(f.detail) < sizeof(f.detail));
	if (f.status == SP_RUNG_OK)
		check(answer->result == 0 && answer->status == expect->status);
	// Nothing is silence that had a first line, and nothing is a portal that had none.
	check(f.status != SP_RUNG_SILENT || answer->status <= 0);
	check(f.status != SP_RUNG_WRONG || answer->status > 0);
	for (const char *c = f.host; *c; c++)
		check((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '.' || *c == '-' ||
		      *c == ':');
	check(!f.host[0] || strcmp(f.reason, "redirected") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int results[] = {0,       -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EMSGSIZE,
				      -EPROTO, -ENOENT,    -ENETUNREACH,  -EINVAL,     -EKEYREJECTED};
	static const struct sp_portal_expect expects[] = {{204, ""}, {200, "success"}, {200, ""}};
	if (size < 3)
		return 0;
	char location[300] = "";
	const uint8_t *end = memchr(data + 3, '\0', size - 3);
	size_t length = end ? (size_t)(end - data) - 3 : 0;
	if (length >= sizeof(location))
		return 0;
	memcpy(location, data + 3, length);
	struct sp_http_answer answer = {.result = results[data[0] % SP_COUNT(results)],
					.error = "",
					.status = (int16_t)(data[1] << 8 | data[2]),
					.location = location,
					.body = end ? end + 1 : data + 3,
					.length = end ? (size_t)(data + size - end) - 1 : size - 3};
	for (size_t i = 0; i < SP_COUNT(expects); i++)
		look(&answer, &expects[i]);
	return 0;
}
