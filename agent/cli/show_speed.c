// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Speed tests for people: one beside what was bought, and the list of the last ones.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/language.h"
#include "agent/cli/show.h"

static const char *validity_text(const char *validity)
{
	static const struct sp_word words[] = {
	    {"valid", N_("valid")},
	    {"contended", N_("contended")},
	    {"device_limited", N_("limited by the board")},
	    {"link_limited", N_("limited by the port")},
	    {"partial", N_("partial")},
	    {"failed", N_("failed")},
	    {"skipped", N_("not done")},
	};
	return sp_show_word(words, SP_COUNT(words), validity);
}

static const char *reason_text(const char *reason)
{
	static const struct sp_word words[] = {
	    {"budget", N_("the month's bytes do not allow it")},
	    {"busy", N_("others used the line")},
	    {"byte_limit", N_("the most bytes that it may take were reached")},
	    {"cancelled", N_("it was stopped")},
	    {"certificate", N_("the server's certificate is not trusted, or the clock is not known")},
	    {"child", N_("the testing process ended unexpectedly")},
	    {"closed", N_("the server ended the connection too early")},
	    {"cpu", N_("the board's processor was busy")},
	    {"disabled", N_("switched off in the configuration")},
	    {"dns", N_("the server's name has no address")},
	    {"frugal", N_("the line is frugal")},
	    {"half_duplex", N_("the port runs in half duplex")},
	    {"http_status", N_("the server answered with an error")},
	    {"line_down", N_("the line was not usable")},
	    {"metered", N_("every byte of the line is paid for")},
	    {"missed", N_("the agent or its clock was not there")},
	    {"no_capacity", N_("the server has no room for us now")},
	    {"no_route", N_("there is no way to the server")},
	    {"port_speed", N_("the figure reaches what the port can carry")},
	    {"protocol", N_("the server did not keep to its protocol")},
	    {"redirected", N_("the server sent us elsewhere")},
	    {"refused", N_("nobody listens there")},
	    {"running", N_("another test ran on the line")},
	    {"short", N_("too little time was left after the warm-up")},
	    {"stalled", N_("nothing moved for too long")},
	    {"timeout", N_("no answer in time")},
	};
	return sp_show_word(words, SP_COUNT(words), reason);
}

static enum sp_style style_of(const char *validity)
{
	if (strcmp(validity, "valid") == 0)
		return SP_STYLE_GOOD;
	return strcmp(validity, "failed") == 0 ? SP_STYLE_BAD : SP_STYLE_WARN;
}

static const char *direction_text(const cJSON *record)
{
	return strcmp(sp_member_text(record, "direction"), "up") == 0 ? _("upload") : _("download");
}

static double bought_mbps(const cJSON *record)
{
	bool up = strcmp(sp_member_text(record, "direction"), "up") == 0;
	return sp_member_number(sp_member(record, "contract"), up ? "up_mbps" : "down_mbps");
}

/// "93.4 Mbit/s"; "" without a figure.
static const char *speed_text(const cJSON *record, char out[32])
{
	double bps = sp_member_number(record, "goodput_bps");
	if (isnan(bps))
		out[0] = '\0';
	else
		snprintf(out, 32, bps < 1e7 ? "%.2f Mbit/s" : "%.1f Mbit/s", bps / 1e6);
	return out;
}

static void direction_row(struct sp_table *table, const cJSON *record)
{
	char speed[32];
	const char *validity = sp_member_text(record, "validity"), *reason = sp_member_text(record, "reason");
	const char *detail = sp_member_text(record, "text");
	double bps = sp_member_number(record, "goodput_bps"), bought = bought_mbps(record);
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_DIM, "%s", direction_text(record));
	sp_table_cell(table, SP_STYLE_BOLD, "%s", speed_text(record, speed));
	if (!isnan(bought) && !isnan(bps))
		sp_table_cell(table, SP_STYLE_PLAIN, _("of %.0f Mbit/s bought (%.0f %%)"), bought,
			      bps / bought / 1e4);
	else if (!isnan(bought))
		sp_table_cell(table, SP_STYLE_PLAIN, _("of %.0f Mbit/s bought"), bought);
	else
		sp_table_cell(table, SP_STYLE_PLAIN, "%s", "");
	sp_table_cell(table, style_of(validity), "%s%s%s%s%s%s", validity_text(validity),
		      reason[0] ? ": " : "", reason[0] ? reason_text(reason) : "", detail[0] ? " (" : "",
		      detail, detail[0] ? ")" : "");
}

