// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The line by the script, and its books: facts as the agent's ledger tells them, with exact edges.
#include "tools/fleet/life.h"

#include <string.h>

// ---- outages --------------------------------------------------------------------------------------------

/// The time since the last look counts for the part that held.
static void count(struct sp_outage_book *outage, int64_t at_ms)
{
	if (outage->part_count > 0)
		outage->parts[outage->part].ms += at_ms - outage->counted_ms;
	outage->counted_ms = at_ms;
}

static void enter_part(struct sp_outage_book *outage, const struct sp_line_cause *cause,
		       enum sp_line_is state)
{
	for (size_t i = 0; i < outage->part_count; i++) {
		if (strcmp(outage->parts[i].cause, cause->cause) == 0 && outage->parts[i].state == state) {
			outage->part = i;
			return;
		}
	}
	if (outage->part_count == SP_OUTAGE_PARTS_MAX)
		return; // it counts for the last one
	outage->part = outage->part_count++;
	outage->parts[outage->part].cause = cause->cause;
	outage->parts[outage->part].whose = cause->whose;
	outage->parts[outage->part].state = state;
	outage->parts[outage->part].ms = 0;
}

/// The worst state that it reached, and what held longest in it.
static size_t headline(const struct sp_outage_book *outage)
{
	size_t head = 0;
	for (size_t i = 1; i < outage->part_count; i++) {
		bool worse = outage->parts[i].state > outage->parts[head].state;
		bool longer = outage->parts[i].state == outage->parts[head].state &&
			      outage->parts[i].ms > outage->parts[head].ms;
		if (worse || longer)
			head = i;
	}
	return head;
}

static const char *rung_of(const char *cause)
{
	for (int i = 0; sp_line_causes[i].cause; i++)
		if (strcmp(sp_line_causes[i].cause, cause) == 0)
			return sp_line_causes[i].rung;
	return NULL;
}

static void outage_fact(struct sp_life *life, const char *phase)
{
	const struct sp_outage_book *outage = &life->outage;
	bool closed = strcmp(phase, "close") == 0, placed = closed && !life->clock_lost;
	size_t head = headline(outage);
	struct sp_field members[SP_OUTAGE_PARTS_MAX][4], parts[SP_OUTAGE_PARTS_MAX];
	for (size_t i = 0; i < outage->part_count; i++) {
		members[i][0] = SP_TEXT("cause", outage->parts[i].cause);
		members[i][1] = SP_TEXT("whose", outage->parts[i].whose);
		members[i][2] = SP_TEXT("state", sp_line_is_names[outage->parts[i].state]);
		members[i][3] = SP_REAL("seconds", (double)outage->parts[i].ms / 1000);
		parts[i] = SP_OBJECT("", members[i], 4);
	}
	const char *rung = rung_of(outage->parts[head].cause);
	const struct sp_field proof[] = {
	    SP_TEXT("rung", rung),
	    SP_TEXT("family", "any"),
	    SP_TEXT("status", "silent"),
	    SP_TEXT("reason", outage->hop ? "hop_silent" : "simulated"),
	    outage->hop ? SP_TEXT("host", outage->hop) : SP_NULL("host"),
	};
	const struct sp_field evidence = SP_OBJECT("", proof, SP_COUNT(proof));
	const int64_t now_ms = sp_life_clock(life, life->at_ms).wall_ms;
	const struct sp_field fields[] = {
	    SP_TEXT("outage", outage->id),
	    SP_TEXT("phase", phase),
	    SP_TEXT("state", sp_line_is_names[outage->parts[head].state]),
	    SP_TEXT("cause", outage->parts[head].cause),
	    SP_TEXT("whose", outage->parts[head].whose),
	    SP_INT("start_mono_us", outage->start_mono_us),
	    outage->placed ? SP_INT("start_t_ms", outage->start_ms) : SP_NULL("start_t_ms"),
	    SP_TEXT("start_boot", outage->start_boot),
	    SP_REAL("start_uncertainty_seconds", 0),
	    closed ? SP_INT("end_mono_us", sp_life_mono_us(life, life->at_ms)) : SP_NULL("end_mono_us"),
	    placed ? SP_INT("end_t_ms", now_ms) : SP_NULL("end_t_ms"),
	    closed ? SP_REAL("end_uncertainty_seconds", 0) : SP_NULL("end_uncertainty_seconds"),
	    SP_LIST("parts", parts, outage->part_count),
	    SP_LIST("evidence", &evidence, rung ? 1 : 0),
	};
	sp_life_fact(life, "outage", life->board->line, fields, SP_COUNT(fields));
}

