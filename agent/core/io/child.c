// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// io.h: helper programs of a driver, killed with its device.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "agent/base/mem.h"
#include "agent/core/io/process.h"
#include "agent/core/device_priv.h"

struct sp_child {
	struct sp_resource open;
	struct sp_child_process *process;
	bool over;
	const struct sp_child_events *events;
	void *arg;
};

static void close_child(struct sp_resource *resource)
{
	struct sp_child *child = (struct sp_child *)resource;
	sp_child_process_stop(child->process);
	sp_resource_unlink(resource);
	free(child);
}

static void line(void *arg, const char *text, size_t length)
{
	struct sp_child *child = arg;
	if (child->events->line)
		child->events->line(child->open.dev, text, length, child->arg);
}

static void ended(void *arg, int status)
{
	struct sp_child *child = arg;
	child->over = true;
	sp_resource_unlink(&child->open);
	if (child->events->ended)
		child->events->ended(child->open.dev, status, child->arg);
	free(child);
}

static const struct sp_child_process_events process_events = {.line = line, .ended = ended};

struct sp_child *sp_child_start(struct sp_device *dev, const char *program, const char *const *argv, bool raw,
				const struct sp_child_events *events, void *arg)
{
	char path[PATH_MAX];
	int result = sp_child_beside(program, path, sizeof(path));
	if (result) {
		errno = -result;
		return NULL;
	}
	if (!dev->set->children)
		dev->set->children = sp_children_new(sp_device_loop(dev));
	struct sp_child *child = sp_alloc(sizeof(*child));
	child->events = events;
	child->arg = arg;
	child->process = sp_child_process_start(dev->set->children, path, argv, raw ? SP_CHILD_RAW : 0,
						&process_events, child);
	if (!child->process) {
		int error = errno;
		free(child);
		errno = error;
		return NULL;
	}
	sp_resource_open(&child->open, dev, close_child);
	return child;
}

void sp_child_stop(struct sp_child *child)
{
	if (child && !child->over)
		close_child(&child->open);
}
