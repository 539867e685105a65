// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Before a test: looking for ten seconds whether the line and the board are quiet, again and again; then its
// bytes are set aside.
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/speed/priv.h"
#include "schoolpulse/log.h"

enum {
	LOOK_MS = 10 * 1000,
	PAY_MS = 15 * 1000, ///< for the card to take it
	USEFUL_PART = 3,    ///< of what a test may take at most: less is no test
};
static const double UNKNOWN_MBPS = 1000, BOUGHT_MORE = 1.2;

// ---- the board's counters ---------------------------------------------------------------------------

void sp_speed_take(const struct sp_speed_run *run, struct sp_speed_moment *out)
{
	out->at_us = sp_speed_now(run);
	sp_board_cores(&run->root, &out->cores);
	sp_board_ports(&run->root, &out->ports);
}

const struct sp_board_port *sp_speed_port(const struct sp_speed_moment *moment, const char *interface)
{
	for (size_t i = 0; i < moment->ports.count; i++)
		if (strcmp(moment->ports.items[i].name, interface) == 0)
			return &moment->ports.items[i].port;
	return NULL;
}

int64_t sp_speed_carried(const struct sp_speed_job *job, const char *interface)
{
	const struct sp_board_port *from = sp_speed_port(&job->from, interface);
	const struct sp_board_port *to = sp_speed_port(&job->to, interface);
	return from && to ? sp_guard_carried(interface, from, to) : -1;
}

// ---- what forbids it --------------------------------------------------------------------------------

static bool forbidden(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	const struct sp_speed_line *line = &job->place->line;
	const char *reason = line->metered                              ? "metered"
			     : hooks->left(hooks->arg, line->name) == 0 ? "budget"
			     : hooks->frugal(hooks->arg, line->name)    ? "frugal"
									: NULL;
	if (reason)
		sp_speed_skip_job(job, reason, "");
	return reason != NULL;
}

// ---- paying -----------------------------------------------------------------------------------------

/// What the line can carry at most, as far as anybody told.
static double fastest_mbps(const struct sp_speed_job *job)
{
	const struct sp_speed_line *line = &job->place->line;
	const struct sp_board_port *port = sp_speed_port(&job->to, job->interface);
	double bought = BOUGHT_MORE * fmax(line->bought_mbps[SP_SPEED_DOWN], line->bought_mbps[SP_SPEED_UP]);
	double link = port ? (double)port->link_mbps : 0;
	if (bought > 0 && link > 0)
		return fmin(bought, link);
	return bought > 0 ? bought : link > 0 ? link : UNKNOWN_MBPS;
}

static void paid(void *arg, int result)
{
	struct sp_speed_bill *bill = arg;
	struct sp_speed_job *job = bill->job;
	free(bill);
	if (!job)
		return;
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	job->bill = NULL;
	// Without a cap there is nothing that it could forbid.
	if (result && job->max_bytes > 0) {
		char text[128];
		snprintf(text, sizeof(text), "its bytes could not be set aside: %s", strerror(-result));
		hooks->give_back(hooks->arg, job->place->line.name);
		job->set_aside = 0;
		sp_speed_unmark(job->run);
		sp_speed_skip_job(job, "budget", text);
		return;
	}
	sp_speed_test_start(job);
}

static void pay(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	const struct sp_speed_device *device = job->entry->device;
	const char *line = job->place->line.name;
	int64_t left = hooks->left(hooks->arg, line);
	int64_t worst = device->driver->worst_bytes(device->conf, fastest_mbps(job));
	char text[128];
	if (left < worst / USEFUL_PART || left < 0) {
		snprintf(text, sizeof(text),
			 left < 0 ? "the account of the month cannot be read"
				  : "a test may take %" PRId64 " MB, and %" PRId64 " MB are left",
			 worst / 1000000, left / 1000000);
		sp_speed_skip_job(job, "budget", text);
		return;
	}
	job->set_aside = worst < left ? worst : left;
	job->max_bytes = left == INT64_MAX ? 0 : job->set_aside;
	job->stage = SP_SPEED_STAGE_PAYING;
	job->waits_for = "";
	job->bill = sp_alloc(sizeof(*job->bill));
	job->bill->job = job;
	sp_speed_mark(job);
	sp_loop_timer_start(job->run->config.loop, job->timer, PAY_MS);
	int result = hooks->set_aside(hooks->arg, line, job->set_aside, paid, job->bill);
	if (result) {
		job->set_aside = 0;
		paid(job->bill, result);
		return;
	}
	sp_speed_tell(job);
}

void sp_speed_unpay(struct sp_speed_job *job)
{
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	if (job->bill)
		job->bill->job = NULL;
	job->bill = NULL;
	if (job->set_aside > 0)
		hooks->give_back(hooks->arg, job->place->line.name);
	job->set_aside = 0;
}

// ---- looking ----------------------------------------------------------------------------------------

