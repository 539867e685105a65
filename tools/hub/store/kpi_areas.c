// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Which area somebody may have meant who typed a name, a name without its marks, or nearly a code.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/config.h"
#include "agent/base/mem.h"
#include "tools/hub/store/kpi_priv.h"
#include "tools/hub/text/fold.h"

enum { AREAS_MAX = 50000 };

struct places {
	struct sp_kpi_area *items;
	const char **words; ///< of each its code, then its name, folded
	size_t count;
};

static char *folded(const char *text)
{
	char out[2 * SP_CONFIG_NAME_MAX];
	return sp_strdup(sp_fold_vi(text, out, sizeof(out)));
}

static void add(struct places *places, const struct sp_rows *rows)
{
	size_t n = places->count++;
	if ((n & (n - 1)) == 0) {
		size_t room = n ? 2 * n : 1;
		places->items = sp_realloc(places->items, room * sizeof(*places->items));
		places->words = sp_realloc(places->words, 2 * room * sizeof(*places->words));
	}
	struct sp_kpi_area *area = &places->items[n];
	snprintf(area->code, sizeof(area->code), "%s", sp_row_text(rows, 0));
	snprintf(area->tree, sizeof(area->tree), "%s", sp_row_text(rows, 2));
	snprintf(area->path, sizeof(area->path), "%s", sp_row_text(rows, 3));
	places->words[2 * n] = folded(sp_row_text(rows, 0));
	places->words[2 * n + 1] = folded(sp_row_text(rows, 1));
}

int sp_store_kpi_area_like(struct sp_store *store, const char *word, struct sp_kpi_area *out)
{
	struct places places = {0};
	char *meant = folded(word);
	int result;
	// The same name in several trees: the one that is asked first, as everywhere.
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT a.code, a.name, a.tree, a.path FROM area a LEFT JOIN tree t ON"
		      " t.name = a.tree ORDER BY coalesce(t.rank, 1000000), a.tree, a.path"
		      " LIMIT ?",
		      I(AREAS_MAX));
	while ((result = sp_rows_next(store->db, rows)) == 1)
		add(&places, rows);
	const char *best = sp_config_suggest(meant, places.words, 2 * places.count);
	for (size_t i = 0; i < 2 * places.count; i++) {
		if (result == 0 && best && places.words[i] == best) {
			*out = places.items[i / 2];
			result = 1;
		}
	}
	for (size_t i = 0; i < 2 * places.count; i++)
		free((char *)(uintptr_t)places.words[i]);
	free(places.words);
	free(places.items);
	free(meant);
	return result;
}
