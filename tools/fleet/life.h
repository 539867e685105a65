// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The life of one board in its own time: power, boots, clock, line, measurements, and what a script does to
// them. It makes records and commits them to the journal; whether anybody takes them is not its business.
// Pure: time is what the caller lets pass.
#pragma once

#include "tools/fleet/keep.h"
#include "tools/fleet/script.h"
#include "tools/fleet/words.h"

struct sp_life_config {
	int64_t start_ms, end_ms;     ///< end INT64_MAX: never
	int64_t minute_ms, commit_ms; ///< minute 0: none
	int64_t events;               ///< bulk records in each commit at least
	uint64_t seed;
	const struct sp_script *script;
	void (*made)(void *arg, const char *device, const struct sp_batch *batch); ///< each one; may be NULL
	void *made_arg;
};

/// A statement as it befalls a board: its span that runs, or its next one.
struct sp_turn {
	const struct sp_statement *statement;
	int64_t raw_ms; ///< when the span begins without the spread
	struct sp_span span;
	bool on, over;
	bool ended, begun; ///< at this very moment
	int64_t done;      ///< of `times`, in this span
};

enum { SP_OUTAGE_PARTS_MAX = 12 };

struct sp_outage_book {
	bool open;
	char id[SP_ID_LENGTH + 1], start_boot[SP_FEED_BOOT_LENGTH + 1];
	int64_t start_ms, start_mono_us, counted_ms;
	bool placed;
	const char *hop;
	struct {
		const char *cause, *whose;
		enum sp_line_is state;
		int64_t ms;
	} parts[SP_OUTAGE_PARTS_MAX];
	size_t part_count, part;
};

struct sp_life {
	const struct sp_life_config *config;
	const struct sp_roster_board *board;
	struct sp_keep keep;
	struct sp_rng rng;
	struct sp_turn *turns;
	size_t turn_count;
	int64_t at_ms, next_ms; ///< lived so far; when something happens next
	bool over;

	bool running;     ///< powered, and the agent runs
	bool clean;       ///< it was stopped; else it died
	bool renews;      ///< its journal is set aside when it comes back
	const char *gone; ///< why it does not run: a boot reason
	int64_t gone_ms;
	unsigned births; ///< how often the agent was started
	unsigned boots;
	char boot[SP_FEED_BOOT_LENGTH + 1], previous_boot[SP_FEED_BOOT_LENGTH + 1];
	int64_t boot_ms;                 ///< true time at which its monotonic clock stood at 0
	int64_t gone_mono_us, gone_t_ms; ///< the last sign of life before; t -1: not placed
	bool clock_lost;
	int64_t clock_wrong_ms;
	int64_t clock_told_ms; ///< the offset that the last clock fact told of

	enum sp_line_is line;
	const struct sp_line_cause *cause;
	const char *hop;
	struct sp_outage_book outage;

	int64_t minute_from_ms, minute_next_ms, commit_next_ms, counted_ms;
	int64_t state_ms[4];
	const struct sp_line_cause *minute_cause;
	struct sp_scope_value scope[SP_SCOPES]; ///< set for good
};

void sp_life_init(struct sp_life *life, const struct sp_life_config *config,
		  const struct sp_roster_board *board, size_t index);
void sp_life_free(struct sp_life *life);
/// Lets everything happen that is due at `next_ms`. Not when it is over.
void sp_life_step(struct sp_life *life);

/// The clocks as the board reads them at `at_ms` of true time.
struct sp_clock_reading sp_life_clock(const struct sp_life *life, int64_t at_ms);
/// Can the board reach the broker now?
bool sp_life_reaches(const struct sp_life *life);
/// In force now, the one that began last; NULL: none.
const struct sp_turn *sp_life_latest(const struct sp_life *life, const char *word);

// ---- for the words' deeds
// -----------------------------------------------------------------------------------

/// Appends a record of this moment.
void sp_life_fact(struct sp_life *life, const char *type, const char *device, const struct sp_field *fields,
		  size_t count);
void sp_life_bulk(struct sp_life *life, const char *type, const char *device, const struct sp_field *fields,
		  size_t count);
/// What is pending becomes a batch that may be sent from `ready_ms` on.
void sp_life_commit(struct sp_life *life, enum sp_record_class cls, int64_t ready_ms);
int64_t sp_life_mono_us(const struct sp_life *life, int64_t at_ms);
void sp_life_id(struct sp_life *life, char out[SP_ID_LENGTH + 1]);

/// The agent starts for the reason that is over, or for the first time.
void sp_life_begin(struct sp_life *life);
/// It ends: `why` is the boot reason to come; `clean`: it says goodbye.
void sp_life_end(struct sp_life *life, const char *why, bool clean);
void sp_life_clock_fact(struct sp_life *life, const char *event, int64_t step_ms);

// life_line.c
/// Brings the line into the state that the script has for it now.
void sp_life_line_follow(struct sp_life *life);
/// After a start: what the time of silence means for the line's outages.
void sp_life_line_silence(struct sp_life *life, const struct sp_line_cause *cause);

// life_bulk.c
void sp_life_bulk_start(struct sp_life *life);
void sp_life_minute_count(struct sp_life *life); ///< the state so far counts up to now
void sp_life_minute(struct sp_life *life);       ///< the window ends
void sp_life_commit_bulk(struct sp_life *life);
