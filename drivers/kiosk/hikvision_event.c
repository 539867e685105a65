// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// AccessControllerEvent and AcsEvent (ISAPI), whose members have other names in the stream than in the
// memory.
#include "hikvision_event.h"

#include <string.h>

#include "hikvision_json.h"
#include "hikvision_xml.h"
#include "text.h"

enum { WORD_MAX = 48 };
#define NUMBER_MAX INT64_C(9007199254740991) ///< what the feed can carry

// ---- codes --------------------------------------------------------------------------------------

/// Minor codes of major type 5, as the maker's SDK numbers them: 1, 38, 75, 0x9c and 0xb5 from field notes,
/// combinations by its header's names alone. A combination is called after what it ends with.
static const struct {
	int64_t minor;
	enum sp_punch_method method;
} passed[] = {
    {0x01, SP_PUNCH_BY_CARD},   {0x02, SP_PUNCH_BY_CARD},     {0x10, SP_PUNCH_BY_OTHER},
    {0x26, SP_PUNCH_BY_FINGER}, {0x28, SP_PUNCH_BY_FINGER},   {0x2b, SP_PUNCH_BY_FINGER},
    {0x2e, SP_PUNCH_BY_FINGER}, {0x36, SP_PUNCH_BY_FACE},     {0x39, SP_PUNCH_BY_FACE},
    {0x3c, SP_PUNCH_BY_FACE},   {0x3f, SP_PUNCH_BY_FACE},     {0x42, SP_PUNCH_BY_FACE},
    {0x45, SP_PUNCH_BY_FINGER}, {0x48, SP_PUNCH_BY_FINGER},   {0x4b, SP_PUNCH_BY_FACE},
    {0x4d, SP_PUNCH_BY_FACE},   {0x65, SP_PUNCH_BY_PASSWORD}, {0x99, SP_PUNCH_BY_OTHER},
    {0x9c, SP_PUNCH_BY_CODE},   {0xb5, SP_PUNCH_BY_PASSWORD},
};
/// No permission, expired, unknown card, finger, face.
static const int64_t turned_away[] = {6, 8, 9, 39, 76};

enum sp_hik_kind sp_hik_event_kind(const struct sp_hik_event *event, enum sp_punch_method *method)
{
	*method = SP_PUNCH_BY_UNKNOWN;
	if (event->major != 5)
		return SP_HIK_OTHER;
	for (size_t i = 0; i < SP_COUNT(passed); i++)
		if (passed[i].minor == event->minor) {
			*method = passed[i].method;
			return SP_HIK_PASSED;
		}
	for (size_t i = 0; i < SP_COUNT(turned_away); i++)
		if (turned_away[i] == event->minor)
			return SP_HIK_TURNED_AWAY;
	return SP_HIK_OTHER;
}

static enum sp_punch_direction direction_of(const char *status)
{
	static const char *const in[] = {"checkIn", "breakIn", "overtimeIn"};
	static const char *const out[] = {"checkOut", "breakOut", "overtimeOut"};
	for (size_t i = 0; i < SP_COUNT(in); i++) {
		if (strcmp(status, in[i]) == 0)
			return SP_PUNCH_IN;
		if (strcmp(status, out[i]) == 0)
			return SP_PUNCH_OUT;
	}
	return SP_PUNCH_UNKNOWN; // mostly "undefined"
}

// ---- members ------------------------------------------------------------------------------------

enum member { MAJOR, MINOR, SERIAL, DOOR, READER, LIVE, TIME, STATUS, PERSON, PERSON_NUMBER, MEMBERS };

