// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page of attendance kiosks: who is there, whose clock is wrong, what is stored, what is missing.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

enum { CLOCK_FINE_S = 60, FILL_WARN_PERCENT = 80, FILL_BAD_PERCENT = 95 };

static const char *ahead_text(double ahead_s, char out[64])
{
	char span[48];
	sp_text_span(fabs(ahead_s) + 0.5, span);
	if (fabs(ahead_s) < 1)
		snprintf(out, 64, "%s", _("right"));
	else
		snprintf(out, 64, ahead_s > 0 ? _("%s fast") : _("%s slow"), span);
	return out;
}

static void clock_cell(struct sp_table *table, const cJSON *kiosk)
{
	double ahead_s = sp_member_number(kiosk, "clock_error_seconds");
	char text[64];
	if (isnan(ahead_s))
		sp_table_cell(table, SP_STYLE_DIM, "%s", _("not known"));
	else
		sp_table_cell(table, fabs(ahead_s) > CLOCK_FINE_S ? SP_STYLE_WARN : SP_STYLE_PLAIN, "%s",
			      ahead_text(ahead_s, text));
}

static void heard_cell(struct sp_table *table, const cJSON *kiosk)
{
	double ago_s = sp_member_number(kiosk, "heard_seconds_ago");
	if (isnan(ago_s))
		ago_s = sp_member_number(kiosk, "event_seconds_ago");
	char span[48];
	if (isnan(ago_s))
		sp_table_cell(table, SP_STYLE_DIM, "%s", _("not heard yet"));
	else
		sp_table_cell(table, SP_STYLE_PLAIN, _("%s ago"), sp_text_span(ago_s, span));
}

/// "4120 of 100000"
static void stored_cell(struct sp_table *table, const cJSON *kiosk)
{
	double records = sp_member_number(kiosk, "records"), capacity = sp_member_number(kiosk, "capacity");
	double percent = capacity > 0 ? 100 * records / capacity : 0;
	enum sp_style style = percent >= FILL_BAD_PERCENT    ? SP_STYLE_BAD
			      : percent >= FILL_WARN_PERCENT ? SP_STYLE_WARN
							     : SP_STYLE_PLAIN;
	if (isnan(records))
		sp_table_cell(table, SP_STYLE_DIM, "%s", "");
	else if (isnan(capacity))
		sp_table_cell(table, style, "%.0f", records);
	else
		sp_table_cell(table, style, _("%.0f of %.0f"), records, capacity);
}

static void count_cell(struct sp_table *table, const cJSON *kiosk, const char *name)
{
	double count = sp_member_number(kiosk, name);
	if (isnan(count))
		sp_table_cell(table, SP_STYLE_DIM, "%s", "");
	else
		sp_table_cell(table, count > 0 ? SP_STYLE_WARN : SP_STYLE_DIM, "%.0f", count);
}

static void today_cell(struct sp_table *table, const cJSON *kiosk)
{
	const cJSON *today = sp_member(kiosk, "today");
	double accepted = sp_member_number(today, "accepted"), known = sp_member_number(today, "known");
	if (isnan(accepted))
		sp_table_cell(table, SP_STYLE_DIM, "%s", "");
	else if (known > 0)
		sp_table_cell(table, SP_STYLE_PLAIN, _("%.0f (%.0f sent again)"), accepted, known);
	else
		sp_table_cell(table, SP_STYLE_PLAIN, "%.0f", accepted);
}

static void kiosk_row(struct sp_table *table, const cJSON *kiosk)
{
	const char *state = sp_member_text(kiosk, "state");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_BOLD, "%s", sp_member_text(kiosk, "name"));
	sp_table_cell(table, sp_show_style(state), "%s", state[0] ? sp_show_state(state) : "");
	heard_cell(table, kiosk);
	clock_cell(table, kiosk);
	stored_cell(table, kiosk);
	count_cell(table, kiosk, "backlog");
	count_cell(table, kiosk, "refused");
	today_cell(table, kiosk);
}

/// What the kiosk itself counted, and we do not have.
static void show_gaps(struct sp_page *page, const cJSON *kiosk)
{
	const cJSON *total;
	cJSON_ArrayForEach(total, sp_member(kiosk, "totals"))
	{
		double counted = sp_member_number(total, "kiosk"), taken = sp_member_number(total, "taken");
		if (!(counted > taken))
			continue;
		sp_page_printf(page, SP_STYLE_WARN, _("  %s: %.0f of %.0f events are missing here"),
			       sp_member_text(total, "date"), counted - taken, counted);
		sp_page_end(page);
	}
}

