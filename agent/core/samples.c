// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Accumulators by (metric, target), and the record made of them.
#include "agent/core/samples.h"

#include <math.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

/// One window of one series.
struct window {
	bool unavailable;
	int64_t count;
	double min, max, sum, last;
};

struct series {
	unsigned metric;
	char target[SP_SAMPLES_TARGET_MAX + 1];
	struct window now, before;
};

struct sp_samples {
	const struct sp_metric *metrics;
	size_t metric_count;
	struct series *series;
	size_t count;
	bool closed_once, full_said;
};

struct sp_samples *sp_samples_new(const struct sp_metric *metrics)
{
	struct sp_samples *samples = sp_alloc(sizeof(*samples));
	samples->metrics = metrics;
	while (metrics && metrics[samples->metric_count].name)
		samples->metric_count++;
	return samples;
}

void sp_samples_free(struct sp_samples *samples)
{
	if (!samples)
		return;
	free(samples->series);
	free(samples);
}

/// NULL when the metric has its share of targets already.
static struct window *window_of(struct sp_samples *samples, unsigned metric, const char *target)
{
	if (metric >= samples->metric_count) { // a driver that names a metric it has not declared
		sp_err("samples", "metric %u of %zu", metric, samples->metric_count);
		return NULL;
	}
	char name[SP_SAMPLES_TARGET_MAX + 1] = "";
	if (target)
		memcpy(name, target, strnlen(target, SP_SAMPLES_TARGET_MAX));
	size_t targets = 0;
	for (size_t i = 0; i < samples->count; i++) {
		if (samples->series[i].metric != metric)
			continue;
		if (strcmp(samples->series[i].target, name) == 0)
			return &samples->series[i].now;
		targets++;
	}
	if (targets >= SP_SAMPLES_TARGETS) {
		if (!samples->full_said)
			sp_warning("samples", "%s: more than %d targets, the rest is ignored",
				   samples->metrics[metric].name, SP_SAMPLES_TARGETS);
		samples->full_said = true;
		return NULL;
	}
	samples->series = sp_realloc(samples->series, (samples->count + 1) * sizeof(*samples->series));
	struct series *series = &samples->series[samples->count++];
	*series = (struct series){.metric = metric};
	memcpy(series->target, name, sizeof(name));
	return &series->now;
}

void sp_samples_add(struct sp_samples *samples, unsigned metric, const char *target, double value)
{
	struct window *window = window_of(samples, metric, target);
	if (!window)
		return;
	if (!isfinite(value)) {
		window->unavailable = true;
		return;
	}
	if (window->count == 0 || value < window->min)
		window->min = value;
	if (window->count == 0 || value > window->max)
		window->max = value;
	window->sum += value;
	window->last = value;
	window->count++;
}

void sp_samples_unavailable(struct sp_samples *samples, unsigned metric, const char *target)
{
	struct window *window = window_of(samples, metric, target);
	if (window)
		window->unavailable = true;
}

static double mean(const struct window *window)
{
	double value = window->sum / (double)window->count;
	// Rounding must not put the mean outside of what was measured.
	return value < window->min ? window->min : value > window->max ? window->max : value;
}

/// Memory of one record under construction.
struct draft {
	struct sp_field *metrics, *targets, *values, *missing;
	size_t metric_count, target_count, value_count, missing_count;
};

static void add_value(struct draft *draft, const struct series *series, enum sp_metric_kind kind)
{
	const struct window *window = &series->now;
	struct sp_field *values = &draft->values[draft->value_count];
	size_t count = 0;
	if (kind == SP_METRIC_GAUGE) {
		values[count++] = SP_INT("", window->count);
		values[count++] = SP_REAL("", window->min);
		values[count++] = SP_REAL("", mean(window));
		values[count++] = SP_REAL("", window->max);
	} else {
		values[count++] = SP_REAL("", window->last);
	}
	draft->value_count += count;
	draft->targets[draft->target_count++] = SP_LIST(series->target, values, count);
}

