// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Time of day from two witnesses and a memory. Which of them a board has differs: a time server's word
// reaches the kernel, or a firewall keeps it away and only the hub can be heard; and a board without a
// battery knows after a power cut only that it is later than when it was saved last.
#include "agent/base/clock_trust.h"

#include <errno.h>

static int64_t grown(int64_t err_ms, int64_t span_us)
{
	int64_t span_ms = (span_us < 0 ? -span_us : span_us) / 1000;
	return err_ms + (span_ms * SP_CLOCK_DRIFT_PPM + 999999) / 1000000;
}

static int64_t earliest(const struct sp_clock_trust *trust)
{
	return trust->saved_ms > SP_CLOCK_BUILT_MS ? trust->saved_ms : SP_CLOCK_BUILT_MS;
}

static bool possible(int64_t t_ms, int64_t err_ms, int64_t since_ms)
{
	return t_ms + err_ms >= since_ms && t_ms - err_ms <= since_ms + SP_CLOCK_REACH_MS;
}

static bool agree(int64_t a_ms, int64_t a_err_ms, int64_t b_ms, int64_t b_err_ms)
{
	int64_t apart = a_ms < b_ms ? b_ms - a_ms : a_ms - b_ms;
	return apart <= a_err_ms + b_err_ms;
}

int sp_clock_trust_learn(struct sp_clock_trust *trust, int64_t sent_us, int64_t heard_us, int64_t t_ms,
			 int64_t err_ms)
{
	// It comes from outside: nothing below may overflow.
	if (sent_us < 0 || heard_us < sent_us || err_ms < 0 || err_ms > SP_CLOCK_REACH_MS)
		return -EINVAL;
	if (t_ms < SP_CLOCK_BUILT_MS - SP_CLOCK_REACH_MS || t_ms > SP_CLOCK_BUILT_MS + 10 * SP_CLOCK_REACH_MS)
		return -ERANGE;
	int64_t half_us = (heard_us - sent_us) / 2;
	// Half of the way there and back, and the part of a millisecond that t_ms does not show.
	struct sp_clock_sample sample = {true, sent_us + half_us, t_ms, err_ms + half_us / 1000 + 2};
	if (!possible(sample.t_ms, sample.err_ms, SP_CLOCK_BUILT_MS))
		return -ERANGE;
	int64_t kept_ms, kept_err_ms;
	if (!sp_clock_trust_hub(trust, sample.mono_us, &kept_ms, &kept_err_ms) ||
	    sample.err_ms <= kept_err_ms || !agree(kept_ms, kept_err_ms, sample.t_ms, sample.err_ms))
		trust->hub = sample;
	// Kept all the same: it may yet show that what was saved is wrong.
	return possible(sample.t_ms, sample.err_ms, earliest(trust)) ? 0 : -ERANGE;
}

bool sp_clock_trust_possible(const struct sp_clock_trust *trust, int64_t t_ms, int64_t err_ms)
{
	return err_ms >= 0 && err_ms <= SP_CLOCK_REACH_MS && t_ms >= 0 &&
	       t_ms <= SP_CLOCK_BUILT_MS + 10 * SP_CLOCK_REACH_MS && possible(t_ms, err_ms, earliest(trust));
}

bool sp_clock_trust_hub(const struct sp_clock_trust *trust, int64_t mono_us, int64_t *t_ms, int64_t *err_ms)
{
	if (!trust->hub.known)
		return false;
	int64_t span_us = mono_us - trust->hub.mono_us;
	*t_ms = trust->hub.t_ms + span_us / 1000;
	*err_ms = grown(trust->hub.err_ms, span_us);
	return true;
}

/// A kernel that contradicts the saved time has said the same for long enough.
static bool insists(struct sp_clock_trust *trust, const struct sp_clock_reading *reading)
{
	struct sp_clock_insistence *kernel = &trust->kernel;
	int64_t span_us = reading->mono_us - kernel->mono_us;
	if (!kernel->on || span_us < 0 ||
	    !agree(reading->wall_ms, reading->err_ms, kernel->wall_ms + span_us / 1000,
		   grown(kernel->err_ms, span_us))) {
		*kernel =
		    (struct sp_clock_insistence){true, reading->mono_us, reading->wall_ms, reading->err_ms};
		return false;
	}
	return span_us >= SP_CLOCK_INSISTS_US;
}

void sp_clock_trust_judge(struct sp_clock_trust *trust, struct sp_clock_reading *reading)
{
	int64_t t_ms = 0, err_ms = 0;
	bool hub = sp_clock_trust_hub(trust, reading->mono_us, &t_ms, &err_ms);
	reading->from = SP_CLOCK_KERNEL;
	bool contradicts = reading->synced && !possible(reading->wall_ms, reading->err_ms, earliest(trust));
	bool could_be = contradicts && possible(reading->wall_ms, reading->err_ms, SP_CLOCK_BUILT_MS);
	bool seconded = hub && agree(reading->wall_ms, reading->err_ms, t_ms, err_ms);
	bool insisted = could_be && (!hub || seconded) && insists(trust, reading);
	if (!could_be || (hub && !seconded))
		trust->kernel.on = false;
	if (could_be && (seconded || insisted))
		trust->saved_ms = 0;
	else if (contradicts)
		reading->doubted = true;
	if (reading->doubted)
		reading->synced = false;
	if (reading->synced || !hub || !possible(t_ms, err_ms, earliest(trust)))
		return;
	reading->synced = true;
	reading->from = SP_CLOCK_HUB;
	reading->wall_ms = t_ms;
	reading->err_ms = err_ms;
}
