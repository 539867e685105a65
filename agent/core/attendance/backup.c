// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The key back-up (backup.h).
#include "agent/core/attendance/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/hmac.h"
#include "agent/base/mem.h"
#include "agent/base/secret.h"
#include "schoolpulse/log.h"

/// Which content was sealed last: a keyed digest, which tells nothing of the keys.
#define SEALED_KEY "attendance.backup"

static const char HEAD[] = "schoolpulse recovery 1\n";
enum { REFUSED_LINE = 8 + SP_PSEUDONYM_LENGTH + 1, HEX = 2 * SP_SEAL_KEY, RECOVERY_TEXT = 128 };

struct sp_backup {
	struct sp_backup_config config;
	char *dir, *sealed;
	bool known; ///< there is a code
	uint8_t recipient[SP_SEAL_KEY];
};

// ---- what is sealed ---------------------------------------------------------------------------------------

size_t sp_backup_write(const struct sp_key_set *keys, const struct sp_refused *refused,
		       char out[SP_SEAL_DATA_MAX + 1])
{
	_Static_assert((int)SP_KEYS_FILE_MAX <= (int)SP_SEAL_DATA_MAX, "the keys themselves fit always");
	char hex[SP_PSEUDONYM_LENGTH + 1];
	size_t length = sp_keys_write(keys, out);
	for (size_t i = refused->count; i > 0 && length + REFUSED_LINE <= SP_SEAL_DATA_MAX; i--) {
		sp_event_id(refused->persons[i - 1], hex);
		length += (size_t)snprintf(out + length, REFUSED_LINE + 1, "refused %s\n", hex);
	}
	return length;
}

/// Where the keys' text ends: behind the line of its sum. 0: nowhere.
static size_t keys_length(const char *text, size_t length)
{
	static const char sum[] = "\nsum ";
	const char *found = memmem(text, length, sum, sizeof(sum) - 1);
	const char *end = found ? memchr(found + 1, '\n', length - (size_t)(found + 1 - text)) : NULL;
	return end ? (size_t)(end - text) + 1 : 0;
}

