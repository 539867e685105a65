// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The adms driver beside uploads: who is admitted, the handshake and the clock, what is asked of a terminal,
// and what a technician reads when one does not call.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "adms_bench.h"
#include "drivers/drivers.h"

enum { YESTERDAY = 20779 }; ///< 2026-11-22

#define HELLO  ADMS_GET("cdata?SN=ABC123&options=all&pushver=2.4.1&language=86")
#define POLL   ADMS_GET("getrequest?SN=ABC123")
#define ATTLOG ADMS_POST("cdata?SN=ABC123&table=ATTLOG&Stamp=4711")
#define RESULT ADMS_POST("devicecmd?SN=ABC123")
#define LINE   "1001\t2026-11-23 06:58:40\t0\t1\t\t0\t0\n"

/// The answer's text, which stays until the next call.
static const char *text_of(const char *head, unsigned status)
{
	static char text[2048];
	struct sp_http_inbound *in = fake_ask(0, head, "");
	assert_true(in->replied);
	assert_int_equal(in->status, status);
	snprintf(text, sizeof(text), "%s", in->body);
	fake_gone(in);
	return text;
}

static void the_handshake(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	const char *text = text_of(HELLO, 200);
	assert_ptr_equal(strstr(text, "GET OPTION FROM: ABC123\nATTLOGStamp=None\n"), text);
	assert_non_null(strstr(text, "\nTransFlag=TransData AttLog\tOpLog\nTimeZone=7\n"));
	assert_non_null(strstr(text, "\nServerVer=2.4.1\n"));
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	// The lower version of both, and the last stamp; by POST with a body, too.
	text = text_of("POST /iclock/cdata.aspx?SN=ABC123&options=all&pushver=2.2.14 HTTP/1.1\n", 200);
	assert_non_null(strstr(text, "\nATTLOGStamp=4711\n"));
	assert_non_null(strstr(text, "\nServerVer=2.2.14\n"));
	text = text_of(ADMS_GET("cdata?SN=ABC123&options=all&pushver=9.9.9&DeviceType=att"), 200);
	assert_non_null(strstr(text, "\nServerVer=2.4.1\n"));
	text = text_of(ADMS_GET("cdata?SN=ABC123&type=time"), 200);
	assert_string_equal(text, "Time=2026-11-23T06:58:41+07:00");
	fake_free(dev);
}

static void its_overrides(void **state)
{
	(void)state;
	struct sp_device *dev =
	    adms_new("zone_form = minutes\nflag_form = bare\ndelay = 30s\nerror_delay = 90s\n"
		     "time_zone = +08:00\n");
	const char *text = text_of(HELLO, 200);
	assert_non_null(strstr(text, "\nErrorDelay=90\nDelay=30\n"));
	assert_non_null(strstr(text, "\nTransFlag=AttLog\tOpLog\nTimeZone=480\n"));
	fake_free(dev);
}

static void no_handshake_while_the_time_is_not_known(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	dev->kiosk.clock_unknown = true;
	for (int i = 0; i < 2; i++) {
		struct sp_http_inbound *in =
		    fake_ask(0, i ? HELLO : ADMS_GET("cdata?SN=ABC123&type=time"), "");
		assert_int_equal(in->status, 503);
		assert_false(in->date);
		assert_true(in->retry_after_s > 0);
		fake_gone(in);
	}
	fake_run(dev, 11000, false);
	assert_string_equal(dev->reason, "clock");
	assert_int_equal(dev->rounds_failed, 0);
	// What it has may come all the same.
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	dev->kiosk.clock_unknown = false;
	text_of(HELLO, 200);
	fake_run(dev, 10000, false);
	assert_int_equal(dev->rounds_ok, 1);
	fake_free(dev);
}

static void whose_a_request_is(void **state)
{
	(void)state;
	struct sp_device *one = adms_new("port = 8081\n");
	struct sp_device *two = fake_new(&sp_driver_adms, "back", "serial = XYZ789\nport = 8081\n");
	assert_int_equal(fake_start(two), 0);
	adms_says_committed(two, ADMS_POST("cdata?SN=XYZ789&table=ATTLOG"), LINE, 200, "OK: 1");
	assert_int_equal(one->kiosk.punch_count, 0);
	assert_null(fake_request(0, "GET /somewhere/else?SN=ABC123 HTTP/1.1\n"));
	assert_null(fake_request(0, "GET /cdata?SN=ABC123 HTTP/1.1\n"));
	adms_says(ADMS_POST("cdata?SN=xyz789&table=ATTLOG"), LINE, 503, "unknown terminal\n");
	fake_free(one);
	fake_free(two);
}

