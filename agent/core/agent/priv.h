// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the agent, shared by agent.c, beat.c and the answers to local clients.
#pragma once

#include <cjson/cJSON.h>
#include <stdatomic.h>

#include "agent/core/agent/agent.h"
#include "agent/core/board_watch.h"
#include "agent/core/boot.h"
#include "agent/core/ledger/budgets.h"
#include "agent/core/clocks.h"
#include "agent/core/commands.h"
#include "agent/core/control.h"
#include "agent/core/ledger/lines.h"
#include "agent/core/publisher/publisher.h"
#include "agent/core/speed/list.h"
#include "agent/core/speed/run.h"
#include "agent/core/storage.h"
#include "agent/core/summaries.h"
#include "agent/core/watchdog.h"

struct sp_attendance;
struct sp_attendance_event;
struct sp_privacy;

struct sp_agent {
	struct sp_settings *settings;
	const struct sp_driver *const *drivers;
	char device[33], boot[37];
	int state_fd, signal_fd;
	struct sp_loop *loop;
	struct sp_loop_watch *signal_watch;
	struct sp_deadline journal_deadline, publisher_deadline;
	const struct sp_deadline *deadlines[3];
	struct sp_journal *journal;
	struct sp_journal_recorder recorder;
	_Atomic(struct sp_publisher *) publisher; ///< the journal's thread asks for it
	struct sp_lines *lines;
	struct sp_devices *devices;
	struct sp_attendance *attendance;
	struct sp_privacy *privacy; ///< NULL: attendance is off, or whom to forget is not known
	struct sp_budgets *budgets;
	struct sp_children *children;
	struct sp_speed_hooks speed_hooks;
	struct sp_speed_run *speed;
	struct sp_speed_list *speed_list;
	struct sp_speed_schedule *schedule; ///< NULL: nothing is tested by itself
	struct sp_agent_hand *hands;
	struct sp_sign_key *command_key;
	struct sp_commands *commands; ///< NULL: none are obeyed
	struct sp_summaries *summaries;
	enum sp_bulk_limit bulk_limit; ///< as the journal was told
	struct sp_board_watch *board;
	struct sp_storage storage;
	struct sp_clocks clocks;
	struct sp_watchdog *watchdog;
	struct sp_control *control;
	struct sp_loop_timer *beat, *window;
	struct sp_boot_mark mark;  ///< as this run has left it
	struct sp_silence silence; ///< before this start, for the ledgers
	bool was_silent, traces_learnt;
	int64_t start_us;
	int64_t hub_lost_us; ///< since when the hub does not hear us; 0: it does
	bool hub_met;        ///< it has heard us since the start
};

/// Into the journal's durable state; `agent` is a struct sp_agent. NULL deletes.
void sp_agent_put(void *agent, const char *key, const char *value);
/// To be free()d; NULL: nothing is kept.
char *sp_agent_get(void *agent, const char *key);
/// We load the line ourselves since then, with that device, or no more.
void sp_agent_load(void *agent, const char *line, const char *device, bool loading, int64_t since_us);

// ---- boot.c: why the agent was silent --------------------------------------------------------

/// Once, before anything else is recorded, with the board read and the lines not yet there.
void sp_agent_boot(struct sp_agent *agent, bool journal_existed);
/// At each beat: what the next start will want to know.
void sp_agent_boot_look(struct sp_agent *agent);

// ---- beat.c: what happens again and again --------------------------------------------------

/// Starts the beat and the summary window.
void sp_agent_beat_start(struct sp_agent *agent);
void sp_agent_beat_stop(struct sp_agent *agent);
/// The publisher's session began or ended.
void sp_agent_hub_changed(struct sp_agent *agent);

// ---- accounts.c: what was measured and what was used -----------------------------------------

/// Before lines and devices.
void sp_agent_open_accounts(struct sp_agent *agent);
/// With each beat.
void sp_agent_look_at_accounts(struct sp_agent *agent);
/// Nothing is sent any more.
void sp_agent_settle_accounts(struct sp_agent *agent);
void sp_agent_spent(void *agent, const char *line, enum sp_spending what, int64_t bytes);
bool sp_agent_frugal(void *agent, const char *line);

