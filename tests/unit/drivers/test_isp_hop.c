// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The isp_hop driver on virtual time, over a scripted chain of routers: finding, holding, losing, finding
// anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/isp_hop.h"
#include "fake_io.h"
#include "fake_ping.h"

enum { HOPS = 8 };

/// The way out, per family: what stands at each hop limit, NULL: silent. Behind the last stands the target.
static struct world {
	const char *hops[2][HOPS];
	unsigned length[2];
	bool cut[2], no_v6; ///< nothing comes back from the hop `cut_at` on
	unsigned cut_at;
	bool ecmp; ///< the hop at position 3 is another for each target
	double loss;
	const char *page;
	unsigned pages;
} world;

static const char targets[] = "domestic = 203.0.113.1, 203.0.113.2, 203.0.113.3, 2001:db8:53::1\n";

static bool chance(double p)
{
	return (double)random() / ((double)RAND_MAX + 1) < p;
}

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev;
	bool v6 = strchr(to, ':');
	unsigned length = world.length[v6];
	out->rtt_ms = 10;
	if ((v6 && world.no_v6) || (world.loss > 0 && (chance(world.loss) || chance(world.loss))))
		return;
	unsigned reaches = out->ttl && out->ttl <= length ? out->ttl : length + 1;
	if (world.cut[v6] && reaches >= world.cut_at)
		return;
	if (reaches > length) {
		out->answer = true;
		return;
	}
	out->expired = world.hops[v6][reaches - 1];
	if (world.ecmp && reaches == 3)
		out->expired = strcmp(to, "203.0.113.1") == 0 ? "198.51.100.9" : "198.51.100.5";
}

static void http(const struct sp_http_request *request, struct fake_page *out)
{
	assert_string_equal(request->url, "http://anchor.example/getIP");
	world.pages++;
	out->delay_ms = 20;
	if (!world.page)
		return;
	out->answer = (struct sp_http_answer){.status = 200, .error = "", .location = ""};
	out->answer.body = (const uint8_t *)world.page;
	out->answer.length = strlen(world.page);
}

static struct sp_device *begin(const char *more)
{
	char text[1024];
	snprintf(text, sizeof(text), "%s%s", targets, more);
	struct sp_device *dev = fake_new(&sp_driver_isp_hop, "hop", text);
	dev->http = http;
	fake_ping(echo, true);
	if (world.no_v6)
		fake_routes[1].source = "";
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static int setup(void **state)
{
	(void)state;
	// The board behind a router behind an ONT, each with NAT; then the provider.
	world = (struct world){
	    .hops = {{"192.168.1.1", "10.0.0.1", "198.51.100.5", "203.0.113.254"},
		     {"2001:db8:77::1", "2001:db8:77:ff::1", "2001:db8:99::1"}},
	    .length = {4, 3},
	    .cut_at = 3,
	};
	srandom(1);
	return 0;
}

static const struct fake_report *last(struct sp_device *dev, enum sp_family family)
{
	const struct fake_report *report = fake_last(dev, SP_RUNG_ISP_ACCESS, family);
	assert_non_null(report);
	return report;
}

#define assert_hop(dev, family, status_, reason_)                          \
	do {                                                               \
		const struct fake_report *r_ = last(dev, family);          \
		if (strcmp(r_->reason, reason_) != 0)                      \
			print_message("%s: %s\n", r_->reason, r_->detail); \
		assert_int_equal(r_->report.status, status_);              \
		assert_string_equal(r_->reason, reason_);                  \
	} while (0)

static void test_found_beyond_both_nats(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 5000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->host, "198.51.100.5");
	assert_int_equal(last(dev, SP_FAMILY_IPV4)->report.rtt_us, 10000);
	assert_string_equal(last(dev, SP_FAMILY_IPV6)->host, "2001:db8:99::1");
	const struct fake_egress *egress = &dev->egress[SP_FAMILY_IPV4];
	assert_string_equal(egress->hop, "198.51.100.5");
	assert_int_equal(egress->egress.position, 3);
	assert_null(egress->egress.address); // nobody was asked
	// Without NAT the board's own address is it.
	assert_string_equal(dev->egress[SP_FAMILY_IPV6].address, "2001:db8:77::10");
	unsigned told = dev->egress_count;
	fake_run(dev, 100 * 1000, true);
	assert_true(dev->egress_count >= told + 4);
	assert_int_equal(dev->rounds_failed, 0);
	assert_int_equal(dev->suspects, 0);
	fake_free(dev);
}

