// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How a program sets up the log that schoolpulse/log.h writes to.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "schoolpulse/log.h"

/// Before other threads run. `sd_prefix`: "<6>" in front, for journald. `out` NULL: stderr.
void sp_log_setup(enum sp_log_level most, bool sd_prefix, FILE *out);
enum sp_log_format {
	SP_LOG_PLAIN,  ///< "level module: text"
	SP_LOG_JSON,   ///< an object a line: time, level, module, text, the fields, repeated
	SP_LOG_LOGFMT, ///< the same as name=value
};
/// SP_LOG_PLAIN unless told; before other threads run. The time is left out where journald gives its own.
void sp_log_setup_format(enum sp_log_format format);
/// Writes the counts of repeats that are still pending: before the program ends.
void sp_log_flush(void);
/// True when stderr goes to journald (JOURNAL_STREAM).
bool sp_log_wants_sd_prefix(void);
/// "info" → SP_LOG_INFO; -EINVAL for anything else.
int sp_log_level_parse(const char *word);
