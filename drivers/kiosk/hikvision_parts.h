// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A terminal's endless multipart/mixed answer, part by part, however it comes in pieces. Only what is JSON or
// XML is ever held, and that bounded; a picture passes unread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum {
	SP_HIK_BOUNDARY_MAX = 70, ///< RFC 2046 §5.1.1
	SP_HIK_PART_MAX = 16 * 1024,
	SP_HIK_LINE_MAX = 256, ///< of a part's head; what is longer is of no interest
};

enum sp_hik_part_state { SP_HIK_SEEKING, SP_HIK_AFTER, SP_HIK_HEAD, SP_HIK_TEXT, SP_HIK_SKIP };

struct sp_hik_parts {
	char delimiter[SP_HIK_BOUNDARY_MAX + 4]; ///< "\n--" and the boundary
	size_t delimiter_length, matched;
	enum sp_hik_part_state state;
	char line[SP_HIK_LINE_MAX];
	size_t line_length;
	bool text;         ///< the head says JSON or XML
	int64_t announced; ///< Content-Length; -1: none
	int64_t left;      ///< of a picture
	char *body;        ///< SP_HIK_PART_MAX and a delimiter; NULL before the first part
	size_t length;     ///< of it; beyond its size what does not fit
	bool told;         ///< at its announced length, and it was not whole
	int64_t pictures, picture_bytes, too_long;
};

/// A part's text. `last` false: it has its announced length; the answer false says that this cannot be all,
/// and it is told again, longer, when the next part begins.
typedef bool (*sp_hik_part_fn)(void *arg, const char *text, size_t length, bool last);

/// From the answer's Content-Type. 0, or -EPROTO: no boundary, none that is one, or no multipart. `parts` is
/// zeroed at first, and can begin again.
int sp_hik_parts_begin(struct sp_hik_parts *parts, const char *content_type) SP_MUST_CHECK;
void sp_hik_parts_feed(struct sp_hik_parts *parts, const uint8_t *data, size_t length, sp_hik_part_fn fn,
		       void *arg);
/// Wipes and frees.
void sp_hik_parts_end(struct sp_hik_parts *parts);
