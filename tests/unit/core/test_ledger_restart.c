// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Outages that outlive the agent, or the boot.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/core/ledger_bench.h"

static char *save(const struct bench *bench)
{
	struct sp_buf text = SP_BUF(64 * 1024);
	sp_ledger_save(bench->ledger, &text);
	char *taken = sp_buf_take(&text);
	return taken ? taken : calloc(1, 1);
}

static void test_an_outage_goes_on_in_the_next_boot(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	char *nothing = save(&bench);
	assert_string_equal(nothing, "{\"offered\":[\"ipv4\",\"ipv6\"]}"); // no outage
	free(nothing);
	family_lost(&bench, 110, V4, 104);
	family_lost(&bench, 110, V6, 104);
	judge(&bench, 110);
	struct sp_outage first = bench.outage;
	assert_false(first.start_placed);
	// the clock is learnt during the outage, and its beginning with it
	int saves = bench.saves;
	bench.synced = true;
	bench.wall_offset_ms = 1700000000000;
	judge(&bench, 111);
	assert_int_equal(bench.saves, saves + 1);
	char *text = save(&bench);
	bench_end(&bench);

	bench_begin(&bench, boot_two);
	assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
	free(text);
	const struct sp_outage *open = sp_ledger_outage(bench.ledger);
	assert_non_null(open);
	assert_string_equal(open->id, first.id);
	assert_string_equal(open->start_boot, boot_one);
	assert_true(open->start_placed);
	assert_int_equal(open->start_t_ms, 1700000000000 + 102000);
	judge(&bench, 5);
	assert_int_equal(bench.closed, 0);
	// the same trouble, seen again: no second outage
	family_lost(&bench, 20, V4, 15);
	judge(&bench, 20);
	assert_int_equal(bench.opened, 0);
	// IPv6 was offered before, so it is still missed
	say(&bench, 31, CORE, V4, OK, 30);
	say(&bench, 31, CORE, V6, SILENT, 15);
	say(&bench, 31, GATEWAY, V6, OK, 15);
	judge(&bench, 31);
	judge(&bench, 37);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_PROVIDER);
	bench.synced = true;
	bench.wall_offset_ms = 1700000900000;
	say(&bench, 41, CORE, V6, OK, 40);
	rest_answers(&bench, 41, V4, 40);
	rest_answers(&bench, 41, V6, 40);
	judge(&bench, 41);
	assert_int_equal(bench.closed, 1);
	assert_string_equal(bench.outage.id, first.id);
	assert_string_equal(bench.outage.end_boot, boot_two);
	assert_int_equal(bench.outage.end_mono_us, us(40));
	assert_int_equal(bench.outage.end_t_ms, 1700000900000 + 40000);
	assert_int_equal(bench.outage.state, SP_LINE_DOWN);
	char *empty = save(&bench);
	assert_string_equal(empty, "{\"offered\":[\"ipv4\",\"ipv6\"]}");
	free(empty);
	bench_end(&bench);
}

static void test_a_restart_does_not_end_what_lies_farther_out(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 110, CORE, V4, OK, 100);
	say(&bench, 110, DNS, V4, SILENT, 105);
	judge(&bench, 110);
	assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_DNS, SP_WHOSE_RESOLVER);
	char *text = save(&bench);
	bench_end(&bench);
	for (int answers = 0; answers < 3; answers++) {
		bench_begin(&bench, boot_one);
		assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
		judge(&bench, 200);
		assert_int_equal(bench.lines, 0); // nothing measured is nothing to say
		for (int t = 205; t <= 285; t += 10) {
			say(&bench, t, CORE, V4, OK, 205);
			judge(&bench, t);
			assert_int_equal(bench.closed, 0); // the resolver has not been asked yet
		}
		if (answers == 0)
			say(&bench, 286, DNS, V4, OK, 285);
		else if (answers == 1)
			say(&bench, 286, DNS, V4, SILENT, 206);
		judge(&bench, answers == 2 ? 296 : 286); // nobody asks it any more
		assert_int_equal(bench.closed, answers == 1 ? 0 : 1);
		assert_int_equal(bench.opened, 0);
		if (answers == 0)
			assert_int_equal(bench.outage.end_mono_us, us(285));
		bench_end(&bench);
	}
	free(text);
}

