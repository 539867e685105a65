// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hikvision driver on virtual time: what it asks and when, what it hands over, and that no login is tried
// twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/drivers.h"
#include "drivers/kiosk/civil_time.h"
#include "fake_session.h"

#define INFO    "/ISAPI/System/deviceInfo"
#define TIME    "/ISAPI/System/time"
#define ALERTS  "/ISAPI/Event/notification/alertStream"
#define MEMORY  "/ISAPI/AccessControl/AcsEvent"
#define OPTIONS "url = https://192.0.2.20\nuser = observer\npassword = secret\n"
enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

/// The terminal.
static struct {
	long refuses;        ///< status of everything
	const char *refusal; ///< and its body
	bool unsupported;    ///< its memory
	int memory_result;
	int64_t stored;   ///< entries in its memory
	int64_t clock_ms; ///< ahead of true time
	const char *zone;
	int page_most;
} unit;
static struct sp_device *dev;

static void tell_time(char *out, size_t size)
{
	char text[SP_CIVIL_TEXT];
	int32_t zone_s = 0;
	assert_int_equal(sp_zone_parse(unit.zone, strlen(unit.zone), &zone_s), 0);
	struct sp_civil now =
	    sp_civil_of(FAKE_WALL_MS + dev->now_us / 1000 - 1000000 + unit.clock_ms, zone_s);
	sp_civil_print(&now, text);
	text[10] = 'T';
	snprintf(out, size, "%s%s", text, unit.zone);
}

static void page(const char *body, struct fake_reply *out)
{
	const char *at = strstr(body, "searchResultPosition\":"), *most = strstr(body, "maxResults\":");
	assert_non_null(at);
	assert_non_null(most);
	int64_t from = strtoll(at + 22, NULL, 10), count = strtoll(most + 12, NULL, 10);
	assert_in_range(count, 1, 30);
	if (unit.unsupported || count > unit.page_most) {
		out->status = 400;
		snprintf(out->body, sizeof(out->body), "{\"statusCode\":4,\"subStatusCode\":\"%s\"}",
			 unit.unsupported ? "notSupport" : "badParameters");
		return;
	}
	size_t used = (size_t)snprintf(out->body, sizeof(out->body),
				       "{\"AcsEvent\":{\"totalMatches\":%" PRId64
				       ",\"responseStatusStrg\":\"%s\",\"InfoList\":[",
				       unit.stored, from + count < unit.stored ? "MORE" : "OK");
	for (int64_t i = from; i < unit.stored && i < from + count; i++)
		used +=
		    (size_t)snprintf(out->body + used, sizeof(out->body) - used,
				     "%s{\"minor\":%d,\"time\":\"2026-11-22T07:00:00+07:00\",\"name\":\"x\","
				     "\"employeeNoString\":\"%05" PRId64 "\",\"serialNo\":%" PRId64 "}",
				     i > from ? "," : "", i % 10 == 9 ? 76 : 75, i, i);
	snprintf(out->body + used, sizeof(out->body) - used, "]}}");
}

static void reply(const char *method, const char *path, const char *body, struct fake_reply *out)
{
	char now[64];
	(void)method;
	if (unit.refuses) {
		out->status = unit.refuses;
		snprintf(out->body, sizeof(out->body), "%s", unit.refusal ? unit.refusal : "");
	} else if (strcmp(path, INFO) == 0) {
		snprintf(out->body, sizeof(out->body),
			 "<DeviceInfo><model>DS-K1T671M</model><serialNumber>SN1</serialNumber>"
			 "<firmwareVersion>V3\x07</firmwareVersion></DeviceInfo>");
	} else if (strcmp(path, TIME) == 0) {
		tell_time(now, sizeof(now));
		snprintf(out->body, sizeof(out->body), "<Time><localTime>%s</localTime></Time>", now);
	} else if (strcmp(path, ALERTS) == 0) {
		out->type = "multipart/mixed; boundary=b";
		out->open = true;
	} else if (strncmp(path, MEMORY, strlen(MEMORY)) == 0) {
		out->result = unit.memory_result;
		page(body, out);
	} else {
		snprintf(out->body, sizeof(out->body), "{\"UserInfoCount\":{\"userNumber\":612}}");
	}
}

static void open_with(const char *more)
{
	char options[512];
	memset(&unit, 0, sizeof(unit));
	unit.zone = "+07:00";
	unit.page_most = 30;
	fake_session_reset(reply);
	snprintf(options, sizeof(options), OPTIONS "%s", more);
	dev = fake_new(&sp_driver_hikvision, "gate", options);
}

