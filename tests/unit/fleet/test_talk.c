// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board at its broker on a virtual clock: births, the window, sending again, acknowledgements, epochs,
// faults.
#include "tests/unit/fleet/fleet_util.h"

#include "agent/base/mqtt_fields.h"
#include "tools/fleet/talk.h"

static struct sp_script script;
static struct sp_roster roster;
static struct sp_life_config config;
static struct sp_talk_config talk_config;
static struct sp_figures figures;
static struct sp_talk talk;
static struct sp_talk_now now;
static char epoch[] = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

static void begin(const char *text, bool past, int64_t days)
{
	now = (struct sp_talk_now){1000000, SEPTEMBER + 30 * DAY};
	figures = (struct sp_figures){0};
	roster_of(&roster, 1);
	script_of(&script, text);
	config = (struct sp_life_config){.start_ms = past ? SEPTEMBER : now.wall_ms,
					 .end_ms = past ? SEPTEMBER + days * DAY : INT64_MAX,
					 .minute_ms = MINUTE,
					 .commit_ms = MINUTE,
					 .events = 3,
					 .seed = 5,
					 .script = &script};
	talk_config = (struct sp_talk_config){.keepalive_ms = 60000,
					      .resend_min_ms = 60000,
					      .resend_max_ms = 90000,
					      .session_expiry_ms = DAY,
					      .will_delay_ms = 30000,
					      .past = past};
	sp_talk_init(&talk, &talk_config, &config, &roster.boards[0], 0, &figures, &now, now.mono_us);
}

static int tear_down(void **state)
{
	(void)state;
	sp_talk_free(&talk);
	sp_script_free(&script);
	sp_roster_free(&roster);
	return 0;
}

static void pass(int64_t ms)
{
	now.mono_us += ms * 1000;
	now.wall_ms += ms;
}

static int64_t turn(void)
{
	return sp_talk_turn(&talk, &now, INT64_MAX);
}

/// Packets of that type among the bytes that wait, which are taken.
static size_t sent(unsigned type)
{
	size_t found = 0;
	const uint8_t *at = (const uint8_t *)talk.out.data;
	for (size_t left = talk.out.length; left > 0;) {
		uint32_t length;
		int used = sp_mqtt_read_varint(at + 1, left - 1, &length);
		assert_true(used > 0);
		found += at[0] >> 4 == type;
		at += 1 + used + length;
		left -= 1 + (size_t)used + length;
	}
	sp_buf_free(&talk.out);
	return found;
}

static void hub(bool online)
{
	struct sp_feed_hub state = {.online = online, .reconnect_window_seconds = 20};
	struct sp_buf wire = SP_BUF(1024);
	memcpy(state.hub_epoch, epoch, sizeof(epoch));
	assert_int_equal(sp_feed_hub_encode(&wire, &state), 0);
	const struct sp_packet packet = {.type = SP_MQTT_PUBLISH,
					 .topic = "sp1/hub/default/state",
					 .payload = wire.data,
					 .length = wire.length};
	sp_talk_packet(&talk, &now, &packet);
	sp_buf_free(&wire);
}

static void acknowledge(const char *stream, int64_t upto, int64_t number)
{
	struct sp_feed_ack ack = {.number = number, .upto = upto};
	struct sp_buf wire = SP_BUF(4096);
	memcpy(ack.hub_epoch, epoch, sizeof(epoch));
	snprintf(ack.stream, sizeof(ack.stream), "%s", stream);
	assert_int_equal(sp_feed_ack_encode(&wire, &ack), 0);
	const struct sp_packet packet = {.type = SP_MQTT_PUBLISH,
					 .qos = 1,
					 .mid = 7,
					 .topic = "sp1/down/default/board-00001/ack",
					 .payload = wire.data,
					 .length = wire.length};
	sp_talk_packet(&talk, &now, &packet);
	sp_buf_free(&wire);
}

static void connect_it(void)
{
	turn();
	assert_int_equal(talk.wish, SP_TALK_DIAL);
	sp_talk_connected(&talk, &now);
	assert_int_equal(sent(1), 1);
	sp_talk_packet(&talk, &now, &(struct sp_packet){.type = SP_MQTT_CONNACK});
	assert_int_equal(sent(8), 2);
}

static void test_birth_comes_first(void **state)
{
	(void)state;
	begin("", false, 0);
	connect_it();
	turn();
	assert_int_equal(sent(SP_MQTT_PUBLISH), 0);
	hub(true);
	turn();
	assert_int_equal(talk.phase, SP_TALK_UP);
	assert_int_equal(figures.births, 1);
	assert_int_equal(sent(SP_MQTT_PUBLISH), 2); // and the first facts
}

static void test_without_a_hub_bulk_waits(void **state)
{
	(void)state;
	begin("", false, 0);
	connect_it();
	pass(1500);
	turn();
	assert_int_equal(sent(SP_MQTT_PUBLISH), 2); // nobody answered in time: birth and facts
	pass(2 * MINUTE);
	turn();
	assert_true(talk.life.keep.waiting > 2);
	const struct sp_batch *bulk = talk.life.keep.oldest;
	while (bulk && bulk->cls != SP_RECORD_BULK)
		bulk = bulk->next;
	assert_non_null(bulk);
	assert_int_equal(bulk->first_sent_us, 0);
	hub(true);
	pass(30000);
	turn();
	assert_true(bulk->first_sent_us > 0);
}

