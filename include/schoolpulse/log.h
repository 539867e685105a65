// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One line per thing worth reading: "level module: text" on stderr. Repeats of one line are
// rate-limited and counted, so a dead broker cannot fill a card.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

/// syslog's numbers, so that an sd-daemon prefix is a copy of the level.
enum sp_log_level {
	SP_LOG_ERR = 3,
	SP_LOG_WARNING = 4,
	SP_LOG_NOTICE = 5,
	SP_LOG_INFO = 6,
	SP_LOG_DEBUG = 7,
};

/// Thread-safe. `module` is a short constant word such as "journal". Never logs what a person
/// typed, a card number or a key: callers pass none.
void sp_log(enum sp_log_level level, const char *module, const char *format, ...) SP_PRINTF(3, 4);

/// What a line is about, for machines: its words say it to people already. `text` NULL: the number counts;
/// units stand in the name, "duration_ms".
struct sp_log_field {
	const char *name; ///< a constant word; not time, level, module, text or repeated
	const char *text;
	int64_t number;
};
/// A program that logs plain text leaves the fields out. Lines that differ in a text field are not repeats of
/// each other; of repeats the last one's numbers are told.
void sp_log_with(enum sp_log_level level, const char *module, const struct sp_log_field *fields, size_t count,
		 const char *format, ...) SP_PRINTF(5, 6);
/// sp_log_with(SP_LOG_INFO, "ingest", SP_LOG_FIELDS({"shard", shard}, {"messages", NULL, 5}), "…", …)
#define SP_LOG_FIELDS(...)                          \
	(const struct sp_log_field[]){__VA_ARGS__}, \
	    sizeof((const struct sp_log_field[]){__VA_ARGS__}) / sizeof(struct sp_log_field)

#define sp_err(module, ...)     sp_log(SP_LOG_ERR, module, __VA_ARGS__)
#define sp_warning(module, ...) sp_log(SP_LOG_WARNING, module, __VA_ARGS__)
#define sp_notice(module, ...)  sp_log(SP_LOG_NOTICE, module, __VA_ARGS__)
#define sp_info(module, ...)    sp_log(SP_LOG_INFO, module, __VA_ARGS__)
#define sp_debug(module, ...)   sp_log(SP_LOG_DEBUG, module, __VA_ARGS__)
