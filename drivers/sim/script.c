// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading a script, and what each fault does to the rungs (script.h).
#include "script.h"

#include <string.h>

enum { SECONDS_MAX = 366 * 24 * 3600 };

const char *const sp_sim_state_names[SP_SIM_STATES] = {
    [SP_SIM_OK] = "ok",
    [SP_SIM_CABLE] = "cable",
    [SP_SIM_ADDRESS] = "address",
    [SP_SIM_GATEWAY] = "gateway",
    [SP_SIM_ISP_ACCESS] = "isp_access",
    [SP_SIM_ISP_CORE] = "isp_core",
    [SP_SIM_INTERNATIONAL] = "international",
    [SP_SIM_DNS] = "dns",
    [SP_SIM_PORTAL] = "portal",
    [SP_SIM_IPV4] = "ipv4",
    [SP_SIM_IPV6] = "ipv6",
    [SP_SIM_DEAF] = "deaf",
    [SP_SIM_MTU] = "mtu",
    [SP_SIM_SERVICE] = "service",
};

static int parse_step(const char *text, struct sp_sim_step *out)
{
	const char *at = strchr(text, '@');
	if (!at)
		return -EINVAL;
	size_t size = (size_t)(at - text), state = 0;
	while (state < SP_SIM_STATES && (strlen(sp_sim_state_names[state]) != size ||
					 memcmp(sp_sim_state_names[state], text, size) != 0))
		state++;
	if (state == SP_SIM_STATES)
		return -EINVAL;
	int64_t seconds = 0;
	const char *digit = at + 1;
	for (; *digit >= '0' && *digit <= '9' && seconds <= SECONDS_MAX; digit++)
		seconds = seconds * 10 + (*digit - '0');
	if (digit == at + 1 || *digit || seconds > SECONDS_MAX)
		return -EINVAL;
	*out = (struct sp_sim_step){(enum sp_sim_state)state, seconds * 1000};
	return 0;
}

int sp_sim_parse(const struct sp_strings *list, struct sp_sim_step out[SP_SIM_STEPS], size_t *bad)
{
	for (size_t i = 0; i < list->count; i++) {
		*bad = i;
		if (i >= SP_SIM_STEPS || parse_step(list->items[i], &out[i]) < 0 ||
		    (i && out[i].at_ms < out[i - 1].at_ms))
			return -EINVAL;
	}
	return (int)list->count;
}

static enum sp_rung_status silent_if(bool silent)
{
	return silent ? SP_RUNG_SILENT : SP_RUNG_OK;
}

enum sp_rung_status sp_sim_rung(enum sp_sim_state state, enum sp_rung rung, enum sp_family family)
{
	bool beyond_gateway = rung > SP_RUNG_GATEWAY;
	switch (state) {
	case SP_SIM_OK:
		return SP_RUNG_OK;
	case SP_SIM_CABLE:
	case SP_SIM_ADDRESS:
	case SP_SIM_GATEWAY:
	case SP_SIM_ISP_ACCESS:
	case SP_SIM_ISP_CORE: {
		enum sp_rung broken =
		    (enum sp_rung)(state - SP_SIM_CABLE); // the states stand in the rungs' order
		if (rung == SP_RUNG_SERVICE || rung == SP_RUNG_FULL_SIZE)
			return SP_RUNG_UNKNOWN; // they are not asked over a dead line
		return silent_if(rung >= broken);
	}
	case SP_SIM_INTERNATIONAL:
		return silent_if(rung == SP_RUNG_INTERNATIONAL);
	case SP_SIM_DNS:
		return silent_if(rung == SP_RUNG_DNS);
	case SP_SIM_PORTAL:
		return rung == SP_RUNG_PORTAL ? SP_RUNG_WRONG : SP_RUNG_OK;
	case SP_SIM_IPV4:
		return silent_if(beyond_gateway && family == SP_FAMILY_IPV4);
	case SP_SIM_IPV6:
		return silent_if(beyond_gateway && family == SP_FAMILY_IPV6);
	case SP_SIM_DEAF:
		return silent_if(rung == SP_RUNG_ISP_ACCESS);
	case SP_SIM_MTU:
		return silent_if(rung == SP_RUNG_FULL_SIZE);
	case SP_SIM_SERVICE:
		return silent_if(rung == SP_RUNG_SERVICE);
	}
	return SP_RUNG_UNKNOWN;
}
