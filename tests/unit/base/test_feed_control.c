// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Births, wills, acknowledgements, the hub's state and topics: there and back, and refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/feed.h"
#include "agent/base/mem.h"

#define A    "aaaaaaaaaaaaaaaaaaaaaaaa27"
#define B    "bbbbbbbbbbbbbbbbbbbbbbbb27"
#define BOOT "0a1b2c3d-0000-4000-8000-00000000abcd"

/// `text` with the first `piece` replaced. To be freed.
static char *changed(const char *text, const char *piece, const char *instead)
{
	const char *at = strstr(text, piece);
	assert_non_null(at);
	return sp_asprintf("%.*s%s%s", (int)(at - text), text, instead, at + strlen(piece));
}

static struct sp_feed_state birth(void)
{
	struct sp_feed_state s = {
	    .device = "kim-dong-1",
	    .session = A,
	    .presence = SP_FEED_ONLINE,
	    .boot = "0d9f4c9e-2b1c-4a55-8a3e-1f6b1f0e7a11",
	    .version = "0.1.0",
	    .hub_epoch = B,
	    .clk = {.mono_us = 5, .synced = true, .wall_ms = 1795226102000, .err_ms = 7},
	    .held = {{.stream = A, .cls = SP_RECORD_FACTS, .oldest = 4, .newest = 9},
		     {.stream = B, .cls = SP_RECORD_BULK, .oldest = 1, .newest = 1}},
	    .held_count = 2,
	};
	return s;
}

/// What was decoded encodes to the same text; the text itself is checked against `wanted`.
static void same_state(const struct sp_feed_state *in, const char *wanted)
{
	struct sp_feed_state out;
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX), again = SP_BUF(SP_FEED_PAYLOAD_MAX);
	char why[128];
	assert_int_equal(sp_feed_state_encode(&text, in), 0);
	assert_string_equal(text.data, wanted);
	assert_int_equal(sp_feed_state_decode(&out, text.data, text.length, why), SP_FEED_OK);
	assert_int_equal(sp_feed_state_encode(&again, &out), 0);
	assert_string_equal(again.data, text.data);
	sp_buf_free(&text);
	sp_buf_free(&again);
}

static void a_birth_there_and_back(void **state)
{
	(void)state;
	struct sp_feed_state in = birth();
	same_state(
	    &in,
	    "{\"v\":1,\"dev\":\"kim-dong-1\",\"session\":\"" A "\",\"presence\":\"online\","
	    "\"boot\":\"0d9f4c9e-2b1c-4a55-8a3e-1f6b1f0e7a11\",\"version\":\"0.1.0\",\"hub_epoch\":\"" B
	    "\",\"clk\":{\"boot\":\"0d9f4c9e-2b1c-4a55-8a3e-1f6b1f0e7a11\",\"mono_us\":5,\"synced\":true,"
	    "\"t_ms\":1795226102000,\"err_ms\":7},\"held\":[{\"stream\":\"" A
	    "\",\"class\":\"facts\",\"oldest\":4,\"newest\":9},{\"stream\":\"" B
	    "\",\"class\":\"bulk\",\"oldest\":1,\"newest\":1}]}");
	in.presence = SP_FEED_STOPPED;
	in.hub_epoch[0] = '\0';
	in.held_count = 0;
	in.clk = (struct sp_clock_reading){.mono_us = 5};
	same_state(
	    &in, "{\"v\":1,\"dev\":\"kim-dong-1\",\"session\":\"" A "\",\"presence\":\"stopped\","
		 "\"boot\":\"0d9f4c9e-2b1c-4a55-8a3e-1f6b1f0e7a11\",\"version\":\"0.1.0\",\"hub_epoch\":null,"
		 "\"clk\":{\"boot\":\"0d9f4c9e-2b1c-4a55-8a3e-1f6b1f0e7a11\",\"mono_us\":5,\"synced\":false},"
		 "\"held\":[]}");
}