static void test_steady_cost(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 3600 * 1000, true);
	double bits = (double)dev->spent[SP_SPENT_PROBES] * 8 / 3600;
	assert_true(fake_sample(dev, SP_ISP_HOP_BYTES, "")->last == (double)dev->spent[SP_SPENT_PROBES]);
	print_message("the hop in both families: %.0f bit/s\n", bits);
	assert_true(bits > 20 && bits < 60);
	fake_free(dev);
}

static void lose_and_regain(int64_t phase)
{
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000 + phase, true);
	int64_t broke = dev->now_us;
	world.cut[0] = world.cut[1] = true;
	fake_run(dev, 1000, true);
	fake_suspect(dev); // the sentinel's first loss
	fake_run(dev, 1600, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_SILENT, "hop_silent");
	assert_hop(dev, SP_FAMILY_IPV6, SP_RUNG_SILENT, "hop_silent");
	assert_in_range(last(dev, SP_FAMILY_IPV4)->report.since_us, broke - 10000, broke + 1000000);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->host, "198.51.100.5");
	fake_run(dev, 30 * 1000, true);
	// Asked again and again, so that its return is seen at once.
	size_t silent = fake_count(dev, SP_RUNG_ISP_ACCESS, SP_FAMILY_IPV4, SP_RUNG_SILENT, broke);
	assert_in_range(silent, 9, 12);
	world.cut[0] = world.cut[1] = false;
	int64_t healed = dev->now_us;
	fake_run(dev, 4000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	assert_hop(dev, SP_FAMILY_IPV6, SP_RUNG_OK, "time_exceeded");
	assert_in_range(last(dev, SP_FAMILY_IPV4)->report.since_us, healed - 2000000, healed + 4000000);
	assert_int_equal(dev->rounds_failed, 0);
	fake_free(dev);
}

static void test_silence_is_seen_in_time(void **state)
{
	(void)state;
	for (int64_t phase = 0; phase < 30000; phase += 3700)
		lose_and_regain(phase);
}

static void test_core_dead_leaves_the_hop_alone(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000, true);
	world.cut[0] = world.cut[1] = true;
	world.cut_at = 4;
	fake_suspect(dev);
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_ACCESS, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	assert_hop(dev, SP_FAMILY_IPV6, SP_RUNG_OK, "time_exceeded");
	fake_free(dev);
}

static void test_lost_packets_are_no_silence(void **state)
{
	(void)state;
	world.loss = 0.03;
	struct sp_device *dev = begin("");
	for (int hour = 0; hour < 24; hour++) {
		dev->report_count = 0;
		fake_run(dev, 3600 * 1000, true);
		for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++)
			assert_int_equal(fake_count(dev, SP_RUNG_ISP_ACCESS, family, SP_RUNG_SILENT, 0), 0);
	}
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 3);
	fake_free(dev);
}

static void test_deaf_hop_is_unknown(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000, true);
	world.hops[0][2] = NULL; // it keeps silent; what lies beyond answers
	world.hops[0][3] = NULL;
	fake_run(dev, 300 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN, "hop_deaf");
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_ACCESS, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	unsigned sent = fake_ping_count(NULL);
	fake_run(dev, 240 * 1000, true); // searched for only now and then
	assert_true(fake_ping_count(NULL) - sent < 8 * 13 + 30);
	world.hops[0][2] = "198.51.100.5";
	fake_run(dev, 31 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	fake_free(dev);
}

static void test_private_all_the_way_is_unknown(void **state)
{
	(void)state;
	world.hops[0][2] = "10.9.0.1";
	world.hops[0][3] = "172.16.3.1";
	world.no_v6 = true;
	struct sp_device *dev = begin("");
	fake_run(dev, 300 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN, "hop_not_found");
	assert_int_equal(dev->rounds_ok, 0);
	assert_true(dev->rounds_unmeasured > 5);
	unsigned sent = fake_ping_count(NULL);
	fake_run(dev, 3600 * 1000, true);
	assert_true(fake_ping_count(NULL) - sent < 100);
	fake_free(dev);
}

static void test_carrier_grade_nat_is_the_providers(void **state)
{
	(void)state;
	world.hops[0][2] = "100.64.0.1";
	struct sp_device *dev = begin("");
	fake_run(dev, 5000, true);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->host, "100.64.0.1");
	fake_free(dev);
}

static void test_silent_hop_before_the_first_public(void **state)
{
	(void)state;
	world.hops[0][2] = NULL;
	struct sp_device *dev = begin("");
	fake_run(dev, 6000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 4);
	fake_free(dev);
}

static void test_dialled_anew_behind_one_more_hop(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000, true);
	world.cut[0] = true;
	fake_suspect(dev);
	fake_run(dev, 20 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_SILENT, "hop_silent");
	// The ONT routes now as well.
	static const char *const longer[HOPS] = {"192.168.1.1", "10.0.0.1", "192.168.100.1", "198.51.100.77"};
	memcpy(world.hops[0], longer, sizeof(longer));
	world.cut[0] = false;
	fake_run(dev, 8000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->host, "198.51.100.77");
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 4);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.77");
	fake_free(dev);
}

