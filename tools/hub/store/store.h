// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The store contract: what ingest writes, what settles, and what the API reads. One implementation, over
// SQLite or PostgreSQL (../db/db.h). A handle belongs to one thread; several handles, also in several
// processes, may be open on one database. Of a SQLite file one writes the feed; of PostgreSQL each shard's
// lease says who.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/feed.h"
#include "tools/hub/figures/attendance.h"
#include "tools/hub/incident/correlate.h"
#include "tools/hub/figures/evidence.h"
#include "tools/hub/facts/fact.h"
#include "tools/hub/time/place.h"
#include "tools/hub/register/file.h"
#include "tools/hub/register/register.h"
#include "tools/hub/store/limit.h"

struct sp_store;

enum sp_store_mode {
	SP_STORE_READ,
	SP_STORE_WRITE, ///< creates the database where there is none
};

/// `path` as `[hub] db`: a file, or a conninfo of PostgreSQL. -errno with `why` for people: -ENOENT when a
/// reader comes before the first writer, -EPROTO when a newer or an older program made it (it is left
/// untouched), -EUCLEAN when it is no database of ours.
int sp_store_open(struct sp_store **out, const char *path, enum sp_store_mode mode,
		  char why[256]) SP_MUST_CHECK;
void sp_store_close(struct sp_store *store);
/// How long a board whose session no will has ended is believed without a word; 15 min unless told.
void sp_store_set_silence(struct sp_store *store, int64_t silence_ms);
/// Ordinary samples are stored from what is kept of their boards in the handle; on unless told. The rows are
/// the same.
void sp_store_set_short_way(struct sp_store *store, bool on);
/// What the last failed call ran into, for the log.
const char *sp_store_error(const struct sp_store *store);

// ---- register --------------------------------------------------------------------------------

struct sp_store_import {
	int64_t added, changed, removed, unchanged;
};
struct sp_register_options {
	bool dry;        ///< nothing is written
	bool partial;    ///< what the files do not name stays as it is
	int64_t from_ms; ///< what is changed holds since then, not in the future; -1: from now on
};
struct sp_register_result {
	struct sp_rel_counts counts[SP_RELATIONS];
	bool told[SP_RELATIONS];    ///< a file speaks of them, or what they belonged to is gone
	struct sp_rel_counts lines; ///< of the view of now
};
/// All or nothing. -EINVAL: errors stand with the set's files.
int sp_store_register(struct sp_store *store, struct sp_register_set *set,
		      const struct sp_register_options *options, int64_t now_ms,
		      struct sp_register_result *out) SP_MUST_CHECK;
/// What holds at a moment, as a file that can be imported; of what has its own dates all that ends after it.
int sp_store_register_export(struct sp_store *store, enum sp_register_kind kind, int64_t at_ms,
			     FILE *out) SP_MUST_CHECK;

struct sp_calendar;
/// The schedules of all sites with their history (register/calendar.h), for 41,000 sites a few tens of MB.
/// The store's, valid within this transaction: it is kept until an import changes the register.
int sp_store_calendar(struct sp_store *store, const struct sp_calendar **out) SP_MUST_CHECK;
/// An import of one small register. All or nothing; with `dry` nothing. What is not in `reg` leaves the
/// register; its data stay. What changed holds from `now_ms` on.
int sp_store_import(struct sp_store *store, const struct sp_register *reg, bool dry, int64_t now_ms,
		    struct sp_store_import *out) SP_MUST_CHECK;

// ---- ingest ----------------------------------------------------------------------------------
// begin … batch, state, set_aside, pulse … seal, commit; on any failure rollback and all of it again.

/// -ESTALE, of begin, commit and read_begin: the file was moved or replaced; to be opened again.
int sp_store_begin(struct sp_store *store, int64_t now_ms) SP_MUST_CHECK;
int sp_store_commit(struct sp_store *store) SP_MUST_CHECK;
void sp_store_rollback(struct sp_store *store);

/// A new ingest speaks: acknowledgements carry this epoch and numbers from 1.
int sp_store_epoch(struct sp_store *store, const char *epoch) SP_MUST_CHECK;

struct sp_arrival {
	const char *shard, *device; ///< of the topic
	int64_t arrived_ms;
	int64_t lag_ms; ///< how long it may have lain in the broker, beyond an ordinary transit
	bool retained;  ///< an old word that the broker repeats: says nothing about now
};

