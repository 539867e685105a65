// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The plan: which test is due, and what becomes of one that was not done.
#include "agent/core/speed/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/speed/plan_priv.h"

enum {
	ROOM_MS = 300 * 1000, ///< of usable time that a test needs for itself
	SOON_MS = 60 * 1000,  ///< nothing is made up sooner than this
	AHEAD_DAYS = 21,
	OVERDUE_MIN_S = 60, ///< a pace that fell due while we were away goes on after such a while
	OVERDUE_MAX_S = 600,
};

struct sp_speed_plan *sp_speed_plan_new(const struct sp_speed_times *times, const char *salt)
{
	struct sp_speed_plan *plan = sp_alloc(sizeof(*plan));
	plan->times = times;
	strncpy(plan->salt, salt, SP_SPEED_SALT_MAX);
	return plan;
}

void sp_speed_plan_free(struct sp_speed_plan *plan)
{
	if (!plan)
		return;
	free(plan->devices);
	free(plan->kept);
	free(plan);
}

void sp_speed_plan_add(struct sp_speed_plan *plan, const char *name, const struct sp_pace *pace)
{
	plan->devices = sp_realloc(plan->devices, (plan->count + 1) * sizeof(*plan->devices));
	plan->devices[plan->count++] =
	    (struct sp_speed_plan_device){.name = name, .pace = *pace, .day = SP_SPEED_NO_DAY};
}

size_t sp_speed_plan_count(const struct sp_speed_plan *plan)
{
	return plan->count;
}

const char *sp_speed_plan_name(const struct sp_speed_plan *plan, size_t index)
{
	return plan->devices[index].name;
}

// ---- drawing ---------------------------------------------------------------------------------------------

/// Which cell of a stratum belongs to this day of the week: the week's days take them in an order of chance.
static unsigned cell_of_day(const struct sp_speed_plan *plan, const struct sp_speed_plan_device *dev,
			    int64_t day, size_t window, size_t sample, unsigned *cells)
{
	int64_t monday = day - ((day + 3) % 7 + 7) % 7;
	unsigned order[7] = {0}, count = 0, today = 0;
	for (int64_t it = monday; it < monday + 7; it++) {
		if (it == day)
			today = count;
		if (sp_speed_school_day(plan->times, it)) {
			order[count] = count;
			count++;
		}
	}
	struct sp_speed_chance chance =
	    sp_speed_chance(plan->salt, dev->name, monday, (int64_t)window, (int64_t)sample);
	for (unsigned i = count; i > 1; i--) {
		unsigned other = (unsigned)(sp_speed_chance_unit(&chance) * i), kept = order[i - 1];
		order[i - 1] = order[other];
		order[other] = kept;
	}
	*cells = count;
	return order[today];
}

/// 0: there is no time for it on that day.
static int64_t draw(const struct sp_speed_plan *plan, const struct sp_speed_plan_device *dev, int64_t day,
		    size_t window, size_t sample)
{
	struct sp_speed_spans spans;
	sp_speed_spans(plan->times, window, day, INT64_MIN, &spans);
	size_t strata = (size_t)(spans.total_ms / ROOM_MS);
	if (strata > plan->times->samples)
		strata = plan->times->samples;
	if (sample >= strata || !sp_speed_school_day(plan->times, day))
		return 0;
	unsigned cells, cell = cell_of_day(plan, dev, day, window, sample, &cells);
	struct sp_speed_chance chance = sp_speed_chance(plan->salt, dev->name, day, (int64_t)window,
							(int64_t)sample + SP_SPEED_SAMPLES_MAX);
	double in_stratum = (cell + sp_speed_chance_unit(&chance)) / cells;
	return sp_speed_spans_at(&spans, ((double)sample + in_stratum) / (double)strata);
}

