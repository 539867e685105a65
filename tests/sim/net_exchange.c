// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The exchanges of io.h in the simulated world: DNS by UDP, handshakes, and the portal check by HTTP.
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"
#include "tests/sim/net.h"

enum {
	DATAGRAM = 512,
	QUESTION = 12, ///< where it begins
	TRIES = 4,     ///< of TCP
	RETRY_MS = 1000,
};

struct sp_exchange {
	struct sp_resource open;
	struct sp_loop_timer *timer;
	int64_t began_us;
	int result;
	uint8_t data[DATAGRAM];
	size_t length;
	bool over;
	sp_accept_fn accept;
	sp_exchange_fn done;
	void *arg;
};

struct sp_http {
	struct sp_resource open;
	struct sp_loop_timer *timer;
	int64_t began_us;
	struct sp_http_answer answer;
	bool over;
	sp_http_fn done;
	void *arg;
};

// ---- exchanges ------------------------------------------------------------------------------------------

static void close_exchange(struct sp_resource *resource)
{
	struct sp_exchange *exchange = (struct sp_exchange *)resource;
	sp_loop_timer_free(sp_device_loop(resource->dev), exchange->timer);
	sp_resource_unlink(resource);
	free(exchange);
}

static void exchange_due(void *arg)
{
	struct sp_exchange *exchange = arg;
	struct sp_device *dev = exchange->open.dev;
	if (exchange->result == 0 && exchange->accept &&
	    !exchange->accept(exchange->data, exchange->length, exchange->arg))
		exchange->result = -ETIMEDOUT;
	sp_loop_timer_free(sp_device_loop(dev), exchange->timer);
	sp_resource_unlink(&exchange->open);
	exchange->over = true;
	bool good = exchange->result == 0;
	exchange->done(dev, exchange->result, good ? exchange->data : NULL, good ? exchange->length : 0,
		       sp_device_now_us(dev) - exchange->began_us, exchange->arg);
	free(exchange);
}

static struct sp_exchange *begin(struct sp_device *dev, int result, int64_t delay_ms, sp_exchange_fn done,
				 void *arg)
{
	struct sp_exchange *exchange = sp_alloc(sizeof(*exchange));
	exchange->result = result;
	exchange->done = done;
	exchange->arg = arg;
	exchange->began_us = sp_device_now_us(dev);
	exchange->timer = sp_loop_timer_new(sp_device_loop(dev), exchange_due, exchange);
	sp_resource_open(&exchange->open, dev, close_exchange);
	sp_loop_timer_start(sp_device_loop(dev), exchange->timer, delay_ms);
	return exchange;
}

static bool can_send(const struct sockaddr_storage *to)
{
	return sim_net_has_route(to->ss_family == AF_INET6 ? 6 : 4);
}

static bool is_resolver(const struct sockaddr_storage *to)
{
	struct in_addr router;
	inet_pton(AF_INET, SIM_ROUTER4, &router);
	return to->ss_family == AF_INET && ((const struct sockaddr_in *)to)->sin_addr.s_addr == router.s_addr;
}

/// The router's resolver asks the provider's; anchors that serve DNS answer by themselves.
static bool resolves(const struct sockaddr_storage *to)
{
	const struct sim_state *state = sim_net_state();
	return !is_resolver(to) ||
	       (state->dns && (sim_path(state, SIM_AT_HOME, 4) || sim_path(state, SIM_AT_HOME, 6)));
}

/// RFC 1035: the question as it came, and one address.
static size_t make_answer(uint8_t out[DATAGRAM], const uint8_t *question, size_t length)
{
	static const uint8_t record[] = {0xc0, QUESTION, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 80};
	if (length < QUESTION || length + sizeof(record) > DATAGRAM)
		return 0;
	memcpy(out, question, length);
	memcpy(out + length, record, sizeof(record));
	out[2] |= 0x80; // a response
	out[3] = 0x80;  // recursion is available, no error
	out[6] = 0;
	out[7] = 1;
	return length + sizeof(record);
}

struct sp_exchange *sp_udp_exchange(struct sp_device *dev, const struct sp_endpoint *peer,
				    const uint8_t *data, size_t length, int64_t timeout_ms,
				    sp_accept_fn accept, sp_exchange_fn done, void *arg)
{
	if (!can_send(&peer->address))
		return begin(dev, -ENETUNREACH, 0, done, arg);
	struct sim_trip trip = sim_net_datagram(&peer->address);
	bool answered = trip.back && trip.rtt_ms <= timeout_ms && resolves(&peer->address);
	struct sp_exchange *exchange =
	    begin(dev, answered ? 0 : -ETIMEDOUT, answered ? trip.rtt_ms : timeout_ms, done, arg);
	exchange->accept = accept;
	exchange->length = make_answer(exchange->data, data, length);
	return exchange;
}