enum sp_verdict {
	SP_VERDICT_STORED,
	SP_VERDICT_DUPLICATE, ///< known, acknowledged again
	SP_VERDICT_CONFLICT,  ///< the identity is taken: an anomaly, not stored, not acknowledged
	SP_VERDICT_REFUSED,   ///< it would make too much that is new: set aside, not acknowledged
	SP_VERDICT_FOREIGN,   ///< the board belongs to another shard: set aside, not acknowledged
};
int sp_store_batch(struct sp_store *store, const struct sp_arrival *arrival,
		   const struct sp_feed_message *message, enum sp_verdict *verdict) SP_MUST_CHECK;
/// Birth, stop or will.
int sp_store_state(struct sp_store *store, const struct sp_arrival *arrival,
		   const struct sp_feed_state *state) SP_MUST_CHECK;
/// Counts messages that could not be read. `fault`: a short constant word; the rest is of the last one.
int sp_store_set_aside(struct sp_store *store, const char *fault, const char *device, const char *topic,
		       const char *why, int64_t times) SP_MUST_CHECK;
/// Ingest is alive; `state`: "running" (connected) or "disconnected".
int sp_store_pulse(struct sp_store *store, const char *state) SP_MUST_CHECK;

/// Which ingest serves a shard; `until_ms` is for people, and changes with each renewal. 0: released.
struct sp_lease {
	char holder[SP_ID_LENGTH + 1];
	int64_t token, until_ms; ///< token 0: there is no such lease yet
};
int sp_store_lease_look(struct sp_store *store, const char *shard, struct sp_lease *out) SP_MUST_CHECK;
/// 1: it is `holder`'s now; 0: it is not any more as it was `seen`.
int sp_store_lease_take(struct sp_store *store, const char *shard, const char *holder,
			const struct sp_lease *seen, int64_t until_ms) SP_MUST_CHECK;
/// How many `holder` has; they are its own until COMMIT or rollback.
int sp_store_lease_renew(struct sp_store *store, const char *holder, const char *state,
			 int64_t until_ms) SP_MUST_CHECK;
int sp_store_lease_release(struct sp_store *store, const char *holder) SP_MUST_CHECK;
/// People's topics of other shards are left to others.
void sp_store_set_shards(struct sp_store *store, bool (*serves)(const void *arg, const char *shard),
			 const void *arg);
/// Nothing of what is kept in the handle is believed any more. Between transactions, or before anything was
/// stored in one.
void sp_store_forget(struct sp_store *store);

struct sp_store_ack {
	char shard[33], device[33];
	struct sp_feed_ack ack;
};

struct sp_store_site {
	char shard[33];
	char school[65], site[65], line[65];
	bool gone; ///< no longer in the register: its topic is to be cleared
	enum sp_line_state state;
	char cause[SP_WORD_MAX + 1], whose[SP_WORD_MAX + 1];
	int64_t since_ms, last_heard_ms; ///< -1: never
	const char *presence;            ///< a constant word
	const char *timetable;           ///< a constant word or NULL: see struct sp_line_view
	double down_mbps, up_mbps;       ///< as in struct sp_line_view
	int64_t speed_ms;
};

/// What is to be published once, and only if, the commit has succeeded.
struct sp_store_news {
	struct sp_store_ack *acks;
	size_t ack_count;
	struct sp_store_site *sites;
	size_t site_count;
};
/// Reads the acknowledgements of the streams touched and collects what changed. `all_sites`: every
/// line of the register, as after a broker's loss of its retained messages.
int sp_store_seal(struct sp_store *store, bool all_sites, struct sp_store_news *news) SP_MUST_CHECK;
void sp_store_news_free(struct sp_store_news *news);

/// SP_STORE_LIMITS unless told.
void sp_store_set_limits(struct sp_store *store, const struct sp_store_limits *limits);

// ---- upkeep ----------------------------------------------------------------------------------

/// Events of kiosks that are older when they come are not taken; 400 unless told.
void sp_store_set_attendance_days(struct sp_store *store, int64_t days);
/// How many days samples are kept as what; 0: for ever.
struct sp_retention {
	int64_t raw_days; ///< never 0
	int64_t minute_days, hour_days, day_days;
};
struct sp_upkeep_rules {
	int64_t attendance_days;                   ///< how long events of kiosks are held
	int64_t extract_days;                      ///< and what was put together for a request
	const struct sp_incident_rules *incidents; ///< NULL: nobody looks for them here
	const struct sp_retention *retention;      ///< NULL: samples stay as they are
};
/// Outside of a transaction: a small step of what must go. 1: there is more to do, 0, or -errno.
int sp_store_upkeep(struct sp_store *store, const struct sp_upkeep_rules *rules,
		    int64_t now_ms) SP_MUST_CHECK;

