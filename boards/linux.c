// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What every Linux machine tells of itself in the same place: temperature, memory, load, uptime.
#include "family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"
#include "text.h"

enum { ZONES = 64 };

/// Zones that stand for the processor, best first; any other zone (battery, PMIC, radio) only when none is
/// there.
static const char *const processor_zones[] = {
    "cpu-thermal",  "cpu_thermal",      "soc-thermal",     "soc_thermal",      "x86_pkg_temp",
    "cpu0-thermal", "cpu_thermal_zone", "package-thermal", "bigcore0-thermal",
};

static size_t rank(const char *type)
{
	size_t i = 0;
	while (i < SP_COUNT(processor_zones) && strcmp(type, processor_zones[i]) != 0)
		i++;
	return i;
}

static bool zone_temperature(const char *root, unsigned zone, double *celsius)
{
	char path[64];
	int64_t milli;
	if (sp_sysfs_path(path, sizeof(path), "/sys/class/thermal/thermal_zone%u/temp", zone) < 0 ||
	    sp_sysfs_number(root, path, -60000, 200000, &milli) < 0)
		return false;
	*celsius = (double)milli / 1000;
	return true;
}

void sp_linux_read_temperature(const struct sp_board_root *root, struct sp_board_reading *out)
{
	size_t best = SP_COUNT(processor_zones) + 1;
	for (unsigned zone = 0; zone < ZONES; zone++) {
		char path[64], type[64];
		if (sp_sysfs_path(path, sizeof(path), "/sys/class/thermal/thermal_zone%u/type", zone) < 0 ||
		    sp_sysfs_text(root->root, path, type, sizeof(type)) < 0)
			continue;
		size_t is = rank(type);
		double celsius;
		bool readable = zone_temperature(root->root, zone, &celsius);
		if (is >= best || (is == SP_COUNT(processor_zones) && !readable))
			continue;
		// A processor zone that cannot be read now is not replaced by another: the series would mix
		// two places.
		best = is;
		out->temperature_celsius.known = readable;
		out->temperature_celsius.value = readable ? celsius : 0;
	}
}

static void read_memory(const char *root, struct sp_board_reading *out)
{
	char *text;
	size_t length;
	uint64_t bytes;
	if (sp_sysfs_slurp(root, "/proc/meminfo", 65536, &text, &length) < 0)
		return;
	if (sp_text_meminfo(text, "MemTotal", &bytes) == 0)
		sp_quantity_set(&out->memory_total_bytes, (double)bytes);
	if (sp_text_meminfo(text, "MemAvailable", &bytes) == 0)
		sp_quantity_set(&out->memory_available_bytes, (double)bytes);
	free(text);
}

void sp_linux_read_system(const struct sp_board_root *root, struct sp_board_reading *out)
{
	char text[256], cpus[256];
	double value;
	read_memory(root->root, out);
	if (sp_sysfs_text(root->root, "/proc/loadavg", text, sizeof(text)) > 0 &&
	    sp_text_fraction(text, &value) == 0 &&
	    sp_sysfs_text(root->root, "/sys/devices/system/cpu/online", cpus, sizeof(cpus)) > 0) {
		unsigned count = sp_text_cpus(cpus);
		if (count)
			sp_quantity_set(&out->load_ratio, value / count);
	}
	if (sp_sysfs_text(root->root, "/proc/uptime", text, sizeof(text)) > 0 &&
	    sp_text_fraction(text, &value) == 0)
		sp_quantity_set(&out->uptime_seconds, value);
}
