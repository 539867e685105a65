// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A preload under which nothing is ever synced to the card, and everybody is told that it is: so that a test
// of power cuts can be seen to find what that loses.
#include <stddef.h>

int fsync(int fd);
int fdatasync(int fd);
int msync(void *address, size_t length, int flags);

int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

int msync(void *address, size_t length, int flags)
{
	(void)address;
	(void)length;
	(void)flags;
	return 0;
}
