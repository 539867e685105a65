// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The gateway driver where it may ask ARP and NDP itself, and what the messages of both may look like.
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/gateway.h"
#include "drivers/link/gateway_wire.h"
#include "fake_ask.h"
#include "fake_io.h"
#include "fake_ping.h"
#include "fake_rtnl.h"

enum { SECOND_US = 1000 * 1000 };

static bool echoes;

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev, (void)to;
	out->answer = echoes;
	out->rtt_ms = 1;
}

static int setup(void **state)
{
	(void)state;
	fake_rtnl_reset();
	fake_ask_reset();
	fake_asks.open_result = 0;
	fake_asks.answers4 = fake_asks.answers6 = true;
	fake_ping(echo, true);
	echoes = false;
	fake_link(2, "eth0", true);
	fake_address(2, AF_INET);
	fake_route(2, AF_INET, 100, "192.0.2.1");
	fake_address(2, AF_INET6);
	fake_route(2, AF_INET6, 1024, "fe80::1");
	return 0;
}

static struct sp_device *begin(void)
{
	struct sp_device *dev = fake_new(&sp_driver_gateway, "main", "");
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static const struct fake_report *last(const struct sp_device *dev, enum sp_family family)
{
	const struct fake_report *report = fake_last(dev, SP_RUNG_GATEWAY, family);
	assert_non_null(report);
	return report;
}

static void test_router_that_ignores_pings_lives(void **state)
{
	(void)state;
	struct sp_device *dev = begin();
	fake_run(dev, 100, true);
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.status, SP_RUNG_OK);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->reason, "arp");
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.rtt_us, 2000);
	assert_int_equal(last(dev, SP_FAMILY_IPV6)->report.status, SP_RUNG_OK);
	assert_string_equal(last(dev, SP_FAMILY_IPV6)->reason, "ndp");
	assert_true(fake_sample(dev, SP_GATEWAY_RTT, "ipv4")->last == 0.002);
	assert_int_equal(dev->rounds_ok, 1);
	// To the router alone, and nobody listens any more.
	assert_int_equal(fake_asks.sent, 2);
	assert_int_equal(fake_asks.broad, 0);
	assert_int_equal(fake_asks.open, 0);
	fake_free(dev);
}

static void dies_and_lives(void **state, bool echoing, int64_t phase)
{
	setup(state);
	echoes = echoing;
	struct sp_device *dev = begin();
	fake_run(dev, 10 * 1000 + phase, true);
	int64_t broke = dev->now_us;
	echoes = fake_asks.answers4 = false;
	fake_run(dev, 5 * 1000, true);
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.status, SP_RUNG_SILENT);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->reason, "no_answer");
	assert_in_range(last(dev, SP_FAMILY_IPV4)->report.since_us, broke, broke + 3 * SECOND_US);
	assert_int_equal(last(dev, SP_FAMILY_IPV6)->report.status, SP_RUNG_OK);
	assert_string_equal(dev->reason, "timeout");
	fake_run(dev, 60 * 1000 + phase, true);
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.status, SP_RUNG_SILENT);
	broke = dev->now_us;
	echoes = echoing;
	fake_asks.answers4 = true;
	fake_run(dev, 5 * 1000, true);
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.status, SP_RUNG_OK);
	assert_in_range(last(dev, SP_FAMILY_IPV4)->report.since_us, broke - 2 * SECOND_US,
			broke + 3 * SECOND_US);
	fake_free(dev);
}

static void test_dies_and_lives_again_within_five_seconds(void **state)
{
	for (int64_t phase = 0; phase < 12000; phase += 137) {
		dies_and_lives(state, false, phase);
		dies_and_lives(state, true, phase);
	}
}

