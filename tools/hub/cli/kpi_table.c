// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Tables of KPIs.
#include "tools/hub/cli/kpi_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/language.h"
#include "agent/base/mem.h"
#include "tools/hub/text/columns.h"
#include "tools/hub/time/local_time.h"

enum { NAME_WIDTH = 29, NUMBER_WIDTH = 8, LINE_WIDTH = 100 };

/// "66.66 %", or "-"; cut, not rounded: 99.999 % is not all of it.
static const char *percent(int64_t millionths, char out[24])
{
	if (millionths < 0)
		snprintf(out, 24, "-");
	else if (millionths % 10000 == 0)
		snprintf(out, 24, "%" PRId64 " %%", millionths / 10000);
	else
		snprintf(out, 24, "%" PRId64 ".%02" PRId64 " %%", millionths / 10000,
			 millionths % 10000 / 100);
	return out;
}

static const char *number(int64_t value, bool shown, char out[24])
{
	snprintf(out, 24, shown ? "%" PRId64 : "-", value);
	return out;
}

static const char *verdict_text(enum sp_kpi_verdict verdict, bool claim)
{
	switch (verdict) {
	case SP_KPI_MET:
		return claim ? _("confirmed") : _("met");
	case SP_KPI_NOT_MET:
		return claim ? _("not confirmed") : _("not met");
	case SP_KPI_NOT_RATED:
		break;
	}
	return _("not rated");
}

static const char *paint(enum sp_kpi_verdict verdict)
{
	static const char *const colours[] = {"", "\033[32m", "\033[31m"};
	return isatty(STDOUT_FILENO) ? colours[verdict] : "";
}

static void right(const char *text)
{
	// Right-aligned by characters, of which some have several bytes.
	printf("%*s ", sp_columns(NUMBER_WIDTH, text), text);
}

static void row(const char *name, const struct sp_kpi *kpi, const struct sp_kpi_figure *f,
		const char *verdict, enum sp_kpi_verdict colour)
{
	char text[24];
	bool units = kpi->rule == SP_KPI_RULE_UNITS ||
		     (kpi->rule == SP_KPI_RULE_VALUE && strcmp(kpi->unit, "site") == 0);
	bool any = kpi->rule != SP_KPI_RULE_INDEX;
	printf("  %-*.*s ", sp_columns(NAME_WIDTH, name), sp_columns_clip(NAME_WIDTH, name), name);
	right(number(f->counts.yes, units, text));
	right(number(f->counts.no, units, text));
	right(number(f->counts.unknown, any, text));
	right(number(sp_kpi_total(&f->counts), any, text));
	right(percent(f->measured, text));
	right(percent(f->target, text));
	const char *colour_on = paint(colour);
	printf(" %s%s%s\n", colour_on, verdict, colour_on[0] ? "\033[0m" : "");
}

static void head_row(void)
{
	const char *words[] = {_("YES"), _("NO"), _("UNKNOWN"), _("TOTAL"), _("VALUE"), _("TARGET")};
	printf("  %-*s ", NAME_WIDTH, "");
	for (size_t i = 0; i < SP_COUNT(words); i++)
		right(words[i]);
	printf(" %s\n", _("VERDICT"));
}

static void promise(const struct sp_promise_result *result, int language)
{
	const struct sp_promise *p = result->promise;
	bool claim = p->kind == SP_PROMISE_CLAIM;
	char name[128], text[24];
	printf("\n");
	sp_columns_wrap(stdout, 0, LINE_WIDTH, p->text[language]);
	if (p->kpi < 0) {
		printf("  %s%s%s\n", _("not measured by this system"), p->target >= 0 ? "; " : "",
		       p->target >= 0 ? percent(p->target, text) : "");
		sp_columns_wrap(stdout, 2, LINE_WIDTH, p->answer[language]);
		return;
	}
	const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)p->kpi);
	row(kpi->name, kpi, &result->all,
	    p->kind == SP_PROMISE_TASK ? _("no target")
	    : kpi->line_only           ? _("line part only")
				       : verdict_text(result->all.verdict, claim),
	    result->all.verdict);
	for (size_t i = 0; i < result->zone_count; i++) {
		const struct sp_kpi_zone_figure *zone = &result->zones[i];
		snprintf(name, sizeof(name), "  %.100s", zone->zone[0] ? zone->zone : _("without a zone"));
		row(name, kpi, &zone->figure,
		    p->kind == SP_PROMISE_TASK || kpi->line_only ? ""
								 : verdict_text(zone->figure.verdict, claim),
		    zone->figure.verdict);
	}
	if (p->zone_count > 0 && !kpi->line_only)
		printf("  %s: %s\n", _("with its zones"), verdict_text(result->verdict, claim));
	for (size_t i = 0; kpi->rule == SP_KPI_RULE_INDEX && i < SP_KPI_COMPONENTS; i++)
		printf("    %-*s %s\n", NAME_WIDTH, sp_kpi(sp_kpi_component(i))->name,
		       percent(result->components[i], text));
	if (p->answer[language][0])
		sp_columns_wrap(stdout, 2, LINE_WIDTH, p->answer[language]);
}

