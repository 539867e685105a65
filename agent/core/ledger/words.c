// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The ledger's enums in the feed's words.
#include "agent/core/ledger/ledger.h"

const char *sp_line_state_name(enum sp_line_state state)
{
	switch (state) {
	case SP_LINE_UNKNOWN:
		return "unknown";
	case SP_LINE_UP:
		return "up";
	case SP_LINE_DEGRADED:
		return "degraded";
	case SP_LINE_DOWN:
		return "down";
	}
	return "unknown";
}

const char *sp_line_egress_name(enum sp_line_egress egress)
{
	switch (egress) {
	case SP_LINE_EGRESS_UNKNOWN:
		return "unknown";
	case SP_LINE_EGRESS_OWN:
		return "own";
	case SP_LINE_EGRESS_FOREIGN:
		return "foreign";
	}
	return "unknown";
}

const char *sp_cause_name(enum sp_cause cause)
{
	static const char *const names[SP_CAUSES] = {
	    [SP_CAUSE_NONE] = "none",
	    [SP_CAUSE_CABLE] = "cable",
	    [SP_CAUSE_ADDRESS] = "address",
	    [SP_CAUSE_GATEWAY] = "gateway",
	    [SP_CAUSE_ISP_ACCESS] = "isp_access",
	    [SP_CAUSE_ISP_CORE] = "isp_core",
	    [SP_CAUSE_ISP] = "isp",
	    [SP_CAUSE_INTERNATIONAL] = "international",
	    [SP_CAUSE_DNS] = "dns",
	    [SP_CAUSE_CAPTIVE_PORTAL] = "captive_portal",
	    [SP_CAUSE_HUB] = "hub",
	    [SP_CAUSE_IPV4] = "ipv4",
	    [SP_CAUSE_IPV6] = "ipv6",
	    [SP_CAUSE_MTU] = "mtu",
	    [SP_CAUSE_POWER] = "power",
	    [SP_CAUSE_REBOOT] = "reboot",
	    [SP_CAUSE_AGENT] = "agent",
	};
	return names[cause];
}

const char *sp_whose_name(enum sp_whose whose)
{
	static const char *const names[SP_WHOSES] = {
	    [SP_WHOSE_NOBODY] = "nobody",         [SP_WHOSE_SCHOOL] = "school",
	    [SP_WHOSE_PROVIDER] = "provider",     [SP_WHOSE_RESOLVER] = "resolver",
	    [SP_WHOSE_ACCOUNT] = "account",       [SP_WHOSE_OURS] = "ours",
	    [SP_WHOSE_UNRESOLVED] = "unresolved",
	};
	return names[whose];
}

const char *sp_rung_name(enum sp_rung rung)
{
	static const char *const names[SP_RUNGS] = {
	    [SP_RUNG_CABLE] = "cable",
	    [SP_RUNG_ADDRESS] = "address",
	    [SP_RUNG_GATEWAY] = "gateway",
	    [SP_RUNG_ISP_ACCESS] = "isp_access",
	    [SP_RUNG_ISP_CORE] = "isp_core",
	    [SP_RUNG_INTERNATIONAL] = "international",
	    [SP_RUNG_DNS] = "dns",
	    [SP_RUNG_PORTAL] = "portal",
	    [SP_RUNG_HUB] = "hub",
	    [SP_RUNG_SERVICE] = "service",
	    [SP_RUNG_FULL_SIZE] = "full_size",
	};
	return names[rung];
}

const char *sp_rung_status_name(enum sp_rung_status status)
{
	switch (status) {
	case SP_RUNG_UNKNOWN:
		return "unknown";
	case SP_RUNG_OK:
		return "ok";
	case SP_RUNG_SILENT:
		return "silent";
	case SP_RUNG_WRONG:
		return "wrong";
	}
	return "unknown";
}

const char *sp_family_name(enum sp_family family)
{
	switch (family) {
	case SP_FAMILY_ANY:
		return "any";
	case SP_FAMILY_IPV4:
		return "ipv4";
	case SP_FAMILY_IPV6:
		return "ipv6";
	}
	return "any";
}
