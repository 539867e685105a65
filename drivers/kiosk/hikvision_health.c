// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a terminal says of itself: who it is, its clock, how much it stores.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hikvision.h"
#include "schoolpulse/log.h"
#include "text.h"

#define DAILY_US (INT64_C(24) * 3600 * 1000000)

// ---- its clock ----------------------------------------------------------------------------------

int64_t hik_unit_now(const struct sp_device *dev, const struct hik *hik)
{
	return hik->unit_ms + (sp_device_now_us(dev) - hik->unit_at_us) / 1000;
}

void hik_unit_said(const struct sp_device *dev, struct hik *hik, const struct sp_civil *civil)
{
	hik->unit_ms = sp_civil_ms(civil, hik->zone_s);
	hik->unit_at_us = sp_device_now_us(dev);
	hik->unit_zone_s = civil->zoned ? civil->zone_s : hik->zone_s;
	if (hik->unit_zone_s == hik->told_zone_s)
		return;
	hik->told_zone_s = hik->unit_zone_s;
	if (hik->unit_zone_s != hik->zone_s)
		sp_warning("hikvision", "\"%s\" has its clock in the zone %+.2f h, not %+.2f h: set it there",
			   sp_device_name(dev), hik->unit_zone_s / 3600.0, hik->zone_s / 3600.0);
}

static void measure_clock(const struct sp_device *dev, struct hik *hik)
{
	int64_t t_ms, err_ms;
	hik->clock_error_s = NAN;
	if (!sp_clock_known(dev, &t_ms, &err_ms))
		return;
	// It tells whole seconds, and half of the way is behind it.
	int64_t way_ms = (sp_device_now_us(dev) - hik->asked_us) / 2000;
	hik->clock_error_s = (double)(hik->unit_ms + 500 + way_ms - t_ms) / 1000;
}

// ---- who it is ----------------------------------------------------------------------------------

static void take(const struct hik *hik, const char *name, char *out, size_t size)
{
	char raw[SP_HIK_LINE_MAX];
	int length = sp_hik_value(hik->answer, hik->answer_length, name, raw, sizeof(raw));
	sp_kiosk_text(out, size, raw, length > 0 ? (size_t)length : 0);
}

static void on_device_info(struct sp_device *dev, struct hik *hik, int result, long status)
{
	if (result < 0 || status != 200) {
		hik_unanswered(&hik->fault, "the terminal", result, status);
	} else {
		take(hik, "serialNumber", hik->serial, sizeof(hik->serial));
		take(hik, "model", hik->model, sizeof(hik->model));
		take(hik, "firmwareVersion", hik->firmware, sizeof(hik->firmware));
		hik->identified = hik->serial[0] != '\0';
		hik->fault.reason[0] = '\0';
		hik->refusals = 0;
		if (!hik->identified)
			hik_fault(&hik->fault, "protocol", "it tells no serial number");
	}
	if (hik->identified) {
		hik->next_us = hik->backoff_ms = 0;
	} else {
		hik_back_off(dev, hik, false, 0);
		hik_round_over(dev, hik);
	}
}

void hik_identify(struct sp_device *dev, struct hik *hik)
{
	hik_ask(dev, hik, "/ISAPI/System/deviceInfo", NULL, on_device_info);
}

// ---- how it is ----------------------------------------------------------------------------------

static int64_t backlog(const struct hik *hik)
{
	if (hik->pulling)
		return hik->total >= 0 ? hik->total - hik->position : -1;
	return hik->flowing && !hik_pull_due(hik) ? 0 : -1;
}

void hik_health_tell(struct sp_device *dev, struct hik *hik)
{
	struct sp_kiosk_health health = {.heard_us = hik->heard_us,
					 .clock_error_s = hik->clock_error_s,
					 .records = hik->records,
					 .capacity = -1,
					 .users = hik->users,
					 .backlog = backlog(hik),
					 .refused = hik->malformed,
					 .model = hik->model[0] ? hik->model : NULL,
					 .firmware = hik->firmware[0] ? hik->firmware : NULL};
	sp_kiosk_health(dev, &health);
}

static int64_t number(const struct hik *hik, const char *name)
{
	char text[24];
	int64_t value;
	int length = sp_hik_value(hik->answer, hik->answer_length, name, text, sizeof(text));
	if (length <= 0 || sp_kiosk_integer(text, (size_t)length, 0, INT64_MAX, &value) < 0)
		return -1;
	return value;
}

static void on_records(struct sp_device *dev, struct hik *hik, int result, long status)
{
	hik->records = result == 0 && status == 200 ? number(hik, "totalMatches") : -1;
	hik->daily_us = sp_device_now_us(dev);
	hik_health_tell(dev, hik);
	hik_round_over(dev, hik);
}

static void on_users(struct sp_device *dev, struct hik *hik, int result, long status)
{
	static const char all[] = "{\"AcsEventCond\":{\"searchID\":\"00000000-0000-4000-8000-000000000000\","
				  "\"searchResultPosition\":0,\"maxResults\":1,\"major\":5,\"minor\":0,"
				  "\"startTime\":\"1970-01-01T00:00:00+07:00\","
				  "\"endTime\":\"2037-12-31T23:59:59+07:00\"}}";
	hik->users = result == 0 && status == 200 ? number(hik, "userNumber") : -1;
	char *question = hik->no_memory ? NULL : strdup(all);
	if (question)
		hik_ask(dev, hik, "/ISAPI/AccessControl/AcsEvent?format=json", question, on_records);
	else
		on_records(dev, hik, -ENOTSUP, 0);
}

static void begin_reading(const struct sp_device *dev, struct hik *hik)
{
	const struct hik_conf *conf = sp_device_conf(dev);
	int64_t t_ms, err_ms;
	if (!hik->unit_at_us && sp_clock_known(dev, &t_ms, &err_ms)) {
		hik->unit_ms = t_ms; // it does not say: then it is right until proven wrong
		hik->unit_at_us = sp_device_now_us(dev);
	}
	if (hik->begun || !hik->unit_at_us)
		return;
	hik->begun = true;
	hik_owe(hik, hik_unit_now(dev, hik) - conf->history_ms);
}

static void on_time(struct sp_device *dev, struct hik *hik, int result, long status)
{
	char text[48];
	struct sp_civil civil;
	if (result < 0) {
		hik_unanswered(&hik->fault, "the terminal", result, status);
		hik_back_off(dev, hik, false, 0);
		hik_round_over(dev, hik);
		return;
	}
	hik->fault.reason[0] = '\0';
	int length = sp_hik_value(hik->answer, hik->answer_length, "localTime", text, sizeof(text));
	if (status == 200 && length > 0 && sp_civil_parse_iso(text, (size_t)length, &civil) == 0) {
		hik_unit_said(dev, hik, &civil);
		measure_clock(dev, hik);
	}
	begin_reading(dev, hik);
	if (!hik->begun)
		hik_back_off(dev, hik, false, 0);
	hik_pull_nightly(dev, hik);
	// The first time before anything is read: the core tells of a kiosk with its first event.
	if (!hik->daily_us || sp_device_now_us(dev) - hik->daily_us >= DAILY_US) {
		hik_ask(dev, hik, "/ISAPI/AccessControl/UserInfo/Count?format=json", NULL, on_users);
		return;
	}
	hik_health_tell(dev, hik);
	hik_round_over(dev, hik);
}

void hik_examine(struct sp_device *dev, struct hik *hik)
{
	hik->examined = true;
	hik_ask(dev, hik, "/ISAPI/System/time", NULL, on_time);
}
