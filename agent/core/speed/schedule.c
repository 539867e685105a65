// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The plan and the run, tied to the loop and the clock.
#include "agent/core/speed/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

#define KEY "speed.plan"

enum {
	LOOK_MS = 5000,         ///< at most between two looks: the clock may step
	QUIET_AHEAD_MS = 60000, ///< a test that only waits is taken back so long before a quiet period
};

/// A device whose test was asked for.
struct watch {
	struct sp_speed_schedule *schedule;
	size_t device;
	char test[SP_ID_LENGTH + 1]; ///< "": none
	bool ran;
};

struct sp_speed_schedule {
	struct sp_speed_schedule_config config;
	struct sp_speed_plan *plan;
	struct sp_loop_timer *timer;
	struct watch *watches;
	size_t count;
};

static void keep(struct sp_speed_schedule *schedule)
{
	char *text;
	if (!sp_speed_plan_news(schedule->plan, &text))
		return;
	schedule->config.put(schedule->config.arg, KEY, text);
	free(text);
}

// ---- what becomes of a test ------------------------------------------------------------------------------

static bool one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

static enum sp_speed_fate fate_of(const struct sp_speed_end *end)
{
	static const char *const passing[] = {"busy", "cpu", "line_down", "running", "cancelled", NULL};
	enum sp_speed_fate fate = SP_SPEED_TAKEN;
	for (int i = 0; i < SP_SPEED_DIRECTIONS; i++) {
		const struct sp_speed_end_direction *it = &end->directions[i];
		if (!it->wanted)
			continue;
		if (it->validity == SP_SPEED_IS_SKIPPED && strcmp(it->reason, "no_capacity") == 0)
			fate = SP_SPEED_NO_CAPACITY;
		else if (it->validity == SP_SPEED_IS_SKIPPED && one_of(it->reason, passing))
			fate = SP_SPEED_AGAIN;
		else
			// One direction that was measured, or that nothing will help, is the test.
			return SP_SPEED_TAKEN;
	}
	return fate;
}

static void progressed(void *arg, const struct sp_speed_view *view)
{
	struct watch *watch = arg;
	if (watch->ran || view->stage < SP_SPEED_STAGE_RUNNING)
		return;
	watch->ran = true;
	sp_speed_plan_ran(watch->schedule->plan, watch->device, sp_clock_now().wall_ms);
	keep(watch->schedule);
}

static void ended(void *arg, const struct sp_speed_end *end)
{
	struct watch *watch = arg;
	watch->test[0] = '\0';
	sp_speed_plan_ended(watch->schedule->plan, watch->device, sp_clock_now().wall_ms, fate_of(end));
	keep(watch->schedule);
}

// ---- when ------------------------------------------------------------------------------------------------

static struct sp_speed_request request_of(struct watch *watch)
{
	return (struct sp_speed_request){
	    .device = sp_speed_plan_name(watch->schedule->plan, watch->device),
	    .trigger = SP_SPEED_BY_SCHEDULE,
	    .wanted = {true, true},
	    .progress = progressed,
	    .ended = ended,
	    .arg = watch,
	};
}

static void begin(struct sp_speed_schedule *schedule, const struct sp_speed_due *due, int64_t now_ms)
{
	struct watch *watch = &schedule->watches[due->device];
	struct sp_speed_request request = request_of(watch);
	if (due->missed) {
		sp_speed_skip(schedule->config.run, &request, "missed",
			      "the agent or its clock was not there, and the window has no room left");
		return;
	}
	watch->ran = false;
	int result = sp_speed_request(schedule->config.run, &request, watch->test);
	if (result) {
		// Somebody else tests with it just now: another moment.
		sp_info("speed", "\"%s\" is not begun: %s", request.device, strerror(-result));
		watch->test[0] = '\0';
		sp_speed_plan_ended(schedule->plan, due->device, now_ms, SP_SPEED_AGAIN);
	}
}

