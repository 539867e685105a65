// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Configuration files as a whole: reading one, keeping its mistakes, finding a section.
#include "agent/base/config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/base/utf8.h"

enum {
	ERRORS_MAX = 50,
	ERROR_TEXT_MAX = 1024,
};

/// The 51st mistake turns the 50th line into a count of what is not shown.
static void count_more(struct sp_config_errors *errors, const char *file)
{
	errors->more += errors->more ? 1 : 2;
	free(errors->lines[ERRORS_MAX - 1]);
	errors->lines[ERRORS_MAX - 1] = sp_asprintf("%s: and %zu more mistakes", file, errors->more);
}

/// Sections are checked one after another, and then what stands in several: a person reads top down.
static void put(struct sp_config_errors *errors, unsigned line, char *text)
{
	if (!errors->lines) {
		errors->lines = sp_alloc(ERRORS_MAX * sizeof(*errors->lines));
		errors->at = sp_alloc(ERRORS_MAX * sizeof(*errors->at));
	}
	size_t place = errors->count++;
	for (; place > 0 && errors->at[place - 1] > line; place--) {
		errors->lines[place] = errors->lines[place - 1];
		errors->at[place] = errors->at[place - 1];
	}
	errors->lines[place] = text;
	errors->at[place] = line;
}

void sp_config_error(struct sp_config_errors *errors, const char *file, unsigned line, const char *format,
		     ...)
{
	if (errors->count == ERRORS_MAX) {
		count_more(errors, file);
		return;
	}
	char text[ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		snprintf(text, sizeof(text), "%s", format);
	va_end(args);
	text[sp_utf8_clip(text, strlen(text), sizeof(text) - 2)] = '\0';
	for (char *byte = text; *byte; byte++)
		if ((unsigned char)*byte < 0x20)
			*byte = ' '; // a quoted value may hold line breaks: a mistake stays one line
	put(errors, line,
	    line ? sp_asprintf("%s:%u: %s", file, line, text) : sp_asprintf("%s: %s", file, text));
}

void sp_config_errors_free(struct sp_config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->lines[i]);
	free(errors->lines);
	free(errors->at);
	*errors = (struct sp_config_errors){0};
}

void sp_config_free(struct sp_config *config)
{
	for (size_t i = 0; i < config->count; i++) {
		struct sp_config_section *section = &config->sections[i];
		for (size_t j = 0; j < section->count; j++) {
			free(section->entries[j].key);
			free(section->entries[j].value);
		}
		free(section->entries);
		free(section->name);
		free(section->instance);
	}
	free(config->sections);
	free(config->file);
	*config = (struct sp_config){0};
}

const struct sp_config_section *sp_config_find(const struct sp_config *config, const char *name,
					       const char *instance)
{
	for (size_t i = 0; i < config->count; i++)
		if (strcmp(config->sections[i].name, name) == 0 &&
		    strcmp(config->sections[i].instance, instance ? instance : "") == 0)
			return &config->sections[i];
	return NULL;
}

void sp_config_unknown_section(const struct sp_config *config, const struct sp_config_section *section,
			       const char *const *known, size_t count, struct sp_config_errors *errors)
{
	const char *meant = sp_config_suggest(section->name, known, count);
	if (meant)
		sp_config_error(errors, config->file, section->line,
				"unknown section [%s]; did you mean [%s]?", section->name, meant);
	else
		sp_config_error(errors, config->file, section->line, "unknown section [%s]", section->name);
}

/// Opens a regular file only: a pipe or a device might never end, or never begin.
static int open_regular(const char *file, int *fd)
{
	*fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return -errno;
	struct stat status;
	int result = 0;
	if (fstat(*fd, &status) < 0)
		result = -errno;
	else if (S_ISDIR(status.st_mode))
		result = -EISDIR;
	else if (!S_ISREG(status.st_mode))
		result = -EINVAL;
	if (result < 0)
		close(*fd);
	return result;
}

/// Reads at most one byte more than a configuration may have: enough to know that it is too large.
static int read_all(const char *file, char *text, size_t *length)
{
	int fd, result = open_regular(file, &fd);
	if (result < 0)
		return result;
	*length = 0;
	while (*length <= SP_CONFIG_FILE_MAX) {
		ssize_t got = read(fd, text + *length, SP_CONFIG_FILE_MAX + 1 - *length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			result = -errno;
		if (got <= 0)
			break;
		*length += (size_t)got;
	}
	close(fd);
	return result;
}

static uint64_t fingerprint(const char *text, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

int sp_config_read(struct sp_config *out, const char *file, struct sp_config_errors *errors)
{
	*out = (struct sp_config){0};
	char *text = sp_alloc(SP_CONFIG_FILE_MAX + 1);
	size_t length = 0;
	int result = read_all(file, text, &length);
	if (result == -EISDIR)
		sp_config_error(errors, file, 0, "is a directory, not a file");
	else if (result == -EINVAL)
		sp_config_error(errors, file, 0, "is not a regular file");
	else if (result < 0)
		sp_config_error(errors, file, 0, "cannot be read: %s", strerror(-result));
	if (result < 0)
		out->file = sp_strdup(file);
	else
		result = sp_config_parse(out, file, text, length, errors);
	out->fingerprint = fingerprint(text, length);
	free(text);
	return result;
}
