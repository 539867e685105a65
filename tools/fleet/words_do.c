// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the words do to a board.
#include "tools/fleet/words.h"

#include <stdio.h>
#include <string.h>

#include "tools/fleet/civil.h"
#include "tools/fleet/life.h"

// ---- line, power, clock -----------------------------------------------------------------------------------

void sp_do_line(struct sp_life *life, struct sp_turn *turn)
{
	(void)turn;
	sp_life_line_follow(life);
}

void sp_do_away(struct sp_life *life, struct sp_turn *turn)
{
	const char *name = turn->statement->word->name;
	bool renews = strcmp(name, "renew") == 0;
	bool clean = renews || strcmp(name, "reboot") == 0 || strcmp(name, "restart") == 0;
	life->renews = renews;
	sp_life_end(life, renews ? "restart" : name, clean);
}

void sp_do_back(struct sp_life *life, struct sp_turn *turn)
{
	static const char *const away[] = {"power", "reboot", "restart", "crash", "renew"};
	(void)turn;
	for (size_t i = 0; i < SP_COUNT(away); i++)
		if (sp_life_latest(life, away[i]))
			return;
	if (!life->running)
		sp_life_begin(life);
}

void sp_do_clock(struct sp_life *life, struct sp_turn *turn)
{
	const struct sp_turn *latest = sp_life_latest(life, "clock");
	int64_t wrong_ms = latest ? latest->statement->args.ms : 0;
	int64_t step_ms = wrong_ms - life->clock_wrong_ms;
	bool lost = latest && wrong_ms == 0, was_lost = life->clock_lost;
	(void)turn;
	life->clock_lost = lost;
	life->clock_wrong_ms = wrong_ms;
	if (!life->running || (lost == was_lost && step_ms == 0))
		return;
	sp_life_clock_fact(life, lost ? "lost" : was_lost ? "synced" : "step", step_ms);
}

/// Nothing of its own: what is committed meanwhile waits (life.c).
void sp_do_late(struct sp_life *life, struct sp_turn *turn)
{
	(void)life, (void)turn;
}

/// They had their numbers, and the card had no room for them any more.
void sp_do_drop(struct sp_life *life, struct sp_turn *turn)
{
	if (!life->running)
		return;
	sp_life_commit(life, SP_RECORD_FACTS, life->at_ms);
	int64_t count = turn->statement->args.count[0], from = 0;
	const char *stream = sp_keep_skip(&life->keep, SP_RECORD_FACTS, count, &from);
	const struct sp_field fields[] = {SP_TEXT("class", sp_record_class_name(SP_RECORD_FACTS)),
					  SP_TEXT("reason", "cap"), SP_TEXT("stream", stream),
					  SP_INT("from", from), SP_INT("to", from + count - 1)};
	sp_life_fact(life, "dropped", NULL, fields, SP_COUNT(fields));
}

void sp_do_replay(struct sp_life *life, struct sp_turn *turn)
{
	(void)sp_keep_replay(&life->keep, (size_t)turn->statement->args.count[0]);
}

// ---- measurements -----------------------------------------------------------------------------------------

void sp_do_values(struct sp_life *life, struct sp_turn *turn)
{
	for (int i = 0; i < SP_SCOPES && !turn->on; i++) {
		const struct sp_scope_value *told = &turn->statement->args.scope[i];
		if (told->has_rtt) {
			life->scope[i].has_rtt = true;
			life->scope[i].rtt_seconds = told->rtt_seconds;
		}
		if (told->has_loss) {
			life->scope[i].has_loss = true;
			life->scope[i].loss_ratio = told->loss_ratio;
			life->scope[i].probes = told->probes;
		}
	}
}

struct speed_draft {
	struct sp_field fields[28], contract[4], idle[5], loaded[5], cross[3];
	size_t count;
};

static void add(struct speed_draft *d, struct sp_field field)
{
	d->fields[d->count++] = field;
}

static void rtt_fields(struct sp_field out[5], double seconds)
{
	out[0] = SP_INT("count", 20);
	out[1] = SP_REAL("min_seconds", seconds);
	out[2] = SP_REAL("median_seconds", seconds);
	out[3] = SP_REAL("p95_seconds", seconds);
	out[4] = SP_REAL("jitter_seconds", 0);
}

