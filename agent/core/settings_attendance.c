// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Mistakes in [attendance], and what about kiosks only the whole file shows.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/attendance/classes.h"
#include "agent/core/settings.h"

static const int64_t DAY_MS = 24 * 3600 * INT64_C(1000);
enum { MINUTE_MS = 60 * 1000 };

struct check {
	struct sp_settings *settings;
	struct sp_config_errors *errors, *warnings;
};

static const char *file_of(const struct check *check)
{
	return check->settings->config.file;
}

static unsigned at(const struct check *check, const char *key)
{
	return sp_settings_line(check->settings, "attendance", key);
}

bool sp_attendance_allowed(const struct sp_attendance_conf *conf)
{
	return conf->legal_basis && conf->legal_basis[0];
}

bool sp_attendance_sends_events(const struct sp_attendance_conf *conf)
{
	return sp_attendance_allowed(conf) && conf->publish == SP_PUBLISH_EVENTS;
}

static const char *text(const char *value)
{
	return value ? value : "";
}

static bool two_digits(const char *at, unsigned *out)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return false;
	*out = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
	return true;
}

/// "MM-DD", a day that every year has.
static bool read_year_starts(struct sp_attendance_conf *conf, const char *value)
{
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned month, day;
	if (strlen(value) != 5 || value[2] != '-' || !two_digits(value, &month) ||
	    !two_digits(value + 3, &day) || month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	conf->year_month = month;
	conf->year_day = day;
	return true;
}

static void check_values(const struct check *check)
{
	struct sp_attendance_conf *conf = &check->settings->attendance;
	if (conf->year_starts && !read_year_starts(conf, conf->year_starts))
		sp_config_error(check->errors, file_of(check), at(check, "year_starts"),
				"year_starts = %s: not a month and a day, as in 08-01", conf->year_starts);
	if (conf->slot_ms > 0 && (DAY_MS % conf->slot_ms != 0 || conf->slot_ms % MINUTE_MS != 0))
		sp_config_error(check->errors, file_of(check), at(check, "slot"),
				"slot: whole minutes that divide a day, as 15min does");
	// A school's list changes often: a mistake in it must not stop the agent.
	if (text(conf->classes)[0] && sp_classes_check(conf->classes, check->warnings))
		sp_config_error(check->warnings, file_of(check), at(check, "classes"),
				"classes = %s: who is named by a wrong row is counted by kiosk",
				conf->classes);
	if (text(conf->classes)[0] && conf->publish == SP_PUBLISH_HEALTH)
		sp_config_error(check->warnings, file_of(check), at(check, "classes"),
				"classes are of no use with publish = health: nothing is counted");
	if (conf->publish != SP_PUBLISH_HEALTH && !sp_attendance_allowed(conf))
		sp_config_error(check->warnings, file_of(check), at(check, "publish"),
				"nothing is recorded, so nothing is published: legal_basis is not set");
}

/// The text of a device's option; NULL: it has none of that name.
static const char *option(const struct sp_device_conf *device, const char *key)
{
	for (const struct sp_option *row = device->driver->options; row && row->key; row++)
		if (row->type == SP_OPTION_STRING && strcmp(row->key, key) == 0)
			return text(*(char **)((char *)device->conf + row->offset));
	return NULL;
}

static int64_t port_of(const struct sp_device_conf *device)
{
	for (const struct sp_option *row = device->driver->options; row && row->key; row++)
		if (row->type == SP_OPTION_INT && strcmp(row->key, "port") == 0)
			return *(int64_t *)((char *)device->conf + row->offset);
	return 0;
}

static bool same(const struct sp_device_conf *a, const struct sp_device_conf *b, const char *key)
{
	const char *one = option(a, key), *other = option(b, key);
	return one && one[0] && strcmp(one, other) == 0;
}

/// By what two sections are the same kiosk; NULL: they are not.
static const char *shared(const struct sp_device_conf *a, const struct sp_device_conf *b)
{
	static const char *const alone[] = {"serial", "url", "device"};
	if (a->driver != b->driver || !a->whole || !b->whole)
		return NULL;
	for (size_t i = 0; i < SP_COUNT(alone); i++)
		if (same(a, b, alone[i]))
			return alone[i];
	// A listener without an address listens at each.
	const char *here = option(a, "address"), *there = option(b, "address");
	bool apart = here && here[0] && there[0] && strcmp(here, there) != 0;
	const char *key = same(a, b, "host") ? "host" : same(a, b, "path") && !apart ? "path" : NULL;
	return key && port_of(a) == port_of(b) ? key : NULL;
}

/// Of two sections with one kiosk the second gets nothing, and nobody would say why.
static void check_twins(const struct check *check, size_t i)
{
	const struct sp_device_conf *device = &check->settings->devices[i];
	for (size_t k = 0; k < i; k++) {
		const struct sp_device_conf *other = &check->settings->devices[k];
		const char *key = shared(other, device);
		if (!key)
			continue;
		sp_config_error(
		    check->errors, file_of(check), device->at,
		    "[%s \"%s\"] has the same %s as [%s \"%s\"] in line %u: each kiosk has one section",
		    device->driver->name, device->name, key, other->driver->name, other->name, other->at);
		return;
	}
}

/// A warning: the file may be made for another machine.
static void check_files(const struct check *check, const struct sp_device_conf *device)
{
	static const char *const keys[] = {"secret_file", "cert_file", "key_file", "ca_file"};
	for (size_t i = 0; device->whole && i < SP_COUNT(keys); i++) {
		const char *path = option(device, keys[i]);
		if (path && path[0] && access(path, R_OK) < 0)
			sp_config_error(check->warnings, file_of(check), device->at,
					"[%s \"%s\"] %s = %s: %s", device->driver->name, device->name,
					keys[i], path, strerror(errno));
	}
}

static void check_kiosks(const struct check *check)
{
	for (size_t i = 0; i < check->settings->device_count; i++) {
		if (check->settings->devices[i].driver->cls != SP_DRIVER_KIOSK)
			continue;
		check_twins(check, i);
		check_files(check, &check->settings->devices[i]);
	}
	if (sp_attendance_allowed(&check->settings->attendance))
		return;
	for (size_t i = 0; i < check->settings->device_count; i++) {
		const struct sp_device_conf *device = &check->settings->devices[i];
		if (device->driver->cls == SP_DRIVER_KIOSK)
			sp_config_error(check->warnings, file_of(check), device->at,
					"[%s \"%s\"] records nothing: [attendance] legal_basis is not set; "
					"name the document by which the school may keep attendance data",
					device->driver->name, device->name);
	}
}

void sp_settings_check_attendance(struct sp_settings *settings, struct sp_config_errors *errors,
				  struct sp_config_errors *warnings)
{
	struct check check = {.settings = settings, .errors = errors, .warnings = warnings};
	check_values(&check);
	check_kiosks(&check);
}
