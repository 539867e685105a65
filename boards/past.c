// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the kernel has of the boot before this one: did a watchdog strike, would a panic have restarted the
// machine, and did one leave a trace?
#include "family.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sysfs.h"
#include "text.h"

enum {
	WATCHDOGS = 16,
	ENTRIES = 256,    ///< of one folder of traces
	DEPTH = 3,        ///< systemd-pstore sorts them by date and part
	CARDRESET = 0x20, ///< WDIOF_CARDRESET of linux/watchdog.h: "the card previously reset the CPU"
};

/// `identity` of the drivers that ask their hardware at start and set WDIOF_CARDRESET; of any other driver
/// (bcm2835_wdt, iTCO_wdt, softdog, …) a bootstatus of 0 says nothing. Begins so.
static const char *const telling[] = {
    "OMAP Watchdog",    "imx2+ watchdog", "S3C2410 Watchdog", "i6300ESB timer",
    "SP5100 TCO timer", "MSM/QCOM",       "KPSS Watchdog",
};

static bool tells(const char *identity)
{
	for (size_t i = 0; i < SP_COUNT(telling); i++)
		if (strncmp(identity, telling[i], strlen(telling[i])) == 0)
			return true;
	return false;
}

static void read_watchdogs(const char *root, struct sp_board_past *out)
{
	bool struck = false, all_tell = true, armed = false, readable = true;
	unsigned count = 0;
	for (unsigned dog = 0; dog < WATCHDOGS; dog++) {
		char path[64], text[64];
		int64_t status;
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/watchdog/watchdog%u", dog) < 0 ||
		    !sp_sysfs_exists(root, path))
			continue;
		count++;
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/watchdog/watchdog%u/bootstatus", dog) ==
			0 &&
		    sp_sysfs_number(root, path, 0, INT32_MAX, &status) == 0)
			struck = struck || status & CARDRESET;
		else
			all_tell = false;
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/watchdog/watchdog%u/identity", dog) < 0 ||
		    sp_sysfs_text(root, path, text, sizeof(text)) < 0 || !tells(text))
			all_tell = false;
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/watchdog/watchdog%u/state", dog) == 0 &&
		    sp_sysfs_text(root, path, text, sizeof(text)) > 0)
			armed = armed || strcmp(text, "active") == 0;
		else
			readable = false;
	}
	if (struck || (count > 0 && all_tell))
		sp_quantity_set(&out->watchdog_struck, struck);
	if (armed || readable)
		sp_quantity_set(&out->watchdog_armed, armed);
}

// ---- traces of a panic --------------------------------------------------------------------------------

static uint64_t hash_byte(uint64_t seed, unsigned char byte) // FNV-1a
{
	return (seed ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t hash_text(const char *text)
{
	uint64_t seed = UINT64_C(0xcbf29ce484222325);
	for (; *text; text++)
		seed = hash_byte(seed, (unsigned char)*text);
	return seed;
}

static uint64_t hash_number(uint64_t seed, int64_t number)
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		seed = hash_byte(seed, (unsigned char)((uint64_t)number >> shift));
	return seed;
}

/// A trace begins with "Panic#1 Part1" or "Oops#1 Part1" (kernel: fs/pstore/platform.c). Often root alone may
/// read it, or it is compressed: then it counts as a panic, which is what it nearly always is.
static bool is_oops(const char *root, const char *path)
{
	char head[16];
	ssize_t n = sp_sysfs_head(root, path, head, sizeof(head));
	return n >= 5 && memcmp(head, "Oops#", 5) == 0;
}

/// The newest, while folders are read in whatever order.
struct found {
	struct sp_board_past *past;
	struct timespec times[SP_BOARD_TRACES];
};

static bool is_newer(const struct timespec *a, uint64_t a_id, const struct timespec *b, uint64_t b_id)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec > b->tv_sec;
	return a->tv_nsec != b->tv_nsec ? a->tv_nsec > b->tv_nsec : a_id < b_id;
}

static void add_trace(const char *root, const char *path, const struct stat *st, struct found *out)
{
	struct sp_board_past *past = out->past;
	uint64_t id = hash_number(hash_text(path), st->st_mtim.tv_sec);
	id = hash_number(hash_number(id, st->st_mtim.tv_nsec), st->st_size);
	size_t at = 0, last = past->trace_count;
	while (at < last && is_newer(&out->times[at], past->traces[at].id, &st->st_mtim, id))
		at++;
	if (last == SP_BOARD_TRACES) {
		past->traces_more = true;
		if (at == last)
			return;
		last--;
	}
	memmove(&past->traces[at + 1], &past->traces[at], (last - at) * sizeof(past->traces[0]));
	memmove(&out->times[at + 1], &out->times[at], (last - at) * sizeof(out->times[0]));
	past->traces[at] = (struct sp_board_trace){.id = id, .oops = is_oops(root, path)};
	out->times[at] = st->st_mtim;
	past->trace_count = last + 1;
}

/// Files named dmesg…, here and below. console-… and pmsg-… are there after every restart.
static void find_traces(const char *root, const char *folder, unsigned depth, struct found *out)
{
	char full[PATH_MAX], path[PATH_MAX];
	if (sp_sysfs_path(full, sizeof(full), "%s%s", root, folder) < 0)
		return;
	DIR *dir = opendir(full);
	if (!dir)
		return;
	struct dirent *entry;
	for (int i = 0; (entry = readdir(dir)); i++) {
		struct stat st;
		if (i == ENTRIES) {
			out->past->traces_more = true;
			break;
		}
		if (entry->d_name[0] == '.' ||
		    sp_sysfs_path(full, sizeof(full), "%s%s/%s", root, folder, entry->d_name) < 0 ||
		    sp_sysfs_path(path, sizeof(path), "%s/%s", folder, entry->d_name) < 0 ||
		    lstat(full, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 1)
			find_traces(root, path, depth - 1, out);
		else if (S_ISREG(st.st_mode) && strncmp(entry->d_name, "dmesg", 5) == 0)
			add_trace(root, path, &st, out);
	}
	closedir(dir);
}

void sp_linux_read_past(const struct sp_board_root *root, struct sp_board_past *out)
{
	char text[64];
	int64_t seconds;
	read_watchdogs(root->root, out);
	if (sp_sysfs_number(root->root, "/proc/sys/kernel/panic", INT32_MIN, INT32_MAX, &seconds) == 0)
		sp_quantity_set(&out->panic_seconds, (double)seconds);
	out->traces_kept =
	    sp_sysfs_text(root->root, "/sys/module/pstore/parameters/backend", text, sizeof(text)) > 0 &&
	    text[0] != '(';
	struct found found = {.past = out};
	find_traces(root->root, "/sys/fs/pstore", 1, &found);
	find_traces(root->root, "/var/lib/systemd/pstore", DEPTH, &found);
}