static void test_echoes_are_spared(void **state)
{
	for (int pass = 0; pass < 2; pass++) {
		setup(state);
		echoes = pass; // whether it answers them or not
		struct sp_device *dev = begin();
		fake_run(dev, 120 * 1000, true);
		// What lies between is ARP's and NDP's, and costs no byte of IP.
		assert_in_range(fake_ping_count("192.0.2.1"), 9, 13);
		assert_in_range(fake_ping_count("fe80::1"), 9, 13);
		assert_true(fake_asks.sent >= 2 * 25);
		assert_int_equal(fake_asks.broad, 0);
		assert_int_equal(dev->rounds_failed, 0);
		fake_free(dev);
	}
}

static void test_echo_comes_first(void **state)
{
	(void)state;
	echoes = true;
	struct sp_device *dev = begin();
	fake_run(dev, 1000, true);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->reason, "echo");
	// Somebody tells it to ignore echoes: no word of a loss.
	fake_run(dev, 60 * 1000, true);
	echoes = false;
	int64_t from = dev->now_us;
	fake_run(dev, 30 * 1000, true);
	assert_int_equal(fake_count(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT, from), 0);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->reason, "arp");
	// Its ARP falls silent: the echo is enough.
	echoes = true;
	fake_asks.answers4 = false;
	from = dev->now_us;
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(fake_count(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT, from), 0);
	fake_free(dev);
}

static void test_new_link_address(void **state)
{
	(void)state;
	fake_asks.broad_only = true; // the router was replaced by one of the same IP address
	struct sp_device *dev = begin();
	fake_run(dev, 2000, true);
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.status, SP_RUNG_OK);
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.rtt_us,
			 -1); // which question it answers is not known
	fake_free(dev);
}

static void test_one_lost_question_is_no_loss(void **state)
{
	(void)state;
	fake_asks.rtt_ms = 700; // a slow processor
	struct sp_device *dev = begin();
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(fake_count(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	assert_int_equal(dev->rounds_failed, 0);
	fake_free(dev);
}

static void test_sending_fails(void **state)
{
	(void)state;
	fake_asks.send_result = -ENOBUFS;
	struct sp_device *dev = begin();
	fake_tables.neighbour_result = -ENOENT;
	fake_run(dev, 5000, true);
	// The kernel's table has the word then.
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.status, SP_RUNG_SILENT);
	fake_free(dev);
	assert_int_equal(fake_asks.open, 0);
}

static void test_stop_under_way(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 4000; ms += 97) {
		fake_asks.answers4 = false;
		struct sp_device *dev = begin();
		fake_run(dev, ms, true);
		fake_free(dev);
		assert_int_equal(fake_asks.open, 0);
	}
}

// ---- messages -----------------------------------------------------------------------------------

static const uint8_t us[SP_MAC] = {2, 0, 0, 0, 0, 2}, router[SP_MAC] = {2, 0, 0, 0, 0, 1};

static struct sp_neighbour_query arp_query(void)
{
	struct sp_neighbour_query query = {.own = {192, 0, 2, 2}, .target = {192, 0, 2, 1}};
	memcpy(query.own_mac, us, SP_MAC);
	return query;
}

static struct sp_neighbour_way arp_way(void)
{
	struct sp_neighbour_way way = {.to_us = true};
	memcpy(way.from_mac, router, SP_MAC);
	return way;
}

static const uint8_t reply[SP_ARP_SIZE] = {0,   1, 8, 0, 6, 4, 0, 2, 2, 0, 0,   0, 0, 1,
					   192, 0, 2, 1, 2, 0, 0, 0, 0, 2, 192, 0, 2, 2};