static int close_it(void **state)
{
	(void)state;
	fake_free(dev);
	assert_int_equal(fake_session.sessions, 0);
	return 0;
}

/// Started, its memory read, its stream open.
static void begin(const char *more)
{
	open_with(more);
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 5000, true);
	assert_non_null(fake_session.held);
}

static bool say_event_at(const char *when, const char *members)
{
	char text[1024];
	int length = snprintf(text, sizeof(text),
			      "{\"dateTime\":\"%s\",\"AccessControllerEvent\":{"
			      "\"majorEventType\":5,%s}}",
			      when, members);
	char part[1400];
	snprintf(part, sizeof(part),
		 "--b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s\r\n", length, text);
	return fake_say(part);
}

static bool say_event(const char *members)
{
	return say_event_at("2026-11-23T06:59:00+07:00", members);
}

static bool punch(int64_t serial)
{
	char members[160];
	snprintf(members, sizeof(members),
		 "\"subEventType\":75,\"employeeNoString\":\"00042\",\"doorNo\":1,\"currentEvent\":true,"
		 "\"serialNo\":%" PRId64,
		 serial);
	return say_event(members);
}

// ---- the beginning ------------------------------------------------------------------------------

static void it_begins_alone_and_reads_on(void **state)
{
	(void)state;
	begin("");
	assert_string_equal(fake_session.requests[0], "GET " INFO);
	assert_string_equal(fake_session.requests[1], "GET " TIME);
	assert_int_equal(fake_asked(ALERTS, 0), 1);
	assert_true(fake_session.logs_in);
	assert_int_equal(dev->rounds_ok, 1);
	assert_string_equal(dev->kiosk.health.model, "DS-K1T671M");
	assert_string_equal(dev->kiosk.health.firmware, "V3?");
	assert_int_equal(dev->kiosk.health.users, 612);
	assert_int_equal(dev->kiosk.health.records, 0);
	assert_true(fabs(dev->kiosk.health.clock_error_s) <= 1);
	assert_true(dev->kiosk.health.heard_us > 0);
}

static void an_event_becomes_a_punch(void **state)
{
	(void)state;
	begin("out_readers = 2, 3\nin_doors = 1\n");
	assert_true(punch(7));
	say_event(
	    "\"subEventType\":1,\"employeeNoString\":\"9\",\"doorNo\":1,\"cardReaderNo\":2,\"serialNo\":8,"
	    "\"currentEvent\":false,\"attendanceStatus\":\"checkIn\",\"cardNo\":\"0008844356\"");
	say_event("\"subEventType\":38,\"employeeNoString\":\"9\",\"doorNo\":4,\"serialNo\":9,"
		  "\"attendanceStatus\":\"checkOut\"");
	say_event("\"subEventType\":76,\"employeeNoString\":\"\",\"serialNo\":10");
	say_event("\"subEventType\":75,\"employeeNoString\":\"\",\"serialNo\":11,\"cardNo\":\"0008844356\"");
	assert_int_equal(dev->kiosk.punch_count, 3);
	const struct fake_punch *p = fake_punch(dev, 0);
	assert_string_equal(p->person, "00042");
	assert_int_equal(p->punch.person_length, 5);
	assert_int_equal(p->punch.kind, SP_PERSON_PIN);
	assert_int_equal(p->punch.direction, SP_PUNCH_IN);
	assert_int_equal(p->punch.method, SP_PUNCH_BY_FACE);
	assert_string_equal(p->gate, "1");
	assert_int_equal(p->punch.number, 7);
	assert_true(p->punch.live);
	assert_int_equal(p->punch.kiosk_ms, FAKE_WALL_MS + 19000);
	assert_int_equal(p->punch.key_length, 5);
	assert_memory_equal(p->key, "SN1/7", 5);
	assert_false(fake_punch(dev, 1)->punch.live);
	assert_int_equal(fake_punch(dev, 1)->punch.direction,
			 SP_PUNCH_OUT); // the reader comes before the door
	assert_int_equal(fake_punch(dev, 2)->punch.direction, SP_PUNCH_OUT); // as the person chose
	assert_true(fake_punch(dev, 2)->punch.live);                         // not told, and it is of now
	fake_run(dev, MINUTE, true);
	assert_int_equal(fake_sample(dev, 0, "")->last, 1); // turned away: counted, not recorded
	fake_commit(dev, 0);
}

// ---- back-pressure ------------------------------------------------------------------------------

#ifdef SP_TEST_SHORT
enum { REPLAY = 4000 };
#else
enum { REPLAY = 19000 };
#endif

