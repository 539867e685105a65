// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The records of an envelope, cut out of its text, which was found to be JSON before: a hub reads a hundred
// thousand of them a second, so no tree is made of them. What is written in an unusual way (escapes, "1e3")
// is left to cJSON, value by value, and so has one meaning everywhere.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/feed_json.h"
#include "agent/base/feed_read.h"
#include "agent/base/mem.h"
#include "agent/base/utf8.h"

enum {
	DEVICE_MAX = 64,   ///< bytes of an instance's name
	SPLICED_MAX = 32,  ///< what the journal adds to a record: "seq":9007199254740991,
	EVENTS_FIRST = 32, ///< room for so many is made at first
	PLAIN_DIGITS = 15, ///< any number of so many digits is exact
	ESCAPED_MAX = 44,  ///< bytes of "mono_us", each letter as \uXXXX
};

enum member { SEQ, TYPE, DEVICE, MONO, T, ERR, OTHER };

static const struct {
	const char *name;
	size_t length;
} known_members[] = {{"seq", 3}, {"type", 4}, {"device", 6}, {"mono_us", 7}, {"t_ms", 4}, {"err_ms", 6}};

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

static bool is_empty(const char *container)
{
	const char *at = sp_json_space(container + 1);
	return *at == '}' || *at == ']';
}

/// As cJSON reads it; to be deleted. NULL: no memory.
static cJSON *tree_of(const char *text, const char *end)
{
	return cJSON_ParseWithLength(text, (size_t)(end - text));
}

static bool key_is(const struct span *span, const char *name, size_t length)
{
	const char *key = span->key + 1;
	size_t size = (size_t)(span->key_end - span->key) - 2;
	if (!memchr(key, '\\', size))
		return size == length && memcmp(key, name, length) == 0;
	cJSON *tree = tree_of(span->key, span->key_end);
	bool same = tree && strcmp(tree->valuestring, name) == 0;
	cJSON_Delete(tree);
	return same;
}

