// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: a driver's work on another thread. What the thread does cannot be ended from here, so a device may be
// stopped and gone before its work is done.
#include "schoolpulse/io.h"

#include "agent/base/mem.h"
#include "agent/core/device_priv.h"

struct work {
	struct sp_resource open;
	struct sp_device *dev; ///< NULL once it has stopped
	void (*work)(void *arg);
	void (*done)(struct sp_device *dev, void *arg);
	void *arg;
};

/// The device stops: nobody waits for it any more.
static void part(struct sp_resource *resource)
{
	struct work *work = (struct work *)resource;
	sp_resource_unlink(resource);
	work->dev = NULL;
}

static void run(void *arg)
{
	struct work *work = arg;
	work->work(work->arg);
}

static void over(void *arg)
{
	struct work *work = arg;
	if (work->dev)
		sp_resource_unlink(&work->open);
	work->done(work->dev, work->arg);
	free(work);
}

void sp_work(struct sp_device *dev, void (*fn)(void *arg), void (*done)(struct sp_device *dev, void *arg),
	     void *arg)
{
	struct work *work = sp_alloc(sizeof(*work));
	work->dev = dev;
	work->work = fn;
	work->done = done;
	work->arg = arg;
	sp_resource_open(&work->open, dev, part);
	sp_loop_work(sp_device_loop(dev), run, over, work);
}
