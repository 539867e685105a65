// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a file to settings: each section to its table.
#include "agent/core/settings.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"

enum { KNOWN_MAX = 64 };

/// Everything one reading needs.
struct reading {
	struct sp_settings *out;
	const struct sp_driver *const *drivers;
	struct sp_config_errors *errors;
};

static const struct sp_core_section *core_section(const char *name)
{
	for (const struct sp_core_section *section = sp_core_sections; section->name; section++)
		if (strcmp(section->name, name) == 0)
			return section;
	return NULL;
}

static const struct sp_driver *find_driver(const struct sp_driver *const *drivers, const char *name)
{
	for (; *drivers; drivers++)
		if (strcmp((*drivers)->name, name) == 0)
			return *drivers;
	return NULL;
}

static void unknown_section(const struct reading *reading, const struct sp_config_section *section)
{
	const char *known[KNOWN_MAX];
	size_t count = 0;
	for (const struct sp_core_section *it = sp_core_sections; it->name && count < KNOWN_MAX; it++)
		known[count++] = it->name;
	for (const struct sp_driver *const *it = reading->drivers; *it && count < KNOWN_MAX; it++)
		known[count++] = (*it)->name;
	sp_config_unknown_section(&reading->out->config, section, known, count, reading->errors);
}

static void apply(const struct reading *reading, const struct sp_option *options, const char *name,
		  void *conf)
{
	const struct sp_config_section *section = sp_config_find(&reading->out->config, name, "");
	// Mistakes are in the list; the caller looks there.
	if (sp_options_apply(options, NULL, &reading->out->config, section, conf, reading->errors))
		return;
}

static void apply_core(const struct reading *reading)
{
	struct sp_settings *out = reading->out;
	apply(reading, core_section("agent")->options, "agent", &out->agent);
	apply(reading, core_section("journal")->options, "journal", &out->journal);
	apply(reading, core_section("attendance")->options, "attendance", &out->attendance);
	apply(reading, core_section("board")->options, "board", &out->board);
	apply(reading, core_section("speedtests")->options, "speedtests", &out->speedtests);
	apply(reading, core_section("commands")->options, "commands", &out->commands);
	if (sp_config_find(&out->config, "mqtt", ""))
		apply(reading, core_section("mqtt")->options, "mqtt", &out->mqtt);
	else
		sp_config_error(reading->errors, out->config.file, 0,
				"no [mqtt] section: it names the broker, as in host = broker.example");
}

static void add_line(const struct reading *reading, const struct sp_config_section *section)
{
	struct sp_settings *out = reading->out;
	out->lines = sp_realloc(out->lines, (out->line_count + 1) * sizeof(*out->lines));
	struct sp_line_conf *line = &out->lines[out->line_count++];
	*line = (struct sp_line_conf){.name = section->instance};
	if (sp_options_apply(core_section("line")->options, NULL, &out->config, section, line,
			     reading->errors))
		return;
}

/// Sees the common keys alone: what neither table knows has been said already.
static int apply_common(const struct reading *reading, const struct sp_option *common,
			const struct sp_config_section *section, struct sp_device_common *conf)
{
	struct sp_config_section own = *section;
	own.entries = sp_alloc((section->count + 1) * sizeof(*own.entries));
	own.count = 0;
	for (size_t i = 0; i < section->count; i++)
		for (const struct sp_option *option = common; option->key; option++)
			if (strcmp(option->key, section->entries[i].key) == 0)
				own.entries[own.count++] = section->entries[i];
	int result = sp_options_apply(common, NULL, &reading->out->config, &own, conf, reading->errors);
	free(own.entries);
	return result;
}

static void add_device(const struct reading *reading, const struct sp_config_section *section,
		       const struct sp_driver *driver)
{
	static const struct sp_option none[] = {{0}};
	const struct sp_option *options = driver->options ? driver->options : none;
	struct sp_settings *out = reading->out;
	out->devices = sp_realloc(out->devices, (out->device_count + 1) * sizeof(*out->devices));
	struct sp_device_conf *device = &out->devices[out->device_count++];
	*device = (struct sp_device_conf){.driver = driver, .name = section->instance, .at = section->line};
	device->conf = sp_alloc(driver->conf_size + 1);
	struct sp_option common[4];
	char interval[24];
	sp_common_options(driver, common, interval);
	int result = sp_options_apply(options, common, &out->config, section, device->conf, reading->errors);
	device->whole = apply_common(reading, common, section, &device->common) == 0 && result == 0;
}

