// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The guard before libmosquitto: what a real mosquitto sends passes, and of what it must not send, nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/mqtt_check.h"

enum { LIMIT = 70000 };

#define CONNACK "\x20\x03\x00\x00\x00"

/// Results of one take, of at most `chunk` bytes, until a packet, an error or the end.
static int next(struct sp_mqtt_check *check, const uint8_t **bytes, size_t *length, size_t chunk)
{
	int result = 0;
	while (result == 0 && *length > 0) {
		size_t count = *length < chunk ? *length : chunk, left = count;
		result = sp_mqtt_check_take(check, bytes, &left);
		*length -= count - left;
	}
	return result;
}

static void greeted(struct sp_mqtt_check *check)
{
	const uint8_t *at = (const uint8_t *)CONNACK;
	size_t length = 5;
	sp_mqtt_check_init(check, LIMIT);
	assert_int_equal(next(check, &at, &length, 5), 1);
}

/// Recorded from mosquitto 2.0.11: CONNACK, SUBACK, a message with a content type and a payload format,
/// PUBACK short and with "nobody listens", PINGRESP.
static const char message[] = "\x32\x1f\x00\x03t/1\x00\x01\x15\x03\x00\x10"
			      "application/json\x01\x01{}";
static const char *const recorded[] = {
    "\x20\x0c\x00\x00\x09\x22\x00\x0a\x13\x00\x64\x21\x00\x14",
    "\x90\x04\x00\x01\x00\x01",
    message,
    "\x40\x02\x00\x02",
    "\x40\x03\x00\x03\x10",
    "\xd0\x00",
};
static const size_t recorded_length[] = {14, 6, 33, 4, 5, 2};

static void what_mosquitto_sends_passes_however_it_is_cut(void **state)
{
	(void)state;
	uint8_t stream[256];
	size_t length = 0;
	for (size_t i = 0; i < SP_COUNT(recorded); i++) {
		memcpy(stream + length, recorded[i], recorded_length[i]);
		length += recorded_length[i];
	}
	for (size_t chunk = 1; chunk <= length; chunk++) {
		struct sp_mqtt_check check;
		const uint8_t *at = stream;
		size_t left = length;
		sp_mqtt_check_init(&check, LIMIT);
		for (size_t i = 0; i < SP_COUNT(recorded); i++) {
			assert_int_equal(next(&check, &at, &left, chunk), 1);
			if (recorded[i][0] == '\x40') {
				assert_int_equal(check.length, 5);
				assert_memory_equal(check.packet,
						    i == 3 ? "\x40\x03\x00\x02\x00" : "\x40\x03\x00\x03\x10",
						    5);
			} else {
				assert_int_equal(check.length, recorded_length[i]);
				assert_memory_equal(check.packet, recorded[i], recorded_length[i]);
			}
			assert_int_equal(check.header, 2);
			assert_false(sp_mqtt_check_is_disconnect(&check));
		}
		assert_int_equal(left, 0);
		sp_mqtt_check_free(&check);
	}
}

static void what_the_standard_allows_passes(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
	    {"\x30\x04\x00\x01t\x00", 6},                                   // empty payload
	    {"\x31\x07\x00\x01t\x03\x03\x00\x00", 9},                       // an empty content type
	    {"\x3b\x0a\x00\x01t\xff\xff\x00\x00\xff\x00\xff", 12},          // DUP, retained, bytes
	    {"\x30\x0a\x00\x01t\x05\x02\x00\x00\x00\x09x", 12},             // message expiry
	    {"\x30\x0d\x00\x01t\x09\x08\x00\x01r\x09\x00\x02\x00\xff", 15}, // response topic, correlation
	    {"\x30\x08\x00\x01t\x03\x0b\x80\x01x", 10},                     // subscription id
	    {"\x30\x12\x00\x01t\x0e\x26\x00\x01"
	     "a\x00\x01"
	     "b\x26\x00\x01"
	     "a\x00\x01"
	     "b",
	     20},                                 // users' own, twice
	    {"\x30\x06\x00\x03t\xc4\x91\x00", 8}, // "tđ"
	    {"\x40\x03\x00\x01\x97", 5},
	    {"\x40\x08\x00\x01\x00\x04\x1f\x00\x01x", 10},
	    {"\x90\x04\xff\xff\x00\x87", 6},
	    {"\x90\x08\x00\x01\x04\x1f\x00\x01x\x00", 10},
	    {"\xe0\x00", 2},
	    {"\xe0\x01\x8e", 3},
	    {"\xe0\x06\x8b\x04\x1f\x00\x01x", 8},
	    {"\xe0\x06\x9d\x04\x1c\x00\x01x", 8},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_mqtt_check check;
		const uint8_t *at = (const uint8_t *)cases[i].bytes;
		size_t left = cases[i].length;
		greeted(&check);
		if (next(&check, &at, &left, 3) != 1)
			fail_msg("case %zu: %s", i, check.fault);
		assert_int_equal(sp_mqtt_check_is_disconnect(&check), (uint8_t)cases[i].bytes[0] == 0xe0);
		assert_int_equal(left, 0);
		sp_mqtt_check_free(&check);
	}
}

