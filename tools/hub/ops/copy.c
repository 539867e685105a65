// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Files that are whole or not there, and PostgreSQL's own programs.
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "tools/hub/db/db.h"
#include "tools/hub/ops/backup.h"

enum { BLOCK = 256 * 1024, WORDS_MAX = 16 };

// ---- files ------------------------------------------------------------------------------------------

int sp_copy_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return result;
}

int64_t sp_copy_size(const char *path)
{
	struct stat file;
	return stat(path, &file) == 0 ? (int64_t)file.st_size : -1;
}

int sp_copy_place(const char *from, const char *to)
{
	char *path = sp_strdup(to);
	// Where there are no second names, nobody else may take it in between: the check is all there is.
	int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
	if (result == -EINVAL || result == -ENOSYS)
		result = access(to, F_OK) == 0 ? -EEXIST : rename(from, to) < 0 ? -errno : 0;
	if (result == 0)
		result = sp_copy_sync(dirname(path));
	free(path);
	return result;
}

static int pour(int from, int to)
{
	char *block = sp_alloc(BLOCK);
	ssize_t got = 0;
	int result = 0;
	while (result == 0 && (got = read(from, block, BLOCK)) != 0) {
		ssize_t put = got < 0 ? -1 : write(to, block, (size_t)got);
		if (put < 0 && errno != EINTR)
			result = -errno;
		else if (put >= 0 && put < got) // the rest at the next turn
			result = lseek(from, put - got, SEEK_CUR) < 0 ? -errno : 0;
	}
	free(block);
	return result;
}

int sp_copy_bytes(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int result = out < 0 ? -errno : pour(in, out);
	if (result == 0 && fsync(out) < 0)
		result = -errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return result;
}

// ---- what is in it ------------------------------------------------------------------------------------

static int is_whole(struct sp_db *db, char why[256])
{
	struct sp_rows *rows =
	    SQL_QUERY(db, "SELECT integrity_check FROM pragma_integrity_check(1) WHERE 0 < ?", I(1));
	int result = sp_rows_next(db, rows);
	if (result != 1)
		return result < 0 ? result : -EUCLEAN;
	bool whole = strcmp(sp_row_text(rows, 0), "ok") == 0;
	if (!whole)
		snprintf(why, 256, "the copy is damaged: %.200s", sp_row_text(rows, 0));
	sp_rows_leave(rows);
	return whole ? 0 : -EUCLEAN;
}

int sp_copy_check(const char *path, struct sp_copy *out, char why[256])
{
	struct sp_db *db = NULL;
	out->boards = out->events = out->requests = out->last_ms = 0;
	out->bytes = sp_copy_size(path);
	why[0] = '\0';
	int result = sp_db_open(&db, path, SP_DB_READ, why);
	if (result == 0)
		result = is_whole(db, why);
	if (result == 0 && (result = sp_db_table(db, "meta")) == 0) {
		snprintf(why, 256, "this is no hub's database");
		result = -EUCLEAN;
	}
	if (result >= 0)
		result = SQL_GET(db, &out->boards, "SELECT count(*) FROM device WHERE 0 < ?", I(1));
	if (result >= 0)
		result = SQL_GET(db, &out->events, "SELECT count(*) FROM event WHERE 0 < ?", I(1));
	if (result >= 0)
		result = SQL_GET(db, &out->requests, "SELECT count(*) FROM subject WHERE action = ?", I(0));
	if (result >= 0)
		result = SQL_GET(db, &out->last_ms, "SELECT max(at_ms) FROM subject WHERE action = ?", I(0));
	if (result >= 0)
		result = SQL_GET(db, &out->at_ms, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = ?",
				 T("copied_ms"));
	if (result < 0 && !why[0])
		snprintf(why, 256, "%.200s", db ? sp_db_error(db) : strerror(-result));
	sp_db_close(db);
	return result < 0 ? result : 0;
}

// ---- programs -----------------------------------------------------------------------------------------

/// "postgresql://user:secret@host/db" without ":secret", which goes to `secret`, still encoded; NULL: none
/// stands there. "host=… dbname=…" stays as it is.
static char *without_password(const char *db, char **secret)
{
	const char *scheme = strstr(db, "://"), *begin = scheme ? scheme + 3 : "";
	const char *end = begin + strcspn(begin, "/?");
	const char *at = memrchr(begin, '@', (size_t)(end - begin)), *colon = NULL;
	if (at)
		colon = memchr(begin, ':', (size_t)(at - begin));
	*secret = colon ? sp_strndup(colon + 1, (size_t)(at - colon - 1)) : NULL;
	return colon ? sp_asprintf("%.*s%s", (int)(colon - db), db, at) : sp_strdup(db);
}

static void decode(char *text)
{
	char *to = text;
	for (unsigned byte; *text; to++) {
		int used = 0;
		if (*text == '%' && sscanf(text + 1, "%2x%n", &byte, &used) == 1 && used == 2) {
			*to = (char)byte;
			text += 3;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

static int wait_for(const char *program, pid_t pid, char why[256])
{
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(why, 256, "%s failed: what it says stands above", program);
	return -EIO;
}

int sp_copy_run(const char *program, const char *db, const char *const *words, char why[256])
{
	char *argv[WORDS_MAX + 3], *secret;
	size_t count = 0;
	pid_t pid;
	char *where = without_password(db, &secret), *name = sp_strdup(program);
	bool seen = strstr(where, "password=") != NULL;
	char *dbname = sp_asprintf("--dbname=%s", where);
	argv[count++] = name;
	argv[count++] = dbname;
	for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
		argv[count++] = (char *)(uintptr_t)words[i];
	argv[count] = NULL;
	if (secret) {
		decode(secret);
		setenv("PGPASSWORD", secret, 1); // not among its words
	}
	// Other users see a program's words.
	int result = seen ? -EPERM : -posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (seen)
		snprintf(why, 256, "a password=… would be seen among the processes: put it into ~/.pgpass");
	else if (result == -ENOENT)
		snprintf(why, 256,
			 "%s is not installed: PostgreSQL's client programs make and read such copies",
			 program);
	else if (result < 0)
		snprintf(why, 256, "%s: %s", program, strerror(-result));
	else
		result = wait_for(program, pid, why);
	unsetenv("PGPASSWORD");
	free(secret);
	free(dbname);
	free(name);
	free(where);
	return result;
}
