// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The terminal's memory (AcsEvent): page by page, for what the stream may have missed, and each night for the
// days before. What is known already the journal passes over.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hikvision.h"
#include "schoolpulse/log.h"

enum {
	MARGIN_MS = 10 * 60 * 1000, ///< clocks are set back, and entries come late
	DAY_MS = 24 * 3600 * 1000,
	NIGHT_DAYS = 2,
	PAGE_LEAST = 10,
	AGAIN_MS = 60 * 1000,
	AGAIN_MOST_MS = 3600 * 1000,
	QUESTION_MAX = 400,
};

bool hik_pull_due(const struct hik *hik)
{
	return !hik->no_memory && (hik->pulling || hik->owed_ms != INT64_MAX || hik->night_day != INT32_MAX);
}

void hik_owe(struct hik *hik, int64_t since_ms)
{
	if (since_ms < hik->owed_ms)
		hik->owed_ms = since_ms;
}

void hik_pull_abandon(struct hik *hik)
{
	if (!hik->pulling)
		return;
	hik->pulling = false;
	if (hik->pull_day >= 0)
		hik->night_day = hik->pull_day;
	else
		hik_owe(hik, hik->entry_ms != INT64_MAX && hik->entry_ms > hik->pull_from_ms
				 ? hik->entry_ms
				 : hik->pull_from_ms);
}

void hik_pull_nightly(const struct sp_device *dev, struct hik *hik)
{
	if (!hik->unit_at_us)
		return;
	struct sp_civil now = sp_civil_of(hik_unit_now(dev, hik), hik->zone_s);
	int32_t today = sp_civil_day(&now);
	// Not at the stroke of midnight, when every agent of the province would.
	if (today == hik->night_done || now.hour < 1)
		return;
	hik->night_done = today;
	hik->no_memory = false; // rights may have been given meanwhile
	hik->night_day = today - NIGHT_DAYS;
}

// ---- one window ---------------------------------------------------------------------------------

static void begin_window(const struct sp_device *dev, struct hik *hik)
{
	hik->pulling = true;
	hik->position = hik->counted = 0;
	hik->total = hik->pull_day = -1;
	hik->entry_ms = INT64_MIN;
	hik->pulls++;
	if (hik->owed_ms != INT64_MAX) {
		hik->pull_from_ms = hik->owed_ms > MARGIN_MS ? hik->owed_ms - MARGIN_MS : 0;
		hik->pull_to_ms = hik_unit_now(dev, hik) + DAY_MS;
		hik->owed_ms = INT64_MAX;
		return;
	}
	hik->pull_day = hik->night_day;
	hik->pull_from_ms = hik->night_day * INT64_C(86400000) - hik->zone_s * INT64_C(1000);
	hik->pull_to_ms = hik->pull_from_ms + DAY_MS - 1000;
}

static void end_window(struct sp_device *dev, struct hik *hik)
{
	hik->pulling = false;
	hik->pull_failures = 0;
	if (hik->pull_day < 0)
		return;
	sp_kiosk_total(dev, hik->pull_day, hik->counted);
	hik->night_day = hik->pull_day + 1 < hik->night_done ? hik->pull_day + 1 : INT32_MAX;
}

/// "2026-11-23T06:58:41+07:00": in the zone in which the terminal writes, should it heed no other.
static void print_time(int64_t t_ms, int32_t zone_s, char out[40])
{
	char text[SP_CIVIL_TEXT];
	struct sp_civil civil = sp_civil_of(t_ms, zone_s);
	int minutes = abs(zone_s) / 60;
	sp_civil_print(&civil, text);
	text[10] = 'T';
	snprintf(out, 40, "%s%c%02d:%02d", text, zone_s < 0 ? '-' : '+', minutes / 60 % 24, minutes % 60);
}

