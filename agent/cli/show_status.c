// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The status page.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

static void heading(struct sp_page *page, const char *text)
{
	sp_page_end(page);
	sp_page_add(page, SP_STYLE_BOLD, text);
	sp_page_end(page);
}

static void show_head(struct sp_page *page, const cJSON *status)
{
	char span[48];
	sp_page_printf(page, SP_STYLE_BOLD, "SchoolPulse %s", sp_member_text(status, "version"));
	sp_page_printf(page, SP_STYLE_PLAIN, _("   board %s/%s   running for %s   "),
		       sp_member_text(status, "shard"), sp_member_text(status, "device"),
		       sp_text_span(sp_member_number(status, "seconds"), span));
	const cJSON *clock = sp_member(status, "clock");
	if (sp_member_true(clock, "synced"))
		sp_page_printf(page, SP_STYLE_PLAIN, _("clock synchronised, ±%.0f ms"),
			       sp_member_number(clock, "err_ms"));
	else
		sp_page_add(page, SP_STYLE_WARN, _("clock not synchronised"));
	sp_page_end(page);
}

/// "since 14:03:22 (12 min 4 s)"; without a clock that can be trusted just the span.
static void show_since(struct sp_page *page, const cJSON *clock, double seconds)
{
	char when[32], span[48];
	if (!(seconds >= 0 && seconds < 1e12))
		return;
	sp_text_span(seconds, span);
	double now = sp_member_number(clock, "t_ms");
	if (sp_member_true(clock, "synced") && now > 0 && now < 1e15)
		sp_page_printf(page, SP_STYLE_PLAIN, _(" since %s (%s)"),
			       sp_text_when((int64_t)(now - seconds * 1000), (int64_t)now, when), span);
	else
		sp_page_printf(page, SP_STYLE_PLAIN, _(" for %s"), span);
}

static void show_family(struct sp_page *page, const char *label, const char *state)
{
	sp_page_printf(page, SP_STYLE_PLAIN, "   %s ", label);
	sp_page_add(page, state[0] ? sp_show_style(state) : SP_STYLE_DIM,
		    state[0] ? sp_show_state(state) : _("not offered"));
}

static void show_line(struct sp_page *page, const cJSON *line, const cJSON *clock)
{
	const char *state = sp_member_text(line, "state"), *cause = sp_member_text(line, "cause");
	const char *provider = sp_member_text(line, "provider");
	sp_page_printf(page, SP_STYLE_BOLD, _("Line %s"), sp_member_text(line, "name"));
	if (provider[0])
		sp_page_printf(page, SP_STYLE_PLAIN, " (%s)", provider);
	sp_page_add(page, SP_STYLE_PLAIN, _(" is "));
	sp_page_add(page, sp_show_style(state), sp_show_state(state));
	show_since(page, clock, sp_member_number(line, "seconds"));
	show_family(page, "IPv4", sp_member_text(line, "ipv4"));
	show_family(page, "IPv6", sp_member_text(line, "ipv6"));
	sp_page_end(page);
	bool fine = strcmp(state, "up") == 0 && strcmp(cause, "none") == 0;
	if (!fine) {
		sp_page_printf(page, SP_STYLE_PLAIN, _("  because %s"), sp_show_cause(cause));
		if (strcmp(cause, "none") != 0)
			sp_page_printf(page, SP_STYLE_PLAIN, " [%s], %s", cause,
				       sp_show_whose(sp_member_text(line, "whose")));
		sp_page_end(page);
	}
	// An outage of the last run, whose end nobody has seen yet.
	if (strcmp(cause, "none") == 0 && cJSON_IsObject(sp_member(line, "outage"))) {
		sp_page_add(page, SP_STYLE_WARN, _("  an outage is open: its end has not been seen yet"));
		sp_page_end(page);
	}
}

static const cJSON *find_rung(const cJSON *rungs, const char *rung, const char *family)
{
	const cJSON *it;
	cJSON_ArrayForEach(it, rungs)
	{
		if (strcmp(sp_member_text(it, "rung"), rung) == 0 &&
		    strcmp(sp_member_text(it, "family"), family) == 0)
			return it;
	}
	return NULL;
}

static void rung_row(struct sp_table *table, const char *label, const cJSON *rung, const char *family)
{
	char rtt[32];
	const char *status = sp_member_text(rung, "status");
	double seconds = sp_member_number(rung, "rtt_seconds");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", label);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", family);
	sp_table_cell(table, sp_show_style(status), "%s", sp_show_state(status));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", isnan(seconds) ? "" : sp_text_rtt(seconds, rtt));
	char text[256];
	sp_table_cell(table, SP_STYLE_DIM, "%s", sp_show_reason(rung, text));
}

