// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Does the first router live? An echo that is answered says so; so does ARP or NDP, which the echo provokes:
// many routers ignore pings, none can ignore its neighbours. The kernel's verdict on a neighbour takes up to
// 9 s (5 s of hope, then three questions a second apart: net.*.neigh.*), so the probe waits for it.
#include "gateway.h"

#include <linux/neighbour.h>
#include <string.h>

enum {
	TRIES = 3,
	SPACING_MS = 300,
	TIMEOUT_MS = 1000,
	WATCH_MS = 500, ///< between looks at the neighbour
	GIVE_UP_US = 10 * 1000 * 1000,
	FILTERED_US =
	    120 * 1000 * 1000, ///< a neighbour that answers for longer than a dead one's entry lives
	CONNECT_PORT = 53,     ///< any port would do: a refusal is an answer
};

static void settle(struct sp_device *dev, struct sp_gateway_family *f, enum sp_rung_status status,
		   int64_t rtt_us, const char *detail)
{
	sp_timer_stop(f->timer);
	f->probing = false;
	if (status != f->status || f->since_us == 0) {
		f->status = status;
		f->since_us = f->began_us;
	}
	struct sp_rung_report report = {.rung = SP_RUNG_GATEWAY,
					.family = f->family,
					.status = status,
					.since_us = f->since_us,
					.rtt_us = rtt_us,
					.detail = detail};
	sp_rung_report(dev, &report);
	sp_gateway_settled(dev);
}

/// No verdict this time: nothing new is reported, the next round asks again.
static void leave(struct sp_device *dev, struct sp_gateway_family *f)
{
	f->probing = false;
	sp_gateway_settled(dev);
}

static void judge_neighbour(struct sp_device *dev, struct sp_gateway_family *f,
			    const struct sp_nl_neighbour *n)
{
	int64_t age_us = sp_device_now_us(dev) - f->began_us;
	bool v6 = f->route.gateway_family == AF_INET6;
	bool confirmed = n->state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP);
	bool fresh = confirmed && n->has_age && n->confirmed_ms * 1000 <= age_us;
	// Somebody told the router to ignore echoes.
	if (fresh && f->status == SP_RUNG_SILENT && f->began_us - f->since_us >= FILTERED_US)
		f->echoes = false;
	if (n->state & NUD_FAILED)
		settle(dev, f, SP_RUNG_SILENT, -1,
		       v6 ? "no answer to echo and NDP" : "no answer to echo and ARP");
	// Before the neighbour's age: TCP passes an acknowledgement of long ago on to it with its next
	// segment, and the kernel takes that for news (sock_confirm_neigh).
	else if (f->echoes)
		settle(dev, f, SP_RUNG_SILENT, -1, "no answer to echo any more");
	else if (fresh)
		settle(dev, f, SP_RUNG_OK, -1, v6 ? "answers NDP" : "answers ARP");
	else if (confirmed && f->status == SP_RUNG_UNKNOWN)
		settle(dev, f, SP_RUNG_OK, -1, v6 ? "answered NDP lately" : "answered ARP lately");
	else if (age_us >= GIVE_UP_US)
		leave(dev, f);
	else
		sp_timer_start(f->timer, WATCH_MS);
}

static void watch_neighbour(struct sp_device *dev, struct sp_gateway_family *f)
{
	struct sp_nl_neighbour neighbour;
	int result = sp_rtnl_neighbour(f->route.index, f->route.gateway_family, f->route.gateway, &neighbour);
	if (result == -ENOENT)
		neighbour = (struct sp_nl_neighbour){.state = NUD_FAILED}; // the failed entry was swept away
	if (result == 0 || result == -ENOENT)
		judge_neighbour(dev, f, &neighbour);
	else
		leave(dev, f);
}

