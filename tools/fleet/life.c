// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What happens next to a board, and its turns by the script.
#include "tools/fleet/life.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"

enum { CLOCK_ERROR_MS = 20 };

// ---- records --------------------------------------------------------------------------------------------

int64_t sp_life_mono_us(const struct sp_life *life, int64_t at_ms)
{
	return (at_ms - life->boot_ms) * 1000;
}

struct sp_clock_reading sp_life_clock(const struct sp_life *life, int64_t at_ms)
{
	return (struct sp_clock_reading){.mono_us = sp_life_mono_us(life, at_ms),
					 .synced = !life->clock_lost,
					 .wall_ms = at_ms + life->clock_wrong_ms,
					 .err_ms = CLOCK_ERROR_MS};
}

void sp_life_id(struct sp_life *life, char out[SP_ID_LENGTH + 1])
{
	sp_rng_use(&life->rng);
	sp_id_new(out);
}

static void record(struct sp_life *life, enum sp_record_class cls, const char *type, const char *device,
		   const struct sp_field *fields, size_t count)
{
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX);
	struct sp_clock_reading now = sp_life_clock(life, life->at_ms);
	// The script's reader lets nothing through that a record cannot hold.
	if (sp_feed_record(&text, type, device, &now, fields, count) < 0)
		abort();
	sp_keep_add(&life->keep, cls, text.data);
	sp_buf_free(&text);
}

void sp_life_fact(struct sp_life *life, const char *type, const char *device, const struct sp_field *fields,
		  size_t count)
{
	record(life, SP_RECORD_FACTS, type, device, fields, count);
}

void sp_life_bulk(struct sp_life *life, const char *type, const char *device, const struct sp_field *fields,
		  size_t count)
{
	record(life, SP_RECORD_BULK, type, device, fields, count);
}

void sp_life_commit(struct sp_life *life, enum sp_record_class cls, int64_t ready_ms)
{
	const struct sp_life_config *c = life->config;
	const struct sp_batch *batch = sp_keep_commit(&life->keep, cls, ready_ms);
	if (batch && c->made)
		c->made(c->made_arg, life->board->device, batch);
}

// ---- turns ----------------------------------------------------------------------------------------------

const struct sp_turn *sp_life_latest(const struct sp_life *life, const char *word)
{
	const struct sp_turn *latest = NULL;
	for (size_t i = 0; i < life->turn_count; i++) {
		const struct sp_turn *turn = &life->turns[i];
		if (turn->on && strcmp(turn->statement->word->name, word) == 0 &&
		    (!latest || turn->span.begin_ms >= latest->span.begin_ms))
			latest = turn;
	}
	return latest;
}

bool sp_life_reaches(const struct sp_life *life)
{
	return life->running && life->line != SP_LINE_IS_DOWN && !sp_life_latest(life, "silent");
}

static int64_t spread_of(const struct sp_life *life, const struct sp_statement *s, int64_t raw_ms)
{
	uint64_t mixed = sp_rng_mix(life->config->seed, life->board->device);
	struct sp_rng rng = {sp_rng_mix_number(sp_rng_mix_number(mixed, s->number), (uint64_t)raw_ms)};
	return sp_rng_below(&rng, s->when.spread_ms);
}

/// Looks for the turn's next span, at `after_ms` at the earliest.
static void seek(const struct sp_life *life, struct sp_turn *turn, int64_t after_ms)
{
	const struct sp_statement *s = turn->statement;
	int64_t late = s->when.spread_ms + (s->word->lasting == SP_LASTS_ITSELF ? s->args.ms : 0);
	struct sp_span span;
	turn->on = false;
	turn->done = 0;
	turn->over = !sp_when_next(&s->when, life->config->start_ms, life->at_ms - late, after_ms, &span);
	if (turn->over)
		return;
	int64_t shift = spread_of(life, s, span.begin_ms);
	turn->raw_ms = span.begin_ms;
	turn->span.begin_ms = span.begin_ms + shift;
	turn->span.end_ms = span.end_ms == INT64_MAX ? INT64_MAX : span.end_ms + shift;
	if (s->word->lasting == SP_LASTS_ITSELF)
		turn->span.end_ms = turn->span.begin_ms + s->args.ms;
}

static bool lasts(const struct sp_turn *turn)
{
	return turn->span.end_ms > turn->span.begin_ms;
}

/// The next span that matters at the beginning of the life.
static void seek_first(const struct sp_life *life, struct sp_turn *turn)
{
	seek(life, turn, INT64_MIN);
	while (!turn->over &&
	       (lasts(turn) ? turn->span.end_ms <= life->at_ms : turn->span.begin_ms < life->at_ms))
		seek(life, turn, turn->raw_ms + 1);
}

/// When the `done`-th of several times is due.
static int64_t repeat_ms(const struct sp_turn *turn)
{
	int64_t times = turn->statement->args.times, end = turn->span.end_ms;
	if (turn->done >= times || end == INT64_MAX)
		return INT64_MAX;
	return turn->span.begin_ms +
	       (int64_t)((double)(end - turn->span.begin_ms) * (double)turn->done / (double)times);
}

static int64_t edge_ms(const struct sp_turn *turn)
{
	if (turn->over)
		return INT64_MAX;
	if (!turn->on)
		return turn->span.begin_ms;
	int64_t again = repeat_ms(turn);
	return again < turn->span.end_ms ? again : turn->span.end_ms;
}