/// A moment in what is left of the window; 0: too little is.
static int64_t draw_again(const struct sp_speed_plan *plan, const struct sp_speed_plan_device *dev,
			  size_t window, size_t sample, int64_t now_ms)
{
	struct sp_speed_spans spans;
	sp_speed_spans(plan->times, window, dev->day, now_ms + SOON_MS, &spans);
	if (spans.total_ms < ROOM_MS)
		return 0;
	struct sp_speed_chance chance =
	    sp_speed_chance(plan->salt, dev->name, now_ms, (int64_t)window, (int64_t)sample);
	return sp_speed_spans_at(&spans, sp_speed_chance_unit(&chance));
}

// ---- windows ---------------------------------------------------------------------------------------------

static bool over(const struct sp_speed_plan *plan, int64_t day, size_t window, int64_t now_ms)
{
	return now_ms >= sp_speed_day_start_ms(day) + plan->times->windows[window].to_s * INT64_C(1000);
}

/// Whether a test that is planned for `due_ms` and that nobody can vouch for is left out without a word.
typedef bool (*leave_out_fn)(const struct sp_speed_plan *plan, int64_t day, size_t window, int64_t due_ms,
			     int64_t now_ms);

static bool leave_out_windows_over(const struct sp_speed_plan *plan, int64_t day, size_t window,
				   int64_t due_ms, int64_t now_ms)
{
	(void)due_ms;
	return over(plan, day, window, now_ms);
}

static bool leave_out_past(const struct sp_speed_plan *plan, int64_t day, size_t window, int64_t due_ms,
			   int64_t now_ms)
{
	(void)plan;
	(void)day;
	(void)window;
	return due_ms <= now_ms;
}

static void open_day(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, int64_t day,
		     int64_t now_ms, leave_out_fn leave_out)
{
	dev->day = day;
	memset(dev->slots, 0, sizeof(dev->slots));
	for (size_t w = 0; w < plan->times->window_count; w++) {
		for (size_t s = 0; s < plan->times->samples; s++) {
			struct sp_speed_slot *it = &dev->slots[w][s];
			it->due_ms = draw(plan, dev, day, w, s);
			it->done =
			    it->due_ms == 0 || (leave_out && leave_out(plan, day, w, it->due_ms, now_ms));
		}
	}
}

/// After a start the slots of the day are known, but not when they are due.
static void draw_missing(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, int64_t now_ms)
{
	for (size_t w = 0; w < plan->times->window_count; w++) {
		for (size_t s = 0; s < plan->times->samples; s++) {
			struct sp_speed_slot *it = &dev->slots[w][s];
			if (it->done || it->due_ms)
				continue;
			it->due_ms = it->tries > 0 ? draw_again(plan, dev, w, s, now_ms)
						   : draw(plan, dev, dev->day, w, s);
			it->done = it->due_ms == 0;
		}
	}
}

static bool is_asked(const struct sp_speed_plan_device *dev, size_t window, size_t sample)
{
	return dev->asked && dev->asked_day == dev->day && dev->window == window && dev->sample == sample;
}

/// Its moment has gone by: another one, or none. True: it is missed, and that is to be told.
static bool make_up(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, size_t window,
		    size_t sample, int64_t now_ms)
{
	struct sp_speed_slot *it = &dev->slots[window][sample];
	int64_t again_ms = draw_again(plan, dev, window, sample, now_ms);
	if (again_ms) {
		it->due_ms = again_ms;
		return false;
	}
	it->done = true;
	return it->tries == 0;
}

/// One slot that is due, or was missed. False: none.
static bool take_slot(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, int64_t now_ms,
		      struct sp_speed_due *out)
{
	for (size_t w = 0; w < plan->times->window_count; w++) {
		for (size_t s = 0; s < plan->times->samples; s++) {
			struct sp_speed_slot *it = &dev->slots[w][s];
			out->due_ms = it->due_ms;
			if (it->done || now_ms < it->due_ms || is_asked(dev, w, s))
				continue;
			bool late = now_ms > it->due_ms + SP_SPEED_PLAN_LATE_MS;
			if (late && make_up(plan, dev, w, s, now_ms)) {
				out->missed = true;
				return true;
			}
			if (late || dev->asked)
				continue;
			dev->asked = true;
			dev->asked_day = dev->day;
			dev->window = w;
			dev->sample = s;
			return true;
		}
	}
	return false;
}

