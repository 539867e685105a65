// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Evidence as a table for people, as JSON, and as CSV for a spreadsheet.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schoolpulse/clock.h"
#include "tools/hub/cli/cli.h"
#include "tools/hub/serve/api_speed.h"
#include "tools/hub/time/local_time.h"
#include "tools/hub/time/period.h"

enum format { TABLE, JSON, CSV };

struct speed_request {
	const char *provider, *plan; ///< NULL: all
	struct sp_period period;
	struct sp_evidence_rules rules;
	enum format format;
};

static const char *verdict_words(enum sp_evidence_verdict verdict)
{
	static const char *const words[] = {"not rated", "KEPT", "NOT KEPT", "-"};
	return words[verdict];
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "(unknown)";
}

/// "93.4", or "-" for what is not known. `out` is returned.
static const char *number(double value, double times, char out[24])
{
	if (value < 0)
		snprintf(out, 24, "-");
	else
		snprintf(out, 24, "%.1f", value * times);
	return out;
}

// ---- the table --------------------------------------------------------------------------------------

static void print_hours(const struct sp_evidence_side *side)
{
	bool any = false;
	for (int hour = 0; hour < SP_EVIDENCE_HOURS; hour++) {
		if (!side->hours[hour])
			continue;
		printf("%s%02d h: %" PRId64, any ? ", " : "        by hour: ", hour, side->hours[hour]);
		any = true;
	}
	if (any)
		puts("");
}

static void print_excluded(const struct sp_evidence_side *side)
{
	char mean[24], ratio[24];
	for (size_t i = 0; i < side->excluded_count; i++) {
		const struct sp_evidence_excluded *one = &side->excluded[i];
		printf("        not counted: %" PRId64 " × %s%s%s", one->count,
		       sp_test_validity_name(one->validity), one->reason[0] ? ", " : "", one->reason);
		if (one->figures.count > 0)
			printf(" (mean of %" PRId64 ": %s Mbit/s)", one->figures.count,
			       number(one->figures.mean_mbps, 1, mean));
		puts("");
	}
	if (side->with_excluded.count > side->valid.count)
		printf("        with those that have a figure: %" PRId64
		       " tests, mean %s Mbit/s, %s %% of bought\n",
		       side->with_excluded.count, number(side->with_excluded.mean_mbps, 1, mean),
		       number(side->with_excluded.ratio_of_means, 100, ratio));
}

static void print_side(const char *name, const struct sp_evidence_rules *rules,
		       const struct sp_evidence_side *side)
{
	char bought[24], mean[24], ratio[24], p10[24], p50[24], p95[24];
	printf("  %-5s %7" PRId64 " %9s %7s %8s %7s %7s %7s %6" PRId64 " %6" PRId64 "  %s", name,
	       side->valid.count, number(side->bought_mbps > 0 ? side->bought_mbps : -1, 1, bought),
	       number(side->valid.mean_mbps, 1, mean), number(side->valid.ratio_of_means, 100, ratio),
	       number(side->p10_mbps, 1, p10), number(side->p50_mbps, 1, p50), number(side->p95_mbps, 1, p95),
	       side->sites, side->days, verdict_words(side->verdict));
	if (side->verdict == SP_EVIDENCE_NOT_RATED && side->valid.count < rules->min_samples)
		printf(" (%" PRId64 " of %" PRId64 " tests)", side->valid.count, rules->min_samples);
	else if (side->verdict == SP_EVIDENCE_NOT_RATED)
		printf(" (nobody knows what was bought)");
	puts("");
	print_hours(side);
	print_excluded(side);
}

static void print_table(struct sp_evidence *evidence, const struct speed_request *request)
{
	const struct sp_evidence_rules *rules = sp_evidence_rules(evidence);
	char from[SP_LOCAL_TIME_SIZE], to[SP_LOCAL_TIME_SIZE];
	size_t count;
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	printf("Speed from %.16s up to %.16s (+07:00)\n"
	       "Kept: the mean of valid domestic tests is at least %.0f %% of what was bought, in both "
	       "directions;\n"
	       "rated from %" PRId64 " tests in each direction on (QCVN 34:2022/BTTTT). Speeds in Mbit/s.\n",
	       sp_local_time(request->period.from_ms, from), sp_local_time(request->period.to_ms, to),
	       rules->kept_ratio * 100, rules->min_samples);
	for (size_t i = 0; i < count; i++) {
		const char *scope = sp_test_scope_name(pools[i]->scope);
		printf("\n%s · %s · %s: %s\n", or_dash(pools[i]->provider), or_dash(pools[i]->plan),
		       scope ? scope : "scope unknown", verdict_words(pools[i]->verdict));
		printf("  %-5s %7s %9s %7s %8s %7s %7s %7s %6s %6s  %s\n", "", "tests", "bought", "mean",
		       "% bought", "p10", "p50", "p95", "sites", "days", "verdict");
		print_side("down", rules, &pools[i]->sides[SP_TEST_DOWN]);
		print_side("up", rules, &pools[i]->sides[SP_TEST_UP]);
	}
	if (count == 0)
		puts("\nNo speed test in this period.");
}

// ---- CSV --------------------------------------------------------------------------------------------

