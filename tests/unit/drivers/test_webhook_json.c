// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A webhook's body and its signature, without a request.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/kiosk/webhook_json.h"
#include "drivers/kiosk/webhook_sign.h"
#include "schoolpulse/err.h"

static struct webhook_event seen[WEBHOOK_EVENTS];
static size_t seen_count;
static struct webhook_batch batch;
static struct webhook_error mistake;

static bool keep(void *arg, const struct webhook_event *event)
{
	(void)arg;
	seen[seen_count++] = *event;
	return true;
}

/// Over a copy of just that size, so that a sanitizer sees who reads beyond it.
static int read_bytes(const char *text, size_t length)
{
	char *copy = malloc(length + 1);
	assert_non_null(copy);
	memcpy(copy + 1, text, length);
	seen_count = 0;
	int result = webhook_read(copy + 1, length, 7 * 3600, &batch, keep, NULL, &mistake);
	free(copy);
	return result;
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

#define EVENT(more) "{\"events\":[{\"id\":\"e1\",\"time\":null,\"person\":\"17\"" more "}]}"

static void an_event_is_read(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text(" { \"events\" : [ {\"id\":\"a-1\",\"time\":\"2026-11-23T06:58:41+07:00\","
		      "\"person\":\"00017\",\"kind\":\"card\",\"direction\":\"in\",\"method\":\"face\","
		      "\"gate\":\"Cổng chính\",\"number\":42,\"live\":false,"
		      "\"name\":\"CANARY\",\"photo\":{\"data\":[[1.5e3,true,null,\"CANARY\"]]}},\n"
		      "{\"person\":99,\"time\":\"2026-11-23 06:58:41\",\"id\":12345678901234567890}],"
		      "\"kiosk\":{\"model\":\"K\\u0031\\n\",\"records\":5,\"x\":1},"
		      "\"totals\":[{\"day\":\"2026-11-23\",\"count\":512}],\"other\":\"\\ud83d\\ude00\"} "),
	    0);
	assert_int_equal(seen_count, 2);
	assert_int_equal(batch.event_count, 2);
	const struct webhook_event *event = &seen[0];
	assert_memory_equal(event->id, "a-1", 3);
	assert_int_equal(event->id_length, 3);
	assert_int_equal(event->kiosk_ms, INT64_C(1795391921000));
	assert_int_equal(event->person_length, 2); // a card's number has no leading zeros
	assert_memory_equal(event->person, "17", 2);
	assert_int_equal(event->kind, SP_PERSON_CARD);
	assert_int_equal(event->direction, SP_PUNCH_IN);
	assert_int_equal(event->method, SP_PUNCH_BY_FACE);
	assert_string_equal(event->gate, "Cổng chính");
	assert_int_equal(event->number, 42);
	assert_int_equal(event->live, 0);
	event = &seen[1];
	assert_int_equal(event->id_length, 20);
	assert_memory_equal(event->person, "99", 2);
	assert_int_equal(event->kind, SP_PERSON_PIN);
	assert_int_equal(event->kiosk_ms, INT64_C(1795391921000)); // in the section's zone
	assert_int_equal(event->live, -1);
	assert_int_equal(event->number, -1);
	assert_string_equal(batch.kiosk.model, "K1");
	assert_int_equal(batch.kiosk.records, 5);
	assert_int_equal(batch.kiosk.capacity, -1);
	assert_int_equal(batch.total_count, 1);
	assert_int_equal(batch.totals[0].day, 20780);
	assert_int_equal(batch.totals[0].count, 512);
	assert_int_equal(read_text("{\"events\":[]}"), 0);
	assert_int_equal(read_text(EVENT(",\"direction\":null,\"number\":null,\"live\":null,\"gate\":null")),
			 0);
	assert_int_equal(seen[0].kiosk_ms, SP_PUNCH_NO_TIME);
}

