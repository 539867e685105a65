// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the store share. Private to the store/ room.
#pragma once

#include "tools/hub/db/db.h"
#include "tools/hub/store/store.h"
#include "tools/hub/time/strip.h"

enum {
	SP_CODE_BYTES = 16, ///< of an event's id, and of what stands for a person
};

enum sp_presence { SP_PRESENCE_NEVER, SP_PRESENCE_ONLINE, SP_PRESENCE_STOPPED, SP_PRESENCE_LOST };

enum sp_gap_kind { SP_GAP_OPEN, SP_GAP_LOST, SP_GAP_DROPPED };

/// Ids touched in this transaction; sorted and made unique when they are read.
struct sp_touched {
	int64_t *ids;
	size_t count, room;
};

struct sp_inc_lines;

struct sp_store {
	struct sp_db *db;
	bool writing, seen_changes;
	int64_t now_ms; ///< of this transaction
	int64_t silence_ms;
	int64_t attendance_days; ///< events of kiosks are held for so long
	struct sp_store_limits limits;
	enum sp_limit limit; ///< that was reached last
	char person_secret[2 * SP_ID_LENGTH + 1];
	int64_t refusals;          ///< are there any? -1: not looked yet
	bool scrub;                ///< something was erased that the WAL may still hold
	int64_t upkeep_ms;         ///< when what is too old was last looked for, by this handle
	int64_t silence_sought_ms; ///< when boards that fell silent were last looked for
	char epoch[SP_ID_LENGTH + 1];
	int64_t ack_number, register_rev;
	int64_t ack_number_saved, register_rev_saved; ///< as before this transaction
	int64_t event_from_ms, event_to_ms;           ///< a month of which the partition is there
	int64_t event_horizon; ///< facts up to here are all that there will ever be; of read_begin
	bool event_claimed;    ///< in this transaction
	bool reading;          ///< between read_begin and read_end
	struct sp_touched streams, devices;
	int64_t marked_from_ms, marked_to_ms; ///< noted for incidents in this transaction
	int64_t correlated_ms;                ///< when this handle last looked for incidents
	int64_t retained_ms;                  ///< when there was last nothing to sum up or drop
	struct sp_inc_lines *lines;           ///< for incidents (incident_priv.h); NULL: not read yet
	bool correlate_old;                   ///< next it is the turn of what is long past
	struct sp_hot *hot;                   ///< the short way (hot.h); NULL: not used yet
	bool no_hot;                          ///< never to be used
	struct sp_calendar *calendar;         ///< of that revision of the register; NULL: not read yet
	int64_t calendar_rev;
	bool calendar_checked;                              ///< in this transaction
	bool (*serves)(const void *arg, const char *shard); ///< NULL: all shards
	const void *serves_arg;
	struct sp_rollup_marks *marks;
	char rollup_school[65], rollup_place[65]; ///< the site that was computed last
};

// ---- when sites are in use (register_calendar.c) ---------------------------------------

/// A site's schedule, an empty one where there is none; valid within this transaction.
const struct sp_schedule *sp_schedule_at(struct sp_store *store, const char *school, const char *site);

// ---- what a transaction touched (touched.c) --------------------------------------------

void sp_touch(struct sp_touched *touched, int64_t id);
void sp_touched_sort(struct sp_touched *touched);

int sp_store_meta_get(struct sp_store *store, const char *key, int64_t *out) SP_MUST_CHECK;
int sp_store_meta_set(struct sp_store *store, const char *key, int64_t value) SP_MUST_CHECK;

bool sp_store_serves(const struct sp_store *store, const char *shard);
/// As leases say, where there are any.
int sp_lease_status(struct sp_store *store, struct sp_store_status *out) SP_MUST_CHECK;

// ---- schema (schema.c) --------------------------------------------------------------

/// One version of the database to the next one.
struct sp_schema_step {
	const char *name;
	/// What is made, as scripts that end with NULL.
	const char *const *up;
	/// And undone.
	const char *const *down;
	/// For data that scripts cannot carry over: behind `up`, before `down`; NULL.
	int (*fill)(struct sp_store *store);
	int (*empty)(struct sp_store *store);
	/// A query with one number: how many rows a step down would lose; NULL: it loses nothing.
	const char *loses;
	const char *lost; ///< what they are, for people
};
/// In the order of their numbers, from 1.
extern const struct sp_schema_step sp_schema_1_feed, sp_schema_2_register, sp_schema_3_rollup,
    sp_schema_4_incident, sp_schema_5_summary;

