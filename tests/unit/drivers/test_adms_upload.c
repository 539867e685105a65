// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Bodies that a terminal uploads: acknowledged by count and only after the commit, in flat memory, and what
// happens when something fails in between.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "adms_bench.h"

#define ATTLOG  ADMS_POST("cdata?SN=ABC123&table=ATTLOG&Stamp=9999")
#define OPERLOG ADMS_POST("cdata?SN=ABC123&table=OPERLOG&OpStamp=9999")
#define LINE    "1001\t2026-11-23 06:58:40\t0\t1\t\t0\t0\n"

static void acknowledged_only_when_all_is_on_the_card(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	struct sp_http_inbound *in =
	    fake_ask(0, ATTLOG, LINE "5\tnot-a-date\t0\t1\n1002\t2026-11-23 06:58:41\t1\t15\n");
	assert_false(in->replied);
	assert_int_equal(dev->kiosk.punch_count, 2);
	const struct fake_punch *first = fake_punch(dev, 0), *second = fake_punch(dev, 1);
	second->committed(dev, 0, second->arg); // in any order
	assert_false(in->replied);
	first->committed(dev, 0, first->arg);
	assert_true(in->replied);
	assert_string_equal(in->body, "OK: 3");
	assert_true(in->date);
	fake_gone(in);
	fake_free(dev);
}

static void what_an_event_says(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("status_is_direction = yes\nverify_codes = v5\n");
	adms_says_committed(dev, ATTLOG,
			    "0017\t2026-11-23 06:58:40\t0\t4\t\t0\t0\t1\t36.6\n"
			    "2\t2026-11-23 06:58:40\t5\t15\n3\t2026-11-23 06:58:40\t255\t2\n",
			    200, "OK: 3");
	const struct fake_punch *punch = fake_punch(dev, 0);
	assert_string_equal(punch->person, "0017");
	assert_int_equal(punch->punch.kind, SP_PERSON_PIN);
	assert_true(punch->punch.kiosk_ms == FAKE_WALL_MS - 1000);
	assert_int_equal(punch->punch.zone_ahead_s, 0);
	assert_int_equal(punch->punch.direction, SP_PUNCH_IN);
	assert_int_equal(punch->punch.method, SP_PUNCH_BY_CARD);
	assert_int_equal(punch->punch.number, -1);
	assert_false(punch->punch.live);
	punch = fake_punch(dev, 1);
	assert_int_equal(punch->punch.direction, SP_PUNCH_OUT);
	assert_int_equal(punch->punch.method, SP_PUNCH_BY_FACE);
	punch = fake_punch(dev, 2);
	assert_int_equal(punch->punch.direction, SP_PUNCH_UNKNOWN);
	assert_int_equal(punch->punch.method, SP_PUNCH_BY_PIN);
	fake_free(dev);
}

static void direction_zone_and_codes_are_the_sections(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("direction = out\ntime_zone = +08:00\nverify_codes = old\n");
	adms_says_committed(dev, ATTLOG, "1\t2026-11-23 07:58:41\t0\t2\n2\t1795391921\t0\t3\n", 200, "OK: 2");
	const struct fake_punch *punch = fake_punch(dev, 0);
	assert_true(punch->punch.kiosk_ms == FAKE_WALL_MS);
	assert_int_equal(punch->punch.zone_ahead_s, 3600);
	assert_int_equal(punch->punch.direction, SP_PUNCH_OUT);
	assert_int_equal(punch->punch.method, SP_PUNCH_BY_CARD);
	punch = fake_punch(dev, 1);
	assert_true(punch->punch.kiosk_ms == FAKE_WALL_MS);
	assert_int_equal(punch->punch.method, SP_PUNCH_BY_PIN);
	fake_free(dev);
	// Nothing is guessed: status says nothing by itself, codes nothing without a version.
	dev = adms_new("");
	adms_says_committed(dev, ATTLOG, "1\t2026-11-23 06:58:40\t0\t2\n", 200, "OK: 1");
	assert_int_equal(fake_punch(dev, 0)->punch.direction, SP_PUNCH_UNKNOWN);
	assert_int_equal(fake_punch(dev, 0)->punch.method, SP_PUNCH_BY_UNKNOWN);
	fake_free(dev);
}

static void codes_go_by_the_terminals_version(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	for (int version = 0; version < 2; version++) {
		struct sp_http_inbound *in =
		    fake_ask(0,
			     version ? ADMS_GET("cdata?SN=ABC123&options=all&pushver=2.4.1")
				     : ADMS_GET("cdata?SN=ABC123&options=all"),
			     "");
		assert_int_equal(in->status, 200);
		fake_gone(in);
		adms_says_committed(dev, ATTLOG, "1\t2026-11-23 06:58:40\t0\t2\n", 200, "OK: 1");
	}
	assert_int_equal(fake_punch(dev, 0)->punch.method, SP_PUNCH_BY_CARD);
	assert_int_equal(fake_punch(dev, 1)->punch.method, SP_PUNCH_BY_PIN);
	fake_free(dev);
}