static void mistakes_name_the_member_and_no_value(void **state)
{
	(void)state;
	static const struct {
		const char *text, *member;
	} rows[] = {
	    {"{}", "events"},
	    {"[]", ""},
	    {"{\"events\":{}}", "events"},
	    {"{\"events\":[7]}", "events[0]"},
	    {"{\"events\":[{}]}", "events[0].id"},
	    {"{\"events\":[{\"id\":\"\"}]}", "events[0].id"},
	    {"{\"events\":[{\"id\":1.5}]}", "events[0].id"},
	    {"{\"events\":[{\"id\":-1}]}", "events[0].id"},
	    {"{\"events\":[{\"id\":[\"SECRET\"]}]}", "events[0].id"},
	    {"{\"events\":[{\"id\":\"a\",\"person\":\"SECRET\"}]}", "events[0].time"},
	    {"{\"events\":[{\"id\":\"a\",\"time\":null}]}", "events[0].person"},
	    {"{\"events\":[{\"id\":\"a\",\"id\":\"b\"}]}", "events[0].id"},
	    {EVENT(",\"time\":null"), "events[0].time"},
	    {EVENT(",\"kind\":\"SECRET\""), "events[0].kind"},
	    {EVENT(",\"kind\":\"cardx\""), "events[0].kind"},
	    {EVENT(",\"method\":3"), "events[0].method"},
	    {EVENT(",\"number\":-1"), "events[0].number"},
	    {EVENT(",\"number\":1e3"), "events[0].number"},
	    {EVENT(",\"live\":\"yes\""), "events[0].live"},
	    {EVENT(",\"gate\":\"SECRETSECRETSECRETSECRETSECRETSECRET\""), "events[0].gate"},
	    {"{\"events\":[{\"id\":\"a\",\"time\":null,\"kind\":\"card\",\"person\":\"0xSECRET\"}]}",
	     "events[0].person"},
	    {"{\"events\":[{\"id\":\"a\",\"time\":\"2026-02-30T00:00:00Z\",\"person\":\"1\"}]}",
	     "events[0].time"},
	    {"{\"events\":[{\"id\":\"a\",\"time\":1795391921,\"person\":\"1\"}]}", "events[0].time"},
	    {"{\"events\":[],\"events\":[]}", "events"},
	    {"{\"events\":[],\"kiosk\":[]}", "kiosk"},
	    {"{\"events\":[],\"kiosk\":{\"records\":\"SECRET\"}}", "kiosk.records"},
	    {"{\"events\":[],\"totals\":[{\"day\":\"2026-13-01\",\"count\":1}]}", "totals[0].day"},
	    {"{\"events\":[],\"totals\":[{\"day\":\"2026-12-01\"}]}", "totals[0].count"},
	    {"{\"events\":[],\"x\":[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]}", ""},
	};
	for (size_t i = 0; i < SP_COUNT(rows); i++) {
		int result = read_text(rows[i].text);
		if (result != -EINVAL || mistake.grammar || strcmp(mistake.member, rows[i].member) != 0)
			fail_msg("%s: %d, %s: %s", rows[i].text, result, mistake.member, mistake.what);
		assert_null(strstr(mistake.what, "SECRET"));
	}
}

static void what_is_no_json_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
	    "",
	    " ",
	    "{",
	    "{\"events\"",
	    "{\"events\":",
	    "{\"events\":[",
	    "{\"events\":[]",
	    "{\"events\":[],}",
	    "{\"events\":[,]}",
	    "{\"events\":[]}x",
	    "{events:[]}",
	    "{\"events\":[]}{}",
	    "{\"x\":01,\"events\":[]}",
	    "{\"x\":+1,\"events\":[]}",
	    "{\"x\":1.,\"events\":[]}",
	    "{\"x\":1e,\"events\":[]}",
	    "{\"x\":-,\"events\":[]}",
	    "{\"x\":nul,\"events\":[]}",
	    "{\"x\":True,\"events\":[]}",
	    "{\"x\":\"\\x\",\"events\":[]}",
	    "{\"x\":\"\\u12\",\"events\":[]}",
	    "{\"x\":\"\\ud800\",\"events\":[]}",
	    "{\"x\":\"\\udc00\",\"events\":[]}",
	    "{\"x\":\"a\nb\",\"events\":[]}",
	    "{\"x\":\"a",
	    "{'events':[]}",
	};
	for (size_t i = 0; i < SP_COUNT(rows); i++)
		if (read_text(rows[i]) != -EINVAL || !mistake.grammar || mistake.member[0])
			fail_msg("%s: %s", rows[i], mistake.what);
	assert_int_equal(read_bytes("{\"events\":[]}\0", 14), -EINVAL);
	// Cut anywhere it is none.
	static const char good[] = EVENT(",\"x\":[1.5,{\"y\":\"\\u00e9\"}]");
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		assert_int_equal(read_bytes(good, i), -EINVAL);
	assert_int_equal(read_bytes(good, sizeof(good) - 1), 0);
}

