// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One line per thing worth reading: "level module: text" on stderr. Repeats of one line are
// rate-limited and counted, so a dead broker cannot fill a card.
#pragma once

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

#define sp_err(module, ...)     sp_log(SP_LOG_ERR, module, __VA_ARGS__)
#define sp_warning(module, ...) sp_log(SP_LOG_WARNING, module, __VA_ARGS__)
#define sp_notice(module, ...)  sp_log(SP_LOG_NOTICE, module, __VA_ARGS__)
#define sp_info(module, ...)    sp_log(SP_LOG_INFO, module, __VA_ARGS__)
#define sp_debug(module, ...)   sp_log(SP_LOG_DEBUG, module, __VA_ARGS__)
