// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From what is known of a direction to the record's fields.
#include "agent/core/speed/record.h"

#include <math.h>
#include <string.h>

enum { FIELDS = 40, RTT_FIELDS = 5 };

/// A record being put together; what its fields point to stands beside them.
struct draft {
	struct sp_field fields[FIELDS];
	size_t count;
	struct sp_field idle[RTT_FIELDS], loaded[RTT_FIELDS], curve[SP_SPEED_CURVE], cross[3], contract[4];
};

const char *sp_speed_direction_name(enum sp_speed_direction direction)
{
	return direction == SP_SPEED_DOWN ? "down" : "up";
}

double sp_speed_goodput(const struct sp_speed_report *report, enum sp_speed_direction direction)
{
	const struct sp_speed_result *result = report ? &report->results[direction] : NULL;
	bool figure = result && (result->outcome == SP_SPEED_WHOLE || result->outcome == SP_SPEED_PARTIAL);
	return figure && result->duration_us > 0 ? 8e6 * (double)result->bytes / (double)result->duration_us
						 : NAN;
}

static void add(struct draft *draft, struct sp_field field)
{
	draft->fields[draft->count++] = field;
}

static void add_text(struct draft *draft, const char *name, const char *text)
{
	if (text && text[0])
		add(draft, SP_TEXT(name, text));
}

static void add_real(struct draft *draft, const char *name, double value)
{
	if (isfinite(value))
		add(draft, SP_REAL(name, value));
}

static struct sp_field text_or_null(const char *name, const char *text)
{
	return text && text[0] ? SP_TEXT(name, text) : SP_NULL(name);
}

static void add_rtt(struct draft *draft, const char *name, const struct sp_speed_latency *rtt,
		    struct sp_field room[RTT_FIELDS])
{
	if (rtt->count == 0)
		return;
	room[0] = SP_INT("count", rtt->count);
	room[1] = SP_REAL("min_seconds", rtt->min);
	room[2] = SP_REAL("median_seconds", rtt->median);
	room[3] = SP_REAL("p95_seconds", rtt->p95);
	room[4] = SP_REAL("jitter_seconds", rtt->jitter);
	add(draft, SP_OBJECT(name, room, RTT_FIELDS));
}

static void add_curve(struct draft *draft, const struct sp_speed_result *result)
{
	for (unsigned i = 0; i < result->curve_count; i++)
		draft->curve[i] = SP_REAL("", result->curve[i]);
	if (result->curve_count > 0)
		add(draft, SP_LIST("curve_bps", draft->curve, result->curve_count));
}

/// Also of a test that reached no server: it belongs to one kind of test all the same.
static void add_scope(struct draft *draft, const struct sp_speed_fact *fact)
{
	const char *scope =
	    fact->report && fact->report->scope && fact->report->scope[0] ? fact->report->scope : fact->scope;
	if (strcmp(scope, "domestic") == 0 || strcmp(scope, "international") == 0)
		add(draft, SP_TEXT("scope", scope));
}

static void add_server(struct draft *draft, const struct sp_speed_report *report)
{
	add(draft, text_or_null("server", report->server));
	add(draft, text_or_null("address", report->address));
	add(draft, report->family == SP_FAMILY_ANY
		       ? SP_NULL("family")
		       : SP_TEXT("family", report->family == SP_FAMILY_IPV4 ? "ipv4" : "ipv6"));
}

static void add_report(struct draft *draft, const struct sp_speed_fact *fact)
{
	const struct sp_speed_result *result = &fact->report->results[fact->direction];
	add_server(draft, fact->report);
	if (result->outcome != SP_SPEED_NOT_DONE)
		add(draft, SP_INT("streams", result->streams));
	double goodput = sp_speed_goodput(fact->report, fact->direction);
	if (isfinite(goodput)) {
		add(draft, SP_REAL("goodput_bps", goodput));
		add(draft, SP_INT("bytes", result->bytes));
		add(draft, SP_REAL("duration_seconds", (double)result->duration_us / 1e6));
		add(draft, SP_REAL("warmup_seconds", (double)result->warmup_us / 1e6));
	}
	add_rtt(draft, "idle_rtt", &fact->report->idle, draft->idle);
	add_rtt(draft, "loaded_rtt", &result->loaded, draft->loaded);
	add_real(draft, "retransmit_ratio", result->retransmit_ratio);
	add_curve(draft, result);
}

static struct sp_field real_or_null(const char *name, double value)
{
	return isfinite(value) ? SP_REAL(name, value) : SP_NULL(name);
}

static void add_board(struct draft *draft, const struct sp_speed_fact *fact)
{
	add(draft, text_or_null("interface", fact->interface));
	add(draft, fact->link_mbps > 0 ? SP_INT("link_mbps", fact->link_mbps) : SP_NULL("link_mbps"));
	add(draft, fact->duplex == SP_DUPLEX_UNKNOWN
		       ? SP_NULL("duplex")
		       : SP_TEXT("duplex", fact->duplex == SP_DUPLEX_HALF ? "half" : "full"));
	add_real(draft, "cpu_ratio", fact->cpu_ratio);
	if (!fact->watched)
		return;
	draft->cross[0] = SP_TEXT("source", sp_guard_source_name(fact->source));
	draft->cross[1] = real_or_null("before_bytes_per_second", fact->before);
	draft->cross[2] = real_or_null("during_bytes_per_second", fact->during);
	add(draft, SP_OBJECT("cross_traffic", draft->cross, 3));
}

static void add_contract(struct draft *draft, const struct sp_speed_line *bought)
{
	size_t count = 0;
	if (bought->provider[0])
		draft->contract[count++] = SP_TEXT("provider", bought->provider);
	if (bought->plan[0])
		draft->contract[count++] = SP_TEXT("plan", bought->plan);
	if (bought->bought_mbps[SP_SPEED_DOWN] > 0)
		draft->contract[count++] = SP_REAL("down_mbps", bought->bought_mbps[SP_SPEED_DOWN]);
	if (bought->bought_mbps[SP_SPEED_UP] > 0)
		draft->contract[count++] = SP_REAL("up_mbps", bought->bought_mbps[SP_SPEED_UP]);
	if (count > 0)
		add(draft, SP_OBJECT("contract", draft->contract, count));
}

void sp_speed_record(struct sp_recorder *recorder, const struct sp_speed_fact *fact)
{
	struct draft draft = {.count = 0};
	add(&draft, SP_TEXT("test", fact->test));
	add(&draft, SP_TEXT("line", fact->line));
	add(&draft, SP_TEXT("method", fact->method));
	add(&draft, SP_TEXT("direction", sp_speed_direction_name(fact->direction)));
	add(&draft, SP_TEXT("trigger", sp_speed_trigger_name(fact->trigger)));
	add(&draft, SP_TEXT("validity", sp_speed_validity_name(fact->verdict.validity)));
	add_text(&draft, "reason", fact->verdict.reason);
	add_text(&draft, "text", fact->text);
	add_scope(&draft, fact);
	if (fact->report)
		add_report(&draft, fact);
	if (fact->first && fact->wire_bytes >= 0)
		add(&draft, SP_INT("wire_bytes", fact->wire_bytes));
	add_board(&draft, fact);
	if (fact->bought)
		add_contract(&draft, fact->bought);
	add(&draft, SP_INT("deferrals", fact->deferrals));
	if (fact->start_us >= 0)
		add(&draft, SP_INT("start_mono_us", fact->start_us));
	sp_record_fact(recorder, "speedtest", fact->device, draft.fields, draft.count);
}