static void every_property_of_connack_passes_once(void **state)
{
	(void)state;
	static const char all[] =
	    "\x11\x00\x00\x00\x09\x13\x00\x09\x15\x00\x01x\x16\x00\x01\x00\x1a\x00\x01x\x1c\x00\x01x"
	    "\x1f\x00\x01x\x21\x00\x09\x22\x00\x00\x24\x01\x25\x01\x26\x00\x00\x00\x00"
	    "\x27\x00\x00\x10\x00\x28\x00\x29\x00\x2a\x00";
	const size_t length = sizeof(all) - 1;
	for (int twice = 0; twice <= 1; twice++) {
		uint8_t bytes[200] = {0x20, (uint8_t)(3 + length + (twice ? 5 : 0)), 1, 0,
				      (uint8_t)(length + (twice ? 5 : 0))};
		struct sp_mqtt_check check;
		const uint8_t *at = bytes;
		size_t left = 5 + length + (twice ? 5 : 0);
		memcpy(bytes + 5, all, length);
		memcpy(bytes + 5 + length, all, 5);
		sp_mqtt_check_init(&check, LIMIT);
		int result = next(&check, &at, &left, 1);
		if (result != (twice ? -EPROTO : 1))
			fail_msg("%d: %s", result, check.fault);
		if (twice)
			assert_non_null(strstr(check.fault, "session expiry twice in CONNACK"));
		sp_mqtt_check_free(&check);
	}
}

static void refused(bool after_connack, const char *bytes, size_t length, int error, const char *word)
{
	for (size_t chunk = 1; chunk <= length; chunk++) {
		struct sp_mqtt_check check;
		const uint8_t *at = (const uint8_t *)bytes;
		size_t left = length;
		sp_mqtt_check_init(&check, LIMIT);
		if (after_connack)
			greeted(&check);
		int result = next(&check, &at, &left, chunk);
		if (result != error || !strstr(check.fault, word))
			fail_msg("%d: %s; not %d: %s", result, check.fault, error, word);
		assert_non_null(strstr(check.fault, "the broker broke the protocol: "));
		// Nothing passes afterwards, however good it is.
		at = (const uint8_t *)"\xd0\x00";
		left = 2;
		assert_int_equal(sp_mqtt_check_take(&check, &at, &left), error);
		assert_int_equal(left, 2);
		sp_mqtt_check_free(&check);
	}
}

