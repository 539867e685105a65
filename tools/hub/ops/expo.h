// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Metrics as text, for Prometheus and whatever reads its formats: OpenMetrics 1.0, and the classic text
// format 0.0.4. Both from the same calls; where they differ (the names of counters and infos, units, "# EOF")
// is known here only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/buf.h"

enum sp_expo_format { SP_EXPO_CLASSIC, SP_EXPO_OPENMETRICS };
enum sp_expo_type { SP_EXPO_COUNTER, SP_EXPO_GAUGE, SP_EXPO_HISTOGRAM, SP_EXPO_INFO };

/// `name` without "_total" or "_info"; with its unit, which is NULL where there is none, as OpenMetrics asks.
struct sp_expo_family {
	enum sp_expo_type type;
	const char *name, *unit, *help;
};

const char *sp_expo_content_type(enum sp_expo_format format);
/// The best that an Accept header allows; classic for NULL and for what it does not know.
enum sp_expo_format sp_expo_accepted(const char *accept);

/// `name="value"`, with a comma before it when `out` is not empty. What is no UTF-8 becomes U+FFFD.
void sp_expo_label(struct sp_buf *out, const char *name, const char *value);

/// All samples of a family follow its head, and no family comes twice.
void sp_expo_head(struct sp_buf *out, enum sp_expo_format format, const struct sp_expo_family *family);
/// `labels` as sp_expo_label() makes them, "" for none.
void sp_expo_int(struct sp_buf *out, const struct sp_expo_family *family, const char *labels, int64_t value);
void sp_expo_real(struct sp_buf *out, const struct sp_expo_family *family, const char *labels, double value);
/// Milliseconds as seconds.
void sp_expo_ms(struct sp_buf *out, const struct sp_expo_family *family, const char *labels, int64_t ms);
/// Of a counter or histogram: since when it counts. Only OpenMetrics has it.
void sp_expo_created(struct sp_buf *out, enum sp_expo_format format, const struct sp_expo_family *family,
		     const char *labels, int64_t ms);
/// `counts` has one entry more than `bounds`: what lies beyond the last. Not cumulative.
void sp_expo_histogram(struct sp_buf *out, const struct sp_expo_family *family, const char *labels,
		       const double *bounds, size_t bound_count, const int64_t *counts, double sum);
void sp_expo_end(struct sp_buf *out, enum sp_expo_format format);
