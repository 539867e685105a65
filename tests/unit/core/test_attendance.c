// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From a kiosk's event to the record on the card, and from what a kiosk is like to facts: on virtual time,
// with a journal that a test plays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock_trust.h"
#include "agent/base/mem.h"
#include "agent/core/attendance/attendance.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

#define T0     INT64_C(1795391921000) // 2026-11-23 06:58:41 at +07:00
#define DAY_MS INT64_C(86400000)
enum { EVENTS = 64 };

static struct bench {
	char folder[64], *keys_known;
	struct sp_loop *loop;
	struct recorder_list facts;
	struct sp_attendance_conf conf;
	struct sp_attendance *attendance;
	struct sp_kiosk *kiosk;
	/// What was appended.
	struct kept {
		cJSON *json;
		char text[1024], kiosk[64];
		struct sp_journal_event event;
		sp_journal_done_fn done;
		void *arg;
	} events[EVENTS];
	size_t count;
	int refuse;
	int64_t seen;
	const char *forgotten;
	char accepted[33];
	unsigned accepted_count;
	int answers[EVENTS];
	size_t answered;
} bench;

static int on_append(void *arg, const struct sp_journal_event *event, sp_journal_done_fn done, void *done_arg)
{
	(void)arg;
	if (bench.refuse)
		return bench.refuse;
	struct kept *kept = &bench.events[bench.count++];
	*kept = (struct kept){.event = *event, .done = done, .arg = done_arg};
	snprintf(kept->text, sizeof(kept->text), "%s", event->record);
	snprintf(kept->kiosk, sizeof(kept->kiosk), "%s", event->kiosk);
	kept->json = cJSON_Parse(event->record);
	return 0;
}

static int on_seen(void *arg, const char *kiosk, int32_t day, sp_journal_count_fn done, void *done_arg)
{
	(void)arg;
	(void)kiosk;
	(void)day;
	done(done_arg, bench.seen < 0 ? (int)bench.seen : 0, bench.seen < 0 ? 0 : bench.seen);
	return 0;
}

static void on_put(void *arg, const char *key, const char *value)
{
	(void)arg;
	assert_string_equal(key, "attendance.keys");
	free(bench.keys_known);
	bench.keys_known = sp_strdup(value);
}

static char *on_get(void *arg, const char *key)
{
	(void)arg;
	(void)key;
	return bench.keys_known ? sp_strdup(bench.keys_known) : NULL;
}

static bool on_forgotten(void *arg, enum sp_person_kind kind, const char *person, size_t length)
{
	(void)arg;
	return bench.forgotten && kind == SP_PERSON_PIN && strlen(bench.forgotten) == length &&
	       memcmp(bench.forgotten, person, length) == 0;
}

static void on_accepted(void *arg, const struct sp_attendance_event *event)
{
	(void)arg;
	bench.accepted_count++;
	snprintf(bench.accepted, sizeof(bench.accepted), "%s", event->person);
}

static void on_answer(void *arg, int result)
{
	(void)arg;
	bench.answers[bench.answered++] = result;
}

static void open_attendance(void)
{
	bench.attendance = sp_attendance_new(&(struct sp_attendance_config){.conf = &bench.conf,
									    .state_dir = bench.folder,
									    .loop = bench.loop,
									    .recorder = &bench.facts.base,
									    .append = on_append,
									    .seen = on_seen,
									    .put = on_put,
									    .get = on_get,
									    .forgotten = on_forgotten,
									    .accepted = on_accepted});
	bench.kiosk = sp_attendance_kiosk(bench.attendance, "cổng", "adms");
}

static int setup(void **state)
{
	(void)state;
	static char basis[] = "quyết định 12";
	bench = (struct bench){.conf = {.legal_basis = basis,
					.publish = SP_PUBLISH_EVENTS,
					.keep_ms = 7 * DAY_MS,
					.unsent_ms = 30 * DAY_MS,
					.year_month = 8,
					.year_day = 1}};
	strcpy(bench.folder, "/tmp/sp-attendance-XXXXXX");
	if (!mkdtemp(bench.folder))
		return -1;
	bench.loop = sp_loop_virtual_new();
	sp_loop_virtual_wall(bench.loop, T0);
	recorder_list_init(&bench.facts);
	open_attendance();
	return 0;
}

