// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// By which door a line leaves: what is a re-dial, and what is another uplink.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "agent/core/ledger/egress.h"
#include "tests/unit/core/ledger_bench.h"

static const int64_t week_ms = 7LL * 24 * 3600 * 1000;

static enum sp_egress_event see(struct sp_egress_book *book, double t, const char *hop, const char *address)
{
	struct sp_egress seen = {
	    .family = V4, .hop = hop, .position = hop ? 3 : 0, .address = address, .asked_us = us(t)};
	return sp_egress_book_take(book, &seen, us(t + 0.1));
}

static void test_a_redial_is_the_same_line(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new("auto", week_ms);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_UNKNOWN);
	assert_int_equal(see(book, 100, NULL, NULL), SP_EGRESS_NOTHING);
	assert_int_equal(see(book, 110, "203.0.113.1", "198.51.100.7"), SP_EGRESS_LEARNT);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	assert_true(sp_egress_book_has_hop(book));
	assert_int_equal(see(book, 120, "203.0.113.99", "198.51.100.200"),
			 SP_EGRESS_NOTHING);                                             // same prefixes
	assert_int_equal(see(book, 1e4, "203.0.113.1", "192.0.2.5"), SP_EGRESS_CHANGED); // a new address
	assert_int_equal(see(book, 2e4, "100.64.7.1", "192.0.2.5"), SP_EGRESS_CHANGED);  // a new hop
	assert_int_equal(see(book, 3e4, "100.64.7.1", NULL), SP_EGRESS_NOTHING);
	assert_int_equal(see(book, 3e4, "203.0.113.1", NULL), SP_EGRESS_NOTHING); // ECMP: both are known
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	assert_int_equal(sp_egress_book_confirmed_us(book), us(3e4));
	sp_egress_book_free(book);
}

/// Another router and another pool at once, both of the same provider.
static void test_a_redial_may_change_all_at_once(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	see(book, 100, "203.0.113.1", "198.51.100.7");
	assert_int_equal(see(book, 2000, "203.0.9.1", "192.0.2.5"), SP_EGRESS_CHANGED);    // the router's kin
	assert_int_equal(see(book, 3000, "100.64.7.1", "198.51.9.5"), SP_EGRESS_CHANGED);  // the pool's
	assert_int_equal(see(book, 4000, "198.51.200.1", "233.9.9.9"), SP_EGRESS_CHANGED); // a pool's router
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	assert_int_equal(see(book, 5000, "203.1.113.1", "198.52.100.7"), SP_EGRESS_LOST); // next door
	sp_egress_book_free(book);
}

/// Everybody's routers have such addresses.
static void test_private_addresses_are_nobodys_kin(void **unused)
{
	(void)unused;
	static const char *const pairs[][2] = {{"10.20.1.1", "10.20.2.1"},
					       {"100.64.1.1", "100.64.2.1"},
					       {"172.16.1.1", "172.16.2.1"},
					       {"192.168.1.1", "192.168.2.1"}};
	for (size_t i = 0; i < SP_COUNT(pairs); i++) {
		struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
		see(book, 100, pairs[i][0], "198.51.100.7");
		assert_int_equal(see(book, 2000, pairs[i][1], "203.0.113.5"), SP_EGRESS_LOST);
		sp_egress_book_free(book);
	}
}

static enum sp_egress_event see6(struct sp_egress_book *book, double t, const char *hop, const char *address)
{
	struct sp_egress seen = {
	    .family = V6, .hop = hop, .position = 3, .address = address, .asked_us = us(t)};
	return sp_egress_book_take(book, &seen, us(t));
}

static void test_kin_in_ipv6_share_what_a_registry_gave(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	see6(book, 100, "2001:db8:1::1", "2001:db8:5c::9");
	assert_int_equal(see6(book, 2000, "2001:db8:2::1", "2001:db8:777::9"), SP_EGRESS_CHANGED);
	assert_int_equal(see6(book, 3000, "2001:db9:1::1", "2001:db9:5c::9"), SP_EGRESS_LOST);
	sp_egress_book_free(book);
	book = sp_egress_book_new(NULL, week_ms);
	see6(book, 100, "fd00:1:2::1", "2001:db8:5c::9");
	assert_int_equal(see6(book, 2000, "fd00:1:3::1", "3fff:1::9"), SP_EGRESS_LOST);
	sp_egress_book_free(book);
}

