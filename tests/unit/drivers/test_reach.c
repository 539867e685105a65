// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The reach driver on virtual time: a scripted world of anchors, resolvers and a page.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/dns.h"
#include "drivers/link/reach.h"
#include "fake_io.h"
#include "fake_ping.h"

static const char base[] = "dns_name = probe.example\n"
			   "dns_direct = 198.51.100.1\n"
			   "portal_url = http://page.example/204\n";
static const char anchors[] = "domestic = 192.0.2.1, 192.0.2.2, 192.0.2.3, 2001:db8::1\n"
			      "international = 198.51.100.1, 198.51.100.2, 2001:db8:1::1\n";

/// What is broken in this test's world.
static struct {
	bool domestic4, domestic6, international4, dead_anchor, no_v6, no_route, filtered, late, portal;
	bool resolver_dead, hijacked;
	int resolver_rcode;
	const char *dead[2]; ///< anchors that died for good
	unsigned pages, questions;
	double loss; ///< each way
	char resolv[64];
} world;

static bool chance(double p)
{
	return (double)random() / ((double)RAND_MAX + 1) < p;
}

static bool is_broken(const char *host)
{
	bool v6 = strchr(host, ':');
	bool home = strncmp(host, "192.0.2", 7) == 0 || strcmp(host, "2001:db8::1") == 0;
	return home ? (v6 ? world.domestic6 : world.domestic4) : (!v6 && world.international4);
}

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev;
	if (world.no_route || (strchr(to, ':') && world.no_v6)) {
		out->sent = -ENETUNREACH;
		return;
	}
	for (size_t i = 0; i < SP_COUNT(world.dead); i++)
		if (world.dead[i] && strcmp(to, world.dead[i]) == 0)
			return;
	out->answer = !is_broken(to) && !world.filtered &&
		      !(world.dead_anchor && strcmp(to, "192.0.2.2") == 0) && !chance(world.loss) &&
		      !chance(world.loss);
	out->rtt_ms = world.late ? 1200 : 20;
}

static void tcp(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	(void)data, (void)length;
	char host[INET6_ADDRSTRLEN];
	sp_endpoint_host(peer, host, sizeof(host));
	out->result = world.no_route ? -ENETUNREACH : is_broken(host) ? -ETIMEDOUT : 0;
	out->delay_ms = world.no_route ? 0 : 20;
}

/// Answers any question with one address, in the question's own bytes.
static void dns(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9};
	char host[INET6_ADDRSTRLEN];
	sp_endpoint_host(peer, host, sizeof(host));
	bool resolver = strcmp(host, "192.0.2.53") == 0;
	world.questions++;
	if (world.no_route) {
		out->result = -ENETUNREACH;
		return;
	}
	if ((resolver && world.resolver_dead) || (world.domestic4 && !world.hijacked))
		return; // silence
	bool good = !resolver || world.resolver_rcode == 0;
	out->result = 0;
	out->delay_ms = 15;
	memcpy(out->data, data, length);
	out->data[2] = 0x81;
	out->data[3] = (uint8_t)(0x80 | (resolver ? world.resolver_rcode : 0));
	out->data[7] = good;
	memcpy(out->data + length, record, sizeof(record));
	out->length = length + (good ? sizeof(record) : 0);
}

static void http(const struct sp_http_request *request, struct fake_page *out)
{
	static const uint8_t login[] = "<html>login</html>";
	assert_string_equal(request->url, "http://page.example/204");
	world.pages++;
	if (world.domestic4 || world.no_route)
		return;
	out->delay_ms = 30;
	out->answer =
	    (struct sp_http_answer){.error = "", .location = "", .status = world.portal ? 200 : 204};
	out->answer.body = login;
	out->answer.length = world.portal ? sizeof(login) - 1 : 0;
}

