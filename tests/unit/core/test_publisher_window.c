// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The publisher's window on virtual time, against a journal and a hub of a few lines: what is sent, when
// again, what may block what, and how much a bad hub or broker can cost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/core/publisher/backoff.h"
#include "agent/core/publisher/window.h"

enum { BATCHES = 400 };
#define S 1000000LL

static struct {
	struct sp_window window;
	int64_t now;
	int mid;
	struct {
		bool there, settled;
		enum sp_lane lane;
		int sent;
		int64_t last_sent;
	} batch[BATCHES + 1]; ///< by id; its only seq is its id, its stream that of its lane
	int sent;
	int64_t most_in_flight, most_backlog;
} t;

static uint32_t noise;
static double chance(void)
{
	noise = noise * 1664525u + 1013904223u;
	return (double)(noise >> 8) / (double)(1 << 24);
}

static void begin(int64_t per_second)
{
	memset(&t, 0, sizeof(t));
	noise = 7;
	t.now = 100 * S;
	sp_window_init(&t.window, 60000, 300000, per_second, chance, t.now);
}

static const char *stream_of(enum sp_lane lane)
{
	return lane == SP_LANE_LIVE ? "livelivelivelivelivelivel1" : "backbackbackbackbackbackb1";
}

static void add(enum sp_lane lane, int from, int to)
{
	for (int id = from; id <= to; id++) {
		t.batch[id].there = true;
		t.batch[id].lane = lane;
	}
	sp_window_news(&t.window);
}

static void measure(void)
{
	int64_t all = 0, backlog = 0;
	for (int i = 0; i < SP_WINDOW_SLOTS; i++) {
		all += t.window.slots[i].used;
		backlog += t.window.slots[i].used && t.window.slots[i].lane == SP_LANE_BACKLOG;
	}
	t.most_in_flight = all > t.most_in_flight ? all : t.most_in_flight;
	t.most_backlog = backlog > t.most_backlog ? backlog : t.most_backlog;
}

static void send(const struct sp_window_want *want, int id)
{
	struct sp_journal_batch batch = {.id = id};
	batch.envelope.first = batch.envelope.last = id;
	strcpy(batch.envelope.stream, stream_of(want->lane));
	sp_window_sent(&t.window, want, &batch, ++t.mid, t.now);
	(void)sp_window_puback(&t.window, t.mid);
	t.batch[id].sent++;
	t.batch[id].last_sent = t.now;
	t.sent++;
	measure();
}

/// One question and its answer; false when the window wants nothing.
static bool round_trip(void)
{
	struct sp_window_want want;
	if (!sp_window_want(&t.window, &want, t.now))
		return false;
	assert_in_range(want.max, 1, SP_WINDOW_FETCH);
	int found[SP_WINDOW_FETCH];
	size_t count = 0;
	for (int id = (int)want.after + 1; id <= BATCHES && count < want.max; id++) {
		if (t.batch[id].there && !t.batch[id].settled && t.batch[id].lane == want.lane)
			found[count++] = id;
	}
	sp_window_answered(&t.window, &want, count);
	for (size_t i = 0; i < count; i++) {
		if (sp_window_admit(&t.window, &want, found[i]))
			send(&want, found[i]);
	}
	return true;
}

/// As the thread does: everything that is due now.
static void work(void)
{
	bool mute;
	sp_window_expire(&t.window, t.now, &mute);
	for (int i = 0; round_trip(); i++)
		assert_true(i < 10000); // never spins
}

/// Lets time pass, waking exactly when the window says so; returns the number of wake-ups.
static int pass(int64_t until)
{
	int wakes = 0;
	work();
	while (t.now < until) {
		int64_t next = sp_window_next_us(&t.window, t.now);
		t.now = next < until ? (next > t.now ? next : t.now + 1) : until;
		wakes++;
		work();
	}
	return wakes;
}

static size_t ack(enum sp_lane lane, int64_t upto)
{
	struct sp_feed_ack word = {.upto = upto};
	strcpy(word.stream, stream_of(lane));
	for (int id = 1; id <= BATCHES; id++)
		t.batch[id].settled = t.batch[id].settled || (t.batch[id].lane == lane && id <= upto);
	return sp_window_ack(&t.window, &word);
}