static void test_another_uplink_and_back(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	see(book, 100, "203.0.113.1", "198.51.100.7");
	assert_int_equal(see(book, 2000, "10.200.0.1", "192.0.2.5"), SP_EGRESS_LOST);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_FOREIGN);
	assert_int_equal(sp_egress_book_since_us(book), us(2000));
	assert_int_equal(see(book, 2010, "10.200.0.1", "192.0.2.5"), SP_EGRESS_NOTHING);
	assert_int_equal(see(book, 2015, NULL, NULL), SP_EGRESS_NOTHING); // tells nothing, either way
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_FOREIGN);
	assert_int_equal(see(book, 2020, "203.0.113.1", NULL), SP_EGRESS_BACK);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	sp_egress_book_free(book);
}

static void test_half_a_finding_is_believed_the_third_time(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	see(book, 100, "203.0.113.1", "198.51.100.7");
	assert_int_equal(see(book, 2000, NULL, "192.0.2.5"), SP_EGRESS_NOTHING);
	assert_int_equal(sp_egress_book_confirmed_us(book), us(100)); // it did not say who it is
	assert_int_equal(see(book, 2010, "203.0.113.1", "192.0.2.5"), SP_EGRESS_CHANGED);
	see(book, 3000, NULL, "198.18.9.5");
	see(book, 3010, NULL, "198.18.9.5");
	assert_int_equal(see(book, 3020, NULL, "198.18.9.5"), SP_EGRESS_LOST);
	sp_egress_book_free(book);
}

static void test_a_pool_of_addresses_alone_is_no_other_door(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	assert_int_equal(see(book, 100, NULL, "198.51.100.7"), SP_EGRESS_LEARNT);
	assert_false(sp_egress_book_has_hop(book));
	for (int i = 0; i < 10; i++) {
		char address[32];
		snprintf(address, sizeof(address), "192.0.%d.5", i);
		assert_int_equal(see(book, 2000 + i, NULL, address), SP_EGRESS_CHANGED);
	}
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	sp_egress_book_free(book);
}

static void test_balanced_paths_show_themselves_while_all_is_new(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	assert_int_equal(see(book, 100, "203.0.113.1", NULL), SP_EGRESS_LEARNT);
	assert_int_equal(see(book, 110, "100.64.7.1", NULL), SP_EGRESS_CHANGED);
	assert_int_equal(see(book, 120, "100.64.8.1", NULL), SP_EGRESS_CHANGED);
	assert_int_equal(see(book, 5000, "100.64.8.9", NULL), SP_EGRESS_NOTHING);
	assert_int_equal(see(book, 5010, "10.200.0.1", NULL), SP_EGRESS_LOST);
	sp_egress_book_free(book);
}

static void test_another_door_is_adopted_after_its_time(void **unused)
{
	(void)unused;
	for (int never = 0; never < 2; never++) {
		struct sp_egress_book *book = sp_egress_book_new(NULL, never ? 0 : 3600 * 1000);
		see(book, 100, "203.0.113.1", "198.51.100.7");
		double t = 2000;
		int adopted = 0;
		for (int i = 0; i < 600; i++, t += 10)
			adopted += see(book, t, "10.200.0.1", "192.0.2.5") == SP_EGRESS_ADOPTED;
		assert_int_equal(adopted, never ? 0 : 1);
		assert_int_equal(sp_egress_book_line(book),
				 never ? SP_LINE_EGRESS_FOREIGN : SP_LINE_EGRESS_OWN);
		if (!never) // and what was its own is another now
			assert_int_equal(see(book, t, "203.0.113.1", "198.51.100.7"), SP_EGRESS_LOST);
		sp_egress_book_free(book);
	}
}

