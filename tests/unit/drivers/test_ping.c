// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which message answers which probe: true replies, late ones, forged ones, errors; over a scripted socket.
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/ping.h"
#include "drivers/link/ping_socket.h"
#include "fake_io.h"

enum { ID = 0x77aa };

// ---- the scripted socket --------------------------------------------------------------------

static struct {
	int open_result, send_result;
	unsigned opened, closed;
	struct sp_icmp_echo sent[128];
	struct sockaddr_storage to[128];
	size_t sent_count, size;
	unsigned ttl;
	struct sp_icmp_message queue[8];
	struct sockaddr_storage from[8];
	size_t queued;
} wire;

int sp_ping_socket_open(struct sp_ping_socket *out, bool ipv6, const char *interface)
{
	(void)interface;
	*out = (struct sp_ping_socket){.fd = -1, .ipv6 = ipv6, .id = ID};
	if (wire.open_result < 0)
		return wire.open_result;
	wire.opened++;
	out->fd = 1000 + ipv6;
	return 0;
}

void sp_ping_socket_close(struct sp_ping_socket *s)
{
	wire.closed += s->fd >= 0;
	s->fd = -1;
}

int sp_ping_socket_send(struct sp_ping_socket *s, const struct sockaddr_storage *to, size_t size,
			unsigned ttl, struct sp_icmp_echo *echo)
{
	wire.size = size;
	wire.ttl = ttl;
	echo->id = s->id;
	if (wire.send_result < 0)
		return wire.send_result;
	wire.to[wire.sent_count] = *to;
	wire.sent[wire.sent_count++] = *echo;
	return 0;
}

int sp_ping_socket_receive(const struct sp_ping_socket *s, struct sp_icmp_message *out,
			   struct sockaddr_storage *from)
{
	if (wire.queued == 0 || (wire.from[0].ss_family == AF_INET6) != s->ipv6)
		return 0;
	*out = wire.queue[0];
	*from = wire.from[0];
	wire.queued--;
	memmove(wire.queue, wire.queue + 1, wire.queued * sizeof(wire.queue[0]));
	memmove(wire.from, wire.from + 1, wire.queued * sizeof(wire.from[0]));
	return 1;
}

// ---- the bench ------------------------------------------------------------------------------

static struct sp_device *dev;
static struct sp_ping *ping;
static struct sp_ping_result results[256];
static size_t result_count;

static void on_result(struct sp_device *device, const struct sp_ping_result *result, void *arg)
{
	assert_ptr_equal(device, dev);
	assert_string_equal(arg, "it");
	results[result_count++] = *result;
}

