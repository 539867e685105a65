// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From an event to a punch. The terminal is never told what arrived: what could not be kept is read out of
// its memory again, and the journal knows what it has.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "direction.h"
#include "hikvision.h"
#include "schoolpulse/log.h"

enum { LIVE_WITHIN_MS = 10 * 60 * 1000 };

static void unlink_waiting(struct hik *hik, struct hik_waiting *waiting)
{
	if (waiting->previous)
		waiting->previous->next = waiting->next;
	else
		hik->waiting = waiting->next;
	if (waiting->next)
		waiting->next->previous = waiting->previous;
	hik->waiting_count--;
	free(waiting);
}

void hik_punch_forget(struct hik *hik)
{
	for (struct hik_waiting *waiting = hik->waiting, *next; waiting; waiting = next) {
		next = waiting->next;
		free(waiting);
	}
	hik->waiting = NULL;
	hik->waiting_count = 0;
}

static void not_kept(struct hik *hik, int64_t kiosk_ms)
{
	hik->trouble = true;
	hik_owe(hik, kiosk_ms);
}

static void on_committed(struct sp_device *dev, int result, void *arg)
{
	struct hik *hik = sp_device_state(dev);
	struct hik_waiting *waiting = arg;
	if (result < 0)
		not_kept(hik, waiting->kiosk_ms);
	unlink_waiting(hik, waiting);
	hik_stream_pace(hik);
	if (hik->waiting_count <= SP_HIK_WAITING_LEAST)
		hik_soon(hik);
}

// ---- its members --------------------------------------------------------------------------------

static bool listed(const struct sp_strings *list, int64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, number);
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static enum sp_punch_direction said_direction(const struct hik_conf *conf, const struct sp_hik_event *event)
{
	if (listed(&conf->in_readers, event->reader))
		return SP_PUNCH_IN;
	if (listed(&conf->out_readers, event->reader))
		return SP_PUNCH_OUT;
	if (listed(&conf->in_doors, event->door))
		return SP_PUNCH_IN;
	if (listed(&conf->out_doors, event->door))
		return SP_PUNCH_OUT;
	return event->status;
}

/// The terminal's own number of it, which it never uses twice; without one, all that tells it apart.
static size_t make_key(char *out, size_t size, const struct hik *hik, const struct sp_hik_event *event,
		       int64_t kiosk_ms)
{
	int length = event->serial >= 0
			 ? snprintf(out, size, "%s/%" PRId64, hik->serial, event->serial)
			 : snprintf(out, size, "%s/%" PRId64 "/%" PRId64 "/%" PRId64 "/%s", hik->serial,
				    kiosk_ms, event->minor, event->door, event->person);
	return (size_t)length < size ? (size_t)length : size - 1;
}

static bool is_live(const struct sp_device *dev, const struct hik *hik, const struct sp_hik_event *event,
		    bool streamed, int64_t kiosk_ms)
{
	if (!streamed)
		return false;
	if (event->told_live)
		return event->live;
	int64_t age = hik->unit_at_us ? hik_unit_now(dev, hik) - kiosk_ms : INT64_MAX;
	return age > -LIVE_WITHIN_MS && age < LIVE_WITHIN_MS;
}

/// A letter to `committed`, or what sp_punch() said.
static int hand_over(struct sp_device *dev, struct hik *hik, const struct sp_punch *punch)
{
	struct hik_waiting *waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->kiosk_ms = punch->kiosk_ms;
	waiting->next = hik->waiting;
	if (waiting->next)
		waiting->next->previous = waiting;
	hik->waiting = waiting;
	hik->waiting_count++;
	int result = sp_punch(dev, punch, on_committed, waiting);
	if (result < 0)
		unlink_waiting(hik, waiting);
	return result;
}

static int report(struct sp_device *dev, struct hik *hik, const struct sp_hik_event *event, bool streamed,
		  enum sp_punch_method method)
{
	const struct hik_conf *conf = sp_device_conf(dev);
	int64_t kiosk_ms = event->timed ? sp_civil_ms(&event->when, hik->zone_s) : SP_PUNCH_NO_TIME;
	int32_t zone_s = event->timed && event->when.zoned ? event->when.zone_s : hik->zone_s;
	if (kiosk_ms < 0)
		kiosk_ms = SP_PUNCH_NO_TIME; // before 1970: it says nothing
	char key[SP_PUNCH_KEY_MAX], gate[24] = "";
	if (event->door >= 0)
		snprintf(gate, sizeof(gate), "%" PRId64, event->door);
	struct sp_punch punch = {
	    .key = key,
	    .key_length = make_key(key, sizeof(key), hik, event, kiosk_ms),
	    .kind = SP_PERSON_PIN,
	    .person = event->person,
	    .person_length = event->person_length,
	    .kiosk_ms = kiosk_ms,
	    .zone_ahead_s = zone_s - SP_VIETNAM_S,
	    .live = is_live(dev, hik, event, streamed, kiosk_ms),
	    .direction = sp_direction((enum sp_direction_option)conf->direction, said_direction(conf, event)),
	    .method = method,
	    .gate = gate,
	    .number = event->serial};
	int result = hand_over(dev, hik, &punch);
	explicit_bzero(key, sizeof(key));
	// It would be no better the next time, or nothing may be kept at all; whatever else may pass.
	if (result < 0 && result != -EINVAL && result != -EPERM)
		not_kept(hik, kiosk_ms);
	return result;
}

bool hik_punch(struct sp_device *dev, struct hik *hik, const struct sp_hik_event *event, bool streamed)
{
	enum sp_punch_method method;
	switch (sp_hik_event_kind(event, &method)) {
	case SP_HIK_TURNED_AWAY:
		hik->turned_away += streamed;
		return true;
	case SP_HIK_OTHER:
		hik->others += streamed;
		return true;
	case SP_HIK_PASSED:
		break;
	}
	if (event->person_length == 0) {
		// A visitor's code, or a number that is none.
		hik->others += streamed && !event->unreadable;
		hik->malformed += event->unreadable;
		return true;
	}
	if (!streamed)
		hik->counted++;
	int result = report(dev, hik, event, streamed, method);
	if (result == -EPERM) {
		hik->denied = true;
		sp_notice("hikvision", "\"%s\": no legal basis is recorded: its events are not read",
			  sp_device_name(dev));
	} else if (result == -EINVAL) {
		hik->malformed++;
		return true;
	}
	return result >= 0;
}
