// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// All sites' schedules from the store: read once, kept by the handle until an import changes the register.
#include <stdlib.h>

#include "tools/hub/register/calendar.h"
#include "tools/hub/store/register_priv.h"

/// Schools in the areas that anything is said of.
static int load_areas(struct sp_store *store, struct sp_rel_texts *texts, struct sp_rel_rows *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT s.school, a.tree || ':' || a.code, greatest(s.from_ms, p.from_ms), least(s.to_ms, "
	    "p.to_ms)"
	    " FROM area a JOIN area_path p ON p.ancestor = a.id JOIN school_area s ON s.area = p.area AND"
	    " s.from_ms < p.to_ms AND s.to_ms > p.from_ms WHERE a.tree || ':' || a.code IN"
	    " (SELECT code FROM holiday WHERE scope = 'area' UNION SELECT code FROM exam WHERE scope = 'area'"
	    " UNION SELECT code FROM maintenance WHERE scope = 'area')");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_rel_row *row = sp_rel_add(out);
		row->cells[0] = sp_rel_text(texts, sp_row_text(rows, 0));
		row->cells[1] = sp_rel_text(texts, sp_row_text(rows, 1));
		row->from = sp_row_int(rows, 2, 0);
		row->to = sp_row_int(rows, 3, SP_OPEN_END);
	}
	return result;
}

/// Maintenance of a provider or a board takes a site out as far as all of its lines are that provider's, or
/// all of its boards that one.
static int load_maintained(struct sp_store *store, struct sp_rel_texts *texts, struct sp_rel_rows *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT l.school, l.site, greatest(m.from_ms, l.from_ms), least(m.to_ms, l.to_ms) FROM "
	    "maintenance m"
	    " JOIN line_state l ON l.provider = m.code AND l.from_ms < m.to_ms AND l.to_ms > m.from_ms"
	    " WHERE m.scope = 'provider' AND NOT EXISTS(SELECT 1 FROM line_state o WHERE o.school = l.school "
	    "AND"
	    " o.site = l.site AND o.provider <> m.code AND o.from_ms < m.to_ms AND o.to_ms > m.from_ms)"
	    " UNION SELECT p.school, p.site, greatest(m.from_ms, p.from_ms), least(m.to_ms, p.to_ms) FROM"
	    " maintenance m JOIN placement p ON p.device = m.code AND p.from_ms < m.to_ms AND p.to_ms > "
	    "m.from_ms"
	    " WHERE m.scope = 'device' AND NOT EXISTS(SELECT 1 FROM placement o WHERE o.school = p.school AND"
	    " o.site = p.site AND o.device <> m.code AND o.from_ms < m.to_ms AND o.to_ms > m.from_ms)");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_rel_row *row = sp_rel_add(out);
		row->cells[0] = "site";
		row->cells[1] = sp_rel_text(texts, sp_row_text(rows, 0));
		row->cells[2] = sp_rel_text(texts, sp_row_text(rows, 1));
		row->from = sp_row_int(rows, 2, 0);
		row->to = sp_row_int(rows, 3, SP_OPEN_END);
	}
	return result;
}

static int load(struct sp_store *store, struct sp_calendar **out)
{
	struct sp_calendar_rows rows = {0};
	struct sp_rel_texts texts = {0};
	const struct {
		enum sp_relation_id id;
		struct sp_rel_rows *rows;
	} relations[] = {{SP_REL_SITE, &rows.sites},
			 {SP_REL_TIMETABLE, &rows.timetables},
			 {SP_REL_HOLIDAY, &rows.holidays},
			 {SP_REL_EXAM, &rows.exams},
			 {SP_REL_MAINTENANCE, &rows.maintenance}};
	int result = 0;
	for (size_t i = 0; result == 0 && i < SP_COUNT(relations); i++)
		result = sp_register_load_rows(store, relations[i].id, &texts, relations[i].rows);
	if (result == 0)
		result = load_areas(store, &texts, &rows.areas);
	if (result == 0)
		result = load_maintained(store, &texts, &rows.maintenance);
	if (result == 0)
		*out = sp_calendar_new(&rows);
	for (size_t i = 0; i < SP_COUNT(relations); i++)
		free(relations[i].rows->items);
	free(rows.areas.items);
	sp_rel_texts_free(&texts);
	return result;
}

int sp_store_calendar(struct sp_store *store, const struct sp_calendar **out)
{
	struct sp_calendar *calendar = NULL;
	int64_t rev = 0;
	*out = store->calendar;
	if (store->calendar && store->calendar_checked)
		return 0;
	int result = sp_store_meta_get(store, "register_rev", &rev);
	if (result < 0)
		return result;
	if (!store->calendar || store->calendar_rev != rev) {
		result = load(store, &calendar);
		if (result < 0)
			return result;
		sp_calendar_free(store->calendar);
		store->calendar = calendar;
		store->calendar_rev = rev;
	}
	store->calendar_checked = true;
	*out = store->calendar;
	return 0;
}

const struct sp_schedule *sp_schedule_at(struct sp_store *store, const char *school, const char *site)
{
	static const struct sp_schedule nothing;
	const struct sp_calendar *calendar;
	// Where the store fails, the next statement of the caller does, too.
	return sp_store_calendar(store, &calendar) < 0 ? &nothing : sp_calendar_of(calendar, school, site);
}