static enum member member_of(const struct span *span)
{
	if (span->key_end - span->key > ESCAPED_MAX)
		return OTHER;
	for (size_t i = 0; i < SP_COUNT(known_members); i++) {
		if (key_is(span, known_members[i].name, known_members[i].length))
			return (enum member)i;
	}
	return OTHER;
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

static bool read_int(const struct span *span, int64_t min, int64_t *out)
{
	int64_t value = 0;
	const char *at = span->value;
	while (at < span->end && *at >= '0' && *at <= '9' && at - span->value < PLAIN_DIGITS)
		value = value * 10 + (*at++ - '0');
	if (at == span->end) {
		*out = value;
		return value >= min;
	}
	cJSON *tree = tree_of(span->value, span->end);
	bool good = sp_feed_int(tree, min, out);
	cJSON_Delete(tree);
	return good;
}

/// Its text, to *rest, which then stands behind its NUL; "" when it is none.
static const char *read_text(const struct span *span, char **rest)
{
	if (!span->value || *span->value != '"')
		return "";
	const char *from = span->value + 1;
	size_t length = (size_t)(span->end - span->value) - 2;
	cJSON *tree = NULL;
	if (memchr(from, '\\', length)) {
		tree = tree_of(span->value, span->end);
		from = tree ? tree->valuestring : "";
		length = strlen(from);
	}
	char *text = memcpy(*rest, from, length);
	text[length] = '\0';
	*rest += length + 1;
	cJSON_Delete(tree);
	return text;
}

/// A record while it is read.
struct reading {
	struct sp_feed_event *event;
	struct span type, device; ///< where they stand; their texts follow the object of the others
	unsigned seen, known;     ///< 1 << member; known: not null
	char *out;
};

static bool read_member(struct reading *r, enum member member, const struct span *span)
{
	switch (member) {
	case SEQ:
		return read_int(span, 1, &r->event->seq);
	case TYPE:
		r->type = *span;
		return true;
	case DEVICE:
		r->device = *span;
		return *span->value == '"';
	case MONO:
		return read_int(span, 0, &r->event->mono_us);
	case T:
		return read_int(span, 0, &r->event->t_ms);
	case ERR:
		return read_int(span, 0, &r->event->err_ms);
	case OTHER:
		return true;
	}
	return false;
}

static char *copy(char *out, const char *from, const char *to)
{
	memcpy(out, from, (size_t)(to - from));
	return out + (to - from);
}

static void keep(struct reading *r, const struct span *span)
{
	if (r->out[-1] != '{')
		*r->out++ = ',';
	r->out = copy(r->out, span->key, span->key_end);
	*r->out++ = ':';
	r->out = copy(r->out, span->value, span->end);
}

/// What is wrong with the known members of a record, NULL when nothing is.
static const char *judge(struct reading *r)
{
	const unsigned needed = 1U << SEQ | 1U << TYPE | 1U << MONO, place = 1U << T | 1U << ERR;
	if ((r->known & needed) != needed)
		return "seq, type or mono_us";
	if ((r->known & place) != 0 && (r->known & place) != place)
		return "one of t_ms and err_ms";
	r->event->placed = (r->known & place) == place;
	r->event->type = read_text(&r->type, &r->out);
	r->event->device = read_text(&r->device, &r->out);
	if (!sp_feed_type_valid(r->event->type))
		return known_members[TYPE].name;
	return is_device(r->event->device) ? NULL : known_members[DEVICE].name;
}

/// One record at *at, which then stands behind it; what remains of it and its texts go to *rest, which then
/// stands behind them. They are shorter than the record: the names of seq, type and mono_us go.
static const char *read_event(struct sp_feed_event *event, const char **at, char **rest)
{
	struct reading r = {.event = event, .out = *rest};
	struct span span = {.next = *at + 1};
	if (is_empty(*at))
		return judge(&r);
	*event = (struct sp_feed_event){.data = r.out};
	*r.out++ = '{';
	do {
		span = span_at(span.next);
		enum member member = member_of(&span);
		if (member == OTHER) {
			keep(&r, &span);
			continue;
		}
		// A member twice is read differently by different readers.
		if (r.seen & 1U << member)
			return known_members[member].name;
		r.seen |= 1U << member;
		if (*span.value == 'n') // null: not known
			continue;
		r.known |= 1U << member;
		if (!read_member(&r, member, &span))
			return known_members[member].name;
	} while (span.next[-1] == ',');
	*r.out++ = '}';
	*r.out++ = '\0';
	const char *wrong = judge(&r);
	*rest = r.out;
	*at = span.next;
	return wrong;
}

/// One array of 1…SP_FEED_BATCH_MAX objects.
static bool is_list(const char *list)
{
	size_t count = 0;
	if (!list || *list != '[' || is_empty(list))
		return false;
	for (const char *at = list; *at != ']'; at = sp_json_space(sp_json_skip(at))) {
		at = sp_json_space(at + 1); // behind '[' or ','
		if (*at != '{' || ++count > SP_FEED_BATCH_MAX)
			return false;
	}
	return true;
}

static struct sp_feed_event *next_event(struct sp_feed_message *message)
{
	if (message->count >= EVENTS_FIRST && (message->count & (message->count - 1)) == 0)
		message->events = sp_realloc(message->events, 2 * message->count * sizeof(*message->events));
	return &message->events[message->count];
}

static enum sp_feed_fault read_records(struct sp_feed_message *message, const char *list, char *rest,
				       char why[128])
{
	for (const char *at = list; *at != ']'; message->count++) {
		const char *start = at = sp_json_space(at + 1); // behind '[' or ','
		if (*at != '{' || message->count == SP_FEED_BATCH_MAX)
			return SP_FEED_MALFORMED;
		struct sp_feed_event *event = next_event(message);
		const char *wrong = read_event(event, &at, &rest);
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
	return SP_FEED_OK;
}

const char *sp_feed_events_at(const char *text, const char **end)
{
	if (*(text = sp_json_space(text)) != '{' || is_empty(text))
		return NULL;
	struct span span = {.next = text + 1};
	do {
		span = span_at(span.next);
		*end = span.end;
		if (key_is(&span, "ev", 2))
			return span.value;
	} while (span.next[-1] == ',');
	return NULL;
}

enum sp_feed_fault sp_feed_read_events(struct sp_feed_message *message, const char *list, const char *end,
				       char why[128])
{
	enum sp_feed_fault fault = SP_FEED_MALFORMED;
	if (list && *list == '[' && !is_empty(list)) {
		message->events = sp_alloc(EVENTS_FIRST * sizeof(*message->events));
		message->texts = sp_alloc((size_t)(end - list) + 1);
		fault = read_records(message, list, message->texts, why);
	}
	// Looked at only now, since hardly any list is wrong: what it is as a whole is said first.
	if (fault != SP_FEED_OK && !is_list(list))
		return sp_feed_fail(why, SP_FEED_MALFORMED, "\"ev\" is no list of 1 to %d records",
				    SP_FEED_BATCH_MAX);
	if (fault != SP_FEED_OK)
		return fault;
	message->envelope.first = message->events[0].seq;
	message->envelope.last = message->events[message->count - 1].seq;
	return SP_FEED_OK;
}
