// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "tools/fleet/roster_areas.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"

enum { DEPTH_MAX = 16, AREAS_MAX = 200000, PATH_MAX_BYTES = 4096 };

static int find(const struct sp_csv_row *header, const char *name, const char *alias)
{
	for (size_t i = 0; i < header->count; i++)
		if (strcasecmp(header->cells[i], name) == 0 || strcasecmp(header->cells[i], alias) == 0)
			return (int)i;
	return -1;
}

static char *cell(const struct sp_csv_row *row, int place)
{
	return sp_strdup(place >= 0 && (size_t)place < row->count ? row->cells[place] : "");
}

bool sp_roster_areas_take(struct sp_roster_areas *areas, struct sp_csv *csv, struct sp_csv_row *header)
{
	int tree = find(header, "tree", "cây"), code = find(header, "area", "mã khu vực");
	int name = find(header, "area_name", "tên khu vực"), parent = find(header, "parent", "trực thuộc");
	struct sp_csv_row row;
	char why[128];
	if (tree < 0 || code < 0 || name < 0)
		return false;
	for (int result; (result = sp_csv_next(csv, &row, why)) != 0 && areas->count < AREAS_MAX;) {
		if (result < 0)
			continue; // the hub tells of it when it imports
		if ((areas->count & (areas->count - 1)) == 0) {
			size_t room = areas->count ? areas->count * 2 : 16;
			areas->list = sp_realloc(areas->list, room * sizeof(*areas->list));
		}
		areas->list[areas->count++] = (struct sp_roster_area){cell(&row, tree), cell(&row, code),
								      cell(&row, name), cell(&row, parent)};
	}
	return true;
}

void sp_roster_trees_find(struct sp_roster_trees *trees, const struct sp_csv_row *header)
{
	static const char *const prefixes[] = {"area:", "khu vực:"};
	*trees = (struct sp_roster_trees){0};
	for (size_t i = 0; i < header->count; i++) {
		for (size_t p = 0; p < SP_COUNT(prefixes) && trees->count < SP_ROSTER_TREES_MAX; p++) {
			size_t length = strlen(prefixes[p]);
			if (strncasecmp(header->cells[i], prefixes[p], length) != 0)
				continue;
			trees->place[trees->count] = (int)i;
			snprintf(trees->tree[trees->count], sizeof(trees->tree[0]), "%s",
				 header->cells[i] + length);
			trees->count++;
		}
	}
}

char *sp_roster_trees_read(const struct sp_roster_trees *trees, const struct sp_csv_row *row)
{
	struct sp_buf out = SP_BUF(PATH_MAX_BYTES);
	for (size_t i = 0; i < trees->count; i++) {
		const char *code = (size_t)trees->place[i] < row->count ? row->cells[trees->place[i]] : "";
		if (code[0])
			sp_buf_printf(&out, "%s%s:%s", out.length ? "\n" : "", trees->tree[i], code);
	}
	char *text = sp_buf_take(&out);
	return text ? text : sp_strdup("");
}

static const struct sp_roster_area *area_of(const struct sp_roster_areas *areas, const char *tree,
					    size_t length, const char *code, size_t code_length)
{
	for (size_t i = 0; i < areas->count; i++) {
		const struct sp_roster_area *a = &areas->list[i];
		if (strlen(a->tree) == length && memcmp(a->tree, tree, length) == 0 &&
		    strlen(a->code) == code_length && memcmp(a->code, code, code_length) == 0)
			return a;
	}
	return NULL;
}

/// The names from the top down to this area.
static void add_path(const struct sp_roster_areas *areas, const struct sp_roster_area *area,
		     struct sp_buf *out)
{
	const struct sp_roster_area *chain[DEPTH_MAX];
	size_t depth = 0;
	for (; area && depth < DEPTH_MAX; depth++) {
		chain[depth] = area;
		area = area_of(areas, area->tree, strlen(area->tree), area->parent, strlen(area->parent));
	}
	while (depth-- > 0)
		sp_buf_printf(out, "%s%s", chain[depth]->name, depth ? "/" : "");
}

void sp_roster_areas_name(const struct sp_roster_areas *areas, char **area)
{
	struct sp_buf out = SP_BUF(PATH_MAX_BYTES);
	const char *at = *area;
	for (size_t length; *at && areas->count > 0; at += length + (at[length] == '\n')) {
		length = strcspn(at, "\n");
		size_t tree = strcspn(at, ":\n");
		const struct sp_roster_area *found =
		    tree < length ? area_of(areas, at, tree, at + tree + 1, length - tree - 1) : NULL;
		if (out.length > 0)
			sp_buf_text(&out, "\n");
		if (found)
			add_path(areas, found, &out);
		else
			sp_buf_add(&out, at, length);
	}
	if (out.length > 0) {
		free(*area);
		*area = sp_buf_take(&out);
	}
	sp_buf_free(&out);
}

void sp_roster_areas_free(struct sp_roster_areas *areas)
{
	for (size_t i = 0; i < areas->count; i++) {
		free(areas->list[i].tree);
		free(areas->list[i].code);
		free(areas->list[i].name);
		free(areas->list[i].parent);
	}
	free(areas->list);
	*areas = (struct sp_roster_areas){0};
}