/// In the stream, and in the memory.
static const char *const names[MEMBERS][2] = {
    [MAJOR] = {"majorEventType", "major"},
    [MINOR] = {"subEventType", "minor"},
    [SERIAL] = {"serialNo", "serialNo"},
    [DOOR] = {"doorNo", "doorNo"},
    [READER] = {"cardReaderNo", "cardReaderNo"},
    [LIVE] = {"currentEvent", "currentEvent"},
    [TIME] = {"dateTime", "time"},
    [STATUS] = {"attendanceStatus", "attendanceStatus"},
    [PERSON] = {"employeeNoString", "employeeNoString"},
    [PERSON_NUMBER] = {"employeeNo", "employeeNo"}, // without leading zeros, so only where there is no other
};

static enum member member_of(const char *key)
{
	int at = 0;
	while (at < MEMBERS && strcmp(names[at][0], key) != 0 && strcmp(names[at][1], key) != 0)
		at++;
	return (enum member)at;
}

static void set_number(int64_t *out, const char *text, size_t length)
{
	if (sp_kiosk_integer(text, length, 0, NUMBER_MAX, out) < 0)
		*out = -1;
}

static void set_person(struct sp_hik_event *event, const char *text, int length, bool number)
{
	if (number && (event->person_length > 0 || event->unreadable))
		return;
	event->unreadable = length < 0;
	event->person_length = 0;
	explicit_bzero(event->person, sizeof(event->person)); // it may say it twice
	if (length <= 0 || strcmp(text, "0") == 0)
		return; // nobody's number
	memcpy(event->person, text, (size_t)length);
	event->person_length = (size_t)length;
}

/// `length` < 0: it could not be read.
static void set_member(struct sp_hik_event *event, enum member member, const char *text, int length)
{
	size_t size = length < 0 ? 0 : (size_t)length;
	switch (member) {
	case MAJOR:
		set_number(&event->major, text, size);
		break;
	case MINOR:
		set_number(&event->minor, text, size);
		break;
	case SERIAL:
		set_number(&event->serial, text, size);
		break;
	case DOOR:
		set_number(&event->door, text, size);
		break;
	case READER:
		set_number(&event->reader, text, size);
		break;
	case LIVE:
		event->told_live = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
		event->live = strcmp(text, "true") == 0;
		break;
	case TIME:
		event->timed = sp_civil_parse_iso(text, size, &event->when) == 0;
		break;
	case STATUS:
		event->status = direction_of(text);
		break;
	case PERSON:
	case PERSON_NUMBER:
		set_person(event, text, length, member == PERSON_NUMBER);
		break;
	case MEMBERS:
		break;
	}
}

static struct sp_hik_event nothing(void)
{
	return (struct sp_hik_event){.major = -1, .minor = -1, .serial = -1, .door = -1, .reader = -1};
}

/// One member whose key was read.
static void read_member(struct sp_hik_json *json, const char *key, struct sp_hik_event *event)
{
	char text[SP_PERSON_MAX + 1];
	enum member member = member_of(key);
	if (member == MEMBERS) {
		sp_hik_json_skip(json);
		return;
	}
	int length = sp_hik_json_text(json, text, member >= PERSON ? sizeof(text) : WORD_MAX);
	set_member(event, member, text, length);
	explicit_bzero(text, sizeof(text));
}

static void read_object(struct sp_hik_json *json, struct sp_hik_event *event)
{
	char key[SP_HIK_KEY_MAX];
	bool first = true;
	if (!sp_hik_json_enter(json, '{'))
		return;
	while (sp_hik_json_member(json, &first, key))
		read_member(json, key, event);
}

// ---- the stream ---------------------------------------------------------------------------------

static int parse_json(const char *text, size_t length, struct sp_hik_event *out)
{
	struct sp_hik_json json = sp_hik_json_begin(text, length);
	char key[SP_HIK_KEY_MAX];
	bool first = true;
	if (!sp_hik_json_enter(&json, '{'))
		return -EINVAL;
	while (sp_hik_json_member(&json, &first, key)) {
		if (strcmp(key, "AccessControllerEvent") == 0 && sp_hik_json_peek(&json) == '{')
			read_object(&json, out);
		else if (strcmp(key, names[TIME][0]) == 0)
			read_member(&json, key, out);
		else
			sp_hik_json_skip(&json);
	}
	return sp_hik_json_over(&json) ? 0 : -EINVAL;
}

