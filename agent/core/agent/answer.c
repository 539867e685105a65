// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Answers to local clients: which command gets what, outages and drivers.
#include <string.h>

#include "agent/core/agent/priv.h"

static void add_outage(cJSON *list, struct sp_agent *agent, size_t line, const struct sp_outage *outage)
{
	cJSON *json = sp_outage_to_json(outage);
	cJSON_AddStringToObject(json, "line", sp_lines_name(agent->lines, line));
	cJSON_AddBoolToObject(json, "open", !outage->closed);
	const cJSON *evidence = sp_lines_evidence(agent->lines, line, outage);
	if (evidence)
		cJSON_AddItemToObject(json, "evidence", cJSON_Duplicate(evidence, true));
	const char *end_boot = outage->closed ? outage->end_boot : agent->boot;
	int64_t end_us = outage->closed ? outage->end_mono_us : sp_loop_now_us(agent->loop);
	struct sp_clock_reading now = sp_clock_now();
	bool placed = outage->closed ? outage->end_placed : now.synced;
	int64_t end_ms = outage->closed ? outage->end_t_ms : now.wall_ms;
	// Where no clock is known, how long ago is what can be said.
	if (strcmp(outage->start_boot, agent->boot) == 0)
		cJSON_AddNumberToObject(json, "start_seconds_ago",
					(double)(now.mono_us - outage->start_mono_us) / 1e6);
	if (outage->closed && strcmp(outage->end_boot, agent->boot) == 0)
		cJSON_AddNumberToObject(json, "end_seconds_ago",
					(double)(now.mono_us - outage->end_mono_us) / 1e6);
	// Within one boot the monotonic clock is the truth; across boots only wall time spans the gap.
	if (strcmp(outage->start_boot, end_boot) == 0)
		cJSON_AddNumberToObject(json, "seconds", (double)(end_us - outage->start_mono_us) / 1e6);
	else if (outage->start_placed && placed && end_ms >= outage->start_t_ms)
		cJSON_AddNumberToObject(json, "seconds", (double)(end_ms - outage->start_t_ms) / 1e3);
	cJSON_AddItemToArray(list, json);
}

cJSON *sp_answer_outages(struct sp_agent *agent)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(root, "outages");
	for (size_t line = 0; line < sp_lines_count(agent->lines); line++) {
		const struct sp_outage *outage = sp_ledger_outage(sp_lines_ledger(agent->lines, line));
		if (outage)
			add_outage(list, agent, line, outage);
		for (size_t i = 0; (outage = sp_lines_history(agent->lines, line, i)); i++)
			add_outage(list, agent, line, outage);
	}
	return root;
}

cJSON *sp_answer_budget(struct sp_agent *agent)
{
	cJSON *root = cJSON_CreateObject();
	sp_agent_look_at_accounts(agent);
	cJSON_AddItemToObject(root, "budgets", sp_budgets_json(agent->budgets));
	return root;
}

static const char *maturity_name(enum sp_maturity maturity)
{
	switch (maturity) {
	case SP_MATURITY_EXPERIMENTAL:
		return "experimental";
	case SP_MATURITY_BETA:
		return "beta";
	case SP_MATURITY_STABLE:
		return "stable";
	}
	return "experimental";
}

static const char *type_name(enum sp_option_type type)
{
	switch (type) {
	case SP_OPTION_STRING:
		return "text";
	case SP_OPTION_INT:
		return "number";
	case SP_OPTION_DURATION:
		return "duration";
	case SP_OPTION_SIZE:
		return "size";
	case SP_OPTION_BOOL:
		return "yes/no";
	case SP_OPTION_ENUM:
		return "choice";
	case SP_OPTION_LIST:
		return "list";
	}
	return "text";
}

static void add_options(cJSON *list, const struct sp_option *option)
{
	for (; option && option->key; option++) {
		cJSON *json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "key", option->key);
		cJSON_AddStringToObject(json, "type", type_name(option->type));
		if (option->def)
			cJSON_AddStringToObject(json, "default", option->def);
		cJSON_AddBoolToObject(json, "mandatory", option->def == NULL);
		if (option->choices)
			cJSON_AddStringToObject(json, "choices", option->choices);
		if (option->min || option->max) {
			cJSON_AddNumberToObject(json, "min", (double)option->min);
			cJSON_AddNumberToObject(json, "max", (double)option->max);
		}
		cJSON_AddStringToObject(json, "help", option->help ? option->help : "");
		cJSON_AddItemToArray(list, json);
	}
}

