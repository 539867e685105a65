// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Mistakes that only the whole file shows.
#include "agent/core/settings.h"

#include <string.h>
#include <unistd.h>

#include "agent/base/ids.h"
#include "agent/base/mem.h"
#include "agent/core/ledger/egress.h"
#include "agent/core/ledger/lines.h"

struct check {
	struct sp_settings *settings;
	struct sp_config_errors *errors, *warnings;
};

static const char *file_of(const struct check *check)
{
	return check->settings->config.file;
}

static const char *text(const char *value)
{
	return value ? value : "";
}

static void check_name(const struct check *check, const char *key, const char *value)
{
	if (value && value[0] && !sp_id_valid(value))
		sp_config_error(check->errors, file_of(check),
				sp_settings_line(check->settings, "agent", key),
				"%s = %s: only a-z, 0-9 and - are allowed, 32 at most", key, value);
}

static void check_file(const struct check *check, const char *key, const char *path)
{
	if (path && path[0] && access(path, R_OK) < 0)
		sp_config_error(check->warnings, file_of(check),
				sp_settings_line(check->settings, "mqtt", key), "%s = %s: %s", key, path,
				strerror(errno));
}

static void check_mqtt(const struct check *check)
{
	const struct sp_mqtt_conf *mqtt = &check->settings->mqtt;
	bool ca = text(mqtt->ca_file)[0], cert = text(mqtt->cert_file)[0], key = text(mqtt->key_file)[0];
	check_file(check, "ca_file", mqtt->ca_file);
	check_file(check, "cert_file", mqtt->cert_file);
	check_file(check, "key_file", mqtt->key_file);
	if (cert != key)
		sp_config_error(check->errors, file_of(check),
				sp_settings_line(check->settings, "mqtt", cert ? "cert_file" : "key_file"),
				"cert_file and key_file go together");
	if ((cert || key) && !ca)
		sp_config_error(check->errors, file_of(check),
				sp_settings_line(check->settings, "mqtt", cert ? "cert_file" : "key_file"),
				"a certificate without ca_file: TLS needs to know whom to trust");
	if (mqtt->resend_max_ms < mqtt->resend_min_ms)
		sp_config_error(check->errors, file_of(check),
				sp_settings_line(check->settings, "mqtt", "resend_max"),
				"resend_max is shorter than resend_min");
	if (text(mqtt->password)[0] && !ca)
		sp_config_error(check->warnings, file_of(check),
				sp_settings_line(check->settings, "mqtt", "password"),
				"the password will cross the network in clear: no ca_file, no TLS");
}

bool sp_settings_frugal(const struct sp_settings *settings)
{
	for (size_t i = 0; i < settings->line_count; i++)
		if (settings->lines[i].profile != SP_PROFILE_FRUGAL)
			return false;
	return settings->line_count > 0;
}

static bool given(const struct sp_settings *settings, const char *name, const char *key)
{
	const struct sp_config_section *section = sp_config_find(&settings->config, name, "");
	for (size_t i = 0; section && i < section->count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return true;
	return false;
}

enum {
	FRUGAL_KEEPALIVE_MS = 20 * 60 * 1000, ///< about what a mobile network's NAT keeps a connection
	FRUGAL_COMMIT_MS = 60 * 1000,         ///< bulk comes once an hour, all of it at one moment
};

/// With no other line than frugal ones telemetry is frugal, too, unless the file says otherwise.
static void apply_thrift(struct sp_settings *settings)
{
	if (!sp_settings_frugal(settings))
		return;
	if (!given(settings, "mqtt", "keepalive"))
		settings->mqtt.keepalive_ms = FRUGAL_KEEPALIVE_MS;
	if (!given(settings, "journal", "bulk_commit"))
		settings->journal.bulk_commit_ms = FRUGAL_COMMIT_MS;
}

static bool has_line(const struct sp_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->line_count; i++)
		if (strcmp(settings->lines[i].name, name) == 0)
			return true;
	return false;
}

