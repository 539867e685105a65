// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who sent it, and when: the webhook's two headers. HMAC-SHA-256 over "TIMESTAMP.BODY".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { WEBHOOK_SECRETS = 4, WEBHOOK_SECRET_MIN = 16, WEBHOOK_SECRET_MAX = 128 };

/// Any of them signs: two while a kiosk's is being changed.
struct webhook_secrets {
	size_t count;
	struct {
		size_t length;
		char text[WEBHOOK_SECRET_MAX];
	} items[WEBHOOK_SECRETS];
};

/// One a line; empty lines and those that begin with '#' do not count. 0, or -errno with a line for people.
int webhook_secrets_read(const char *path, struct webhook_secrets *out, char why[256]) SP_MUST_CHECK;

/// Unix seconds, in digits alone. 0 or -EINVAL.
int webhook_timestamp(const char *header, int64_t *seconds) SP_MUST_CHECK;

/// `header` is "v1=HEX", more than one with commas; other versions are passed over. `data` is what was
/// signed, the timestamp and its full stop included.
bool webhook_signed(const struct webhook_secrets *secrets, const char *header, const void *data,
		    size_t length);
