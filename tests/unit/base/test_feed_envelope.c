// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Envelopes: there and back, and everything that a hub must set aside.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cjson/cJSON.h>

#include "agent/base/feed.h"
#include "agent/base/mem.h"

#define STREAM "abcdefghijklmnopqrstuvwx27"
#define BOOT   "0d9f4c9e-2b1c-4a55-8a3e-1f6b1f0e7a11"

#define HEAD                                                                                             \
	"{\"v\":1,\"dev\":\"kim-dong-1\",\"class\":\"facts\",\"stream\":\"" STREAM "\",\"boot\":\"" BOOT \
	"\",\"digest\":\"0123456789abcdef0123456789abcdef\",\"clk\":{\"boot\":\"" BOOT                   \
	"\",\"mono_us\":9000000,\"synced\":true,\"t_ms\":1795226102000,\"err_ms\":15},\"ev\":"

static struct sp_feed_envelope sample(enum sp_record_class cls)
{
	struct sp_feed_envelope e = {
	    .device = "kim-dong-1",
	    .stream = STREAM,
	    .boot = BOOT,
	    .clk_boot = BOOT,
	    .cls = cls,
	    .clk = {.mono_us = 9000000, .synced = true, .wall_ms = 1795226102000, .err_ms = 15},
	};
	return e;
}

/// `count` records of about `size` bytes each, from seq `first`.
static char *make_batch(int64_t first, int count, int size)
{
	struct sp_buf record = SP_BUF(SP_FEED_RECORD_MAX), batch = SP_BUF(SIZE_MAX - 1);
	struct sp_clock_reading when = {
	    .mono_us = 100, .synced = true, .wall_ms = 1795226101000, .err_ms = 20};
	char *text = sp_alloc((size_t)size + 1);
	for (int i = 0; i < count; i++) {
		for (int j = 0; j < size; j++)
			text[j] = (char)('!' + (i * 31 + j * j * 17 + j / 7 * 5) % 90);
		struct sp_field f[] = {SP_TEXT("state", "down"), SP_TEXT("text", text)};
		sp_buf_reset(&record);
		assert_int_equal(sp_feed_record(&record, "device", "phòng 101", &when, f, 2), 0);
		sp_feed_batch_add(&batch, first + i, record.data);
	}
	sp_buf_text(&batch, "]");
	free(text);
	sp_buf_free(&record);
	return sp_buf_take(&batch);
}

static void there_and_back(bool deflate)
{
	char *batch = make_batch(41, 50, 200), why[128];
	struct sp_feed_envelope e = sample(SP_RECORD_ATTENDANCE);
	e.redacted = deflate ? 3 : 0;
	sp_digest(batch, strlen(batch), e.digest);
	struct sp_buf out = SP_BUF(SP_FEED_PAYLOAD_MAX);
	assert_int_equal(sp_feed_envelope_encode(&out, &e, batch, deflate), 0);
	assert_true(deflate == (strstr(out.data, "\"v\":1") == NULL));

	struct sp_feed_message m;
	enum sp_feed_fault fault =
	    sp_feed_envelope_decode(&m, out.data, out.length, deflate ? SP_FEED_DEFLATED : SP_FEED_JSON, why);
	assert_int_equal(fault, SP_FEED_OK);
	assert_string_equal(m.envelope.device, e.device);
	assert_string_equal(m.envelope.stream, e.stream);
	assert_string_equal(m.envelope.boot, e.boot);
	assert_string_equal(m.envelope.digest, e.digest);
	assert_string_equal(m.envelope.clk_boot, e.clk_boot);
	assert_int_equal(m.envelope.cls, SP_RECORD_ATTENDANCE);
	assert_int_equal(m.envelope.first, 41);
	assert_int_equal(m.envelope.last, 90);
	assert_int_equal(m.envelope.redacted, e.redacted);
	assert_true(m.envelope.clk.synced);
	assert_int_equal(m.envelope.clk.wall_ms, 1795226102000);
	assert_int_equal(m.envelope.clk.err_ms, 15);
	assert_int_equal(m.envelope.clk.mono_us, 9000000);
	assert_int_equal(m.count, 50);
	cJSON *sent = cJSON_Parse(batch);
	for (size_t i = 0; i < m.count; i++) {
		const struct sp_feed_event *event = &m.events[i];
		assert_int_equal(event->seq, 41 + i);
		assert_string_equal(event->type, "device");
		assert_string_equal(event->device, "phòng 101");
		assert_true(event->placed);
		assert_int_equal(event->t_ms, 1795226101000);
		assert_int_equal(event->err_ms, 20);
		assert_int_equal(event->mono_us, 100);
		cJSON *data = cJSON_Parse(event->data);
		assert_int_equal(cJSON_GetArraySize(data), 2);
		assert_string_equal(
		    cJSON_GetObjectItem(data, "text")->valuestring,
		    cJSON_GetObjectItem(cJSON_GetArrayItem(sent, (int)i), "text")->valuestring);
		cJSON_Delete(data);
	}
	cJSON_Delete(sent);
	sp_feed_message_free(&m);
	sp_buf_free(&out);
	free(batch);
}

