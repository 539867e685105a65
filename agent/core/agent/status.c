// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The status document: everything the agent knows of itself at this moment.
#include <string.h>
#include <unistd.h>

#include "agent/core/agent/priv.h"

static double seconds_since(struct sp_agent *agent, int64_t since_us)
{
	return (double)(sp_loop_now_us(agent->loop) - since_us) / 1e6;
}

static void add_clock(cJSON *root)
{
	struct sp_clock_reading now = sp_clock_now();
	cJSON *clock = cJSON_AddObjectToObject(root, "clock");
	cJSON_AddBoolToObject(clock, "synced", now.synced);
	cJSON_AddNumberToObject(clock, "t_ms", (double)now.wall_ms);
	if (now.synced) {
		cJSON_AddNumberToObject(clock, "err_ms", (double)now.err_ms);
		cJSON_AddStringToObject(clock, "source", now.from == SP_CLOCK_HUB ? "hub" : "kernel");
	}
	if (now.doubted)
		cJSON_AddBoolToObject(clock, "doubted", true);
}

static void add_rungs(cJSON *json, struct sp_agent *agent, const struct sp_ledger *ledger)
{
	struct sp_evidence evidence[SP_EVIDENCE_MAX];
	size_t count = sp_ledger_evidence(ledger, sp_loop_now_us(agent->loop), evidence);
	cJSON *list = cJSON_AddArrayToObject(json, "rungs");
	for (size_t i = 0; i < count; i++) {
		cJSON *rung = cJSON_CreateObject();
		cJSON_AddStringToObject(rung, "rung", sp_rung_name(evidence[i].rung));
		cJSON_AddStringToObject(rung, "family", sp_family_name(evidence[i].family));
		cJSON_AddStringToObject(rung, "status", sp_rung_status_name(evidence[i].status));
		cJSON_AddStringToObject(rung, "detail", evidence[i].detail);
		if (evidence[i].rtt_us >= 0)
			cJSON_AddNumberToObject(rung, "rtt_seconds", (double)evidence[i].rtt_us / 1e6);
		if (evidence[i].reason)
			cJSON_AddStringToObject(rung, "reason", evidence[i].reason);
		if (evidence[i].host)
			cJSON_AddStringToObject(rung, "host", evidence[i].host);
		cJSON_AddItemToArray(list, rung);
	}
}

static void add_family(cJSON *json, const struct sp_line_view *view, enum sp_family family)
{
	const char *name = sp_family_name(family);
	if (view->offered[family])
		cJSON_AddStringToObject(json, name, sp_line_state_name(view->family[family]));
	else
		cJSON_AddNullToObject(json, name);
}

static void add_lines(cJSON *root, struct sp_agent *agent)
{
	cJSON *list = cJSON_AddArrayToObject(root, "lines");
	for (size_t i = 0; i < sp_lines_count(agent->lines); i++) {
		const struct sp_ledger *ledger = sp_lines_ledger(agent->lines, i);
		struct sp_line_view view;
		sp_ledger_view(ledger, &view);
		cJSON *line = cJSON_CreateObject();
		cJSON_AddStringToObject(line, "name", sp_lines_name(agent->lines, i));
		cJSON_AddStringToObject(line, "provider", sp_lines_provider(agent->lines, i));
		cJSON_AddStringToObject(line, "state", sp_line_state_name(view.state));
		cJSON_AddStringToObject(line, "cause", sp_cause_name(view.cause));
		cJSON_AddStringToObject(line, "whose", sp_whose_name(view.whose));
		cJSON_AddNumberToObject(
		    line, "seconds", seconds_since(agent, view.since_us ? view.since_us : agent->start_us));
		add_family(line, &view, SP_FAMILY_IPV4);
		add_family(line, &view, SP_FAMILY_IPV6);
		const struct sp_outage *outage = sp_ledger_outage(ledger);
		cJSON_AddItemToObject(line, "outage",
				      outage ? sp_outage_to_json(outage) : cJSON_CreateNull());
		add_rungs(line, agent, ledger);
		cJSON_AddItemToArray(list, line);
	}
}

