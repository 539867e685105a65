// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The kinds of the register's files, and their columns. README.md is the same for people.
#pragma once

#include "tools/hub/register/cell.h"
#include "tools/hub/register/relation.h"

enum sp_register_kind {
	SP_KIND_AREAS,
	SP_KIND_SCHOOLS,
	SP_KIND_SITES,
	SP_KIND_LINES,
	SP_KIND_BOARDS,
	SP_KIND_TIMETABLES,
	SP_KIND_CALENDAR,
	SP_KIND_MAINTENANCE,
	SP_KIND_DECLARED,
	SP_KIND_ASSETS,
	SP_KIND_REGISTER, ///< all in one
};
#define SP_KINDS 11

struct sp_kind_column {
	const char *name, *vietnamese;
	enum sp_cell_type type;
	bool mandatory;
	size_t max; ///< bytes
	const char *const *words;
};

/// A column's place among a relation's cells.
struct sp_kind_map {
	enum sp_relation_id relation;
	int columns[SP_REL_CELLS]; ///< of each of the relation's cells; -1: none
};

enum { SP_KIND_COLUMNS = 16 };
struct sp_kind {
	const char *name;
	struct sp_kind_column columns[SP_KIND_COLUMNS]; ///< to the first without a name
	struct sp_kind_map map;
};
extern const struct sp_kind sp_kinds[SP_KINDS];

/// -1: there is none of that name.
int sp_kind_find(const char *name);
unsigned sp_kind_columns(const struct sp_kind *kind);
/// The column that a header's cell names, in either language; -1: none. `tree`: it is "area:TREE", and this
/// its tree.
int sp_kind_column(const struct sp_kind *kind, const char *cell, const char **tree);
