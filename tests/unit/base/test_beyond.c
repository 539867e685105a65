// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which peers stand beyond the gateway.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "agent/base/beyond.h"

static bool beyond(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return sp_beyond_address((const struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return sp_beyond_address((const struct sockaddr *)&v6);
}

static void test_this_machine_and_its_links_are_near(void **unused)
{
	(void)unused;
	assert_false(beyond("127.0.0.1"));
	assert_false(beyond("0.0.0.0"));
	assert_false(beyond("169.254.7.7"));
	assert_false(beyond("::1"));
	assert_false(beyond("::"));
	assert_false(beyond("fe80::1"));
	assert_false(beyond("::ffff:127.0.0.1"));
}

static void test_our_own_subnets_are_near(void **unused)
{
	(void)unused;
	struct ifaddrs *list;
	assert_int_equal(getifaddrs(&list), 0);
	for (const struct ifaddrs *it = list; it; it = it->ifa_next)
		if (it->ifa_addr &&
		    (it->ifa_addr->sa_family == AF_INET || it->ifa_addr->sa_family == AF_INET6))
			assert_false(sp_beyond_address(it->ifa_addr));
	freeifaddrs(list);
}

static void test_documentation_addresses_are_far(void **unused)
{
	(void)unused;
	// A machine may stand in one of these nets, hardly in all.
	assert_true(beyond("192.0.2.1") || beyond("198.51.100.1") || beyond("203.0.113.1"));
	assert_true(beyond("2001:db8::1") || beyond("2001:db8:ffff::1"));
	assert_true(beyond("::ffff:198.51.100.1") || beyond("::ffff:203.0.113.1"));
}

static void test_what_is_no_address_is_not_believed(void **unused)
{
	(void)unused;
	struct sockaddr none = {.sa_family = AF_UNIX};
	assert_false(sp_beyond_address(&none));
	assert_false(sp_beyond_peer(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_this_machine_and_its_links_are_near),
	    cmocka_unit_test(test_our_own_subnets_are_near),
	    cmocka_unit_test(test_documentation_addresses_are_far),
	    cmocka_unit_test(test_what_is_no_address_is_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
