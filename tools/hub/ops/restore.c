// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A store from a copy, where there is none. It gets an epoch that nobody has heard of, so that boards compare
// and send what they hold beyond it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "tools/hub/db/db.h"
#include "tools/hub/ops/backup.h"

/// A file of an old database beside the new one would be taken for its own.
static int must_be_free(const char *db, char why[256])
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; i < SP_COUNT(suffixes); i++) {
		char *path = sp_asprintf("%s%s", db, suffixes[i]);
		bool there = access(path, F_OK) == 0;
		if (there)
			snprintf(why, 256, "%.180s is there: a restore overwrites nothing; move it away",
				 path);
		free(path);
		if (there)
			return -EEXIST;
	}
	return 0;
}

/// What the copy says of an ingest that was: it is gone.
static int renew(const char *db, char why[256])
{
	struct sp_db *store = NULL;
	char epoch[SP_ID_LENGTH + 1];
	int result = sp_db_open(&store, db, SP_DB_WRITE, why);
	if (result < 0)
		return result;
	sp_id_new(epoch);
	result = SQL_DO(
	    store,
	    "INSERT INTO meta VALUES('epoch', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
	    T(epoch));
	if (result == 0 && sp_db_table(store, "lease") == 1)
		result = SQL_DO(store, "DELETE FROM lease WHERE 0 < ?", I(1));
	if (result < 0)
		snprintf(why, 256, "%.200s", sp_db_error(store));
	sp_db_close(store);
	return result;
}

static int restore_sqlite(const char *db, const char *file, struct sp_copy *out, char why[256])
{
	int result = must_be_free(db, why);
	if (result == 0)
		result = sp_copy_check(file, out, why);
	if (result < 0)
		return result;
	char *partial = sp_asprintf("%s.partial", db);
	unlink(partial);
	if ((result = sp_copy_bytes(file, partial)) < 0)
		snprintf(why, 256, "%.180s: %s", partial, strerror(-result));
	if (result == 0)
		result = renew(partial, why);
	if (result == 0 &&
	    ((result = sp_copy_sync(partial)) < 0 || (result = sp_copy_place(partial, db)) < 0))
		snprintf(why, 256, "%.180s: %s", db, strerror(-result));
	if (result < 0)
		unlink(partial);
	free(partial);
	return result;
}

static int must_be_empty(const char *db, char why[256])
{
	struct sp_db *store = NULL;
	int result = sp_db_open(&store, db, SP_DB_WRITE, why);
	if (result < 0)
		return result;
	if ((result = sp_db_table(store, NULL)) == 1)
		snprintf(why, 256,
			 "the database holds tables: a restore overwrites nothing; make an empty one");
	else if (result < 0)
		snprintf(why, 256, "%.200s", sp_db_error(store));
	sp_db_close(store);
	return result == 1 ? -EEXIST : result;
}

static int restore_server(const char *db, const char *file, struct sp_copy *out, char why[256])
{
	const char *const words[] = {
	    "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", file, NULL};
	out->boards = out->events = -1;
	out->bytes = sp_copy_size(file);
	int result = must_be_empty(db, why);
	if (result == 0)
		result = sp_copy_run("pg_restore", db, words, why);
	return result < 0 ? result : renew(db, why);
}

int sp_restore(const char *db, const char *file, struct sp_copy *out, char why[256])
{
	*out = (struct sp_copy){.at_ms = 0};
	snprintf(out->file, sizeof(out->file), "%s", file);
	return sp_db_kind_of(db) == SP_DB_POSTGRES ? restore_server(db, file, out, why)
						   : restore_sqlite(db, file, out, why);
}