static void plain_there_and_back(void **state)
{
	(void)state;
	there_and_back(false);
}

static void deflated_there_and_back(void **state)
{
	(void)state;
	there_and_back(true);
}

static void the_batch_travels_byte_by_byte(void **state)
{
	(void)state;
	const char *batch = "[ {\"seq\":1, \"type\":\"x\",\"mono_us\":1,\"caf\\u00e9\" : [1, 2 ] } ]";
	struct sp_feed_envelope e = sample(SP_RECORD_FACTS);
	struct sp_buf out = SP_BUF(4096);
	assert_int_equal(sp_feed_envelope_encode(&out, &e, batch, false), 0);
	assert_non_null(strstr(out.data, batch));
	sp_buf_free(&out);
}

static void what_is_too_large_is_not_encoded(void **state)
{
	(void)state;
	struct sp_feed_envelope e = sample(SP_RECORD_BULK);
	struct sp_buf out = SP_BUF(SIZE_MAX - 1);
	sp_buf_text(&out, "kept");
	char *batch = make_batch(1, 100, 1000); // 100 kB: only deflated
	assert_int_equal(sp_feed_envelope_encode(&out, &e, batch, false), -EMSGSIZE);
	assert_string_equal(out.data, "kept");
	assert_int_equal(sp_feed_envelope_encode(&out, &e, batch, true), 0);
	free(batch);
	sp_buf_reset(&out);
	batch = make_batch(1, 900, 1000); // 900 kB: not at all
	assert_int_equal(sp_feed_envelope_encode(&out, &e, batch, true), -EMSGSIZE);
	assert_int_equal(out.length, 0);
	free(batch);
	// What does not deflate below the limit.
	struct sp_buf noise = SP_BUF(SIZE_MAX - 1);
	sp_buf_text(&noise, "[\"");
	char id[SP_ID_LENGTH + 1];
	while (noise.length < 200000) {
		sp_id_new(id);
		sp_buf_text(&noise, id);
	}
	sp_buf_text(&noise, "\"]");
	assert_int_equal(sp_feed_envelope_encode(&out, &e, noise.data, true), -EMSGSIZE);
	assert_int_equal(out.length, 0);
	sp_buf_free(&noise);
	sp_buf_free(&out);
}

static enum sp_feed_fault decoded(const char *text, const char *type)
{
	struct sp_feed_message m;
	char why[128] = "";
	enum sp_feed_fault fault = sp_feed_envelope_decode(&m, text, strlen(text), type, why);
	assert_true((fault == SP_FEED_OK) == (why[0] == '\0'));
	sp_feed_message_free(&m);
	return fault;
}

static enum sp_feed_fault decoded_records(const char *records)
{
	char *text = sp_asprintf(HEAD "%s}", records);
	enum sp_feed_fault fault = decoded(text, "");
	free(text);
	return fault;
}

