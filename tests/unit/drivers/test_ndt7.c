// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The parts of ndt7 that need no server: addresses, JSON as their servers write it, the opening, frames,
// sizes and ends, and a direction from its bytes.
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "drivers/speed/ndt7_session.h"
#include "drivers/speed/ndt7_upgrade.h"

#define CORPUS "../../fuzz/corpus/ndt7/"

enum { SECOND_US = 1000 * 1000 };

static char *recorded(const char *name, size_t *length)
{
	char path[128];
	snprintf(path, sizeof(path), CORPUS "%s", name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 18);
	*length = fread(text, 1, (1 << 18) - 1, file);
	fclose(file);
	return text;
}

// ---- addresses and JSON -----------------------------------------------------------------------

static void test_addresses(void **state)
{
	(void)state;
	static const char *const wrong[] = {
	    "http://a/x",    "wss://",        "wss:///x",       "wss://a",
	    "wss://a/b c",   "wss://a/b#c",   "wss://u@a/b",    "wss://a:0/b",
	    "wss://a:x/b",   "wss://[::1/b",  "wss://[::1]2/b", "wss://a:123456/b",
	    "wss://a/\r\nX", "wss://a\x01/b", "wss://a?b",      "wss://a:/b",
	};
	struct sp_ndt7_url url;
	char text[300];
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (sp_ndt7_url_parse(&url, wrong[i]) != -EINVAL)
			fail_msg("taken: %s", wrong[i]);
	assert_int_equal(
	    sp_ndt7_url_parse(&url, "wss://[2001:db8::1]:4443/ndt/v7/upload?access_token=a&client_name=x"),
	    0);
	assert_string_equal(url.host, "2001:db8::1");
	assert_string_equal(sp_ndt7_url_authority(&url, text, sizeof(text)), "[2001:db8::1]:4443");
	// No key twice: theirs stays.
	assert_int_equal(sp_ndt7_url_add(&url, "client_name", "schoolpulse"), 0);
	assert_int_equal(sp_ndt7_url_add(&url, "name", "y"), 0);
	assert_string_equal(url.target, "/ndt/v7/upload?access_token=a&client_name=x&name=y");
	assert_int_equal(sp_ndt7_url_parse(&url, "ws://h/p?"), 0);
	assert_int_equal(sp_ndt7_url_add(&url, "a", "b"), 0);
	assert_string_equal(url.target, "/p?a=b");
	assert_string_equal(sp_ndt7_url_authority(&url, text, sizeof(text)), "h");
	// A query has its limit.
	char *value = calloc(1, SP_NDT7_QUERY + 1);
	memset(value, 'x', SP_NDT7_QUERY - 5);
	assert_int_equal(sp_ndt7_url_add(&url, "c", value), -E2BIG);
	value[SP_NDT7_QUERY - 6] = '\0';
	assert_int_equal(sp_ndt7_url_add(&url, "c", value), 0);
	free(value);
}

static void test_locator(void **state)
{
	(void)state;
	size_t length;
	char *text = recorded("locate", &length);
	struct sp_ndt7_server servers[SP_NDT7_SERVERS];
	assert_int_equal(sp_ndt7_locate_parse(text, length, true, servers), 4);
	assert_string_equal(servers[3].urls[SP_SPEED_UP].host,
			    "ndt-mlab4-sin01.mlab-oti.measurement-lab.org");
	assert_non_null(
	    strstr(servers[3].urls[SP_SPEED_UP].target, ".c2ln&index=4&locate_version=v2&metro_rank=4"));
	assert_int_equal(servers[0].urls[SP_SPEED_DOWN].port, 443);
	assert_int_equal(sp_ndt7_locate_parse(text, length, false, servers), 4);
	assert_int_equal(servers[0].urls[SP_SPEED_DOWN].port, 80);
	// Cut anywhere it is none.
	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(sp_ndt7_locate_parse(text, cut, true, servers), -EPROTO);
	free(text);
	text = recorded("locate_newline", &length);
	assert_int_equal(sp_ndt7_locate_parse(text, length, true, servers), 0);
	assert_int_equal(sp_ndt7_locate_parse(text, length, false, servers), 1);
	free(text);
}

