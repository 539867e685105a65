// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The ZK protocol without a terminal: packets, frames in any pieces, the token, times; and logs, of which a
// wrong split must never become punches.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/kiosk/civil_time.h"
#include "drivers/kiosk/zk4370_log.h"
#include "drivers/kiosk/zk4370_wire.h"

/// Nothing that we can send changes anything in a terminal.
static void test_commands(void **state)
{
	(void)state;
	// 12 set option, 15 delete log, 18 delete users, 202 set time, 1002 and 1003 enable and disable, …
	static const unsigned writes[] = {8,  10,  12,  14,   15,   16,   17,   18,   19,   20,   21,  31,
					  32, 33,  36,  60,   61,   62,   65,   66,   69,   70,   74,  76,
					  77, 202, 500, 1002, 1003, 1004, 1005, 1010, 1014, 1101, 1103};
	static const unsigned reads[] = {1000, 1001, 1102, 11, 50, 201, 1100, 1503, 1504, 1502};
	size_t count = 0;
	for (; sp_zk_commands[count]; count++) {
		for (size_t i = 0; i < SP_COUNT(writes); i++)
			assert_int_not_equal(sp_zk_commands[count], writes[i]);
		bool known = false;
		for (size_t i = 0; i < SP_COUNT(reads); i++)
			known |= sp_zk_commands[count] == reads[i];
		assert_true(known);
	}
	assert_int_equal(count, SP_COUNT(reads));
}

static void test_packets(void **state)
{
	(void)state;
	uint8_t out[SP_ZK_QUESTION_MAX];
	static const uint8_t connect_frame[] = {0x50, 0x50, 0x82, 0x7d, 8, 0, 0, 0,
						0xe8, 0x03, 0x17, 0xfc, 0, 0, 0, 0};
	assert_int_equal(sp_zk_encode(out, true, SP_ZK_CONNECT, 0, 0, NULL, 0), sizeof(connect_frame));
	assert_memory_equal(out, connect_frame, sizeof(connect_frame));
	assert_int_equal(sp_zk_encode(out, false, SP_ZK_CONNECT, 0, 0, NULL, 0), 8);
	assert_memory_equal(out, connect_frame + 8, 8);
	// An odd last byte counts alone, carries are folded: 0x03e9 + 0xffff + 1 + 0xff, once around.
	assert_int_equal(sp_zk_encode(out, false, SP_ZK_EXIT, 0xffff, 1, "\xff", 1), 9);
	assert_int_equal(sp_zk_u16(out + 2), (uint16_t) ~(0x03e9 + 1 + 0xff));
	struct sp_zk_packet packet;
	assert_int_equal(sp_zk_decode(out, 9, &packet), 0);
	assert_int_equal(packet.command, SP_ZK_EXIT);
	assert_int_equal(packet.connection, 0xffff);
	assert_int_equal(packet.reply, 1);
	assert_int_equal(packet.length, 1);
	out[2] ^= 0x55; // a wrong checksum is none of our business
	assert_int_equal(sp_zk_decode(out, 9, &packet), 0);
	assert_int_equal(sp_zk_decode(out, 7, &packet), -EBADMSG);
}

/// Three frames, as one piece, byte by byte, and cut at each place.
static void test_stream(void **state)
{
	(void)state;
	uint8_t bytes[3 * SP_ZK_QUESTION_MAX];
	size_t length = sp_zk_encode(bytes, true, SP_ZK_CONNECT, 0, 0, NULL, 0);
	length += sp_zk_encode(bytes + length, true, SP_ZK_OPTION, 7, 1, "~SerialNumber", 14);
	length += sp_zk_encode(bytes + length, true, SP_ZK_EXIT, 7, 2, NULL, 0);
	struct sp_zk_stream *stream = malloc(sizeof(*stream));
	for (size_t cut = 1; cut <= length; cut++) {
		memset(stream, 0, sizeof(*stream));
		unsigned packets = 0;
		for (size_t at = 0, size; at < length; at += size) {
			size_t room;
			uint8_t *to = sp_zk_stream_room(stream, &room);
			size = length - at < cut ? length - at : cut;
			assert_true(size <= room);
			memcpy(to, bytes + at, size);
			sp_zk_stream_got(stream, size);
			struct sp_zk_packet packet;
			int result;
			while ((result = sp_zk_stream_next(stream, &packet)) > 0)
				assert_int_equal(packet.reply, packets++);
			assert_int_equal(result, 0);
		}
		assert_int_equal(packets, 3);
	}
	static const char bad[][9] = {"HTTP/1.1", "\x50\x50\x82\x7e\x08", "\x50\x50\x82\x7d\x07\0\0\0",
				      "\x50\x50\x82\x7d\x09\0\x01\0", "\x50\x50\x82\x7d\xff\xff\xff\xff"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		size_t room;
		struct sp_zk_packet packet;
		memset(stream, 0, sizeof(*stream));
		memcpy(sp_zk_stream_room(stream, &room), bad[i], 8);
		sp_zk_stream_got(stream, 8);
		assert_int_equal(sp_zk_stream_next(stream, &packet), -EBADMSG);
	}
	free(stream);
}

