// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From what a kiosk says of a person's event to a record that says neither who nor more than it must.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/clock_trust.h"
#include "agent/base/feed.h"
#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "agent/core/attendance/priv.h"
#include "schoolpulse/log.h"

/// Of the years 1970 to 9999, in any zone: anything else a record cannot say, and is no date.
#define DATES_LEAST_MS (2 * SP_DAY_MS)
#define DATES_MOST_MS  (INT64_C(253402300799999) - 2 * SP_DAY_MS)

static const char *direction_name(enum sp_punch_direction direction)
{
	switch (direction) {
	case SP_PUNCH_UNKNOWN:
		return "unknown";
	case SP_PUNCH_IN:
		return "in";
	case SP_PUNCH_OUT:
		return "out";
	}
	return "unknown";
}

static const char *method_name(enum sp_punch_method method)
{
	switch (method) {
	case SP_PUNCH_BY_UNKNOWN:
		return "unknown";
	case SP_PUNCH_BY_CARD:
		return "card";
	case SP_PUNCH_BY_PIN:
		return "pin";
	case SP_PUNCH_BY_PASSWORD:
		return "password";
	case SP_PUNCH_BY_FINGER:
		return "finger";
	case SP_PUNCH_BY_FACE:
		return "face";
	case SP_PUNCH_BY_PALM:
		return "palm";
	case SP_PUNCH_BY_VEIN:
		return "vein";
	case SP_PUNCH_BY_CODE:
		return "code";
	case SP_PUNCH_BY_OTHER:
		return "other";
	}
	return "unknown";
}

/// An event on its way to the card.
struct pending {
	struct sp_kiosk *kiosk;
	sp_journal_done_fn done;
	void *arg;
	bool nothing; ///< of a person who must be forgotten
	struct sp_attendance_event event;
	char person[SP_PSEUDONYM_LENGTH + 1], gate[SP_PUNCH_GATE_MAX + 1];
};

static bool valid(const struct sp_punch *punch)
{
	if (!punch->person || punch->person_length < 1 || punch->person_length > SP_PERSON_MAX)
		return false;
	if (punch->other_key && (punch->other_key_length < 1 || punch->other_key_length > SP_PUNCH_KEY_MAX))
		return false;
	if (punch->key && (punch->key_length < 1 || punch->key_length > SP_PUNCH_KEY_MAX))
		return false;
	if (punch->gate && strlen(punch->gate) > SP_PUNCH_GATE_MAX)
		return false;
	for (const char *at = punch->gate; at && *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	return llabs((int64_t)punch->zone_ahead_s * 1000) <= SP_DAY_MS;
}

// ---- committed -------------------------------------------------------------------------------------

static void count(struct sp_kiosk *kiosk, int result)
{
	struct sp_clock_reading now = sp_clock_now();
	int32_t day = now.synced ? sp_local_day(now.wall_ms) : 0;
	if (day != kiosk->today.day)
		kiosk->today = (struct sp_kiosk_today){.day = day};
	kiosk->last_us = now.mono_us;
	kiosk->known += result == SP_JOURNAL_KNOWN;
	kiosk->today.known += result == SP_JOURNAL_KNOWN;
	kiosk->accepted += result == 0;
	kiosk->today.accepted += result == 0;
}

static void on_committed(void *arg, int result)
{
	struct pending *pending = arg;
	const struct sp_attendance_config *config = &pending->kiosk->set->config;
	if (result >= 0 && !pending->nothing) {
		count(pending->kiosk, result);
		if (result == 0 && config->accepted)
			config->accepted(config->hooks_arg, &pending->event);
	}
	if (pending->done)
		pending->done(pending->arg, result);
	free(pending);
}

static void on_nothing(void *arg, void *arg2, int result)
{
	(void)arg2;
	on_committed(arg, result);
}

// ---- the record --------------------------------------------------------------------------------------

/// Whose key: of the school year in which it happened, as far as that is known.
static int32_t year_of(const struct sp_attendance *set, const struct sp_clock_reading *received,
		       const struct sp_corrected *when, int64_t kiosk_ms)
{
	const struct sp_attendance_conf *conf = set->config.conf;
	int64_t t_ms = when->known ? when->t_ms : received->wall_ms;
	// A board that never knew the time takes a kiosk's, if that can be; else its hint, which may be any
	// year, but none before it was built.
	bool possible = kiosk_ms >= SP_CLOCK_BUILT_MS && kiosk_ms <= SP_CLOCK_BUILT_MS + SP_CLOCK_REACH_MS;
	if (!when->known && !received->synced && possible)
		t_ms = kiosk_ms;
	else if (!when->known && !received->synced && t_ms < SP_CLOCK_BUILT_MS)
		t_ms = SP_CLOCK_BUILT_MS;
	return sp_school_year(t_ms, conf->year_month, conf->year_day);
}

/// "2026-11-23T06:58:41": what the kiosk's dial showed.
static void dial_text(const struct sp_punch *punch, char out[40])
{
	int64_t local = punch->kiosk_ms + SP_LOCAL_MS + (int64_t)punch->zone_ahead_s * 1000;
	char date[16];
	sp_day_text(sp_local_day(local - SP_LOCAL_MS), date, sizeof(date));
	int64_t of_day = ((local % SP_DAY_MS + SP_DAY_MS) % SP_DAY_MS) / 1000;
	snprintf(out, 40, "%sT%02d:%02d:%02d", date, (int)(of_day / 3600), (int)(of_day / 60 % 60),
		 (int)(of_day % 60));
}

static int write_record(struct sp_buf *out, const struct sp_kiosk *kiosk, const struct sp_punch *punch,
			const char *id, const char *person, const struct sp_corrected *when,
			const struct sp_clock_reading *received)
{
	char dial[40] = "";
	bool timed = punch->kiosk_ms != SP_PUNCH_NO_TIME;
	bool shifted =
	    when->correction == SP_CORRECTION_KIOSK_CLOCK || when->correction == SP_CORRECTION_ZONE;
	if (timed)
		dial_text(punch, dial);
	struct sp_field fields[] = {
	    SP_TEXT("event", id),
	    SP_TEXT("person", person),
	    SP_TEXT("person_kind", sp_person_kind_name(punch->kind)),
	    SP_TEXT("direction", direction_name(punch->direction)),
	    SP_TEXT("method", method_name(punch->method)),
	    SP_TEXT("gate", punch->gate ? punch->gate : ""),
	    punch->number >= 0 ? SP_INT("number", punch->number) : SP_NULL("number"),
	    timed ? SP_TEXT("kiosk_time", dial) : SP_NULL("kiosk_time"),
	    timed ? SP_INT("kiosk_t_ms", punch->kiosk_ms) : SP_NULL("kiosk_t_ms"),
	    when->known ? SP_INT("corrected_t_ms", when->t_ms) : SP_NULL("corrected_t_ms"),
	    SP_TEXT("correction", sp_correction_name(when->correction)),
	    shifted ? SP_REAL("correction_seconds", (double)when->ahead_ms / 1000.0)
		    : SP_NULL("correction_seconds"),
	    SP_TEXT("mark", sp_punch_mark_name(when->mark)),
	};
	return sp_feed_record(out, "punch", kiosk->name, received, fields, SP_COUNT(fields));
}

static int append(struct sp_kiosk *kiosk, const struct sp_punch *punch, const struct sp_corrected *when,
		  const struct sp_clock_reading *received, struct pending *pending)
{
	struct sp_attendance *set = kiosk->set;
	const struct sp_attendance_config *config = &set->config;
	struct sp_journal_event event = {
	    .kiosk = kiosk->same,
	    .has_key = punch->key != NULL,
	    .publish = sp_attendance_sends_events(config->conf),
	    .capacity = kiosk->health.capacity > 0 ? kiosk->health.capacity : 0,
	};
	// By the dial alone: whatever else we believe of the time, it is the same when it comes again.
	if (punch->kiosk_ms != SP_PUNCH_NO_TIME)
		event.day = sp_local_day(punch->kiosk_ms + (int64_t)punch->zone_ahead_s * 1000);
	if (punch->key)
		sp_event_key(sp_keys_set(set->keys)->event, kiosk->same, punch->key, punch->key_length,
			     event.key);
	else
		sp_random_bytes(event.key, sizeof(event.key));
	event.has_other = punch->key && punch->other_key;
	if (event.has_other)
		sp_event_key(sp_keys_set(set->keys)->event, kiosk->same, punch->other_key,
			     punch->other_key_length, event.other);
	char id[SP_PSEUDONYM_LENGTH + 1];
	sp_event_id(event.key, id);
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX + 1);
	int result = write_record(&text, kiosk, punch, id, pending->person, when, received);
	if (!result) {
		event.record = text.data;
		result = config->append(config->arg, &event, on_committed, pending);
	}
	sp_buf_free(&text);
	return result;
}

