// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Configuration files: INI with one section per instance, values checked against option
// tables. Every mistake has a file, a line and, where a word looks mistyped, a suggestion.
//
//   # comment            ; comment       (whole lines only: a value may contain both)
//   [section]  or  [driver "instance name"]
//   key = value          surrounding blanks cut; "quoted" keeps them; \\ \" \n inside quotes
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schoolpulse/driver.h"

enum {
	SP_CONFIG_FILE_MAX = 256 * 1024,
	SP_CONFIG_LINE_MAX = 4096,
	SP_CONFIG_NAME_MAX = 64, ///< section, instance and key names, in bytes
	SP_CONFIG_SECTIONS_MAX = 1024,
	SP_CONFIG_KEYS_MAX = 256, ///< in one section
};

struct sp_config_entry {
	char *key, *value;
	unsigned line;
};

struct sp_config_section {
	char *name;     ///< "mqtt", "gateway"
	char *instance; ///< "" without one; unique per name
	unsigned line;
	struct sp_config_entry *entries;
	size_t count;
};

struct sp_config {
	char *file;
	uint64_t fingerprint; ///< of the file's bytes: tells whether it was changed since (FNV-1a)
	struct sp_config_section *sections;
	size_t count;
};

/// Everything wrong with a file, in the order of its lines; printed as "file:line: text".
struct sp_config_errors {
	char **lines;
	unsigned *at; ///< each one's line in the file; 0: of the whole file, first
	size_t count; ///< at most 50 are kept; more are counted in the last line
	size_t more;  ///< the number that the last line tells; 0 while all are kept
};

/// Parses `length` bytes; mistakes go to `errors`, what could be read to `out` all the same.
/// 0, or -EINVAL when errors were added.
int sp_config_parse(struct sp_config *out, const char *file, const char *text, size_t length,
		    struct sp_config_errors *errors) SP_MUST_CHECK;
/// Reads and parses. An unreadable file is an error line, too. 0, -EINVAL or -errno.
int sp_config_read(struct sp_config *out, const char *file, struct sp_config_errors *errors) SP_MUST_CHECK;
void sp_config_free(struct sp_config *config);

/// NULL when there is none.
const struct sp_config_section *sp_config_find(const struct sp_config *config, const char *name,
					       const char *instance);

/// Adds "unknown section", with the word of `known` that was probably meant.
void sp_config_unknown_section(const struct sp_config *config, const struct sp_config_section *section,
			       const char *const *known, size_t count, struct sp_config_errors *errors);

/// Fills `conf` (zeroed by the caller) from defaults and the section (NULL: defaults only), key by
/// key. `known_elsewhere` (NULL or a table) lists keys that belong to another table over the same
/// section, so that they are not called unknown. Limits bind what a person wrote, not the default: a
/// default may stand outside of them to mean "not given". 0 or -EINVAL.
int sp_options_apply(const struct sp_option *options, const struct sp_option *known_elsewhere,
		     const struct sp_config *config, const struct sp_config_section *section, void *conf,
		     struct sp_config_errors *errors) SP_MUST_CHECK;
/// Frees the strings and lists that sp_options_apply() put into `conf`.
void sp_options_free(const struct sp_option *options, void *conf);

/// "300ms", "2s", "5min", "1h", "7d" → milliseconds; "512", "64k", "16M", "1G" → bytes. 0, -EINVAL when
/// it is written otherwise, -ERANGE when it does not fit.
int sp_duration_parse(const char *text, int64_t *ms) SP_MUST_CHECK;
int sp_size_parse(const char *text, int64_t *bytes) SP_MUST_CHECK;
/// The same, back, in the largest unit that is exact. Returns `out`.
const char *sp_duration_format(int64_t ms, char out[32]);
const char *sp_size_format(int64_t bytes, char out[32]);

/// Adds "file:line: text" (line 0: "file: text").
void sp_config_error(struct sp_config_errors *errors, const char *file, unsigned line, const char *format,
		     ...) SP_PRINTF(4, 5);
void sp_config_errors_free(struct sp_config_errors *errors);
/// The word of the list that `word` was probably meant to be, or NULL.
const char *sp_config_suggest(const char *word, const char *const *words, size_t count);
