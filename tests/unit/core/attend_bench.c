// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of the journal's attendance.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "agent/base/mem.h"
#include "tests/unit/core/attend_bench.h"

void person_name(char out[33], int64_t n)
{
	snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)n * UINT64_C(0x9e3779b97f4a7c15),
		 UINT64_C(0xfeed000000000000) + (uint64_t)n);
}

char *event_record(int64_t n, int64_t person)
{
	struct sp_clock_reading when = {.mono_us = 1000 + n};
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX);
	char name[33];
	person_name(name, person);
	const struct sp_field fields[] = {
	    SP_TEXT("event", "00112233445566778899aabbccddeeff"),
	    SP_TEXT("person", name),
	    SP_TEXT("person_kind", "pin"),
	    SP_TEXT("direction", "in"),
	    SP_TEXT("method", "face"),
	    SP_TEXT("gate", "a \"gate\", {[\"person\":\"x\"]}"),
	    SP_INT("number", n),
	    SP_TEXT("kiosk_time", "2026-11-23T06:58:41"),
	    SP_INT("kiosk_t_ms", 1795391921000),
	    SP_INT("corrected_t_ms", 1795391921000),
	    SP_TEXT("correction", "none"),
	    SP_TEXT("mark", "live"),
	    SP_INT("n", n),
	};
	assert_int_equal(sp_feed_record(&text, "punch", GATE, &when, fields, SP_COUNT(fields)), 0);
	return sp_buf_take(&text);
}

void event_key(uint8_t out[16], int64_t n)
{
	uint64_t a = (uint64_t)n * UINT64_C(0xd6e8feb86659fd93), b = ~a ^ (uint64_t)n;
	memcpy(out, &a, 8);
	memcpy(out + 8, &b, 8);
}

struct sp_journal_event event_of(char *record, int64_t n, int32_t day, bool publish)
{
	struct sp_journal_event event = {
	    .record = record, .kiosk = GATE, .day = day, .has_key = true, .publish = publish};
	event_key(event.key, n);
	return event;
}

int commit_events(struct sp_journal_store *store, int64_t n, size_t count, int32_t day, bool publish,
		  size_t *known)
{
	char **records = sp_alloc((count + 1) * sizeof(*records));
	uint8_t(*keys)[16] = sp_alloc((count + 1) * sizeof(*keys));
	struct sp_journal_mark *marks = sp_alloc((count + 1) * sizeof(*marks));
	for (size_t i = 0; i < count; i++) {
		int64_t number = n + (int64_t)i;
		records[i] = event_record(number, number % 100);
		event_key(keys[i], number);
		marks[i] =
		    (struct sp_journal_mark){.kiosk = GATE, .key = keys[i], .day = day, .local = !publish};
	}
	struct sp_journal_commit what = {.marks = marks};
	what.records[SP_RECORD_ATTENDANCE] = (const char *const *)records;
	what.count[SP_RECORD_ATTENDANCE] = count;
	int result = sp_journal_store_commit(store, &what, 0);
	*known = 0;
	for (size_t i = 0; i < count; i++) {
		*known += marks[i].known;
		free(records[i]);
	}
	free(records);
	free(keys);
	free(marks);
	return result;
}

bool roll_event(void *arg, const char *record)
{
	struct roll *roll = arg;
	cJSON *json = cJSON_Parse(record);
	assert_non_null(json);
	assert_null(cJSON_GetObjectItemCaseSensitive(json, "seq"));
	assert_string_equal(cJSON_GetObjectItemCaseSensitive(json, "type")->valuestring, "punch");
	int n = cJSON_GetObjectItemCaseSensitive(json, "n")->valueint;
	assert_true(n >= 0 && n < AUDIT_MAX);
	roll->seen[n]++;
	roll->events++;
	if (roll->person) {
		const char *person = cJSON_GetObjectItemCaseSensitive(json, "person")->valuestring;
		roll->of_person += strcmp(person, roll->person) == 0;
	}
	cJSON_Delete(json);
	return true;
}

void call_roll(struct roll *out, struct sp_journal_store *store)
{
	const struct sp_journal_visit visit = {.event = roll_event, .arg = out};
	struct sp_journal_walk walk = {0};
	int result;
	memset(out->seen, 0, sizeof(out->seen));
	out->events = out->of_person = 0;
	while ((result = sp_journal_store_walk(store, &walk, &visit)) == 1)
		;
	assert_int_equal(result, 0);
}

static bool contains(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	fseek(file, 0, SEEK_END);
	size_t size = (size_t)ftell(file);
	rewind(file);
	char *all = sp_alloc(size + 1);
	size_t length = fread(all, 1, size, file);
	fclose(file);
	bool found = memmem(all, length, text, strlen(text)) != NULL;
	free(all);
	return found;
}

bool anywhere(const struct test_place *place, const char *text)
{
	bool found = false;
	DIR *dir = opendir(place->dir);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char *path = sp_asprintf("%s/%s", place->dir, entry->d_name);
		found = found || (entry->d_type == DT_REG && contains(path, text));
		free(path);
	}
	closedir(dir);
	return found;
}