static void the_same_batch_again_is_known(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	assert_int_equal(dev->kiosk.punch_count, 2);
	assert_int_equal(fake_committed(dev), 1);
	// Other digits of any part are another event.
	adms_says_committed(dev, ATTLOG,
			    "01001\t2026-11-23 06:58:40\t0\t1\n1001\t2026-11-23 06:58:41\t0\t1\n"
			    "1001\t2026-11-23 06:58:40\t1\t1\n1001\t2026-11-23 06:58:40\t0\t4\n",
			    200, "OK: 4");
	assert_int_equal(fake_committed(dev), 5);
	fake_free(dev);
}

/// It polls for so long.
static void polls(struct sp_device *dev, int seconds)
{
	for (int i = 0; i < seconds; i += 10) {
		fake_gone(fake_ask(0, ADMS_GET("getrequest?SN=ABC123"), ""));
		fake_run(dev, 10000, false);
	}
}

/// Whether one that comes alone now counts as news.
static bool comes_alone(struct sp_device *dev)
{
	static int minute;
	char line[64];
	snprintf(line, sizeof(line), "1001\t2026-11-23 08:%02d:40\t0\t1\n", minute++);
	adms_says_committed(dev, ATTLOG, line, 200, "OK: 1");
	return fake_punch(dev, dev->kiosk.punch_count - 1)->punch.live;
}

static void what_comes_alone_is_news(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	assert_false(comes_alone(dev)); // may be from before our start
	polls(dev, 50);
	assert_false(comes_alone(dev)); // it may still be waiting its ErrorDelay
	polls(dev, 10);
	assert_true(comes_alone(dev));
	assert_false(comes_alone(dev)); // may be the rest of what it had
	polls(dev, 10);
	adms_says_committed(dev, ATTLOG, "1\t2026-11-23 06:59:41\t0\t1\n2\t2026-11-23 06:59:41\t0\t1\n", 200,
			    "OK: 2");
	assert_false(fake_punch(dev, dev->kiosk.punch_count - 1)->punch.live);
	assert_false(fake_punch(dev, dev->kiosk.punch_count - 2)->punch.live);
	polls(dev, 10);
	assert_true(comes_alone(dev));
	polls(dev, 10);
	dev->kiosk.result = -EIO; // what it was given back comes again, late
	adms_says(ATTLOG, LINE, 503, "not now\n");
	dev->kiosk.result = 0;
	polls(dev, 50);
	assert_false(comes_alone(dev));
	polls(dev, 10);
	assert_true(comes_alone(dev));
	fake_run(dev, 31000, false); // it was away
	polls(dev, 10);
	assert_false(comes_alone(dev));
	fake_free(dev);
}

static void a_failed_commit_gives_all_of_it_back(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	struct sp_http_inbound *in = fake_ask(0, ATTLOG, LINE "2\t2026-11-23 06:59:41\t0\t1\n");
	fake_commit(dev, -EIO);
	assert_int_equal(in->status, 503);
	assert_true(in->retry_after_s > 0);
	assert_null(strstr(in->body, "OK"));
	assert_false(in->date);
	fake_gone(in);
	adms_says_committed(dev, ATTLOG, LINE "2\t2026-11-23 06:59:41\t0\t1\n", 200, "OK: 2");
	fake_free(dev);
}

static void without_permission_the_terminal_keeps_its_events(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	dev->kiosk.result = -EPERM;
	adms_says(ATTLOG, LINE "2\t2026-11-23 06:59:41\t0\t1\n", 503, "not now\n");
	fake_run(dev, 11000, false);
	assert_string_equal(dev->reason, "not_allowed");
	dev->kiosk.result = -ENOBUFS;
	adms_says(ATTLOG, LINE, 503, "not now\n");
	fake_run(dev, 10000, false);
	assert_string_equal(dev->reason, "journal");
	dev->kiosk.result = 0;
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	unsigned ok = dev->rounds_ok;
	fake_run(dev, 10000, false);
	assert_true(dev->rounds_ok > ok);
	fake_free(dev);
}

static void a_log_of_a_hundred_thousand_flows_through(void **state)
{
	(void)state;
	enum { LINES = 100000, PIECE = 4096 };
	struct sp_device *dev = adms_new("");
	struct sp_http_inbound *in = fake_request(0, ATTLOG);
	char *body = malloc(LINES * 40);
	size_t length = 0, sent = 0, most = 0;
	assert_non_null(body);
	for (unsigned i = 0; i < LINES; i++)
		length +=
		    (size_t)sprintf(body + length, "%u\t2026-%02u-%02u %02u:%02u:%02u\t0\t1\t\t0\t0\n", i,
				    1 + i / 8000 % 12, 1 + i / 3600 % 28, i / 3600 % 24, i / 60 % 60, i % 60);
	size_t answered = 0;
	while (sent < length) {
		sent += fake_body(in, body + sent, length - sent, PIECE);
		size_t waiting = dev->kiosk.punch_count - answered;
		most = waiting > most ? waiting : most;
		// As new ones, without looking among a hundred thousand.
		for (size_t end = dev->kiosk.punch_count; answered < end; answered++) {
			const struct fake_punch *punch = fake_punch(dev, answered);
			punch->committed(dev, 0, punch->arg);
		}
		assert_true(sent == length || !in->paused);
	}
	fake_whole(in);
	assert_string_equal(in->body, "OK: 100000");
	assert_int_equal(dev->kiosk.punch_count, LINES);
	assert_true(most < 1024);
	fake_gone(in);
	free(body);
	fake_free(dev);
}