static struct sp_device *begin(const char *more)
{
	char text[2048];
	snprintf(text, sizeof(text), "%sresolv_conf = %s\n%s", base, world.resolv, more);
	struct sp_device *dev = fake_new(&sp_driver_reach, "main", text);
	dev->udp = dns;
	dev->tcp = tcp;
	dev->http = http;
	fake_ping(echo, true);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static int setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	strcpy(world.resolv, "/tmp/sp-resolv-XXXXXX");
	int fd = mkstemp(world.resolv);
	if (fd < 0 || dprintf(fd, "search example\nnameserver 192.0.2.53\n") < 0)
		return -1;
	close(fd);
	srandom(1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(world.resolv);
}

#define assert_status(dev, rung, family, expected)                              \
	do {                                                                    \
		const struct fake_report *last_ = fake_last(dev, rung, family); \
		assert_non_null(last_);                                         \
		assert_int_equal(last_->report.status, expected);               \
	} while (0)

static void test_everything_answers(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 60 * 1000, true);
	for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++) {
		assert_status(dev, SP_RUNG_ISP_CORE, family, SP_RUNG_OK);
		assert_status(dev, SP_RUNG_INTERNATIONAL, family, SP_RUNG_OK);
	}
	assert_status(dev, SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
	assert_int_equal(dev->rounds_failed, 0);
	assert_int_equal(dev->suspects, 0);
	// A sentinel every 2 s, in turn over the anchors; IPv6 takes a turn every 10 s.
	assert_in_range(fake_ping_count("192.0.2.1"), 6, 12);
	assert_in_range(fake_ping_count("192.0.2.3"), 6, 12);
	assert_in_range(fake_ping_count("2001:db8::1"), 5, 10);
	assert_true(fake_sample(dev, SP_REACH_LOSS, "domestic")->sum == 0);
	assert_true(fake_sample(dev, SP_REACH_RTT, "domestic/ipv4")->last == 0.02);
	assert_true(fake_sample(dev, SP_REACH_DNS, "resolver")->last == 0.015);
	fake_free(dev);
}

static void test_quiet_cost(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 3600 * 1000, true);
	// Echo and DNS of an hour in IP bytes; the portal check's 60 pages come on top, at about 700 bytes
	// each.
	double bits = (fake_sample(dev, SP_REACH_BYTES, "")->last + 60 * 700) * 8 / 3600;
	assert_true(bits > 100);
	assert_true(bits < 1000);
	fake_free(dev);
}

static void break_and_heal(int64_t phase)
{
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 20 * 1000 + phase, true);
	int64_t broke = dev->now_us;
	world.domestic4 = world.domestic6 = world.international4 = true;
	fake_run(dev, 5000, true);
	const struct fake_report *v4 = fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4);
	assert_int_equal(v4->report.status, SP_RUNG_SILENT);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	assert_in_range(v4->report.since_us, broke - 20000, broke + 2000000);
	assert_true(dev->suspects > 0);
	assert_string_equal(v4->detail, "3 of 3 anchors silent");
	// Neither family is down before the other: that would look like an outage of one.
	const struct fake_report *first4 = NULL, *first6 = NULL;
	for (size_t i = 0; i < dev->report_count; i++) {
		const struct fake_report *r = &dev->reports[i];
		// Nor is the resolver blamed for what is the line's.
		if (r->report.rung == SP_RUNG_DNS && !first4)
			assert_int_not_equal(r->report.status, SP_RUNG_SILENT);
		if (r->report.rung != SP_RUNG_ISP_CORE || r->report.status != SP_RUNG_SILENT)
			continue;
		if (r->report.family == SP_FAMILY_IPV4 && !first4)
			first4 = r;
		if (r->report.family == SP_FAMILY_IPV6 && !first6)
			first6 = r;
	}
	assert_non_null(first4);
	assert_non_null(first6);
	assert_int_equal(first4->at_us, first6->at_us);
	fake_run(dev, 30 * 1000 + phase, true);
	world.domestic4 = world.domestic6 = world.international4 = false;
	int64_t healed = dev->now_us;
	fake_run(dev, 5000, true);
	v4 = fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4);
	assert_int_equal(v4->report.status, SP_RUNG_OK);
	assert_in_range(v4->report.since_us, healed - 1000000, healed + 1000000);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_INTERNATIONAL, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
	assert_int_equal(dev->rounds_failed, 0);
	fake_free(dev);
}