static void forget_file(void)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", bench.folder, SP_KEYS_FILE);
	unlink(path);
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < bench.count; i++)
		cJSON_Delete(bench.events[i].json);
	sp_attendance_free(bench.attendance);
	recorder_list_clear(&bench.facts);
	sp_loop_virtual_free(bench.loop);
	free(bench.keys_known);
	forget_file();
	return rmdir(bench.folder);
}

static void commit(size_t index, int result)
{
	bench.events[index].done(bench.events[index].arg, result);
}

static const struct sp_punch plain = {.key = "7\t1\t1",
				      .key_length = 5,
				      .kind = SP_PERSON_PIN,
				      .person = "1234567",
				      .person_length = 7,
				      .kiosk_ms = T0 - 2000,
				      .live = true,
				      .direction = SP_PUNCH_IN,
				      .method = SP_PUNCH_BY_FACE,
				      .gate = "cửa 2",
				      .number = 41};

static int punch(const struct sp_punch *what)
{
	return sp_attendance_punch(bench.kiosk, what, on_answer, NULL);
}

static const char *text(size_t index, const char *name)
{
	const char *value =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(bench.events[index].json, name));
	return value ? value : "";
}

static double number(size_t index, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(bench.events[index].json, name);
	assert_non_null(item);
	return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

static void test_the_record(void **state)
{
	(void)state;
	assert_int_equal(punch(&plain), 0);
	assert_int_equal(bench.count, 1);
	assert_string_equal(text(0, "type"), "punch");
	assert_string_equal(text(0, "device"), "cổng");
	assert_string_equal(text(0, "person_kind"), "pin");
	assert_string_equal(text(0, "direction"), "in");
	assert_string_equal(text(0, "method"), "face");
	assert_string_equal(text(0, "gate"), "cửa 2");
	assert_string_equal(text(0, "kiosk_time"), "2026-11-23T06:58:39");
	assert_string_equal(text(0, "correction"), "none");
	assert_string_equal(text(0, "mark"), "live");
	assert_true(number(0, "number") == 41);
	assert_true(number(0, "kiosk_t_ms") == (double)(T0 - 2000));
	assert_true(number(0, "corrected_t_ms") == (double)(T0 - 2000));
	assert_true(isnan(number(0, "correction_seconds")));
	assert_true(number(0, "t_ms") == (double)T0);
	assert_int_equal(strlen(text(0, "event")), 32);
	assert_int_equal(strlen(text(0, "person")), 32);
	assert_null(strstr(bench.events[0].text, "1234567"));
	// What the journal is told beside it.
	assert_true(bench.events[0].event.has_key);
	assert_true(bench.events[0].event.publish);
	assert_int_equal(bench.events[0].event.day, 20780);
	char id[33];
	sp_event_id(bench.events[0].event.key, id);
	assert_string_equal(id, text(0, "event"));
	// Nothing is true before the commit.
	assert_int_equal(bench.answered, 0);
	assert_int_equal(bench.accepted_count, 0);
	commit(0, 0);
	assert_int_equal(bench.answers[0], 0);
	assert_string_equal(bench.accepted, text(0, "person"));
	// The same again is the same, also when it is not live any more and another day is believed.
	struct sp_punch again = plain;
	again.live = false;
	sp_loop_virtual_run(bench.loop, 3 * DAY_MS);
	assert_int_equal(punch(&again), 0);
	assert_string_equal(text(1, "event"), text(0, "event"));
	assert_string_equal(text(1, "person"), text(0, "person"));
	assert_string_equal(text(1, "mark"), "late");
	assert_int_equal(bench.events[1].event.day, 20780);
	commit(1, SP_JOURNAL_KNOWN);
	assert_int_equal(bench.answers[1], SP_PUNCH_KNOWN);
	assert_int_equal(bench.accepted_count, 1);
	again.other_key = plain.key, again.other_key_length = plain.key_length;
	sp_attendance_same(bench.kiosk, "cổng khác");
	assert_int_equal(punch(&again), 0);
	assert_string_not_equal(text(2, "event"), text(0, "event"));
	assert_memory_equal(bench.events[2].event.other, bench.events[2].event.key, 16);
	commit(2, 0);
}

static void test_a_reader_without_a_clock(void **state)
{
	(void)state;
	struct sp_punch card = plain;
	card.key = NULL;
	card.key_length = 0;
	card.kiosk_ms = SP_PUNCH_NO_TIME;
	card.gate = NULL;
	card.number = -1;
	assert_int_equal(punch(&card), 0);
	assert_int_equal(punch(&card), 0);
	assert_false(bench.events[0].event.has_key);
	assert_string_not_equal(text(0, "event"), text(1, "event"));
	assert_string_equal(text(0, "person"), text(1, "person"));
	assert_string_equal(text(0, "gate"), "");
	assert_string_equal(text(0, "correction"), "received");
	assert_true(isnan(number(0, "number")));
	assert_true(isnan(number(0, "kiosk_t_ms")));
	assert_true(number(0, "corrected_t_ms") == (double)T0);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(bench.events[0].json, "kiosk_time")));
	commit(0, 0);
	commit(1, 0);
}

