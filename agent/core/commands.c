// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From messages to commands that are done once.
#include "agent/core/commands.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

#define KEY           "commands"
#define HELD_KEY      "commands_held"
#define DAY_MS        (24 * INT64_C(3600000))
#define KEEP_MS       (2 * DAY_MS)
#define EXPIRY_MAX_MS (30 * DAY_MS)

static const double TIME_MAX_MS = 1e15;

struct entry {
	char id[SP_ID_LENGTH + 1];
	char command[SP_COMMAND_WORD_MAX + 1];
	int64_t expires_ms;
	bool running; ///< accepted and not over
};

/// A message on its way to the main thread.
struct message {
	size_t length;
	unsigned char payload[];
};

/// A command whose id is on its way to the card.
struct pending {
	struct sp_commands *commands;
	struct sp_command command;
	const char *refusal; ///< NULL: it will be done
};

struct sp_commands {
	struct sp_commands_config config;
	_Atomic int queued;
	struct entry entries[SP_COMMANDS_KEPT];
	size_t count;
	struct held {
		struct sp_command command;
		char *message; ///< as it came: who reads it again asks for the signature again
	} held[SP_COMMANDS_HELD];
	size_t held_count;
};

// ---- what is kept ----------------------------------------------------------------------------------------

static struct entry *find(struct sp_commands *commands, const char *id)
{
	for (size_t i = 0; i < commands->count; i++)
		if (strcmp(commands->entries[i].id, id) == 0)
			return &commands->entries[i];
	return NULL;
}

static int keep(struct sp_commands *commands, sp_journal_done_fn done, void *arg)
{
	cJSON *list = cJSON_CreateArray();
	for (size_t i = 0; i < commands->count; i++) {
		const struct entry *it = &commands->entries[i];
		cJSON *json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "id", it->id);
		cJSON_AddNumberToObject(json, "expires_ms", (double)it->expires_ms);
		if (it->running)
			cJSON_AddStringToObject(json, "running", it->command);
		cJSON_AddItemToArray(list, json);
	}
	char *text = cJSON_PrintUnformatted(list);
	cJSON_Delete(list);
	int result = text ? commands->config.put(commands->config.arg, KEY, text, done, arg) : -ENOMEM;
	cJSON_free(text);
	return result;
}

static void load(struct sp_commands *commands)
{
	char *text = commands->config.get(commands->config.arg, KEY);
	cJSON *list = text ? cJSON_Parse(text) : NULL;
	const cJSON *it;
	cJSON_ArrayForEach(it, list)
	{
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(it, "id"));
		const char *running = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(it, "running"));
		const cJSON *expires = cJSON_GetObjectItemCaseSensitive(it, "expires_ms");
		if (commands->count == SP_COMMANDS_KEPT || !id || strlen(id) != SP_ID_LENGTH ||
		    !cJSON_IsNumber(expires) ||
		    !(expires->valuedouble >= 0 && expires->valuedouble < TIME_MAX_MS) ||
		    (running && strlen(running) > SP_COMMAND_WORD_MAX))
			continue;
		struct entry *entry = &commands->entries[commands->count++];
		strcpy(entry->id, id);
		strcpy(entry->command, running ? running : "");
		entry->expires_ms = (int64_t)expires->valuedouble;
		entry->running = running != NULL;
	}
	cJSON_Delete(list);
	free(text);
}

/// Makes room for one more: what expired long ago, then what expired first. False: all may still come again.
static bool make_room(struct sp_commands *commands, int64_t now_ms)
{
	size_t kept = 0, first = SP_COMMANDS_KEPT;
	for (size_t i = 0; i < commands->count; i++)
		if (commands->entries[i].running || commands->entries[i].expires_ms + KEEP_MS > now_ms)
			commands->entries[kept++] = commands->entries[i];
	commands->count = kept;
	if (kept < SP_COMMANDS_KEPT)
		return true;
	for (size_t i = 0; i < kept; i++) {
		const struct entry *it = &commands->entries[i];
		bool over = !it->running && it->expires_ms < now_ms;
		if (over &&
		    (first == SP_COMMANDS_KEPT || it->expires_ms < commands->entries[first].expires_ms))
			first = i;
	}
	if (first == SP_COMMANDS_KEPT)
		return false;
	commands->entries[first] = commands->entries[--commands->count];
	return true;
}

