// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Thirty boards of two communes at a hub's store, what befalls them, and which incidents are found.
#pragma once

#include "tests/unit/hub/hub_util.h"

#include "tools/hub/store/store_sums.h"

enum { BOARDS = 30 };
#define MINUTE_MS INT64_C(60000)

extern struct hub hub;
extern struct sp_incident_rules incidents;

/// Boards 0 to 14 in commune A, the others in B; every third of provider `two`, the others of `one`.
void fill_register(void);
int incident_set_up(void **state);
int incident_tear_down(void **state);
/// Upkeep until there is nothing left to do.
void look(int64_t now_ms);

/// 26 letters that tell a board and what the stream is for.
const char *name_of(int board, char what);
const char *board_name(int board);
void birth(int board, const char *session, const char *boot, int64_t at_ms);
/// Its will.
void lose(int board, const char *session, int64_t at_ms);
/// One fact, made at `t_ms` and heard at `heard_ms`.
void tell(int board, char what, int64_t t_ms, int64_t heard_ms, const char *format, ...) SP_PRINTF(5, 6);
/// The provider's line was down.
void tell_outage(int board, char what, int64_t from_ms, int64_t to_ms, int64_t heard_ms);

struct seen {
	char text[1024];
	int64_t ids[8], found_ms[8], from_ms[8], to_ms[8];
	int count;
};
/// As they are told now: "line area X/H/A 15/15 0 away; …".
struct seen found(void);
