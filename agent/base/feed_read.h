// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the decoders of the feed share: a checked tree, and members read by type and range. Private
// to feed_*.c; cJSON's header stays inside this room.
#pragma once

#include <cjson/cJSON.h>

#include "agent/base/feed.h"

/// Says why, for people, and returns the fault.
enum sp_feed_fault sp_feed_fail(char why[128], enum sp_feed_fault fault, const char *format, ...)
    SP_PRINTF(3, 4);

/// A JSON object of our version. `text` must be NUL-terminated at `length`. *root is the caller's
/// to delete on SP_FEED_OK.
enum sp_feed_fault sp_feed_read_root(cJSON **root, const char *text, size_t length, char why[128]);
/// The same of what sp_json_valid() has accepted.
enum sp_feed_fault sp_feed_read_tree(cJSON **root, const char *text, size_t length, char why[128]);

/// An integer that is exact as a double, from `min`.
bool sp_feed_int(const cJSON *item, int64_t min, int64_t *out);
/// A text of the characters that `fits` wants, copied; false when it is none or too long.
bool sp_feed_text(const cJSON *item, bool (*fits)(const char *text), char *out, size_t size);
const cJSON *sp_feed_member(const cJSON *object, const char *name);
/// Absent, or null: not known.
bool sp_feed_unknown(const cJSON *item);

bool sp_feed_is_stream(const char *text); ///< SP_ID_LENGTH of [a-z2-7]; also epochs and sessions
bool sp_feed_is_digest(const char *text); ///< SP_DIGEST_LENGTH of [0-9a-f]
bool sp_feed_is_boot(const char *text);   ///< [0-9a-z-], 1…36
bool sp_feed_is_version(const char *text);
/// The value of the first "ev" of a checked text, up to *end; NULL without one.
const char *sp_feed_events_at(const char *text, const char **end);
/// Fills events, count, texts, and first and last of the envelope from the value list…end, or NULL.
enum sp_feed_fault sp_feed_read_events(struct sp_feed_message *message, const char *list, const char *end,
				       char why[128]);

bool sp_feed_class(const cJSON *item, enum sp_record_class *out);
/// `clk`, and its boot unless `boot` is NULL.
bool sp_feed_clk(const cJSON *item, struct sp_clock_reading *out, char boot[SP_FEED_BOOT_LENGTH + 1]);

/// `"clk":{…}`
void sp_feed_clk_write(struct sp_buf *out, const struct sp_clock_reading *clk, const char *boot);
