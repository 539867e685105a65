// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The objects of a router's interfaces (RFC 2863 IF-MIB): which interface is the outer one, and what its
// counters say. For a worker's thread: blocks.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "counters_rate.h"
#include "snmp_session.h"

struct sp_counters_wish {
	/// ifName or ifDescr, or an ifIndex in digits; "auto": that of the default route, else the one whose
	/// name says so.
	const char *interface;
	uint32_t known; ///< ifIndex that the last reading found; 0: none
};

/// `at_us` of `out` is counted from this call. 0, or -errno as in snmp_session.h; -ENODEV: there is no such
/// interface, or none that is surely meant: `why` then lists what there is.
int sp_counters_read(struct sp_snmp *snmp, const struct sp_counters_wish *wish,
		     struct sp_counters_reading *out, char *why, size_t size) SP_MUST_CHECK;
