// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// rtnetlink as a kernel sent it: tables and changes of a namespace with two links, and the choice of the
// line's interface.
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "drivers/link/netlink.h"
#include "drivers/link/view.h"
#include "recorded.h"

static struct sp_view view;
static struct sp_nl_event seen[64];
static size_t seen_count;

static void keep(const struct sp_nl_event *event, void *arg)
{
	(void)arg;
	sp_view_add(&view, event);
	assert_true(seen_count < SP_COUNT(seen));
	seen[seen_count++] = *event;
}

static void read_all(const char *name)
{
	uint8_t data[RECORDED_MAX];
	char file[32];
	bool done = false;
	for (int i = 0; i < 4 && !done; i++) {
		snprintf(file, sizeof(file), "%s%d", name, i);
		assert_int_equal(sp_nl_parse(data, recorded("netlink", file, data), keep, NULL), 0);
		done = seen[seen_count - 1].kind == SP_NL_DONE;
	}
	assert_true(done);
}

static int setup(void **state)
{
	(void)state;
	memset(&view, 0, sizeof(view));
	seen_count = 0;
	return 0;
}

static void test_links(void **state)
{
	(void)state;
	read_all("link");
	assert_int_equal(view.link_count, 5);
	const struct sp_nl_link *lo = sp_view_link_named(&view, "lo"),
				*line = sp_view_link_named(&view, "line0");
	assert_non_null(lo);
	assert_true(lo->loopback && lo->up && lo->carrier);
	assert_non_null(line);
	assert_true(line->up && line->carrier && line->has_counters && !line->loopback && !line->physical);
	assert_true(line->rx_bytes > 0);
	assert_int_equal(seen[seen_count - 1].kind, SP_NL_DONE);
	assert_int_equal(seen[seen_count - 1].error, 0);
	assert_int_equal(seen[seen_count - 1].seq, 1);
}

static void test_addresses(void **state)
{
	(void)state;
	read_all("link");
	read_all("addr");
	uint32_t line = sp_view_link_named(&view, "line0")->index,
		 lo = sp_view_link_named(&view, "lo")->index;
	uint32_t isp = sp_view_link_named(&view, "isp0")->index;
	assert_true(sp_view_has_address(&view, AF_INET, line));
	assert_true(sp_view_has_address(&view, AF_INET6, line));
	assert_false(sp_view_has_address(&view, AF_INET, lo));
	assert_false(sp_view_has_address(&view, AF_INET6, isp)); // link-local only
	unsigned self_assigned = 0;
	for (size_t i = 0; i < view.address_count; i++) {
		assert_true(view.addresses[i].usable != view.addresses[i].link_local);
		if (!view.addresses[i].link_local)
			continue;
		self_assigned++;
		assert_int_equal(view.addresses[i].family, AF_INET);
		assert_true(sp_view_self_assigned(&view, view.addresses[i].index));
	}
	assert_int_equal(self_assigned, 1);
	assert_false(sp_view_self_assigned(&view, lo));
}

static void test_routes(void **state)
{
	(void)state;
	read_all("link");
	read_all("route4_");
	read_all("route6_");
	uint32_t line = sp_view_link_named(&view, "line0")->index,
		 other = sp_view_link_named(&view, "dummy0")->index;
	const struct sp_nl_route *route = sp_view_default(&view, AF_INET, 0);
	struct in_addr router = {inet_addr("192.0.2.1")};
	assert_non_null(route);
	assert_int_equal(route->metric, 100);
	assert_int_equal(route->index, line);
	assert_int_equal(route->gateway_family, AF_INET);
	assert_memory_equal(route->gateway, &router, 4);
	route = sp_view_default(&view, AF_INET, other);
	assert_int_equal(route->metric, 200);
	assert_int_equal(route->gateway_family, AF_UNSPEC);
	unsigned hops = 0, via = 0;
	for (size_t i = 0; i < view.route_count; i++) {
		hops += view.routes[i].metric == 300;
		via += view.routes[i].metric == 400 && view.routes[i].family == AF_INET &&
		       view.routes[i].gateway_family == AF_INET6 && view.routes[i].gateway[0] == 0xfe;
	}
	assert_int_equal(hops, 2);             // multipath
	assert_int_equal(via, 1);              // RFC 8950
	assert_int_equal(view.route_count, 6); // not the other table's, not the unreachable one
	route = sp_view_default(&view, AF_INET6, 0);
	assert_int_equal(route->metric, 1024);
	assert_int_equal(route->gateway[0], 0xfe);
	assert_null(sp_view_default(&view, AF_INET6, other));
}

