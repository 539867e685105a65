// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The reflector without its socket: bytes as RFC 8762 draws them, numbers of sessions, limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "schoolpulse/err.h"
#include "tools/anchor/stamp_rules.h"
#include "tools/anchor/stamp_wire.h"

// ---- bytes ----------------------------------------------------------------------------------------------

static const struct sp_stamp_reflection with = {.sequence = 0x0a0b0c0d,
						.received = UINT64_C(0x1122334455667788),
						.sent = UINT64_C(0x99aabbccddeeff00),
						.error = 0x8a05,
						.ttl = 61};
static const uint8_t question[44] = {1, 2, 3, 4, 0xe9, 1, 2, 3, 4, 5, 6, 7, 0x9f, 0x11, 0xab, 0xcd};
static const uint8_t expected[44] = {0x0a, 0x0b, 0x0c, 0x0d, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
				     0x00, 0x8a, 0x05, 0xab, 0xcd, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
				     0x77, 0x88, 1,    2,    3,    4,    0xe9, 1,    2,    3,    4,
				     5,    6,    7,    0x9f, 0x11, 0,    0,    61,   0,    0,    0};

static void an_answer_is_as_drawn(void **state)
{
	uint8_t data[200];
	(void)state;
	memset(data, 0xee, sizeof(data));
	memcpy(data, question, sizeof(question));
	assert_int_equal(sp_stamp_ssid(data, sizeof(question)), 0xabcd);
	assert_int_equal(sp_stamp_reflect(data, sizeof(question), &with), 0);
	assert_memory_equal(data, expected, sizeof(expected));
	assert_int_equal(data[44], 0xee);
}

static void sizes_stay(void **state)
{
	uint8_t data[200];
	(void)state;
	for (size_t length = 0; length < 41; length++) {
		memset(data, 0x77, sizeof(data));
		assert_int_equal(sp_stamp_reflect(data, length, &with), -EBADMSG);
		assert_int_equal(data[0], 0x77);
	}
	// TWAMP Light, padded to the size of its answer: to the TTL, and no name of a session.
	memset(data, 0, sizeof(data));
	memcpy(data, question, sizeof(question));
	data[41] = 0x77;
	assert_int_equal(sp_stamp_ssid(data, 41), 0);
	assert_int_equal(sp_stamp_reflect(data, 41, &with), 0);
	assert_int_equal(data[14] | data[15], 0);
	assert_memory_equal(data + 16, expected + 16, 25);
	assert_int_equal(data[41], 0x77);
}

/// TLVs behind a base packet, before and after.
static void tlvs(const uint8_t *before, const uint8_t *after, size_t length)
{
	uint8_t data[100] = {0};
	memcpy(data + 44, before, length);
	assert_int_equal(sp_stamp_reflect(data, 44 + length, &with), 0);
	assert_memory_equal(data + 44, after, length);
}

static void unknown_tlvs_are_marked(void **state)
{
	(void)state;
	tlvs((uint8_t[]){0xc0, 4, 0, 2, 9, 9}, (uint8_t[]){0x80, 4, 0, 2, 9, 9}, 6);
	tlvs((uint8_t[]){0xe0, 1, 0, 1, 9, 0xc0, 7, 0, 0}, (uint8_t[]){0x20, 1, 0, 1, 9, 0x80, 7, 0, 0}, 9);
	// Longer than what is there: malformed, and nothing behind is touched.
	tlvs((uint8_t[]){0x80, 4, 0xff, 0xff, 0xc0, 4, 0, 0}, (uint8_t[]){0x40, 4, 0xff, 0xff, 0xc0, 4, 0, 0},
	     8);
	// Padding of one who knows no TLVs.
	tlvs((uint8_t[]){0, 0, 0, 0, 0xc0, 4, 0, 0}, (uint8_t[]){0, 0, 0, 0, 0xc0, 4, 0, 0}, 8);
	tlvs((uint8_t[]){0xc0, 4, 0}, (uint8_t[]){0xc0, 4, 0}, 3);
}

static void times_are_ntps(void **state)
{
	(void)state;
	// RFC 5905 figure 4: 1 January 1970 is second 2,208,988,800.
	assert_true(sp_stamp_time(0, 0) == UINT64_C(2208988800) << 32);
	assert_true(sp_stamp_time(1, 500000000) == (UINT64_C(2208988801) << 32 | 0x80000000));
	assert_true((sp_stamp_time(1, 999999999) & UINT32_MAX) >= 0xfffffff0);
	assert_true(sp_stamp_time(INT64_C(2085978496), 0) >> 32 == 0); // the next era, 2036
}

static double read_error(uint16_t estimate)
{
	return (double)(estimate & 0xff) * (double)(UINT64_C(1) << (estimate >> 8 & 0x3f)) / 4294967296.0;
}

static void errors_are_never_too_small(void **state)
{
	static const int64_t errors[] = {0, 1, 17, 1000, 16384, 999999, 86400 * INT64_C(1000000)};
	(void)state;
	for (size_t i = 0; i < SP_COUNT(errors); i++) {
		uint16_t estimate = sp_stamp_error(errors[i], 1);
		double error = (double)errors[i] / 1e6;
		assert_int_equal(estimate & 0xc000, 0x8000);
		assert_true(estimate & 0xff);
		assert_true(read_error(estimate) >= error);
		assert_true(read_error(estimate) <= error * 1.02 + 4e-5);
	}
	assert_int_equal(sp_stamp_error(-1, 0), 0x3fff);
}

