// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Placing against a model in which true time is known: dozens of boards, each with boots at 1970 and 2033,
// time servers that come at once, hours late or never, clocks that are set forth and back, crystals that
// drift and stray for up to a month, hubs and lines that are away. Whatever came in whatever order: what the
// store says of each record, and of each outage's ends, holds true time within its error, and the error is
// not larger than it must be. SEED=n plays one life again, LIVES=n plays more of them.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "tools/hub/db/db.h"

enum { BOOTS = 4, RECORDS = 1200, BATCH = 12 };

enum clock_life { SYNCED, LATE, NEVER, WRONG, LOST, LIVES };

struct record {
	int64_t mono_us;
	double true_ms;
	int64_t t_ms, err_ms; ///< what it says itself; t_ms 0: nothing
	bool open, close;     ///< of an outage
	int64_t start_mono_us;
	int start_boot;
	double start_ms;
	int outage;
};

struct boot {
	char id[40], stream[27];
	enum clock_life life;
	double began_ms, ends_ms, synced_at_ms, lost_at_ms, right_at_ms, wrong_by_ms;
	double mono_us; ///< at the model's time
	struct record records[RECORDS];
	int64_t count, sent;
};

struct model {
	uint64_t seed;
	struct boot boots[BOOTS];
	int boot_count;
	double now_ms, ppm, stray_ppm, sharp_ms;
	double away_from_ms, away_to_ms; ///< nothing reaches the hub
	int outages, open_in;            ///< open_in: the boot in which one is open; -1
	struct record open;
};

static struct hub hub;
static struct model m;

// ---- chance -------------------------------------------------------------------------------------------

static uint64_t chance(void)
{
	m.seed ^= m.seed >> 12;
	m.seed ^= m.seed << 25;
	m.seed ^= m.seed >> 27;
	return m.seed * UINT64_C(2685821657736338717);
}

static double between(double from, double to)
{
	return from + (to - from) * ((double)(chance() >> 11) / 9007199254740992.0);
}

static bool once_in(int n)
{
	return chance() % (uint64_t)n == 0;
}

// ---- the board ------------------------------------------------------------------------------------------

/// True time goes on, and the crystal with it, by what it is wrong and by what the time of day makes of it.
static void pass(struct boot *boot, double to_ms)
{
	while (m.now_ms < to_ms) {
		double step = to_ms - m.now_ms < 600000 ? to_ms - m.now_ms : 600000;
		double day = (m.now_ms + step / 2) / (24 * (double)HOUR_MS);
		double warmth = 4 * fabs(day - floor(day) - 0.5) - 1; // from -1 at noon to 1 at midnight
		boot->mono_us += step * 1000 * (1 + (m.ppm + m.stray_ppm * warmth) / 1e6);
		m.now_ms += step;
	}
}

static bool claims(const struct boot *boot)
{
	return boot->life != NEVER && m.now_ms >= boot->synced_at_ms &&
	       (boot->life != LOST || m.now_ms < boot->lost_at_ms);
}

/// What the kernel says: within its error of true time, but for the life in which a server lies.
static void read_clock(const struct boot *boot, int64_t *t_ms, int64_t *err_ms)
{
	*t_ms = *err_ms = 0;
	if (!claims(boot))
		return;
	*err_ms = (int64_t)between(m.sharp_ms / 2, m.sharp_ms);
	double off = between(-(double)*err_ms + 2, (double)*err_ms - 2);
	if (boot->life == WRONG && m.now_ms < boot->right_at_ms)
		off += boot->wrong_by_ms;
	*t_ms = (int64_t)(m.now_ms + off);
}

static struct record *make(struct boot *boot)
{
	struct record *record = &boot->records[boot->count++];
	*record = (struct record){.mono_us = (int64_t)boot->mono_us, .true_ms = m.now_ms};
	read_clock(boot, &record->t_ms, &record->err_ms);
	return record;
}

