// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Opening the journal's file: the settings that a card needs, the schema, and the decision whether what
// lies there is ours and whole.
//
// locking_mode EXCLUSIVE keeps the WAL's index on the heap (no -shm) and refuses a second agent.
// secure_delete: a forgotten attendance event must not be found in a free page.
#include "agent/core/journal/aside.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum {
	APPLICATION_ID = 0x53504a31, ///< "SPJ1", in the file's header
	PAGE_BYTES = 4096,
	CHUNK_BYTES = 1024 * 1024,
	CHECK_BYTES_MAX = 16 * 1024 * 1024, ///< a larger file is not read through at start: the first fact
					    ///< must be out within 10 s
	/// Not -errno of any kind: the file belongs to a newer version, or to somebody else.
	NEWER = -EPROTONOSUPPORT,
	FOREIGN = -EPROTOTYPE,
};

static const char *const settings[] = {
    "PRAGMA page_size=4096",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-64",
    "PRAGMA mmap_size=0",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cell_size_check=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    // 1 MiB: the same few pages are written again and again, and reach the file once per megabyte.
    "PRAGMA wal_autocheckpoint=256",
    "PRAGMA journal_size_limit=2097152",
};

static const char *const schema[] = {
    "CREATE TABLE stream(id INTEGER PRIMARY KEY, name TEXT NOT NULL, class INTEGER NOT NULL, "
    "boot TEXT NOT NULL, last INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE batch(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, first INTEGER NOT NULL, "
    "last INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0, age_ms INTEGER NOT NULL DEFAULT 0, "
    "digest TEXT NOT NULL, deflated INTEGER NOT NULL, body BLOB NOT NULL, "
    "redacted INTEGER NOT NULL DEFAULT 0)",
    // Answers everything but the text: what is unsettled, held, oldest, next.
    "CREATE UNIQUE INDEX batch_place ON batch(stream, settled, first, last)",
    "CREATE TABLE small(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
};

/// Since version 2.
static const char *const attendance_schema[] = {
    "CREATE TABLE local(id INTEGER PRIMARY KEY, age_ms INTEGER NOT NULL, digest TEXT NOT NULL, "
    "body BLOB NOT NULL)",
    "CREATE TABLE kiosk(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, count INTEGER NOT NULL)",
    // The key alone, without a rowid: 16 bytes and a few. The keys of a kiosk's day are neighbours.
    "CREATE TABLE seen(kiosk INTEGER NOT NULL, day INTEGER NOT NULL, key BLOB NOT NULL, "
    "PRIMARY KEY(kiosk, day, key)) WITHOUT ROWID",
};

static int number(sqlite3 *db, const char *pragma, int value)
{
	char *text = sp_asprintf("PRAGMA %s=%d", pragma, value);
	int result = sp_sql_run(db, text, "");
	free(text);
	return result;
}

/// What a file of that version lacks, 0 being an empty one.
static int complete(sqlite3 *db, int64_t version)
{
	int result = sp_sql_run(db, "BEGIN IMMEDIATE", "");
	for (size_t i = 0; i < SP_COUNT(schema) && result == 0 && version == 0; i++)
		result = sp_sql_run(db, schema[i], "");
	if (result == 0 && version == 1)
		result =
		    sp_sql_run(db, "ALTER TABLE batch ADD COLUMN redacted INTEGER NOT NULL DEFAULT 0", "");
	for (size_t i = 0; i < SP_COUNT(attendance_schema) && result == 0; i++)
		result = sp_sql_run(db, attendance_schema[i], "");
	if (result == 0)
		result = number(db, "application_id", APPLICATION_ID);
	if (result == 0)
		result = number(db, "user_version", SP_JOURNAL_SCHEMA);
	if (result == 0)
		result = sp_sql_run(db, "COMMIT", "");
	// The handle may be used to save what can be saved.
	if (result < 0 && !sqlite3_get_autocommit(db))
		(void)!sp_sql_run(db, "ROLLBACK", "");
	return result;
}