static void add_figures(struct speed_draft *d, double mbps, int64_t loaded_ms)
{
	enum { SECONDS = 10 };
	add(d, SP_TEXT("server", "203.0.113.9"));
	add(d, SP_TEXT("address", "203.0.113.9"));
	add(d, SP_TEXT("family", "ipv4"));
	add(d, SP_INT("streams", 6));
	add(d, SP_REAL("goodput_bps", mbps * 1e6));
	add(d, SP_INT("bytes", (int64_t)(mbps * 1e6 / 8 * SECONDS)));
	add(d, SP_REAL("duration_seconds", SECONDS));
	add(d, SP_REAL("warmup_seconds", 2));
	rtt_fields(d->idle, 0.009);
	rtt_fields(d->loaded, loaded_ms > 0 ? (double)loaded_ms / 1000 : 0.03);
	add(d, SP_OBJECT("idle_rtt", d->idle, 5));
	add(d, SP_OBJECT("loaded_rtt", d->loaded, 5));
	add(d, SP_REAL("retransmit_ratio", 0));
}

static void add_circumstances(struct speed_draft *d, const struct sp_life *life)
{
	const struct sp_roster_board *b = life->board;
	size_t count = 0;
	add(d, SP_TEXT("interface", "eth0"));
	add(d, SP_INT("link_mbps", 1000));
	add(d, SP_TEXT("duplex", "full"));
	add(d, SP_REAL("cpu_ratio", 0.25));
	d->cross[0] = SP_TEXT("source", "interface");
	d->cross[1] = SP_REAL("before_bytes_per_second", 0);
	d->cross[2] = SP_REAL("during_bytes_per_second", 0);
	add(d, SP_OBJECT("cross_traffic", d->cross, 3));
	if (b->provider[0])
		d->contract[count++] = SP_TEXT("provider", b->provider);
	if (b->plan[0])
		d->contract[count++] = SP_TEXT("plan", b->plan);
	if (b->down_mbps > 0)
		d->contract[count++] = SP_REAL("down_mbps", b->down_mbps);
	if (b->up_mbps > 0)
		d->contract[count++] = SP_REAL("up_mbps", b->up_mbps);
	if (count > 0)
		add(d, SP_OBJECT("contract", d->contract, count));
	add(d, SP_INT("deferrals", 0));
}

static void speed_record(struct sp_life *life, const struct sp_args *args, const char *test, int direction)
{
	const char *validity = args->text[1] ? args->text[1] : "valid";
	const char *reason = args->text[2] ? args->text[2] : "busy";
	bool valid = strcmp(validity, "valid") == 0;
	bool figures = strcmp(validity, "failed") != 0 && strcmp(validity, "skipped") != 0;
	struct speed_draft draft = {.count = 0};
	int64_t begun_us = sp_life_mono_us(life, life->at_ms) - (figures ? INT64_C(12000000) : 0);
	add(&draft, SP_TEXT("test", test));
	add(&draft, SP_TEXT("line", life->board->line));
	add(&draft, SP_TEXT("method", args->text[3] ? args->text[3] : "librespeed"));
	add(&draft, SP_TEXT("direction", direction == 0 ? "down" : "up"));
	add(&draft, SP_TEXT("trigger", "schedule"));
	add(&draft, SP_TEXT("validity", validity));
	if (!valid)
		add(&draft, SP_TEXT("reason", reason));
	add(&draft, SP_TEXT("scope", args->text[0] ? args->text[0] : "domestic"));
	if (figures)
		add_figures(&draft, args->real[direction], args->ms);
	add_circumstances(&draft, life);
	add(&draft, SP_INT("start_mono_us", begun_us > 0 ? begun_us : 0));
	sp_life_fact(life, "speedtest", "speed", draft.fields, draft.count);
}

void sp_do_speedtest(struct sp_life *life, struct sp_turn *turn)
{
	const struct sp_args *args = &turn->statement->args;
	char test[SP_ID_LENGTH + 1];
	// Without power nobody tests; over a dead line a board would say "skipped", which the script may say,
	// too.
	if (!life->running || life->line == SP_LINE_IS_DOWN)
		return;
	sp_life_id(life, test);
	for (int direction = 0; direction < 2; direction++)
		if (args->real[direction] >= 0)
			speed_record(life, args, test, direction);
}

// ---- devices ----------------------------------------------------------------------------------------------

/// Of a kiosk, unless the script says another class.
static const char *class_of(const struct sp_turn *turn)
{
	const char *told = turn->statement->args.text[3];
	return told ? told : strcmp(turn->statement->word->name, "kiosk") == 0 ? "kiosk" : "gear";
}

