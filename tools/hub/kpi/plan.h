// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Plan files: what an authority promised or claims, by which document, and which KPI speaks of it. INI, read
// by agent/base/config; README.md has the keys. Pure but for reading the file.
#pragma once

#include "agent/base/config.h"
#include "tools/hub/kpi/kpi.h"

enum {
	SP_PLAN_PROMISES_MAX = 64,
	SP_PLAN_ZONES_MAX = 16,
	SP_PLAN_LANGUAGES = 2, ///< English, Vietnamese
};

enum sp_promise_kind {
	SP_PROMISE_TARGET, ///< to be reached by `due`
	SP_PROMISE_CLAIM,  ///< reported as reached
	SP_PROMISE_TASK,   ///< to be done: no figure was promised
};
const char *sp_promise_kind_name(enum sp_promise_kind kind);

struct sp_zone_target {
	char *zone;
	int64_t target; ///< in millionths
};

struct sp_promise {
	char *id;
	enum sp_promise_kind kind;
	int kpi;        ///< enum sp_kpi_id, or -1: this system does not measure it
	int64_t target; ///< in millionths; SP_KPI_UNKNOWN: none
	struct sp_zone_target zones[SP_PLAN_ZONES_MAX];
	size_t zone_count;
	struct sp_strings school_kinds; ///< none: every kind of school
	char *text[SP_PLAN_LANGUAGES];
	char *answer[SP_PLAN_LANGUAGES]; ///< what speaks of it besides, or instead of, a KPI; ""
};

struct sp_plan_thresholds {
	struct sp_kpi_speed_rules speed;
	int64_t connected, platform, automation, availability, coverage, kept; ///< in millionths
	int64_t contract_samples;
	struct sp_kpi_ready_rules ready;
};

struct sp_plan {
	char *id, *source, *source_vi, *issued, *due; ///< dates as written, or ""
	char *title[SP_PLAN_LANGUAGES], *issuer[SP_PLAN_LANGUAGES];
	struct sp_plan_thresholds thresholds;
	struct sp_promise *promises;
	size_t count;
};

/// 0, or -EINVAL with every mistake in `errors`. To be freed either way.
int sp_plan_parse(struct sp_plan *out, const char *file, const char *text, size_t length,
		  struct sp_config_errors *errors) SP_MUST_CHECK;
/// `which`: a path (with a '/'), or an id, which is looked for in `folder`, else beside the program and where
/// packages put plans. 0, -EINVAL, or -ENOENT with an error line.
int sp_plan_read(struct sp_plan *out, const char *which, const char *folder,
		 struct sp_config_errors *errors) SP_MUST_CHECK;
void sp_plan_free(struct sp_plan *plan);
/// The folder that an id is looked for in. Returns `out`.
const char *sp_plan_folder(const char *folder, char out[4096]);
/// The ids of the plans there, as "a, b, c"; "" of none. To be freed.
char *sp_plan_ids(const char *folder);
/// What holds without a plan.
struct sp_plan_thresholds sp_plan_defaults(void);
/// "99.5" → 995000. -EINVAL for what is no share of a whole.
int sp_percent_parse(const char *text, int64_t *out) SP_MUST_CHECK;
