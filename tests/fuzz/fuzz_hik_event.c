// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as an event, as a page of a terminal's memory, and as an answer from which values are taken.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/hikvision_event.h"
#include "drivers/kiosk/hikvision_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void look(const struct sp_hik_event *event)
{
	enum sp_punch_method method;
	check(event->person_length <= SP_PERSON_MAX && event->person[event->person_length] == '\0');
	check(event->person_length == strlen(event->person));
	check(!event->unreadable || event->person_length == 0);
	check(event->major >= -1 && event->serial >= -1 && event->door >= -1);
	check(!event->timed || (event->when.month >= 1 && event->when.month <= 12));
	bool passed = sp_hik_event_kind(event, &method) == SP_HIK_PASSED;
	check(passed == (method != SP_PUNCH_BY_UNKNOWN));
}

static void on_entry(void *arg, const struct sp_hik_event *event)
{
	int64_t *count = arg;
	++*count;
	look(event);
}

/// Passing over a value and reading it whole agree on where it ends.
static void walk(const char *text, size_t size)
{
	struct sp_hik_json skipped = sp_hik_json_begin(text, size), read = skipped;
	char out[64];
	sp_hik_json_skip(&skipped);
	sp_hik_json_text(&read, out, sizeof(out));
	check(skipped.at == read.at && skipped.bad == read.bad);
	check(skipped.at <= text + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"unlockTime", "lockStatus", "serialNumber", "totalMatches", "a"};
	struct sp_hik_event event;
	struct sp_hik_page page;
	char out[32], *text = malloc(size + 1);
	int64_t count = 0;
	memcpy(text, data, size);
	if (sp_hik_event_parse(text, size, &event) == 0)
		look(&event);
	if (sp_hik_page_parse(text, size, &page, on_entry, &count) == 0)
		check(page.count == count);
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		int length = sp_hik_value(text, size, names[i], out, sizeof(out));
		check(length < (int)sizeof(out) && (length < 0 || strlen(out) == (size_t)length));
		check(length >= 0 || out[0] == '\0' || length == -ENOENT);
	}
	walk(text, size);
	free(text);
	return 0;
}
