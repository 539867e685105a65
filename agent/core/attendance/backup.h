// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The school's keys, sealed for its printed recovery code (seal.h) and handed to the hub as facts
// `key_backup`, on each change: a new school year, keys deleted, somebody to be forgotten. The board keeps
// the public half of the code alone, in a file of its own: "schoolpulse recovery 1", and 64 hex digits.
//
// What is sealed is text: the keys' file as it is (keys.h), and one "refused <32 hex>" per person who must be
// forgotten, the latest ones first if there are more than fit.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/seal.h"
#include "agent/core/attendance/keys.h"
#include "agent/core/attendance/refused.h"
#include "agent/core/recorder.h"

#define SP_RECOVERY_FILE "attendance.recovery"

/// Pure. At most SP_SEAL_DATA_MAX bytes; the length.
size_t sp_backup_write(const struct sp_key_set *keys, const struct sp_refused *refused,
		       char out[SP_SEAL_DATA_MAX + 1]);
/// 0 or -EBADMSG; `refused` is to be freed in either case.
int sp_backup_read(struct sp_key_set *keys, struct sp_refused *refused, const char *text,
		   size_t length) SP_MUST_CHECK;

struct sp_backup_config {
	const char *state_dir;
	struct sp_recorder *recorder;
	void (*put)(void *arg, const char *key, const char *value);
	char *(*get)(void *arg, const char *key);
	void *arg;
};

struct sp_backup;

struct sp_backup *sp_backup_new(const struct sp_backup_config *config);
void sp_backup_free(struct sp_backup *backup);
/// Every few seconds: a fact, if something has changed since the last one and there is a code.
void sp_backup_look(struct sp_backup *backup, const struct sp_key_set *keys,
		    const struct sp_refused *refused);
/// From now on this code opens what is sealed; the older one what was sealed before. 0 or -errno.
int sp_backup_set_recipient(struct sp_backup *backup, const uint8_t key[SP_SEAL_KEY]) SP_MUST_CHECK;
/// Which code it is, sp_seal_mark(); false: none was made yet.
bool sp_backup_mark(const struct sp_backup *backup, char out[SP_SEAL_MARK_TEXT + 1]);
