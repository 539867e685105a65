// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Echo probes and what comes back, from recorded packets.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/link/icmp.h"
#include "recorded.h"

enum { RECORDED_PAYLOAD = 12 }; ///< of the recorded probes: longer than ours need be

static const struct sp_icmp_echo sent = {.id = 0x1234, .seq = 7, .cookie = "ABCD"};

static void test_encode(void **state)
{
	(void)state;
	uint8_t probe[SP_ICMP_PROBE];
	sp_icmp_encode(probe, sizeof(probe), false, &sent);
	assert_int_equal(probe[0], 8);
	assert_int_equal(sp_icmp_checksum(probe, sizeof(probe)), 0);
	assert_memory_equal(probe + 4,
			    "\x12\x34\x00\x07"
			    "ABCD",
			    8);
	sp_icmp_encode(probe, sizeof(probe), true, &sent);
	assert_int_equal(probe[0], 128);
}

static void test_checksum_of_rfc1071(void **state)
{
	(void)state;
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	assert_int_equal(sp_icmp_checksum(example, sizeof(example)), (uint16_t)~0xddf2);
	assert_int_equal(sp_icmp_checksum(example, 7), (uint16_t)~0xdcfb);
	assert_int_equal(sp_icmp_checksum(NULL, 0), 0xffff);
}

static void parse4(const char *name, struct sp_icmp_message *out)
{
	uint8_t data[RECORDED_MAX];
	const uint8_t *at = data;
	size_t length = recorded("icmp", name, data);
	assert_true(sp_icmp_strip_ipv4(&at, &length));
	sp_icmp_parse(at, length, false, out);
}

static void test_recorded_replies(void **state)
{
	(void)state;
	struct sp_icmp_message message;
	uint8_t data[RECORDED_MAX];
	parse4("reply4_raw", &message);
	assert_int_equal(message.kind, SP_ICMP_REPLY);
	assert_int_equal(message.echo.id, 0x1234);
	assert_int_equal(message.echo.seq, 7);
	assert_memory_equal(message.echo.cookie, sent.cookie, SP_ICMP_COOKIE);
	sp_icmp_parse(data, recorded("icmp", "reply6", data), true, &message);
	assert_int_equal(message.kind, SP_ICMP_REPLY);
	assert_int_equal(message.echo.seq, 9);
	assert_int_equal(message.size, 8 + RECORDED_PAYLOAD);
	assert_memory_equal(message.echo.cookie, sent.cookie, SP_ICMP_COOKIE);
}