static void test_what_the_dial_showed(void **state)
{
	(void)state;
	// At +08:00 it is past midnight already, and the day is the dial's.
	struct sp_punch it = plain;
	it.kiosk_ms = T0 + 16 * 3600 * 1000 + 30 * 60 * 1000;
	it.zone_ahead_s = 3600;
	it.live = false;
	assert_int_equal(punch(&it), 0);
	assert_string_equal(text(0, "kiosk_time"), "2026-11-24T00:28:41");
	assert_int_equal(bench.events[0].event.day, 20781);
	commit(0, 0);
}

static void test_no_correction_moves_the_day_of_the_index(void **state)
{
	(void)state;
	// The kiosk's clock is 20 hours ahead: past midnight by its dial.
	struct sp_punch it = plain;
	sp_attendance_health(bench.kiosk, &(struct sp_kiosk_health){.clock_error_s = 20 * 3600});
	it.kiosk_ms = T0 + 20 * 3600 * 1000;
	assert_int_equal(punch(&it), 0);
	assert_string_equal(text(0, "correction"), "kiosk_clock");
	assert_true(number(0, "correction_seconds") == 20 * 3600);
	assert_true(number(0, "corrected_t_ms") == (double)T0);
	assert_int_equal(bench.events[0].event.day, 20781);
	commit(0, 0);
}

static void test_a_board_that_does_not_know_the_time(void **state)
{
	(void)state;
	sp_loop_virtual_wall(bench.loop, 0);
	struct sp_punch it = plain;
	it.kiosk_ms = SP_PUNCH_NO_TIME;
	assert_int_equal(punch(&it), 0);
	assert_true(isnan(number(0, "corrected_t_ms")));
	assert_string_equal(text(0, "correction"), "received");
	assert_null(cJSON_GetObjectItem(bench.events[0].json, "t_ms"));
	// No clock of this program is before its build: nor is a school year.
	const struct sp_key_set *keys = sp_keys_set(sp_attendance_keys(bench.attendance));
	assert_int_equal(keys->count, 1);
	assert_int_equal(keys->years[0].year, sp_school_year(SP_CLOCK_BUILT_MS, 8, 1));
	// A kiosk with a clock knows the year, though not to be believed in the hour.
	it.kiosk_ms = T0 - 2000;
	assert_int_equal(punch(&it), 0);
	assert_true(isnan(number(1, "corrected_t_ms")));
	assert_non_null(sp_keys_find(sp_attendance_keys(bench.attendance), 2026));
	it.live = false;
	assert_int_equal(punch(&it), 0);
	assert_true(number(2, "corrected_t_ms") == (double)(T0 - 2000));
	it.kiosk_ms = INT64_C(4089200400000); // 2099
	assert_int_equal(punch(&it), 0);
	assert_int_equal(keys->count, 2);
	for (size_t i = 0; i < 4; i++)
		commit(i, 0);
}

