// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading records of kiosks. A word that is not known yet reads as unknown; a record without its identity, or
// with a time that cannot be, is not read at all.
#include "tools/hub/facts/fact_attendance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/feed_json.h"
#include "tools/hub/facts/fact_json.h"
#include "tools/hub/time/local_time.h"

#define MAX_SECONDS  1e10
#define MAX_PERSONS  INT64_C(1000000)
#define EARLIEST_MS  INT64_C(-2208988800000) // 1900
#define LATEST_MS    INT64_C(32503680000000) // 3000
#define SLOT_MINUTES 1440

static const char *const ways[SP_WAYS] = {"unknown", "in", "out"};
static const char *const marks[SP_MARKS] = {"live", "late", "future", "implausible"};
static const char *const corrections[SP_CORRECTIONS] = {"unknown", "none", "kiosk_clock", "zone", "received"};
static const char *const methods[SP_METHODS] = {"unknown", "card", "pin",  "password", "finger",
						"face",    "palm", "vein", "code",     "other"};
static const char *const kinds[SP_PERSON_KINDS] = {"other", "pin", "card", "code"};
static const char *const actions[SP_SUBJECT_ACTIONS] = {"forget", "export"};

const char *sp_punch_way_name(enum sp_punch_way way)
{
	return ways[way];
}

const char *sp_punch_mark_name(enum sp_punch_mark mark)
{
	return marks[mark];
}

const char *sp_punch_correction_name(enum sp_punch_correction correction)
{
	return corrections[correction];
}

const char *sp_punch_method_name(int method)
{
	return methods[method];
}

const char *sp_person_kind_name(int kind)
{
	return kinds[kind];
}

const char *sp_subject_action_name(enum sp_subject_action action)
{
	return actions[action];
}

// ---- members ------------------------------------------------------------------------------------------

static bool absent(const cJSON *item)
{
	return !item || cJSON_IsNull(item);
}

static bool pseudonym(const cJSON *item, char out[SP_PSEUDONYM_LENGTH + 1])
{
	if (!cJSON_IsString(item) || strlen(item->valuestring) != SP_PSEUDONYM_LENGTH ||
	    strspn(item->valuestring, "0123456789abcdef") != SP_PSEUDONYM_LENGTH)
		return false;
	memcpy(out, item->valuestring, SP_PSEUDONYM_LENGTH + 1);
	return true;
}

/// The first of `words` stands for those that are not known.
static int word_of(const cJSON *root, const char *name, const char *const *words, size_t count)
{
	int index = 0;
	(void)sp_fact_one_of(root, name, words, count, &index);
	return index;
}

/// False for a moment that no calendar has; SP_NO_TIME for none.
static bool moment(const cJSON *root, const char *name, int64_t *out)
{
	*out = SP_NO_TIME;
	if (absent(sp_fact_member(root, name)))
		return true;
	return sp_fact_integer(root, name, EARLIEST_MS, out) && *out <= LATEST_MS;
}

static bool signed_seconds(const cJSON *root, const char *name, double *out)
{
	const cJSON *item = sp_fact_member(root, name);
	bool good =
	    cJSON_IsNumber(item) && item->valuedouble >= -MAX_SECONDS && item->valuedouble <= MAX_SECONDS;
	*out = good ? item->valuedouble : 0;
	return good;
}

static int64_t integer(const cJSON *root, const char *name)
{
	int64_t value = -1;
	(void)sp_fact_integer(root, name, 0, &value);
	return value;
}

/// "2026-11-23" in days since 1970-01-01.
static bool date(const cJSON *root, int64_t *day)
{
	const cJSON *item = sp_fact_member(root, "date");
	int64_t from_ms;
	if (!cJSON_IsString(item) || !sp_local_date_parse(item->valuestring, &from_ms))
		return false;
	*day = sp_local_day(from_ms);
	return true;
}

// ---- punches ------------------------------------------------------------------------------------------

static bool kiosk_time(const cJSON *root, char out[20])
{
	static const char shape[] = "0000-00-00T00:00:00";
	const cJSON *item = sp_fact_member(root, "kiosk_time");
	out[0] = '\0';
	if (absent(item))
		return true;
	if (!cJSON_IsString(item) || strlen(item->valuestring) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		char c = item->valuestring[i];
		if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
			return false;
	}
	memcpy(out, item->valuestring, sizeof(shape));
	return true;
}