/// A handshake repeats what was lost, while its time lasts.
static bool handshake(const struct sockaddr_storage *to, int64_t timeout_ms, int64_t *took_ms)
{
	*took_ms = 0;
	for (int i = 0; i < TRIES; i++) {
		struct sim_trip trip = sim_net_datagram(to);
		if (trip.back && *took_ms + trip.rtt_ms <= timeout_ms) {
			*took_ms += trip.rtt_ms;
			return true;
		}
		*took_ms += (int64_t)RETRY_MS << i;
	}
	*took_ms = timeout_ms;
	return false;
}

struct sp_exchange *sp_tcp_connect(struct sp_device *dev, const struct sp_endpoint *peer, int64_t timeout_ms,
				   sp_exchange_fn done, void *arg)
{
	int64_t took_ms;
	if (!can_send(&peer->address))
		return begin(dev, -ENETUNREACH, 0, done, arg);
	bool back = handshake(&peer->address, timeout_ms, &took_ms);
	return begin(dev, back ? 0 : -ETIMEDOUT, took_ms, done, arg);
}

void sp_exchange_cancel(struct sp_exchange *exchange)
{
	if (exchange && !exchange->over)
		close_exchange(&exchange->open);
}

// ---- HTTP ---------------------------------------------------------------------------------------------

static void close_http(struct sp_resource *resource)
{
	struct sp_http *http = (struct sp_http *)resource;
	sp_loop_timer_free(sp_device_loop(resource->dev), http->timer);
	sp_resource_unlink(resource);
	free(http);
}

static void http_due(void *arg)
{
	struct sp_http *http = arg;
	struct sp_device *dev = http->open.dev;
	http->answer.elapsed_us = sp_device_now_us(dev) - http->began_us;
	sp_loop_timer_free(sp_device_loop(dev), http->timer);
	sp_resource_unlink(&http->open);
	http->over = true;
	http->done(dev, &http->answer, http->arg);
	free(http);
}

static int64_t fetch(const struct sp_http_request *request, struct sp_http_answer *answer)
{
	static const char login[] = "<html><title>Login</title></html>";
	struct sp_endpoint host;
	int64_t took_ms = 0;
	*answer = (struct sp_http_answer){.result = -ETIMEDOUT, .error = "timed out", .location = ""};
	const struct sim_state *state = sim_net_state();
	if (!sim_net_has_route(4) || sp_endpoint_parse(&host, SIM_PORTAL_HOST, 80)) {
		*answer =
		    (struct sp_http_answer){.result = -ENETUNREACH, .error = "no route", .location = ""};
		return 0;
	}
	if (state->portal && sim_path(state, SIM_AT_ACCESS, 4)) {
		*answer = (struct sp_http_answer){.status = 200,
						  .error = "",
						  .location = "",
						  .body = (const uint8_t *)login,
						  .length = sizeof(login) - 1,
						  .family = SP_FAMILY_IPV4};
		return 20;
	}
	if (!handshake(&host.address, request->timeout_ms, &took_ms))
		return request->timeout_ms;
	*answer =
	    (struct sp_http_answer){.status = 204, .error = "", .location = "", .family = SP_FAMILY_IPV4};
	return took_ms;
}

struct sp_http *sp_http_get(struct sp_device *dev, const struct sp_http_request *request, sp_http_fn done,
			    void *arg)
{
	struct sp_http *http = sp_alloc(sizeof(*http));
	http->done = done;
	http->arg = arg;
	http->began_us = sp_device_now_us(dev);
	int64_t delay_ms = fetch(request, &http->answer);
	http->timer = sp_loop_timer_new(sp_device_loop(dev), http_due, http);
	sp_resource_open(&http->open, dev, close_http);
	sp_loop_timer_start(sp_device_loop(dev), http->timer, delay_ms);
	return http;
}

void sp_http_cancel(struct sp_http *http)
{
	if (http && !http->over)
		close_http(&http->open);
}

/// Nothing is kept between transfers here.
void sp_http_pool_free(struct sp_http_pool *pool)
{
	(void)pool;
}