static void an_answer_to_connect_that_is_none_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
		const char *word;
	} cases[] = {
	    {"\x30\x04\x00\x01t\x00", 6, "begins with 0x30"},
	    {"\xe0\x00", 2, "begins with 0xe0"},
	    {"\xf0\x00", 2, "begins with 0xf0"},
	    {"HTTP", 4, "begins with 0x48"},
	    {"\x16\x03\x01", 3, "begins with 0x16"},
	    {"\x21\x03\x00\x00\x00", 5, "begins with 0x21"},
	    {"\x20\x00", 2, "CONNACK is cut short"},
	    {"\x20\x01\x00", 3, "CONNACK is cut short"},
	    {"\x20\x02\x00\x05", 4, "not of MQTT 5"},
	    {"\x20\x03\x02\x00\x00", 5, "flags 0x02"},
	    {"\x20\x03\x01\x87\x00", 5, "flags 0x01"},
	    {"\x20\x03\x00\x05\x00", 5, "reason 0x05"},
	    {"\x20\x04\x00\x00\x00x", 6, "CONNACK is too long"},
	    {"\x20\x03\x00\x00\x01", 5, "properties of a CONNACK"},
	    {"\x20\x05\x00\x00\x02\x7f\x00", 7, "unknown property 0x7f in CONNACK"},
	    {"\x20\x05\x00\x00\x02\x00\x00", 7, "unknown property 0x00 in CONNACK"},
	    {"\x20\x05\x00\x00\x02\x24\x02", 7, "maximum QoS 2"},
	    {"\x20\x05\x00\x00\x02\x25\xff", 7, "retain available 255"},
	    {"\x20\x06\x00\x00\x03\x21\x00\x00", 8, "receive maximum 0"},
	    {"\x20\x08\x00\x00\x05\x27\x00\x00\x00\x00", 10, "maximum packet size 0"},
	    {"\x20\x05\x00\x00\x02\x27\x00", 7, "maximum packet size in CONNACK is cut short"},
	    {"\x20\x07\x00\x00\x04\x12\x00\x01x", 9, "assigned client id has no place"},
	    {"\x20\x05\x00\x00\x02\x01\x00", 7, "payload format has no place in CONNACK"},
	    {"\x20\x08\x00\x00\x05\x18\x00\x00\x00\x00", 10, "will delay has no place in CONNACK"},
	    {"\x20\x80\x80\x80\x80", 5, "without a proper length"},
	    {"\x20\x83\x00", 3, "without a proper length"}, // longer than need be
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++)
		refused(false, cases[i].bytes, cases[i].length, -EPROTO, cases[i].word);
}

