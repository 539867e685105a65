// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the tests: run.c keeps them, wait.c finds them a quiet moment and pays,
// test.c runs the child, result.c labels and records. Nobody else's business.
#pragma once

#include "agent/core/speed/guard.h"
#include "agent/core/speed/line.h"
#include "agent/core/speed/run.h"

/// What the board's counters said at one moment.
struct sp_speed_moment {
	int64_t at_us; ///< 0: not taken
	struct sp_board_cores cores;
	struct sp_board_ports ports;
};

/// A line with those who watch it.
struct sp_speed_place {
	struct sp_speed_line line;
	struct sp_guard *guard;
};

struct sp_speed_entry {
	struct sp_speed_device device;
	struct sp_speed_last last;
};

/// One direction while the child runs.
struct sp_speed_load {
	int64_t from_us, to_us;         ///< 0: not loaded
	int64_t child_from, child_last; ///< the child's processor time
	double busy_us, watched_us;     ///< of the busiest core, summed over looks
};

struct sp_speed_job;

/// What the budget answers to: the job may be over by then.
struct sp_speed_bill {
	struct sp_speed_job *job; ///< NULL: nobody waits any more
};

struct sp_speed_job {
	struct sp_speed_run *run;
	struct sp_speed_last *entry; ///< its device's
	struct sp_speed_place *place;
	struct sp_speed_request request;
	char test[SP_ID_LENGTH + 1];
	bool cancelled, looking, watched, loading;
	bool reported, ended; ///< the child
	bool way_known;       ///< `interface` is the one by which the server was reached
	char *command;
	const char *waits_for;
	enum sp_speed_stage stage;
	unsigned deferrals;
	struct sp_loop_timer *timer; ///< of the stage: its next step
	int64_t asked_us, started_us;
	char interface[SP_BOARD_PORT_NAME];
	struct sp_speed_moment from, to; ///< of the look; then of the test
	double before;
	enum sp_traffic_source source;
	// paying
	struct sp_speed_bill *bill;
	int64_t set_aside; ///< 0: nothing
	int64_t max_bytes;
	// running
	enum sp_speed_phase phase;
	void *child;
	int64_t moved_us; ///< while loading: when it was last told that something moves
	double done, bps;
	struct sp_speed_load loads[SP_SPEED_DIRECTIONS];
	struct sp_board_cores last_cores;
	int64_t looked_us;
	int64_t told_bytes; ///< spent, as the child says
	int64_t paid_bytes; ///< of them, by the budget
	int64_t own_bytes;  ///< of probes and telemetry meanwhile
	struct sp_speed_tale tale;
	char reason[SP_SPEED_WORD_MAX + 1], text[SP_SPEED_TEXT_MAX + 1]; ///< why it ended as it did
	int64_t wire_bytes;                                              ///< < 0: not known
	int64_t covered_until_us; ///< recording: so long readings are waited for
};

struct sp_speed_run {
	struct sp_speed_run_config config;
	struct sp_board_root root;
	struct sp_speed_place **places;
	size_t place_count;
	struct sp_speed_entry **devices;
	size_t device_count;
	struct sp_speed_job *jobs[SP_SPEED_WAITING_MAX];
	size_t job_count;
	bool stopped;
};

static inline int64_t sp_speed_now(const struct sp_speed_run *run)
{
	return sp_loop_now_us(run->config.loop);
}

// ---- run.c ------------------------------------------------------------------------------------

void sp_speed_tell(struct sp_speed_job *job); ///< its progress
/// The test that is past waiting, or NULL.
struct sp_speed_job *sp_speed_active(const struct sp_speed_run *run);
/// Tells and frees it, and lets others go on.
void sp_speed_close(struct sp_speed_job *job, const struct sp_speed_end *end);

// ---- wait.c -----------------------------------------------------------------------------------

void sp_speed_take(const struct sp_speed_run *run, struct sp_speed_moment *out);
const struct sp_board_port *sp_speed_port(const struct sp_speed_moment *moment, const char *interface);
/// Both ways, of that port; -1: not known.
int64_t sp_speed_carried(const struct sp_speed_job *job, const char *interface);
/// Its timer while it waits or pays.
void sp_speed_wait_step(struct sp_speed_job *job);
/// Whoever waited for another test looks now.
void sp_speed_wait_wake(struct sp_speed_job *job);
/// Nobody waits for the budget's answer any more; what was set aside is there again.
void sp_speed_unpay(struct sp_speed_job *job);

// ---- test.c -----------------------------------------------------------------------------------

void sp_speed_test_start(struct sp_speed_job *job);
void sp_speed_test_step(struct sp_speed_job *job);
/// Ends the child, if there is one, and the test with it.
void sp_speed_test_abort(struct sp_speed_job *job, const char *reason, const char *text);

// ---- result.c ---------------------------------------------------------------------------------

/// The child is gone: counters, money; records now or when the last reading has come.
void sp_speed_finish(struct sp_speed_job *job);
void sp_speed_record_step(struct sp_speed_job *job);
void sp_speed_record_now(struct sp_speed_job *job);
/// It was never begun: recorded, told, freed.
void sp_speed_skip_job(struct sp_speed_job *job, const char *reason, const char *text);
/// The same for one that nobody waits for and that is in no list: recorded only.
void sp_speed_skip_unasked(struct sp_speed_job *job, const char *reason, const char *text);

// ---- mark.c: which test runs, for whoever starts after a power cut -----------------------------

void sp_speed_mark(const struct sp_speed_job *job);
void sp_speed_unmark(const struct sp_speed_run *run);
void sp_speed_mark_look(const struct sp_speed_run *run);