static void show_rungs(struct sp_page *page, const cJSON *rungs)
{
	static const char *const names[] = {"cable",    "address",       "gateway", "isp_access",
					    "isp_core", "international", "dns",     "portal",
					    "service",  "full_size",     "hub"};
	static const char *const families[] = {"any", "ipv4", "ipv6"};
	struct sp_table table = {.right = 1u << 3};
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		const char *label = sp_show_rung(names[i]);
		for (size_t f = 0; f < SP_COUNT(families); f++) {
			const cJSON *rung = find_rung(rungs, names[i], families[f]);
			if (!rung)
				continue;
			rung_row(&table, label, rung, sp_show_family(families[f]));
			label = "";
		}
	}
	sp_table_end(&table, page, 2);
}

/// The other metric of the same place: its loss beside its RTT.
static const cJSON *find_sample(const cJSON *samples, const char *metric, const char *target)
{
	const cJSON *it;
	cJSON_ArrayForEach(it, samples)
	{
		if (strcmp(sp_member_text(it, "metric"), metric) == 0 &&
		    strcmp(sp_member_text(it, "target"), target) == 0)
			return it;
	}
	return NULL;
}

static void loss_cell(struct sp_table *table, const cJSON *loss)
{
	double ratio = sp_member_number(loss, "mean");
	if (!loss)
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", "");
	else if (isnan(ratio))
		sp_table_cell(table, SP_STYLE_DIM, _("not known"));
	else
		sp_table_cell(table,
			      ratio > 0.5 ? SP_STYLE_BAD
			      : ratio > 0 ? SP_STYLE_WARN
					  : SP_STYLE_PLAIN,
			      "%.1f %%", ratio * 100.0);
}

static void path_row(struct sp_table *table, const cJSON *device, const char *target, const cJSON *rtt,
		     const cJSON *loss)
{
	char mean[32], least[32], most[32];
	double seconds = sp_member_number(rtt, "mean");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_member_text(device, "name"));
	sp_table_cell(table, SP_STYLE_PLAIN, "%s", target);
	if (isnan(seconds)) {
		// Who asks rarely is not told that nobody answered where nobody was asked.
		bool asked = !loss || !isnan(sp_member_number(loss, "mean"));
		sp_table_cell(table, SP_STYLE_DIM, "%s", asked ? _("no answer") : _("not measured"));
		sp_table_cell(table, SP_STYLE_DIM, "%s", "");
	} else {
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_text_rtt(seconds, mean));
		sp_table_cell(table, SP_STYLE_DIM, "%s … %s",
			      sp_text_rtt(sp_member_number(rtt, "min"), least),
			      sp_text_rtt(sp_member_number(rtt, "max"), most));
	}
	loss_cell(table, loss);
}

/// "domestic/ipv4" says nothing beside "domestic" where there is no other family.
static bool redundant(const cJSON *samples, const char *target)
{
	const char *slash = strchr(target, '/');
	if (!slash)
		return false;
	char base[65];
	snprintf(base, sizeof(base), "%.*s", (int)(slash - target), target);
	if (!find_sample(samples, "loss_ratio", base))
		return false;
	size_t families = 0;
	const cJSON *it;
	cJSON_ArrayForEach(it, samples)
	{
		const char *other = sp_member_text(it, "target");
		families += strcmp(sp_member_text(it, "metric"), "loss_ratio") == 0 &&
			    strncmp(other, target, (size_t)(slash - target) + 1) == 0;
	}
	return families < 2;
}

static void path_rows(struct sp_table *table, const cJSON *device)
{
	const cJSON *samples = sp_member(device, "samples"), *it;
	cJSON_ArrayForEach(it, samples)
	{
		const char *metric = sp_member_text(it, "metric"), *target = sp_member_text(it, "target");
		bool rtt = strcmp(metric, "rtt_seconds") == 0;
		bool loss = strcmp(metric, "loss_ratio") == 0;
		if (redundant(samples, target))
			continue;
		if (rtt)
			path_row(table, device, target, it, find_sample(samples, "loss_ratio", target));
		else if (loss && !find_sample(samples, "rtt_seconds", target))
			path_row(table, device, target, NULL, it);
	}
}

static bool has_paths(const cJSON *device)
{
	const cJSON *it;
	cJSON_ArrayForEach(it, sp_member(device, "samples"))
	{
		const char *metric = sp_member_text(it, "metric");
		if (strcmp(metric, "rtt_seconds") == 0 || strcmp(metric, "loss_ratio") == 0)
			return true;
	}
	return false;
}