/// The version that this program reads and writes.
int sp_schema_version(void);
const struct sp_schema_step *sp_schema_step(int number);
int sp_schema_step_up(struct sp_store *store, int number) SP_MUST_CHECK;
int sp_schema_step_down(struct sp_store *store, int number) SP_MUST_CHECK;
/// 1: there is a table of ours, 0: the database is empty, -EUCLEAN: it is somebody else's.
int sp_schema_ours(struct sp_store *store) SP_MUST_CHECK;
/// In a transaction: of this program's version, or empty and then made so by a writer.
int sp_schema_check(struct sp_store *store, char why[256]) SP_MUST_CHECK;

// ---- the table of events (event.c) --------------------------------------------------------

int sp_event_make(struct sp_store *store) SP_MUST_CHECK;
/// Before events that arrived then are inserted, once or often in a transaction.
int sp_event_room(struct sp_store *store, int64_t arrived_ms) SP_MUST_CHECK;
/// This month's and the next one's.
int sp_event_ahead(struct sp_store *store, int64_t now_ms) SP_MUST_CHECK;
/// A transaction has ended.
void sp_event_forget(struct sp_store *store, bool rolled_back);
/// Before a reader's transaction: fills event_horizon.
int sp_event_horizon(struct sp_store *store) SP_MUST_CHECK;

// ---- identities (ids.c) ---------------------------------------------------------------

struct sp_stream_row {
	int64_t id, issued, final; ///< final: what its successor says it issued; -1: not known
	bool opened;               ///< its first record is stored
	enum sp_record_class cls;
};

/// 1: the board may speak on this shard: the register gives it that one, or, where the register does not
/// know the board, it was first heard there or is new. 0: it belongs to another one.
int sp_device_at_home(struct sp_store *store, const char *name, const char *shard) SP_MUST_CHECK;
int sp_device_row(struct sp_store *store, const char *name, const char *shard, int64_t *id) SP_MUST_CHECK;
int sp_boot_row(struct sp_store *store, int64_t device, const char *name, int64_t *id) SP_MUST_CHECK;
/// Made when it is not there yet.
int sp_stream_get(struct sp_store *store, int64_t device, const char *name, enum sp_record_class cls,
		  struct sp_stream_row *out) SP_MUST_CHECK;
/// `stream` 0: of the device as a whole.
int sp_anomaly(struct sp_store *store, const char *kind, int64_t device, int64_t stream, const char *format,
	       ...) SP_PRINTF(5, 6) SP_MUST_CHECK;

// ---- gaps (gap.c) -----------------------------------------------------------------------

/// first…last is stored now: whatever gap covered it shrinks. The stream counts as issued to `last`.
int sp_gap_fill(struct sp_store *store, struct sp_stream_row *stream, int64_t first,
		int64_t last) SP_MUST_CHECK;
/// All up to `last` was issued: what is missing behind the known end becomes an open gap.
int sp_gap_issued(struct sp_store *store, struct sp_stream_row *stream, int64_t last) SP_MUST_CHECK;
/// What is missing in first…last is explained: lost or dropped.
int sp_gap_close(struct sp_store *store, int64_t stream, int64_t first, int64_t last, enum sp_gap_kind kind,
		 const char *reason) SP_MUST_CHECK;
/// A board holds what was given up as lost: it may come after all.
int sp_gap_reopen(struct sp_store *store, int64_t stream, int64_t first, int64_t last) SP_MUST_CHECK;
/// Fills upto and have.
int sp_gap_settled(struct sp_store *store, int64_t stream, struct sp_feed_ack *ack) SP_MUST_CHECK;

// ---- the chain of streams (chain.c) -----------------------------------------------------

int sp_chain_opened(struct sp_store *store, int64_t device, struct sp_stream_row *stream,
		    const struct sp_feed_event *event) SP_MUST_CHECK;
int sp_chain_dropped(struct sp_store *store, int64_t device,
		     const struct sp_fact_dropped *dropped) SP_MUST_CHECK;
