// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Appending numbers, and finding the last one again after a crash (punch_log.h).
#include "punch_log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 24 }; ///< more than the longest number with its newline

/// "…\n123\n": the last line of the text, which ends in a newline.
static int last_number(const char *text, size_t length, int64_t *out)
{
	size_t from = length - 1;
	while (from > 0 && text[from - 1] != '\n')
		from--;
	int64_t value = 0;
	for (size_t i = from; i < length - 1; i++) {
		if (text[i] < '0' || text[i] > '9' || value > INT64_MAX / 100)
			return -EBADMSG;
		value = value * 10 + (text[i] - '0');
	}
	*out = value;
	return from == length - 1 ? -EBADMSG : 0;
}

static int find_last(int fd, int64_t *last)
{
	struct stat st;
	char text[2 * LINE];
	*last = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	off_t from = st.st_size > (off_t)sizeof(text) ? st.st_size - (off_t)sizeof(text) : 0;
	ssize_t n = pread(fd, text, sizeof(text), from);
	if (n < 0)
		return -errno;
	size_t length = (size_t)n;
	while (length && text[length - 1] != '\n')
		length--;
	if (ftruncate(fd, from + (off_t)length) < 0)
		return -errno;
	if (length == 0)
		return from ? -EBADMSG : 0;
	return last_number(text, length, last);
}

int sp_punch_log_open(const char *path, int64_t *last)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	int result = find_last(fd, last);
	if (result < 0) {
		close(fd);
		return result;
	}
	return fd;
}

static int open_used(const char *path, int flags)
{
	char name[PATH_MAX];
	int length = snprintf(name, sizeof(name), "%s.used", path);
	if (length < 0 || (size_t)length >= sizeof(name))
		return -ENAMETOOLONG;
	int fd = open(name, flags | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

int sp_punch_log_used(const char *path, int64_t *upto)
{
	char text[LINE];
	*upto = 0;
	int fd = open_used(path, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	ssize_t n = read(fd, text, sizeof(text));
	int result = n < 0 ? -errno : 0;
	close(fd);
	if (result < 0)
		return result;
	return n > 0 && text[n - 1] == '\n' ? last_number(text, (size_t)n, upto) : -EBADMSG;
}

int sp_punch_log_use(const char *path, int64_t upto)
{
	char line[LINE];
	// Always as long as before, in one write: a crash leaves the old number or the new one.
	int length = snprintf(line, sizeof(line), "%020" PRId64 "\n", upto);
	int fd = open_used(path, O_WRONLY | O_CREAT);
	if (fd < 0)
		return fd;
	ssize_t n = write(fd, line, (size_t)length);
	int result = n < 0 ? -errno : n == length ? 0 : -EIO;
	close(fd);
	return result;
}

int sp_punch_log_append(int fd, int64_t number)
{
	char line[LINE];
	int length = snprintf(line, sizeof(line), "%" PRId64 "\n", number);
	ssize_t n;
	do
		n = write(fd, line, (size_t)length);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == length ? 0 : -EIO;
}