static void show_paths(struct sp_page *page, const cJSON *devices)
{
	static const char *const titles[] = {N_("by"), N_("to"), N_("RTT"), N_("least … most"), N_("loss")};
	struct sp_table table = {.right = 1u << 2 | 1u << 4};
	const cJSON *device;
	bool any = false;
	cJSON_ArrayForEach(device, devices)
	{
		any = any || has_paths(device);
	}
	if (!any)
		return;
	heading(page, _("Round trips (last window)"));
	sp_table_row(&table);
	for (size_t i = 0; i < SP_COUNT(titles); i++)
		sp_table_cell(&table, SP_STYLE_DIM, "%s", _(titles[i]));
	cJSON_ArrayForEach(device, devices)
	{
		path_rows(&table, device);
	}
	sp_table_end(&table, page, 2);
}

/// Why it is not up; or when it tests by itself.
static void last_cell(struct sp_table *table, const cJSON *device, double now_ms)
{
	char when[32];
	double next_ms = sp_member_number(device, "next_test_ms");
	if (isnan(next_ms) || isnan(now_ms))
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", sp_member_text(device, "text"));
	else
		sp_table_cell(table, SP_STYLE_PLAIN, _("next test %s"),
			      sp_text_when((int64_t)next_ms, (int64_t)now_ms, when));
}

static void show_devices(struct sp_page *page, const cJSON *devices, const cJSON *clock)
{
	heading(page, _("Devices"));
	if (cJSON_GetArraySize(devices) == 0) {
		sp_page_add(page, SP_STYLE_DIM, _("  none configured"));
		sp_page_end(page);
		return;
	}
	struct sp_table table = {0};
	const cJSON *device;
	cJSON_ArrayForEach(device, devices)
	{
		char span[48];
		bool enabled = sp_member_true(device, "enabled");
		const char *state = enabled ? sp_member_text(device, "state") : "disabled";
		sp_table_row(&table);
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s", sp_member_text(device, "name"));
		sp_table_cell(&table, SP_STYLE_DIM, "%s", sp_member_text(device, "driver"));
		sp_table_cell(&table, enabled ? sp_show_style(state) : SP_STYLE_DIM, "%s",
			      sp_show_state(state));
		sp_table_cell(&table, SP_STYLE_PLAIN, "%s",
			      enabled ? sp_text_span(sp_member_number(device, "seconds"), span) : "");
		last_cell(&table, device, sp_member_number(clock, "t_ms"));
	}
	sp_table_end(&table, page, 2);
}

static void show_journal(struct sp_page *page, const cJSON *journal)
{
	char bytes[32], cap[32];
	const char *state = sp_member_text(journal, "state");
	const cJSON *unsettled = sp_member(journal, "unsettled");
	heading(page, _("Journal"));
	sp_page_add(page, SP_STYLE_PLAIN, "  ");
	sp_page_add(page, sp_show_style(state), sp_show_state(state));
	if (sp_member_text(journal, "error")[0])
		sp_page_printf(page, SP_STYLE_PLAIN, " (%s)", sp_member_text(journal, "error"));
	sp_page_printf(page, SP_STYLE_PLAIN, _(", %s of %s"),
		       sp_text_bytes(sp_member_number(journal, "bytes"), bytes),
		       sp_text_bytes(sp_member_number(journal, "cap_bytes"), cap));
	sp_page_printf(page, SP_STYLE_PLAIN, _("; not yet settled: %.0f facts, %.0f attendance, %.0f bulk"),
		       sp_member_number(unsettled, "facts"), sp_member_number(unsettled, "attendance"),
		       sp_member_number(unsettled, "bulk"));
	sp_page_printf(page, SP_STYLE_PLAIN, _("; %.0f in memory"), sp_member_number(journal, "waiting"));
	if (sp_member_number(journal, "dropped") > 0)
		sp_page_printf(page, SP_STYLE_BAD, _("; %.0f dropped"), sp_member_number(journal, "dropped"));
	sp_page_end(page);
	sp_page_printf(page, SP_STYLE_PLAIN,
		       _("  last settled by the hub: fact %.0f of this run, %.0f committed here"),
		       sp_member_number(journal, "settled_seq"), sp_member_number(journal, "committed"));
	sp_page_end(page);
}

