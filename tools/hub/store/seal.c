// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a transaction has to tell: acknowledgements of the streams it touched, and the people's
// topics that changed.
#include "tools/hub/store/hot.h"
#include "tools/hub/store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"

enum {
	HEARD_EVERY_MS = 60000,  ///< a topic is published again for its last_heard alone at most this often
	SILENCE_EVERY_MS = 5000, ///< boards that fell silent are looked for
};

// ---- acknowledgements ----------------------------------------------------------------------------

static int stream_names(struct sp_store *store, int64_t stream, struct sp_store_ack *out)
{
	struct sp_rows *rows = SQL_QUERY(
	    store->db,
	    "SELECT s.name, d.name, d.shard FROM stream s JOIN device d ON d.id = s.device WHERE s.id = ?",
	    I(stream));
	int result = sp_rows_next(store->db, rows);
	if (result != 1)
		return result;
	snprintf(out->ack.stream, sizeof(out->ack.stream), "%s", sp_row_text(rows, 0));
	snprintf(out->device, sizeof(out->device), "%s", sp_row_text(rows, 1));
	snprintf(out->shard, sizeof(out->shard), "%s", sp_row_text(rows, 2));
	sp_rows_leave(rows);
	return 1;
}

static int seal_acks(struct sp_store *store, struct sp_store_news *news)
{
	sp_touched_sort(&store->streams);
	size_t most = store->streams.count + (store->hot ? store->hot->ack_count : 0);
	news->acks = sp_alloc((most + 1) * sizeof(*news->acks));
	for (size_t i = 0; i < store->streams.count; i++) {
		struct sp_store_ack *ack = &news->acks[news->ack_count];
		int result = stream_names(store, store->streams.ids[i], ack);
		// Gone: it was made in a message that was then refused.
		if (result == 0)
			continue;
		if (result == 1)
			result = sp_gap_settled(store, store->streams.ids[i], &ack->ack);
		snprintf(ack->ack.hub_epoch, sizeof(ack->ack.hub_epoch), "%s", store->epoch);
		ack->ack.number = ++store->ack_number;
		if (result < 0)
			return result;
		news->ack_count++;
	}
	sp_hot_seal(store, news);
	return 0;
}

// ---- the people's topics ----------------------------------------------------------------------------

static struct sp_store_site *add_site(struct sp_store_news *news)
{
	if ((news->site_count & (news->site_count - 1)) == 0)
		news->sites = sp_realloc(news->sites, (news->site_count ? news->site_count * 2 : 1) *
							  sizeof(*news->sites));
	struct sp_store_site *site = &news->sites[news->site_count++];
	*site = (struct sp_store_site){
	    .since_ms = -1, .last_heard_ms = -1, .down_mbps = -1, .up_mbps = -1, .speed_ms = -1};
	return site;
}

static void site_of(struct sp_store_site *site, const struct sp_line_view *view)
{
	snprintf(site->shard, sizeof(site->shard), "%s", view->shard);
	snprintf(site->school, sizeof(site->school), "%s", view->school);
	snprintf(site->site, sizeof(site->site), "%s", view->site);
	snprintf(site->line, sizeof(site->line), "%s", view->line);
	snprintf(site->cause, sizeof(site->cause), "%s", view->cause);
	snprintf(site->whose, sizeof(site->whose), "%s", view->whose);
	site->state = view->state;
	site->since_ms = view->since_ms;
	site->last_heard_ms = view->last_heard_ms;
	site->presence = view->presence;
	site->timetable = view->timetable;
	site->down_mbps = view->down_mbps;
	site->up_mbps = view->up_mbps;
	site->speed_ms = view->speed_ms;
}

