// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From what each rung of the ladder answers to a verdict on the line. Pure: no memory, no clock.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schoolpulse/io.h"

enum sp_line_state { SP_LINE_UNKNOWN, SP_LINE_UP, SP_LINE_DEGRADED, SP_LINE_DOWN };

enum sp_cause {
	SP_CAUSE_NONE,
	SP_CAUSE_CABLE,
	SP_CAUSE_ADDRESS,
	SP_CAUSE_GATEWAY,
	SP_CAUSE_ISP_ACCESS,
	SP_CAUSE_ISP_CORE,
	SP_CAUSE_ISP,
	SP_CAUSE_INTERNATIONAL,
	SP_CAUSE_DNS,
	SP_CAUSE_CAPTIVE_PORTAL,
	SP_CAUSE_HUB,
	SP_CAUSE_IPV4,
	SP_CAUSE_IPV6,
	SP_CAUSE_MTU,   ///< full-size packets vanish, small ones pass
	SP_CAUSE_POWER, ///< of silences, like the two below: the board itself was not there to measure
	SP_CAUSE_REBOOT,
	SP_CAUSE_AGENT,
};
#define SP_CAUSES 17

enum sp_whose {
	SP_WHOSE_NOBODY,
	SP_WHOSE_SCHOOL,
	SP_WHOSE_PROVIDER,
	SP_WHOSE_RESOLVER,
	SP_WHOSE_ACCOUNT,
	SP_WHOSE_OURS,
	SP_WHOSE_UNRESOLVED,
};
#define SP_WHOSES 7

// The feed's words.
const char *sp_line_state_name(enum sp_line_state state);
const char *sp_cause_name(enum sp_cause cause);
const char *sp_whose_name(enum sp_whose whose);
const char *sp_rung_name(enum sp_rung rung);
const char *sp_rung_status_name(enum sp_rung_status status);
const char *sp_family_name(enum sp_family family);

/// Before any time that a clock can show.
#define SP_NEVER_US INT64_MIN

/// What is known of one rung in one family, all its reporters taken together.
struct sp_rung_view {
	enum sp_rung_status status;
	int64_t since_us;   ///< when the status began
	int64_t heard_us;   ///< when it was reported last; INT64_MAX: holds until its reporter says otherwise
	int64_t last_ok_us; ///< when it answered last, SP_NEVER_US
	int64_t other_us;   ///< when it was last said to be otherwise than now, SP_NEVER_US
};

struct sp_verdict {
	enum sp_line_state state;
	enum sp_cause cause;
	enum sp_whose whose;
	bool trouble; ///< an outage; false while up, and while nothing that decides is measured
	enum sp_line_state family[SP_FAMILIES]; ///< [SP_FAMILY_ANY] is not used
	bool offered[SP_FAMILIES];
	int64_t since_us;  ///< when it began: the first lost probe, or the path's return
	int64_t before_us; ///< when the opposite was seen last, SP_NEVER_US
	int64_t cause_us;  ///< in a trouble that has begun already: when it took this cause
	/// What is silent fell silent before the school's own part came back, which was then: a router that
	/// boots has to dial first. SP_NEVER_US: not so.
	int64_t healed_us;
	int64_t hub_us;    ///< while up: when the hub's session came back, or was lost; SP_NEVER_US
	unsigned pending;  ///< bits of rungs above the path that were broken, and not asked since it works
	int64_t settle_us; ///< some rungs have not spoken since the trouble began: wait for them until then
};

/// `worked`: families in which anything beyond the gateway ever answered; the others are not offered on this
/// line, unless none is.
void sp_ledger_judge_rungs(const struct sp_rung_view views[SP_RUNGS][SP_FAMILIES],
			   const bool worked[SP_FAMILIES], struct sp_verdict *out);
