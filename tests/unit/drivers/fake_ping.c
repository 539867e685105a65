// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Scripted echo probes (fake_ping.h), on fake_io.h's timers.
#include "fake_ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "drivers/link/ping.h"
#include "drivers/link/route.h"
#include "fake_io.h"

enum { SENT_MAX = 8192, PROBE_V4 = 36, PROBE_V6 = 56 };

struct probe {
	struct sp_ping *ping;
	struct probe *next;
	struct sp_timer *timer;
	struct fake_echo script;
	int64_t sent_us;
	size_t bytes, ip;
	struct sockaddr_storage to;
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
	fake_routes_reset();
}

// ---- the kernel's routes --------------------------------------------------------------------

struct fake_route fake_routes[2];
int64_t fake_ping_takes_us;

void fake_routes_reset(void)
{
	fake_routes[0] = (struct fake_route){"192.168.1.10", 1500};
	fake_routes[1] = (struct fake_route){"2001:db8:77::10", 1500};
}

static struct sockaddr_storage address_of(const char *text)
{
	struct sp_endpoint endpoint;
	assert_int_equal(sp_endpoint_parse(&endpoint, text, 0), 0);
	return endpoint.address;
}

int sp_route_look(const struct sockaddr_storage *to, const char *interface, struct sp_route *out)
{
	(void)interface;
	const struct fake_route *route = &fake_routes[to->ss_family == AF_INET6];
	if (!route->source[0])
		return -ENETUNREACH;
	*out = (struct sp_route){.source = address_of(route->source), .mtu = route->mtu};
	return 0;
}

// ---- echoes ---------------------------------------------------------------------------------

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
	} else if (probe->script.expired) {
		result.outcome = SP_PING_EXPIRED;
		result.error = "hop limit exceeded";
		result.from = address_of(probe->script.expired);
		result.rtt_us = dev->now_us - probe->sent_us;
		result.bytes = 2 * probe->bytes + probe->ip + 8;
	} else if (probe->script.mtu) {
		result.outcome = SP_PING_TOO_BIG;
		result.error = "packet too big";
		result.mtu = probe->script.mtu;
	} else if (answer) {
		result.from = probe->to;
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
	struct sp_ping_question question = {.to = to, .timeout_ms = timeout_ms};
	return sp_ping_ask(ping, &question, fn, arg);
}

int sp_ping_ask(struct sp_ping *ping, const struct sp_ping_question *question, sp_ping_fn fn, void *arg)
{
	if (!permitted)
		return -EPERM;
	const struct sockaddr_storage *to = question->to;
	char text[INET6_ADDRSTRLEN] = "";
	bool v6 = to->ss_family == AF_INET6;
	size_t least = v6 ? PROBE_V6 : PROBE_V4, size = question->size > least ? question->size : least;
	struct fake_echo echo = {.ttl = question->ttl, .size = size};
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
	ping->dev->now_us += fake_ping_takes_us;
	struct probe *probe = calloc(1, sizeof(*probe));
	*probe = (struct probe){.ping = ping,
				.next = ping->probes,
				.script = echo,
				.sent_us = ping->dev->now_us,
				.bytes = size,
				.ip = v6 ? 40 : 20,
				.to = *to,
				.fn = fn,
				.arg = arg};
	ping->probes = probe;
	probe->timer = sp_timer_new(ping->dev, fire, probe);
	bool error = echo.refuse || echo.expired || echo.mtu;
	bool soon = error || (echo.answer && echo.rtt_ms < question->timeout_ms);
	sp_timer_start(probe->timer, soon ? echo.rtt_ms : question->timeout_ms);
	return 0;
}