/// 1: it differs from what was published, and that is noted now.
static int changed(struct sp_store *store, const struct sp_store_site *site)
{
	int64_t same = 0;
	int result =
	    SQL_GET(store->db, &same,
		    "SELECT 1 FROM published WHERE school = ? AND site = ? AND line = ? AND shard = ? AND"
		    " state = ? AND cause = ? AND whose = ? AND since_ms = ? AND presence = ? AND"
		    " down_mbps IS NOT DISTINCT FROM nullif(?, -1.0) AND up_mbps IS NOT DISTINCT FROM "
		    "nullif(?, -1.0) AND speed_ms = ? AND"
		    " ? - last_heard_ms BETWEEN 0 AND ?",
		    T(site->school), T(site->site), T(site->line), T(site->shard), I(site->state),
		    T(site->cause), T(site->whose), I(site->since_ms), T(site->presence), R(site->down_mbps),
		    R(site->up_mbps), I(site->speed_ms), I(site->last_heard_ms), I(HEARD_EVERY_MS - 1));
	if (result != 0)
		return result < 0 ? result : 0;
	result = SQL_DO(
	    store->db,
	    "INSERT INTO published VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, -1.0),"
	    " nullif(?, -1.0), ?) ON CONFLICT (school, site, line) DO UPDATE SET shard = excluded.shard,"
	    " state = excluded.state, cause = excluded.cause, whose = excluded.whose,"
	    " since_ms = excluded.since_ms, last_heard_ms = excluded.last_heard_ms,"
	    " presence = excluded.presence, down_mbps = excluded.down_mbps,"
	    " up_mbps = excluded.up_mbps, speed_ms = excluded.speed_ms",
	    T(site->school), T(site->site), T(site->line), T(site->shard), I(site->state), T(site->cause),
	    T(site->whose), I(site->since_ms), I(site->last_heard_ms), T(site->presence), R(site->down_mbps),
	    R(site->up_mbps), I(site->speed_ms));
	return result < 0 ? result : 1;
}

static int seal_device(struct sp_store *store, int64_t device, struct sp_store_news *news)
{
	size_t before = news->site_count;
	struct sp_rows *rows =
	    SQL_QUERY(store->db,
		      "SELECT " SP_LINE_COLUMNS " FROM device d JOIN register r ON r.device = d.name"
		      " LEFT JOIN line l ON l.device = d.id AND l.name = r.line WHERE d.id = ?",
		      I(device));
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_line_view view;
		sp_line_view(store, rows, &view);
		site_of(add_site(news), &view);
	}
	for (size_t i = before; result == 0 && i < news->site_count;) {
		result = changed(store, &news->sites[i]);
		if (result == 0)
			news->sites[i] = news->sites[--news->site_count];
		else
			i++;
		result = result < 0 ? result : 0;
	}
	return result;
}

/// Every line of the register, behind those that are gone; `published` is written anew.
static int seal_all(struct sp_store *store, struct sp_store_news *news)
{
	size_t before = news->site_count;
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT " SP_LINE_COLUMNS " FROM register r LEFT JOIN device d ON d.name ="
				 " r.device LEFT JOIN line l ON l.device = d.id AND l.name = r.line WHERE"
				 " r.device IS NOT NULL");
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		struct sp_line_view view;
		sp_line_view(store, rows, &view);
		if (sp_store_serves(store, view.shard))
			site_of(add_site(news), &view);
	}
	for (size_t i = before; result >= 0 && i < news->site_count; i++)
		result = changed(store, &news->sites[i]);
	return result < 0 ? result : 0;
}

