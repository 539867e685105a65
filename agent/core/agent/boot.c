// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's word on its own silence: gathers what the last run and the board have left, tells it once, and
// leaves the same for the next start.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/agent/priv.h"
#include "schoolpulse/log.h"

enum {
	/// systemd-pstore moves traces to its archive at boot, perhaps after our start: there they have
	/// another name, and are no news at the next one.
	TRACES_SETTLE_US = 120 * 1000 * 1000,
};

static void read_past(struct sp_agent *agent, struct sp_board_past *out)
{
	const struct sp_board_root root = {.root = agent->settings->board.root,
					   .data_path = agent->settings->agent.state_dir};
	*out = (struct sp_board_past){0};
	sp_board_watch_board(agent->board)->past(&root, out);
}

static void keep_mark(struct sp_agent *agent)
{
	char *text = sp_boot_mark_text(&agent->mark);
	sp_agent_put(agent, SP_BOOT_KEY, text);
	free(text);
}

static void keep_traces(struct sp_agent *agent, const struct sp_board_past *board, const char *known)
{
	char *text = sp_boot_traces_text(board);
	if (strcmp(text, known ? known : "") != 0)
		sp_agent_put(agent, SP_BOOT_TRACES_KEY, text);
	free(text);
}

static bool undervoltage(const struct sp_agent *agent)
{
	const struct sp_board_reading *reading = sp_board_watch_reading(agent->board);
	return reading->undervoltage_now.value > 0 || reading->undervoltage_since_boot.value > 0;
}

static void tell(struct sp_agent *agent, const struct sp_boot_past *past)
{
	const struct sp_settings *settings = agent->settings;
	struct sp_boot_report report = {
	    .boot = agent->boot,
	    .version = SP_VERSION,
	    .board = sp_board_watch_board(agent->board)->name,
	    .model = sp_board_watch_model(agent->board),
	    // A summary opens the time that bulk may wait, and the next one comes a window later.
	    .commit_ms = settings->journal.bulk_commit_ms + settings->agent.summary_window_ms,
	    .now = sp_clock_now()};
	enum sp_boot_reason reason = sp_boot_record(&agent->recorder.base, past, &report);
	agent->was_silent = sp_boot_silence(past, &report, &agent->silence);
	char evidence[256];
	sp_boot_evidence(past, agent->boot, evidence);
	sp_notice("agent", "why it was silent: %s%s%s%s", sp_boot_reason_name(reason),
		  evidence[0] ? " (" : "", evidence, evidence[0] ? ")" : "");
}

void sp_agent_boot(struct sp_agent *agent, bool journal_existed)
{
	struct sp_boot_mark mark;
	struct sp_board_past board;
	char *clean = sp_journal_get(agent->journal, SP_JOURNAL_CLEAN);
	char *text = sp_journal_get(agent->journal, SP_BOOT_KEY);
	char *last = sp_journal_get(agent->journal, SP_JOURNAL_LAST);
	char *known = sp_journal_get(agent->journal, SP_BOOT_TRACES_KEY);
	read_past(agent, &board);
	bool marked = sp_boot_mark_read(&mark, text);
	struct sp_boot_past past = {.clean = clean,
				    .mark = marked ? &mark : NULL,
				    .journal_existed = journal_existed,
				    .board = &board,
				    .new_panics = sp_boot_traces_new(&board, known)};
	if (marked)
		sp_boot_last_read(&past.last, last, mark.boot);
	// The fact before the mark: should the power go between them, the reason is told twice and not never.
	tell(agent, &past);
	agent->mark =
	    (struct sp_boot_mark){.armed = board.watchdog_armed, .undervoltage = undervoltage(agent)};
	memcpy(agent->mark.boot, agent->boot, sizeof(agent->mark.boot));
	snprintf(agent->mark.version, sizeof(agent->mark.version), "%s", SP_VERSION);
	keep_mark(agent);
	keep_traces(agent, &board, known);
	free(clean);
	free(text);
	free(last);
	free(known);
}

void sp_agent_boot_look(struct sp_agent *agent)
{
	if (!agent->mark.undervoltage && undervoltage(agent)) {
		agent->mark.undervoltage = true;
		keep_mark(agent);
	}
	if (agent->traces_learnt || sp_loop_now_us(agent->loop) - agent->start_us < TRACES_SETTLE_US)
		return;
	struct sp_board_past board;
	agent->traces_learnt = true;
	read_past(agent, &board);
	// systemd arms the watchdog early, but a driver may come late.
	if (board.watchdog_armed.known != agent->mark.armed.known ||
	    board.watchdog_armed.value != agent->mark.armed.value) {
		agent->mark.armed = board.watchdog_armed;
		keep_mark(agent);
	}
	if (board.trace_count > 0)
		keep_traces(agent, &board, NULL);
}