int sp_attendance_punch(struct sp_kiosk *kiosk, const struct sp_punch *said, sp_journal_done_fn done,
			void *arg)
{
	struct sp_punch copy = *said, *punch = &copy;
	if (punch->kiosk_ms < DATES_LEAST_MS || punch->kiosk_ms > DATES_MOST_MS)
		punch->kiosk_ms = SP_PUNCH_NO_TIME;
	struct sp_attendance *set = kiosk->set;
	const struct sp_attendance_config *config = &set->config;
	if (!sp_attendance_allowed(config->conf))
		return -EPERM;
	if (!set->keys)
		return -ENOKEY;
	if (!valid(punch))
		return -EINVAL;
	struct sp_clock_reading received = sp_clock_now();
	if (punch->live && punch->kiosk_ms != SP_PUNCH_NO_TIME)
		sp_kiosk_clock_live(&kiosk->clock, &received, punch->kiosk_ms);
	struct sp_corrected when = sp_punch_correct(&kiosk->clock, &received, punch->kiosk_ms, punch->live);
	const uint8_t *key;
	int result = sp_keys_year(set->keys, year_of(set, &received, &when, punch->kiosk_ms), &key);
	if (result)
		return result;
	struct pending *pending = sp_alloc(sizeof(*pending));
	*pending = (struct pending){.kiosk = kiosk, .done = done, .arg = arg};
	sp_person_pseudonym(key, punch->kind, punch->person, punch->person_length, pending->person);
	snprintf(pending->gate, sizeof(pending->gate), "%s", punch->gate ? punch->gate : "");
	pending->event = (struct sp_attendance_event){.kiosk = kiosk->name,
						      .gate = pending->gate,
						      .person = pending->person,
						      .direction = punch->direction,
						      .known = when.known,
						      .t_ms = when.t_ms,
						      .mono_us = received.mono_us};
	if (config->forgotten &&
	    config->forgotten(config->hooks_arg, punch->kind, punch->person, punch->person_length)) {
		pending->nothing = true;
		sp_loop_post(config->loop, on_nothing, pending, NULL, 0);
		return 0;
	}
	result = append(kiosk, punch, &when, &received, pending);
	if (result)
		free(pending);
	return result;
}
