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
	struct window digest; ///< windows that ended without a record
};

struct sp_samples {
	const struct sp_metric *metrics;
	size_t metric_count;
	struct series *series;
	size_t count;
	bool closed_once, full_said;
	double digest_seconds; ///< that the digests are of; 0: empty
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
	const struct window *window = &series->digest;
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
		if (series->digest.count > 0)
			add_value(draft, series, what->kind);
		else if (series->digest.unavailable)
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

static void fold(struct window *into, const struct window *from)
{
	into->unavailable = into->unavailable || from->unavailable;
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (into->count == 0 || from->max > into->max)
		into->max = from->max;
	into->sum += from->sum;
	into->last = from->last;
	into->count += from->count;
}

static bool empty(const struct window *window)
{
	return window->count == 0 && !window->unavailable;
}

void sp_samples_fold(struct sp_samples *samples, double seconds)
{
	size_t kept = 0;
	for (size_t i = 0; i < samples->count; i++) {
		struct series *series = &samples->series[i];
		// Silent for two windows: that target is gone, and its place is free.
		if (empty(&series->now) && empty(&series->before) && empty(&series->digest))
			continue;
		fold(&series->digest, &series->now);
		series->before = series->now;
		series->now = (struct window){0};
		samples->series[kept++] = *series;
	}
	samples->count = kept;
	samples->closed_once = true;
	samples->digest_seconds += seconds;
}

void sp_samples_flush(struct sp_samples *samples, struct sp_recorder *recorder, const char *device,
		      const char *driver)
{
	if (samples->metric_count > 0 && samples->digest_seconds > 0)
		record_range(samples, 0, (unsigned)samples->metric_count, recorder, device, driver,
			     samples->digest_seconds);
	for (size_t i = 0; i < samples->count; i++)
		samples->series[i].digest = (struct window){0};
	samples->digest_seconds = 0;
}

void sp_samples_close(struct sp_samples *samples, struct sp_recorder *recorder, const char *device,
		      const char *driver, double seconds)
{
	sp_samples_fold(samples, seconds);
	sp_samples_flush(samples, recorder, device, driver);
}

double sp_samples_folded(const struct sp_samples *samples)
{
	return samples->digest_seconds;
}

static void summarise(const struct sp_samples *samples, const struct series *series,
		      const struct window *window, struct sp_summary *out)
{
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
}

bool sp_samples_now(const struct sp_samples *samples, size_t index, struct sp_summary *out)
{
	if (index >= samples->count)
		return false;
	summarise(samples, &samples->series[index], &samples->series[index].now, out);
	return true;
}

bool sp_samples_last(const struct sp_samples *samples, size_t index, struct sp_summary *out)
{
	if (index >= samples->count)
		return false;
	const struct series *series = &samples->series[index];
	const struct window *window = samples->closed_once ? &series->before : &series->now;
	// A target that is new in this window has nothing else to show.
	if (empty(window))
		window = &series->now;
	summarise(samples, series, window, out);
	return true;
}
