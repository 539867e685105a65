// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Many measurements as one.
#include "tools/hub/figures/summary.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed_json.h"

#define COUNT_MAX   1e12
#define SECONDS_MAX 1e9
#define VALUE_MAX   1e300

static const char *const states[4] = {"unknown", "up", "degraded", "down"};

static bool number(const cJSON *item, double most, double *out)
{
	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || fabs(item->valuedouble) > most)
		return false;
	*out = item->valuedouble;
	return true;
}

/// In order of metric and target, so that the text does not depend on the order of what was added.
static struct sp_summary_figure *figure(struct sp_summary *summary, const char *metric, const char *target)
{
	size_t at = 0;
	if (strlen(metric) >= sizeof(summary->figures[0].metric) ||
	    strlen(target) >= sizeof(summary->figures[0].target))
		return NULL;
	for (; at < summary->figure_count; at++) {
		int order = strcmp(summary->figures[at].metric, metric);
		if (order == 0)
			order = strcmp(summary->figures[at].target, target);
		if (order == 0)
			return &summary->figures[at];
		if (order > 0)
			break;
	}
	if (summary->figure_count == SP_SUMMARY_FIGURES)
		return NULL;
	memmove(&summary->figures[at + 1], &summary->figures[at],
		(summary->figure_count++ - at) * sizeof(summary->figures[0]));
	struct sp_summary_figure *fresh = &summary->figures[at];
	*fresh = (struct sp_summary_figure){0};
	memcpy(fresh->metric, metric, strlen(metric) + 1);
	memcpy(fresh->target, target, strlen(target) + 1);
	return fresh;
}

/// [n, min, mean, max], [last], or a bare number.
static bool values(const cJSON *item, double out[4])
{
	int size = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : 0;
	if (size == 4) {
		for (int i = 0; i < 4; i++) {
			if (!number(cJSON_GetArrayItem(item, i), i == 0 ? COUNT_MAX : VALUE_MAX, &out[i]))
				return false;
		}
		return out[0] > 0;
	}
	if (!number(size == 1 ? cJSON_GetArrayItem(item, 0) : item, VALUE_MAX, &out[1]))
		return false;
	out[0] = 1;
	out[2] = out[3] = out[1];
	return true;
}

static void add_figure(struct sp_summary *summary, const char *metric, const char *target, const cJSON *item)
{
	double value[4];
	struct sp_summary_figure *into = values(item, value) ? figure(summary, metric, target) : NULL;
	if (!into || into->count + value[0] > COUNT_MAX)
		return;
	if (into->count == 0 || value[1] < into->least)
		into->least = value[1];
	if (into->count == 0 || value[3] > into->most)
		into->most = value[3];
	into->mean += (value[2] - into->mean) * (value[0] / (into->count + value[0]));
	into->count += value[0];
}

static void add_targets(struct sp_summary *summary, const char *metric, const cJSON *targets)
{
	const cJSON *item;
	if (!cJSON_IsObject(targets))
		return;
	cJSON_ArrayForEach(item, targets)
	{
		add_figure(summary, metric, item->string, item);
	}
}

bool sp_summary_add(struct sp_summary *summary, const char *text)
{
	cJSON *root = cJSON_Parse(text);
	const cJSON *item, *metrics = cJSON_GetObjectItemCaseSensitive(root, "metrics");
	const cJSON *spent = cJSON_GetObjectItemCaseSensitive(root, "state_seconds");
	double seconds;
	bool good = cJSON_IsObject(root);
	if (good && number(cJSON_GetObjectItemCaseSensitive(root, "seconds"), SECONDS_MAX, &seconds) &&
	    seconds > 0)
		summary->seconds += seconds;
	for (size_t i = 0; i < 4; i++) {
		if (number(cJSON_GetObjectItemCaseSensitive(spent, states[i]), SECONDS_MAX, &seconds) &&
		    seconds > 0)
			summary->state_seconds[i] += seconds;
	}
	if (cJSON_IsObject(metrics)) {
		cJSON_ArrayForEach(item, metrics)
		{
			add_targets(summary, item->string, item);
		}
	}
	// A `minute` has its figures beside the others.
	static const char *const direct[] = {"rtt_seconds", "loss_ratio"};
	for (size_t i = 0; i < SP_COUNT(direct); i++)
		add_targets(summary, direct[i], cJSON_GetObjectItemCaseSensitive(root, direct[i]));
	cJSON_Delete(root);
	return good;
}

/// Four digits in front of what the mean of many measurements is worth are enough; counts are whole.
static void real(struct sp_buf *out, double value)
{
	sp_buf_printf(out, "%.7g", value);
}

static void print_states(struct sp_buf *out, const struct sp_summary *summary)
{
	const char *comma = "";
	bool any = false;
	for (size_t i = 0; i < 4; i++)
		any |= summary->state_seconds[i] > 0;
	if (!any)
		return;
	sp_buf_text(out, ",\"state_seconds\":{");
	for (size_t i = 0; i < 4; i++) {
		if (summary->state_seconds[i] <= 0)
			continue;
		sp_buf_printf(out, "%s\"%s\":", comma, states[i]);
		real(out, summary->state_seconds[i]);
		comma = ",";
	}
	sp_buf_text(out, "}");
}

static void print_figure(struct sp_buf *out, const struct sp_summary_figure *figure)
{
	sp_json_text(out, figure->target);
	sp_buf_printf(out, ":[%.0f,", figure->count);
	real(out, figure->least);
	sp_buf_text(out, ",");
	real(out, figure->mean);
	sp_buf_text(out, ",");
	real(out, figure->most);
	sp_buf_text(out, "]");
}

void sp_summary_print(struct sp_buf *out, const struct sp_summary *summary)
{
	sp_buf_text(out, "{\"seconds\":");
	real(out, summary->seconds);
	print_states(out, summary);
	sp_buf_text(out, ",\"metrics\":{");
	for (size_t i = 0; i < summary->figure_count; i++) {
		const struct sp_summary_figure *figure = &summary->figures[i];
		bool first = i == 0 || strcmp(summary->figures[i - 1].metric, figure->metric) != 0;
		bool last = i + 1 == summary->figure_count ||
			    strcmp(summary->figures[i + 1].metric, figure->metric) != 0;
		sp_buf_text(out, i > 0 ? "," : "");
		if (first) {
			sp_json_text(out, figure->metric);
			sp_buf_text(out, ":{");
		}
		print_figure(out, figure);
		sp_buf_text(out, last ? "}" : "");
	}
	sp_buf_text(out, "}}");
}
