// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What KPIs are computed from, out of the rollups: sums by school and site over a period. The tables lie in
// the order of their schools and are asked stretch by stretch of codes, so that what is sorted, and what a
// server sends at once, stays small.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/store/kpi_priv.h"

enum { SCHOOLS_STRETCH = 500 }; ///< of one query

/// Schools that one query is about: first ≤ code ≤ last.
struct stretch {
	const char *first, *last;
};

// ---- which schools and sites -------------------------------------------------------------------------

static int find_area(struct sp_store *store, const struct sp_kpi_ask *ask, int64_t *area)
{
	*area = 0;
	if (!ask->area)
		return 0;
	int result =
	    ask->tree
		? SQL_GET(store->db, area, "SELECT id FROM area WHERE code = ? AND tree = ?", T(ask->area),
			  T(ask->tree))
		: SQL_GET(
		      store->db, area,
		      "SELECT a.id FROM area a LEFT JOIN tree t ON t.name = a.tree WHERE a.code = ? ORDER BY"
		      " coalesce(t.rank, 1000000), a.tree LIMIT 1",
		      T(ask->area));
	return result == 0 ? -ENOENT : result < 0 ? result : 0;
}

static int read_schools(struct sp_store *store, struct sp_kpi_reading *r)
{
	struct sp_rows *rows =
	    r->area
		? SQL_QUERY(
		      store->db,
		      "SELECT s.school, s.zone, s.kind, s.pupils FROM (SELECT DISTINCT sa.school FROM"
		      " area_path p JOIN school_area sa ON sa.area = p.area AND sa.from_ms <= ?1 AND "
		      "sa.to_ms > ?1"
		      " WHERE p.ancestor = ?2 AND p.from_ms <= ?1 AND p.to_ms > ?1) a JOIN school_state s ON"
		      " s.school = a.school AND s.from_ms <= ?1 AND s.to_ms > ?1",
		      I(r->data->as_of_ms), I(r->area))
		: SQL_QUERY(store->db,
			    "SELECT school, zone, kind, pupils FROM school_state WHERE from_ms <= ?1 AND "
			    "to_ms > ?1",
			    I(r->data->as_of_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		sp_kpi_add_school(r->data, sp_row_text(rows, 0), sp_row_text(rows, 1), sp_row_text(rows, 2),
				  sp_row_int(rows, 3, SP_KPI_UNKNOWN));
	sp_kpi_schools_done(r->data);
	return result;
}

static int read_sites(struct sp_store *store, struct sp_kpi_reading *r)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db, "SELECT school, site, zone, main FROM site_state WHERE from_ms <= ?1 AND to_ms > ?1",
	    I(r->data->as_of_ms));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		sp_kpi_add_site(r->data, sp_row_text(rows, 0), sp_row_text(rows, 1), sp_row_text(rows, 2),
				sp_row_int(rows, 3, 0) != 0);
	sp_kpi_sites_done(r->data);
	return result;
}

// ---- lines -------------------------------------------------------------------------------------------

static int64_t kbps(double mbps)
{
	return mbps > 0 && mbps < 1e9 ? (int64_t)(mbps * 1000 + 0.5) : 0;
}

static void on_line(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_school *school = sp_kpi_school_of(r->data, sp_row_text(rows, 0));
	const char *medium = sp_row_text(rows, 1), *provider = sp_row_text(rows, 3),
		   *plan = sp_row_text(rows, 4);
	int64_t down = kbps(sp_row_real(rows, 5, 0)), up = kbps(sp_row_real(rows, 6, 0));
	if (!school)
		return;
	school->lines.lines++;
	if (strcmp(medium, "fibre") != 0)
		school->lines.others += medium[0] != '\0';
	else if (sp_row_text(rows, 2)[0] && sp_row_int(rows, 7, 0) > 0)
		school->lines.fibre++;
	if (provider[0] || plan[0] || down || up)
		sp_kpi_pool_of(r->data, provider, plan, down, up)->lines++;
}

