// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The list of tests.
#include "agent/core/speed/list.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/base/member.h"

#define KEY "speed.last"

/// Of a value in the journal's small state, with some room.
enum { TEXT_MAX = 60 * 1024 };

/// As text: a test's tree of JSON takes ten times as much.
struct kept {
	char *test, *device;
	char *records; ///< a list
};

struct sp_speed_list {
	struct sp_recorder base;
	struct sp_speed_list_config config;
	struct kept tests[SP_SPEED_LIST_MAX]; ///< the latest first
	size_t count;
};

static void take_out(struct sp_speed_list *list, size_t index)
{
	struct kept *test = &list->tests[index];
	free(test->test);
	free(test->device);
	free(test->records);
	list->count--;
	memmove(test, test + 1, (list->count - index) * sizeof(*test));
}

/// Drops the oldest that is one too many of its device, or of all, and makes room before the others.
static struct kept *put_first(struct sp_speed_list *list, const char *test, const char *device)
{
	size_t of_device = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->tests[i].device, device) != 0)
			continue;
		if (++of_device == SP_SPEED_LIST_KEPT)
			take_out(list, i);
	}
	if (list->count == SP_SPEED_LIST_MAX)
		take_out(list, list->count - 1);
	memmove(&list->tests[1], &list->tests[0], list->count * sizeof(list->tests[0]));
	list->tests[0] =
	    (struct kept){.test = sp_strdup(test), .device = sp_strdup(device), .records = sp_strdup("[]")};
	list->count++;
	return &list->tests[0];
}

static void set_records(struct kept *test, const cJSON *records)
{
	char *text = cJSON_PrintUnformatted(records);
	if (!text)
		return;
	free(test->records);
	test->records = sp_strdup(text);
	cJSON_free(text);
}

static cJSON *test_json(const struct kept *test)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "test", test->test);
	cJSON_AddStringToObject(json, "device", test->device);
	cJSON_AddItemToObject(json, "records", cJSON_Parse(test->records));
	return json;
}

/// Without curves; one tree at a time.
static void add_kept_text(struct sp_buf *out, const struct kept *test)
{
	cJSON *json = test_json(test), *record;
	cJSON_ArrayForEach(record, cJSON_GetObjectItemCaseSensitive(json, "records"))
	{
		cJSON_DeleteItemFromObjectCaseSensitive(record, "curve_bps");
	}
	char *text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	sp_buf_text(out, text ? text : "{}");
	cJSON_free(text);
}

/// False: too much.
static bool kept_text(const struct sp_speed_list *list, struct sp_buf *out)
{
	sp_buf_text(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		sp_buf_text(out, i > 0 ? "," : "");
		add_kept_text(out, &list->tests[i]);
	}
	sp_buf_text(out, "]");
	return !out->overflowed;
}

static void keep(struct sp_speed_list *list)
{
	for (bool fits = false; !fits && list->count > 0;) {
		struct sp_buf text = SP_BUF(TEXT_MAX);
		fits = kept_text(list, &text);
		if (fits)
			list->config.put(list->config.arg, KEY, text.data);
		else
			take_out(list, list->count - 1);
		sp_buf_free(&text);
	}
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
	const char *id = sp_member_text(record, "test");
	struct kept *test = list->count > 0 && strcmp(list->tests[0].test, id) == 0
				? &list->tests[0]
				: put_first(list, id, sp_member_text(record, "device"));
	cJSON *records = cJSON_Parse(test->records);
	cJSON_AddItemToArray(records, record);
	set_records(test, records);
	cJSON_Delete(records);
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
	const cJSON *test;
	cJSON_ArrayForEach(test, root)
	{
		const cJSON *records = cJSON_GetObjectItemCaseSensitive(test, "records");
		if (list->count == SP_SPEED_LIST_MAX || !sp_member_text(test, "test")[0] ||
		    !cJSON_IsArray(records))
			continue;
		list->tests[list->count] = (struct kept){.test = sp_strdup(sp_member_text(test, "test")),
							 .device = sp_strdup(sp_member_text(test, "device")),
							 .records = sp_strdup("[]")};
		set_records(&list->tests[list->count++], records);
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
	while (list->count > 0)
		take_out(list, list->count - 1);
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
		cJSON_AddItemToArray(root, test_json(&list->tests[i]));
	return root;
}

cJSON *sp_speed_list_test(const struct sp_speed_list *list, const char *test)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->tests[i].test, test) == 0)
			return cJSON_Parse(list->tests[i].records);
	return cJSON_CreateArray();
}
