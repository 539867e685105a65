// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's kiosks: attendance between devices, journal and hub.
#include "agent/core/attendance/attendance.h"

#include <errno.h>
#include <string.h>

#include "agent/core/agent/priv.h"
#include "schoolpulse/log.h"

static int on_append(void *arg, const struct sp_journal_event *event, sp_journal_done_fn done, void *done_arg)
{
	struct sp_agent *agent = arg;
	// Who must be forgotten is not known.
	if (!agent->privacy)
		return -EIO;
	return sp_journal_append_event(agent->journal, event, done, done_arg);
}

static int on_seen(void *arg, const char *kiosk, int32_t day, sp_journal_count_fn done, void *done_arg)
{
	struct sp_agent *agent = arg;
	return sp_journal_seen(agent->journal, kiosk, day, done, done_arg);
}

void sp_agent_open_attendance(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	agent->attendance =
	    sp_attendance_new(&(struct sp_attendance_config){.conf = &settings->attendance,
							     .state_dir = settings->agent.state_dir,
							     .loop = agent->loop,
							     .recorder = &agent->recorder.base,
							     .append = on_append,
							     .seen = on_seen,
							     .put = sp_agent_put,
							     .get = sp_agent_get,
							     .arg = agent,
							     .forgotten = sp_agent_forgotten,
							     .accepted = sp_agent_accepted,
							     .hooks_arg = agent});
	agent->privacy = NULL;
	if (sp_agent_open_privacy(agent))
		sp_warning("attendance", "kiosks keep their events until that is mended");
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		if (device->driver->cls == SP_DRIVER_KIOSK)
			sp_attendance_kiosk(agent->attendance, device->name, device->driver->name);
	}
}

void sp_agent_look_at_kiosks(struct sp_agent *agent)
{
	struct sp_publisher *publisher = atomic_load(&agent->publisher);
	struct sp_publisher_status status = {0};
	if (publisher)
		sp_publisher_status(publisher, &status);
	sp_attendance_hub_keeps(agent->attendance, status.attendance_days);
	sp_attendance_look(agent->attendance);
	sp_agent_look_at_privacy(agent);
}

static void add_state(cJSON *json, struct sp_agent *agent)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "name"));
	for (size_t i = 0; i < sp_devices_count(agent->devices); i++) {
		struct sp_device_view view;
		sp_devices_view(agent->devices, i, &view);
		if (strcmp(view.name, name) != 0)
			continue;
		cJSON_AddStringToObject(json, "state", sp_device_state_name(view.state));
		cJSON_AddStringToObject(json, "reason", view.reason);
		cJSON_AddStringToObject(json, "text", view.text);
		cJSON_AddNumberToObject(json, "seconds",
					(double)(sp_loop_now_us(agent->loop) - view.since_us) / 1e6);
	}
}

cJSON *sp_answer_kiosks(struct sp_agent *agent)
{
	static const char *const levels[] = {
	    [SP_PUBLISH_HEALTH] = "health", [SP_PUBLISH_COUNTS] = "counts", [SP_PUBLISH_EVENTS] = "events"};
	const struct sp_attendance_conf *conf = &agent->settings->attendance;
	const char *refused = sp_attendance_refused(agent->attendance);
	cJSON *root = cJSON_CreateObject();
	cJSON_AddBoolToObject(root, "allowed", sp_attendance_allowed(conf));
	cJSON_AddStringToObject(root, "publish", levels[conf->publish]);
	if (refused)
		cJSON_AddStringToObject(root, "refused", refused);
	cJSON *list = cJSON_AddArrayToObject(root, "kiosks"), *json;
	for (size_t i = 0; (json = sp_attendance_json(agent->attendance, i)); i++) {
		add_state(json, agent);
		cJSON_AddItemToArray(list, json);
	}
	return root;
}

void sp_agent_close_attendance(struct sp_agent *agent)
{
	sp_agent_close_privacy(agent);
	sp_attendance_free(agent->attendance);
	agent->attendance = NULL;
}