static void test_measurement(void **state)
{
	(void)state;
	size_t length;
	char *text = recorded("measurement", &length);
	struct sp_ndt7_measurement m;
	assert_int_equal(sp_ndt7_measurement_parse(text, length, &m), 0);
	assert_true(m.app_elapsed_us == 250123 && m.app_bytes == 3145728 && m.tcp_elapsed_us == 250011);
	assert_true(m.rtt_us == 24531 && m.min_rtt_us == 22980 && m.bytes_received == 620);
	assert_true(m.bytes_sent == 3200000 && m.bytes_retrans == 14480 && m.bytes_acked == 3000000);
	free(text);
	text = recorded("measurement_bad", &length);
	assert_int_equal(sp_ndt7_measurement_parse(text, length, &m), 0);
	assert_true(m.rtt_us == -1 && m.min_rtt_us == -1 && m.bytes_sent == -1 && m.app_bytes == -1);
	free(text);
	assert_int_equal(sp_ndt7_measurement_parse("{}", 2, &m), 0);
	assert_int_equal(m.tcp_elapsed_us, -1);
	assert_int_equal(sp_ndt7_measurement_parse("[]", 2, &m), -EPROTO);
}

// ---- the opening and frames -------------------------------------------------------------------

static void test_opening(void **state)
{
	(void)state;
	// RFC 6455 §1.3.
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
	char accept[SP_NDT7_ACCEPT];
	struct sp_ndt7_verdict verdict;
	size_t length;
	sp_ndt7_upgrade_accept(key, accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	char *text = recorded("upgrade", &length);
	strcpy(text + length, "\x82\x00");
	assert_int_equal(sp_ndt7_upgrade_answer(text, length + 2, key, &verdict), (int)length);
	for (size_t cut = 1; cut < length; cut++)
		assert_int_equal(sp_ndt7_upgrade_answer(text, cut, key, &verdict), 0);
	// Each line of it is needed.
	for (const char *line = strchr(text, '\n') + 1; *line != '\r'; line = strchr(line, '\n') + 1) {
		char without[1024];
		const char *next = strchr(line, '\n') + 1;
		snprintf(without, sizeof(without), "%.*s%s", (int)(line - text), text, next);
		assert_int_equal(sp_ndt7_upgrade_answer(without, strlen(without), key, &verdict), -EPROTO);
		assert_string_equal(verdict.reason, "protocol");
	}
	free(text);
	static const char redirect[] = "HTTP/1.1 301 Moved\r\nLocation: ws://\x1b[2J/\r\n\r\n";
	assert_int_equal(sp_ndt7_upgrade_answer(redirect, sizeof(redirect) - 1, key, &verdict), -EPROTO);
	assert_string_equal(verdict.reason, "redirected");
	assert_null(strchr(verdict.text, '\x1b'));
}

static void test_frames(void **state)
{
	(void)state;
	static const uint64_t lengths[] = {0, 125, 126, 65535, 65536, SP_NDT7_MESSAGE_MOST};
	static const uint8_t mask[4] = {1, 2, 3, 4};
	uint8_t head[SP_NDT7_FRAME_HEAD];
	struct sp_ndt7_frame frame;
	for (size_t i = 0; i < 6; i++) {
		size_t size = sp_ndt7_frame_write(head, SP_NDT7_BINARY, lengths[i], mask);
		assert_int_equal(size, lengths[i] < 126 ? 6 : lengths[i] < 65536 ? 8 : 14);
		assert_memory_equal(head + size - 4, mask, 4);
		// A client's is none of a server, and without the mask it is.
		assert_int_equal(sp_ndt7_frame_parse(head, size, &frame), -EPROTO);
		head[1] &= 0x7f;
		for (size_t cut = 0; cut < size - 4; cut++)
			assert_int_equal(sp_ndt7_frame_parse(head, cut, &frame), 0);
		assert_int_equal(sp_ndt7_frame_parse(head, size, &frame), (int)size - 4);
		assert_true(frame.length == lengths[i] && frame.final && frame.opcode == SP_NDT7_BINARY);
	}
}

// ---- numbers ----------------------------------------------------------------------------------

static void test_messages_grow(void **state)
{
	(void)state;
	int64_t size = SP_NDT7_MESSAGE_FIRST, sent = 0;
	for (int i = 0; i < 2000; i++) {
		sent += size;
		int64_t next = sp_ndt7_message_next(size, sent);
		assert_int_equal(next, size < 1 << 20 && size <= sent / 16 ? 2 * size : size);
		size = next;
	}
	assert_int_equal(size, SP_NDT7_MESSAGE_SENT);
	assert_int_equal(sp_ndt7_message_next(1 << 13, 16 << 13), 1 << 14);
	assert_int_equal(sp_ndt7_message_next(1 << 13, (16 << 13) - 1), 1 << 13);
}

static void test_what_an_end_is_worth(void **state)
{
	(void)state;
	static const struct {
		enum sp_ndt7_end end;
		double seconds;
		int64_t bytes;
		enum sp_speed_outcome outcome;
		const char *reason;
	} cases[] = {
	    {SP_NDT7_TIME, 15, 1, SP_SPEED_WHOLE, ""},
	    {SP_NDT7_TIME, 15, 0, SP_SPEED_FAILED, "stalled"},
	    {SP_NDT7_AGREED, 10, 1, SP_SPEED_WHOLE, ""},
	    {SP_NDT7_AGREED, 5, 1, SP_SPEED_WHOLE, ""},
	    {SP_NDT7_AGREED, 4.9, 1, SP_SPEED_PARTIAL, "closed"},
	    {SP_NDT7_AGREED, 0.5, 1, SP_SPEED_FAILED, "closed"},
	    {SP_NDT7_BROKEN, 9, 1, SP_SPEED_WHOLE, ""},
	    {SP_NDT7_BROKEN, 8.9, 1, SP_SPEED_PARTIAL, "closed"},
	    {SP_NDT7_STALLED, 3, 1, SP_SPEED_PARTIAL, "stalled"},
	    {SP_NDT7_STALLED, 0.9, 1, SP_SPEED_FAILED, "stalled"},
	    {SP_NDT7_LIMIT, 0.2, 1, SP_SPEED_PARTIAL, "byte_limit"},
	    {SP_NDT7_LIMIT, 1, 0, SP_SPEED_FAILED, "byte_limit"},
	    {SP_NDT7_PROTOCOL, 9, 1, SP_SPEED_FAILED, "protocol"},
	    {SP_NDT7_CANCELLED, 9, 1, SP_SPEED_FAILED, "cancelled"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *reason;
		assert_int_equal(sp_ndt7_worth(&sp_ndt7_times_standard, cases[i].end,
					       (int64_t)(cases[i].seconds * SECOND_US), cases[i].bytes,
					       &reason),
				 cases[i].outcome);
		assert_string_equal(reason, cases[i].reason);
	}
}

// ---- a direction ------------------------------------------------------------------------------

static struct sp_ndt7_session session;

static void begin(enum sp_speed_direction direction, int64_t max_wire)
{
	const struct sp_ndt7_tcp tcp = {.acked = 700, .sent = 700, .rtt_us = 1000, .min_rtt_us = 900};
	sp_ndt7_session_begin(&session, direction, &sp_ndt7_times_standard, max_wire, 7, &tcp, 0);
}

static void receive(uint8_t opcode, const void *data, size_t length, int64_t now_us)
{
	uint8_t frame[600] = {(uint8_t)(0x80 | opcode), 126, (uint8_t)(length >> 8), (uint8_t)length};
	size_t head = 4;
	if (length < 126) {
		frame[1] = (uint8_t)length;
		head = 2;
	}
	memcpy(frame + head, data, length);
	sp_ndt7_session_receive(&session, frame, head + length, now_us);
}

static void test_a_download(void **state)
{
	(void)state;
	static const uint8_t data[500];
	static const char told[] =
	    "{\"TCPInfo\":{\"RTT\":30000,\"MinRTT\":20000,\"BytesSent\":1000,\"BytesRetrans\":50}}";
	const struct sp_ndt7_tcp tcp = {.wire_bytes = 100, .rtt_us = 1000};
	struct sp_speed_result result;
	char text[200];
	size_t length;
	begin(SP_SPEED_DOWN, 0);
	for (int i = 1; i <= 100; i++) {
		receive(SP_NDT7_BINARY, data, sizeof(data), i * 100 * 1000);
		sp_ndt7_session_look(&session, &tcp, i * 100 * 1000);
	}
	receive(SP_NDT7_TEXT, told, sizeof(told) - 1, 10 * SECOND_US);
	// A ping is answered with its payload, masked.
	receive(SP_NDT7_PING, "abc", 3, 10 * SECOND_US);
	const uint8_t *piece = sp_ndt7_session_piece(&session, 10 * SECOND_US, &length);
	assert_int_equal(length, 2 + 4 + 3);
	assert_int_equal(piece[0], 0x80 | SP_NDT7_PONG);
	assert_int_equal(piece[6] ^ piece[2], 'a');
	sp_ndt7_session_wrote(&session, 4); // and what was not taken is offered again
	assert_ptr_equal(sp_ndt7_session_piece(&session, 10 * SECOND_US, &length), piece + 4);
	sp_ndt7_session_wrote(&session, length);
	receive(SP_NDT7_CLOSE, "\x03\xe8", 2, 10 * SECOND_US);
	piece = sp_ndt7_session_piece(&session, 10 * SECOND_US, &length);
	assert_int_equal(piece[0], 0x80 | SP_NDT7_CLOSE);
	assert_false(session.over);
	sp_ndt7_session_wrote(&session, length);
	assert_true(session.over);
	sp_ndt7_session_result(&session, &result, text, sizeof(text));
	assert_int_equal(result.outcome, SP_SPEED_WHOLE);
	assert_int_equal(result.bytes, 100 * 500 + (int64_t)sizeof(told) - 1);
	assert_int_equal(result.duration_us, 10 * SECOND_US);
	assert_int_equal(result.curve_count, 10);
	assert_true(fabs(result.curve[4] - 5000 * 8) < 1);
	assert_true(fabs(result.retransmit_ratio - 0.05) < 1e-9);
	assert_int_equal(session.first_min_rtt_us, 20000);
}

/// Ten seconds of an upload of 1000 bytes acknowledged each 10 ms; the server says `bytes` after
/// `elapsed_us`.
static struct sp_speed_result upload(int64_t bytes, int64_t elapsed_us, char text[200])
{
	struct sp_speed_result result;
	char told[100];
	size_t length;
	begin(SP_SPEED_UP, 0);
	for (int64_t now = 0; now <= 10 * SECOND_US; now += 10 * 1000) {
		const struct sp_ndt7_tcp tcp = {.acked = 700 + now / 10,
						.sent = 700 + now / 8,
						.retransmitted = now / 80,
						.rtt_us = 8000};
		if (sp_ndt7_session_piece(&session, now, &length))
			sp_ndt7_session_wrote(&session, length < 1000 ? length : 1000);
		sp_ndt7_session_look(&session, &tcp, now);
	}
	assert_int_equal(session.end, SP_NDT7_TIME);
	assert_false(session.over);
	// Its last word comes when we have stopped.
	snprintf(told, sizeof(told), "{\"TCPInfo\":{\"BytesReceived\":%lld,\"ElapsedTime\":%lld}}",
		 (long long)bytes, (long long)elapsed_us);
	receive(SP_NDT7_TEXT, told, strlen(told), 10 * SECOND_US + 100);
	sp_ndt7_session_lost(&session, 10 * SECOND_US + 200);
	sp_ndt7_session_result(&session, &result, text, 200);
	assert_int_equal(result.outcome, SP_SPEED_WHOLE);
	assert_true(result.loaded.count >= 39 && result.loaded.median == 0.008);
	return result;
}

static void test_an_upload(void **state)
{
	(void)state;
	char text[200];
	struct sp_speed_result result = upload(990 * 1000, 9900 * 1000, text);
	assert_true(result.bytes == 990 * 1000 && result.duration_us == 9900 * 1000 && text[0] == '\0');
	assert_true(result.retransmit_ratio > 0.09 && result.retransmit_ratio < 0.11);
	// More than was sent, in no time, or of a small part of the test: our own count.
	static const int64_t lies[][2] = {
	    {9000 * 1000, 9900 * 1000}, {990 * 1000, 0}, {100 * 1000, SECOND_US}, {5, 60 * SECOND_US}};
	for (size_t i = 0; i < 4; i++) {
		result = upload(lies[i][0], lies[i][1], text);
		assert_true(result.bytes == 1000 * 1000 && result.duration_us == 10 * SECOND_US && text[0]);
	}
}

static void tell_received(int64_t bytes, int64_t elapsed_us, int64_t now_us)
{
	char told[100];
	snprintf(told, sizeof(told), "{\"TCPInfo\":{\"BytesReceived\":%lld,\"ElapsedTime\":%lld}}",
		 (long long)bytes, (long long)elapsed_us);
	receive(SP_NDT7_TEXT, told, strlen(told), now_us);
}

/// A server that listens for longer than we send tells ever slower figures of the same bytes.
static void test_silence_after_an_upload_is_not_slow(void **state)
{
	(void)state;
	struct sp_speed_result result;
	char text[200];
	begin(SP_SPEED_UP, 0);
	for (int64_t now = 0; now <= 10 * SECOND_US; now += 10 * 1000) {
		const struct sp_ndt7_tcp tcp = {
		    .acked = 700 + now / 10, .sent = 700 + now / 8, .rtt_us = 8000};
		sp_ndt7_session_look(&session, &tcp, now);
	}
	tell_received(1000 * 1000, 10 * SECOND_US + 3000, 10 * SECOND_US + 4000);
	tell_received(1000 * 1000, 10 * SECOND_US + 253000, 10 * SECOND_US + 254000);
	tell_received(1000 * 1000, 10 * SECOND_US + 900000, 10 * SECOND_US + 901000);
	sp_ndt7_session_result(&session, &result, text, sizeof(text));
	assert_true(result.bytes == 1000 * 1000 && result.duration_us == 10 * SECOND_US + 3000);
	assert_string_equal(text, "");
}

/// No more is offered than the limit leaves for when all of it has gone; once that has arrived it is over.
static void test_an_upload_hands_over_no_more_than_its_limit(void **state)
{
	(void)state;
	struct sp_speed_result result;
	char text[200];
	size_t length, handed = 0;
	begin(SP_SPEED_UP, 300 * 1000);
	while (sp_ndt7_session_piece(&session, 1000, &length)) {
		size_t part = length > 5000 ? 5000 : length;
		// What was refused is offered as it was, whatever has happened since.
		const struct sp_ndt7_tcp tcp = {.acked = 700, .sent = 700, .wire_bytes = 9000};
		sp_ndt7_session_look(&session, &tcp, 1000);
		size_t again;
		assert_non_null(sp_ndt7_session_piece(&session, 1000, &again));
		assert_int_equal(again, length);
		sp_ndt7_session_wrote(&session, part);
		handed += part;
	}
	assert_true(handed > 230 * 1000 && handed < 291 * 1000);
	struct sp_ndt7_tcp tcp = {.acked = 700 + (int64_t)handed - 1, .sent = 700 + (int64_t)handed};
	tcp.wire_bytes = tcp.sent + 20 * 1000;
	sp_ndt7_session_look(&session, &tcp, 50 * 1000);
	assert_false(session.over);
	tcp.acked++;
	sp_ndt7_session_look(&session, &tcp, 100 * 1000);
	assert_true(session.over);
	sp_ndt7_session_result(&session, &result, text, sizeof(text));
	assert_string_equal(result.reason, "byte_limit");
	assert_true(result.bytes == (int64_t)handed && result.duration_us == 100 * 1000);
}

static void test_an_upload_is_random_and_masked(void **state)
{
	(void)state;
	size_t length, total = 0;
	unsigned seen[256] = {0};
	begin(SP_SPEED_UP, 0);
	const uint8_t *piece = sp_ndt7_session_piece(&session, 0, &length);
	assert_true(piece[0] == (0x80 | SP_NDT7_BINARY) && piece[1] == (0x80 | 126));
	assert_int_equal(length, 8 + SP_NDT7_MESSAGE_FIRST);
	for (size_t i = 8; i < length; i++)
		seen[piece[i]]++;
	for (int i = 0; i < 256; i++)
		assert_true(seen[i] > 0 && seen[i] < 100);
	// Messages of the sizes that the protocol wants, whatever is taken at a time.
	while (total < 40 << 20) {
		piece = sp_ndt7_session_piece(&session, 0, &length);
		assert_true(length > 0 && length <= SP_NDT7_FRAME_HEAD + SP_NDT7_BULK);
		length = length > 99991 ? 99991 : length;
		sp_ndt7_session_wrote(&session, length);
		total += length;
	}
	assert_int_equal(session.message_size, SP_NDT7_MESSAGE_SENT);
}

static void test_stops_before_its_bytes_are_used_up(void **state)
{
	(void)state;
	static const uint8_t data[500];
	begin(SP_SPEED_DOWN, 100 * 1000);
	int64_t now = 0, wire = 0;
	while (!session.over && now < 20 * SECOND_US) {
		now += 10 * 1000;
		wire += 600;
		receive(SP_NDT7_BINARY, data, sizeof(data), now);
		const struct sp_ndt7_tcp tcp = {.wire_bytes = wire};
		sp_ndt7_session_look(&session, &tcp, now);
	}
	assert_int_equal(session.end, SP_NDT7_LIMIT);
	// A tenth of a second is in flight: 5 kB.
	assert_true(wire < 100 * 1000 && wire > 90 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_locator),
	    cmocka_unit_test(test_measurement),
	    cmocka_unit_test(test_opening),
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_messages_grow),
	    cmocka_unit_test(test_what_an_end_is_worth),
	    cmocka_unit_test(test_a_download),
	    cmocka_unit_test(test_an_upload),
	    cmocka_unit_test(test_silence_after_an_upload_is_not_slow),
	    cmocka_unit_test(test_an_upload_hands_over_no_more_than_its_limit),
	    cmocka_unit_test(test_an_upload_is_random_and_masked),
	    cmocka_unit_test(test_stops_before_its_bytes_are_used_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
