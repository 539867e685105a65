// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Files of the register as rows of relations: what one import was given, with all that is wrong in it.
#pragma once

#include "agent/base/buf.h"
#include "agent/base/config.h"
#include "tools/hub/register/kinds.h"
#include "tools/hub/register/register.h"

enum {
	SP_REGISTER_FILES_MAX = 64,
	SP_REGISTER_TREES_MAX = 8,
};
/// The tree of the paths in files of the kind `register`.
#define SP_REGISTER_TREE "register"

struct sp_register_file {
	char *name;
	enum sp_register_kind kind;
	size_t rows;
	struct sp_config_errors errors;
};

struct sp_register_set {
	struct sp_register_file files[SP_REGISTER_FILES_MAX];
	unsigned file_count;
	/// By key, once all files were added. Rows of SP_REL_SCHOOL_AREA have the area's code in their last
	/// cell.
	struct sp_rel_rows rows[SP_RELATIONS];
	bool has[SP_RELATIONS];                   ///< a file says all of it
	const char *trees[SP_REGISTER_TREES_MAX]; ///< of SP_REL_SCHOOL_AREA, as the files order them
	unsigned tree_count;
	struct sp_rel_texts texts;
};

/// Adds a file: its kind is `kind` or, if that is -1, what its header says. Mistakes go to its errors.
/// 0 or -EINVAL.
int sp_register_add(struct sp_register_set *set, const char *file, int kind, const char *text,
		    size_t length) SP_MUST_CHECK;
/// The same from a file; an unreadable one is an error line, too.
int sp_register_add_file(struct sp_register_set *set, const char *file, int kind) SP_MUST_CHECK;
/// What was parsed already, as a file of this name.
int sp_register_add_flat(struct sp_register_set *set, const char *file,
			 const struct sp_register *reg) SP_MUST_CHECK;
/// The rows of file number `file`, which has everything in one.
void sp_register_flat_rows(struct sp_register_set *set, unsigned file, const struct sp_register *reg);
/// A school's areas only, by their path; and then, of the rows that say the same of the same, one each.
void sp_register_flat_areas(struct sp_register_set *set, unsigned file, unsigned line, const char *school,
			    const char *path);
void sp_register_once(struct sp_register_set *set, unsigned file);
/// Sorts what was added, and looks for what may be there once only. 0 or -EINVAL.
int sp_register_finish(struct sp_register_set *set) SP_MUST_CHECK;
void sp_register_set_free(struct sp_register_set *set);

/// The whole file; at most SP_REGISTER_FILE_MAX bytes. 0 or -errno, with an error line.
int sp_register_load(const char *file, struct sp_buf *text, struct sp_config_errors *errors) SP_MUST_CHECK;
/// Is it UTF-8? If not, one error line says what it probably is.
bool sp_register_encoding(const char *file, const char *text, size_t length, struct sp_config_errors *errors);
/// A row's error, of this column.
void sp_register_fault(struct sp_register_set *set, const struct sp_rel_row *row, const char *column,
		       const char *format, ...) SP_PRINTF(4, 5);
