// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The budgets of all lines of this board, kept in the journal; which line pays for the way to the hub; and
// what a line without means must not be used for.
#pragma once

#include <cjson/cJSON.h>

#include "agent/core/ledger/budget.h"
#include "agent/core/journal/journal.h"
#include "agent/core/settings.h"

struct sp_budgets;

/// `settings` and `journal` must outlive it.
struct sp_budgets *sp_budgets_new(const struct sp_settings *settings, struct sp_journal *journal,
				  struct sp_recorder *recorder);
/// After the journal is closed and has called back. NULL is fine.
void sp_budgets_free(struct sp_budgets *budgets);

/// A device of the line used it.
void sp_budgets_spent(struct sp_budgets *budgets, const char *line, enum sp_spending what, int64_t bytes);
/// What sp_budgets_spent() was told of the line's probes since start.
int64_t sp_budgets_probes(const struct sp_budgets *budgets, const char *line);
bool sp_budgets_frugal(const struct sp_budgets *budgets, const char *line);
/// budget.h: for one test on that line at a time. A line that does not exist has nothing left.
int64_t sp_budgets_left(const struct sp_budgets *budgets, const char *line);
int sp_budgets_set_aside(struct sp_budgets *budgets, const char *line, int64_t bytes, sp_journal_done_fn done,
			 void *arg) SP_MUST_CHECK;
void sp_budgets_give_back(struct sp_budgets *budgets, const char *line);
/// The publisher used so many bytes since start, over this interface: the line whose devices are configured
/// for it pays, else the first. A hub on this board costs nothing.
void sp_budgets_telemetry(struct sp_budgets *budgets, int64_t total_bytes, const char *interface);
/// What the line that telemetry goes over allows.
enum sp_bulk_limit sp_budgets_bulk(const struct sp_budgets *budgets);
/// Every few seconds.
void sp_budgets_look(struct sp_budgets *budgets);
/// The last byte was sent.
void sp_budgets_settle(struct sp_budgets *budgets);

/// A list for the status and for `schoolpulse budget`.
cJSON *sp_budgets_json(const struct sp_budgets *budgets);
