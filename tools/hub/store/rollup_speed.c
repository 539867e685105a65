// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Speed tests of a site's lines by day: sums for the pools of contracts, and the samples for medians. The
// same tests count as for the evidence (speed.c): valid, domestic, of a board that the register knew, placed
// well.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "tools/hub/facts/fact_speed.h"
#include "tools/hub/store/rollup.h"

enum { UNPLACED_ERR_MS = 30 * 60 * 1000, SAMPLES_MAX = 64 * 1024, POOLS_MAX = 16 };

/// A line's tests of one day under one contract.
struct pool {
	char *provider, *plan;
	int64_t day, bought_down_kbps, bought_up_kbps;
	int64_t count[SP_TEST_DIRECTIONS], sum_bps[SP_TEST_DIRECTIONS];
	struct sp_buf samples[SP_TEST_DIRECTIONS], loaded;
};

struct pools {
	struct pool items[POOLS_MAX];
	size_t count;
};

static void free_pools(struct pools *pools)
{
	for (size_t i = 0; i < pools->count; i++) {
		struct pool *pool = &pools->items[i];
		free(pool->provider);
		free(pool->plan);
		sp_buf_free(&pool->samples[0]);
		sp_buf_free(&pool->samples[1]);
		sp_buf_free(&pool->loaded);
	}
	pools->count = 0;
}

static int64_t kbps(double mbps)
{
	return mbps > 0 && mbps < 1e9 ? (int64_t)(mbps * 1000 + 0.5) : 0;
}

/// NULL: more contracts in a day than any line has; what is beyond counts in none.
static struct pool *pool_of(struct pools *pools, int64_t day, const char *provider, const char *plan,
			    int64_t down, int64_t up)
{
	for (size_t i = 0; i < pools->count; i++) {
		struct pool *pool = &pools->items[i];
		if (pool->day == day && pool->bought_down_kbps == down && pool->bought_up_kbps == up &&
		    strcmp(pool->provider, provider) == 0 && strcmp(pool->plan, plan) == 0)
			return pool;
	}
	if (pools->count == POOLS_MAX)
		return NULL;
	struct pool *pool = &pools->items[pools->count++];
	*pool = (struct pool){.provider = sp_strdup(provider),
			      .plan = sp_strdup(plan),
			      .day = day,
			      .bought_down_kbps = down,
			      .bought_up_kbps = up,
			      .samples = {SP_BUF(SAMPLES_MAX), SP_BUF(SAMPLES_MAX)},
			      .loaded = SP_BUF(SAMPLES_MAX)};
	return pool;
}

static void add_sample(struct sp_buf *samples, int64_t value)
{
	sp_buf_printf(samples, samples->length ? " %" PRId64 : "%" PRId64, value);
}

static const char *text(const struct sp_buf *samples)
{
	return samples->data ? samples->data : "";
}

static int write_pools(struct sp_store *store, const struct sp_rollup_site *site, const char *line,
		       struct pools *pools)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < pools->count; i++) {
		const struct pool *p = &pools->items[i];
		// One that stood at the line before, on the same day and under the same contract: another
		// row's samples; they are joined.
		result = SQL_DO(
		    store->db,
		    "INSERT INTO speed_day(school, day, site, line, provider, plan, bought_down_kbps, "
		    "bought_up_kbps,"
		    " down_count, down_bps, up_count, up_bps, down_samples, up_samples, loaded_samples) "
		    "VALUES(?, ?, ?,"
		    " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (school, day, site, line, provider, "
		    "plan,"
		    " bought_down_kbps, bought_up_kbps) DO UPDATE SET down_count = speed_day.down_count +"
		    " excluded.down_count, down_bps = speed_day.down_bps + excluded.down_bps, up_count ="
		    " speed_day.up_count + excluded.up_count, up_bps = speed_day.up_bps + excluded.up_bps,"
		    " down_samples = trim(speed_day.down_samples || ' ' || excluded.down_samples), "
		    "up_samples ="
		    " trim(speed_day.up_samples || ' ' || excluded.up_samples), loaded_samples ="
		    " trim(speed_day.loaded_samples || ' ' || excluded.loaded_samples)",
		    T(site->school), I(p->day), T(site->site), T(line), T(p->provider), T(p->plan),
		    I(p->bought_down_kbps), I(p->bought_up_kbps), I(p->count[0]), I(p->sum_bps[0]),
		    I(p->count[1]), I(p->sum_bps[1]), T(text(&p->samples[0])), T(text(&p->samples[1])),
		    T(text(&p->loaded)));
	}
	free_pools(pools);
	return result;
}