// ---- numbers and limits ---------------------------------------------------------------------------------

static const struct sp_stamp_rules_config usual = {
    .rate = 100, .source_rate = 10, .sessions = 64, .port = 862, .secret = 99};

static enum sp_stamp_verdict judge(struct sp_stamp_rules *rules, const char *address, uint16_t port,
				   uint16_t ssid, int64_t now_us, uint32_t *number)
{
	struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	uint32_t scrap;
	assert_int_equal(inet_pton(AF_INET6, address, &from.sin6_addr), 1);
	return sp_stamp_judge(rules, &from, ssid, 44, now_us, number ? number : &scrap);
}

static uint32_t number_of(struct sp_stamp_rules *rules, const char *address, uint16_t port, uint16_t ssid)
{
	uint32_t number = 0;
	assert_int_equal(judge(rules, address, port, ssid, 1000000, &number), SP_STAMP_ANSWER);
	return number;
}

static void each_session_has_numbers_of_its_own(void **state)
{
	(void)state;
	struct sp_stamp_rules_config config = usual;
	config.source_rate = 1000;
	config.rate = 1000;
	struct sp_stamp_rules *rules = sp_stamp_rules_new(&config);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.1", 5000, 1), 0);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.1", 5000, 1), 1);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.1", 5000, 2), 0);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.1", 5001, 1), 0);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.2", 5000, 1), 0);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.1", 5000, 1), 2);
	assert_int_equal(sp_stamp_sessions(rules), 4);
	// The one that was silent longest goes first; who is heard stays.
	for (uint16_t i = 0; i < 500; i++) {
		number_of(rules, "2001:db8::1", 6000, i);
		if (i % 32 == 0)
			number_of(rules, "::ffff:192.0.2.1", 5000, 1);
	}
	assert_int_equal(sp_stamp_sessions(rules), 64);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.1", 5000, 1), 3 + 16);
	assert_int_equal(number_of(rules, "::ffff:192.0.2.2", 5000, 1), 0);
	sp_stamp_rules_free(rules);
}

static void rates_are_kept(void **state)
{
	(void)state;
	struct sp_stamp_rules *rules = sp_stamp_rules_new(&usual);
	unsigned answered = 0, total = 0;
	char address[64];
	for (unsigned i = 0; i < 100; i++)
		answered += judge(rules, "::ffff:192.0.2.1", 5000, 1, 1000000, NULL) == SP_STAMP_ANSWER;
	assert_int_equal(answered, 20); // two seconds of its rate
	assert_int_equal(judge(rules, "::ffff:192.0.2.1", 5001, 1, 1000000, NULL), SP_STAMP_SOURCE);
	assert_int_equal(judge(rules, "::ffff:192.0.2.1", 5000, 1, 1100000, NULL), SP_STAMP_ANSWER);
	// A site's IPv6 is its /64.
	for (unsigned i = 0; i < 30; i++) {
		snprintf(address, sizeof(address), "2001:db8::%u", i);
		total += judge(rules, address, 5000, 1, 1100000, NULL) == SP_STAMP_ANSWER;
	}
	assert_int_equal(total, 20);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "2001:db8:%x::1", i + 1);
		total += judge(rules, address, 5000, 1, 1100000, NULL) == SP_STAMP_ANSWER;
	}
	assert_in_range(total, 150, 200); // two seconds of all, less what went before
	assert_int_equal(judge(rules, "2001:db8:ffff::1", 5000, 1, 1100000, NULL), SP_STAMP_TOTAL);
	// A clock that stood still or went back gives nothing.
	assert_int_equal(judge(rules, "2001:db8:ffff::1", 5000, 1, 1000000, NULL), SP_STAMP_TOTAL);
	sp_stamp_rules_free(rules);
}

static void no_loops_and_no_amplification(void **state)
{
	(void)state;
	struct sp_stamp_rules *rules = sp_stamp_rules_new(&usual);
	struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_port = htons(5000)};
	uint32_t number;
	assert_int_equal(judge(rules, "::ffff:192.0.2.1", 862, 1, 1000000, NULL), SP_STAMP_ORIGIN);
	assert_int_equal(judge(rules, "::ffff:192.0.2.1", 53, 1, 1000000, NULL), SP_STAMP_ORIGIN);
	assert_int_equal(judge(rules, "::ffff:192.0.2.1", 0, 1, 1000000, NULL), SP_STAMP_ORIGIN);
	assert_int_equal(sp_stamp_judge(rules, &from, 1, 40, 1000000, &number), SP_STAMP_SHORT);
	assert_int_equal(sp_stamp_sessions(rules), 0);
	sp_stamp_rules_free(rules);
	struct sp_stamp_rules_config high = usual;
	high.port = 18620;
	rules = sp_stamp_rules_new(&high);
	assert_int_equal(judge(rules, "::ffff:192.0.2.1", 18620, 1, 1000000, NULL), SP_STAMP_ORIGIN);
	sp_stamp_rules_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_as_drawn),
	    cmocka_unit_test(sizes_stay),
	    cmocka_unit_test(unknown_tlvs_are_marked),
	    cmocka_unit_test(times_are_ntps),
	    cmocka_unit_test(errors_are_never_too_small),
	    cmocka_unit_test(each_session_has_numbers_of_its_own),
	    cmocka_unit_test(rates_are_kept),
	    cmocka_unit_test(no_loops_and_no_amplification),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
