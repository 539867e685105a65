// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whose is a hop, which is the provider's first, what is one door, and what is our public address: pure
// logic.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/link/egress.h"
#include "drivers/link/hop.h"

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage out = {0};
	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&out)->sin_addr) == 1)
		out.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&out)->sin6_addr) == 1)
		out.ss_family = AF_INET6;
	return out;
}

static void test_owners(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum sp_hop_owner owner;
	} all[] = {
	    {"10.255.0.1", SP_HOP_SCHOOL},
	    {"11.0.0.1", SP_HOP_PROVIDER},
	    {"172.15.0.1", SP_HOP_PROVIDER},
	    {"172.16.0.1", SP_HOP_SCHOOL},
	    {"172.31.255.1", SP_HOP_SCHOOL},
	    {"172.32.0.1", SP_HOP_PROVIDER},
	    {"192.168.100.1", SP_HOP_SCHOOL},
	    {"192.167.1.1", SP_HOP_PROVIDER},
	    {"169.254.3.4", SP_HOP_SCHOOL},
	    {"100.64.0.1", SP_HOP_PROVIDER},
	    {"100.127.255.1", SP_HOP_PROVIDER},
	    {"0.1.2.3", SP_HOP_NOBODY},
	    {"224.0.0.1", SP_HOP_NOBODY},
	    {"255.255.255.255", SP_HOP_NOBODY},
	    {"127.0.0.1", SP_HOP_SCHOOL},
	    {"fe80::1", SP_HOP_SCHOOL},
	    {"fd00::1", SP_HOP_SCHOOL},
	    {"fc12::1", SP_HOP_SCHOOL},
	    {"2001:ee0:1:ff::1", SP_HOP_SCHOOL},
	    {"2001:ee0:2::1", SP_HOP_PROVIDER},
	    {"::1", SP_HOP_SCHOOL},
	    {"::", SP_HOP_NOBODY},
	    {"ff02::1", SP_HOP_NOBODY},
	};
	struct sockaddr_storage own = address("2001:ee0:1:5::10"), none = {0};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct sockaddr_storage it = address(all[i].text);
		assert_int_equal(sp_hop_owner(&it, &own), all[i].owner);
	}
	assert_int_equal(sp_hop_owner(&none, &own), SP_HOP_NOBODY);
}

static void test_search(void **state)
{
	(void)state;
	struct sp_hop_search search = {0};
	assert_int_equal(sp_hop_found(&search), 0);
	sp_hop_heard(&search, 1, SP_HOP_SCHOOL);
	sp_hop_heard(&search, 4, SP_HOP_PROVIDER);
	assert_int_equal(sp_hop_found(&search), 4);
	// What kept silent before it might be nearer; what lies behind does not matter.
	assert_false(sp_hop_wanted(&search, 1));
	assert_true(sp_hop_wanted(&search, 2));
	assert_true(sp_hop_wanted(&search, 3));
	assert_false(sp_hop_wanted(&search, 4));
	assert_false(sp_hop_wanted(&search, 5));
	sp_hop_heard(&search, 2, SP_HOP_PROVIDER);
	sp_hop_heard(&search, 3, SP_HOP_SCHOOL); // a provider's private core
	assert_int_equal(sp_hop_found(&search), 2);
	// One of the school's at the same distance.
	sp_hop_heard(&search, 2, SP_HOP_SCHOOL);
	sp_hop_heard(&search, 2, SP_HOP_PROVIDER);
	assert_int_equal(sp_hop_found(&search), 4);
	// The target itself is no hop.
	sp_hop_arrived(&search, 6);
	assert_int_equal(sp_hop_found(&search), 4);
	sp_hop_arrived(&search, 4);
	assert_int_equal(sp_hop_found(&search), 0);
	assert_false(sp_hop_wanted(&search, 5));
	// Out of range.
	sp_hop_heard(&search, 0, SP_HOP_PROVIDER);
	sp_hop_heard(&search, SP_HOP_MOST + 1, SP_HOP_PROVIDER);
	sp_hop_arrived(&search, 0);
	assert_int_equal(search.target, 4);
	assert_false(sp_hop_wanted(&search, 0));
}

static void add(struct sp_hop_set *set, const char *text)
{
	struct sockaddr_storage it = address(text);
	sp_hop_set_add(set, &it);
}