static void a_stranger_keeps_what_it_has(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	adms_says(ADMS_POST("cdata?SN=OTHER1&table=ATTLOG"), LINE, 503, "unknown terminal\n");
	adms_says(ADMS_GET("cdata?SN=OTHER1&options=all"), "", 503, "unknown terminal\n");
	adms_says(ADMS_GET("getrequest?SN=OTHER1"), "", 503, "unknown terminal\n");
	adms_says(ADMS_GET("getrequest"), "", 503, "unknown terminal\n");
	adms_says(ADMS_GET("getrequest?SN=%01%02"), "", 503, "unknown terminal\n");
	for (int i = 0; i < 100; i++) {
		char head[128];
		snprintf(head, sizeof(head), ADMS_GET("getrequest?SN=STRANGER%d"), i);
		adms_says(head, "", 503, "unknown terminal\n");
	}
	assert_int_equal(dev->kiosk.punch_count, 0);
	fake_run(dev, 200000, false);
	assert_string_equal(dev->reason, "never_called");
	assert_non_null(strstr(dev->text, "ABC123"));
	assert_non_null(strstr(dev->text, "OTHER1"));
	fake_free(dev);
}

static void who_must_know_the_key(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("comm_key = secret\n");
	adms_says(ATTLOG, LINE, 503, "not admitted\n");
	adms_says(ADMS_GET("cdata?SN=ABC123&options=all"), "", 503, "not admitted\n");
	// One that goes on from before our start is asked to introduce itself again.
	const char *text = text_of(POLL, 200);
	assert_non_null(strstr(text, ":CHECK\n"));
	adms_says(ADMS_GET("cdata?SN=ABC123&options=all&pushcommkey=guess"), "", 503, "not admitted\n");
	fake_run(dev, 11000, false);
	assert_string_equal(dev->reason, "wrong_key");
	assert_null(strstr(dev->text, "secret"));
	text_of(ADMS_GET("cdata?SN=ABC123&options=all&pushcommkey=secret"), 200);
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	strcpy(fake_peer, "192.0.2.66"); // another one, by our terminal's name
	adms_says(ATTLOG, LINE, 503, "not admitted\n");
	strcpy(fake_peer, "192.0.2.10");
	fake_free(dev);
}

static void access_control_is_named_and_keeps_its_data(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	const char *refused = "set the terminal to attendance\n";
	adms_says(ADMS_GET("cdata?SN=ABC123&options=all&pushver=3.1.2"), "", 503, refused);
	adms_says(ADMS_POST("registry?SN=ABC123"), "DeviceType=acc", 503, refused);
	adms_says(ADMS_POST("push?SN=ABC123"), "", 503, refused);
	adms_says(ADMS_POST("cdata?SN=ABC123&table=rtlog"), "time=2026-11-23 06:58:40\tpin=1\n", 503,
		  refused);
	adms_says(ADMS_POST("cdata?SN=ABC123&table=tabledata&tablename=user&count=1"), "user pin=1", 503,
		  refused);
	fake_run(dev, 11000, false);
	assert_string_equal(dev->reason, "access_mode");
	text_of(HELLO, 200);
	fake_run(dev, 10000, false);
	assert_int_equal(dev->rounds_ok, 1);
	fake_free(dev);
}

static void small_questions(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	adms_says(ADMS_GET("ping?SN=ABC123"), "", 200, "OK");
	adms_says(ADMS_GET("test?SN=ABC123"), "", 200, "OK");
	adms_says(ADMS_POST("exchange?SN=ABC123&type=publickey"), "PublicKey=x", 501, "not known here\n");
	adms_says(ADMS_GET("whatever?SN=ABC123"), "", 501, "not known here\n");
	adms_says(POLL, "", 200, "OK");
	fake_free(dev);
}

static void silence_has_a_reason_for_people(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("port = 8090\n");
	fake_run(dev, 60000, false);
	assert_string_equal(dev->reason, "waiting");
	assert_int_equal(dev->rounds_failed, 0);
	fake_run(dev, 140000, false);
	assert_string_equal(dev->reason, "never_called");
	assert_non_null(strstr(dev->text, "ABC123"));
	assert_non_null(strstr(dev->text, "8090"));
	text_of(HELLO, 200);
	for (int i = 0; i < 6; i++) {
		text_of(POLL, 200);
		fake_run(dev, 10000, false);
	}
	assert_int_equal(dev->rounds_ok, 6);
	fake_run(dev, 40000, false);
	assert_string_equal(dev->reason, "silent");
	assert_true(dev->kiosk.health.heard_us > 0);
	// Who was refused waits longer before it calls again.
	dev->kiosk.result = -EIO;
	adms_says(ATTLOG, LINE, 503, "not now\n");
	fake_run(dev, 80000, false);
	assert_string_equal(dev->reason, "journal");
	fake_run(dev, 30000, false);
	assert_string_equal(dev->reason, "silent");
	fake_free(dev);
}