/// Ours, of this version and with our tables? Creates them in an empty file.
static int check_schema(sqlite3 *db)
{
	int64_t application = 0, version = 0, objects = 0;
	int result = sp_sql_int(db, &objects, "SELECT count(*) FROM sqlite_schema", "");
	if (result == 0)
		result = sp_sql_int(db, &application, "PRAGMA application_id", "");
	if (result == 0)
		result = sp_sql_int(db, &version, "PRAGMA user_version", "");
	if (result < 0)
		return result;
	if (objects == 0 && application == 0 && version == 0)
		return complete(db, 0);
	if (application != APPLICATION_ID)
		return FOREIGN;
	if (version > SP_JOURNAL_SCHEMA)
		return NEWER;
	if (version == 1)
		return complete(db, 1);
	return version == SP_JOURNAL_SCHEMA ? 0 : -EBADMSG;
}

/// Reads the file through after a crash, if that does not take too long.
static int check_pages(struct sp_journal_store *store)
{
	int64_t bytes;
	sqlite3_stmt *statement;
	int result = sp_journal_gross_bytes(store, &bytes);
	if (result < 0 || bytes > CHECK_BYTES_MAX)
		return result;
	result = sp_sql_prepare(store->db, &statement, "PRAGMA quick_check(1)", "");
	if (result < 0)
		return result;
	result = sp_sql_step(statement);
	if (result == 1)
		result = strcmp(sp_sql_text(statement, 0), "ok") == 0 ? 0 : -EBADMSG;
	sqlite3_finalize(statement);
	return result;
}

static int load_unsettled(struct sp_journal_store *store)
{
	sqlite3_stmt *statement;
	int result = sp_sql_prepare(store->db, &statement,
				    "SELECT s.class, sum(b.last - b.first + 1) FROM stream s JOIN batch b "
				    "ON b.stream = s.id AND b.settled = 0 GROUP BY s.class",
				    "");
	if (result < 0)
		return result;
	while ((result = sp_sql_step(statement)) > 0) {
		int64_t cls = sqlite3_column_int64(statement, 0);
		if (cls >= 0 && cls < SP_RECORD_CLASSES)
			store->now.unsettled[cls] = sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
	return result;
}

/// 0 when there is none, or one that cannot be.
static int64_t get_number(struct sp_journal_store *store, const char *key)
{
	char *text = sp_journal_store_get(store, key);
	int64_t value = text ? strtoll(text, NULL, 10) : 0;
	free(text);
	return value < 0 || value > INT64_MAX / 2 ? 0 : value;
}

static int load(struct sp_journal_store *store)
{
	store->clean = sp_journal_store_get(store, SP_JOURNAL_CLEAN);
	store->mark = store->clean != NULL;
	store->age_ms = get_number(store, "journal.age_ms");
	store->now.seen_bytes = get_number(store, SP_JOURNAL_SEEN_BYTES);
	int64_t id = 0;
	int result = store->clean ? 0 : check_pages(store);
	if (result == 0)
		result = sp_sql_int(store->db, &id, "SELECT max(id) FROM batch", "");
	if (result == 0)
		result = sp_journal_measure(store);
	if (result == 0)
		result = load_unsettled(store);
	store->now.next_id = id + 1;
	return result == 0 && (id < 0 || id > INT64_MAX / 2) ? -EBADMSG : result;
}

static int open_handle(struct sp_journal_store *store)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int opened = sqlite3_open_v2(store->path, &store->db, flags, store->vfs);
	int result = sp_sql_error(store->db, opened);
	if (result < 0)
		return result;
	// SQLite opens what it may not write for reading.
	if (sqlite3_db_readonly(store->db, "main") == 1)
		return -EROFS;
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 128, 64);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	int chunk = CHUNK_BYTES;
	sqlite3_file_control(store->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk);
	for (size_t i = 0; i < SP_COUNT(settings) && result == 0; i++)
		result = sp_sql_run(store->db, settings[i], "");
	// Only now has it read the header: a format number that it does not know makes a file read-only.
	return result == 0 && sqlite3_db_readonly(store->db, "main") == 1 ? -EBADMSG : result;
}

