// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a kind of database has to be able to do. Private to the db/ room: db.c calls it for everybody.
#pragma once

#include "tools/hub/db/db.h"

enum { SP_DB_ERROR_SIZE = 512 };

struct sp_db_ops {
	enum sp_db_kind kind;
	int (*open)(struct sp_db **out, const char *where, enum sp_db_mode mode, char why[256]);
	void (*close)(struct sp_db *db);
	int (*settle)(struct sp_db *db);
	int (*table)(struct sp_db *db, const char *name);
	int (*scrub)(struct sp_db *db);
	int (*begin)(struct sp_db *db);
	int (*read_begin)(struct sp_db *db);
	int (*commit)(struct sp_db *db);
	void (*rollback)(struct sp_db *db);
	struct sp_rows *(*query)(struct sp_db *db, const char *sql, const struct sp_arg *args, size_t count);
	struct sp_rows *(*once)(struct sp_db *db, const char *sql);
	int (*script)(struct sp_db *db, const char *sql);
	int64_t (*changes)(const struct sp_db *db);
	int (*next)(struct sp_db *db, struct sp_rows *rows);
	void (*leave)(struct sp_rows *rows);
	bool (*is_null)(const struct sp_rows *rows, int column);
	const char *(*text)(const struct sp_rows *rows, int column);
	int64_t (*integer)(const struct sp_rows *rows, int column);
	double (*real)(const struct sp_rows *rows, int column);
	const void *(*blob)(const struct sp_rows *rows, int column, size_t *length);
	int (*bulk_open)(struct sp_db *db, const char *table, const char *columns, struct sp_bulk **out);
	int (*bulk_add)(struct sp_bulk *bulk, const struct sp_arg *args, size_t count);
	int (*bulk_flush)(struct sp_bulk *bulk);
	void (*bulk_clear)(struct sp_bulk *bulk);
	void (*bulk_close)(struct sp_bulk *bulk);
};

/// Each kind's handle, rows and bulk begin with these.
struct sp_db {
	const struct sp_db_ops *is;
	char error[SP_DB_ERROR_SIZE];
};
struct sp_rows {
	const struct sp_db_ops *is;
};
struct sp_bulk {
	const struct sp_db_ops *is;
};

extern const struct sp_db_ops sp_db_sqlite, sp_db_postgres;