static void a_replay_waits_for_the_card(void **state)
{
	(void)state;
	begin("");
	for (int64_t i = 0; i < REPLAY; i++) {
		if (fake_session.paused) {
			fake_run(dev, 50, false);
			assert_true(fake_session.paused);
			fake_commit(dev, 0);
		}
		assert_true(punch(i));
		assert_true(dev->kiosk.punch_count - fake_committed(dev) <= 64);
	}
	fake_commit(dev, 0);
	assert_false(fake_session.paused);
	assert_int_equal(fake_committed(dev), REPLAY);
	assert_true(fake_session.pauses >= REPLAY / 64);
}

static void pages_wait_for_the_card(void **state)
{
	(void)state;
	open_with("");
	unit.stored = 1000;
	assert_int_equal(fake_start(dev), 0);
	for (int i = 0; i < 1000 && fake_committed(dev) < 900; i++) {
		fake_run(dev, 20, false);
		assert_true(dev->kiosk.punch_count - fake_committed(dev) <= 64);
		fake_commit(dev, 0);
	}
	assert_int_equal(fake_committed(dev), 900); // every tenth was turned away
	for (int i = 0; i < 1000; i++) {
		fake_run(dev, 200, true);
		fake_commit(dev, 0);
	}
	assert_int_equal(fake_committed(dev), 900);
	assert_int_equal(fake_asked(MEMORY, 0),
			 3 * 34 + 1); // with two days that were counted, and one number
	assert_int_equal(dev->kiosk.health.backlog, 0);
	assert_int_equal(dev->kiosk.health.records, 1000);
}

// ---- what was missed ----------------------------------------------------------------------------

static void a_gap_is_read_from_the_memory(void **state)
{
	(void)state;
	begin("history = 1d\n");
	fake_run(dev, 10 * MINUTE, false);
	// Heard 07:03 last; hung up at 07:18:41.
	assert_true(fake_say(
	    "--b\r\nContent-Type: text/xml\r\n\r\n<EventNotificationAlert><dateTime>2026-11-23T07:08:46+07:00"
	    "</dateTime><eventType>videoloss</eventType></EventNotificationAlert>\r\n--b\r\n"));
	fake_run(dev, 10 * MINUTE, false);
	size_t from = fake_session.request_count;
	fake_hang_up(-ECONNRESET);
	fake_run(dev, 3000, false);
	assert_int_equal(fake_asked(ALERTS, from), 1);
	assert_int_equal(fake_asked(MEMORY, from), 1);
	assert_non_null(strstr(fake_session.posted, "\"startTime\":\"2026-11-23T06:58:4"));
}

static void the_dial_is_told_as_it_was(void **state)
{
	static const char members[] = "\"subEventType\":75,\"employeeNoString\":\"9\",\"serialNo\":1";
	(void)state;
	begin("time_zone = +09:00\n");
	say_event_at("2026-11-23T07:59:00+08:00", members);
	say_event_at("2026-11-23T08:59:00", members);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(fake_punch(dev, i)->punch.kiosk_ms, FAKE_WALL_MS + 19000);
	assert_int_equal(fake_punch(dev, 0)->punch.zone_ahead_s, 3600);
	assert_int_equal(fake_punch(dev, 1)->punch.zone_ahead_s, 2 * 3600);
}

static void the_stream_comes_back_with_patience(void **state)
{
	(void)state;
	begin("");
	unit.refuses = 503;
	size_t from = fake_session.request_count;
	fake_hang_up(-ECONNRESET);
	fake_run(dev, HOUR, false);
	assert_in_range(fake_asked(ALERTS, from), 55, 66); // every minute in the end
	fake_poll(dev);
	fake_run(dev, 1000, false);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "protocol");
}

static void what_the_journal_refuses_comes_again(void **state)
{
	(void)state;
	begin("");
	fake_run(dev, HOUR, true);
	dev->kiosk.result = -ENOBUFS;
	size_t from = fake_session.request_count;
	assert_false(punch(1)); // no more of this now
	fake_run(dev, 20000, false);
	assert_int_equal(fake_asked(ALERTS, from) + fake_asked(MEMORY, from), 0);
	dev->kiosk.result = 0;
	fake_run(dev, 2 * MINUTE, false);
	assert_int_equal(fake_asked(ALERTS, from), 1);
	assert_true(fake_asked(MEMORY, from) >= 1);
	assert_non_null(
	    strstr(fake_session.posted, "\"startTime\":\"2026-11-23T06:4")); // its time, and a margin
	// The same when the card refuses it later.
	from = fake_session.request_count;
	assert_true(punch(2));
	fake_commit(dev, -EIO);
	fake_run(dev, 2 * MINUTE, false);
	assert_int_equal(fake_asked(ALERTS, from), 1);
	assert_true(fake_asked(MEMORY, from) >= 1);
	// And when the keys are away for a while.
	from = fake_session.request_count;
	dev->kiosk.result = -ENOKEY;
	assert_false(punch(3));
	dev->kiosk.result = 0;
	fake_run(dev, 2 * MINUTE, false);
	assert_int_equal(fake_asked(ALERTS, from), 1);
	assert_true(fake_asked(MEMORY, from) >= 1);
}

