// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Making and removing made-up machines (machine.h).
#include "machine.h"

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char machine_root[64];

int machine_new(void **state)
{
	(void)state;
	strcpy(machine_root, "/tmp/sp-machine-XXXXXX");
	return mkdtemp(machine_root) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int machine_free(void **state)
{
	(void)state;
	return nftw(machine_root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void full_path(const char *path, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", machine_root, path);
	for (char *slash = out + strlen(machine_root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(out, 0755);
		*slash = '/';
	}
}

void machine_bytes(const char *path, const void *bytes, size_t size)
{
	char full[PATH_MAX];
	full_path(path, full);
	FILE *file = fopen(full, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

void machine_file(const char *path, const char *text)
{
	machine_bytes(path, text, strlen(text));
}

void machine_link(const char *path, const char *target)
{
	char full[PATH_MAX];
	full_path(path, full);
	unlink(full);
	assert_int_equal(symlink(target, full), 0);
}

struct sp_board_reading machine_read(void)
{
	struct sp_board_root root = {machine_root, "/var/lib/schoolpulse"};
	struct sp_board_reading reading = {0};
	sp_board_match(&root)->read(&root, &reading);
	return reading;
}

void machine_basics(void)
{
	machine_file("/proc/meminfo",
		     "MemTotal:        3884320 kB\nMemFree:  11 kB\nMemAvailable:    3011224 kB\n");
	machine_file("/proc/loadavg", "2.00 0.58 0.59 1/467 12345\n");
	machine_file("/proc/uptime", "35061.07 69000.11\n");
	machine_file("/sys/devices/system/cpu/online", "0-3\n");
}

void machine_disk(const char *bus, const char *disk, const char *partition, const char *number)
{
	char path[256], target[256];
	snprintf(path, sizeof(path), "/sys/devices/%s/block/%s/stat", bus, disk);
	machine_file(
	    path, "   12047     4034   789234     5000    98123    45000  2345678    99999        0     1\n");
	snprintf(path, sizeof(path), "/sys/devices/%s/block/%s/%s/partition", bus, disk, partition);
	machine_file(path, "2\n");
	snprintf(path, sizeof(path), "/sys/devices/%s/block/%s/device", bus, disk);
	machine_link(path, "../..");
	snprintf(path, sizeof(path), "/sys/dev/block/%s", number);
	snprintf(target, sizeof(target), "../../devices/%s/block/%s/%s", bus, disk, partition);
	machine_link(path, target);
	snprintf(path, sizeof(path), "/sys/class/block/%s", partition);
	machine_link(path, target);
}
