// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// An SQLite VFS that fails on purpose: the Nth write, sync or truncate, once or from then on; and a power
// cut, which takes back everything that was not synced.
#pragma once

#include <stdbool.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_FULL, ///< SQLITE_FULL
	FAULT_IO,   ///< SQLITE_IOERR_*
	FAULT_TORN, ///< half of a write arrives, then SQLITE_IOERR_WRITE
	/// From there on everything fails. What was not synced is forgotten by fault_vfs_power_cut(), or when
	/// the file is closed.
	FAULT_POWER,
};

#define FAULT_VFS "fault"

void fault_vfs_register(void);
/// What opens a file without naming a VFS gets this one, or the system's again.
void fault_vfs_by_default(bool yes);
/// Fails operation number `at` (from 1) counted from now; `lasting`: and all after it.
void fault_vfs_arm(enum fault_kind kind, int at, bool lasting);
void fault_vfs_disarm(void);
/// Of what was not synced, a random half survives the power cut; 0: nothing does.
void fault_vfs_survivors(unsigned seed);
/// Operations since the last arm or disarm.
int fault_vfs_operations(void);
/// Did the armed fault strike?
bool fault_vfs_struck(void);
/// Takes back what was not synced, in every file that is open. Close them after it.
void fault_vfs_power_cut(void);
