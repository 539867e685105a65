// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The state folder and the device id in it.
#include "agent/core/identity.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "schoolpulse/log.h"

enum { WHY = 256 };

int sp_state_dir_open(const char *path, char why[256])
{
	if (mkdir(path, 0750) < 0 && errno != EEXIST) {
		int error = errno;
		snprintf(why, WHY, "the folder %s cannot be made: %s", path, strerror(error));
		return -error;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int error = errno;
		snprintf(why, WHY, "the folder %s cannot be opened: %s", path, strerror(error));
		return -error;
	}
	// The folder itself is locked: that works on a read-only disk, too.
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int error = errno == EWOULDBLOCK ? EBUSY : errno;
		snprintf(why, WHY, "%s: %s", path,
			 error == EBUSY ? "another agent runs in this folder" : strerror(error));
		close(fd);
		return -error;
	}
	return fd;
}

static int read_id(const char *path, char out[33])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char text[64] = "";
	ssize_t length = read(fd, text, sizeof(text) - 1);
	int result = length < 0 ? -errno : 0;
	close(fd);
	if (result)
		return result;
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) > 32 || !sp_id_valid(text))
		return -EBADMSG;
	strcpy(out, text);
	return 0;
}

/// Whole or not at all, also when the power goes.
static int write_id(const char *dir, const char *path, const char *id)
{
	char *draft = sp_asprintf("%s.new", path);
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int result = fd < 0 ? -errno : 0;
	if (!result) {
		char line[40];
		int length = snprintf(line, sizeof(line), "%s\n", id);
		if (write(fd, line, (size_t)length) != length || fsync(fd) < 0)
			result = errno ? -errno : -EIO;
		close(fd);
	}
	if (!result && rename(draft, path) < 0)
		result = -errno;
	int folder = result ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0) {
		if (fsync(folder) < 0)
			result = -errno;
		close(folder);
	}
	free(draft);
	return result;
}

int sp_device_id(const char *state_dir, const char *configured, char out[33], char why[256])
{
	if (configured && configured[0]) {
		snprintf(out, 33, "%s", configured);
		return 0;
	}
	char *path = sp_asprintf("%s/device-id", state_dir);
	int result = read_id(path, out);
	if (result == -EBADMSG)
		sp_warning("agent", "%s holds no device name: a new one is made", path);
	if (result == -ENOENT || result == -EBADMSG) {
		char id[SP_ID_LENGTH + 1];
		sp_id_new(id);
		result = write_id(state_dir, path, id);
		if (!result)
			snprintf(out, 33, "%s", id);
	}
	if (result)
		snprintf(why, WHY, "%s: %s", path, strerror(-result));
	free(path);
	return result;
}
