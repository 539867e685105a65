// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Does the first router live? An echo that is answered says so; so does ARP or NDP: many routers ignore
// pings, none can ignore its neighbours. Where we may not ask these ourselves (no CAP_NET_RAW), the kernel
// does, slowly: its verdict takes up to 9 s (5 s of hope, then three questions a second apart:
// net.*.neigh.*).
#include "gateway.h"

#include <linux/neighbour.h>
#include <string.h>

enum {
	ECHOES = 3,
	ASKS = 3,
	SPACING_MS = 300,
	LAST_MS = 600,          ///< from the last question to the verdict: ARP is answered by slow processors
	ECHO_TIMEOUT_MS = 1000, ///< a later answer counts as well
	CONNECT_MS = 1000,
	ECHO_EVERY_US = 9500 * 1000, ///< while it lives: ARP and NDP cost no byte of IP
	WATCH_MS = 500,              ///< between looks at the neighbour
	GIVE_UP_US = 10 * 1000 * 1000,
	FILTERED_US =
	    120 * 1000 * 1000, ///< a neighbour that answers for longer than a dead one's entry lives
	CONNECT_PORT = 53,     ///< any port would do: a refusal is an answer
};

/// What the router's answer, or its silence, is called: for translators and for people.
struct word {
	const char *reason, *detail;
};

static bool is_v6(const struct sp_gateway_family *f)
{
	return f->route.gateway_family == AF_INET6;
}

static const char *target_of(const struct sp_gateway_family *f)
{
	return f->family == SP_FAMILY_IPV6 ? "ipv6" : "ipv4";
}

static void stop_asking(struct sp_gateway_family *f)
{
	sp_timer_stop(f->timer);
	sp_ask_free(f->ask);
	f->ask = NULL;
	f->probing = false;
}

static void settle(struct sp_device *dev, struct sp_gateway_family *f, enum sp_rung_status status,
		   int64_t rtt_us, const struct word *word)
{
	stop_asking(f);
	if (status != f->status || f->since_us == 0) {
		f->status = status;
		f->since_us = f->began_us;
	}
	struct sp_rung_report report = {.rung = SP_RUNG_GATEWAY,
					.family = f->family,
					.status = status,
					.since_us = f->since_us,
					.rtt_us = rtt_us,
					.detail = word->detail,
					.reason = word->reason};
	sp_rung_report(dev, &report);
	sp_gateway_settled(dev);
}

/// No verdict this time: nothing new is reported, the next round asks again.
static void leave(struct sp_device *dev, struct sp_gateway_family *f)
{
	stop_asking(f);
	sp_gateway_settled(dev);
}

static const struct word *by_neighbour(const struct sp_gateway_family *f)
{
	static const struct word arp = {"arp", "answers ARP"}, ndp = {"ndp", "answers NDP"};
	return is_v6(f) ? &ndp : &arp;
}

static const struct word *silent_word(const struct sp_gateway_family *f)
{
	static const struct word arp = {"no_answer", "no answer to echo and ARP"},
				 ndp = {"no_answer", "no answer to echo and NDP"};
	return is_v6(f) ? &ndp : &arp;
}

// ---- the kernel's word ------------------------------------------------------------------------

static void judge_neighbour(struct sp_device *dev, struct sp_gateway_family *f,
			    const struct sp_nl_neighbour *n)
{
	static const struct word no_echo = {"no_answer", "no answer to echo any more"},
				 arp = {"from_memory", "answered ARP lately"},
				 ndp = {"from_memory", "answered NDP lately"};
	int64_t age_us = sp_device_now_us(dev) - f->began_us;
	bool confirmed = n->state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP);
	bool fresh = confirmed && n->has_age && n->confirmed_ms * 1000 <= age_us;
	// Somebody told the router to ignore echoes.
	if (fresh && f->status == SP_RUNG_SILENT && f->began_us - f->since_us >= FILTERED_US)
		f->echoes = false;
	if (n->state & NUD_FAILED)
		settle(dev, f, SP_RUNG_SILENT, -1, silent_word(f));
	// Before the neighbour's age: TCP passes an acknowledgement of long ago on to it with its next
	// segment, and the kernel takes that for news (sock_confirm_neigh).
	else if (f->echoes)
		settle(dev, f, SP_RUNG_SILENT, -1, &no_echo);
	else if (fresh)
		settle(dev, f, SP_RUNG_OK, -1, by_neighbour(f));
	else if (confirmed && f->status == SP_RUNG_UNKNOWN)
		settle(dev, f, SP_RUNG_OK, -1, is_v6(f) ? &ndp : &arp);
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

// ---- questions --------------------------------------------------------------------------------

static void on_echo(struct sp_device *dev, const struct sp_ping_result *result, void *arg)
{
	static const struct word word = {"echo", "answers echo"};
	struct sp_gateway_family *f = arg;
	// Only an answer counts: silence is judged when all questions were asked. One of an earlier round
	// says nothing of now.
	if (result->sent_us < f->began_us || result->outcome != SP_PING_ANSWER)
		return;
	f->echoes = true;
	sp_sample(dev, SP_GATEWAY_RTT, target_of(f), (double)result->rtt_us / 1e6);
	if (f->probing || f->status == SP_RUNG_SILENT)
		settle(dev, f, SP_RUNG_OK, result->rtt_us, &word);
}