static bool punch(struct sp_fact_punch *out, const cJSON *root)
{
	int mark;
	if (!pseudonym(sp_fact_member(root, "event"), out->event) ||
	    !pseudonym(sp_fact_member(root, "person"), out->person) ||
	    !sp_fact_one_of(root, "mark", marks, SP_MARKS, &mark) || !kiosk_time(root, out->kiosk_time) ||
	    !moment(root, "kiosk_t_ms", &out->kiosk_t_ms) ||
	    !moment(root, "corrected_t_ms", &out->corrected_t_ms))
		return false;
	out->mark = (enum sp_punch_mark)mark;
	out->person_kind = word_of(root, "person_kind", kinds, SP_PERSON_KINDS);
	out->method = word_of(root, "method", methods, SP_METHODS);
	out->way = (enum sp_punch_way)word_of(root, "direction", ways, SP_WAYS);
	out->correction = (enum sp_punch_correction)word_of(root, "correction", corrections, SP_CORRECTIONS);
	(void)signed_seconds(root, "correction_seconds", &out->correction_seconds);
	sp_fact_text(root, "gate", out->gate, sizeof(out->gate));
	out->number = integer(root, "number");
	return true;
}

bool sp_fact_punch(struct sp_fact_punch *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_punch){.event = ""};
	bool good = punch(out, root);
	cJSON_Delete(root);
	return good;
}

// ---- kiosks -------------------------------------------------------------------------------------------

bool sp_fact_kiosk(struct sp_fact_kiosk *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	bool good = cJSON_IsObject(root);
	*out = (struct sp_fact_kiosk){.heard_mono_us = integer(root, "heard_mono_us"),
				      .records = integer(root, "records"),
				      .capacity = integer(root, "capacity"),
				      .users = integer(root, "users"),
				      .backlog = integer(root, "backlog"),
				      .refused = integer(root, "refused"),
				      .accepted = integer(root, "accepted"),
				      .known = integer(root, "known")};
	out->has_clock_error = signed_seconds(root, "clock_error_seconds", &out->clock_error_seconds);
	sp_fact_text(root, "driver", out->driver, sizeof(out->driver));
	sp_fact_text(root, "model", out->model, sizeof(out->model));
	sp_fact_text(root, "firmware", out->firmware, sizeof(out->firmware));
	cJSON_Delete(root);
	return good;
}

bool sp_fact_kiosk_total(struct sp_fact_kiosk_total *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	*out = (struct sp_fact_kiosk_total){.taken = integer(root, "taken")};
	bool good = date(root, &out->day) && sp_fact_integer(root, "kiosk", 0, &out->kiosk);
	cJSON_Delete(root);
	return good;
}

// ---- counts -------------------------------------------------------------------------------------------

/// "06:45" in minutes.
static bool slot(const cJSON *root, int64_t *out)
{
	const cJSON *item = sp_fact_member(root, "slot");
	int hours, minutes;
	if (!cJSON_IsString(item) || strlen(item->valuestring) != 5 || item->valuestring[2] != ':' ||
	    strspn(item->valuestring, "0123456789:") != 5 ||
	    sscanf(item->valuestring, "%2d:%2d", &hours, &minutes) != 2 || hours > 23 || minutes > 59)
		return false;
	*out = hours * 60 + minutes;
	return true;
}

static bool group(struct sp_fact_group *out, const cJSON *item)
{
	const cJSON *persons = sp_fact_member(item, "persons");
	sp_fact_text(item, "group", out->name, sizeof(out->name));
	out->way = (enum sp_punch_way)word_of(item, "direction", ways, SP_WAYS);
	out->persons = -1;
	if (absent(persons))
		return cJSON_IsObject(item);
	return sp_fact_integer(item, "persons", 0, &out->persons) && out->persons <= MAX_PERSONS;
}

static bool attendance(struct sp_fact_attendance *out, const cJSON *root)
{
	const cJSON *groups = sp_fact_member(root, "groups"), *item;
	if (!date(root, &out->day) || !slot(root, &out->slot) ||
	    !sp_fact_integer(root, "slot_minutes", 1, &out->slot_minutes) ||
	    out->slot_minutes > SLOT_MINUTES || !sp_fact_integer(root, "revision", 0, &out->revision) ||
	    !cJSON_IsArray(groups) || cJSON_GetArraySize(groups) > SP_GROUPS_MAX)
		return false;
	cJSON_ArrayForEach(item, groups)
	{
		if (!group(&out->groups[out->count++], item))
			return false;
	}
	return true;
}

