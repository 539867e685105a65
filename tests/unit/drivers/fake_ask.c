// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Scripted neighbours (fake_ask.h).
#include "fake_ask.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/link/gateway_ask.h"
#include "schoolpulse/io.h"

struct sp_ask {
	struct sp_device *dev;
	struct sp_ask_whom whom;
	struct sp_timer *timer;
	unsigned sent;
	int64_t sent_us;
	sp_ask_fn fn;
	void *arg;
};

struct fake_asks fake_asks;

void fake_ask_reset(void)
{
	memset(&fake_asks, 0, sizeof(fake_asks));
	fake_asks.open_result = -EPERM;
	fake_asks.rtt_ms = 2;
}

static void answer(struct sp_device *dev, void *arg)
{
	struct sp_ask *ask = arg;
	ask->fn(dev, ask->sent == 1 ? sp_device_now_us(dev) - ask->sent_us : -1, ask->arg);
}

int sp_ask_open(struct sp_device *dev, const struct sp_ask_whom *whom, sp_ask_fn fn, void *arg,
		struct sp_ask **out)
{
	if (fake_asks.open_result < 0)
		return fake_asks.open_result;
	fake_asks.opened++;
	fake_asks.open++;
	*out = calloc(1, sizeof(**out));
	**out = (struct sp_ask){.dev = dev, .whom = *whom, .fn = fn, .arg = arg};
	(*out)->timer = sp_timer_new(dev, answer, *out);
	return 0;
}

int sp_ask_send(struct sp_ask *ask, bool broad)
{
	if (fake_asks.send_result < 0)
		return fake_asks.send_result;
	fake_asks.sent++;
	fake_asks.broad += broad;
	ask->sent++;
	ask->sent_us = sp_device_now_us(ask->dev);
	bool answers = ask->whom.family == AF_INET6 ? fake_asks.answers6 : fake_asks.answers4;
	if (answers && (broad || !fake_asks.broad_only))
		sp_timer_start(ask->timer, fake_asks.rtt_ms);
	return 0;
}

void sp_ask_free(struct sp_ask *ask)
{
	if (!ask)
		return;
	fake_asks.open--;
	sp_timer_free(ask->timer);
	free(ask);
}