static void test_kept_until_acknowledged(void **state)
{
	(void)state;
	begin("", false, 0);
	connect_it();
	hub(true);
	turn();
	struct sp_batch *first = talk.life.keep.oldest;
	assert_int_equal(first->due_us > 0, true);
	// A PUBACK settles nothing.
	sp_talk_packet(&talk, &now, &(struct sp_packet){.type = SP_MQTT_PUBACK, .mid = first->mid});
	assert_true(first->taken);
	assert_int_equal(figures.acknowledged, 0);
	pass(55000);
	turn();
	assert_int_equal(figures.resent, 0);
	pass(40000);
	turn();
	assert_int_equal(figures.resent, 1);
	acknowledge(first->stream, first->last - 1, 1); // not all of it
	assert_int_equal(figures.acknowledged, 0);
	acknowledge(first->stream, first->last, 3);
	assert_int_equal(figures.acknowledged, 1);
	sent(0);
	assert_int_equal(figures.facts.count, 1);
}

static void test_words_of_another_epoch_do_not_count(void **state)
{
	(void)state;
	begin("", false, 0);
	connect_it();
	hub(true);
	turn();
	const struct sp_batch *first = talk.life.keep.oldest;
	epoch[0] = 'b';
	acknowledge(first->stream, first->last, 1);
	assert_int_equal(figures.acknowledged, 0);
	hub(true); // now it has another epoch: the birth is due again
	assert_true(talk.birth_us > 0);
	pass(40000);
	turn();
	assert_int_equal(figures.births, 2);
	acknowledge(first->stream, first->last, 1);
	assert_int_equal(figures.acknowledged, 1);
	epoch[0] = 'a';
}

static void test_the_window(void **state)
{
	(void)state;
	begin("all at each day 06:00 for 12h : speedtest down 9 times 100\n", true, 20);
	connect_it();
	hub(true);
	for (int i = 0; i < 50; i++)
		turn();
	size_t under_way = 0, bulk = 0;
	for (struct sp_batch *b = talk.life.keep.oldest; b; b = b->next) {
		under_way += b->due_us > 0;
		bulk += b->due_us > 0 && b->cls == SP_RECORD_BULK;
	}
	assert_in_range(under_way, SP_TALK_BULK, SP_TALK_WINDOW);
	assert_in_range(bulk, 1, SP_TALK_BULK);
	// No more of the past is made than may wait.
	assert_in_range(talk.life.keep.waiting, SP_TALK_AHEAD, SP_TALK_AHEAD + 2);
	assert_true(talk.life.at_ms < SEPTEMBER + 2 * DAY);
}

static void test_all_of_the_past_is_settled(void **state)
{
	(void)state;
	begin("all at each day 18:00 for 6h : power cut\n", true, 3);
	connect_it();
	hub(true);
	for (int64_t i = 0; i < 100000 && !sp_talk_done(&talk); i++) {
		turn();
		const struct sp_batch *oldest = talk.life.keep.oldest;
		if (oldest && oldest->first_sent_us)
			acknowledge(oldest->stream, oldest->last, i + 1);
		sp_buf_free(&talk.out);
	}
	assert_true(sp_talk_done(&talk));
	assert_int_equal(figures.acknowledged, talk.life.keep.batches);
	assert_int_equal(figures.sessions, 1); // what is over does nothing to today's session
}

static void test_a_line_that_is_down_ends_the_session(void **state)
{
	(void)state;
	begin("all at +60s for 5min : line down isp_core\n", false, 0);
	connect_it();
	hub(true);
	turn();
	pass(61000);
	turn();
	assert_int_equal(talk.phase, SP_TALK_DOWN);
	assert_int_equal(talk.wish, SP_TALK_CLOSE);
	talk.wish = SP_TALK_STAY;
	pass(4 * MINUTE);
	turn();
	assert_int_equal(talk.wish, SP_TALK_STAY);
	pass(MINUTE + 5000);
	turn();
	assert_int_equal(talk.wish, SP_TALK_DIAL);
}

static void test_it_comes_back_after_a_loss(void **state)
{
	(void)state;
	begin("", false, 0);
	connect_it();
	hub(true);
	turn();
	sp_talk_lost(&talk, &now, "gone");
	assert_int_equal(figures.lost_sessions, 1);
	assert_int_equal(figures.connected, 0);
	turn();
	assert_int_equal(talk.wish, SP_TALK_STAY); // never at once
	pass(20000);                               // the hub's window
	connect_it();
	hub(true);
	sent(0);
	turn();
	assert_int_equal(figures.births, 2);
	assert_int_equal(figures.resent, 1); // what is not settled
}

static void test_a_replay(void **state)
{
	(void)state;
	begin("all at +10s : replay 1\n", false, 0);
	connect_it();
	hub(true);
	turn();
	const struct sp_batch *first = talk.life.keep.oldest;
	acknowledge(first->stream, first->last, 1);
	assert_int_equal(talk.life.keep.waiting, 0);
	pass(11000);
	turn();
	assert_int_equal(figures.replayed, 1);
	assert_int_equal(talk.life.keep.waiting, 1);
	acknowledge(talk.life.keep.oldest->stream, 100, 2);
	assert_int_equal(talk.life.keep.waiting, 0);
	assert_int_equal(figures.acknowledged, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_birth_comes_first, tear_down),
	    cmocka_unit_test_teardown(test_without_a_hub_bulk_waits, tear_down),
	    cmocka_unit_test_teardown(test_kept_until_acknowledged, tear_down),
	    cmocka_unit_test_teardown(test_words_of_another_epoch_do_not_count, tear_down),
	    cmocka_unit_test_teardown(test_the_window, tear_down),
	    cmocka_unit_test_teardown(test_all_of_the_past_is_settled, tear_down),
	    cmocka_unit_test_teardown(test_a_line_that_is_down_ends_the_session, tear_down),
	    cmocka_unit_test_teardown(test_it_comes_back_after_a_loss, tear_down),
	    cmocka_unit_test_teardown(test_a_replay, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
