// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What was told, in the journal's durable state: "attendance.counts" is the list of days,
// "attendance.counts.20780" is
// {"minutes":15,"opening":{"in":[25,26]},"slots":[{"slot":27,"revision":1,"told_ms":…,"in":{"6A":31}}]}.
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/feed_json.h"
#include "agent/base/mem.h"
#include "agent/core/attendance/counts_priv.h"

#define LIST_KEY "attendance.counts"

enum { KEY_ROOM = 40, DAY_MINUTES = 24 * 60 };

static void day_key(int32_t day, char out[KEY_ROOM])
{
	snprintf(out, KEY_ROOM, LIST_KEY ".%d", (int)day);
}

// ---- writing
// -----------------------------------------------------------------------------------------------

static void write_opening(struct sp_buf *out, const struct sp_counts_day *table)
{
	const char *comma = "";
	for (size_t d = 0; d < SP_COUNTS_DIRECTIONS; d++) {
		const int *opening = table->opening[d];
		if (opening[0] == SP_COUNTS_NONE)
			continue;
		sp_buf_printf(out, "%s\"%s\":[%d", comma, sp_counts_direction(d), opening[0]);
		for (size_t i = 1; i < SP_COUNTS_OPENING && opening[i] != SP_COUNTS_NONE; i++)
			sp_buf_printf(out, ",%d", opening[i]);
		sp_buf_text(out, "]");
		comma = ",";
	}
}

static void write_slot(struct sp_buf *out, const struct sp_counts *counts, const struct sp_counted_day *day,
		       size_t slot)
{
	sp_buf_printf(out, "{\"slot\":%zu,\"revision\":%" PRIu32 ",\"told_ms\":%" PRId64, slot,
		      day->table.revision[slot], day->told_ms[slot]);
	for (size_t d = 0; d < SP_COUNTS_DIRECTIONS; d++) {
		const uint16_t *told = &day->table.told[sp_counts_cell(&day->table, slot, d, 0)];
		const char *comma = "";
		sp_buf_printf(out, ",\"%s\":{", sp_counts_direction(d));
		for (size_t g = 0; g < day->table.groups; g++) {
			if (!told[g])
				continue;
			sp_buf_text(out, comma);
			sp_json_text(out, sp_counts_group(counts, g));
			sp_buf_printf(out, ":%u", told[g]);
			comma = ",";
		}
		sp_buf_text(out, "}");
	}
	sp_buf_text(out, "}");
}

bool sp_counts_store(struct sp_counts *counts, const struct sp_counted_day *day)
{
	struct sp_buf text = SP_BUF(SP_COUNTS_STATE_MAX);
	const char *comma = "";
	char key[KEY_ROOM];
	sp_buf_printf(&text, "{\"minutes\":%u,\"opening\":{", day->slot_minutes);
	write_opening(&text, &day->table);
	sp_buf_text(&text, "},\"slots\":[");
	for (size_t slot = 0; slot < day->table.slots; slot++) {
		if (day->table.revision[slot] == 0)
			continue;
		sp_buf_text(&text, comma);
		write_slot(&text, counts, day, slot);
		comma = ",";
	}
	sp_buf_text(&text, "]}");
	bool good = !text.overflowed;
	day_key(day->day, key);
	// One that was too large is not taken for a day of which nothing was told.
	counts->config.put(counts->config.arg, key, good ? text.data : "closed");
	sp_buf_free(&text);
	sp_counts_store_list(counts);
	return good;
}

void sp_counts_store_list(struct sp_counts *counts)
{
	struct sp_buf text = SP_BUF(1024);
	for (size_t i = 0; i < counts->count; i++)
		sp_buf_printf(&text, "%s%d", i ? " " : "", (int)counts->days[i]->day);
	counts->config.put(counts->config.arg, LIST_KEY, text.length ? text.data : NULL);
	sp_buf_free(&text);
}

void sp_counts_forget_day(struct sp_counts *counts, int32_t day)
{
	char key[KEY_ROOM];
	day_key(day, key);
	counts->config.put(counts->config.arg, key, NULL);
	sp_counts_store_list(counts);
}

// ---- reading
// -----------------------------------------------------------------------------------------------

