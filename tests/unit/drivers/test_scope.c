// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Suspicion and verdict of one scope, and the portal check's judgement: pure logic.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/link/portal.h"
#include "drivers/link/scope.h"

static struct sp_scope scope;

static int setup(void **state)
{
	(void)state;
	sp_scope_init(&scope, 3);
	return 0;
}

static void test_one_loss_is_a_suspicion(void **state)
{
	(void)state;
	assert_int_equal(scope.status, SP_RUNG_UNKNOWN);
	assert_true(sp_scope_answered(&scope, 0, 1000, 1020));
	assert_int_equal(scope.since_us, 1000);
	assert_true(sp_scope_lost(&scope, 1, 2000));
	assert_false(sp_scope_lost(&scope, 2, 2500));
	assert_int_equal(scope.status, SP_RUNG_OK);
	assert_false(sp_scope_answered(&scope, 0, 2600, 2620));
	assert_false(scope.suspected);
	assert_int_equal(scope.since_us, 1000);
}

static void test_silence_began_with_the_first_loss(void **state)
{
	(void)state;
	sp_scope_answered(&scope, 0, 1000, 1020);
	sp_scope_doubt(&scope, 2100, 2200);           // another scope's suspicion
	assert_false(sp_scope_lost(&scope, 1, 2000)); // ours had been sent before
	assert_true(sp_scope_silent(&scope, 3000));
	assert_int_equal(scope.since_us, 2000);
	assert_false(sp_scope_silent(&scope, 4000));
	assert_int_equal(scope.since_us, 2000);
	assert_true(sp_scope_answered(&scope, 2, 5000, 5100));
	assert_int_equal(scope.since_us, 3500); // between the first loss and the answer
	assert_true(sp_scope_lost(&scope, 0, 6000));
	scope.last_lost_us = 7000; // and all of them
	assert_true(sp_scope_silent(&scope, 8000));
	assert_true(sp_scope_answered(&scope, 2, 9000, 9100));
	assert_int_equal(scope.since_us, 8000); // between the last loss and the answer
}

static void test_silence_of_another_scope_dates_ours(void **state)
{
	(void)state;
	sp_scope_answered(&scope, 0, 1000, 1020);
	sp_scope_doubt(&scope, 2000, 3200);
	assert_true(sp_scope_silent(&scope, 4700));
	assert_int_equal(scope.since_us, 2000);
	// But not when a later probe of ours came through.
	sp_scope_answered(&scope, 0, 6000, 6020);
	sp_scope_doubt(&scope, 5500, 6700);
	assert_true(sp_scope_silent(&scope, 8200));
	assert_int_equal(scope.since_us, 6700);
}

static void test_late_answer_keeps_the_edges_in_order(void **state)
{
	(void)state;
	sp_scope_answered(&scope, 0, 1000, 1020);
	sp_scope_lost(&scope, 1, 2000);
	sp_scope_silent(&scope, 3000);
	assert_true(sp_scope_answered(&scope, 0, 1500, 3500)); // sent before the silence began
	assert_int_equal(scope.status, SP_RUNG_OK);
	assert_true(scope.since_us >= 2000);
}

/// A router kept the question until its neighbour lived again: the line came back when it was let go.
static void test_a_question_that_was_held_tells_by_its_answer(void **state)
{
	(void)state;
	const int64_t s = 1000000;
	sp_scope_answered(&scope, 0, 1 * s, 1 * s + 20000);
	sp_scope_lost(&scope, 1, 2 * s);
	sp_scope_silent(&scope, 4 * s);
	scope.last_lost_us = 9 * s; // swept since
	assert_true(sp_scope_answered(&scope, 0, 10 * s, 12 * s));
	assert_int_equal(scope.since_us, 12 * s - 20000);
}

static void test_turns_and_bench(void **state)
{
	(void)state;
	int64_t now = 0;
	unsigned asked[3] = {0};
	for (int i = 0; i < 30; i++, now += 2000000) {
		unsigned at = sp_scope_pick(&scope, now);
		asked[at]++;
		if (at == 1) {
			sp_scope_lost(&scope, at, now);
			sp_scope_answered(&scope, 0, now, now);
		} else {
			sp_scope_answered(&scope, at, now, now);
		}
	}
	assert_int_equal(asked[1], 3);
	assert_true(asked[0] >= 13 && asked[2] >= 13);
	// After ten minutes it gets another chance, and one answer brings it back.
	now += 600 * (int64_t)1000000;
	unsigned again = 0;
	for (int i = 0; i < 3; i++)
		again += sp_scope_pick(&scope, now) == 1;
	assert_int_equal(again, 1);
	sp_scope_answered(&scope, 1, now, now);
	again = 0;
	for (int i = 0; i < 30; i++)
		again += sp_scope_pick(&scope, now) == 1;
	assert_int_equal(again, 10);
}