static void maybe_outage(struct boot *boot, int index)
{
	if (m.open_in < 0 && once_in(8)) {
		struct record *record = make(boot);
		record->open = true;
		record->outage = m.outages++;
		record->start_boot = index;
		record->start_mono_us = record->mono_us - 5000000;
		record->start_ms = m.now_ms - 5000;
		m.open = *record;
		m.open_in = index;
	} else if (m.open_in >= 0 && once_in(4)) {
		struct record *record = make(boot);
		struct record now = *record;
		*record = m.open;
		record->mono_us = now.mono_us;
		record->true_ms = now.true_ms;
		record->t_ms = now.t_ms;
		record->err_ms = now.err_ms;
		record->open = false;
		record->close = true;
		m.open_in = -1;
	}
}

// ---- what it sends -------------------------------------------------------------------------------------

static void write_record(struct sp_buf *out, const struct boot *boot, int64_t index)
{
	const struct record *record = &boot->records[index];
	sp_buf_printf(out, "%s{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64, out->length ? "," : "[", index + 1,
		      record->mono_us);
	if (record->t_ms)
		sp_buf_printf(out, ",\"t_ms\":%" PRId64 ",\"err_ms\":%" PRId64, record->t_ms, record->err_ms);
	if (index == 0 && boot > m.boots)
		sp_buf_printf(
		    out,
		    ",\"type\":\"opened\",\"class\":\"facts\",\"prev\":{\"stream\":\"%s\",\"last\":%" PRId64
		    "}}",
		    boot[-1].stream, boot[-1].count);
	else if (index == 0)
		sp_buf_text(out, ",\"type\":\"opened\",\"class\":\"facts\",\"prev\":null}");
	else if (record->open || record->close)
		sp_buf_printf(
		    out,
		    ",\"type\":\"outage\",\"device\":\"main\",\"outage\":\"%026d\",\"phase\":\"%s\","
		    "\"state\":\"down\",\"cause\":\"isp\",\"whose\":\"provider\",\"start_mono_us\":%" PRId64
		    ",\"start_boot\":\"%s\",\"start_uncertainty_seconds\":0,\"end_mono_us\":%" PRId64 "}",
		    record->outage, record->open ? "open" : "close", record->start_mono_us,
		    m.boots[record->start_boot].id, record->mono_us);
	else
		sp_buf_text(out, ",\"type\":\"clock\",\"event\":\"hourly\"}");
}

/// One batch of `from`, sent by the boot that runs now. Now and then it is held up on the way.
static void send(struct boot *from, struct boot *by)
{
	struct sp_buf text = SP_BUF(SP_FEED_INFLATED_MAX);
	int64_t first = from->sent, last = first + BATCH < from->count ? first + BATCH : from->count;
	for (int64_t i = first; i < last; i++)
		write_record(&text, from, i);
	sp_buf_text(&text, "]");
	int64_t t_ms, err_ms;
	read_clock(by, &t_ms, &err_ms);
	hub.now_ms = (int64_t)(m.now_ms + (once_in(12) ? between(5000, 90000) : between(20, 4000)));
	enum sp_verdict verdict =
	    DELIVER(&hub, .stream = from->stream, .boot = from->id, .first = first + 1, .last = last,
		    .records = text.data, .clk_boot = by->id, .clk_mono_us = (int64_t)by->mono_us,
		    .synced = t_ms != 0, .clk_t_ms = t_ms, .clk_err_ms = err_ms);
	assert_int_equal(verdict, SP_VERDICT_STORED);
	from->sent = last;
	sp_buf_free(&text);
}

/// What is new first, then what lies there; nothing while the hub is away.
static void send_all(int running, bool everything)
{
	if (!everything && m.now_ms >= m.away_from_ms && m.now_ms < m.away_to_ms)
		return;
	for (int i = running; i >= 0; i--) {
		while (m.boots[i].sent < m.boots[i].count && (everything || i == running || !once_in(3)))
			send(&m.boots[i], &m.boots[running]);
	}
}

// ---- a life ----------------------------------------------------------------------------------------------

static void plan(struct boot *boot, int index, bool month)
{
	memset(boot, 0, sizeof(*boot));
	snprintf(boot->id, sizeof(boot->id), "%08x-0000-4000-8000-%012x", index + 1, index + 1);
	memset(boot->stream, 'a' + index, 26);
	boot->life = (enum clock_life)(chance() % LIVES);
	boot->mono_us = between(5, 30) * 1e6;
	boot->began_ms = m.now_ms - boot->mono_us / 1000;
	double length = month ? 29 * 24 * (double)HOUR_MS : between(2, 40) * (double)HOUR_MS;
	boot->ends_ms = m.now_ms + length;
	boot->synced_at_ms = m.now_ms + (boot->life == LATE ? between(0.5, 1.5) * (double)HOUR_MS : 10000);
	boot->lost_at_ms = m.now_ms + length / 2;
	boot->right_at_ms = m.now_ms + length * between(0.1, 0.8);
	// Less than the errors that it states would not be wrong, and twice that cannot be seen.
	boot->wrong_by_ms = between(4 * m.sharp_ms, once_in(2) ? 60000 : 7200000) * (once_in(2) ? 1 : -1);
}

static void live(struct boot *boot, int index)
{
	double every = (boot->ends_ms - m.now_ms) / 800;
	every = every < 300000 ? 300000 : every;
	make(boot);
	while (m.now_ms < boot->ends_ms && boot->count < RECORDS - 2) {
		maybe_outage(boot, index);
		send_all(index, false);
		pass(boot, m.now_ms + between(every / 2, every * 1.5));
		make(boot);
	}
}

static void run_life(uint64_t seed)
{
	m.seed = seed * 0x9e3779b97f4a7c15u + 1;
	m.now_ms = (double)NOW_MS;
	m.ppm = between(-50, 50);
	m.stray_ppm = between(0, 8);
	m.sharp_ms = once_in(3) ? 3000 : 200; // learnt from a hub that is far; a time server
	m.open_in = -1;
	m.outages = 0;
	m.boot_count = (int)(chance() % BOOTS) + 1;
	bool month = once_in(10);
	m.away_from_ms = m.now_ms + between(0, 30) * (double)HOUR_MS;
	m.away_to_ms = m.away_from_ms + between(0, 40) * (double)HOUR_MS;
	for (int i = 0; i < m.boot_count; i++) {
		plan(&m.boots[i], i, month && i == 0);
		live(&m.boots[i], i);
		if (i + 1 < m.boot_count)
			m.now_ms += between(1, 20) * 60000;
	}
	// The last words of every boot came, and one of them without delay.
	struct boot *last = &m.boots[m.boot_count - 1];
	send_all(m.boot_count - 1, true);
	for (int i = 0; i < 6; i++) {
		pass(last, m.now_ms + 30000);
		make(last);
		send_all(m.boot_count - 1, true);
	}
}

// ---- what the store says ------------------------------------------------------------------------------

static const struct boot *boot_of(const char *stream)
{
	return &m.boots[stream[0] - 'a'];
}

static void check_time(uint64_t seed, const char *what, const struct boot *boot, double true_ms, int64_t t_ms,
		       int64_t err_ms, int placed)
{
	double off = (double)t_ms - true_ms;
	bool good = placed == SP_PLACED_BOUNDS ? off >= -1 && (err_ms < 0 || off <= (double)err_ms + 1)
					       : fabs(off) <= (double)err_ms;
	if (!good)
		fail_msg("seed %" PRIu64
			 ": %s of boot %s (life %d), %.0f s after its beginning: off by %.0f ms, "
			 "± %" PRId64 " stated, by %s",
			 seed, what, boot->stream, (int)boot->life, (true_ms - boot->began_ms) / 1000, off,
			 err_ms, sp_placed_by_name((enum sp_placed_by)placed));
}

/// Not larger than it must be: where the clock was synchronised, and near to it.
static void check_sharp(uint64_t seed, const struct boot *boot, const struct record *record, int64_t err_ms)
{
	double from_ms = boot->life == WRONG ? boot->right_at_ms : boot->synced_at_ms;
	double gap_ms = from_ms - record->true_ms;
	if (boot->life == NEVER)
		return;
	if (boot->life == LOST && record->true_ms > boot->lost_at_ms)
		gap_ms = record->true_ms - boot->lost_at_ms;
	double most_ms = (m.sharp_ms < 1000 ? 1000 : m.sharp_ms + 250) +
			 (gap_ms > 0 ? (gap_ms + 2 * (double)HOUR_MS) * SP_PLACE_DRIFT_PPM / 1e6 : 0);
	if ((double)err_ms > most_ms)
		fail_msg("seed %" PRIu64 ": boot %s (life %d): ± %" PRId64 " ms, %.0f would do", seed,
			 boot->stream, (int)boot->life, err_ms, most_ms);
}

static int check_records(uint64_t seed, struct sp_db *db)
{
	int checked = 0;
	struct sp_rows *rows =
	    SQL_QUERY(db, "SELECT s.name, e.seq, e.t_ms, coalesce(e.err_ms, -1), e.placed FROM "
			  "event e JOIN stream s ON s.id = e.stream");
	for (; sp_rows_next(db, rows) == 1; checked++) {
		const struct boot *boot = boot_of(sp_row_text(rows, 0));
		const struct record *record = &boot->records[sp_row_int(rows, 1, -1) - 1];
		int64_t t_ms = sp_row_int(rows, 2, -1), err_ms = sp_row_int(rows, 3, -1);
		check_time(seed, "a record", boot, record->true_ms, t_ms, err_ms,
			   (int)sp_row_int(rows, 4, -1));
		check_sharp(seed, boot, record, err_ms);
	}
	return checked;
}

static void check_outages(uint64_t seed, struct sp_db *db)
{
	struct sp_rows *rows =
	    SQL_QUERY(db, "SELECT name, start_ms, coalesce(start_err_ms, -1), start_placed, end_ms,"
			  " coalesce(end_err_ms, -1) FROM outage");
	int seen = 0;
	for (; sp_rows_next(db, rows) == 1; seen++) {
		int outage = atoi(sp_row_text(rows, 0));
		for (int b = 0; b < m.boot_count; b++) {
			for (int64_t i = 0; i < m.boots[b].count; i++) {
				const struct record *record = &m.boots[b].records[i];
				if ((!record->open && !record->close) || record->outage != outage)
					continue;
				check_time(seed, "an outage's start", &m.boots[record->start_boot],
					   record->start_ms, sp_row_int(rows, 1, -1), sp_row_int(rows, 2, -1),
					   (int)sp_row_int(rows, 3, -1));
				// Of an end only the error is kept: bounds may lie on one side of it.
				if (record->close && sp_row_int(rows, 5, -1) >= 0)
					check_time(seed, "an outage's end", &m.boots[b], record->true_ms,
						   sp_row_int(rows, 4, -1), sp_row_int(rows, 5, -1) + 1,
						   SP_PLACED_ANCHOR);
			}
		}
	}
	assert_int_equal(seen, m.outages);
}

static void empty(void)
{
	execute(&hub,
		"DELETE FROM event; DELETE FROM batch; DELETE FROM stream; DELETE FROM boot; DELETE FROM "
		"anchor; DELETE FROM outage; DELETE FROM gap; DELETE FROM anomaly; DELETE FROM device; "
		"DELETE FROM line; DELETE FROM line_point; DELETE FROM instance");
}

static void what_is_stated_holds_true_time(void **state)
{
	(void)state;
	const char *only = getenv("SEED"), *lives = getenv("LIVES");
	uint64_t from = only ? strtoull(only, NULL, 10) : 1;
	uint64_t to = only ? from : lives ? strtoull(lives, NULL, 10) : 20; // 20: it runs in QEMU, too
	int checked = 0;
	hub_open(&hub);
	struct sp_db *db = hub_connection(&hub);
	for (uint64_t seed = from; seed <= to; seed++) {
		hub.now_ms = NOW_MS;
		begin_many(&hub);
		run_life(seed);
		end_many(&hub);
		checked += check_records(seed, db);
		check_outages(seed, db);
		empty();
	}
	sp_db_close(db);
	hub_close(&hub);
	print_message("%d records\n", checked);
	assert_true(only || lives || checked > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_stated_holds_true_time)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