static int setup(void **state)
{
	(void)state;
	memset(&wire, 0, sizeof(wire));
	result_count = 0;
	dev = fake_new(&sp_driver_skeleton, "it", "address = 192.0.2.7\n");
	ping = sp_ping_new(dev, "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sp_ping_free(ping);
	assert_int_equal(wire.opened, wire.closed);
	fake_free(dev);
	return 0;
}

static struct sockaddr_storage address(const char *text)
{
	struct sp_endpoint endpoint;
	assert_int_equal(sp_endpoint_parse(&endpoint, text, 0), 0);
	return endpoint.address;
}

static void send_probe(const char *to)
{
	struct sockaddr_storage where = address(to);
	assert_int_equal(sp_ping_send(ping, &where, 1000, on_result, (void *)(uintptr_t) "it"), 0);
}

static struct sp_icmp_message reply_to(size_t index)
{
	struct sp_icmp_message message = {
	    .kind = SP_ICMP_REPLY, .echo = wire.sent[index], .has_cookie = true, .size = wire.size};
	return message;
}

static void deliver(const struct sp_icmp_message *message, const struct sockaddr_storage *from)
{
	wire.queue[wire.queued] = *message;
	wire.from[wire.queued++] = *from;
	fake_ready(dev);
	assert_int_equal(wire.queued, 0);
}

static void test_reply(void **state)
{
	(void)state;
	send_probe("192.0.2.1");
	send_probe("2001:db8::1");
	fake_run(dev, 12, false);
	struct sp_icmp_message message = reply_to(1);
	deliver(&message, &wire.to[1]);
	assert_int_equal(result_count, 1);
	assert_int_equal(results[0].outcome, SP_PING_ANSWER);
	assert_int_equal(results[0].rtt_us, 12000);
	assert_int_equal(results[0].bytes, 104);
	deliver(&message, &wire.to[1]); // twice is once
	assert_int_equal(result_count, 1);
	fake_run(dev, 10000, false);
	assert_int_equal(result_count, 2);
	assert_int_equal(results[1].outcome, SP_PING_LOST);
	assert_int_equal(results[1].bytes, 32);
}

static void test_forgeries(void **state)
{
	(void)state;
	send_probe("192.0.2.1");
	struct sockaddr_storage stranger = address("192.0.2.99");
	struct sp_icmp_message message = reply_to(0);
	deliver(&message, &stranger);
	message.echo.cookie[SP_ICMP_COOKIE - 1] ^= 1;
	deliver(&message, &wire.to[0]);
	message = reply_to(0);
	message.echo.seq++;
	deliver(&message, &wire.to[0]);
	message = reply_to(0);
	message.echo.id++;
	deliver(&message, &wire.to[0]);
	message = reply_to(0);
	message.kind = SP_ICMP_OTHER;
	deliver(&message, &wire.to[0]);
	assert_int_equal(result_count, 0);
	message = reply_to(0);
	deliver(&message, &wire.to[0]);
	assert_int_equal(result_count, 1);
	// No two probes carry the same cookie.
	send_probe("192.0.2.1");
	assert_memory_not_equal(wire.sent[0].cookie, wire.sent[1].cookie, SP_ICMP_COOKIE);
	assert_int_not_equal(wire.sent[0].seq, wire.sent[1].seq);
}

static void test_late_answer(void **state)
{
	(void)state;
	send_probe("192.0.2.1");
	fake_run(dev, 1500, false);
	assert_int_equal(result_count, 1);
	assert_int_equal(results[0].outcome, SP_PING_LOST);
	struct sp_icmp_message message = reply_to(0);
	deliver(&message, &wire.to[0]);
	assert_int_equal(result_count, 2);
	assert_int_equal(results[1].outcome, SP_PING_ANSWER);
	assert_int_equal(results[1].rtt_us, 1500000);
	// After some more seconds it is not known any more.
	send_probe("192.0.2.1");
	fake_run(dev, 6000, false);
	message = reply_to(1);
	deliver(&message, &wire.to[1]);
	assert_int_equal(result_count, 3);
}

static void test_errors(void **state)
{
	(void)state;
	struct sockaddr_storage router = address("198.51.100.1");
	send_probe("192.0.2.1");
	struct sp_icmp_message message = reply_to(0);
	message.kind = SP_ICMP_UNREACHABLE;
	message.code = 1;
	memcpy(message.target, "\xc0\x00\x02\x02", 4); // another target
	deliver(&message, &router);
	message.echo.cookie[0] ^= 1;
	memcpy(message.target, "\xc0\x00\x02\x01", 4);
	deliver(&message, &router); // another cookie
	assert_int_equal(result_count, 0);
	message.has_cookie = false; // a router that quotes little
	deliver(&message, &router);
	assert_int_equal(result_count, 1);
	assert_int_equal(results[0].outcome, SP_PING_REFUSED);
	assert_string_equal(results[0].error, "host unreachable");
	fake_run(dev, 10000, false);
	assert_int_equal(result_count, 1);
}

static void test_hop_limit_and_size(void **state)
{
	(void)state;
	struct sockaddr_storage router = address("198.51.100.1"), where = address("192.0.2.1");
	struct sp_ping_question question = {.to = &where, .timeout_ms = 1000, .ttl = 3, .size = 1500};
	assert_int_equal(sp_ping_ask(ping, &question, on_result, (void *)(uintptr_t) "it"), 0);
	assert_int_equal(wire.ttl, 3);
	assert_int_equal(wire.size, 1480);
	struct sp_icmp_message message = reply_to(0);
	message.size = SP_ICMP_PROBE; // a small answer to a large question
	deliver(&message, &wire.to[0]);
	assert_int_equal(result_count, 0);
	message = reply_to(0);
	message.kind = SP_ICMP_TOO_BIG;
	message.mtu = 1400;
	memcpy(message.target, "\xc0\x00\x02\x01", 4);
	deliver(&message, &router);
	assert_int_equal(result_count, 1);
	assert_int_equal(results[0].outcome, SP_PING_TOO_BIG);
	assert_int_equal(results[0].mtu, 1400);
	assert_memory_equal(&results[0].from, &router, sizeof(struct sockaddr_in));
	assert_int_equal(results[0].bytes, 1500 + 576); // as much as a router quotes
	// Smaller than small, larger than large.
	question.size = 1;
	assert_int_equal(sp_ping_ask(ping, &question, on_result, (void *)(uintptr_t) "it"), 0);
	assert_int_equal(wire.size, SP_ICMP_PROBE);
	question.size = 65535;
	assert_int_equal(sp_ping_ask(ping, &question, on_result, (void *)(uintptr_t) "it"), 0);
	assert_int_equal(wire.size, SP_ICMP_MOST);
}

static void test_time_exceeded(void **state)
{
	(void)state;
	struct sockaddr_storage router = address("198.51.100.1");
	send_probe("192.0.2.1");
	fake_run(dev, 30, false);
	struct sp_icmp_message message = reply_to(0);
	message.kind = SP_ICMP_EXPIRED;
	message.has_cookie = false;
	memcpy(message.target, "\xc0\x00\x02\x01", 4);
	message.echo.seq++; // guessed by somebody else
	deliver(&message, &router);
	assert_int_equal(result_count, 0);
	message.echo.seq--;
	deliver(&message, &router);
	assert_int_equal(results[0].outcome, SP_PING_EXPIRED);
	assert_int_equal(results[0].rtt_us, 30000);
	assert_memory_equal(&results[0].from, &router, sizeof(struct sockaddr_in));
	// Late, it is worth knowing; an "unreachable" is not.
	for (int kind = SP_ICMP_UNREACHABLE; kind <= SP_ICMP_EXPIRED; kind++) {
		size_t index = wire.sent_count;
		send_probe("192.0.2.1");
		fake_run(dev, 1500, false);
		message.kind = (enum sp_icmp_kind)kind;
		message.echo = wire.sent[index];
		deliver(&message, &router);
	}
	assert_int_equal(result_count, 4);
	assert_int_equal(results[1].outcome, SP_PING_LOST);
	assert_int_equal(results[2].outcome, SP_PING_LOST);
	assert_int_equal(results[3].outcome, SP_PING_EXPIRED);
}

static void test_sequence_numbers_are_not_to_be_guessed(void **state)
{
	(void)state;
	unsigned next = 0;
	for (size_t i = 0; i < 60; i++) {
		send_probe("192.0.2.1");
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(wire.sent[i].seq, wire.sent[j].seq);
		next += i && wire.sent[i].seq == (uint16_t)(wire.sent[i - 1].seq + 1);
	}
	assert_true(next < 5);
}

static void test_table_is_bounded(void **state)
{
	(void)state;
	struct sockaddr_storage where = address("192.0.2.1");
	for (int i = 0; i < 64; i++)
		send_probe("192.0.2.1");
	assert_int_equal(sp_ping_send(ping, &where, 1000, on_result, NULL), -EAGAIN);
	fake_run(dev, 1100, false);
	assert_int_equal(result_count, 64);
	send_probe("192.0.2.1"); // in the place of one that was given up
	struct sp_icmp_message message = reply_to(64);
	deliver(&message, &wire.to[64]);
	assert_int_equal(results[64].outcome, SP_PING_ANSWER);
}

static void test_refused_sockets(void **state)
{
	(void)state;
	struct sockaddr_storage where = address("192.0.2.1");
	assert_true(sp_ping_permitted(ping, AF_INET));
	wire.open_result = -EPERM;
	assert_int_equal(sp_ping_send(ping, &where, 1000, on_result, NULL), -EPERM);
	assert_false(sp_ping_permitted(ping, AF_INET));
	assert_true(sp_ping_permitted(ping, AF_INET6));
	where = address("2001:db8::1");
	wire.open_result = -EAFNOSUPPORT;
	assert_int_equal(sp_ping_send(ping, &where, 1000, on_result, NULL), -ENETUNREACH);
}

static void test_bound_socket_is_opened_anew(void **state)
{
	(void)state;
	struct sockaddr_storage where = address("192.0.2.1");
	struct sp_ping *bound = sp_ping_new(dev, "eth1");
	assert_int_equal(sp_ping_send(bound, &where, 1000, on_result, (void *)(uintptr_t) "it"), 0);
	wire.send_result = -ENETUNREACH;
	assert_int_equal(sp_ping_send(bound, &where, 1000, on_result, NULL), -ENETUNREACH);
	wire.send_result = 0;
	assert_int_equal(sp_ping_send(bound, &where, 1000, on_result, (void *)(uintptr_t) "it"), 0);
	assert_int_equal(wire.opened, 2);
	sp_ping_free(bound);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_reply),
	    TEST(test_forgeries),
	    TEST(test_late_answer),
	    TEST(test_errors),
	    TEST(test_hop_limit_and_size),
	    TEST(test_time_exceeded),
	    TEST(test_sequence_numbers_are_not_to_be_guessed),
	    TEST(test_table_is_bounded),
	    TEST(test_refused_sockets),
	    TEST(test_bound_socket_is_opened_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