static void test_dates_that_no_record_can_say(void **state)
{
	(void)state;
	static const int64_t odd[] = {0, -1, INT64_MIN + 1, INT64_MAX, INT64_C(253402300800000)};
	struct sp_punch it = plain;
	it.live = false;
	for (size_t i = 0; i < SP_COUNT(odd); i++) {
		it.kiosk_ms = odd[i];
		assert_int_equal(punch(&it), 0);
		assert_string_equal(text(i, "mark"), "implausible");
		assert_string_equal(text(i, "correction"), "unknown");
		assert_true(isnan(number(i, "kiosk_t_ms")));
		assert_true(cJSON_IsNull(cJSON_GetObjectItem(bench.events[i].json, "kiosk_time")));
		assert_int_equal(bench.events[i].event.day, 0);
		commit(i, 0);
	}
	// The latest that it can.
	it.kiosk_ms = INT64_C(253402300799999) - 2 * DAY_MS;
	it.zone_ahead_s = 24 * 3600;
	assert_int_equal(punch(&it), 0);
	assert_string_equal(text(SP_COUNT(odd), "kiosk_time"), "9999-12-31T06:59:59");
	assert_string_equal(text(SP_COUNT(odd), "mark"), "future");
	commit(SP_COUNT(odd), 0);
}

static void test_school_years(void **state)
{
	(void)state;
	struct sp_punch old = plain;
	old.live = false;
	old.kiosk_ms = INT64_C(1785517199000); // 2026-07-31 23:59:59
	assert_int_equal(punch(&old), 0);
	old.kiosk_ms += 1000;
	assert_int_equal(punch(&old), 0);
	assert_int_equal(punch(&plain), 0);
	old.kiosk_ms = INT64_C(946659600000); // 2000: whose year is not known, so today's
	assert_int_equal(punch(&old), 0);
	assert_string_equal(text(3, "mark"), "implausible");
	assert_string_not_equal(text(0, "person"), text(1, "person"));
	assert_string_equal(text(1, "person"), text(2, "person"));
	assert_string_equal(text(3, "person"), text(2, "person"));
	assert_int_equal(sp_keys_set(sp_attendance_keys(bench.attendance))->count, 2);
	for (size_t i = 0; i < 4; i++)
		commit(i, 0);
	// The hub keeps events for a year: the old key goes when its last ones can be nowhere.
	sp_attendance_hub_keeps(bench.attendance, 365);
	sp_loop_virtual_run(bench.loop, DAY_MS);
	sp_attendance_look(bench.attendance);
	assert_int_equal(sp_keys_set(sp_attendance_keys(bench.attendance))->count, 2);
	sp_loop_virtual_run(bench.loop, (365 + 37 - 114) * DAY_MS);
	sp_attendance_look(bench.attendance);
	assert_int_equal(sp_keys_set(sp_attendance_keys(bench.attendance))->count, 1);
	assert_null(sp_keys_find(sp_attendance_keys(bench.attendance), 2025));
}

static void test_who_must_be_forgotten(void **state)
{
	(void)state;
	assert_int_equal(punch(&plain), 0);
	commit(0, 0);
	bench.forgotten = plain.person;
	assert_int_equal(punch(&plain), 0);
	assert_int_equal(bench.answered, 1);
	sp_loop_virtual_run(bench.loop, 0);
	assert_int_equal(bench.answered, 2);
	assert_int_equal(bench.answers[1], 0);
	assert_int_equal(bench.count, 1);
	assert_int_equal(bench.accepted_count, 1);
}

