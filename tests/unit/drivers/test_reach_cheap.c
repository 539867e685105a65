// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Where echo is filtered: when an anchor is asked by DNS, when by a handshake, and that neither is for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/reach.h"
#include "fake_io.h"
#include "fake_ping.h"

enum { MINUTE_MS = 60 * 1000 };

static struct {
	int dns, tcp; ///< what comes of a question
	int64_t delay_ms;
	unsigned questions, handshakes;
} world;

static void dns(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	(void)peer;
	world.questions++;
	out->result = world.dns;
	out->delay_ms = world.delay_ms;
	memcpy(out->data, data, length);
	out->data[2] = 0x81;
	out->data[3] = 0x80;
	out->length = length;
}

static void tcp(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	(void)peer, (void)data, (void)length;
	world.handshakes++;
	out->result = world.tcp;
	out->delay_ms = 20;
}

static void count(struct sp_device *dev, int64_t ms)
{
	world.questions = world.handshakes = 0;
	fake_run(dev, ms, true);
}

/// One path, whose anchors ignore echoes: it has learnt to ask otherwise.
static struct sp_device *begin(void)
{
	memset(&world, 0, sizeof(world));
	world.delay_ms = 15;
	struct sp_device *dev =
	    fake_new(&sp_driver_reach, "main",
		     "domestic = 192.0.2.1, 192.0.2.2\ninternational =\ndns_name = probe.example\n"
		     "dns_direct =\nportal_url =\nresolv_conf = /dev/null\n");
	dev->udp = dns;
	dev->tcp = tcp;
	fake_ping(NULL, true);
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 2 * MINUTE_MS, true);
	count(dev, MINUTE_MS);
	assert_true(world.questions > 3 * world.handshakes);
	return dev;
}

static void test_an_anchor_that_answers_dns_again_is_asked_again(void **state)
{
	(void)state;
	struct sp_device *dev = begin();
	world.dns = -ETIMEDOUT;
	fake_run(dev, 5 * MINUTE_MS, true);
	// It has learnt: a question now and then is no reason for a suspicion.
	unsigned suspects = dev->suspects;
	count(dev, 60 * MINUTE_MS);
	assert_int_equal(dev->suspects, suspects);
	assert_true(world.questions > 0 && world.questions < world.handshakes / 20);
	world.dns = 0;
	fake_run(dev, 20 * MINUTE_MS, true);
	count(dev, 10 * MINUTE_MS);
	assert_true(world.questions > 3 * world.handshakes);
	assert_int_equal(dev->suspects, suspects);
	fake_free(dev);
}

static void test_a_line_that_dies_meanwhile_is_silent(void **state)
{
	(void)state;
	struct sp_device *dev = begin();
	world.dns = -ETIMEDOUT;
	fake_run(dev, 5 * MINUTE_MS, true);
	world.tcp = -ETIMEDOUT;
	fake_run(dev, 5000, true);
	assert_int_equal(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->report.status, SP_RUNG_SILENT);
	world.tcp = 0;
	fake_run(dev, 5000, true);
	assert_int_equal(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->report.status, SP_RUNG_OK);
	fake_free(dev);
}

static unsigned misses(const struct sp_path *path)
{
	return path->anchors[0].ask_misses + path->anchors[1].ask_misses;
}

static void test_no_way_to_ask_is_no_miss(void **state)
{
	(void)state;
	struct sp_device *dev = begin();
	struct sp_path *path = &((struct sp_reach *)sp_device_state(dev))->paths[SP_REACH_DOMESTIC4];
	static const int results[] = {-ENETUNREACH, -EADDRNOTAVAIL, -ENETDOWN,
				      -ENODEV,      -ENXIO,         -EAFNOSUPPORT};
	world.delay_ms = 100;
	for (size_t i = 0; i < SP_COUNT(results); i++) {
		world.dns = results[i];
		do
			fake_run(dev, 10, true);
		while (!path->anchors[0].ask && !path->anchors[1].ask);
		sp_path_burst(path, dev->now_us);
		fake_run(dev, 1900, false);
		assert_int_equal(misses(path), 0);
		world.dns = 0;
		fake_run(dev, MINUTE_MS, true);
	}
	fake_free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_anchor_that_answers_dns_again_is_asked_again),
	    cmocka_unit_test(test_a_line_that_dies_meanwhile_is_silent),
	    cmocka_unit_test(test_no_way_to_ask_is_no_miss),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
