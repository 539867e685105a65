// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the store tells beyond single boards' records: regional incidents, samples summed up, its own size.
// Within read_begin and read_end, as all that is read.
#pragma once

#include "tools/hub/store/store.h"

/// Regional incidents. Texts live during the call.
struct sp_incident_filter {
	bool open;
	int64_t id;             ///< -1: any
	int64_t from_ms, to_ms; ///< that touch from_ms ≤ t < to_ms
	int64_t limit;
};
struct sp_incident_view {
	int64_t id;
	const char *scope, *cause;         ///< constant words, as in incident/correlate.h
	const char *provider, *area, *hop; ///< "" where it is no part of the scope
	int64_t from_ms, to_ms;            ///< to_ms -1: it lasts
	int64_t boards, of_boards, away;   ///< members; how many were up behind it; members that are not back
	int64_t told_line, told_power;
	int64_t found_ms, changed_ms;
};
/// Newest first.
int sp_store_incidents(struct sp_store *store, const struct sp_incident_filter *filter,
		       void (*row)(void *arg, const struct sp_incident_view *incident),
		       void *arg) SP_MUST_CHECK;
struct sp_incident_member_view {
	const char *device, *line, *school, *school_name, *site, *area,
	    *provider;                             ///< "": not in the register
	const char *told;                          ///< "untold", "line" or "power"
	int64_t from_ms, err_ms, to_ms, joined_ms; ///< to_ms -1: it is not back
};
int sp_store_incident_members(struct sp_store *store, int64_t incident, int64_t limit,
			      void (*row)(void *arg, const struct sp_incident_member_view *member),
			      void *arg) SP_MUST_CHECK;

/// Samples summed up: of one board.
struct sp_sample_filter {
	int level;                     ///< as sp_sample_level() says
	const char *device, *instance; ///< instance NULL: all
	int64_t from_ms, to_ms, limit;
};
struct sp_sample_view {
	int64_t t_ms;                ///< of the beginning
	const char *instance, *data; ///< JSON object, as figures/summary.h
};
/// "minute", "hour" or "day".
bool sp_sample_level(const char *name, int *out);
/// In order of time.
int sp_store_samples(struct sp_store *store, const struct sp_sample_filter *filter,
		     void (*row)(void *arg, const struct sp_sample_view *sample), void *arg) SP_MUST_CHECK;

/// Which rows of a table go by themselves.
enum sp_horizon {
	SP_HORIZON_NONE,    ///< as many as there are boards, lines, names
	SP_HORIZON_EVER,    ///< they stay
	SP_HORIZON_EVENTS,  ///< samples go, facts stay
	SP_HORIZON_SUMMARY, ///< mostly minutes
	SP_HORIZON_PUNCHES, ///< events of kiosks
};
struct sp_size_view {
	const char *table;
	int64_t bytes; ///< with its indices
	enum sp_horizon horizon;
	// Of the database:
	int64_t boards;    ///< heard
	double bulk_share; ///< of the bytes of records: samples
};
/// How many days of boards the database tells of, of each at most `most_days` (0: all).
int sp_store_board_days(struct sp_store *store, int64_t most_days, double *out) SP_MUST_CHECK;
/// Largest first. It reads all of an SQLite file.
int sp_store_size(struct sp_store *store, void (*row)(void *arg, const struct sp_size_view *size),
		  void *arg) SP_MUST_CHECK;