#define LINES                                                                                                \
	"SELECT l.school, l.medium, l.medium_evidence, l.provider, l.plan, l.down_mbps, l.up_mbps, CASE "    \
	"WHEN"                                                                                               \
	" l.medium = 'fibre' AND EXISTS(SELECT 1 FROM line_day d WHERE d.school = l.school AND d.day >= ?2 " \
	"AND"                                                                                                \
	" d.day < ?3 AND d.site = l.site AND d.line = l.line AND d.kind = 'clock' AND d.up_ms + "            \
	"d.degraded_ms > 0)"                                                                                 \
	" THEN 1 ELSE 0 END FROM line_state l WHERE l.from_ms <= ?1 AND l.to_ms > ?1"

static struct sp_rows *lines(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	const struct sp_kpi_data *d = r->data;
	return SQL_QUERY(store->db, LINES " AND l.school >= ?4 AND l.school <= ?5", I(d->as_of_ms),
			 I(d->from_day), I(d->to_day), T(s->first), T(s->last));
}

// ---- time --------------------------------------------------------------------------------------------

static struct sp_kpi_uptime times_of(const struct sp_rows *rows, int column)
{
	return (struct sp_kpi_uptime){sp_row_int(rows, column, 0), sp_row_int(rows, column + 1, 0),
				      sp_row_int(rows, column + 2, 0), sp_row_int(rows, column + 3, 0),
				      sp_row_int(rows, column + 4, 0)};
}

static void on_time(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_site *site = sp_kpi_site_of(r->data, sp_row_text(rows, 0), sp_row_text(rows, 1));
	const char *kind = sp_row_text(rows, 2);
	if (!site)
		return;
	if (strcmp(kind, "clock") == 0) {
		site->times[SP_KPI_TIME_CLOCK] = times_of(rows, 3);
		site->days = sp_row_int(rows, 8, 0);
	} else {
		site->times[strcmp(kind, "exam") == 0 ? SP_KPI_TIME_EXAM : SP_KPI_TIME_LESSON] =
		    times_of(rows, 3);
	}
}

/// From and to a day, of a stretch of schools.
#define OF_STRETCH    " WHERE school >= ?3 AND school <= ?4 AND day >= ?1 AND day < ?2"
#define STRETCH(d, s) I((d)->from_day), I((d)->to_day), T((s)->first), T((s)->last)
#define SUM(column)   "CAST(sum(" column ") AS BIGINT)"
#define TIMES               \
	SUM("scheduled_ms") \
	", " SUM("up_ms") ", " SUM("degraded_ms") ", " SUM("down_provider_ms") ", " SUM("down_other_ms")

static struct sp_rows *times(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	return SQL_QUERY(store->db,
			 "SELECT school, site, kind, " TIMES ", count(*) FROM site_day" OF_STRETCH
			 " GROUP BY school, site, kind",
			 STRETCH(r->data, s));
}

static void on_line_time(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_site *site = sp_kpi_site_of(r->data, sp_row_text(rows, 0), sp_row_text(rows, 1));
	if (site)
		site->lines = times_of(rows, 2);
}

static struct sp_rows *line_times(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	return SQL_QUERY(store->db,
			 "SELECT school, site, " TIMES " FROM line_day" OF_STRETCH
			 " AND kind = 'clock' GROUP BY school, site",
			 STRETCH(r->data, s));
}

// ---- boards ------------------------------------------------------------------------------------------

static void on_boards(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_school *school = sp_kpi_school_of(r->data, sp_row_text(rows, 0));
	if (!school)
		return;
	school->board_days = sp_row_int(rows, 1, 0);
	school->school_days = sp_row_int(rows, 2, 0);
	school->days_with_facts = sp_row_int(rows, 3, 0);
	school->facts = sp_row_int(rows, 4, 0);
	school->timely = sp_row_int(rows, 5, 0);
	school->committed = sp_row_int(rows, 6, 0);
	school->missing = sp_row_int(rows, 7, 0);
	school->checks = sp_row_int(rows, 8, 0);
	school->answered = sp_row_int(rows, 9, 0);
	school->kiosks = sp_row_int(rows, 10, 0);
	school->kiosk_days = sp_row_int(rows, 11, 0);
	school->kiosk_days_unknown = school->school_days - school->kiosk_days - sp_row_int(rows, 12, 0);
	int64_t last_ms = sp_row_int(rows, 13, SP_KPI_UNKNOWN);
	r->data->newest_ms = last_ms > r->data->newest_ms ? last_ms : r->data->newest_ms;
}

