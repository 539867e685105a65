// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Why was it silent: reasons by evidence, uncertainty, and what runs leave for each other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/core/boot.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

#define ONE "11111111-1111-1111-1111-111111111111"
#define TWO "22222222-2222-2222-2222-222222222222"

enum { NOT_KNOWN = -1 };

static struct sp_quantity quantity(int value)
{
	return (struct sp_quantity){value != NOT_KNOWN, value};
}

// ---- reasons -------------------------------------------------------------------------------------------

static void test_stops_and_deaths_within_a_boot(void **unused)
{
	(void)unused;
	static const struct {
		bool clean;
		const char *boot, *version;
		bool journal_existed;
		enum sp_boot_reason reason;
	} cases[] = {
	    {false, NULL, "", false, SP_BOOT_FIRST},
	    {false, NULL, "", true, SP_BOOT_UNKNOWN}, // a journal that was set aside, or somebody else's
	    {true, ONE, "1", true, SP_BOOT_RESTART},
	    {true, TWO, "1", true, SP_BOOT_REBOOT},
	    {true, TWO, "0", true, SP_BOOT_UPGRADE},
	    {true, ONE, "0", true, SP_BOOT_UPGRADE},
	    {false, ONE, "1", true, SP_BOOT_CRASH},
	    {false, ONE, "0", true, SP_BOOT_CRASH},
	    {false, TWO, "1", true, SP_BOOT_UNKNOWN},
	    {false, TWO, "0", true, SP_BOOT_UNKNOWN},
	};
	const struct sp_board_past board = {0};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_boot_mark mark = {.boot = ""};
		if (cases[i].boot)
			strcpy(mark.boot, cases[i].boot);
		strcpy(mark.version, cases[i].version);
		struct sp_boot_past past = {.clean = cases[i].clean,
					    .mark = cases[i].boot ? &mark : NULL,
					    .journal_existed = cases[i].journal_existed,
					    .board = &board};
		assert_int_equal(sp_boot_reason(&past, ONE, "1"), cases[i].reason);
	}
}

static void test_sudden_ends_by_their_evidence(void **unused)
{
	(void)unused;
	enum { NO = NOT_KNOWN };
	static const struct {
		enum sp_reset reset;
		int struck, armed, panic;
		bool traces_kept;
		size_t new_panics;
		enum sp_boot_reason reason;
	} cases[] = {
	    // A trace decides, whatever else is seen.
	    {SP_RESET_UNKNOWN, NO, NO, NO, true, 1, SP_BOOT_PANIC},
	    {SP_RESET_WARM, 0, 1, 10, true, 2, SP_BOOT_PANIC},
	    {SP_RESET_POWER_ON, NO, 0, 0, true, 1, SP_BOOT_PANIC},
	    // Then the hardware's own word.
	    {SP_RESET_UNKNOWN, 1, NO, NO, false, 0, SP_BOOT_WATCHDOG},
	    {SP_RESET_WARM, 1, 0, 5, true, 0, SP_BOOT_WATCHDOG},
	    {SP_RESET_WATCHDOG, NO, NO, NO, false, 0, SP_BOOT_WATCHDOG},
	    {SP_RESET_POWER_ON, NO, NO, NO, false, 0, SP_BOOT_POWER},
	    {SP_RESET_POWER_ON, NO, 1, 10, false, 0, SP_BOOT_POWER},
	    // Reset under power: a watchdog only if nothing else can have done it.
	    {SP_RESET_WARM, NO, 1, 0, false, 0, SP_BOOT_WATCHDOG},
	    {SP_RESET_WARM, NO, 1, 10, false, 0, SP_BOOT_UNKNOWN},
	    {SP_RESET_WARM, NO, 1, NO, false, 0, SP_BOOT_UNKNOWN},
	    {SP_RESET_WARM, NO, 0, 0, false, 0, SP_BOOT_UNKNOWN},
	    {SP_RESET_WARM, NO, NO, 0, false, 0, SP_BOOT_UNKNOWN},
	    {SP_RESET_WARM, 0, 1, 0, true, 0, SP_BOOT_UNKNOWN},
	    // The hardware is mute: power when everything else is excluded.
	    {SP_RESET_UNKNOWN, NO, 0, 0, false, 0, SP_BOOT_POWER},
	    {SP_RESET_UNKNOWN, NO, 0, 10, true, 0, SP_BOOT_POWER},
	    {SP_RESET_UNKNOWN, 0, 1, 0, false, 0, SP_BOOT_POWER},
	    {SP_RESET_UNKNOWN, NO, 0, 10, false, 0, SP_BOOT_UNKNOWN}, // a panic restarts and leaves nothing
	    {SP_RESET_UNKNOWN, NO, 0, NO, false, 0, SP_BOOT_UNKNOWN},
	    {SP_RESET_UNKNOWN, NO, 1, 0, true, 0, SP_BOOT_UNKNOWN}, // the watchdog's driver would not tell
	    {SP_RESET_UNKNOWN, NO, NO, 0, true, 0, SP_BOOT_UNKNOWN},
	    {SP_RESET_UNKNOWN, 0, NO, NO, false, 0, SP_BOOT_UNKNOWN},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_boot_mark mark = {.boot = TWO, .version = "1", .armed = quantity(cases[i].armed)};
		struct sp_board_past board = {.reset = cases[i].reset,
					      .watchdog_struck = quantity(cases[i].struck),
					      .panic_seconds = quantity(cases[i].panic),
					      .traces_kept = cases[i].traces_kept};
		struct sp_boot_past past = {
		    .mark = &mark, .board = &board, .new_panics = cases[i].new_panics};
		if (sp_boot_reason(&past, ONE, "1") != cases[i].reason)
			fail_msg("case %zu: %s, not %s", i,
				 sp_boot_reason_name(sp_boot_reason(&past, ONE, "1")),
				 sp_boot_reason_name(cases[i].reason));
		// None of it matters after a clean stop, or in the same boot.
		past.clean = true;
		assert_int_equal(sp_boot_reason(&past, ONE, "1"), SP_BOOT_REBOOT);
		past.clean = false;
		assert_int_equal(sp_boot_reason(&past, TWO, "1"), SP_BOOT_CRASH);
	}
}