static void read_section(const struct reading *reading, const struct sp_config_section *section)
{
	const char *file = reading->out->config.file;
	const struct sp_core_section *core = core_section(section->name);
	const struct sp_driver *driver = find_driver(reading->drivers, section->name);
	bool named = section->instance[0] != '\0';
	if (!core && !driver)
		unknown_section(reading, section);
	else if (core && !core->named && named)
		sp_config_error(reading->errors, file, section->line, "[%s] takes no name", section->name);
	else if ((driver || core->named) && !named)
		sp_config_error(reading->errors, file, section->line,
				"[%s] needs a name, as in [%s \"main\"]", section->name, section->name);
	else if (core && core->named)
		add_line(reading, section);
	else if (driver)
		add_device(reading, section, driver);
}

int sp_settings_read(struct sp_settings *out, const char *file, const struct sp_driver *const *drivers,
		     struct sp_config_errors *errors, struct sp_config_errors *warnings)
{
	*out = (struct sp_settings){0};
	struct reading reading = {.out = out, .drivers = drivers, .errors = errors};
	int result = sp_config_read(&out->config, file, errors);
	if (result && result != -EINVAL)
		return -EINVAL;
	apply_core(&reading);
	for (size_t i = 0; i < out->config.count; i++)
		read_section(&reading, &out->config.sections[i]);
	sp_settings_check(out, errors, warnings);
	sp_settings_check_speed(out, errors, warnings);
	return errors->count > 0 ? -EINVAL : 0;
}

void sp_settings_free(struct sp_settings *settings)
{
	sp_options_free(core_section("agent")->options, &settings->agent);
	sp_options_free(core_section("mqtt")->options, &settings->mqtt);
	sp_options_free(core_section("attendance")->options, &settings->attendance);
	sp_options_free(core_section("board")->options, &settings->board);
	sp_options_free(core_section("speedtests")->options, &settings->speedtests);
	sp_options_free(core_section("commands")->options, &settings->commands);
	for (size_t i = 0; i < settings->line_count; i++)
		sp_options_free(core_section("line")->options, &settings->lines[i]);
	for (size_t i = 0; i < settings->device_count; i++) {
		struct sp_device_conf *device = &settings->devices[i];
		if (device->driver->options)
			sp_options_free(device->driver->options, device->conf);
		free(device->common.line);
		free(device->conf);
	}
	free(settings->lines);
	free(settings->devices);
	sp_config_free(&settings->config);
	*settings = (struct sp_settings){0};
}

unsigned sp_settings_line(const struct sp_settings *settings, const char *name, const char *key)
{
	const struct sp_config_section *section = sp_config_find(&settings->config, name, "");
	if (!section)
		return 0;
	for (size_t i = 0; i < section->count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return section->entries[i].line;
	return section->line;
}

const char *sp_device_conf_interface(const struct sp_device_conf *device)
{
	for (const struct sp_option *option = device->driver->options; option && option->key; option++) {
		char *text;
		if (strcmp(option->key, "interface") != 0 || option->type != SP_OPTION_STRING)
			continue;
		memcpy(&text, (const char *)device->conf + option->offset, sizeof(text));
		return text;
	}
	return NULL;
}

const char *sp_device_conf_scope(const struct sp_device_conf *device, char room[SP_SCOPE_WORD_MAX])
{
	room[0] = '\0';
	for (const struct sp_option *option = device->driver->options; option && option->key; option++) {
		int index;
		if (strcmp(option->key, "scope") != 0 || option->type != SP_OPTION_ENUM)
			continue;
		memcpy(&index, (const char *)device->conf + option->offset, sizeof(index));
		const char *word = option->choices;
		for (int i = 0; i < index; i++)
			word += strcspn(word, " ") + (word[strcspn(word, " ")] == ' ');
		snprintf(room, SP_SCOPE_WORD_MAX, "%.*s", (int)strcspn(word, " "), word);
	}
	return room;
}