// ---- sending ----------------------------------------------------------------------------------------

static void test_window_is_sixteen_and_acks_move_it(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_LIVE, 1, 40);
	work();
	assert_int_equal(t.sent, 16);
	assert_int_equal(t.batch[16].sent, 1);
	assert_int_equal(t.batch[17].sent, 0);
	assert_int_equal(ack(SP_LANE_LIVE, 5), 5);
	work();
	assert_int_equal(t.sent, 21);
	ack(SP_LANE_LIVE, 40);
	work();
	ack(SP_LANE_LIVE, 40);
	assert_int_equal(sp_window_in_flight(&t.window), 0);
	assert_int_equal(t.most_in_flight, 16);
}

static void test_backlog_leaves_room_for_what_is_live(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_BACKLOG, 1, 100);
	work();
	assert_int_equal(t.sent, 12);
	add(SP_LANE_LIVE, 101, 110);
	work();
	assert_int_equal(t.sent, 16);
	assert_int_equal(t.batch[104].sent, 1);
	assert_int_equal(t.most_backlog, 12);
}

static void test_live_goes_first(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_BACKLOG, 1, 50);
	add(SP_LANE_LIVE, 51, 66);
	work();
	for (int id = 51; id <= 66; id++)
		assert_int_equal(t.batch[id].sent, 1);
	assert_int_equal(t.batch[1].sent, 0);
}

static void test_backlog_keeps_its_rate(void **state)
{
	(void)state;
	begin(5);
	add(SP_LANE_BACKLOG, 1, 300);
	int64_t end = t.now + 20 * S;
	while (t.now < end) {
		pass(t.now + S / 10);
		ack(SP_LANE_BACKLOG, 300);
		for (int id = 1; id <= 300; id++)
			t.batch[id].settled = t.batch[id].sent > 0;
	}
	assert_in_range(t.sent, 95, 106); // 5 at once, then 5 a second
}

static void test_backlog_waits_while_the_hub_is_away(void **state)
{
	(void)state;
	begin(100);
	t.window.hold_backlog = true;
	add(SP_LANE_BACKLOG, 1, 10);
	add(SP_LANE_LIVE, 11, 12);
	int wakes = pass(t.now + 3600 * S);
	assert_int_equal(t.batch[1].sent, 0);
	assert_true(t.batch[11].sent >= 3600 / 300 && t.batch[11].sent <= 3600 / 60);
	assert_true(wakes < 500);
	t.window.hold_backlog = false;
	work();
	assert_int_equal(t.batch[10].sent, 1);
}

static void test_backlog_waits_while_a_test_has_the_line(void **state)
{
	(void)state;
	begin(100);
	t.window.hushed = true;
	add(SP_LANE_BACKLOG, 1, 10);
	add(SP_LANE_LIVE, 11, 12);
	int wakes = pass(t.now + 30 * S);
	assert_int_equal(t.batch[1].sent, 0);
	assert_int_equal(t.batch[12].sent, 1); // facts go
	assert_true(wakes < 100);
	t.window.hushed = false;
	work();
	assert_int_equal(t.batch[10].sent, 1);
}

static void test_news_between_question_and_answer_is_not_lost(void **state)
{
	(void)state;
	struct sp_window_want want;
	begin(100);
	assert_true(sp_window_want(&t.window, &want, t.now));
	add(SP_LANE_LIVE, 1, 1); // committed after the journal looked
	sp_window_answered(&t.window, &want, 0);
	work();
	assert_int_equal(t.batch[1].sent, 1);
}

static void test_idle_window_sleeps(void **state)
{
	(void)state;
	begin(100);
	work();
	assert_true(sp_window_next_us(&t.window, t.now) == INT64_MAX);
	assert_true(sp_window_idle(&t.window, false));
	add(SP_LANE_LIVE, 1, 1);
	assert_false(sp_window_idle(&t.window, false));
	work();
	assert_false(sp_window_idle(&t.window, false));
	assert_true(sp_window_idle(&t.window, true)); // the broker has it
	ack(SP_LANE_LIVE, 1);
	assert_true(sp_window_idle(&t.window, false));
	// Settled: a look now and then, nothing more.
	assert_true(pass(t.now + 3600 * S) <= 3600 / 60 + 2);
	assert_int_equal(t.sent, 1);
}

