// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a kiosk is like: kept for those who ask, and told in facts when it has changed in substance.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent/base/mem.h"
#include "agent/base/utf8.h"
#include "agent/core/attendance/priv.h"
#include "schoolpulse/log.h"

static const int64_t DAY_US = 24 * 3600 * INT64_C(1000000);
/// However restless it is: a fact costs a write to the card.
static const int64_t LEAST_US = 15 * 60 * INT64_C(1000000);

enum {
	CLOCK_MOVED_MS = 30 * 1000,
	FILL_STEPS = 20, ///< of the capacity: a twentieth more is worth telling
};

static struct sp_kiosk *add(struct sp_attendance *set, const char *name, const char *driver)
{
	struct sp_kiosk *kiosk = sp_alloc(sizeof(*kiosk));
	// Numbers of persons pass through this process, also those that may not be kept: no core file may
	// hold them, no debugger look.
	prctl(PR_SET_DUMPABLE, 0);
	*kiosk = (struct sp_kiosk){
	    .set = set,
	    .name = sp_strdup(name),
	    .driver = sp_strdup(driver),
	    .same = sp_strdup(name),
	    .health = {.clock_error_s = NAN, .records = -1, .capacity = -1, .users = -1, .backlog = -1}};
	set->kiosks = sp_realloc(set->kiosks, (set->count + 1) * sizeof(struct sp_kiosk *));
	set->kiosks[set->count++] = kiosk;
	return kiosk;
}

struct sp_kiosk *sp_attendance_kiosk(struct sp_attendance *set, const char *name, const char *driver)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->kiosks[i]->name, name) == 0)
			return set->kiosks[i];
	return add(set, name, driver);
}

void sp_attendance_same(struct sp_kiosk *kiosk, const char *other)
{
	free(kiosk->same);
	kiosk->same = sp_strdup(other && *other ? other : kiosk->name);
}

// ---- health ----------------------------------------------------------------------------------------

/// At most KIOSK_TEXT bytes, no control characters; whole characters.
static void keep_text(char out[KIOSK_TEXT + 1], const char *text)
{
	const char *at = text ? text : "";
	size_t left = strlen(at), length = 0, step;
	uint32_t character;
	for (; (step = sp_utf8_next(at, left, &character)) > 0; at += step, left -= step) {
		if (sp_utf8_is_control(character))
			continue;
		if (length + step > KIOSK_TEXT)
			break;
		memcpy(out + length, at, step);
		length += step;
	}
	out[length] = '\0';
}

void sp_attendance_health(struct sp_kiosk *kiosk, const struct sp_kiosk_health *health)
{
	kiosk->health = *health;
	keep_text(kiosk->model, health->model);
	keep_text(kiosk->firmware, health->firmware);
	kiosk->health.model = kiosk->health.firmware = NULL;
	kiosk->heard = true;
	sp_kiosk_clock_told(&kiosk->clock, sp_clock_mono_us(), health->clock_error_s);
}

static bool filled(const struct sp_kiosk_health *now, const struct sp_kiosk_health *told)
{
	if ((now->records < 0) != (told->records < 0) || now->capacity != told->capacity)
		return true;
	int64_t step = now->capacity > FILL_STEPS ? now->capacity / FILL_STEPS : INT64_MAX;
	return now->records >= 0 && llabs(now->records - told->records) >= step;
}

static bool changed(const struct sp_kiosk *kiosk, bool ahead_known, int64_t ahead_ms)
{
	const struct sp_kiosk_told *told = &kiosk->told;
	const struct sp_kiosk_health *now = &kiosk->health;
	if (ahead_known != told->ahead_known ||
	    (ahead_known && llabs(ahead_ms - told->ahead_ms) >= CLOCK_MOVED_MS))
		return true;
	return filled(now, &told->health) || now->users != told->health.users ||
	       (now->backlog > 0) != (told->health.backlog > 0) || now->refused > told->health.refused ||
	       (now->heard_us > 0) != (told->health.heard_us > 0) || strcmp(kiosk->model, told->model) != 0 ||
	       strcmp(kiosk->firmware, told->firmware) != 0;
}

static struct sp_field count_or_null(const char *name, int64_t value)
{
	return value >= 0 ? SP_INT(name, value) : SP_NULL(name);
}

static struct sp_field text_or_null(const char *name, const char *text)
{
	return text[0] ? SP_TEXT(name, text) : SP_NULL(name);
}

