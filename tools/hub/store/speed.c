// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Speed tests in the store: a row per record, which moves when a better clock places it elsewhere; single
// tests, and the one query behind all evidence.
#include <string.h>

#include "tools/hub/store/store_priv.h"

enum {
	/// A test whose moment is known less well is no evidence: nobody could say in which hour it was.
	UNPLACED_ERR_MS = 30 * 60 * 1000,
};

// ---- writing ----------------------------------------------------------------------------------------------

static int insert(struct sp_store *store, const struct sp_record *record,
		  const struct sp_fact_speedtest *fact)
{
	return SQL_DO(
	    store->db,
	    "INSERT INTO speedtest VALUES(?, ?, ?, nullif(?, -1), ?, ?, ?, ?, ?, ?, ?, ?,"
	    " nullif(?, -1.0), nullif(?, ''), nullif(?, ''), nullif(?, 0.0), nullif(?, 0.0), ?)"
	    " ON CONFLICT (t_ms, stream, seq) DO UPDATE SET err_ms = excluded.err_ms, placed = "
	    "excluded.placed,"
	    " device = excluded.device, line = excluded.line, direction = excluded.direction,"
	    " validity = excluded.validity, reason = excluded.reason, scope = excluded.scope,"
	    " method = excluded.method, goodput_bps = excluded.goodput_bps, provider = excluded.provider,"
	    " plan = excluded.plan, down_mbps = excluded.down_mbps, up_mbps = excluded.up_mbps,"
	    " instance = excluded.instance",
	    I(record->when.t_ms), I(record->stream), I(record->seq), I(record->when.err_ms),
	    I(record->when.by), I(record->device), T(fact->line), I(fact->direction), I(fact->validity),
	    T(fact->reason), I(fact->scope), T(fact->method), R(fact->goodput_bps), T(fact->provider),
	    T(fact->plan), R(fact->down_mbps), R(fact->up_mbps), T(record->instance));
}

/// The last valid domestic test of each direction.
static int refresh_line(struct sp_store *store, int64_t line)
{
	return SQL_DO(
	    store->db,
	    "WITH last AS (SELECT t.direction, t.t_ms, t.goodput_bps / 1e6 AS mbps FROM line l CROSS JOIN"
	    " (SELECT 0 AS direction UNION ALL SELECT 1) d JOIN speedtest t ON t.device = l.device AND"
	    " t.line = l.name AND t.direction = d.direction AND t.validity = 0 AND t.scope = 1 AND t.t_ms ="
	    " (SELECT max(x.t_ms) FROM speedtest x WHERE x.device = l.device AND x.line = l.name AND"
	    " x.direction = d.direction AND x.validity = 0 AND x.scope = 1) WHERE l.id = ?1)"
	    " UPDATE line SET down_mbps = (SELECT mbps FROM last WHERE direction = 0 LIMIT 1),"
	    " up_mbps = (SELECT mbps FROM last WHERE direction = 1 LIMIT 1),"
	    " speed_ms = (SELECT max(t_ms) FROM last) WHERE id = ?1",
	    I(line));
}

int sp_speed_project(struct sp_store *store, const struct sp_record *record)
{
	struct sp_fact_speedtest fact;
	int64_t line = 0;
	int result = 0;
	if (!sp_fact_speedtest(&fact, record->data))
		return 1;
	if (record->was_ms >= 0)
		result = SQL_DO(store->db, "DELETE FROM speedtest WHERE t_ms = ? AND stream = ? AND seq = ?",
				I(record->was_ms), I(record->stream), I(record->seq));
	if (result == 0)
		result = insert(store, record, &fact);
	if (result == 0)
		result = sp_line_row(store, record->device, fact.line, &line);
	return result < 0 ? result : refresh_line(store, line);
}

// ---- what the register said then --------------------------------------------------------------------

/// Joined to `t` and its device `d`.
#define JOIN_REGISTER                                                                                       \
	" LEFT JOIN placement p ON p.device = d.name AND p.board_line = t.line AND p.from_ms <= t.t_ms AND" \
	" p.to_ms > t.t_ms LEFT JOIN line_state h ON h.school = p.school AND h.site = p.site AND"           \
	" h.line = p.line AND h.from_ms <= t.t_ms AND h.to_ms > t.t_ms "

