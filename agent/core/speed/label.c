// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The rules of validity, the worst first.
#include "agent/core/speed/label.h"

#include <math.h>

/// Others below this share of the figure do not change what it says.
static const double OTHERS_SHARE = 0.05;
/// From here on a core has nothing left to give.
static const double CORE_FULL = 0.90;
/// From here on a figure says what bounds it, and no more.
static const double REACHED = 0.92;
/// Of an Ethernet frame of full size with its gap, what TCP with timestamps carries: 1448 or 1428 of 1538.
static const double PAYLOAD_IPV4 = 1448.0 / 1538, PAYLOAD_IPV6 = 1428.0 / 1538;

const char *sp_speed_validity_name(enum sp_speed_validity validity)
{
	static const char *const names[] = {"skipped",        "failed",       "partial", "contended",
					    "device_limited", "link_limited", "valid"};
	return names[validity];
}

static struct sp_speed_verdict verdict(enum sp_speed_validity validity, const char *reason)
{
	return (struct sp_speed_verdict){.validity = validity, .reason = reason};
}

static const char *word(const char *reason, const char *otherwise)
{
	return reason && reason[0] ? reason : otherwise;
}

/// What nobody counted could not be kept apart.
static bool contended(const struct sp_speed_evidence *is)
{
	double most = fmax(is->busy_bytes_per_second, OTHERS_SHARE * is->goodput_bps / 8);
	return !(is->others_bytes_per_second <= most);
}

static bool device_limited(const struct sp_speed_evidence *is)
{
	bool as_bought = is->bought_mbps > 0 && is->goodput_bps >= REACHED * is->bought_mbps * 1e6;
	return is->cpu_ratio >= CORE_FULL && !as_bought;
}

static bool port_reached(const struct sp_speed_evidence *is)
{
	double payload = is->family == SP_FAMILY_IPV6 ? PAYLOAD_IPV6 : PAYLOAD_IPV4;
	return is->link_mbps > 0 && is->goodput_bps >= REACHED * payload * (double)is->link_mbps * 1e6;
}

static struct sp_speed_verdict label_figure(const struct sp_speed_evidence *is)
{
	if (!(is->goodput_bps >= 0) || isinf(is->goodput_bps))
		return verdict(SP_SPEED_IS_FAILED, "protocol");
	if (contended(is))
		return verdict(SP_SPEED_IS_CONTENDED, "busy");
	if (device_limited(is))
		return verdict(SP_SPEED_IS_DEVICE_LIMITED, "cpu");
	if (is->half_duplex)
		return verdict(SP_SPEED_IS_LINK_LIMITED, "half_duplex");
	if (port_reached(is))
		return verdict(SP_SPEED_IS_LINK_LIMITED, "port_speed");
	return verdict(SP_SPEED_IS_VALID, "");
}

struct sp_speed_verdict sp_speed_label(const struct sp_speed_evidence *is)
{
	switch (is->outcome) {
	case SP_SPEED_SKIPPED:
		return verdict(SP_SPEED_IS_SKIPPED, word(is->reason, "no_capacity"));
	case SP_SPEED_NOT_DONE:
	case SP_SPEED_FAILED:
		return verdict(SP_SPEED_IS_FAILED, word(is->reason, "child"));
	case SP_SPEED_PARTIAL:
		return verdict(SP_SPEED_IS_PARTIAL, word(is->reason, "short"));
	case SP_SPEED_WHOLE:
		return label_figure(is);
	}
	return verdict(SP_SPEED_IS_FAILED, "child");
}
