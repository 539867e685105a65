// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Requests of persons: what is to be forgotten is gone from the files themselves, does not come back, and not
// because somebody else asks; what is to be exported is put together once.
#include "tests/unit/hub/kiosk_util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/hub/db/db.h"

static struct hub hub;

#define TWO_SCHOOLS                                                            \
	SCHOOLS "1,Trường A,chinh,main,board-1,north,mon-sat 07:00-11:00\n" \
		"1,Trường A,phu,main,board-2,north,\n"                      \
		"2,Trường B,chinh,main,board-3,north,\n"

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	register_csv(&hub, TWO_SCHOOLS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

/// Each of `persons` comes to that board once.
static void come(const char *device, const char *stream, int first_event, int persons)
{
	struct punches p;
	DELIVER(&hub, .device = device, .stream = stream, .cls = SP_RECORD_ATTENDANCE, .mono_us = SEC_US);
	for (int done = 0; done < persons;) {
		punches_begin(&p, 2 + done);
		for (int end = done + 100; done < persons && done < end; done++)
			punches_add(&p, "cổng", first_event + done, done,
				    MIDNIGHT + 6 * HOUR_MS + done * 1000, "");
		SEND(&hub, &p, .device = device, .stream = stream);
	}
}

static int64_t facts_seq = 1;

/// A `subject_request` of that board about one person.
static void ask(const char *device, const char *action, const char *request, int person)
{
	char records[512], who[33];
	snprintf(records, sizeof(records),
		 "[{\"seq\":%" PRId64
		 ",\"mono_us\":9,\"type\":\"subject_request\",\"request\":\"%s\",\"action\":\"%s\","
		 "\"persons\":[\"%s\"],\"erased\":1}]",
		 facts_seq, request, action, pseudonym('a', person, who));
	DELIVER(&hub, .device = device, .stream = STREAM_4, .first = facts_seq, .records = records);
	facts_seq++;
}

static int64_t events_of(const char *device)
{
	return number(&hub,
		      "SELECT count(*) FROM punch p JOIN device d ON d.id = p.device WHERE d.name = '%s'",
		      device);
}

/// What stands for a person in this database.
static bool code_of(int person, unsigned char out[16])
{
	struct sp_db *db = hub_connection(&hub);
	struct sp_rows *rows = SQL_QUERY(
	    db, "SELECT code FROM person WHERE id = (SELECT person FROM punch WHERE t_ms = ? LIMIT 1)",
	    I(MIDNIGHT + 6 * HOUR_MS + person * 1000));
	bool found = sp_rows_next(db, rows) == 1;
	if (found) {
		size_t length;
		const void *code = sp_row_blob(rows, 0, &length);
		assert_int_equal(length, 16);
		memcpy(out, code, 16);
		sp_rows_leave(rows);
	}
	sp_db_close(db);
	return found;
}

static const struct sp_upkeep_rules rules = {.attendance_days = 400, .extract_days = 30};

/// Until there is no more to do: days of sites are computed, too.
static void keep_up(void)
{
	int result;
	while ((result = sp_store_upkeep(hub.store, &rules, NOW_MS)) == 1)
		;
	assert_int_equal(result, 0);
}

static void what_is_forgotten_is_in_no_file(void **state)
{
	(void)state;
	unsigned char code[16], other[16], event[16];
	char who[33], id[33];
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 300);
	come("board-2", STREAM_2, 500, 40);
	assert_true(code_of(7, code));
	assert_true(code_of(8, other));
	pseudonym('e', 107, id);
	for (int i = 0; i < 16; i++)
		sscanf(id + 2 * i, "%2hhx", &event[i]);
	assert_true(holds(&hub, code, 16));
	assert_true(holds(&hub, event, 16));
	ask("board-1", "forget", "r-1", 7);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 338); // one at each board
	keep_up();
	assert_false(holds(&hub, code, 16));
	assert_false(holds(&hub, event, 16));
	assert_false(holds(&hub, pseudonym('a', 7, who), 32));
	assert_true(holds(&hub, other, 16));
	// The request is known, without whom it named.
	assert_int_equal(number(&hub, "SELECT events FROM subject WHERE request = 'r-1' AND persons = 1"), 2);
	assert_int_equal(number(&hub,
				"SELECT count(*) FROM event WHERE type = 'subject_request' AND data LIKE "
				"'%%\"request\":\"r-1\"%%\"persons\":1%%'"),
			 1);
	assert_int_equal(number(&hub, "SELECT sum(persons) FROM arrival"), 338);
	assert_string_equal(gaps(&hub, STREAM_1), "");
}

