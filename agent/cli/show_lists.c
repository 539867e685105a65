// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The pages of outages and of drivers.
#include <math.h>
#include <string.h>

#include "agent/cli/show.h"

static void titles(struct sp_table *table, const char *const *names, size_t count)
{
	sp_table_row(table);
	for (size_t i = 0; i < count; i++)
		sp_table_cell(table, SP_STYLE_DIM, "%s", names[i]);
}

static void when_cell(struct sp_table *table, double t_ms)
{
	char when[32];
	// Relative to the beginning of time nothing is today: the date is always shown.
	if (!(t_ms > 0 && t_ms < 1e15))
		sp_table_cell(table, SP_STYLE_DIM, "clock not known");
	else
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_text_when((int64_t)t_ms, 0, when));
}

static void outage_row(struct sp_table *table, const cJSON *outage)
{
	char span[48];
	bool open = sp_json_true(outage, "open");
	double seconds = sp_json_number(outage, "seconds");
	const char *state = sp_json_text(outage, "state");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_json_text(outage, "line"));
	when_cell(table, sp_json_number(outage, "start_t_ms"));
	if (open)
		sp_table_cell(table, SP_STYLE_BAD, "goes on");
	else
		when_cell(table, sp_json_number(outage, "end_t_ms"));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", isnan(seconds) ? "?" : sp_text_span(seconds, span));
	sp_table_cell(table, sp_show_style(state), "%s", state);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_json_text(outage, "cause"));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_show_whose(sp_json_text(outage, "whose")));
}

void sp_show_outages(struct sp_page *page, const cJSON *document)
{
	static const char *const names[] = {"line", "start", "end", "length", "worst", "cause", "whose"};
	const cJSON *list = sp_json_member(document, "outages"), *outage;
	if (cJSON_GetArraySize(list) == 0) {
		sp_page_add(page, SP_STYLE_PLAIN, "No outage is known.");
		sp_page_end(page);
		return;
	}
	struct sp_table table = {0};
	titles(&table, names, SP_COUNT(names));
	cJSON_ArrayForEach(outage, list)
	{
		outage_row(&table, outage);
	}
	sp_table_end(&table, page, 0);
}

static void show_options(struct sp_page *page, const cJSON *options)
{
	static const char *const names[] = {"option", "type", "default", "meaning"};
	struct sp_table table = {0};
	titles(&table, names, SP_COUNT(names));
	const cJSON *option;
	cJSON_ArrayForEach(option, options)
	{
		const char *choices = sp_json_text(option, "choices");
		bool mandatory = sp_json_true(option, "mandatory");
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_json_text(option, "key"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_json_text(option, "type"));
		sp_table_cell(&table, mandatory ? SP_STYLE_WARN : SP_STYLE_PLAIN, "%s",
			      mandatory ? "(needed)" : sp_json_text(option, "default"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s%s%s%s", sp_json_text(option, "help"),
			      choices[0] ? " [" : "", choices, choices[0] ? "]" : "");
	}
	sp_table_end(&table, page, 2);
}

static void show_metrics(struct sp_page *page, const cJSON *metrics)
{
	static const char *const names[] = {"metric", "unit", "kind", "meaning"};
	struct sp_table table = {0};
	titles(&table, names, SP_COUNT(names));
	const cJSON *metric;
	cJSON_ArrayForEach(metric, metrics)
	{
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_json_text(metric, "name"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_json_text(metric, "unit"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_json_text(metric, "kind"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_json_text(metric, "help"));
	}
	sp_table_end(&table, page, 2);
}

static void show_driver(struct sp_page *page, const cJSON *driver)
{
	sp_page_add(page, SP_STYLE_BOLD, sp_json_text(driver, "name"));
	sp_page_printf(page, SP_STYLE_PLAIN, "  %s", sp_json_text(driver, "summary"));
	sp_page_printf(page, SP_STYLE_DIM, "  (%s, %s)", sp_json_text(driver, "class"),
		       sp_json_text(driver, "maturity"));
	sp_page_end(page);
	sp_page_end(page);
	show_options(page, sp_json_member(driver, "options"));
	if (cJSON_GetArraySize(sp_json_member(driver, "metrics")) > 0) {
		sp_page_end(page);
		show_metrics(page, sp_json_member(driver, "metrics"));
	}
}

void sp_show_drivers(struct sp_page *page, const cJSON *document, bool detailed)
{
	static const char *const names[] = {"driver", "class", "maturity", "what it watches"};
	const cJSON *driver;
	const cJSON *list = sp_json_member(document, "drivers");
	if (detailed) {
		cJSON_ArrayForEach(driver, list)
		{
			show_driver(page, driver);
		}
		return;
	}
	struct sp_table table = {0};
	titles(&table, names, SP_COUNT(names));
	cJSON_ArrayForEach(driver, list)
	{
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_BOLD, "%s", sp_json_text(driver, "name"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_json_text(driver, "class"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_json_text(driver, "maturity"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_json_text(driver, "summary"));
	}
	sp_table_end(&table, page, 0);
}
