// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the files of the register in the store share.
#pragma once

#include "tools/hub/register/check.h"
#include "tools/hub/store/store_priv.h"

// ---- rows of a relation (register_rows.c) --------------------------------------------------------

/// All rows with their history, sorted by key; areas of schools with the area's code.
int sp_register_load_rows(struct sp_store *store, enum sp_relation_id id, struct sp_rel_texts *texts,
			  struct sp_rel_rows *out) SP_MUST_CHECK;
/// Those that hold at a moment or, of what has its own dates, that end after it.
int sp_register_load_at(struct sp_store *store, enum sp_relation_id id, int64_t at_ms,
			struct sp_rel_texts *texts, struct sp_rel_rows *out) SP_MUST_CHECK;
/// Cuts and erases before it inserts. `areas` is for the areas of schools: tree, code, number.
int sp_register_write(struct sp_store *store, enum sp_relation_id id, const struct sp_rel_changes *changes,
		      const struct sp_rel_rows *areas) SP_MUST_CHECK;

/// For a database that had the flat register alone: its paths become a tree.
int sp_register_carry(struct sp_store *store) SP_MUST_CHECK;

// ---- areas (register_areas.c) --------------------------------------------------------------------

/// After their history changed: their numbers, what they are called now, and who lies within whom since when.
int sp_register_renew_areas(struct sp_store *store, struct sp_rel_texts *texts) SP_MUST_CHECK;
/// Sorted rows of tree, code, number.
int sp_register_area_numbers(struct sp_store *store, struct sp_rel_texts *texts,
			     struct sp_rel_rows *out) SP_MUST_CHECK;

// ---- the view of now (register_view.c) -----------------------------------------------------------

/// Makes the table `register` anew from what holds at `now_ms`.
int sp_register_renew_view(struct sp_store *store, int64_t now_ms) SP_MUST_CHECK;
/// Its rows, to tell what an import changed in it.
int sp_register_load_view(struct sp_store *store, struct sp_rel_texts *texts,
			  struct sp_rel_rows *out) SP_MUST_CHECK;
extern const struct sp_relation sp_register_view;
/// As it was at that moment; cells as the columns of the kind `register`.
int sp_register_view_at(struct sp_store *store, int64_t at_ms,
			void (*row)(void *arg, const char *const cells[SP_KIND_COLUMNS]),
			void *arg) SP_MUST_CHECK;
