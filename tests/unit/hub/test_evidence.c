// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Evidence by hand: every expected number below was computed on paper.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/hub/figures/evidence.h"

/// 2026-11-21 10:00:00 +07:00
#define TEN_MS  INT64_C(1795230000000)
#define HOUR_MS INT64_C(3600000)

static struct sp_evidence *evidence;

static int set_up(void **state)
{
	(void)state;
	evidence = sp_evidence_new(&(struct sp_evidence_rules){5, 0.8});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_evidence_free(evidence);
	return 0;
}

static struct sp_evidence_sample sample(double mbps)
{
	return (struct sp_evidence_sample){.provider = "Nhà mạng A",
					   .plan = "Fiber100",
					   .site = "1/chinh",
					   .method = "librespeed",
					   .reason = "",
					   .scope = SP_TEST_DOMESTIC,
					   .bought_down_mbps = 100,
					   .bought_up_mbps = 50,
					   .mbps = mbps,
					   .t_ms = TEN_MS};
}

static void add(double mbps, enum sp_test_direction direction)
{
	struct sp_evidence_sample s = sample(mbps);
	s.direction = direction;
	sp_evidence_add(evidence, &s);
}

static const struct sp_evidence_pool *only_pool(void)
{
	size_t count;
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	assert_int_equal(count, 1);
	return pools[0];
}

static void is_near(double value, double expected)
{
	if (!(value > expected - 1e-6 && value < expected + 1e-6))
		fail_msg("%.9g is not %.9g", value, expected);
}

static void percentiles_lie_between_neighbours(void **state)
{
	const double five[] = {10, 20, 30, 40, 100};
	(void)state;
	is_near(sp_evidence_percentile(five, 5, 0.5), 30);
	is_near(sp_evidence_percentile(five, 5, 0.1), 14);  // 4 · 0.1 = 0.4 of the way from 10 to 20
	is_near(sp_evidence_percentile(five, 5, 0.95), 88); // 3.8: 40 + 0.8 · 60
	is_near(sp_evidence_percentile(five, 5, 1), 100);
	is_near(sp_evidence_percentile(five, 1, 0.95), 10);
	is_near(sp_evidence_percentile(five, 0, 0.5), -1);
}

static void a_pool_has_mean_percentiles_and_verdict(void **state)
{
	const double down[] = {90, 70, 100, 60, 85}, up[] = {38, 41, 39, 40, 41};
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		add(down[i], SP_TEST_DOWN);
		add(up[i], SP_TEST_UP);
	}
	const struct sp_evidence_pool *pool = only_pool();
	const struct sp_evidence_side *d = &pool->sides[SP_TEST_DOWN], *u = &pool->sides[SP_TEST_UP];
	assert_int_equal(d->valid.count, 5);
	is_near(d->valid.mean_mbps, 81); // 405 / 5
	is_near(d->valid.ratio_of_means, 0.81);
	is_near(d->valid.mean_of_ratios, 0.81);
	is_near(d->p10_mbps, 64); // 60 + 0.4 · 10
	is_near(d->p50_mbps, 85); // of 60 70 85 90 100
	is_near(d->p95_mbps, 98); // 90 + 0.8 · 10
	is_near(u->valid.mean_mbps, 39.8);
	is_near(u->valid.ratio_of_means, 0.796);
	assert_int_equal(d->verdict, SP_EVIDENCE_KEPT);
	assert_int_equal(u->verdict, SP_EVIDENCE_NOT_KEPT);
	assert_int_equal(pool->verdict, SP_EVIDENCE_NOT_KEPT);
	is_near(d->with_excluded.mean_mbps, 81);
}

static void exactly_what_is_asked_is_kept(void **state)
{
	(void)state;
	// Seven tenths and the like are no binary numbers: their sum is not exactly 5 · 80.
	const double down[] = {80.1, 79.9, 80.3, 79.7, 80};
	for (size_t i = 0; i < 5; i++) {
		add(down[i], SP_TEST_DOWN);
		add(40, SP_TEST_UP);
	}
	assert_int_equal(only_pool()->verdict, SP_EVIDENCE_KEPT);
}

static void too_few_are_not_rated(void **state)
{
	(void)state;
	for (size_t i = 0; i < 5; i++)
		add(10, SP_TEST_DOWN);
	for (size_t i = 0; i < 4; i++)
		add(50, SP_TEST_UP);
	const struct sp_evidence_pool *pool = only_pool();
	assert_int_equal(pool->sides[SP_TEST_UP].verdict, SP_EVIDENCE_NOT_RATED);
	// Who does not keep one direction does not keep the contract, whatever the other one is.
	assert_int_equal(pool->verdict, SP_EVIDENCE_NOT_KEPT);
}