static void device_fact(struct sp_life *life, const struct sp_turn *turn, int state, int previous)
{
	const struct sp_args *args = &turn->statement->args;
	bool up = state == SP_LINE_IS_UP;
	const char *reason = args->text[2] ? args->text[2] : "timeout";
	const struct sp_field fields[] = {
	    SP_TEXT("driver", args->text[1]),
	    SP_TEXT("class", class_of(turn)),
	    SP_TEXT("state", sp_line_is_names[state]),
	    SP_TEXT("previous", sp_line_is_names[previous]),
	    up ? SP_NULL("reason") : SP_TEXT("reason", reason),
	    SP_NULL("text"),
	};
	if (life->running)
		sp_life_fact(life, "device", args->text[0], fields, SP_COUNT(fields));
}

void sp_do_device(struct sp_life *life, struct sp_turn *turn)
{
	const struct sp_args *args = &turn->statement->args;
	bool up = args->index[0] == SP_LINE_IS_UP;
	device_fact(life, turn, args->index[0], up ? SP_LINE_IS_UNKNOWN : SP_LINE_IS_UP);
}

void sp_do_device_up(struct sp_life *life, struct sp_turn *turn)
{
	const struct sp_args *args = &turn->statement->args;
	if (args->index[0] != SP_LINE_IS_UP)
		device_fact(life, turn, SP_LINE_IS_UP, args->index[0]);
}

static void kiosk_fact(struct sp_life *life, const struct sp_args *args)
{
	const struct sp_field fields[] = {
	    SP_TEXT("driver", args->text[1]),
	    SP_INT("heard_mono_us", sp_life_mono_us(life, life->at_ms)),
	    SP_REAL("clock_error_seconds", 0),
	    SP_INT("refused", 0),
	    SP_INT("accepted", 0),
	    SP_INT("known", 0),
	};
	if (life->running)
		sp_life_fact(life, "kiosk", args->text[0], fields, SP_COUNT(fields));
}

void sp_do_kiosk(struct sp_life *life, struct sp_turn *turn)
{
	sp_do_device(life, turn);
	kiosk_fact(life, &turn->statement->args);
}

void sp_do_kiosk_up(struct sp_life *life, struct sp_turn *turn)
{
	sp_do_device_up(life, turn);
	kiosk_fact(life, &turn->statement->args);
}

void sp_do_kiosk_total(struct sp_life *life, struct sp_turn *turn)
{
	const struct sp_args *args = &turn->statement->args;
	char date[16];
	sp_civil_format_date(sp_civil_day(life->at_ms), date);
	const struct sp_field fields[] = {SP_TEXT("date", date), SP_INT("kiosk", args->count[0]),
					  SP_INT("taken", args->count[1])};
	if (life->running)
		sp_life_fact(life, "kiosk_total", args->text[0], fields, SP_COUNT(fields));
}

void sp_do_present(struct sp_life *life, struct sp_turn *turn)
{
	enum { LEAST = 5 };
	const struct sp_args *args = &turn->statement->args;
	char date[16];
	sp_civil_format_date(sp_civil_day(life->at_ms), date);
	const struct sp_field group[] = {
	    SP_TEXT("group", args->text[0]),
	    SP_TEXT("direction", args->text[2] ? args->text[2] : "in"),
	    args->count[0] >= LEAST ? SP_INT("persons", args->count[0]) : SP_NULL("persons"),
	};
	const struct sp_field item = SP_OBJECT("", group, SP_COUNT(group));
	const struct sp_field fields[] = {
	    SP_TEXT("date", date), SP_TEXT("slot", args->text[1] ? args->text[1] : "06:45"),
	    SP_INT("slot_minutes", args->count[1]), SP_INT("revision", 1), SP_LIST("groups", &item, 1)};
	if (life->running)
		sp_life_fact(life, "attendance", NULL, fields, SP_COUNT(fields));
}

void sp_do_fact(struct sp_life *life, struct sp_turn *turn)
{
	const struct sp_args *args = &turn->statement->args;
	struct sp_field fields[SP_SCRIPT_PAIRS_MAX];
	for (size_t i = 0; i < args->pairs; i++) {
		const struct sp_pair *pair = &args->pair[i];
		switch (pair->kind) {
		case SP_PAIR_TEXT:
			fields[i] = SP_TEXT(pair->key, pair->text);
			break;
		case SP_PAIR_REAL:
			fields[i] = SP_REAL(pair->key, pair->real);
			break;
		case SP_PAIR_INT:
			fields[i] = SP_INT(pair->key, pair->integer);
			break;
		case SP_PAIR_BOOL:
			fields[i] = SP_BOOL(pair->key, pair->integer != 0);
			break;
		case SP_PAIR_NULL:
			fields[i] = SP_NULL(pair->key);
			break;
		}
	}
	if (life->running)
		sp_life_fact(life, args->text[0], args->text[1], fields, args->pairs);
}
