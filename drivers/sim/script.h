// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The script of a simulated line: "cable@60" says that from the 60th second on the cable is out. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/io.h"

enum sp_sim_state {
	SP_SIM_OK,
	SP_SIM_CABLE,
	SP_SIM_ADDRESS,
	SP_SIM_GATEWAY,
	SP_SIM_ISP_ACCESS,
	SP_SIM_ISP_CORE,
	SP_SIM_INTERNATIONAL,
	SP_SIM_DNS,
	SP_SIM_PORTAL,
	SP_SIM_IPV4,
	SP_SIM_IPV6,
	SP_SIM_DEAF,    ///< the provider's first hop keeps silent, all else answers
	SP_SIM_MTU,     ///< full-size packets vanish
	SP_SIM_SERVICE, ///< the education platforms are silent
};
#define SP_SIM_STATES 14

extern const char *const sp_sim_state_names[SP_SIM_STATES];

struct sp_sim_step {
	enum sp_sim_state state;
	int64_t at_ms;
};

enum { SP_SIM_STEPS = 64 };

/// The steps in the order of the list, which must be that of time. Count, or -EINVAL with the item in `*bad`.
int sp_sim_parse(const struct sp_strings *list, struct sp_sim_step out[SP_SIM_STEPS],
		 size_t *bad) SP_MUST_CHECK;

/// How a rung answers in a state.
enum sp_rung_status sp_sim_rung(enum sp_sim_state state, enum sp_rung rung, enum sp_family family);