/// Outside of a transaction: a small step of computing days of sites anew. 1: there is more to do, 0, or
/// -errno. `all`: also of the day that runs, of which ingest computes only now and then.
int sp_store_rollup(struct sp_store *store, bool all, int64_t now_ms) SP_MUST_CHECK;
/// What is still to be computed of days that are over.
struct sp_rollup_left {
	int64_t sites, boards;
	int64_t day; ///< the last one that is over and was begun; 0: none
};
int sp_store_rollup_left(struct sp_store *store, struct sp_rollup_left *out) SP_MUST_CHECK;

// ---- reading -----------------------------------------------------------------------------------

/// One consistent view until sp_store_read_end(); `now_ms` decides who has been silent for too long.
int sp_store_read_begin(struct sp_store *store, int64_t now_ms) SP_MUST_CHECK;
void sp_store_read_end(struct sp_store *store);

struct sp_store_status {
	int64_t rev;       ///< rises with each commit that changed anything
	int64_t ingest_ms; ///< last sign of life; 0: never
	char ingest[16];   ///< what it said: "running", "disconnected", "stopped"
	char epoch[SP_ID_LENGTH + 1];
	int64_t silent; ///< boards that time alone has made silent; grows without a new `rev`
};
int sp_store_status(struct sp_store *store, struct sp_store_status *out) SP_MUST_CHECK;

enum { SP_STORE_PRESENCES = 4 };
/// Sums over the whole store.
struct sp_store_gauges {
	int64_t boards[SP_STORE_PRESENCES]; ///< never a birth, online, stopped, lost or silent
	int64_t open_outages, open_gaps, anomalies;
	int64_t events;     ///< stored, ever
	int64_t set_asides; ///< messages that could not be read, ever
	int64_t bytes;      ///< of the database
};
int sp_store_gauges(struct sp_store *store, struct sp_store_gauges *out) SP_MUST_CHECK;

/// One line, of the register or only heard of. Texts live during the call; -1: not known.
struct sp_line_view {
	const char *area, *school, *school_name, *site, *site_name, *line, *provider, *device, *shard;
	bool registered;
	enum sp_line_state state; ///< unknown while the board is silent
	enum sp_line_state last_state;
	const char *cause, *whose, *presence;
	int64_t since_ms, last_heard_ms;
	/// A board that is away now: contact was lost between last_heard_ms and lost_ms (-1: it is not away),
	/// "inside" or "outside" of the site's timetable; NULL without one. As long as the timetable has not
	/// called for a board that was lost outside of it, its cause is "switched_off".
	int64_t lost_ms;
	const char *timetable;
	const char *contract;
	double bought_down_mbps, bought_up_mbps; ///< of the register
	/// The last valid domestic test of each direction, and when the later of both was.
	double down_mbps, up_mbps;
	int64_t speed_ms;
};
int sp_store_lines(struct sp_store *store, void (*row)(void *arg, const struct sp_line_view *line),
		   void *arg) SP_MUST_CHECK;

struct sp_outage_filter {
	const char *school, *site, *line, *device; ///< NULL: any
	int64_t limit;
};
struct sp_outage_view {
	const char *school, *site, *line, *device, *outage, *cause, *whose;
	const char *evidence, *parts; ///< JSON or NULL
	enum sp_outage_phase phase;
	enum sp_line_state state;
	bool measured;                                      ///< the start is placed better than by bounds
	int64_t start_ms, start_err_ms, end_ms, end_err_ms; ///< -1: not known
};
/// Newest start first. Power that was lost outside of the site's timetable is no outage: see below.
int sp_store_outages(struct sp_store *store, const struct sp_outage_filter *filter,
		     void (*row)(void *arg, const struct sp_outage_view *outage), void *arg) SP_MUST_CHECK;