static void a_memory_that_is_closed_is_left_alone(void **state)
{
	(void)state;
	open_with("");
	unit.unsupported = true;
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 30 * HOUR, true);
	assert_in_range(fake_asked(MEMORY, 0), 2, 4); // once more each night
	assert_int_equal(dev->rounds_failed, 0);
	assert_non_null(fake_session.held);
}

static void small_pages_are_asked_for(void **state)
{
	(void)state;
	open_with("");
	unit.page_most = 10;
	unit.stored = 25;
	assert_int_equal(fake_start(dev), 0);
	for (int i = 0; i < 100; i++) {
		fake_run(dev, 50, false);
		fake_commit(dev, 0);
	}
	assert_int_equal(fake_committed(dev), 23);
	// Also one number, one that was too large, and two days that were counted.
	assert_int_equal(fake_asked(MEMORY, 0), 2 + 3 * 3);
}

static void each_night_the_days_are_counted(void **state)
{
	(void)state;
	open_with("");
	unit.stored = 20;
	assert_int_equal(fake_start(dev), 0);
	for (int i = 0; i < 24 * 60; i++) {
		fake_run(dev, MINUTE, true);
		fake_commit(dev, 0);
	}
	assert_int_equal(fake_committed(dev), 18);
	// Once at start and once in the night, two days each.
	assert_int_equal(dev->kiosk.total_count, 4);
	assert_int_equal(dev->kiosk.totals[0].day, 20778);
	assert_int_equal(dev->kiosk.totals[1].day, 20779);
	assert_int_equal(dev->kiosk.totals[3].day, 20780);
	assert_int_equal(dev->kiosk.totals[0].count, 18);
}

// ---- logins -------------------------------------------------------------------------------------

static void a_refused_login_stops_everything(void **state)
{
	(void)state;
	open_with("");
	unit.refuses = 401;
	unit.refusal = "<userCheck><lockStatus>unlock</lockStatus><unlockTime>0</unlockTime></userCheck>";
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 9 * MINUTE + 50000, true);
	assert_int_equal(fake_session.request_count, 1);
	assert_true(dev->rounds_failed >= 9);
	assert_string_equal(dev->reason, "credentials");
	assert_null(strstr(dev->text, "secret"));
	fake_run(dev, MINUTE, true); // 10 min after the first
	assert_int_equal(fake_session.request_count, 2);
	fake_run(dev, 18 * MINUTE, true);
	assert_int_equal(fake_session.request_count, 2);
	fake_run(dev, 3 * MINUTE, true);
	assert_int_equal(fake_session.request_count, 3);
	fake_run(dev, 24 * HOUR, true);
	assert_in_range(fake_session.request_count, 6, 9); // ever more seldom
	assert_int_equal(fake_asked(INFO, 0), fake_session.request_count);
	unit.refuses = 0;
	fake_run(dev, 6 * HOUR + MINUTE, true);
	assert_non_null(fake_session.held);
	// A new mistake begins anew with ten minutes.
	unit.refuses = 401;
	size_t from = fake_session.request_count;
	fake_hang_up(-ECONNRESET);
	fake_run(dev, 9 * MINUTE, false);
	assert_int_equal(fake_session.request_count, from + 1);
	fake_run(dev, 2 * MINUTE, false);
	assert_int_equal(fake_session.request_count, from + 2);
	assert_int_equal(fake_asked(INFO, from), 1); // alone again
}

static void a_lock_is_waited_for(void **state)
{
	(void)state;
	open_with("");
	unit.refuses = 401;
	unit.refusal = "{\"userCheck\":{\"lockStatus\":\"lock\",\"unlockTime\":1800}}";
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 30 * MINUTE, true);
	assert_int_equal(fake_session.request_count, 1);
	assert_string_equal(dev->reason, "locked");
	fake_run(dev, MINUTE, true);
	assert_int_equal(fake_session.request_count, 2);
}