static void test_arp(void **state)
{
	(void)state;
	static const uint8_t request[SP_ARP_SIZE] = {0,   1, 8, 0, 6, 4, 0, 1, 2, 0, 0,   0, 0, 2,
						     192, 0, 2, 2, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1};
	struct sp_neighbour_query query = arp_query();
	struct sp_neighbour_way way = arp_way();
	uint8_t message[64] = {0};
	sp_arp_encode(message, &query);
	assert_memory_equal(message, request, sizeof(request));
	assert_false(sp_arp_answers(message, SP_ARP_SIZE, &query, &way)); // our own question
	assert_true(sp_arp_answers(reply, sizeof(reply), &query, &way));
	for (size_t cut = 0; cut < sizeof(reply); cut++)
		assert_false(sp_arp_answers(reply, cut, &query, &way));
	// No byte of it may be another: each says whose answer it is, and to whom.
	memcpy(message, reply, sizeof(reply));
	for (size_t i = 0; i < sizeof(reply); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			message[i] ^= (uint8_t)(1 << bit);
			if (sp_arp_answers(message, SP_ARP_SIZE, &query, &way))
				fail_msg("byte %zu bit %u", i, bit);
			message[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_true(sp_arp_answers(message, 46, &query, &way)); // padded to an Ethernet frame
	way.to_us = false;                                      // told to all: gratuitous
	assert_false(sp_arp_answers(reply, sizeof(reply), &query, &way));
	way = arp_way();
	way.from_mac[5] = 9; // another sent it in the router's name
	assert_false(sp_arp_answers(reply, sizeof(reply), &query, &way));
	// Nobody has such a link address; and we are not the router.
	static const uint8_t nobodies[][SP_MAC] = {
	    {0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {2, 0, 0, 0, 0, 2}};
	for (size_t i = 0; i < SP_COUNT(nobodies); i++) {
		memcpy(message, reply, sizeof(reply));
		memcpy(message + 8, nobodies[i], SP_MAC);
		memcpy(way.from_mac, nobodies[i], SP_MAC);
		assert_false(sp_arp_answers(message, SP_ARP_SIZE, &query, &way));
	}
}

static void test_ndp(void **state)
{
	(void)state;
	struct sp_neighbour_query query = {0};
	struct sp_neighbour_way way = {.to_us = true, .hops = 255};
	uint8_t group[16], expected[16], message[40] = {136, 0, 0, 0, 0xe0};
	assert_int_equal(inet_pton(AF_INET6, "fe80::2", query.own), 1);
	assert_int_equal(inet_pton(AF_INET6, "fe80::1:2:3:4", query.target), 1);
	assert_int_equal(inet_pton(AF_INET6, "ff02::1:ff03:4", expected), 1);
	memcpy(query.own_mac, us, SP_MAC);
	memcpy(way.to, query.own, 16);
	sp_ndp_group(group, query.target);
	assert_memory_equal(group, expected, 16);
	memcpy(message + 8, query.target, 16);
	message[24] = 2;
	message[25] = 1;
	assert_true(sp_ndp_answers(message, 24, &query, &way)); // the option may be missing
	assert_true(sp_ndp_answers(message, 32, &query, &way));
	for (size_t cut = 0; cut < 32; cut++)
		if (cut != 24)
			assert_false(sp_ndp_answers(message, cut, &query, &way));
	message[25] = 0; // an option without length
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	message[25] = 2; // one that reaches beyond
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	message[25] = 1;
	message[4] = 0xa0; // unsolicited
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	message[4] = 0x40;
	assert_true(sp_ndp_answers(message, 32, &query, &way));
	way.hops = 254; // came through a router: forged from elsewhere
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	way.hops = 255;
	way.to_us = false;
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	way.to_us = true;
	way.to[15] ^= 1; // to another address of ours
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	way.to[15] ^= 1;
	message[23] ^= 1; // of another
	assert_false(sp_ndp_answers(message, 32, &query, &way));
	uint8_t solicitation[SP_NDP_SIZE];
	sp_ndp_encode(solicitation, &query);
	assert_int_equal(solicitation[0], 135);
	assert_memory_equal(solicitation + 8, query.target, 16);
	assert_memory_equal(solicitation + 26, us, SP_MAC);
	assert_false(sp_ndp_answers(solicitation, SP_NDP_SIZE, &query, &way));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_router_that_ignores_pings_lives),
	    TEST(test_dies_and_lives_again_within_five_seconds),
	    TEST(test_echoes_are_spared),
	    TEST(test_echo_comes_first),
	    TEST(test_new_link_address),
	    TEST(test_one_lost_question_is_no_loss),
	    TEST(test_sending_fails),
	    TEST(test_stop_under_way),
	    TEST(test_arp),
	    TEST(test_ndp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