static bool whole(const cJSON *item, double least, double most, int64_t *out)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= least && item->valuedouble <= most))
		return false;
	*out = (int64_t)item->valuedouble;
	return (double)*out == item->valuedouble;
}

static bool read_minutes(const cJSON *root, unsigned *out)
{
	int64_t minutes;
	if (!whole(cJSON_GetObjectItemCaseSensitive(root, "minutes"), 5, DAY_MINUTES, &minutes))
		return false;
	*out = (unsigned)minutes;
	return true;
}

unsigned sp_counts_read_minutes(const char *text)
{
	unsigned minutes = 0;
	cJSON *root = cJSON_Parse(text);
	if (!read_minutes(root, &minutes))
		minutes = 0;
	cJSON_Delete(root);
	return minutes;
}

static bool read_opening(struct sp_counts_day *table, const cJSON *opening)
{
	for (size_t d = 0; d < SP_COUNTS_DIRECTIONS; d++) {
		const cJSON *list = cJSON_GetObjectItemCaseSensitive(opening, sp_counts_direction(d)), *item;
		size_t count = 0;
		cJSON_ArrayForEach(item, list)
		{
			int64_t slot;
			if (count == SP_COUNTS_OPENING || !whole(item, 0, (double)table->slots - 1, &slot))
				return false;
			table->opening[d][count++] = (int)slot;
		}
	}
	return true;
}

/// A group that is not ours any more is left out.
static bool read_told(const struct sp_counts *counts, struct sp_counts_day *table, size_t slot, size_t d,
		      const cJSON *told)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, told)
	{
		int64_t persons;
		if (!item->string || !whole(item, SP_COUNTS_LEAST, UINT16_MAX, &persons))
			return false;
		for (size_t g = 0; g < table->groups; g++)
			if (strcmp(sp_counts_group(counts, g), item->string) == 0)
				table->told[sp_counts_cell(table, slot, d, g)] = (uint16_t)persons;
	}
	return true;
}

static bool read_slot(const struct sp_counts *counts, struct sp_counted_day *day, const cJSON *json)
{
	int64_t slot, revision, told_ms;
	if (!whole(cJSON_GetObjectItemCaseSensitive(json, "slot"), 0, (double)day->table.slots - 1, &slot) ||
	    !whole(cJSON_GetObjectItemCaseSensitive(json, "revision"), 1, INT32_MAX, &revision) ||
	    !whole(cJSON_GetObjectItemCaseSensitive(json, "told_ms"), 0, 1e15, &told_ms))
		return false;
	day->table.revision[slot] = (uint32_t)revision;
	day->told_ms[slot] = told_ms;
	for (size_t d = 0; d < SP_COUNTS_DIRECTIONS; d++)
		if (!read_told(counts, &day->table, (size_t)slot, d,
			       cJSON_GetObjectItemCaseSensitive(json, sp_counts_direction(d))))
			return false;
	return true;
}

bool sp_counts_read(struct sp_counts *counts, struct sp_counted_day *day, const char *text)
{
	cJSON *root = cJSON_Parse(text), *item;
	unsigned minutes;
	bool good = read_minutes(root, &minutes) && minutes == day->slot_minutes &&
		    read_opening(&day->table, cJSON_GetObjectItemCaseSensitive(root, "opening"));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "slots"))
	{
		good = good && read_slot(counts, day, item);
	}
	cJSON_Delete(root);
	return good;
}

static void load_day(struct sp_counts *counts, int32_t number)
{
	char key[KEY_ROOM];
	day_key(number, key);
	char *text = counts->config.get(counts->config.arg, key);
	unsigned minutes = text ? sp_counts_read_minutes(text) : 0;
	// Where it is not known what was told, nothing more is told.
	struct sp_counted_day *day = sp_counts_open(counts, number, minutes ? minutes : DAY_MINUTES);
	if (day)
		day->closed = minutes == 0 || !sp_counts_read(counts, day, text);
	free(text);
}

void sp_counts_load(struct sp_counts *counts)
{
	char *list = counts->config.get(counts->config.arg, LIST_KEY);
	int32_t last = INT32_MIN;
	for (const char *at = list; at && *at;) {
		int day, used = 0;
		if (sscanf(at, "%d%n", &day, &used) != 1)
			break;
		if (day > last)
			load_day(counts, day);
		last = day > last ? day : last;
		at += used;
	}
	free(list);
}
