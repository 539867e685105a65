// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's small parts: clock facts, storage facts, the watchdog, the identity, lines.
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

#include "agent/base/ids.h"
#include "agent/core/clocks.h"
#include "agent/core/identity.h"
#include "agent/core/ledger/lines.h"
#include "agent/core/storage.h"
#include "agent/core/watchdog.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

static const char boot_one[] = "11111111-1111-1111-1111-111111111111";
static const char boot_two[] = "22222222-2222-2222-2222-222222222222";

// ---- clock -----------------------------------------------------------------------------------------

static struct sp_clock_reading at(int64_t seconds, bool synced, int64_t wall_ms)
{
	return (struct sp_clock_reading){
	    .mono_us = seconds * 1000000, .synced = synced, .wall_ms = wall_ms, .err_ms = 1};
}

static void test_clock_facts(void **unused)
{
	(void)unused;
	struct recorder_list records;
	struct sp_clocks clocks;
	recorder_list_init(&records);
	sp_clocks_init(&clocks, &records.base, NULL, NULL);
	struct sp_clock_reading now = at(10, false, 5000);
	sp_clocks_look(&clocks, &now);
	assert_int_equal(records.count, 0);
	// synchronised, and wall time jumped by a million seconds
	now = at(20, true, 15000 + 1000000000);
	sp_clocks_look(&clocks, &now);
	assert_string_equal(recorder_text(&records, 0, "event"), "synced");
	assert_true(recorder_number(&records, 0, "step_seconds") == 1000000);
	for (int i = 30; i < 20 + 7300; i += 10) { // two hours, with drift that is none
		now = at(i, true, 1000000000 - 5000 + i * 1000 + i / 100);
		sp_clocks_look(&clocks, &now);
	}
	assert_int_equal(records.count, 3);
	assert_string_equal(recorder_text(&records, 1, "event"), "hourly");
	assert_string_equal(recorder_text(&records, 2, "event"), "hourly");
	now = at(7330, true, 1000000000 - 5000 + 7330000 - 60000); // somebody sets the clock back
	sp_clocks_look(&clocks, &now);
	assert_string_equal(recorder_text(&records, 3, "event"), "step");
	assert_in_range((int64_t)(-recorder_number(&records, 3, "step_seconds")), 59, 61);
	now = at(7340, false, 1000000000 - 5000 + 7340000 - 60000);
	sp_clocks_look(&clocks, &now);
	assert_string_equal(recorder_text(&records, 4, "event"), "lost");
	assert_int_equal(records.count, 5);
	recorder_list_clear(&records);
}

// ---- storage ---------------------------------------------------------------------------------------

static void test_storage_facts_on_edges_only(void **unused)
{
	(void)unused;
	struct recorder_list records;
	recorder_list_init(&records);
	struct sp_storage storage = {.recorder = &records.base};
	struct sp_journal_status journal = {.state = SP_JOURNAL_OPENING};
	struct sp_board_reading board = {0}; // nothing known is not read-only
	sp_storage_look(&storage, &journal, &board);
	journal.state = SP_JOURNAL_WRITABLE;
	sp_storage_look(&storage, &journal, &board);
	assert_int_equal(records.count, 0);
	board.storage_read_only = (struct sp_quantity){true, 1};
	sp_storage_look(&storage, &journal, &board);
	sp_storage_look(&storage, &journal, &board);
	journal.state = SP_JOURNAL_READ_ONLY;
	journal.error = EROFS;
	sp_storage_look(&storage, &journal, &board);
	assert_int_equal(records.count, 1);
	assert_string_equal(recorder_text(&records, 0, "event"), "read_only");
	board.storage_read_only.value = 0;
	journal.state = SP_JOURNAL_FULL;
	journal.error = ENOSPC;
	sp_storage_look(&storage, &journal, &board);
	assert_string_equal(recorder_text(&records, 1, "event"), "full");
	assert_string_equal(recorder_text(&records, 1, "text"), "No space left on device");
	journal = (struct sp_journal_status){.state = SP_JOURNAL_WRITABLE};
	sp_storage_look(&storage, &journal, &board);
	assert_string_equal(recorder_text(&records, 2, "event"), "writable");
	assert_int_equal(records.count, 3);
	// Full and writable again between two looks: told all the same, once.
	journal.stumbles = 1;
	journal.stumble = ENOSPC;
	sp_storage_look(&storage, &journal, &board);
	sp_storage_look(&storage, &journal, &board);
	assert_string_equal(recorder_text(&records, 3, "event"), "full");
	assert_string_equal(recorder_text(&records, 4, "event"), "writable");
	assert_int_equal(records.count, 5);
	recorder_list_clear(&records);
}

