// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The two text formats, after the OpenMetrics 1.0 specification and "Exposition formats" of Prometheus.
#include "tools/hub/ops/expo.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/utf8.h"

const char *sp_expo_content_type(enum sp_expo_format format)
{
	return format == SP_EXPO_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
					     : "text/plain; version=0.0.4; charset=utf-8";
}

// ---- what is asked for --------------------------------------------------------------------------------

/// The weight of one member of Accept (RFC 9110 §12.4.2), in thousandths.
static int weight_of(const char *parameters, size_t length)
{
	for (const char *at = parameters, *end = parameters + length; at < end; at++) {
		if (*at != ';')
			continue;
		for (at++; at < end && (*at == ' ' || *at == '\t');)
			at++;
		if (end - at < 3 || (*at != 'q' && *at != 'Q') || at[1] != '=')
			continue;
		int weight = at[2] == '1' ? 1000 : 0, scale = 100;
		if (at[2] == '0' && end - at > 3 && at[3] == '.') {
			for (at += 4; at < end && isdigit((unsigned char)*at) && scale > 0; at++, scale /= 10)
				weight += (*at - '0') * scale;
		}
		return weight;
	}
	return 1000;
}

static bool is_type(const char *member, size_t length, const char *type)
{
	size_t want = strlen(type);
	return length >= want && strncasecmp(member, type, want) == 0 &&
	       (length == want || strchr("; \t", member[want]));
}

enum sp_expo_format sp_expo_accepted(const char *accept)
{
	int classic = -1, open = -1;
	for (const char *at = accept ? accept : ""; *at;) {
		at += strspn(at, " \t,");
		size_t length = strcspn(at, ",");
		int weight = weight_of(at, length);
		if (is_type(at, length, "application/openmetrics-text") && weight > open)
			open = weight;
		if (is_type(at, length, "text/plain") && weight > classic)
			classic = weight;
		at += length;
	}
	return open > 0 && open >= classic ? SP_EXPO_OPENMETRICS : SP_EXPO_CLASSIC;
}

// ---- writing ----------------------------------------------------------------------------------------

static void add_escaped(struct sp_buf *out, const char *text, bool quotes)
{
	for (size_t left = strlen(text), step; left > 0; left -= step, text += step) {
		uint32_t character;
		step = sp_utf8_next(text, left, &character);
		if (step == 0) {
			step = 1;
			sp_buf_text(out, "\xef\xbf\xbd");
		} else if (*text == '\n') {
			sp_buf_text(out, "\\n");
		} else if (*text == '\\' || (quotes && *text == '"')) {
			sp_buf_add(out, "\\", 1);
			sp_buf_add(out, text, 1);
		} else {
			sp_buf_add(out, text, step);
		}
	}
}

void sp_expo_label(struct sp_buf *out, const char *name, const char *value)
{
	if (out->length > 0)
		sp_buf_add(out, ",", 1);
	sp_buf_text(out, name);
	sp_buf_add(out, "=\"", 2);
	add_escaped(out, value, true);
	sp_buf_add(out, "\"", 1);
}

/// What a counter's and an info's samples have behind the family's name.
static const char *suffix_of(enum sp_expo_type type)
{
	switch (type) {
	case SP_EXPO_COUNTER:
		return "_total";
	case SP_EXPO_INFO:
		return "_info";
	case SP_EXPO_GAUGE:
	case SP_EXPO_HISTOGRAM:
		return "";
	}
	return "";
}

static const char *type_name(enum sp_expo_type type, enum sp_expo_format format)
{
	switch (type) {
	case SP_EXPO_COUNTER:
		return "counter";
	case SP_EXPO_HISTOGRAM:
		return "histogram";
	case SP_EXPO_INFO:
		return format == SP_EXPO_OPENMETRICS ? "info" : "gauge";
	case SP_EXPO_GAUGE:
		return "gauge";
	}
	return "unknown";
}

void sp_expo_head(struct sp_buf *out, enum sp_expo_format format, const struct sp_expo_family *family)
{
	// The classic format knows samples only: the head names what they are called.
	const char *suffix = format == SP_EXPO_CLASSIC ? suffix_of(family->type) : "";
	sp_buf_printf(out, "# HELP %s%s ", family->name, suffix);
	add_escaped(out, family->help, format == SP_EXPO_OPENMETRICS);
	sp_buf_printf(out, "\n# TYPE %s%s %s\n", family->name, suffix, type_name(family->type, format));
	if (format == SP_EXPO_OPENMETRICS && family->unit)
		sp_buf_printf(out, "# UNIT %s %s\n", family->name, family->unit);
}

static void begin(struct sp_buf *out, const char *name, const char *suffix, const char *labels)
{
	sp_buf_text(out, name);
	sp_buf_text(out, suffix);
	if (labels[0]) {
		sp_buf_add(out, "{", 1);
		sp_buf_text(out, labels);
		sp_buf_add(out, "}", 1);
	}
}

void sp_expo_int(struct sp_buf *out, const struct sp_expo_family *family, const char *labels, int64_t value)
{
	begin(out, family->name, suffix_of(family->type), labels);
	sp_buf_printf(out, " %" PRId64 "\n", value);
}

void sp_expo_real(struct sp_buf *out, const struct sp_expo_family *family, const char *labels, double value)
{
	begin(out, family->name, suffix_of(family->type), labels);
	sp_buf_printf(out, " %.10g\n", value);
}

static void seconds(struct sp_buf *out, int64_t ms)
{
	sp_buf_printf(out, " %" PRId64 ".%03d\n", ms / 1000, (int)(ms % 1000));
}

void sp_expo_ms(struct sp_buf *out, const struct sp_expo_family *family, const char *labels, int64_t ms)
{
	begin(out, family->name, suffix_of(family->type), labels);
	seconds(out, ms < 0 ? 0 : ms);
}

void sp_expo_created(struct sp_buf *out, enum sp_expo_format format, const struct sp_expo_family *family,
		     const char *labels, int64_t ms)
{
	if (format != SP_EXPO_OPENMETRICS)
		return;
	begin(out, family->name, "_created", labels);
	seconds(out, ms < 0 ? 0 : ms);
}

void sp_expo_histogram(struct sp_buf *out, const struct sp_expo_family *family, const char *labels,
		       const double *bounds, size_t bound_count, const int64_t *counts, double sum)
{
	int64_t all = 0;
	const char *comma = labels[0] ? "," : "";
	for (size_t i = 0; i <= bound_count; i++) {
		all += counts[i];
		sp_buf_printf(out, "%s_bucket{%s%sle=\"", family->name, labels, comma);
		if (i == bound_count) {
			sp_buf_text(out, "+Inf");
		} else {
			char bound[32];
			snprintf(bound, sizeof(bound), "%.10g", bounds[i]);
			// A canonical number (OpenMetrics): 1 is 1.0.
			sp_buf_printf(out, "%s%s", bound, strpbrk(bound, ".e") ? "" : ".0");
		}
		sp_buf_printf(out, "\"} %" PRId64 "\n", all);
	}
	begin(out, family->name, "_count", labels);
	sp_buf_printf(out, " %" PRId64 "\n", all);
	begin(out, family->name, "_sum", labels);
	sp_buf_printf(out, " %.10g\n", sum);
}

void sp_expo_end(struct sp_buf *out, enum sp_expo_format format)
{
	if (format == SP_EXPO_OPENMETRICS)
		sp_buf_text(out, "# EOF\n");
}
