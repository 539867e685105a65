// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's pulse: clock, storage, hub and summaries.
#include <stdio.h>

#include "agent/core/agent/priv.h"

enum {
	BEAT_MS = 5000,
	HUB_PATIENCE_US = 10 * 1000 * 1000, ///< a session may reconnect before anyone says "hub"
	HUB_ANSWER_US = 8 * 1000 * 1000,    ///< one that was asked and says nothing will hardly do so
};

static int64_t now_us(struct sp_agent *agent)
{
	return sp_loop_now_us(agent->loop);
}

/// Whether somebody who settles hears us.
static bool heard(const struct sp_agent *agent, const struct sp_publisher_status *status)
{
	return status->connected && !status->silent_since_us &&
	       (agent->settings->mqtt.ack_mode == SP_ACK_BROKER || status->hub_online);
}

static void look_at_hub(struct sp_agent *agent)
{
	struct sp_publisher_status status;
	sp_publisher_status(atomic_load(&agent->publisher), &status);
	int64_t now = now_us(agent);
	if (heard(agent, &status)) {
		agent->hub_lost_us = 0;
		agent->hub_met = true;
		sp_lines_hub(agent->lines, SP_RUNG_OK, status.connected_since_us, status.broker);
		return;
	}
	if (agent->hub_lost_us == 0)
		agent->hub_lost_us = status.silent_since_us ? status.silent_since_us
				     : agent->hub_met       ? now
							    : agent->start_us;
	int64_t patience_us = status.silent_since_us ? HUB_ANSWER_US : HUB_PATIENCE_US;
	int64_t left_us = agent->hub_lost_us + patience_us - now;
	// The next beat may be seconds behind the moment.
	if (left_us > 0 && left_us < BEAT_MS * 1000 && agent->beat)
		sp_loop_timer_start(agent->loop, agent->beat, left_us / 1000 + 1);
	if (left_us <= 0)
		sp_lines_hub(agent->lines, SP_RUNG_SILENT, agent->hub_lost_us,
			     status.silent_since_us ? "the broker does not answer"
			     : status.connected     ? "connected, but no hub listens"
						    : status.reason);
}

void sp_agent_hub_changed(struct sp_agent *agent)
{
	look_at_hub(agent);
}

static void say_status(struct sp_agent *agent, const struct sp_journal_status *journal)
{
	struct sp_publisher_status publisher;
	sp_publisher_status(atomic_load(&agent->publisher), &publisher);
	struct sp_line_view line = {0};
	if (sp_lines_count(agent->lines) > 0)
		sp_ledger_view(sp_lines_ledger(agent->lines, 0), &line);
	char text[160];
	// No counters in it: it is sent when it changes.
	snprintf(text, sizeof(text), "line %s (cause %s), broker %s, hub %s%s",
		 sp_line_state_name(line.state), sp_cause_name(line.cause),
		 publisher.connected ? "connected" : "not connected",
		 publisher.hub_online ? "online" : "not heard",
		 journal->state == SP_JOURNAL_WRITABLE ? "" : ", journal not writable");
	sp_watchdog_status(agent->watchdog, text);
}

static void beat(void *arg)
{
	struct sp_agent *agent = arg;
	struct sp_clock_reading now = sp_clock_now();
	struct sp_journal_status journal;
	sp_journal_status(agent->journal, &journal);
	sp_clocks_look(&agent->clocks, &now);
	sp_storage_look(&agent->storage, &journal, sp_board_watch_reading(agent->board));
	sp_agent_boot_look(agent);
	if (agent->commands)
		sp_commands_look(agent->commands);
	// Before the hub is looked at, which may want the next one sooner.
	sp_loop_timer_start(agent->loop, agent->beat, BEAT_MS);
	look_at_hub(agent);
	sp_agent_look_at_accounts(agent);
	sp_agent_look_at_kiosks(agent);
	say_status(agent, &journal);
}

static void window_over(void *arg)
{
	struct sp_agent *agent = arg;
	sp_summaries_close(agent->summaries, agent->devices, agent->board);
	sp_loop_timer_start(agent->loop, agent->window, agent->settings->agent.summary_window_ms);
}

void sp_agent_beat_start(struct sp_agent *agent)
{
	agent->beat = sp_loop_timer_new(agent->loop, beat, agent);
	agent->window = sp_loop_timer_new(agent->loop, window_over, agent);
	sp_loop_timer_start(agent->loop, agent->beat, 0);
	sp_loop_timer_start(agent->loop, agent->window, agent->settings->agent.summary_window_ms);
}

void sp_agent_beat_stop(struct sp_agent *agent)
{
	sp_loop_timer_free(agent->loop, agent->beat);
	sp_loop_timer_free(agent->loop, agent->window);
	agent->beat = agent->window = NULL;
}
