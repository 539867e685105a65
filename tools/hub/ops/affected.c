// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Open incidents and their members, the latter sorted to be looked up.
#include "tools/hub/ops/affected.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/store_sums.h"

enum { INCIDENTS_MAX = 200, MEMBERS_MAX = 100000 };

struct incident {
	int64_t id, away;
	char labels[512];
};

struct member {
	char *device, *line;
	int64_t incident;
};

struct sp_affected {
	struct incident incidents[INCIDENTS_MAX];
	size_t incident_count;
	struct member *members;
	size_t member_count, room;
	int64_t reading; ///< the incident whose members come
};

static void add_incident(void *arg, const struct sp_incident_view *view)
{
	struct sp_affected *affected = arg;
	struct sp_buf labels = SP_BUF(sizeof(affected->incidents[0].labels));
	char id[24], key[256];
	if (affected->incident_count == INCIDENTS_MAX)
		return;
	struct incident *incident = &affected->incidents[affected->incident_count];
	const char *first = view->provider[0] && (view->area[0] || view->hop[0]) ? " / " : "";
	snprintf(id, sizeof(id), "%" PRId64, view->id);
	snprintf(key, sizeof(key), "%s%s%s%s%s", view->provider, first, view->area,
		 view->area[0] && view->hop[0] ? " / " : "", view->hop);
	sp_expo_label(&labels, "incident", id);
	sp_expo_label(&labels, "kind", view->scope);
	sp_expo_label(&labels, "key", key);
	sp_expo_label(&labels, "cause", view->cause);
	if (!labels.overflowed) {
		snprintf(incident->labels, sizeof(incident->labels), "%s", labels.data);
		incident->id = view->id;
		incident->away = view->away;
		affected->incident_count++;
	}
	sp_buf_free(&labels);
}

static void add_member(void *arg, const struct sp_incident_member_view *view)
{
	struct sp_affected *affected = arg;
	if (view->to_ms >= 0)
		return;
	if (affected->member_count == affected->room) {
		affected->room = affected->room ? 2 * affected->room : 64;
		affected->members =
		    sp_realloc(affected->members, affected->room * sizeof(*affected->members));
	}
	affected->members[affected->member_count++] =
	    (struct member){sp_strdup(view->device), sp_strdup(view->line), affected->reading};
}

static int by_line(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = strcmp(a->device, b->device);
	return order ? order : strcmp(a->line, b->line);
}

int sp_affected_read(struct sp_affected **out, struct sp_store *store)
{
	const struct sp_incident_filter open = {
	    .open = true, .id = -1, .from_ms = 0, .to_ms = INT64_MAX, .limit = INCIDENTS_MAX};
	struct sp_affected *affected = sp_alloc(sizeof(*affected));
	*out = affected;
	int result = sp_store_incidents(store, &open, add_incident, affected);
	for (size_t i = 0; result == 0 && i < affected->incident_count; i++) {
		affected->reading = affected->incidents[i].id;
		result =
		    sp_store_incident_members(store, affected->reading, MEMBERS_MAX, add_member, affected);
	}
	if (affected->member_count > 0)
		qsort(affected->members, affected->member_count, sizeof(*affected->members), by_line);
	return result;
}

void sp_affected_free(struct sp_affected *affected)
{
	if (!affected)
		return;
	for (size_t i = 0; i < affected->member_count; i++) {
		free(affected->members[i].device);
		free(affected->members[i].line);
	}
	free(affected->members);
	free(affected);
}

int64_t sp_affected_by(const struct sp_affected *affected, const char *device, const char *line)
{
	const struct member key = {.device = (char *)(uintptr_t)device, .line = (char *)(uintptr_t)line};
	if (affected->member_count == 0)
		return 0;
	const struct member *found =
	    bsearch(&key, affected->members, affected->member_count, sizeof(key), by_line);
	return found ? found->incident : 0;
}

void sp_affected_expose(const struct sp_affected *affected, struct sp_buf *out, enum sp_expo_format format)
{
	static const struct sp_expo_family family = {
	    SP_EXPO_GAUGE, "schoolpulse_incident_lines", NULL,
	    "Lines that are not back from a regional incident that lasts."};
	sp_expo_head(out, format, &family);
	for (size_t i = 0; i < affected->incident_count; i++)
		sp_expo_int(out, &family, affected->incidents[i].labels, affected->incidents[i].away);
}
