// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The short way of ordinary samples leads to the same rows as the long one: two stores hear the same random
// words of the same boards, one of them without the short way, and every table is compared row by row.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/hub/db/db.h"
#include "tools/hub/store/hot.h"

enum { BOARDS = 3, STEPS = 600, MADE_UP = 26 };

/// What a board is and remembers, so that it can say it again, too.
struct machine {
	char name[16], boot[37], stream[MADE_UP + 1], facts[MADE_UP + 1];
	unsigned boots;
	int64_t seq, facts_seq; ///< the last ones
	int64_t mono_us;
	int64_t wall_ms; ///< what its clock adds to the monotonic time
	bool synced;
	struct envelope last;
	char records[8192];
	char first_kept[8192]; ///< records of a batch that was held back
	struct envelope held;
};

struct pair {
	struct hub hub[2]; ///< with the short way, and without
	uint64_t random;
	struct machine machines[BOARDS];
};

static unsigned chance(struct pair *p, unsigned of)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (unsigned)(p->random >> 20) % of;
}

// ---- what is compared ------------------------------------------------------------------------------

static const struct {
	const char *sql;
	int columns;
} tables[] = {
    {"SELECT name, shard, first_heard_ms, last_heard_ms, presence, presence_ms, session, boot, version,"
     " birth_mono_us, events, id FROM device ORDER BY id",
     12},
    {"SELECT id, device, name, arrival_mono_us, arrival_ms, arrival_err_ms, heard_ms, lost_ms, disputes FROM"
     " boot ORDER BY id",
     9},
    {"SELECT boot, mono_us, t_ms, err_ms, refuted FROM anchor ORDER BY boot, mono_us", 5},
    {"SELECT id, device, name, class, opened, prev, final, issued, boot, from_ms, to_ms FROM stream ORDER BY"
     " id",
     11},
    {"SELECT stream, first, last, digest, boot, arrived_ms, loose, redacted FROM batch ORDER BY stream, "
     "first",
     8},
    {"SELECT stream, seq, type, instance, mono_us, t_ms, err_ms, placed, arrived_ms, data FROM event ORDER BY"
     " stream, seq",
     10},
    {"SELECT stream, first, last, kind, reason, at_ms FROM gap ORDER BY stream, first", 6},
    {"SELECT kind, device, stream, detail, first_ms, last_ms, count FROM anomaly ORDER BY kind, device,"
     " stream",
     7},
    {"SELECT fault, device, topic, why, count, last_ms FROM set_aside ORDER BY fault, device", 6},
    // Not last_heard_ms: a new one alone is published now and then, and of a line that is unknown as long as
    // its board was not heard, `since` follows it.
    {"SELECT school, site, line, shard, state, cause, whose, CASE WHEN state = 0 THEN 0 ELSE since_ms END,"
     " presence FROM published ORDER BY"
     " school, site, line",
     9},
};

static struct sp_db *reader(struct hub *hub)
{
	struct sp_db *db = NULL;
	char why[256] = "";
	if (sp_db_open(&db, hub->path, SP_DB_READ, why) != 0)
		fail_msg("%s", why);
	assert_int_equal(sp_db_read_begin(db), 0);
	return db;
}

static size_t compare_table(struct sp_db *const db[2], size_t table, int step)
{
	struct sp_rows *rows[2];
	size_t count = 0;
	for (int i = 0; i < 2; i++)
		rows[i] = sp_sql_query(db[i], tables[table].sql, NULL, 0);
	for (;; count++) {
		int there[2] = {sp_rows_next(db[0], rows[0]), sp_rows_next(db[1], rows[1])};
		if (there[0] != there[1])
			fail_msg("step %d: table %zu has another number of rows than %zu", step, table,
				 count);
		if (there[0] != 1) {
			assert_int_equal(there[0], 0);
			return count;
		}
		for (int c = 0; c < tables[table].columns; c++) {
			if (strcmp(sp_row_text(rows[0], c), sp_row_text(rows[1], c)) != 0)
				fail_msg("step %d: %s: row %zu, column %d: %s and %s", step,
					 tables[table].sql, count, c, sp_row_text(rows[0], c),
					 sp_row_text(rows[1], c));
		}
	}
}

static size_t compare(struct pair *p, int step)
{
	struct sp_db *db[2] = {reader(&p->hub[0]), reader(&p->hub[1])};
	size_t rows = 0;
	for (size_t i = 0; i < SP_COUNT(tables); i++)
		rows += compare_table(db, i, step);
	for (int i = 0; i < 2; i++) {
		sp_db_rollback(db[i]);
		sp_db_close(db[i]);
	}
	return rows;
}

// ---- what boards say ---------------------------------------------------------------------------------

static void say(struct pair *p, struct envelope e)
{
	enum sp_verdict verdicts[2];
	for (int i = 0; i < 2; i++)
		verdicts[i] = deliver(&p->hub[i], e);
	assert_int_equal(verdicts[0], verdicts[1]);
	if (p->hub[0].at_once || !e.stream)
		return;
	char first[2048];
	snprintf(first, sizeof(first), "%s", acked(&p->hub[0], e.stream));
	assert_string_equal(first, acked(&p->hub[1], e.stream));
}