static void test_refusals(void **state)
{
	(void)state;
	char person[SP_PERSON_MAX + 2], key[SP_PUNCH_KEY_MAX + 2], gate[SP_PUNCH_GATE_MAX + 2];
	memset(person, '1', sizeof(person));
	memset(key, 'k', sizeof(key));
	memset(gate, 'g', sizeof(gate));
	gate[sizeof(gate) - 1] = '\0';
	struct sp_punch it = plain;
#define REFUSED(member, value)                 \
	it.member = (value);                   \
	assert_int_equal(punch(&it), -EINVAL); \
	it = plain
	REFUSED(person, NULL);
	REFUSED(person_length, 0);
	REFUSED(key_length, 0);
	REFUSED(gate, gate);
	REFUSED(gate, "a\nb");
	REFUSED(zone_ahead_s, 24 * 3600 + 1);
	REFUSED(zone_ahead_s, INT32_MIN);
	it.person = person;
	REFUSED(person_length, SP_PERSON_MAX + 1);
	it.key = key;
	REFUSED(key_length, SP_PUNCH_KEY_MAX + 1);
	// What is just allowed, and bytes that are no text.
	person[0] = '\0';
	person[1] = (char)0xff;
	it.person = person;
	it.person_length = SP_PERSON_MAX;
	it.key = key;
	it.key_length = SP_PUNCH_KEY_MAX;
	it.gate = gate + 1;
	assert_int_equal(punch(&it), 0);
	commit(0, -EROFS);
	assert_int_equal(bench.answers[0], -EROFS);
	assert_int_equal(bench.accepted_count, 0);
	bench.refuse = -ENOBUFS;
	assert_int_equal(punch(&plain), -ENOBUFS);
	assert_int_equal(bench.answered, 1);
}

static void test_without_a_legal_basis(void **state)
{
	(void)state;
	static char none[] = "";
	bench.conf.legal_basis = none; // taken away: persons may still ask about what was taken
	assert_int_equal(punch(&plain), -EPERM);
	assert_non_null(sp_attendance_keys(bench.attendance));
	sp_attendance_free(bench.attendance);
	forget_file();
	free(bench.keys_known); // a board that never took an event
	bench.keys_known = NULL;
	open_attendance();
	assert_int_equal(punch(&plain), -EPERM);
	assert_null(sp_attendance_refused(bench.attendance));
	assert_null(sp_attendance_keys(bench.attendance));                           // not even a key is made
	sp_attendance_health(bench.kiosk, &(struct sp_kiosk_health){.heard_us = 1}); // may be told
	sp_attendance_look(bench.attendance);
	assert_int_equal(recorder_count(&bench.facts, "kiosk"), 1);
}

static void test_lost_keys(void **state)
{
	(void)state;
	char from[128], to[160];
	snprintf(from, sizeof(from), "%s/%s", bench.folder, SP_KEYS_FILE);
	snprintf(to, sizeof(to), "%s.away", from);
	sp_attendance_free(bench.attendance);
	assert_int_equal(rename(from, to), 0);
	open_attendance();
	assert_int_equal(punch(&plain), -ENOKEY);
	assert_non_null(strstr(sp_attendance_refused(bench.attendance), "gone"));
	sp_attendance_look(bench.attendance);
	assert_int_equal(punch(&plain), -ENOKEY);
	assert_int_equal(rename(to, from), 0);
	sp_attendance_look(bench.attendance);
	assert_null(sp_attendance_refused(bench.attendance));
	assert_int_equal(punch(&plain), 0);
	commit(0, 0);
}

static void look_after(int64_t minutes)
{
	sp_loop_virtual_run(bench.loop, minutes * 60 * 1000);
	sp_attendance_look(bench.attendance);
}