void sp_kpi_print(const struct sp_plan_result *result, const struct sp_kpi_data *data,
		  const struct sp_kpi_ask *ask, const struct sp_rollup_left *left, int language)
{
	const struct sp_plan *plan = result->plan;
	char first[SP_LOCAL_TIME_SIZE], last[SP_LOCAL_TIME_SIZE], date[SP_LOCAL_TIME_SIZE],
	    newest[SP_LOCAL_TIME_SIZE];
	const char *source =
	    language == 1 && plan->source_vi && plan->source_vi[0] ? plan->source_vi : plan->source;
	char *head = sp_asprintf("%s. %s%s%s%s%s", plan->issuer[language], source, plan->due[0] ? ". " : "",
				 plan->due[0] ? _("Due") : "", plan->due[0] ? " " : "", plan->due);
	sp_columns_wrap(stdout, 0, LINE_WIDTH, plan->title[language]);
	sp_columns_wrap(stdout, 0, LINE_WIDTH, head);
	free(head);
	printf(_("%s to %s, register of %s, data as of %s"),
	       sp_local_date(sp_local_day_ms(ask->from_day), first),
	       sp_local_date(sp_local_day_ms(ask->to_day - 1), last), sp_local_date(ask->as_of_ms, date),
	       data->newest_ms >= 0 ? sp_local_time(data->newest_ms, newest) : "-");
	printf("\n");
	if (left->sites + left->boards > 0)
		printf(_("still to be computed: %" PRId64 " sites, new data of %" PRId64 " boards"),
		       left->sites, left->boards);
	if (left->sites + left->boards > 0)
		printf("\n");
	printf("\n");
	head_row();
	for (size_t i = 0; i < result->count; i++)
		promise(&result->promises[i], language);
}

// ---- a spreadsheet -----------------------------------------------------------------------------------

/// What a spreadsheet would take for a formula has an apostrophe before it.
static void csv_text(const char *text, char end)
{
	printf(strchr("=+-@\t\r", text[0]) && text[0] ? "\"'" : "\"");
	for (; *text; text++)
		printf(*text == '"' ? "\"\"" : "%c", *text);
	printf("\"%c", end);
}

static void csv_share(int64_t millionths, char end)
{
	if (millionths >= 0)
		printf("%.4f", (double)millionths / 10000);
	putchar(end);
}

static void csv_row(const struct sp_plan *plan, const struct sp_promise_result *result, const char *zone,
		    const struct sp_kpi_figure *f)
{
	const struct sp_promise *p = result->promise;
	csv_text(plan->id, ',');
	csv_text(p->id, ',');
	csv_text(sp_promise_kind_name(p->kind), ',');
	csv_text(p->kpi < 0 ? "" : sp_kpi((enum sp_kpi_id)p->kpi)->name, ',');
	csv_text(zone, ',');
	printf("%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",", f->counts.yes, f->counts.no,
	       f->counts.unknown, sp_kpi_total(&f->counts));
	printf("%" PRId64 ",%" PRId64 ",", f->value.num, f->value.den);
	csv_share(sp_kpi_quotient(f->value.covered, f->value.total), ',');
	csv_share(f->measured, ',');
	csv_share(f->target, ',');
	csv_text(p->kpi < 0 ? "not_measured" : sp_kpi_verdict_name(f->verdict, p->kind == SP_PROMISE_CLAIM),
		 '\n');
}

void sp_kpi_print_csv(const struct sp_plan_result *result)
{
	puts("plan,promise,kind,kpi,zone,yes,no,unknown,total,numerator,denominator,coverage_percent,value_"
	     "percent,"
	     "target_percent,verdict");
	for (size_t i = 0; i < result->count; i++) {
		const struct sp_promise_result *p = &result->promises[i];
		csv_row(result->plan, p, "", &p->all);
		for (size_t z = 0; z < p->zone_count; z++)
			csv_row(result->plan, p, p->zones[z].zone, &p->zones[z].figure);
	}
}

// ---- what they mean ----------------------------------------------------------------------------------

static void meaning(const char *word, const char *text)
{
	char *line = sp_asprintf("%s: %s", word, text);
	sp_columns_wrap(stdout, 2, LINE_WIDTH, line);
	free(line);
}

void sp_kpi_print_list(int language)
{
	for (int i = 0; i < SP_KPIS; i++) {
		const struct sp_kpi *kpi = sp_kpi((enum sp_kpi_id)i);
		printf("%s%s: %s\n", i ? "\n" : "", kpi->name, kpi->title[language]);
		meaning(_("numerator"), _(kpi->numerator));
		meaning(_("denominator"), _(kpi->denominator));
		meaning(_("not rated or unknown"), _(kpi->not_rated));
		meaning(_("time"), _(kpi->basis));
	}
}