static void add_test(struct pools *pools, const struct sp_rows *rows)
{
	struct sp_fact_speedtest fact;
	double bps = sp_row_real(rows, 2, -1);
	int64_t direction = sp_row_int(rows, 1, SP_TEST_DOWN);
	// Of a test's own contract each member that it has; else the register's of that time.
	struct pool *pool =
	    pool_of(pools, sp_local_day(sp_row_int(rows, 0, 0)), sp_row_text(rows, 3), sp_row_text(rows, 4),
		    kbps(sp_row_real(rows, 5, 0)), kbps(sp_row_real(rows, 6, 0)));
	if (!pool || !(bps >= 0) || bps > 1e12 || direction < 0 || direction >= SP_TEST_DIRECTIONS)
		return;
	int64_t whole = (int64_t)(bps + 0.5);
	pool->count[direction]++;
	pool->sum_bps[direction] += whole;
	add_sample(&pool->samples[direction], whole);
	if (sp_fact_speedtest(&fact, sp_row_text(rows, 7)) && fact.loaded.count > 0 &&
	    fact.loaded.median >= 0)
		add_sample(&pool->loaded, (int64_t)(fact.loaded.median * 1e6 + 0.5));
}

static int of_place(struct sp_store *store, const struct sp_rollup_site *site,
		    const struct sp_rollup_place *place)
{
	struct pools pools = {.count = 0};
	int64_t day = INT64_MIN;
	struct sp_rows *rows = SQL_QUERY(store->db,
					 "SELECT t.t_ms, t.direction, t.goodput_bps, coalesce(t.provider, "
					 "s.provider, ''), coalesce(t.plan, s.plan,"
					 " ''), coalesce(t.down_mbps, s.down_mbps), coalesce(t.up_mbps, "
					 "s.up_mbps), e.data FROM speedtest t JOIN"
					 " line l ON l.id = ?2 AND l.name = t.line JOIN event e ON e.stream "
					 "= t.stream AND e.seq = t.seq LEFT JOIN"
					 " line_state s ON s.school = ?5 AND s.site = ?6 AND s.line = ?7 AND "
					 "s.from_ms <= t.t_ms AND s.to_ms >"
					 " t.t_ms WHERE t.device = ?1 AND t.t_ms >= ?3 AND t.t_ms < ?4 AND "
					 "t.validity = 0 AND t.scope = 1 AND"
					 " t.reason = '' AND t.placed < ?8 AND t.err_ms <= ?9 AND "
					 "t.goodput_bps IS NOT NULL ORDER BY t.t_ms,"
					 " t.stream, t.seq",
					 I(place->device_id), I(place->line_id), I(place->from_ms),
					 I(place->to_ms), T(site->school), T(site->site), T(place->line),
					 I(SP_PLACED_BOUNDS), I(UNPLACED_ERR_MS));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		int64_t today = sp_local_day(sp_row_int(rows, 0, 0));
		if (today != day && (result = write_pools(store, site, place->line, &pools)) < 0) {
			sp_rows_leave(rows);
			break;
		}
		day = today;
		add_test(&pools, rows);
	}
	if (result == 0)
		result = write_pools(store, site, place->line, &pools);
	free_pools(&pools);
	return result;
}

int sp_rollup_speed(struct sp_store *store, const struct sp_rollup_site *site)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < site->place_count; i++) {
		if (site->places[i].line_id)
			result = of_place(store, site, &site->places[i]);
	}
	return result;
}