cJSON *sp_answer_samples(const struct sp_samples *samples)
{
	cJSON *list = cJSON_CreateArray();
	struct sp_summary summary;
	for (size_t i = 0; sp_samples_last(samples, i, &summary); i++) {
		cJSON *json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "metric", summary.metric);
		cJSON_AddStringToObject(json, "unit", summary.unit ? summary.unit : "");
		cJSON_AddStringToObject(json, "target", summary.target);
		cJSON_AddBoolToObject(json, "known", summary.known);
		if (summary.known && summary.kind == SP_METRIC_GAUGE) {
			cJSON_AddNumberToObject(json, "count", (double)summary.count);
			cJSON_AddNumberToObject(json, "min", summary.min);
			cJSON_AddNumberToObject(json, "mean", summary.mean);
			cJSON_AddNumberToObject(json, "max", summary.max);
		}
		if (summary.known)
			cJSON_AddNumberToObject(json, "last", summary.last);
		cJSON_AddItemToArray(list, json);
	}
	return list;
}

static void add_devices(cJSON *root, struct sp_agent *agent)
{
	cJSON *list = cJSON_AddArrayToObject(root, "devices");
	for (size_t i = 0; i < sp_devices_count(agent->devices); i++) {
		struct sp_device_view view;
		sp_devices_view(agent->devices, i, &view);
		cJSON *device = cJSON_CreateObject();
		cJSON_AddStringToObject(device, "name", view.name);
		cJSON_AddStringToObject(device, "driver", view.driver->name);
		cJSON_AddStringToObject(device, "line", view.line);
		cJSON_AddBoolToObject(device, "enabled", view.enabled);
		cJSON_AddStringToObject(device, "state", sp_device_state_name(view.state));
		cJSON_AddStringToObject(device, "reason", view.reason);
		cJSON_AddStringToObject(device, "text", view.text);
		cJSON_AddNumberToObject(device, "seconds", seconds_since(agent, view.since_us));
		cJSON_AddNumberToObject(device, "rounds", (double)view.rounds);
		cJSON_AddNumberToObject(device, "failed", (double)view.failed);
		cJSON_AddNumberToObject(device, "overdue", (double)view.overdue);
		cJSON_AddNumberToObject(device, "interval_seconds", (double)view.interval_ms / 1000.0);
		cJSON_AddItemToObject(device, "samples", sp_answer_samples(view.samples));
		cJSON_AddItemToArray(list, device);
	}
	for (size_t i = 0; i < sp_speed_devices(agent->speed); i++)
		cJSON_AddItemToArray(list, sp_answer_speed_device(agent, i));
}

static void add_board(cJSON *root, struct sp_agent *agent)
{
	const struct sp_board_reading *reading = sp_board_watch_reading(agent->board);
	cJSON *board = cJSON_AddObjectToObject(root, "board");
	cJSON_AddStringToObject(board, "name", sp_board_watch_board(agent->board)->name);
	cJSON_AddStringToObject(board, "model", sp_board_watch_model(agent->board));
	cJSON_AddStringToObject(board, "storage", sp_storage_kind_name(reading->storage));
	cJSON_AddStringToObject(board, "storage_state", sp_storage_state_name(agent->storage.state));
	// What cannot be read is null: absent would look like an old agent.
	cJSON *values = cJSON_AddObjectToObject(board, "reading");
	for (const struct sp_board_metric *it = sp_board_metrics; it->name; it++) {
		struct sp_quantity quantity;
		memcpy(&quantity, (const char *)reading + it->offset, sizeof(quantity));
		if (quantity.known)
			cJSON_AddNumberToObject(values, it->name, quantity.value);
		else
			cJSON_AddNullToObject(values, it->name);
	}
}

