// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The disk that holds the data: path → mount → block device → whole disk → its kind, wear and bytes written.
#include "family.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"
#include "text.h"

enum {
	MOUNTINFO_MAX = 1024 * 1024,
	LAYERS = 4, ///< overlays over overlays, and mapped devices over mapped devices
	SECTOR = 512,
};

const char *sp_storage_kind_name(enum sp_storage_kind kind)
{
	switch (kind) {
	case SP_STORAGE_UNKNOWN:
		return "unknown";
	case SP_STORAGE_SD:
		return "sd";
	case SP_STORAGE_EMMC:
		return "emmc";
	case SP_STORAGE_NVME:
		return "nvme";
	case SP_STORAGE_DISK:
		return "disk";
	}
	return "unknown";
}

/// Where the data really are: links resolved, and of a folder that is not made yet its nearest existing
/// parent.
static bool resolve(const struct sp_board_root *root, char out[PATH_MAX])
{
	const char *path = root->data_path;
	if (!path || !path[0] || sp_sysfs_path(out, PATH_MAX, "%s", path) < 0)
		return false;
	if (root->root[0])
		return out[0] == '/'; // a made-up machine has no links to follow
	char asked[PATH_MAX];
	memcpy(asked, out, PATH_MAX);
	while (!realpath(asked, out)) {
		char *slash = strrchr(asked, '/');
		if (errno != ENOENT || !slash)
			return false;
		if (slash == asked)
			slash++;
		if (!*slash)
			return false;
		*slash = '\0';
	}
	return true;
}

/// The mount below `path`, looked for through overlays: what is written goes to the upper layer.
static bool find_mount(const char *mountinfo, const char *path, struct sp_text_mount *mount, bool *read_only)
{
	if (sp_text_mount_of(mountinfo, path, mount) < 0)
		return false;
	*read_only = mount->read_only;
	for (int layer = 0; layer < LAYERS && mount->upper[0] == '/'; layer++) {
		struct sp_text_mount upper;
		if (sp_text_mount_of(mountinfo, mount->upper, &upper) < 0)
			break;
		*mount = upper;
		*read_only |= mount->read_only;
	}
	return true;
}

/// The block device's folder below /sys, links resolved, without the root.
static bool block_folder(const char *root, const char *path, char out[PATH_MAX])
{
	char full[PATH_MAX];
	return sp_sysfs_path(full, sizeof(full), "%s%s", root, path) == 0 && realpath(full, out);
}

static bool mount_folder(const char *root, const struct sp_text_mount *mount, char out[PATH_MAX])
{
	char path[128];
	if (sp_sysfs_path(path, sizeof(path), "/sys/dev/block/%u:%u", mount->major, mount->minor) == 0 &&
	    block_folder(root, path, out))
		return true;
	// btrfs and overlays have an anonymous number; btrfs names its first device.
	if (strncmp(mount->source, "/dev/", 5) != 0 || strchr(mount->source + 5, '/') ||
	    mount->source[5] == '.')
		return false;
	return sp_sysfs_path(path, sizeof(path), "/sys/class/block/%s", mount->source + 5) == 0 &&
	       block_folder(root, path, out);
}

static bool parent(char folder[PATH_MAX])
{
	char *slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return false;
	*slash = '\0';
	return true;
}

/// A mapped device (LUKS, LVM) that lies on exactly one other: that one.
static bool only_slave(char folder[PATH_MAX])
{
	char path[PATH_MAX], name[64] = "";
	if (sp_sysfs_path(path, sizeof(path), "%s/slaves", folder) < 0)
		return false;
	DIR *dir = opendir(path);
	if (!dir)
		return false;
	unsigned count = 0;
	for (struct dirent *entry; count < 2 && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (sp_sysfs_path(name, sizeof(name), "%s", entry->d_name) < 0)
			count = 2;
	}
	closedir(dir);
	return count == 1 && sp_sysfs_path(path, sizeof(path), "%s/slaves/%s", folder, name) == 0 &&
	       realpath(path, folder);
}

/// From a partition or a mapped device down to the disk itself.
static bool whole_disk(char folder[PATH_MAX])
{
	for (int layer = 0; layer < LAYERS; layer++) {
		char path[PATH_MAX];
		if (sp_sysfs_path(path, sizeof(path), "%s/partition", folder) < 0)
			return false;
		if (sp_sysfs_exists("", path)) {
			if (!parent(folder))
				return false;
		} else if (!only_slave(folder)) {
			return true;
		}
	}
	return false;
}

static enum sp_storage_kind card_kind(const char *folder)
{
	char path[PATH_MAX], type[16];
	if (sp_sysfs_path(path, sizeof(path), "%s/device/type", folder) < 0 ||
	    sp_sysfs_text("", path, type, sizeof(type)) < 0)
		return SP_STORAGE_UNKNOWN;
	if (strcmp(type, "SD") == 0)
		return SP_STORAGE_SD;
	return strcmp(type, "MMC") == 0 ? SP_STORAGE_EMMC : SP_STORAGE_UNKNOWN;
}

static enum sp_storage_kind disk_kind(const char *folder)
{
	static const char *const disks[] = {"sd", "vd", "xvd", "hd"};
	const char *name = strrchr(folder, '/') + 1;
	if (strncmp(name, "mmcblk", 6) == 0)
		return card_kind(folder);
	if (strncmp(name, "nvme", 4) == 0)
		return SP_STORAGE_NVME;
	for (size_t i = 0; i < SP_COUNT(disks); i++)
		if (strncmp(name, disks[i], strlen(disks[i])) == 0)
			return SP_STORAGE_DISK;
	return SP_STORAGE_UNKNOWN;
}

static void read_disk(const char *folder, struct sp_board_reading *out)
{
	char path[PATH_MAX], text[512];
	uint64_t sectors;
	double wear;
	out->storage = disk_kind(folder);
	if (sp_sysfs_path(path, sizeof(path), "%s/stat", folder) == 0 &&
	    sp_sysfs_text("", path, text, sizeof(text)) > 0 && sp_text_column(text, 7, &sectors) == 0)
		sp_quantity_set(&out->storage_written_bytes, (double)sectors * SECTOR);
	if (out->storage == SP_STORAGE_EMMC &&
	    sp_sysfs_path(path, sizeof(path), "%s/device/life_time", folder) == 0 &&
	    sp_sysfs_text("", path, text, sizeof(text)) > 0 && sp_text_life_time(text, &wear) == 0)
		sp_quantity_set(&out->storage_wear_ratio, wear);
}

void sp_linux_read_storage(const struct sp_board_root *root, struct sp_board_reading *out)
{
	char path[PATH_MAX], folder[PATH_MAX], *mountinfo;
	size_t length;
	if (!resolve(root, path) ||
	    sp_sysfs_slurp(root->root, "/proc/self/mountinfo", MOUNTINFO_MAX, &mountinfo, &length) < 0)
		return;
	struct sp_text_mount mount;
	bool read_only;
	if (find_mount(mountinfo, path, &mount, &read_only)) {
		sp_quantity_set(&out->storage_read_only, read_only);
		if (mount_folder(root->root, &mount, folder) && whole_disk(folder))
			read_disk(folder, out);
	}
	free(mountinfo);
}
