// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Drift, NTP and the hands of people. Polls happen when somebody looks: nobody can tell the difference.
#include "tests/sim/clock.h"

enum {
	POLL_US = 16 * 1000 * 1000,
	FIRST_POLL_US = 20 * 1000 * 1000, ///< after boot
	DISCIPLINED_MS = 10,              ///< how wrong NTP leaves the clock, at most
	ERROR_MS = 55,                    ///< what the kernel claims then, with the reading itself
	GROWTH_PPM = 500,                 ///< of the claimed error without NTP, as in the kernel
	UNSYNC_MS = 16 * 1000,            ///< claimed error at which the kernel gives up
};

void sim_clock_init(struct sim_clock *clock, struct sim_world *world, uint64_t seed)
{
	*clock = (struct sim_clock){.world = world, .rng = sim_rng_fork(seed, 'c')};
}

int64_t sim_clock_true_of(const struct sim_clock *clock, int64_t mono_us)
{
	int64_t since = mono_us - clock->begin_us;
	return clock->begin_true_us + since - since / 1000 * clock->world->school.drift_ppm / 1000;
}

int64_t sim_clock_true_us(const struct sim_clock *clock)
{
	return sim_clock_true_of(clock, sp_loop_now_us(clock->loop));
}

int64_t sim_clock_true_ms(const struct sim_clock *clock)
{
	return sim_clock_true_us(clock) / 1000;
}

int64_t sim_clock_until_ms(const struct sim_clock *clock, int64_t true_ms)
{
	int64_t left_ms = (true_ms * 1000 - sim_clock_true_us(clock) + 999) / 1000;
	left_ms += left_ms / 1000 * clock->world->school.drift_ppm / 1000;
	return left_ms > 0 ? left_ms : 0;
}

static bool ntp_answers(struct sim_clock *clock, int64_t true_us)
{
	const struct sim_state *state = sim_world_at(clock->world, true_us / 1000);
	return state->ntp && (sim_path(state, SIM_AT_HOME, 4) || sim_path(state, SIM_AT_HOME, 6));
}

static void poll(struct sim_clock *clock, int64_t true_us)
{
	if (true_us - clock->polled_us < POLL_US)
		return;
	clock->polled_us = true_us;
	if (!ntp_answers(clock, true_us))
		return;
	clock->synced = clock->ever = true;
	clock->heard_us = true_us;
	clock->claim_ms = sim_rng_between(&clock->rng, -DISCIPLINED_MS, DISCIPLINED_MS);
}

/// Somebody turned the hands, or NTP turned them back.
static void step(struct sim_clock *clock, int64_t true_us)
{
	int64_t step_ms = sim_world_at(clock->world, true_us / 1000)->step_ms;
	if (step_ms == clock->stepped_ms)
		return;
	clock->stepped_ms = step_ms;
	if (step_ms == 0)
		return; // stays as wrong as it is until the next poll
	clock->synced = false;
	clock->heard_us = true_us;
	clock->claim_ms = step_ms;
}

static void read_clock(void *arg, struct sp_clock_reading *out)
{
	struct sim_clock *clock = arg;
	int64_t true_us = sim_clock_true_us(clock);
	step(clock, true_us);
	if (clock->stepped_ms == 0)
		poll(clock, true_us);
	int64_t alone_ms = (true_us - clock->heard_us) / 1000;
	int64_t err_ms = ERROR_MS + alone_ms * GROWTH_PPM / 1000000;
	if (err_ms >= UNSYNC_MS)
		clock->synced = false;
	*out = (struct sp_clock_reading){
	    .mono_us = sp_loop_now_us(clock->loop),
	    .synced = clock->synced,
	    .wall_ms =
		true_us / 1000 + clock->claim_ms + alone_ms / 1000 * clock->world->school.drift_ppm / 1000,
	    .err_ms = clock->synced ? err_ms : 0,
	};
	sp_clock_trust_judge(&clock->trust, out);
}

/// Without a battery: 1970, a factory's idea of the future, or the time of the last shutdown.
static int64_t claim_at_boot(struct sim_clock *clock, int64_t true_ms)
{
	switch (sim_rng_between(&clock->rng, 0, 2)) {
	case 0:
		return SIM_BOOT_US / 1000 - true_ms;
	case 1:
		return INT64_C(1988150400000) - true_ms; // 2033
	}
	return -sim_rng_between(&clock->rng, 60 * 1000, 48 * 3600 * 1000);
}

void sim_clock_boot(struct sim_clock *clock, struct sp_loop *loop, int64_t true_ms)
{
	clock->loop = loop;
	clock->begin_us = sp_loop_now_us(loop);
	clock->begin_true_us = true_ms * 1000;
	clock->synced = clock->ever = false;
	clock->stepped_ms = 0;
	clock->claim_ms = claim_at_boot(clock, true_ms);
	clock->heard_us = true_ms * 1000;
	clock->polled_us = true_ms * 1000 + FIRST_POLL_US - POLL_US;
	clock->source = (struct sp_clock_source){.read = read_clock, .arg = clock};
	sp_clock_set_source(&clock->source);
}