static void router_address(const struct sp_gateway_family *f, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (f->route.gateway_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(CONNECT_PORT);
		memcpy(&in6->sin6_addr, f->route.gateway, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			in6->sin6_scope_id = f->route.index;
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(CONNECT_PORT);
		memcpy(&in->sin_addr, f->route.gateway, 4);
	}
}

static void on_echo(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	struct sp_gateway_family *f = arg;
	if (result->sent_us < f->began_us)
		return; // of an earlier round
	if (result->outcome == SP_PING_ANSWER) {
		f->echoes = true;
		sp_sample(dev, SP_GATEWAY_RTT, f->family == SP_FAMILY_IPV6 ? "ipv6" : "ipv4",
			  (double)result->rtt_us / 1e6);
		if (f->probing || f->status == SP_RUNG_SILENT)
			settle(dev, f, SP_RUNG_OK, result->rtt_us, "answers echo");
	} else if (f->probing && ++f->lost >= TRIES) {
		watch_neighbour(dev, f);
	}
}

static void on_connect(struct sp_device *dev, int result, const uint8_t *data, size_t length,
		       int64_t elapsed_us, void *arg)
{
	(void)data, (void)length;
	struct sp_gateway_family *f = arg;
	f->connect = NULL;
	if (!f->probing)
		return;
	if (result == 0 || result == -ECONNREFUSED)
		settle(dev, f, SP_RUNG_OK, elapsed_us, "answers TCP");
	else
		watch_neighbour(dev, f);
}

/// Without the right to send echoes, a handshake provokes ARP as well.
static void try_connect(struct sp_device *dev, struct sp_gateway_family *f)
{
	struct sp_endpoint router = {0};
	router_address(f, &router.address);
	memcpy(router.interface, f->interface, sizeof(router.interface));
	sp_exchange_cancel(f->connect);
	f->connect = sp_tcp_connect(dev, &router, TIMEOUT_MS, on_connect, f);
}

static void try_echo(struct sp_device *dev, struct sp_gateway_family *f)
{
	struct sockaddr_storage router;
	router_address(f, &router);
	f->sent++;
	int result = sp_ping_send(f->ping, &router, TIMEOUT_MS, on_echo, f);
	if (result == -EPERM) {
		f->sent = TRIES;
		try_connect(dev, f);
		return;
	}
	if (result < 0 && ++f->lost >= TRIES)
		watch_neighbour(dev, f);
	else if (f->sent < TRIES)
		sp_timer_start(f->timer, SPACING_MS);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	struct sp_gateway_family *f = arg;
	if (f->sent < TRIES)
		try_echo(dev, f);
	else
		watch_neighbour(dev, f);
}

void sp_gateway_probe(struct sp_device *dev, struct sp_ping *ping, struct sp_gateway_family *f)
{
	f->ping = ping;
	f->began_us = sp_device_now_us(dev);
	f->sent = f->lost = 0;
	if (f->route.gateway_family == AF_UNSPEC) {
		settle(dev, f, SP_RUNG_UNKNOWN, -1, "no router between: a point-to-point link");
		return;
	}
	f->probing = true;
	try_echo(dev, f);
}

void sp_gateway_probe_cancel(struct sp_device *dev, struct sp_gateway_family *f)
{
	sp_timer_stop(f->timer);
	sp_exchange_cancel(f->connect);
	f->connect = NULL;
	f->echoes = false;
	f->began_us = sp_device_now_us(dev);
	f->since_us = 0;
	if (f->status != SP_RUNG_UNKNOWN) {
		f->status = SP_RUNG_UNKNOWN;
		struct sp_rung_report report = {.rung = SP_RUNG_GATEWAY,
						.family = f->family,
						.status = f->status,
						.since_us = f->began_us,
						.rtt_us = -1,
						.detail = "the route changed"};
		sp_rung_report(dev, &report);
	}
	if (!f->probing)
		return;
	f->probing = false;
	sp_gateway_settled(dev);
}

void sp_gateway_family_init(struct sp_device *dev, struct sp_gateway_family *f, enum sp_family family)
{
	f->family = family;
	f->timer = sp_timer_new(dev, on_timer, f);
}

void sp_gateway_family_free(struct sp_gateway_family *f)
{
	sp_exchange_cancel(f->connect);
	sp_timer_free(f->timer);
}