static void test_how_a_kiosk_is(void **state)
{
	(void)state;
	const struct recorder_list *facts = &bench.facts;
	struct sp_kiosk_health health = {.heard_us = 1000,
					 .clock_error_s = 2,
					 .records = 100,
					 .capacity = 10000,
					 .users = 12,
					 .backlog = 0,
					 .model = "K40\x01\x7f",
					 .firmware = NULL};
	sp_attendance_look(bench.attendance);
	assert_int_equal(facts->count, 0);
	sp_attendance_health(bench.kiosk, &health);
	sp_attendance_look(bench.attendance);
	assert_int_equal(recorder_count(facts, "kiosk"), 1);
	assert_string_equal(recorder_text(facts, 0, "device"), "cổng");
	assert_string_equal(recorder_text(facts, 0, "model"), "K40");
	assert_true(recorder_number(facts, 0, "clock_error_seconds") == 2);
	assert_true(recorder_number(facts, 0, "records") == 100);
	// A little more of everything is no news.
	health.heard_us += 5;
	health.records += 400;
	health.clock_error_s += 29;
	sp_attendance_health(bench.kiosk, &health);
	look_after(20);
	assert_int_equal(recorder_count(facts, "kiosk"), 1);
	// These are, but not every minute.
	health.records += 200;
	sp_attendance_health(bench.kiosk, &health);
	look_after(1);
	assert_int_equal(recorder_count(facts, "kiosk"), 2);
	health.firmware = "Ver 6.60";
	sp_attendance_health(bench.kiosk, &health);
	look_after(1);
	assert_int_equal(recorder_count(facts, "kiosk"), 2);
	look_after(15);
	assert_int_equal(recorder_count(facts, "kiosk"), 3);
	assert_string_equal(recorder_text(facts, 2, "firmware"), "Ver 6.60");
	health.clock_error_s = 62;
	sp_attendance_health(bench.kiosk, &health);
	look_after(15);
	health.backlog = 3;
	sp_attendance_health(bench.kiosk, &health);
	look_after(15);
	health.refused = 1;
	sp_attendance_health(bench.kiosk, &health);
	look_after(15);
	assert_int_equal(recorder_count(facts, "kiosk"), 6);
	// And a day without any.
	look_after(24 * 60 - 1);
	size_t before = recorder_count(facts, "kiosk");
	look_after(24 * 60);
	assert_int_equal(recorder_count(facts, "kiosk"), before + 1);
}

static void test_totals(void **state)
{
	(void)state;
	const struct recorder_list *facts = &bench.facts;
	bench.seen = 40;
	sp_attendance_total(bench.kiosk, 20780, 41);
	assert_int_equal(recorder_count(facts, "kiosk_total"), 1);
	assert_string_equal(recorder_text(facts, 0, "date"), "2026-11-23");
	assert_true(recorder_number(facts, 0, "kiosk") == 41);
	assert_true(recorder_number(facts, 0, "taken") == 40);
	sp_attendance_total(bench.kiosk, 20780, 41);
	assert_int_equal(recorder_count(facts, "kiosk_total"), 1);
	bench.seen = 41;
	sp_attendance_total(bench.kiosk, 20780, 41);
	assert_int_equal(recorder_count(facts, "kiosk_total"), 2);
	bench.seen = -EIO;
	sp_attendance_total(bench.kiosk, 20780, 42);
	bench.seen = 1;
	sp_attendance_total(bench.kiosk, -1, 42);
	sp_attendance_total(bench.kiosk, INT32_MAX, 42);
	sp_attendance_total(bench.kiosk, 1, -1);
	assert_int_equal(recorder_count(facts, "kiosk_total"), 2);
	for (int32_t day = 20700; day < 20800; day += 2)
		sp_attendance_total(bench.kiosk, day, 1);
	for (int32_t day = 20799; day > 20700; day -= 2)
		sp_attendance_total(bench.kiosk, day, 1);
	assert_true(recorder_count(facts, "kiosk_total") > 50);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_the_record),
	    TEST(test_a_reader_without_a_clock),
	    TEST(test_what_the_dial_showed),
	    TEST(test_no_correction_moves_the_day_of_the_index),
	    TEST(test_a_board_that_does_not_know_the_time),
	    TEST(test_dates_that_no_record_can_say),
	    TEST(test_school_years),
	    TEST(test_who_must_be_forgotten),
	    TEST(test_refusals),
	    TEST(test_without_a_legal_basis),
	    TEST(test_lost_keys),
	    TEST(test_how_a_kiosk_is),
	    TEST(test_totals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
