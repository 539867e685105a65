// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// drivers/link/ping.h in the simulated world.
#include <errno.h>
#include <netinet/in.h>

#include "agent/base/mem.h"
#include "drivers/link/ping.h"
#include "schoolpulse/io.h"
#include "tests/sim/net.h"

enum { PROBE_V4 = 36, PROBE_V6 = 56 };

struct probe {
	struct probe *next;
	struct sp_ping *ping;
	struct sp_timer *timer;
	struct sim_trip trip;
	int64_t sent_us, timeout_ms;
	size_t bytes;
	bool told;
	sp_ping_fn fn;
	void *arg;
};

struct sp_ping {
	struct sp_device *dev;
	struct probe *probes;
};

struct sp_ping *sp_ping_new(struct sp_device *dev, const char *interface)
{
	(void)interface;
	struct sp_ping *ping = sp_alloc(sizeof(*ping));
	ping->dev = dev;
	return ping;
}

static void forget(struct probe *probe)
{
	struct probe **at = &probe->ping->probes;
	while (*at != probe)
		at = &(*at)->next;
	*at = probe->next;
	sp_timer_free(probe->timer);
	free(probe);
}

void sp_ping_free(struct sp_ping *ping)
{
	if (!ping)
		return;
	while (ping->probes)
		forget(ping->probes);
	free(ping);
}

bool sp_ping_permitted(struct sp_ping *ping, int family)
{
	(void)ping, (void)family;
	return true;
}

static void due(struct sp_device *dev, void *arg)
{
	struct probe *probe = arg;
	bool late = probe->trip.back && !probe->told && probe->trip.rtt_ms > probe->timeout_ms;
	bool answer = probe->trip.back && !late;
	enum sp_ping_outcome back = probe->trip.expired ? SP_PING_EXPIRED : SP_PING_ANSWER;
	struct sp_ping_result result = {.outcome = answer ? back : SP_PING_LOST,
					.from = probe->trip.from,
					.sent_us = probe->sent_us,
					.rtt_us = answer ? sp_device_now_us(dev) - probe->sent_us : -1,
					.bytes = answer && !probe->told ? 2 * probe->bytes : probe->bytes};
	sp_ping_fn fn = probe->fn;
	void *fn_arg = probe->arg;
	probe->told = true;
	if (late)
		sp_timer_start(probe->timer, probe->trip.rtt_ms - probe->timeout_ms);
	else
		forget(probe);
	fn(dev, &result, fn_arg);
}

int sp_ping_ask(struct sp_ping *ping, const struct sp_ping_question *question, sp_ping_fn fn, void *arg)
{
	bool v6 = question->to->ss_family == AF_INET6;
	if (!sim_net_has_route(v6 ? 6 : 4))
		return -ENETUNREACH;
	struct probe *probe = sp_alloc(sizeof(*probe));
	*probe = (struct probe){.next = ping->probes,
				.ping = ping,
				.trip = sim_net_trip(question->to, question->ttl, question->size),
				.sent_us = sp_device_now_us(ping->dev),
				.timeout_ms = question->timeout_ms,
				.bytes = question->size ? question->size
					 : v6           ? PROBE_V6
							: PROBE_V4,
				.fn = fn,
				.arg = arg};
	ping->probes = probe;
	probe->timer = sp_timer_new(ping->dev, due, probe);
	bool soon = probe->trip.back && probe->trip.rtt_ms <= question->timeout_ms;
	sp_timer_start(probe->timer, soon ? probe->trip.rtt_ms : question->timeout_ms);
	return 0;
}

int sp_ping_send(struct sp_ping *ping, const struct sockaddr_storage *to, int64_t timeout_ms, sp_ping_fn fn,
		 void *arg)
{
	const struct sp_ping_question plain = {.to = to, .timeout_ms = timeout_ms};
	return sp_ping_ask(ping, &plain, fn, arg);
}