// ---- watchdog --------------------------------------------------------------------------------------

static char notes[2000];

static void note(void *arg, const char *message)
{
	(void)arg;
	strncat(notes, message, sizeof(notes) - strlen(notes) - 2);
	strcat(notes, ";");
}

static void test_the_watchdog_is_fed_while_promises_hold(void **unused)
{
	(void)unused;
	struct sp_loop *loop = sp_loop_virtual_new();
	struct sp_deadline journal = {.thread = "journal"}, publisher = {.thread = "publisher"};
	const struct sp_deadline *deadlines[] = {&journal, &publisher, NULL};
	notes[0] = '\0';
	struct sp_watchdog *watchdog = sp_watchdog_new(&(struct sp_watchdog_config){
	    .loop = loop, .deadlines = deadlines, .notify = note, .period_ms = 3000});
	sp_watchdog_ready(watchdog);
	sp_loop_virtual_run(loop, 2500);
	assert_string_equal(notes, "READY=1;WATCHDOG=1;WATCHDOG=1;");
	notes[0] = '\0';
	sp_deadline_announce(&journal, 2000); // at 2.5 s: back by 4.5 s
	sp_loop_virtual_run(loop, 1900);
	assert_string_equal(notes, "WATCHDOG=1;WATCHDOG=1;");
	notes[0] = '\0';
	sp_loop_virtual_run(loop, 5000); // it hangs
	assert_string_equal(notes, "");
	sp_deadline_idle(&journal);
	sp_loop_virtual_run(loop, 1000);
	assert_string_equal(notes, "WATCHDOG=1;");
	notes[0] = '\0';
	sp_watchdog_status(watchdog, "line up");
	sp_watchdog_status(watchdog, "line up");
	sp_watchdog_status(watchdog, "line down");
	sp_watchdog_stopping(watchdog);
	assert_string_equal(notes, "STATUS=line up;STATUS=line down;STOPPING=1;");
	sp_watchdog_free(watchdog);
	sp_loop_virtual_free(loop);
}

// ---- identity --------------------------------------------------------------------------------------

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_the_identity_is_made_once(void **unused)
{
	(void)unused;
	char dir[] = "/tmp/sp-identity-XXXXXX", state[64], path[96], id[33], again[33], why[256];
	assert_non_null(mkdtemp(dir));
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(path, sizeof(path), "%s/device-id", state);
	int fd = sp_state_dir_open(state, why);
	assert_true(fd >= 0);
	assert_int_equal(sp_state_dir_open(state, why), -EBUSY); // another agent
	assert_non_null(strstr(why, "another agent"));
	assert_int_equal(sp_device_id(state, "", id, why), 0);
	assert_true(sp_id_valid(id));
	assert_int_equal(strlen(id), SP_ID_LENGTH);
	assert_int_equal(sp_device_id(state, "", again, why), 0);
	assert_string_equal(id, again);
	assert_int_equal(sp_device_id(state, "named", again, why), 0);
	assert_string_equal(again, "named");
	write_text(path, "Not An Id\n"); // a torn file: a new name, said in the log
	assert_int_equal(sp_device_id(state, "", again, why), 0);
	assert_true(sp_id_valid(again));
	assert_string_not_equal(again, id);
	write_text(path, "board-7\n");
	assert_int_equal(sp_device_id(state, "", again, why), 0);
	assert_string_equal(again, "board-7");
	close(fd);
	fd = sp_state_dir_open(state, why);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sp_state_dir_open("/nowhere/at/all", why), -ENOENT);
	assert_int_equal(sp_device_id("/nowhere/at/all", "", id, why), -ENOENT);
	unlink(path);
	rmdir(state);
	rmdir(dir);
}

