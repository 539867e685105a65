// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bytes of STAMP as RFC 8762 draws them, and where packets were lost, by the numbers alone.
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/link/stamp_session.h"

/// cmocka's own compares floats.
static void near(double found, double wanted, double within)
{
	if (!(fabs(found - wanted) <= within))
		fail_msg("%.9f, not %.9f", found, wanted);
}

static const uint8_t names[6] = {0xab, 0xcd, 0, 0, 1, 2};

// ---- bytes ----------------------------------------------------------------------------------------------

/// RFC 8762 figure 6, by hand: number 7, sent 0x11…, synchronised with 1·2^24 units, SSID abcd, received
/// 0x22…, ours 0x01020304 at 0x33…, not synchronised, TTL 250.
static const uint8_t recorded[44] = {
    0,    0,    0,    7,                            // sequence
    0xe9, 0x00, 0x00, 0x02, 0x80, 0x00, 0x00, 0x00, // sent: half past
    0x98, 0x01,                                     // S, scale 24, multiplier 1
    0xab, 0xcd,                                     // SSID
    0xe9, 0x00, 0x00, 0x02, 0x40, 0x00, 0x00, 0x00, // received: a quarter past
    0x01, 0x02, 0x03, 0x04,                         // our number
    0xe9, 0x00, 0x00, 0x01, 0xc0, 0x00, 0x00, 0x00, // our time
    0x3f, 0xff, 0,    0,    250,  0,    0,    0,
};

static void an_answer_is_read_as_drawn(void **state)
{
	struct sp_stamp_answer answer;
	(void)state;
	assert_int_equal(sp_stamp_parse(recorded, sizeof(recorded), &answer), 0);
	assert_int_equal(answer.sequence, 7);
	assert_int_equal(answer.our_sequence, 0x01020304);
	assert_int_equal(answer.ssid, 0xabcd);
	assert_true(answer.clock.synced && !answer.clock.ptp);
	near(answer.clock.error, 1.0 / 256, 1e-12);
	near(sp_stamp_between(answer.received, answer.sent), 0.25, 1e-9);
	near(sp_stamp_between(answer.our_time, answer.received), 0.5, 1e-9);
	near(sp_stamp_between(answer.received, answer.our_time), -0.5, 1e-9);
	for (size_t i = 0; i < 41; i++)
		assert_int_equal(sp_stamp_parse(recorded, i, &answer), -EBADMSG);
	assert_int_equal(sp_stamp_parse(recorded, 41, &answer), 0); // TWAMP Light
}

static void times_of_ptp_are_understood(void **state)
{
	uint8_t bytes[44];
	struct sp_stamp_answer answer;
	(void)state;
	memcpy(bytes, recorded, sizeof(bytes));
	bytes[12] |= 0x40;
	memcpy(bytes + 8, (uint8_t[]){0x1d, 0xcd, 0x65, 0x00}, 4);  // 500,000,000 ns
	memcpy(bytes + 20, (uint8_t[]){0xff, 0xff, 0xff, 0xff}, 4); // no number of ns
	assert_int_equal(sp_stamp_parse(bytes, sizeof(bytes), &answer), 0);
	assert_true(answer.clock.ptp);
	assert_int_equal(answer.sent & UINT32_MAX, 0x80000000);
	assert_int_equal(answer.received & UINT32_MAX, UINT32_MAX);
}

static void a_forbidden_estimate_says_nothing(void **state)
{
	uint8_t bytes[44];
	struct sp_stamp_answer answer;
	(void)state;
	memcpy(bytes, recorded, sizeof(bytes));
	bytes[13] = 0;
	assert_int_equal(sp_stamp_parse(bytes, sizeof(bytes), &answer), 0);
	assert_false(answer.clock.synced);
}

static void our_estimate_is_never_too_small(void **state)
{
	static const int64_t errors[] = {0, 1, 59, 1000, 16000, 1000000, 3600 * INT64_C(1000000)};
	uint8_t bytes[44];
	struct sp_stamp_answer answer;
	(void)state;
	for (size_t i = 0; i < SP_COUNT(errors); i++) {
		uint16_t estimate = sp_stamp_estimate(errors[i]);
		memcpy(bytes, recorded, sizeof(bytes));
		bytes[12] = (uint8_t)(estimate >> 8);
		bytes[13] = (uint8_t)estimate;
		assert_int_equal(sp_stamp_parse(bytes, sizeof(bytes), &answer), 0);
		assert_true(answer.clock.synced);
		assert_true(answer.clock.error >= (double)errors[i] / 1e6);
		assert_true(answer.clock.error <= (double)errors[i] / 1e6 * 1.02 + 1e-6);
	}
	assert_int_equal(sp_stamp_estimate(-1) & 0xc000, 0);
	assert_int_not_equal(sp_stamp_estimate(-1) & 0xff, 0);
}

static void a_question_is_written_as_drawn(void **state)
{
	uint8_t bytes[44], expected[44] = {1, 2, 3, 4, 0xe9, 0, 0, 1, 0xc0, 0, 0, 0, 0x98, 1, 0xab, 0xcd};
	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	sp_stamp_encode(bytes, 0x01020304, UINT64_C(0xe9000001c0000000), 0x9801, 0xabcd);
	assert_memory_equal(bytes, expected, sizeof(bytes));
}

