// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Summaries of samples while they are made, one per instance of a board. Private to store/summary*.c and
// retain.c.
#pragma once

#include "tools/hub/figures/summary.h"
#include "tools/hub/store/store_priv.h"

enum { SP_LEVEL_MINUTE, SP_LEVEL_HOUR, SP_LEVEL_DAY };
enum {
	SP_MINUTE_MS = 60000,
	SP_HOUR_MS = 3600000,
};

/// By instance and the beginning of their stretch.
struct sp_sums {
	struct sp_sum {
		int64_t t_ms;
		char instance[65];
		struct sp_summary summary;
	} * items;
	size_t count, room;
};
void sp_sums_add(struct sp_sums *sums, int64_t t_ms, const char *instance, const char *text);
void sp_sums_free(struct sp_sums *sums);
/// Writes them; `merge`: into what is there.
int sp_sums_write(struct sp_store *store, int level, int64_t device, struct sp_sums *sums,
		  bool merge) SP_MUST_CHECK;

/// Is it a record that is summarised?
bool sp_is_sample(const char *type);
/// Of UTC+7.
int64_t sp_level_start(int level, int64_t t_ms);

/// Notes which hours of which boards something came for. 1: there is more.
int sp_summary_scan(struct sp_store *store, int64_t now_ms) SP_MUST_CHECK;
/// Makes the summaries of some hours and days that are over. 1: there is more.
int sp_summary_make(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms) SP_MUST_CHECK;