/// A test that reached no server does not say of which scope it would have been: that of its instance's other
/// tests, or else domestic. It has no figure, so none is mixed in.
#define SCOPE                                                                                              \
	" CASE WHEN t.scope = 0 AND t.goodput_bps IS NULL THEN coalesce((SELECT s.scope FROM speedtest s " \
	"WHERE"                                                                                            \
	" s.device = t.device AND s.line = t.line AND s.instance = t.instance AND s.scope > 0"             \
	" ORDER BY s.t_ms DESC LIMIT 1), 1) ELSE t.scope END"

// ---- single tests -----------------------------------------------------------------------------------

#define TEST_COLUMNS                                                                                        \
	"SELECT d.name, e.instance, p.school, p.site, t.t_ms, t.err_ms, t.placed, t.stream, t.seq, e.data " \
	"FROM"                                                                                              \
	" speedtest t JOIN device d ON d.id = t.device JOIN event e ON e.stream = t.stream AND e.seq = "    \
	"t.seq" JOIN_REGISTER
#define TEST_WHERE                                                                                           \
	" t.t_ms >= ?1 AND t.t_ms < ?2 AND (?3 < 0 OR (t.t_ms, t.stream, t.seq) < (?3, ?4, ?5)) AND (?6 IS"  \
	" NULL OR p.school = ?6) AND (?7 IS NULL OR p.site = ?7) AND (?8 IS NULL OR t.line = ?8) AND (?9 IS" \
	" NULL OR d.name = ?9) ORDER BY t.t_ms DESC, t.stream DESC, t.seq DESC LIMIT ?10"
#define TEST_ARGUMENTS(f)                                                                            \
	I((f)->from_ms), I((f)->to_ms), I((f)->after.t_ms), I((f)->after.stream), I((f)->after.seq), \
	    T((f)->school), T((f)->site), T((f)->line), T((f)->device), I((f)->limit)

int sp_store_tests(struct sp_store *store, const struct sp_test_filter *filter,
		   void (*row)(void *arg, const struct sp_test_view *test), void *arg)
{
	struct sp_fact_speedtest fact;
	bool narrow = filter->school || filter->site || filter->device;
	// Of one place or board: by its own tests; else by time. Both see the same rows.
	struct sp_rows *rows =
	    narrow ? SQL_QUERY(
			 store->db,
			 TEST_COLUMNS
			 "WHERE t.device IN (SELECT id FROM device WHERE name = ?9 OR (?9 IS NULL AND name IN"
			 " (SELECT device FROM placement WHERE (?6 IS NULL OR school = ?6) AND (?7 IS"
			 " NULL OR site = ?7)))) AND" TEST_WHERE,
			 TEST_ARGUMENTS(filter))
		   : SQL_QUERY(store->db, TEST_COLUMNS "WHERE" TEST_WHERE, TEST_ARGUMENTS(filter));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (!sp_fact_speedtest(&fact, sp_row_text(rows, 9)))
			continue; // it was read when it came
		row(arg,
		    &(struct sp_test_view){
			.device = sp_row_text(rows, 0),
			.instance = sp_row_text(rows, 1),
			.school = sp_row_text(rows, 2),
			.site = sp_row_text(rows, 3),
			.when = {sp_row_int(rows, 4, 0), sp_row_int(rows, 5, -1),
				 (enum sp_placed_by)sp_row_int(rows, 6, SP_PLACED_BOUNDS)},
			.cursor = {sp_row_int(rows, 4, 0), sp_row_int(rows, 7, 0), sp_row_int(rows, 8, 0)},
			.test = &fact,
		    });
	}
	return result;
}

// ---- evidence ---------------------------------------------------------------------------------------

/// Why a test that its board calls valid is none for us; "" if it is.
static const char *objection(const struct sp_rows *rows, enum sp_test_validity validity)
{
	if (validity != SP_TEST_VALID || sp_row_text(rows, 6)[0])
		return sp_row_text(rows, 6);
	if (sp_row_is_null(rows, 13))
		return SP_EVIDENCE_UNREGISTERED;
	if (sp_row_int(rows, 1, INT64_MAX) > UNPLACED_ERR_MS || sp_row_int(rows, 2, 0) == SP_PLACED_BOUNDS)
		return SP_EVIDENCE_UNPLACED;
	return "";
}