static void what_breaks_the_protocol_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
		const char *word;
	} cases[] = {
	    {CONNACK, 5, "CONNACK came twice"},
	    {"\x00\x00", 2, "packet 0"},
	    {"\x10\x00", 2, "CONNECT"},
	    {"\x50\x02\x00\x01", 4, "nobody asked for PUBREC"},
	    {"\x62\x02\x00\x01", 4, "nobody asked for PUBREL"},
	    {"\x70\x02\x00\x01", 4, "nobody asked for PUBCOMP"},
	    {"\x82\x02\x00\x01", 4, "nobody asked for SUBSCRIBE"},
	    {"\xa2\x02\x00\x01", 4, "nobody asked for UNSUBSCRIBE"},
	    {"\xb0\x04\x00\x01\x00\x00", 6, "nobody asked for UNSUBACK"},
	    {"\xc0\x00", 2, "nobody asked for PINGREQ"},
	    {"\xf0\x02\x18\x00", 4, "nobody asked for AUTH"},
	    {"\x41\x02\x00\x01", 4, "PUBACK with flags 0x1"},
	    {"\xd8\x00", 2, "PINGRESP with flags 0x8"},
	    {"\xd0\x01\x00", 3, "PINGRESP is too long"},
	    {"\xd0\x80\x00", 3, "without a proper length"},
	    // PUBLISH
	    {"\x34\x06\x00\x01t\x00\x01\x00", 8, "QoS 2"},
	    {"\x36\x06\x00\x01t\x00\x01\x00", 8, "QoS 3"},
	    {"\x38\x04\x00\x01t\x00", 6, "QoS 0 is marked"},
	    {"\x30\x00", 2, "the topic in PUBLISH is cut short"},
	    {"\x30\x01\x00", 3, "the topic in PUBLISH is cut short"},
	    {"\x30\x04\x00\x05t\x00", 6, "the topic in PUBLISH is cut short"},
	    {"\x30\x03\x00\x00\x00", 5, "the topic in PUBLISH is empty"},
	    {"\x30\x04\x00\x01\x00\x00", 6, "the topic in PUBLISH is no text"},
	    {"\x30\x04\x00\x01\x07\x00", 6, "the topic in PUBLISH is no text"},
	    {"\x30\x04\x00\x01\xc4\x00", 6, "the topic in PUBLISH is no text"},
	    {"\x30\x05\x00\x02\xc0\x80\x00", 7, "the topic in PUBLISH is no text"},
	    {"\x30\x06\x00\x03\xed\xa0\x80\x00", 8, "the topic in PUBLISH is no text"},
	    {"\x30\x06\x00\x03\xef\xbf\xbf\x00", 8, "the topic in PUBLISH is no text"},
	    {"\x30\x05\x00\x02t+\x00", 7, "wildcard"},
	    {"\x30\x04\x00\x01#\x00", 6, "wildcard"},
	    {"\x32\x06\x00\x01t\x00\x00\x00", 8, "packet id 0 in PUBLISH"},
	    {"\x32\x04\x00\x01t\x00", 6, "PUBLISH is cut short"},
	    {"\x30\x03\x00\x01t", 5, "properties of a PUBLISH"},
	    {"\x30\x05\x00\x01t\x02\x01", 7, "properties of a PUBLISH"},
	    {"\x30\x05\x00\x01t\x80\x00", 7, "properties of a PUBLISH"},
	    {"\x30\x08\x00\x01t\xff\xff\xff\xff\x7f", 10, "properties of a PUBLISH"},
	    {"\x30\x07\x00\x01t\x02\x7f\x00x", 9, "unknown property 0x7f in PUBLISH"},
	    {"\x30\x06\x00\x01t\x02\xff\x01", 8, "unknown property 0xff in PUBLISH"},
	    {"\x30\x07\x00\x01t\x03\x83\x00\x00", 9, "unknown property 0x83 in PUBLISH"}, // 3 as two bytes
	    {"\x30\x06\x00\x01t\x02\x01\x02", 8, "payload format 2"},
	    {"\x30\x07\x00\x01t\x03\x23\x00\x01", 9, "topic alias has no place in PUBLISH"},
	    {"\x30\x07\x00\x01t\x03\x21\x00\x01", 9, "receive maximum has no place in PUBLISH"},
	    {"\x30\x08\x00\x01t\x04\x1f\x00\x01x", 10, "reason string has no place in PUBLISH"},
	    {"\x30\x06\x00\x01t\x02\x0b\x00", 8, "subscription id 0"},
	    {"\x30\x06\x00\x01t\x02\x0b\x80", 8, "subscription id in PUBLISH is cut short"},
	    {"\x30\x0a\x00\x01t\x06\x03\x00\x00\x03\x00\x00", 12, "content type twice"},
	    {"\x30\x08\x00\x01t\x03\x03\x00\x01x", 10, "content type in PUBLISH is cut short"},
	    {"\x30\x08\x00\x01t\x04\x03\x00\x01\x00", 10, "content type in PUBLISH is no text"},
	    {"\x30\x07\x00\x01t\x03\x08\x00\x00", 9, "response topic in PUBLISH is empty"},
	    {"\x30\x08\x00\x01t\x04\x08\x00\x01#", 10, "response topic in PUBLISH has a wildcard"},
	    {"\x30\x08\x00\x01t\x03\x09\x00\x01x", 10, "correlation data in PUBLISH is cut short"},
	    {"\x30\x08\x00\x01t\x04\x26\x00\x01x", 10, "user property in PUBLISH is cut short"},
	    {"\x30\x0a\x00\x01t\x06\x26\x00\x01\xff\x00\x00", 12, "user property in PUBLISH is no text"},
	    // PUBACK, SUBACK
	    {"\x40\x00", 2, "PUBACK is cut short"},
	    {"\x40\x01\x00", 3, "PUBACK is cut short"},
	    {"\x40\x02\x00\x00", 4, "packet id 0 in PUBACK"},
	    {"\x40\x03\x00\x01\x01", 5, "reason 0x01 in PUBACK"},
	    {"\x40\x05\x00\x01\x00\x00x", 7, "PUBACK is too long"},
	    {"\x40\x06\x00\x01\x00\x02\x7f\x00", 8, "unknown property 0x7f in PUBACK"},
	    {"\x40\x07\x00\x01\x00\x03\x03\x00\x00", 9, "content type has no place in PUBACK"},
	    {"\x90\x02\x00\x01", 4, "properties of a SUBACK"},
	    {"\x90\x03\x00\x01\x00", 5, "0 answers in a SUBACK"},
	    {"\x90\x05\x00\x01\x00\x00\x00", 7, "2 answers in a SUBACK"},
	    {"\x90\x04\x00\x00\x00\x00", 6, "packet id 0 in SUBACK"},
	    {"\x90\x04\x00\x01\x00\x03", 6, "reason 0x03 in SUBACK"},
	    // DISCONNECT
	    {"\xe0\x01\x04", 3, "reason 0x04 in DISCONNECT"},
	    {"\xe0\x02\x8e\x01", 4, "properties of a DISCONNECT"},
	    {"\xe0\x03\x8e\x00x", 5, "DISCONNECT is too long"},
	    {"\xe0\x07\x8e\x05\x11\x00\x00\x00\x00", 9, "session expiry has no place in DISCONNECT"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++)
		refused(true, cases[i].bytes, cases[i].length, -EPROTO, cases[i].word);
}

