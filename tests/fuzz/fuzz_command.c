// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Commands of any bytes. The first byte chooses: the message, or a body as if its signature were good. What
// is taken stays within its bounds, and no message passes for signed.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool good)
{
	if (!good)
		abort();
}

static struct sp_sign_key *a_key(void)
{
	static struct sp_sign_key *key;
	char file[] = "/tmp/sp-fuzz-key-XXXXXX", why[SP_SIGN_WHY];
	if (key)
		return key;
	int fd = mkstemp(file);
	hold(fd >= 0);
	close(fd);
	unlink(file);
	struct sp_buf pem = SP_BUF(1024);
	hold(sp_sign_generate(file, &pem, why) == 0);
	key = sp_sign_private(file, why);
	unlink(file);
	sp_buf_free(&pem);
	hold(key != NULL);
	return key;
}

static void check(const struct sp_command *command)
{
	hold(strlen(command->id) == SP_ID_LENGTH && sp_id_valid(command->shard) && sp_id_valid(command->dev));
	hold(command->command[0] && strlen(command->command) <= SP_COMMAND_WORD_MAX);
	hold(command->expires_ms >= 0 && command->issued_ms >= 0);
	hold(strlen(command->device) <= SP_COMMAND_NAME_MAX && strlen(command->line) <= SP_COMMAND_NAME_MAX);
	hold(!command->unclear || (!command->device[0] && !command->line[0] && !command->direction));
}

/// What was read is written, and read again as the same.
static void there_and_back(const struct sp_command *command)
{
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX);
	struct sp_command again;
	if (command->unclear)
		return;
	hold(sp_command_seal(&wire, command, a_key()) == 0);
	hold(sp_command_open(&again, a_key(), wire.data, wire.length) == 0);
	hold(strcmp(again.id, command->id) == 0 && strcmp(again.device, command->device) == 0);
	hold(strcmp(again.line, command->line) == 0 && again.direction == command->direction);
	hold(again.expires_ms == command->expires_ms);
	sp_buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_command command;
	if (size < 1)
		return 0;
	if (data[0] % 2) {
		if (sp_command_read(&command, (const char *)data + 1, size - 1) == 0) {
			check(&command);
			there_and_back(&command);
		}
	} else {
		hold(sp_command_open(&command, a_key(), data + 1, size - 1) != 0);
	}
	return 0;
}
