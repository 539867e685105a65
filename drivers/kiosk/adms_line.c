// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines of ATTLOG and OPERLOG (adms_line.h).
#include "adms_line.h"

#include <string.h>
#include <strings.h>

#include "civil_time.h"
#include "text.h"

enum { ATTLOG_FIELDS = 4, FIELDS_MAX = 10, BYTE_MOST = 255, CODE_MOST = 65535 };

struct field {
	const char *at;
	size_t length;
};

/// Cuts a line at its TABs, and at the first blank, too, if `tagged`; blanks around a field are not part of
/// it.
static size_t cut(const char *line, size_t length, bool tagged, struct field out[FIELDS_MAX])
{
	size_t count = 0, begin = 0;
	for (size_t i = 0; i <= length && count < FIELDS_MAX; i++) {
		bool end = i == length || line[i] == '\t' || (tagged && count == 0 && line[i] == ' ');
		if (!end)
			continue;
		size_t from = begin, to = i;
		while (from < to && line[from] == ' ')
			from++;
		while (to > from && line[to - 1] == ' ')
			to--;
		out[count++] = (struct field){line + from, to - from};
		begin = i + 1;
	}
	return count;
}

static unsigned number(const struct field *field, unsigned most, unsigned otherwise)
{
	int64_t value;
	return sp_kiosk_integer(field->at, field->length, 0, most, &value) == 0 ? (unsigned)value : otherwise;
}

static bool read_time(const struct field *field, int64_t *local_s)
{
	struct sp_civil civil;
	if (sp_civil_parse_iso(field->at, field->length, &civil) < 0 || civil.zoned)
		return false;
	*local_s = sp_civil_ms(&civil, 0) / 1000;
	return true;
}

/// An integer instead of a date: seen rarely, and then since 1970.
static bool read_epoch(const struct field *field, int64_t *epoch_s)
{
	return field->length >= 9 &&
	       sp_kiosk_integer(field->at, field->length, 0, INT64_C(4102444800), epoch_s) == 0;
}

/// Any bytes but control characters and blanks within.
static bool is_pin(const struct field *field)
{
	if (field->length == 0 || field->length > SP_ADMS_PIN_MAX)
		return false;
	for (size_t i = 0; i < field->length; i++)
		if ((uint8_t)field->at[i] <= ' ' || field->at[i] == 0x7f)
			return false;
	return true;
}

static bool attlog(struct sp_adms_lines *lines)
{
	struct field fields[FIELDS_MAX];
	size_t count = cut(lines->line, lines->kept, false, fields);
	struct sp_adms_punch punch = {.status = SP_ADMS_NOT_GIVEN, .verify = SP_ADMS_NOT_GIVEN};
	if (count < 2 || !is_pin(&fields[0]))
		return false;
	if (!read_time(&fields[1], &punch.local_s)) {
		punch.epoch = read_epoch(&fields[1], &punch.local_s);
		if (!punch.epoch)
			return false;
	}
	punch.pin = fields[0].at;
	punch.pin_length = fields[0].length;
	if (count > 2)
		punch.status = number(&fields[2], BYTE_MOST, SP_ADMS_NOT_GIVEN);
	if (count > 3)
		punch.verify = number(&fields[3], BYTE_MOST, SP_ADMS_NOT_GIVEN);
	lines->punch(&punch, lines->arg);
	return true;
}

/// OPLOG <code> TAB <operator> TAB <time> TAB …: the order varies, so the time is looked for.
static void oplog(struct sp_adms_lines *lines)
{
	struct field fields[FIELDS_MAX];
	size_t count = cut(lines->line, lines->kept, true, fields);
	struct sp_adms_operation operation = {0};
	if (count < 3)
		return;
	operation.code = number(&fields[1], CODE_MOST, CODE_MOST + 1);
	for (size_t i = 2; i < count && operation.code <= CODE_MOST; i++) {
		if (!read_time(&fields[i], &operation.local_s))
			continue;
		operation.object = i + 1 < count ? number(&fields[i + 1], CODE_MOST, 0) : 0;
		lines->operation(&operation, lines->arg);
		return;
	}
}

static bool begins_with(const struct sp_adms_lines *lines, const char *word)
{
	size_t length = strlen(word);
	return lines->kept >= length && strncasecmp(lines->line, word, length) == 0;
}

static void line_over(struct sp_adms_lines *lines)
{
	if (lines->kept == lines->length && lines->kept > 0 && lines->line[lines->kept - 1] == '\r') {
		lines->kept--;
		lines->length--;
	}
	// A bridge may put such a line first: no record, so not counted.
	bool heading = lines->tabs == 0 && !lines->overlong && begins_with(lines, "TABLE=");
	if (lines->length > 0 && !heading) {
		lines->count++;
		if (lines->punch && (lines->overlong || !attlog(lines)))
			lines->malformed++;
		if (lines->operation && !lines->overlong && begins_with(lines, "OPLOG"))
			oplog(lines);
	}
	sp_adms_lines_wipe(lines);
}

/// What has come of the line may still become one that begins so.
static bool may_begin_with(const struct sp_adms_lines *lines, const char *word)
{
	size_t length = strlen(word);
	return strncasecmp(lines->line, word, lines->kept < length ? lines->kept : length) == 0;
}

/// Not ATTLOG: whether the rest of the line is to be dropped unread.
static bool is_private(const struct sp_adms_lines *lines)
{
	return !(lines->operation && may_begin_with(lines, "OPLOG")) && !may_begin_with(lines, "TABLE=");
}

static void take(struct sp_adms_lines *lines, char c)
{
	lines->length++;
	lines->tabs += c == '\t';
	if (lines->skipping)
		return;
	if (lines->punch && lines->tabs >= ATTLOG_FIELDS) {
		lines->skipping = true;
		return;
	}
	if (lines->kept == sizeof(lines->line)) {
		lines->overlong = lines->skipping = true;
		return;
	}
	lines->line[lines->kept++] = c;
	lines->skipping = !lines->punch && is_private(lines);
}

void sp_adms_lines_begin(struct sp_adms_lines *lines, void (*punch)(const struct sp_adms_punch *, void *arg),
			 void (*operation)(const struct sp_adms_operation *, void *arg), void *arg)
{
	*lines = (struct sp_adms_lines){.punch = punch, .operation = operation, .arg = arg};
}

void sp_adms_lines_piece(struct sp_adms_lines *lines, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n') {
			line_over(lines);
			continue;
		}
		if (!lines->skipping) {
			take(lines, (char)data[i]);
			continue;
		}
		// Templates and pictures are long: straight to the line's end.
		const uint8_t *end = memchr(data + i, '\n', length - i);
		size_t skipped = end ? (size_t)(end - (data + i)) : length - i;
		lines->length += skipped;
		i += skipped - 1;
	}
}

void sp_adms_lines_end(struct sp_adms_lines *lines)
{
	line_over(lines);
}

void sp_adms_lines_wipe(struct sp_adms_lines *lines)
{
	lines->length = 0;
	lines->tabs = 0;
	lines->skipping = lines->overlong = false;
	explicit_bzero(lines->line, sizeof(lines->line));
	lines->kept = 0;
}
