// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Records as the real encoder writes them, kept for tests to look at.
#include "tests/unit/core/recorder_list.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/feed.h"
#include "agent/base/mem.h"

static int keep(struct sp_recorder *recorder, enum sp_record_class cls, const char *type, const char *device,
		const struct sp_field *fields, size_t count, sp_journal_done_fn done, void *arg)
{
	struct recorder_list *list = (struct recorder_list *)recorder;
	if (list->refuse)
		return list->refuse;
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX + 1);
	struct sp_clock_reading when = recorder->when ? *recorder->when : sp_clock_now();
	int result = sp_feed_record(&text, type, device, &when, fields, count);
	if (!result) {
		list->items = sp_realloc(list->items, (list->count + 1) * sizeof(*list->items));
		list->items[list->count].cls = cls;
		list->items[list->count].json = cJSON_Parse(text.data);
		list->items[list->count].done = done;
		list->items[list->count].arg = arg;
		list->count++;
	}
	sp_buf_free(&text);
	return result;
}

void recorder_list_init(struct recorder_list *list)
{
	*list = (struct recorder_list){.base = {.record = keep}};
}

void recorder_list_clear(struct recorder_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		cJSON_Delete(list->items[i].json);
	free(list->items);
	recorder_list_init(list);
}

const char *recorder_text(const struct recorder_list *list, size_t index, const char *name)
{
	if (index >= list->count)
		return "(no such record)";
	const char *text =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(list->items[index].json, name));
	return text ? text : "";
}

double recorder_number(const struct recorder_list *list, size_t index, const char *name)
{
	const cJSON *item =
	    index < list->count ? cJSON_GetObjectItemCaseSensitive(list->items[index].json, name) : NULL;
	return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

size_t recorder_count(const struct recorder_list *list, const char *type)
{
	size_t count = 0;
	for (size_t i = 0; i < list->count; i++)
		count += strcmp(recorder_text(list, i, "type"), type) == 0;
	return count;
}

size_t recorder_last(const struct recorder_list *list, const char *type)
{
	for (size_t i = list->count; i-- > 0;)
		if (strcmp(recorder_text(list, i, "type"), type) == 0)
			return i;
	return SIZE_MAX;
}
