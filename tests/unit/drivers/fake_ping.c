// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Scripted echo probes (fake_ping.h), on fake_io.h's timers.
#include "fake_ping.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/ping.h"
#include "fake_io.h"

enum { SENT_MAX = 8192, PROBE_V4 = 40, PROBE_V6 = 60 };

struct probe {
	struct sp_ping *ping;
	struct probe *next;
	struct sp_timer *timer;
	struct fake_echo script;
	int64_t sent_us;
	size_t bytes;
	bool told;
	sp_ping_fn fn;
	void *arg;
};

struct sp_ping {
	struct sp_device *dev;
	struct probe *probes;
};

static fake_echo_fn script;
static bool permitted;
static char sent[SENT_MAX][INET6_ADDRSTRLEN];
static unsigned sent_count;

void fake_ping(fake_echo_fn fn, bool may)
{
	script = fn;
	permitted = may;
	sent_count = 0;
}

unsigned fake_ping_count(const char *to)
{
	unsigned count = 0;
	for (unsigned i = 0; i < sent_count; i++)
		count += !to || strcmp(sent[i], to) == 0;
	return count;
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

static void fire(struct sp_device *dev, void *arg)
{
	struct probe *probe = arg;
	struct sp_ping_result result = {.sent_us = probe->sent_us, .rtt_us = -1, .bytes = probe->bytes};
	int64_t age_ms = (dev->now_us - probe->sent_us) / 1000;
	bool answer = probe->script.answer && age_ms >= probe->script.rtt_ms;
	if (probe->script.refuse) {
		result.outcome = SP_PING_REFUSED;
		result.error = probe->script.refuse;
	} else if (answer) {
		result.outcome = SP_PING_ANSWER;
		result.rtt_us = dev->now_us - probe->sent_us;
		result.bytes = probe->told ? probe->bytes : 2 * probe->bytes;
	} else {
		result.outcome = SP_PING_LOST;
	}
	sp_ping_fn fn = probe->fn;
	void *fn_arg = probe->arg;
	if (result.outcome == SP_PING_LOST && probe->script.answer) {
		probe->told = true;
		sp_timer_start(probe->timer, probe->script.rtt_ms - age_ms);
	} else {
		forget(probe);
	}
	fn(dev, &result, fn_arg);
}

struct sp_ping *sp_ping_new(struct sp_device *dev, const char *interface)
{
	(void)interface;
	struct sp_ping *ping = calloc(1, sizeof(*ping));
	ping->dev = dev;
	return ping;
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
	return permitted;
}

int sp_ping_send(struct sp_ping *ping, const struct sockaddr_storage *to, int64_t timeout_ms, sp_ping_fn fn,
		 void *arg)
{
	if (!permitted)
		return -EPERM;
	struct fake_echo echo = {0};
	char text[INET6_ADDRSTRLEN] = "";
	bool v6 = to->ss_family == AF_INET6;
	if (v6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)to)->sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &((const struct sockaddr_in *)to)->sin_addr, text, sizeof(text));
	if (script)
		script(ping->dev, text, &echo);
	if (echo.sent < 0)
		return echo.sent;
	if (sent_count < SENT_MAX)
		memcpy(sent[sent_count++], text, sizeof(text));
	struct probe *probe = calloc(1, sizeof(*probe));
	*probe = (struct probe){.ping = ping,
				.next = ping->probes,
				.script = echo,
				.sent_us = ping->dev->now_us,
				.bytes = v6 ? PROBE_V6 : PROBE_V4,
				.fn = fn,
				.arg = arg};
	ping->probes = probe;
	probe->timer = sp_timer_new(ping->dev, fire, probe);
	bool soon = echo.refuse || (echo.answer && echo.rtt_ms < timeout_ms);
	sp_timer_start(probe->timer, soon ? echo.rtt_ms : timeout_ms);
	return 0;
}