static void a_will_says_little(void **state)
{
	(void)state;
	struct sp_feed_state in = birth(), out;
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX);
	char why[128];
	in.presence = SP_FEED_LOST;
	assert_int_equal(sp_feed_state_encode(&text, &in), 0);
	assert_string_equal(text.data,
			    "{\"v\":1,\"dev\":\"kim-dong-1\",\"session\":\"" A "\",\"presence\":\"lost\"}");
	assert_int_equal(sp_feed_state_decode(&out, text.data, text.length, why), SP_FEED_OK);
	assert_int_equal(out.presence, SP_FEED_LOST);
	assert_string_equal(out.session, A);
	sp_buf_free(&text);
}

static void births_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *piece, *instead;
		enum sp_feed_fault fault;
	} cases[] = {
	    {"\"v\":1", "\"v\":1,\"new\":{}", SP_FEED_OK},
	    {"\"hub_epoch\":\"" B "\",", "", SP_FEED_OK},
	    {"\"v\":1", "\"v\":3", SP_FEED_UNKNOWN_VERSION},
	    {"kim-dong-1", "kim dong", SP_FEED_MALFORMED},
	    {"\"session\":\"" A "\"", "\"session\":\"1\"", SP_FEED_MALFORMED},
	    {"online", "here", SP_FEED_MALFORMED},
	    {"\"0.1.0\"", "\"0.1.0 <b>\"", SP_FEED_MALFORMED},
	    {"\"hub_epoch\":\"" B "\"", "\"hub_epoch\":\"b\"", SP_FEED_MALFORMED},
	    {"\"clk\"", "\"clock\"", SP_FEED_MALFORMED},
	    {"\"held\"", "\"holds\"", SP_FEED_MALFORMED},
	    {"\"oldest\":4", "\"oldest\":0", SP_FEED_MALFORMED},
	    {"\"oldest\":4", "\"oldest\":10", SP_FEED_MALFORMED},
	    {"\"class\":\"facts\"", "\"class\":\"\"", SP_FEED_MALFORMED},
	    {"\"held\":[", "\"held\":[[],", SP_FEED_MALFORMED},
	};
	struct sp_feed_state in = birth(), out;
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX);
	assert_int_equal(sp_feed_state_encode(&text, &in), 0);
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		char why[128], *changed_text = changed(text.data, cases[i].piece, cases[i].instead);
		enum sp_feed_fault fault =
		    sp_feed_state_decode(&out, changed_text, strlen(changed_text), why);
		if (fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].instead, sp_feed_fault_name(fault));
		assert_true((fault == SP_FEED_OK) == (why[0] == '\0'));
		free(changed_text);
	}
	sp_buf_free(&text);
}

static void a_birth_holds_a_most(void **state)
{
	(void)state;
	struct sp_feed_state in = birth(), out;
	char why[128];
	for (size_t i = 0; i < SP_FEED_HELD_MAX; i++)
		in.held[i] = in.held[0];
	in.held_count = SP_FEED_HELD_MAX;
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX);
	assert_int_equal(sp_feed_state_encode(&text, &in), 0);
	assert_int_equal(sp_feed_state_decode(&out, text.data, text.length, why), SP_FEED_OK);
	assert_int_equal(out.held_count, SP_FEED_HELD_MAX);
	char *more =
	    changed(text.data, "\"held\":[",
		    "\"held\":[{\"stream\":\"" A "\",\"class\":\"bulk\",\"oldest\":1,\"newest\":2},");
	assert_int_equal(sp_feed_state_decode(&out, more, strlen(more), why), SP_FEED_TOO_LARGE);
	free(more);
	in.held_count++;
	assert_int_equal(sp_feed_state_encode(&text, &in), -EMSGSIZE);
	sp_buf_free(&text);
}