// ---- lines -----------------------------------------------------------------------------------------

struct shelf {
	char key[64], *value;
};

struct shelves {
	struct shelf items[8];
	int better;
};

static void put(void *arg, const char *key, const char *value)
{
	struct shelves *shelves = arg;
	for (size_t i = 0; i < SP_COUNT(shelves->items); i++) {
		struct shelf *shelf = &shelves->items[i];
		if (shelf->key[0] && strcmp(shelf->key, key) != 0)
			continue;
		snprintf(shelf->key, sizeof(shelf->key), "%s", key);
		free(shelf->value);
		shelf->value = value ? strdup(value) : NULL;
		return;
	}
	fail_msg("too many keys");
}

static char *get(void *arg, const char *key)
{
	struct shelves *shelves = arg;
	for (size_t i = 0; i < SP_COUNT(shelves->items); i++)
		if (strcmp(shelves->items[i].key, key) == 0 && shelves->items[i].value)
			return strdup(shelves->items[i].value);
	return NULL;
}

static void clear(struct shelves *shelves)
{
	for (size_t i = 0; i < SP_COUNT(shelves->items); i++)
		free(shelves->items[i].value);
}

static void better(void *arg, const char *line)
{
	struct shelves *shelves = arg;
	assert_string_equal(line, "main");
	shelves->better++;
}

static void rung(struct sp_lines *lines, struct sp_loop *loop, enum sp_rung which, enum sp_rung_status status)
{
	struct sp_rung_report report = {.rung = which,
					.family = SP_FAMILY_IPV4,
					.status = status,
					.since_us = sp_loop_now_us(loop),
					.rtt_us = status == SP_RUNG_OK ? 12000 : -1,
					.detail = "192.0.2.1"};
	sp_lines_report(lines, "main", "internet", &report, 60000000);
}

static struct sp_lines *make_lines(struct sp_loop *loop, struct recorder_list *records,
				   struct shelves *shelves, const char *boot)
{
	struct sp_lines *lines = sp_lines_new(&(struct sp_lines_config){.loop = loop,
									.recorder = &records->base,
									.boot = boot,
									.put = put,
									.get = get,
									.better = better,
									.arg = shelves});
	sp_lines_add(lines, "main", "VNPT");
	return lines;
}