static void a_refusal_beside_the_stream_ends_that_too(void **state)
{
	(void)state;
	begin("");
	unit.refuses = 401;
	size_t from = fake_session.request_count;
	fake_run(dev, 5 * MINUTE, true);
	assert_null(fake_session.held);
	assert_int_equal(fake_session.request_count, from + 1);
	assert_string_equal(dev->reason, "credentials");
}

// ---- what else there is -------------------------------------------------------------------------

static void without_a_legal_basis_nothing_is_read(void **state)
{
	(void)state;
	begin("");
	dev->kiosk.result = -EPERM;
	size_t from = fake_session.request_count;
	assert_false(punch(1));
	fake_run(dev, 30 * HOUR, true);
	assert_int_equal(fake_asked(ALERTS, from), 0);
	assert_string_equal(dev->reason, "not_allowed");
	assert_int_equal(dev->kiosk.health.users, 612); // how it is is known all the same
	assert_true(fake_asked(TIME, from) > 1000);
}

static void its_clock_is_measured(void **state)
{
	(void)state;
	begin("");
	unit.clock_ms = -HOUR; // right on the wall, in the factory's zone
	unit.zone = "+08:00";
	fake_run(dev, 2 * MINUTE, true);
	assert_true(fabs(dev->kiosk.health.clock_error_s + 3600) <= 1);
	dev->kiosk.clock_unknown = true;
	fake_run(dev, 2 * MINUTE, true);
	assert_true(isnan(dev->kiosk.health.clock_error_s));
}

static void rubbish_is_passed_over(void **state)
{
	(void)state;
	begin("");
	assert_true(fake_say("--b\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{\"a\"\r\n"));
	assert_true(fake_say("--b\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n\r\n{}{}\r\n"));
	assert_true(punch(5));
	assert_int_equal(dev->kiosk.punch_count, 1);
	fake_run(dev, MINUTE, true);
	assert_int_equal(dev->kiosk.health.refused, 1);
	assert_int_equal(fake_sample(dev, 3, "")->last, 1);
	fake_commit(dev, 0);
}

static void it_stops_in_the_middle(void **state)
{
	(void)state;
	begin("");
	punch(1);
	unit.memory_result = -ETIMEDOUT;
	fake_hang_up(-ECONNRESET);
	fake_run(dev, 1, false); // with a question under way, and a punch
}

static void mistakes_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *options, *key;
	} rows[] = {{"url = 192.0.2.20.........\nuser = a\npassword = b\n", "url"},
		    {"url = https://a:b@192.0.2.20\nuser = a\npassword = b\n", "url"},
		    {"url = https://192.0.2.20/ISAPI\nuser = a\npassword = b\n", "url"},
		    {OPTIONS "fingerprint = 12:34\n", "fingerprint"},
		    {OPTIONS "time_zone = Hanoi\n", "time_zone"}};
	for (size_t i = 0; i < SP_COUNT(rows); i++) {
		const char *key = NULL;
		char why[256] = "";
		dev = fake_new(&sp_driver_hikvision, "gate", rows[i].options);
		assert_int_equal(sp_driver_hikvision.check(dev->conf, &key, why, sizeof(why)), -EINVAL);
		assert_string_equal(key, rows[i].key);
		assert_true(why[0] && !strstr(why, "secret"));
		fake_free(dev);
	}
}

#define HIK_TEST(name) cmocka_unit_test_teardown(name, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    HIK_TEST(it_begins_alone_and_reads_on),
	    HIK_TEST(an_event_becomes_a_punch),
	    HIK_TEST(a_replay_waits_for_the_card),
	    HIK_TEST(pages_wait_for_the_card),
	    HIK_TEST(a_gap_is_read_from_the_memory),
	    HIK_TEST(the_stream_comes_back_with_patience),
	    HIK_TEST(the_dial_is_told_as_it_was),
	    HIK_TEST(what_the_journal_refuses_comes_again),
	    HIK_TEST(a_memory_that_is_closed_is_left_alone),
	    HIK_TEST(small_pages_are_asked_for),
	    HIK_TEST(each_night_the_days_are_counted),
	    HIK_TEST(a_refused_login_stops_everything),
	    HIK_TEST(a_lock_is_waited_for),
	    HIK_TEST(a_refusal_beside_the_stream_ends_that_too),
	    HIK_TEST(without_a_legal_basis_nothing_is_read),
	    HIK_TEST(its_clock_is_measured),
	    HIK_TEST(rubbish_is_passed_over),
	    HIK_TEST(it_stops_in_the_middle),
	    cmocka_unit_test(mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
