// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The members of a webhook's body (webhook_json.h).
#include "webhook_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "civil_time.h"
#include "text.h"
#include "webhook_scan.h"

struct reading {
	struct webhook_batch *batch;
	struct webhook_error *error;
	int32_t zone_s;
	bool (*event)(void *arg, const struct webhook_event *event);
	void *arg;
	bool canceled;
	unsigned seen; ///< members of the object that is being read, one bit each
	const char *list;
	size_t index;
	struct webhook_event current;
	struct webhook_total total;
};

/// Its member is the one to blame for what is wrong from here on.
static void blame(struct reading *reading, const char *name)
{
	if (!reading->list)
		snprintf(reading->error->member, sizeof(reading->error->member), "%s", name);
	else if (strcmp(reading->list, "kiosk") == 0)
		snprintf(reading->error->member, sizeof(reading->error->member), "kiosk%s%s",
			 *name ? "." : "", name);
	else
		snprintf(reading->error->member, sizeof(reading->error->member), "%s[%zu]%s%s", reading->list,
			 reading->index, *name ? "." : "", name);
}

/// Which of `names` it is, -1: none of them. Twice is a mistake: who knows which was meant.
static int which(struct webhook_scan *scan, struct reading *reading, const char *const *names,
		 const char *name)
{
	blame(reading, "");
	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		blame(reading, names[i]);
		if (reading->seen & 1U << i)
			webhook_wrong(scan, "stands there twice");
		reading->seen |= 1U << i;
		return i;
	}
	return -1;
}

// ---- values -------------------------------------------------------------------------------------------

/// A string of `least` to `size` bytes; a whole number is taken as its digits.
static bool text(struct webhook_scan *scan, char *out, size_t size, size_t *length)
{
	enum webhook_type type = webhook_type(scan);
	const char *digits;
	if (type == WEBHOOK_NUMBER) {
		if (!webhook_number(scan, &digits, length))
			return false;
		if (*length > size || memchr(digits, '.', *length) || memchr(digits, 'e', *length) ||
		    memchr(digits, 'E', *length) || *digits == '-')
			return webhook_wrong(scan, "must be a string, or a whole number");
		memcpy(out, digits, *length);
		return true;
	}
	if (type != WEBHOOK_STRING)
		return webhook_wrong(scan, "must be a string");
	if (!webhook_string(scan, out, size, length))
		return false;
	if (*length > size)
		return webhook_wrong(scan, "is too long");
	return *length > 0 || webhook_wrong(scan, "is empty");
}

static bool count(struct webhook_scan *scan, int64_t *out)
{
	const char *digits;
	size_t length;
	if (webhook_type(scan) == WEBHOOK_NULL)
		return webhook_null(scan);
	if (webhook_type(scan) != WEBHOOK_NUMBER)
		return webhook_wrong(scan, "must be a number");
	if (!webhook_number(scan, &digits, &length))
		return false;
	return sp_kiosk_integer(digits, length, 0, INT64_C(1) << 53, out) == 0 ||
	       webhook_wrong(scan, "must be a whole number, 0 or more");
}

/// The index of the word in a list of them.
static bool choice(struct webhook_scan *scan, const char *const *words, int *out)
{
	char word[16];
	size_t length;
	if (webhook_type(scan) == WEBHOOK_NULL)
		return webhook_null(scan);
	if (webhook_type(scan) != WEBHOOK_STRING)
		return webhook_wrong(scan, "must be a string");
	if (!webhook_string(scan, word, sizeof(word), &length))
		return false;
	for (int i = 0; words[i]; i++)
		if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0) {
			*out = i;
			return true;
		}
	return webhook_wrong(scan, "is none of the words that are allowed");
}

static bool cleaned(struct webhook_scan *scan, char *out, size_t size)
{
	char raw[WEBHOOK_TEXT_MAX];
	size_t length;
	if (webhook_type(scan) == WEBHOOK_NULL)
		return webhook_null(scan);
	if (webhook_type(scan) != WEBHOOK_STRING)
		return webhook_wrong(scan, "must be a string");
	if (!webhook_string(scan, raw, sizeof(raw), &length))
		return false;
	if (length >= size)
		return webhook_wrong(scan, "is too long");
	sp_kiosk_text(out, size, raw, length);
	return true;
}

static bool when(struct webhook_scan *scan, int32_t zone_s, int64_t *out)
{
	char written[40];
	size_t length;
	struct sp_civil civil;
	if (webhook_type(scan) == WEBHOOK_NULL) {
		*out = SP_PUNCH_NO_TIME;
		return webhook_null(scan);
	}
	if (webhook_type(scan) != WEBHOOK_STRING)
		return webhook_wrong(scan, "must be a time as 2026-09-05T06:58:41+07:00");
	if (!webhook_string(scan, written, sizeof(written), &length))
		return false;
	if (length > sizeof(written) || sp_civil_parse_iso(written, length, &civil))
		return webhook_wrong(scan, "must be a time as 2026-09-05T06:58:41+07:00");
	*out = sp_civil_ms(&civil, zone_s);
	return true;
}

