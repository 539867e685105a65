// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's documents as pages.
#pragma once

#include <cjson/cJSON.h>

#include "agent/base/member.h"
#include "agent/cli/page.h"

void sp_show_status(struct sp_page *page, const cJSON *status);
/// `detailed`: with the evidence of each; else of the latest only.
void sp_show_outages(struct sp_page *page, const cJSON *outages, bool detailed);
void sp_show_budget(struct sp_page *page, const cJSON *budget);
/// One line of the status, if that line has a cap.
void sp_show_budget_line(struct sp_page *page, const cJSON *budgets, const char *line);
/// `detailed`: options and metrics, too.
void sp_show_drivers(struct sp_page *page, const cJSON *drivers, bool detailed);

void sp_show_kiosks(struct sp_page *page, const cJSON *kiosks);

/// The records of one test.
void sp_show_speedtest(struct sp_page *page, const cJSON *records);
/// The last tests, and when the next ones are due.
void sp_show_speedtests(struct sp_page *page, const cJSON *document);

// ---- the feed's words in people's language -----------------------------------------------------------

struct sp_word {
	const char *word, *text; ///< text: marked by N_()
};
/// A word that this program is too old to know shows as it is.
const char *sp_show_word(const struct sp_word *words, size_t count, const char *word);

enum sp_style sp_show_style(const char *state);
const char *sp_show_state(const char *state); ///< also of rungs, journals and storages
const char *sp_show_rung(const char *rung);
const char *sp_show_family(const char *family); ///< "" for any
/// What a rung's evidence says, as a half sentence: by its reason, or else its detail.
const char *sp_show_reason(const cJSON *evidence, char out[256]);
/// What a cause means, in a sentence's second half: "nothing beyond the gateway answers".
const char *sp_show_cause(const char *cause);
/// "the provider's", "ours", …
const char *sp_show_whose(const char *whose);
