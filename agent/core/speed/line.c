// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lines between agent and testing process: writing.
#include "agent/core/speed/line.h"

#include <string.h>

#include "agent/base/feed_json.h"

static void write_line(struct sp_buf *out, const struct sp_field *fields, size_t count)
{
	sp_buf_text(out, "{");
	// Integers beyond JSON's are a driver's slip: the reader refuses the line.
	if (sp_json_members(out, fields, count))
		sp_buf_text(out, "\"bad\":true");
	sp_buf_text(out, "}");
}

/// No longer than what the reader keeps.
static const char *cut(const char *text, char *room, size_t size)
{
	size_t length = text ? strnlen(text, size - 1) : 0;
	if (text)
		memcpy(room, text, length);
	room[length] = '\0';
	return room;
}

void sp_speed_line_order(struct sp_buf *out, const struct sp_speed_order *order)
{
	struct sp_field fields[] = {
	    SP_BOOL("down", order->wanted[SP_SPEED_DOWN]),
	    SP_BOOL("up", order->wanted[SP_SPEED_UP]),
	    SP_INT("max_bytes", order->max_bytes),
	    SP_BOOL("unattended", order->unattended),
	};
	write_line(out, fields, SP_COUNT(fields));
}

void sp_speed_line_progress(struct sp_buf *out, enum sp_speed_phase phase, double done, double bps,
			    int64_t cpu_us)
{
	struct sp_field fields[] = {
	    SP_TEXT("is", "progress"), SP_INT("phase", phase),   SP_REAL("done", done),
	    SP_REAL("bps", bps),       SP_INT("cpu_us", cpu_us),
	};
	write_line(out, fields, SP_COUNT(fields));
}

void sp_speed_line_spent(struct sp_buf *out, int64_t bytes)
{
	struct sp_field fields[] = {SP_TEXT("is", "spent"), SP_INT("bytes", bytes)};
	write_line(out, fields, SP_COUNT(fields));
}

void sp_speed_line_end(struct sp_buf *out, bool ok, const char *reason, const char *text)
{
	char word[SP_SPEED_WORD_MAX + 1], words[SP_SPEED_TEXT_MAX + 1];
	struct sp_field fields[] = {
	    SP_TEXT("is", "end"),
	    SP_BOOL("ok", ok),
	    SP_TEXT("reason", cut(reason, word, sizeof(word))),
	    SP_TEXT("text", cut(text, words, sizeof(words))),
	};
	write_line(out, fields, SP_COUNT(fields));
}

// ---- a report ---------------------------------------------------------------------------------------

enum { LATENCY_FIELDS = 5, RESULT_FIELDS = 10 };

struct result_fields {
	struct sp_field members[RESULT_FIELDS], loaded[LATENCY_FIELDS], curve[SP_SPEED_CURVE];
	char reason[SP_SPEED_WORD_MAX + 1], text[SP_SPEED_TEXT_MAX + 1];
};

static void latency_fields(const struct sp_speed_latency *latency, struct sp_field out[LATENCY_FIELDS])
{
	out[0] = SP_INT("count", latency->count);
	out[1] = SP_REAL("min", latency->min);
	out[2] = SP_REAL("median", latency->median);
	out[3] = SP_REAL("p95", latency->p95);
	out[4] = SP_REAL("jitter", latency->jitter);
}

static struct sp_field result_field(const char *name, const struct sp_speed_result *result,
				    struct result_fields *room)
{
	unsigned seconds = result->curve_count < SP_SPEED_CURVE ? result->curve_count : SP_SPEED_CURVE;
	latency_fields(&result->loaded, room->loaded);
	// Whole bits are enough, and 120 of them must fit a line.
	for (unsigned i = 0; i < seconds; i++) {
		double bps = result->curve[i];
		room->curve[i] = SP_INT("", bps > 0 && bps < 1e13 ? (int64_t)bps : 0);
	}
	struct sp_field members[RESULT_FIELDS] = {
	    SP_INT("outcome", result->outcome),
	    SP_TEXT("reason", cut(result->reason, room->reason, sizeof(room->reason))),
	    SP_TEXT("text", cut(result->text, room->text, sizeof(room->text))),
	    SP_INT("bytes", result->bytes),
	    SP_INT("duration_us", result->duration_us),
	    SP_INT("warmup_us", result->warmup_us),
	    SP_INT("streams", result->streams),
	    SP_REAL("retransmit", result->retransmit_ratio),
	    SP_OBJECT("loaded", room->loaded, LATENCY_FIELDS),
	    SP_LIST("curve", room->curve, seconds),
	};
	memcpy(room->members, members, sizeof(members));
	return SP_OBJECT(name, room->members, RESULT_FIELDS);
}

void sp_speed_line_report(struct sp_buf *out, const struct sp_speed_report *report)
{
	char method[SP_SPEED_WORD_MAX + 1], scope[SP_SPEED_WORD_MAX + 1], server[254], address[46];
	struct sp_field idle[LATENCY_FIELDS];
	struct result_fields down, up;
	latency_fields(&report->idle, idle);
	struct sp_field fields[] = {
	    SP_TEXT("is", "report"),
	    SP_TEXT("method", cut(report->method, method, sizeof(method))),
	    SP_TEXT("server", cut(report->server, server, sizeof(server))),
	    SP_TEXT("address", cut(report->address, address, sizeof(address))),
	    SP_INT("family", report->family),
	    SP_TEXT("scope", cut(report->scope, scope, sizeof(scope))),
	    SP_INT("wire_bytes", report->wire_bytes),
	    SP_OBJECT("idle", idle, LATENCY_FIELDS),
	    result_field("down", &report->results[SP_SPEED_DOWN], &down),
	    result_field("up", &report->results[SP_SPEED_UP], &up),
	};
	write_line(out, fields, SP_COUNT(fields));
}
