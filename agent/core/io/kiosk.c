// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// kiosk.h: what a kiosk's driver says, on its way to the room that knows what may become of it.
#include "schoolpulse/kiosk.h"

#include <errno.h>

#include "agent/base/mem.h"
#include "agent/core/attendance/attendance.h"
#include "agent/core/device_priv.h"

static struct sp_kiosk *kiosk_of(struct sp_device *dev)
{
	struct sp_attendance *attendance = dev->set->config.attendance;
	if (!dev->kiosk && attendance)
		dev->kiosk = sp_attendance_kiosk(attendance, dev->name, dev->driver->name);
	return dev->kiosk;
}

struct waiting {
	struct sp_device *dev;
	sp_committed_fn committed;
	void *arg;
};

static void on_committed(void *arg, int result)
{
	struct waiting *waiting = arg;
	if (waiting->dev->phase != SP_PHASE_STOPPED)
		waiting->committed(waiting->dev, result, waiting->arg);
	free(waiting);
}

int sp_punch(struct sp_device *dev, const struct sp_punch *punch, sp_committed_fn committed, void *arg)
{
	struct sp_kiosk *kiosk = kiosk_of(dev);
	struct waiting *waiting = NULL;
	if (!kiosk)
		return -EPERM;
	if (committed) {
		waiting = sp_alloc(sizeof(*waiting));
		*waiting = (struct waiting){dev, committed, arg};
	}
	int result = sp_attendance_punch(kiosk, punch, committed ? on_committed : NULL, waiting);
	if (result)
		free(waiting);
	return result;
}

void sp_kiosk_health(struct sp_device *dev, const struct sp_kiosk_health *health)
{
	struct sp_kiosk *kiosk = kiosk_of(dev);
	if (kiosk)
		sp_attendance_health(kiosk, health);
}

void sp_kiosk_same(struct sp_device *dev, const char *other)
{
	struct sp_kiosk *kiosk = kiosk_of(dev);
	if (kiosk)
		sp_attendance_same(kiosk, other);
}

void sp_kiosk_total(struct sp_device *dev, int32_t day, int64_t count)
{
	struct sp_kiosk *kiosk = kiosk_of(dev);
	if (kiosk)
		sp_attendance_total(kiosk, day, count);
}

bool sp_clock_known(const struct sp_device *dev, int64_t *t_ms, int64_t *err_ms)
{
	(void)dev;
	struct sp_clock_reading now = sp_clock_now();
	*t_ms = now.wall_ms;
	*err_ms = now.err_ms;
	return now.synced;
}