/// Quoted; a text that a spreadsheet would take for a formula begins with an apostrophe.
static void csv_text(const char *text)
{
	printf("\"%s", strchr("=+-@\t\r", text[0]) && text[0] ? "'" : "");
	for (; *text; text++)
		printf(*text == '"' ? "\"\"" : "%c", *text);
	fputs("\",", stdout);
}

static void csv_real(double value)
{
	if (value >= 0)
		printf("%.6g", value);
	putchar(',');
}

static void csv_figures(const struct sp_evidence_figures *figures)
{
	printf("%" PRId64 ",", figures->count);
	csv_real(figures->mean_mbps);
	csv_real(figures->ratio_of_means);
	csv_real(figures->mean_of_ratios);
}

static void csv_side(const struct sp_evidence_pool *pool, enum sp_test_direction direction)
{
	const struct sp_evidence_side *side = &pool->sides[direction];
	const char *scope = sp_test_scope_name(pool->scope),
		   *verdict = sp_evidence_verdict_name(side->verdict),
		   *both = sp_evidence_verdict_name(pool->verdict);
	csv_text(pool->provider);
	csv_text(pool->plan);
	printf("%s,%s,%s,%s,", scope ? scope : "", sp_test_direction_name(direction), both ? both : "",
	       verdict ? verdict : "");
	csv_real(side->bought_mbps > 0 ? side->bought_mbps : -1);
	csv_figures(&side->valid);
	csv_real(side->p10_mbps);
	csv_real(side->p50_mbps);
	csv_real(side->p95_mbps);
	printf("%" PRId64 ",%" PRId64 ",", side->sites, side->days);
	csv_figures(&side->with_excluded);
	for (int hour = 0; hour < SP_EVIDENCE_HOURS; hour++)
		printf("%" PRId64 ",", side->hours[hour]);
	putchar('"');
	for (size_t i = 0; i < side->excluded_count; i++)
		printf("%s%s%s%s: %" PRId64, i ? "; " : "", sp_test_validity_name(side->excluded[i].validity),
		       side->excluded[i].reason[0] ? "/" : "", side->excluded[i].reason,
		       side->excluded[i].count);
	puts("\"");
}

static void print_csv(struct sp_evidence *evidence)
{
	size_t count;
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	// The byte-order mark is how spreadsheets know UTF-8.
	fputs("\xEF\xBB\xBFprovider,plan,scope,direction,pool_verdict,verdict,bought_mbps,samples,mean_mbps,"
	      "ratio_of_means,mean_of_ratios,p10_mbps,p50_mbps,p95_mbps,sites,days,with_excluded_samples,"
	      "with_excluded_mean_mbps,with_excluded_ratio_of_means,with_excluded_mean_of_ratios,",
	      stdout);
	for (int hour = 0; hour < SP_EVIDENCE_HOURS; hour++)
		printf("hour_%02d,", hour);
	puts("excluded");
	for (size_t i = 0; i < count; i++) {
		csv_side(pools[i], SP_TEST_DOWN);
		csv_side(pools[i], SP_TEST_UP);
	}
}

// ---- either -----------------------------------------------------------------------------------------

static int print_json(struct sp_evidence *evidence, const struct speed_request *request)
{
	struct sp_buf out = SP_BUF(SP_API_MAX);
	sp_api_evidence(evidence, &request->period, &out);
	int result = out.overflowed ? -EMSGSIZE : 0;
	if (result == 0)
		puts(out.data);
	sp_buf_free(&out);
	return result;
}

static int print(struct sp_evidence *evidence, const struct speed_request *request)
{
	switch (request->format) {
	case JSON:
		return print_json(evidence, request);
	case CSV:
		print_csv(evidence);
		break;
	case TABLE:
		print_table(evidence, request);
		break;
	}
	return 0;
}

static int report(struct sp_store *store, void *arg)
{
	const struct speed_request *request = arg;
	struct sp_evidence *evidence = NULL;
	int result = sp_store_evidence(store, request->period.from_ms, request->period.to_ms,
				       request->provider, request->plan, &request->rules, &evidence);
	if (result == 0)
		result = print(evidence, request);
	sp_evidence_free(evidence);
	return result;
}

int sp_speed_command(const struct sp_hub_config *config, int argc, char **argv)
{
	static const struct option options[] = {{"from", required_argument, NULL, 'f'},
						{"to", required_argument, NULL, 't'},
						{"provider", required_argument, NULL, 'p'},
						{"plan", required_argument, NULL, 'l'},
						{"json", no_argument, NULL, 'j'},
						{"csv", no_argument, NULL, 'c'},
						{0}};
	struct speed_request request = {.rules = sp_hub_evidence_rules(config), .format = TABLE};
	const char *from = NULL, *to = NULL;
	char why[SP_PERIOD_WHY];
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'f':
			from = optarg;
			break;
		case 't':
			to = optarg;
			break;
		case 'p':
			request.provider = optarg;
			break;
		case 'l':
			request.plan = optarg;
			break;
		case 'j':
		case 'c':
			request.format = c == 'j' ? JSON : CSV;
			break;
		default:
			return SP_EXIT_USAGE;
		}
	}
	if (optind < argc)
		return sp_cli_usage("speed: what is ", argv[optind]);
	if (!from || !to)
		return sp_cli_usage("speed: of which period? --from and --to", "");
	if (sp_period_parse(&request.period, from, to, sp_clock_now().wall_ms, why) < 0)
		return sp_cli_usage("speed: ", why);
	return sp_cli_answer(config, report, &request);
}
