// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Days and slots, and when they are told (counts.h).
#include "agent/core/attendance/counts.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/member.h"
#include "agent/core/attendance/counts_priv.h"
#include "agent/core/attendance/priv.h"
#include "schoolpulse/log.h"

static const int64_t MINUTE_MS = 60 * INT64_C(1000);

enum { REPLAY_MAX = SP_COUNTS_DAYS * SP_COUNTS_PERSONS_MAX, LIST_ALL_MAX = 150, DAY_MINUTES = 24 * 60 };

const char *sp_counts_direction(size_t direction)
{
	static const char *const words[SP_COUNTS_DIRECTIONS] = {
	    [SP_PUNCH_UNKNOWN] = "unknown", [SP_PUNCH_IN] = "in", [SP_PUNCH_OUT] = "out"};
	return words[direction];
}

// ---- groups ----------------------------------------------------------------------------------------------

/// The class that is called like a kiosk; its members and the kiosk's others are one group.
static int class_named(const struct sp_counts *counts, const char *name)
{
	for (size_t i = 0; i < sp_classes_count(counts->classes); i++)
		if (strcmp(sp_classes_name(counts->classes, i), name) == 0)
			return (int)i;
	return -1;
}

/// First the kiosks, then the classes.
const char *sp_counts_group(const struct sp_counts *counts, size_t group)
{
	if (group >= counts->kiosk_count)
		return sp_classes_name(counts->classes, group - counts->kiosk_count);
	return class_named(counts, counts->kiosks[group]) < 0 ? counts->kiosks[group] : "";
}

/// SP_COUNTS_NONE: a kiosk that is not ours.
static int find_group(const struct sp_counts *counts, const struct sp_counted_day *day,
		      const uint8_t person[16], const char *kiosk)
{
	int found = sp_classes_find(counts->classes, day->year, person);
	if (found < 0)
		found = class_named(counts, kiosk);
	if (found >= 0 && counts->kiosk_count + (size_t)found < day->table.groups)
		return (int)counts->kiosk_count + found;
	for (size_t i = 0; i < counts->kiosk_count; i++)
		if (strcmp(counts->kiosks[i], kiosk) == 0)
			return (int)i;
	return SP_COUNTS_NONE;
}

// ---- days ------------------------------------------------------------------------------------------------

static void free_day(struct sp_counted_day *day)
{
	sp_counts_day_free(&day->table);
	free(day->dirty);
	free(day->told_ms);
	free(day);
}

struct sp_counted_day *sp_counts_open(struct sp_counts *counts, int32_t number, unsigned slot_minutes)
{
	const struct sp_attendance_conf *conf = counts->config.conf;
	if (counts->count > SP_COUNTS_DAYS)
		return NULL;
	struct sp_counted_day *day = sp_alloc(sizeof(*day));
	size_t groups = counts->kiosk_count + sp_classes_count(counts->classes);
	size_t slots = (DAY_MINUTES + slot_minutes - 1) / slot_minutes;
	day->day = number;
	day->slot_minutes = slot_minutes;
	day->year = sp_school_year((int64_t)number * SP_DAY_MS, conf->year_month, conf->year_day);
	day->dirty = sp_alloc(slots * sizeof(*day->dirty));
	day->told_ms = sp_alloc(slots * sizeof(*day->told_ms));
	sp_counts_day_init(&day->table, groups < SP_COUNTS_GROUPS_MAX ? groups : SP_COUNTS_GROUPS_MAX, slots);
	size_t place = counts->count++;
	for (; place > 0 && counts->days[place - 1]->day > number; place--)
		counts->days[place] = counts->days[place - 1];
	counts->days[place] = day;
	return day;
}

/// How many days back a slot may still be changed: as long as the day's events are on the card.
static int32_t days_back(const struct sp_counts *counts)
{
	int64_t days = counts->config.conf->keep_ms / SP_DAY_MS;
	return days < SP_COUNTS_DAYS ? (int32_t)days : SP_COUNTS_DAYS - 1;
}

/// NULL: an event of that day does not count any more, or not yet.
static struct sp_counted_day *day_of(struct sp_counts *counts, int64_t t_ms)
{
	struct sp_clock_reading now = sp_clock_now();
	int32_t number = sp_local_day(t_ms);
	if (now.synced) {
		int32_t today = sp_local_day(now.wall_ms);
		if (number > today || number < today - days_back(counts))
			return NULL;
	}
	struct sp_counted_day *day = NULL;
	for (size_t i = 0; i < counts->count; i++)
		if (counts->days[i]->day == number)
			day = counts->days[i];
	if (!day)
		day = sp_counts_open(counts, number, (unsigned)(counts->config.conf->slot_ms / MINUTE_MS));
	const uint8_t *key = day ? counts->config.year_key(counts->config.arg, day->year) : NULL;
	if (day && !day->listed && key) {
		sp_classes_year(counts->classes, day->year, key);
		day->listed = true;
	}
	return day;
}