static void one_direction_does_not_prove_that_it_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < 5; i++)
		add(99, SP_TEST_DOWN);
	const struct sp_evidence_pool *pool = only_pool();
	assert_int_equal(pool->sides[SP_TEST_DOWN].verdict, SP_EVIDENCE_KEPT);
	assert_int_equal(pool->sides[SP_TEST_UP].valid.count, 0);
	is_near(pool->sides[SP_TEST_UP].valid.mean_mbps, -1);
	is_near(pool->sides[SP_TEST_UP].p50_mbps, -1);
	assert_int_equal(pool->verdict, SP_EVIDENCE_NOT_RATED);
}

static void nobody_knows_what_was_bought(void **state)
{
	(void)state;
	struct sp_evidence_sample s = sample(70);
	s.bought_down_mbps = s.bought_up_mbps = 0;
	for (size_t i = 0; i < 6; i++)
		sp_evidence_add(evidence, &s);
	const struct sp_evidence_side *d = &only_pool()->sides[SP_TEST_DOWN];
	is_near(d->valid.mean_mbps, 70);
	is_near(d->valid.ratio_of_means, -1);
	assert_int_equal(d->verdict, SP_EVIDENCE_NOT_RATED);
}

static void what_is_excluded_is_listed_with_its_figures(void **state)
{
	(void)state;
	struct sp_evidence_sample s;
	for (size_t i = 0; i < 5; i++)
		add(90, SP_TEST_DOWN);
	s = sample(30);
	s.validity = SP_TEST_CONTENDED;
	s.reason = "busy";
	sp_evidence_add(evidence, &s);
	s.mbps = 50;
	sp_evidence_add(evidence, &s);
	s = sample(-1);
	s.validity = SP_TEST_FAILED;
	s.reason = "timeout";
	sp_evidence_add(evidence, &s);
	s.reason = "dns";
	sp_evidence_add(evidence, &s);
	sp_evidence_add(evidence, &s);
	s = sample(20);
	s.reason = SP_EVIDENCE_UNPLACED;
	sp_evidence_add(evidence, &s);
	const struct sp_evidence_side *d = &only_pool()->sides[SP_TEST_DOWN];
	assert_int_equal(d->valid.count, 5);
	is_near(d->valid.mean_mbps, 90);
	assert_int_equal(d->excluded_count, 4);
	assert_string_equal(d->excluded[0].reason, "unplaced");
	assert_int_equal(d->excluded[0].validity, SP_TEST_VALID);
	assert_string_equal(d->excluded[1].reason, "busy");
	assert_int_equal(d->excluded[1].count, 2);
	assert_int_equal(d->excluded[1].figures.count, 2);
	is_near(d->excluded[1].figures.mean_mbps, 40);
	is_near(d->excluded[1].figures.ratio_of_means, 0.4);
	assert_string_equal(d->excluded[2].reason, "dns"); // more often than the timeout
	assert_int_equal(d->excluded[2].count, 2);
	assert_int_equal(d->excluded[2].figures.count, 0);
	is_near(d->excluded[2].figures.mean_mbps, -1);
	assert_string_equal(d->excluded[3].reason, "timeout");
	assert_int_equal(d->with_excluded.count, 8);
	is_near(d->with_excluded.mean_mbps, 68.75); // (450 + 80 + 20) / 8
	is_near(d->with_excluded.ratio_of_means, 0.6875);
}

static void pools_are_apart(void **state)
{
	size_t count;
	struct sp_evidence_sample s = sample(70);
	(void)state;
	for (size_t i = 0; i < 5; i++)
		sp_evidence_add(evidence, &s);
	s.scope = SP_TEST_INTERNATIONAL;
	sp_evidence_add(evidence, &s);
	s = sample(70);
	s.bought_down_mbps = 80; // the same plan's name, another speed
	for (size_t i = 0; i < 5; i++)
		sp_evidence_add(evidence, &s);
	s = sample(70);
	s.plan = "Fiber1";
	s.provider = "Nhà mạng A";
	sp_evidence_add(evidence, &s);
	s = sample(70);
	s.provider = "A mạng";
	sp_evidence_add(evidence, &s);
	s = sample(70);
	s.scope = SP_TEST_NOWHERE;
	sp_evidence_add(evidence, &s);
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	assert_int_equal(count, 6);
	assert_string_equal(pools[0]->provider, "A mạng");
	assert_string_equal(pools[1]->plan, "Fiber1");
	assert_int_equal(pools[2]->scope, SP_TEST_DOMESTIC);
	is_near(pools[2]->sides[SP_TEST_DOWN].bought_mbps, 100);
	assert_int_equal(pools[2]->sides[SP_TEST_DOWN].verdict, SP_EVIDENCE_NOT_KEPT); // 70 of 100
	is_near(pools[3]->sides[SP_TEST_DOWN].bought_mbps, 80);
	assert_int_equal(pools[3]->sides[SP_TEST_DOWN].verdict, SP_EVIDENCE_KEPT); // 70 of 80
	assert_int_equal(pools[4]->scope, SP_TEST_INTERNATIONAL);
	assert_int_equal(pools[4]->verdict, SP_EVIDENCE_NO_VERDICT);
	assert_null(sp_evidence_verdict_name(pools[4]->verdict));
	assert_int_equal(pools[5]->scope, SP_TEST_NOWHERE);
	assert_int_equal(pools[5]->verdict, SP_EVIDENCE_NO_VERDICT);
}