static void test_what_is_configured_is_not_learnt(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new("198.51.100.0/24, 2001:db8::/32", week_ms);
	assert_int_equal(see(book, 100, "203.0.113.1", NULL),
			 SP_EGRESS_NOTHING); // the list may mean addresses
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_UNKNOWN);
	see(book, 110, "203.0.113.1", "198.51.100.7");
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	assert_int_equal(see(book, 120, NULL, "192.0.2.5"), SP_EGRESS_LOST);
	assert_int_equal(see(book, 130, NULL, "198.51.100.9"), SP_EGRESS_BACK);
	sp_egress_book_free(book);
}

static void test_a_list_may_be_narrow_and_of_one_family(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new("203.0.113.64/30", week_ms);
	assert_int_equal(see(book, 100, "10.200.0.1", "203.0.113.66"), SP_EGRESS_NOTHING);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	struct sp_egress six = {.family = SP_FAMILY_IPV6,
				.hop = "2001:db8:1::1",
				.position = 3,
				.address = "2001:db8:5c::9",
				.asked_us = us(110)};
	assert_int_equal(sp_egress_book_take(book, &six, us(110)), SP_EGRESS_NOTHING);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	assert_int_equal(see(book, 120, "10.200.0.1", "203.0.113.68"), SP_EGRESS_LOST); // beside it
	sp_egress_book_free(book);
}

static void test_a_hop_alone_is_no_balanced_path_of_a_line_with_an_address(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	see(book, 100, "203.0.113.1", "198.51.100.7");
	assert_int_equal(see(book, 130, "100.64.9.1", NULL), SP_EGRESS_NOTHING); // the address is being asked
	assert_int_equal(see(book, 131, "100.64.9.1", "192.0.2.5"), SP_EGRESS_LOST);
	sp_egress_book_free(book);
}

static void test_it_survives_a_restart(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, 3600 * 1000);
	see(book, 100, "203.0.113.1", "198.51.100.7");
	for (int i = 0; i < 200; i++)
		see(book, 2000 + 10 * i, "10.200.0.1", "192.0.2.5");
	struct sp_buf text = SP_BUF(8192);
	sp_egress_book_save(book, &text);
	sp_egress_book_free(book);
	book = sp_egress_book_new(NULL, 3600 * 1000);
	sp_egress_book_load(book, text.data);
	sp_buf_free(&text);
	// A run that saves before it has seen the door again, and is cut, takes nothing away.
	text = (struct sp_buf)SP_BUF(8192);
	sp_egress_book_save(book, &text);
	sp_egress_book_free(book);
	book = sp_egress_book_new(NULL, 3600 * 1000);
	sp_egress_book_load(book, text.data);
	sp_buf_free(&text);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_UNKNOWN); // known, not yet seen
	assert_int_equal(see(book, 50, "10.200.0.1", "192.0.2.5"), SP_EGRESS_LOST);
	int adopted = 0;
	for (int i = 1; i < 200; i++)
		adopted += see(book, 50 + 10 * i, "10.200.0.1", "192.0.2.5") == SP_EGRESS_ADOPTED;
	assert_int_equal(adopted, 1); // 1990 s before, 1610 s since
	sp_egress_book_free(book);
}

static void test_one_family_alone_is_not_another_uplink(void **unused)
{
	(void)unused;
	struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
	struct sp_egress six = {.family = V6, .hop = "2001:db8:1::1", .position = 2, .asked_us = us(100)};
	see(book, 100, "203.0.113.1", "198.51.100.7");
	assert_int_equal(sp_egress_book_take(book, &six, us(100)), SP_EGRESS_LEARNT);
	six.hop = "3fff:999::1";
	six.asked_us = us(2000);
	assert_int_equal(sp_egress_book_take(book, &six, us(2000)), SP_EGRESS_LOST);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_FOREIGN); // nobody else has spoken since
	see(book, 2005, "203.0.113.1", NULL);
	assert_int_equal(sp_egress_book_line(book), SP_LINE_EGRESS_OWN);
	sp_egress_book_free(book);
}

