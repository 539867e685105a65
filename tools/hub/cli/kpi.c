// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// `schoolpulse-hub kpi`: a plan's promises against what was measured.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/language.h"
#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/db/db.h"
#include "tools/hub/cli/kpi_table.h"
#include "tools/hub/kpi/ask.h"
#include "tools/hub/serve/api.h"
#include "tools/hub/serve/api_kpi.h"
#include "tools/hub/time/local_time.h"

enum { COMPUTE_US = 20 * 1000 * 1000 }; ///< what is still to be computed after that is told instead

enum form { TABLE, JSON, CSV };
struct request {
	const char *plan, *month, *from, *to, *as_of, *area, *tree, *language;
	struct sp_kpi_ask ask;
	enum form form;
	bool list;
};

// ---- words -------------------------------------------------------------------------------------------

static bool take(struct request *request, int c)
{
	const char **text = c == 'p'   ? &request->plan
			    : c == 'm' ? &request->month
			    : c == 'f' ? &request->from
			    : c == 't' ? &request->to
			    : c == 'o' ? &request->as_of
			    : c == 'a' ? &request->area
			    : c == 'e' ? &request->tree
			    : c == 'g' ? &request->language
				       : NULL;
	if (text)
		*text = optarg;
	else if (c == 'j' || c == 'c')
		request->form = c == 'j' ? JSON : CSV;
	else if (c == 'l')
		request->list = true;
	else
		return false;
	return true;
}

/// 0, or the exit status for words that it does not know.
static int words(struct request *request, int argc, char **argv)
{
	static const struct option options[] = {
	    {"plan", required_argument, NULL, 'p'},  {"month", required_argument, NULL, 'm'},
	    {"from", required_argument, NULL, 'f'},  {"to", required_argument, NULL, 't'},
	    {"as-of", required_argument, NULL, 'o'}, {"area", required_argument, NULL, 'a'},
	    {"tree", required_argument, NULL, 'e'},  {"lang", required_argument, NULL, 'g'},
	    {"json", no_argument, NULL, 'j'},        {"csv", no_argument, NULL, 'c'},
	    {"list", no_argument, NULL, 'l'},        {0}};
	char why[SP_KPI_WHY];
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (!take(request, c))
			return SP_EXIT_USAGE;
	}
	if (optind < argc)
		return sp_cli_usage("kpi: what is ", argv[optind]);
	if (!request->list && !request->plan)
		return sp_cli_usage("kpi: which --plan? (or --list)", "");
	if (request->language && strcmp(request->language, "vi") != 0 && strcmp(request->language, "en") != 0)
		return sp_cli_usage("kpi: --lang is vi or en, not ", request->language);
	if (request->tree && !request->area)
		return sp_cli_usage("kpi: --tree goes with --area", "");
	if (request->month && (request->from || request->to))
		return sp_cli_usage("kpi: --month goes without --from and --to", "");
	int64_t now_ms = sp_clock_now().wall_ms;
	int result =
	    request->month
		? sp_kpi_ask_month(&request->ask, request->month, request->as_of, now_ms, why)
		: sp_kpi_ask_parse(&request->ask, request->from, request->to, request->as_of, now_ms, why);
	if (result < 0)
		return sp_cli_usage("kpi: ", why);
	request->ask.area = request->area;
	request->ask.tree = request->tree;
	return 0;
}

// ---- computing ---------------------------------------------------------------------------------------

/// What ingest has not come to yet; as far as this program may write and time allows.
static void compute(const struct sp_hub_config *config, const struct request *request)
{
	struct sp_store *store = NULL;
	char why[256];
	int64_t now_ms = sp_clock_now().wall_ms, until = sp_clock_mono_us() + COMPUTE_US;
	// The day that runs is computed anew only when it is asked for.
	bool all = request->ask.to_day > sp_local_day(now_ms);
	int result = sp_store_open(&store, config->hub.db, SP_STORE_WRITE, why);
	if (result == 0) {
		sp_store_set_silence(store, config->hub.silence_ms);
		while ((result = sp_store_rollup(store, all, now_ms)) == 1 && sp_clock_mono_us() < until)
			;
		if (result < 0)
			snprintf(why, sizeof(why), "%s", sp_store_error(store));
	}
	if (result < 0)
		fprintf(stderr, "schoolpulse-hub: nothing new is computed: %s\n", why);
	sp_store_close(store);
}

// ---- printing ----------------------------------------------------------------------------------------