// ---- speed.c: speed tests ----------------------------------------------------------------------

/// After the accounts, lines and devices.
void sp_agent_open_speed(struct sp_agent *agent);
/// Ends every test; what they spent is in the books.
void sp_agent_close_speed(struct sp_agent *agent);
void sp_agent_traffic(void *agent, const char *line, const struct sp_traffic *traffic);
/// As a device of the status, sp_speed_last()'s index.
cJSON *sp_answer_speed_device(struct sp_agent *agent, size_t index);

// ---- test_requests.c: who asks for them ------------------------------------------------------------------

/// Before the tests are opened, which record by the list.
void sp_agent_open_speed_list(struct sp_agent *agent);
/// The schedule; after the tests were opened.
void sp_agent_open_tests(struct sp_agent *agent);
void sp_agent_close_tests(struct sp_agent *agent);
/// NULL: lines follow by the stream. Else why not.
const char *sp_agent_begin_by_hand(struct sp_agent *agent, const struct sp_control_request *request,
				   struct sp_control_stream *stream);
void sp_agent_gone(void *agent, struct sp_control_stream *stream);
/// When a device tests next by itself; 0: not known.
int64_t sp_agent_next_test_ms(const struct sp_agent *agent, const char *device);
cJSON *sp_answer_speedtests(struct sp_agent *agent);

// ---- attendance.c: kiosks -----------------------------------------------------------------------------

/// After the journal and before the devices.
void sp_agent_open_attendance(struct sp_agent *agent);
/// With each beat.
void sp_agent_look_at_kiosks(struct sp_agent *agent);
/// When the journal has ended and what it posted was run.
void sp_agent_close_attendance(struct sp_agent *agent);

// ---- privacy.c: counts, persons' requests, the back-up of keys -----------------------------------------

/// With attendance; -errno: nothing may be taken.
int sp_agent_open_privacy(struct sp_agent *agent);
void sp_agent_look_at_privacy(struct sp_agent *agent);
void sp_agent_close_privacy(struct sp_agent *agent);
/// Hooks of attendance; `arg` is a struct sp_agent.
bool sp_agent_forgotten(void *arg, enum sp_person_kind kind, const char *person, size_t length);
void sp_agent_accepted(void *arg, const struct sp_attendance_event *event);
/// NULL: lines follow by the stream, or `*root` is the answer. Else why not.
const char *sp_agent_begin_privacy(struct sp_agent *agent, const struct sp_control_request *request,
				   struct sp_control_stream *stream, cJSON **root);
/// False: it was another's.
bool sp_agent_privacy_gone(struct sp_agent *agent, const struct sp_control_stream *stream);
cJSON *sp_answer_keys(struct sp_agent *agent);

// ---- commands.c: what comes over the feed ----------------------------------------------------------

/// After the tests were opened and before the publisher.
void sp_agent_open_commands(struct sp_agent *agent);
/// On the publisher's thread.
void sp_agent_command(void *agent, const void *payload, size_t length);
/// When publisher and journal have ended and what they posted was run.
void sp_agent_close_commands(struct sp_agent *agent);

// ---- answers: one JSON document each ----------------------------------------------------------------

bool sp_agent_answer(void *agent, const struct sp_control_request *request, struct sp_buf *out,
		     struct sp_control_stream *stream);
cJSON *sp_answer_status(struct sp_agent *agent);
cJSON *sp_answer_outages(struct sp_agent *agent);
cJSON *sp_answer_budget(struct sp_agent *agent);
cJSON *sp_answer_kiosks(struct sp_agent *agent);
/// NULL when there is no driver of that name.
cJSON *sp_answer_drivers(const struct sp_driver *const *drivers, const char *name);
/// The last summaries as a JSON list.
cJSON *sp_answer_samples(const struct sp_samples *samples);
