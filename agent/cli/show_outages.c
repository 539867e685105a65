// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page of outages: a table, and what stood behind them.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

static const char *when_text(double t_ms, char out[32])
{
	// Relative to the beginning of time nothing is today: the date is always shown.
	return t_ms > 0 && t_ms < 1e15 ? sp_text_when((int64_t)t_ms, 0, out) : NULL;
}

/// "21 Nov 14:03 ±2 s". An unsynchronised clock tells at least how long ago.
static void when_cell(struct sp_table *table, double t_ms, double uncertainty, double ago)
{
	char when[32], span[48];
	const char *text = when_text(t_ms, when);
	if (text && uncertainty >= 0.95)
		sp_table_cell(table, SP_STYLE_PLAIN, "%s ±%s", text, sp_text_span(uncertainty + 0.5, span));
	else if (text)
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", text);
	else if (ago >= 0)
		sp_table_cell(table, SP_STYLE_DIM, _("%s ago"), sp_text_span(ago, span));
	else
		sp_table_cell(table, SP_STYLE_DIM, _("clock not known"));
}

/// Of the part whose length is not told: what the others leave; NAN while the whole is not known.
static double left_by_others(const cJSON *outage)
{
	double left = sp_member_number(outage, "seconds");
	const cJSON *part;
	cJSON_ArrayForEach(part, sp_member(outage, "parts"))
	{
		double seconds = sp_member_number(part, "seconds");
		left -= isnan(seconds) ? 0 : seconds;
	}
	return left < 0 ? 0 : left;
}

/// Whose it was; where several had their part, how long each: nobody shall be blamed for another's minutes.
static void whose_cell(struct sp_table *table, const cJSON *outage)
{
	enum { OWNERS = 8 };
	struct owner {
		const char *whose;
		double seconds;
	} owners[OWNERS];
	size_t count = 0;
	const cJSON *part;
	cJSON_ArrayForEach(part, sp_member(outage, "parts"))
	{
		const char *whose = sp_member_text(part, "whose");
		size_t at = 0;
		while (at < count && strcmp(owners[at].whose, whose) != 0)
			at++;
		if (at == OWNERS)
			break;
		if (at == count)
			owners[count++] = (struct owner){.whose = whose};
		double seconds = sp_member_number(part, "seconds");
		owners[at].seconds += isnan(seconds) ? left_by_others(outage) : seconds;
	}
	if (count < 2) {
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_show_whose(sp_member_text(outage, "whose")));
		return;
	}
	char text[512] = "";
	for (size_t i = 0; i < count; i++) {
		char span[48];
		size_t used = strlen(text);
		snprintf(text + used, sizeof(text) - used, "%s%s %s", i ? ", " : "",
			 sp_show_whose(owners[i].whose),
			 isnan(owners[i].seconds) ? "?" : sp_text_span(owners[i].seconds, span));
	}
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", text);
}

static void outage_row(struct sp_table *table, const cJSON *outage)
{
	char span[48];
	bool open = sp_member_true(outage, "open");
	double seconds = sp_member_number(outage, "seconds");
	const char *state = sp_member_text(outage, "state");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_member_text(outage, "line"));
	when_cell(table, sp_member_number(outage, "start_t_ms"),
		  sp_member_number(outage, "start_uncertainty_seconds"),
		  sp_member_number(outage, "start_seconds_ago"));
	if (open)
		sp_table_cell(table, SP_STYLE_BAD, _("goes on"));
	else
		when_cell(table, sp_member_number(outage, "end_t_ms"),
			  sp_member_number(outage, "end_uncertainty_seconds"),
			  sp_member_number(outage, "end_seconds_ago"));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", isnan(seconds) ? "?" : sp_text_span(seconds, span));
	sp_table_cell(table, sp_show_style(state), "%s", sp_show_state(state));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_show_cause(sp_member_text(outage, "cause")));
	whose_cell(table, outage);
}

static void show_parts(struct sp_page *page, const cJSON *parts)
{
	const cJSON *part;
	struct sp_table table = {.right = 1u << 0};
	if (cJSON_GetArraySize(parts) < 2)
		return;
	cJSON_ArrayForEach(part, parts)
	{
		char span[48];
		double seconds = sp_member_number(part, "seconds");
		const char *state = sp_member_text(part, "state");
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s",
			      isnan(seconds) ? "?" : sp_text_span(seconds, span));
		sp_table_cell(&table, sp_show_style(state), "%s", sp_show_state(state));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s, %s", sp_show_cause(sp_member_text(part, "cause")),
			      sp_show_whose(sp_member_text(part, "whose")));
	}
	sp_page_add(page, SP_STYLE_DIM, _("  made of"));
	sp_page_end(page);
	sp_table_end(&table, page, 4);
}

static void show_evidence(struct sp_page *page, const cJSON *evidence)
{
	const cJSON *item;
	struct sp_table table = {0};
	if (cJSON_GetArraySize(evidence) == 0)
		return;
	cJSON_ArrayForEach(item, evidence)
	{
		char text[256];
		const char *status = sp_member_text(item, "status");
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_show_rung(sp_member_text(item, "rung")));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_show_family(sp_member_text(item, "family")));
		sp_table_cell(&table, sp_show_style(status), "%s", sp_show_state(status));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_show_reason(item, text));
	}
	sp_page_add(page, SP_STYLE_DIM, _("  evidence"));
	sp_page_end(page);
	sp_table_end(&table, page, 4);
}

static bool has_more(const cJSON *outage)
{
	return cJSON_GetArraySize(sp_member(outage, "parts")) > 1 ||
	       cJSON_GetArraySize(sp_member(outage, "evidence")) > 0;
}

static void show_more(struct sp_page *page, const cJSON *outage)
{
	char when[32];
	const char *start = when_text(sp_member_number(outage, "start_t_ms"), when);
	if (!has_more(outage))
		return;
	sp_page_end(page);
	sp_page_printf(page, SP_STYLE_BOLD, "%s%s%s: %s", sp_member_text(outage, "line"), start ? " " : "",
		       start ? start : "", sp_show_cause(sp_member_text(outage, "cause")));
	sp_page_end(page);
	show_parts(page, sp_member(outage, "parts"));
	show_evidence(page, sp_member(outage, "evidence"));
}

void sp_show_outages(struct sp_page *page, const cJSON *document, bool detailed)
{
	static const char *const names[] = {N_("line"),  N_("start"), N_("end"),  N_("length"),
					    N_("worst"), N_("cause"), N_("whose")};
	const cJSON *list = sp_member(document, "outages"), *outage;
	if (cJSON_GetArraySize(list) == 0) {
		sp_page_add(page, SP_STYLE_PLAIN, _("No outage is known."));
		sp_page_end(page);
		return;
	}
	struct sp_table table = {0};
	sp_table_row(&table);
	for (size_t i = 0; i < SP_COUNT(names); i++)
		sp_table_cell(&table, SP_STYLE_DIM, "%s", _(names[i]));
	cJSON_ArrayForEach(outage, list)
	{
		outage_row(&table, outage);
	}
	sp_table_end(&table, page, 0);
	cJSON_ArrayForEach(outage, list)
	{
		show_more(page, outage);
		if (!detailed)
			return;
	}
}