static void on_neighbour(struct sp_device *dev, int64_t rtt_us, void *arg)
{
	struct sp_gateway_family *f = arg;
	if (rtt_us >= 0)
		sp_sample(dev, SP_GATEWAY_RTT, target_of(f), (double)rtt_us / 1e6);
	settle(dev, f, SP_RUNG_OK, rtt_us, by_neighbour(f));
}

static void on_connect(struct sp_device *dev, int result, const uint8_t *data, size_t length,
		       int64_t elapsed_us, void *arg)
{
	static const struct word word = {"tcp", "answers TCP"};
	(void)data, (void)length;
	struct sp_gateway_family *f = arg;
	f->connect = NULL;
	if (f->probing && (result == 0 || result == -ECONNREFUSED))
		settle(dev, f, SP_RUNG_OK, elapsed_us, &word);
}

/// Without the right to send anything better, a handshake provokes ARP as well.
static void try_connect(struct sp_device *dev, struct sp_gateway_family *f)
{
	struct sp_endpoint router = {0};
	router_address(f, &router.address);
	memcpy(router.interface, f->interface, sizeof(router.interface));
	sp_exchange_cancel(f->connect);
	f->connect = sp_tcp_connect(dev, &router, CONNECT_MS, on_connect, f);
}

static void try_echo(struct sp_device *dev, struct sp_gateway_family *f)
{
	struct sockaddr_storage router;
	f->echo_us = sp_device_now_us(dev);
	router_address(f, &router);
	int result = sp_ping_send(f->ping, &router, ECHO_TIMEOUT_MS, on_echo, f);
	f->may_echo = result != -EPERM;
}

/// False when it is not for us to ask.
static bool try_ask(struct sp_device *dev, struct sp_gateway_family *f)
{
	struct sp_ask_whom whom = {.index = f->route.index, .family = f->route.gateway_family};
	memcpy(whom.interface, f->interface, sizeof(whom.interface));
	memcpy(whom.address, f->route.gateway, sizeof(whom.address));
	f->may_ask = f->ask || sp_ask_open(dev, &whom, on_neighbour, f, &f->ask) == 0;
	// Its link address may be another by now: after the first question all are asked.
	if (!f->may_ask || sp_ask_send(f->ask, f->asked > 0) < 0)
		return false;
	f->asked++;
	return true;
}

/// One step per SPACING_MS: echoes, and behind the first one that is late ARP or NDP. A router that is not
/// known to answer echoes is asked both ways at once; where an echo can be spared, the other way first.
static void step(struct sp_device *dev, struct sp_gateway_family *f)
{
	unsigned n = f->step++;
	unsigned first = f->echoes && !f->spare ? 1 : 0;
	bool asked = n >= first && n < first + ASKS && try_ask(dev, f);
	if (n < ECHOES && f->may_echo && !(n == 0 && f->spare && asked))
		try_echo(dev, f);
	if (n == first && !asked && !f->may_echo)
		try_connect(dev, f);
	sp_timer_start(f->timer, n < ASKS ? SPACING_MS : LAST_MS);
}

static void on_timer(struct sp_device *dev, void *arg)
{
	struct sp_gateway_family *f = arg;
	if (f->step <= ASKS)
		step(dev, f);
	else if (f->asked)
		settle(dev, f, SP_RUNG_SILENT, -1, silent_word(f));
	else
		watch_neighbour(dev, f);
}

void sp_gateway_probe(struct sp_device *dev, struct sp_ping *ping, struct sp_gateway_family *f)
{
	static const struct word no_router = {"no_router", "no router between: a point-to-point link"};
	f->ping = ping;
	f->began_us = sp_device_now_us(dev);
	f->step = f->asked = 0;
	f->may_echo = true;
	f->spare = f->may_ask && f->status == SP_RUNG_OK && f->began_us - f->echo_us < ECHO_EVERY_US;
	if (f->route.gateway_family == AF_UNSPEC) {
		settle(dev, f, SP_RUNG_UNKNOWN, -1, &no_router);
		return;
	}
	f->probing = true;
	step(dev, f);
}

void sp_gateway_probe_cancel(struct sp_device *dev, struct sp_gateway_family *f)
{
	bool probing = f->probing;
	stop_asking(f);
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
						.detail = "the route changed",
						.reason = "route_changed"};
		sp_rung_report(dev, &report);
	}
	if (probing)
		sp_gateway_settled(dev);
}

void sp_gateway_family_init(struct sp_device *dev, struct sp_gateway_family *f, enum sp_family family)
{
	f->family = family;
	f->timer = sp_timer_new(dev, on_timer, f);
}

void sp_gateway_family_free(struct sp_gateway_family *f)
{
	sp_ask_free(f->ask);
	sp_exchange_cancel(f->connect);
	sp_timer_free(f->timer);
}
