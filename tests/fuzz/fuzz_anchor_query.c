// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any text as path, ckSize, name of a test, address and X-Forwarded-For of a request at the anchor; and any
// order of such clients at its door.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/anchor/admit.h"
#include "tools/anchor/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(const char *text)
{
	char out[46];
	struct sp_anchor_key key;
	(void)sp_anchor_page_of(text);
	unsigned chunks = sp_anchor_chunks(text);
	if (chunks < 1 || chunks > SP_ANCHOR_CHUNKS_MOST)
		abort();
	if (sp_anchor_forwarded(text, out) && (strlen(out) > 45 || !sp_anchor_key_of(out, text, &key)))
		abort();
	(void)sp_anchor_address_note(text);
	if (sp_anchor_key_of(text, text, &key) && key.test == 0)
		abort();
}

/// Three bits say who, the others what.
static void door(const uint8_t *data, size_t size)
{
	static const struct sp_admit_config config = {.tests = 2,
						      .tests_per_address = 1,
						      .streams = 2,
						      .test_ms = 10000,
						      .idle_ms = 1000,
						      .hour_bytes = 5000,
						      .seed = 3};
	struct sp_admit *admit = sp_admit_new(&config);
	struct sp_admit_state state;
	unsigned open[2] = {0};
	int64_t now_us = 1;
	for (size_t i = 0; i < size && i < 60; i++) {
		struct sp_anchor_key key = {.family = 4, .address = {data[i] & 7}, .test = data[i] >> 6};
		now_us += (data[i] >> 3 & 3) * 700000;
		if (data[i] & 0x20) {
			struct sp_admit_answer answer = sp_admit_stream(admit, &key, now_us);
			if (answer.why == SP_ADMIT_YES && ++open[answer.slot] > config.streams)
				abort();
			if (answer.why != SP_ADMIT_YES && answer.retry_seconds < 1)
				abort();
		} else if (open[data[i] & 1]) {
			open[data[i] & 1]--;
			sp_admit_left(admit, data[i] & 1, data[i], now_us);
		}
	}
	sp_admit_state(admit, now_us, &state);
	if (state.tests > config.tests || state.streams != open[0] + open[1])
		abort();
	sp_admit_free(admit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	words(text);
	free(text);
	door(data, size);
	return 0;
}
