// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The words of scripts: one row each. A new word is a row here, its reader in words_read.c and its deeds in
// words_do.c.
#pragma once

#include "tools/fleet/script_priv.h"

struct sp_life;
struct sp_turn;

enum sp_lasting {
	SP_LASTS_NOT,   ///< happens
	SP_LASTS_MAYBE, ///< happens, or holds
	SP_LASTS,       ///< holds: needs "for" or "until"
	SP_LASTS_ITSELF ///< for as long as its own `ms` says
};

struct sp_word {
	const char *name;
	enum sp_lasting lasting;
	/// Reads what follows the name.
	bool (*read)(struct sp_tokens *tokens, struct sp_args *args);
	/// At its beginning, also at each further one of `times`; may be NULL.
	void (*begin)(struct sp_life *life, struct sp_turn *turn);
	/// At its end, when the turn is no longer in force; may be NULL.
	void (*end)(struct sp_life *life, struct sp_turn *turn);
};

/// The word of a statement and all that follows.
bool sp_words_read(struct sp_tokens *tokens, struct sp_statement *statement);
/// NULL: there is none.
const struct sp_word *sp_word_find(const char *name);

// ---- tables of names --------------------------------------------------------------------------------------

enum sp_line_is { SP_LINE_IS_UP, SP_LINE_IS_UNKNOWN, SP_LINE_IS_DEGRADED, SP_LINE_IS_DOWN };
extern const char *const sp_line_is_names[4];

struct sp_line_cause {
	const char *cause, *whose, *rung;
};
enum { SP_CAUSE_NO_CAUSE, SP_CAUSE_BY_POWER, SP_CAUSE_BY_REBOOT, SP_CAUSE_BY_AGENT };
extern const struct sp_line_cause sp_line_causes[];

// ---- readers (words_read.c)
// ---------------------------------------------------------------------------------

bool sp_read_nothing(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_line(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_cut(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_reboot(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_restart(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_crash(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_clock(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_late(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_drop(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_replay(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_speedtest(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_rtt(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_loss(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_platform(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_device(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_kiosk_total(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_present(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_fact(struct sp_tokens *tokens, struct sp_args *args);
bool sp_read_off(struct sp_tokens *tokens, struct sp_args *args);

// ---- deeds (words_do.c)
// -------------------------------------------------------------------------------------

void sp_do_line(struct sp_life *life, struct sp_turn *turn);
void sp_do_away(struct sp_life *life, struct sp_turn *turn);
void sp_do_back(struct sp_life *life, struct sp_turn *turn);
void sp_do_clock(struct sp_life *life, struct sp_turn *turn);
void sp_do_late(struct sp_life *life, struct sp_turn *turn);
void sp_do_drop(struct sp_life *life, struct sp_turn *turn);
void sp_do_replay(struct sp_life *life, struct sp_turn *turn);
void sp_do_speedtest(struct sp_life *life, struct sp_turn *turn);
void sp_do_values(struct sp_life *life, struct sp_turn *turn);
void sp_do_device(struct sp_life *life, struct sp_turn *turn);
void sp_do_device_up(struct sp_life *life, struct sp_turn *turn);
void sp_do_kiosk(struct sp_life *life, struct sp_turn *turn);
void sp_do_kiosk_up(struct sp_life *life, struct sp_turn *turn);
void sp_do_kiosk_total(struct sp_life *life, struct sp_turn *turn);
void sp_do_present(struct sp_life *life, struct sp_turn *turn);
void sp_do_fact(struct sp_life *life, struct sp_turn *turn);
