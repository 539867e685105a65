// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Names to row ids: devices, boots, streams; and the anomalies and set-aside counts that hang on them.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/utf8.h"
#include "tools/hub/store/store_priv.h"

enum {
	SET_ASIDE_ROWS_MAX = 1000,
	SET_ASIDE_TEXT_MAX = 128,
};

int sp_device_at_home(struct sp_store *store, const char *name, const char *shard)
{
	int64_t home = 1;
	int result =
	    SQL_GET(store->db, &home,
		    "SELECT coalesce((SELECT max(CASE WHEN shard = ?2 THEN 1 ELSE 0 END) FROM register WHERE "
		    "device = ?1),"
		    " (SELECT CASE WHEN shard = ?2 THEN 1 ELSE 0 END FROM device WHERE name = ?1), 1)",
		    T(name), T(shard));
	return result < 0 ? result : (int)home;
}

/// The register's boards may be as many as they are.
static int device_allowed(struct sp_store *store, const char *name, const char *shard)
{
	int64_t known = 0;
	int result = SQL_GET(store->db, &known, "SELECT 1 FROM register WHERE device = ? LIMIT 1", T(name));
	return result != 0 ? (result < 0 ? result : 0) : sp_limit_spend(store, SP_LIMIT_DEVICES, shard);
}

int sp_device_row(struct sp_store *store, const char *name, const char *shard, int64_t *id)
{
	int result = SQL_GET(store->db, id, "SELECT id FROM device WHERE name = ?", T(name));
	if (result != 0)
		return result < 0 ? result : 0;
	result = device_allowed(store, name, shard);
	if (result < 0)
		return result;
	result = SQL_GET(store->db, id,
			 "INSERT INTO device(name, shard, first_heard_ms) VALUES(?, ?, ?) RETURNING id",
			 T(name), T(shard), I(store->now_ms));
	return result < 0 ? result : 0;
}

int sp_boot_row(struct sp_store *store, int64_t device, const char *name, int64_t *id)
{
	int result =
	    SQL_GET(store->db, id, "SELECT id FROM boot WHERE device = ? AND name = ?", I(device), T(name));
	if (result != 0)
		return result < 0 ? result : 0;
	result = sp_limit_spend_of(store, SP_LIMIT_BOOTS, device);
	if (result < 0)
		return result;
	result = SQL_GET(store->db, id, "INSERT INTO boot(device, name) VALUES(?, ?) RETURNING id", I(device),
			 T(name));
	return result < 0 ? result : 0;
}

int sp_stream_get(struct sp_store *store, int64_t device, const char *name, enum sp_record_class cls,
		  struct sp_stream_row *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT id, class, opened, issued, final FROM stream WHERE device = ? AND name = ?",
	    I(device), T(name));
	int result = sp_rows_next(store->db, rows);
	if (result < 0)
		return result;
	if (result == 1) {
		*out = (struct sp_stream_row){.id = sp_row_int(rows, 0, 0),
					      .cls = (enum sp_record_class)sp_row_int(rows, 1, 0),
					      .opened = sp_row_int(rows, 2, 0) != 0,
					      .issued = sp_row_int(rows, 3, 0),
					      .final = sp_row_int(rows, 4, -1)};
		sp_rows_leave(rows);
		return 0;
	}
	*out = (struct sp_stream_row){.cls = cls, .final = -1};
	result = sp_limit_spend_of(store, SP_LIMIT_STREAMS, device);
	if (result < 0)
		return result;
	result = SQL_GET(store->db, &out->id,
			 "INSERT INTO stream(device, name, class) VALUES(?, ?, ?) RETURNING id", I(device),
			 T(name), I(cls));
	return result < 0 ? result : 0;
}

int sp_anomaly(struct sp_store *store, const char *kind, int64_t device, int64_t stream, const char *format,
	       ...)
{
	char detail[256];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	store->seen_changes = true;
	return SQL_DO(store->db,
		      "INSERT INTO anomaly VALUES(?1, ?2, ?3, ?4, ?5, ?5, 1) ON CONFLICT (kind, device,"
		      " stream) DO UPDATE SET detail = ?4, last_ms = ?5, count = anomaly.count + 1",
		      T(kind), I(device), I(stream), T(detail), I(store->now_ms));
}

/// Anybody's bytes as one line of text: whole characters, and none that moves a cursor.
static const char *printable(char out[SET_ASIDE_TEXT_MAX], const char *text)
{
	size_t used = 0, left = strlen(text);
	while (left > 0) {
		uint32_t character = 0;
		size_t length = sp_utf8_next(text, left, &character);
		bool good = length > 0 && !sp_utf8_is_control(character);
		size_t size = good ? length : 1;
		if (used + size >= SET_ASIDE_TEXT_MAX)
			break;
		memcpy(out + used, good ? text : "?", size);
		used += size;
		text += length ? length : 1;
		left -= length ? length : 1;
	}
	out[used] = '\0';
	return out;
}

/// One row per fault and device, so that noise is bounded: a flood of made-up names goes to "*".
int sp_store_set_aside(struct sp_store *store, const char *fault, const char *device, const char *topic,
		       const char *why, int64_t times)
{
	int64_t known = 0;
	char about[SET_ASIDE_TEXT_MAX], reason[SET_ASIDE_TEXT_MAX];
	int result = SQL_GET(store->db, &known,
			     "SELECT EXISTS(SELECT 1 FROM set_aside WHERE fault = ?1 AND device = ?2) OR"
			     " (SELECT count(*) FROM set_aside) < ?3",
			     T(fault), T(device), I(SET_ASIDE_ROWS_MAX));
	if (result < 0)
		return result;
	store->seen_changes = true;
	return SQL_DO(
	    store->db,
	    "INSERT INTO set_aside VALUES(?1, ?2, ?3, ?4, ?6, ?5) ON CONFLICT (fault,"
	    " device) DO UPDATE SET topic = ?3, why = ?4, count = set_aside.count + ?6, last_ms = ?5",
	    T(fault), T(known ? device : "*"), T(printable(about, topic)), T(printable(reason, why)),
	    I(store->now_ms), I(times));
}