static void test_token(void **state)
{
	(void)state;
	static const struct {
		uint32_t key;
		uint16_t connection;
		uint8_t token[4];
	} vectors[] = {{0, 0, {0x61, 0x7d, 0x32, 0x79}},
		       {1, 0, {0x61, 0xfd, 0x32, 0x79}},
		       {1234, 1000, {0x41, 0x36, 0x32, 0x7a}}};
	for (size_t i = 0; i < SP_COUNT(vectors); i++) {
		uint8_t token[4];
		sp_zk_token(vectors[i].key, vectors[i].connection, token);
		assert_memory_equal(token, vectors[i].token, 4);
	}
}

static uint32_t time_of(int year, int month, int day, uint32_t seconds)
{
	return (uint32_t)(((year - 2000) * 12 + month - 1) * 31 + day - 1) * 86400 + seconds;
}

static int64_t local_of(const char *text)
{
	struct sp_civil civil;
	assert_int_equal(sp_civil_parse(text, strlen(text), &civil), 0);
	return sp_civil_ms(&civil, 0) / 1000;
}

static void test_time(void **state)
{
	(void)state;
	int64_t at;
	assert_int_equal(sp_zk_time(time_of(2026, 11, 23, 25121), &at), 0);
	assert_int_equal(at, local_of("2026-11-23 06:58:41"));
	assert_int_equal(sp_zk_time(0, &at), 0);
	assert_int_equal(at, local_of("2000-01-01 00:00:00"));
	assert_int_equal(sp_zk_time(time_of(2028, 2, 29, 0), &at), 0);
	assert_int_equal(sp_zk_time(time_of(2026, 2, 29, 0), &at), -ERANGE);
	assert_int_equal(sp_zk_time(time_of(2028, 2, 30, 0), &at), -ERANGE);
	assert_int_equal(sp_zk_time(time_of(2026, 4, 31, 0), &at), -ERANGE);
	assert_int_equal(sp_zk_time(UINT32_MAX, &at), 0);
	assert_int_equal(at, local_of("2133-08-18 06:28:15"));
}

static void test_sizes(void **state)
{
	(void)state;
	uint8_t data[92] = {0};
	struct sp_zk_sizes sizes;
	data[16] = 200;
	data[32] = 0x10;
	data[33] = 0x27;
	memset(data + 64, 0xff, 4);
	assert_int_equal(sp_zk_sizes(data, sizeof(data), &sizes), 0);
	assert_int_equal(sizes.users, 200);
	assert_int_equal(sizes.records, 10000);
	assert_int_equal(sizes.capacity, -1);
	assert_int_equal(sp_zk_sizes(data, 79, &sizes), -EBADMSG);
	assert_int_equal(sizes.users, -1);
}

// ---- logs ---------------------------------------------------------------------------------------

enum { LOG_MAX = 64 * 1024 };

struct block {
	size_t length;
	uint8_t data[LOG_MAX];
};

