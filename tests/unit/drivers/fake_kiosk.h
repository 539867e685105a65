// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// kiosk.h played on virtual time: what a kiosk driver hands over is kept to be looked at, and a test says
// when, and whether, it was committed. Part of fake_io.h's device.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/kiosk.h"

struct fake_punch {
	struct sp_punch punch; ///< key, person and gate point into the copies, while no further one came
	uint8_t key[SP_PUNCH_KEY_MAX], other_key[SP_PUNCH_KEY_MAX];
	char person[SP_PERSON_MAX + 1], gate[SP_PUNCH_GATE_MAX + 1];
	int64_t at_us;
	sp_committed_fn committed;
	void *arg;
	bool done;  ///< committed, or refused: its callback ran
	int result; ///< what that was told
};

struct fake_total {
	int32_t day;
	int64_t count;
};

struct fake_kiosk {
	// ---- scripts
	int result;         ///< of sp_punch(), after its own checks
	bool clock_unknown; ///< the board's clock
	int64_t wall_ms;    ///< when the device's time is 1000 s; 0: FAKE_WALL_MS
	int64_t err_ms;
	int answer_result; ///< of sp_answer()
	// ---- what the driver said
	char same[64]; ///< of sp_kiosk_same()
	struct fake_punch *punches;
	size_t punch_count;
	struct sp_kiosk_health health; ///< the last; its texts point to those below, NULL where it gave none
	char model[256], firmware[256];
	unsigned healths;
	struct fake_total totals[64]; ///< the first of them
	unsigned total_count;
	struct fake_shown {
		char output[64];
		int64_t ms;
	} shown[64]; ///< lights that were lit, the first of them; those only tried out are not among them
	unsigned shown_count, tried_count;
};

/// 2026-11-23 06:58:41 at +07:00.
#define FAKE_WALL_MS INT64_C(1795391921000)

/// Everything handed over and not answered yet is answered now, in order: with 0, or SP_PUNCH_KNOWN for a
/// key that was committed before; or with `result`, if that is an error. How many those were.
size_t fake_commit(struct sp_device *dev, int result);
/// The punch of that index, with its texts; fails the test when there is none.
const struct fake_punch *fake_punch(struct sp_device *dev, size_t index);
/// How many of the punches were committed as new ones.
size_t fake_committed(const struct sp_device *dev);
void fake_kiosk_free(struct fake_kiosk *kiosk);
