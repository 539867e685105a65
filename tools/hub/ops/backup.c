// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Copying out. SQLite's VACUUM INTO reads one state, however long it takes, while ingest writes on; unlike a
// copy of its pages it takes nothing along that was deleted.
#include "tools/hub/ops/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tools/hub/db/db.h"

static int name_it(const char *to, bool server, int64_t now_ms, struct sp_copy *out, char why[256])
{
	struct stat place;
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;
	char moment[32];
	gmtime_r(&seconds, &tm);
	strftime(moment, sizeof(moment), "%Y%m%dT%H%M%SZ", &tm);
	bool folder = stat(to, &place) == 0 && S_ISDIR(place.st_mode);
	int length = folder ? snprintf(out->file, sizeof(out->file), "%s/hub-%s.%s", to, moment,
				       server ? "dump" : "db")
			    : snprintf(out->file, sizeof(out->file), "%s", to);
	if (length >= (int)sizeof(out->file) - (int)sizeof(".partial")) {
		snprintf(why, 256, "the name is too long");
		return -ENAMETOOLONG;
	}
	if (access(out->file, F_OK) < 0)
		return 0;
	snprintf(why, 256, "%.200s is there already", out->file);
	return -EEXIST;
}

static int copy_sqlite(const char *db, const char *partial, int64_t now_ms, char why[256])
{
	struct sp_db *store = NULL;
	char text[24];
	why[0] = '\0';
	int result = sp_db_open(&store, db, SP_DB_READ, why);
	if (result == 0)
		result = SQL_DO(store, "VACUUM INTO ?", T(partial));
	if (result < 0 && !why[0])
		snprintf(why, 256, "%.200s", sp_db_error(store));
	sp_db_close(store);
	store = NULL;
	// It says itself when it was made.
	snprintf(text, sizeof(text), "%" PRId64, now_ms);
	if (result == 0)
		result = sp_db_open(&store, partial, SP_DB_WRITE, why);
	if (result == 0) {
		result =
		    SQL_DO(store,
			   "INSERT INTO meta VALUES('copied_ms', ?) ON CONFLICT (key) DO UPDATE SET value ="
			   " excluded.value",
			   T(text));
		if (result < 0)
			snprintf(why, 256, "%.200s", sp_db_error(store));
		sp_db_close(store);
	}
	return result;
}

static int copy_server(const char *db, const char *partial, char why[256])
{
	char *file = sp_asprintf("--file=%s", partial);
	const char *const words[] = {"--format=custom", "--no-owner", "--no-privileges", file, NULL};
	int result = sp_copy_run("pg_dump", db, words, why);
	free(file);
	return result;
}

int sp_backup(const char *db, const char *to, int64_t now_ms, struct sp_copy *out, char why[256])
{
	bool server = sp_db_kind_of(db) == SP_DB_POSTGRES;
	*out = (struct sp_copy){.at_ms = now_ms, .boards = -1, .events = -1};
	int result = name_it(to, server, now_ms, out, why);
	if (result < 0)
		return result;
	char *partial = sp_asprintf("%s.partial", out->file);
	mode_t mask = umask(077);
	unlink(partial); // of one that was killed
	result = server ? copy_server(db, partial, why) : copy_sqlite(db, partial, now_ms, why);
	if (result == 0 && !server)
		result = sp_copy_check(partial, out, why);
	out->bytes = sp_copy_size(partial);
	if (result == 0 &&
	    ((result = sp_copy_sync(partial)) < 0 || (result = sp_copy_place(partial, out->file)) < 0))
		snprintf(why, 256, "%.200s: %s", out->file, strerror(-result));
	umask(mask);
	if (result < 0)
		unlink(partial);
	free(partial);
	return result;
}