/// A card's number: decimal, without leading zeros.
static bool card(struct webhook_scan *scan, struct webhook_event *event)
{
	size_t zeros = 0;
	for (size_t i = 0; i < event->person_length; i++)
		if (event->person[i] < '0' || event->person[i] > '9')
			return webhook_wrong(scan, "must be a decimal number: it is a card's");
	while (zeros + 1 < event->person_length && event->person[zeros] == '0')
		zeros++;
	event->person_length -= zeros;
	memmove(event->person, event->person + zeros, event->person_length);
	return true;
}

// ---- events -------------------------------------------------------------------------------------------

static bool event_member(struct webhook_scan *scan, const char *name, void *arg)
{
	static const char *const names[] = {"id",     "time", "person", "kind", "direction",
					    "method", "gate", "number", "live", NULL};
	static const char *const kinds[] = {"pin", "card", "code", "other", NULL};
	static const char *const ways[] = {"unknown", "in", "out", NULL};
	static const char *const methods[] = {"unknown", "card", "pin",  "password", "finger", "face",
					      "palm",    "vein", "code", "other",    NULL};
	struct reading *reading = arg;
	struct webhook_event *event = &reading->current;
	int value = 0, member = which(scan, reading, names, name);
	bool live = false, ok;
	if (scan->what)
		return false;
	switch (member) {
	case 0:
		return text(scan, event->id, sizeof(event->id), &event->id_length);
	case 1:
		return when(scan, reading->zone_s, &event->kiosk_ms);
	case 2:
		return text(scan, event->person, sizeof(event->person), &event->person_length);
	case 3:
		ok = choice(scan, kinds, &value);
		event->kind = (enum sp_person_kind)value;
		return ok;
	case 4:
		ok = choice(scan, ways, &value);
		event->direction = (enum sp_punch_direction)value;
		return ok;
	case 5:
		ok = choice(scan, methods, &value);
		event->method = (enum sp_punch_method)value;
		return ok;
	case 6:
		return cleaned(scan, event->gate, sizeof(event->gate));
	case 7:
		return count(scan, &event->number);
	case 8:
		if (webhook_type(scan) == WEBHOOK_NULL)
			return webhook_null(scan);
		if (webhook_type(scan) != WEBHOOK_BOOL)
			return webhook_wrong(scan, "must be true or false");
		ok = webhook_bool(scan, &live);
		event->live = live;
		return ok;
	default:
		return webhook_skip(scan, WEBHOOK_DEPTH);
	}
}

static bool begin_item(struct webhook_scan *scan, struct reading *reading, const char *list, size_t index)
{
	reading->list = list;
	reading->index = index;
	reading->seen = 0;
	blame(reading, "");
	return webhook_type(scan) == WEBHOOK_OBJECT || webhook_wrong(scan, "must be an object");
}

static bool missing(struct webhook_scan *scan, struct reading *reading, const char *name)
{
	blame(reading, name);
	return webhook_wrong(scan, "is missing");
}

static bool read_event(struct webhook_scan *scan, struct reading *reading)
{
	struct webhook_event *event = &reading->current;
	if (!webhook_object(scan, event_member, reading))
		return false;
	if (event->id_length == 0)
		return missing(scan, reading, "id");
	if (event->person_length == 0)
		return missing(scan, reading, "person");
	if (!(reading->seen & 1U << 1))
		return missing(scan, reading, "time");
	blame(reading, "person");
	if (event->kind == SP_PERSON_CARD && !card(scan, event))
		return false;
	reading->canceled = reading->event && !reading->event(reading->arg, event);
	return !reading->canceled;
}

static bool on_event(struct webhook_scan *scan, const char *none, void *arg)
{
	struct reading *reading = arg;
	(void)none;
	if (!begin_item(scan, reading, "events", reading->batch->event_count))
		return false;
	if (reading->batch->event_count++ == WEBHOOK_EVENTS) {
		reading->list = NULL;
		blame(reading, "events");
		return webhook_wrong(scan, "holds more than 500");
	}
	reading->current = (struct webhook_event){.live = -1, .number = -1, .kiosk_ms = SP_PUNCH_NO_TIME};
	bool ok = read_event(scan, reading);
	explicit_bzero(&reading->current, sizeof(reading->current));
	return ok;
}

// ---- the rest -----------------------------------------------------------------------------------------

