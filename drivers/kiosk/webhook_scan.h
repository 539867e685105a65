// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259) over bytes of a known length, value by value: strict, bounded, nothing allocated. Private
// to the webhook.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct webhook_scan {
	const char *at, *end;
	const char *what; ///< the first mistake, a constant sentence; NULL: none
	bool grammar;     ///< it is no JSON
};

enum webhook_type {
	WEBHOOK_NOTHING, ///< none begins here: that is a mistake
	WEBHOOK_OBJECT,
	WEBHOOK_LIST,
	WEBHOOK_STRING,
	WEBHOOK_NUMBER,
	WEBHOOK_BOOL,
	WEBHOOK_NULL,
};

/// All return false when there is a mistake, which is then kept.
bool webhook_wrong(struct webhook_scan *scan, const char *what);
bool webhook_broken(struct webhook_scan *scan);

/// Of the value that begins here, white space passed over.
enum webhook_type webhook_type(struct webhook_scan *scan);
/// This character, white space passed over; if it is there.
bool webhook_take(struct webhook_scan *scan, char c);
/// A string, decoded. One that is longer than `size` is read to its end, and `*length` is `size` + 1.
bool webhook_string(struct webhook_scan *scan, char *out, size_t size, size_t *length);
/// A number as it is written.
bool webhook_number(struct webhook_scan *scan, const char **text, size_t *length);
bool webhook_bool(struct webhook_scan *scan, bool *out);
bool webhook_null(struct webhook_scan *scan);
/// Passes over any value that is nested `depth` levels at most.
bool webhook_skip(struct webhook_scan *scan, unsigned depth);
/// Reads an object, or a list (names are then ""): `member` must read each value. Names longer than 23 bytes
/// are "".
bool webhook_object(struct webhook_scan *scan,
		    bool (*member)(struct webhook_scan *, const char *name, void *arg), void *arg);
bool webhook_list(struct webhook_scan *scan, bool (*item)(struct webhook_scan *, const char *none, void *arg),
		  void *arg);
/// Nothing but white space is left.
bool webhook_end(struct webhook_scan *scan);