/// Of boards, lines and places as the register had them when the test was made; NULL: any.
struct sp_test_filter {
	const char *school, *site, *line, *device;
	int64_t from_ms, to_ms; ///< from_ms ≤ t < to_ms
	int64_t limit;
	/// Those behind this one; t_ms -1: from the newest.
	struct sp_test_cursor {
		int64_t t_ms, stream, seq;
	} after;
};
struct sp_test_view {
	const char *device, *instance, *school, *site; ///< the place "": not in the register then
	struct sp_placed when;
	struct sp_test_cursor cursor;
	const struct sp_fact_speedtest *test;
};
/// Newest first.
int sp_store_tests(struct sp_store *store, const struct sp_test_filter *filter,
		   void (*row)(void *arg, const struct sp_test_view *test), void *arg) SP_MUST_CHECK;

/// `provider`, `plan` NULL: all. *out is the caller's, finished or not.
int sp_store_evidence(struct sp_store *store, int64_t from_ms, int64_t to_ms, const char *provider,
		      const char *plan, const struct sp_evidence_rules *rules,
		      struct sp_evidence **out) SP_MUST_CHECK;

/// A site of the register, for the KPI high_speed_sites_ratio: the median of its valid domestic downloads.
struct sp_site_speed {
	const char *school, *site;
	int64_t samples;
	double median_mbps; ///< -1: no samples
};
/// Every site, also those without a board or a test.
int sp_store_site_speeds(struct sp_store *store, int64_t from_ms, int64_t to_ms,
			 void (*row)(void *arg, const struct sp_site_speed *site), void *arg) SP_MUST_CHECK;

/// One silence of a board that came back. Texts live during the call.
struct sp_silence_view {
	const char *school, *site, *device, *evidence;
	const char *reason;        ///< as the board said
	const char *cause, *whose; ///< "switched_off" for power that was lost outside of the timetable
	int64_t last_ms;           ///< of the last record on the board's card; -1: not known
	int64_t start_from_ms, start_to_ms; ///< it began between these; -1: not known
	int64_t end_ms, end_err_ms;         ///< the agent was back; -1: not known
};
/// Newest end first. `device` NULL: all.
int sp_store_silences(struct sp_store *store, const char *device, int64_t limit,
		      void (*row)(void *arg, const struct sp_silence_view *silence), void *arg) SP_MUST_CHECK;

struct sp_device_view {
	const char *device, *shard, *presence, *boot, *version;
	bool registered;
	int64_t first_heard_ms, last_heard_ms, presence_ms;
	int64_t events, open_gaps, missing; ///< stored; ranges still open; seqs in all gaps
};
int sp_store_devices(struct sp_store *store, const char *device,
		     void (*row)(void *arg, const struct sp_device_view *device), void *arg) SP_MUST_CHECK;

/// The latest state of each instance that a board watches. `device` NULL: all, here and above.
struct sp_instance_view {
	const char *device, *instance, *driver, *reason, *text;
	enum sp_line_state state;
	int64_t since_ms;
};
int sp_store_instances(struct sp_store *store, const char *device,
		       void (*row)(void *arg, const struct sp_instance_view *instance),
		       void *arg) SP_MUST_CHECK;

struct sp_fact_view {
	int64_t id; ///< rises with arrival
	const char *device, *cls, *stream, *boot, *type, *instance;
	int64_t seq, mono_us, arrived_ms;
	struct sp_placed when;
	const char *data; ///< JSON object
};
/// With id > `after`, in order of arrival. Facts alone unless `all_classes`, which adds bulk: events of
/// kiosks are never told one by one. `device` NULL: all.
int sp_store_facts(struct sp_store *store, const char *device, bool all_classes, int64_t after, int64_t limit,
		   void (*row)(void *arg, const struct sp_fact_view *fact), void *arg) SP_MUST_CHECK;

struct sp_anomaly_view {
	const char *kind, *device, *stream, *detail;
	int64_t first_ms, last_ms, count;
};
int sp_store_anomalies(struct sp_store *store, void (*row)(void *arg, const struct sp_anomaly_view *anomaly),
		       void *arg) SP_MUST_CHECK;

struct sp_gap_view {
	const char *device, *cls, *stream, *kind, *reason;
	int64_t first, last, at_ms;
};
int sp_store_gaps(struct sp_store *store, void (*row)(void *arg, const struct sp_gap_view *gap),
		  void *arg) SP_MUST_CHECK;

struct sp_set_aside_view {
	const char *fault, *device, *topic, *why;
	int64_t count, last_ms;
};
int sp_store_set_asides(struct sp_store *store,
			void (*row)(void *arg, const struct sp_set_aside_view *set_aside),
			void *arg) SP_MUST_CHECK;