static const char *median(const cJSON *record, const char *member, char out[32])
{
	double seconds = sp_member_number(sp_member(record, member), "median_seconds");
	return isnan(seconds) ? NULL : sp_text_rtt(seconds, out);
}

static void show_latency(struct sp_page *page, const cJSON *records)
{
	char text[32];
	const cJSON *record;
	bool first = true;
	cJSON_ArrayForEach(record, records)
	{
		if (first && median(record, "idle_rtt", text)) {
			sp_page_printf(page, SP_STYLE_PLAIN, _("  latency: %s without load"), text);
			first = false;
		}
		if (!first && median(record, "loaded_rtt", text))
			sp_page_printf(page, SP_STYLE_PLAIN,
				       strcmp(sp_member_text(record, "direction"), "up") == 0
					   ? _(", %s during the upload")
					   : _(", %s during the download"),
				       text);
	}
	if (!first)
		sp_page_end(page);
}

static void show_others(struct sp_page *page, const cJSON *record)
{
	char bytes[32];
	const cJSON *traffic = sp_member(record, "cross_traffic");
	const char *source = sp_member_text(traffic, "source");
	double before = sp_member_number(traffic, "before_bytes_per_second");
	double during = sp_member_number(traffic, "during_bytes_per_second");
	if (!traffic || (isnan(before) && isnan(during)))
		return;
	sp_page_printf(page, SP_STYLE_PLAIN, _("  others, %s:"), direction_text(record));
	if (!isnan(before))
		sp_page_printf(page, SP_STYLE_PLAIN, _(" %s/s before"), sp_text_bytes(before, bytes));
	if (!isnan(before) && !isnan(during))
		sp_page_add(page, SP_STYLE_PLAIN, ",");
	if (!isnan(during))
		sp_page_printf(page, SP_STYLE_PLAIN, _(" %s/s during"), sp_text_bytes(during, bytes));
	sp_page_printf(page, SP_STYLE_DIM, " (%s)",
		       strcmp(source, "gateway") == 0   ? _("counted by the router")
		       : strcmp(source, "capture") == 0 ? _("counted on the mirror port")
							: _("counted on the board's own port"));
	sp_page_end(page);
}

static void show_port(struct sp_page *page, const cJSON *record)
{
	double mbps = sp_member_number(record, "link_mbps"), cpu = sp_member_number(record, "cpu_ratio");
	const char *duplex = sp_member_text(record, "duplex"),
		   *interface = sp_member_text(record, "interface");
	if (!interface[0])
		return;
	sp_page_printf(page, SP_STYLE_PLAIN, _("  port: %s"), interface);
	if (!isnan(mbps))
		sp_page_printf(page, SP_STYLE_PLAIN, ", %.0f Mbit/s", mbps);
	if (duplex[0])
		sp_page_printf(page, SP_STYLE_PLAIN, ", %s",
			       strcmp(duplex, "half") == 0 ? _("half duplex") : _("full duplex"));
	if (!isnan(cpu))
		sp_page_printf(page, SP_STYLE_PLAIN, _("; the board's processor busy by %.0f %%"), 100 * cpu);
	sp_page_end(page);
}

static void show_head(struct sp_page *page, const cJSON *record)
{
	const cJSON *contract = sp_member(record, "contract");
	const char *scope = sp_member_text(record, "scope"), *server = sp_member_text(record, "server");
	const char *provider = sp_member_text(contract, "provider"), *plan = sp_member_text(contract, "plan");
	sp_page_printf(page, SP_STYLE_BOLD, _("Line %s"), sp_member_text(record, "line"));
	if (provider[0] || plan[0])
		sp_page_printf(page, SP_STYLE_PLAIN, " (%s%s%s)", provider,
			       provider[0] && plan[0] ? ", " : "", plan);
	sp_page_printf(page, SP_STYLE_PLAIN, ": %s, %s", sp_member_text(record, "device"),
		       sp_member_text(record, "method"));
	if (server[0])
		sp_page_printf(page, SP_STYLE_PLAIN, ", %s", server);
	if (scope[0])
		sp_page_printf(page, SP_STYLE_PLAIN, " (%s)",
			       strcmp(scope, "domestic") == 0 ? _("domestic") : _("abroad"));
	sp_page_end(page);
}

