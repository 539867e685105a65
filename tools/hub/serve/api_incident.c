// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Incidents as JSON.
#include "tools/hub/serve/api_incident.h"

#include <stdlib.h>

#include "agent/base/mem.h"
#include "tools/hub/text/json_out.h"

struct list {
	struct sp_buf *out;
	int64_t *ids;
	size_t count;
	bool open; ///< the object of the incident is not closed yet: its members follow
};

static void member_row(void *arg, const struct sp_incident_member_view *member)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_text(out, "device", member->device);
	sp_out_text_or_null(out, "school", member->school);
	sp_out_text_or_null(out, "school_name", member->school_name);
	sp_out_text_or_null(out, "site", member->site);
	sp_out_text(out, "line", member->line);
	sp_out_text_or_null(out, "area", member->area);
	sp_out_text_or_null(out, "provider", member->provider);
	sp_out_int(out, "from_ms", member->from_ms);
	sp_out_seconds_or_null(out, "from_uncertainty_seconds", member->err_ms);
	sp_out_int_or_null(out, "to_ms", member->to_ms);
	sp_out_text(out, "told", member->told);
	sp_out_int(out, "joined_ms", member->joined_ms);
	sp_out_close(out, '}');
}

static void incident_row(void *arg, const struct sp_incident_view *incident)
{
	struct list *list = arg;
	struct sp_buf *out = list->out;
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "id", incident->id);
	sp_out_text(out, "scope", incident->scope);
	sp_out_text_or_null(out, "provider", incident->provider);
	sp_out_text_or_null(out, "area", incident->area);
	sp_out_text_or_null(out, "hop", incident->hop);
	sp_out_text(out, "cause", incident->cause);
	sp_out_int(out, "from_ms", incident->from_ms);
	sp_out_int_or_null(out, "to_ms", incident->to_ms);
	sp_out_int(out, "boards", incident->boards);
	sp_out_int(out, "of_boards", incident->of_boards);
	sp_out_int(out, "away", incident->away);
	sp_out_int(out, "told_line", incident->told_line);
	sp_out_int(out, "told_power", incident->told_power);
	sp_out_int(out, "found_ms", incident->found_ms);
	sp_out_int_or_null(out, "changed_ms", incident->changed_ms);
	if (!list->open)
		sp_out_close(out, '}');
}

static void id_row(void *arg, const struct sp_incident_view *incident)
{
	struct list *list = arg;
	if ((list->count & (list->count - 1)) == 0)
		list->ids = sp_realloc(list->ids, (list->count ? list->count * 2 : 1) * sizeof(*list->ids));
	list->ids[list->count++] = incident->id;
}

/// A row's query is over before that of its members begins.
static int with_members(struct sp_store *store, const struct sp_incident_filter *filter, int64_t members,
			struct list *list)
{
	int result = sp_store_incidents(store, filter, id_row, list);
	list->open = true;
	for (size_t i = 0; result == 0 && i < list->count; i++) {
		const struct sp_incident_filter one = {
		    .id = list->ids[i], .to_ms = INT64_MAX, .from_ms = 0, .limit = 1};
		result = sp_store_incidents(store, &one, incident_row, list);
		sp_out_open(list->out, "members", '[');
		if (result == 0)
			result =
			    sp_store_incident_members(store, list->ids[i], members, member_row, list->out);
		sp_out_close(list->out, ']');
		sp_out_close(list->out, '}');
	}
	free(list->ids);
	return result;
}

int sp_api_incidents(struct sp_store *store, const struct sp_incident_filter *filter, int64_t members,
		     struct sp_buf *out)
{
	struct list list = {.out = out};
	sp_out_open(out, NULL, '{');
	sp_out_open(out, "incidents", '[');
	int result = members > 0 ? with_members(store, filter, members, &list)
				 : sp_store_incidents(store, filter, incident_row, &list);
	sp_out_close(out, ']');
	sp_out_close(out, '}');
	return result;
}

// ---- samples ------------------------------------------------------------------------------------------

static void sample_row(void *arg, const struct sp_sample_view *sample)
{
	struct sp_buf *out = arg;
	sp_out_open(out, NULL, '{');
	sp_out_int(out, "t_ms", sample->t_ms);
	sp_out_text_or_null(out, "instance", sample->instance);
	sp_out_raw(out, "data", sample->data);
	sp_out_close(out, '}');
}

int sp_api_samples(struct sp_store *store, const struct sp_sample_filter *filter, struct sp_buf *out)
{
	sp_out_open(out, NULL, '{');
	sp_out_open(out, "samples", '[');
	int result = sp_store_samples(store, filter, sample_row, out);
	sp_out_close(out, ']');
	sp_out_close(out, '}');
	return result;
}
