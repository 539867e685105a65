// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who may test now. A test is what one client does at a stretch: its parallel streams, download and
// upload, count once. At most `tests` at once, so that the uplink never decides a school's figure; who
// finds no place is told at once when to come back, each at another time. No I/O, no clock of its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/err.h"
#include "tools/anchor/query.h"

struct sp_admit;

struct sp_admit_config {
	unsigned tests;                ///< at once
	unsigned tests_per_address;    ///< of them, by one address: schools behind one CGNAT do not take all
	unsigned streams;              ///< of one test
	int64_t test_ms;               ///< a test is over after so long
	int64_t idle_ms;               ///< or so long after its last stream
	int64_t hour_bytes, day_bytes; ///< of one address; 0: no limit
	uint64_t seed;                 ///< for the spread of the returns
};

enum sp_admit_why {
	SP_ADMIT_YES,
	SP_ADMIT_FULL,    ///< as many tests as may be
	SP_ADMIT_ADDRESS, ///< of this address
	SP_ADMIT_STREAMS, ///< of this test
	SP_ADMIT_EARLY,   ///< was told to come later, and others wait
	SP_ADMIT_BYTES,   ///< this address has had its share
};
#define SP_ADMIT_WHYS 6

struct sp_admit_answer {
	enum sp_admit_why why;
	unsigned slot;          ///< when yes
	int64_t left_ms;        ///< when yes: until the test is over
	unsigned retry_seconds; ///< when no: ≥ 1
};

struct sp_admit *sp_admit_new(const struct sp_admit_config *config);
void sp_admit_free(struct sp_admit *admit);

/// One more stream. When yes, sp_admit_left() must follow.
struct sp_admit_answer sp_admit_stream(struct sp_admit *admit, const struct sp_anchor_key *key,
				       int64_t now_us);
/// The stream is over and has moved so many bytes.
void sp_admit_left(struct sp_admit *admit, unsigned slot, int64_t bytes, int64_t now_us);
/// A sign of life between streams (latency is measured then).
void sp_admit_touch(struct sp_admit *admit, const struct sp_anchor_key *key, int64_t now_us);

struct sp_admit_state {
	unsigned tests, streams, waiting;
	uint64_t admitted;               ///< tests ever
	uint64_t refused[SP_ADMIT_WHYS]; ///< streams ever
};
void sp_admit_state(struct sp_admit *admit, int64_t now_us, struct sp_admit_state *out);
