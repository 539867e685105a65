// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which window of whom becomes a record.
#include "agent/core/summaries.h"

#include <string.h>

#include "agent/base/mem.h"

enum {
	HEALTHY_TIMES = 4,   ///< a healthy line's digest is that much rarer than gear's
	FRUGAL_TIMES = 16,   ///< and gear's that much rarer where every byte is paid for
	FRUGAL_WINDOWS = 60, ///< of one record, where every byte is paid for: an hour
	AFTER_TROUBLE_WINDOWS = 5,
};

struct line {
	char *name;
	struct sp_minutes *minutes;
	int64_t closed_us;  ///< end of the last minute
	int64_t trouble_us; ///< when it was last seen not up
	enum sp_line_state state;
};

struct sp_summaries {
	struct sp_summaries_config config;
	struct line *lines;
	size_t count;
	int64_t window_us; ///< when the window began
	// While a window is closed.
	double seconds;
	bool all;
};

struct sp_summaries *sp_summaries_new(const struct sp_summaries_config *config)
{
	struct sp_summaries *s = sp_alloc(sizeof(*s));
	s->config = *config;
	s->window_us = sp_loop_now_us(config->loop);
	return s;
}

void sp_summaries_free(struct sp_summaries *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		sp_minutes_free(s->lines[i].minutes);
		free(s->lines[i].name);
	}
	free(s->lines);
	free(s);
}

void sp_summaries_add(struct sp_summaries *s, const char *name)
{
	int64_t now = sp_loop_now_us(s->config.loop);
	s->lines = sp_realloc(s->lines, (s->count + 1) * sizeof(*s->lines));
	s->lines[s->count++] = (struct line){.name = sp_strdup(name),
					     .minutes = sp_minutes_new(s->config.recorder, name, now),
					     .closed_us = now,
					     .trouble_us = now};
}

static struct line *line_of(struct sp_summaries *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->lines[i].name, name) == 0)
			return &s->lines[i];
	return NULL;
}

void sp_summaries_line(struct sp_summaries *s, const char *name, const struct sp_line_view *view)
{
	struct line *line = line_of(s, name);
	if (!line)
		return;
	struct sp_clock_reading now = sp_clock_now();
	sp_minutes_loaded(line->minutes, view->self_loaded);
	if (!view->began)
		return;
	line->state = view->state;
	line->trouble_us = now.mono_us;
	sp_minutes_state(line->minutes, view->state, view->cause, view->since_us, &now);
}

// ---- a window is over --------------------------------------------------------------------------------

static bool frugal(const struct sp_summaries *s, const char *line)
{
	return s->config.frugal && s->config.frugal(s->config.arg, line);
}

static bool all_frugal(const struct sp_summaries *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!frugal(s, s->lines[i].name))
			return false;
	return s->count > 0;
}

/// Windows end a little early or late: what is due within half of one is due.
static bool due(const struct sp_summaries *s, double had, double wanted)
{
	return had >= wanted - s->seconds / 2;
}

static bool in_trouble(const struct sp_summaries *s, const struct line *line)
{
	int64_t now = sp_loop_now_us(s->config.loop);
	return line->state != SP_LINE_UP ||
	       now - line->trouble_us < AFTER_TROUBLE_WINDOWS * s->config.window_ms * 1000;
}

/// All platforms together; what they do not answer is a loss.
static void feed_service(struct line *line, const struct sp_summary *summary)
{
	if (strcmp(summary->metric, "https_seconds") == 0)
		sp_minutes_rtt(
		    line->minutes, SP_MINUTE_SERVICE,
		    &(struct sp_minute_values){summary->count, summary->min, summary->mean, summary->max});
	else if (strcmp(summary->metric, "answered_ratio") == 0)
		sp_minutes_loss(line->minutes, SP_MINUTE_SERVICE,
				&(struct sp_minute_values){summary->count, 1 - summary->max,
							   1 - summary->mean, 1 - summary->min});
}