static void a_reader_in_the_way_only_delays_it(void **state)
{
	(void)state;
	unsigned char code[16];
	if (hub_is_postgres())
		skip(); // there is no log of ours to be cut
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 30);
	assert_true(code_of(7, code));
	struct sp_db *reader = hub_connection(&hub);
	int64_t punches;
	assert_int_equal(sp_db_read_begin(reader), 0);
	assert_int_equal(SQL_GET(reader, &punches, "SELECT count(*) FROM punch"), 1);
	ask("board-1", "forget", "r-1", 7);
	keep_up();
	assert_true(holds(&hub, code, 16)); // the reader still sees it
	sp_db_close(reader);
	// Also when ingest was killed meanwhile: what is to be done stands in the database.
	hub_reopen(&hub);
	assert_int_equal(number(&hub, "SELECT value FROM meta WHERE key = 'scrub'"), 1);
	keep_up();
	assert_false(holds(&hub, code, 16));
	assert_int_equal(number(&hub, "SELECT value FROM meta WHERE key = 'scrub'"), 0);
}

static void those_who_are_forgotten_are_refused(void **state)
{
	(void)state;
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 3);
	ask("board-1", "forget", "r-1", 1);
	// Late ones, new ones, of both boards of the school.
	come("board-1", STREAM_2, 200, 3);
	come("board-2", STREAM_3, 300, 3);
	assert_int_equal(events_of("board-1"), 4);
	assert_int_equal(events_of("board-2"), 2);
	assert_string_equal(acked(&hub, STREAM_3), "4");
	assert_int_equal(number(&hub, "SELECT count(*) FROM event WHERE type = 'forgotten'"), 3);
	// Another school's board does not say who this school's persons are.
	come("board-3", STREAM_1, 400, 3);
	assert_int_equal(events_of("board-3"), 3);
}

static void once_is_once(void **state)
{
	(void)state;
	char who[33];
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 3);
	char *records = sp_asprintf(
	    "[{\"seq\":1,\"mono_us\":9,\"type\":\"subject_request\",\"request\":\"r-1\",\"action\":"
	    "\"forget\",\"persons\":[\"%s\"],\"once\":true,\"erased\":1}]",
	    pseudonym('a', 1, who));
	DELIVER(&hub, .stream = STREAM_4, .first = 1, .records = records);
	free(records);
	assert_int_equal(events_of("board-1"), 2);
	come("board-1", STREAM_2, 200, 3);
	assert_int_equal(events_of("board-1"), 5);
}

static void another_school_cannot_erase(void **state)
{
	(void)state;
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 3);
	ask("board-3", "forget", "r-1", 1);
	assert_int_equal(events_of("board-1"), 3);
	come("board-1", STREAM_2, 200, 3);
	assert_int_equal(events_of("board-1"), 6);
}

static void a_board_without_a_school_speaks_for_itself(void **state)
{
	(void)state;
	facts_seq = 1;
	come("board-9", STREAM_1, 100, 3);
	come("board-8", STREAM_1, 200, 3);
	ask("board-9", "forget", "r-1", 1);
	assert_int_equal(events_of("board-9"), 2);
	assert_int_equal(events_of("board-8"), 3);
	come("board-9", STREAM_2, 300, 3);
	assert_int_equal(events_of("board-9"), 4);
}