static bool waits(const struct sp_speed_run *run, const char *test)
{
	struct sp_speed_view view;
	for (size_t i = 0; i < sp_speed_count(run); i++) {
		sp_speed_view(run, i, &view);
		if (strcmp(view.test, test) == 0)
			return view.stage == SP_SPEED_STAGE_WAITING;
	}
	return false;
}

/// An exam begins while a test still waits for its moment.
static void keep_quiet(struct sp_speed_schedule *schedule, int64_t now_ms)
{
	if (!sp_speed_is_quiet(schedule->config.times, now_ms + QUIET_AHEAD_MS))
		return;
	for (size_t i = 0; i < schedule->count; i++) {
		const char *test = schedule->watches[i].test;
		if (test[0] && waits(schedule->config.run, test) &&
		    sp_speed_cancel(schedule->config.run, test) == 0)
			sp_notice("speed", "a test that waited is taken back: a quiet period begins");
	}
}

static int64_t until_next_ms(const struct sp_speed_schedule *schedule, int64_t now_ms)
{
	int64_t wait_ms = LOOK_MS;
	for (size_t i = 0; i < schedule->count; i++) {
		int64_t next_ms = sp_speed_plan_next_ms(schedule->plan, i, now_ms);
		if (next_ms > now_ms && next_ms - now_ms < wait_ms)
			wait_ms = next_ms - now_ms;
	}
	return wait_ms;
}

static void look(void *arg)
{
	struct sp_speed_schedule *schedule = arg;
	struct sp_clock_reading now = sp_clock_now();
	struct sp_speed_due due;
	int64_t wait_ms = LOOK_MS;
	if (now.synced) {
		while (sp_speed_plan_take(schedule->plan, now.wall_ms, &due))
			begin(schedule, &due, now.wall_ms);
		keep_quiet(schedule, now.wall_ms);
		keep(schedule);
		wait_ms = until_next_ms(schedule, now.wall_ms);
	}
	sp_loop_timer_start(schedule->config.loop, schedule->timer, wait_ms);
}

struct sp_speed_schedule *sp_speed_schedule_new(const struct sp_speed_schedule_config *config,
						const char *const *names, const struct sp_pace *const *paces,
						size_t count)
{
	struct sp_speed_schedule *schedule = sp_alloc(sizeof(*schedule));
	char salt[SP_ID_LENGTH + 1];
	sp_id_new(salt);
	schedule->config = *config;
	schedule->count = count;
	schedule->watches = sp_alloc((count + 1) * sizeof(*schedule->watches));
	schedule->plan = sp_speed_plan_new(config->times, salt);
	for (size_t i = 0; i < count; i++) {
		schedule->watches[i] = (struct watch){.schedule = schedule, .device = i};
		sp_speed_plan_add(schedule->plan, names[i], paces[i]);
	}
	char *text = config->get(config->arg, KEY);
	sp_speed_plan_load(schedule->plan, text);
	free(text);
	schedule->timer = sp_loop_timer_new(config->loop, look, schedule);
	sp_loop_timer_start(config->loop, schedule->timer, 0);
	return schedule;
}

void sp_speed_schedule_free(struct sp_speed_schedule *schedule)
{
	if (!schedule)
		return;
	for (size_t i = 0; i < schedule->count; i++)
		sp_speed_forget(schedule->config.run, &schedule->watches[i]);
	sp_loop_timer_free(schedule->config.loop, schedule->timer);
	sp_speed_plan_free(schedule->plan);
	free(schedule->watches);
	free(schedule);
}

int64_t sp_speed_schedule_next_ms(const struct sp_speed_schedule *schedule, const char *device)
{
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; schedule && now.synced && i < schedule->count; i++)
		if (strcmp(sp_speed_plan_name(schedule->plan, i), device) == 0)
			return sp_speed_plan_next_ms(schedule->plan, i, now.wall_ms);
	return 0;
}
