// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bounded reading below a root (sysfs.h).
#include "sysfs.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

int sp_sysfs_path(char *out, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vsnprintf(out, size, format, args);
	va_end(args);
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static int open_below(const char *root, const char *path)
{
	char full[PATH_MAX];
	int result = sp_sysfs_path(full, sizeof(full), "%s%s", root, path);
	if (result < 0)
		return result;
	int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static ssize_t read_all(int fd, char *out, size_t size)
{
	size_t have = 0;
	for (;;) {
		char beyond;
		bool full = have == size;
		ssize_t n = full ? read(fd, &beyond, 1) : read(fd, out + have, size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)have;
		if (full)
			return -EMSGSIZE;
		have += (size_t)n;
	}
}

ssize_t sp_sysfs_read(const char *root, const char *path, void *out, size_t size)
{
	int fd = open_below(root, path);
	if (fd < 0)
		return fd;
	ssize_t n = read_all(fd, out, size);
	close(fd);
	return n;
}

ssize_t sp_sysfs_head(const char *root, const char *path, void *out, size_t size)
{
	int fd = open_below(root, path);
	if (fd < 0)
		return fd;
	ssize_t n;
	do
		n = read(fd, out, size);
	while (n < 0 && errno == EINTR);
	int error = n < 0 ? -errno : 0;
	close(fd);
	return error ? error : n;
}

static ssize_t trim(char *text, ssize_t length)
{
	while (length > 0 && (text[length - 1] == '\0' || sp_text_is_space(text[length - 1])))
		length--;
	text[length] = '\0';
	return memchr(text, '\0', (size_t)length) ? -EBADMSG : length;
}

ssize_t sp_sysfs_text(const char *root, const char *path, char *out, size_t size)
{
	ssize_t n = sp_sysfs_read(root, path, out, size - 1);
	if (n < 0) {
		out[0] = '\0';
		return n;
	}
	return trim(out, n);
}

int sp_sysfs_number(const char *root, const char *path, int64_t min, int64_t max, int64_t *out)
{
	char text[64];
	ssize_t n = sp_sysfs_text(root, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	int result = sp_text_integer(text, out);
	if (result < 0)
		return result;
	return *out < min || *out > max ? -ERANGE : 0;
}

int sp_sysfs_slurp(const char *root, const char *path, size_t max, char **out, size_t *length)
{
	int fd = open_below(root, path);
	if (fd < 0)
		return fd;
	// Files of /proc have no size to ask for: read from the start again, with more room, until all of it
	// fits.
	char *text = NULL;
	ssize_t n = -EMSGSIZE;
	for (size_t size = 16384; n == -EMSGSIZE && size <= max; size *= 2) {
		free(text);
		text = malloc(size + 1);
		if (!text)
			n = -ENOMEM;
		else if (lseek(fd, 0, SEEK_SET) < 0)
			n = -errno;
		else
			n = read_all(fd, text, size);
	}
	close(fd);
	if (n < 0) {
		free(text);
		return (int)n;
	}
	text[n] = '\0';
	*out = text;
	*length = (size_t)n;
	return 0;
}

bool sp_sysfs_exists(const char *root, const char *path)
{
	char full[PATH_MAX];
	return sp_sysfs_path(full, sizeof(full), "%s%s", root, path) == 0 && access(full, F_OK) == 0;
}