static void test_looked_for_after_each_silence(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000, true);
	world.cut[0] = true;
	fake_suspect(dev);
	fake_run(dev, 20 * 1000, true);
	// The ONT is a bridge now: the held position still is a router of the provider's, but not the first.
	world.hops[0][1] = "198.51.100.77";
	world.cut[0] = false;
	fake_run(dev, 8000, true);
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 2);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.77");
	fake_free(dev);
}

static void test_nearer_after_a_nat_went(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 70 * 1000, true);
	static const char *const shorter[HOPS] = {"192.168.1.1", "198.51.100.5"};
	memcpy(world.hops[0], shorter, sizeof(shorter));
	world.length[0] = 2; // the target itself stands at the third hop now
	fake_run(dev, 40 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 2);
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_ACCESS, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	fake_free(dev);
}

static void test_equal_paths_are_one_door(void **state)
{
	(void)state;
	world.ecmp = true;
	struct sp_device *dev = begin("");
	fake_run(dev, 5000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.5"); // the lowest
	for (int i = 0; i < 20; i++) {
		fake_run(dev, 30 * 1000, true);
		assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
		assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.5");
	}
	assert_true(fake_count(dev, SP_RUNG_ISP_ACCESS, SP_FAMILY_IPV4, SP_RUNG_OK, 0) > 12);
	fake_free(dev);
}

static void test_another_door_is_told(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000, true);
	world.hops[0][2] = "100.72.0.1"; // the router has gone over to its mobile line
	fake_run(dev, 35 * 1000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "100.72.0.1");
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	world.hops[0][2] = "198.51.100.5";
	fake_run(dev, 35 * 1000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.5");
	fake_free(dev);
}

static void test_new_source_address_searches_again(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_run(dev, 40 * 1000, true);
	fake_routes[0].source = "192.168.8.20";
	static const char *const other[HOPS] = {"192.168.8.1", "198.51.100.200", "198.51.100.201"};
	memcpy(world.hops[0], other, sizeof(other));
	world.length[0] = 3;
	fake_run(dev, 40 * 1000, true);
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 2);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.200");
	fake_free(dev);
}

static void test_fixed_position_and_address(void **state)
{
	(void)state;
	struct sp_device *dev = begin("position = 4\nposition_ipv6 = 3\n");
	fake_run(dev, 3000, true);
	assert_string_equal(last(dev, SP_FAMILY_IPV4)->host, "203.0.113.254");
	assert_int_equal(dev->egress[SP_FAMILY_IPV4].egress.position, 4);
	fake_free(dev);
	world.cut_at = 1;
	dev = begin("address = 198.51.100.5, 2001:db8:99::1\n");
	fake_run(dev, 3000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "answered");
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.5");
	world.cut[0] = true;
	fake_run(dev, 50 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_SILENT, "hop_silent");
	fake_free(dev);
}

static void test_no_permission_and_no_route(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	fake_ping(echo, false);
	fake_run(dev, 35 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN, "no_echo_permitted");
	fake_free(dev);
	dev = begin("");
	fake_routes[0].source = fake_routes[1].source = "";
	fake_run(dev, 35 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN, "no_route");
	assert_true(dev->rounds_failed > 0);
	assert_string_equal(dev->reason, "no_route");
	fake_routes_reset();
	fake_run(dev, 35 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	fake_free(dev);
}

static void test_public_address(void **state)
{
	(void)state;
	world.page = "{\"processedString\":\"203.0.113.77 - VNPT, VN (12 km)\",\"rawIspInfo\":\"\"}";
	struct sp_device *dev = begin("egress_url = http://anchor.example/getIP\n");
	fake_run(dev, 10 * 1000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].address, "203.0.113.77");
	assert_int_equal(world.pages, 1);
	// Not again before its time, but at once after a silence.
	fake_run(dev, 600 * 1000, true);
	assert_int_equal(world.pages, 1);
	world.cut[0] = true;
	fake_suspect(dev);
	fake_run(dev, 10 * 1000, true);
	world.cut[0] = false;
	world.page = "198.51.100.200\n";
	fake_run(dev, 10 * 1000, true);
	assert_int_equal(world.pages, 2);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].address, "198.51.100.200");
	fake_run(dev, 7 * 3600 * (int64_t)1000, true);
	assert_int_equal(world.pages, 3);
	fake_free(dev);
}