static cJSON *driver_json(const struct sp_driver *driver)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "name", driver->name);
	cJSON_AddStringToObject(json, "summary", driver->summary);
	cJSON_AddStringToObject(json, "class", sp_driver_class_name(driver->cls));
	cJSON_AddStringToObject(json, "maturity", maturity_name(driver->maturity));
	cJSON_AddNumberToObject(json, "interval_seconds", (double)driver->interval_ms / 1000.0);
	cJSON_AddNumberToObject(json, "deadline_seconds", (double)driver->deadline_ms / 1000.0);
	struct sp_option common[4];
	char interval[24];
	sp_common_options(driver, common, interval);
	cJSON *options = cJSON_AddArrayToObject(json, "options");
	add_options(options, driver->options);
	add_options(options, common);
	cJSON *metrics = cJSON_AddArrayToObject(json, "metrics");
	for (const struct sp_metric *it = driver->metrics; it && it->name; it++) {
		cJSON *metric = cJSON_CreateObject();
		cJSON_AddStringToObject(metric, "name", it->name);
		cJSON_AddStringToObject(metric, "unit", it->unit ? it->unit : "");
		cJSON_AddStringToObject(metric, "kind", it->kind == SP_METRIC_GAUGE ? "gauge" : "counter");
		cJSON_AddStringToObject(metric, "help", it->help ? it->help : "");
		cJSON_AddItemToArray(metrics, metric);
	}
	return json;
}

cJSON *sp_answer_drivers(const struct sp_driver *const *drivers, const char *name)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(root, "drivers");
	for (; *drivers; drivers++)
		if (!name[0] || strcmp((*drivers)->name, name) == 0)
			cJSON_AddItemToArray(list, driver_json(*drivers));
	if (name[0] && cJSON_GetArraySize(list) == 0) {
		cJSON_Delete(root);
		return NULL;
	}
	return root;
}

bool sp_agent_answer(void *arg, const struct sp_control_request *request, struct sp_buf *out,
		     struct sp_control_stream *stream)
{
	struct sp_agent *agent = arg;
	cJSON *root = NULL;
	const char *why = "no such driver";
	switch (request->command) {
	case SP_CONTROL_STATUS:
		root = sp_answer_status(agent);
		break;
	case SP_CONTROL_OUTAGES:
		root = sp_answer_outages(agent);
		break;
	case SP_CONTROL_BUDGET:
		root = sp_answer_budget(agent);
		break;
	case SP_CONTROL_KIOSKS:
		root = sp_answer_kiosks(agent);
		break;
	case SP_CONTROL_DRIVERS:
		root = sp_answer_drivers(agent->drivers, request->name);
		break;
	case SP_CONTROL_SPEEDTESTS:
		root = sp_answer_speedtests(agent);
		break;
	case SP_CONTROL_KEYS:
		root = sp_answer_keys(agent);
		break;
	case SP_CONTROL_EXPORT:
	case SP_CONTROL_FORGET:
	case SP_CONTROL_REMEMBER:
	case SP_CONTROL_KEYS_CODE:
	case SP_CONTROL_KEYS_RESTORE:
		why = sp_agent_begin_privacy(agent, request, stream, &root);
		if (!why && !root)
			return true;
		break;
	case SP_CONTROL_SPEEDTEST:
		why = sp_agent_begin_by_hand(agent, request, stream);
		if (!why)
			return true;
		break;
	}
	if (root) {
		cJSON_AddTrueToObject(root, "ok");
	} else {
		root = cJSON_CreateObject();
		cJSON_AddFalseToObject(root, "ok");
		cJSON_AddStringToObject(root, "error", why);
	}
	char *text = cJSON_PrintUnformatted(root);
	sp_buf_text(out, text ? text : "{\"ok\":false,\"error\":\"out of memory\"}");
	cJSON_free(text);
	cJSON_Delete(root);
	return false;
}
