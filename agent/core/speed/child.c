// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A loop, one device, one round; an alarm in case all of it hangs.
#include "agent/core/speed/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/core/speed/line.h"
#include "schoolpulse/log.h"

enum {
	ALARM_SECONDS = 5, ///< beyond the driver's deadline
	PROGRESS_US = 150 * 1000,
};

struct child {
	struct sp_loop *loop;
	struct sp_devices *devices;
	bool over, ok;
	char reason[SP_SPEED_WORD_MAX + 1], text[SP_SPEED_TEXT_MAX + 1];
	enum sp_speed_phase phase;
	double done;
	int64_t told_us;
};

static int64_t cpu_us(void)
{
	struct timespec used;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used))
		return 0;
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/// The agent reads all the time. Without one there is nobody to test for.
static void say(struct sp_buf *line)
{
	size_t at = 0;
	bool whole = !line->overflowed;
	sp_buf_add(line, "\n", 1);
	while (whole && at < line->length) {
		ssize_t count = write(STDOUT_FILENO, line->data + at, line->length - at);
		if (count < 0 && errno != EINTR)
			_exit(SP_EXIT_START);
		at += count > 0 ? (size_t)count : 0;
	}
	sp_buf_free(line);
}

static void on_progress(void *arg, enum sp_speed_phase phase, double done, double bps)
{
	struct child *child = arg;
	int64_t now = sp_loop_now_us(child->loop);
	double share = done >= 0 && done <= 1 ? done : done > 1;
	bool edge = phase != child->phase || share == 0 || (share == 1 && child->done < 1);
	if (!edge && now - child->told_us < PROGRESS_US)
		return;
	child->phase = phase;
	child->done = share;
	child->told_us = now;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_progress(&line, phase, share, bps, cpu_us());
	say(&line);
}

static void on_report(void *arg, const struct sp_speed_report *report)
{
	(void)arg;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_report(&line, report);
	say(&line);
}

static void on_spent(void *arg, const char *name, enum sp_spending what, int64_t bytes)
{
	(void)arg;
	(void)name;
	(void)what; // whatever it is, the test spent it
	if (bytes <= 0)
		return;
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_spent(&line, bytes);
	say(&line);
}

static void on_round(void *arg, const char *device, bool ok, const char *reason, const char *text)
{
	struct child *child = arg;
	(void)device;
	if (child->over)
		return;
	child->over = true;
	child->ok = ok;
	snprintf(child->reason, sizeof(child->reason), "%s", reason);
	snprintf(child->text, sizeof(child->text), "%s", text);
	sp_loop_uv_stop(child->loop);
}

static bool usable(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	return true; // the agent has looked
}

static double no_jitter(void)
{
	return 0;
}

/// Facts are the agent's.
static int discard(struct sp_recorder *recorder, enum sp_record_class cls, const char *type,
		   const char *device, const struct sp_field *fields, size_t count, sp_journal_done_fn done,
		   void *arg)
{
	(void)recorder;
	(void)cls;
	(void)type;
	(void)device;
	(void)fields;
	(void)count;
	(void)done;
	(void)arg;
	return 0;
}

static const struct sp_device_conf *find(const struct sp_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->device_count; i++)
		if (settings->devices[i].driver->cls == SP_DRIVER_SPEED &&
		    strcmp(settings->devices[i].name, name) == 0)
			return &settings->devices[i];
	return NULL;
}

static void run(struct child *child, const struct sp_device_conf *conf, const struct sp_speed_order *order)
{
	struct sp_recorder recorder = {.record = discard};
	child->devices = sp_devices_new(&(struct sp_devices_config){.loop = child->loop,
								    .recorder = &recorder,
								    .spent = on_spent,
								    .usable = usable,
								    .order = order,
								    .speed_progress = on_progress,
								    .speed_report = on_report,
								    .round = on_round,
								    .arg = child,
								    .random = no_jitter});
	sp_devices_add(child->devices, conf->driver, conf->name, &conf->common, conf->conf);
	sp_devices_start(child->devices);
	if (sp_devices_round(child->devices)) {
		child->over = true;
		strcpy(child->reason, "child");
		strcpy(child->text, "the driver does not start");
	}
	if (!child->over)
		sp_loop_uv_run(child->loop);
	sp_devices_stop(child->devices);
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_end(&line, child->ok, child->reason, child->text);
	say(&line);
}

enum sp_agent_exit sp_speed_child_run(const struct sp_settings *settings, const char *device,
				      const char *order_text)
{
	struct child child = {.phase = SP_SPEED_PREPARE, .done = 1};
	struct sp_speed_order order;
	const struct sp_device_conf *conf = find(settings, device);
	if (!conf || sp_speed_line_read_order(order_text, strlen(order_text), &order)) {
		sp_err("speed", "\"%s\" is no device that tests, or its order is none", device);
		return SP_EXIT_USAGE;
	}
	prctl(PR_SET_NAME, "schoolpulse-tst");
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)(conf->driver->deadline_ms / 1000) + ALARM_SECONDS);
	if (sp_loop_uv_new(&child.loop))
		return SP_EXIT_START;
	run(&child, conf, &order);
	// What a library still does on another thread ends with the process.
	if (!sp_loop_uv_finish(child.loop, 0))
		_exit(SP_EXIT_CLEAN);
	sp_devices_free(child.devices);
	sp_loop_uv_free(child.loop);
	return SP_EXIT_CLEAN;
}

void sp_speed_child_refuse(const char *text)
{
	struct sp_buf line = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_end(&line, false, "child", text);
	say(&line);
}
