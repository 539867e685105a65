// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// PostgreSQL: a connection, its transactions, and what went wrong. A server that went is tried again with the
// next transaction.
#include "tools/hub/db/db_postgres.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

/// What the place itself says comes after these, and wins.
static const char *const connect_words[] = {
    "connect_timeout", "client_encoding", "fallback_application_name", "tcp_user_timeout", "dbname", NULL};

/// Without the end of the line that libpq gives it.
static void note(struct sp_pg *db, const char *text)
{
	snprintf(db->db.error, sizeof(db->db.error), "%s", text && *text ? text : "the server is gone");
	size_t length = strlen(db->db.error);
	while (length > 0 && db->db.error[length - 1] == '\n')
		db->db.error[--length] = '\0';
	for (char *at = db->db.error; *at; at++)
		*at = *at == '\n' || *at == '\t' ? ' ' : *at;
}

int sp_pg_failed(struct sp_pg *db, const PGresult *answer)
{
	const char *sqlstate = answer ? PQresultErrorField(answer, PG_DIAG_SQLSTATE) : NULL;
	const char *text = answer ? PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	note(db, text ? text : PQerrorMessage(db->conn));
	int result = sp_pg_errno(sqlstate);
	if (PQstatus(db->conn) == CONNECTION_BAD)
		result = -ENOTCONN;
	db->lost |= result == -ENOTCONN;
	db->last = result;
	return result;
}

int sp_pg_command(struct sp_pg *db, const char *sql)
{
	if (db->lost)
		return -ENOTCONN;
	PGresult *answer = PQexec(db->conn, sql);
	ExecStatusType status = PQresultStatus(answer);
	int result = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : sp_pg_failed(db, answer);
	PQclear(answer);
	return result;
}

// ---- the connection ----------------------------------------------------------------------------

static void hear(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice; // notices are for those who type
}

/// What this session must be like, whatever the server's configuration says.
static int session(struct sp_pg *db)
{
	// A writer's plans are made when tables are empty, and kept while they grow: by indexes, from the
	// first. Where there is none, the cost that stands for "off" would have each execution compiled: 0.1
	// s to look at four rows.
	int result = sp_pg_command(
	    db, db->writing ? "SET default_transaction_read_only = off; SET lock_timeout = '5s'; SET "
			      "enable_seqscan = off;"
			      " SET jit = off"
			    : "SET default_transaction_read_only = on; SET lock_timeout = '5s'");
	// An acknowledged record is on the disk.
	if (result == 0)
		result = sp_pg_command(db, "SELECT set_config('synchronous_commit', 'on', false) WHERE"
					   " current_setting('synchronous_commit') IN ('off', 'local')");
	return result;
}

static int connect_to(struct sp_pg *db)
{
	const char *const values[] = {"10", "UTF8", "schoolpulse-hub", "30000", db->where, NULL};
	PQfinish(db->conn);
	db->conn = PQconnectdbParams(connect_words, values, 1);
	db->session++;
	db->lost = false;
	if (PQstatus(db->conn) != CONNECTION_OK) {
		note(db, PQerrorMessage(db->conn));
		db->lost = true;
		return -ENOTCONN;
	}
	PQsetNoticeReceiver(db->conn, hear, db);
	return session(db);
}

/// libpq tells people why a connection was refused, but gives no code.
static int why_not(const struct sp_pg *db)
{
	static const struct {
		const char *words;
		int result;
	} reasons[] = {{"\" does not exist", -ENOENT},
		       {"authentication failed", -EACCES},
		       {"no pg_hba.conf entry", -EACCES},
		       {"permission denied for database", -EACCES},
		       {"no password supplied", -EACCES}};
	for (size_t i = 0; i < SP_COUNT(reasons); i++) {
		if (strstr(db->db.error, reasons[i].words))
			return strstr(db->db.error, "role \"") ? -EACCES : reasons[i].result;
	}
	return -ENOTCONN;
}

static void close_connection(struct sp_db *db)
{
	PQfinish(sp_pg_of(db)->conn);
	free(sp_pg_of(db)->where);
	free(db);
}

/// The encoding decides which texts can be kept at all.
static int check_encoding(struct sp_pg *db)
{
	const char *encoding = PQparameterStatus(db->conn, "server_encoding");
	if (encoding && strcmp(encoding, "UTF8") == 0)
		return 0;
	note(db, "the database's encoding is not UTF8: create it with ENCODING 'UTF8' TEMPLATE template0");
	return -EUCLEAN;
}

/// What to do about it, as far as libpq tells more than words.
static const char *advice(const struct sp_pg *db, int result)
{
	if (result == -EUCLEAN)
		return ""; // the text says it
	if (PQconnectionNeedsPassword(db->conn))
		return " (put the password into ~/.pgpass)";
	if (PQconnectionUsedPassword(db->conn))
		return " (look at ~/.pgpass and the role's password)";
	if (result == -ENOENT || result == -EACCES)
		return " (tools/hub/db/README.md says how both are made)";
	return "";
}