static unsigned key_line(const struct sp_settings *settings, const struct sp_device_conf *device,
			 const char *key)
{
	const struct sp_config_section *section =
	    sp_config_find(&settings->config, device->driver->name, device->name);
	for (size_t i = 0; section && i < section->count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return section->entries[i].line;
	return device->at;
}

static void unknown_line(const struct check *check, const struct sp_device_conf *device)
{
	const struct sp_settings *settings = check->settings;
	const char **names = sp_alloc((settings->line_count + 1) * sizeof(*names));
	for (size_t i = 0; i < settings->line_count; i++)
		names[i] = settings->lines[i].name;
	const char *meant = sp_config_suggest(device->common.line, names, settings->line_count);
	sp_config_error(check->errors, file_of(check), key_line(settings, device, "line"),
			"line = %s: there is no [line \"%s\"]%s%s%s", device->common.line,
			device->common.line, meant ? "; did you mean " : "", meant ? meant : "",
			meant ? "?" : "");
	free(names);
}

static void check_line(const struct check *check, struct sp_device_conf *device)
{
	const struct sp_settings *settings = check->settings;
	if (!device->common.line)
		return;
	if (device->common.line[0]) {
		if (!has_line(settings, device->common.line))
			unknown_line(check, device);
		return;
	}
	if (device->driver->cls != SP_DRIVER_LINK && device->driver->cls != SP_DRIVER_SPEED)
		return;
	if (settings->line_count == 1) {
		free(device->common.line);
		device->common.line = sp_strdup(settings->lines[0].name);
	} else if (settings->line_count == 0) {
		sp_config_error(check->errors, file_of(check), device->at,
				"[%s \"%s\"] watches a line, and there is no [line \"…\"] section",
				device->driver->name, device->name);
	} else {
		sp_config_error(check->errors, file_of(check), device->at,
				"[%s \"%s\"] needs line = …: there are %zu lines", device->driver->name,
				device->name, settings->line_count);
	}
}

static unsigned line_key_at(const struct check *check, const char *name, const char *key)
{
	const struct sp_config_section *found = sp_config_find(&check->settings->config, "line", name);
	for (size_t i = 0; found && i < found->count; i++)
		if (strcmp(found->entries[i].key, key) == 0)
			return found->entries[i].line;
	return found ? found->line : 0;
}

/// A name that the journal can hold, and the door by which a line leaves: readable prefixes, and a neighbour
/// that exists and stands on its own.
static void check_door(const struct check *check, const struct sp_line_conf *line)
{
	const struct sp_settings *settings = check->settings;
	char bad[80];
	if (strlen(line->name) > SP_LINES_NAME_MAX)
		sp_config_error(check->errors, file_of(check), line_key_at(check, line->name, ""),
				"[line \"%s\"]: the name has more than %d bytes", line->name,
				SP_LINES_NAME_MAX);
	if (!sp_egress_book_list_valid(line->egress, bad, sizeof(bad)))
		sp_config_error(check->errors, file_of(check), line_key_at(check, line->name, "egress"),
				"egress = %s: not an address or a prefix, or one too many (16 at most)", bad);
	const char *shares = text(line->shares);
	if (!shares[0])
		return;
	unsigned at = line_key_at(check, line->name, "shares");
	if (strcmp(shares, line->name) == 0 || !has_line(settings, shares)) {
		sp_config_error(check->errors, file_of(check), at,
				"shares = %s: there is no other [line \"%s\"]", shares, shares);
		return;
	}
	for (size_t i = 0; i < settings->line_count; i++)
		if (strcmp(settings->lines[i].name, shares) == 0 && text(settings->lines[i].shares)[0])
			sp_config_error(check->errors, file_of(check), at,
					"shares = %s: that line shares another's router itself", shares);
}

static void check_options(const struct check *check, const struct sp_device_conf *device)
{
	const char *key = NULL;
	char why[256] = "";
	// Where a key is missing or cannot be read there is nothing in its place, not even an empty text.
	if (!device->whole || !device->driver->check ||
	    device->driver->check(device->conf, &key, why, sizeof(why)) == 0)
		return;
	const struct sp_config_section *found =
	    sp_config_find(&check->settings->config, device->driver->name, device->name);
	unsigned at = device->at;
	for (size_t i = 0; found && key && i < found->count; i++)
		if (strcmp(found->entries[i].key, key) == 0)
			at = found->entries[i].line;
	sp_config_error(check->errors, file_of(check), at, "[%s \"%s\"] %s%s%s", device->driver->name,
			device->name, key ? key : "", key ? ": " : "", why);
}

static void check_twins(const struct check *check)
{
	const struct sp_settings *settings = check->settings;
	for (size_t i = 0; i < settings->device_count; i++) {
		const struct sp_device_conf *device = &settings->devices[i];
		for (size_t j = 0; j < i; j++) {
			if (strcmp(settings->devices[j].name, device->name) != 0)
				continue;
			sp_config_error(check->errors, file_of(check), device->at,
					"a device named \"%s\" stands in line %u already: the feed tells "
					"devices apart by name",
					device->name, settings->devices[j].at);
			break;
		}
		if (strcmp(device->name, "board") == 0)
			sp_config_error(check->errors, file_of(check), device->at,
					"the name \"board\" is taken: the board itself reports by it");
	}
}

void sp_settings_check(struct sp_settings *settings, struct sp_config_errors *errors,
		       struct sp_config_errors *warnings)
{
	struct check check = {.settings = settings, .errors = errors, .warnings = warnings};
	check_name(&check, "shard", settings->agent.shard);
	check_name(&check, "device", settings->agent.device);
	check_mqtt(&check);
	for (size_t i = 0; i < settings->line_count; i++)
		check_door(&check, &settings->lines[i]);
	for (size_t i = 0; i < settings->device_count; i++) {
		check_line(&check, &settings->devices[i]);
		check_options(&check, &settings->devices[i]);
	}
	apply_thrift(settings);
	check_twins(&check);
	sp_settings_check_attendance(settings, errors, warnings);
	if (settings->device_count == 0 && errors->count == 0)
		sp_config_error(warnings, file_of(&check), 0, "no device is configured: nothing is measured");
}