static void put32(uint8_t *out, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

static void add(struct block *block, size_t size, unsigned id, uint32_t time, uint8_t verify, uint8_t punch)
{
	if (!block->length)
		block->length = 4;
	uint8_t *at = block->data + block->length;
	memset(at, 0, size);
	at[0] = (uint8_t)id;
	at[1] = (uint8_t)(id >> 8);
	if (size == 8) {
		at[2] = verify;
		put32(at + 3, time);
		at[7] = punch;
	} else if (size == 16) {
		put32(at + 4, time);
		at[8] = verify;
		at[9] = punch;
	} else {
		snprintf((char *)at + 2, 25, "%u", id);
		at[26] = verify;
		put32(at + 27, time);
		at[31] = punch;
	}
	block->length += size;
	put32(block->data, (uint32_t)(block->length - 4));
}

static void fill(struct block *block, size_t size, unsigned count)
{
	memset(block, 0, sizeof(*block));
	for (unsigned i = 0; i < count; i++)
		add(block, size, 100 + i % 37, time_of(2026, 9, 1 + (int)i / 100, 25000 + i % 100 * 20),
		    (uint8_t)(i % 3 ? 1 : 15), (uint8_t)(i % 2));
}

static int64_t now_s(void)
{
	return local_of("2026-11-23 02:30:00");
}

static void test_layouts(void **state)
{
	(void)state;
	static struct block block;
	static const size_t sizes[] = {40, 16, 8};
	for (size_t i = 0; i < SP_COUNT(sizes); i++) {
		// Among them every count that another size divides, too.
		for (unsigned count = 1; count <= 420; count++) {
			struct sp_zk_log log;
			fill(&block, sizes[i], count);
			int result = sp_zk_log_open(block.data, block.length, now_s(), &log);
			if (result || log.size != sizes[i] || log.count != count)
				fail_msg("%u of %zu: %d, %zu of %zu", count, sizes[i], result, log.count,
					 log.size);
			struct sp_zk_record record;
			sp_zk_log_record(&log, 0, &record);
			assert_int_equal(record.id_length, 3);
			assert_memory_equal(record.id, "100", 3);
			assert_int_equal(record.local_s, local_of("2026-09-01 06:56:40"));
			assert_int_equal(record.verify, 15);
			assert_int_equal(record.state, 0);
		}
	}
}

static int open_block(const struct block *block)
{
	struct sp_zk_log log;
	int result = sp_zk_log_open(block->data, block->length, now_s(), &log);
	assert_true(result == 0 || (log.count == 0 && !log.records));
	return result;
}

static void test_nonsense(void **state)
{
	(void)state;
	static struct block block;
	struct sp_zk_log log;
	assert_int_equal(sp_zk_log_open(NULL, 0, now_s(), &log), 0);
	assert_int_equal(log.count, 0);
	assert_int_equal(sp_zk_log_open((const uint8_t *)"\0\0\0\0", 4, now_s(), &log), 0);
	assert_int_equal(sp_zk_log_open((const uint8_t *)"\0\0\0", 3, now_s(), &log), -EBADMSG);
	// The head's count of bytes is another, one byte is lost, one is doubled.
	fill(&block, 40, 10);
	block.data[0]++;
	assert_int_equal(open_block(&block), -EBADMSG);
	fill(&block, 40, 10);
	block.length--;
	put32(block.data, (uint32_t)(block.length - 4));
	assert_int_equal(open_block(&block), -EBADMSG);
	// Shifted by a byte in the middle: total and divisibility stay.
	fill(&block, 40, 10);
	memmove(block.data + 161, block.data + 160, 240 - 1);
	assert_int_equal(open_block(&block), -EBADMSG);
	fill(&block, 40, 10);
	block.data[4 + 40 * 3 + 2] = ' ';
	assert_int_equal(open_block(&block), -EBADMSG);
	fill(&block, 40, 10);
	block.data[4 + 40 * 3 + 20] = '7'; // behind a NUL
	assert_int_equal(open_block(&block), -EBADMSG);
	for (size_t size = 8; size <= 40; size = size == 16 ? 40 : 2 * size) {
		memset(&block, 0, sizeof(block));
		add(&block, size, 100, time_of(2026, 9, 1, 5), 1, 0);
		add(&block, size, 100, time_of(2026, 2, 30, 5), 1, 0);
		assert_int_equal(open_block(&block), -EBADMSG);
		memset(&block, 0, sizeof(block));
		add(&block, size, 100, time_of(2026, 11, 25, 5), 1, 0);
		assert_int_equal(open_block(&block), -EBADMSG); // in the future of both clocks
		memset(&block, 0, sizeof(block));
		add(&block, size, 100, time_of(2026, 9, 1, 5), 1, 99);
		assert_int_equal(open_block(&block), -EBADMSG);
		memset(&block, 0, sizeof(block));
		add(&block, size, 0, time_of(2026, 9, 1, 5), 1, 0);
		// Of size 40 a "0" is an id that a keypad takes; a number 0 is none.
		assert_int_equal(open_block(&block), size == 40 ? 0 : -EBADMSG);
	}
}

/// What lost its clock some night is kept as it is; a log of nothing else is no log that we can tell from a
/// wrong split.
static void test_lost_clock(void **state)
{
	(void)state;
	static struct block block;
	fill(&block, 16, 100);
	for (unsigned i = 0; i < 20; i++)
		add(&block, 16, 200 + i, time_of(2000, 1, 1, 100 + i), 1, 0);
	assert_int_equal(open_block(&block), 0);
	for (unsigned i = 0; i < 100; i++)
		add(&block, 16, 200 + i, time_of(2000, 1, 2, 100 + i), 1, 0);
	assert_int_equal(open_block(&block), -EBADMSG);
	// Dates that go to and fro are those of a wrong split.
	memset(&block, 0, sizeof(block));
	for (unsigned i = 0; i < 40; i++)
		add(&block, 16, 200 + i, time_of(i % 2 ? 2019 : 2025, 1, 1, 100 + i), 1, 0);
	assert_int_equal(open_block(&block), -EBADMSG);
}

/// With a dial of this century no bytes make sense in two sizes. One that says 2133 makes some: then nothing
/// is taken.
static void test_two_ways(void **state)
{
	(void)state;
	static struct block block;
	memset(&block, 0, sizeof(block));
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *at = block.data + 4 + 16 * i;
		// As 8: id 5, time T, state 255; then id 1, the same time. As 16: an id with T's low byte,
		// the time 0xff and the rest of T.
		uint32_t time = time_of(2026, 9, 1, 0x10000 * i) & ~UINT32_C(0xff);
		at[0] = 5;
		put32(at + 3, time);
		at[7] = 255;
		at[8] = 1;
		put32(at + 11, time);
		block.length = 4 + 16 * (i + 1);
	}
	put32(block.data, 48);
	struct sp_zk_log log;
	assert_int_equal(sp_zk_log_open(block.data, block.length, local_of("2133-12-31 00:00:00"), &log),
			 -ENOTUNIQ);
	assert_int_equal(log.count, 0);
	assert_int_equal(sp_zk_log_open(block.data, block.length, now_s(), &log), 0);
	assert_int_equal(log.size, 8);
}

