// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a payload to its text, with a hard limit on what a deflated one may become; and back, for
// batches at rest.
#pragma once

#include "agent/base/feed.h"

/// *text is NUL-terminated at the new *length, and the caller's to free. An empty content type
/// means JSON.
enum sp_feed_fault sp_feed_inflate(char **text, size_t *length, const void *payload, const char *content_type,
				   char why[128]);

/// Appends `text` as one zlib stream with the wire's small windows. 0, -EMSGSIZE above SP_FEED_PAYLOAD_MAX
/// (nothing is appended then), -ENOMEM.
int sp_feed_deflate(struct sp_buf *out, const char *text, size_t length) SP_MUST_CHECK;