static void test_total_loss_is_seen_in_time(void **state)
{
	(void)state; // whenever it happens between two probes
	for (int64_t phase = 0; phase < 2000; phase += 130)
		break_and_heal(phase);
}

static void test_lost_packets_are_no_outage(void **state)
{
	(void)state;
	world.loss = 0.03;
	struct sp_device *dev = begin(anchors);
	size_t reports = 0;
	for (int minute = 0; minute < 24 * 60; minute++) {
		dev->report_count = 0;
		fake_run(dev, 60 * 1000, true);
		reports += dev->report_count;
		for (int family = SP_FAMILY_IPV4; family <= SP_FAMILY_IPV6; family++) {
			assert_int_equal(fake_count(dev, SP_RUNG_ISP_CORE, family, SP_RUNG_SILENT, 0), 0);
			assert_int_equal(fake_count(dev, SP_RUNG_INTERNATIONAL, family, SP_RUNG_SILENT, 0),
					 0);
		}
	}
	assert_true(reports > 24 * 1800);
	const struct fake_sample *loss = fake_sample(dev, SP_REACH_LOSS, "domestic/ipv4");
	double bits = fake_sample(dev, SP_REACH_BYTES, "")->last * 8 / (24 * 3600);
	double ratio = loss->sum / (double)loss->count;
	print_message("a day with 3 %% loss each way: %.0f bit/s of echo and DNS\n", bits);
	assert_true(ratio > 0.045 && ratio < 0.075); // 3 % each way
	fake_free(dev);
}

static void test_late_answers_are_answers(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 10 * 1000, true);
	world.late = true;
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_free(dev);
}

static void test_dead_anchor_is_benched(void **state)
{
	(void)state;
	world.dead_anchor = true;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 60 * 1000, true);
	// The others answer at once, so that nobody else is alarmed.
	assert_int_equal(dev->suspects, 0);
	unsigned asked = fake_ping_count("192.0.2.2");
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(fake_ping_count("192.0.2.2"), asked);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	// An anchor that never answered says nothing of the line's loss.
	assert_true(fake_sample(dev, SP_REACH_LOSS, "domestic")->sum == 0);
	fake_free(dev);
}