static void test_nonsense_is_not_given(void **unused)
{
	(void)unused;
	static const char *const texts[] = {"",
					    "null",
					    "[]",
					    "{",
					    "{\"ipv4\":7}",
					    "{\"ipv4\":{\"hops\":[1,null,\"x\",\"1.2.3.4/99\",\"::1/24\"]}}",
					    "{\"ipv4\":{\"foreign_us\":1e400,\"hops\":\"203.0.113.1\"}}"};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		struct sp_egress_book *book = sp_egress_book_new(NULL, week_ms);
		sp_egress_book_load(book, texts[i]);
		assert_false(sp_egress_book_has_hop(book));
		assert_int_equal(see(book, 100, "not an address", "1.2.3"), SP_EGRESS_NOTHING);
		assert_int_equal(see(book, 100, "2001:db8::1", NULL),
				 SP_EGRESS_NOTHING); // the other family's
		assert_int_equal(see(book, 100, "203.0.113.1", NULL), SP_EGRESS_LEARNT);
		sp_egress_book_free(book);
	}
	char bad[80];
	assert_true(sp_egress_book_list_valid("auto", bad, sizeof(bad)));
	assert_true(sp_egress_book_list_valid("203.0.113.0/24,2001:db8::1", bad, sizeof(bad)));
	assert_false(sp_egress_book_list_valid("203.0.113.0/24 vnpt", bad, sizeof(bad)));
	assert_string_equal(bad, "vnpt");
	assert_false(sp_egress_book_list_valid("203.0.113.0/33", bad, sizeof(bad)));
}

// ---- what it means to the ledger ----------------------------------------------------------------------

static void test_a_line_that_is_not_used_is_unknown(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_OWN, us(90), us(90), true);
	say(&bench, 100, ACCESS, V4, OK, 90);
	all_fine(&bench, 100);
	family_lost(&bench, 110, V4, 106);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	// The router took the mobile line: everything answers, but whose is it?
	say(&bench, 131, CORE, V4, OK, 130);
	rest_answers(&bench, 131, V4, 130);
	judge(&bench, 131);
	assert_int_equal(bench.closed, 0);
	assert_int_equal(bench.asked, 1);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_FOREIGN, us(131), us(131), true);
	judge(&bench, 132);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.closed, 0);
	assert_int_equal(bench.line.egress, SP_LINE_EGRESS_FOREIGN);
	still_fine(&bench, 500);
	assert_int_equal(bench.closed, 0);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_OWN, us(600), us(600), true);
	still_fine(&bench, 601);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.opened, 1);
	assert_int_equal(bench.outage.end_mono_us, us(600));
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP);
	assert_int_equal(bench.outage.part_count, 2);
	assert_int_equal(bench.outage.parts[0].us, us(131 - 103));
	assert_int_equal(bench.outage.parts[1].us, us(600 - 131));
	assert_int_equal(bench.outage.parts[1].whose, SP_WHOSE_UNRESOLVED);
	bench_end(&bench);
}

/// The mobile line has no IPv6: until the door is known, the line is not merely degraded.
static void test_one_family_by_an_unknown_door_is_not_degraded_yet(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_OWN, us(90), us(90), true);
	say(&bench, 100, ACCESS, V4, OK, 90);
	both_fine(&bench, 100);
	family_lost(&bench, 110, V4, 106);
	family_lost(&bench, 110, V6, 106);
	judge(&bench, 110);
	say(&bench, 131, CORE, V4, OK, 130);
	rest_answers(&bench, 131, V4, 130);
	judge(&bench, 131);
	assert_int_equal(bench.asked, 1);
	judge(&bench, 138);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_FOREIGN, us(139), us(139), true);
	judge(&bench, 139);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.closed, 0);
	bench_end(&bench);
}