// ---- since when ------------------------------------------------------------------------------------------

static void test_the_silence_begins_at_the_last_sign_of_life(void **unused)
{
	(void)unused;
	struct sp_boot_mark mark = {.boot = TWO, .version = "1"};
	const struct sp_board_past board = {0};
	struct sp_boot_past past = {.mark = &mark, .board = &board, .last = {true, true, 90000000, 1000000}};
	struct sp_boot_report report = {
	    .boot = ONE, .version = "1", .commit_ms = 360000, .now = {.mono_us = 100000000}};
	assert_true(sp_boot_uncertainty(&past, &report) == 360);
	report.boot = TWO; // crashed 10 s after it
	assert_true(sp_boot_uncertainty(&past, &report) == 10);
	past.clean = true;
	assert_true(sp_boot_uncertainty(&past, &report) == 0);
	past.last.known = false;
	assert_true(sp_boot_uncertainty(&past, &report) < 0);
	past.mark = NULL;
	assert_true(sp_boot_uncertainty(&past, &report) < 0);
}

static void test_whose_silence(void **unused)
{
	(void)unused;
	static const struct {
		const char *boot, *version;
		bool clean;
		enum sp_reset reset;
		size_t panics;
		enum sp_cause cause;
		enum sp_whose whose;
	} cases[] = {
	    {TWO, "1", false, SP_RESET_POWER_ON, 0, SP_CAUSE_POWER, SP_WHOSE_SCHOOL},
	    {TWO, "1", false, SP_RESET_WATCHDOG, 0, SP_CAUSE_REBOOT, SP_WHOSE_OURS},
	    {TWO, "1", false, SP_RESET_WARM, 1, SP_CAUSE_REBOOT, SP_WHOSE_OURS},
	    {TWO, "1", false, SP_RESET_WARM, 0, SP_CAUSE_REBOOT, SP_WHOSE_UNRESOLVED},
	    {TWO, "1", true, SP_RESET_POWER_ON, 0, SP_CAUSE_REBOOT, SP_WHOSE_OURS},
	    {ONE, "1", false, SP_RESET_POWER_ON, 0, SP_CAUSE_AGENT, SP_WHOSE_OURS},
	    {ONE, "1", true, SP_RESET_POWER_ON, 0, SP_CAUSE_AGENT, SP_WHOSE_OURS},
	    {ONE, "0", true, SP_RESET_POWER_ON, 0, SP_CAUSE_AGENT, SP_WHOSE_OURS},
	};
	struct sp_boot_report report = {
	    .boot = ONE, .version = "1", .commit_ms = 360000, .now = {.mono_us = 500000000}};
	struct sp_silence silence;
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_boot_mark mark = {.boot = ""};
		struct sp_board_past board = {.reset = cases[i].reset};
		strcpy(mark.boot, cases[i].boot);
		strcpy(mark.version, cases[i].version);
		struct sp_boot_past past = {.clean = cases[i].clean,
					    .mark = &mark,
					    .board = &board,
					    .new_panics = cases[i].panics,
					    .last = {true, true, 90000000, 1795600000000}};
		assert_true(sp_boot_silence(&past, &report, &silence));
		assert_int_equal(silence.cause, cases[i].cause);
		assert_int_equal(silence.whose, cases[i].whose);
		assert_string_equal(silence.boot, cases[i].boot);
		// In the middle of what is possible, once it is known that it is over by now.
		bool bounded = cases[i].clean || strcmp(cases[i].boot, ONE) == 0;
		double half = cases[i].clean || !bounded ? 0 : 180;
		assert_true(silence.uncertainty_seconds == (bounded ? half : 360));
		assert_true(silence.start_mono_us == 90000000 + (int64_t)half * 1000000);
		assert_true(silence.start_placed &&
			    silence.start_t_ms == 1795600000000 + (int64_t)half * 1000);
		past.last.placed = false;
		assert_true(sp_boot_silence(&past, &report, &silence) && !silence.start_placed);
		past.last.known = false;
		assert_false(sp_boot_silence(&past, &report, &silence));
	}
	struct sp_boot_mark mark = {.boot = TWO, .version = "1"};
	struct sp_board_past board = {0};
	struct sp_boot_past soon = {
	    .mark = &mark, .board = &board, .last = {true, true, 90000000, 1795600000000}};
	report.now = (struct sp_clock_reading){.mono_us = 5000000, .synced = true, .wall_ms = 1795600040000};
	assert_true(sp_boot_silence(&soon, &report, &silence)); // back after 40 s, and the clock says so
	assert_true(silence.start_t_ms == 1795600020000 && silence.uncertainty_seconds == 20);
	report.now.wall_ms = 1795700000000;
	assert_true(sp_boot_silence(&soon, &report, &silence));
	assert_true(silence.start_t_ms == 1795600180000 && silence.uncertainty_seconds == 180);
	struct sp_boot_past first = {.board = &board, .last = {true, true, 1, 1}};
	assert_false(sp_boot_silence(&first, &report, &silence));
}

