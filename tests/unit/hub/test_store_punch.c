// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Events of kiosks in the store: each once, in its day, the first of each person counted; redacted batches;
// and what is too old.
#include "tests/unit/hub/kiosk_util.h"

#include <inttypes.h>

static struct hub hub;

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	register_csv(&hub, SCHOOL_A);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

/// The stream's first record.
static void opened(const char *device, const char *stream)
{
	DELIVER(&hub, .device = device, .stream = stream, .cls = SP_RECORD_ATTENDANCE, .mono_us = SEC_US);
}

static void three(const char *device, const char *stream, int event)
{
	struct punches p;
	opened(device, stream);
	punches_begin(&p, 2);
	punches_add(&p, "cổng", event, 1, MIDNIGHT + 6 * HOUR_MS, "");
	punches_add(&p, "cổng", event + 1, 2, MIDNIGHT + 6 * HOUR_MS, ",\"direction\":\"in\"");
	punches_add(&p, "cổng", event + 2, 1, MIDNIGHT + 10 * HOUR_MS, ",\"direction\":\"out\"");
	assert_int_equal(SEND(&hub, &p, .device = device, .stream = stream), SP_VERDICT_STORED);
}

static void an_event_is_there_once_for_ever(void **state)
{
	(void)state;
	three("board-1", STREAM_1, 10);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 3);
	// Of the same board from a renewed journal, and of another one of the school.
	three("board-1", STREAM_2, 10);
	three("board-2", STREAM_1, 11);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 4);
	assert_int_equal(number(&hub, "SELECT count(DISTINCT event) FROM punch"), 4);
	// All that was sent is settled all the same.
	assert_string_equal(acked(&hub, STREAM_1), "4");
	assert_int_equal(number(&hub, "SELECT sum(arrived) FROM kiosk_day"), 4);
}

static void nothing_of_a_person_stands_in_an_events_own_row(void **state)
{
	(void)state;
	char who[33];
	three("board-1", STREAM_1, 10);
	assert_int_equal(number(&hub, "SELECT count(*) FROM event WHERE type = 'punch' AND data = '{}'"), 3);
	assert_false(holds(&hub, pseudonym('a', 1, who), 32));
	struct punches p;
	punches_begin(&p, 5);
	// Broken, and not kept either.
	punches_add(&p, "cổng", 20, 77, MIDNIGHT, ",\"mark\":\"odd\"");
	SEND(&hub, &p);
	assert_false(holds(&hub, pseudonym('a', 77, who), 32));
}

static void a_punch_has_its_day_and_its_members(void **state)
{
	(void)state;
	struct punches p;
	opened("board-1", STREAM_1);
	punches_begin(&p, 2);
	// The last moment of the day before, at UTC+7.
	punches_add(&p, "cổng", 1, 1, MIDNIGHT - 1, ",\"direction\":\"out\"");
	punches_add(&p, "cổng", 2, 1, MIDNIGHT, "");
	SEND(&hub, &p);
	assert_int_equal(number(&hub, "SELECT day FROM punch WHERE t_ms = %" PRId64, MIDNIGHT - 1),
			 TODAY - 1);
	assert_int_equal(number(&hub, "SELECT day FROM punch WHERE t_ms = %" PRId64, MIDNIGHT), TODAY);
	assert_int_equal(number(&hub, "SELECT method FROM punch WHERE way = 2"), 4);
	assert_int_equal(number(&hub, "SELECT received_ms FROM punch WHERE way = 2"), BEGAN_MS + 2000);
}

static int64_t arrivals(int64_t minute)
{
	return number(
	    &hub, "SELECT coalesce(sum(persons), 0) FROM arrival WHERE day = %" PRId64 " AND bin = %" PRId64,
	    TODAY, minute / 5);
}

static void the_first_of_a_person_counts_in_whatever_order(void **state)
{
	(void)state;
	struct punches p;
	opened("board-1", STREAM_1);
	punches_begin(&p, 2);
	punches_add(&p, "cổng", 1, 1, MIDNIGHT + 7 * HOUR_MS, "");
	punches_add(&p, "cổng", 2, 1, MIDNIGHT + 9 * HOUR_MS, "");
	SEND(&hub, &p);
	assert_int_equal(arrivals(7 * 60), 1);
	assert_int_equal(arrivals(9 * 60), 0);
	punches_begin(&p, 4);
	punches_add(&p, "sân sau", 3, 1, MIDNIGHT + 6 * HOUR_MS, ",\"direction\":\"in\"");
	// Going is no coming, the future none, nor what has no time.
	punches_add(&p, "cổng", 4, 1, MIDNIGHT + 5 * HOUR_MS, ",\"direction\":\"out\"");
	SEND(&hub, &p);
	assert_int_equal(arrivals(7 * 60), 0);
	assert_int_equal(arrivals(6 * 60), 1);
	assert_int_equal(arrivals(5 * 60), 0);
	assert_int_equal(number(&hub, "SELECT coalesce(sum(persons), 0) FROM arrival"), 1);
}

