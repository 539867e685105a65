// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page of drivers.
#include <string.h>

#include "agent/cli/show.h"

static void titles(struct sp_table *table, const char *const *names, size_t count)
{
	sp_table_row(table);
	for (size_t i = 0; i < count; i++)
		sp_table_cell(table, SP_STYLE_DIM, "%s", names[i]);
}

static void show_options(struct sp_page *page, const cJSON *options)
{
	static const char *const names[] = {"option", "type", "default", "meaning"};
	struct sp_table table = {0};
	titles(&table, names, SP_COUNT(names));
	const cJSON *option;
	cJSON_ArrayForEach(option, options)
	{
		const char *choices = sp_member_text(option, "choices");
		bool mandatory = sp_member_true(option, "mandatory");
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(option, "key"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_member_text(option, "type"));
		sp_table_cell(&table, mandatory ? SP_STYLE_WARN : SP_STYLE_PLAIN, "%s",
			      mandatory ? "(needed)" : sp_member_text(option, "default"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s%s%s%s", sp_member_text(option, "help"),
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
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(metric, "name"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_member_text(metric, "unit"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_member_text(metric, "kind"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(metric, "help"));
	}
	sp_table_end(&table, page, 2);
}

static void show_driver(struct sp_page *page, const cJSON *driver)
{
	sp_page_add(page, SP_STYLE_BOLD, sp_member_text(driver, "name"));
	sp_page_printf(page, SP_STYLE_PLAIN, "  %s", sp_member_text(driver, "summary"));
	sp_page_printf(page, SP_STYLE_DIM, "  (%s, %s)", sp_member_text(driver, "class"),
		       sp_member_text(driver, "maturity"));
	sp_page_end(page);
	sp_page_end(page);
	show_options(page, sp_member(driver, "options"));
	if (cJSON_GetArraySize(sp_member(driver, "metrics")) > 0) {
		sp_page_end(page);
		show_metrics(page, sp_member(driver, "metrics"));
	}
}

void sp_show_drivers(struct sp_page *page, const cJSON *document, bool detailed)
{
	static const char *const names[] = {"driver", "class", "maturity", "what it watches"};
	const cJSON *driver;
	const cJSON *list = sp_member(document, "drivers");
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
		sp_table_cell(&table, SP_STYLE_BOLD, "%s", sp_member_text(driver, "name"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(driver, "class"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(driver, "maturity"));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(driver, "summary"));
	}
	sp_table_end(&table, page, 0);
}
