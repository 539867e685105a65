// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// JSON members, one call each.
#include "tools/hub/text/json_out.h"

#include <inttypes.h>

#include "agent/base/feed_json.h"

static void begin(struct sp_buf *out, const char *name)
{
	char last = out->length ? out->data[out->length - 1] : '{';
	if (last != '{' && last != '[')
		sp_buf_add(out, ",", 1);
	if (name)
		sp_buf_printf(out, "\"%s\":", name);
}

void sp_out_text(struct sp_buf *out, const char *name, const char *text)
{
	begin(out, name);
	sp_json_text(out, text);
}

void sp_out_text_or_null(struct sp_buf *out, const char *name, const char *text)
{
	sp_out_text(out, name, text && text[0] ? text : NULL);
}

void sp_out_int(struct sp_buf *out, const char *name, int64_t value)
{
	begin(out, name);
	sp_buf_printf(out, "%" PRId64, value);
}

void sp_out_int_or_null(struct sp_buf *out, const char *name, int64_t value)
{
	if (value < 0)
		sp_out_raw(out, name, "null");
	else
		sp_out_int(out, name, value);
}

void sp_out_seconds_or_null(struct sp_buf *out, const char *name, int64_t ms)
{
	begin(out, name);
	if (ms < 0)
		sp_buf_text(out, "null");
	else
		sp_json_real(out, (double)ms / 1000);
}

void sp_out_real_or_null(struct sp_buf *out, const char *name, double value)
{
	begin(out, name);
	if (value >= 0)
		sp_json_real(out, value);
	else
		sp_buf_text(out, "null");
}

void sp_out_bool(struct sp_buf *out, const char *name, bool value)
{
	sp_out_raw(out, name, value ? "true" : "false");
}

void sp_out_raw(struct sp_buf *out, const char *name, const char *json)
{
	begin(out, name);
	sp_buf_text(out, json);
}

void sp_out_open(struct sp_buf *out, const char *name, char bracket)
{
	begin(out, name);
	sp_buf_add(out, &bracket, 1);
}

void sp_out_close(struct sp_buf *out, char bracket)
{
	sp_buf_add(out, &bracket, 1);
}