bool sp_fact_attendance(struct sp_fact_attendance *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	memset(out, 0, sizeof(*out));
	bool good = attendance(out, root);
	cJSON_Delete(root);
	return good;
}

void sp_fact_groups_write(struct sp_buf *out, const struct sp_fact_attendance *fact)
{
	sp_buf_text(out, "[");
	for (size_t i = 0; i < fact->count; i++) {
		sp_buf_text(out, i ? ",[" : "[");
		sp_json_text(out, fact->groups[i].name);
		sp_buf_printf(out, ",%d,%" PRId64 "]", (int)fact->groups[i].way, fact->groups[i].persons);
	}
	sp_buf_text(out, "]");
}

size_t sp_fact_groups(struct sp_fact_group out[SP_GROUPS_MAX], const char *text)
{
	cJSON *list = cJSON_Parse(text), *item;
	size_t count = 0;
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *name = cJSON_GetArrayItem(item, 0), *way = cJSON_GetArrayItem(item, 1),
			    *persons = cJSON_GetArrayItem(item, 2);
		if (count == SP_GROUPS_MAX || !cJSON_IsString(name) || !cJSON_IsNumber(way) ||
		    !cJSON_IsNumber(persons) || way->valueint < 0 || way->valueint >= SP_WAYS)
			break;
		snprintf(out[count].name, sizeof(out[count].name), "%s", name->valuestring);
		out[count].way = (enum sp_punch_way)way->valueint;
		out[count++].persons = (int64_t)persons->valuedouble;
	}
	cJSON_Delete(list);
	return count;
}

// ---- requests and keys --------------------------------------------------------------------------------

static bool subject(struct sp_fact_subject *out, const cJSON *root)
{
	const cJSON *persons = sp_fact_member(root, "persons"), *item;
	int action;
	sp_fact_text(root, "request", out->request, sizeof(out->request));
	if (!out->request[0] ||
	    strlen(out->request) != strspn(out->request, "abcdefghijklmnopqrstuvwxyz0123456789-") ||
	    !sp_fact_one_of(root, "action", actions, SP_SUBJECT_ACTIONS, &action) ||
	    !cJSON_IsArray(persons) || cJSON_GetArraySize(persons) > SP_PERSONS_MAX)
		return false;
	out->action = (enum sp_subject_action)action;
	out->once = cJSON_IsTrue(sp_fact_member(root, "once"));
	(void)sp_fact_integer(root, "erased", 0, &out->erased);
	cJSON_ArrayForEach(item, persons)
	{
		if (!pseudonym(item, out->persons[out->count++]))
			return false;
	}
	return true;
}

bool sp_fact_subject(struct sp_fact_subject *out, const char *data)
{
	cJSON *root = cJSON_Parse(data);
	memset(out, 0, sizeof(*out));
	bool good = subject(out, root);
	cJSON_Delete(root);
	return good;
}

/// Years are texts such as "2026-2027", or numbers.
static void years(const cJSON *root, char *out, size_t size)
{
	const cJSON *item;
	size_t used = 0;
	out[0] = '\0';
	cJSON_ArrayForEach(item, sp_fact_member(root, "school_years"))
	{
		char year[16] = "";
		if (cJSON_IsString(item) && strlen(item->valuestring) < sizeof(year) &&
		    strspn(item->valuestring, "0123456789-") == strlen(item->valuestring))
			strcpy(year, item->valuestring);
		else if (cJSON_IsNumber(item) && item->valuedouble >= 1900 && item->valuedouble < 3000)
			snprintf(year, sizeof(year), "%d", (int)item->valuedouble);
		if (year[0] && used + strlen(year) + 2 < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "," : "", year);
	}
}

bool sp_fact_backup(struct sp_fact_backup *out, const char *data)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	cJSON *root = cJSON_Parse(data);
	const cJSON *blob = sp_fact_member(root, "blob");
	size_t length = cJSON_IsString(blob) ? strlen(blob->valuestring) : 0;
	bool good = length > 0 && length <= SP_BACKUP_MAX && length % 4 == 0 &&
		    strspn(blob->valuestring, base64) == length;
	years(root, out->school_years, sizeof(out->school_years));
	sp_fact_text(root, "mark", out->mark, sizeof(out->mark));
	out->blob[0] = '\0';
	if (good)
		memcpy(out->blob, blob->valuestring, length + 1);
	cJSON_Delete(root);
	return good;
}
