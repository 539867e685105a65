// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How many bytes of one line we have used this month, and how many we may. Pure but for the recorder and the
// store it is given: time only by argument.
//
// It survives power cuts by reserving ahead: what is durable is what was spent and a little more, and is
// written anew before that little more is used up. So after a cut at most one reservation counts that was not
// spent, and never less than was. A clean stop gives the rest back.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/core/recorder.h"
#include "schoolpulse/clock.h"

struct sp_budget;

enum sp_budget_kind { SP_BUDGET_PROBES, SP_BUDGET_TELEMETRY, SP_BUDGET_TESTS };
#define SP_BUDGET_KINDS 3

/// "probes", "telemetry", "tests".
const char *sp_budget_kind_name(enum sp_budget_kind kind);

struct sp_budget_config {
	const char *line;  ///< copied
	int64_t cap_bytes; ///< per month; 0: none
	bool metered, frugal;
	struct sp_recorder *recorder;
	/// Durable small state: the journal's. `soon`: at once; else together with whatever is committed
	/// next. `done(done_arg, 0)` once it is durable. -errno: it was not taken, and done is not called.
	int (*put)(void *arg, const char *key, const char *value, bool soon, sp_journal_done_fn done,
		   void *done_arg);
	/// 0 with what is kept, NULL for nothing; -EAGAIN: it cannot be read yet. Then the budget counts from
	/// 0, puts nothing, asks again at each look, and adds.
	int (*get)(void *arg, const char *key, char **out);
	void *arg;
};

/// Continues what the store has of that line.
struct sp_budget *sp_budget_new(const struct sp_budget_config *config, const struct sp_clock_reading *now);
/// After the last `done`. NULL is fine.
void sp_budget_free(struct sp_budget *budget);

/// Bytes of IP, both ways.
void sp_budget_spend(struct sp_budget *budget, enum sp_budget_kind kind, int64_t bytes,
		     const struct sp_clock_reading *now);
/// What a test may still use: INT64_MAX without a cap, -1 while what the store has is not known.
int64_t sp_budget_left(const struct sp_budget *budget);
/// Sets that much aside for one test: done(arg, 0) once no power cut can make it forgotten, done(arg, -errno)
/// when it could not be kept. What tests spend from then on is of that. -errno: not taken, and done is not
/// called; -EBUSY: for another test there is some set aside.
int sp_budget_set_aside(struct sp_budget *budget, int64_t bytes, sp_journal_done_fn done,
			void *arg) SP_MUST_CHECK;
/// The test is over: what it did not spend is there again.
void sp_budget_give_back(struct sp_budget *budget);
/// Every few seconds: a month may begin. Months are those of the local time (+07:00); while the clock is not
/// known the last known month goes on, and so it does when the clock steps back before it, unless that is by
/// more than a month and for six hours.
void sp_budget_look(struct sp_budget *budget, const struct sp_clock_reading *now);
/// Gives back what was reserved: nothing is spent from now on.
void sp_budget_settle(struct sp_budget *budget);

/// Nothing is left: bulk waits, probes become rare; facts still go.
bool sp_budget_exhausted(const struct sp_budget *budget);
/// By configuration or because nothing is left.
bool sp_budget_frugal(const struct sp_budget *budget);

struct sp_budget_view {
	const char *line;
	char month[8]; ///< "2026-11"; "" while no clock was ever known
	int64_t spent[SP_BUDGET_KINDS], used, cap_bytes;
	bool metered, frugal, exhausted;
	int64_t forecast_bytes; ///< at the month's end at the pace so far; -1: too early to say
};
void sp_budget_view(const struct sp_budget *budget, const struct sp_clock_reading *now,
		    struct sp_budget_view *out);
