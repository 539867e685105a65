// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Why was the agent silent before this start? One `boot` fact, in honest words:
//
//   first    this journal has never been written by an agent
//   upgrade  stopped cleanly, and another version came back
//   restart  stopped cleanly, came back in the same boot
//   reboot   stopped cleanly, came back in another boot
//   crash    no clean stop, same boot: the agent alone died
//   unknown  no clean stop and another boot: power, panic, watchdog or a reset; from inside the next boot
//   they
//            look alike
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/core/recorder.h"

struct sp_boot_past {
	const char *clean;   ///< boot id of the clean mark, NULL without one
	const char *boot;    ///< boot id of the last start, NULL when there was none
	const char *version; ///< of the last start
	bool journal_existed;
};

/// Pure. One of the words above.
const char *sp_boot_reason(const struct sp_boot_past *past, const char *boot, const char *version);

struct sp_boot_report {
	const char *boot, *version, *board, *model;
	int64_t commit_ms; ///< how long before its end the last run may have written last
};

void sp_boot_record(struct sp_recorder *recorder, const struct sp_boot_past *past,
		    const struct sp_boot_report *report);

/// What the next start wants to know of this one, for the journal's durable state; free() it.
#define SP_BOOT_KEY "agent.run"
char *sp_boot_mark(const char *boot, const char *version);
/// The other way round; false when the text is no mark. Both buffers are filled then.
bool sp_boot_unmark(const char *text, char boot[37], char version[32]);