/// Every property id in every packet: known, or a reason.
static void no_unknown_property_passes(void **state)
{
	(void)state;
	for (int id = 0; id < 256; id++) {
		char bytes[] = "\x30\x08\x00\x01t\x04\x00\x00\x00\x00";
		struct sp_mqtt_check check;
		const uint8_t *at = (const uint8_t *)bytes;
		size_t left = 10;
		bytes[6] = (char)id;
		greeted(&check);
		int result = next(&check, &at, &left, 10);
		// None of them is three zero bytes long, but one may be followed by id 0.
		assert_int_equal(result, -EPROTO);
		sp_mqtt_check_free(&check);
	}
}

static void the_limit_is_exact_and_costs_nothing_ahead(void **state)
{
	(void)state;
	// 4 bytes of header, 4 of topic and properties.
	static uint8_t packet[LIMIT + 1] = {0x30, 0xec, 0xa2, 0x04, 0, 1, 't', 0};
	struct sp_mqtt_check check;
	const uint8_t *at = packet;
	size_t left = LIMIT;
	greeted(&check);
	assert_int_equal(0x6c + 0x22 * 128 + 4 * 16384, LIMIT - 4);
	assert_int_equal(next(&check, &at, &left, 4096), 1);
	assert_int_equal(check.length, LIMIT);
	assert_memory_equal(check.packet, packet, LIMIT);
	assert_true(check.room <= LIMIT);
	// What it took is given back.
	at = (const uint8_t *)"\xd0\x00";
	left = 2;
	assert_int_equal(next(&check, &at, &left, 2), 1);
	assert_true(check.room <= 4096);
	sp_mqtt_check_free(&check);

	packet[1]++;
	refused(true, (const char *)packet, 4, -EMSGSIZE,
		"a PUBLISH of 70001 bytes, where 70000 are allowed");
	refused(true, "\x30\xff\xff\xff\x7f", 5, -EMSGSIZE, "a PUBLISH of 268435460 bytes");
	// A claim takes no memory before it is kept.
	packet[1]--;
	at = packet;
	left = 1000;
	greeted(&check);
	assert_int_equal(next(&check, &at, &left, 100), 0);
	assert_true(check.room <= 2048);
	sp_mqtt_check_free(&check);
}

static void properties_are_counted(void **state)
{
	(void)state;
	for (int many = SP_MQTT_PROPERTIES_MAX; many <= SP_MQTT_PROPERTIES_MAX + 1; many++) {
		uint8_t bytes[1000] = {0x30};
		size_t list = (size_t)many * 5, rest = 3 + 2 + list;
		bytes[1] = (uint8_t)(rest % 128 | 0x80);
		bytes[2] = (uint8_t)(rest / 128);
		memcpy(bytes + 3, "\x00\x01t", 3);
		bytes[6] = (uint8_t)(list % 128 | 0x80);
		bytes[7] = (uint8_t)(list / 128);
		for (int i = 0; i < many; i++)
			memcpy(bytes + 8 + 5 * i, "\x26\x00\x00\x00\x00", 5);
		struct sp_mqtt_check check;
		const uint8_t *at = bytes;
		size_t left = 3 + rest;
		greeted(&check);
		assert_int_equal(next(&check, &at, &left, 7), many > SP_MQTT_PROPERTIES_MAX ? -EPROTO : 1);
		sp_mqtt_check_free(&check);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_mosquitto_sends_passes_however_it_is_cut),
	    cmocka_unit_test(what_the_standard_allows_passes),
	    cmocka_unit_test(every_property_of_connack_passes_once),
	    cmocka_unit_test(an_answer_to_connect_that_is_none_is_refused),
	    cmocka_unit_test(what_breaks_the_protocol_is_refused),
	    cmocka_unit_test(no_unknown_property_passes),
	    cmocka_unit_test(the_limit_is_exact_and_costs_nothing_ahead),
	    cmocka_unit_test(properties_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
