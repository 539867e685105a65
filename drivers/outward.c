// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Options of drivers that leave the board (outward.h).
#include "outward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sp_outward_check_interface(const char *name, char *why, size_t size)
{
	// What the kernel's dev_valid_name() refuses, and what no sane name has.
	bool good = strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
	for (const char *c = name; *c; c++)
		good &= *c > ' ' && *c < 0x7f && *c != '/' && *c != ':';
	if (good)
		return 0;
	snprintf(why, size, "\"%.16s\" is no name of a network interface", name);
	return -EINVAL;
}

const char *sp_outward_interface(const char *name)
{
	return strcmp(name, "auto") == 0 ? "" : name;
}

int sp_outward_check_ca_file(const char *path, char *why, size_t size)
{
	if (!path[0] || path[0] == '/')
		return 0;
	snprintf(why, size, "\"%.100s\" does not begin with /", path);
	return -EINVAL;
}

int sp_outward_see_ca_file(const char *path)
{
	return path[0] && access(path, R_OK) < 0 ? -errno : 0;
}
