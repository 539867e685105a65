// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines between agent and testing process: reading. Whatever is out of range makes the whole line bad.
#include "agent/core/speed/line.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/feed_json.h"

static const double SECONDS_MAX = 1e6, BPS_MAX = 1e13;

/// One line being read; `bad` once anything in it was not as it must be.
struct reader {
	bool bad;
};

static const cJSON *member(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

static double number(struct reader *reader, const cJSON *json, const char *name, double min, double max)
{
	const cJSON *item = member(json, name);
	double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
	if (!(value >= min && value <= max)) {
		reader->bad = true;
		return min;
	}
	return value;
}

static int64_t whole(struct reader *reader, const cJSON *json, const char *name, int64_t max)
{
	return (int64_t)number(reader, json, name, 0, (double)max);
}

static bool truth(struct reader *reader, const cJSON *json, const char *name)
{
	const cJSON *item = member(json, name);
	reader->bad |= !cJSON_IsBool(item);
	return cJSON_IsTrue(item);
}

static void text(struct reader *reader, const cJSON *json, const char *name, char *out, size_t size)
{
	const char *value = cJSON_GetStringValue(member(json, name));
	if (!value) {
		reader->bad = true;
		value = "";
	}
	// Of what is longer than it may be the beginning is kept; replacing bytes that are not UTF-8 makes
	// a text longer.
	size_t length = strnlen(value, size - 1);
	memcpy(out, value, length);
	out[length] = '\0';
	// Not half a character at its end.
	if (value[length])
		while (length > 0 && ((unsigned char)value[length] & 0xc0) == 0x80)
			out[--length] = '\0';
}

/// The feed's reasons are words of small letters.
static void word(struct reader *reader, const cJSON *json, const char *name, char *out)
{
	text(reader, json, name, out, SP_SPEED_WORD_MAX + 1);
	for (char *at = out; *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9')))
			*at = '_';
}

static cJSON *parse(const char *line, size_t length)
{
	if (length >= SP_SPEED_LINE_MAX || !sp_json_valid(line, length))
		return NULL;
	cJSON *json = cJSON_ParseWithLength(line, length);
	if (cJSON_IsObject(json))
		return json;
	cJSON_Delete(json);
	return NULL;
}

int sp_speed_line_read_order(const char *line, size_t length, struct sp_speed_order *out)
{
	struct reader reader = {0};
	cJSON *json = parse(line, length);
	*out = (struct sp_speed_order){0};
	if (!json)
		return -EBADMSG;
	out->wanted[SP_SPEED_DOWN] = truth(&reader, json, "down");
	out->wanted[SP_SPEED_UP] = truth(&reader, json, "up");
	out->max_bytes = whole(&reader, json, "max_bytes", SP_JSON_INT_MAX);
	out->unattended = truth(&reader, json, "unattended");
	cJSON_Delete(json);
	return reader.bad ? -EBADMSG : 0;
}

static void read_latency(struct reader *reader, const cJSON *json, struct sp_speed_latency *out)
{
	*out = (struct sp_speed_latency){.count = (unsigned)whole(reader, json, "count", 1000000)};
	if (out->count == 0)
		return;
	out->min = number(reader, json, "min", 0, SECONDS_MAX);
	out->median = number(reader, json, "median", 0, SECONDS_MAX);
	out->p95 = number(reader, json, "p95", 0, SECONDS_MAX);
	out->jitter = number(reader, json, "jitter", 0, SECONDS_MAX);
}

static void read_curve(struct reader *reader, const cJSON *json, struct sp_speed_result *out)
{
	const cJSON *item;
	reader->bad |= !cJSON_IsArray(json);
	cJSON_ArrayForEach(item, json)
	{
		bool good = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= BPS_MAX;
		if (!good || out->curve_count == SP_SPEED_CURVE) {
			reader->bad = true;
			return;
		}
		out->curve[out->curve_count++] = item->valuedouble;
	}
}

static void read_result(struct reader *reader, const cJSON *json, struct sp_speed_tale *tale,
			size_t direction)
{
	struct sp_speed_result *out = &tale->report.results[direction];
	word(reader, json, "reason", tale->words[direction].reason);
	text(reader, json, "text", tale->words[direction].text, sizeof(tale->words[direction].text));
	out->outcome = (enum sp_speed_outcome)whole(reader, json, "outcome", SP_SPEED_SKIPPED);
	out->reason = tale->words[direction].reason;
	out->text = tale->words[direction].text;
	out->bytes = whole(reader, json, "bytes", SP_JSON_INT_MAX);
	out->duration_us = whole(reader, json, "duration_us", INT64_C(86400000000));
	out->warmup_us = whole(reader, json, "warmup_us", INT64_C(86400000000));
	out->streams = (unsigned)whole(reader, json, "streams", 10000);
	const cJSON *ratio = member(json, "retransmit");
	out->retransmit_ratio = cJSON_IsNumber(ratio) ? number(reader, json, "retransmit", 0, 1) : NAN;
	read_latency(reader, member(json, "loaded"), &out->loaded);
	read_curve(reader, member(json, "curve"), out);
}

static void read_report(struct reader *reader, const cJSON *json, struct sp_speed_tale *tale)
{
	*tale = (struct sp_speed_tale){0};
	struct sp_speed_report *out = &tale->report;
	word(reader, json, "method", tale->method);
	text(reader, json, "server", tale->server, sizeof(tale->server));
	text(reader, json, "address", tale->address, sizeof(tale->address));
	text(reader, json, "scope", tale->scope, sizeof(tale->scope));
	out->method = tale->method;
	out->server = tale->server[0] ? tale->server : NULL;
	out->address = tale->address[0] ? tale->address : NULL;
	out->scope = tale->scope;
	out->family = (enum sp_family)whole(reader, json, "family", SP_FAMILY_IPV6);
	out->wire_bytes = whole(reader, json, "wire_bytes", SP_JSON_INT_MAX);
	read_latency(reader, member(json, "idle"), &out->idle);
	read_result(reader, member(json, "down"), tale, SP_SPEED_DOWN);
	read_result(reader, member(json, "up"), tale, SP_SPEED_UP);
}

static void read_message(struct reader *reader, const cJSON *json, struct sp_speed_message *out,
			 struct sp_speed_tale *tale)
{
	const char *is = cJSON_GetStringValue(member(json, "is"));
	if (is && strcmp(is, "progress") == 0) {
		const cJSON *bps = member(json, "bps");
		out->kind = SP_SPEED_LINE_PROGRESS;
		out->phase = (enum sp_speed_phase)whole(reader, json, "phase", SP_SPEED_LOAD_UP);
		out->done = number(reader, json, "done", 0, 1);
		out->bps = cJSON_IsNumber(bps) ? number(reader, json, "bps", -BPS_MAX, BPS_MAX) : -1;
		out->cpu_us = whole(reader, json, "cpu_us", SP_JSON_INT_MAX);
	} else if (is && strcmp(is, "spent") == 0) {
		out->kind = SP_SPEED_LINE_SPENT;
		out->bytes = whole(reader, json, "bytes", SP_JSON_INT_MAX);
	} else if (is && strcmp(is, "report") == 0) {
		out->kind = SP_SPEED_LINE_REPORT;
		read_report(reader, json, tale);
	} else if (is && strcmp(is, "end") == 0) {
		out->kind = SP_SPEED_LINE_END;
		out->ok = truth(reader, json, "ok");
		word(reader, json, "reason", out->reason);
		text(reader, json, "text", out->text, sizeof(out->text));
	} else {
		reader->bad = true;
	}
}

int sp_speed_line_read(const char *line, size_t length, struct sp_speed_message *out,
		       struct sp_speed_tale *tale)
{
	struct reader reader = {0};
	cJSON *json = parse(line, length);
	*out = (struct sp_speed_message){0};
	if (!json)
		return -EBADMSG;
	read_message(&reader, json, out, tale);
	cJSON_Delete(json);
	return reader.bad ? -EBADMSG : 0;
}
