// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's books: the minutes of its lines, and what the lines were used for.
#include "agent/core/agent/priv.h"

bool sp_agent_frugal(void *arg, const char *line)
{
	const struct sp_agent *agent = arg;
	return sp_budgets_frugal(agent->budgets, line);
}

void sp_agent_spent(void *arg, const char *line, enum sp_spending what, int64_t bytes)
{
	struct sp_agent *agent = arg;
	sp_budgets_spent(agent->budgets, line, what, bytes);
}

void sp_agent_open_accounts(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	agent->budgets = sp_budgets_new(settings, agent->journal, &agent->recorder.base);
	agent->summaries =
	    sp_summaries_new(&(struct sp_summaries_config){.loop = agent->loop,
							   .recorder = &agent->recorder.base,
							   .window_ms = settings->agent.summary_window_ms,
							   .samples_ms = settings->agent.samples_interval_ms,
							   .frugal = sp_agent_frugal,
							   .arg = agent});
	for (size_t i = 0; i < settings->line_count; i++)
		sp_summaries_add(agent->summaries, settings->lines[i].name);
}

/// What the publisher used since it was asked last.
static void count_telemetry(struct sp_agent *agent)
{
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	struct sp_publisher_status status;
	if (!publisher)
		return;
	sp_publisher_status(publisher, &status);
	sp_budgets_telemetry(agent->budgets, status.traffic_bytes, status.interface);
}

void sp_agent_look_at_accounts(struct sp_agent *agent)
{
	sp_summaries_look(agent->summaries);
	count_telemetry(agent);
	sp_budgets_look(agent->budgets);
	enum sp_bulk_limit limit = sp_budgets_bulk(agent->budgets);
	if (limit == agent->bulk_limit)
		return;
	agent->bulk_limit = limit;
	sp_journal_limit_bulk(agent->journal, limit);
	sp_publisher_news(atomic_load(&agent->publisher));
}

void sp_agent_settle_accounts(struct sp_agent *agent)
{
	if (!agent->budgets)
		return;
	count_telemetry(agent);
	sp_budgets_settle(agent->budgets);
}