static void test_nothing_from_before_a_silence_is_said_after_it(void **state)
{
	(void)state;
	world.page = "203.0.113.77\n";
	struct sp_device *dev = begin("egress_url = http://anchor.example/getIP\n");
	fake_run(dev, 10 * 1000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].address, "203.0.113.77");
	world.cut[0] = true;
	fake_suspect(dev);
	fake_run(dev, 10 * 1000, true);
	// The router has taken another uplink, and by that the page cannot be had.
	world.hops[0][2] = "198.51.100.77";
	world.cut[0] = false;
	world.page = "no address\n";
	fake_run(dev, 8000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.77");
	assert_null(dev->egress[SP_FAMILY_IPV4].egress.address);
	fake_free(dev);
}

/// The hop went deaf within a silence: by which door the line is back, our address may say.
static void test_a_deaf_hop_s_line_is_asked_for_its_address(void **state)
{
	(void)state;
	world.page = "203.0.113.77\n";
	struct sp_device *dev = begin("egress_url = http://anchor.example/getIP\n");
	fake_run(dev, 10 * 1000, true);
	assert_int_equal(world.pages, 1);
	world.cut[0] = true;
	fake_suspect(dev);
	fake_run(dev, 10 * 1000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_SILENT, "hop_silent");
	world.hops[0][2] = NULL;
	world.cut[0] = false;
	fake_run(dev, 8000, true);
	assert_int_equal(world.pages, 2);
	assert_null(dev->egress[SP_FAMILY_IPV4].egress.hop);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].address, "203.0.113.77");
	fake_free(dev);
}

/// A new address without any silence: whoever stood at the hop's place before is not told with it.
static void test_another_address_stands_alone_until_a_hop_is_heard(void **state)
{
	(void)state;
	world.page = "203.0.113.77\n";
	struct sp_device *dev = begin("egress_url = http://anchor.example/getIP\n");
	fake_run(dev, 10 * 1000, true);
	assert_non_null(dev->egress[SP_FAMILY_IPV4].egress.hop);
	world.page = "192.0.2.9\n";
	world.hops[0][2] = world.hops[0][3] = NULL;
	fake_run(dev, 7 * 3600 * (int64_t)1000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].address, "192.0.2.9");
	assert_null(dev->egress[SP_FAMILY_IPV4].egress.hop);
	world.hops[0][2] = "198.51.100.9";
	fake_run(dev, 3700 * (int64_t)1000, true);
	assert_string_equal(dev->egress[SP_FAMILY_IPV4].hop, "198.51.100.9");
	fake_free(dev);
}

static void test_frugal(void **state)
{
	(void)state;
	struct sp_device *dev = begin("");
	dev->frugal = true;
	fake_run(dev, 10 * 1000, true);
	unsigned sent = fake_ping_count(NULL);
	fake_run(dev, 6 * 3600 * 1000, true);
	assert_in_range(fake_ping_count(NULL) - sent, 10, 14); // hourly, both families
	world.cut[0] = world.cut[1] = true;
	fake_suspect(dev);
	fake_run(dev, 1600, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_SILENT, "hop_silent");
	world.cut[0] = world.cut[1] = false;
	fake_run(dev, 4000, true);
	assert_hop(dev, SP_FAMILY_IPV4, SP_RUNG_OK, "time_exceeded");
	fake_free(dev);
}

static void test_stop_under_way(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 6000; ms += 97) {
		world.cut[0] = ms > 2000;
		struct sp_device *dev = begin("egress_url = http://anchor.example/getIP\n");
		fake_run(dev, ms, true);
		fake_free(dev);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_found_beyond_both_nats),
	    TEST(test_steady_cost),
	    TEST(test_silence_is_seen_in_time),
	    TEST(test_core_dead_leaves_the_hop_alone),
	    TEST(test_lost_packets_are_no_silence),
	    TEST(test_deaf_hop_is_unknown),
	    TEST(test_private_all_the_way_is_unknown),
	    TEST(test_carrier_grade_nat_is_the_providers),
	    TEST(test_silent_hop_before_the_first_public),
	    TEST(test_dialled_anew_behind_one_more_hop),
	    TEST(test_looked_for_after_each_silence),
	    TEST(test_nearer_after_a_nat_went),
	    TEST(test_equal_paths_are_one_door),
	    TEST(test_another_door_is_told),
	    TEST(test_new_source_address_searches_again),
	    TEST(test_fixed_position_and_address),
	    TEST(test_no_permission_and_no_route),
	    TEST(test_public_address),
	    TEST(test_nothing_from_before_a_silence_is_said_after_it),
	    TEST(test_a_deaf_hop_s_line_is_asked_for_its_address),
	    TEST(test_another_address_stands_alone_until_a_hop_is_heard),
	    TEST(test_frugal),
	    TEST(test_stop_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