static void test_recorded_errors(void **state)
{
	(void)state;
	static const uint8_t target4[] = {203, 0, 113, 2};
	static const uint8_t target6[] = {0x20, 1, 0x0d, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
	struct sp_icmp_message message;
	uint8_t data[RECORDED_MAX];
	parse4("unreachable4_raw", &message);
	assert_int_equal(message.kind, SP_ICMP_UNREACHABLE);
	assert_string_equal(sp_icmp_error_text(false, message.kind, message.code), "host unreachable");
	assert_int_equal(message.echo.seq, 8);
	assert_true(message.has_cookie);
	assert_memory_equal(message.target, target4, 4);
	sp_icmp_parse(data, recorded("icmp", "unreachable6", data), true, &message);
	assert_int_equal(message.kind, SP_ICMP_UNREACHABLE);
	assert_string_equal(sp_icmp_error_text(true, message.kind, message.code), "address unreachable");
	assert_int_equal(message.echo.seq, 10);
	assert_memory_equal(message.target, target6, 16);
}

static void test_error_that_quotes_little(void **state)
{
	(void)state;
	uint8_t data[RECORDED_MAX];
	size_t length = recorded("icmp", "unreachable6", data);
	struct sp_icmp_message message;
	// A router need not quote more than the ICMP header; ICMPv6 checksums are the kernel's business.
	sp_icmp_parse(data, length - RECORDED_PAYLOAD, true, &message);
	assert_int_equal(message.kind, SP_ICMP_UNREACHABLE);
	assert_false(message.has_cookie);
	sp_icmp_parse(data, length - RECORDED_PAYLOAD - 1, true, &message);
	assert_int_equal(message.kind, SP_ICMP_OTHER);
}

static void test_damage(void **state)
{
	(void)state;
	uint8_t data[RECORDED_MAX];
	const uint8_t *at = data;
	size_t length = recorded("icmp", "reply4_raw", data);
	struct sp_icmp_message message;
	data[30] ^= 1; // in the cookie: the checksum tells
	assert_true(sp_icmp_strip_ipv4(&at, &length));
	sp_icmp_parse(at, length, false, &message);
	assert_int_equal(message.kind, SP_ICMP_OTHER);
	for (size_t cut = 0; cut < length; cut++) {
		sp_icmp_parse(at, cut, false, &message);
		assert_int_equal(message.kind, SP_ICMP_OTHER);
		size_t whole = cut;
		const uint8_t *begin = data;
		assert_false(sp_icmp_strip_ipv4(&begin, &whole));
	}
}

static void test_our_own_request_is_no_reply(void **state)
{
	(void)state;
	uint8_t probe[SP_ICMP_PROBE];
	struct sp_icmp_message message;
	sp_icmp_encode(probe, sizeof(probe), false, &sent);
	sp_icmp_parse(probe, sizeof(probe), false, &message);
	assert_int_equal(message.kind, SP_ICMP_OTHER);
	assert_true(sp_icmp_parse_quoted(probe, sizeof(probe), false, &message));
	assert_int_equal(message.echo.seq, 7);
	assert_false(sp_icmp_parse_quoted(probe, sizeof(probe), true, &message));
}

/// An error as a router would send it: header, the probe's IP header, and `quoted` bytes of the probe.
static size_t error_for(uint8_t *out, bool ipv6, uint8_t type, uint8_t code, uint32_t mtu, size_t quoted)
{
	uint8_t *ip = out + 8, *probe = ip + (ipv6 ? 40 : 20);
	size_t size = (size_t)(probe - out) + quoted;
	memset(out, 0, size);
	out[0] = type;
	out[1] = code;
	out[4] = (uint8_t)(mtu >> 24);
	out[5] = (uint8_t)(mtu >> 16);
	out[6] = (uint8_t)(mtu >> 8);
	out[7] = (uint8_t)mtu;
	ip[0] = ipv6 ? 0x60 : 0x45;
	ip[ipv6 ? 6 : 9] = ipv6 ? 58 : 1;
	memcpy(ip + (ipv6 ? 24 : 16), "\xcb\x00\x71\x07", 4);
	uint8_t whole[32] = {0};
	assert_true(quoted <= sizeof(whole));
	sp_icmp_encode(whole, sizeof(whole), ipv6, &sent);
	memcpy(probe, whole, quoted);
	uint16_t sum = sp_icmp_checksum(out, size);
	out[2] = (uint8_t)(sum >> 8);
	out[3] = (uint8_t)sum;
	return size;
}

static void test_time_exceeded_and_too_big(void **state)
{
	(void)state;
	uint8_t data[256];
	struct sp_icmp_message message;
	sp_icmp_parse(data, error_for(data, false, 11, 0, 0, 8), false, &message);
	assert_int_equal(message.kind, SP_ICMP_EXPIRED);
	assert_int_equal(message.echo.seq, 7);
	assert_false(message.has_cookie);
	sp_icmp_parse(data, error_for(data, true, 3, 0, 0, 16), true, &message);
	assert_int_equal(message.kind, SP_ICMP_EXPIRED);
	assert_true(message.has_cookie);
	// A reassembly that took too long is no hop.
	sp_icmp_parse(data, error_for(data, false, 11, 1, 0, 16), false, &message);
	assert_int_equal(message.kind, SP_ICMP_OTHER);
	sp_icmp_parse(data, error_for(data, false, 3, 4, 1492, 16), false, &message);
	assert_int_equal(message.kind, SP_ICMP_TOO_BIG);
	assert_int_equal(message.mtu, 1492);
	assert_memory_equal(message.target, "\xcb\x00\x71\x07", 4);
	sp_icmp_parse(data, error_for(data, true, 2, 0, 0x10500, 16), true, &message);
	assert_int_equal(message.kind, SP_ICMP_TOO_BIG);
	assert_int_equal(message.mtu, 0x10500);
	// IPv6 has no such code.
	sp_icmp_parse(data, error_for(data, true, 1, 4, 1492, 16), true, &message);
	assert_int_equal(message.kind, SP_ICMP_UNREACHABLE);
}

static void test_large_probe(void **state)
{
	(void)state;
	uint8_t probe[SP_ICMP_MOST];
	memset(probe, 0xaa, sizeof(probe));
	sp_icmp_encode(probe, sizeof(probe), false, &sent);
	assert_int_equal(sp_icmp_checksum(probe, sizeof(probe)), 0);
	assert_int_equal(probe[SP_ICMP_MOST - 1], 0);
	probe[0] = 0; // as its answer
	probe[2] = probe[3] = 0;
	uint16_t sum = sp_icmp_checksum(probe, sizeof(probe));
	probe[2] = (uint8_t)(sum >> 8);
	probe[3] = (uint8_t)sum;
	struct sp_icmp_message message;
	sp_icmp_parse(probe, sizeof(probe), false, &message);
	assert_int_equal(message.kind, SP_ICMP_REPLY);
	assert_int_equal(message.size, SP_ICMP_MOST);
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(sp_icmp_error_text(false, SP_ICMP_UNREACHABLE, 13), "filtered");
	assert_string_equal(sp_icmp_error_text(false, SP_ICMP_UNREACHABLE, 4), "unreachable");
	assert_string_equal(sp_icmp_error_text(false, SP_ICMP_UNREACHABLE, 255), "unreachable");
	assert_string_equal(sp_icmp_error_text(true, SP_ICMP_UNREACHABLE, 255), "unreachable");
	assert_string_equal(sp_icmp_error_text(true, SP_ICMP_EXPIRED, 0), "hop limit exceeded");
	assert_string_equal(sp_icmp_error_text(false, SP_ICMP_TOO_BIG, 4), "packet too big");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_encode),
	    cmocka_unit_test(test_checksum_of_rfc1071),
	    cmocka_unit_test(test_recorded_replies),
	    cmocka_unit_test(test_recorded_errors),
	    cmocka_unit_test(test_error_that_quotes_little),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_our_own_request_is_no_reply),
	    cmocka_unit_test(test_time_exceeded_and_too_big),
	    cmocka_unit_test(test_large_probe),
	    cmocka_unit_test(test_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