// ---- resending ----------------------------------------------------------------------------------------

static void test_resend_comes_after_one_to_five_minutes(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_LIVE, 1, 4);
	work();
	int64_t start = t.now;
	pass(start + 59 * S);
	assert_int_equal(t.sent, 4);
	pass(start + 301 * S);
	for (int id = 1; id <= 4; id++)
		assert_true(t.batch[id].sent >= 2);
}

static void test_what_is_never_acknowledged_does_not_block(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_LIVE, 1, 40); // two boards with one identity: never settled
	pass(t.now + 1800 * S);
	for (int i = 0; i < 50; i++) {
		int id = 100 + i;
		add(SP_LANE_LIVE, id, id);
		pass(t.now + 10 * S);
		assert_int_equal(t.batch[id].sent, 1); // at once
		struct sp_feed_ack word = {.have_count = 1};
		strcpy(word.stream, stream_of(SP_LANE_LIVE));
		word.have[0].from = word.have[0].to = id;
		t.batch[id].settled = true;
		sp_window_ack(&t.window, &word);
	}
	for (int id = 1; id <= 40; id++)
		assert_true(t.batch[id].sent > 1);
}

static void test_reset_makes_everything_due(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_LIVE, 1, 10);
	work();
	sp_window_reset(&t.window, t.now);
	work();
	for (int id = 1; id <= 10; id++)
		assert_int_equal(t.batch[id].sent, 2);
}

static void test_taken_back_batches_are_found(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_LIVE, 1, 10);
	work();
	ack(SP_LANE_LIVE, 10);
	pass(t.now + 10 * S);
	t.batch[3].settled = false; // the hub was restored and said so in the same epoch
	pass(t.now + 301 * S);
	assert_true(t.batch[3].sent >= 2);
	assert_int_equal(t.batch[4].sent, 1);
}

static void test_silent_hub_costs_little(void **state)
{
	(void)state;
	begin(10);
	add(SP_LANE_LIVE, 1, 200);
	add(SP_LANE_BACKLOG, 201, 400);
	int64_t hours = 10;
	int wakes = pass(t.now + hours * 3600 * S);
	assert_true(t.sent <= 400 + hours * 3600 / 60 * SP_WINDOW_SLOTS);
	assert_true(wakes < 4 * t.sent + 1000);
	// 12 of 16 slots in 1…5 minutes are for what is new: all of it went out in the first hours.
	for (int id = 1; id <= 400; id++)
		assert_true(t.batch[id].sent > 0);
}

static void test_mute_broker_is_noticed(void **state)
{
	(void)state;
	struct sp_window_want want;
	struct sp_journal_batch batch = {.id = 1};
	bool mute;
	begin(100);
	assert_true(sp_window_want(&t.window, &want, t.now));
	sp_window_answered(&t.window, &want, 1);
	assert_true(sp_window_admit(&t.window, &want, 1));
	sp_window_sent(&t.window, &want, &batch, 5, t.now);
	sp_window_expire(&t.window, t.now + 59 * S, &mute);
	assert_false(mute);
	sp_window_expire(&t.window, t.now + 300 * S, &mute);
	assert_true(mute);
	assert_null(sp_window_puback(&t.window, 5));
}

static void test_puback_is_matched_once(void **state)
{
	(void)state;
	struct sp_window_want want;
	struct sp_journal_batch batch = {.id = 1};
	begin(100);
	assert_true(sp_window_want(&t.window, &want, t.now));
	sp_window_sent(&t.window, &want, &batch, 5, t.now);
	assert_null(sp_window_puback(&t.window, 6));
	struct sp_window_slot *slot = sp_window_puback(&t.window, 5);
	assert_non_null(slot);
	assert_int_equal(slot->id, 1);
	assert_null(sp_window_puback(&t.window, 5));
	sp_window_release(slot);
	assert_int_equal(sp_window_in_flight(&t.window), 0);
}

