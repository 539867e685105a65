// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the register keeps with its history, as tables of rows that hold from one moment to another: what an
// import compares and the store reads and writes. README.md has the columns.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_relation_id {
	SP_REL_AREA,
	SP_REL_SCHOOL,
	SP_REL_SCHOOL_AREA,
	SP_REL_SITE,
	SP_REL_LINE,
	SP_REL_BOARD,
	SP_REL_TIMETABLE,
	SP_REL_HOLIDAY,
	SP_REL_EXAM,
	SP_REL_MAINTENANCE,
	SP_REL_DECLARED,
	SP_REL_ASSET,
};
#define SP_RELATIONS 12

enum { SP_REL_CELLS = 10 };
#define SP_OPEN_END INT64_MAX

enum sp_rel_type { SP_REL_TEXT, SP_REL_INT, SP_REL_REAL };

struct sp_relation {
	const char *table, *what;
	unsigned keys;  ///< so many of the first cells tell whose row it is
	unsigned count; ///< of cells
	bool days;      ///< from and to are days at UTC+7, not milliseconds
	bool dated;     ///< rows bring their own from and to; others hold from the import on
	enum sp_rel_type types[SP_REL_CELLS];
};
extern const struct sp_relation sp_relations[SP_RELATIONS];

/// Numbers are texts, too, written in one way only, so that equal ones are the same text.
struct sp_rel_row {
	const char *cells[SP_REL_CELLS]; ///< NULL: SQL's
	int64_t from, to;
	unsigned file, line; ///< of a file's row, `file` from 0
};

struct sp_rel_rows {
	struct sp_rel_row *items;
	size_t count, room;
};

/// A zeroed row to be filled.
struct sp_rel_row *sp_rel_add(struct sp_rel_rows *rows);
/// By the first `cells` cells.
int sp_rel_compare(const struct sp_rel_row *a, const struct sp_rel_row *b, unsigned cells);
/// By key, then `from`, then file and line.
void sp_rel_sort(struct sp_rel_rows *rows, unsigned keys);
/// The first row of sorted ones with this key (of `keys` cells, as many as they are sorted by or fewer);
/// NULL without one.
const struct sp_rel_row *sp_rel_find(const struct sp_rel_rows *rows, unsigned keys, const char *const *key);
/// Behind the last row.
static inline const struct sp_rel_row *sp_rel_end(const struct sp_rel_rows *rows)
{
	return rows->items ? rows->items + rows->count : NULL;
}
/// A number's one way to be written; `out` is returned.
const char *sp_rel_real(double value, char out[32]);

/// Texts that live as long as what they are of.
struct sp_rel_texts {
	struct sp_rel_chunk *chunks;
};
const char *sp_rel_text(struct sp_rel_texts *texts, const char *text);
void sp_rel_texts_free(struct sp_rel_texts *texts);

// ---- what an import changes ----------------------------------------------------------------------

struct sp_rel_counts {
	int64_t added, changed, ended, unchanged;
};

enum sp_rel_change_kind {
	SP_REL_INSERT, ///< row
	SP_REL_CUT,    ///< the stored row `was` ends at row->to now
	SP_REL_ERASE,  ///< the stored row `was`
};
struct sp_rel_change {
	enum sp_rel_change_kind kind;
	struct sp_rel_row row; ///< to be inserted; with the new end
	const struct sp_rel_row *was;
};
struct sp_rel_changes {
	struct sp_rel_change *items;
	size_t count, room;
	struct sp_rel_counts counts;
};

/// What makes the stored rows say from `since` on what `wanted` says. Both must be sorted by the relation's
/// key; what held before `since` stays.
void sp_rel_diff(const struct sp_relation *relation, const struct sp_rel_rows *stored,
		 const struct sp_rel_rows *wanted, int64_t since, struct sp_rel_changes *out);
void sp_rel_changes_free(struct sp_rel_changes *changes);