static const char *journal_state_name(const struct sp_journal_status *status)
{
	switch (status->state) {
	case SP_JOURNAL_OPENING:
		return "opening";
	case SP_JOURNAL_WRITABLE:
		return "writable";
	case SP_JOURNAL_FULL:
		return "full";
	case SP_JOURNAL_READ_ONLY:
		return "read_only";
	case SP_JOURNAL_FAILED:
		return "failed";
	}
	return "failed";
}

static void add_journal(cJSON *root, struct sp_agent *agent)
{
	struct sp_journal_status status;
	sp_journal_status(agent->journal, &status);
	cJSON *journal = cJSON_AddObjectToObject(root, "journal");
	cJSON_AddStringToObject(journal, "state", journal_state_name(&status));
	cJSON_AddStringToObject(journal, "error", status.error ? strerror(status.error) : "");
	cJSON *unsettled = cJSON_AddObjectToObject(journal, "unsettled");
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		cJSON_AddNumberToObject(unsettled, sp_record_class_name((enum sp_record_class)cls),
					(double)status.unsettled[cls]);
	cJSON_AddNumberToObject(journal, "waiting", (double)status.waiting);
	cJSON_AddNumberToObject(journal, "bytes", (double)status.bytes);
	cJSON_AddNumberToObject(journal, "cap_bytes", (double)status.cap_bytes);
	cJSON_AddNumberToObject(journal, "committed", (double)status.committed);
	cJSON_AddNumberToObject(journal, "dropped", (double)status.dropped);
	cJSON_AddNumberToObject(journal, "settled_seq", (double)status.settled_seq);
}

static void add_publisher(cJSON *root, struct sp_agent *agent)
{
	struct sp_publisher_status status;
	sp_publisher_status(atomic_load(&agent->publisher), &status);
	cJSON *publisher = cJSON_AddObjectToObject(root, "publisher");
	cJSON_AddBoolToObject(publisher, "connected", status.connected);
	cJSON_AddStringToObject(publisher, "broker", status.broker);
	cJSON_AddStringToObject(publisher, "reason", status.reason);
	cJSON_AddBoolToObject(publisher, "hub_online", status.hub_online);
	cJSON_AddStringToObject(publisher, "hub_epoch", status.hub_epoch);
	cJSON_AddStringToObject(publisher, "ack_mode",
				agent->settings->mqtt.ack_mode == SP_ACK_HUB ? "hub" : "broker");
	if (status.connected)
		cJSON_AddNumberToObject(publisher, "seconds",
					seconds_since(agent, status.connected_since_us));
	else if (status.next_attempt_us)
		cJSON_AddNumberToObject(publisher, "next_attempt_seconds",
					-seconds_since(agent, status.next_attempt_us));
	cJSON_AddNumberToObject(publisher, "sent", (double)status.sent);
	cJSON_AddNumberToObject(publisher, "acknowledged", (double)status.acknowledged);
	cJSON_AddNumberToObject(publisher, "resent", (double)status.resent);
	cJSON_AddNumberToObject(publisher, "refused", (double)status.refused);
	cJSON_AddNumberToObject(publisher, "in_flight", (double)status.in_flight);
}

cJSON *sp_answer_status(struct sp_agent *agent)
{
	cJSON *root = cJSON_CreateObject();
	cJSON_AddStringToObject(root, "version", SP_VERSION);
	cJSON_AddStringToObject(root, "shard", agent->settings->agent.shard);
	cJSON_AddStringToObject(root, "device", agent->device);
	cJSON_AddStringToObject(root, "boot", agent->boot);
	cJSON_AddNumberToObject(root, "pid", (double)getpid());
	cJSON_AddNumberToObject(root, "seconds", seconds_since(agent, agent->start_us));
	add_clock(root);
	add_lines(root, agent);
	cJSON_AddItemToObject(root, "budgets", sp_budgets_json(agent->budgets));
	add_devices(root, agent);
	add_board(root, agent);
	add_journal(root, agent);
	add_publisher(root, agent);
	return root;
}
