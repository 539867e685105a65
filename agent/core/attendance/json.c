// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A kiosk for those who ask on the board.
#include <math.h>

#include "agent/core/attendance/priv.h"

static void add_count(cJSON *json, const char *name, int64_t value)
{
	if (value >= 0)
		cJSON_AddNumberToObject(json, name, (double)value);
	else
		cJSON_AddNullToObject(json, name);
}

static void add_ago(cJSON *json, const char *name, int64_t now_us, int64_t then_us)
{
	if (then_us > 0)
		cJSON_AddNumberToObject(json, name, (double)(now_us - then_us) / 1e6);
	else
		cJSON_AddNullToObject(json, name);
}

static void add_text(cJSON *json, const char *name, const char *text)
{
	if (text[0])
		cJSON_AddStringToObject(json, name, text);
	else
		cJSON_AddNullToObject(json, name);
}

static void add_clock(cJSON *json, const struct sp_kiosk *kiosk, int64_t now_us)
{
	int64_t ahead_ms;
	if (sp_kiosk_clock_ahead(&kiosk->clock, now_us, &ahead_ms))
		cJSON_AddNumberToObject(json, "clock_error_seconds", (double)ahead_ms / 1000.0);
	else
		cJSON_AddNullToObject(json, "clock_error_seconds");
}

static void add_today(cJSON *json, const struct sp_kiosk *kiosk, const struct sp_clock_reading *now)
{
	int32_t day = now->synced ? sp_local_day(now->wall_ms) : 0;
	const struct sp_kiosk_today none = {.day = day};
	const struct sp_kiosk_today *today = kiosk->today.day == day ? &kiosk->today : &none;
	cJSON *object = cJSON_AddObjectToObject(json, "today");
	char date[16];
	sp_day_text(day, date, sizeof(date));
	add_text(object, "date", now->synced ? date : "");
	cJSON_AddNumberToObject(object, "accepted", (double)today->accepted);
	cJSON_AddNumberToObject(object, "known", (double)today->known);
}

static void add_totals(cJSON *json, const struct sp_kiosk *kiosk)
{
	cJSON *list = cJSON_AddArrayToObject(json, "totals");
	for (size_t i = 0; i < kiosk->total_count; i++) {
		cJSON *total = cJSON_CreateObject();
		char date[16];
		sp_day_text(kiosk->totals[i].day, date, sizeof(date));
		cJSON_AddStringToObject(total, "date", date);
		cJSON_AddNumberToObject(total, "kiosk", (double)kiosk->totals[i].kiosk);
		cJSON_AddNumberToObject(total, "taken", (double)kiosk->totals[i].taken);
		cJSON_AddItemToArray(list, total);
	}
}

cJSON *sp_attendance_json(const struct sp_attendance *set, size_t index)
{
	if (index >= set->count)
		return NULL;
	const struct sp_kiosk *kiosk = set->kiosks[index];
	struct sp_clock_reading now = sp_clock_now();
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "name", kiosk->name);
	cJSON_AddStringToObject(json, "driver", kiosk->driver);
	add_text(json, "model", kiosk->model);
	add_text(json, "firmware", kiosk->firmware);
	add_ago(json, "heard_seconds_ago", now.mono_us, kiosk->health.heard_us);
	add_ago(json, "event_seconds_ago", now.mono_us, kiosk->last_us);
	add_clock(json, kiosk, now.mono_us);
	add_count(json, "records", kiosk->health.records);
	add_count(json, "capacity", kiosk->health.capacity);
	add_count(json, "users", kiosk->health.users);
	add_count(json, "backlog", kiosk->health.backlog);
	add_count(json, "refused", kiosk->health.refused);
	add_count(json, "accepted", kiosk->accepted);
	add_count(json, "known", kiosk->known);
	add_today(json, kiosk, &now);
	add_totals(json, kiosk);
	return json;
}