struct days {
	unsigned calls;
	int32_t day[4];
	int64_t count[4];
};

static void on_day(void *arg, int32_t day, int64_t count)
{
	struct days *days = arg;
	assert_true(days->calls < 4);
	days->day[days->calls] = day;
	days->count[days->calls++] = count;
}

static void test_days(void **state)
{
	(void)state;
	static struct block block;
	struct sp_zk_log log;
	struct days days = {0};
	memset(&block, 0, sizeof(block));
	add(&block, 40, 1, time_of(2026, 11, 20, 100), 1, 0);
	add(&block, 40, 1, time_of(2026, 11, 20, 100), 1, 0); // the very same
	add(&block, 40, 2, time_of(2026, 11, 20, 100), 1, 0);
	add(&block, 40, 1, time_of(2026, 11, 21, 100), 1, 0);
	add(&block, 40, 1, time_of(2026, 11, 20, 100), 1, 0); // and once more, later in the log
	add(&block, 40, 1, time_of(2026, 11, 20, 100), 1, 1);
	add(&block, 40, 3, time_of(2026, 11, 22, 86399), 1, 1);
	assert_int_equal(sp_zk_log_open(block.data, block.length, now_s(), &log), 0);
	int32_t day = (int32_t)(local_of("2026-11-20 00:00:00") / 86400);
	assert_int_equal(sp_zk_log_days(&log, 0, on_day, &days), 0);
	assert_int_equal(days.calls, 3);
	assert_int_equal(days.day[0], day);
	assert_int_equal(days.count[0], 3);
	assert_int_equal(days.count[1], 1);
	assert_int_equal(days.day[2], day + 2);
	days.calls = 0;
	assert_int_equal(sp_zk_log_days(&log, day + 1, on_day, &days), 0);
	assert_int_equal(days.calls, 2);
	assert_int_equal(days.day[0], day + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commands),   cmocka_unit_test(test_packets),
	    cmocka_unit_test(test_stream),     cmocka_unit_test(test_token),
	    cmocka_unit_test(test_time),       cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_layouts),    cmocka_unit_test(test_nonsense),
	    cmocka_unit_test(test_lost_clock), cmocka_unit_test(test_two_ways),
	    cmocka_unit_test(test_days),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
