// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A test while it runs: a child process that says how far it is. Whatever it says or does, it ends.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/speed/priv.h"
#include "schoolpulse/log.h"

enum {
	TICK_MS = 1000,
	LEAVE_MS = 3000,      ///< from its last word to its end
	GRACE_MS = 10 * 1000, ///< beyond the driver's deadline: the child ends itself before
	DEADLINE_MS = 120 * 1000,
	MOVES_BPS = 10 * 1000,
	STILL_US = 3 * 1000 * 1000,
	TOLD_LATE_US = 1000 * 1000, ///< drivers tell the rate of the last second
};
/// Nothing in a school carries more: what is told beyond is not true.
static const double FASTEST_BYTES_PER_SECOND = 1.25e9;

static void keep(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

static void set_load(struct sp_speed_job *job, bool loading, int64_t since_us)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	if (job->loading == loading)
		return;
	job->loading = loading;
	hooks->load(hooks->arg, job->place->line.name, job->entry->device->name, loading, since_us);
}

// ---- processors -------------------------------------------------------------------------------------

static struct sp_speed_load *load_of(struct sp_speed_job *job)
{
	return job->phase == SP_SPEED_LOAD_DOWN ? &job->loads[SP_SPEED_DOWN]
	       : job->phase == SP_SPEED_LOAD_UP ? &job->loads[SP_SPEED_UP]
						: NULL;
}

/// What the busiest one did since the last look belongs to the direction that is loaded now: a single thread
/// wanders between them, so the busiest of each second counts, not that of the whole time.
static void look_at_cores(struct sp_speed_job *job)
{
	struct sp_board_cores cores;
	int64_t now = sp_speed_now(job->run);
	struct sp_speed_load *load = load_of(job);
	sp_board_cores(&job->run->root, &cores);
	double busiest = sp_guard_busiest(&job->last_cores, &cores);
	if (load && load->from_us > 0 && job->done < 1 && busiest >= 0) {
		load->busy_us += busiest * (double)(now - job->looked_us);
		load->watched_us += (double)(now - job->looked_us);
	}
	job->last_cores = cores;
	job->looked_us = now;
}

static void leave(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	void *child = job->child;
	job->child = NULL;
	if (child)
		hooks->kill(hooks->arg, child);
	set_load(job, false, sp_speed_now(job->run));
	sp_speed_finish(job);
}

void sp_speed_test_abort(struct sp_speed_job *job, const char *reason, const char *text)
{
	keep(job->reason, sizeof(job->reason), reason);
	keep(job->text, sizeof(job->text), text);
	leave(job);
}

// ---- what the child says ----------------------------------------------------------------------------

static void progress(struct sp_speed_job *job, const struct sp_speed_message *message)
{
	int64_t now = sp_speed_now(job->run);
	bool turn = message->phase != job->phase;
	if (turn)
		look_at_cores(job);
	job->phase = message->phase;
	job->done = message->done;
	job->bps = message->bps;
	struct sp_speed_load *load = load_of(job);
	if (load && load->from_us == 0) {
		look_at_cores(job);
		load->from_us = now;
		load->child_from = message->cpu_us;
	}
	if (load) {
		load->to_us = now;
		load->child_last = message->cpu_us;
		if (turn || message->bps >= MOVES_BPS) {
			job->moved_us = now;
			set_load(job, true, now);
		}
	}
	sp_speed_tell(job);
}

static void spent(struct sp_speed_job *job, int64_t bytes)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	double seconds = (double)(sp_speed_now(job->run) - job->started_us) / 1e6 + 1;
	double room = FASTEST_BYTES_PER_SECOND * seconds - (double)job->told_bytes;
	if ((double)bytes > room)
		bytes = room > 0 ? (int64_t)room : 0;
	job->told_bytes += bytes;
	// What was set aside no power cut forgets: it is paid at the end, when more is known of what left
	// the board. What goes beyond is paid at once.
	if (job->told_bytes <= job->set_aside)
		return;
	hooks->spent(hooks->arg, job->place->line.name, job->told_bytes - job->paid_bytes);
	job->paid_bytes = job->told_bytes;
}

