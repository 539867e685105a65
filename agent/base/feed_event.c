// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The records of an envelope. The text and cJSON's tree of it are walked side by side: the tree
// gives the known members, and what remains is cut out of the text instead of printed again.
#include <inttypes.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/feed_json.h"
#include "agent/base/feed_read.h"
#include "agent/base/mem.h"
#include "agent/base/utf8.h"

enum {
	DEVICE_MAX = 64,  ///< bytes of an instance's name
	SPLICED_MAX = 32, ///< what the journal adds to a record: "seq":9007199254740991,
};

enum member { SEQ, TYPE, DEVICE, MONO, T, ERR, OTHER };

static const char *const member_names[] = {"seq", "type", "device", "mono_us", "t_ms", "err_ms"};

static enum member member_of(const char *name)
{
	for (size_t i = 0; i < SP_COUNT(member_names); i++) {
		if (strcmp(name, member_names[i]) == 0)
			return (enum member)i;
	}
	return OTHER;
}

/// The text of the value of member `wanted`, the same one that cJSON finds: members keep their
/// order in the tree, so both are walked until the node is met.
static const char *value_text(const cJSON *object, const cJSON *wanted, const char *text)
{
	const char *at = sp_json_space(text) + 1;
	for (const cJSON *item = object->child; item; item = item->next) {
		at = sp_json_space(sp_json_skip(sp_json_space(at)));
		at = sp_json_space(at + 1); // ':'
		if (item == wanted)
			return at;
		at = sp_json_space(sp_json_skip(at)) + 1; // ','
	}
	return NULL;
}

static bool is_device(const char *text)
{
	size_t left = strlen(text);
	if (left > DEVICE_MAX)
		return false;
	while (left > 0) {
		uint32_t character = 0;
		size_t length = sp_utf8_next(text, left, &character);
		if (length == 0 || sp_utf8_is_control(character))
			return false;
		text += length;
		left -= length;
	}
	return true;
}

static bool read_member(struct sp_feed_event *event, enum member member, const cJSON *item)
{
	switch (member) {
	case SEQ:
		return sp_feed_int(item, 1, &event->seq);
	case TYPE:
		event->type = item->valuestring;
		return cJSON_IsString(item) && sp_feed_type_valid(item->valuestring);
	case DEVICE:
		event->device = item->valuestring;
		return cJSON_IsString(item) && is_device(item->valuestring);
	case MONO:
		return sp_feed_int(item, 0, &event->mono_us);
	case T:
		return sp_feed_int(item, 0, &event->t_ms);
	case ERR:
		return sp_feed_int(item, 0, &event->err_ms);
	case OTHER:
		return true;
	}
	return false;
}

/// A member as it stands in the text: key, value and what follows them.
struct span {
	const char *key, *key_end, *value, *end, *next;
};

static struct span span_at(const char *text)
{
	struct span s;
	s.key = sp_json_space(text);
	s.key_end = sp_json_skip(s.key);
	s.value = sp_json_space(sp_json_space(s.key_end) + 1);
	s.end = sp_json_skip(s.value);
	s.next = sp_json_space(s.end) + 1; // behind ',' or '}'
	return s;
}

static char *copy(char *out, const char *from, const char *to)
{
	memcpy(out, from, (size_t)(to - from));
	return out + (to - from);
}

/// What is wrong with the known members of a record, NULL when nothing is.
static const char *judge(struct sp_feed_event *event, unsigned known)
{
	const unsigned needed = 1U << SEQ | 1U << TYPE | 1U << MONO, place = 1U << T | 1U << ERR;
	if ((known & needed) != needed)
		return "seq, type or mono_us";
	if ((known & place) != 0 && (known & place) != place)
		return "one of t_ms and err_ms";
	event->placed = (known & place) == place;
	return NULL;
}

/// One record at *at, which then stands behind it; what remains of it goes to *rest, which then
/// stands behind its NUL. The rest is always shorter than the record: seq, type and mono_us go.
static const char *read_event(struct sp_feed_event *event, const cJSON *record, const char **at, char **rest)
{
	unsigned seen = 0, known = 0;
	struct span span = {.next = *at + 1};
	char *out = *rest;
	*event = (struct sp_feed_event){.device = "", .json = record, .data = out};
	*out++ = '{';
	for (const cJSON *item = record->child; item; item = item->next) {
		span = span_at(span.next);
		enum member member = member_of(item->string);
		if (member == OTHER) {
			if (out[-1] != '{')
				*out++ = ',';
			out = copy(out, span.key, span.key_end);
			*out++ = ':';
			out = copy(out, span.value, span.end);
			continue;
		}
		// A member twice is read differently by different readers.
		if (seen & 1U << member)
			return member_names[member];
		seen |= 1U << member;
		if (cJSON_IsNull(item))
			continue;
		known |= 1U << member;
		if (!read_member(event, member, item))
			return member_names[member];
	}
	const char *wrong = judge(event, known);
	if (wrong)
		return wrong;
	*out++ = '}';
	*out++ = '\0';
	*rest = out;
	*at = span.next;
	return NULL;
}

/// -1 without one array of 1…SP_FEED_BATCH_MAX objects.
static int count_records(const cJSON *list)
{
	int count = 0;
	if (!cJSON_IsArray(list))
		return -1;
	for (const cJSON *item = list->child; item; item = item->next) {
		if (!cJSON_IsObject(item) || ++count > SP_FEED_BATCH_MAX)
			return -1;
	}
	return count ? count : -1;
}

enum sp_feed_fault sp_feed_read_events(struct sp_feed_message *message, const char *text, char why[128])
{
	const cJSON *list = sp_feed_member(message->root, "ev");
	int count = count_records(list);
	if (count < 0)
		return sp_feed_fail(why, SP_FEED_MALFORMED, "\"ev\" is no list of 1 to %d records",
				    SP_FEED_BATCH_MAX);
	const char *at = value_text(message->root, list, text);
	const char *end = sp_json_skip(at);
	message->events = sp_alloc((size_t)count * sizeof(*message->events));
	message->texts = sp_alloc((size_t)(end - at) + 1);
	char *rest = message->texts;
	const cJSON *record = list->child;
	for (; record; record = record->next, message->count++) {
		struct sp_feed_event *event = &message->events[message->count];
		const char *start = at = sp_json_space(at + 1); // behind '[' or ','
		const char *wrong = read_event(event, record, &at, &rest);
		if (wrong)
			return sp_feed_fail(why, SP_FEED_MALFORMED,
					    "record %zu: \"%s\" is missing, wrong or there twice",
					    message->count + 1, wrong);
		if (at - start > SP_FEED_RECORD_MAX + SPLICED_MAX)
			return sp_feed_fail(why, SP_FEED_TOO_LARGE, "record %zu has more than %d bytes",
					    message->count + 1, SP_FEED_RECORD_MAX);
		if (message->count > 0 && event->seq != event[-1].seq + 1)
			return sp_feed_fail(why, SP_FEED_NOT_CONTIGUOUS,
					    "seq %" PRId64 " follows seq %" PRId64, event->seq,
					    event[-1].seq);
		at = sp_json_space(at); // at ',' or ']'
	}
	message->envelope.first = message->events[0].seq;
	message->envelope.last = message->events[message->count - 1].seq;
	return SP_FEED_OK;
}