// ---- numbers --------------------------------------------------------------------------------------------

static void answer_with(struct sp_stamp_session *session, size_t index, uint32_t number)
{
	uint8_t bytes[44];
	uint32_t ours = session->first + (uint32_t)index;
	uint64_t time = session->probes[index].time;
	memcpy(bytes, recorded, sizeof(bytes));
	for (int i = 0; i < 4; i++) {
		bytes[i] = (uint8_t)(number >> (24 - 8 * i));
		bytes[24 + i] = (uint8_t)(ours >> (24 - 8 * i));
	}
	for (int i = 0; i < 8; i++)
		bytes[28 + i] = (uint8_t)(time >> (56 - 8 * i));
	bytes[14] = (uint8_t)(session->ssid >> 8);
	bytes[15] = (uint8_t)session->ssid;
	assert_true(sp_stamp_session_take(session, bytes, sizeof(bytes), 2000000, 99));
	assert_false(sp_stamp_session_take(session, bytes, sizeof(bytes), 2000000, 99));
}

/// `numbers`: of each packet the reflector's number, "-" for none. The fates: A answered, F, B, ? unknown.
static void expect(const char *numbers, const char *fates)
{
	static const char letters[] = {'o', 'A', 'F', 'B', '?'};
	struct sp_stamp_session session;
	char found[SP_STAMP_PACKETS + 1] = "";
	sp_stamp_session_begin(&session, names);
	for (size_t i = 0; numbers[i]; i++)
		sp_stamp_session_sent(&session, 1000000, 1000 + i);
	for (size_t i = 0; numbers[i]; i++)
		if (numbers[i] != '-')
			answer_with(&session, i, (uint32_t)(numbers[i] - '0'));
	sp_stamp_tally(&session);
	for (size_t i = 0; i < session.count; i++)
		found[i] = letters[session.probes[i].fate];
	if (strcmp(found, fates) != 0)
		fail_msg("%s: %s, not %s", numbers, found, fates);
}

static void numbers_tell_where(void **state)
{
	(void)state;
	expect("01234", "AAAAA");
	expect("0-12", "AFAA");
	expect("0-23", "ABAA");
	expect("-0", "FA");
	expect("-1", "BA");
	expect("0--23", "ABFAA"); // which of the two is of no matter
	expect("0--3", "ABBA");
	expect("0--1", "AFFA");
	expect("01-", "AA?");
	expect("---", "???");
	expect("0--9-", "A??A?"); // doubled on the way, or an invention
	expect("1032", "AAAA");   // overtaken
	expect("3-4", "AFA");
	expect("5-0-1", "A?AFA"); // begun anew
}

static void a_stateless_one_tells_nothing(void **state)
{
	struct sp_stamp_session session;
	(void)state;
	sp_stamp_session_begin(&session, names);
	for (size_t i = 0; i < 3; i++)
		sp_stamp_session_sent(&session, 1000000, 1000 + i);
	answer_with(&session, 0, session.first);
	answer_with(&session, 2, session.first + 2);
	assert_true(session.stateless);
	sp_stamp_tally(&session);
	assert_int_equal(session.probes[1].fate, SP_STAMP_EITHER);
}

static void a_clock_set_meanwhile_gives_no_round_trip(void **state)
{
	struct sp_stamp_session session;
	(void)state;
	sp_stamp_session_begin(&session, names);
	sp_stamp_session_sent(&session, 1000000, 1000);
	answer_with(&session, 0, 0);
	near(session.probes[0].rtt, 0.75, 1e-9);
	// It claims to have kept the packet for longer than all of it took, or to have answered before.
	sp_stamp_session_begin(&session, names);
	sp_stamp_session_sent(&session, 1900000, 1000);
	answer_with(&session, 0, 0);
	assert_true(isnan(session.probes[0].rtt));
}

static void first_numbers_are_never_small(void **state)
{
	struct sp_stamp_session session;
	(void)state;
	sp_stamp_session_begin(&session, (uint8_t[6]){0});
	assert_true(session.first >= SP_STAMP_PACKETS);
	assert_int_not_equal(session.ssid, 0);
	sp_stamp_session_begin(&session, (uint8_t[6]){255, 255, 255, 255, 255, 255});
	assert_true(session.first >= SP_STAMP_PACKETS && session.first + SP_STAMP_PACKETS > session.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_read_as_drawn),
	    cmocka_unit_test(times_of_ptp_are_understood),
	    cmocka_unit_test(a_forbidden_estimate_says_nothing),
	    cmocka_unit_test(our_estimate_is_never_too_small),
	    cmocka_unit_test(a_question_is_written_as_drawn),
	    cmocka_unit_test(numbers_tell_where),
	    cmocka_unit_test(a_stateless_one_tells_nothing),
	    cmocka_unit_test(a_clock_set_meanwhile_gives_no_round_trip),
	    cmocka_unit_test(first_numbers_are_never_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