static char *make_question(const struct hik *hik, int64_t position, int64_t most)
{
	char *question = malloc(QUESTION_MAX), from[40], to[40];
	if (!question)
		return NULL;
	print_time(hik->pull_from_ms, hik->unit_zone_s, from);
	print_time(hik->pull_to_ms, hik->unit_zone_s, to);
	snprintf(question, QUESTION_MAX,
		 "{\"AcsEventCond\":{\"searchID\":\"00000000-0000-4000-8000-%012" PRIx64
		 "\",\"searchResultPosition\":%" PRId64 ",\"maxResults\":%" PRId64
		 ",\"major\":5,\"minor\":0,\"startTime\":\"%s\",\"endTime\":\"%s\"}}",
		 (uint64_t)(hik->unit_at_us + hik->pulls) & UINT64_C(0xffffffffffff), position, most, from,
		 to);
	return question;
}

// ---- an answer ----------------------------------------------------------------------------------

static void on_entry(void *arg, const struct sp_hik_event *event)
{
	struct sp_device *dev = arg;
	struct hik *hik = sp_device_state(dev);
	int64_t t_ms = event->timed ? sp_civil_ms(&event->when, hik->zone_s) : INT64_MIN;
	if (t_ms < hik->entry_ms)
		t_ms = INT64_MAX;
	hik->entry_ms = t_ms;
	if (!hik->trouble && !hik->denied)
		hik_punch(dev, hik, event, false);
}

static void fail(const struct sp_device *dev, struct hik *hik)
{
	int64_t delay_ms = AGAIN_MS;
	for (unsigned i = 0; i < hik->pull_failures && delay_ms < AGAIN_MOST_MS; i++)
		delay_ms *= 2;
	hik->pull_failures++;
	hik_pull_abandon(hik);
	hik->pull_at_us = sp_device_now_us(dev) + delay_ms * 1000;
}

/// True: it is asked another way, or never again.
static bool refuses(const struct sp_device *dev, struct hik *hik, long status)
{
	char word[48] = "";
	sp_hik_value(hik->answer, hik->answer_length, "subStatusCode", word, sizeof(word));
	bool never = strcasecmp(word, "notSupport") == 0 || strcasecmp(word, "methodNotAllowed") == 0 ||
		     status == 403 || status == 404;
	if (never) {
		hik->no_memory = true;
		hik->pulling = false;
		hik->night_day = INT32_MAX;
		sp_notice("hikvision", "\"%s\" does not let its memory be read: a gap is not filled",
			  sp_device_name(dev));
		return true;
	}
	if (status < 400 || status >= 500 || hik->page <= PAGE_LEAST)
		return false;
	hik->page = PAGE_LEAST; // some take fewer at a time
	return true;
}

static void on_page(struct sp_device *dev, struct hik *hik, int result, long status)
{
	struct sp_hik_page page;
	if (!hik->pulling)
		return;
	if (result < 0 || status != 200) {
		if (result < 0 || !refuses(dev, hik, status))
			fail(dev, hik);
		return;
	}
	if (sp_hik_page_parse(hik->answer, hik->answer_length, &page, on_entry, dev) < 0) {
		hik->malformed++;
		if (!refuses(dev, hik, status))
			fail(dev, hik);
		return;
	}
	hik->position += page.count;
	hik->total = page.total;
	if (hik->trouble || hik->denied)
		fail(dev, hik);
	else if (page.count == 0 && page.state == SP_HIK_PAGE_MORE)
		fail(dev, hik); // it would promise more for ever
	else if (page.state == SP_HIK_PAGE_EMPTY || page.count == 0 ||
		 (page.state == SP_HIK_PAGE_LAST && page.total <= hik->position))
		end_window(dev, hik);
}

void hik_pull_step(struct sp_device *dev, struct hik *hik)
{
	if (!hik->pulling)
		begin_window(dev, hik);
	char *question = make_question(hik, hik->position, hik->page);
	if (question)
		hik_ask(dev, hik, "/ISAPI/AccessControl/AcsEvent?format=json", question, on_page);
	else
		fail(dev, hik);
}
