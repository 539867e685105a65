// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A terminal's attendance log as one block of bytes. Nothing in it says how long a record is, and what the
// terminal says of their number is often wrong; a wrong split makes false punches without any error. So each
// of the three known sizes is tried, and the block must make sense in exactly one of them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"

enum { SP_ZK_ID_MAX = 24, SP_ZK_LOG_MAX = 24 * 1024 * 1024 };

struct sp_zk_record {
	int64_t local_s; ///< of the terminal's dial, as seconds since 1970
	uint8_t verify, state;
	uint8_t id_length;
	char id[SP_ZK_ID_MAX];
};

struct sp_zk_log {
	const uint8_t *records;
	size_t size;  ///< of one
	size_t count; ///< 0: it is empty
};

/// The block with its leading byte count. `now_s`: the dial's time, at most. 0; -EBADMSG: the count is wrong,
/// or it makes sense in no size; -ENOTUNIQ: in more than one.
int sp_zk_log_open(const uint8_t *data, size_t length, int64_t now_s, struct sp_zk_log *out) SP_MUST_CHECK;
/// The record of that index, which is < count. Wipe it after use.
void sp_zk_log_record(const struct sp_zk_log *log, size_t index, struct sp_zk_record *out);

/// How many different records each day has, from the first day to the last; those of `from_day` and later. 0,
/// or -ENOMEM.
typedef void (*sp_zk_day_fn)(void *arg, int32_t day, int64_t count);
int sp_zk_log_days(const struct sp_zk_log *log, int32_t from_day, sp_zk_day_fn fn, void *arg) SP_MUST_CHECK;