static void what_has_no_time_is_kept_and_not_counted(void **state)
{
	(void)state;
	DELIVER(&hub, .cls = SP_RECORD_ATTENDANCE, .mono_us = SEC_US);
#define ODD(seq, event, mark)                                                                           \
	"{\"seq\":" seq ",\"mono_us\":2000000,\"type\":\"punch\",\"device\":\"cổng\",\"event\":"      \
	"\"0000000000000000000000000000000" event "\",\"person\":\"00000000000000000000000000000001\"," \
	"\"kiosk_time\":\"2000-01-01T00:00:00\",\"corrected_t_ms\":null,\"correction\":\"unknown\","    \
	"\"mark\":\"" mark "\"}"
	DELIVER(&hub, .cls = SP_RECORD_ATTENDANCE, .first = 2, .last = 3, .synced = true, .clk_t_ms = NOW_MS,
		.clk_err_ms = 10, .clk_mono_us = 3 * SEC_US,
		.records = "[" ODD("2", "1", "implausible") "," ODD("3", "2", "implausible") "]");
	assert_int_equal(
	    number(&hub, "SELECT count(*) FROM punch WHERE t_ms IS NULL AND day = %" PRId64, TODAY), 2);
	assert_int_equal(number(&hub, "SELECT count(*) FROM arrival"), 0);
}

// ---- redacted -----------------------------------------------------------------------------------------

static void redacted_copy(struct punches *p, int event)
{
	punches_begin(p, 2);
	punches_add(p, "cổng", event, 1, MIDNIGHT + 6 * HOUR_MS, "");
	forgotten_add(p);
	punches_add(p, "cổng", event + 2, 1, MIDNIGHT + 10 * HOUR_MS, ",\"direction\":\"out\"");
}

#define OTHER_TEXT "ffffffffffffffffffffffffffffffff"

static void a_redacted_batch_erases_what_it_forgets(void **state)
{
	(void)state;
	struct punches p;
	three("board-1", STREAM_1, 10);
	redacted_copy(&p, 10);
	assert_int_equal(SEND(&hub, &p, .redacted = 1, .digest = OTHER_TEXT), SP_VERDICT_DUPLICATE);
	assert_string_equal(acked(&hub, STREAM_1), "4");
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 2);
	assert_int_equal(number(&hub, "SELECT count(*) FROM event WHERE type = 'forgotten' AND seq = 3"), 1);
	assert_int_equal(number(&hub, "SELECT coalesce(sum(persons), 0) FROM arrival"), 1);
	// The older text was still under way: a duplicate, and nothing of it comes back.
	punches_begin(&p, 2);
	punches_add(&p, "cổng", 10, 1, MIDNIGHT + 6 * HOUR_MS, "");
	punches_add(&p, "cổng", 11, 2, MIDNIGHT + 6 * HOUR_MS, ",\"direction\":\"in\"");
	punches_add(&p, "cổng", 12, 1, MIDNIGHT + 10 * HOUR_MS, ",\"direction\":\"out\"");
	assert_int_equal(SEND(&hub, &p), SP_VERDICT_DUPLICATE);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 2);
	assert_int_equal(anomalies(&hub, "identity_conflict", STREAM_1), 0);
	// And the new text again.
	redacted_copy(&p, 10);
	assert_int_equal(SEND(&hub, &p, .redacted = 1, .digest = OTHER_TEXT), SP_VERDICT_DUPLICATE);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 2);
}

static void two_boards_with_one_identity_are_seen_all_the_same(void **state)
{
	(void)state;
	struct punches p;
	three("board-1", STREAM_1, 10);
	// The same range with another text, and no word of a redaction.
	redacted_copy(&p, 10);
	assert_int_equal(SEND(&hub, &p, .digest = OTHER_TEXT), SP_VERDICT_CONFLICT);
	// With one, but of another boot.
	redacted_copy(&p, 10);
	assert_int_equal(SEND(&hub, &p, .redacted = 1, .digest = OTHER_TEXT, .boot = BOOT_2),
			 SP_VERDICT_CONFLICT);
	// With one, but what it did not erase is not what is stored.
	punches_begin(&p, 2);
	punches_add(&p, "cửa khác", 10, 1, MIDNIGHT, "");
	forgotten_add(&p);
	forgotten_add(&p);
	assert_int_equal(SEND(&hub, &p, .redacted = 1, .digest = OTHER_TEXT), SP_VERDICT_CONFLICT);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 3);
	assert_int_equal(anomalies(&hub, "identity_conflict", STREAM_1), 3);
}

