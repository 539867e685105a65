// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's kiosks: attendance between devices, journal and hub.
#include "agent/core/attendance/attendance.h"

#include "agent/core/agent/priv.h"

static int on_append(void *arg, const struct sp_journal_event *event, sp_journal_done_fn done, void *done_arg)
{
	struct sp_agent *agent = arg;
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
							     .arg = agent});
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		if (device->driver->cls == SP_DRIVER_KIOSK)
			sp_attendance_kiosk(agent->attendance, device->name, device->driver->name);
	}
}

void sp_agent_look_at_kiosks(struct sp_agent *agent)
{
	sp_attendance_look(agent->attendance);
}

void sp_agent_close_attendance(struct sp_agent *agent)
{
	sp_attendance_free(agent->attendance);
	agent->attendance = NULL;
}
