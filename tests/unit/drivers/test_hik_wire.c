// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a terminal sends, read without a terminal: parts, events, pages, single values.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/kiosk/hikvision_event.h"
#include "drivers/kiosk/hikvision_json.h"
#include "drivers/kiosk/hikvision_parts.h"
#include "drivers/kiosk/hikvision_xml.h"

static const char usual[] =
    "{\"ipAddress\":\"192.0.2.20\",\"channelID\":1,\"dateTime\":\"2026-11-23T06:58:41+07:00\","
    "\"eventType\":\"AccessControllerEvent\",\"eventState\":\"active\",\"AccessControllerEvent\":{"
    "\"deviceName\":\"x\",\"majorEventType\":5,\"subEventType\":75,\"cardNo\":\"0008844356\","
    "\"name\":\"Tr\\u1ea7n \\\"B\\\" {[\",\"cardReaderNo\":2,\"doorNo\":1,\"employeeNoString\":\"00042\","
    "\"serialNo\":1290,\"currentVerifyMode\":\"face\",\"currentEvent\":true,\"attendanceStatus\":"
    "\"checkOut\","
    "\"mask\":\"no\",\"FaceRect\":{\"height\":0.5,\"a\":[1,{}]}}}";

#define SEVENTY "1234567890123456789012345678901234567890123456789012345678901234567890"

// ---- parts --------------------------------------------------------------------------------------

static struct {
	char text[8][256];
	bool last[8];
	unsigned count;
	bool picky; ///< takes what begins with '{' and ends with '}' only
} told;

static bool on_part(void *arg, const char *text, size_t length, bool last)
{
	(void)arg;
	assert_true(told.count < 8);
	snprintf(told.text[told.count], sizeof(told.text[0]), "%.*s", (int)length, text);
	told.last[told.count++] = last;
	return !told.picky || text[length - 1] == '}';
}

static struct sp_hik_parts parts;

static void feed(const char *type, const void *data, size_t length, size_t piece)
{
	memset(&told, 0, offsetof(__typeof__(told), picky));
	assert_int_equal(sp_hik_parts_begin(&parts, type), 0);
	for (size_t at = 0; at < length; at += piece)
		sp_hik_parts_feed(&parts, (const uint8_t *)data + at,
				  length - at < piece ? length - at : piece, on_part, NULL);
}

static void feed_text(const char *boundary, const char *data)
{
	char type[96];
	snprintf(type, sizeof(type), "multipart/mixed; charset=x; boundary=%s", boundary);
	feed(type, data, strlen(data), 5);
}

static int done(void **state)
{
	(void)state;
	sp_hik_parts_end(&parts);
	told.picky = false;
	return 0;
}

static void boundaries_come_from_the_header(void **state)
{
	(void)state;
	static const char *const good[] = {
	    ("multipart/mixed; boundary=" SEVENTY), "multipart/mixed; boundary=MIME_boundary",
	    "Multipart/Mixed;Boundary=b", "multipart/x-mixed-replace; a=b; boundary=\"a b\""};
	static const char *const bad[] = {"",
					  "multipart/mixed",
					  "multipart/mixed; boundary=",
					  "multipart/mixed; boundary=\"\"",
					  "multipart/mixed; boundary=\"a",
					  "multipart/mixed; xboundary=a",
					  "application/json; boundary=a",
					  ("multipart/mixed; boundary=" SEVENTY "1")};
	for (size_t i = 0; i < SP_COUNT(good); i++)
		assert_int_equal(sp_hik_parts_begin(&parts, good[i]), 0);
	assert_memory_equal(parts.delimiter, "\n--a b", 6);
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_hik_parts_begin(&parts, bad[i]), -EPROTO);
}

