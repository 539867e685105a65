// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Signed commands of the feed (feed/README.md, Commands): written by the hub, read by a board. Pure but for
// the signature, and fuzzed.
#pragma once

#include "agent/base/buf.h"
#include "agent/base/ids.h"
#include "agent/base/sign.h"

enum {
	SP_COMMAND_MESSAGE_MAX = 4096,
	SP_COMMAND_BODY_MAX = 2048,
	SP_COMMAND_NAME_MAX = 64, ///< of a device or a line in `args`
	SP_COMMAND_WORD_MAX = 32,
};

enum sp_command_direction { SP_COMMAND_BOTH, SP_COMMAND_DOWN, SP_COMMAND_UP };

struct sp_command {
	char id[SP_ID_LENGTH + 1];
	char shard[33], dev[33];
	char command[SP_COMMAND_WORD_MAX + 1];
	int64_t issued_ms, expires_ms;
	/// `args` of speedtest. Whatever else stands there, or a wrong type: `unclear`, and nothing of it
	/// counts.
	bool unclear;
	char device[SP_COMMAND_NAME_MAX + 1], line[SP_COMMAND_NAME_MAX + 1]; ///< "": not told
	enum sp_command_direction direction;
};

/// The message as it came. 0; -EBADMSG: it cannot be read; -EPERM: the signature is not the key's.
int sp_command_open(struct sp_command *out, const struct sp_sign_key *key, const void *payload,
		    size_t length) SP_MUST_CHECK;
/// Reads a body whose signature is good. 0 or -EBADMSG.
int sp_command_read(struct sp_command *out, const char *body, size_t length) SP_MUST_CHECK;
/// Splits the message: `body` is the caller's to free. 0 or -EBADMSG.
int sp_command_split(const void *payload, size_t length, char **body,
		     uint8_t signature[SP_SIGNATURE_LENGTH]) SP_MUST_CHECK;
/// A signed message. 0; -EMSGSIZE; -EINVAL: a text that cannot stand there; -EIO: no signature.
int sp_command_seal(struct sp_buf *out, const struct sp_command *command,
		    const struct sp_sign_key *key) SP_MUST_CHECK;