static void test_lines_record_facts_and_outlive_the_agent(void **unused)
{
	(void)unused;
	struct sp_loop *loop = sp_loop_virtual_new();
	struct shelves shelves = {0};
	struct recorder_list records;
	recorder_list_init(&records);
	struct sp_lines *lines = make_lines(loop, &records, &shelves, boot_one);
	rung(lines, loop, SP_RUNG_GATEWAY, SP_RUNG_OK);
	rung(lines, loop, SP_RUNG_ISP_CORE, SP_RUNG_OK);
	assert_int_equal(records.count, 0); // judged together, at the end of the turn
	sp_loop_virtual_run(loop, 10);
	assert_int_equal(records.count, 1);
	assert_string_equal(recorder_text(&records, 0, "type"), "line");
	assert_string_equal(recorder_text(&records, 0, "device"), "main");
	assert_string_equal(recorder_text(&records, 0, "state"), "up");
	assert_string_equal(recorder_text(&records, 0, "whose"), "nobody");
	assert_string_equal(recorder_text(&records, 0, "ipv4"), "up");
	assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(records.items[0].json, "ipv6")));
	assert_int_equal(shelves.better, 1);
	sp_loop_virtual_run(loop, 5000);
	rung(lines, loop, SP_RUNG_GATEWAY, SP_RUNG_OK);
	rung(lines, loop, SP_RUNG_ISP_CORE, SP_RUNG_SILENT);
	sp_loop_virtual_run(loop, 10);
	size_t index = recorder_last(&records, "outage");
	assert_string_equal(recorder_text(&records, index, "phase"), "open");
	assert_string_equal(recorder_text(&records, index, "cause"), "isp");
	assert_string_equal(recorder_text(&records, index, "start_boot"), boot_one);
	assert_true(recorder_number(&records, index, "start_mono_us") ==
		    1002505000); // between answer and loss
	assert_true(recorder_number(&records, index, "start_uncertainty_seconds") >= 2.505);
	const cJSON *evidence = cJSON_GetObjectItemCaseSensitive(records.items[index].json, "evidence");
	assert_int_equal(cJSON_GetArraySize(evidence), 2);
	char id[SP_ID_LENGTH + 1];
	snprintf(id, sizeof(id), "%s", recorder_text(&records, index, "outage"));
	sp_lines_free(lines); // power cut

	lines = make_lines(loop, &records, &shelves, boot_two);
	assert_non_null(sp_ledger_outage(sp_lines_ledger(lines, 0)));
	rung(lines, loop, SP_RUNG_GATEWAY, SP_RUNG_OK);
	rung(lines, loop, SP_RUNG_ISP_CORE, SP_RUNG_OK);
	sp_loop_virtual_run(loop, 10);
	index = recorder_last(&records, "outage");
	assert_string_equal(recorder_text(&records, index, "phase"), "close");
	assert_string_equal(recorder_text(&records, index, "outage"), id);
	assert_string_equal(recorder_text(&records, index, "start_boot"), boot_one);
	assert_int_equal(shelves.better, 2);
	assert_null(sp_ledger_outage(sp_lines_ledger(lines, 0)));
	sp_lines_free(lines);

	lines = make_lines(loop, &records, &shelves, boot_two); // and history is remembered
	const struct sp_outage *past = sp_lines_history(lines, 0, 0);
	assert_non_null(past);
	assert_string_equal(past->id, id);
	assert_null(sp_lines_history(lines, 0, 1));
	assert_null(sp_ledger_outage(sp_lines_ledger(lines, 0)));
	sp_lines_free(lines);
	assert_int_equal(sp_loop_virtual_open(loop), 0);
	clear(&shelves);
	recorder_list_clear(&records);
	sp_loop_virtual_free(loop);
}

static void test_silence_of_the_reporters_is_noticed(void **unused)
{
	(void)unused;
	struct sp_loop *loop = sp_loop_virtual_new();
	struct shelves shelves = {0};
	struct recorder_list records;
	recorder_list_init(&records);
	struct sp_lines *lines = make_lines(loop, &records, &shelves, boot_one);
	rung(lines, loop, SP_RUNG_ISP_CORE, SP_RUNG_OK);
	sp_loop_virtual_run(loop, 59000);
	struct sp_line_view view;
	sp_ledger_view(sp_lines_ledger(lines, 0), &view);
	assert_int_equal(view.state, SP_LINE_UP);
	sp_loop_virtual_run(loop, 2000); // nobody calls: the line's own timer does
	sp_ledger_view(sp_lines_ledger(lines, 0), &view);
	assert_int_equal(view.state, SP_LINE_UNKNOWN);
	sp_lines_free(lines);
	clear(&shelves);
	recorder_list_clear(&records);
	sp_loop_virtual_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clock_facts),
	    cmocka_unit_test(test_storage_facts_on_edges_only),
	    cmocka_unit_test(test_the_watchdog_is_fed_while_promises_hold),
	    cmocka_unit_test(test_the_identity_is_made_once),
	    cmocka_unit_test(test_lines_record_facts_and_outlive_the_agent),
	    cmocka_unit_test(test_silence_of_the_reporters_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