/// Why it is not up, in the user's language. What the drivers say names addresses and ports besides; that is
/// English.
static const char *reason_text(const char *word)
{
	static const struct sp_word words[] = {
	    {"access_mode", N_("it is set to access control: set it to attendance")},
	    {"busy", N_("another program uses it")},
	    {"certificate", N_("its certificate is not the one that is trusted")},
	    {"clock", N_("this board does not know the time yet, so the kiosk waits")},
	    {"credentials", N_("it refuses the user, or that user lacks rights")},
	    {"journal", N_("its events cannot be kept now, and stay in it")},
	    {"locked", N_("it has locked the user after wrong passwords")},
	    {"never_called", N_("it has never called this board")},
	    {"no_interface", N_("there is no such network interface")},
	    {"no_permission", N_("the agent may not open it")},
	    {"no_route", N_("there is no way to it")},
	    {"not_allowed", N_("its events may not be taken, and stay in it")},
	    {"protocol", N_("it answers in a way that is not understood")},
	    {"refused", N_("it refuses the connection")},
	    {"silent", N_("it has not called for some time")},
	    {"start", N_("it cannot be watched as it is configured")},
	    {"timeout", N_("it does not answer in time")},
	    {"unplugged", N_("it is not plugged in")},
	    {"waiting", N_("its first sign of life since the agent started is awaited")},
	    {"wrong_key", N_("it calls with another key or secret")},
	};
	for (size_t i = 0; i < SP_COUNT(words); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].text;
	return NULL;
}

static void show_reason(struct sp_page *page, const cJSON *kiosk)
{
	const char *text = sp_member_text(kiosk, "text"),
		   *known = reason_text(sp_member_text(kiosk, "reason"));
	const char *ours = known ? _(known) : NULL;
	if (!text[0])
		return;
	if (ours && ours != known) {
		sp_page_printf(page, SP_STYLE_WARN, "  %s", ours);
		sp_page_printf(page, SP_STYLE_DIM, " (%s)", text);
	} else {
		sp_page_printf(page, SP_STYLE_WARN, "  %s", text);
	}
	sp_page_end(page);
}

static void show_details(struct sp_page *page, const cJSON *kiosk)
{
	const char *model = sp_member_text(kiosk, "model"), *firmware = sp_member_text(kiosk, "firmware");
	double users = sp_member_number(kiosk, "users");
	sp_page_add(page, SP_STYLE_BOLD, sp_member_text(kiosk, "name"));
	sp_page_printf(page, SP_STYLE_DIM, "  %s", sp_member_text(kiosk, "driver"));
	if (model[0])
		sp_page_printf(page, SP_STYLE_DIM, ", %s", model);
	if (firmware[0])
		sp_page_printf(page, SP_STYLE_DIM, _(", firmware %s"), firmware);
	if (!isnan(users))
		sp_page_printf(page, SP_STYLE_DIM, _(", %.0f persons enrolled"), users);
	sp_page_end(page);
	show_reason(page, kiosk);
	show_gaps(page, kiosk);
}

static const char *level_text(const char *word)
{
	static const struct sp_word words[] = {
	    {"health", N_("only how the kiosks are")},
	    {"counts", N_("counts of persons, none below five")},
	    {"events", N_("each event, under a pseudonym")},
	};
	return sp_show_word(words, SP_COUNT(words), word);
}

static void show_level(struct sp_page *page, const cJSON *document)
{
	const char *refused = sp_member_text(document, "refused");
	if (!sp_member_true(document, "allowed"))
		sp_page_add(page, SP_STYLE_WARN,
			    _("No event is recorded: [attendance] legal_basis is not set."));
	else if (refused[0])
		sp_page_printf(page, SP_STYLE_BAD, _("No event is recorded: %s"), refused);
	else
		sp_page_printf(page, SP_STYLE_PLAIN, _("Leaves the school: %s"),
			       level_text(sp_member_text(document, "publish")));
	sp_page_end(page);
}

void sp_show_kiosks(struct sp_page *page, const cJSON *document)
{
	static const char *const names[] = {N_("kiosk"),  N_("state"),   N_("last heard"), N_("clock"),
					    N_("stored"), N_("to send"), N_("refused"),    N_("today")};
	const cJSON *list = sp_member(document, "kiosks"), *kiosk;
	if (cJSON_GetArraySize(list) == 0) {
		sp_page_add(page, SP_STYLE_PLAIN, _("No kiosk is configured."));
		sp_page_end(page);
		return;
	}
	struct sp_table table = {.right = 1u << 5 | 1u << 6};
	sp_table_row(&table);
	for (size_t i = 0; i < SP_COUNT(names); i++)
		sp_table_cell(&table, SP_STYLE_DIM, "%s", _(names[i]));
	cJSON_ArrayForEach(kiosk, list)
	{
		kiosk_row(&table, kiosk);
	}
	sp_table_end(&table, page, 0);
	sp_page_end(page);
	cJSON_ArrayForEach(kiosk, list)
	{
		show_details(page, kiosk);
	}
	sp_page_end(page);
	show_level(page, document);
}