static void add_metric(struct draft *draft, const struct sp_samples *samples, unsigned metric)
{
	const struct sp_metric *what = &samples->metrics[metric];
	struct sp_field *targets = &draft->targets[draft->target_count];
	size_t before = draft->target_count;
	bool unavailable = false;
	for (size_t i = 0; i < samples->count; i++) {
		const struct series *series = &samples->series[i];
		if (series->metric != metric)
			continue;
		if (series->now.count > 0)
			add_value(draft, series, what->kind);
		else if (series->now.unavailable)
			unavailable = true;
	}
	size_t found = draft->target_count - before;
	if (found > 0)
		draft->metrics[draft->metric_count++] = SP_OBJECT(what->name, targets, found);
	else if (unavailable)
		draft->missing[draft->missing_count++] = SP_TEXT("", what->name);
}

static int record_some(const struct sp_samples *samples, unsigned from, unsigned to,
		       struct sp_recorder *recorder, const char *device, const char *driver, double seconds)
{
	struct draft draft = {
	    .metrics = sp_alloc((to - from) * sizeof(struct sp_field)),
	    .targets = sp_alloc((samples->count + 1) * sizeof(struct sp_field)),
	    .values = sp_alloc((samples->count + 1) * 4 * sizeof(struct sp_field)),
	    .missing = sp_alloc((to - from) * sizeof(struct sp_field)),
	};
	for (unsigned metric = from; metric < to; metric++)
		add_metric(&draft, samples, metric);
	int result = 0;
	if (draft.metric_count > 0 || draft.missing_count > 0) {
		struct sp_field fields[] = {
		    SP_TEXT("driver", driver),
		    SP_REAL("seconds", seconds),
		    SP_OBJECT("metrics", draft.metrics, draft.metric_count),
		    SP_LIST("unavailable", draft.missing, draft.missing_count),
		};
		size_t count = SP_COUNT(fields) - (draft.missing_count > 0 ? 0 : 1);
		result = sp_record(recorder, SP_RECORD_BULK, "samples", device, fields, count, NULL, NULL);
	}
	free(draft.metrics);
	free(draft.targets);
	free(draft.values);
	free(draft.missing);
	return result;
}

static void record_range(const struct sp_samples *samples, unsigned from, unsigned to,
			 struct sp_recorder *recorder, const char *device, const char *driver, double seconds)
{
	int result = record_some(samples, from, to, recorder, device, driver, seconds);
	if (result == -EMSGSIZE && to - from > 1) {
		unsigned middle = from + (to - from) / 2;
		record_range(samples, from, middle, recorder, device, driver, seconds);
		record_range(samples, middle, to, recorder, device, driver, seconds);
	} else if (result) {
		sp_warning("samples", "%s: a window was not recorded: %s", device, strerror(-result));
	}
}

void sp_samples_close(struct sp_samples *samples, struct sp_recorder *recorder, const char *device,
		      const char *driver, double seconds)
{
	if (samples->metric_count > 0)
		record_range(samples, 0, (unsigned)samples->metric_count, recorder, device, driver, seconds);
	size_t kept = 0;
	for (size_t i = 0; i < samples->count; i++) {
		struct series *series = &samples->series[i];
		bool silent = series->now.count == 0 && !series->now.unavailable;
		// Silent for two windows: that target is gone, and its place is free.
		if (silent && series->before.count == 0 && !series->before.unavailable)
			continue;
		series->before = series->now;
		series->now = (struct window){0};
		samples->series[kept++] = *series;
	}
	samples->count = kept;
	samples->closed_once = true;
}

bool sp_samples_last(const struct sp_samples *samples, size_t index, struct sp_summary *out)
{
	if (index >= samples->count)
		return false;
	const struct series *series = &samples->series[index];
	const struct window *window = samples->closed_once ? &series->before : &series->now;
	// A target that is new in this window has nothing else to show.
	if (window->count == 0 && !window->unavailable)
		window = &series->now;
	const struct sp_metric *metric = &samples->metrics[series->metric];
	*out = (struct sp_summary){
	    .metric = metric->name,
	    .unit = metric->unit,
	    .target = series->target,
	    .kind = metric->kind,
	    .known = window->count > 0,
	    .count = window->count,
	};
	if (out->known) {
		out->min = window->min;
		out->max = window->max;
		out->mean = mean(window);
		out->last = window->last;
	}
	return true;
}
