// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A small register in one file, each row of it a line with all that is around it, as rows of relations. Its
// areas are paths: they become the tree "register", where a path is the area's code.
#include <stdio.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/register/file.h"

struct adding {
	struct sp_register_set *set;
	unsigned file, line;
};

static struct sp_rel_row *row_of(const struct adding *a, enum sp_relation_id relation)
{
	struct sp_rel_row *row = sp_rel_add(&a->set->rows[relation]);
	row->file = a->file;
	row->line = a->line;
	for (unsigned i = 0; i < sp_relations[relation].count; i++)
		row->cells[i] = sp_relations[relation].types[i] == SP_REL_TEXT ? "" : NULL;
	return row;
}

static const char *keep(const struct adding *a, const char *text)
{
	return sp_rel_text(&a->set->texts, text);
}

/// "Lào Cai/Sa Pa": the area of that path, and those above it.
static void add_areas(const struct adding *a, const char *path)
{
	const char *above = "";
	char *code = sp_strdup(path);
	for (const char *end = path, *begin = path; *path && *end; begin = end + 1) {
		end = begin + strcspn(begin, "/");
		code[end - path] = '\0';
		struct sp_rel_row *row = row_of(a, SP_REL_AREA);
		row->cells[0] = SP_REGISTER_TREE;
		row->cells[1] = keep(a, code);
		row->cells[2] = above;
		row->cells[3] = keep(a, code + (begin - path));
		above = row->cells[1];
		code[end - path] = *end;
	}
	free(code);
}

void sp_register_flat_areas(struct sp_register_set *set, unsigned file, unsigned line, const char *school,
			    const char *path)
{
	const struct adding a = {set, file, line};
	if (!path[0])
		return;
	add_areas(&a, path);
	struct sp_rel_row *in = row_of(&a, SP_REL_SCHOOL_AREA);
	in->cells[0] = keep(&a, school);
	in->cells[1] = SP_REGISTER_TREE;
	in->cells[2] = keep(&a, path);
}

static void add_place(const struct adding *a, const struct sp_register_line *l)
{
	struct sp_rel_row *school = row_of(a, SP_REL_SCHOOL), *site;
	const char *code = school->cells[0] = keep(a, l->school);
	school->cells[1] = keep(a, l->school_name);
	site = row_of(a, SP_REL_SITE);
	site->cells[0] = code;
	site->cells[1] = keep(a, l->site);
	site->cells[2] = keep(a, l->site_name);
	site->cells[3] = "0";
	site->cells[4] = keep(a, l->zone);
	site->cells[5] = keep(a, l->timetable);
	sp_register_flat_areas(a->set, a->file, a->line, l->school, l->area);
}

static void add_line(const struct adding *a, const struct sp_register_line *l)
{
	char number[32];
	struct sp_rel_row *line = row_of(a, SP_REL_LINE);
	line->cells[0] = keep(a, l->school);
	line->cells[1] = keep(a, l->site);
	line->cells[2] = keep(a, l->line);
	line->cells[3] = keep(a, l->provider);
	line->cells[4] = keep(a, l->contract);
	if (l->down_mbps > 0)
		line->cells[8] = keep(a, sp_rel_real(l->down_mbps, number));
	if (l->up_mbps > 0)
		line->cells[9] = keep(a, sp_rel_real(l->up_mbps, number));
	if (!l->device[0])
		return;
	struct sp_rel_row *board = row_of(a, SP_REL_BOARD);
	board->cells[0] = keep(a, l->device);
	board->cells[1] = board->cells[4] = keep(a, l->line);
	board->cells[2] = keep(a, l->school);
	board->cells[3] = keep(a, l->site);
	board->cells[5] = keep(a, l->shard);
}

/// Rows that say the same of the same: one of them is enough.
static void once(struct sp_rel_rows *rows, enum sp_relation_id relation, unsigned file)
{
	const struct sp_relation *r = &sp_relations[relation];
	size_t kept = 0;
	sp_rel_sort(rows, r->keys);
	for (size_t i = 0; i < rows->count; i++) {
		struct sp_rel_row *before = kept > 0 ? &rows->items[kept - 1] : NULL;
		if (!before || before->file != file || rows->items[i].file != file ||
		    sp_rel_compare(before, &rows->items[i], r->count) != 0)
			rows->items[kept++] = rows->items[i];
	}
	rows->count = kept;
}

/// Zone and timetable are the same in all lines of a site; a school's zone, for those who ask for it, is that
/// of its sites where they agree.
static void school_zones(struct sp_register_set *set, unsigned file)
{
	struct sp_rel_rows *schools = &set->rows[SP_REL_SCHOOL], *sites = &set->rows[SP_REL_SITE];
	for (size_t i = 0, at = 0; i < schools->count; i++) {
		struct sp_rel_row *school = &schools->items[i];
		const char *zone = NULL;
		bool agree = true;
		while (at < sites->count && strcmp(sites->items[at].cells[0], school->cells[0]) < 0)
			at++;
		size_t first = at;
		for (; at < sites->count && strcmp(sites->items[at].cells[0], school->cells[0]) == 0; at++) {
			agree = agree && (!zone || strcmp(zone, sites->items[at].cells[4]) == 0);
			zone = sites->items[at].cells[4];
		}
		if (school->file != file || !zone || !agree)
			continue;
		school->cells[3] = zone;
		for (size_t k = first; k < at; k++)
			sites->items[k].cells[4] = "";
	}
}

static const enum sp_relation_id relations[] = {SP_REL_AREA, SP_REL_SCHOOL, SP_REL_SCHOOL_AREA,
						SP_REL_SITE, SP_REL_LINE,   SP_REL_BOARD};

void sp_register_once(struct sp_register_set *set, unsigned file)
{
	for (size_t i = 0; i < SP_COUNT(relations); i++)
		once(&set->rows[relations[i]], relations[i], file);
}

void sp_register_flat_rows(struct sp_register_set *set, unsigned file, const struct sp_register *reg)
{
	for (size_t i = 0; i < reg->count; i++) {
		struct adding a = {set, file, reg->lines[i].csv_line};
		add_place(&a, &reg->lines[i]);
		add_line(&a, &reg->lines[i]);
	}
	sp_register_once(set, file);
	for (size_t i = 0; i < SP_COUNT(relations); i++)
		set->has[relations[i]] = true;
	school_zones(set, file);
	unsigned tree = 0;
	while (tree < set->tree_count && strcmp(set->trees[tree], SP_REGISTER_TREE) != 0)
		tree++;
	if (tree == set->tree_count && tree < SP_REGISTER_TREES_MAX)
		set->trees[set->tree_count++] = SP_REGISTER_TREE;
}