static void limits_hold(void **state)
{
	(void)state;
	char *text = malloc(WEBHOOK_EVENTS * 64 + 1000), *at;
	assert_non_null(text);
	for (size_t count = WEBHOOK_EVENTS; count <= WEBHOOK_EVENTS + 1; count++) {
		at = text + sprintf(text, "{\"events\":[");
		for (size_t i = 0; i < count; i++)
			at += sprintf(at, "%s{\"id\":%zu,\"time\":null,\"person\":1}", i ? "," : "", i);
		sprintf(at, "]}");
		assert_int_equal(read_text(text), count > WEBHOOK_EVENTS ? -EINVAL : 0);
		assert_int_equal(seen_count, WEBHOOK_EVENTS);
	}
	assert_string_equal(mistake.member, "events");
	for (size_t length = SP_PERSON_MAX; length <= SP_PERSON_MAX + 1; length++) {
		at = text + sprintf(text, "{\"events\":[{\"id\":\"a\",\"time\":null,\"person\":\"");
		memset(at, 'p', length);
		sprintf(at + length, "\"}]}");
		assert_int_equal(read_text(text), length > SP_PERSON_MAX ? -EINVAL : 0);
	}
	free(text);
}

// ---- signatures -----------------------------------------------------------------------------------------

#define KEY "0123456789abcdef"

/// By another program: bytes of the secret as they stand in its file.
static const char *hmac_by_openssl(const char *key, const char *text)
{
	static char hex[80];
	char command[256];
	snprintf(command, sizeof(command), "printf '%%s' '%s' | openssl dgst -sha256 -hmac '%s' -r", text,
		 key);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	memcpy(hex, "v1=", 3);
	assert_int_equal(fread(hex + 3, 1, 64, pipe), 64);
	hex[67] = '\0';
	pclose(pipe);
	return hex;
}

static void write_secrets(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void a_signature_is_judged(void **state)
{
	(void)state;
	char path[] = "/tmp/webhook-secret-XXXXXX", why[256], header[400];
	static const char data[] = "1795391921.{\"events\":[]}";
	struct webhook_secrets secrets;
	close(mkstemp(path));
	write_secrets(path, "# the gate\n" KEY "\r\n\nanother-secret-of-it \n", 0640);
	assert_int_equal(webhook_secrets_read(path, &secrets, why), 0);
	assert_int_equal(secrets.count, 2);
	const char *good = hmac_by_openssl(KEY, data);
	assert_true(webhook_signed(&secrets, good, data, sizeof(data) - 1));
	assert_false(webhook_signed(&secrets, good, data, sizeof(data) - 2));
	snprintf(header, sizeof(header), "v2=abc, v1=00, %s", good);
	assert_true(webhook_signed(&secrets, header, data, sizeof(data) - 1));
	snprintf(header, sizeof(header), "%s", good);
	header[10] = header[10] == '0' ? '1' : '0';
	assert_false(webhook_signed(&secrets, header, data, sizeof(data) - 1));
	snprintf(header, sizeof(header), "%s0", good);
	assert_false(webhook_signed(&secrets, header, data, sizeof(data) - 1));
	assert_false(webhook_signed(&secrets, "", data, sizeof(data) - 1));
	assert_false(webhook_signed(&secrets, good + 3, data, sizeof(data) - 1));
	assert_true(
	    webhook_signed(&secrets, hmac_by_openssl("another-secret-of-it", data), data, sizeof(data) - 1));
	assert_false(
	    webhook_signed(&secrets, hmac_by_openssl("some-other-secret", data), data, sizeof(data) - 1));
	unlink(path);
}

static void a_bad_secret_file_is_refused(void **state)
{
	(void)state;
	char path[] = "/tmp/webhook-secret-XXXXXX", why[256];
	struct webhook_secrets secrets;
	close(mkstemp(path));
	static const char *const texts[] = {"", "# nothing\n", "short\n",
					    KEY "\n" KEY "1\n" KEY "2\n" KEY "3\n" KEY "4\n"};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		write_secrets(path, texts[i], 0600);
		assert_int_equal(webhook_secrets_read(path, &secrets, why), -EINVAL);
		assert_null(strstr(why, "short"));
	}
	write_secrets(path, KEY "\n", 0644);
	assert_int_equal(webhook_secrets_read(path, &secrets, why), -EPERM);
	unlink(path);
	assert_int_equal(webhook_secrets_read(path, &secrets, why), -ENOENT);
}

static void a_timestamp_is_digits(void **state)
{
	(void)state;
	int64_t seconds;
	assert_int_equal(webhook_timestamp("1795391921", &seconds), 0);
	assert_int_equal(seconds, 1795391921);
	static const char *const bad[] = {"",    " 1795391921",   "1795391921 ",
					  "-1",  "1795391921.5",  "1e9",
					  "0x1", "1795391921000", "99999999999999999999"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(webhook_timestamp(bad[i], &seconds), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_event_is_read),
	    cmocka_unit_test(mistakes_name_the_member_and_no_value),
	    cmocka_unit_test(what_is_no_json_is_refused),
	    cmocka_unit_test(limits_hold),
	    cmocka_unit_test(a_signature_is_judged),
	    cmocka_unit_test(a_bad_secret_file_is_refused),
	    cmocka_unit_test(a_timestamp_is_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
