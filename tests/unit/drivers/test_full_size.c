// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Full-size packets of the reach driver on virtual time: black holes, honest routers, anchors that filter.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/reach.h"
#include "fake_io.h"
#include "fake_ping.h"

static struct {
	unsigned passes;      ///< the largest packet that the way takes, 0: any
	unsigned router_says; ///< "too big", with this size; 0: nothing
	const char *filters;  ///< this anchor ignores large echoes
	bool dead, all_filter;
	double loss;
	unsigned full; ///< large ones sent
} world;

static struct fake_report kept[SP_FAMILIES];

static bool chance(double p)
{
	return (double)random() / ((double)RAND_MAX + 1) < p;
}

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev;
	bool large = out->size > 100;
	world.full += large;
	out->rtt_ms = 20;
	if (world.dead || (world.loss > 0 && (chance(world.loss) || chance(world.loss))))
		return;
	if (large && world.router_says && out->size > world.router_says)
		out->mtu = world.router_says;
	else if (large && world.passes && out->size > world.passes)
		return;
	else if (large && (world.all_filter || (world.filters && strcmp(to, world.filters) == 0)))
		return;
	else
		out->answer = true;
}

static struct sp_device *begin(const char *domestic)
{
	char text[512];
	snprintf(text, sizeof(text),
		 "domestic = %s\ninternational = 198.51.100.1\nresolv_conf = /nonexistent\ndns_direct =\n"
		 "portal_url =\n",
		 domestic);
	struct sp_device *dev = fake_new(&sp_driver_reach, "main", text);
	fake_ping(echo, true);
	fake_ping_takes_us = 7;
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static int setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	memset(kept, 0, sizeof(kept));
	srandom(1);
	return 0;
}

static const char three[] = "192.0.2.1, 192.0.2.2, 192.0.2.3";

static void run(struct sp_device *dev, int64_t seconds)
{
	for (; seconds > 0; seconds -= 60) {
		if (dev->report_count > FAKE_REPORTS / 2)
			dev->report_count = 0;
		fake_run(dev, (seconds < 60 ? seconds : 60) * 1000, true);
		for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
			const struct fake_report *last = fake_last(dev, SP_RUNG_FULL_SIZE, (enum sp_family)f);
			if (last)
				kept[f] = *last;
		}
	}
}

/// The last word, however long ago.
static const struct fake_report *full(void)
{
	return &kept[SP_FAMILY_IPV4];
}

static void test_they_come_through(void **state)
{
	(void)state;
	struct sp_device *dev = begin(three);
	run(dev, 60);
	assert_int_equal(full()->report.status, SP_RUNG_OK);
	assert_string_equal(full()->detail, "192.0.2.1 answered 1500 bytes");
	assert_string_equal(full()->host, "192.0.2.1");
	assert_int_equal(world.full, 1);
	fake_free(dev);
	world.full = 0;
	dev = begin(three);
	run(dev, 3600);
	assert_in_range(world.full, 6, 7);
	assert_int_equal(dev->suspects, 0);
	fake_free(dev);
}

static void test_black_hole(void **state)
{
	(void)state;
	struct sp_device *dev = begin(three);
	run(dev, 2400); // three anchors have answered large ones
	world.passes = 1400;
	int64_t broke = dev->now_us;
	run(dev, 660);
	assert_int_equal(full()->report.status, SP_RUNG_SILENT);
	assert_string_equal(full()->reason, "full_size_lost");
	assert_in_range(full()->report.since_us, broke, broke + 610 * 1000000LL);
	assert_int_equal(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->report.status, SP_RUNG_OK);
	world.passes = 0;
	run(dev, 35);
	assert_int_equal(full()->report.status, SP_RUNG_OK);
	fake_free(dev);
}

