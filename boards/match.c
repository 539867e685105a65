// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which board is this? By the device tree's `compatible`, the most special family first. Also the
// table of what a reading holds.
#include "schoolpulse/board.h"

#include <string.h>

#include "family.h"
#include "sysfs.h"

static const struct sp_board *const families[] = {
    &sp_board_raspberry_pi,
    &sp_board_generic, // matches everything: last
};

static bool name_matches(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);
	char last = length ? pattern[length - 1] : '\0';
	if (last == ',' || last == '-')
		return strncmp(pattern, name, length) == 0;
	return strcmp(pattern, name) == 0;
}

static bool family_matches(const struct sp_board *board, const char *names, size_t length)
{
	if (!board->compatible[0])
		return true;
	for (size_t at = 0; at < length; at += strlen(names + at) + 1)
		for (const char *const *pattern = board->compatible; *pattern; pattern++)
			if (name_matches(*pattern, names + at))
				return true;
	return false;
}

const struct sp_board *sp_board_match(const struct sp_board_root *root)
{
	char names[1025];
	ssize_t length = sp_sysfs_read(root->root, "/proc/device-tree/compatible", names, sizeof(names) - 1);
	if (length < 0)
		length = 0;
	names[length] = '\0';
	for (size_t i = 0; i < SP_COUNT(families); i++)
		if (family_matches(families[i], names, (size_t)length))
			return families[i];
	return &sp_board_generic;
}

static bool read_model(const char *root, const char *path, char *out, size_t size)
{
	char text[256];
	ssize_t length = sp_sysfs_text(root, path, text, sizeof(text));
	if (length <= 0)
		return false;
	size_t n = 0;
	for (; text[n] && n + 1 < size; n++)
		out[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
	out[n] = '\0';
	return true;
}

void sp_board_model(const struct sp_board_root *root, char *out, size_t size)
{
	out[0] = '\0';
	if (!read_model(root->root, "/proc/device-tree/model", out, size))
		(void)read_model(root->root, "/sys/class/dmi/id/product_name", out, size);
}

#define METRIC(member, unit, help)                                             \
	{                                                                      \
#member, unit, help, offsetof(struct sp_board_reading, member) \
	}

const struct sp_board_metric sp_board_metrics[] = {
    METRIC(temperature_celsius, "celsius", "Temperature of the processor"),
    METRIC(undervoltage_now, "bool", "The supply voltage is too low"),
    METRIC(undervoltage_since_boot, "bool", "The supply voltage was too low at some time since boot"),
    METRIC(throttled_now, "bool", "The processor is slowed down by heat or voltage"),
    METRIC(throttled_since_boot, "bool", "The processor was slowed down at some time since boot"),
    METRIC(storage_written_bytes, "bytes", "Written to the data's disk by the whole machine since boot"),
    METRIC(storage_wear_ratio, "ratio", "Used-up share of the data's disk; SD cards do not tell"),
    METRIC(storage_read_only, "bool", "The data's file system is read-only"),
    METRIC(memory_total_bytes, "bytes", "Memory of the machine"),
    METRIC(memory_available_bytes, "bytes", "Memory that programs could still get"),
    METRIC(load_ratio, "ratio", "1-minute load per processor"),
    METRIC(uptime_seconds, "seconds", "Time since boot"),
    {NULL, NULL, NULL, 0},
};