static void made_up(struct pair *p, char out[MADE_UP + 1])
{
	for (int i = 0; i < MADE_UP; i++)
		out[i] = (char)('a' + chance(p, 26));
	out[MADE_UP] = '\0';
}

static void boot(struct pair *p, struct machine *m)
{
	snprintf(m->boot, sizeof(m->boot), "boot-%s-%u", m->name, ++m->boots);
	made_up(p, m->stream);
	made_up(p, m->facts);
	m->seq = m->facts_seq = 0;
	m->mono_us = 5 * SEC_US + (int64_t)chance(p, 60) * SEC_US;
	m->wall_ms = p->hub[0].now_ms - m->mono_us / 1000;
	m->synced = chance(p, 10) != 0;
	m->held = (struct envelope){0};
}

/// Some records of samples, one a minute, up to now.
static struct envelope samples(struct pair *p, struct machine *m, char *records, size_t size)
{
	const int64_t count = 1 + chance(p, 5), now_us = m->mono_us;
	const int64_t err_ms = chance(p, 150) == 0 ? 5000 : 20;
	const bool own = m->synced && chance(p, 8) != 0;
	size_t used = 0;
	for (int64_t i = 0; i < count; i++) {
		int64_t seq = m->seq + 1 + i, at_us = now_us - (count - i) * 4 * SEC_US;
		at_us = at_us > 0 ? at_us : i;
		used += (size_t)snprintf(records + used, size - used,
					 "%s{\"seq\":%" PRId64 ",\"type\":\"%s\",\"device\":\"internet\","
					 "\"mono_us\":%" PRId64 ",",
					 i ? "," : "[", seq,
					 seq == 1             ? "opened"
					 : chance(p, 80) == 0 ? "clock"
					 : chance(p, 3) == 0  ? "minute"
							      : "samples",
					 at_us);
		if (own)
			used += (size_t)snprintf(records + used, size - used,
						 "\"t_ms\":%" PRId64 ",\"err_ms\":%" PRId64 ",",
						 m->wall_ms + at_us / 1000, err_ms);
		used += (size_t)snprintf(records + used, size - used, "%s}",
					 seq == 1 ? "\"class\":\"bulk\",\"prev\":null" : "\"seconds\":60");
	}
	snprintf(records + used, size - used, "]");
	struct envelope e = {.device = m->name,
			     .stream = m->stream,
			     .boot = m->boot,
			     .cls = SP_RECORD_BULK,
			     .first = m->seq + 1,
			     .last = m->seq + count,
			     .records = records,
			     .clk_mono_us = now_us,
			     .synced = m->synced,
			     .clk_t_ms = m->wall_ms + now_us / 1000,
			     .clk_err_ms = err_ms,
			     .arrived_ms = p->hub[0].now_ms + chance(p, 300),
			     .lag_ms = chance(p, 40) == 0 ? 30000 : 0};
	m->seq += count;
	return e;
}

static void say_facts(struct pair *p, struct machine *m)
{
	int64_t count = 1 + chance(p, 3);
	say(p, (struct envelope){.device = m->name,
				 .stream = m->facts,
				 .boot = m->boot,
				 .cls = SP_RECORD_FACTS,
				 .first = m->facts_seq + 1,
				 .last = m->facts_seq + count,
				 .mono_us = m->mono_us - count * SEC_US > 0 ? m->mono_us - count * SEC_US : 1,
				 .t_ms = m->synced ? m->wall_ms + (m->mono_us - count * SEC_US) / 1000 : 0,
				 .err_ms = 20,
				 .clk_mono_us = m->mono_us,
				 .synced = m->synced,
				 .clk_t_ms = m->wall_ms + m->mono_us / 1000,
				 .clk_err_ms = 20});
	m->facts_seq += count;
}

static void say_birth(struct pair *p, struct machine *m)
{
	for (int i = 0; i < 2; i++)
		BORN(&p->hub[i], .device = m->name, .boot = m->boot, .mono_us = m->mono_us,
		     .synced = m->synced, .t_ms = m->wall_ms + m->mono_us / 1000,
		     .held = {{m->stream, SP_RECORD_BULK, 1, m->seq + 1}}, .held_count = 1);
}

static void say_samples(struct pair *p, struct machine *m)
{
	m->last = samples(p, m, m->records, sizeof(m->records));
	say(p, m->last);
}

