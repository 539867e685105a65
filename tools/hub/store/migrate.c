// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Migrations: who may do one, and one step after the other.
#include "tools/hub/store/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tools/hub/store/store_priv.h"

struct moving {
	struct sp_store *store;
	const struct sp_migration *how;
	int version;
	int lock_fd; ///< of SQLite's ingest; -1
	char *why;
};

static int fail(struct moving *m, int result)
{
	if (!m->why[0])
		snprintf(m->why, 256, "%.255s", sp_store_error(m->store));
	return result;
}

/// 0 with the version, 0 of an empty database.
static int read_version(struct moving *m)
{
	int64_t version = 0;
	int found = sp_schema_ours(m->store);
	if (found == -EUCLEAN)
		snprintf(m->why, 256, "this is not a hub's database");
	if (found <= 0) {
		m->version = 0;
		return found < 0 ? fail(m, found) : 0;
	}
	int result = sp_store_meta_get(m->store, "schema_version", &version);
	if (result < 0)
		snprintf(m->why, 256, "the schema's version cannot be read: %.200s",
			 sp_store_error(m->store));
	if (result == 0 && version < 1) {
		snprintf(m->why, 256, "the database has no readable schema version");
		result = -EUCLEAN;
	}
	m->version = (int)version;
	return result < 0 ? fail(m, result) : 0;
}

static int open_it(struct moving *m, const char *where, enum sp_db_mode mode)
{
	m->store = sp_alloc(sizeof(*m->store));
	m->store->writing = mode == SP_DB_WRITE;
	m->lock_fd = -1;
	m->why[0] = '\0';
	int result = sp_db_open(&m->store->db, where, mode, m->why);
	return result < 0 ? result : read_version(m);
}

static void close_it(struct moving *m)
{
	if (m->lock_fd >= 0)
		close(m->lock_fd);
	if (m->store && m->store->db)
		sp_store_close(m->store);
	else
		free(m->store);
}

// ---- alone -------------------------------------------------------------------------------------

/// Ingest on a file holds the lock beside it.
static int lock_file(struct moving *m, const char *where)
{
	if (sp_db_kind(m->store->db) != SP_DB_SQLITE)
		return 0;
	char *path = sp_asprintf("%s.ingest", where);
	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	int result = m->lock_fd < 0 ? -errno : 0;
	free(path);
	if (result == 0 && flock(m->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	snprintf(m->why, 256, "an ingest is running on %.150s: stop it first", where);
	return result < 0 ? result : -EBUSY;
}

/// Within the step's transaction: two migrations go one after the other, and no ingest holds a shard.
static int alone(struct moving *m)
{
	int64_t now = 0, leases = 0;
	int result = SQL_DO(m->store->db, "UPDATE meta SET value = value WHERE key = 'schema_version'");
	if (result == 0)
		result = sp_store_meta_get(m->store, "schema_version", &now);
	if (result == 0 && now != m->version) {
		snprintf(m->why, 256, "another migration is running");
		result = -EBUSY;
	}
	if (result == 0)
		result = SQL_GET(m->store->db, &leases, "SELECT count(*) FROM lease WHERE until_ms > ?",
				 I(m->how->now_ms));
	if (result >= 0 && leases > 0) {
		snprintf(m->why, 256, "%" PRId64 " leases of shards are held: stop every ingest first",
			 leases);
		result = -EBUSY;
	}
	return result < 0 ? result : 0;
}

// ---- steps -------------------------------------------------------------------------------------

static int would_lose(struct moving *m, const struct sp_schema_step *step, int64_t *rows)
{
	*rows = 0;
	if (!step->loses)
		return 0;
	struct sp_rows *answer = sp_sql_once(m->store->db, step->loses);
	int result = sp_rows_next(m->store->db, answer);
	if (result != 1)
		return result;
	*rows = sp_row_int(answer, 0, 0);
	sp_rows_leave(answer);
	return 0;
}

/// What the step means, told before it is done.
static int tell(struct moving *m, int to)
{
	bool down = to < m->version;
	const struct sp_schema_step *step = sp_schema_step(down ? m->version : to);
	int64_t rows = 0;
	int result = down ? would_lose(m, step, &rows) : 0;
	if (result < 0)
		return result;
	m->how->step(m->how->arg, m->version, to, step->name, rows, rows > 0 ? step->lost : "");
	if (rows == 0 || m->how->lose || m->how->dry)
		return 0;
	snprintf(m->why, 256, "version %d has no place for %" PRId64 " %.80s: --lose lets them go", to, rows,
		 step->lost);
	return -EPERM;
}

static int move(struct moving *m, int to)
{
	struct sp_store *store = m->store;
	if (m->how->dry)
		return tell(m, to);
	int result = sp_store_begin(store, m->how->now_ms);
	if (result == 0)
		result = alone(m);
	if (result == 0)
		result = tell(m, to);
	if (result == 0)
		result =
		    to > m->version ? sp_schema_step_up(store, to) : sp_schema_step_down(store, m->version);
	if (result == 0)
		result = sp_store_meta_set(store, "schema_version", to);
	if (result == 0)
		result = sp_store_commit(store);
	if (result < 0) {
		result = fail(m, result);
		sp_store_rollback(store);
	}
	return result;
}

static int check(struct moving *m, int *to)
{
	int newest = sp_schema_version();
	*to = m->how->to ? m->how->to : newest;
	if (*to < 1 || *to > newest) {
		snprintf(m->why, 256, "there is no version %d: this program knows 1 to %d", *to, newest);
		return -EINVAL;
	}
	if (m->version > newest) {
		snprintf(m->why, 256,
			 "the database has schema %d, this program knows %d: it is left as it is", m->version,
			 newest);
		return -EPROTO;
	}
	if (m->version == 0) {
		snprintf(m->why, 256, "the database is still empty: the first ingest or import makes it");
		return -ENOENT;
	}
	return 0;
}

int sp_migrate(const char *where, const struct sp_migration *how, char why[256])
{
	struct moving m = {.how = how, .why = why, .lock_fd = -1};
	int to = 0;
	// Nothing is created where there is no database.
	int result = open_it(&m, where, SP_DB_READ);
	close_it(&m);
	if (result == 0)
		result = check(&m, &to);
	if (result < 0)
		return result;
	result = open_it(&m, where, SP_DB_WRITE);
	if (result == 0)
		result = lock_file(&m, where);
	if (result == 0 && (result = sp_db_settle(m.store->db)) < 0)
		result = fail(&m, result);
	while (result == 0 && m.version != to) {
		int next = m.version < to ? m.version + 1 : m.version - 1;
		result = move(&m, next);
		if (result == 0)
			m.version = next;
	}
	close_it(&m);
	return result;
}

int sp_migrate_status(const char *where, int *version, int *newest, char why[256])
{
	struct moving m = {.why = why, .lock_fd = -1};
	int result = open_it(&m, where, SP_DB_READ);
	*version = m.version;
	*newest = sp_schema_version();
	close_it(&m);
	return result;
}
