// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The keys' file: its text, and its way to the card and back (keys.h).
#include "agent/core/attendance/keys_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "agent/base/secret.h"

static const char HEAD[] = "schoolpulse attendance keys 1\n";

enum { HEX = 2 * SP_KEY_LENGTH };

// ---- text ------------------------------------------------------------------------------------------

struct reader {
	const char *at, *end;
};

static bool skip(struct reader *reader, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// "<64 hex>\n"
static bool read_key(struct reader *reader, uint8_t out[SP_KEY_LENGTH])
{
	if (reader->end - reader->at < HEX + 1 || reader->at[HEX] != '\n')
		return false;
	for (size_t i = 0; i < SP_KEY_LENGTH; i++) {
		int high = digit(reader->at[2 * i]), low = digit(reader->at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	reader->at += HEX + 1;
	return true;
}

/// "2026 "
static bool read_year(struct reader *reader, int32_t *out)
{
	if (reader->end - reader->at < 5 || reader->at[4] != ' ')
		return false;
	*out = 0;
	for (size_t i = 0; i < 4; i++) {
		if (reader->at[i] < '0' || reader->at[i] > '9')
			return false;
		*out = *out * 10 + (reader->at[i] - '0');
	}
	reader->at += 5;
	return *out >= SP_KEY_YEAR_LEAST && *out <= SP_KEY_YEAR_MOST;
}

static int read_set(struct sp_key_set *out, struct reader *reader)
{
	if (!skip(reader, HEAD) || !skip(reader, "events ") || !read_key(reader, out->event))
		return -EBADMSG;
	while (reader->at < reader->end && reader->at[0] != 's') {
		struct sp_year_key *year = &out->years[out->count];
		if (out->count == SP_KEY_YEARS_MAX || !read_year(reader, &year->year) ||
		    !read_key(reader, year->key))
			return -EBADMSG;
		if (out->count > 0 && year->year <= year[-1].year)
			return -EBADMSG;
		out->count++;
	}
	return 0;
}

int sp_keys_parse(struct sp_key_set *out, const char *text, size_t length)
{
	struct reader reader = {text, text + length};
	*out = (struct sp_key_set){0};
	if (skip(&reader, SP_KEYS_ANEW) && (reader.at == reader.end || skip(&reader, "\n")) &&
	    reader.at == reader.end)
		return -ENODATA;
	reader.at = text;
	char sum[SP_DIGEST_LENGTH + 1];
	int result = read_set(out, &reader);
	if (!result) {
		sp_digest(text, (size_t)(reader.at - text), sum);
		if (!skip(&reader, "sum ") || !skip(&reader, sum) || !skip(&reader, "\n") ||
		    reader.at != reader.end)
			result = -EBADMSG;
	}
	if (result)
		explicit_bzero(out, sizeof(*out));
	return result;
}

static char *write_key(char *at, const uint8_t key[SP_KEY_LENGTH])
{
	for (size_t i = 0; i < SP_KEY_LENGTH; i++) {
		*at++ = "0123456789abcdef"[key[i] >> 4];
		*at++ = "0123456789abcdef"[key[i] & 15];
	}
	*at++ = '\n';
	return at;
}

size_t sp_keys_write(const struct sp_key_set *set, char out[SP_KEYS_FILE_MAX])
{
	char sum[SP_DIGEST_LENGTH + 1];
	char *at = stpcpy(stpcpy(out, HEAD), "events ");
	at = write_key(at, set->event);
	for (size_t i = 0; i < set->count; i++) {
		at += snprintf(at, 8, "%04d ", set->years[i].year);
		at = write_key(at, set->years[i].key);
	}
	sp_digest(out, (size_t)(at - out), sum);
	at += snprintf(at, 8 + sizeof(sum), "sum %s\n", sum);
	return (size_t)(at - out);
}

// ---- card ------------------------------------------------------------------------------------------

/// Into `text`, SP_KEYS_FILE_MAX bytes; the length, or -errno.
static ssize_t read_file(const char *path, char *text, char *why)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	ssize_t length = fstat(fd, &status) < 0 ? -errno : 0;
	if (length == 0 && (!S_ISREG(status.st_mode) || status.st_size > SP_KEYS_FILE_MAX)) {
		length = -EBADMSG;
	} else if (length == 0 && (status.st_mode & (S_IRWXG | S_IRWXO))) {
		snprintf(why, SP_KEYS_WHY, "%s: others may read it: chmod 600", path);
		length = -EACCES;
	} else if (length == 0) {
		length = read(fd, text, SP_KEYS_FILE_MAX);
		if (length < 0)
			length = -errno;
	}
	close(fd);
	return length;
}

int sp_keys_load(struct sp_keys *keys, char why[SP_KEYS_WHY])
{
	char *path = sp_asprintf("%s/%s", keys->dir, SP_KEYS_FILE);
	char *text = sp_secret_new(SP_KEYS_FILE_MAX);
	why[0] = '\0';
	ssize_t length = read_file(path, text, why);
	int result = length < 0 ? (int)length : sp_keys_parse(keys->set, text, (size_t)length);
	sp_secret_free(text, SP_KEYS_FILE_MAX);
	if (result == -EBADMSG)
		snprintf(why, SP_KEYS_WHY,
			 "%s is broken, and without it nobody can be forgotten: put it back, or restore it "
			 "from the key back-up",
			 path);
	else if (result && !why[0])
		snprintf(why, SP_KEYS_WHY, "%s: %s", path, strerror(-result));
	free(path);
	return result;
}

static int write_draft(const char *path, const char *text, size_t length)
{
	// What a crash has left behind never was in use.
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int result = 0;
	ssize_t written = write(fd, text, length);
	if (written != (ssize_t)length)
		result = written < 0 ? -errno : -EIO;
	if (!result && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
		result = -errno;
	if (close(fd) < 0 && !result)
		result = -errno;
	return result;
}

static int sync_folder(const char *dir)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	int result = fsync(folder) < 0 ? -errno : 0;
	close(folder);
	return result;
}

int sp_keys_save(const struct sp_keys *keys)
{
	char *path = sp_asprintf("%s/%s", keys->dir, SP_KEYS_FILE);
	char *draft = sp_asprintf("%s.new", path);
	char *text = sp_secret_new(SP_KEYS_FILE_MAX);
	int result = write_draft(draft, text, sp_keys_write(keys->set, text));
	sp_secret_free(text, SP_KEYS_FILE_MAX);
	if (!result && rename(draft, path) < 0)
		result = -errno;
	if (!result)
		result = sync_folder(keys->dir);
	else
		unlink(draft);
	free(draft);
	free(path);
	return result;
}
