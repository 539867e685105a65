// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Speed tests as they are done: who asked and when is not its business. A test waits until the line and the
// board are quiet, sets its bytes aside in the line's budget, runs in a child process, is labelled and
// recorded: one fact per direction, whatever became of it. One test runs at a time; any number may wait for
// their turn or for quiet.
#pragma once

#include "agent/base/ids.h"
#include "agent/core/io/process.h"
#include "agent/core/loop.h"
#include "agent/core/recorder.h"
#include "agent/core/speed/label.h"
#include "schoolpulse/board.h"
#include "schoolpulse/driver.h"
#include "schoolpulse/speed.h"

struct sp_speed_run;

enum sp_speed_trigger { SP_SPEED_BY_SCHEDULE, SP_SPEED_BY_HAND, SP_SPEED_BY_COMMAND };
const char *sp_speed_trigger_name(enum sp_speed_trigger trigger); ///< "schedule", "hand", "command"

enum { SP_SPEED_WAITING_MAX = 16 }; ///< tests that are not over

/// When others use the line: [speedtests].
struct sp_speed_rules {
	double busy_bytes_per_second; ///< both ways
	double busy_cpu_ratio;        ///< of the busiest core
	int64_t retry_ms, patience_ms;
};

/// What an instance of a speed driver is; what it points to must outlive the run.
struct sp_speed_device {
	const char *name, *line;
	const struct sp_driver *driver;
	const void *conf;
	const char *interface; ///< by which it leaves; "": the one of the default route
	char scope[16];        ///< of its server, as configured: "domestic", "international"; "": not told
	bool enabled;
};

/// What was bought, for the label and the record; what it points to must outlive the run.
struct sp_speed_line {
	const char *name, *provider, *plan;      ///< "" where not told
	double bought_mbps[SP_SPEED_DIRECTIONS]; ///< 0: not told
	bool metered;
};

/// What it needs of the agent. `line` is always the name of one that was added.
struct sp_speed_hooks {
	/// The line works, and by its own door.
	bool (*usable)(void *arg, const char *line);
	/// By configuration or because the month's bytes are used up.
	bool (*frugal)(void *arg, const char *line);
	/// It fills the line since then, or does so no longer: also in the middle of a test when nothing
	/// moves.
	void (*load)(void *arg, const char *line, const char *device, bool loading, int64_t since_us);
	/// A test has the line: whoever can wait sends nothing over it.
	void (*hush)(void *arg, bool hushed);
	/// Bytes of IP, both ways, that the agent's probes of that line and its telemetry over that
	/// interface used since start.
	int64_t (*own)(void *arg, const char *line, const char *interface);
	/// Bytes that tests may still use this month: INT64_MAX: no cap; < 0: the account cannot be read.
	int64_t (*left)(void *arg, const char *line);
	/// Durably, before it is answered: done(done_arg, 0). -errno: never answered.
	int (*set_aside)(void *arg, const char *line, int64_t bytes, sp_journal_done_fn done, void *done_arg);
	/// Used, of what was set aside while there is any.
	void (*spent)(void *arg, const char *line, int64_t bytes);
	/// What is left of what was set aside.
	void (*give_back)(void *arg, const char *line);
	/// The child that tests with this device, by this order (one line, line.h). NULL and errno.
	void *(*spawn)(void *arg, const char *device, const char *order,
		       const struct sp_child_process_events *events, void *child_arg);
	/// Ends and frees it, without ended().
	void (*kill)(void *arg, void *child);
	/// The interface by which that address is reached, or "". May be NULL.
	void (*way)(void *arg, const char *address, char out[SP_BOARD_PORT_NAME]);
	/// Durable small state; `get`'s answer is free()d.
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	void *arg;
};

struct sp_speed_run_config {
	struct sp_loop *loop;
	struct sp_recorder *recorder;
	struct sp_speed_rules rules;
	const char *root; ///< where sys and proc are; "" on a real machine; must outlive it
	const struct sp_speed_hooks *hooks;
};