static struct entry *add(struct sp_commands *commands, const struct sp_command *command, bool running)
{
	struct entry *entry = &commands->entries[commands->count++];
	*entry = (struct entry){.expires_ms = command->expires_ms, .running = running};
	strcpy(entry->id, command->id);
	strcpy(entry->command, command->command);
	return entry;
}

// ---- what is told ----------------------------------------------------------------------------------------

static void tell(struct sp_commands *commands, const char *id, const char *command, const char *outcome,
		 const char *reason, const char *text)
{
	struct sp_field fields[5] = {SP_TEXT("id", id), SP_TEXT("command", command),
				     SP_TEXT("outcome", outcome)};
	size_t count = 3;
	if (reason && reason[0])
		fields[count++] = SP_TEXT("reason", reason);
	if (text && text[0])
		fields[count++] = SP_TEXT("text", text);
	sp_record_fact(commands->config.recorder, "command", NULL, fields, count);
	sp_notice("commands", "%s %s: %s%s%s", command, id, outcome, reason && reason[0] ? ", " : "",
		  reason ? reason : "");
}

// ---- taking one ------------------------------------------------------------------------------------------

static bool listed(const struct sp_strings *list, const char *word)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], word) == 0)
			return true;
	return false;
}

/// NULL: it may be done.
static const char *refusal(const struct sp_commands *commands, const struct sp_command *command,
			   int64_t now_ms)
{
	if (now_ms > command->expires_ms)
		return "expired";
	if (strcmp(command->command, "speedtest") != 0)
		return "unknown_command";
	if (!listed(commands->config.allow, command->command))
		return "not_allowed";
	if (command->unclear || command->expires_ms > now_ms + EXPIRY_MAX_MS)
		return "arguments";
	return NULL;
}

static void on_card(void *arg, int result)
{
	struct pending *pending = arg;
	struct sp_commands *commands = pending->commands;
	const struct sp_command *command = &pending->command;
	if (result) {
		// Nothing was done, and nothing is known: it may come again.
		sp_warning("commands", "%s %s is not done: its id cannot be kept: %s", command->command,
			   command->id, strerror(-result));
		struct entry *entry = find(commands, command->id);
		if (entry)
			*entry = commands->entries[--commands->count];
	} else if (pending->refusal) {
		tell(commands, command->id, command->command, "refused", pending->refusal, "");
	} else {
		tell(commands, command->id, command->command, "accepted", "", "");
		commands->config.speedtest(commands->config.arg, command);
	}
	free(pending);
}

static void take(struct sp_commands *commands, const struct sp_command *command, int64_t now_ms)
{
	if (find(commands, command->id) || command->expires_ms + KEEP_MS <= now_ms) {
		sp_debug("commands", "%s is known, or from long ago", command->id);
		return;
	}
	if (!make_room(commands, now_ms)) {
		sp_warning("commands", "%s is dropped: too many commands", command->id);
		return;
	}
	struct pending *pending = sp_alloc(sizeof(*pending));
	pending->commands = commands;
	pending->command = *command;
	pending->refusal = refusal(commands, command, now_ms);
	add(commands, command, pending->refusal == NULL);
	int result = keep(commands, on_card, pending);
	if (result)
		on_card(pending, result);
}

// ---- until the clock is known ----------------------------------------------------------------------------

static bool hold(struct sp_commands *commands, const struct sp_command *command, const void *message,
		 size_t length)
{
	for (size_t i = 0; i < commands->held_count; i++)
		if (strcmp(commands->held[i].command.id, command->id) == 0)
			return false;
	if (commands->held_count == SP_COMMANDS_HELD) {
		sp_warning("commands", "%s is dropped: too many wait for the clock", command->id);
		return false;
	}
	struct held *held = &commands->held[commands->held_count++];
	held->command = *command;
	held->message = sp_alloc(length + 1);
	memcpy(held->message, message, length);
	return true;
}

/// The broker has forgotten them: a restart must not.
static void keep_held(struct sp_commands *commands)
{
	cJSON *list = cJSON_CreateArray();
	for (size_t i = 0; i < commands->held_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(commands->held[i].message));
	char *text = commands->held_count > 0 ? cJSON_PrintUnformatted(list) : NULL;
	cJSON_Delete(list);
	if (commands->config.put(commands->config.arg, HELD_KEY, text, NULL, NULL))
		sp_warning("commands", "what waits for the clock is not kept");
	cJSON_free(text);
}