static int open_connection(struct sp_db **out, const char *where, enum sp_db_mode mode, char why[256])
{
	struct sp_pg *db = sp_alloc(sizeof(*db));
	db->db.is = &sp_db_postgres;
	db->writing = mode == SP_DB_WRITE;
	db->where = sp_strdup(where);
	int result = connect_to(db);
	if (result == -ENOTCONN)
		result = why_not(db);
	if (result == 0)
		result = check_encoding(db);
	if (result < 0) {
		snprintf(why, 256, "%.190s%s", db->db.error, advice(db, result));
		close_connection(&db->db);
		return result;
	}
	*out = &db->db;
	return 0;
}

static int settle(struct sp_db *db)
{
	(void)db; // each new connection has its settings
	return 0;
}

static int table(struct sp_db *db, const char *name)
{
	int64_t found = 0;
	int result = SQL_GET(
	    db, &found,
	    "SELECT EXISTS(SELECT 1 FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND"
	    " c.relkind IN ('r', 'p', 'v', 'm') AND (?1 IS NULL OR (c.relkind IN ('r', 'p') AND"
	    " c.relname = ?1)))",
	    T(name));
	return result < 0 ? result : (int)found;
}

/// Old row versions go by VACUUM, the log by the server's own rules: README.md says what that means.
static int scrub(struct sp_db *db)
{
	(void)db;
	return 0;
}

// ---- transactions ------------------------------------------------------------------------------

/// A connection that is there. One that was lost in silence shows it with its first statement; then, and only
/// before anything was done, a new one is as good.
static int begin_with(struct sp_pg *db, const char *sql)
{
	int result = db->lost ? connect_to(db) : 0;
	if (result < 0)
		return result;
	unsigned tried = db->session;
	result = sp_pg_command(db, sql);
	if (result != -ENOTCONN || db->session != tried)
		return result;
	result = connect_to(db);
	return result < 0 ? result : sp_pg_command(db, sql);
}

static int begin(struct sp_db *db)
{
	if (!sp_pg_of(db)->writing) {
		note(sp_pg_of(db), "opened for reading only");
		return -EROFS;
	}
	return begin_with(sp_pg_of(db), "BEGIN");
}

static int read_begin(struct sp_db *db)
{
	return begin_with(sp_pg_of(db), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

/// The server answers COMMIT of a transaction in which something failed with ROLLBACK.
static int commit(struct sp_db *db)
{
	struct sp_pg *pg = sp_pg_of(db);
	if (pg->lost)
		return -ENOTCONN;
	PGresult *answer = PQexec(pg->conn, "COMMIT");
	int result = PQresultStatus(answer) == PGRES_COMMAND_OK ? 0 : sp_pg_failed(pg, answer);
	if (result == 0 && strcmp(PQcmdStatus(answer), "COMMIT") != 0) {
		note(pg, "something failed in this transaction: it was rolled back");
		result = -EIO;
	}
	PQclear(answer);
	return result;
}

static void rollback(struct sp_db *db)
{
	struct sp_pg *pg = sp_pg_of(db);
	char error[SP_DB_ERROR_SIZE];
	memcpy(error, pg->db.error, sizeof(error));
	if (!pg->lost && PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		(void)!sp_pg_command(pg, "ROLLBACK");
	memcpy(pg->db.error, error, sizeof(error)); // why it came to this
}

static int script(struct sp_db *db, const char *sql)
{
	char *text = sp_pg_script(sql);
	int result = sp_pg_command(sp_pg_of(db), text);
	free(text);
	return result;
}

static int64_t changes(const struct sp_db *db)
{
	return ((const struct sp_pg *)db)->changes;
}

const struct sp_db_ops sp_db_postgres = {
    .kind = SP_DB_POSTGRES,
    .open = open_connection,
    .close = close_connection,
    .settle = settle,
    .table = table,
    .scrub = scrub,
    .begin = begin,
    .read_begin = read_begin,
    .commit = commit,
    .rollback = rollback,
    .query = sp_pg_query,
    .once = sp_pg_once,
    .script = script,
    .changes = changes,
    .next = sp_pg_next,
    .leave = sp_pg_leave,
    .is_null = sp_pg_is_null,
    .text = sp_pg_text,
    .integer = sp_pg_integer,
    .real = sp_pg_real,
    .blob = sp_pg_blob,
    .bulk_open = sp_pg_bulk_open,
    .bulk_add = sp_pg_bulk_add,
    .bulk_flush = sp_pg_bulk_flush,
    .bulk_clear = sp_pg_bulk_clear,
    .bulk_close = sp_pg_bulk_close,
};