/// Its number; fails when the next command is another one.
static unsigned asked(const char *expected)
{
	const char *text = text_of(POLL, 200);
	unsigned id;
	char rest[256];
	assert_int_equal(sscanf(text, "C:%u:%255[^\n]", &id, rest), 2);
	assert_string_equal(rest, expected);
	return id;
}

static void say_result(unsigned id, const char *rest)
{
	char body[512];
	snprintf(body, sizeof(body), "ID=%u&%s", id, rest);
	adms_says(RESULT, body, 200, "OK");
}

static void what_it_says_of_itself_is_reported(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	text_of(HELLO, 200);
	unsigned id = asked("INFO");
	adms_says(POLL, "", 200, "OK"); // one question at a time
	say_result(id, "Return=0&CMD=INFO\n~DeviceName=MB20\nFWVersion=Ver 6.60\nUserCount=340\n"
		       "TransactionCount=4711\n~MaxAttLogCount=10\n");
	fake_run(dev, 10000, false);
	assert_string_equal(dev->kiosk.health.model, "MB20");
	assert_string_equal(dev->kiosk.health.firmware, "Ver 6.60");
	assert_int_equal(dev->kiosk.health.users, 340);
	assert_int_equal(dev->kiosk.health.records, 4711);
	assert_int_equal(dev->kiosk.health.capacity, 100000);
	adms_says(ADMS_POST("cdata?SN=ABC123&table=options"), "UserCount=341,FirmVer=Ver 7", 200, "OK");
	text_of(ADMS_GET("getrequest?SN=ABC123&INFO=Ver%208,342,0,4712,192.0.2.10,10,7,15,0,111"), 200);
	fake_run(dev, 10000, false);
	assert_int_equal(dev->kiosk.health.users, 342);
	assert_int_equal(dev->kiosk.health.records, 4712);
	assert_string_equal(dev->kiosk.health.firmware, "Ver 8");
	fake_free(dev);
}

#define DAY            " StartTime=2026-11-22 00:00:00\tEndTime=2026-11-22 23:59:59"
#define PAST_INFO(dev) say_result(asked("INFO"), "Return=0&CMD=INFO")

static void yesterday_is_counted_and_what_is_missing_asked_for(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	fake_run(dev, 10000, false);
	PAST_INFO(dev);
	adms_says_committed(dev, ATTLOG, "1\t2026-11-22 06:58:40\t0\t1\n", 200, "OK: 1");
	adms_says(POLL, "", 200, "OK"); // not in the rush
	fake_run(dev, 310000, false);
	say_result(asked("VERIFY SUM ATTLOG" DAY), "Return=0&CMD=VERIFY SUM&AttlogSum=2");
	unsigned id = asked("DATA QUERY ATTLOG" DAY);
	adms_says_committed(dev, ATTLOG, "1\t2026-11-22 06:58:40\t0\t1\n2\t2026-11-22 06:58:41\t0\t1\n", 200,
			    "OK: 2");
	say_result(id, "Return=2&CMD=DATA");
	assert_int_equal(dev->kiosk.total_count, 0); // its rows may still be on their way
	fake_run(dev, 130000, false);
	assert_int_equal(dev->kiosk.total_count, 1);
	assert_int_equal(dev->kiosk.totals[0].day, YESTERDAY);
	assert_int_equal(dev->kiosk.totals[0].count, 2);
	// Once a day: today's answer is given.
	fake_run(dev, 3600000, false);
	adms_says(POLL, "", 200, "OK");
	fake_free(dev);
}

static void a_day_that_agrees_needs_no_question(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	adms_says_committed(dev, ATTLOG, "1\t2026-11-22 06:58:40\t0\t1\n", 200, "OK: 1");
	fake_run(dev, 310000, false);
	PAST_INFO(dev);
	say_result(asked("VERIFY SUM ATTLOG" DAY), "Return=0&CMD=VERIFY SUM&AttlogCount=1");
	fake_run(dev, 10000, false);
	assert_int_equal(dev->kiosk.total_count, 1);
	adms_says(POLL, "", 200, "OK");
	// The next day is asked for after one in the morning, and INFO again.
	fake_run(dev, 19 * 3600 * 1000, false);
	PAST_INFO(dev);
	asked("VERIFY SUM ATTLOG StartTime=2026-11-23 00:00:00\tEndTime=2026-11-23 23:59:59");
	fake_free(dev);
}

