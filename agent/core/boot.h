// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Why was the agent silent before this start, and since when? One `boot` fact, in honest words:
//
//   first     this journal has never been written by an agent
//   upgrade   stopped cleanly, and another version came back
//   restart   stopped cleanly, came back in the same boot
//   reboot    stopped cleanly, came back in another boot
//   crash     no clean stop, same boot: the agent alone died
//
// and without a clean stop in another boot, by the evidence that the board keeps (board.h):
//
//   panic     the kernel left a trace of its death that was not there before
//   watchdog  the hardware says that a watchdog struck; or: it was reset under power, a watchdog had been
//             running, and a panic would have stood still (kernel.panic = 0)
//   power     the chip says that it had been without power; or, where it says nothing, everything else that
//             restarts a machine is excluded: a panic, since it would have stood still (kernel.panic = 0) or
//             left a trace, and a watchdog, since none was running or its driver would tell
//   unknown   none of these
//
// Two things look like `power` and cannot be told apart from inside the next boot: a machine that hung and
// was switched off and on by hand, and, on boards whose chip says nothing, a forced `reboot -f`.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/core/ledger/ledger.h"
#include "agent/core/recorder.h"
#include "schoolpulse/board.h"
#include "schoolpulse/clock.h"

enum sp_boot_reason {
	SP_BOOT_FIRST,
	SP_BOOT_RESTART,
	SP_BOOT_REBOOT,
	SP_BOOT_UPGRADE,
	SP_BOOT_CRASH,
	SP_BOOT_PANIC,
	SP_BOOT_WATCHDOG,
	SP_BOOT_POWER,
	SP_BOOT_UNKNOWN,
};
#define SP_BOOT_REASONS 9
const char *sp_boot_reason_name(enum sp_boot_reason reason); ///< the feed's words

/// What a run leaves for the next one in the journal's durable state.
#define SP_BOOT_KEY "agent.run"
struct sp_boot_mark {
	char boot[37], version[32];
	struct sp_quantity armed; ///< a hardware watchdog was running
	bool undervoltage;        ///< the supply was seen too low
};
/// free() it.
char *sp_boot_mark_text(const struct sp_boot_mark *mark);
/// False when the text is no mark.
bool sp_boot_mark_read(struct sp_boot_mark *out, const char *text);

/// Traces of panics that earlier runs have seen, as text for the durable state.
#define SP_BOOT_TRACES_KEY "agent.traces"
/// free() it.
char *sp_boot_traces_text(const struct sp_board_past *board);
/// How many traces, oopses left out, are not in the text; 0 without a text: nobody looked before. Where not
/// all fitted into it, those that are newer than one that is in it.
size_t sp_boot_traces_new(const struct sp_board_past *board, const char *known);

/// The last record of the run before that is on the card: then it was alive.
struct sp_boot_last {
	bool known, placed;
	int64_t mono_us; ///< in the boot of the mark
	int64_t t_ms;    ///< while placed
};
/// Of SP_JOURNAL_LAST's text; NULL is fine. Not known when it is of another boot.
void sp_boot_last_read(struct sp_boot_last *out, const char *text, const char *boot);

struct sp_boot_past {
	bool clean;                      ///< the clean mark is there
	const struct sp_boot_mark *mark; ///< NULL: there was no earlier run
	bool journal_existed;
	struct sp_boot_last last;
	const struct sp_board_past *board;
	size_t new_panics;
};

struct sp_boot_report {
	const char *boot, *version, *board, *model;
	int64_t commit_ms; ///< how long after its last record on the card a run may still have lived
	struct sp_clock_reading now;
};

/// Pure.
enum sp_boot_reason sp_boot_reason(const struct sp_boot_past *past, const char *boot, const char *version);
/// What stands behind the reason, in few words; "" where there is nothing to say.
void sp_boot_evidence(const struct sp_boot_past *past, const char *boot, char out[256]);

/// How long ago the last record was made; < 0: nobody can tell. There must be a mark and a last record.
int64_t sp_boot_since_us(const struct sp_boot_past *past, const struct sp_boot_report *report);
/// How long after the last record the silence began, at most; < 0: not known.
double sp_boot_uncertainty(const struct sp_boot_past *past, const struct sp_boot_report *report);
/// The silence for the ledgers: false when there is none to tell of, as at the first start or when nobody
/// knows since when.
bool sp_boot_silence(const struct sp_boot_past *past, const struct sp_boot_report *report,
		     struct sp_silence *out);

enum sp_boot_reason sp_boot_record(struct sp_recorder *recorder, const struct sp_boot_past *past,
				   const struct sp_boot_report *report);
