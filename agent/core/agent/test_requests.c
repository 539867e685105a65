// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Who asks for speed tests: the schedule, and people at the board, who watch them over the local socket.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/agent/priv.h"
#include "agent/core/speed/schedule.h"
#include "schoolpulse/log.h"

/// A test that somebody at the board asked for.
struct sp_agent_hand {
	struct sp_agent_hand *next;
	struct sp_agent *agent;
	struct sp_control_stream *stream; ///< NULL: he has left
	char test[SP_ID_LENGTH + 1];
};

// ---- the schedule ----------------------------------------------------------------------------------------

void sp_agent_open_speed_list(struct sp_agent *agent)
{
	agent->speed_list = sp_speed_list_new(&(struct sp_speed_list_config){
	    .recorder = &agent->recorder.base, .put = sp_agent_put, .get = sp_agent_get, .arg = agent});
}

void sp_agent_open_tests(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	const char **names = sp_alloc((settings->device_count + 1) * sizeof(*names));
	const struct sp_pace **paces = sp_alloc((settings->device_count + 1) * sizeof(*paces));
	size_t count = 0;
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		if (device->driver->cls != SP_DRIVER_SPEED || !device->common.enabled)
			continue;
		names[count] = device->name;
		paces[count++] = &device->driver->pace;
	}
	if (count > 0 && settings->speedtests.enabled)
		agent->schedule = sp_speed_schedule_new(
		    &(struct sp_speed_schedule_config){.loop = agent->loop,
						       .run = agent->speed,
						       .times = &settings->speedtests.times,
						       .put = sp_agent_put,
						       .get = sp_agent_get,
						       .arg = agent},
		    names, paces, count);
	free(names);
	free(paces);
}

void sp_agent_close_tests(struct sp_agent *agent)
{
	sp_speed_schedule_free(agent->schedule);
	agent->schedule = NULL;
}

// ---- by hand ---------------------------------------------------------------------------------------------

static const char *stage_name(enum sp_speed_stage stage)
{
	switch (stage) {
	case SP_SPEED_STAGE_WAITING:
		return "waiting";
	case SP_SPEED_STAGE_PAYING:
		return "paying";
	case SP_SPEED_STAGE_RUNNING:
		return "running";
	case SP_SPEED_STAGE_RECORDING:
		return "recording";
	}
	return "waiting";
}

static const char *phase_name(enum sp_speed_phase phase)
{
	switch (phase) {
	case SP_SPEED_PREPARE:
		return "prepare";
	case SP_SPEED_IDLE:
		return "idle";
	case SP_SPEED_LOAD_DOWN:
		return "down";
	case SP_SPEED_LOAD_UP:
		return "up";
	}
	return "prepare";
}

static cJSON *view_json(const struct sp_speed_view *view)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "test", view->test);
	cJSON_AddStringToObject(json, "device", view->device);
	cJSON_AddStringToObject(json, "line", view->line);
	cJSON_AddStringToObject(json, "trigger", sp_speed_trigger_name(view->trigger));
	cJSON_AddStringToObject(json, "stage", stage_name(view->stage));
	cJSON_AddStringToObject(json, "waits_for", view->waits_for ? view->waits_for : "");
	cJSON_AddNumberToObject(json, "deferrals", view->deferrals);
	if (view->stage == SP_SPEED_STAGE_RUNNING) {
		cJSON_AddStringToObject(json, "phase", phase_name(view->phase));
		cJSON_AddNumberToObject(json, "done", view->done);
		if (isfinite(view->bps) && view->bps >= 0)
			cJSON_AddNumberToObject(json, "bps", view->bps);
	}
	return json;
}

static char *print(cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	return text;
}

static void progressed(void *arg, const struct sp_speed_view *view)
{
	struct sp_agent_hand *hand = arg;
	char *text = hand->stream ? print(view_json(view)) : NULL;
	if (text)
		sp_control_stream_line(hand->stream, text);
	cJSON_free(text);
}

static void ended(void *arg, const struct sp_speed_end *end)
{
	struct sp_agent_hand *hand = arg, **at = &hand->agent->hands;
	if (hand->stream) {
		cJSON *json = cJSON_CreateObject();
		cJSON_AddTrueToObject(json, "ok");
		cJSON_AddStringToObject(json, "test", end->test);
		cJSON_AddStringToObject(json, "device", end->device);
		cJSON_AddItemToObject(json, "records",
				      sp_speed_list_test(hand->agent->speed_list, end->test));
		char *text = print(json);
		sp_control_stream_end(hand->stream,
				      text ? text : "{\"ok\":false,\"error\":\"out of memory\"}");
		cJSON_free(text);
	}
	while (*at != hand)
		at = &(*at)->next;
	*at = hand->next;
	free(hand);
}

