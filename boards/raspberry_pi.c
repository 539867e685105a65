// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Raspberry Pi: what the firmware says of the power supply and of throttling, beside the generic readings.
#include "family.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "sysfs.h"
#include "text.h"

enum { SENSORS = 32, ENTRIES = 1024 };

/// Bits of the firmware's throttled word; the same 16 bits higher tell "since boot".
enum {
	UNDERVOLTAGE = 1 << 0,
	SLOWED = 1 << 1 | 1 << 2 | 1 << 3, ///< frequency capped, throttled, soft temperature limit
	SINCE_BOOT = 16,
};

/// The kernel's rpi_volt sensor: it asks the firmware every 2 s whether the voltage fell since it last asked.
static bool read_alarm(const char *root, bool *alarm)
{
	for (unsigned sensor = 0; sensor < SENSORS; sensor++) {
		char path[64], name[32];
		int64_t value;
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/hwmon/hwmon%u/name", sensor) < 0 ||
		    sp_sysfs_text(root, path, name, sizeof(name)) < 0 || strcmp(name, "rpi_volt") != 0)
			continue;
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/hwmon/hwmon%u/in0_lcrit_alarm", sensor) <
			0 ||
		    sp_sysfs_number(root, path, 0, 1, &value) < 0)
			return false;
		*alarm = value;
		return true;
	}
	return false;
}

/// Finds the first entry of `folder` that begins and ends so.
static bool find_entry(const char *root, char folder[PATH_MAX], const char *begin, const char *end)
{
	char full[PATH_MAX];
	if (sp_sysfs_path(full, sizeof(full), "%s%s", root, folder) < 0)
		return false;
	DIR *dir = opendir(full);
	if (!dir)
		return false;
	bool found = false;
	struct dirent *entry;
	for (int i = 0; !found && i < ENTRIES && (entry = readdir(dir)); i++) {
		size_t length = strlen(entry->d_name);
		found = strncmp(entry->d_name, begin, strlen(begin)) == 0 && length >= strlen(end) &&
			strcmp(entry->d_name + length - strlen(end), end) == 0;
	}
	if (found)
		found = sp_sysfs_path(full, sizeof(full), "%s/%s", folder, entry->d_name) == 0;
	closedir(dir);
	if (found)
		memcpy(folder, full, strlen(full) + 1);
	return found;
}

/// /sys/devices/platform/soc*/soc*:firmware/get_throttled; the names in between carry the model's addresses.
static bool read_word(const char *root, uint64_t *word)
{
	char path[PATH_MAX] = "/sys/devices/platform", file[PATH_MAX], text[32];
	return find_entry(root, path, "soc", "") && find_entry(root, path, "soc", ":firmware") &&
	       sp_sysfs_path(file, sizeof(file), "%s/get_throttled", path) == 0 &&
	       sp_sysfs_text(root, file, text, sizeof(text)) > 0 && sp_text_hex(text, word) == 0 &&
	       *word <= UINT32_MAX;
}

/// The sensor's driver clears the firmware's memory as it reads, so beside it only "yes" can be believed.
static void since_boot(struct sp_quantity *quantity, bool seen, bool cleared_by_sensor)
{
	if (seen || !cleared_by_sensor)
		sp_quantity_set(quantity, seen);
}

static void read_power(const char *root, struct sp_board_reading *out)
{
	bool alarm = false;
	uint64_t word = 0;
	bool has_alarm = read_alarm(root, &alarm), has_word = read_word(root, &word);
	if (has_alarm || has_word)
		sp_quantity_set(&out->undervoltage_now, alarm || word & UNDERVOLTAGE);
	bool fell = alarm || word & (UNDERVOLTAGE | UNDERVOLTAGE << SINCE_BOOT);
	if (has_word || fell)
		since_boot(&out->undervoltage_since_boot, fell, has_alarm);
	if (!has_word)
		return;
	sp_quantity_set(&out->throttled_now, (word & SLOWED) != 0);
	since_boot(&out->throttled_since_boot, word & (SLOWED | SLOWED << SINCE_BOOT), has_alarm);
}

static void read_pi(const struct sp_board_root *root, struct sp_board_reading *out)
{
	sp_board_generic.read(root, out);
	read_power(root->root, out);
}

// ---- the boot before ------------------------------------------------------------------------------

/// PM_RSTS as the firmware found it, in the device tree (Raspberry Pi documentation, "Device trees, part 4",
/// /chosen/bootloader/rsts). The even bits 0 to 10 carry the number of the boot partition and mean nothing
/// here; of each kind of reset that leaves the "full" one, which is what reboot, panic and watchdog use.
enum {
	RSTS_DEBUGGER = 1 << 1,
	RSTS_WATCHDOG = 1 << 5, ///< Linux's own restart goes through the watchdog, too (bcm2835_wdt)
	RSTS_SOFTWARE = 1 << 9,
	RSTS_POWER_ON = 1 << 12, ///< never cleared on some models: counts only alone
};

/// /chosen/power/power_reset of the Pi 5: why its power chip had cut the supply.
enum { PMIC_UNDERVOLTAGE = 1 << 1, PMIC_WATCHDOG = 1 << 4 };

/// A cell of the device tree: four bytes, the highest first.
static bool read_cell(const char *root, const char *path, uint32_t *out)
{
	uint8_t cell[4];
	if (sp_sysfs_read(root, path, cell, sizeof(cell)) != (ssize_t)sizeof(cell))
		return false;
	*out = (uint32_t)cell[0] << 24 | (uint32_t)cell[1] << 16 | (uint32_t)cell[2] << 8 | cell[3];
	return true;
}

static void past_of_pi(const struct sp_board_root *root, struct sp_board_past *out)
{
	uint32_t word;
	sp_linux_read_past(root, out);
	if (read_cell(root->root, "/proc/device-tree/chosen/power/power_reset", &word) &&
	    word & (PMIC_UNDERVOLTAGE | PMIC_WATCHDOG)) {
		out->reset = word & PMIC_WATCHDOG ? SP_RESET_WATCHDOG : SP_RESET_POWER_ON;
		snprintf(out->reset_source, sizeof(out->reset_source), "power_reset 0x%08x%s", word,
			 word & PMIC_WATCHDOG ? "" : ", under-voltage");
		return;
	}
	if (!read_cell(root->root, "/proc/device-tree/chosen/bootloader/rsts", &word))
		return;
	if (word & (RSTS_DEBUGGER | RSTS_WATCHDOG | RSTS_SOFTWARE))
		out->reset = SP_RESET_WARM;
	else if (word & RSTS_POWER_ON)
		out->reset = SP_RESET_POWER_ON;
	else
		return;
	snprintf(out->reset_source, sizeof(out->reset_source), "rsts 0x%08x", word);
}

/// Boards of other makers around a Compute Module name the chip, not the Pi.
static const char *const pis[] = {
    "raspberrypi,", "brcm,bcm2708", "brcm,bcm2709", "brcm,bcm2710", "brcm,bcm2711",
    "brcm,bcm2712", "brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", NULL,
};

const struct sp_board sp_board_raspberry_pi = {
    .name = "raspberry_pi",
    .summary = "Raspberry Pi, all models",
    .compatible = pis,
    .read = read_pi,
    .past = past_of_pi,
};