static int64_t patience_left_ms(const struct sp_speed_job *job)
{
	return job->run->config.rules.patience_ms - (sp_speed_now(job->run) - job->asked_us) / 1000;
}

static void wait_for(struct sp_speed_job *job, const char *what, int64_t delay_ms)
{
	job->waits_for = what;
	sp_loop_timer_start(job->run->config.loop, job->timer, delay_ms);
	sp_speed_tell(job);
}

static void wait_for_another(struct sp_speed_job *job)
{
	int64_t left_ms = patience_left_ms(job);
	job->looking = false;
	if (left_ms <= 0)
		sp_speed_skip_job(job, "running", "another test took as long as this one could wait");
	else
		wait_for(job, "running", left_ms);
}

static void choose_interface(struct sp_speed_job *job)
{
	const char *own = job->entry->device->interface;
	if (own && own[0])
		snprintf(job->interface, sizeof(job->interface), "%s", own);
	else
		sp_board_way_out(&job->run->root, job->interface);
}

static void look(struct sp_speed_job *job)
{
	if (forbidden(job))
		return;
	if (sp_speed_active(job->run)) {
		wait_for_another(job);
		return;
	}
	choose_interface(job);
	sp_speed_take(job->run, &job->from);
	job->looking = true;
	wait_for(job, "quiet", LOOK_MS);
}

/// Of the line, all that moves: our own part disturbs a test as any other. NAN: nobody can tell.
static double traffic(struct sp_speed_job *job)
{
	int64_t now = job->to.at_us, window = 2 * sp_guard_window_us(job->place->guard, now);
	int64_t from = window > LOOK_MS * 1000 ? now - window : job->from.at_us;
	struct sp_guard_rate rate;
	job->watched = sp_guard_rate(job->place->guard, from, now, &rate);
	if (job->watched) {
		job->source = rate.source;
		job->before = rate.others;
		return rate.all;
	}
	int64_t carried = sp_speed_carried(job, job->interface);
	job->watched = carried >= 0;
	job->source = SP_TRAFFIC_INTERFACE;
	job->before = carried >= 0 && now > job->from.at_us
			  ? (double)carried * 1e6 / (double)(now - job->from.at_us)
			  : NAN;
	return job->before;
}

static void defer(struct sp_speed_job *job, const char *why, double bytes_per_second, double cpu)
{
	const struct sp_speed_rules *rules = &job->run->config.rules;
	int64_t again_ms = rules->retry_ms > LOOK_MS ? rules->retry_ms - LOOK_MS : 0;
	job->deferrals++;
	if (patience_left_ms(job) < again_ms + LOOK_MS) {
		char text[128];
		snprintf(text, sizeof(text), "%.0f byte/s on the line, a processor busy by %.0f %%",
			 bytes_per_second, 100 * (cpu >= 0 ? cpu : 0));
		sp_speed_skip_job(job, why, text);
		return;
	}
	wait_for(job, why, again_ms);
}

static void decide(struct sp_speed_job *job)
{
	const struct sp_speed_rules *rules = &job->run->config.rules;
	const struct sp_speed_hooks *hooks = job->run->config.hooks;
	job->looking = false;
	if (forbidden(job))
		return;
	if (sp_speed_active(job->run)) {
		wait_for_another(job);
		return;
	}
	sp_speed_take(job->run, &job->to);
	double moving = traffic(job), cpu = sp_guard_busiest(&job->from.cores, &job->to.cores);
	double busy_bytes = job->request.force ? INFINITY : rules->busy_bytes_per_second;
	double busy_cpu = job->request.force ? INFINITY : rules->busy_cpu_ratio;
	switch (sp_guard_decide(moving, busy_bytes, cpu, busy_cpu)) {
	case SP_GUARD_BUSY:
		defer(job, "busy", moving, cpu);
		return;
	case SP_GUARD_CPU:
		defer(job, "cpu", moving, cpu);
		return;
	case SP_GUARD_GO:
		break;
	}
	if (hooks->usable(hooks->arg, job->place->line.name))
		pay(job);
	else
		sp_speed_skip_job(job, "line_down", "");
}

void sp_speed_wait_step(struct sp_speed_job *job)
{
	if (job->stage == SP_SPEED_STAGE_PAYING) {
		bool capped = job->max_bytes > 0;
		if (capped) {
			sp_speed_unpay(job);
			sp_speed_unmark(job->run);
			sp_speed_skip_job(job, "budget", "the card did not take what was set aside in time");
			return;
		}
		job->bill->job = NULL;
		job->bill = NULL;
		sp_speed_test_start(job);
	} else if (job->looking) {
		decide(job);
	} else {
		look(job);
	}
}

void sp_speed_wait_wake(struct sp_speed_job *job)
{
	if (job->stage == SP_SPEED_STAGE_WAITING && strcmp(job->waits_for, "running") == 0)
		sp_loop_timer_start(job->run->config.loop, job->timer, 0);
}