static void test_a_hop_that_is_not_found_again_takes_nothing_back(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	all_fine(&bench, 100);
	say(&bench, 100, ACCESS, V4, OK, 60);
	say(&bench, 110, GATEWAY, V4, OK, 60);
	say(&bench, 110, CORE, V4, SILENT, 106);
	say(&bench, 110, ACCESS, V4, SILENT, 107);
	judge(&bench, 110);
	judge(&bench, 115);
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP_ACCESS, SP_WHOSE_PROVIDER);
	char *text = save(&bench);
	bench_end(&bench);

	// The next run looks for the hop in vain, for ten times as long as the first one saw it silent.
	bench_begin(&bench, boot_one);
	assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
	free(text);
	for (double t = 120; t <= 220; t += 2) {
		say(&bench, t, CABLE, ANY, OK, 117);
		say(&bench, t, ADDRESS, V4, OK, 117);
		say(&bench, t, GATEWAY, V4, OK, 117);
		say(&bench, t, CORE, V4, SILENT, 118);
		judge(&bench, t);
	}
	assert_line(&bench, SP_LINE_DOWN, SP_CAUSE_ISP, SP_WHOSE_PROVIDER);
	say(&bench, 222, CORE, V4, OK, 221);
	rest_answers(&bench, 222, V4, 221);
	judge(&bench, 222);
	assert_int_equal(bench.closed, 1);
	assert_int_equal(bench.outage.cause, SP_CAUSE_ISP_ACCESS);
	bench_end(&bench);
}

/// Broken before the board boots, it answers nobody in this run; the last one knew that it is offered.
static void test_a_family_that_is_broken_at_boot_is_missed(void **unused)
{
	(void)unused;
	struct bench bench;
	bench_begin(&bench, boot_one);
	both_fine(&bench, 100);
	assert_int_equal(bench.saves, 2); // as soon as each is known
	char *text = save(&bench);
	bench_end(&bench);
	for (int known = 0; known < 2; known++) {
		bench_begin(&bench, boot_two);
		if (known)
			assert_int_equal(sp_ledger_load(bench.ledger, text), 0);
		for (double t = 20; t < 60; t += 2) {
			say(&bench, t, CORE, V4, OK, t);
			rest_answers(&bench, t, V4, t);
			family_lost(&bench, t, V6, 20);
			judge(&bench, t);
		}
		assert_int_equal(bench.opened, known);
		if (known)
			assert_line(&bench, SP_LINE_DEGRADED, SP_CAUSE_IPV6, SP_WHOSE_PROVIDER);
		bench_end(&bench);
	}
	free(text);
}

#define MEMORY(state, cause, start, parts)                                                \
	"{\"outage\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"state\":" state ",\"cause\":" cause \
	",\"whose\":\"provider\",\"start_boot\":\"b\",\"start_mono_us\":" start parts ",\"offered\":[]}"
#define PART(seconds) \
	",\"parts\":[{\"cause\":\"isp\",\"whose\":\"provider\",\"state\":\"down\",\"seconds\":" seconds "}]"

static void test_a_spoilt_memory_is_refused(void **unused)
{
	(void)unused;
	static const char *const texts[] = {
	    "",
	    "null",
	    "[]",
	    "{\"outage\":\"x\"}",
	    MEMORY("\"down\"", "\"isp\"", "1e300", PART("1")),
	    MEMORY("\"dawn\"", "\"isp\"", "1", PART("1")),
	    MEMORY("\"down\"", "7", "1", PART("1")),
	    MEMORY("\"down\"", "\"isp\"", "1", PART("-1")),
	    MEMORY("\"down\"", "\"isp\"", "1", ",\"parts\":[{}]"),
	    MEMORY("\"down\"", "\"isp\"", "1", ",\"parts\":[]"),
	    MEMORY("\"down\"", "\"isp\"", "1", ""),
	    "{\"outage\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	};
	struct bench bench;
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		bench_begin(&bench, boot_one);
		assert_int_equal(sp_ledger_load(bench.ledger, texts[i]), -EINVAL);
		assert_null(sp_ledger_outage(bench.ledger));
		bench_end(&bench);
	}
	bench_begin(&bench, boot_one);
	assert_int_equal(sp_ledger_load(bench.ledger, MEMORY("\"down\"", "\"isp\"", "1", PART("1"))), 0);
	assert_non_null(sp_ledger_outage(bench.ledger));
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_outage_goes_on_in_the_next_boot),
	    cmocka_unit_test(test_a_restart_does_not_end_what_lies_farther_out),
	    cmocka_unit_test(test_a_hop_that_is_not_found_again_takes_nothing_back),
	    cmocka_unit_test(test_a_family_that_is_broken_at_boot_is_missed),
	    cmocka_unit_test(test_a_spoilt_memory_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