static void test_neighbours(void **state)
{
	(void)state;
	read_all("neigh");
	unsigned found = 0;
	for (size_t i = 0; i < seen_count; i++) {
		const struct sp_nl_neighbour *it = &seen[i].neighbour;
		if (seen[i].kind != SP_NL_NEIGHBOUR)
			continue;
		if (it->family == AF_INET && it->address[3] == 1 && it->state & NUD_REACHABLE)
			found |= 1 * (it->has_age && it->has_mac && !(it->mac[0] & 1));
		if (it->family == AF_INET && it->address[3] == 7 && it->state & NUD_FAILED)
			found |= 2;
		if (it->family == AF_INET6 && it->address[0] == 0xfe && it->state & NUD_STALE)
			found |= 4;
	}
	assert_int_equal(found, 7);
}

static void test_changes(void **state)
{
	(void)state;
	uint8_t data[RECORDED_MAX];
	char file[32];
	bool down = false, renamed = false, gone = false, changed = false;
	for (int i = 0; i < 26; i++) {
		snprintf(file, sizeof(file), "event%d", i);
		seen_count = 0;
		assert_int_equal(sp_nl_parse(data, recorded("netlink", file, data), keep, NULL), 0);
		for (size_t k = 0; k < seen_count; k++) {
			const struct sp_nl_event *it = &seen[k];
			down |= it->kind == SP_NL_LINK && strcmp(it->link.name, "isp0") == 0 && !it->link.up;
			renamed |= it->kind == SP_NL_LINK && strcmp(it->link.name, "wan0") == 0;
			gone |= it->kind == SP_NL_LINK_GONE && strcmp(it->link.name, "dummy0") == 0;
			changed |= it->kind == SP_NL_CHANGED;
		}
	}
	assert_true(down && renamed && gone && changed);
}

static void test_damage(void **state)
{
	(void)state;
	uint8_t data[RECORDED_MAX], copy[RECORDED_MAX];
	size_t length = recorded("netlink", "route4_0", data);
	for (size_t cut = 0; cut < length; cut++) {
		seen_count = 0;
		(void)!sp_nl_parse(data, cut, keep, NULL);
	}
	for (size_t at = 0; at < length; at++) {
		seen_count = 0;
		memcpy(copy, data, length);
		copy[at] ^= 0xff;
		(void)!sp_nl_parse(copy, length, keep, NULL);
	}
	data[0] = data[1] = data[2] = data[3] = 0;
	assert_int_equal(sp_nl_parse(data, length, keep, NULL), -EBADMSG);
}

static void add_link(uint32_t index, const char *name, bool up, bool carrier)
{
	struct sp_nl_event event = {.kind = SP_NL_LINK};
	event.link = (struct sp_nl_link){.index = index, .up = up, .carrier = carrier, .physical = true};
	strcpy(event.link.name, name);
	sp_view_add(&view, &event);
}

static void add_route(uint32_t index, int family, uint32_t metric)
{
	struct sp_nl_event event = {.kind = SP_NL_ROUTE};
	event.route = (struct sp_nl_route){.index = index, .family = family, .metric = metric};
	sp_view_add(&view, &event);
}

static const char *chosen(const char *wanted, const char *kept)
{
	const struct sp_nl_link *link = sp_view_choose(&view, wanted, kept);
	return link ? link->name : "";
}

static void test_choice(void **state)
{
	(void)state;
	assert_string_equal(chosen("auto", ""), "");
	add_link(2, "eth0", true, false);
	assert_string_equal(chosen("auto", ""), "eth0"); // the only one that is up
	add_link(3, "wlan0", true, true);
	assert_string_equal(chosen("auto", ""), "wlan0"); // the only one that is connected
	assert_string_equal(chosen("auto", "eth0"), "eth0");
	add_link(4, "eth1", true, true);
	assert_string_equal(chosen("auto", ""), "");
	assert_string_equal(chosen("auto", "usb0"), "");
	assert_string_equal(chosen("eth1", ""), "eth1");
	assert_string_equal(chosen("usb0", "eth0"), "");
	add_route(4, AF_INET6, 10);
	assert_string_equal(chosen("auto", "eth0"), "eth1");
	add_route(3, AF_INET, 600);
	assert_string_equal(chosen("auto", "eth0"), "wlan0");
	add_route(2, AF_INET, 100);
	assert_string_equal(chosen("auto", "wlan0"), "eth0");
}

static void test_crowd(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 1000; i++) {
		add_link(i, "eth0", true, true);
		add_route(i, AF_INET, i);
	}
	assert_int_equal(view.link_count, SP_VIEW_LINKS);
	assert_int_equal(view.route_count, SP_VIEW_ROUTES);
	assert_non_null(sp_view_choose(&view, "auto", ""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_links),   TEST(test_addresses), TEST(test_routes), TEST(test_neighbours),
	    TEST(test_changes), TEST(test_damage),    TEST(test_choice), TEST(test_crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
