// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The table `register`: what holds now, one row per line, made of the history.
#include "tools/hub/store/register_priv.h"

#include "tools/hub/time/local_time.h"

/// One row per line, at ?1; its day is ?2.
#define VIEW                                                                                               \
	" SELECT l.school, l.site, l.line, coalesce((SELECT a.path FROM school_area x JOIN area a ON"      \
	" a.id = x.area LEFT JOIN tree t ON t.name = x.tree WHERE x.school = l.school AND x.from_ms <= "   \
	"?1 AND"                                                                                           \
	" x.to_ms > ?1 ORDER BY coalesce(t.rank, 1000), x.tree LIMIT 1), ''), s.name, i.name, l.provider," \
	" l.plan, l.down_mbps, l.up_mbps, CASE WHEN i.zone <> '' THEN i.zone ELSE s.zone END,"             \
	" CASE WHEN EXISTS(SELECT 1 FROM timetable w WHERE w.name = i.timetable) THEN coalesce((SELECT "   \
	"w.week"                                                                                           \
	" FROM timetable w WHERE w.name = i.timetable AND w.kind = 'lesson' AND w.from_day <= ?2 AND"      \
	" w.to_day > ?2 ORDER BY w.from_day DESC, w.week LIMIT 1), '') ELSE i.timetable END,"              \
	" p.device, p.shard FROM line_state l"                                                             \
	" JOIN site_state i ON i.school = l.school AND i.site = l.site AND i.from_ms <= ?1 AND i.to_ms > " \
	"?1"                                                                                               \
	" JOIN school_state s ON s.school = l.school AND s.from_ms <= ?1 AND s.to_ms > ?1"                 \
	" LEFT JOIN placement p ON p.school = l.school AND p.site = l.site AND p.line = l.line AND"        \
	" p.from_ms <= ?1 AND p.to_ms > ?1"                                                                \
	" WHERE l.from_ms <= ?1 AND l.to_ms > ?1"

int sp_register_renew_view(struct sp_store *store, int64_t now_ms)
{
	int result = SQL_DO(store->db, "DELETE FROM register");
	if (result < 0)
		return result;
	return SQL_DO(
	    store->db,
	    "INSERT INTO register(school, site, line, area, school_name, site_name, provider, contract,"
	    " down_mbps, up_mbps, zone, timetable, device, shard)" VIEW,
	    I(now_ms), I(sp_local_day(now_ms)));
}

#define X SP_REL_TEXT
const struct sp_relation sp_register_view = {"register", "lines", 3, 4, false, false, {X, X, X, X}};
#undef X

int sp_register_load_view(struct sp_store *store, struct sp_rel_texts *texts, struct sp_rel_rows *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT school, site, line, area, school_name, site_name, provider, contract, zone, timetable,"
	    " coalesce(device, ''), coalesce(shard, ''), coalesce(down_mbps, 0), coalesce(up_mbps, 0) FROM"
	    " register");
	struct sp_buf rest = SP_BUF(16384);
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_rel_row *row = sp_rel_add(out);
		for (int i = 0; i < 3; i++)
			row->cells[i] = sp_rel_text(texts, sp_row_text(rows, i));
		sp_buf_reset(&rest);
		for (int i = 3; i < 12; i++)
			sp_buf_printf(&rest, "%s\n", sp_row_text(rows, i));
		sp_buf_printf(&rest, "%.10g\n%.10g", sp_row_real(rows, 12, 0), sp_row_real(rows, 13, 0));
		row->cells[3] = sp_rel_text(texts, rest.data);
		row->file = row->line = SP_REGISTER_STORED;
	}
	sp_buf_free(&rest);
	sp_rel_sort(out, 3);
	return result;
}

int sp_register_view_at(struct sp_store *store, int64_t at_ms,
			void (*row)(void *arg, const char *const cells[SP_KIND_COLUMNS]), void *arg)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db, VIEW " ORDER BY 1, 2, 3", I(at_ms), I(sp_local_day(at_ms)));
	// In the order of the columns of the kind `register`.
	static const int places[] = {3, 0, 4, 1, 5, 2, 6, 7, 8, 9, 10, 12, 13, 11};
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		const char *cells[SP_KIND_COLUMNS] = {NULL};
		char numbers[2][32];
		for (size_t i = 0; i < SP_COUNT(places); i++) {
			cells[i] = sp_row_text(rows, places[i]);
			if ((places[i] == 8 || places[i] == 9) && !sp_row_is_null(rows, places[i]))
				cells[i] =
				    sp_rel_real(sp_row_real(rows, places[i], 0), numbers[places[i] - 8]);
		}
		row(arg, cells);
	}
	return result;
}
