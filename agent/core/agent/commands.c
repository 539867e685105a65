// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Commands of the feed, done by this agent: which devices a `speedtest` means, and what became of it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/agent/priv.h"
#include "schoolpulse/log.h"

/// One command; it may mean several devices.
struct order {
	struct sp_agent *agent;
	char id[SP_ID_LENGTH + 1];
	unsigned left; ///< tests that are not over, and one while they are asked for
	bool done;     ///< something was measured
	char reason[SP_COMMAND_WORD_MAX + 1], text[160]; ///< of the first that was not
};

static int put(void *arg, const char *key, const char *value, sp_journal_done_fn done, void *done_arg)
{
	struct sp_agent *agent = arg;
	return sp_journal_put(agent->journal, key, value, done, done_arg);
}

static void note_failure(struct order *order, const char *reason, const char *text)
{
	if (order->reason[0])
		return;
	snprintf(order->reason, sizeof(order->reason), "%s", reason);
	snprintf(order->text, sizeof(order->text), "%s", text);
}

static void one_less(struct order *order)
{
	if (--order->left > 0)
		return;
	sp_commands_over(order->agent->commands, order->id, order->done, order->done ? "" : order->reason,
			 order->done ? "" : order->text);
	free(order);
}

static void ended(void *arg, const struct sp_speed_end *end)
{
	struct order *order = arg;
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		const struct sp_speed_end_direction *it = &end->directions[i];
		if (!it->wanted)
			continue;
		if (it->validity == SP_SPEED_IS_SKIPPED || it->validity == SP_SPEED_IS_FAILED)
			note_failure(order, it->reason, it->text);
		else
			order->done = true;
	}
	one_less(order);
}

static void ask(struct order *order, const struct sp_command *command, const char *device)
{
	struct sp_speed_request request = {
	    .device = device,
	    .trigger = SP_SPEED_BY_COMMAND,
	    .wanted = {command->direction != SP_COMMAND_UP, command->direction != SP_COMMAND_DOWN},
	    .command = command->id,
	    .ended = ended,
	    .arg = order,
	};
	int result = sp_speed_request(order->agent->speed, &request, NULL);
	if (result == 0)
		order->left++;
	else
		note_failure(order,
			     result == -ENODEV     ? "disabled"
			     : result == -EALREADY ? "running"
						   : "busy",
			     "");
}

static void speedtest(void *arg, const struct sp_command *command)
{
	struct sp_agent *agent = arg;
	struct order *order = sp_alloc(sizeof(*order));
	bool any = false;
	order->agent = agent;
	order->left = 1;
	memcpy(order->id, command->id, sizeof(order->id));
	for (size_t i = 0; i < sp_speed_devices(agent->speed); i++) {
		const struct sp_speed_device *device = sp_speed_last(agent->speed, i)->device;
		bool meant =
		    command->device[0] ? strcmp(command->device, device->name) == 0 : device->enabled;
		if (!meant || (command->line[0] && strcmp(command->line, device->line) != 0))
			continue;
		any = true;
		ask(order, command, device->name);
	}
	if (!any)
		note_failure(order, "arguments", "no such device tests speed here");
	one_less(order);
}

void sp_agent_open_commands(struct sp_agent *agent)
{
	const struct sp_commands_conf *conf = &agent->settings->commands;
	char why[SP_SIGN_WHY];
	if (!conf->key_file || !conf->key_file[0])
		return;
	agent->command_key = sp_sign_public(conf->key_file, why);
	if (!agent->command_key) {
		sp_err("commands", "none is obeyed: %s: %s", conf->key_file, why);
		return;
	}
	agent->commands = sp_commands_new(&(struct sp_commands_config){.loop = agent->loop,
								       .recorder = &agent->recorder.base,
								       .shard = agent->settings->agent.shard,
								       .device = agent->device,
								       .key = agent->command_key,
								       .allow = &conf->allow,
								       .put = put,
								       .get = sp_agent_get,
								       .speedtest = speedtest,
								       .arg = agent});
}

void sp_agent_command(void *arg, const void *payload, size_t length)
{
	struct sp_agent *agent = arg;
	sp_commands_message(agent->commands, payload, length);
}

void sp_agent_close_commands(struct sp_agent *agent)
{
	sp_commands_free(agent->commands);
	sp_sign_free(agent->command_key);
	agent->commands = NULL;
	agent->command_key = NULL;
}
