// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/gateway_ask.h in the simulated world: the router answers ARP and NDP while it lives.
#include <errno.h>

#include "agent/base/mem.h"
#include "drivers/link/gateway_ask.h"
#include "schoolpulse/io.h"
#include "tests/sim/net.h"

enum { RTT_MS = 2 };

struct sp_ask {
	struct sp_device *dev;
	struct sp_timer *timer;
	sp_ask_fn fn;
	void *arg;
	int64_t sent_us;
	unsigned sent;
};

static void answered(struct sp_device *dev, void *arg)
{
	struct sp_ask *ask = arg;
	ask->fn(dev, ask->sent == 1 ? sp_device_now_us(dev) - ask->sent_us : -1, ask->arg);
}

int sp_ask_open(struct sp_device *dev, const struct sp_ask_whom *whom, sp_ask_fn fn, void *arg,
		struct sp_ask **out)
{
	(void)whom;
	if (!sim_net->world->school.may_ask)
		return -EPERM;
	struct sp_ask *ask = sp_alloc(sizeof(*ask));
	*ask = (struct sp_ask){.dev = dev, .fn = fn, .arg = arg};
	ask->timer = sp_timer_new(dev, answered, ask);
	*out = ask;
	return 0;
}

int sp_ask_send(struct sp_ask *ask, bool broad)
{
	(void)broad;
	const struct sim_state *state = sim_net_state();
	ask->sent++;
	ask->sent_us = sp_device_now_us(ask->dev);
	if (state->carrier && state->router)
		sp_timer_start(ask->timer, RTT_MS);
	return 0;
}

void sp_ask_free(struct sp_ask *ask)
{
	if (!ask)
		return;
	sp_timer_free(ask->timer);
	free(ask);
}