static void an_acknowledgement_there_and_back(void **state)
{
	(void)state;
	struct sp_feed_ack in = {.hub_epoch = A, .number = 17, .stream = B, .upto = 5000}, out;
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX);
	char why[128];
	for (int i = 0; i < SP_FEED_HAVE_MAX; i++) {
		in.have[i].from = 5003 + 10 * i;
		in.have[i].to = 5003 + 10 * i + i % 3;
	}
	in.have_count = SP_FEED_HAVE_MAX;
	in.timed = true;
	in.t_ms = 1795310732111;
	in.err_ms = 52;
	strcpy(in.echo_boot, BOOT);
	in.echo_mono_us = 6599040228;
	assert_int_equal(sp_feed_ack_encode(&text, &in), 0);
	assert_int_equal(sp_feed_ack_decode(&out, text.data, text.length, why), SP_FEED_OK);
	assert_string_equal(out.hub_epoch, A);
	assert_string_equal(out.stream, B);
	assert_int_equal(out.number, 17);
	assert_int_equal(out.upto, 5000);
	assert_int_equal(out.have_count, in.have_count);
	assert_memory_equal(in.have, out.have, sizeof(in.have));
	assert_true(out.timed);
	assert_int_equal(out.t_ms, in.t_ms);
	assert_int_equal(out.err_ms, in.err_ms);
	assert_string_equal(out.echo_boot, in.echo_boot);
	assert_int_equal(out.echo_mono_us, in.echo_mono_us);
	char *more = changed(text.data, "]],", "],[9999,9999]],");
	assert_int_equal(sp_feed_ack_decode(&out, more, strlen(more), why), SP_FEED_MALFORMED);
	free(more);
	sp_buf_free(&text);
}

static void acknowledgements_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *tail;
		enum sp_feed_fault fault;
	} cases[] = {
	    {"\"n\":0,\"upto\":0,\"have\":[]", SP_FEED_OK},
	    {"\"n\":0,\"upto\":0,\"have\":[[1,1],[2,2]]", SP_FEED_OK},
	    {"\"n\":0,\"upto\":0,\"have\":[[1,9007199254740991]]", SP_FEED_OK},
	    {"\"n\":0,\"upto\":0,\"have\":[[1,9007199254740991],[1,2]]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":[[5,6]]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":[[8,7]]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":[[7,9],[9,10]]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":[[7]]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":[[7,8,9]]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":[7,8]", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5,\"have\":{}", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":5", SP_FEED_MALFORMED},
	    {"\"n\":0,\"upto\":-1,\"have\":[]", SP_FEED_MALFORMED},
	    {"\"n\":-1,\"upto\":0,\"have\":[]", SP_FEED_MALFORMED},
	    {"\"n\":1e16,\"upto\":0,\"have\":[]", SP_FEED_MALFORMED},
	    {"\"upto\":0,\"have\":[]", SP_FEED_MALFORMED},
#define SETTLED "\"n\":1,\"upto\":0,\"have\":[],"
#define ECHO    "\"echo\":{\"boot\":\"" BOOT "\",\"mono_us\":5}"
	    {SETTLED "\"t_ms\":1,\"err_ms\":2," ECHO, SP_FEED_OK},
	    {SETTLED "\"t_ms\":1,\"err_ms\":2", SP_FEED_MALFORMED},
	    {SETTLED "\"t_ms\":1," ECHO, SP_FEED_MALFORMED},
	    {SETTLED ECHO, SP_FEED_MALFORMED},
	    {SETTLED "\"t_ms\":-1,\"err_ms\":2," ECHO, SP_FEED_MALFORMED},
	    {SETTLED "\"t_ms\":1,\"err_ms\":-2," ECHO, SP_FEED_MALFORMED},
	    {SETTLED "\"t_ms\":\"1\",\"err_ms\":2," ECHO, SP_FEED_MALFORMED},
	    {SETTLED "\"t_ms\":1,\"err_ms\":2,\"echo\":{\"boot\":7,\"mono_us\":5}", SP_FEED_MALFORMED},
	    {SETTLED "\"t_ms\":1,\"err_ms\":2,\"echo\":[]", SP_FEED_MALFORMED},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_feed_ack out;
		char why[128],
		    *text = sp_asprintf("{\"v\":1,\"hub_epoch\":\"" A "\",\"stream\":\"" B "\",%s}",
					cases[i].tail);
		enum sp_feed_fault fault = sp_feed_ack_decode(&out, text, strlen(text), why);
		if (fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].tail, sp_feed_fault_name(fault));
		free(text);
	}
}

