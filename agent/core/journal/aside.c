// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Sets a journal aside under a new name, its WAL with it: what was committed last may only be there.
#include "agent/core/journal/aside.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/core/journal/sql.h"
#include "agent/core/journal/store.h"
#include "schoolpulse/log.h"

enum { SAVED_BYTES_MAX = 1024 * 1024 };

/// The directory part of a path; the caller frees.
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return sp_strdup(".");
	return slash == path ? sp_strdup("/") : sp_strndup(path, (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/// n of "journal.db.<word>-<n>", or 0.
static long number_of(const char *entry, const char *prefix)
{
	size_t length = strlen(prefix);
	if (strncmp(entry, prefix, length) != 0)
		return 0;
	char *end;
	long n = strtol(entry + length, &end, 10);
	return *end == '\0' && n > 0 && n < LONG_MAX ? n : 0;
}

/// The highest number in use; *lowest and *count of what is there.
static long highest(const char *directory, const char *prefix, long *lowest, size_t *count)
{
	long high = 0;
	*lowest = 0;
	*count = 0;
	DIR *dir = opendir(directory);
	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		long n = number_of(entry->d_name, prefix);
		if (n == 0)
			continue;
		(*count)++;
		if (n > high)
			high = n;
		if (*lowest == 0 || n < *lowest)
			*lowest = n;
	}
	closedir(dir);
	return high;
}

static void delete_old(const char *path, const char *directory, const char *prefix, const char *word)
{
	long low;
	size_t count;
	for (int i = 0; i < 100; i++) {
		highest(directory, prefix, &low, &count);
		if (count < SP_JOURNAL_CORRUPT_KEPT)
			return;
		char *old = sp_asprintf("%s.%s-%ld", path, word, low);
		char *wal = sp_asprintf("%s-wal", old);
		int result = unlink(old);
		(void)unlink(wal);
		free(old);
		free(wal);
		if (result < 0)
			return;
	}
}

static int move(const char *path, const char *to, const char *suffix)
{
	char *from_file = sp_asprintf("%s%s", path, suffix);
	char *to_file = sp_asprintf("%s%s", to, suffix);
	int result = rename(from_file, to_file) < 0 && errno != ENOENT ? -errno : 0;
	free(from_file);
	free(to_file);
	return result;
}

static void sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

int sp_journal_set_aside(const char *path, const char *word, char **name)
{
	char *directory = directory_of(path);
	char *prefix = sp_asprintf("%s.%s-", name_of(path), word);
	long low;
	size_t count;
	if (strcmp(word, "corrupt") == 0)
		delete_old(path, directory, prefix, word);
	long n = highest(directory, prefix, &low, &count) + 1;
	char *to = sp_asprintf("%s.%s-%ld", path, word, n);
	int result = move(path, to, "-wal");
	if (result == 0)
		result = move(path, to, "");
	if (result == 0) {
		sync_directory(directory);
		sp_err("journal", "%s cannot be used (%s): set aside as %s, a new chain begins", path, word,
		       to);
	}
	if (name)
		*name = sp_strdup(to);
	free(to);
	free(prefix);
	free(directory);
	return result;
}

/// One of ours: "<name>.<word>-<n>", or its WAL.
static bool is_aside(const char *entry, const char *name)
{
	static const char *const words[] = {"corrupt", "unreadable", "newer"};
	size_t length = strlen(entry);
	if (length > 4 && strcmp(entry + length - 4, "-wal") == 0)
		length -= 4;
	char *base = sp_strndup(entry, length);
	bool found = false;
	for (size_t i = 0; i < SP_COUNT(words); i++) {
		char *prefix = sp_asprintf("%s.%s-", name, words[i]);
		found = found || number_of(base, prefix) > 0;
		free(prefix);
	}
	free(base);
	return found;
}

int sp_journal_purge_asides(const char *path)
{
	char *directory = directory_of(path);
	DIR *dir = opendir(directory);
	int result = dir ? 0 : -errno;
	size_t gone = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (!is_aside(entry->d_name, name_of(path)))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			result = -errno;
		else
			gone++;
	}
	if (dir)
		closedir(dir);
	if (gone > 0) {
		sync_directory(directory);
		sp_notice("journal", "deleted %zu files that had been set aside: a person was to be erased",
			  gone);
	}
	free(directory);
	return result;
}

int sp_journal_probe(const char *path)
{
	char page[4096] = {0};
	char *name = sp_asprintf("%s.probe", path);
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = fd < 0 ? errno : 0;
	if (fd >= 0) {
		ssize_t written = write(fd, page, sizeof(page));
		if (written < 0)
			error = errno;
		else if (written < (ssize_t)sizeof(page))
			error = ENOSPC;
		else if (fsync(fd) < 0)
			error = errno;
		close(fd);
		(void)unlink(name);
	}
	free(name);
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return -ENOSPC;
	case EROFS:
	case EACCES:
	case EPERM:
		return -EROFS;
	}
	return -EIO;
}

void sp_journal_save_small(sqlite3 *db, struct sp_journal_saved *out)
{
	*out = (struct sp_journal_saved){0};
	sqlite3_stmt *statement;
	size_t bytes = 0;
	if (sp_sql_prepare(db, &statement,
			   "SELECT key, value FROM small WHERE key NOT LIKE 'journal.%' AND length(key) <= ? "
			   "AND length(value) <= ?",
			   "ii", (int64_t)SP_JOURNAL_KEY_MAX, (int64_t)SP_JOURNAL_SMALL_MAX) < 0)
		return;
	while (sp_sql_step(statement) > 0) {
		const char *key = sp_sql_text(statement, 0), *value = sp_sql_text(statement, 1);
		bytes += strlen(key) + strlen(value);
		if (bytes > SAVED_BYTES_MAX)
			break;
		out->pairs = sp_realloc(out->pairs, (out->count + 1) * sizeof(*out->pairs));
		out->pairs[out->count].key = sp_strdup(key);
		out->pairs[out->count].value = sp_strdup(value);
		out->count++;
	}
	sqlite3_finalize(statement);
}

int sp_journal_restore_small(sqlite3 *db, const struct sp_journal_saved *saved)
{
	int result = 0;
	for (size_t i = 0; i < saved->count && result == 0; i++)
		result = sp_sql_run(db, "INSERT OR REPLACE INTO small(key, value) VALUES(?, ?)", "tt",
				    saved->pairs[i].key, saved->pairs[i].value);
	return result;
}

void sp_journal_saved_free(struct sp_journal_saved *saved)
{
	for (size_t i = 0; i < saved->count; i++) {
		free(saved->pairs[i].key);
		free(saved->pairs[i].value);
	}
	free(saved->pairs);
	*saved = (struct sp_journal_saved){0};
}
