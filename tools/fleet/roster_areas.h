// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Areas of the register: from the codes of its files to paths of names.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/csv.h"

enum { SP_ROSTER_TREES_MAX = 4 };

struct sp_roster_area {
	char *tree, *code, *name, *parent;
};
struct sp_roster_areas {
	struct sp_roster_area *list;
	size_t count;
};

/// Columns "area:TREE" of a file of schools.
struct sp_roster_trees {
	size_t count;
	int place[SP_ROSTER_TREES_MAX];
	char tree[SP_ROSTER_TREES_MAX][32];
};

/// True when this is a file of areas: then all of its rows are taken.
bool sp_roster_areas_take(struct sp_roster_areas *areas, struct sp_csv *csv, struct sp_csv_row *header);
void sp_roster_trees_find(struct sp_roster_trees *trees, const struct sp_csv_row *header);
/// "TREE:CODE" of each tree, a line each.
char *sp_roster_trees_read(const struct sp_roster_trees *trees, const struct sp_csv_row *row);
/// Such lines become paths of names; a path stays as it is.
void sp_roster_areas_name(const struct sp_roster_areas *areas, char **area);
void sp_roster_areas_free(struct sp_roster_areas *areas);
