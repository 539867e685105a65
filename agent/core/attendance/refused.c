// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The list of whom must be forgotten (refused.h).
#include "agent/core/attendance/refused.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"

static const char HEAD[] = "schoolpulse forgotten 1\n";

// ---- persons
// -----------------------------------------------------------------------------------------------

void sp_refused_digest(const uint8_t *event_key, enum sp_person_kind kind, const char *person, size_t length,
		       uint8_t out[SP_REFUSED_DIGEST])
{
	char word[16];
	// No kiosk has a control character in its name: these are nobody's events.
	snprintf(word, sizeof(word), "\x01%s", sp_person_kind_name(kind));
	sp_event_key(event_key, word, person, length, out);
}

static size_t place_of(const struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST])
{
	size_t i = 0;
	while (i < refused->count && memcmp(refused->persons[i], digest, SP_REFUSED_DIGEST) != 0)
		i++;
	return i;
}

bool sp_refused_has(const struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST])
{
	return place_of(refused, digest) < refused->count;
}

int sp_refused_add(struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST])
{
	if (sp_refused_has(refused, digest))
		return 0;
	if (refused->count == SP_REFUSED_MAX)
		return -ENOSPC;
	refused->persons = sp_realloc(refused->persons, (refused->count + 1) * sizeof(*refused->persons));
	memcpy(refused->persons[refused->count++], digest, SP_REFUSED_DIGEST);
	return 0;
}

bool sp_refused_remove(struct sp_refused *refused, const uint8_t digest[SP_REFUSED_DIGEST])
{
	size_t place = place_of(refused, digest);
	if (place == refused->count)
		return false;
	refused->count--;
	memmove(&refused->persons[place], &refused->persons[place + 1],
		(refused->count - place) * sizeof(*refused->persons));
	return true;
}

void sp_refused_free(struct sp_refused *refused)
{
	free(refused->persons);
	*refused = (struct sp_refused){0};
}

// ---- text
// --------------------------------------------------------------------------------------------------

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") == SP_PSEUDONYM_LENGTH && !text[SP_PSEUDONYM_LENGTH];
}

static int read_refused(struct sp_refused *out, const char *text)
{
	uint8_t digest[SP_REFUSED_DIGEST];
	if (!is_hex(text))
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(digest); i++) {
		unsigned byte;
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return -EBADMSG;
		digest[i] = (uint8_t)byte;
	}
	return sp_refused_add(out, digest) ? -EBADMSG : 0;
}

/// Takes the text apart.
static int read_pending(struct sp_refused_pending *out, char *text)
{
	char *rest, *word = strtok_r(text, " ", &rest);
	if (out->request[0] || !word || strlen(word) != SP_ID_LENGTH || !sp_id_valid(word))
		return -EBADMSG;
	strcpy(out->request, word);
	word = strtok_r(NULL, " ", &rest);
	if (!word || (strcmp(word, "once") != 0 && strcmp(word, "kept") != 0))
		return -EBADMSG;
	out->once = word[0] == 'o';
	while ((word = strtok_r(NULL, " ", &rest))) {
		if (out->count == SP_KEY_YEARS_MAX || !is_hex(word))
			return -EBADMSG;
		strcpy(out->persons[out->count++], word);
	}
	return out->count > 0 ? 0 : -EBADMSG;
}

static int read_line(struct sp_refused *out, char *line)
{
	if (strncmp(line, "refused ", 8) == 0)
		return read_refused(out, line + 8);
	if (strncmp(line, "pending ", 8) == 0)
		return read_pending(&out->pending, line + 8);
	return -EBADMSG;
}

int sp_refused_parse(struct sp_refused *out, const char *text, size_t length)
{
	char sum[SP_DIGEST_LENGTH + 1], last[SP_DIGEST_LENGTH + 8];
	size_t tail = SP_DIGEST_LENGTH + 5, head = strlen(HEAD);
	*out = (struct sp_refused){0};
	if (length < head + tail || length > SP_REFUSED_FILE_MAX || memchr(text, '\0', length) ||
	    memcmp(text, HEAD, head) != 0)
		return -EBADMSG;
	sp_digest(text, length - tail, sum);
	snprintf(last, sizeof(last), "sum %s\n", sum);
	if (memcmp(text + length - tail, last, tail) != 0)
		return -EBADMSG;
	char *copy = sp_strndup(text + head, length - tail - head), *rest;
	int result = 0;
	for (char *line = strtok_r(copy, "\n", &rest); line && !result; line = strtok_r(NULL, "\n", &rest))
		result = read_line(out, line);
	free(copy);
	return result;
}

static void write_text(struct sp_buf *out, const struct sp_refused *refused)
{
	char hex[SP_PSEUDONYM_LENGTH + 1], sum[SP_DIGEST_LENGTH + 1];
	const struct sp_refused_pending *pending = &refused->pending;
	sp_buf_text(out, HEAD);
	for (size_t i = 0; i < refused->count; i++) {
		sp_event_id(refused->persons[i], hex);
		sp_buf_printf(out, "refused %s\n", hex);
	}
	if (pending->request[0]) {
		sp_buf_printf(out, "pending %s %s", pending->request, pending->once ? "once" : "kept");
		for (size_t i = 0; i < pending->count; i++)
			sp_buf_printf(out, " %s", pending->persons[i]);
		sp_buf_text(out, "\n");
	}
	sp_digest(out->data, out->length, sum);
	sp_buf_printf(out, "sum %s\n", sum);
}

// ---- card
// --------------------------------------------------------------------------------------------------

int sp_refused_load(struct sp_refused *out, const char *dir)
{
	*out = (struct sp_refused){0};
	char *path = sp_asprintf("%s/%s", dir, SP_REFUSED_FILE);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	int result = fd < 0 ? -errno : 0;
	free(path);
	if (result)
		return result == -ENOENT ? 0 : result;
	char *text = sp_alloc(SP_REFUSED_FILE_MAX + 1);
	size_t length = 0;
	ssize_t got;
	while (length <= SP_REFUSED_FILE_MAX &&
	       (got = read(fd, text + length, SP_REFUSED_FILE_MAX + 1 - length)) != 0) {
		if (got < 0) {
			result = -errno;
			break;
		}
		length += (size_t)got;
	}
	close(fd);
	if (!result)
		result = sp_refused_parse(out, text, length);
	free(text);
	return result;
}

static int write_all(int fd, const struct sp_buf *text)
{
	for (size_t done = 0; done < text->length;) {
		ssize_t written = write(fd, text->data + done, text->length - done);
		if (written < 0)
			return -errno;
		done += (size_t)written;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_draft(const char *path, const struct sp_buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int result = write_all(fd, text);
	if (close(fd) < 0 && !result)
		result = -errno;
	return result;
}

int sp_refused_save(const struct sp_refused *refused, const char *dir)
{
	struct sp_buf text = SP_BUF(SP_REFUSED_FILE_MAX);
	char *path = sp_asprintf("%s/%s", dir, SP_REFUSED_FILE), *draft = sp_asprintf("%s.new", path);
	write_text(&text, refused);
	int result = text.overflowed ? -ENOSPC : write_draft(draft, &text);
	if (!result && rename(draft, path) < 0)
		result = -errno;
	if (!result) {
		int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder < 0 || fsync(folder) < 0)
			result = -errno;
		if (folder >= 0)
			close(folder);
	} else {
		unlink(draft);
	}
	sp_buf_free(&text);
	free(draft);
	free(path);
	return result;
}
