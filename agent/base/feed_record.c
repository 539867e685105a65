// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From named fields to one record's text, and from records to a batch. What is written here is what
// the digest is made of and what the hub stores.
#include <inttypes.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/feed_json.h"

const char *sp_record_class_name(enum sp_record_class cls)
{
	switch (cls) {
	case SP_RECORD_FACTS:
		return "facts";
	case SP_RECORD_ATTENDANCE:
		return "attendance";
	case SP_RECORD_BULK:
		return "bulk";
	}
	return "unknown";
}

/// Members that the codec writes itself: twice in one object would be read differently by
/// different readers.
static bool reserved(const char *name)
{
	static const char *const names[] = {"seq", "type", "device", "mono_us", "t_ms", "err_ms"};
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool exact(int64_t value)
{
	return value >= -SP_JSON_INT_MAX && value <= SP_JSON_INT_MAX;
}

static int write_record(struct sp_buf *out, const char *type, const char *device,
			const struct sp_clock_reading *when, const struct sp_field *fields, size_t count)
{
	if (!sp_feed_type_valid(type) || !exact(when->mono_us))
		return -EINVAL;
	sp_buf_printf(out, "{\"type\":\"%s\"", type);
	if (device) {
		sp_buf_text(out, ",\"device\":");
		sp_json_text(out, device);
	}
	sp_buf_printf(out, ",\"mono_us\":%" PRId64, when->mono_us);
	if (when->synced) {
		if (!exact(when->wall_ms) || !exact(when->err_ms))
			return -EINVAL;
		sp_buf_printf(out, ",\"t_ms\":%" PRId64 ",\"err_ms\":%" PRId64, when->wall_ms, when->err_ms);
	}
	for (size_t i = 0; i < count; i++) {
		if (!fields[i].name || reserved(fields[i].name))
			return -EINVAL;
		sp_buf_add(out, ",", 1);
		int result = sp_json_members(out, &fields[i], 1);
		if (result < 0)
			return result;
	}
	sp_buf_add(out, "}", 1);
	return 0;
}

bool sp_feed_type_valid(const char *type)
{
	size_t length = strspn(type, "abcdefghijklmnopqrstuvwxyz_");
	return length >= 1 && length <= 32 && type[length] == '\0';
}

int sp_feed_record(struct sp_buf *out, const char *type, const char *device,
		   const struct sp_clock_reading *when, const struct sp_field *fields, size_t count)
{
	if (out->overflowed)
		return -EMSGSIZE;
	size_t start = out->length;
	int result = write_record(out, type, device, when, fields, count);
	if (result == 0 && (out->overflowed || out->length - start > SP_FEED_RECORD_MAX))
		result = -EMSGSIZE;
	if (result < 0) {
		// As if nothing had been written: the buffer may hold the caller's earlier records.
		out->length = start;
		out->overflowed = false;
		if (out->data)
			out->data[start] = '\0';
	}
	return result;
}

void sp_feed_batch_add(struct sp_buf *batch, int64_t seq, const char *record)
{
	sp_buf_printf(batch, "%s{\"seq\":%" PRId64 ",", batch->length ? "," : "[", seq);
	sp_buf_text(batch, record + 1);
}
