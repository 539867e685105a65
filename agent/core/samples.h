// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Measurements of one device, summarised per window: one `samples` record in bulk instead of every
// single value.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/recorder.h"
#include "schoolpulse/driver.h"

enum { SP_SAMPLES_TARGETS = 32, SP_SAMPLES_TARGET_MAX = 64 };

struct sp_samples;

/// What one metric was at one target in one window.
struct sp_summary {
	const char *metric, *unit;
	const char *target; ///< "" where there is just one
	enum sp_metric_kind kind;
	bool known;                  ///< false: asked for and unavailable
	int64_t count;               ///< values; 0 while unavailable
	double min, mean, max, last; ///< all of `last` for a counter
};

/// `metrics` ends with name NULL and must outlive this; NULL: the device measures nothing.
struct sp_samples *sp_samples_new(const struct sp_metric *metrics);
void sp_samples_free(struct sp_samples *samples);

/// A value that is no finite number counts as unavailable; a 33rd target is ignored, and said once.
void sp_samples_add(struct sp_samples *samples, unsigned metric, const char *target, double value);
void sp_samples_unavailable(struct sp_samples *samples, unsigned metric, const char *target);

/// Ends the window, keeps it for sp_samples_last() and begins the next. What was measured in it is added to a
/// digest of the windows since the last record.
void sp_samples_fold(struct sp_samples *samples, double seconds);
/// How many seconds the digest is of; 0: it is empty.
double sp_samples_folded(const struct sp_samples *samples);
/// Records the digest when there is anything to say, and empties it. A record that would be too long is split
/// by metric.
void sp_samples_flush(struct sp_samples *samples, struct sp_recorder *recorder, const char *device,
		      const char *driver);
/// Both.
void sp_samples_close(struct sp_samples *samples, struct sp_recorder *recorder, const char *device,
		      const char *driver, double seconds);

/// The i-th summary of the last closed window, or of the running one while none was closed; false
/// beyond the end.
bool sp_samples_last(const struct sp_samples *samples, size_t index, struct sp_summary *out);
/// The same of the window that runs.
bool sp_samples_now(const struct sp_samples *samples, size_t index, struct sp_summary *out);