static int print_json(struct sp_store *store, const struct sp_plan *plan, const struct request *request)
{
	struct sp_buf out = SP_BUF(SP_API_MAX);
	int result = sp_api_kpi(store, plan, &request->ask, &out);
	if (result == 0)
		printf("%s\n", out.data);
	sp_buf_free(&out);
	return result;
}

static int print_table(struct sp_store *store, const struct sp_plan *plan, const struct request *request)
{
	struct sp_kpi_data *data = NULL;
	struct sp_rollup_left left;
	int result = sp_store_kpi(store, &request->ask, &data);
	if (result == 0)
		result = sp_store_rollup_left(store, &left);
	if (result == 0) {
		struct sp_plan_result *judged = sp_plan_evaluate(plan, data);
		// The catalogue of the chosen language has this word, or there is none.
		int language = strcmp(_("YES"), "YES") != 0;
		if (request->form == CSV)
			sp_kpi_print_csv(judged);
		else
			sp_kpi_print(judged, data, &request->ask, &left, language);
		sp_plan_result_free(judged);
	}
	sp_kpi_data_free(data);
	return result;
}

/// Which one may have been meant. The exit status.
static int no_area(struct sp_store *store, const struct request *request)
{
	struct sp_kpi_area like;
	bool found = sp_store_kpi_area_like(store, request->area, &like) == 1;
	fprintf(stderr, "schoolpulse-hub: kpi: the register has no area %.64s%s%.64s\n", request->area,
		request->tree ? " in the tree " : "", request->tree ? request->tree : "");
	if (found)
		fprintf(stderr, "Did you mean --area %s (%s, tree %s)?\n", like.code, like.path, like.tree);
	return SP_EXIT_USAGE;
}

static int no_plan(const struct sp_hub_config *config, const char *id)
{
	char folder[4096], *ids = sp_plan_ids(config->hub.plans);
	fprintf(stderr, "schoolpulse-hub: kpi: there is no plan %.64s in %s", id,
		sp_plan_folder(config->hub.plans, folder));
	fprintf(stderr, ids && ids[0] ? "; there are: %s\n" : " (nor any other)\n", ids);
	free(ids);
	return SP_EXIT_USAGE;
}

static int report(const struct sp_hub_config *config, const struct sp_plan *plan,
		  const struct request *request)
{
	struct sp_store *store = NULL;
	int status = EXIT_SUCCESS;
	char why[256];
	// Reading first: who asks for KPIs makes no new database.
	int result = sp_store_open(&store, config->hub.db, SP_STORE_READ, why);
	if (result == 0) {
		compute(config, request);
		sp_store_set_silence(store, config->hub.silence_ms);
		result = sp_store_read_begin(store, sp_clock_now().wall_ms);
		if (result == 0)
			result = request->form == JSON ? print_json(store, plan, request)
						       : print_table(store, plan, request);
		if (result == -ENOENT)
			status = no_area(store, request);
		else if (result < 0)
			snprintf(why, sizeof(why), "%s", sp_store_error(store));
		sp_store_read_end(store);
	}
	if (result < 0 && status != SP_EXIT_USAGE) {
		fprintf(stderr, "schoolpulse-hub: %s: %s\n",
			sp_db_shown(config->hub.db, (char[SP_DB_SHOWN]){0}), why);
		status = EXIT_FAILURE;
	}
	sp_store_close(store);
	return status;
}

static int list(const struct request *request)
{
	struct sp_buf out = SP_BUF(SP_API_MAX);
	if (request->form != JSON) {
		sp_kpi_print_list(strcmp(_("YES"), "YES") != 0);
		return EXIT_SUCCESS;
	}
	sp_api_kpi_list(&out);
	printf("%s\n", out.data);
	sp_buf_free(&out);
	return EXIT_SUCCESS;
}

int sp_kpi_command(const struct sp_hub_config *config, int argc, char **argv)
{
	struct request request = {0};
	struct sp_config_errors errors = {0};
	struct sp_plan plan = {0};
	int status = words(&request, argc, argv);
	if (status != 0)
		return status;
	sp_language_choose("schoolpulse-hub", request.language);
	if (request.list)
		return list(&request);
	int result = sp_plan_read(&plan, request.plan, config->hub.plans, &errors);
	if (result == 0)
		status = report(config, &plan, &request);
	else if (result == -ENOENT && !strchr(request.plan, '/'))
		status = no_plan(config, request.plan);
	else
		status = EXIT_FAILURE;
	if (status == EXIT_FAILURE)
		sp_cli_errors(&errors);
	sp_config_errors_free(&errors);
	sp_plan_free(&plan);
	return status;
}