static void test_foreign_and_partial_acks_free_nothing(void **state)
{
	(void)state;
	begin(100);
	add(SP_LANE_LIVE, 1, 4);
	work();
	struct sp_feed_ack word = {.upto = 1000000};
	strcpy(word.stream, "otherotherotherotherother1");
	assert_int_equal(sp_window_ack(&t.window, &word), 0);
	strcpy(word.stream, stream_of(SP_LANE_BACKLOG));
	assert_int_equal(sp_window_ack(&t.window, &word), 0);
	assert_int_equal(sp_window_in_flight(&t.window), 4);
}

static void test_everything_arrives_whatever_is_lost(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 20; seed++) {
		begin(10);
		noise = seed;
		add(SP_LANE_BACKLOG, 1, 100);
		add(SP_LANE_LIVE, 101, 150);
		int left = 150;
		for (int64_t end = t.now + 48 * 3600 * S; t.now < end && left > 0;) {
			pass(t.now + 20 * S);
			left = 0;
			for (int id = 1; id <= 150; id++) {
				struct sp_feed_ack word = {.have_count = 1};
				strcpy(word.stream, stream_of(t.batch[id].lane));
				word.have[0].from = word.have[0].to = id;
				// The hub hears one in four, its word is heard one time in two.
				if (!t.batch[id].settled && t.batch[id].last_sent > t.now - 20 * S &&
				    chance() < 0.125) {
					t.batch[id].settled = true;
					sp_window_ack(&t.window, &word);
				}
				left += !t.batch[id].settled;
			}
			if (chance() < 0.01)
				sp_window_reset(&t.window, t.now);
			assert_true(t.most_in_flight <= SP_WINDOW_SLOTS &&
				    t.most_backlog <= SP_WINDOW_BACKLOG);
		}
		assert_int_equal(left, 0);
	}
}

// ---- back-off -------------------------------------------------------------------------------------------

static void test_backoff_grows_to_the_window(void **state)
{
	(void)state;
	struct sp_backoff b = {0};
	assert_in_range(sp_backoff_first_ms(300000, 0.999), 2900, 3000);
	assert_int_equal(sp_backoff_first_ms(300000, 0), 0);
	const int64_t top[] = {6000, 12000, 24000, 48000, 96000, 192000, 300000, 300000};
	for (size_t i = 0; i < SP_COUNT(top); i++)
		assert_in_range(sp_backoff_next_ms(&b, 300000, 0.9999), top[i] - top[i] / 1000 - 1, top[i]);
	for (int i = 0; i < 200; i++)
		assert_in_range(sp_backoff_next_ms(&b, 300000, 0.0), 1, 1000); // full jitter, never at once
	sp_backoff_stood(&b, 59000);                                           // thrown out again soon
	assert_true(sp_backoff_next_ms(&b, 300000, 0.9999) > 290000);
	sp_backoff_stood(&b, 61000);
	assert_true(sp_backoff_next_ms(&b, 300000, 0.9999) <= 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_window_is_sixteen_and_acks_move_it),
	    cmocka_unit_test(test_backlog_leaves_room_for_what_is_live),
	    cmocka_unit_test(test_live_goes_first),
	    cmocka_unit_test(test_backlog_keeps_its_rate),
	    cmocka_unit_test(test_backlog_waits_while_the_hub_is_away),
	    cmocka_unit_test(test_backlog_waits_while_a_test_has_the_line),
	    cmocka_unit_test(test_news_between_question_and_answer_is_not_lost),
	    cmocka_unit_test(test_idle_window_sleeps),
	    cmocka_unit_test(test_resend_comes_after_one_to_five_minutes),
	    cmocka_unit_test(test_what_is_never_acknowledged_does_not_block),
	    cmocka_unit_test(test_reset_makes_everything_due),
	    cmocka_unit_test(test_taken_back_batches_are_found),
	    cmocka_unit_test(test_silent_hub_costs_little),
	    cmocka_unit_test(test_mute_broker_is_noticed),
	    cmocka_unit_test(test_puback_is_matched_once),
	    cmocka_unit_test(test_foreign_and_partial_acks_free_nothing),
	    cmocka_unit_test(test_everything_arrives_whatever_is_lost),
	    cmocka_unit_test(test_backoff_grows_to_the_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