static void a_request_may_come_twice(void **state)
{
	(void)state;
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 3);
	ask("board-1", "forget", "r-1", 1);
	ask("board-1", "forget", "r-1", 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM subject"), 1);
	assert_int_equal(number(&hub, "SELECT events FROM subject"), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM refusal"), 1);
	assert_int_equal(events_of("board-1"), 2);
}

// ---- export -------------------------------------------------------------------------------------------

struct found {
	int count;
	int64_t events;
	char extract[4096];
};

static void on_subject(void *arg, const struct sp_subject_view *subject)
{
	struct found *found = arg;
	found->count++;
	found->events = subject->events;
	snprintf(found->extract, sizeof(found->extract), "%s", subject->extract ? subject->extract : "");
}

static struct found look_up(const char *request)
{
	struct found found = {0};
	assert_int_equal(sp_store_subjects(hub.store, request, on_subject, &found), 0);
	return found;
}

static void an_extract_has_the_persons_events(void **state)
{
	(void)state;
	char who[33];
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 3);
	come("board-2", STREAM_2, 200, 3);
	come("board-3", STREAM_3, 300, 3);
	ask("board-1", "export", "r-1", 1);
	struct found found = look_up("r-1");
	assert_int_equal(found.count, 1);
	assert_int_equal(found.events, 2);
	assert_non_null(strstr(found.extract,
			       "{\"person\":1,\"person_kind\":\"pin\",\"time\":\"2026-11-21T06:00:01+07:00\","
			       "\"received\":\"2026-11-21T06:00:03+07:00\",\"kiosk_time\":"
			       "\"2026-11-21T06:00:00\",\"correction\":\"none\",\"correction_seconds\":0.000,"
			       "\"direction\":\"unknown\",\"method\":\"finger\",\"mark\":\"live\",\"kiosk\":"
			       "\"cổng\",\"gate\":null,\"number\":null,\"board\":\"board-1\"}"));
	assert_non_null(strstr(found.extract, "\"board\":\"board-2\""));
	assert_null(strstr(found.extract, "\"board\":\"board-3\""));
	assert_null(strstr(found.extract, pseudonym('a', 1, who)));
	assert_string_equal(look_up(NULL).extract, ""); // a list does not show them
	assert_int_equal(events_of("board-1"), 3);
}

static void an_extract_goes_with_its_person_or_its_time(void **state)
{
	(void)state;
	facts_seq = 1;
	come("board-1", STREAM_1, 100, 3);
	ask("board-1", "export", "r-1", 1);
	ask("board-1", "export", "r-2", 2);
	ask("board-1", "forget", "r-3", 1);
	assert_string_equal(look_up("r-1").extract, "");
	assert_string_not_equal(look_up("r-2").extract, "");
	while (sp_store_upkeep(hub.store, &rules, NOW_MS + 31 * DAY_MS) == 1)
		;
	assert_string_equal(look_up("r-2").extract, "");
	assert_int_equal(look_up("r-2").count, 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM subject_person"), 0);
}

static void a_request_that_cannot_be_read_is_set_aside(void **state)
{
	(void)state;
	DELIVER(&hub, .first = 2,
		.records = "[{\"seq\":2,\"mono_us\":9,\"type\":\"subject_request\",\"request\":\"r\","
			   "\"action\":\"forget\","
			   "\"persons\":[\"not a pseudonym but a name\"]}]");
	assert_int_equal(number(&hub, "SELECT count(*) FROM set_aside WHERE fault = 'malformed_record'"), 1);
	assert_false(holds(&hub, "not a pseudonym", 15));
}

int main(void)
{
#undef T
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(what_is_forgotten_is_in_no_file),
	    T(a_reader_in_the_way_only_delays_it),
	    T(those_who_are_forgotten_are_refused),
	    T(once_is_once),
	    T(another_school_cannot_erase),
	    T(a_board_without_a_school_speaks_for_itself),
	    T(a_request_may_come_twice),
	    T(an_extract_has_the_persons_events),
	    T(an_extract_goes_with_its_person_or_its_time),
	    T(a_request_that_cannot_be_read_is_set_aside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