/// What was heard while it was not used is another line's: neither which families it has, nor what answers.
static void test_a_line_learns_nothing_by_another_door(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_FOREIGN, 0, SP_NEVER_US, false);
	both_fine(&bench, 100);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	family_lost(&bench, 110, V6, 106);
	say(&bench, 110, ABROAD, V4, SILENT, 106);
	judge(&bench, 110);
	sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_OWN, us(111), us(111), true);
	judge(&bench, 111);
	assert_line(&bench, SP_LINE_UNKNOWN, SP_CAUSE_NONE, SP_WHOSE_UNRESOLVED);
	assert_int_equal(bench.asked, 1);
	say(&bench, 112, CORE, V4, OK, 100);
	say(&bench, 112, ABROAD, V4, OK, 111);
	judge(&bench, 112);
	assert_line(&bench, SP_LINE_UP, SP_CAUSE_NONE, SP_WHOSE_NOBODY);
	assert_false(bench.line.offered[V6]);
	assert_true(bench.line.since_us >= us(111));
	assert_int_equal(bench.opened, 0);
	bench_end(&bench);
}

static void test_up_waits_for_the_hop_and_not_for_ever(void **unused)
{
	(void)unused;
	for (int deaf = 0; deaf < 3; deaf++) { // it is not asked; it says nothing, or that it is deaf
		struct bench bench;
		bench_begin(&bench, boot_one);
		say(&bench, 100, ACCESS, V6, SP_RUNG_UNKNOWN, 90); // nobody ever found one there
		sp_ledger_egress(bench.ledger, SP_LINE_EGRESS_OWN, us(90), us(90), true);
		say(&bench, 100, ACCESS, V4, OK, 90);
		all_fine(&bench, 100);
		family_lost(&bench, 110, V4, 106);
		judge(&bench, 110);
		say(&bench, 131, CORE, V4, OK, 130);
		rest_answers(&bench, 131, V4, 130);
		judge(&bench, 131);
		assert_int_equal(bench.closed, 0);
		assert_int_equal(bench.next_us, us(141));
		say(&bench, 132, ACCESS, V6, SP_RUNG_UNKNOWN, 90);
		if (deaf == 1)
			say(&bench, 134, ACCESS, V4, SILENT, 106);
		else if (deaf == 2)
			say(&bench, 131.5, ACCESS, V4, SP_RUNG_UNKNOWN, 131.5);
		double until = deaf == 0 ? 141 : deaf == 1 ? 136 : 133.5; // our address may still be told
		judge(&bench, 134.5 < until ? 134.5 : 132);
		assert_int_equal(bench.next_us, us(until));
		assert_int_equal(bench.closed, 0);
		judge(&bench, until);
		assert_int_equal(bench.closed, 1);
		assert_int_equal(bench.outage.end_mono_us, us(130));
		bench_end(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_redial_is_the_same_line),
	    cmocka_unit_test(test_a_redial_may_change_all_at_once),
	    cmocka_unit_test(test_private_addresses_are_nobodys_kin),
	    cmocka_unit_test(test_kin_in_ipv6_share_what_a_registry_gave),
	    cmocka_unit_test(test_another_uplink_and_back),
	    cmocka_unit_test(test_half_a_finding_is_believed_the_third_time),
	    cmocka_unit_test(test_a_pool_of_addresses_alone_is_no_other_door),
	    cmocka_unit_test(test_balanced_paths_show_themselves_while_all_is_new),
	    cmocka_unit_test(test_another_door_is_adopted_after_its_time),
	    cmocka_unit_test(test_what_is_configured_is_not_learnt),
	    cmocka_unit_test(test_a_list_may_be_narrow_and_of_one_family),
	    cmocka_unit_test(test_a_hop_alone_is_no_balanced_path_of_a_line_with_an_address),
	    cmocka_unit_test(test_it_survives_a_restart),
	    cmocka_unit_test(test_one_family_alone_is_not_another_uplink),
	    cmocka_unit_test(test_nonsense_is_not_given),
	    cmocka_unit_test(test_a_line_that_is_not_used_is_unknown),
	    cmocka_unit_test(test_one_family_by_an_unknown_door_is_not_degraded_yet),
	    cmocka_unit_test(test_a_line_learns_nothing_by_another_door),
	    cmocka_unit_test(test_up_waits_for_the_hop_and_not_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