void sp_counts_new_keys(struct sp_counts *counts)
{
	sp_classes_new_keys(counts->classes);
	for (size_t i = 0; i < counts->count; i++)
		counts->days[i]->listed = false;
}

// ---- events ----------------------------------------------------------------------------------------------

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_person(const char *text, uint8_t out[16])
{
	if (strlen(text) != SP_PSEUDONYM_LENGTH)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high = hex(text[2 * i]), low = hex(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void take(struct sp_counts *counts, int64_t t_ms, const uint8_t person[16], const char *kiosk,
		 size_t direction)
{
	uint64_t mark;
	struct sp_counted_day *day = day_of(counts, t_ms);
	int group = day && !day->closed ? find_group(counts, day, person, kiosk) : SP_COUNTS_NONE;
	if (group < 0)
		return;
	int64_t of_day = t_ms + SP_LOCAL_MS - (int64_t)day->day * SP_DAY_MS;
	size_t slot = (size_t)(of_day / MINUTE_MS) / day->slot_minutes;
	memcpy(&mark, person, sizeof(mark));
	if (sp_counts_day_add(&day->table, slot, direction, (size_t)group, mark))
		day->dirty[slot] = true;
	if (day->table.seen_count == SP_COUNTS_PERSONS_MAX && !counts->full) {
		sp_warning("attendance", "more than %d persons in a day's slots: the others are not counted",
			   SP_COUNTS_PERSONS_MAX);
		counts->full = true;
	}
}

void sp_counts_event(struct sp_counts *counts, const struct sp_attendance_event *event)
{
	uint8_t person[16];
	if (event->known && read_person(event->person, person))
		take(counts, event->t_ms, person, event->kiosk, event->direction);
}

// ---- events of before
// --------------------------------------------------------------------------------------

struct sp_counts_replay {
	struct replayed {
		int64_t t_ms;
		uint8_t person[16];
		uint16_t kiosk; ///< index into the names
		uint8_t direction;
	} * events;
	size_t count, room;
	char **kiosks;
	size_t kiosk_count;
};

struct sp_counts_replay *sp_counts_replay_new(void)
{
	return sp_alloc(sizeof(struct sp_counts_replay));
}

static uint16_t kiosk_index(struct sp_counts_replay *replay, const char *name)
{
	size_t i = 0;
	while (i < replay->kiosk_count && strcmp(replay->kiosks[i], name) != 0)
		i++;
	if (i == replay->kiosk_count) {
		replay->kiosks = sp_realloc(replay->kiosks, (i + 1) * sizeof(*replay->kiosks));
		replay->kiosks[replay->kiosk_count++] = sp_strdup(name);
	}
	return (uint16_t)i;
}

void sp_counts_replay_add(struct sp_counts_replay *replay, const char *record)
{
	cJSON *json = cJSON_Parse(record);
	struct replayed event = {.direction = SP_PUNCH_UNKNOWN};
	const cJSON *when = cJSON_GetObjectItemCaseSensitive(json, "corrected_t_ms");
	const char *direction = sp_member_text(json, "direction");
	for (size_t i = 0; i < SP_COUNTS_DIRECTIONS; i++)
		if (strcmp(direction, sp_counts_direction(i)) == 0)
			event.direction = (uint8_t)i;
	bool good = strcmp(sp_member_text(json, "type"), "punch") == 0 && cJSON_IsNumber(when) &&
		    when->valuedouble >= 0 && when->valuedouble < 1e15 &&
		    read_person(sp_member_text(json, "person"), event.person);
	if (good && replay->count < REPLAY_MAX && replay->kiosk_count < UINT16_MAX) {
		event.t_ms = (int64_t)when->valuedouble;
		event.kiosk = kiosk_index(replay, sp_member_text(json, "device"));
		if (replay->count == replay->room) {
			replay->room = replay->room ? 2 * replay->room : 256;
			replay->events = sp_realloc(replay->events, replay->room * sizeof(event));
		}
		replay->events[replay->count++] = event;
	}
	cJSON_Delete(json);
}

void sp_counts_replay_end(struct sp_counts *counts, struct sp_counts_replay *replay)
{
	for (size_t i = 0; counts && i < replay->count; i++) {
		const struct replayed *event = &replay->events[i];
		take(counts, event->t_ms, event->person, replay->kiosks[event->kiosk], event->direction);
	}
	for (size_t i = 0; i < replay->kiosk_count; i++)
		free(replay->kiosks[i]);
	free(replay->kiosks);
	free(replay->events);
	free(replay);
	if (counts)
		counts->ready = true;
}

// ---- telling
// -----------------------------------------------------------------------------------------------

struct listing {
	struct sp_field (*members)[3];
	struct sp_field *groups;
	size_t count;
};

/// Every group of a direction of which something is told, so that nobody sees whether a cell is small or
/// empty; of very many only those that are told, which says the same.
static void list_groups(const struct sp_counts *counts, const struct sp_counts_day *table, size_t slot,
			struct listing *out)
{
	bool all = SP_COUNTS_DIRECTIONS * table->groups <= LIST_ALL_MAX;
	for (size_t d = 0; d < SP_COUNTS_DIRECTIONS; d++) {
		const uint16_t *told = &table->told[sp_counts_cell(table, slot, d, 0)];
		bool any = false;
		for (size_t g = 0; g < table->groups; g++)
			any = any || told[g];
		for (size_t g = 0; any && g < table->groups; g++) {
			const char *name = sp_counts_group(counts, g);
			if (!name[0] || (!told[g] && !all))
				continue;
			struct sp_field *members = out->members[out->count];
			members[0] = SP_TEXT("group", name);
			members[1] = SP_TEXT("direction", sp_counts_direction(d));
			members[2] = told[g] ? SP_INT("persons", told[g]) : SP_NULL("persons");
			out->groups[out->count++] = SP_OBJECT("", members, 3);
		}
	}
}

static void tell(struct sp_counts *counts, const struct sp_counted_day *day, size_t slot)
{
	char date[16], start[8];
	size_t most = SP_COUNTS_DIRECTIONS * day->table.groups;
	struct listing listing = {sp_alloc(most * sizeof(*listing.members)),
				  sp_alloc(most * sizeof(*listing.groups)), 0};
	unsigned minute = (unsigned)slot * day->slot_minutes;
	sp_day_text(day->day, date, sizeof(date));
	snprintf(start, sizeof(start), "%02u:%02u", minute / 60 % 24, minute % 60);
	list_groups(counts, &day->table, slot, &listing);
	struct sp_field fields[] = {
	    SP_TEXT("date", date),
	    SP_TEXT("slot", start),
	    SP_INT("slot_minutes", day->slot_minutes),
	    SP_INT("revision", day->table.revision[slot]),
	    SP_LIST("groups", listing.groups, listing.count),
	};
	sp_record_fact(counts->config.recorder, "attendance", NULL, fields, SP_COUNT(fields));
	free(listing.members);
	free(listing.groups);
}

static bool due(const struct sp_counted_day *day, size_t slot, int64_t now_ms)
{
	int64_t end_ms =
	    (int64_t)day->day * SP_DAY_MS - SP_LOCAL_MS + (int64_t)(slot + 1) * day->slot_minutes * MINUTE_MS;
	int64_t again_ms = day->told_ms[slot] ? day->told_ms[slot] + SP_COUNTS_REVISE_MS : 0;
	return day->dirty[slot] && now_ms >= end_ms + SP_COUNTS_WAIT_MS && now_ms >= again_ms;
}

static void look_at_day(struct sp_counts *counts, struct sp_counted_day *day, int64_t now_ms)
{
	for (size_t slot = 0; slot < day->table.slots && !day->closed; slot++) {
		bool opened;
		if (!due(day, slot, now_ms))
			continue;
		day->dirty[slot] = false;
		bool changed = sp_counts_day_decide(&day->table, slot, &opened);
		if (changed)
			day->told_ms[slot] = now_ms;
		// What is told is kept first: a number that was forgotten might be told again in another way.
		if ((changed || opened) && !sp_counts_store(counts, day)) {
			sp_warning("attendance", "too many groups: nothing more is told of this day");
			day->closed = true;
		} else if (changed) {
			tell(counts, day, slot);
		}
	}
}

void sp_counts_look(struct sp_counts *counts)
{
	struct sp_clock_reading now = sp_clock_now();
	if (!counts->ready || !now.synced)
		return;
	int32_t oldest = sp_local_day(now.wall_ms) - days_back(counts);
	while (counts->count > 0 && counts->days[0]->day < oldest) {
		int32_t gone = counts->days[0]->day;
		free_day(counts->days[0]);
		counts->count--;
		memmove(&counts->days[0], &counts->days[1], counts->count * sizeof(*counts->days));
		sp_counts_forget_day(counts, gone);
	}
	for (size_t i = 0; i < counts->count; i++)
		look_at_day(counts, counts->days[i], now.wall_ms);
}

// ---- life
// --------------------------------------------------------------------------------------------------

struct sp_counts *sp_counts_new(const struct sp_counts_config *config)
{
	struct sp_counts *counts = sp_alloc(sizeof(*counts));
	counts->config = *config;
	counts->kiosks = sp_alloc((config->kiosk_count + 1) * sizeof(*counts->kiosks));
	for (size_t i = 0; i < config->kiosk_count && i < SP_COUNTS_GROUPS_MAX; i++)
		counts->kiosks[counts->kiosk_count++] = sp_strdup(config->kiosks[i]);
	counts->classes = sp_classes_new(config->conf->classes);
	sp_counts_load(counts);
	return counts;
}

void sp_counts_free(struct sp_counts *counts)
{
	if (!counts)
		return;
	for (size_t i = 0; i < counts->count; i++)
		free_day(counts->days[i]);
	for (size_t i = 0; i < counts->kiosk_count; i++)
		free(counts->kiosks[i]);
	free(counts->kiosks);
	sp_classes_free(counts->classes);
	free(counts);
}
