// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Plan files: the five that are shipped, and mistakes in one, each with its line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hub/kpi/plan.h"

#define HEAD "[plan]\nid = p\ntitle = A\ntitle_vi = Ă\nissuer = B\nissuer_vi = Bờ\nsource = S\n" // 7 lines

static struct sp_plan plan;
static struct sp_config_errors errors;

static int parse(const char *text)
{
	sp_plan_free(&plan);
	sp_config_errors_free(&errors);
	errors = (struct sp_config_errors){0};
	return sp_plan_parse(&plan, "p.plan", text, strlen(text), &errors);
}

static int tear_down(void **state)
{
	(void)state;
	sp_plan_free(&plan);
	sp_config_errors_free(&errors);
	return 0;
}

static void faulty(const char *text, const char *error)
{
	assert_int_equal(parse(text), -EINVAL);
	for (size_t i = 0; i < errors.count; i++) {
		if (strcmp(errors.lines[i], error) == 0)
			return;
	}
	fail_msg("\"%s\" instead of \"%s\"", errors.count ? errors.lines[0] : "", error);
}

static void read_shipped(const char *id)
{
	sp_plan_free(&plan);
	if (sp_plan_read(&plan, id, PLANS, &errors) != 0)
		fail_msg("%s", errors.lines[0]);
	assert_string_equal(plan.id, id);
	for (size_t i = 0; i < plan.count; i++)
		assert_string_not_equal(plan.promises[i].text[0], plan.promises[i].text[1]);
}

static const struct sp_promise *promise(const char *id)
{
	for (size_t i = 0; i < plan.count; i++) {
		if (strcmp(plan.promises[i].id, id) == 0)
			return &plan.promises[i];
	}
	fail_msg("no promise %s", id);
	return NULL;
}

static void the_five_plans(void **state)
{
	(void)state;
	read_shipped("laocai-2022-2025");
	assert_int_equal(plan.count, 10);
	assert_string_equal(plan.due, "2025-12-31");
	assert_int_equal(promise("high-speed")->kpi, SP_KPI_HIGH_SPEED_SITES);
	assert_int_equal(promise("high-speed")->target, 900000);
	assert_int_equal(promise("inspections")->kpi, -1);
	assert_int_equal(promise("inspections")->target, 500000);
	assert_int_equal(promise("online-schools")->school_kinds.count, 4);

	read_shipped("anlao-2024");
	assert_int_equal(plan.count, 4);
	assert_int_equal(promise("assets")->target, 600000);
	assert_int_equal(promise("security")->kind, SP_PROMISE_TASK);

	read_shipped("laichau-2022-2025");
	assert_int_equal(plan.count, 12);
	const struct sp_promise *pupils = promise("online-pupils");
	assert_int_equal(pupils->zone_count, 2);
	assert_string_equal(pupils->zones[0].zone, "favourable");
	assert_int_equal(pupils->zones[0].target, 800000);
	assert_string_equal(pupils->zones[1].zone, "difficult");
	assert_int_equal(pupils->zones[1].target, 350000);
	assert_int_equal(promise("examinations")->kpi, SP_KPI_AVAILABILITY_EXAM);

	read_shipped("quangnam-2025");
	assert_int_equal(promise("connected")->kind, SP_PROMISE_CLAIM);
	assert_int_equal(promise("shared")->kpi, SP_KPI_DATA_COMPLETENESS);

	read_shipped("lethuy-2024");
	assert_int_equal(plan.count, 3);
	assert_int_equal(promise("assets")->target, 800000);
}

static void thresholds_have_defaults(void **state)
{
	(void)state;
	struct sp_plan_thresholds none = sp_plan_defaults();
	assert_int_equal(none.speed.high_kbps, 20000);
	assert_int_equal(none.availability, 995000);
	assert_int_equal(none.kept, 800000);
	assert_int_equal(none.contract_samples, 1000);
	assert_int_equal(none.ready.coverage, 900000);
	assert_int_equal(parse(HEAD
			       "[thresholds]\nhigh_speed_kbps = 50000\ncoverage_percent = 66.6667\n"
			       "[promise \"a\"]\nkind = claim\nkpi = availability\ntarget_percent = 99,5\n"
			       "text = a\ntext_vi = á\n"),
			 0);
	assert_int_equal(plan.thresholds.speed.high_kbps, 50000);
	assert_int_equal(plan.thresholds.coverage, 666667);
	assert_int_equal(plan.thresholds.ready.coverage, 666667);
	assert_int_equal(plan.promises[0].target, 995000);
}