static void who_cannot_count_is_not_asked_again(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	fake_run(dev, 10000, false);
	PAST_INFO(dev);
	unsigned id = asked("VERIFY SUM ATTLOG" DAY);
	say_result(id + 1, "Return=0&AttlogSum=5"); // nobody asked that
	adms_says(POLL, "", 200, "OK");
	say_result(id, "Return=-1002&CMD=VERIFY SUM");
	fake_run(dev, 24 * 3600 * 1000, false);
	PAST_INFO(dev);
	adms_says(POLL, "", 200, "OK");
	assert_int_equal(dev->kiosk.total_count, 0);
	fake_free(dev);
}

static void an_answer_that_never_comes(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	text_of(HELLO, 200);
	unsigned id = asked("INFO");
	fake_run(dev, 620000, false);
	asked("VERIFY SUM ATTLOG" DAY);
	say_result(id, "Return=0"); // late, and of no use
	adms_says(POLL, "", 200, "OK");
	// The X100-C posts results without a table.
	adms_says(ADMS_POST("cdata?SN=ABC123"), "UserCount=17\n", 200, "OK");
	fake_run(dev, 10000, false);
	assert_int_equal(dev->kiosk.health.users, 17);
	fake_free(dev);
}

static double happened(struct sp_device *dev, const char *what)
{
	for (size_t i = 0; i < dev->sample_count; i++)
		if (dev->samples[i].metric == 1 && strcmp(dev->samples[i].target, what) == 0)
			return dev->samples[i].last;
	return 0;
}

static void what_happened_to_it_is_counted_once(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	static const char log[] = "OPLOG 0\t0\t2026-11-23 06:00:00\t0\t0\t0\t0\n"
				  "OPLOG 3\t0\t2026-11-23 06:01:00\t55\t0\t0\t0\n"
				  "OPLOG 3\t0\t2026-11-23 06:01:01\t53\t0\t0\t0\n"
				  "OPLOG 23\t1\t2026-11-23 06:02:00\t0\t0\t0\t0\n"
				  "OPLOG 30\t1\t2026-11-23 06:03:00\t1001\t0\t0\t0\n"
				  "OPLOG 1\t0\t2025-01-01 06:00:00\t0\t0\t0\t0\n";
	for (int i = 0; i < 3; i++)
		adms_says(ADMS_POST("cdata?SN=ABC123&table=OPERLOG"), log, 200, "OK: 6");
	adms_says(ADMS_POST("cdata?SN=ABC123&table=OPERLOG"), "OPLOG 0\t0\t2026-11-23 06:30:00\t0", 200,
		  "OK: 1");
	fake_run(dev, 10000, false);
	assert_true(happened(dev, "power_on") == 2);
	assert_true(happened(dev, "tamper") == 1);
	assert_true(happened(dev, "erased") == 1);
	assert_true(happened(dev, "power_off") == 0 && happened(dev, "alarm") == 0);
	// However many there are, each is counted, and they are told apart by the last of them alone.
	for (int i = 0; i < 300; i++) {
		char line[64];
		snprintf(line, sizeof(line), "OPLOG 21\t0\t2026-11-22 %02d:%02d:00\t0", i / 60, i % 60);
		adms_says(ADMS_POST("cdata?SN=ABC123&table=OPERLOG"), line, 200, "OK: 1");
	}
	fake_run(dev, 10000, false);
	assert_true(happened(dev, "clock_set") == 300);
	fake_free(dev);
}

static void a_port_that_is_taken(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&sp_driver_adms, "gate", "serial = ABC123\n");
	strcpy(fake_listen_why, "port 8081 is taken");
	assert_int_equal(fake_start(dev), -EADDRINUSE);
	fake_listen_why[0] = '\0';
	fake_free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_handshake),
	    cmocka_unit_test(its_overrides),
	    cmocka_unit_test(no_handshake_while_the_time_is_not_known),
	    cmocka_unit_test(whose_a_request_is),
	    cmocka_unit_test(a_stranger_keeps_what_it_has),
	    cmocka_unit_test(who_must_know_the_key),
	    cmocka_unit_test(access_control_is_named_and_keeps_its_data),
	    cmocka_unit_test(small_questions),
	    cmocka_unit_test(silence_has_a_reason_for_people),
	    cmocka_unit_test(what_it_says_of_itself_is_reported),
	    cmocka_unit_test(yesterday_is_counted_and_what_is_missing_asked_for),
	    cmocka_unit_test(a_day_that_agrees_needs_no_question),
	    cmocka_unit_test(who_cannot_count_is_not_asked_again),
	    cmocka_unit_test(an_answer_that_never_comes),
	    cmocka_unit_test(what_happened_to_it_is_counted_once),
	    cmocka_unit_test(a_port_that_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