static void records_are_checked(void **state)
{
	(void)state;
#define R(seq, more) "{\"seq\":" seq ",\"type\":\"line\",\"mono_us\":5" more "}"
	static const struct {
		const char *records;
		enum sp_feed_fault fault;
	} cases[] = {
	    {"[" R("1", "") "]", SP_FEED_OK},
	    {"[" R("7", "") "," R("8", "") " , " R("9", ",\"x\":{}") "]", SP_FEED_OK},
	    {"[" R("9007199254740991", "") "]", SP_FEED_OK},
	    {"[" R("1", ",\"device\":null,\"t_ms\":null,\"err_ms\":null") "]", SP_FEED_OK},
	    {"[]", SP_FEED_MALFORMED},
	    {"{}", SP_FEED_MALFORMED},
	    {"null", SP_FEED_MALFORMED},
	    {"[1]", SP_FEED_MALFORMED},
	    {"[{}]", SP_FEED_MALFORMED},
	    {"[" R("1", "") "," R("3", "") "]", SP_FEED_NOT_CONTIGUOUS},
	    {"[" R("2", "") "," R("1", "") "]", SP_FEED_NOT_CONTIGUOUS},
	    {"[" R("2", "") "," R("2", "") "]", SP_FEED_NOT_CONTIGUOUS},
	    {"[" R("0", "") "]", SP_FEED_MALFORMED},
	    {"[" R("-1", "") "]", SP_FEED_MALFORMED},
	    {"[" R("1.5", "") "]", SP_FEED_MALFORMED},
	    {"[" R("\"1\"", "") "]", SP_FEED_MALFORMED},
	    {"[" R("9007199254740992", "") "]", SP_FEED_MALFORMED},
	    {"[" R("9007199254740993", "") "]", SP_FEED_MALFORMED},
	    {"[" R("1", ",\"seq\":1") "]", SP_FEED_MALFORMED},
	    {"[" R("1", ",\"t_ms\":5") "]", SP_FEED_MALFORMED},
	    {"[" R("1", ",\"err_ms\":5") "]", SP_FEED_MALFORMED},
	    {"[" R("1", ",\"t_ms\":5,\"err_ms\":-1") "]", SP_FEED_MALFORMED},
	    {"[" R("1", ",\"device\":5") "]", SP_FEED_MALFORMED},
	    {"[" R("1", ",\"device\":\"a\\nb\"") "]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"type\":\"Line\",\"mono_us\":5}]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"type\":\"\",\"mono_us\":5}]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"type\":7,\"mono_us\":5}]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"type\":\"line\"}]", SP_FEED_MALFORMED},
	    {"[{\"type\":\"line\",\"mono_us\":5}]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"mono_us\":5}]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"type\":\"line\",\"mono_us\":-5}]", SP_FEED_MALFORMED},
	    {"[{\"seq\":1,\"type\":null,\"mono_us\":5}]", SP_FEED_MALFORMED},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		enum sp_feed_fault fault = decoded_records(cases[i].records);
		if (fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].records, sp_feed_fault_name(fault));
	}
}

static void what_remains_of_a_record_is_its_text(void **state)
{
	(void)state;
	const char *text = HEAD "[{ \"zeta\" : 1.50 ,\"seq\":1,\"type\":\"line\", \"list\":[ 1, \"}\" "
				"],\"mono_us\":5,\"\\u0074ype2\":"
				"{\"type\":\"x\"}},{\"s\\u0065q\":2,\"type\":\"line\",\"mono_us\":6}]}";
	struct sp_feed_message m;
	char why[128];
	assert_int_equal(sp_feed_envelope_decode(&m, text, strlen(text), SP_FEED_JSON, why), SP_FEED_OK);
	assert_string_equal(m.events[0].data,
			    "{\"zeta\":1.50,\"list\":[ 1, \"}\" ],\"\\u0074ype2\":{\"type\":\"x\"}}");
	assert_string_equal(m.events[1].data, "{}");
	assert_int_equal(m.events[1].seq, 2);
	assert_string_equal(m.events[1].device, "");
	assert_false(m.events[1].placed);
	sp_feed_message_free(&m);
}

/// Escapes and numbers that no agent of ours writes are read as any JSON reader would.
static void unusual_writing_means_the_same(void **state)
{
	(void)state;
	const char *text = "{\"\\u0065v\":[{\"err_ms\":2.0e1,\"mono_us\":5E3,\"t_ms\":1795226101000.0,"
			   "\"devic\\u0065\":\"ph\\u00f2ng \\ud83d\\ude00\",\"type\":\"l\\u0069ne\","
			   "\"se\\u0071\":0.7e1}],\"ev\":[],";
	char *whole = sp_asprintf("%s%.*s}", text, (int)(strlen(HEAD) - 7), &HEAD[1]), why[128];
	struct sp_feed_message m;
	assert_int_equal(sp_feed_envelope_decode(&m, whole, strlen(whole), SP_FEED_JSON, why), SP_FEED_OK);
	assert_int_equal(m.count, 1);
	assert_int_equal(m.events[0].seq, 7);
	assert_int_equal(m.events[0].mono_us, 5000);
	assert_true(m.events[0].placed);
	assert_int_equal(m.events[0].t_ms, 1795226101000);
	assert_int_equal(m.events[0].err_ms, 20);
	assert_string_equal(m.events[0].type, "line");
	assert_string_equal(m.events[0].device, "phòng 😀");
	assert_string_equal(m.events[0].data, "{}");
	sp_feed_message_free(&m);
	free(whole);
}

