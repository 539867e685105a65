// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The inside of the keys, shared by keys.c and keys_file.c.
#pragma once

#include "agent/core/attendance/keys.h"

struct sp_keys {
	char *dir;
	struct sp_key_set *set; ///< secret.h
};

/// -ENOENT: there is no file; -ENODATA: new keys are wanted. Else as sp_keys_open().
int sp_keys_load(struct sp_keys *keys, char why[SP_KEYS_WHY]) SP_MUST_CHECK;
/// On the card when it returns 0, whole or not at all.
int sp_keys_save(const struct sp_keys *keys) SP_MUST_CHECK;