/// A batch reaches beyond what the stream's successor says that it issued?
int sp_chain_beyond(struct sp_store *store, int64_t device, const struct sp_stream_row *stream,
		    int64_t last) SP_MUST_CHECK;
/// Closes as lost what the birth shows to be gone. `live`: it was said just now, not repeated by a broker.
/// `answers`: it knows our epoch, and gets an acknowledgement of each stream that it holds.
int sp_chain_birth(struct sp_store *store, int64_t device, const struct sp_feed_state *state, bool live,
		   bool answers) SP_MUST_CHECK;

// ---- time (time.c) ----------------------------------------------------------------------

/// What is known about time in one boot while one message is placed.
struct sp_time_frame {
	int64_t device, boot, stream;
	int64_t arrived_ms;
	struct sp_anchor envelope, arrival;
	bool disputed; ///< the boot's clock contradicted itself: no claim is taken unseen
	int64_t not_before_ms, not_after_ms;
};

/// What the sender's clocks say at sending: of a birth or an envelope. `boot` is the sender's.
int sp_time_clk(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		const struct sp_clock_reading *clk) SP_MUST_CHECK;
/// A record that carries its own time.
int sp_time_own(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *own,
		int64_t arrived_ms) SP_MUST_CHECK;
/// Fills the frame for records of `boot` in `stream`, sent (also later, in another boot) by `clk_boot`.
int sp_time_frame(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		  int64_t stream, int64_t clk_boot, const struct sp_clock_reading *clk,
		  struct sp_time_frame *frame) SP_MUST_CHECK;
int sp_time_place(struct sp_store *store, const struct sp_time_frame *frame, const struct sp_anchor *own,
		  int64_t mono_us, struct sp_placed *out) SP_MUST_CHECK;
/// The same for a moment that a record names, also in another boot of the device; that boot ended before
/// `not_after_ms`. *here: it is the frame's own.
int sp_time_place_in(struct sp_store *store, const struct sp_time_frame *frame, const char *boot,
		     int64_t mono_us, int64_t not_after_ms, bool *here, struct sp_placed *out) SP_MUST_CHECK;
/// Placed so that a better clock would place it better.
int64_t sp_silence_alive(const struct sp_arrival *arrival, const struct sp_clock_reading *clk);
bool sp_time_is_loose(const struct sp_placed *placed);
/// Places the records of a boot again, and what was projected from them: those without any clock of the boot,
/// and of those that a far one placed the ones from `from_us` to `to_us`; `all`: every one in a loose batch.
int sp_time_again(struct sp_store *store, int64_t device, int64_t boot, int64_t arrived_ms, int64_t from_us,
		  int64_t to_us, bool all) SP_MUST_CHECK;

// ---- what is known of a boot's clock (anchor.c) --------------------------------------------

/// The nearest ones that are not refuted, at or before `mono_us` and after it.
int sp_anchor_near(struct sp_store *store, int64_t boot, int64_t mono_us, struct sp_anchor *before,
		   struct sp_anchor *after) SP_MUST_CHECK;
/// "At this monotonic time it was that wall time", says the board, synchronised. When that contradicts what
/// it said before, its wall time jumped: who is right is decided, and the boot is placed again.
int sp_anchor_add(struct sp_store *store, int64_t device, int64_t boot, const struct sp_anchor *anchor,
		  int64_t arrived_ms) SP_MUST_CHECK;
/// What a further anchor is worth beside the nearest ones.
enum sp_anchor_use {
	SP_ANCHOR_ADDS,
	SP_ANCHOR_KNOWN,    ///< nothing is gained by it
	SP_ANCHOR_REPLACES, ///< a worse one goes
	SP_ANCHOR_CONTRADICTS,
};
enum sp_anchor_use sp_anchor_use(const struct sp_anchor *before, const struct sp_anchor *after,
				 const struct sp_anchor *anchor);
enum sp_arrival_use {
	SP_ARRIVAL_KNOWN,   ///< nothing is gained by it
	SP_ARRIVAL_NARROWS, ///< `out` is better
	SP_ARRIVAL_NEWS,    ///< what was placed by the known one is to be placed again by `out`
};
enum sp_arrival_use sp_arrival_use(const struct sp_anchor *known, const struct sp_arrival *arrival,
				   int64_t mono_us, struct sp_anchor *out);