static void close_handle(struct sp_journal_store *store)
{
	sp_journal_seen_free(store);
	sqlite3_close(store->db);
	store->db = NULL;
	free(store->clean);
	store->clean = NULL;
	store->mark = false;
}

/// A salvage that a power cut has ended begins again.
static int salvage_and_load(struct sp_journal_store *store)
{
	char *aside = sp_journal_store_get(store, SP_JOURNAL_SALVAGE);
	int result = 0;
	if (aside) {
		sp_journal_salvage(store, aside);
		result = sp_sql_run(store->db, "DELETE FROM small WHERE key = ?", "t", SP_JOURNAL_SALVAGE);
	}
	free(aside);
	return result == 0 ? load(store) : result;
}

static int open_file(struct sp_journal_store *store)
{
	int result = open_handle(store);
	if (result == 0)
		result = check_schema(store->db);
	if (result == 0)
		result = salvage_and_load(store);
	return result;
}

/// What to call a file that may not be used, or NULL when that would not help.
static const char *aside_word(int result)
{
	switch (result) {
	case -EBADMSG:
		return "corrupt";
	case NEWER:
		return "newer";
	case FOREIGN:
		return "foreign";
	}
	return NULL;
}

/// Moves the file away and opens a new one that begins with what could be saved.
static int renew(struct sp_journal_store *store, const char *word)
{
	struct sp_journal_saved saved = {0};
	bool ours = strcmp(word, "newer") != 0 && strcmp(word, "foreign") != 0;
	if (store->db) {
		if (ours)
			sp_journal_save_small(store->db, &saved);
		// The WAL stays as it is: evidence.
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	}
	close_handle(store);
	store->now = (struct sp_journal_now){0};
	char *aside = NULL;
	int result = sp_journal_set_aside(store->path, word, &aside);
	if (result == 0)
		result = open_handle(store);
	if (result == 0)
		result = check_schema(store->db);
	if (result == 0)
		result = sp_journal_restore_small(store->db, &saved);
	if (result == 0 && ours)
		result = sp_sql_run(store->db, "INSERT OR REPLACE INTO small(key, value) VALUES(?, ?)", "tt",
				    SP_JOURNAL_SALVAGE, aside);
	if (result == 0)
		result = salvage_and_load(store);
	sp_journal_saved_free(&saved);
	free(aside);
	store->set_aside = result == 0;
	return result;
}

int sp_journal_store_open(struct sp_journal_store **out, const struct sp_journal_store_config *config,
			  int64_t now_ms)
{
	struct sp_journal_store *store = sp_alloc(sizeof(*store));
	*out = NULL;
	store->path = sp_strdup(config->path);
	store->vfs = config->vfs ? sp_strdup(config->vfs) : NULL;
	store->boot = sp_strdup(config->boot);
	store->cap_bytes = config->cap_bytes;
	store->keep_acked_ms = config->keep_acked_ms;
	store->keep_attendance_ms = config->keep_attendance_ms;
	store->unsent_attendance_ms = config->unsent_attendance_ms;
	store->withhold_attendance = config->withhold_attendance;
	store->page_bytes = PAGE_BYTES;
	store->tick_ms = now_ms;
	store->losses = sp_alloc(SP_JOURNAL_LOSSES_MAX * sizeof(*store->losses));
	int result = config->set_aside ? open_handle(store) : open_file(store);
	const char *word = config->set_aside ? config->set_aside : aside_word(result);
	if (word)
		result = renew(store, word);
	if (result == 0)
		*out = store;
	else
		sp_journal_store_close(store);
	return result;
}

void sp_journal_store_close(struct sp_journal_store *store)
{
	if (!store)
		return;
	close_handle(store);
	free(store->losses);
	free(store->path);
	free(store->vfs);
	free(store->boot);
	free(store);
}