/// Topics of lines that left the register, or whose board moved to another shard's broker.
static int seal_gone(struct sp_store *store, struct sp_store_news *news)
{
	struct sp_rows *rows =
	    SQL_QUERY(store->db, "SELECT p.school, p.site, p.line, p.shard FROM published p WHERE NOT EXISTS("
				 "SELECT 1 FROM register r WHERE r.school = p.school AND r.site = p.site AND"
				 " r.line = p.line AND r.device IS NOT NULL AND r.shard = p.shard)");
	size_t before = news->site_count;
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (!sp_store_serves(store, sp_row_text(rows, 3)))
			continue;
		struct sp_store_site *site = add_site(news);
		snprintf(site->school, sizeof(site->school), "%s", sp_row_text(rows, 0));
		snprintf(site->site, sizeof(site->site), "%s", sp_row_text(rows, 1));
		snprintf(site->line, sizeof(site->line), "%s", sp_row_text(rows, 2));
		snprintf(site->shard, sizeof(site->shard), "%s", sp_row_text(rows, 3));
		site->gone = true;
		site->presence = "";
	}
	for (size_t i = before; result == 0 && i < news->site_count; i++)
		result = SQL_DO(store->db, "DELETE FROM published WHERE school = ? AND site = ? AND line = ?",
				T(news->sites[i].school), T(news->sites[i].site), T(news->sites[i].line));
	return result;
}

static int touch_found(struct sp_store *store, struct sp_rows *rows)
{
	int result;
	while ((result = sp_rows_next(store->db, rows)) == 1) {
		if (sp_store_serves(store, sp_row_text(rows, 1)))
			sp_touch(&store->devices, sp_row_int(rows, 0, 0));
	}
	return result;
}

/// A silence is no message: the boards that time alone has changed since their topics were published. The
/// timetable may have called for those that were switched off: looked at once a minute, since at night they
/// are all of them.
static int touch_silent(struct sp_store *store)
{
	int64_t since_ms = store->now_ms - store->silence_sought_ms;
	if (since_ms >= 0 && since_ms < SILENCE_EVERY_MS)
		return 0;
	bool minute = store->now_ms / HEARD_EVERY_MS != store->silence_sought_ms / HEARD_EVERY_MS;
	// From the boards that are quiet, which are few, and then by keys: no statistics have to say so.
	int result = touch_found(
	    store,
	    SQL_QUERY(
		store->db,
		"WITH quiet AS MATERIALIZED (SELECT id, name FROM device WHERE coalesce(last_heard_ms, -1)"
		" < ?2) SELECT d.id, p.shard FROM quiet d JOIN register r ON r.device = d.name JOIN published"
		" p ON p.school = r.school AND p.site = r.site AND p.line = r.line WHERE p.presence ="
		" 'online' OR p.state <> ?1",
		I(SP_LINE_UNKNOWN), I(store->now_ms - store->silence_ms)));
	if (result == 0 && minute)
		result = touch_found(
		    store,
		    SQL_QUERY(
			store->db,
			"WITH dark AS MATERIALIZED (SELECT school, site, line, shard FROM published WHERE "
			"cause"
			" = 'switched_off') SELECT d.id, p.shard FROM dark p JOIN register r ON r.school ="
			" p.school AND r.site = p.site AND r.line = p.line JOIN device d ON d.name ="
			" r.device"));
	if (result == 0)
		store->silence_sought_ms = store->now_ms;
	return result;
}

static int seal_sites(struct sp_store *store, bool all, struct sp_store_news *news)
{
	int64_t rev = 0;
	int result = sp_store_meta_get(store, "register_rev", &rev);
	if (result == 0 && (all || rev != store->register_rev)) {
		store->register_rev = rev;
		result = seal_gone(store, news);
		return result < 0 ? result : seal_all(store, news);
	}
	if (result == 0)
		result = touch_silent(store);
	sp_touched_sort(&store->devices);
	for (size_t i = 0; result == 0 && i < store->devices.count; i++)
		result = seal_device(store, store->devices.ids[i], news);
	return result;
}

int sp_store_seal(struct sp_store *store, bool all_sites, struct sp_store_news *news)
{
	*news = (struct sp_store_news){0};
	int result = sp_hot_flush(store);
	if (result == 0)
		result = seal_acks(store, news);
	if (result == 0)
		result = seal_sites(store, all_sites, news);
	if (result < 0)
		sp_store_news_free(news);
	return result;
}

void sp_store_news_free(struct sp_store_news *news)
{
	free(news->acks);
	free(news->sites);
	*news = (struct sp_store_news){0};
}
