// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The silence before a start as the ledgers take it: whose it was, and since when.
#include <string.h>

#include "agent/core/boot.h"

static enum sp_cause cause_of(enum sp_boot_reason reason)
{
	switch (reason) {
	case SP_BOOT_FIRST:
		return SP_CAUSE_NONE;
	case SP_BOOT_RESTART:
	case SP_BOOT_UPGRADE:
	case SP_BOOT_CRASH:
		return SP_CAUSE_AGENT;
	case SP_BOOT_REBOOT:
	case SP_BOOT_PANIC:
	case SP_BOOT_WATCHDOG:
	case SP_BOOT_UNKNOWN:
		return SP_CAUSE_REBOOT;
	case SP_BOOT_POWER:
		return SP_CAUSE_POWER;
	}
	return SP_CAUSE_NONE;
}

static enum sp_whose whose_of(enum sp_boot_reason reason)
{
	if (reason == SP_BOOT_POWER)
		return SP_WHOSE_SCHOOL;
	// Another boot came, and nobody knows why: it may have been the power as well as ourselves.
	return reason == SP_BOOT_UNKNOWN ? SP_WHOSE_UNRESOLVED : SP_WHOSE_OURS;
}

bool sp_boot_silence(const struct sp_boot_past *past, const struct sp_boot_report *report,
		     struct sp_silence *out)
{
	enum sp_boot_reason reason = sp_boot_reason(past, report->boot, report->version);
	double width = sp_boot_uncertainty(past, report);
	if (reason == SP_BOOT_FIRST || width < 0)
		return false;
	// The ledger's starts are in the middle of what is possible. But a board that was back soon, and does
	// not know yet what time it is, must not begin its silence after its end: then at the last sign of
	// life.
	bool bounded = past->clean || sp_boot_since_us(past, report) >= 0;
	int64_t half_us = bounded ? (int64_t)(width * 1e6) / 2 : 0;
	*out = (struct sp_silence){.cause = cause_of(reason),
				   .whose = whose_of(reason),
				   .start_mono_us = past->last.mono_us + half_us,
				   .start_placed = past->last.placed,
				   .start_t_ms = past->last.placed ? past->last.t_ms + half_us / 1000 : 0,
				   .uncertainty_seconds = bounded ? width / 2 : width};
	memcpy(out->boot, past->mark->boot, sizeof(out->boot));
	return true;
}
