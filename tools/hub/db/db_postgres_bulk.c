// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Many rows into PostgreSQL: by COPY in its binary form. A table that has unique keys gets them from a
// temporary stage in one statement, which passes over what is there already; one without gets them at once.
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "tools/hub/db/db_postgres.h"

enum {
	COLUMNS_MAX = SP_PG_PARAMS_MAX,
	CHUNK = 256 * 1024,       ///< is given to libpq at once
	ROWS_BYTES_MAX = 1 << 30, ///< of one flush: whoever fills more has forgotten to flush
};

struct bulk {
	struct sp_bulk bulk;
	struct sp_pg *db;
	struct sp_buf rows;
	bool staged;
	char *table, *columns;
	char *make, *copy, *move; ///< statements
	unsigned session;         ///< in which the stage was made
	size_t count;
	Oid types[COLUMNS_MAX];
};

// ---- opening -----------------------------------------------------------------------------------

/// The columns' types in their order, and whether any unique key is there.
static int look_up(struct bulk *bulk)
{
	int64_t unique = 0;
	struct sp_db *db = &bulk->db->db;
	struct sp_rows *rows = SQL_QUERY(
	    db,
	    "SELECT a.atttypid::bigint FROM unnest(string_to_array(replace(?2, ' ', ''), ',')) WITH "
	    "ORDINALITY"
	    " AS c(name, place) JOIN pg_attribute a ON a.attrelid = to_regclass(?1) AND a.attname = c.name"
	    " ORDER BY c.place",
	    T(bulk->table), T(bulk->columns));
	int result;
	while ((result = sp_rows_next(db, rows)) == 1) {
		if (bulk->count < COLUMNS_MAX)
			bulk->types[bulk->count++] = (Oid)sp_row_int(rows, 0, 0);
	}
	if (result == 0)
		result = SQL_GET(db, &unique,
				 "SELECT EXISTS(SELECT 1 FROM pg_index WHERE indrelid = to_regclass(?) AND"
				 " indisunique)",
				 T(bulk->table));
	bulk->staged = unique != 0;
	return result < 0 ? result : 0;
}

static size_t columns_in(const char *columns)
{
	size_t count = 1;
	for (const char *at = columns; *at; at++)
		count += *at == ',';
	return count;
}

static void statements(struct bulk *bulk)
{
	char stage[80];
	snprintf(stage, sizeof(stage), "stage_%u_%.48s", bulk->db->stages++, bulk->table);
	const char *into = bulk->staged ? stage : bulk->table;
	// It holds what one flush holds, and no longer than that.
	bulk->make = sp_asprintf("CREATE TEMP TABLE IF NOT EXISTS %s AS SELECT %s FROM %s WHERE false", stage,
				 bulk->columns, bulk->table);
	bulk->copy = sp_asprintf("COPY %s(%s) FROM STDIN (FORMAT binary)", into, bulk->columns);
	bulk->move = sp_asprintf("INSERT INTO %s(%s) SELECT %s FROM %s ON CONFLICT DO NOTHING; TRUNCATE %s",
				 bulk->table, bulk->columns, bulk->columns, stage, stage);
}

int sp_pg_bulk_open(struct sp_db *db, const char *table, const char *columns, struct sp_bulk **out)
{
	struct bulk *bulk = sp_alloc(sizeof(*bulk));
	bulk->bulk.is = &sp_db_postgres;
	bulk->db = sp_pg_of(db);
	bulk->rows = SP_BUF(ROWS_BYTES_MAX);
	bulk->table = sp_strdup(table);
	bulk->columns = sp_strdup(columns);
	int result = look_up(bulk);
	if (result == 0 && bulk->count != columns_in(columns)) {
		snprintf(db->error, sizeof(db->error), "%s has no such columns: %s", table, columns);
		result = -EINVAL;
	}
	if (result < 0) {
		sp_pg_bulk_close(&bulk->bulk);
		return result;
	}
	statements(bulk);
	*out = &bulk->bulk;
	return 0;
}

// ---- rows --------------------------------------------------------------------------------------

static void add_field(struct sp_buf *out, const void *bytes, size_t length)
{
	uint32_t prefix = htobe32((uint32_t)length);
	sp_buf_add(out, &prefix, sizeof(prefix));
	sp_buf_add(out, bytes, length);
}

static int add_int(struct sp_buf *out, Oid type, int64_t value)
{
	if (type == SP_PG_INT4) {
		uint32_t number = htobe32((uint32_t)value);
		if (value < INT32_MIN || value > INT32_MAX)
			return -EEXIST; // as the server would refuse it
		add_field(out, &number, sizeof(number));
		return 0;
	}
	uint64_t number = htobe64((uint64_t)value);
	add_field(out, &number, sizeof(number));
	return 0;
}