/// What a day that is over leaves undone and untold.
static bool close_slot(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev,
		       struct sp_speed_due *out)
{
	for (size_t w = 0; w < plan->times->window_count; w++) {
		for (size_t s = 0; s < plan->times->samples; s++) {
			struct sp_speed_slot *it = &dev->slots[w][s];
			if (it->done)
				continue;
			it->done = true;
			if (it->tries > 0 || is_asked(dev, w, s))
				continue;
			out->due_ms = it->due_ms ? it->due_ms : draw(plan, dev, dev->day, w, s);
			out->missed = out->due_ms != 0;
			if (out->missed)
				return true;
		}
	}
	return false;
}

static bool take_window(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, int64_t now_ms,
			struct sp_speed_due *out)
{
	int64_t today = sp_speed_day(now_ms);
	if (dev->day != SP_SPEED_NO_DAY && today > dev->day && close_slot(plan, dev, out))
		return true;
	if (!sp_speed_school_day(plan->times, today))
		return false;
	if (dev->day == SP_SPEED_NO_DAY)
		open_day(plan, dev, today, now_ms, leave_out_windows_over);
	else if (today > dev->day)
		open_day(plan, dev, today, now_ms, NULL);
	else if (today < dev->day)
		// The clock was put back: what lies behind it now may have been done.
		open_day(plan, dev, today, now_ms, leave_out_past);
	else
		draw_missing(plan, dev, now_ms);
	return take_slot(plan, dev, now_ms, out);
}

// ---- pace ------------------------------------------------------------------------------------------------

static int64_t interval_ms(const struct sp_speed_plan *plan, const struct sp_speed_plan_device *dev,
			   int64_t now_ms)
{
	struct sp_speed_chance chance = sp_speed_chance(plan->salt, dev->name, now_ms, -1, dev->backoff_s);
	double seconds = -log1p(-sp_speed_chance_unit(&chance)) * (double)dev->pace.mean_s;
	if (seconds < (double)dev->pace.least_s)
		seconds = (double)dev->pace.least_s;
	if (seconds > (double)dev->pace.most_s)
		seconds = (double)dev->pace.most_s;
	return (int64_t)(seconds * 1000);
}

static bool quiet_soon(const struct sp_speed_plan *plan, int64_t now_ms)
{
	return sp_speed_is_quiet(plan->times, now_ms) ||
	       sp_speed_is_quiet(plan->times, now_ms + SP_SPEED_QUIET_AWAY_S * INT64_C(1000));
}

static bool take_pace(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, int64_t now_ms,
		      struct sp_speed_due *out)
{
	// Never drawn, or drawn by a clock that ran ahead.
	if (!dev->next_ms || dev->next_ms > now_ms + dev->pace.most_s * 1000 + SP_SPEED_PLAN_LATE_MS)
		dev->next_ms = now_ms + interval_ms(plan, dev, now_ms);
	if (dev->asked || now_ms < dev->next_ms)
		return false;
	if (quiet_soon(plan, now_ms)) {
		dev->next_ms = now_ms + interval_ms(plan, dev, now_ms);
		return false;
	}
	if (now_ms > dev->next_ms + SP_SPEED_PLAN_LATE_MS) {
		// A district whose power comes back does not ask all at once.
		struct sp_speed_chance chance = sp_speed_chance(plan->salt, dev->name, now_ms, -2, 0);
		double wait_s =
		    OVERDUE_MIN_S + (OVERDUE_MAX_S - OVERDUE_MIN_S) * sp_speed_chance_unit(&chance);
		dev->next_ms = now_ms + (int64_t)(wait_s * 1000);
		return false;
	}
	dev->asked = true;
	out->due_ms = dev->next_ms;
	return true;
}