static void test_black_hole_from_the_start_is_unknown(void **state)
{
	(void)state;
	world.passes = 1400;
	struct sp_device *dev = begin(three);
	run(dev, 3600);
	assert_int_equal(full()->report.status, SP_RUNG_UNKNOWN);
	assert_string_equal(full()->reason, "full_size_unproven");
	assert_int_equal(fake_count(dev, SP_RUNG_FULL_SIZE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	fake_free(dev);
}

static void test_one_anchor_is_no_witness(void **state)
{
	(void)state;
	struct sp_device *dev = begin("192.0.2.1");
	run(dev, 1300);
	assert_int_equal(full()->report.status, SP_RUNG_OK);
	world.passes = 1400;
	run(dev, 1300);
	assert_int_equal(full()->report.status, SP_RUNG_UNKNOWN);
	fake_free(dev);
}

static void test_router_that_says_so_is_obeyed(void **state)
{
	(void)state;
	world.router_says = 1492;
	world.passes = 1492;
	struct sp_device *dev = begin(three);
	run(dev, 3600);
	assert_int_equal(full()->report.status, SP_RUNG_OK);
	assert_non_null(strstr(full()->detail, "answered 1492 bytes"));
	assert_int_equal(fake_count(dev, SP_RUNG_FULL_SIZE, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN, 0), 0);
	fake_free(dev);
}

static void test_routers_that_lie(void **state)
{
	(void)state;
	struct sp_device *dev = begin(three);
	run(dev, 2400);
	// Less than any router may ask for, and no less than what was sent: neither is a reason to shrink,
	// nor a loss.
	world.router_says = 68;
	run(dev, 1300);
	assert_int_equal(fake_count(dev, SP_RUNG_FULL_SIZE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	world.router_says = 0;
	run(dev, 660);
	assert_non_null(strstr(full()->detail, "answered 1500 bytes"));
	fake_free(dev);
}

static void test_kernel_knows_a_smaller_way(void **state)
{
	(void)state;
	struct sp_device *dev = begin(three);
	fake_routes[0].mtu = 1420;
	world.passes = 1420;
	run(dev, 60);
	assert_non_null(strstr(full()->detail, "answered 1420 bytes"));
	fake_free(dev);
}

static void test_anchor_that_filters_large_echoes(void **state)
{
	(void)state;
	world.filters = "192.0.2.1";
	struct sp_device *dev = begin(three);
	run(dev, 7200);
	assert_int_equal(full()->report.status, SP_RUNG_OK);
	assert_int_equal(fake_count(dev, SP_RUNG_FULL_SIZE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	fake_free(dev);
	world.filters = NULL;
	world.all_filter = true;
	dev = begin(three);
	world.full = 0;
	run(dev, 7200);
	assert_int_equal(full()->report.status, SP_RUNG_UNKNOWN);
	assert_true(world.full < 30); // they are left in peace
	fake_free(dev);
}

static void test_total_loss_is_no_black_hole(void **state)
{
	(void)state;
	struct sp_device *dev = begin(three);
	run(dev, 2400);
	world.dead = true;
	run(dev, 1800);
	assert_int_equal(fake_count(dev, SP_RUNG_FULL_SIZE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	assert_int_equal(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->report.status, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_lost_packets_are_no_black_hole(void **state)
{
	(void)state;
	world.loss = 0.03;
	struct sp_device *dev = begin("192.0.2.1, 192.0.2.2, 192.0.2.3, 2001:db8::1, 2001:db8::2");
	unsigned ok = 0;
	for (int hour = 0; hour < 72; hour++) {
		run(dev, 3600);
		for (int f = SP_FAMILY_IPV4; f <= SP_FAMILY_IPV6; f++) {
			assert_int_equal(fake_count(dev, SP_RUNG_FULL_SIZE, f, SP_RUNG_SILENT, 0), 0);
			ok += fake_count(dev, SP_RUNG_FULL_SIZE, f, SP_RUNG_OK, 0) > 0;
		}
	}
	assert_true(ok > 72);
	fake_free(dev);
}

static void test_switched_off_and_frugal(void **state)
{
	(void)state;
	struct sp_device *dev = begin("192.0.2.1, 192.0.2.2\nfull_size_interval = 0s");
	run(dev, 1300);
	fake_free(dev);
	dev = begin(three);
	dev->frugal = true;
	run(dev, 1300);
	fake_free(dev);
	assert_int_equal(world.full, 0);
}

static void test_who_asks_often_sees_the_end_as_soon(void **state)
{
	(void)state;
	struct sp_device *dev = begin("192.0.2.1, 192.0.2.2\nfull_size_interval = 5s");
	run(dev, 60);
	world.passes = 1400;
	run(dev, 20);
	assert_int_equal(full()->report.status, SP_RUNG_SILENT);
	world.passes = 0;
	run(dev, 8);
	assert_int_equal(full()->report.status, SP_RUNG_OK);
	fake_free(dev);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_they_come_through),
	    TEST(test_black_hole),
	    TEST(test_black_hole_from_the_start_is_unknown),
	    TEST(test_one_anchor_is_no_witness),
	    TEST(test_router_that_says_so_is_obeyed),
	    TEST(test_routers_that_lie),
	    TEST(test_kernel_knows_a_smaller_way),
	    TEST(test_anchor_that_filters_large_echoes),
	    TEST(test_total_loss_is_no_black_hole),
	    TEST(test_lost_packets_are_no_black_hole),
	    TEST(test_switched_off_and_frugal),
	    TEST(test_who_asks_often_sees_the_end_as_soon),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