static void a_cut_upload_is_not_guessed_at(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	struct sp_http_inbound *in = fake_request(0, ATTLOG);
	const char *cut = LINE "2\t2026-11-23 06:59:41\t0\t1\n3\t2026-11-23 06:59:41\t0\t1";
	fake_body(in, cut, strlen(cut), 7);
	fake_gone(in); // before the last line's end
	assert_int_equal(dev->kiosk.punch_count, 2);
	fake_commit(dev, 0); // and nobody waits for it any more
	for (int i = 0; i < 10; i++)
		adms_says_committed(dev, ATTLOG,
				    LINE "2\t2026-11-23 06:59:41\t0\t1\n3\t2026-11-23 06:59:41\t0\t15", 200,
				    "OK: 3");
	assert_int_equal(fake_committed(dev), 3);
	fake_free(dev);
}

static void too_many_at_once_wait_their_turn(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	struct sp_http_inbound *open[4];
	for (size_t i = 0; i < 4; i++)
		open[i] = fake_ask(0, ATTLOG, LINE);
	adms_says(ATTLOG, LINE, 503, "too many at once\n");
	fake_commit(dev, 0);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(open[i]->body, "OK: 1");
		fake_gone(open[i]);
	}
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK: 1");
	fake_free(dev);
}

static void the_acknowledgements_form_is_the_sections(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("acknowledgement = tight\n");
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK:1");
	fake_free(dev);
	dev = adms_new("acknowledgement = bare\n");
	adms_says_committed(dev, ATTLOG, LINE, 200, "OK");
	fake_free(dev);
}

static void other_tables_are_taken_and_dropped(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	adms_says(OPERLOG, "OPLOG 0\t0\t2026-11-23 06:50:00\t0\t0\t0\t0\nUSER PIN=1\tName=\xd5\xc5\tCard=1\n",
		  200, "OK: 2");
	adms_says(OPERLOG, "", 200, "OK: 0");
	adms_says(ADMS_POST("cdata?SN=ABC123&table=ATTPHOTO"),
		  "PIN=1.jpg\nSN=ABC123\nsize=4\nCMD=uploadphoto", 200, "OK");
	adms_says(ADMS_POST("cdata?SN=ABC123&table=BIODATA"), "BIODATA Pin=1\tTmp=AAAA\n", 200, "OK");
	adms_says(ADMS_POST("cdata?SN=ABC123&table=ERRORLOG"), "ERRORLOG ErrCode=1\tErrMsg=x\n", 200, "OK");
	adms_says(ADMS_POST("fdata?SN=ABC123"), "jpeg", 200, "OK");
	adms_says(ADMS_POST("cdata.aspx/?SN=ABC123&table=whatever"), "1\t2026-11-23 06:58:40\n", 200, "OK");
	assert_int_equal(dev->kiosk.punch_count, 0);
	fake_free(dev);
}

static void a_stop_in_the_middle(void **state)
{
	(void)state;
	struct sp_device *dev = adms_new("");
	struct sp_http_inbound *waiting = fake_ask(0, ATTLOG, LINE);
	struct sp_http_inbound *open = fake_request(0, ADMS_POST("cdata?SN=ABC123&table=options"));
	fake_body(open, "a=b,", 4, 0);
	fake_free(dev);
	fake_gone(waiting);
	fake_gone(open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(acknowledged_only_when_all_is_on_the_card),
	    cmocka_unit_test(what_an_event_says),
	    cmocka_unit_test(direction_zone_and_codes_are_the_sections),
	    cmocka_unit_test(codes_go_by_the_terminals_version),
	    cmocka_unit_test(the_same_batch_again_is_known),
	    cmocka_unit_test(what_comes_alone_is_news),
	    cmocka_unit_test(a_failed_commit_gives_all_of_it_back),
	    cmocka_unit_test(without_permission_the_terminal_keeps_its_events),
	    cmocka_unit_test(a_log_of_a_hundred_thousand_flows_through),
	    cmocka_unit_test(a_cut_upload_is_not_guessed_at),
	    cmocka_unit_test(too_many_at_once_wait_their_turn),
	    cmocka_unit_test(the_acknowledgements_form_is_the_sections),
	    cmocka_unit_test(other_tables_are_taken_and_dropped),
	    cmocka_unit_test(a_stop_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
