// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What speed tests need of the agent: its lines, its books, a process to run in.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/core/agent/priv.h"
#include "agent/core/io/process.h"
#include "agent/core/speed/record.h"

// ---- lines ------------------------------------------------------------------------------------------

/// It works, or nobody measures it; by another's door it is another's speed.
static bool usable(void *arg, const char *name)
{
	const struct sp_agent *agent = arg;
	struct sp_line_view view = {.state = SP_LINE_DOWN};
	for (size_t i = 0; i < sp_lines_count(agent->lines); i++)
		if (strcmp(sp_lines_name(agent->lines, i), name) == 0)
			sp_ledger_view(sp_lines_ledger(agent->lines, i), &view);
	bool unmeasured = view.state == SP_LINE_UNKNOWN && view.since_us == 0;
	return view.egress != SP_LINE_EGRESS_FOREIGN &&
	       (view.state == SP_LINE_UP || view.state == SP_LINE_DEGRADED || unmeasured);
}

static void hush(void *arg, bool hushed)
{
	struct sp_agent *agent = arg;
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	if (publisher)
		sp_publisher_hush(publisher, hushed);
}

static int64_t own(void *arg, const char *line, const char *interface)
{
	struct sp_agent *agent = arg;
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	struct sp_publisher_status status;
	int64_t bytes = sp_budgets_probes(agent->budgets, line);
	if (!publisher)
		return bytes;
	sp_publisher_status(publisher, &status);
	return strcmp(status.interface, interface) == 0 ? bytes + status.traffic_bytes : bytes;
}

// ---- books ------------------------------------------------------------------------------------------

static int64_t left(void *arg, const char *line)
{
	const struct sp_agent *agent = arg;
	return sp_budgets_left(agent->budgets, line);
}

static int set_aside(void *arg, const char *line, int64_t bytes, sp_journal_done_fn done, void *done_arg)
{
	struct sp_agent *agent = arg;
	return sp_budgets_set_aside(agent->budgets, line, bytes, done, done_arg);
}

static void spent(void *arg, const char *line, int64_t bytes)
{
	struct sp_agent *agent = arg;
	sp_budgets_spent(agent->budgets, line, SP_SPENT_TESTS, bytes);
}

static void give_back(void *arg, const char *line)
{
	struct sp_agent *agent = arg;
	sp_budgets_give_back(agent->budgets, line);
}

// ---- the child --------------------------------------------------------------------------------------

static void *spawn(void *arg, const char *device, const char *order,
		   const struct sp_child_process_events *events, void *child_arg)
{
	struct sp_agent *agent = arg;
	const struct sp_config *config = &agent->settings->config;
	char fingerprint[17];
	snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, config->fingerprint);
	const char *const argv[] = {"schoolpulsed",  "--config", config->file,     "--speed-child", device,
				    "--speed-order", order,      "--speed-config", fingerprint,     NULL};
	// By this name it is the program that runs, also after an upgrade has put another in its place.
	return sp_child_process_start(agent->children, "/proc/self/exe", argv, 0, events, child_arg);
}

static void end_child(void *arg, void *child)
{
	(void)arg;
	sp_child_process_stop(child);
}

// ---- the way to a server ----------------------------------------------------------------------------

