// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The tests that are not over: asked for, told of, ended.
#include "agent/core/speed/run.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/speed/priv.h"

const char *sp_speed_trigger_name(enum sp_speed_trigger trigger)
{
	static const char *const names[] = {"schedule", "hand", "command"};
	return names[trigger];
}

// ---- what there is ----------------------------------------------------------------------------------

struct sp_speed_run *sp_speed_run_new(const struct sp_speed_run_config *config)
{
	struct sp_speed_run *run = sp_alloc(sizeof(*run));
	run->config = *config;
	run->root.root = config->root ? config->root : "";
	sp_speed_mark_look(run);
	return run;
}

static struct sp_speed_place *place_of(const struct sp_speed_run *run, const char *line)
{
	for (size_t i = 0; i < run->place_count; i++)
		if (strcmp(run->places[i]->line.name, line) == 0)
			return run->places[i];
	return NULL;
}

void sp_speed_add_line(struct sp_speed_run *run, const struct sp_speed_line *line)
{
	struct sp_speed_place *place = sp_alloc(sizeof(*place));
	place->line = *line;
	place->guard = sp_guard_new();
	run->places = sp_realloc(run->places, (run->place_count + 1) * sizeof(struct sp_speed_place *));
	run->places[run->place_count++] = place;
}

void sp_speed_add_device(struct sp_speed_run *run, const struct sp_speed_device *device)
{
	struct sp_speed_entry *entry = sp_alloc(sizeof(*entry));
	entry->device = *device;
	entry->last.device = &entry->device;
	run->devices = sp_realloc(run->devices, (run->device_count + 1) * sizeof(struct sp_speed_entry *));
	run->devices[run->device_count++] = entry;
}

void sp_speed_run_free(struct sp_speed_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->place_count; i++) {
		sp_guard_free(run->places[i]->guard);
		free(run->places[i]);
	}
	for (size_t i = 0; i < run->device_count; i++)
		free(run->devices[i]);
	free(run->places);
	free(run->devices);
	free(run);
}

void sp_speed_traffic(struct sp_speed_run *run, const char *line, const struct sp_traffic *traffic)
{
	struct sp_speed_place *place = place_of(run, line);
	char interface[SP_BOARD_PORT_NAME] = "";
	struct sp_board_port port, none = {.counted = true};
	if (!place || run->device_count == 0)
		return; // nobody will ask
	// The way out is where a line without a word on it leaves.
	for (size_t i = 0; i < run->device_count && !interface[0]; i++)
		if (strcmp(run->devices[i]->device.line, line) == 0 && run->devices[i]->device.interface)
			strncpy(interface, run->devices[i]->device.interface, sizeof(interface) - 1);
	if (!interface[0])
		sp_board_way_out(&run->root, interface);
	sp_board_port(&run->root, interface, &port);
	sp_guard_reading(place->guard, traffic, sp_guard_carried(interface, &none, &port));
}

// ---- one test ---------------------------------------------------------------------------------------

static void view_of(const struct sp_speed_job *job, struct sp_speed_view *out)
{
	*out = (struct sp_speed_view){.test = job->test,
				      .device = job->entry->device->name,
				      .line = job->place->line.name,
				      .method = job->entry->device->driver->name,
				      .command = job->command,
				      .trigger = job->request.trigger,
				      .stage = job->stage,
				      .waits_for = job->waits_for,
				      .asked_us = job->asked_us,
				      .started_us = job->started_us,
				      .deferrals = job->deferrals,
				      .phase = job->phase,
				      .done = job->done,
				      .bps = job->bps};
}

void sp_speed_tell(struct sp_speed_job *job)
{
	struct sp_speed_view view;
	if (!job->request.progress)
		return;
	view_of(job, &view);
	job->request.progress(job->request.arg, &view);
}

struct sp_speed_job *sp_speed_active(const struct sp_speed_run *run)
{
	for (size_t i = 0; i < run->job_count; i++)
		if (run->jobs[i]->stage != SP_SPEED_STAGE_WAITING)
			return run->jobs[i];
	return NULL;
}

static void free_job(struct sp_speed_job *job)
{
	sp_loop_timer_free(job->run->config.loop, job->timer);
	free(job->command);
	free(job);
}

void sp_speed_close(struct sp_speed_job *job, const struct sp_speed_end *end)
{
	struct sp_speed_run *run = job->run;
	size_t at = 0;
	while (at < run->job_count && run->jobs[at] != job)
		at++;
	run->job_count--;
	for (; at < run->job_count; at++)
		run->jobs[at] = run->jobs[at + 1];
	if (job->request.ended)
		job->request.ended(job->request.arg, end);
	free_job(job);
	if (!sp_speed_active(run))
		for (size_t i = 0; i < run->job_count; i++)
			sp_speed_wait_wake(run->jobs[i]);
}

