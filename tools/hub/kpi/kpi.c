// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The formulas of the KPIs. Shares are divided digit by digit: no number of milliseconds that a country has
// overflows, on 32-bit machines, too.
#include "tools/hub/kpi/kpi.h"

// ---- verdicts ----------------------------------------------------------------------------------------

const char *sp_kpi_verdict_name(enum sp_kpi_verdict verdict, bool claim)
{
	static const char *const names[2][3] = {{"not_rated", "met", "not_met"},
						{"not_rated", "confirmed", "not_confirmed"}};
	return names[claim][verdict];
}

/// How many whole millionths part / whole are; *rest is what is left of `whole`. part ≥ 0, 0 < whole < 9e17.
static int64_t millionths(int64_t part, int64_t whole, int64_t *rest)
{
	int64_t share = part / whole;
	*rest = part % whole;
	for (int one = SP_KPI_ONE; one > 1; one /= 10) {
		*rest *= 10;
		share = share * 10 + *rest / whole;
		*rest %= whole;
	}
	return share;
}

/// part / whole ≥ share, for whole > 0: `share` is whole millionths.
static bool reaches(int64_t part, int64_t whole, int64_t share)
{
	int64_t rest;
	return millionths(part, whole, &rest) >= share;
}

void sp_kpi_count(struct sp_kpi_counts *counts, enum sp_unit unit)
{
	switch (unit) {
	case SP_UNIT_YES:
		counts->yes++;
		break;
	case SP_UNIT_NO:
		counts->no++;
		break;
	case SP_UNIT_UNKNOWN:
		counts->unknown++;
		break;
	}
}

int64_t sp_kpi_total(const struct sp_kpi_counts *counts)
{
	return counts->yes + counts->no + counts->unknown;
}

int64_t sp_kpi_quotient(int64_t num, int64_t den)
{
	if (den <= 0)
		return SP_KPI_UNKNOWN;
	int64_t rest, share = millionths(num, den, &rest);
	share += rest >= den - rest;
	// What is not all of it is not shown as all of it.
	return share >= SP_KPI_ONE && num < den ? SP_KPI_ONE - 1 : share;
}

int64_t sp_kpi_counts_value(const struct sp_kpi_counts *counts)
{
	return sp_kpi_quotient(counts->yes, sp_kpi_total(counts));
}

enum sp_kpi_verdict sp_kpi_judge_counts(const struct sp_kpi_counts *counts, int64_t target)
{
	int64_t total = sp_kpi_total(counts);
	if (total == 0)
		return SP_KPI_NOT_RATED;
	if (reaches(counts->yes, total, target))
		return SP_KPI_MET;
	return reaches(counts->yes + counts->unknown, total, target) ? SP_KPI_NOT_RATED : SP_KPI_NOT_MET;
}

void sp_kpi_value_add(struct sp_kpi_value *to, const struct sp_kpi_value *more)
{
	to->num += more->num;
	to->den += more->den;
	to->covered += more->covered;
	to->total += more->total;
}

enum sp_kpi_verdict sp_kpi_judge_value(const struct sp_kpi_value *value, int64_t target, int64_t coverage)
{
	if (value->den <= 0 || value->total <= 0 || !reaches(value->covered, value->total, coverage))
		return SP_KPI_NOT_RATED;
	return reaches(value->num, value->den, target) ? SP_KPI_MET : SP_KPI_NOT_MET;
}

enum sp_kpi_verdict sp_kpi_both(enum sp_kpi_verdict a, enum sp_kpi_verdict b)
{
	if (a == SP_KPI_NOT_MET || b == SP_KPI_NOT_MET)
		return SP_KPI_NOT_MET;
	return a == SP_KPI_MET && b == SP_KPI_MET ? SP_KPI_MET : SP_KPI_NOT_RATED;
}

// ---- units -------------------------------------------------------------------------------------------

enum sp_unit sp_kpi_share_unit(int64_t yes, int64_t unknown, int64_t total, int64_t share)
{
	if (total <= 0 || unknown >= total)
		return SP_UNIT_UNKNOWN;
	if (reaches(yes, total, share))
		return SP_UNIT_YES;
	return reaches(yes + unknown, total, share) ? SP_UNIT_UNKNOWN : SP_UNIT_NO;
}