static void a_part_is_told_at_its_length(void **state)
{
	(void)state;
	feed_text(
	    "b",
	    "--b\r\nContent-Type: application/json; charset=\"UTF-8\"\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
	assert_int_equal(told.count, 1); // and not when the next one comes
	assert_string_equal(told.text[0], "{\"a\":1}");
	assert_false(told.last[0]);
}

static void without_a_length_at_the_next_boundary(void **state)
{
	(void)state;
	feed_text("b", "--b\nContent-Type: text/xml\n\n<a/>\n--b\r\nContent-Type: "
		       "application/json\r\n\r\n{}\r\n--b--\r\n"
		       "--b\r\nContent-Type: application/json\r\n\r\n[\r\n--bb]\r\n--b\r\n");
	assert_int_equal(told.count, 3);
	assert_string_equal(told.text[0], "<a/>");
	assert_string_equal(told.text[1], "{}");
	assert_string_equal(told.text[2], "["); // a boundary is one whatever follows it
	assert_true(told.last[0] && told.last[1]);
}

static void lengths_may_lie(void **state)
{
	(void)state;
	told.picky = true;
	// Too short, as where characters were counted instead of bytes; and too long.
	feed_text("b",
		  "--b\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{\"a\":1}\r\n"
		  "--b\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{\"b\":2}\r\n--b\r\n"
		  "Content-Type: application/json\r\nContent-Length: -1\r\n\r\n{}\r\n--b\r\n");
	assert_int_equal(told.count, 4);
	assert_string_equal(told.text[0], "{\"a\"");
	assert_string_equal(told.text[1], "{\"a\":1}");
	assert_true(told.last[1]);
	assert_string_equal(told.text[2], "{\"b\":2}");
	assert_string_equal(told.text[3], "{}");
}

static void pictures_pass_unread(void **state)
{
	(void)state;
	static const char head[] = "--b\r\nContent-Type: image/jpeg\r\nContent-Length: 300000\r\n\r\n";
	static const char tail[] =
	    "\r\n--b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}\r\n";
	size_t size = sizeof(head) - 1 + 300000 + sizeof(tail) - 1;
	char *data = malloc(size);
	assert_non_null(data);
	memset(data, '\n', size);
	memcpy(data, head, sizeof(head) - 1);
	// What looks like a part within it is none.
	memcpy(data + 1000, tail, sizeof(tail) - 1);
	memcpy(data + size - sizeof(tail) + 1, tail, sizeof(tail) - 1);
	feed("multipart/mixed; boundary=b", data, size, 4096);
	free(data);
	assert_int_equal(told.count, 1);
	assert_int_equal(parts.pictures, 1);
	assert_true(parts.picture_bytes >= 300000);
}

static void what_is_too_long_is_dropped(void **state)
{
	(void)state;
	static const char head[] = "--b\r\nContent-Type: application/json\r\n\r\n";
	static const char tail[] = "\r\n--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\n";
	for (size_t over = 0; over < 120; over++) {
		size_t body = SP_HIK_PART_MAX + over, size = sizeof(head) - 1 + body + sizeof(tail) - 1;
		char *data = malloc(size);
		assert_non_null(data);
		memset(data, 'x', size);
		memcpy(data, head, sizeof(head) - 1);
		memcpy(data + size - sizeof(tail) + 1, tail, sizeof(tail) - 1);
		feed("multipart/mixed; boundary=b", data, size, 1000);
		free(data);
		assert_int_equal(told.count, over ? 1 : 2);
		assert_int_equal(parts.too_long, over ? 1 : 0);
	}
}

// ---- events -------------------------------------------------------------------------------------

static struct sp_hik_event parse(const char *text)
{
	struct sp_hik_event event;
	assert_int_equal(sp_hik_event_parse(text, strlen(text), &event), 0);
	return event;
}

static void an_event_is_read(void **state)
{
	enum sp_punch_method method;
	(void)state;
	struct sp_hik_event event = parse(usual);
	assert_int_equal(sp_hik_event_kind(&event, &method), SP_HIK_PASSED);
	assert_int_equal(method, SP_PUNCH_BY_FACE);
	assert_string_equal(event.person, "00042");
	assert_int_equal(event.serial, 1290);
	assert_int_equal(event.door, 1);
	assert_int_equal(event.reader, 2);
	assert_true(event.live && event.told_live && event.timed);
	assert_int_equal(event.status, SP_PUNCH_OUT);
	assert_int_equal(sp_civil_ms(&event.when, 0), INT64_C(1795391921000));
	// Nothing of anybody else's is in the struct.
	assert_null(memmem(&event, sizeof(event), "8844356", 7));
	assert_null(memmem(&event, sizeof(event), "Tr", 2));
}

static void cut_anywhere_it_is_none(void **state)
{
	struct sp_hik_event event;
	(void)state;
	for (size_t length = 0; length < sizeof(usual) - 1; length++) {
		char *copy = malloc(length + 1);
		memcpy(copy, usual, length);
		assert_int_equal(sp_hik_event_parse(copy, length, &event), -EINVAL);
		free(copy);
	}
}

static void xml_says_the_same(void **state)
{
	(void)state;
	static const char text[] =
	    "<?xml version=\"1.0\"?>\n<EventNotificationAlert version=\"2.0\" "
	    "xmlns=\"x\"><dateTime>2026-11-23T06:58:41+07:00"
	    "</dateTime><eventType>AccessControllerEvent</eventType><AccessControllerEvent><majorEventType>5"
	    "</majorEventType><subEventType> 38 </subEventType><name>A &amp; "
	    "B</name><cardReaderNo>2</cardReaderNo>"
	    "<employeeNoString>00042</employeeNoString><serialNo>1290</serialNo><currentEvent>false</"
	    "currentEvent>"
	    "<attendanceStatus>breakIn</attendanceStatus></AccessControllerEvent></EventNotificationAlert>";
	struct sp_hik_event event = parse(text);
	enum sp_punch_method method;
	assert_int_equal(sp_hik_event_kind(&event, &method), SP_HIK_PASSED);
	assert_int_equal(method, SP_PUNCH_BY_FINGER);
	assert_string_equal(event.person, "00042");
	assert_true(event.told_live && !event.live && event.timed);
	assert_int_equal(event.door, -1);
	assert_int_equal(event.status, SP_PUNCH_IN);
	for (size_t length = 0; length < sizeof(text) - 30; length++)
		assert_int_equal(sp_hik_event_parse(text, length, &event), -EINVAL);
}

static void codes_have_their_meaning(void **state)
{
	(void)state;
	static const struct {
		int64_t major, minor;
		enum sp_hik_kind kind;
		enum sp_punch_method method;
	} rows[] = {{5, 1, SP_HIK_PASSED, SP_PUNCH_BY_CARD},
		    {5, 38, SP_HIK_PASSED, SP_PUNCH_BY_FINGER},
		    {5, 0x9c, SP_HIK_PASSED, SP_PUNCH_BY_CODE},
		    {5, 0xb5, SP_HIK_PASSED, SP_PUNCH_BY_PASSWORD},
		    {5, 6, SP_HIK_TURNED_AWAY, SP_PUNCH_BY_UNKNOWN},
		    {5, 8, SP_HIK_TURNED_AWAY, SP_PUNCH_BY_UNKNOWN},
		    {5, 9, SP_HIK_TURNED_AWAY, SP_PUNCH_BY_UNKNOWN},
		    {5, 39, SP_HIK_TURNED_AWAY, SP_PUNCH_BY_UNKNOWN},
		    {5, 76, SP_HIK_TURNED_AWAY, SP_PUNCH_BY_UNKNOWN},
		    {5, 21, SP_HIK_OTHER, SP_PUNCH_BY_UNKNOWN},
		    {3, 75, SP_HIK_OTHER, SP_PUNCH_BY_UNKNOWN},
		    {1, 1, SP_HIK_OTHER, SP_PUNCH_BY_UNKNOWN}};
	for (size_t i = 0; i < SP_COUNT(rows); i++) {
		struct sp_hik_event event = {.major = rows[i].major, .minor = rows[i].minor};
		enum sp_punch_method method;
		assert_int_equal(sp_hik_event_kind(&event, &method), rows[i].kind);
		assert_int_equal(method, rows[i].method);
	}
}

static void persons_are_read_whole_or_not(void **state)
{
	(void)state;
	char text[200];
	static const struct {
		const char *members, *person;
		bool unreadable;
	} rows[] = {
	    {"\"employeeNo\":17", "17", false},
	    {"\"employeeNoString\":\"0017\",\"employeeNo\":17", "0017", false},
	    {"\"employeeNo\":17,\"employeeNoString\":\"0017\"", "0017", false},
	    {"\"employeeNoString\":\"\",\"employeeNo\":0", "", false},
	    {"\"employeeNoString\":\"\\u00c1nh\"", "Ánh", false},
	    {"\"employeeNoString\":\"a\\u0000b\"", "", true},
	    {"\"employeeNoString\":{\"a\":1}", "", true},
	    {"\"employeeNoString\":\"1234567890123456789012345678901234567890123456789012345678901234567\"",
	     "", true},
	    {"\"cardNo\":\"8844356\",\"name\":\"x\"", "", false}};
	for (size_t i = 0; i < SP_COUNT(rows); i++) {
		snprintf(text, sizeof(text), "{\"AccessControllerEvent\":{%s}}", rows[i].members);
		struct sp_hik_event event = parse(text);
		assert_string_equal(event.person, rows[i].person);
		assert_int_equal(event.person_length, strlen(rows[i].person));
		assert_int_equal(event.unreadable, rows[i].unreadable);
	}
}

// ---- pages --------------------------------------------------------------------------------------

static unsigned entries;
static char persons[4][16];

static void on_entry(void *arg, const struct sp_hik_event *event)
{
	(void)arg;
	snprintf(persons[entries++ % 4], 16, "%.15s", event->person);
	assert_int_equal(event->major, 5);
}

static int page(const char *text, struct sp_hik_page *out)
{
	entries = 0;
	return sp_hik_page_parse(text, strlen(text), out, on_entry, NULL);
}

static void a_page_is_read(void **state)
{
	struct sp_hik_page got;
	(void)state;
	assert_int_equal(
	    page("{\"AcsEvent\":{\"searchID\":\"1\",\"totalMatches\":61,\"responseStatusStrg\":\"MORE\","
		 "\"InfoList\":[{\"minor\":75,\"name\":\"]\",\"employeeNoString\":\"01\"},"
		 "{\"major\":5,\"employeeNoString\":\"2\"}],\"numOfMatches\":9}}",
		 &got),
	    0);
	assert_int_equal(got.state, SP_HIK_PAGE_MORE);
	assert_int_equal(got.total, 61);
	assert_int_equal(got.count, 2); // as found, whatever it says
	assert_string_equal(persons[0], "01");
	assert_int_equal(
	    page("{\"AcsEvent\":{\"responseStatusStrg\":\"NO MATCH\",\"totalMatches\":0}}", &got), 0);
	assert_int_equal(got.state, SP_HIK_PAGE_EMPTY);
	assert_int_equal(page("{\"AcsEvent\":{\"responseStatusStrg\":\"OK\",\"InfoList\":[]}}", &got), 0);
	assert_int_equal(got.state, SP_HIK_PAGE_LAST);
	assert_int_equal(page("{\"statusCode\":4,\"subStatusCode\":\"notSupport\"}", &got), -EINVAL);
	assert_int_equal(page("<ResponseStatus/>", &got), -EINVAL);
	assert_int_equal(page("{\"AcsEvent\":{\"InfoList\":[{\"major\":5},", &got), -EINVAL);
}

// ---- values -------------------------------------------------------------------------------------

static void values_are_found_in_either(void **state)
{
	char out[16];
	(void)state;
	static const struct {
		const char *text, *value;
		int result;
	} rows[] = {
	    {"<a><b>1</b></a>", "1", 1},
	    {"\xef\xbb\xbf <?xml?><x:a><!-- <b>0</b> --><x:b y=\"<b>9</b>\"> 1 2 </x:b></x:a>", "1 2", 3},
	    {"<a><b/><b>2</b></a>", "", 0},
	    {"<a><b>&lt;</b></a>", "", -EINVAL},
	    {"<a><b><c>1</c></b></a>", "", -EINVAL},
	    {"<a><b><![CDATA[1]]></b></a>", "", -EINVAL},
	    {"<!DOCTYPE a><a><b>1</b></a>", "", -EINVAL},
	    {"<a><b>1", "", -EINVAL},
	    {"<a><b>1</c></a>", "", -EINVAL},
	    {"<a><bb>1</bb></a>", "", -ENOENT},
	    {"<a><b>1234567890123456</b></a>", "", -EMSGSIZE},
	    {"{\"a\":{\"c\":[{\"b\":17}]}}", "17", 2},
	    {"{\"c\":\"b\",\"b\":{\"b\":true}}", "true", 4},
	    {"{\"b\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80", 4},
	    {"{\"b\":\"\\ud83d\"}", "", -EINVAL},
	    {"{\"b\":\"x\\", "", -EINVAL},
	    {"{\"b\":", "", -EINVAL},
	    {"", "", -ENOENT}};
	for (size_t i = 0; i < SP_COUNT(rows); i++) {
		assert_int_equal(sp_hik_value(rows[i].text, strlen(rows[i].text), "b", out, sizeof(out)),
				 rows[i].result);
		if (rows[i].result >= 0)
			assert_string_equal(out, rows[i].value);
	}
}

static void depth_is_bounded(void **state)
{
	char text[200];
	(void)state;
	for (size_t depth = 1; depth <= 90; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		struct sp_hik_json json = sp_hik_json_begin(text, 2 * depth);
		sp_hik_json_skip(&json);
		assert_int_equal(sp_hik_json_over(&json), depth <= SP_HIK_DEPTH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(boundaries_come_from_the_header, done),
	    cmocka_unit_test_teardown(a_part_is_told_at_its_length, done),
	    cmocka_unit_test_teardown(without_a_length_at_the_next_boundary, done),
	    cmocka_unit_test_teardown(lengths_may_lie, done),
	    cmocka_unit_test_teardown(pictures_pass_unread, done),
	    cmocka_unit_test_teardown(what_is_too_long_is_dropped, done),
	    cmocka_unit_test(an_event_is_read),
	    cmocka_unit_test(cut_anywhere_it_is_none),
	    cmocka_unit_test(xml_says_the_same),
	    cmocka_unit_test(codes_have_their_meaning),
	    cmocka_unit_test(persons_are_read_whole_or_not),
	    cmocka_unit_test(a_page_is_read),
	    cmocka_unit_test(values_are_found_in_either),
	    cmocka_unit_test(depth_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
