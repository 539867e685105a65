// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Reading incidents and their members, with the places that these had then.
#include "tools/hub/store/store_priv.h"
#include "tools/hub/store/store_sums.h"

static const char *kind_name(int64_t kind)
{
	static const char *const names[] = {"untold", "line", "power", "other"};
	return kind >= 0 && kind < (int64_t)SP_COUNT(names) ? names[kind] : names[0];
}

int sp_store_incidents(struct sp_store *store, const struct sp_incident_filter *filter,
		       void (*row)(void *arg, const struct sp_incident_view *incident), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT i.id, i.scope, i.provider, i.area, i.hop, i.cause, i.from_ms, i.to_ms, i.boards, "
	    "i.of_boards,"
	    " i.told_line, i.told_power, i.found_ms, i.changed_ms, (SELECT count(DISTINCT m.device) FROM"
	    " incident_member m WHERE m.incident = i.id AND m.to_ms IS NULL) FROM incident i WHERE"
	    " (?1 = 0 OR i.to_ms IS NULL) AND (?2 < 0 OR i.id = ?2) AND i.from_ms < ?3 AND"
	    " coalesce(i.to_ms, ?5) >= ?4 ORDER BY i.from_ms DESC, i.id DESC LIMIT ?6",
	    I(filter->open ? 1 : 0), I(filter->id), I(filter->to_ms), I(filter->from_ms), I(INT64_MAX),
	    I(filter->limit));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_incident_view){
			     .id = sp_row_int(rows, 0, 0),
			     .scope = sp_incident_scope_name((enum sp_incident_scope)sp_row_int(rows, 1, 0)),
			     .provider = sp_row_text(rows, 2),
			     .area = sp_row_text(rows, 3),
			     .hop = sp_row_text(rows, 4),
			     .cause = sp_incident_cause_name((enum sp_incident_cause)sp_row_int(rows, 5, 0)),
			     .from_ms = sp_row_int(rows, 6, -1),
			     .to_ms = sp_row_int(rows, 7, -1),
			     .boards = sp_row_int(rows, 8, 0),
			     .of_boards = sp_row_int(rows, 9, 0),
			     .told_line = sp_row_int(rows, 10, 0),
			     .told_power = sp_row_int(rows, 11, 0),
			     .found_ms = sp_row_int(rows, 12, -1),
			     .changed_ms = sp_row_int(rows, 13, -1),
			     .away = sp_row_int(rows, 14, 0),
			 });
	return result;
}

int sp_store_incident_members(struct sp_store *store, int64_t incident, int64_t limit,
			      void (*row)(void *arg, const struct sp_incident_member_view *member), void *arg)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT d.name, p.school, s.name, p.site, m.line, (SELECT a.path FROM school_area x JOIN area a "
	    "ON"
	    " a.id = x.area LEFT JOIN tree t ON t.name = x.tree WHERE x.school = p.school AND x.from_ms <="
	    " m.from_ms AND x.to_ms > m.from_ms ORDER BY coalesce(t.rank, 1000), x.tree LIMIT 1), l.provider,"
	    " m.from_ms, m.err_ms, m.to_ms, m.kind, m.joined_ms FROM incident_member m JOIN device d ON"
	    " d.id = m.device LEFT JOIN placement p ON p.device = d.name AND p.board_line = m.line AND"
	    " p.from_ms <= m.from_ms AND p.to_ms > m.from_ms LEFT JOIN school_state s ON s.school = p.school"
	    " AND s.from_ms <= m.from_ms AND s.to_ms > m.from_ms LEFT JOIN line_state l ON"
	    " l.school = p.school AND l.site = p.site AND l.line = p.line AND l.from_ms <= m.from_ms AND"
	    " l.to_ms > m.from_ms WHERE m.incident = ? ORDER BY m.from_ms, d.name, m.line LIMIT ?",
	    I(incident), I(limit));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_incident_member_view){
			     .device = sp_row_text(rows, 0),
			     .school = sp_row_text(rows, 1),
			     .school_name = sp_row_text(rows, 2),
			     .site = sp_row_text(rows, 3),
			     .line = sp_row_text(rows, 4),
			     .area = sp_row_text(rows, 5),
			     .provider = sp_row_text(rows, 6),
			     .from_ms = sp_row_int(rows, 7, -1),
			     .err_ms = sp_row_int(rows, 8, -1),
			     .to_ms = sp_row_int(rows, 9, -1),
			     .told = kind_name(sp_row_int(rows, 10, 0)),
			     .joined_ms = sp_row_int(rows, 11, -1),
			 });
	return result;
}