/// By the hub's clock when a message of that boot arrived; with whether the boot is disputed.
int sp_arrival_read(struct sp_store *store, int64_t boot, struct sp_anchor *out,
		    bool *disputed) SP_MUST_CHECK;
/// A message that its board sent at `mono_us` has come.
int sp_arrival_add(struct sp_store *store, const struct sp_arrival *arrival, int64_t device, int64_t boot,
		   int64_t mono_us) SP_MUST_CHECK;

// ---- projections (project.c) --------------------------------------------------------------

struct sp_record {
	int64_t id; ///< of its event
	int64_t device, stream, boot, seq, mono_us;
	const char *type, *instance, *data;
	struct sp_placed when;
	int64_t was_ms; ///< where it was placed before; -1: it is new
};
/// 0: projected, or of a type that has no projection; 1: its members are not what the type asks for; 2: the
/// board has made up too much (limit.h).
int sp_project(struct sp_store *store, const struct sp_time_frame *frame,
	       const struct sp_record *record) SP_MUST_CHECK;
/// The row of a board's line; made when it is not there yet.
int sp_line_row(struct sp_store *store, int64_t device, const char *name, int64_t *id) SP_MUST_CHECK;
/// After records of the stream were projected again from another place.
int sp_project_moved(struct sp_store *store, int64_t device, int64_t stream) SP_MUST_CHECK;

/// The moment that a record names: by its monotonic time in `boot` ("": the record's own), as every record is
/// placed, and in the record's own boot by the record, too. What the board made of it, `t_ms`, counts only
/// where that places nothing.
int sp_record_moment(struct sp_store *store, const struct sp_time_frame *frame,
		     const struct sp_record *record, const char *boot, int64_t t_ms, int64_t mono_us,
		     int64_t uncertainty_ms, struct sp_placed *out) SP_MUST_CHECK;

// ---- attendance (punch.c) -------------------------------------------------------------------

/// What an event's own row keeps of a record: not what a person's data or a key is, since that has one place
/// only. NULL: all of it; else free().
char *sp_attendance_kept(const char *type, const char *data);
/// A `punch`: a row, unless that event is known, too old, or of somebody who is to be forgotten.
int sp_punch_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;
/// The same range with another text: 1, when it is one that the board redacted, or one from before that; what
/// is forgotten in it is erased. 0: it is somebody else's.
int sp_punch_redacted(struct sp_store *store, int64_t stream,
		      const struct sp_feed_message *message) SP_MUST_CHECK;
/// Erases an event's punch, and the event's own row but for its place in the ledger. Without `recount` the
/// caller counts that day's arrivals anew.
int sp_punch_erase(struct sp_store *store, int64_t id, bool recount) SP_MUST_CHECK;
/// First arrivals of a board's day, counted anew.
int sp_arrival_recount(struct sp_store *store, int64_t device, int64_t day) SP_MUST_CHECK;
/// An instance of a board as a kiosk's row; made when it is not there yet.
int sp_kiosk_row(struct sp_store *store, const struct sp_record *record, int64_t *id) SP_MUST_CHECK;
/// A hexadecimal text in 16 bytes.
void sp_code_bytes(const char *hex, uint8_t out[SP_CODE_BYTES]);

// ---- persons (person.c) ---------------------------------------------------------------------

/// The number that stands for a pseudonym: 1; 0 when it has none and `make` is false.
int sp_person_row(struct sp_store *store, const char *pseudonym, bool make, int64_t *id) SP_MUST_CHECK;
enum { SP_PERSON_SEEN_DAYS = 30 }; ///< how much later than noted a person may have been seen last
int sp_person_seen(struct sp_store *store, int64_t id, int64_t day) SP_MUST_CHECK;
/// 1: events of this person from that board are refused.
int sp_person_refused(struct sp_store *store, const char *pseudonym, int64_t device) SP_MUST_CHECK;
int sp_person_refuse(struct sp_store *store, const char *pseudonym, int64_t device) SP_MUST_CHECK;
/// The board's school by the register; "" without one.
int sp_device_school(struct sp_store *store, int64_t device, char out[65]) SP_MUST_CHECK;