static void tell(struct sp_kiosk *kiosk, int64_t now_us, bool ahead_known, int64_t ahead_ms)
{
	const struct sp_kiosk_health *health = &kiosk->health;
	struct sp_field fields[] = {
	    SP_TEXT("driver", kiosk->driver),
	    health->heard_us > 0 ? SP_INT("heard_mono_us", health->heard_us) : SP_NULL("heard_mono_us"),
	    ahead_known ? SP_REAL("clock_error_seconds", (double)ahead_ms / 1000.0)
			: SP_NULL("clock_error_seconds"),
	    count_or_null("records", health->records),
	    count_or_null("capacity", health->capacity),
	    count_or_null("users", health->users),
	    count_or_null("backlog", health->backlog),
	    SP_INT("refused", health->refused),
	    SP_INT("accepted", kiosk->accepted),
	    SP_INT("known", kiosk->known),
	    text_or_null("model", kiosk->model),
	    text_or_null("firmware", kiosk->firmware),
	};
	sp_record_fact(kiosk->set->config.recorder, "kiosk", kiosk->name, fields, SP_COUNT(fields));
	kiosk->told = (struct sp_kiosk_told){
	    .at_us = now_us, .ahead_known = ahead_known, .ahead_ms = ahead_ms, .health = *health};
	memcpy(kiosk->told.model, kiosk->model, sizeof(kiosk->model));
	memcpy(kiosk->told.firmware, kiosk->firmware, sizeof(kiosk->firmware));
}

void sp_kiosk_look(struct sp_kiosk *kiosk, int64_t now_us)
{
	int64_t ahead_ms, told_us = kiosk->told.at_us;
	bool ahead_known = sp_kiosk_clock_ahead(&kiosk->clock, now_us, &ahead_ms);
	bool due = told_us == 0 ? kiosk->heard || kiosk->last_us > 0 : now_us - told_us >= DAY_US;
	if (!due && told_us > 0 && now_us - told_us >= LEAST_US)
		due = changed(kiosk, ahead_known, ahead_ms);
	if (due)
		tell(kiosk, now_us, ahead_known, ahead_ms);
}

// ---- totals -----------------------------------------------------------------------------------------

struct asked {
	struct sp_kiosk *kiosk;
	int32_t day;
	int64_t kiosk_count;
};

/// False: it was told already.
static bool keep_total(struct sp_kiosk *kiosk, const struct sp_kiosk_counted *total)
{
	size_t place = 0;
	while (place < kiosk->total_count && kiosk->totals[place].day > total->day)
		place++;
	struct sp_kiosk_counted *at = &kiosk->totals[place];
	if (place < kiosk->total_count && at->day == total->day) {
		bool same = at->kiosk == total->kiosk && at->taken == total->taken;
		*at = *total;
		return !same;
	}
	if (place == KIOSK_DAYS)
		return true;
	size_t kept = kiosk->total_count < KIOSK_DAYS ? kiosk->total_count : KIOSK_DAYS - 1;
	memmove(at + 1, at, (kept - place) * sizeof(*at));
	*at = *total;
	kiosk->total_count = kept + 1;
	return true;
}

static void on_seen(void *arg, int result, int64_t count)
{
	struct asked *asked = arg;
	struct sp_kiosk_counted total = {asked->day, asked->kiosk_count, count};
	char date[16];
	if (result) {
		sp_warning("attendance", "\"%s\": the day's events cannot be counted: %s", asked->kiosk->name,
			   strerror(-result));
	} else if (keep_total(asked->kiosk, &total)) {
		sp_day_text(asked->day, date, sizeof(date));
		struct sp_field fields[] = {SP_TEXT("date", date), SP_INT("kiosk", total.kiosk),
					    SP_INT("taken", total.taken)};
		sp_record_fact(asked->kiosk->set->config.recorder, "kiosk_total", asked->kiosk->name, fields,
			       SP_COUNT(fields));
	}
	free(asked);
}

static void on_today(void *arg, int result, int64_t count)
{
	struct asked *asked = arg;
	struct sp_kiosk *kiosk = asked->kiosk;
	// What came while this was asked may be among them.
	if (result == 0 && kiosk->today.day != asked->day)
		kiosk->today = (struct sp_kiosk_today){.day = asked->day};
	if (result == 0 && kiosk->today.accepted < count)
		kiosk->today.accepted = count;
	free(asked);
}

void sp_kiosk_ask_today(struct sp_kiosk *kiosk, const struct sp_clock_reading *now)
{
	const struct sp_attendance_config *config = &kiosk->set->config;
	if (kiosk->asked || !now->synced || !kiosk->set->keys || !sp_attendance_allowed(config->conf))
		return;
	kiosk->asked = true;
	struct asked *asked = sp_alloc(sizeof(*asked));
	*asked = (struct asked){kiosk, sp_local_day(now->wall_ms), 0};
	if (config->seen(config->arg, kiosk->same, asked->day, on_today, asked))
		free(asked);
}

void sp_attendance_total(struct sp_kiosk *kiosk, int32_t day, int64_t count)
{
	const struct sp_attendance_config *config = &kiosk->set->config;
	// Years 1970 to 9999.
	if (!kiosk->set->keys || !sp_attendance_allowed(config->conf) || count < 0 || day < 0 ||
	    day > 2932896)
		return;
	struct asked *asked = sp_alloc(sizeof(*asked));
	*asked = (struct asked){kiosk, day, count};
	if (config->seen(config->arg, kiosk->same, day, on_seen, asked))
		free(asked);
}
