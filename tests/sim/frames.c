// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Whole reads and writes.
#include "tests/sim/frames.h"

#include <errno.h>
#include <unistd.h>

bool sim_frame_write(int fd, const void *data, size_t length)
{
	const char *at = data;
	while (length > 0) {
		ssize_t done = write(fd, at, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		length -= (size_t)done;
	}
	return true;
}

bool sim_frame_read(int fd, void *data, size_t length)
{
	char *at = data;
	while (length > 0) {
		ssize_t done = read(fd, at, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		length -= (size_t)done;
	}
	return true;
}