static bool total_member(struct webhook_scan *scan, const char *name, void *arg)
{
	static const char *const names[] = {"day", "count", NULL};
	struct reading *reading = arg;
	char written[32];
	size_t length;
	struct sp_civil civil;
	int member = which(scan, reading, names, name);
	if (scan->what)
		return false;
	if (member == 1)
		return count(scan, &reading->total.count);
	if (member != 0)
		return webhook_skip(scan, WEBHOOK_DEPTH);
	if (webhook_type(scan) != WEBHOOK_STRING)
		return webhook_wrong(scan, "must be a day as 2026-09-05");
	if (!webhook_string(scan, written, 10, &length))
		return false;
	if (length == 10)
		memcpy(written + 10, " 00:00:00", sizeof(" 00:00:00"));
	if (length != 10 || sp_civil_parse(written, 19, &civil))
		return webhook_wrong(scan, "must be a day as 2026-09-05");
	reading->total.day = sp_civil_day(&civil);
	return true;
}

static bool on_total(struct webhook_scan *scan, const char *none, void *arg)
{
	struct reading *reading = arg;
	struct webhook_batch *batch = reading->batch;
	(void)none;
	if (!begin_item(scan, reading, "totals", batch->total_count))
		return false;
	if (batch->total_count == WEBHOOK_TOTALS) {
		reading->list = NULL;
		blame(reading, "totals");
		return webhook_wrong(scan, "holds more than 31");
	}
	reading->total = (struct webhook_total){.count = -1};
	if (!webhook_object(scan, total_member, reading))
		return false;
	if (!(reading->seen & 1U))
		return missing(scan, reading, "day");
	if (reading->total.count < 0)
		return missing(scan, reading, "count");
	batch->totals[batch->total_count++] = reading->total;
	return true;
}

static bool kiosk_member(struct webhook_scan *scan, const char *name, void *arg)
{
	static const char *const names[] = {"model", "firmware", "records", "capacity",
					    "users", "backlog",  NULL};
	struct reading *reading = arg;
	struct webhook_kiosk *kiosk = &reading->batch->kiosk;
	int member = which(scan, reading, names, name);
	if (scan->what)
		return false;
	switch (member) {
	case 0:
		return cleaned(scan, kiosk->model, sizeof(kiosk->model));
	case 1:
		return cleaned(scan, kiosk->firmware, sizeof(kiosk->firmware));
	case 2:
		return count(scan, &kiosk->records);
	case 3:
		return count(scan, &kiosk->capacity);
	case 4:
		return count(scan, &kiosk->users);
	case 5:
		return count(scan, &kiosk->backlog);
	default:
		return webhook_skip(scan, WEBHOOK_DEPTH);
	}
}

static bool top_member(struct webhook_scan *scan, const char *name, void *arg)
{
	static const char *const names[] = {"events", "totals", "kiosk", NULL};
	struct reading *reading = arg;
	reading->list = NULL;
	int member = which(scan, reading, names, name);
	if (scan->what)
		return false;
	if (member < 0)
		return webhook_skip(scan, WEBHOOK_DEPTH);
	unsigned seen = reading->seen;
	if (member < 2 && webhook_type(scan) != WEBHOOK_LIST)
		return webhook_wrong(scan, "must be a list");
	bool ok = member == 0 ? webhook_list(scan, on_event, reading)
		  : member == 1
		      ? webhook_list(scan, on_total, reading)
		      : begin_item(scan, reading, "kiosk", 0) && webhook_object(scan, kiosk_member, reading);
	reading->seen = seen;
	return ok;
}

int webhook_read(const char *body, size_t length, int32_t zone_s, struct webhook_batch *out,
		 bool (*event)(void *arg, const struct webhook_event *event), void *arg,
		 struct webhook_error *error)
{
	struct webhook_scan scan = {.at = body, .end = body + length};
	struct reading reading = {.batch = out, .error = error, .zone_s = zone_s, .event = event, .arg = arg};
	*error = (struct webhook_error){0};
	*out = (struct webhook_batch){.kiosk = {.records = -1, .capacity = -1, .users = -1, .backlog = -1}};
	if (webhook_type(&scan) != WEBHOOK_OBJECT)
		webhook_wrong(&scan, "must be an object");
	bool ok = !scan.what && webhook_object(&scan, top_member, &reading);
	reading.list = NULL;
	if (ok && !(reading.seen & 1U))
		ok = missing(&scan, &reading, "events");
	ok = ok && webhook_end(&scan);
	explicit_bzero(&reading, sizeof(reading));
	if (ok)
		return 0;
	error->grammar = scan.grammar;
	error->at = (size_t)(scan.at - body);
	if (scan.grammar)
		error->member[0] = '\0'; // where it breaks off says nothing
	error->what = scan.what ? scan.what : "";
	return scan.what ? -EINVAL : -ECANCELED;
}