/// HEAD with one piece replaced, around one good record.
static enum sp_feed_fault with(const char *piece, const char *instead)
{
	const char *whole = HEAD "[{\"seq\":1,\"type\":\"x\",\"mono_us\":1}]}", *at = strstr(whole, piece);
	assert_non_null(at);
	char *text = sp_asprintf("%.*s%s%s", (int)(at - whole), whole, instead, at + strlen(piece));
	enum sp_feed_fault fault = decoded(text, SP_FEED_JSON);
	free(text);
	return fault;
}

static void the_envelope_is_checked(void **state)
{
	(void)state;
	assert_int_equal(with("\"v\":1,", "\"v\":1,\"later\":[{}],"), SP_FEED_OK);
	assert_int_equal(with("\"v\":1,", "\"v\":2,"), SP_FEED_UNKNOWN_VERSION);
	assert_int_equal(with("\"v\":1,", "\"v\":\"1\","), SP_FEED_MALFORMED);
	assert_int_equal(with("\"v\":1,", ""), SP_FEED_MALFORMED);
	assert_int_equal(with("kim-dong-1", "Kim"), SP_FEED_MALFORMED);
	assert_int_equal(with("kim-dong-1", "a/b"), SP_FEED_MALFORMED);
	assert_int_equal(with("kim-dong-1", ""), SP_FEED_MALFORMED);
	assert_int_equal(with("kim-dong-1", "a23456789b123456789c123456789d123"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"facts\"", "\"fact\""), SP_FEED_MALFORMED);
	assert_int_equal(with("\"facts\"", "0"), SP_FEED_MALFORMED);
	assert_int_equal(with(STREAM, "abcdefghijklmnopqrstuvwx21"), SP_FEED_MALFORMED);
	assert_int_equal(with(STREAM, "abcdefghijklmnopqrstuvwx2"), SP_FEED_MALFORMED);
	assert_int_equal(with("cdef\"", "cdeF\""), SP_FEED_MALFORMED);
	assert_int_equal(with("cdef\"", "cde\""), SP_FEED_MALFORMED);
	assert_int_equal(with(BOOT, ""), SP_FEED_MALFORMED);
	assert_int_equal(with(BOOT, BOOT "0"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"synced\":true", "\"synced\":1"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"synced\":true", "\"synced\":false"), SP_FEED_OK);
	assert_int_equal(with("\"t_ms\":1795226102000,", ""), SP_FEED_MALFORMED);
	assert_int_equal(with("\"mono_us\":9000000", "\"mono_us\":1e300"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"clk\":{", "\"clk\":7,\"was\":{"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"clk\":{", "\"redacted\":1,\"clk\":{"), SP_FEED_OK);
	assert_int_equal(with("\"clk\":{", "\"redacted\":0,\"clk\":{"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"clk\":{", "\"redacted\":true,\"clk\":{"), SP_FEED_MALFORMED);
	assert_int_equal(with("\"ev\":", "\"ew\":"), SP_FEED_MALFORMED);
}

static void payloads_are_checked(void **state)
{
	(void)state;
	const char *good = HEAD "[{\"seq\":1,\"type\":\"x\",\"mono_us\":1}]}";
	assert_int_equal(decoded(good, NULL), SP_FEED_OK);
	assert_int_equal(decoded(good, SP_FEED_DEFLATED), SP_FEED_MALFORMED);
	assert_int_equal(decoded(good, "text/plain"), SP_FEED_MALFORMED);
	assert_int_equal(decoded("", SP_FEED_JSON), SP_FEED_MALFORMED);
	assert_int_equal(decoded("[]", SP_FEED_JSON), SP_FEED_MALFORMED);
	assert_int_equal(decoded("{\"v\":1}", SP_FEED_JSON), SP_FEED_MALFORMED);

	struct sp_feed_message m;
	char why[128], *large = sp_alloc(SP_FEED_PAYLOAD_MAX + 1);
	memset(large, ' ', SP_FEED_PAYLOAD_MAX + 1);
	assert_int_equal(sp_feed_envelope_decode(&m, large, SP_FEED_PAYLOAD_MAX + 1, "", why),
			 SP_FEED_TOO_LARGE);
	sp_feed_message_free(&m);
	free(large);
}