/// A line's day in pieces that join, from `from_ms` to `to_ms`; unknown wherever the board was not
/// heard of. `now_ms`: a board that is online, and not silent, is believed until then.
struct sp_segment {
	int64_t from_ms, to_ms;
	enum sp_line_state state;
	const char *cause;
};
int sp_store_day(struct sp_store *store, int64_t from_ms, int64_t to_ms, int64_t now_ms,
		 void (*row)(void *arg, const struct sp_line_view *line, const struct sp_segment *segments,
			     size_t count),
		 void *arg) SP_MUST_CHECK;

// ---- attendance --------------------------------------------------------------------------------

/// Texts live during the call. A period of days as numbers: from_day ≤ day < to_day.
struct sp_attendance_filter {
	const char *school; ///< NULL: all of the register
	int64_t from_day, to_day;
	bool details; ///< with groups and curve
};
struct sp_attendance_view {
	const char *area, *school, *school_name;
	int64_t day;
	const struct sp_attendance_day *figures;
};
/// Days without any event or count are left out. Of a day that runs by read_begin's time what is over counts.
int sp_store_attendance(struct sp_store *store, const struct sp_attendance_filter *filter,
			void (*row)(void *arg, const struct sp_attendance_view *day),
			void *arg) SP_MUST_CHECK;

/// School time in which a kiosk was not up.
struct sp_kiosk_gap {
	int64_t from_ms, to_ms;
	enum sp_line_state state;
	const char *cause; ///< "power", "reboot", "agent", "switched_off", "line", "hub", "kiosk", "unheard",
			   ///< "missing"
	const char *detail; ///< the line's cause, or the kiosk's reason; may be ""
};
struct sp_kiosk_view {
	const char *school, *school_name, *site, *device, *kiosk, *driver, *reason, *text, *model, *firmware;
	enum sp_line_state state;
	int64_t since_ms, heard_ms, told_ms; ///< -1: not known, as below
	bool has_clock_error;
	double clock_error_seconds;
	int64_t records, capacity, users, backlog, refused, accepted, known;
	/// Of the school time of the period up to now, since the kiosk is known; 0 scheduled: no timetable.
	int64_t scheduled_ms, up_ms, down_ms, unknown_ms;
	/// Its own totals, of the days for which it gave one: what it counted, what the board took, what came
	/// here.
	int64_t total_days, counted, taken, arrived;
	const struct sp_segment *segments; ///< of the whole period
	size_t segment_count;
	const struct sp_kiosk_gap *gaps;
	size_t gap_count;
};
/// A unit of attendance_automation_ratio.
enum sp_unit { SP_UNIT_UNKNOWN, SP_UNIT_YES, SP_UNIT_NO };
const char *sp_unit_name(enum sp_unit unit);
struct sp_automation_view {
	const char *area, *school, *school_name;
	enum sp_unit unit;
	const char *reason; ///< of unknown: "no_timetable", "no_kiosk", "not_measured"; else ""
	int64_t kiosks, days, yes, no, unknown; ///< school days
};
struct sp_kiosk_filter {
	const char *school; ///< NULL: all of the register
	int64_t from_ms, to_ms;
};
/// School by school: its kiosks, then the school itself.
int sp_store_kiosks(struct sp_store *store, const struct sp_kiosk_filter *filter,
		    void (*kiosk)(void *arg, const struct sp_kiosk_view *kiosk),
		    void (*school)(void *arg, const struct sp_automation_view *school),
		    void *arg) SP_MUST_CHECK;

struct sp_subject_view {
	const char *request, *device, *school, *action; ///< school "": not in the register then
	int64_t persons, erased_on_board, events;       ///< pseudonyms; events erased or in the extract here
	int64_t at_ms;
	bool extracted;
	const char *extract; ///< JSON list; only of a request that was asked for by its id
};
/// Newest first. `request` NULL: all.
int sp_store_subjects(struct sp_store *store, const char *request,
		      void (*row)(void *arg, const struct sp_subject_view *subject), void *arg) SP_MUST_CHECK;

struct sp_key_backup_view {
	const char *device;
	int64_t t_ms;
	const char *school_years;
	const char *mark; ///< which printed code opens it
	const char *blob;
};
/// `device` NULL: all.
int sp_store_key_backups(struct sp_store *store, const char *device,
			 void (*row)(void *arg, const struct sp_key_backup_view *backup),
			 void *arg) SP_MUST_CHECK;