static bool read_refused(struct sp_refused *out, const char *line)
{
	uint8_t digest[SP_REFUSED_DIGEST];
	if (memcmp(line, "refused ", 8) != 0 || line[REFUSED_LINE - 1] != '\n')
		return false;
	for (size_t i = 0; i < sizeof(digest); i++) {
		unsigned value = 0;
		for (size_t j = 0; j < 2; j++) {
			char c = line[8 + 2 * i + j];
			if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
				return false;
			value = value << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		digest[i] = (uint8_t)value;
	}
	return sp_refused_add(out, digest) == 0;
}

int sp_backup_read(struct sp_key_set *keys, struct sp_refused *refused, const char *text, size_t length)
{
	size_t at = keys_length(text, length);
	*refused = (struct sp_refused){0};
	if (at == 0 || sp_keys_parse(keys, text, at) || (length - at) % REFUSED_LINE != 0)
		return -EBADMSG;
	for (; at < length; at += REFUSED_LINE)
		if (!read_refused(refused, text + at))
			return -EBADMSG;
	return 0;
}

// ---- for whom ---------------------------------------------------------------------------------------------

static bool read_recipient(const char *text, uint8_t out[SP_SEAL_KEY])
{
	size_t head = strlen(HEAD);
	if (strncmp(text, HEAD, head) != 0 || strspn(text + head, "0123456789abcdef") != HEX ||
	    strcmp(text + head + HEX, "\n") != 0)
		return false;
	for (size_t i = 0; i < SP_SEAL_KEY; i++) {
		unsigned byte;
		if (sscanf(text + head + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

static void load_recipient(struct sp_backup *backup)
{
	char text[RECOVERY_TEXT + 1] = "", *path = sp_asprintf("%s/%s", backup->dir, SP_RECOVERY_FILE);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd >= 0) {
		ssize_t got = read(fd, text, RECOVERY_TEXT);
		text[got > 0 ? got : 0] = '\0';
		close(fd);
		backup->known = read_recipient(text, backup->recipient);
		if (!backup->known)
			sp_err("attendance",
			       "%s is broken: print a new recovery code (schoolpulse keys print)", path);
	}
	free(path);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ssize_t written = write(fd, text, strlen(text));
	int result = written < 0 ? -errno : written == (ssize_t)strlen(text) ? 0 : -EIO;
	if (!result && fsync(fd) < 0)
		result = -errno;
	close(fd);
	return result;
}

int sp_backup_set_recipient(struct sp_backup *backup, const uint8_t key[SP_SEAL_KEY])
{
	char text[RECOVERY_TEXT], *path = sp_asprintf("%s/%s", backup->dir, SP_RECOVERY_FILE);
	char *draft = sp_asprintf("%s.new", path), *at = stpcpy(text, HEAD);
	for (size_t i = 0; i < SP_SEAL_KEY; i++)
		at += snprintf(at, 3, "%02x", key[i]);
	strcpy(at, "\n");
	int result = write_file(draft, text);
	if (!result && rename(draft, path) < 0)
		result = -errno;
	int folder = result ? -1 : open(backup->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!result && (folder < 0 || fsync(folder) < 0))
		result = -errno;
	if (folder >= 0)
		close(folder);
	free(draft);
	free(path);
	if (result)
		return result;
	memcpy(backup->recipient, key, SP_SEAL_KEY);
	backup->known = true;
	return 0;
}

bool sp_backup_mark(const struct sp_backup *backup, char out[SP_SEAL_MARK_TEXT + 1])
{
	if (backup->known)
		sp_seal_mark(backup->recipient, out);
	return backup->known;
}

struct sp_backup *sp_backup_new(const struct sp_backup_config *config)
{
	struct sp_backup *backup = sp_alloc(sizeof(*backup));
	backup->config = *config;
	backup->dir = sp_strdup(config->state_dir);
	backup->sealed = config->get(config->arg, SEALED_KEY);
	load_recipient(backup);
	return backup;
}

void sp_backup_free(struct sp_backup *backup)
{
	if (!backup)
		return;
	free(backup->sealed);
	free(backup->dir);
	free(backup);
}

// ---- sealing ----------------------------------------------------------------------------------------------

static void record(struct sp_backup *backup, const struct sp_key_set *keys, const char *blob)
{
	struct sp_field years[SP_KEY_YEARS_MAX];
	char mark[SP_SEAL_MARK_TEXT + 1];
	sp_seal_mark(backup->recipient, mark);
	for (size_t i = 0; i < keys->count; i++)
		years[i] = SP_INT("", keys->years[i].year);
	struct sp_field fields[] = {
	    SP_LIST("school_years", years, keys->count),
	    SP_TEXT("mark", mark),
	    SP_TEXT("blob", blob),
	};
	sp_record_fact(backup->config.recorder, "key_backup", NULL, fields, SP_COUNT(fields));
}

/// Of content and code.
static void digest_of(const struct sp_backup *backup, const struct sp_key_set *keys, const char *text,
		      size_t length, char out[SP_PSEUDONYM_LENGTH + 1])
{
	uint8_t inner[SP_HMAC_LENGTH], both[SP_HMAC_LENGTH + SP_SEAL_KEY], outer[SP_HMAC_LENGTH];
	sp_hmac(keys->event, SP_KEY_LENGTH, text, length, inner);
	memcpy(both, inner, sizeof(inner));
	memcpy(both + sizeof(inner), backup->recipient, SP_SEAL_KEY);
	sp_hmac(keys->event, SP_KEY_LENGTH, both, sizeof(both), outer);
	sp_event_id(outer, out);
}

void sp_backup_look(struct sp_backup *backup, const struct sp_key_set *keys, const struct sp_refused *refused)
{
	if (!backup->known || !keys || keys->count == 0)
		return;
	char *text = sp_secret_new(SP_SEAL_DATA_MAX + 1), digest[SP_PSEUDONYM_LENGTH + 1];
	size_t length = sp_backup_write(keys, refused, text);
	digest_of(backup, keys, text, length, digest);
	if (!backup->sealed || strcmp(backup->sealed, digest) != 0) {
		struct sp_buf blob = SP_BUF(2 * SP_SEAL_DATA_MAX);
		int result = sp_seal_make(&blob, backup->recipient, text, length);
		if (result)
			sp_err("attendance", "the keys cannot be sealed: %s", strerror(-result));
		else
			record(backup, keys, blob.data);
		sp_buf_free(&blob);
		free(backup->sealed);
		backup->sealed = sp_strdup(digest);
		backup->config.put(backup->config.arg, SEALED_KEY, digest);
	}
	sp_secret_free(text, SP_SEAL_DATA_MAX + 1);
}