static enum sp_feed_fault inflated(const void *text, size_t length, size_t cut, size_t add)
{
	uLongf size = compressBound(length);
	unsigned char *packed = sp_alloc(size + add);
	assert_int_equal(compress2(packed, &size, text, length, 9), Z_OK);
	struct sp_feed_message m;
	char why[128];
	enum sp_feed_fault fault =
	    sp_feed_envelope_decode(&m, packed, size - cut + add, SP_FEED_DEFLATED, why);
	sp_feed_message_free(&m);
	free(packed);
	return fault;
}

static void deflate_is_bounded_and_whole(void **state)
{
	(void)state;
	const char *good = HEAD "[{\"seq\":1,\"type\":\"x\",\"mono_us\":1}]}";
	assert_int_equal(inflated(good, strlen(good), 0, 0), SP_FEED_OK);
	assert_int_equal(inflated(good, strlen(good), 1, 0), SP_FEED_MALFORMED);
	assert_int_equal(inflated(good, strlen(good), 0, 1), SP_FEED_MALFORMED);
	size_t bomb = 50 * 1000 * 1000; // deflates to 50 kB
	char *zeros = sp_alloc(bomb);
	assert_int_equal(inflated(zeros, bomb, 0, 0), SP_FEED_TOO_LARGE);
	assert_int_equal(inflated(zeros, SP_FEED_INFLATED_MAX, 0, 0), SP_FEED_MALFORMED);
	assert_int_equal(inflated(zeros, SP_FEED_INFLATED_MAX + 1, 0, 0), SP_FEED_TOO_LARGE);
	free(zeros);
}

static void a_batch_has_a_most(void **state)
{
	(void)state;
	for (int count = SP_FEED_BATCH_MAX; count <= SP_FEED_BATCH_MAX + 1; count++) {
		struct sp_feed_envelope e = sample(SP_RECORD_BULK);
		char *batch = make_batch(1, count, 4), why[128];
		struct sp_buf out = SP_BUF(SP_FEED_PAYLOAD_MAX);
		struct sp_feed_message m;
		sp_digest(batch, strlen(batch), e.digest);
		assert_int_equal(sp_feed_envelope_encode(&out, &e, batch, true), 0);
		assert_int_equal(sp_feed_envelope_decode(&m, out.data, out.length, SP_FEED_DEFLATED, why),
				 count <= SP_FEED_BATCH_MAX ? SP_FEED_OK : SP_FEED_MALFORMED);
		sp_feed_message_free(&m);
		sp_buf_free(&out);
		free(batch);
	}
	char *large = sp_alloc(SP_FEED_RECORD_MAX + 1);
	memset(large, 'x', SP_FEED_RECORD_MAX);
	char *records = sp_asprintf("[" R("1", ",\"text\":\"%s\"") "]", large);
	assert_int_equal(decoded_records(records), SP_FEED_TOO_LARGE);
	free(records);
	free(large);
}

static void faults_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < SP_FEED_FAULTS; i++) {
		assert_string_not_equal(sp_feed_fault_name((enum sp_feed_fault)i), "unknown");
		for (int j = 0; j < i; j++)
			assert_string_not_equal(sp_feed_fault_name((enum sp_feed_fault)i),
						sp_feed_fault_name((enum sp_feed_fault)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_there_and_back),
	    cmocka_unit_test(deflated_there_and_back),
	    cmocka_unit_test(the_batch_travels_byte_by_byte),
	    cmocka_unit_test(what_is_too_large_is_not_encoded),
	    cmocka_unit_test(records_are_checked),
	    cmocka_unit_test(what_remains_of_a_record_is_its_text),
	    cmocka_unit_test(unusual_writing_means_the_same),
	    cmocka_unit_test(the_envelope_is_checked),
	    cmocka_unit_test(payloads_are_checked),
	    cmocka_unit_test(deflate_is_bounded_and_whole),
	    cmocka_unit_test(a_batch_has_a_most),
	    cmocka_unit_test(faults_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