#define PROMISE HEAD "[promise \"a\"]\ntext = a\ntext_vi = á\n" // line 8 to 10

static void mistakes_have_lines(void **state)
{
	(void)state;
	faulty("", "p.plan: there is no section [plan]");
	faulty(HEAD, "p.plan: there is no section [promise \"…\"]");
	faulty(
	    PROMISE "kind = target\nkpi = fiber_schools_ratio\ntarget_percent = 1\n",
	    "p.plan:12: kpi = fiber_schools_ratio: there is no such KPI; did you mean fibre_schools_ratio?");
	faulty(PROMISE "kind = target\nkpi = fibre_schools_ratio\ntarget_percent = 101\n",
	       "p.plan:13: target_percent = 101: must be a percentage from 0 to 100");
	faulty(PROMISE "kind = target\nkpi = fibre_schools_ratio\n",
	       "p.plan:8: [promise \"a\"] target_percent is missing");
	faulty(PROMISE
	       "kind = target\nkpi = availability\ntarget_percent = 1\nzone_targets = far 10, far 20\n",
	       "p.plan:14: zone_targets: 'far' stands there twice");
	faulty(PROMISE "kind = target\nkpi = availability\ntarget_percent = 1\nzone_targets = far\n",
	       "p.plan:14: zone_targets: 'far': must be a zone and a percentage, as 'difficult 35'");
	faulty(PROMISE "kind = task\nkpi = availability\ntarget_percent = 1\n",
	       "p.plan:8: [promise \"a\"] a task has no target");
	faulty(PROMISE "kind = claim\n",
	       "p.plan:8: [promise \"a\"] neither a kpi nor an answer: what speaks of it?");
	faulty(PROMISE "kind = claim\nanswer = x\n",
	       "p.plan:8: [promise \"a\"] answer and answer_vi go together");
	faulty(PROMISE "kind = target\nkpi = connectivity_index\ntarget_percent = 1\n",
	       "p.plan:8: [promise \"a\"] an index is never judged: it can only be a task");
	faulty(HEAD "due = soon\n", "p.plan:8: due = soon: must be a day like 2025-12-31");
	faulty(HEAD "[promis \"a\"]\n", "p.plan:8: unknown section [promis]; did you mean [promise]?");
}

static void percentages(void **state)
{
	(void)state;
	int64_t out;
	assert_int_equal(sp_percent_parse("100", &out), 0);
	assert_int_equal(out, SP_KPI_ONE);
	assert_int_equal(sp_percent_parse("33.3333", &out), 0);
	assert_int_equal(out, 333333);
	assert_int_equal(sp_percent_parse("0", &out), 0);
	assert_int_equal(sp_percent_parse("33.33333", &out), -EINVAL);
	assert_int_equal(sp_percent_parse("100.1", &out), -EINVAL);
	assert_int_equal(sp_percent_parse("", &out), -EINVAL);
	assert_int_equal(sp_percent_parse("-1", &out), -EINVAL);
	assert_int_equal(sp_percent_parse("1e2", &out), -EINVAL);
}

static void a_plan_that_is_not_there(void **state)
{
	(void)state;
	assert_true(sp_plan_read(&plan, "nowhere-2030", PLANS, &errors) < 0);
	assert_non_null(strstr(errors.lines[errors.count - 1], "nowhere-2030.plan"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(the_five_plans, tear_down),
	    cmocka_unit_test_teardown(thresholds_have_defaults, tear_down),
	    cmocka_unit_test_teardown(mistakes_have_lines, tear_down),
	    cmocka_unit_test(percentages),
	    cmocka_unit_test_teardown(a_plan_that_is_not_there, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
