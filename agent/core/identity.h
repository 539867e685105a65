// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who this board is: its folder, that nobody else runs in, and its name in the feed.
#pragma once

#include "schoolpulse/err.h"

/// Makes the folder if need be and locks it. Returns a descriptor to keep open, or -errno with a reason in
/// `why`: -EBUSY when another agent runs there.
int sp_state_dir_open(const char *path, char why[256]) SP_MUST_CHECK;

/// The configured name, or the one kept in `state_dir`/device-id, made at random if there is none. 0 or
/// -errno with a reason in `why`.
int sp_device_id(const char *state_dir, const char *configured, char out[33], char why[256]) SP_MUST_CHECK;
