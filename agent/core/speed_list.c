// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The list of tests.
#include "agent/core/speed_list.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"

#define KEY "speed.last"

/// Of a value in the journal's small state, with some room.
enum { TEXT_MAX = 60 * 1024 };

struct sp_speed_list {
	struct sp_recorder base;
	struct sp_speed_list_config config;
	cJSON *tests[SP_SPEED_LIST_MAX]; ///< the latest first: {"test":…,"device":…,"records":[…]}
	size_t count;
};

static const char *text_of(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
	return text ? text : "";
}

static cJSON *records_of(const cJSON *test)
{
	return cJSON_GetObjectItemCaseSensitive(test, "records");
}

static void take_out(struct sp_speed_list *list, size_t index)
{
	cJSON_Delete(list->tests[index]);
	list->count--;
	memmove(&list->tests[index], &list->tests[index + 1], (list->count - index) * sizeof(list->tests[0]));
}

/// Puts it before the others, and drops the oldest that is too many of its device, or of all.
static void put_first(struct sp_speed_list *list, cJSON *test)
{
	size_t of_device = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(text_of(list->tests[i], "device"), text_of(test, "device")) != 0)
			continue;
		if (++of_device == SP_SPEED_LIST_KEPT)
			take_out(list, i);
	}
	if (list->count == SP_SPEED_LIST_MAX)
		take_out(list, list->count - 1);
	memmove(&list->tests[1], &list->tests[0], list->count * sizeof(list->tests[0]));
	list->tests[0] = test;
	list->count++;
}

/// Without curves; NULL: too much.
static char *kept_text(const struct sp_speed_list *list)
{
	cJSON *root = cJSON_CreateArray();
	for (size_t i = 0; i < list->count; i++) {
		cJSON *test = cJSON_Duplicate(list->tests[i], true), *record;
		cJSON_ArrayForEach(record, records_of(test))
		{
			cJSON_DeleteItemFromObjectCaseSensitive(record, "curve_bps");
		}
		cJSON_AddItemToArray(root, test);
	}
	char *text = cJSON_PrintUnformatted(root);
	cJSON_Delete(root);
	if (text && strlen(text) <= TEXT_MAX)
		return text;
	cJSON_free(text);
	return NULL;
}

static void keep(struct sp_speed_list *list)
{
	char *text;
	while (!(text = kept_text(list)) && list->count > 1)
		take_out(list, list->count - 1);
	if (text)
		list->config.put(list->config.arg, KEY, text);
	cJSON_free(text);
}

static void note(struct sp_speed_list *list, const char *device, const struct sp_field *fields, size_t count)
{
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX + 1);
	struct sp_clock_reading when = list->base.when ? *list->base.when : sp_clock_now();
	cJSON *record = sp_feed_record(&text, "speedtest", device, &when, fields, count) == 0 && text.data
			    ? cJSON_Parse(text.data)
			    : NULL;
	sp_buf_free(&text);
	if (!record)
		return;
	const char *id = text_of(record, "test");
	cJSON *test =
	    list->count > 0 && strcmp(text_of(list->tests[0], "test"), id) == 0 ? list->tests[0] : NULL;
	if (!test) {
		test = cJSON_CreateObject();
		cJSON_AddStringToObject(test, "test", id);
		cJSON_AddStringToObject(test, "device", text_of(record, "device"));
		cJSON_AddArrayToObject(test, "records");
		put_first(list, test);
	}
	cJSON_AddItemToArray(records_of(test), record);
	keep(list);
}

static int record(struct sp_recorder *recorder, enum sp_record_class cls, const char *type,
		  const char *device, const struct sp_field *fields, size_t count, sp_journal_done_fn done,
		  void *arg)
{
	struct sp_speed_list *list = (struct sp_speed_list *)recorder;
	struct sp_recorder *real = list->config.recorder;
	const struct sp_clock_reading *before = real->when;
	if (strcmp(type, "speedtest") == 0)
		note(list, device, fields, count);
	real->when = list->base.when ? list->base.when : before;
	int result = real->record(real, cls, type, device, fields, count, done, arg);
	real->when = before;
	return result;
}

static void load(struct sp_speed_list *list)
{
	char *text = list->config.get(list->config.arg, KEY);
	cJSON *root = text ? cJSON_Parse(text) : NULL;
	free(text);
	for (cJSON *test; list->count < SP_SPEED_LIST_MAX && (test = cJSON_DetachItemFromArray(root, 0));) {
		if (text_of(test, "test")[0] && cJSON_IsArray(records_of(test)))
			list->tests[list->count++] = test;
		else
			cJSON_Delete(test);
	}
	cJSON_Delete(root);
}

struct sp_speed_list *sp_speed_list_new(const struct sp_speed_list_config *config)
{
	struct sp_speed_list *list = sp_alloc(sizeof(*list));
	list->base.record = record;
	list->config = *config;
	load(list);
	return list;
}

void sp_speed_list_free(struct sp_speed_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		cJSON_Delete(list->tests[i]);
	free(list);
}

struct sp_recorder *sp_speed_list_recorder(struct sp_speed_list *list)
{
	return &list->base;
}

cJSON *sp_speed_list_json(const struct sp_speed_list *list)
{
	cJSON *root = cJSON_CreateArray();
	for (size_t i = 0; i < list->count; i++)
		cJSON_AddItemToArray(root, cJSON_Duplicate(list->tests[i], true));
	return root;
}

cJSON *sp_speed_list_test(const struct sp_speed_list *list, const char *test)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(text_of(list->tests[i], "test"), test) == 0)
			return cJSON_Duplicate(records_of(list->tests[i]), true);
	return cJSON_CreateArray();
}