static bool is_null(const struct recorder_list *list, size_t index, const char *name)
{
	return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(list->items[index].json, name));
}

static void test_the_boot_fact_is_honest_about_what_it_does_not_know(void **unused)
{
	(void)unused;
	struct recorder_list records;
	recorder_list_init(&records);
	struct sp_boot_report report = {.boot = ONE, .version = "1", .board = "generic", .commit_ms = 300000};
	struct sp_boot_mark mark = {.boot = TWO, .version = "1", .undervoltage = true};
	struct sp_board_past board = {.panic_seconds = {true, 10}};
	struct sp_boot_past past = {
	    .mark = &mark, .journal_existed = true, .board = &board, .last = {true, false, 5000000, -1}};
	sp_boot_record(&records.base, &past, &report);
	assert_string_equal(recorder_text(&records, 0, "reason"), "unknown");
	assert_string_equal(recorder_text(&records, 0, "previous_boot"), TWO);
	assert_true(recorder_number(&records, 0, "uncertainty_seconds") == 300);
	assert_true(recorder_number(&records, 0, "silence_start_mono_us") == 5000000);
	assert_true(is_null(&records, 0, "silence_start_t_ms"));
	assert_true(is_null(&records, 0, "model"));
	assert_true(recorder_text(&records, 0, "kernel")[0]);
	assert_string_equal(recorder_text(&records, 0, "evidence"),
			    "watchdog not known, kernel traces are not kept, kernel.panic=10, "
			    "under-voltage before");
	past.clean = true;
	past.last = (struct sp_boot_last){true, true, 6000000, 1795600000000};
	sp_boot_record(&records.base, &past, &report);
	assert_true(recorder_number(&records, 1, "uncertainty_seconds") == 0);
	assert_true(recorder_number(&records, 1, "silence_start_t_ms") == 1795600000000);
	assert_true(is_null(&records, 1, "evidence"));
	past = (struct sp_boot_past){.board = &board};
	sp_boot_record(&records.base, &past, &report);
	assert_string_equal(recorder_text(&records, 2, "reason"), "first");
	assert_true(is_null(&records, 2, "uncertainty_seconds"));
	assert_true(is_null(&records, 2, "silence_start_mono_us"));
	recorder_list_clear(&records);
}

// ---- what runs leave for each other
// ------------------------------------------------------------------------

