// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any datagrams as answers to a STAMP session: cut into pieces by their first byte, so that several come.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/stamp_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SENT = 6 };

static void take(struct sp_stamp_session *session, const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1); // so that a sanitizer sees its end
	memcpy(copy, data, size);
	size_t before = sp_stamp_session_answered(session);
	bool taken = sp_stamp_session_take(session, copy, size, 5000000, UINT64_C(0xe900000200000000));
	if (sp_stamp_session_answered(session) != before + taken || (taken && size < 41))
		abort();
	if (sp_stamp_session_take(session, copy, size, 5000000, 1) && taken)
		abort(); // twice
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t names[6] = {0xab, 0xcd, 0, 0, 0, 0};
	struct sp_stamp_session session;
	sp_stamp_session_begin(&session, names);
	for (uint64_t i = 0; i < SENT; i++)
		sp_stamp_session_sent(&session, 1000000, i);
	while (size > 1) {
		size_t piece = data[0] < size - 1 ? data[0] : size - 1;
		take(&session, data + 1, piece);
		data += 1 + piece;
		size -= 1 + piece;
	}
	sp_stamp_tally(&session);
	for (size_t i = 0; i < session.count; i++) {
		const struct sp_stamp_probe *probe = &session.probes[i];
		if (probe->fate == SP_STAMP_OPEN)
			abort();
		if (probe->fate == SP_STAMP_ANSWERED && !isnan(probe->rtt) &&
		    (probe->rtt < 0 || probe->rtt > 4))
			abort();
	}
	return 0;
}