static void say_something_odd(struct pair *p, struct machine *m)
{
	struct envelope e = m->last;
	switch (chance(p, 12)) {
	case 0: // the same again
		if (e.stream)
			say(p, e);
		return;
	case 1: // the same range with another content
		e.digest = "ffffffffffffffffffffffffffffffff";
		if (e.stream)
			say(p, e);
		return;
	case 2: // held back: a gap
		if (!m->held.stream && m->seq > 0)
			m->held = samples(p, m, m->first_kept, sizeof(m->first_kept));
		return;
	case 3: // and filled
		if (m->held.stream)
			say(p, m->held);
		m->held = (struct envelope){0};
		return;
	case 4:
		m->wall_ms += (int64_t)chance(p, 3) * 3600000 - 3600000;
		return;
	case 5:
		m->synced = !m->synced;
		return;
	case 6:
	case 7:
		if (!p->hub[0].at_once)
			say_birth(p, m);
		return;
	default:
		boot(p, m);
	}
}

static void pass_time(struct pair *p)
{
	int64_t ms = chance(p, 5) == 0 ? (int64_t)chance(p, 2400) * 1000 : (int64_t)chance(p, 20) * 1000;
	for (int i = 0; i < 2; i++)
		p->hub[i].now_ms += ms;
	for (int i = 0; i < BOARDS; i++)
		p->machines[i].mono_us += ms * 1000;
}

static void begin(struct pair *p)
{
	begin_many(&p->hub[0]);
	begin_many(&p->hub[1]);
}

static void end(struct pair *p)
{
	end_many(&p->hub[0]);
	end_many(&p->hub[1]);
}

/// Said within a transaction that fails, and so not heard: it is said again.
static void lose_one(struct pair *p, struct machine *m)
{
	struct envelope e = samples(p, m, m->records, sizeof(m->records));
	begin(p);
	say(p, e);
	for (int i = 0; i < 2; i++) {
		sp_store_rollback(p->hub[i].store);
		p->hub[i].at_once = false;
	}
	m->last = e;
	say(p, e);
}

static void open_pair(struct pair *p, uint64_t seed)
{
	*p = (struct pair){.random = seed};
	for (int i = 0; i < 2; i++)
		hub_open(&p->hub[i]);
	sp_store_set_short_way(p->hub[1].store, false);
	for (unsigned i = 0; i < BOARDS; i++) {
		snprintf(p->machines[i].name, sizeof(p->machines[i].name), "board-%u", i);
		boot(p, &p->machines[i]);
	}
	for (int i = 0; i < 2; i++)
		enter(&p->hub[i], "school-1", "board-0");
}

static void close_pair(struct pair *p)
{
	hub_close(&p->hub[0]);
	hub_close(&p->hub[1]);
}

static void step(struct pair *p)
{
	struct machine *m = &p->machines[chance(p, BOARDS)];
	unsigned what = chance(p, 100);
	if (what < 80)
		say_samples(p, m);
	else if (what < 88)
		say_facts(p, m);
	else if (what < 93)
		say_something_odd(p, m);
	else if (what < 94 && !p->hub[0].at_once)
		lose_one(p, m);
	else
		pass_time(p);
	if (chance(p, 3) == 0)
		pass_time(p);
}

static void both_ways_lead_to_the_same_rows(void **state)
{
	(void)state;
	int64_t taken = 0;
	// Every statement is a journey to a server; what the long way does takes hundreds.
	const int steps = hub_is_postgres() ? STEPS / 4 : STEPS;
	const uint64_t seeds = hub_is_postgres() ? 1 : 3;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		static struct pair p;
		open_pair(&p, seed * 88172645463325252U);
		for (int i = 0; i < steps; i++) {
			if (chance(&p, 10) == 0 && !p.hub[0].at_once)
				begin(&p);
			else if (p.hub[0].at_once && chance(&p, 6) == 0)
				end(&p);
			step(&p);
			if (i % 50 == 0 && !p.hub[0].at_once)
				compare(&p, i);
		}
		if (p.hub[0].at_once)
			end(&p);
		assert_true(compare(&p, steps) > (size_t)steps);
		taken += p.hub[0].store->hot->taken;
		assert_null(p.hub[1].store->hot);
		close_pair(&p);
	}
	print_message("%" PRId64 " batches went the short way\n", taken);
	assert_true(taken > steps * (int64_t)seeds / 6);
}

/// An import gives the board to another shard: the next batch on the old one is foreign at once.
static void the_register_is_heard(void **state)
{
	static struct pair p;
	(void)state;
	open_pair(&p, 7);
	struct machine *m = &p.machines[0];
	for (int i = 0; i < 6; i++) {
		say_samples(&p, m);
		pass_time(&p);
	}
	assert_true(p.hub[0].store->hot->taken > 0);
	for (int i = 0; i < 2; i++)
		register_csv(&p.hub[i],
			     "school,school_name,site,line,device,shard\ns,S,main,main,board-0,south\n");
	struct envelope e = samples(&p, m, m->records, sizeof(m->records));
	assert_int_equal(deliver(&p.hub[0], e), SP_VERDICT_FOREIGN);
	assert_int_equal(deliver(&p.hub[1], e), SP_VERDICT_FOREIGN);
	compare(&p, 0);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ways_lead_to_the_same_rows),
	    cmocka_unit_test(the_register_is_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