static void the_hub_there_and_back(void **state)
{
	(void)state;
	struct sp_buf text = SP_BUF(SP_FEED_PAYLOAD_MAX);
	char why[128];
	for (int online = 0; online <= 1; online++) {
		struct sp_feed_hub in = {.hub_epoch = A,
					 .online = online,
					 .reconnect_window_seconds = 300,
					 .attendance_days = online ? 400 : 0},
				   out;
		sp_buf_reset(&text);
		assert_int_equal(sp_feed_hub_encode(&text, &in), 0);
		assert_int_equal(sp_feed_hub_decode(&out, text.data, text.length, why), SP_FEED_OK);
		assert_string_equal(out.hub_epoch, A);
		assert_int_equal(out.online, online);
		assert_int_equal(out.reconnect_window_seconds, 300);
		assert_int_equal(out.attendance_days, online ? 400 : 0);
	}
	static const char *const days[] = {"0", "-1", "36501", "4.5", "\"400\""};
	for (size_t i = 0; i < SP_COUNT(days); i++) {
		struct sp_feed_hub out;
		char *bad = changed(text.data, "400", days[i]);
		assert_int_equal(sp_feed_hub_decode(&out, bad, strlen(bad), why), SP_FEED_MALFORMED);
		free(bad);
	}
	static const char *const windows[] = {"-1", "86401", "1e9", "null", "\"300\""};
	for (size_t i = 0; i < SP_COUNT(windows); i++) {
		struct sp_feed_hub out;
		char *bad = changed(text.data, "300", windows[i]);
		assert_int_equal(sp_feed_hub_decode(&out, bad, strlen(bad), why), SP_FEED_MALFORMED);
		free(bad);
	}
	sp_buf_free(&text);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	(void)state;
	struct sp_buf small = SP_BUF(20);
	struct sp_feed_ack ack = {.hub_epoch = A, .stream = B};
	struct sp_feed_state in = birth();
	sp_buf_text(&small, "kept");
	assert_int_equal(sp_feed_ack_encode(&small, &ack), -EMSGSIZE);
	assert_int_equal(sp_feed_state_encode(&small, &in), -EMSGSIZE);
	assert_string_equal(small.data, "kept");
	assert_false(small.overflowed);
	sp_buf_free(&small);
}

static void topics_are_split(void **state)
{
	(void)state;
	struct sp_feed_topic t;
	assert_true(sp_feed_topic_parse(&t, "sp1/up/hcm-1/kim-dong-1/facts"));
	assert_string_equal(t.shard, "hcm-1");
	assert_string_equal(t.device, "kim-dong-1");
	assert_string_equal(t.leaf, "facts");
	assert_true(sp_feed_topic_parse(&t, "sp1/up/a/b/attendance"));
	assert_true(sp_feed_topic_parse(&t, "sp1/up/a23456789b123456789c123456789d12/b/state"));
	static const char *const others[] = {
	    "",
	    "sp1",
	    "sp1/up",
	    "sp1/up/",
	    "sp1/up/a/b",
	    "sp1/up/a/b/",
	    "sp1/up/a/b/facts/",
	    "sp1/up/a/b/c/facts",
	    "sp1/up//b/facts",
	    "sp1/up/a//facts",
	    "sp1/down/a/b/ack",
	    "sp2/up/a/b/facts",
	    "/sp1/up/a/b/facts",
	    "sp1/up/A/b/facts",
	    "sp1/up/a/b/fact",
	    "sp1/up/a/b/factsfactsfactsfacts",
	    "sp1/up/a b/b/facts",
	    "sp1/up/a23456789b123456789c123456789d123/b/state",
	    "sp1/up/+/b/facts",
	};
	for (size_t i = 0; i < SP_COUNT(others); i++) {
		if (sp_feed_topic_parse(&t, others[i]))
			fail_msg("taken: %s", others[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_birth_there_and_back),
	    cmocka_unit_test(a_will_says_little),
	    cmocka_unit_test(births_are_checked),
	    cmocka_unit_test(a_birth_holds_a_most),
	    cmocka_unit_test(an_acknowledgement_there_and_back),
	    cmocka_unit_test(acknowledgements_are_checked),
	    cmocka_unit_test(the_hub_there_and_back),
	    cmocka_unit_test(a_full_buffer_is_left_as_it_was),
	    cmocka_unit_test(topics_are_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
