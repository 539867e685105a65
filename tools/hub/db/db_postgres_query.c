// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Statements of PostgreSQL: prepared once per call site with the types of what is bound first, values sent in
// binary, rows taken whole as text. So a query may be read while others run on the same connection.
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/db/db_postgres.h"

struct rows {
	struct sp_rows rows;
	PGresult *answer;
	int at, count;
	unsigned char *blob; ///< of the last one that was asked for
};

// ---- values ------------------------------------------------------------------------------------

struct values {
	const char *values[SP_PG_PARAMS_MAX];
	int lengths[SP_PG_PARAMS_MAX], formats[SP_PG_PARAMS_MAX];
	uint64_t numbers[SP_PG_PARAMS_MAX];
};

static Oid type_of(const struct sp_arg *arg)
{
	switch (arg->type) {
	case SP_ARG_INT:
		return SP_PG_INT8;
	case SP_ARG_TEXT:
		return SP_PG_TEXT;
	case SP_ARG_REAL:
		return SP_PG_FLOAT8;
	case SP_ARG_BLOB:
		return SP_PG_BYTEA;
	}
	return 0;
}

static void bind(struct values *v, const struct sp_arg *args, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		v->formats[i] = 1;
		switch (args[i].type) {
		case SP_ARG_INT:
			v->numbers[i] = htobe64((uint64_t)args[i].integer);
			break;
		case SP_ARG_REAL:
			memcpy(&v->numbers[i], &args[i].real, sizeof(v->numbers[i]));
			v->numbers[i] = htobe64(v->numbers[i]);
			break;
		case SP_ARG_TEXT:
			v->values[i] = args[i].text;
			v->lengths[i] = args[i].text ? (int)strlen(args[i].text) : 0;
			continue;
		case SP_ARG_BLOB:
			v->values[i] = args[i].text;
			v->lengths[i] = (int)args[i].integer;
			continue;
		}
		v->values[i] = (const char *)&v->numbers[i];
		v->lengths[i] = sizeof(v->numbers[i]);
	}
}

// ---- statements --------------------------------------------------------------------------------

/// Identical literals may share an address, and yet be called with other types.
static struct sp_pg_statement *statement_of(struct sp_pg *db, const char *sql, const struct sp_arg *args,
					    size_t count)
{
	uint64_t types[2] = {0};
	for (size_t i = 0; i < count; i++)
		types[i / 32] |= (uint64_t)args[i].type << (2 * (i % 32));
	size_t slot = ((uintptr_t)sql >> 3) * 0x9E3779B1U % SP_PG_SLOTS;
	while (db->statements[slot].sql && (db->statements[slot].sql != sql ||
					    memcmp(db->statements[slot].types, types, sizeof(types)) != 0))
		slot = (slot + 1) % SP_PG_SLOTS;
	struct sp_pg_statement *statement = &db->statements[slot];
	if (!statement->sql) {
		statement->sql = sql;
		memcpy(statement->types, types, sizeof(types));
		snprintf(statement->name, sizeof(statement->name), "s%zu", slot);
	}
	return statement;
}

static int prepare(struct sp_pg *db, struct sp_pg_statement *statement, const struct sp_arg *args,
		   size_t count)
{
	Oid types[SP_PG_PARAMS_MAX];
	if (statement->session == db->session)
		return 0;
	for (size_t i = 0; i < count; i++)
		types[i] = type_of(&args[i]);
	char *text = sp_pg_statement_text(statement->sql);
	PGresult *answer = PQprepare(db->conn, statement->name, text, (int)count, types);
	int result = PQresultStatus(answer) == PGRES_COMMAND_OK ? 0 : sp_pg_failed(db, answer);
	if (result == 0)
		statement->session = db->session;
	PQclear(answer);
	free(text);
	return result;
}

static int64_t changed(PGresult *answer)
{
	return strtoll(PQcmdTuples(answer), NULL, 10);
}

static struct sp_rows *rows_of(struct sp_pg *pg, PGresult *answer)
{
	ExecStatusType status = PQresultStatus(answer);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		(void)sp_pg_failed(pg, answer);
		PQclear(answer);
		return NULL;
	}
	struct rows *rows = sp_alloc(sizeof(*rows));
	*rows = (struct rows){{&sp_db_postgres}, answer, -1, PQntuples(answer), NULL};
	pg->changes = changed(answer);
	return &rows->rows;
}

struct sp_rows *sp_pg_query(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count)
{
	struct sp_pg *pg = sp_pg_of(db);
	struct values *v;
	pg->last = pg->lost ? -ENOTCONN : -EINVAL;
	if (count > SP_PG_PARAMS_MAX || pg->lost)
		return NULL;
	struct sp_pg_statement *statement = statement_of(pg, sql, args, count);
	if (prepare(pg, statement, args, count) < 0)
		return NULL;
	v = sp_alloc(sizeof(*v));
	bind(v, args, count);
	PGresult *answer =
	    PQexecPrepared(pg->conn, statement->name, (int)count, v->values, v->lengths, v->formats, 0);
	free(v);
	return rows_of(pg, answer);
}

struct sp_rows *sp_pg_once(struct sp_db *db, const char *sql)
{
	struct sp_pg *pg = sp_pg_of(db);
	pg->last = -ENOTCONN;
	if (pg->lost)
		return NULL;
	return rows_of(pg, PQexecParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0));
}

int sp_pg_next(struct sp_db *db, struct sp_rows *rows)
{
	struct rows *r = (struct rows *)rows;
	if (!r)
		return sp_pg_of(db)->last;
	if (++r->at < r->count)
		return 1;
	sp_pg_leave(rows);
	return 0;
}

void sp_pg_leave(struct sp_rows *rows)
{
	struct rows *r = (struct rows *)rows;
	PQclear(r->answer);
	PQfreemem(r->blob);
	free(r);
}

// ---- a row -------------------------------------------------------------------------------------

bool sp_pg_is_null(const struct sp_rows *rows, int column)
{
	const struct rows *r = (const struct rows *)rows;
	return PQgetisnull(r->answer, r->at, column);
}

const char *sp_pg_text(const struct sp_rows *rows, int column)
{
	const struct rows *r = (const struct rows *)rows;
	return PQgetvalue(r->answer, r->at, column);
}

/// A truth is told as t or f.
int64_t sp_pg_integer(const struct sp_rows *rows, int column)
{
	const struct rows *r = (const struct rows *)rows;
	const char *text = sp_pg_text(rows, column);
	return PQftype(r->answer, column) == SP_PG_BOOL ? *text == 't' : strtoll(text, NULL, 10);
}

double sp_pg_real(const struct sp_rows *rows, int column)
{
	return strtod(sp_pg_text(rows, column), NULL);
}

const void *sp_pg_blob(const struct sp_rows *rows, int column, size_t *length)
{
	// The row is ours, whoever reads it: only what was decoded last changes.
	struct rows *r = (struct rows *)(uintptr_t)rows;
	*length = 0;
	if (sp_pg_is_null(rows, column))
		return NULL;
	PQfreemem(r->blob);
	r->blob = PQunescapeBytea((const unsigned char *)sp_pg_text(rows, column), length);
	return r->blob;
}