static int parse_xml(const char *text, size_t length, struct sp_hik_event *out)
{
	char value[SP_PERSON_MAX + 1];
	int result = sp_hik_xml_text(text, length, "eventType", value, sizeof(value));
	if (result < 0)
		return -EINVAL;
	// Cut short, what is missing would not be missed.
	const char *close = memmem(text, length, "</EventNotificationAlert", 24);
	if (!close)
		return -EINVAL;
	for (int i = 0; i < MEMBERS; i++) {
		result = sp_hik_xml_text(text, length, names[i][0], value,
					 i >= PERSON ? sizeof(value) : (size_t)WORD_MAX);
		if (result != -ENOENT)
			set_member(out, (enum member)i, value, result);
	}
	explicit_bzero(value, sizeof(value));
	return 0;
}

static char first_of(const char *text, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf"; // of UTF-8, before some documents
	size_t at = length >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
	while (at < length && (text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r')))
		at++;
	return at < length ? text[at] : '\0';
}

int sp_hik_event_parse(const char *text, size_t length, struct sp_hik_event *out)
{
	*out = nothing();
	return first_of(text, length) == '<' ? parse_xml(text, length, out) : parse_json(text, length, out);
}

// ---- the memory ---------------------------------------------------------------------------------

static int read_list(struct sp_hik_json *json, struct sp_hik_page *page,
		     void (*event)(void *arg, const struct sp_hik_event *event), void *arg)
{
	bool first = true;
	if (!sp_hik_json_enter(json, '['))
		return -EINVAL;
	while (sp_hik_json_element(json, &first)) {
		struct sp_hik_event entry = nothing();
		entry.major = 5; // asked for
		read_object(json, &entry);
		if (!json->bad) {
			page->count++;
			event(arg, &entry);
		}
		explicit_bzero(&entry, sizeof(entry));
	}
	return json->bad ? -EINVAL : 0;
}

static void read_state(struct sp_hik_json *json, struct sp_hik_page *page)
{
	char word[16];
	if (sp_hik_json_text(json, word, sizeof(word)) < 0)
		return;
	if (strcmp(word, "MORE") == 0)
		page->state = SP_HIK_PAGE_MORE;
	else if (strncmp(word, "NO MATCH", 8) == 0)
		page->state = SP_HIK_PAGE_EMPTY;
}

int sp_hik_page_parse(const char *text, size_t length, struct sp_hik_page *out,
		      void (*event)(void *arg, const struct sp_hik_event *event), void *arg)
{
	struct sp_hik_json json = sp_hik_json_begin(text, length);
	char key[SP_HIK_KEY_MAX];
	bool first = true, inner = true;
	*out = (struct sp_hik_page){.total = -1};
	if (!sp_hik_json_enter(&json, '{') || !sp_hik_json_member(&json, &first, key) ||
	    strcmp(key, "AcsEvent") != 0 || !sp_hik_json_enter(&json, '{'))
		return -EINVAL;
	while (sp_hik_json_member(&json, &inner, key)) {
		if (strcmp(key, "responseStatusStrg") == 0)
			read_state(&json, out);
		else if (strcmp(key, "totalMatches") == 0)
			(void)!sp_hik_json_int(&json, &out->total);
		else if (strcmp(key, "InfoList") == 0 && sp_hik_json_peek(&json) == '[')
			(void)!read_list(&json, out, event, arg);
		else
			sp_hik_json_skip(&json);
	}
	return json.bad ? -EINVAL : 0;
}

int sp_hik_value(const char *text, size_t length, const char *name, char *out, size_t size)
{
	return first_of(text, length) == '<' ? sp_hik_xml_text(text, length, name, out, size)
					     : sp_hik_json_find(text, length, name, out, size);
}
