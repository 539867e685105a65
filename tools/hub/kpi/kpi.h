// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs: what each one means (one table, which `kpi --list`, README.md, the API and the evaluation read), and
// the formulas over plain numbers. Shares are whole millionths and every comparison is one of whole numbers,
// so that a target that is exactly reached is met. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/hub/store/store.h"

#define SP_KPI_ONE 1000000 ///< the whole, in millionths
enum { SP_KPI_UNKNOWN = -1 };

// ---- what they mean ----------------------------------------------------------------------------------

enum sp_kpi_id {
	SP_KPI_FIBRE_SCHOOLS,
	SP_KPI_HIGH_SPEED_SITES,
	SP_KPI_DATA_CONNECTED,
	SP_KPI_DATA_COMPLETENESS,
	SP_KPI_DATA_TIMELINESS,
	SP_KPI_PLATFORM_REACHABLE,
	SP_KPI_ASSETS_RECORDED,
	SP_KPI_SMART_CLASSROOM,
	SP_KPI_ATTENDANCE_AUTOMATION,
	SP_KPI_ONLINE_READY,
	SP_KPI_CONTRACT_KEPT,
	SP_KPI_AVAILABILITY_LESSON,
	SP_KPI_AVAILABILITY_CLOCK,
	SP_KPI_AVAILABILITY_EXAM,
	SP_KPI_AVAILABILITY_PROVIDER,
	SP_KPI_CONNECTIVITY_INDEX,
};
#define SP_KPIS 16

/// What is counted, and how the verdict is found.
enum sp_kpi_rule {
	SP_KPI_RULE_UNITS, ///< yes, no, unknown of each unit; value = yes / all units
	SP_KPI_RULE_VALUE, ///< a quotient of sums, rated where enough of it is covered
	SP_KPI_RULE_INDEX, ///< a mean of others, never judged
};

struct sp_kpi {
	const char *name; ///< as plan files write it
	enum sp_kpi_rule rule;
	const char *unit;     ///< "school", "site", "pool" (provider and plan)
	bool line_only;       ///< measures a part of what is promised: never decides
	const char *title[2]; ///< English, Vietnamese
	const char *numerator, *denominator;
	const char *not_rated; ///< when a unit, or the value, is not rated
	const char *basis;     ///< of which time
};
const struct sp_kpi *sp_kpi(enum sp_kpi_id id);
/// -1: there is none of that name.
int sp_kpi_find(const char *name);

// ---- verdicts ----------------------------------------------------------------------------------------

enum sp_kpi_verdict { SP_KPI_NOT_RATED, SP_KPI_MET, SP_KPI_NOT_MET };
/// Of a target "met", "not_met", "not_rated"; of a claim "confirmed", "not_confirmed", "not_rated".
const char *sp_kpi_verdict_name(enum sp_kpi_verdict verdict, bool claim);

struct sp_kpi_counts {
	int64_t yes, no, unknown;
};
void sp_kpi_count(struct sp_kpi_counts *counts, enum sp_unit unit);
int64_t sp_kpi_total(const struct sp_kpi_counts *counts);
/// In millionths, rounded to the nearest; SP_KPI_UNKNOWN without any unit.
int64_t sp_kpi_counts_value(const struct sp_kpi_counts *counts);
/// Met if yes/total ≥ target, not met if (yes + unknown)/total < target, else not rated. No units: not rated.
enum sp_kpi_verdict sp_kpi_judge_counts(const struct sp_kpi_counts *counts, int64_t target);

/// num / den of what is known, and how much of all that is: covered / total, in units or in time.
struct sp_kpi_value {
	int64_t num, den;
	int64_t covered, total;
};
void sp_kpi_value_add(struct sp_kpi_value *to, const struct sp_kpi_value *more);
int64_t sp_kpi_quotient(int64_t num, int64_t den); ///< in millionths; SP_KPI_UNKNOWN when den ≤ 0
/// Met or not met by num / den ≥ target when covered / total ≥ coverage; else not rated.
enum sp_kpi_verdict sp_kpi_judge_value(const struct sp_kpi_value *value, int64_t target, int64_t coverage);
/// Of a promise with several parts (its zones and the whole): not met if any is not, met if all are.
enum sp_kpi_verdict sp_kpi_both(enum sp_kpi_verdict a, enum sp_kpi_verdict b);

// ---- units -------------------------------------------------------------------------------------------

/// A share of things of which some are unknown: yes if surely ≥ share, no if surely below. All unknown or
/// none at all: unknown.
enum sp_unit sp_kpi_share_unit(int64_t yes, int64_t unknown, int64_t total, int64_t share);

struct sp_kpi_lines {
	int64_t lines;  ///< of the school in the register
	int64_t fibre;  ///< fibre with evidence that was seen up in the period
	int64_t others; ///< of another medium by the register
};
enum sp_unit sp_kpi_fibre(const struct sp_kpi_lines *lines);

struct sp_kpi_speed_rules {
	int64_t high_kbps;      ///< download of a high-speed site
	int64_t kbps_per_pupil; ///< 0: not asked; else of a school with more pupils than many_pupils
	int64_t many_pupils;
	int64_t min_samples;
};
/// `pupils` SP_KPI_UNKNOWN: nobody says.
enum sp_unit sp_kpi_high_speed(int64_t samples, int64_t median_bps, int64_t pupils,
			       const struct sp_kpi_speed_rules *rules);

struct sp_kpi_uptime {
	int64_t scheduled_ms, up_ms, degraded_ms, down_provider_ms, down_other_ms;
};
/// Degraded is up. `provider_only`: down is what is the provider's fault; else whatever took the school
/// offline.
struct sp_kpi_value sp_kpi_availability(const struct sp_kpi_uptime *time, bool provider_only);
/// Unknown where coverage is too small.
enum sp_unit sp_kpi_available(const struct sp_kpi_value *value, int64_t share, int64_t coverage);

struct sp_kpi_ready {
	int64_t down_bps, up_bps;       ///< medians, SP_KPI_UNKNOWN as everywhere here
	int64_t loss;                   ///< of domestic probes in school time, millionths
	int64_t loaded_us;              ///< median round trip while the line is full
	int64_t availability, coverage; ///< of school time, millionths
};
struct sp_kpi_ready_rules {
	int64_t down_kbps, up_kbps, loss, loaded_us, availability, coverage;
};
/// Yes if everything is known and good, no if anything is known and bad.
enum sp_unit sp_kpi_online_ready(const struct sp_kpi_ready *line, const struct sp_kpi_ready_rules *rules);

/// One direction of a pool: the mean of `count` tests, whose sum is in bit/s, against `kept` of what was
/// bought.
enum sp_unit sp_kpi_kept(int64_t count, int64_t sum_bps, int64_t bought_kbps, int64_t min_samples,
			 int64_t kept);

/// A school's register of equipment against what it declared to have. Nothing declared: covered 0.
struct sp_kpi_value sp_kpi_assets(int64_t complete, int64_t declared);
/// Lessons in a classroom, by minutes: in which every required device worked, of those that are rated at all.
struct sp_kpi_value sp_kpi_classroom(int64_t worked_minutes, int64_t rated_minutes, int64_t lesson_minutes);

/// The mean of the components' values, each weighted alike; SP_KPI_UNKNOWN while any is unknown.
int64_t sp_kpi_index(const int64_t *components, size_t count);