void sp_agent_gone(void *arg, struct sp_control_stream *stream)
{
	struct sp_agent *agent = arg;
	if (sp_agent_privacy_gone(agent, stream))
		return;
	for (struct sp_agent_hand *it = agent->hands; it; it = it->next) {
		if (it->stream != stream)
			continue;
		it->stream = NULL;
		if (sp_speed_cancel(agent->speed, it->test))
			sp_debug("speed", "a test was over when its watcher left");
		return;
	}
}

/// The device that is meant; NULL with a line for people in `why`.
static const char *choose(const struct sp_agent *agent, const struct sp_control_request *request,
			  const char **why)
{
	const char *found = NULL;
	bool any = false;
	for (size_t i = 0; i < sp_speed_devices(agent->speed); i++) {
		const struct sp_speed_device *device = sp_speed_last(agent->speed, i)->device;
		any = true;
		if (request->name[0] && strcmp(request->name, device->name) != 0)
			continue;
		if (request->line[0] && strcmp(request->line, device->line) != 0)
			continue;
		// A name says which, whatever else there is; without one the first that may test.
		if (request->name[0] || device->enabled) {
			found = device->name;
			break;
		}
	}
	*why = !any ? "no device that tests speed is configured, as in [librespeed \"…\"]"
		    : "there is no such device that tests speed";
	return found;
}

static const char *refusal_text(int result)
{
	switch (-result) {
	case ENODEV:
		return "that device is disabled in the configuration";
	case EALREADY:
		return "a test of that device is under way";
	case EBUSY:
		return "too many tests are waiting, or the agent is stopping";
	default:
		return "that device cannot test";
	}
}

const char *sp_agent_begin_by_hand(struct sp_agent *agent, const struct sp_control_request *request,
				   struct sp_control_stream *stream)
{
	const char *why, *device = choose(agent, request, &why);
	if (!device)
		return why;
	struct sp_agent_hand *hand = sp_alloc(sizeof(*hand));
	struct sp_speed_request order = {
	    .device = device,
	    .trigger = SP_SPEED_BY_HAND,
	    .wanted = {request->direction != SP_CONTROL_UP, request->direction != SP_CONTROL_DOWN},
	    .force = request->force,
	    .progress = progressed,
	    .ended = ended,
	    .arg = hand,
	};
	int result = sp_speed_request(agent->speed, &order, hand->test);
	if (result) {
		free(hand);
		return refusal_text(result);
	}
	hand->agent = agent;
	hand->stream = stream;
	hand->next = agent->hands;
	agent->hands = hand;
	return NULL;
}

// ---- the list --------------------------------------------------------------------------------------------

int64_t sp_agent_next_test_ms(const struct sp_agent *agent, const char *device)
{
	return sp_speed_schedule_next_ms(agent->schedule, device);
}

cJSON *sp_answer_speedtests(struct sp_agent *agent)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *devices = cJSON_AddArrayToObject(root, "devices"), *running;
	struct sp_speed_view view;
	for (size_t i = 0; i < sp_speed_devices(agent->speed); i++) {
		const struct sp_speed_device *device = sp_speed_last(agent->speed, i)->device;
		int64_t next_ms = sp_agent_next_test_ms(agent, device->name);
		cJSON *json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "device", device->name);
		cJSON_AddStringToObject(json, "line", device->line);
		cJSON_AddStringToObject(json, "method", device->driver->name);
		cJSON_AddBoolToObject(json, "enabled", device->enabled);
		cJSON_AddItemToObject(json, "next_ms",
				      next_ms ? cJSON_CreateNumber((double)next_ms) : cJSON_CreateNull());
		cJSON_AddItemToArray(devices, json);
	}
	cJSON_AddBoolToObject(root, "scheduled", agent->settings->speedtests.enabled);
	running = cJSON_AddArrayToObject(root, "running");
	for (size_t i = 0; i < sp_speed_count(agent->speed); i++) {
		sp_speed_view(agent->speed, i, &view);
		cJSON_AddItemToArray(running, view_json(&view));
	}
	cJSON_AddItemToObject(root, "tests", sp_speed_list_json(agent->speed_list));
	cJSON_AddNumberToObject(root, "now_ms", (double)sp_clock_now().wall_ms);
	return root;
}
