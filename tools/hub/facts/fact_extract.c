// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// An extract as CSV.
#include "tools/hub/facts/fact_extract.h"

#include <string.h>

#include "tools/hub/facts/fact_json.h"

static const char *const columns[] = {
    "person",    "person_kind", "time", "received", "kiosk_time", "correction", "correction_seconds",
    "direction", "method",      "mark", "kiosk",    "gate",       "number",     "board"};

/// Quoted; a text that a spreadsheet would take for a formula begins with an apostrophe.
static void cell(struct sp_buf *out, const char *text)
{
	sp_buf_text(out, text[0] && strchr("=+-@\t\r", text[0]) ? "\"'" : "\"");
	for (; *text; text++)
		sp_buf_add(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
	sp_buf_text(out, "\"");
}

static void row(struct sp_buf *out, const cJSON *event)
{
	for (size_t i = 0; i < SP_COUNT(columns); i++) {
		const cJSON *item = sp_fact_member(event, columns[i]);
		if (i)
			sp_buf_text(out, ",");
		if (cJSON_IsString(item))
			cell(out, item->valuestring);
		else if (cJSON_IsNumber(item))
			sp_buf_printf(out, "%.15g", item->valuedouble);
	}
	sp_buf_text(out, "\r\n");
}

bool sp_fact_extract_csv(struct sp_buf *out, const char *json)
{
	cJSON *list = cJSON_Parse(json), *event;
	bool good = cJSON_IsArray(list);
	sp_buf_text(out, "\xEF\xBB\xBF"); // how spreadsheets know UTF-8
	for (size_t i = 0; i < SP_COUNT(columns); i++)
		sp_buf_printf(out, "%s%s", i ? "," : "", columns[i]);
	sp_buf_text(out, "\r\n");
	cJSON_ArrayForEach(event, list) row(out, event);
	cJSON_Delete(list);
	return good;
}