static void test_marks(void **unused)
{
	(void)unused;
	struct sp_boot_mark mark = {.boot = ONE, .version = "0.1.0", .armed = {true, 1}}, back;
	char *text = sp_boot_mark_text(&mark);
	assert_true(sp_boot_mark_read(&back, text));
	assert_string_equal(back.boot, ONE);
	assert_string_equal(back.version, "0.1.0");
	assert_true(back.armed.known && back.armed.value == 1 && !back.undervoltage);
	free(text);
	mark.armed.value = 0;
	mark.undervoltage = true;
	text = sp_boot_mark_text(&mark);
	assert_true(sp_boot_mark_read(&back, text));
	assert_true(back.armed.known && back.armed.value == 0 && back.undervoltage);
	free(text);
	assert_true(sp_boot_mark_read(&back, ONE " 0.1.0 -"));
	assert_true(!back.armed.known && !back.undervoltage);
	assert_false(sp_boot_mark_read(&back, ONE " 0.1.0"));
	assert_false(sp_boot_mark_read(&back, ONE " 0.1.0 perhaps"));
	assert_false(sp_boot_mark_read(&back, NULL));
	assert_false(sp_boot_mark_read(&back, ""));
	assert_false(sp_boot_mark_read(&back, "short 1"));
}

static void test_traces_are_new_once(void **unused)
{
	(void)unused;
	struct sp_board_past board = {.trace_count = 3,
				      .traces = {{.id = 7}, {.id = 8, .oops = true}, {.id = UINT64_MAX}}};
	assert_int_equal(sp_boot_traces_new(&board, NULL), 0); // nobody looked before
	assert_int_equal(sp_boot_traces_new(&board, "seen"), 2);
	assert_int_equal(sp_boot_traces_new(&board, "seen 0000000000000007"), 1);
	char *text = sp_boot_traces_text(&board);
	assert_int_equal(sp_boot_traces_new(&board, text), 0);
	free(text);
	board.trace_count = 0;
	text = sp_boot_traces_text(&board);
	assert_string_equal(text, "seen");
	free(text);
}

static void test_more_traces_than_are_looked_at(void **unused)
{
	(void)unused;
	struct sp_board_past board = {
	    .trace_count = 3, .traces = {{.id = 30}, {.id = 20}, {.id = 10}}, .traces_more = true};
	char *text = sp_boot_traces_text(&board);
	assert_int_equal(sp_boot_traces_new(&board, text), 0);
	// One was deleted, and an old one came into view.
	struct sp_board_past less = {.trace_count = 3, .traces = {{.id = 30}, {.id = 20}, {.id = 5}}};
	assert_int_equal(sp_boot_traces_new(&less, text), 0);
	// A new one pushed the oldest out.
	struct sp_board_past more = {.trace_count = 3, .traces = {{.id = 40}, {.id = 30}, {.id = 20}}};
	assert_int_equal(sp_boot_traces_new(&more, text), 1);
	free(text);
	// That none is new among those that were looked at does not exclude a panic.
	struct sp_boot_mark mark = {.boot = TWO, .version = "1", .armed = {true, 0}};
	struct sp_board_past past_board = {.traces_kept = true, .panic_seconds = {true, 10}};
	struct sp_boot_past past = {.mark = &mark, .board = &past_board};
	assert_int_equal(sp_boot_reason(&past, ONE, "1"), SP_BOOT_POWER);
	past_board.traces_more = true;
	assert_int_equal(sp_boot_reason(&past, ONE, "1"), SP_BOOT_UNKNOWN);
}

static void test_the_last_record(void **unused)
{
	(void)unused;
	struct sp_boot_last last;
	sp_boot_last_read(&last, ONE " 5000000 1795600000000", ONE);
	assert_true(last.known && last.placed);
	assert_int_equal(last.mono_us, 5000000);
	assert_int_equal(last.t_ms, 1795600000000);
	sp_boot_last_read(&last, ONE " 5000000 -1", ONE);
	assert_true(last.known && !last.placed);
	sp_boot_last_read(&last, TWO " 5000000 -1", ONE); // of another boot: what was there since is lost
	assert_false(last.known);
	sp_boot_last_read(&last, ONE " -5 -1", ONE);
	assert_false(last.known);
	sp_boot_last_read(&last, NULL, ONE);
	assert_false(last.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stops_and_deaths_within_a_boot),
	    cmocka_unit_test(test_sudden_ends_by_their_evidence),
	    cmocka_unit_test(test_the_silence_begins_at_the_last_sign_of_life),
	    cmocka_unit_test(test_whose_silence),
	    cmocka_unit_test(test_the_boot_fact_is_honest_about_what_it_does_not_know),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_traces_are_new_once),
	    cmocka_unit_test(test_more_traces_than_are_looked_at),
	    cmocka_unit_test(test_the_last_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
