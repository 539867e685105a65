// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What is kept of the plan: {"salt":…,"shape":…,"devices":[{"name":…,"day":20780,"slots":["0d","d1"],
// "next_ms":…,"backoff_s":…}]}. In `slots` one text per window and one character per test: d for done, or
// else how often it failed to begin.
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/core/speed/plan_priv.h"

static const double TIME_MAX_MS = 1e15;

int64_t sp_speed_plan_shape(const struct sp_speed_plan *plan)
{
	const struct sp_speed_times *times = plan->times;
	struct sp_speed_chance chance =
	    sp_speed_chance("", "", times->samples, (int64_t)times->window_count, times->days);
	for (size_t i = 0; i < times->window_count; i++)
		chance = sp_speed_chance("", "", (int64_t)(chance.state >> 1), times->windows[i].from_s,
					 times->windows[i].to_s);
	// A double, as JSON has them, must hold it.
	return (int64_t)(chance.state >> 12);
}

static void add_slots(cJSON *json, const struct sp_speed_plan *plan, const struct sp_speed_plan_device *dev)
{
	cJSON *list = cJSON_AddArrayToObject(json, "slots");
	for (size_t w = 0; w < plan->times->window_count; w++) {
		char text[SP_SPEED_SAMPLES_MAX + 1] = "";
		for (size_t s = 0; s < plan->times->samples; s++)
			text[s] = dev->slots[w][s].done ? 'd' : (char)('0' + dev->slots[w][s].tries % 10);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
}

static char *make_text(const struct sp_speed_plan *plan)
{
	cJSON *root = cJSON_CreateObject();
	cJSON_AddStringToObject(root, "salt", plan->salt);
	cJSON_AddNumberToObject(root, "shape", (double)sp_speed_plan_shape(plan));
	cJSON *list = cJSON_AddArrayToObject(root, "devices");
	for (size_t i = 0; i < plan->count; i++) {
		const struct sp_speed_plan_device *dev = &plan->devices[i];
		cJSON *json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "name", dev->name);
		if (dev->pace.mean_s > 0) {
			cJSON_AddNumberToObject(json, "next_ms", (double)dev->next_ms);
			cJSON_AddNumberToObject(json, "backoff_s", (double)dev->backoff_s);
		} else if (dev->day != SP_SPEED_NO_DAY) {
			cJSON_AddNumberToObject(json, "day", (double)dev->day);
			add_slots(json, plan, dev);
		}
		cJSON_AddItemToArray(list, json);
	}
	char *text = cJSON_PrintUnformatted(root);
	cJSON_Delete(root);
	char *copy = sp_strdup(text ? text : "");
	cJSON_free(text);
	return copy;
}

char *sp_speed_plan_text(const struct sp_speed_plan *plan)
{
	return make_text(plan);
}

bool sp_speed_plan_news(struct sp_speed_plan *plan, char **out)
{
	char *text = make_text(plan);
	bool changed = !plan->kept || strcmp(plan->kept, text) != 0;
	if (changed) {
		free(plan->kept);
		plan->kept = sp_strdup(text);
		*out = text;
	} else {
		free(text);
	}
	return changed;
}

static bool number_in(const cJSON *json, const char *name, double least, double most, int64_t *out)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
	if (!cJSON_IsNumber(member) || !(member->valuedouble >= least && member->valuedouble <= most))
		return false;
	*out = (int64_t)member->valuedouble;
	return true;
}

static void load_slots(const struct sp_speed_plan *plan, struct sp_speed_plan_device *dev, const cJSON *json)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "slots");
	for (size_t w = 0; w < plan->times->window_count; w++) {
		const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(list, (int)w));
		for (size_t s = 0; text && s < plan->times->samples && text[s]; s++) {
			struct sp_speed_slot *slot = &dev->slots[w][s];
			slot->done = text[s] == 'd';
			if (text[s] >= '0' && text[s] <= '9')
				slot->tries = (unsigned)(text[s] - '0');
		}
	}
}

static void load_device(struct sp_speed_plan *plan, const cJSON *json, bool same_shape)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "name"));
	for (size_t i = 0; name && i < plan->count; i++) {
		struct sp_speed_plan_device *dev = &plan->devices[i];
		if (strcmp(dev->name, name) != 0)
			continue;
		if (!number_in(json, "next_ms", 0, TIME_MAX_MS, &dev->next_ms))
			dev->next_ms = 0;
		if (!number_in(json, "backoff_s", 0, SP_SPEED_BACKOFF_MOST_S, &dev->backoff_s))
			dev->backoff_s = 0;
		if (!number_in(json, "day", 0, TIME_MAX_MS / SP_SPEED_DAY_S / 1000, &dev->day))
			continue;
		// Other windows: a day that looks to lie ahead has its past left out when it is opened.
		if (same_shape)
			load_slots(plan, dev, json);
		else
			dev->day = INT64_MAX;
	}
}

void sp_speed_plan_load(struct sp_speed_plan *plan, const char *text)
{
	cJSON *root = text ? cJSON_Parse(text) : NULL;
	const char *salt = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "salt"));
	int64_t shape = -1;
	bool same_shape = number_in(root, "shape", 0, 0x1p53, &shape) && shape == sp_speed_plan_shape(plan);
	if (salt && salt[0] && strlen(salt) <= SP_SPEED_SALT_MAX) {
		strcpy(plan->salt, salt);
		const cJSON *it;
		cJSON_ArrayForEach(it, cJSON_GetObjectItemCaseSensitive(root, "devices"))
		{
			load_device(plan, it, same_shape);
		}
	}
	cJSON_Delete(root);
	free(plan->kept);
	plan->kept = text ? sp_strdup(text) : NULL;
}
