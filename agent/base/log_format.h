// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How a line of the log is spelt: plain, as JSON, as logfmt. Private to log*.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/log.h"

enum {
	SP_LOG_LINE_MAX = 512,
	SP_LOG_FIELDS_MAX = 512, ///< bytes of all fields; one that finds no room is left out
	SP_LOG_WRITTEN_MAX = 2 * SP_LOG_LINE_MAX + SP_LOG_FIELDS_MAX + 256,
};

struct sp_log_entry {
	const char *level, *module;
	char line[SP_LOG_LINE_MAX];      ///< "level module: text", clean
	size_t text;                     ///< where the text begins
	char who[SP_LOG_FIELDS_MAX / 2]; ///< its text fields: what tells it from another of the same words
	char fields[SP_LOG_FIELDS_MAX];  ///< all of them, spelt
};

/// Appends. Hostile bytes forge no line and move no cursor: a control character or a byte that is no UTF-8
/// is written as "\xNN". False when `room` was too little.
bool sp_log_clean(char *to, size_t *length, size_t room, const char *from);
void sp_log_fields(struct sp_log_entry *entry, enum sp_log_format format, const struct sp_log_field *fields,
		   size_t count);
/// With the newline. `t_ms` -1: without a time. `repeats` 0: not told.
size_t sp_log_write(char *to, size_t room, enum sp_log_format format, const struct sp_log_entry *entry,
		    int64_t t_ms, unsigned repeats);