static void call(struct sp_life *life, struct sp_turn *turn, void (*deed)(struct sp_life *, struct sp_turn *))
{
	if (deed)
		deed(life, turn);
}

/// The next span after this one; what is past before it could begin is left out.
static void seek_next(const struct sp_life *life, struct sp_turn *turn)
{
	do
		seek(life, turn, turn->raw_ms + 1);
	while (!turn->over && turn->span.begin_ms < life->at_ms);
}

static void goes_on(struct sp_life *life, struct sp_turn *turn)
{
	while (turn->on && repeat_ms(turn) <= life->at_ms) {
		turn->done++;
		call(life, turn, turn->statement->word->begin);
	}
}

static void begins(struct sp_life *life, struct sp_turn *turn)
{
	turn->begun = false;
	if (turn->on && turn->statement->args.times > 1) {
		// Of several times in a span that is under way, those that are past are left out.
		while (repeat_ms(turn) < life->at_ms)
			turn->done++;
		goes_on(life, turn);
		return;
	}
	turn->done = 1;
	call(life, turn, turn->statement->word->begin);
	if (!turn->on)
		seek_next(life, turn);
}

/// First it is settled what holds now, then the deeds are done: what ends and what begins at one moment leave
/// no moment between them.
static void turns_step(struct sp_life *life)
{
	for (size_t i = 0; i < life->turn_count; i++) {
		struct sp_turn *turn = &life->turns[i];
		goes_on(life, turn);
		turn->ended = turn->on && turn->span.end_ms <= life->at_ms;
		if (turn->ended)
			seek_next(life, turn);
		turn->begun = !turn->over && !turn->on && turn->span.begin_ms <= life->at_ms;
		turn->on = turn->on || (turn->begun && lasts(turn));
	}
	for (size_t i = 0; i < life->turn_count; i++)
		if (life->turns[i].ended)
			call(life, &life->turns[i], life->turns[i].statement->word->end);
	for (size_t i = 0; i < life->turn_count; i++)
		if (life->turns[i].begun)
			begins(life, &life->turns[i]);
}

// ---- time -----------------------------------------------------------------------------------------------

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void look_ahead(struct sp_life *life)
{
	int64_t next = life->config->end_ms;
	for (size_t i = 0; i < life->turn_count; i++)
		next = least(next, edge_ms(&life->turns[i]));
	if (life->running)
		next = least(next, least(life->minute_next_ms, life->commit_next_ms));
	life->next_ms = next > life->at_ms ? next : life->at_ms + 1;
}

static void commit_facts(struct sp_life *life)
{
	const struct sp_turn *late = sp_life_latest(life, "facts");
	int64_t wait_ms = late ? late->statement->args.ms : 0;
	sp_life_commit(life, SP_RECORD_FACTS, life->at_ms + wait_ms);
}

/// Its last word: it watched until now.
static void finish(struct sp_life *life)
{
	if (life->running) {
		sp_life_minute(life);
		sp_life_commit_bulk(life);
		sp_life_clock_fact(life, life->clock_lost ? "lost" : "hourly", 0);
		commit_facts(life);
	}
	life->over = true;
	life->next_ms = INT64_MAX;
}

void sp_life_step(struct sp_life *life)
{
	life->at_ms = life->next_ms;
	if (life->running && life->at_ms >= life->minute_next_ms)
		sp_life_minute(life);
	if (life->running && life->at_ms >= life->commit_next_ms)
		sp_life_commit_bulk(life);
	turns_step(life);
	commit_facts(life);
	if (life->at_ms >= life->config->end_ms)
		finish(life);
	else
		look_ahead(life);
}

static void add_turns(struct sp_life *life, size_t index)
{
	const struct sp_script *script = life->config->script;
	for (size_t i = 0; script && i < script->count; i++) {
		const struct sp_statement *s = script->statements[i];
		if (!sp_statement_meets(s, life->board, index, life->config->seed))
			continue;
		if ((life->turn_count & (life->turn_count - 1)) == 0) {
			size_t room = life->turn_count ? life->turn_count * 2 : 4;
			life->turns = sp_realloc(life->turns, room * sizeof(*life->turns));
		}
		struct sp_turn *turn = &life->turns[life->turn_count++];
		*turn = (struct sp_turn){.statement = s};
		seek_first(life, turn);
		if (strcmp(s->word->name, "replay") == 0 &&
		    life->keep.settled_keep < (size_t)s->args.count[0])
			life->keep.settled_keep = (size_t)s->args.count[0];
	}
}

void sp_life_init(struct sp_life *life, const struct sp_life_config *config,
		  const struct sp_roster_board *board, size_t index)
{
	uint64_t mixed = sp_rng_mix(config->seed, board->device);
	*life = (struct sp_life){.config = config,
				 .board = board,
				 .rng = {sp_rng_mix_number(mixed, (uint64_t)config->start_ms)},
				 .at_ms = config->start_ms,
				 .cause = &sp_line_causes[SP_CAUSE_NO_CAUSE]};
	life->scope[SP_SCOPE_DOMESTIC] = (struct sp_scope_value){true, true, 0.009, 0, 0};
	life->scope[SP_SCOPE_GATEWAY] = (struct sp_scope_value){true, true, 0.001, 0, 0};
	add_turns(life, index);
	// A board that is away at the beginning has lived before.
	sp_life_begin(life);
	turns_step(life);
	commit_facts(life);
	look_ahead(life);
}

void sp_life_free(struct sp_life *life)
{
	sp_keep_free(&life->keep);
	free(life->turns);
}