static void feed_minute(struct line *line, const struct sp_driver *driver, const struct sp_samples *samples)
{
	struct sp_summary summary;
	for (size_t i = 0; sp_samples_now(samples, i, &summary); i++) {
		enum sp_minute_scope scope;
		struct sp_minute_values values = {summary.count, summary.min, summary.mean, summary.max};
		if (!summary.known || summary.kind != SP_METRIC_GAUGE)
			continue;
		if (strcmp(summary.metric, "dns_seconds") == 0 && strcmp(summary.target, "resolver") == 0)
			sp_minutes_rtt(line->minutes, SP_MINUTE_DNS, &values);
		if (strcmp(driver->name, "service") == 0) {
			feed_service(line, &summary);
			continue;
		}
		if (!sp_minute_scope(driver->name, summary.target, &scope))
			continue;
		if (strcmp(summary.metric, "rtt_seconds") == 0)
			sp_minutes_rtt(line->minutes, scope, &values);
		else if (strcmp(summary.metric, "loss_ratio") == 0)
			sp_minutes_loss(line->minutes, scope, &values);
	}
}

static void close_device(void *arg, const char *name, const char *line_name, const struct sp_driver *driver,
			 struct sp_samples *samples)
{
	struct sp_summaries *s = arg;
	struct line *line = line_of(s, line_name);
	double wanted = (double)s->config.samples_ms / 1000;
	bool now = s->all;
	if (line) {
		feed_minute(line, driver, samples);
		wanted *= HEALTHY_TIMES;
		if (!frugal(s, line->name) && in_trouble(s, line)) {
			// The good time before it would hide what this window saw.
			sp_samples_flush(samples, s->config.recorder, name, driver->name);
			now = true;
		} else if (frugal(s, line->name)) {
			wanted = 1e18;
		}
	} else if (all_frugal(s)) {
		wanted *= FRUGAL_TIMES;
	}
	sp_samples_fold(samples, s->seconds);
	if (now || due(s, sp_samples_folded(samples), wanted))
		sp_samples_flush(samples, s->config.recorder, name, driver->name);
}

static void close_minute(struct sp_summaries *s, struct line *line, const struct sp_clock_reading *now)
{
	double had = (double)(now->mono_us - line->closed_us) / 1e6;
	// At the end, sp_minutes_end() does it.
	if (s->all || (frugal(s, line->name) &&
		       !due(s, had, (double)FRUGAL_WINDOWS * (double)s->config.window_ms / 1000)))
		return;
	sp_minutes_close(line->minutes, now);
	line->closed_us = now->mono_us;
}

void sp_summaries_close(struct sp_summaries *s, struct sp_devices *devices, struct sp_board_watch *board)
{
	struct sp_clock_reading now = sp_clock_now();
	s->seconds = (double)(now.mono_us - s->window_us) / 1e6;
	if (s->seconds <= 0)
		return;
	s->window_us = now.mono_us;
	sp_devices_windows(devices, close_device, s);
	for (size_t i = 0; i < s->count; i++)
		close_minute(s, &s->lines[i], &now);
	double wanted = (double)s->config.samples_ms / 1000 * (all_frugal(s) ? FRUGAL_TIMES : 1);
	if (board && sp_board_watch_fold(board, s->seconds) >= wanted - s->seconds / 2)
		sp_board_watch_flush(board);
}

void sp_summaries_look(struct sp_summaries *s)
{
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; i < s->count; i++)
		sp_minutes_look(s->lines[i].minutes, &now);
}

void sp_summaries_end(struct sp_summaries *s, struct sp_devices *devices, struct sp_board_watch *board)
{
	s->all = true;
	sp_summaries_close(s, devices, board);
	struct sp_clock_reading now = sp_clock_now();
	for (size_t i = 0; i < s->count; i++)
		sp_minutes_end(s->lines[i].minutes, &now);
	if (board)
		sp_board_watch_flush(board);
}