static void test_a_dead_line_benches_nobody(void **state)
{
	(void)state;
	for (int64_t at = 0; at < 9; at++) {
		sp_scope_lost(&scope, (unsigned)at % 3, at);
		sp_scope_silent(&scope, at);
	}
	sp_scope_answered(&scope, 0, 100, 100);
	bool asked[3] = {false};
	for (int i = 0; i < 3; i++)
		asked[sp_scope_pick(&scope, 101)] = true;
	assert_true(asked[0] && asked[1] && asked[2]);
}

static void test_burst_sizes(void **state)
{
	(void)state;
	static const unsigned tries[] = {0, 6, 3, 2, 2, 2, 2, 2};
	for (unsigned anchors = 1; anchors < 8; anchors++) {
		sp_scope_init(&scope, anchors);
		assert_int_equal(sp_scope_tries(&scope), tries[anchors]);
	}
	sp_scope_init(&scope, 99);
	assert_int_equal(scope.anchors, SP_SCOPE_ANCHORS);
}

static void test_unmeasured(void **state)
{
	(void)state;
	sp_scope_answered(&scope, 0, 1000, 1020);
	sp_scope_lost(&scope, 1, 2000);
	assert_true(sp_scope_unmeasured(&scope, 3000));
	assert_int_equal(scope.status, SP_RUNG_UNKNOWN);
	assert_int_equal(scope.since_us, 3000);
	assert_false(scope.suspected);
}

static enum sp_rung_status portal(int result, long status, const char *body, long expected,
				  const char *expected_body)
{
	struct sp_portal_finding finding;
	struct sp_http_answer answer = {.result = result, .status = status, .error = "", .location = ""};
	answer.body = (const uint8_t *)body;
	answer.length = strlen(body);
	struct sp_portal_expect expect = {expected, expected_body};
	sp_portal_judge(&answer, &expect, &finding);
	assert_true(strlen(finding.detail) > 0);
	return finding.status;
}

static void test_portal(void **state)
{
	(void)state;
	assert_int_equal(portal(0, 204, "", 204, ""), SP_RUNG_OK);
	assert_int_equal(portal(0, 204, "x", 204, ""), SP_RUNG_WRONG);
	assert_int_equal(portal(0, 200, "success\n", 200, "success"), SP_RUNG_OK);
	assert_int_equal(portal(0, 200, "successful", 200, "success"), SP_RUNG_WRONG);
	assert_int_equal(portal(0, 200, "anything", 200, ""), SP_RUNG_OK);
	assert_int_equal(portal(0, 200, "<html>login", 204, ""), SP_RUNG_WRONG);
	assert_int_equal(portal(0, 302, "", 204, ""), SP_RUNG_WRONG);
	assert_int_equal(portal(0, 511, "", 204, ""), SP_RUNG_WRONG);
	assert_int_equal(portal(0, 503, "", 204, ""), SP_RUNG_UNKNOWN); // the site's own trouble
	assert_int_equal(portal(-EMSGSIZE, 200, "", 204, ""), SP_RUNG_WRONG);
	assert_int_equal(portal(-ETIMEDOUT, 0, "", 204, ""), SP_RUNG_SILENT);
	assert_int_equal(portal(-ECONNREFUSED, 0, "", 204, ""), SP_RUNG_SILENT);
	assert_int_equal(portal(-ENOENT, 0, "", 204, ""), SP_RUNG_UNKNOWN); // no name, no route
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
	    TEST(test_one_loss_is_a_suspicion),
	    TEST(test_silence_began_with_the_first_loss),
	    TEST(test_silence_of_another_scope_dates_ours),
	    TEST(test_late_answer_keeps_the_edges_in_order),
	    TEST(test_a_question_that_was_held_tells_by_its_answer),
	    TEST(test_turns_and_bench),
	    TEST(test_a_dead_line_benches_nobody),
	    TEST(test_burst_sizes),
	    TEST(test_unmeasured),
	    TEST(test_portal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