/// Records what a power cut or a crash made of the test that ran, if any did.
struct sp_speed_run *sp_speed_run_new(const struct sp_speed_run_config *config);
void sp_speed_add_line(struct sp_speed_run *run, const struct sp_speed_line *line);
void sp_speed_add_device(struct sp_speed_run *run, const struct sp_speed_device *device);
/// Ends every test, recorded as cancelled; their ended() is called.
void sp_speed_run_stop(struct sp_speed_run *run);
/// After stop and after the journal has called back. NULL is fine.
void sp_speed_run_free(struct sp_speed_run *run);

// ---- asking for a test --------------------------------------------------------------------------------

enum sp_speed_stage {
	SP_SPEED_STAGE_WAITING, ///< for quiet, or for another test to end
	SP_SPEED_STAGE_PAYING,
	SP_SPEED_STAGE_RUNNING,
	SP_SPEED_STAGE_RECORDING, ///< the last counters are awaited
};

/// One test that is not over.
struct sp_speed_view {
	const char *test, *device, *line, *method;
	const char *command; ///< the request's
	enum sp_speed_trigger trigger;
	enum sp_speed_stage stage;
	const char *waits_for; ///< "quiet" (it is being looked), "busy", "cpu", "running"; "" otherwise
	int64_t asked_us, started_us; ///< monotonic; started 0: it waits
	unsigned deferrals;
	enum sp_speed_phase phase; ///< while running
	double done, bps;          ///< of the phase, as sp_speed_progress()
};

/// A test that is over.
struct sp_speed_end {
	const char *test, *device, *line, *method, *command;
	enum sp_speed_trigger trigger;
	struct sp_speed_end_direction {
		bool wanted;
		enum sp_speed_validity validity;
		const char *reason, *text;
		double goodput_bps; ///< NAN: no figure
	} directions[SP_SPEED_DIRECTIONS];
	int64_t wire_bytes;
	double idle_seconds, loaded_seconds[SP_SPEED_DIRECTIONS]; ///< median round trips; NAN: not known
};

struct sp_speed_request {
	const char *device;
	enum sp_speed_trigger trigger;
	bool wanted[SP_SPEED_DIRECTIONS];
	bool force; ///< also while others use the line, or the board is busy; never beyond the budget
	const char *command; ///< id of the command that asks; NULL or "": none. Copied
	/// Something is new; may be NULL. Never inside sp_speed_request().
	void (*progress)(void *arg, const struct sp_speed_view *view);
	/// Its records are made; may be NULL. Never inside sp_speed_request().
	void (*ended)(void *arg, const struct sp_speed_end *end);
	void *arg;
};

/// 0: it is queued, and its id stands in `test` (may be NULL). -ENOENT: no such device; -ENODEV: it is
/// disabled; -EALREADY: a test of this device is not over; -EBUSY: too many; -EINVAL: no direction.
int sp_speed_request(struct sp_speed_run *run, const struct sp_speed_request *request,
		     char test[SP_ID_LENGTH + 1]) SP_MUST_CHECK;
/// Records a test that was due and is not begun, at once; no callback.
void sp_speed_skip(struct sp_speed_run *run, const struct sp_speed_request *request, const char *reason,
		   const char *text);
/// Ends it, recorded as cancelled; ended() is called. -ENOENT: it is over.
int sp_speed_cancel(struct sp_speed_run *run, const char *test);
/// Whoever asked with this `arg` listens no more; the tests go on.
void sp_speed_forget(struct sp_speed_run *run, const void *arg);

// ---- for the status -----------------------------------------------------------------------------------

size_t sp_speed_count(const struct sp_speed_run *run); ///< tests that are not over
void sp_speed_view(const struct sp_speed_run *run, size_t index, struct sp_speed_view *out);

/// What the last test with a device was.
struct sp_speed_last {
	const struct sp_speed_device *device;
	int64_t tests, failed;
	int64_t at_us; ///< when the last one ended; 0: none did since start
	struct sp_speed_last_direction {
		bool wanted;
		enum sp_speed_validity validity;
		char reason[33];
		double goodput_bps; ///< NAN: no figure
	} directions[SP_SPEED_DIRECTIONS];
};
size_t sp_speed_devices(const struct sp_speed_run *run);
const struct sp_speed_last *sp_speed_last(const struct sp_speed_run *run, size_t index);

/// A reading of a better source than the board's own counters (sp_line_traffic()).
void sp_speed_traffic(struct sp_speed_run *run, const char *line, const struct sp_traffic *traffic);