static void cancel(struct sp_speed_job *job)
{
	switch (job->stage) {
	case SP_SPEED_STAGE_PAYING:
		sp_speed_unpay(job);
		sp_speed_unmark(job->run);
		sp_speed_skip_job(job, "cancelled", "");
		break;
	case SP_SPEED_STAGE_WAITING:
		sp_speed_skip_job(job, "cancelled", "");
		break;
	case SP_SPEED_STAGE_RUNNING:
		sp_speed_test_abort(job, "cancelled", "");
		break;
	case SP_SPEED_STAGE_RECORDING:
		sp_speed_record_now(job);
		break;
	}
}

static void step(void *arg)
{
	struct sp_speed_job *job = arg;
	if (job->cancelled) {
		cancel(job);
		return;
	}
	switch (job->stage) {
	case SP_SPEED_STAGE_WAITING:
	case SP_SPEED_STAGE_PAYING:
		sp_speed_wait_step(job);
		break;
	case SP_SPEED_STAGE_RUNNING:
		sp_speed_test_step(job);
		break;
	case SP_SPEED_STAGE_RECORDING:
		sp_speed_record_step(job);
		break;
	}
}

static struct sp_speed_job *new_job(struct sp_speed_run *run, struct sp_speed_last *entry,
				    struct sp_speed_place *place, const struct sp_speed_request *request)
{
	struct sp_speed_job *job = sp_alloc(sizeof(*job));
	job->run = run;
	job->entry = entry;
	job->place = place;
	job->request = *request;
	job->command = sp_strdup(request->command ? request->command : "");
	sp_id_new(job->test);
	job->waits_for = "";
	job->asked_us = sp_speed_now(run);
	job->before = NAN;
	job->bps = -1;
	job->wire_bytes = -1;
	job->timer = sp_loop_timer_new(run->config.loop, step, job);
	return job;
}

// ---- asking -----------------------------------------------------------------------------------------

static struct sp_speed_last *find_device(const struct sp_speed_run *run, const char *name)
{
	for (size_t i = 0; i < run->device_count; i++)
		if (strcmp(run->devices[i]->device.name, name) == 0)
			return &run->devices[i]->last;
	return NULL;
}

static int refusal(const struct sp_speed_run *run, const struct sp_speed_request *request,
		   const struct sp_speed_last *entry)
{
	if (!entry || !place_of(run, entry->device->line))
		return -ENOENT;
	if (!entry->device->enabled)
		return -ENODEV;
	if (!request->wanted[SP_SPEED_DOWN] && !request->wanted[SP_SPEED_UP])
		return -EINVAL;
	for (size_t i = 0; i < run->job_count; i++)
		if (run->jobs[i]->entry == entry)
			return -EALREADY;
	return run->stopped || run->job_count == SP_SPEED_WAITING_MAX ? -EBUSY : 0;
}

int sp_speed_request(struct sp_speed_run *run, const struct sp_speed_request *request,
		     char test[SP_ID_LENGTH + 1])
{
	struct sp_speed_last *entry = find_device(run, request->device);
	int result = refusal(run, request, entry);
	if (result)
		return result;
	struct sp_speed_job *job = new_job(run, entry, place_of(run, entry->device->line), request);
	run->jobs[run->job_count++] = job;
	if (test)
		memcpy(test, job->test, sizeof(job->test));
	sp_loop_timer_start(run->config.loop, job->timer, 0);
	return 0;
}

void sp_speed_skip(struct sp_speed_run *run, const struct sp_speed_request *request, const char *reason,
		   const char *text)
{
	struct sp_speed_last *entry = find_device(run, request->device);
	struct sp_speed_place *place = entry ? place_of(run, entry->device->line) : NULL;
	if (!place)
		return;
	struct sp_speed_job *job = new_job(run, entry, place, request);
	job->request.ended = NULL;
	sp_speed_skip_unasked(job, reason, text);
	free_job(job);
}

int sp_speed_cancel(struct sp_speed_run *run, const char *test)
{
	for (size_t i = 0; i < run->job_count; i++) {
		if (strcmp(run->jobs[i]->test, test) != 0)
			continue;
		run->jobs[i]->cancelled = true;
		sp_loop_timer_start(run->config.loop, run->jobs[i]->timer, 0);
		return 0;
	}
	return -ENOENT;
}

void sp_speed_forget(struct sp_speed_run *run, const void *arg)
{
	for (size_t i = 0; i < run->job_count; i++) {
		if (run->jobs[i]->request.arg != arg)
			continue;
		run->jobs[i]->request.progress = NULL;
		run->jobs[i]->request.ended = NULL;
	}
}

void sp_speed_run_stop(struct sp_speed_run *run)
{
	run->stopped = true;
	while (run->job_count > 0) {
		run->jobs[0]->cancelled = true;
		cancel(run->jobs[0]);
	}
}

// ---- looking ----------------------------------------------------------------------------------------

size_t sp_speed_count(const struct sp_speed_run *run)
{
	return run->job_count;
}

void sp_speed_view(const struct sp_speed_run *run, size_t index, struct sp_speed_view *out)
{
	view_of(run->jobs[index], out);
}

size_t sp_speed_devices(const struct sp_speed_run *run)
{
	return run->device_count;
}

const struct sp_speed_last *sp_speed_last(const struct sp_speed_run *run, size_t index)
{
	return &run->devices[index]->last;
}
