// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What comes from outside and is read by the librespeed driver's own code: the address in the configuration,
// and an answer's status, error and Retry-After. The first byte chooses, the rest is text.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "drivers/speed/librespeed_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// Also where assert() is compiled away, as in the build that looks for something new.
#define SHALL(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

static void try_address(const char *base)
{
	char why[128] = "", host[SP_LIBRESPEED_HOST], url[SP_LIBRESPEED_URL];
	sp_librespeed_host(base, host);
	SHALL(strlen(host) < sizeof(host));
	if (!sp_librespeed_base_ok(base, why, sizeof(why))) {
		SHALL(why[0]);
		return;
	}
	for (unsigned form = 0; form < SP_LIBRESPEED_FORMS; form++) {
		struct sp_librespeed_ask ask = {.form = form,
						.page = SP_LIBRESPEED_GARBAGE,
						.chunks = 1024,
						.test = UINT64_MAX,
						.unique = UINT64_MAX};
		sp_librespeed_url(base, &ask, url);
		// Whole, below the base, and nothing of it is taken for the query.
		SHALL(strncmp(url, base, strlen(base)) == 0);
		SHALL(strstr(url, "&test=ffffffffffffffff"));
		SHALL(strchr(url, '?') >= url + strlen(base));
	}
}

static void try_answer(const uint8_t *data, size_t size, const char *text)
{
	struct sp_librespeed_verdict verdict;
	long status = size > 1 ? data[0] * 4 + data[1] % 4 : 0;
	struct sp_librespeed_answer answer = {.result = size > 2 ? -data[2] : 0,
					      .error = text,
					      .status = status,
					      .moved = size > 3 && data[3] & 1,
					      .retry_after = text};
	sp_librespeed_judge(&answer, &verdict);
	SHALL(!verdict.reason == (answer.result == 0 && status == 200));
	SHALL(!verdict.reason || verdict.reason[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	char *text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 1)
		try_address(text);
	else
		try_answer(data + 1, size - 1, text);
	free(text);
	return 0;
}