static bool same_host(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	if (!a || a->sa_family != b->ss_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return a->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/// Our address towards that one: nothing is sent.
static bool address_towards(const char *address, struct sockaddr_storage *out)
{
	struct sp_endpoint peer;
	socklen_t length = sizeof(*out);
	*out = (struct sockaddr_storage){0};
	if (sp_endpoint_parse(&peer, address, 9))
		return false;
	int fd = socket(peer.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool found = connect(fd, (const struct sockaddr *)&peer.address, sizeof(peer.address)) == 0 &&
		     getsockname(fd, (struct sockaddr *)out, &length) == 0;
	close(fd);
	return found;
}

static void way(void *arg, const char *address, char out[SP_BOARD_PORT_NAME])
{
	struct sockaddr_storage own;
	struct ifaddrs *list;
	(void)arg;
	out[0] = '\0';
	if (!address_towards(address, &own) || getifaddrs(&list))
		return;
	for (const struct ifaddrs *it = list; it && !out[0]; it = it->ifa_next)
		if (same_host(it->ifa_addr, &own))
			snprintf(out, SP_BOARD_PORT_NAME, "%s", it->ifa_name);
	freeifaddrs(list);
}

static const char *nonempty(const char *text)
{
	return text ? text : "";
}

// ---- as a whole -------------------------------------------------------------------------------------

static void add_all(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	for (size_t i = 0; i < settings->line_count; i++) {
		const struct sp_line_conf *line = &settings->lines[i];
		sp_speed_add_line(agent->speed,
				  &(struct sp_speed_line){.name = line->name,
							  .provider = nonempty(line->provider),
							  .plan = nonempty(line->plan),
							  .bought_mbps = {(double)line->bought_down_mbps,
									  (double)line->bought_up_mbps},
							  .metered = line->metered});
	}
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		if (device->driver->cls != SP_DRIVER_SPEED)
			continue;
		const char *interface = nonempty(sp_device_conf_interface(device));
		struct sp_speed_device item = {.name = device->name,
					       .line = device->common.line,
					       .driver = device->driver,
					       .conf = device->conf,
					       .interface = strcmp(interface, "auto") == 0 ? "" : interface,
					       .enabled = device->common.enabled};
		sp_device_conf_scope(device, item.scope);
		sp_speed_add_device(agent->speed, &item);
	}
}

void sp_agent_open_speed(struct sp_agent *agent)
{
	const struct sp_speedtests_conf *rules = &agent->settings->speedtests;
	agent->children = sp_children_new(agent->loop);
	agent->speed_hooks = (struct sp_speed_hooks){.usable = usable,
						     .frugal = sp_agent_frugal,
						     .load = sp_agent_load,
						     .hush = hush,
						     .own = own,
						     .left = left,
						     .set_aside = set_aside,
						     .spent = spent,
						     .give_back = give_back,
						     .spawn = spawn,
						     .kill = end_child,
						     .way = way,
						     .put = sp_agent_put,
						     .get = sp_agent_get,
						     .arg = agent};
	agent->speed = sp_speed_run_new(&(struct sp_speed_run_config){
	    .loop = agent->loop,
	    .recorder = sp_speed_list_recorder(agent->speed_list),
	    .rules = {.busy_bytes_per_second = (double)rules->busy_bytes_per_second,
		      .busy_cpu_ratio = (double)rules->busy_cpu_percent / 100,
		      .retry_ms = rules->retry_ms,
		      .patience_ms = rules->patience_ms},
	    .root = agent->settings->board.root,
	    .hooks = &agent->speed_hooks});
	add_all(agent);
}

void sp_agent_traffic(void *arg, const char *line, const struct sp_traffic *traffic)
{
	struct sp_agent *agent = arg;
	sp_speed_traffic(agent->speed, line, traffic);
}

void sp_agent_close_speed(struct sp_agent *agent)
{
	if (agent->speed)
		sp_speed_run_stop(agent->speed);
	sp_children_free(agent->children);
	agent->children = NULL;
}

// ---- status -----------------------------------------------------------------------------------------

static const char *state_of(const struct sp_speed_last *last)
{
	enum sp_speed_validity best = SP_SPEED_IS_SKIPPED;
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++)
		if (last->directions[i].wanted && last->directions[i].validity > best)
			best = last->directions[i].validity;
	return sp_device_state_name(best == SP_SPEED_IS_SKIPPED  ? SP_DEVICE_UNKNOWN
				    : best == SP_SPEED_IS_FAILED ? SP_DEVICE_DOWN
								 : SP_DEVICE_UP);
}

static cJSON *direction_json(const struct sp_speed_last_direction *last)
{
	if (!last->wanted)
		return cJSON_CreateNull();
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "validity", sp_speed_validity_name(last->validity));
	cJSON_AddStringToObject(json, "reason", last->reason);
	if (isfinite(last->goodput_bps))
		cJSON_AddNumberToObject(json, "goodput_bps", last->goodput_bps);
	else
		cJSON_AddNullToObject(json, "goodput_bps");
	return json;
}

cJSON *sp_answer_speed_device(struct sp_agent *agent, size_t index)
{
	const struct sp_speed_last *last = sp_speed_last(agent->speed, index);
	const char *reason = "";
	int64_t since_us = last->at_us ? last->at_us : agent->start_us;
	for (int i = SP_SPEED_DIRECTIONS - 1; i >= 0; i--)
		if (last->directions[i].wanted && last->directions[i].reason[0])
			reason = last->directions[i].reason;
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "name", last->device->name);
	cJSON_AddStringToObject(json, "driver", last->device->driver->name);
	cJSON_AddStringToObject(json, "line", last->device->line);
	cJSON_AddBoolToObject(json, "enabled", last->device->enabled);
	cJSON_AddStringToObject(json, "state", state_of(last));
	cJSON_AddStringToObject(json, "reason", reason);
	cJSON_AddStringToObject(json, "text", "");
	cJSON_AddNumberToObject(json, "seconds", (double)(sp_loop_now_us(agent->loop) - since_us) / 1e6);
	cJSON_AddNumberToObject(json, "rounds", (double)last->tests);
	cJSON_AddNumberToObject(json, "failed", (double)last->failed);
	cJSON_AddNumberToObject(json, "overdue", 0);
	cJSON_AddNumberToObject(json, "interval_seconds", 0);
	cJSON_AddItemToObject(json, "samples", cJSON_CreateArray());
	int64_t next_ms = sp_agent_next_test_ms(agent, last->device->name);
	cJSON_AddItemToObject(json, "next_test_ms",
			      next_ms ? cJSON_CreateNumber((double)next_ms) : cJSON_CreateNull());
	cJSON *test = cJSON_AddObjectToObject(json, "last_test");
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++)
		cJSON_AddItemToObject(test, sp_speed_direction_name((enum sp_speed_direction)i),
				      direction_json(&last->directions[i]));
	return json;
}
