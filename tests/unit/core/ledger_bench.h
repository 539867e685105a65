// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the tests of the ledger share: a ledger whose events are counted and kept, and a short way to tell it
// what rungs say. Times are seconds of the monotonic clock.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/core/ledger/ledger.h"

#define CABLE     SP_RUNG_CABLE
#define ADDRESS   SP_RUNG_ADDRESS
#define GATEWAY   SP_RUNG_GATEWAY
#define ACCESS    SP_RUNG_ISP_ACCESS
#define CORE      SP_RUNG_ISP_CORE
#define ABROAD    SP_RUNG_INTERNATIONAL
#define DNS       SP_RUNG_DNS
#define PORTAL    SP_RUNG_PORTAL
#define HUB       SP_RUNG_HUB
#define SERVICE   SP_RUNG_SERVICE
#define FULL_SIZE SP_RUNG_FULL_SIZE
#define ANY       SP_FAMILY_ANY
#define V4        SP_FAMILY_IPV4
#define V6        SP_FAMILY_IPV6
#define OK        SP_RUNG_OK
#define SILENT    SP_RUNG_SILENT
#define WRONG     SP_RUNG_WRONG

extern const char boot_one[], boot_two[];

struct bench {
	struct sp_ledger *ledger;
	bool synced;
	int64_t wall_offset_ms;
	struct sp_line_view line;
	int lines, opened, updated, closed, saves, asked;
	struct sp_outage outage;
	int64_t next_us;
};

int64_t us(double seconds);
void bench_begin(struct bench *bench, const char *boot);
void bench_end(struct bench *bench);
/// One source per rung and family, heard at `t`, about what began at `since`.
void say(struct bench *bench, double t, enum sp_rung rung, enum sp_family family, enum sp_rung_status status,
	 double since);
void judge(struct bench *bench, double t);
void assert_line(const struct bench *bench, enum sp_line_state state, enum sp_cause cause,
		 enum sp_whose whose);

/// Everything answers in IPv4 since then; `all_fine`: since `t`.
void fine_since(struct bench *bench, double t, double since);
void all_fine(struct bench *bench, double t);
/// As it has been since second 100.
void still_fine(struct bench *bench, double t);
/// Everything answers in IPv4 and IPv6 since `t`.
void both_fine(struct bench *bench, double t);
/// What runs over the path answers in that family, too; not judged yet.
void rest_answers(struct bench *bench, double t, enum sp_family family, double since);
/// One family is silent beyond the gateway; not judged yet.
void family_lost(struct bench *bench, double t, enum sp_family family, double since);
