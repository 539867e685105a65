// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board's card: the real journal store on a real file, driven by the virtual clock in the journal's
// rhythm (facts and small state at once, bulk every five minutes), and everything that power can do to it.
#pragma once

#include "agent/core/journal/store.h"
#include "agent/core/loop.h"
#include "agent/core/recorder.h"
#include "tests/sim/rng.h"

enum { SIM_BULK_MS = 300 * 1000 }; ///< how long bulk waits in memory

struct sim_texts {
	char **items;
	size_t count, room;
};

struct sim_card {
	struct sp_recorder recorder; ///< first
	char dir[128], path[160];
	struct sim_rng rng;
	struct sp_journal_store *store;
	struct sp_loop *loop;
	struct sp_loop_timer *soon, *bulk, *forget;
	bool soon_due, bulk_due;
	struct sim_texts texts[SP_RECORD_CLASSES], keys, values; ///< a value may be NULL: delete
	char digest[SP_DIGEST_LENGTH + 1];                       ///< of all that was committed, chained
	int64_t records, commits, torn;
	bool dying; ///< what is said now reaches nobody
	/// What the board says, as it says it. May be NULL.
	void (*heard)(void *arg, const char *type, const char *device, const struct sp_field *fields,
		      size_t count);
	void *heard_arg;
	/// Something was committed. May be NULL.
	void (*news)(void *arg);
	void *news_arg;
};

/// A folder of its own; false with a line on stderr when there is none to be had.
bool sim_card_init(struct sim_card *card, uint64_t seed);
void sim_card_free(struct sim_card *card, bool keep);

/// The agent starts: opens the file. Ends the simulation when that fails.
void sim_card_open(struct sim_card *card, struct sp_loop *loop, const char *boot);
/// A clean stop: commits all, leaves the mark.
void sim_card_close(struct sim_card *card);
/// The agent died: what was in memory is gone, the file is as it is.
void sim_card_kill(struct sim_card *card);
/// The power went: as above, and what SQLite had begun to write is half there.
void sim_card_cut(struct sim_card *card);

void sim_card_put(struct sim_card *card, const char *key, const char *value);
char *sim_card_get(struct sim_card *card, const char *key); ///< of what was found at the opening; free()