enum sp_unit sp_kpi_fibre(const struct sp_kpi_lines *lines)
{
	if (lines->fibre > 0)
		return SP_UNIT_YES;
	return lines->lines > 0 && lines->others == lines->lines ? SP_UNIT_NO : SP_UNIT_UNKNOWN;
}

enum sp_unit sp_kpi_high_speed(int64_t samples, int64_t median_bps, int64_t pupils,
			       const struct sp_kpi_speed_rules *rules)
{
	int64_t asked_kbps = rules->high_kbps;
	if (samples <= 0 || samples < rules->min_samples)
		return SP_UNIT_UNKNOWN;
	if (rules->kbps_per_pupil > 0 && pupils > rules->many_pupils) {
		int64_t kbps = pupils * rules->kbps_per_pupil;
		asked_kbps = kbps > asked_kbps ? kbps : asked_kbps;
	}
	return median_bps >= asked_kbps * 1000 ? SP_UNIT_YES : SP_UNIT_NO;
}

struct sp_kpi_value sp_kpi_availability(const struct sp_kpi_uptime *time, bool provider_only)
{
	int64_t up_ms = time->up_ms + time->degraded_ms;
	int64_t down_ms = time->down_provider_ms + (provider_only ? 0 : time->down_other_ms);
	return (struct sp_kpi_value){up_ms, up_ms + down_ms, up_ms + down_ms, time->scheduled_ms};
}

enum sp_unit sp_kpi_available(const struct sp_kpi_value *value, int64_t share, int64_t coverage)
{
	switch (sp_kpi_judge_value(value, share, coverage)) {
	case SP_KPI_MET:
		return SP_UNIT_YES;
	case SP_KPI_NOT_MET:
		return SP_UNIT_NO;
	case SP_KPI_NOT_RATED:
		return SP_UNIT_UNKNOWN;
	}
	return SP_UNIT_UNKNOWN;
}

enum sp_unit sp_kpi_online_ready(const struct sp_kpi_ready *line, const struct sp_kpi_ready_rules *rules)
{
	bool covered = line->availability >= 0 && line->coverage >= rules->coverage;
	const struct {
		bool known, good;
	} parts[] = {
	    {line->down_bps >= 0, line->down_bps >= rules->down_kbps * 1000},
	    {line->up_bps >= 0, line->up_bps >= rules->up_kbps * 1000},
	    {line->loss >= 0, line->loss <= rules->loss},
	    {line->loaded_us >= 0, line->loaded_us <= rules->loaded_us},
	    {covered, line->availability >= rules->availability},
	};
	bool all = true;
	for (size_t i = 0; i < SP_COUNT(parts); i++) {
		if (parts[i].known && !parts[i].good)
			return SP_UNIT_NO;
		all &= parts[i].known;
	}
	return all ? SP_UNIT_YES : SP_UNIT_UNKNOWN;
}

enum sp_unit sp_kpi_kept(int64_t count, int64_t sum_bps, int64_t bought_kbps, int64_t min_samples,
			 int64_t kept)
{
	if (count <= 0 || count < min_samples || bought_kbps <= 0)
		return SP_UNIT_UNKNOWN;
	// The average first: sums of what was bought have no end that a register sets.
	return reaches(sum_bps / count, bought_kbps * 1000, kept) ? SP_UNIT_YES : SP_UNIT_NO;
}

struct sp_kpi_value sp_kpi_assets(int64_t complete, int64_t declared)
{
	if (declared <= 0)
		return (struct sp_kpi_value){0, 0, 0, 1};
	// More than was declared proves that the declaration is old, not that all is recorded twice.
	return (struct sp_kpi_value){complete < declared ? complete : declared, declared, 1, 1};
}

struct sp_kpi_value sp_kpi_classroom(int64_t worked_minutes, int64_t rated_minutes, int64_t lesson_minutes)
{
	return (struct sp_kpi_value){worked_minutes, rated_minutes, rated_minutes, lesson_minutes};
}

int64_t sp_kpi_index(const int64_t *components, size_t count)
{
	int64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		if (components[i] < 0)
			return SP_KPI_UNKNOWN;
		sum += components[i];
	}
	return count ? (sum * 2 + (int64_t)count) / (2 * (int64_t)count) : SP_KPI_UNKNOWN;
}