/// A healthy kiosk was up for 80 % of the day's school time (figures/automation.h); the best one of the
/// school counts, and a day on which none could have been is a day without.
#define A_DAY                                                                                            \
	"SELECT school, day, max(school_day) AS school_day, sum(facts) AS facts, sum(timely) AS timely," \
	" sum(committed) AS committed, sum(missing) AS missing, sum(checks) AS checks,"                  \
	" sum(answered) AS answered, max(kiosks) AS kiosks,"                                             \
	" max(CASE WHEN kiosks > 0 AND kiosk_up_ms * 10 >= lesson_ms * 8 THEN 1 ELSE 0 END) AS healthy," \
	" max(CASE WHEN kiosks > 0 AND kiosk_possible_ms * 10 < lesson_ms * 8 THEN 0 ELSE 1 END)"        \
	" AS possible, max(last_ms) AS last_ms FROM board_day"
#define COUNT(condition) SUM("CASE WHEN school_day = 1 AND " condition " THEN 1 ELSE 0 END")
#define FACTS_ON         COUNT("facts > 0")
#define HEALTHY_ON       COUNT("healthy = 1")
#define IMPOSSIBLE_ON    COUNT("healthy = 0 AND possible = 0")
#define RECORDS          SUM("facts") ", " SUM("timely") ", " SUM("committed") ", " SUM("missing")
#define CHECKS           SUM("checks") ", " SUM("answered")
#define A_PERIOD                                                                                      \
	"SELECT school, count(*), " SUM("school_day") ", " FACTS_ON ", " RECORDS ", " CHECKS          \
						      ", max(kiosks), " HEALTHY_ON ", " IMPOSSIBLE_ON \
						      ", max(last_ms) FROM ("

static struct sp_rows *boards(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	return SQL_QUERY(store->db, A_PERIOD A_DAY OF_STRETCH " GROUP BY school, day) d GROUP BY school",
			 STRETCH(r->data, s));
}

static void on_probes(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_site *site = sp_kpi_site_of(r->data, sp_row_text(rows, 0), sp_row_text(rows, 1));
	if (!site)
		return;
	site->probes = sp_row_int(rows, 2, 0);
	site->lost = sp_row_int(rows, 3, 0);
}

static struct sp_rows *probes(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	return SQL_QUERY(store->db,
			 "SELECT school, site, " SUM("probes") ", " SUM(
			     "lost") " FROM board_day" OF_STRETCH " AND probes > 0 GROUP BY school, site",
			 STRETCH(r->data, s));
}

// ---- speed -------------------------------------------------------------------------------------------

static void on_speed(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_site *site = sp_kpi_site_of(r->data, sp_row_text(rows, 0), sp_row_text(rows, 1));
	if (!site)
		return;
	sp_kpi_samples_add(&site->down, sp_row_text(rows, 10));
	sp_kpi_samples_add(&site->up, sp_row_text(rows, 11));
	sp_kpi_samples_add(&site->loaded, sp_row_text(rows, 12));
	struct sp_kpi_pool *pool = sp_kpi_pool_of(r->data, sp_row_text(rows, 2), sp_row_text(rows, 3),
						  sp_row_int(rows, 4, 0), sp_row_int(rows, 5, 0));
	pool->down_count += sp_row_int(rows, 6, 0);
	pool->down_bps += sp_row_int(rows, 7, 0);
	pool->up_count += sp_row_int(rows, 8, 0);
	pool->up_bps += sp_row_int(rows, 9, 0);
}

static struct sp_rows *speed(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	return SQL_QUERY(
	    store->db,
	    "SELECT school, site, provider, plan, bought_down_kbps, bought_up_kbps, down_count, down_bps,"
	    " up_count, up_bps, down_samples, up_samples, loaded_samples FROM speed_day" OF_STRETCH,
	    STRETCH(r->data, s));
}

// ---- equipment ---------------------------------------------------------------------------------------

static void on_assets(struct sp_kpi_reading *r, const struct sp_rows *rows)
{
	struct sp_kpi_school *school = sp_kpi_school_of(r->data, sp_row_text(rows, 0));
	if (!school)
		return;
	school->declared = sp_row_int(rows, 1, 0);
	school->complete = sp_row_int(rows, 2, 0);
}