// ---- kiosks, counts, requests, keys (kiosk.c, subject.c) ------------------------

int sp_kiosk_project(struct sp_store *store, const struct sp_time_frame *frame,
		     const struct sp_record *record) SP_MUST_CHECK;
int sp_kiosk_total_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;
int sp_counts_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;
int sp_backup_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;
/// A `device` fact, for the history of its instance.
int sp_instance_point(struct sp_store *store, const struct sp_record *record,
		      const struct sp_fact_device *fact) SP_MUST_CHECK;
int sp_subject_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;

// ---- speed tests (speed.c) ------------------------------------------------------------------

/// A `speedtest` fact: a row, and the latest figures of its line.
int sp_speed_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;

// ---- silences (silence.c) ------------------------------------------------------------------

/// A `boot` fact: the silence before it.
int sp_silence_project(struct sp_store *store, const struct sp_time_frame *frame,
		       const struct sp_record *record) SP_MUST_CHECK;
/// The boot that sent this was alive then.
int sp_silence_heard(struct sp_store *store, const struct sp_arrival *arrival, int64_t boot,
		     const struct sp_clock_reading *clk) SP_MUST_CHECK;
/// The broker gave up the session of the boot that the board was born in.
int sp_silence_lost(struct sp_store *store, int64_t device) SP_MUST_CHECK;
/// What is known of the silence of which an outage that begins then speaks: 1, or 0 when there is none.
int sp_silence_at(struct sp_store *store, int64_t device, int64_t start_ms,
		  struct sp_silence_view *out) SP_MUST_CHECK;
/// Those of the device that touch from_ms…to_ms; texts live during the call.
int sp_silences_between(struct sp_store *store, int64_t device, int64_t from_ms, int64_t to_ms,
			void (*row)(void *arg, const struct sp_silence_view *silence),
			void *arg) SP_MUST_CHECK;

// ---- incidents (incident_mark.c, incident.c) ----------------------------------------------

enum { SP_INCIDENT_WHOLE_MS = 2 * 86400000 }; ///< losses up to this long are looked at from end to end
/// Something about a loss between these became known; -1: not known.
int sp_incident_mark(struct sp_store *store, int64_t from_ms, int64_t to_ms) SP_MUST_CHECK;
/// As the row stands: before it is changed, and after.
int sp_incident_mark_outage(struct sp_store *store, int64_t device, const char *name) SP_MUST_CHECK;
int sp_incident_mark_silence(struct sp_store *store, int64_t device, int64_t stream,
			     int64_t seq) SP_MUST_CHECK;
/// The broker gave the board's session up, now; the board was born again.
int sp_absence_begins(struct sp_store *store, const struct sp_arrival *arrival, int64_t device) SP_MUST_CHECK;
int sp_absence_ends(struct sp_store *store, int64_t device) SP_MUST_CHECK;
void sp_inc_lines_free(struct sp_inc_lines *lines);
/// An `egress` fact: by which hop the line leaves.
int sp_hop_project(struct sp_store *store, const struct sp_record *record) SP_MUST_CHECK;
/// In transactions of its own: one stretch of what was marked. 1: there is more to do.
int sp_incident_step(struct sp_store *store, const struct sp_incident_rules *rules,
		     int64_t now_ms) SP_MUST_CHECK;

/// Those of all boards that ended in from_ms ≤ t < to_ms; texts live during the call.
int sp_silences_ended(struct sp_store *store, int64_t from_ms, int64_t to_ms,
		      void (*row)(void *arg, int64_t device, const struct sp_silence_view *silence),
		      void *arg) SP_MUST_CHECK;

/// In a transaction: 1 when this process does this task for all that share the database, for a minute more.
int sp_task_lease(struct sp_store *store, const char *task, int64_t now_ms) SP_MUST_CHECK;

// ---- retention (retain.c) -------------------------------------------------------------------

/// In transactions of its own: a small step of summing samples up, of dropping what is too old, of giving
/// room back. 1: there is more to do.
int sp_retain_step(struct sp_store *store, const struct sp_retention *keep, int64_t now_ms) SP_MUST_CHECK;

// ---- a stretch of time of one board (day.c) -------------------------------------------------

