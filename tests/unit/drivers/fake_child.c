// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
#include "fake_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct sp_child {
	struct sp_device *dev;
	const struct sp_child_events *events;
	void *arg;
};

struct fake_child fake_child;
static struct sp_child child;

void fake_child_reset(void)
{
	fake_child = (struct fake_child){0};
}

struct sp_child *sp_child_start(struct sp_device *dev, const char *program, const char *const *argv, bool raw,
				const struct sp_child_events *events, void *arg)
{
	assert_false(fake_child.running);
	assert_string_equal(program, argv[0]);
	if (fake_child.start_error) {
		errno = fake_child.start_error;
		return NULL;
	}
	fake_child.command[0] = '\0';
	for (; *argv; argv++) {
		size_t used = strlen(fake_child.command);
		snprintf(fake_child.command + used, sizeof(fake_child.command) - used, "%s%s",
			 used ? " " : "", *argv);
	}
	fake_child.starts++;
	fake_child.running = true;
	fake_child.raw = raw;
	child = (struct sp_child){.dev = dev, .events = events, .arg = arg};
	return &child;
}

void sp_child_stop(struct sp_child *stopped)
{
	if (!stopped)
		return;
	assert_true(fake_child.running);
	fake_child.running = false;
	fake_child.stops++;
}

void fake_child_says(const char *line)
{
	assert_true(fake_child.running);
	child.events->line(child.dev, line, strlen(line), child.arg);
}

void fake_child_ends(int status)
{
	assert_true(fake_child.running);
	fake_child.running = false;
	child.events->ended(child.dev, status, child.arg);
}