static struct sp_rows *assets(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	return SQL_QUERY(
	    store->db,
	    "SELECT d.school, " SUM("d.count") ", " SUM(
		"least(d.count, coalesce(a.n, 0))") " FROM declared d LEFT JOIN (SELECT school, category, "
						    "count(*) AS n FROM asset WHERE"
						    " complete = 1 AND from_day <= ?1 AND to_day > ?1 AND "
						    "school >= ?2 AND school <= ?3"
						    " GROUP BY school, category) a ON a.school = d.school "
						    "AND a.category = d.category WHERE"
						    " d.from_day <= ?1 AND d.to_day > ?1 AND d.school >= ?2 "
						    "AND d.school <= ?3 GROUP BY d.school",
	    I(sp_local_day(r->data->as_of_ms)), T(s->first), T(s->last));
}

// ---- all of it ---------------------------------------------------------------------------------------

static int each(struct sp_store *store, struct sp_kpi_reading *r, struct sp_rows *rows,
		void (*row)(struct sp_kpi_reading *r, const struct sp_rows *rows))
{
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(r, rows);
	return result;
}

static const struct {
	struct sp_rows *(*query)(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s);
	void (*row)(struct sp_kpi_reading *r, const struct sp_rows *rows);
} parts[] = {{lines, on_line},    {times, on_time},  {line_times, on_line_time}, {boards, on_boards},
	     {probes, on_probes}, {speed, on_speed}, {assets, on_assets}};

/// How many schools that nobody asks about lie before each one, in the order of codes; the table's last entry
/// repeats.
static int read_others(struct sp_store *store, const struct sp_kpi_data *d, size_t *others)
{
	size_t at = 0, between = 0;
	struct sp_rows *rows = SQL_QUERY(store->db, "SELECT code FROM school ORDER BY code");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		const char *code = sp_row_text(rows, 0);
		for (; at < d->school_count && strcmp(d->schools[at].code, code) < 0; at++)
			others[at] = between;
		if (at < d->school_count && strcmp(d->schools[at].code, code) == 0)
			others[at++] = between;
		else
			between++;
	}
	for (; at < d->school_count; at++)
		others[at] = between;
	return result;
}

/// The last school of the stretch that begins with `first`. Provinces' codes lie together, and communes'
/// mostly do: the rows of a few others are read and passed over.
static size_t stretch_end(const size_t *others, size_t count, size_t first)
{
	size_t last = first;
	while (last + 1 < count && last + 1 - first < SCHOOLS_STRETCH &&
	       4 * (others[last + 1] - others[first]) <= last + 1 - first)
		last++;
	return last;
}

static int read_stretch(struct sp_store *store, struct sp_kpi_reading *r, const struct stretch *s)
{
	int result = 0;
	for (size_t part = 0; result == 0 && part < SP_COUNT(parts); part++)
		result = each(store, r, parts[part].query(store, r, s), parts[part].row);
	return result;
}

static int read_parts(struct sp_store *store, struct sp_kpi_reading *r, const atomic_bool *cancelled)
{
	const struct sp_kpi_data *d = r->data;
	size_t *others = sp_alloc((d->school_count + 1) * sizeof(*others));
	int result = read_others(store, d, others);
	for (size_t first = 0, last; result == 0 && first < d->school_count; first = last + 1) {
		last = stretch_end(others, d->school_count, first);
		const struct stretch s = {d->schools[first].code, d->schools[last].code};
		result = cancelled && atomic_load(cancelled) ? -ECANCELED : read_stretch(store, r, &s);
	}
	free(others);
	return result;
}

int sp_store_kpi(struct sp_store *store, const struct sp_kpi_ask *ask, struct sp_kpi_data **out)
{
	struct sp_kpi_reading r = {.data = sp_kpi_data_new()};
	r.data->from_day = ask->from_day;
	r.data->to_day = ask->to_day;
	r.data->as_of_ms = ask->as_of_ms;
	int result = find_area(store, ask, &r.area);
	if (result == 0)
		result = read_schools(store, &r);
	if (result == 0)
		result = read_sites(store, &r);
	if (result == 0)
		result = read_parts(store, &r, ask->cancelled);
	if (result == 0)
		result = sp_kpi_fill_days(store, &r);
	*out = r.data;
	return result;
}