/// A new outage that began at that moment of that boot; `t_ms` -1: not placed.
static void open_book(struct sp_life *life, const char *boot, int64_t mono_us, int64_t t_ms, int64_t true_ms)
{
	struct sp_outage_book *outage = &life->outage;
	*outage = (struct sp_outage_book){.open = true,
					  .start_ms = t_ms,
					  .placed = t_ms >= 0,
					  .start_mono_us = mono_us,
					  .counted_ms = true_ms,
					  .hop = life->hop};
	sp_life_id(life, outage->id);
	memcpy(outage->start_boot, boot, sizeof(outage->start_boot));
}

void sp_life_line_silence(struct sp_life *life, const struct sp_line_cause *cause)
{
	struct sp_outage_book *outage = &life->outage;
	if (outage->open) {
		// It went on, under the cause that held, until nobody looked any more.
		count(outage, life->gone_ms);
		enter_part(outage, cause, SP_LINE_IS_UNKNOWN);
		count(outage, life->at_ms);
		outage_fact(life, "update");
		return;
	}
	life->hop = NULL;
	open_book(life, life->previous_boot, life->gone_mono_us, life->gone_t_ms, life->gone_ms);
	enter_part(outage, cause, SP_LINE_IS_UNKNOWN);
	count(outage, life->at_ms);
	outage_fact(life, "close");
	outage->open = false;
}

// ---- the line -------------------------------------------------------------------------------------------

static void line_fact(struct sp_life *life, enum sp_line_is previous, bool began)
{
	const char *state = sp_line_is_names[life->line];
	const char *whose = life->line == SP_LINE_IS_UP ? "nobody" : life->cause->whose;
	const char *six = life->line == SP_LINE_IS_UP ? "up" : state;
	const struct sp_field fields[] = {
	    SP_TEXT("state", state),
	    SP_TEXT("previous", sp_line_is_names[previous]),
	    SP_TEXT("cause", life->cause->cause),
	    SP_TEXT("whose", whose),
	    SP_TEXT("ipv4", state),
	    SP_TEXT("ipv6", six),
	    SP_TEXT("egress", "unknown"),
	    SP_BOOL("self_loaded", false),
	    began ? SP_INT("since_mono_us", sp_life_mono_us(life, life->at_ms)) : SP_NULL("since_mono_us"),
	    began ? SP_REAL("since_uncertainty_seconds", 0) : SP_NULL("since_uncertainty_seconds"),
	};
	sp_life_fact(life, "line", life->board->line, fields, SP_COUNT(fields));
}

static void turn_outage(struct sp_life *life)
{
	struct sp_outage_book *outage = &life->outage;
	const char *phase = outage->open ? "update" : "open";
	if (life->line == SP_LINE_IS_UP && !outage->open)
		return;
	if (!outage->open) {
		struct sp_clock_reading now = sp_life_clock(life, life->at_ms);
		open_book(life, life->boot, now.mono_us, now.synced ? now.wall_ms : -1, life->at_ms);
	}
	count(outage, life->at_ms);
	if (life->hop)
		outage->hop = life->hop;
	if (life->line == SP_LINE_IS_UP) {
		outage_fact(life, "close");
		outage->open = false;
		return;
	}
	enter_part(outage, life->cause, life->line);
	outage_fact(life, phase);
}

/// Of what the script has for it now the worst; of equals what began last.
static const struct sp_turn *worst(const struct sp_life *life)
{
	const struct sp_turn *found = NULL;
	for (size_t i = 0; i < life->turn_count; i++) {
		const struct sp_turn *turn = &life->turns[i];
		if (!turn->on || strcmp(turn->statement->word->name, "line") != 0)
			continue;
		int state = turn->statement->args.index[0];
		int before = found ? found->statement->args.index[0] : -1;
		if (state > before || (state == before && turn->span.begin_ms >= found->span.begin_ms))
			found = turn;
	}
	return found;
}

void sp_life_line_follow(struct sp_life *life)
{
	const struct sp_turn *turn = worst(life);
	enum sp_line_is state = turn ? (enum sp_line_is)turn->statement->args.index[0] : SP_LINE_IS_UP;
	const struct sp_line_cause *cause = &sp_line_causes[turn ? turn->statement->args.index[1] : 0];
	enum sp_line_is previous = life->line;
	if (!life->running ||
	    (state == life->line && cause == life->cause && !(state == SP_LINE_IS_UP && life->outage.open)))
		return;
	sp_life_minute_count(life);
	life->line = state;
	life->cause = cause;
	life->hop = turn ? turn->statement->args.text[0] : NULL;
	line_fact(life, previous, true);
	turn_outage(life);
}