struct sp_watch {
	int64_t device, line;
	int64_t from_ms, to_ms, now_ms;
	bool whose;       ///< the line's causes have "/whose" behind them
	int64_t reach_ms; ///< of the last point before the stretch: what is asked for begins there
	struct sp_strip strip;
	struct sp_point *points;
	char **causes; ///< as many as points
	struct sp_quiet *quiet;
	size_t point_room, heard_room, hole_room, quiet_room;
};
/// In order of time; copies `cause`.
void sp_watch_point(struct sp_watch *watch, int64_t t_ms, enum sp_line_state state, const char *cause);
/// What was said of the watch's line.
int sp_watch_line(struct sp_store *store, struct sp_watch *watch) SP_MUST_CHECK;
/// Where the board was heard, what is missing, why it was silent; after the points. `line`: of the board, for
/// what is presumed of a silence that lasts.
int sp_watch_read(struct sp_store *store, struct sp_watch *watch,
		  const struct sp_line_view *line) SP_MUST_CHECK;
/// free() them; they point into the watch.
struct sp_segment *sp_watch_segments(struct sp_watch *watch, size_t *count);
void sp_watch_free(struct sp_watch *watch);

/// Each kiosk that the board knew by then.
int sp_kiosk_strips(struct sp_store *store, int64_t device, int64_t from_ms, int64_t to_ms,
		    void (*kiosk)(void *arg, const struct sp_segment *segments, size_t count),
		    void *arg) SP_MUST_CHECK;

// ---- rollups (rollup_*.c) -------------------------------------------------------------------

/// What happened there is to be computed again: of a board, between two moments.
void sp_rollup_touch(struct sp_store *store, int64_t device, int64_t from_ms, int64_t to_ms);
/// Records of a stream that are about to be stored; before the stream's own row says so.
int sp_rollup_records(struct sp_store *store, int64_t device, int64_t stream, bool facts, int64_t from_ms,
		      int64_t to_ms) SP_MUST_CHECK;
/// A gap that begins with `first` came, went or changed.
int sp_rollup_gap(struct sp_store *store, int64_t stream, int64_t first) SP_MUST_CHECK;
/// Before the commit; and when there is none.
int sp_rollup_flush(struct sp_store *store) SP_MUST_CHECK;
void sp_rollup_forget(struct sp_store *store);
/// What was just said of records is not so: their message was refused.
void sp_rollup_unsure(struct sp_store *store);
void sp_rollup_free(struct sp_store *store);

// ---- views (view.c) -------------------------------------------------------------------------

/// The columns of sp_line_columns, from 0; joined as `r` (register), `d` (device), `l` (line).
#define SP_LINE_COLUMNS                                                                                   \
	"r.area, r.school, r.school_name, r.site, r.site_name, coalesce(r.line, l.name), r.provider, "    \
	"coalesce(r.device, d.name), coalesce(r.shard, d.shard), r.school IS NOT NULL, d.presence, "      \
	"d.last_heard_ms, l.state, l.cause, l.whose, l.since_ms, l.id, d.id, r.timetable, d.presence_ms," \
	" r.contract, r.down_mbps, r.up_mbps, l.down_mbps, l.up_mbps, l.speed_ms"
enum {
	SP_LINE_COLUMN_LINE = 16,
	SP_LINE_COLUMN_DEVICE = 17,
	SP_LINE_COLUMN_TIMETABLE = 18,
	SP_LINE_COLUMN_PRESENCE_MS = 19,
	SP_LINE_COLUMN_CONTRACT = 20,
	SP_LINE_COLUMN_BOUGHT = 21, ///< down, up
	SP_LINE_COLUMN_SPEED = 23,  ///< down, up, when
};
/// Lines of the register, and those heard of no registered line.
struct sp_rows *sp_lines_registered(struct sp_store *store);
struct sp_rows *sp_lines_heard(struct sp_store *store);
void sp_line_view(struct sp_store *store, const struct sp_rows *rows, struct sp_line_view *out);
/// Said to be online, but not heard for too long: it may have died while the broker could not tell.
/// -1: never heard.
bool sp_is_silent(const struct sp_store *store, int64_t last_heard_ms, int64_t now_ms);
const char *sp_presence_name(const struct sp_store *store, int64_t presence, int64_t last_heard_ms);