static void show_hub(struct sp_page *page, const cJSON *publisher)
{
	char span[48];
	bool connected = sp_member_true(publisher, "connected");
	bool hub = strcmp(sp_member_text(publisher, "ack_mode"), "hub") == 0;
	heading(page, _("Hub"));
	sp_page_printf(page, SP_STYLE_PLAIN, _("  broker %s "), sp_member_text(publisher, "broker"));
	if (connected) {
		sp_page_add(page, SP_STYLE_GOOD, _("connected"));
		sp_page_printf(page, SP_STYLE_PLAIN, _(" for %s"),
			       sp_text_span(sp_member_number(publisher, "seconds"), span));
	} else {
		sp_page_add(page, SP_STYLE_BAD, _("not connected"));
		if (sp_member_text(publisher, "reason")[0])
			sp_page_printf(page, SP_STYLE_PLAIN, ": %s", sp_member_text(publisher, "reason"));
		double next = sp_member_number(publisher, "next_attempt_seconds");
		if (next >= 0)
			sp_page_printf(page, SP_STYLE_DIM, _(", next attempt in %s"),
				       sp_text_span(next, span));
	}
	if (hub && connected) {
		sp_page_add(page, SP_STYLE_PLAIN, _("; hub "));
		bool online = sp_member_true(publisher, "hub_online");
		sp_page_add(page, online ? SP_STYLE_GOOD : SP_STYLE_BAD,
			    online ? _("online") : _("not heard"));
	}
	sp_page_end(page);
	sp_page_printf(page, SP_STYLE_PLAIN,
		       _("  batches: %.0f sent, %.0f acknowledged, %.0f sent again, %.0f under way"),
		       sp_member_number(publisher, "sent"), sp_member_number(publisher, "acknowledged"),
		       sp_member_number(publisher, "resent"), sp_member_number(publisher, "in_flight"));
	if (sp_member_number(publisher, "refused") > 0)
		sp_page_printf(page, SP_STYLE_BAD, _(", %.0f refused"),
			       sp_member_number(publisher, "refused"));
	sp_page_end(page);
	const char *reason = sp_member_text(publisher, "reason");
	if (connected && reason[0]) {
		sp_page_printf(page, SP_STYLE_BAD, "  %s", reason);
		sp_page_end(page);
	}
}

static void show_power(struct sp_page *page, const cJSON *reading)
{
	double now = sp_member_number(reading, "undervoltage_now");
	double before = sp_member_number(reading, "undervoltage_since_boot");
	if (now > 0)
		sp_page_add(page, SP_STYLE_BAD, _("power too low"));
	else if (before > 0)
		sp_page_add(page, SP_STYLE_WARN, _("power was too low"));
	else if (now == 0)
		sp_page_add(page, SP_STYLE_GOOD, _("power fine"));
	else
		sp_page_add(page, SP_STYLE_DIM, _("power not known"));
}

static void show_board(struct sp_page *page, const cJSON *board)
{
	char bytes[32], total[32];
	const cJSON *reading = sp_member(board, "reading");
	const char *model = sp_member_text(board, "model");
	const char *state = sp_member_text(board, "storage_state");
	heading(page, _("Board"));
	sp_page_printf(page, SP_STYLE_PLAIN, "  %s", model[0] ? model : sp_member_text(board, "name"));
	double celsius = sp_member_number(reading, "temperature_celsius");
	if (isnan(celsius))
		sp_page_add(page, SP_STYLE_DIM, _(", temperature not known, "));
	else
		sp_page_printf(page, celsius >= 80 ? SP_STYLE_BAD : SP_STYLE_PLAIN, ", %.1f °C, ", celsius);
	show_power(page, reading);
	sp_page_printf(page, SP_STYLE_PLAIN, _(", storage %s "), sp_member_text(board, "storage"));
	sp_page_add(page, sp_show_style(state), sp_show_state(state));
	double written = sp_member_number(reading, "storage_written_bytes");
	if (!isnan(written))
		sp_page_printf(page, SP_STYLE_PLAIN, _(" (%s written since boot)"),
			       sp_text_bytes(written, bytes));
	double left = sp_member_number(reading, "memory_available_bytes");
	double all = sp_member_number(reading, "memory_total_bytes");
	if (!isnan(left) && !isnan(all))
		sp_page_printf(page, SP_STYLE_PLAIN, _(", memory %s of %s free"), sp_text_bytes(left, bytes),
			       sp_text_bytes(all, total));
	sp_page_end(page);
}

void sp_show_status(struct sp_page *page, const cJSON *status)
{
	const cJSON *clock = sp_member(status, "clock");
	const cJSON *devices = sp_member(status, "devices");
	const cJSON *line;
	show_head(page, status);
	cJSON_ArrayForEach(line, sp_member(status, "lines"))
	{
		sp_page_end(page);
		show_line(page, line, clock);
		sp_show_budget_line(page, sp_member(status, "budgets"), sp_member_text(line, "name"));
		show_rungs(page, sp_member(line, "rungs"));
	}
	show_paths(page, devices);
	show_hub(page, sp_member(status, "publisher"));
	show_journal(page, sp_member(status, "journal"));
	show_board(page, sp_member(status, "board"));
	show_devices(page, devices, clock);
}