static void on_line(void *arg, const char *line, size_t length)
{
	struct sp_speed_job *job = arg;
	struct sp_speed_message message;
	if (job->ended)
		return;
	if (sp_speed_line_read(line, length, &message, &job->tale)) {
		job->reported = false; // what was read of a broken report is none
		sp_speed_test_abort(job, "child", "the testing process wrote what cannot be read");
		return;
	}
	switch (message.kind) {
	case SP_SPEED_LINE_PROGRESS:
		progress(job, &message);
		break;
	case SP_SPEED_LINE_SPENT:
		spent(job, message.bytes);
		break;
	case SP_SPEED_LINE_REPORT:
		job->reported = true;
		break;
	case SP_SPEED_LINE_END:
		job->ended = true;
		keep(job->reason, sizeof(job->reason), message.ok ? "" : message.reason);
		keep(job->text, sizeof(job->text), message.ok ? "" : message.text);
		sp_loop_timer_start(job->run->config.loop, job->timer, LEAVE_MS);
		break;
	}
}

static void on_ended(void *arg, int status)
{
	struct sp_speed_job *job = arg;
	job->child = NULL;
	if (!job->ended) {
		keep(job->reason, sizeof(job->reason), "child");
		snprintf(job->text, sizeof(job->text),
			 status < 0 ? "the testing process was ended by signal %d"
				    : "the testing process ended with status %d",
			 status < 0 ? -status : status);
		sp_warning("speed", "\"%s\": %s", job->entry->device->name, job->text);
	}
	set_load(job, false, sp_speed_now(job->run));
	sp_speed_finish(job);
}

// ---- its time ---------------------------------------------------------------------------------------

static const struct sp_child_process_events child_events = {.line = on_line, .ended = on_ended};

void sp_speed_test_start(struct sp_speed_job *job)
{
	struct sp_speed_run *run = job->run;
	const struct sp_speed_hooks *hooks = run->config.hooks;
	struct sp_speed_order order = {.max_bytes = job->max_bytes,
				       .unattended = job->request.trigger == SP_SPEED_BY_SCHEDULE};
	memcpy(order.wanted, job->request.wanted, sizeof(order.wanted));
	struct sp_buf text = SP_BUF(SP_SPEED_LINE_MAX);
	sp_speed_line_order(&text, &order);
	job->stage = SP_SPEED_STAGE_RUNNING;
	job->waits_for = "";
	job->phase = SP_SPEED_PREPARE;
	job->bps = -1;
	hooks->hush(hooks->arg, true);
	job->own_bytes = -hooks->own(hooks->arg, job->place->line.name, job->interface);
	sp_speed_take(run, &job->from);
	job->started_us = job->looked_us = job->from.at_us;
	job->last_cores = job->from.cores;
	job->child = hooks->spawn(hooks->arg, job->entry->device->name, text.data, &child_events, job);
	int error = errno;
	sp_buf_free(&text);
	if (!job->child) {
		char why[96];
		snprintf(why, sizeof(why), "the testing process cannot be started: %s", strerror(error));
		sp_warning("speed", "\"%s\": %s", job->entry->device->name, why);
		sp_speed_test_abort(job, "child", why);
		return;
	}
	sp_notice("speed", "\"%s\" begins a test of line \"%s\"", job->entry->device->name,
		  job->place->line.name);
	sp_loop_timer_start(run->config.loop, job->timer, TICK_MS);
	sp_speed_tell(job);
}

void sp_speed_test_step(struct sp_speed_job *job)
{
	int64_t deadline_ms = job->entry->device->driver->deadline_ms;
	int64_t most_ms = (deadline_ms > 0 ? deadline_ms : DEADLINE_MS) + GRACE_MS;
	look_at_cores(job);
	// What does not move fills no line: the probes that are lost now were lost by the line itself.
	if (sp_speed_now(job->run) - job->moved_us >= STILL_US)
		set_load(job, false, job->moved_us - TOLD_LATE_US);
	if (job->ended)
		leave(job); // it has said everything
	else if (sp_speed_now(job->run) - job->started_us >= most_ms * 1000)
		sp_speed_test_abort(job, "child", "the testing process did not end in time");
	else
		sp_loop_timer_start(job->run->config.loop, job->timer, TICK_MS);
}
