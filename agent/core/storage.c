// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Storage facts.
#include "agent/core/storage.h"

#include <errno.h>
#include <string.h>

#include "schoolpulse/log.h"

const char *sp_storage_state_name(enum sp_storage_state state)
{
	switch (state) {
	case SP_STORAGE_WRITABLE:
		return "writable";
	case SP_STORAGE_FULL:
		return "full";
	case SP_STORAGE_READ_ONLY:
		return "read_only";
	}
	return "writable";
}

static enum sp_storage_state judge(const struct sp_journal_status *journal,
				   const struct sp_board_reading *board)
{
	if (journal->state == SP_JOURNAL_READ_ONLY ||
	    (board->storage_read_only.known && board->storage_read_only.value != 0))
		return SP_STORAGE_READ_ONLY;
	return journal->state == SP_JOURNAL_FULL ? SP_STORAGE_FULL : SP_STORAGE_WRITABLE;
}

static void turn(struct sp_storage *storage, enum sp_storage_state state, int error)
{
	if (state == storage->state)
		return;
	storage->state = state;
	const char *text = error ? strerror(error) : NULL;
	struct sp_field fields[] = {
	    SP_TEXT("event", sp_storage_state_name(state)),
	    text ? SP_TEXT("text", text) : SP_NULL("text"),
	};
	sp_record_fact(storage->recorder, "storage", NULL, fields, SP_COUNT(fields));
	if (state == SP_STORAGE_WRITABLE)
		sp_notice("storage", "the journal can be written again");
	else
		sp_warning("storage", "the journal's storage is %s", sp_storage_state_name(state));
}

void sp_storage_look(struct sp_storage *storage, const struct sp_journal_status *journal,
		     const struct sp_board_reading *board)
{
	enum sp_storage_state state = judge(journal, board);
	// It came and went between two looks.
	if (journal->stumbles != storage->stumbles && state == SP_STORAGE_WRITABLE)
		turn(storage, journal->stumble == EROFS ? SP_STORAGE_READ_ONLY : SP_STORAGE_FULL,
		     journal->stumble);
	storage->stumbles = journal->stumbles;
	turn(storage, state, journal->error);
}