int sp_store_evidence(struct sp_store *store, int64_t from_ms, int64_t to_ms, const char *provider,
		      const char *plan, const struct sp_evidence_rules *rules, struct sp_evidence **out)
{
	*out = sp_evidence_new(rules);
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT t.t_ms, t.err_ms, t.placed, t.direction, t.validity," SCOPE ", t.reason, t.method,"
	    " t.goodput_bps, coalesce(t.provider, h.provider, ''),"
	    " coalesce(t.plan, h.plan, ''), coalesce(t.down_mbps, h.down_mbps), "
	    "coalesce(t.up_mbps, h.up_mbps),"
	    " p.school || '/' || p.site FROM speedtest t JOIN device d ON d.id = t.device" JOIN_REGISTER
	    "WHERE t.t_ms >= ?1 AND t.t_ms < ?2 AND (?3 IS NULL OR coalesce(t.provider, h.provider, '') = "
	    "?3) AND (?4 IS NULL OR"
	    " coalesce(t.plan, h.plan, '') = ?4)",
	    I(from_ms), I(to_ms), T(provider), T(plan));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		enum sp_test_validity validity = (enum sp_test_validity)sp_row_int(rows, 4, SP_TEST_FAILED);
		double bps = sp_row_real(rows, 8, -1);
		sp_evidence_add(*out,
				&(struct sp_evidence_sample){
				    .provider = sp_row_text(rows, 9),
				    .plan = sp_row_text(rows, 10),
				    .site = sp_row_text(rows, 13),
				    .method = sp_row_text(rows, 7),
				    .reason = objection(rows, validity),
				    .direction = (enum sp_test_direction)sp_row_int(rows, 3, SP_TEST_DOWN),
				    .validity = validity,
				    .scope = (enum sp_test_scope)sp_row_int(rows, 5, SP_TEST_NOWHERE),
				    .bought_down_mbps = sp_row_real(rows, 11, 0),
				    .bought_up_mbps = sp_row_real(rows, 12, 0),
				    .mbps = bps < 0 ? -1 : bps / 1e6,
				    .t_ms = sp_row_int(rows, 0, 0),
				});
	}
	return result;
}

int sp_store_site_speeds(struct sp_store *store, int64_t from_ms, int64_t to_ms,
			 void (*row)(void *arg, const struct sp_site_speed *site), void *arg)
{
	// The one in the middle, or the mean of both there.
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "WITH good AS (SELECT p.school AS school, p.site AS site, t.goodput_bps / 1e6 AS mbps FROM"
	    " speedtest t JOIN device d ON d.id = t.device" JOIN_REGISTER
	    "WHERE t.t_ms >= ?1 AND t.t_ms < ?2 AND t.direction = 0 AND t.validity = 0 AND t.scope = 1 AND"
	    " t.reason = '' AND t.placed < ?3 AND t.err_ms <= ?4),"
	    " ranked AS (SELECT school, site, mbps, row_number() OVER w AS place, count(*) OVER (PARTITION BY"
	    " school, site) AS n FROM good WINDOW w AS (PARTITION BY school, site ORDER BY mbps)),"
	    " middle AS (SELECT school, site, max(n) AS n, avg(mbps) AS median FROM ranked WHERE place IN"
	    " ((n + 1) / 2, n / 2 + 1) GROUP BY school, site)"
	    " SELECT r.school, r.site, coalesce(m.n, 0), m.median FROM (SELECT DISTINCT school, site FROM"
	    " register) r LEFT JOIN middle m ON m.school = r.school AND m.site = r.site ORDER BY 1, 2",
	    I(from_ms), I(to_ms), I(SP_PLACED_BOUNDS), I(UNPLACED_ERR_MS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1)
		row(arg, &(struct sp_site_speed){sp_row_text(rows, 0), sp_row_text(rows, 1),
						 sp_row_int(rows, 2, 0), sp_row_real(rows, 3, -1)});
	return result;
}