static void free_held(struct sp_commands *commands)
{
	for (size_t i = 0; i < commands->held_count; i++)
		free(commands->held[i].message);
	commands->held_count = 0;
}

// ---- messages --------------------------------------------------------------------------------------------

/// False when it is nothing to this board.
static bool read_message(const struct sp_commands *commands, const void *message, size_t length,
			 struct sp_command *out)
{
	int result = sp_command_open(out, commands->config.key, message, length);
	if (result) {
		sp_info("commands", "dropped: %s",
			result == -EPERM ? "not signed by the key" : "cannot be read");
		return false;
	}
	if (strcmp(out->shard, commands->config.shard) != 0 ||
	    strcmp(out->dev, commands->config.device) != 0) {
		sp_info("commands", "dropped: for %s/%s", out->shard, out->dev);
		return false;
	}
	return true;
}

static void load_held(struct sp_commands *commands)
{
	char *text = commands->config.get(commands->config.arg, HELD_KEY);
	cJSON *list = text ? cJSON_Parse(text) : NULL;
	const cJSON *it;
	cJSON_ArrayForEach(it, list)
	{
		struct sp_command command;
		const char *message = cJSON_GetStringValue(it);
		if (message && read_message(commands, message, strlen(message), &command))
			hold(commands, &command, message, strlen(message));
	}
	cJSON_Delete(list);
	free(text);
}

static void deliver(void *arg, void *arg2, int unused)
{
	struct sp_commands *commands = arg;
	struct message *message = arg2;
	struct sp_command command;
	struct sp_clock_reading now = sp_clock_now();
	(void)unused;
	atomic_fetch_sub(&commands->queued, 1);
	bool ours = read_message(commands, message->payload, message->length, &command);
	if (ours && now.synced)
		take(commands, &command, now.wall_ms);
	else if (ours && hold(commands, &command, message->payload, message->length))
		keep_held(commands);
	free(message);
}

void sp_commands_message(struct sp_commands *commands, const void *payload, size_t length)
{
	if (length > SP_COMMAND_MESSAGE_MAX)
		return;
	if (atomic_fetch_add(&commands->queued, 1) >= SP_COMMANDS_QUEUE) {
		atomic_fetch_sub(&commands->queued, 1);
		return;
	}
	struct message *message = sp_alloc(sizeof(*message) + length);
	message->length = length;
	if (length > 0)
		memcpy(message->payload, payload, length);
	sp_loop_post(commands->config.loop, deliver, commands, message, 0);
}

void sp_commands_look(struct sp_commands *commands)
{
	struct sp_clock_reading now = sp_clock_now();
	if (!now.synced || commands->held_count == 0)
		return;
	for (size_t i = 0; i < commands->held_count; i++)
		take(commands, &commands->held[i].command, now.wall_ms);
	free_held(commands);
	keep_held(commands);
}

void sp_commands_over(struct sp_commands *commands, const char *id, bool done, const char *reason,
		      const char *text)
{
	struct entry *entry = find(commands, id);
	if (!entry || !entry->running)
		return;
	entry->running = false;
	tell(commands, id, entry->command, done ? "done" : "failed", reason, text);
	if (keep(commands, NULL, NULL))
		sp_warning("commands", "the end of %s is not kept", id);
}

struct sp_commands *sp_commands_new(const struct sp_commands_config *config)
{
	struct sp_commands *commands = sp_alloc(sizeof(*commands));
	bool interrupted = false;
	commands->config = *config;
	load(commands);
	load_held(commands);
	for (size_t i = 0; i < commands->count; i++) {
		struct entry *it = &commands->entries[i];
		if (!it->running)
			continue;
		it->running = false;
		interrupted = true;
		tell(commands, it->id, it->command, "failed", "cancelled", "the agent stopped meanwhile");
	}
	if (interrupted && keep(commands, NULL, NULL))
		sp_warning("commands", "what was interrupted is not kept");
	return commands;
}

void sp_commands_free(struct sp_commands *commands)
{
	if (!commands)
		return;
	free_held(commands);
	free(commands);
}
