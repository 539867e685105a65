// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What became of the storage under the journal, as facts: on edges only. They wait in memory while
// nothing can be written, and say afterwards what it was like.
#pragma once

#include "agent/core/journal/journal.h"
#include "agent/core/recorder.h"
#include "schoolpulse/board.h"

enum sp_storage_state { SP_STORAGE_WRITABLE, SP_STORAGE_FULL, SP_STORAGE_READ_ONLY };

struct sp_storage {
	struct sp_recorder *recorder;
	enum sp_storage_state state;
	unsigned stumbles; ///< of the journal that were told
};

/// The board's mount table and the journal's own experience; either is enough.
void sp_storage_look(struct sp_storage *storage, const struct sp_journal_status *journal,
		     const struct sp_board_reading *board);
const char *sp_storage_state_name(enum sp_storage_state state); ///< the feed's words