static void sites_days_and_hours_are_counted(void **state)
{
	(void)state;
	struct sp_evidence_sample s = sample(70);
	sp_evidence_add(evidence, &s);
	s.t_ms = TEN_MS + HOUR_MS / 2;
	sp_evidence_add(evidence, &s);
	s.t_ms = TEN_MS + 13 * HOUR_MS + HOUR_MS - 1; // 23:59:59.999
	s.site = "2/chinh";
	sp_evidence_add(evidence, &s);
	s.t_ms++; // the next day
	sp_evidence_add(evidence, &s);
	s.direction = SP_TEST_UP;
	s.site = "3/chinh";
	sp_evidence_add(evidence, &s);
	const struct sp_evidence_pool *pool = only_pool();
	const struct sp_evidence_side *d = &pool->sides[SP_TEST_DOWN];
	assert_int_equal(d->sites, 2);
	assert_int_equal(d->days, 2);
	assert_int_equal(pool->sites, 3);
	assert_int_equal(pool->days, 2);
	assert_int_equal(d->hours[10], 2);
	assert_int_equal(d->hours[23], 1);
	assert_int_equal(d->hours[0], 1);
	assert_int_equal(d->method_count, 1);
	assert_string_equal(d->methods[0].name, "librespeed");
	assert_int_equal(d->methods[0].count, 4);
}

static void words_without_end_have_an_end(void **state)
{
	char word[16];
	size_t count;
	int64_t excluded = 0, methods = 0;
	(void)state;
	struct sp_evidence_sample s = sample(70);
	for (int i = 0; i < 200; i++) {
		snprintf(word, sizeof(word), "w%d", i);
		s.method = word;
		s.reason = "";
		sp_evidence_add(evidence, &s);
		s.reason = word;
		sp_evidence_add(evidence, &s);
	}
	const struct sp_evidence_side *d = &only_pool()->sides[SP_TEST_DOWN];
	assert_int_equal(d->excluded_count, SP_EVIDENCE_EXCLUSIONS);
	for (size_t i = 0; i < d->excluded_count; i++)
		excluded += d->excluded[i].count;
	for (size_t i = 0; i < d->method_count; i++)
		methods += d->methods[i].count;
	assert_int_equal(excluded, 200);
	assert_int_equal(methods, 200);
	assert_string_equal(d->excluded[0].reason, "other"); // most of them
	sp_evidence_free(evidence);
	evidence = sp_evidence_new(&(struct sp_evidence_rules){5, 0.8});
	for (int i = 0; i < 2 * SP_EVIDENCE_POOLS; i++) {
		snprintf(word, sizeof(word), "plan %d", i);
		s = sample(70);
		s.plan = word;
		sp_evidence_add(evidence, &s);
	}
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	assert_int_equal(count, SP_EVIDENCE_POOLS + 1);
	assert_string_equal(pools[0]->plan, "other");
	assert_int_equal(pools[0]->sides[SP_TEST_DOWN].valid.count, SP_EVIDENCE_POOLS);
	assert_int_equal(pools[0]->verdict, SP_EVIDENCE_NO_VERDICT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(percentiles_lie_between_neighbours),
	    T(a_pool_has_mean_percentiles_and_verdict),
	    T(exactly_what_is_asked_is_kept),
	    T(too_few_are_not_rated),
	    T(one_direction_does_not_prove_that_it_is_kept),
	    T(nobody_knows_what_was_bought),
	    T(what_is_excluded_is_listed_with_its_figures),
	    T(pools_are_apart),
	    T(sites_days_and_hours_are_counted),
	    T(words_without_end_have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