void sp_show_speedtest(struct sp_page *page, const cJSON *records)
{
	const cJSON *first = cJSON_GetArrayItem(records, 0), *record;
	char bytes[32];
	if (!first) {
		sp_page_add(page, SP_STYLE_WARN, _("Nothing was recorded."));
		sp_page_end(page);
		return;
	}
	show_head(page, first);
	struct sp_table table = {.right = 0x2};
	cJSON_ArrayForEach(record, records)
	{
		direction_row(&table, record);
	}
	sp_table_end(&table, page, 2);
	show_latency(page, records);
	cJSON_ArrayForEach(record, records)
	{
		show_others(page, record);
	}
	show_port(page, first);
	double wire = sp_member_number(first, "wire_bytes");
	if (wire > 0) {
		sp_page_printf(page, SP_STYLE_DIM, _("  it took %s of the line"), sp_text_bytes(wire, bytes));
		sp_page_end(page);
	}
}

static const char *trigger_text(const char *trigger)
{
	return strcmp(trigger, "hand") == 0      ? _("by hand")
	       : strcmp(trigger, "command") == 0 ? _("by command")
						 : _("by schedule");
}

static void list_row(struct sp_table *table, const cJSON *record, int64_t now_ms)
{
	char when[32], speed[32];
	double t_ms = sp_member_number(record, "t_ms");
	const char *validity = sp_member_text(record, "validity"), *reason = sp_member_text(record, "reason");
	sp_table_row(table);
	sp_table_cell(table, SP_STYLE_PLAIN, "%s",
		      isnan(t_ms) ? _("time not known") : sp_text_when((int64_t)t_ms, now_ms, when));
	sp_table_cell(table, SP_STYLE_BOLD, "%s", sp_member_text(record, "device"));
	sp_table_cell(table, SP_STYLE_DIM, "%s", direction_text(record));
	sp_table_cell(table, SP_STYLE_BOLD, "%s", speed_text(record, speed));
	sp_table_cell(table, style_of(validity), "%s%s%s", validity_text(validity), reason[0] ? ": " : "",
		      reason[0] ? reason_text(reason) : "");
	sp_table_cell(table, SP_STYLE_DIM, "%s", trigger_text(sp_member_text(record, "trigger")));
}

static void show_next(struct sp_page *page, const cJSON *document, int64_t now_ms)
{
	const cJSON *device;
	char when[32];
	cJSON_ArrayForEach(device, sp_member(document, "devices"))
	{
		double next = sp_member_number(device, "next_ms");
		sp_page_printf(page, SP_STYLE_BOLD, "%s", sp_member_text(device, "device"));
		if (!sp_member_true(device, "enabled"))
			sp_page_add(page, SP_STYLE_DIM, _(": switched off"));
		else if (isnan(next))
			sp_page_add(page, SP_STYLE_DIM,
				    sp_member_true(document, "scheduled") ? _(": next test not planned yet")
									  : _(": tests only when asked"));
		else
			sp_page_printf(page, SP_STYLE_PLAIN, _(": next test %s"),
				       sp_text_when((int64_t)next, now_ms, when));
		sp_page_end(page);
	}
}

void sp_show_speedtests(struct sp_page *page, const cJSON *document)
{
	const cJSON *test, *record;
	double now = sp_member_number(document, "now_ms");
	int64_t now_ms = isnan(now) ? 0 : (int64_t)now;
	if (cJSON_GetArraySize(sp_member(document, "devices")) == 0) {
		sp_page_add(page, SP_STYLE_PLAIN, _("No device that tests speed is configured."));
		sp_page_end(page);
		return;
	}
	struct sp_table table = {.right = 0x8};
	cJSON_ArrayForEach(test, sp_member(document, "tests"))
	{
		cJSON_ArrayForEach(record, sp_member(test, "records"))
		{
			list_row(&table, record, now_ms);
		}
	}
	if (table.count == 0) {
		sp_page_add(page, SP_STYLE_PLAIN, _("No test was done yet."));
		sp_page_end(page);
	}
	sp_table_end(&table, page, 0);
	show_next(page, document, now_ms);
}