static void a_batch_may_come_redacted(void **state)
{
	(void)state;
	struct punches p;
	opened("board-1", STREAM_1);
	redacted_copy(&p, 10);
	assert_int_equal(SEND(&hub, &p, .redacted = 2), SP_VERDICT_STORED);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 2);
	assert_int_equal(number(&hub, "SELECT redacted FROM batch WHERE first = 2"), 2);
	assert_int_equal(number(&hub, "SELECT count(*) FROM set_aside"), 0);
}

static void events_given_up_for_their_age_are_a_gap_that_says_so(void **state)
{
	(void)state;
	opened("board-1", STREAM_1);
	DELIVER(&hub, .stream = STREAM_2);
	DELIVER(&hub, .stream = STREAM_2, .first = 2,
		.records =
		    "[{\"seq\":2,\"mono_us\":9,\"type\":\"dropped\",\"class\":\"attendance\",\"reason\":"
		    "\"age\",\"stream\":\"" STREAM_1 "\",\"from\":2,\"to\":9}]");
	assert_string_equal(gaps(&hub, STREAM_1), "dropped 2-9 age");
}

// ---- too old ------------------------------------------------------------------------------------------

static const struct sp_upkeep_rules rules = {.attendance_days = 400, .extract_days = 30};

static void keep_up(int64_t now_ms)
{
	int result;
	while ((result = sp_store_upkeep(hub.store, &rules, now_ms)) == 1)
		now_ms++;
	assert_int_equal(result, 0);
}

static void events_go_when_they_are_too_old_step_by_step(void **state)
{
	(void)state;
	struct punches p;
	opened("board-1", STREAM_1);
	int64_t seq = 2;
	for (int batch = 0; batch < 25; batch++, seq = p.seq) {
		punches_begin(&p, seq);
		for (int i = 0; i < 100; i++)
			punches_add(&p, "cổng", batch * 100 + i, batch % 5 * 100 + i,
				    MIDNIGHT + (batch < 20 ? -DAY_MS : 0) + i, "");
		SEND(&hub, &p);
	}
	keep_up(NOW_MS + 399 * DAY_MS);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 2500);
	// Two thousand of them are of the day that is over now; one step takes a thousand.
	assert_int_equal(sp_store_upkeep(hub.store, &rules, NOW_MS + 400 * DAY_MS), 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 1500);
	keep_up(NOW_MS + 400 * DAY_MS + 1);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 500);
	assert_int_equal(number(&hub, "SELECT count(*) FROM arrival WHERE day = %" PRId64, TODAY - 1), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM person"), 500);
	keep_up(NOW_MS + 500 * DAY_MS);
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM person"), 0);
	assert_int_equal(number(&hub, "SELECT count(*) FROM event WHERE type = 'punch'"), 0);
	// The ledger stays: what comes again is a duplicate, and settled.
	assert_int_equal(number(&hub, "SELECT count(*) FROM batch"), 26);
}

static void what_is_too_old_when_it_comes_is_not_taken(void **state)
{
	(void)state;
	struct punches p;
	opened("board-1", STREAM_1);
	punches_begin(&p, 2);
	punches_add(&p, "cổng", 1, 1, MIDNIGHT - 401 * DAY_MS, ",\"mark\":\"late\"");
	punches_add(&p, "cổng", 2, 1, MIDNIGHT - 400 * DAY_MS, ",\"mark\":\"late\"");
	SEND(&hub, &p);
	assert_string_equal(acked(&hub, STREAM_1), "3");
	assert_int_equal(number(&hub, "SELECT count(*) FROM punch"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(an_event_is_there_once_for_ever),
	    T(nothing_of_a_person_stands_in_an_events_own_row),
	    T(a_punch_has_its_day_and_its_members),
	    T(the_first_of_a_person_counts_in_whatever_order),
	    T(what_has_no_time_is_kept_and_not_counted),
	    T(a_redacted_batch_erases_what_it_forgets),
	    T(two_boards_with_one_identity_are_seen_all_the_same),
	    T(a_batch_may_come_redacted),
	    T(events_given_up_for_their_age_are_a_gap_that_says_so),
	    T(events_go_when_they_are_too_old_step_by_step),
	    T(what_is_too_old_when_it_comes_is_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
