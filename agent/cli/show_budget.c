// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page of budgets: what this month's bytes went to, what is left, and what waits for want of them.
#include <math.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

static void bytes_cell(struct sp_table *table, enum sp_style style, double bytes, const char *without)
{
	char text[32];
	if (isnan(bytes))
		sp_table_cell(table, SP_STYLE_DIM, "%s", without);
	else
		sp_table_cell(table, style, "%s", sp_text_bytes(bytes, text));
}

/// Of the cap: fine, close to it, beyond it.
static enum sp_style weigh(double bytes, double cap)
{
	if (isnan(cap) || isnan(bytes) || bytes < 0.8 * cap)
		return SP_STYLE_PLAIN;
	return bytes < cap ? SP_STYLE_WARN : SP_STYLE_BAD;
}

static void budget_row(struct sp_table *table, const cJSON *budget)
{
	const cJSON *spent = sp_member(budget, "spent");
	double used = sp_member_number(budget, "used_bytes"), cap = sp_member_number(budget, "cap_bytes");
	double forecast = sp_member_number(budget, "forecast_bytes");
	const char *month = sp_member_text(budget, "month");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_BOLD, "%s", sp_member_text(budget, "line"));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", month[0] ? month : _("not known"));
	bytes_cell(table, SP_STYLE_DIM, sp_member_number(spent, "probes"), "");
	bytes_cell(table, SP_STYLE_DIM, sp_member_number(spent, "telemetry"), "");
	bytes_cell(table, SP_STYLE_DIM, sp_member_number(spent, "tests"), "");
	bytes_cell(table, weigh(used, cap), used, "");
	bytes_cell(table, SP_STYLE_PLAIN, cap, _("no limit"));
	bytes_cell(table, weigh(forecast, cap), forecast, _("too early"));
}

static const char *suspended_text(const char *word)
{
	if (strcmp(word, "tests") == 0)
		return _("speed tests");
	if (strcmp(word, "backlog") == 0)
		return _("measurements older than two hours");
	if (strcmp(word, "bulk") == 0)
		return _("measurements (they stay on the card)");
	return word;
}

static void show_suspended(struct sp_page *page, const cJSON *budget)
{
	const cJSON *list = sp_member(budget, "suspended"), *it;
	const char *separator = " ";
	bool exhausted = sp_member_true(budget, "exhausted");
	if (cJSON_GetArraySize(list) > 0) {
		sp_page_printf(page, exhausted ? SP_STYLE_BAD : SP_STYLE_WARN,
			       exhausted ? _("%s: the budget is used up; suspended:")
					 : _("%s: metered; suspended:"),
			       sp_member_text(budget, "line"));
		cJSON_ArrayForEach(it, list)
		{
			const char *word = cJSON_GetStringValue(it);
			sp_page_printf(page, SP_STYLE_PLAIN, "%s%s", separator,
				       suspended_text(word ? word : ""));
			separator = ", ";
		}
		sp_page_end(page);
	}
	if (sp_member_true(budget, "frugal")) {
		sp_page_printf(page, SP_STYLE_PLAIN, _("%s: frugal, probes every 300 s"),
			       sp_member_text(budget, "line"));
		sp_page_end(page);
	}
}

void sp_show_budget(struct sp_page *page, const cJSON *document)
{
	static const char *const names[] = {N_("line"),  N_("month"), N_("probes"), N_("telemetry"),
					    N_("tests"), N_("used"),  N_("limit"),  N_("by its end")};
	const cJSON *list = sp_member(document, "budgets"), *budget;
	if (cJSON_GetArraySize(list) == 0) {
		sp_page_add(page, SP_STYLE_PLAIN, _("No line is configured."));
		sp_page_end(page);
		return;
	}
	struct sp_table table = {.right = 0xfc};
	sp_table_row(&table);
	for (size_t i = 0; i < SP_COUNT(names); i++)
		sp_table_cell(&table, SP_STYLE_DIM, "%s", _(names[i]));
	cJSON_ArrayForEach(budget, list)
	{
		budget_row(&table, budget);
	}
	sp_table_end(&table, page, 0);
	cJSON_ArrayForEach(budget, list)
	{
		show_suspended(page, budget);
	}
}

void sp_show_budget_line(struct sp_page *page, const cJSON *budgets, const char *line)
{
	const cJSON *budget;
	char used[32], cap[32];
	cJSON_ArrayForEach(budget, budgets)
	{
		double limit = sp_member_number(budget, "cap_bytes");
		if (strcmp(sp_member_text(budget, "line"), line) != 0 || isnan(limit))
			continue;
		double bytes = sp_member_number(budget, "used_bytes");
		sp_page_printf(page, weigh(bytes, limit), _("  %s of %s used this month"),
			       sp_text_bytes(bytes, used), sp_text_bytes(limit, cap));
		if (sp_member_true(budget, "exhausted"))
			sp_page_add(page, SP_STYLE_BAD, _("; measurements wait on the card"));
		sp_page_end(page);
	}
}