// ---- what is asked of it ---------------------------------------------------------------------------------

bool sp_speed_plan_take(struct sp_speed_plan *plan, int64_t now_ms, struct sp_speed_due *out)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct sp_speed_plan_device *dev = &plan->devices[i];
		*out = (struct sp_speed_due){.device = i};
		if (dev->pace.mean_s > 0 ? take_pace(plan, dev, now_ms, out)
					 : take_window(plan, dev, now_ms, out))
			return true;
	}
	return false;
}

static struct sp_speed_slot *asked_slot(struct sp_speed_plan_device *dev)
{
	bool windows = dev->asked && dev->pace.mean_s == 0 && dev->asked_day == dev->day;
	return windows ? &dev->slots[dev->window][dev->sample] : NULL;
}

void sp_speed_plan_ran(struct sp_speed_plan *plan, size_t index, int64_t now_ms)
{
	struct sp_speed_plan_device *dev = &plan->devices[index];
	struct sp_speed_slot *it = asked_slot(dev);
	if (it)
		it->done = true;
	else if (dev->asked && dev->pace.mean_s > 0)
		dev->next_ms = now_ms + interval_ms(plan, dev, now_ms);
}

static void ended_pace(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, int64_t now_ms,
		       enum sp_speed_fate fate)
{
	if (fate != SP_SPEED_NO_CAPACITY) {
		dev->backoff_s = 0;
		dev->next_ms = now_ms + interval_ms(plan, dev, now_ms);
		return;
	}
	dev->backoff_s = dev->backoff_s ? dev->backoff_s * 2 : SP_SPEED_BACKOFF_LEAST_S;
	if (dev->backoff_s > SP_SPEED_BACKOFF_MOST_S)
		dev->backoff_s = SP_SPEED_BACKOFF_MOST_S;
	dev->next_ms = now_ms + dev->backoff_s * 1000;
}

void sp_speed_plan_ended(struct sp_speed_plan *plan, size_t index, int64_t now_ms, enum sp_speed_fate fate)
{
	struct sp_speed_plan_device *dev = &plan->devices[index];
	struct sp_speed_slot *it = asked_slot(dev);
	if (dev->asked && dev->pace.mean_s > 0)
		ended_pace(plan, dev, now_ms, fate);
	if (it) {
		it->done = true;
		it->tries += fate != SP_SPEED_TAKEN;
		int64_t again_ms = fate != SP_SPEED_TAKEN && it->tries < SP_SPEED_PLAN_TRIES
				       ? draw_again(plan, dev, dev->window, dev->sample, now_ms)
				       : 0;
		it->due_ms = again_ms;
		it->done = again_ms == 0;
	}
	dev->asked = false;
}

int64_t sp_speed_plan_next_ms(const struct sp_speed_plan *plan, size_t index, int64_t now_ms)
{
	const struct sp_speed_plan_device *dev = &plan->devices[index];
	if (dev->pace.mean_s > 0)
		return dev->next_ms;
	int64_t today = sp_speed_day(now_ms), found_ms = 0;
	for (int64_t day = today; day < today + AHEAD_DAYS && !found_ms; day++) {
		for (size_t w = 0; w < plan->times->window_count; w++) {
			for (size_t s = 0; s < plan->times->samples; s++) {
				const struct sp_speed_slot *it = day == dev->day ? &dev->slots[w][s] : NULL;
				if (it && it->done)
					continue;
				int64_t due_ms = it && it->due_ms ? it->due_ms : draw(plan, dev, day, w, s);
				if (due_ms > now_ms && (!found_ms || due_ms < found_ms))
					found_ms = due_ms;
			}
		}
	}
	return found_ms;
}