static void test_anchors_die_one_after_another(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 60 * 1000, true);
	for (size_t i = 0; i < SP_COUNT(world.dead); i++) {
		static const char *const victims[] = {"192.0.2.1", "192.0.2.3"};
		world.dead[i] = victims[i];
		fake_run(dev, 900 * 1000, true);
		assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
		assert_int_equal(fake_count(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
		dev->report_count = 0;
	}
	fake_free(dev);
}

static unsigned asked_abroad(void)
{
	return fake_ping_count("198.51.100.1") + fake_ping_count("198.51.100.2");
}

static void test_edges_ask_everything_anew(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 21 * 1000, true);
	world.domestic4 = world.domestic6 = world.international4 = true;
	while (fake_count(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0) == 0) {
		world.pages = world.questions = 0;
		fake_run(dev, 1, true);
	}
	// At the very moment of the edge, whenever they were due.
	assert_true(world.pages > 0);
	assert_true(world.questions > 0);
	fake_run(dev, 7 * 1000, true);
	size_t before = dev->report_count;
	world.domestic4 = world.domestic6 = world.international4 = false;
	unsigned abroad = 0;
	for (;;) {
		world.pages = world.questions = 0;
		abroad = asked_abroad();
		fake_run(dev, 1, true);
		if (fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->report.status == SP_RUNG_OK)
			break;
	}
	assert_true(world.pages > 0);
	assert_true(world.questions > 0);
	assert_true(asked_abroad() > abroad);
	// And what was asked before says nothing: the first word after the edge is of now.
	int64_t edge = dev->now_us;
	fake_run(dev, 100, true);
	assert_true(dev->report_count > before);
	assert_status(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
	assert_true(fake_last(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY)->at_us > edge);
	assert_status(dev, SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
	fake_free(dev);
}

static void test_international_alone(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 25 * 1000, true);
	int64_t broke = dev->now_us;
	world.international4 = true;
	fake_run(dev, 15 * 1000, true);
	const struct fake_report *report = fake_last(dev, SP_RUNG_INTERNATIONAL, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_SILENT);
	assert_in_range(report->report.since_us, broke, broke + 12500000);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	// It is told again often enough that the ledger does not forget it: three rounds and a deadline.
	int64_t from = dev->now_us;
	fake_run(dev, 14 * 1000, true);
	assert_true(fake_count(dev, SP_RUNG_INTERNATIONAL, SP_FAMILY_IPV4, SP_RUNG_SILENT, from) >= 2);
	fake_free(dev);
}

static void test_one_family_alone(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 25 * 1000, true);
	world.domestic6 = true;
	fake_run(dev, 15 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	world.domestic6 = false;
	fake_run(dev, 15 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_OK);
	world.domestic4 = true;
	fake_run(dev, 20 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_OK);
	// Now it alone carries the line, and its loss is the line's.
	world.domestic6 = true;
	fake_run(dev, 5000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_family_without_route_is_unknown(void **state)
{
	(void)state;
	world.no_v6 = true;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 30 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_UNKNOWN);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_int_equal(dev->suspects, 0);
	fake_free(dev);
}

static void test_v6_carries_the_sentinel_alone(void **state)
{
	(void)state;
	struct sp_device *dev = begin("domestic = 2001:db8::1\ninternational = 2001:db8:1::1\n");
	fake_run(dev, 10 * 1000, true);
	assert_in_range(fake_ping_count("2001:db8::1"), 5, 7);
	world.domestic6 = true;
	fake_run(dev, 5000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	assert_null(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4));
	fake_free(dev);
}

static void test_no_route_at_all(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 10 * 1000, true);
	world.no_route = true;
	fake_run(dev, 10 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_UNKNOWN);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6, SP_RUNG_UNKNOWN);
	assert_true(dev->rounds_failed > 0);
	assert_string_equal(dev->reason, "no_route");
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	world.no_route = false;
	fake_run(dev, 3000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_free(dev);
}

static void test_tcp_where_echo_is_filtered(void **state)
{
	(void)state;
	world.filtered = true;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 60 * 1000, true);
	const struct fake_report *report = fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_OK);
	assert_non_null(strstr(report->detail, ", echo is silent"));
	assert_int_equal(fake_count(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT, 0), 0);
	// It has learnt: no more suspicions.
	unsigned suspects = dev->suspects;
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(dev->suspects, suspects);
	world.domestic4 = true;
	fake_run(dev, 5000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_router_answers_dns_in_everybodys_name(void **state)
{
	(void)state;
	world.filtered = true;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 62 * 1000, true);
	assert_string_equal(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->reason, "answered_dns");
	world.hijacked = true;
	world.domestic4 = world.domestic6 = world.international4 = true;
	fake_run(dev, 15 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	fake_run(dev, 60 * 1000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	fake_free(dev);
}

static void test_without_permission(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_ping(echo, false);
	fake_run(dev, 20 * 1000, true);
	const struct fake_report *report = fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4);
	assert_int_equal(report->report.status, SP_RUNG_OK);
	assert_non_null(strstr(report->detail, ", echo is not permitted"));
	assert_int_equal(dev->suspects, 0);
	world.domestic4 = world.domestic6 = true;
	fake_run(dev, 5000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	world.domestic4 = false;
	fake_run(dev, 5000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_free(dev);
}

static void test_resolver(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 20 * 1000, true);
	int64_t broke = dev->now_us;
	world.resolver_dead = true;
	fake_run(dev, 15 * 1000, true);
	const struct fake_report *report = fake_last(dev, SP_RUNG_DNS, SP_FAMILY_ANY);
	assert_int_equal(report->report.status, SP_RUNG_SILENT);
	assert_in_range(report->report.since_us, broke, broke + 12500000);
	assert_string_equal(report->detail, "192.0.2.53 is silent; asked directly, it answers: 198.51.100.1");
	world.resolver_dead = false;
	world.resolver_rcode = SP_DNS_SERVFAIL;
	fake_run(dev, 10 * 1000, true);
	report = fake_last(dev, SP_RUNG_DNS, SP_FAMILY_ANY);
	assert_int_equal(report->report.status, SP_RUNG_WRONG);
	assert_string_equal(report->detail,
			    "192.0.2.53: server failure; asked directly, it answers: 198.51.100.1");
	world.resolver_rcode = 0;
	fake_run(dev, 10 * 1000, true);
	assert_status(dev, SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_free(dev);
}

static void test_no_resolver(void **state)
{
	(void)state;
	assert_int_equal(truncate(world.resolv, 0), 0);
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 20 * 1000, true);
	const struct fake_report *report = fake_last(dev, SP_RUNG_DNS, SP_FAMILY_ANY);
	assert_int_equal(report->report.status, SP_RUNG_UNKNOWN);
	assert_string_equal(report->detail, "no resolver can be asked");
	fake_free(dev);
}

static void test_portal(void **state)
{
	(void)state;
	struct sp_device *dev = begin(anchors);
	fake_run(dev, 10 * 1000, true);
	assert_status(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
	int64_t broke = dev->now_us;
	world.portal = true;
	fake_run(dev, 60 * 1000, true);
	const struct fake_report *report = fake_last(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY);
	assert_int_equal(report->report.status, SP_RUNG_WRONG);
	assert_in_range(report->report.since_us, broke, broke + 60000000);
	world.portal = false;
	fake_run(dev, 10 * 1000, true);
	assert_status(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
	fake_free(dev);
}

static void test_bad_options(void **state)
{
	(void)state;
	static const char *const bad[] = {"domestic = dns.example\n", "dns_name = a..b\n",
					  "dns_expect = here\n"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		struct sp_device *dev = fake_new(&sp_driver_reach, "main", bad[i]);
		fake_ping(echo, true);
		assert_int_equal(fake_start(dev), -EINVAL);
		fake_free(dev);
	}
}

static void test_stop_under_way(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 6000; ms += 97) {
		world.domestic4 = ms > 2000;
		struct sp_device *dev = begin(anchors);
		fake_run(dev, ms, true);
		fake_free(dev);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_everything_answers),
	    TEST(test_quiet_cost),
	    TEST(test_total_loss_is_seen_in_time),
	    TEST(test_lost_packets_are_no_outage),
	    TEST(test_late_answers_are_answers),
	    TEST(test_dead_anchor_is_benched),
	    TEST(test_anchors_die_one_after_another),
	    TEST(test_edges_ask_everything_anew),
	    TEST(test_international_alone),
	    TEST(test_one_family_alone),
	    TEST(test_family_without_route_is_unknown),
	    TEST(test_v6_carries_the_sentinel_alone),
	    TEST(test_no_route_at_all),
	    TEST(test_tcp_where_echo_is_filtered),
	    TEST(test_router_answers_dns_in_everybodys_name),
	    TEST(test_without_permission),
	    TEST(test_resolver),
	    TEST(test_no_resolver),
	    TEST(test_portal),
	    TEST(test_bad_options),
	    TEST(test_stop_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
