// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// When to try the broker again: full jitter, so that a province does not return in one second. Pure.
#pragma once

#include <stdint.h>

struct sp_backoff {
	unsigned failures; ///< since a session last stood
};

/// The network came up, or the program started: within 0…3 s (or max_ms, if that is less).
int64_t sp_backoff_first_ms(int64_t max_ms, double chance);
/// After a failure or a loss: uniform up to 6 s, 12 s, … max_ms; never at once.
int64_t sp_backoff_next_ms(struct sp_backoff *backoff, int64_t max_ms, double chance);
/// A session ended that had stood for that long: one that was thrown out at once (somebody else uses
/// the client id) does not reset the back-off.
void sp_backoff_stood(struct sp_backoff *backoff, int64_t stood_ms);