static int add_value(struct sp_buf *out, Oid type, const struct sp_arg *arg)
{
	double real = arg->type == SP_ARG_INT ? (double)arg->integer : arg->real;
	uint64_t bits;
	switch (type) {
	case SP_PG_INT4:
	case SP_PG_INT8:
		return arg->type == SP_ARG_INT ? add_int(out, type, arg->integer) : -EINVAL;
	case SP_PG_FLOAT8:
		if (arg->type != SP_ARG_REAL && arg->type != SP_ARG_INT)
			return -EINVAL;
		memcpy(&bits, &real, sizeof(bits));
		bits = htobe64(bits);
		add_field(out, &bits, sizeof(bits));
		return 0;
	case SP_PG_TEXT:
		if (arg->type != SP_ARG_TEXT)
			return -EINVAL;
		add_field(out, arg->text, strlen(arg->text));
		return 0;
	case SP_PG_BYTEA:
		if (arg->type != SP_ARG_BLOB)
			return -EINVAL;
		add_field(out, arg->text, (size_t)arg->integer);
		return 0;
	}
	return -EINVAL;
}

int sp_pg_bulk_add(struct sp_bulk *bulk, const struct sp_arg *args, size_t count)
{
	struct bulk *b = (struct bulk *)bulk;
	const uint16_t fields = htobe16((uint16_t)b->count);
	const uint32_t null = htobe32(UINT32_MAX);
	size_t before = b->rows.length;
	int result = count == b->count ? 0 : -EINVAL;
	sp_buf_add(&b->rows, &fields, sizeof(fields));
	for (size_t i = 0; result == 0 && i < count; i++) {
		bool bytes = args[i].type == SP_ARG_TEXT || args[i].type == SP_ARG_BLOB;
		if (bytes && !args[i].text)
			sp_buf_add(&b->rows, &null, sizeof(null));
		else
			result = add_value(&b->rows, b->types[i], &args[i]);
	}
	if (b->rows.overflowed)
		result = -ENOMEM;
	if (result < 0) {
		b->rows.length = before;
		snprintf(b->db->db.error, sizeof(b->db->db.error), "%s: a value does not fit its column",
			 b->table);
	}
	return result;
}

// ---- to the server -----------------------------------------------------------------------------

static int make_stage(struct bulk *bulk)
{
	if (!bulk->staged || bulk->session == bulk->db->session)
		return 0;
	int result = sp_pg_command(bulk->db, bulk->make);
	if (result == 0)
		bulk->session = bulk->db->session;
	return result;
}

static bool put(struct sp_pg *db, const char *data, size_t length)
{
	for (size_t done = 0; done < length; done += CHUNK) {
		size_t chunk = length - done < CHUNK ? length - done : CHUNK;
		if (PQputCopyData(db->conn, data + done, (int)chunk) != 1)
			return false;
	}
	return true;
}

static int copy(struct bulk *bulk)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; // no flags, no extension
	struct sp_pg *db = bulk->db;
	PGresult *answer = PQexec(db->conn, bulk->copy);
	int result = PQresultStatus(answer) == PGRES_COPY_IN ? 0 : sp_pg_failed(db, answer);
	PQclear(answer);
	if (result < 0)
		return result;
	bool sent =
	    put(db, head, 19) && put(db, bulk->rows.data, bulk->rows.length) && put(db, "\377\377", 2);
	sent &= PQputCopyEnd(db->conn, sent ? NULL : "cut short") == 1;
	while ((answer = PQgetResult(db->conn))) {
		if (PQresultStatus(answer) != PGRES_COMMAND_OK && result == 0)
			result = sp_pg_failed(db, answer);
		PQclear(answer);
	}
	return sent || result < 0 ? result : sp_pg_failed(db, NULL);
}

int sp_pg_bulk_flush(struct sp_bulk *bulk)
{
	struct bulk *b = (struct bulk *)bulk;
	if (b->rows.length == 0)
		return 0;
	if (b->db->lost)
		return -ENOTCONN;
	int result = make_stage(b);
	if (result == 0)
		result = copy(b);
	if (result == 0 && b->staged)
		result = sp_pg_command(b->db, b->move);
	sp_buf_reset(&b->rows);
	return result;
}

void sp_pg_bulk_clear(struct sp_bulk *bulk)
{
	struct bulk *b = (struct bulk *)bulk;
	sp_buf_reset(&b->rows);
	// The stage may have been made in what was rolled back.
	b->session = 0;
}

void sp_pg_bulk_close(struct sp_bulk *bulk)
{
	struct bulk *b = (struct bulk *)bulk;
	sp_buf_free(&b->rows);
	free(b->table);
	free(b->columns);
	free(b->make);
	free(b->copy);
	free(b->move);
	free(b);
}
