// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Commands that come over the feed (feed/README.md): whose they are, whether they may be done, and that each
// is done once, also across power cuts: its id is on the card before it begins. Ids are kept for two days
// after their command expired; what expired before that is dropped in silence, as is everything without a
// good signature or for another board.
#pragma once

#include "agent/base/command.h"
#include "agent/core/loop.h"
#include "agent/core/recorder.h"
#include "schoolpulse/driver.h"

struct sp_commands;

enum {
	SP_COMMANDS_KEPT = 256, ///< ids on the card
	SP_COMMANDS_HELD = 8,   ///< waiting for a synchronised clock, on the card as well
	SP_COMMANDS_QUEUE = 16, ///< messages that the main thread has not seen yet
};

struct sp_commands_config {
	struct sp_loop *loop;
	struct sp_recorder *recorder;
	const char *shard, *device;
	const struct sp_sign_key *key;
	const struct sp_strings *allow;
	/// Durable small state. `done` runs on the main thread once it is on the card. `get`'s answer is
	/// free()d here.
	int (*put)(void *arg, const char *key, const char *value, sp_journal_done_fn done, void *done_arg);
	char *(*get)(void *arg, const char *key);
	/// Does it; sp_commands_over() tells its end. Called once per id, ever.
	void (*speedtest)(void *arg, const struct sp_command *command);
	void *arg;
};

/// Records as failed what a power cut or a crash interrupted. All of `config` must outlive it.
struct sp_commands *sp_commands_new(const struct sp_commands_config *config);
/// After the journal has called back, and when nobody delivers any more. NULL is fine.
void sp_commands_free(struct sp_commands *commands);

/// From any thread: a message of the topic, as it came; copied, never refused aloud.
void sp_commands_message(struct sp_commands *commands, const void *payload, size_t length);
/// Every few seconds: what waited for the clock.
void sp_commands_look(struct sp_commands *commands);
/// An accepted command is over. `reason` "" and `text` "" are left out.
void sp_commands_over(struct sp_commands *commands, const char *id, bool done, const char *reason,
		      const char *text);