static void test_doors(void **state)
{
	(void)state;
	struct sp_hop_set known = {0}, heard = {0};
	assert_false(sp_hop_set_settle(&known, &heard));
	add(&heard, "198.51.100.9");
	add(&heard, "198.51.100.5");
	add(&heard, "198.51.100.5");
	assert_int_equal(heard.count, 2);
	assert_true(sp_hop_set_settle(&known, &heard));
	struct sockaddr_storage lowest = address("198.51.100.5");
	assert_true(sp_hop_same(&known.address[0], &lowest));
	heard = (struct sp_hop_set){0};
	add(&heard, "198.51.100.1");
	add(&heard, "198.51.100.9");
	assert_false(sp_hop_set_settle(&known, &heard)); // joins, and the name stays
	assert_int_equal(known.count, 3);
	assert_true(sp_hop_same(&known.address[0], &lowest));
	heard = (struct sp_hop_set){0};
	add(&heard, "100.64.0.1");
	assert_true(sp_hop_set_settle(&known, &heard));
	assert_int_equal(known.count, 1);
	for (int i = 0; i < 20; i++) {
		char text[32];
		snprintf(text, sizeof(text), "100.64.1.%d", i);
		add(&known, text);
	}
	assert_int_equal(known.count, SP_HOP_SET);
}

static void says(const char *body, const char *expected)
{
	struct sockaddr_storage out, wanted = address(expected ? expected : "");
	int result = sp_egress_parse((const uint8_t *)body, strlen(body), &out);
	if ((result == 0) != (expected != NULL))
		print_message("%s\n", body);
	assert_int_equal(result, expected ? 0 : -EBADMSG);
	if (expected)
		assert_true(sp_hop_same(&out, &wanted));
}

static void test_public_address(void **state)
{
	(void)state;
	says("203.0.113.7", "203.0.113.7");
	says("\r\n 203.0.113.7 \n", "203.0.113.7");
	says("2001:ee0::7\n", "2001:ee0::7");
	says("::ffff:203.0.113.7", "203.0.113.7");
	says("{\"processedString\":\"203.0.113.7 - VNPT, VN (5 km)\",\"rawIspInfo\":{\"ip\":\"1.1.1.1\"}}",
	     "203.0.113.7");
	says(" { \"a\" : {\"processedString\":\"1.1.1.1\"}, \"processedString\" : \"2001:ee0::7\"}",
	     "2001:ee0::7");
	says("{\"x\":\"a\\\"b\",\"processedString\":\"203.0.113.7\"}", "203.0.113.7");
	says("", NULL);
	says("203.0.113.7 extra", NULL);
	says("203.0.113", NULL);
	says("203.0.113.07x", NULL);
	says("<html>203.0.113.7</html>", NULL);
	says("192.168.1.9 ", NULL); // not how the Internet knows anybody
	says("{\"processedString\":\"192.168.1.9 - private IPv4 access\"}", NULL);
	says("{\"processedString\":\"127.0.0.1 - localhost IPv4 access\"}", NULL);
	says("{\"processedString\":\"::1\"}", NULL);
	says("{\"processedString\":203}", NULL);
	says("{\"processedString\":\"203.0.113.7", NULL);
	says("{\"processedString\":\"\"}", NULL);
	says("{\"processedString\"}", NULL);
	says("[\"processedString\"]", NULL);
	says("{\"a\":{\"processedString\":\"203.0.113.7\"}}", NULL);
	says("{\"x\":\"\\", NULL);
	says("fe80::1", NULL);
}

static void test_every_cut_of_an_answer(void **state)
{
	(void)state;
	static const char body[] = "{\"rawIspInfo\":\"\",\"processedString\":\"203.0.113.7 - VNPT\"}";
	struct sockaddr_storage out;
	for (size_t cut = 0; cut < sizeof(body) - 3; cut++)
		assert_int_equal(sp_egress_parse((const uint8_t *)body, cut, &out), -EBADMSG);
	assert_int_equal(sp_egress_parse((const uint8_t *)body, SP_EGRESS_BODY + 1, &out), -EBADMSG);
	assert_int_equal(sp_egress_parse((const uint8_t *)"203.0.113.7\0", 12, &out), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_owners),
	    cmocka_unit_test(test_search),
	    cmocka_unit_test(test_doors),
	    cmocka_unit_test(test_public_address),
	    cmocka_unit_test(test_every_cut_of_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
