// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// To be forgotten, and to know what is held: the order on the card, what a crash leaves, and the same rights
// on a new board that has the keys from a back-up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/core/attendance/backup.h"
#include "agent/core/attendance/subject.h"
#include "tests/unit/core/recorder_list.h"

enum { EVENTS = 16 };

/// A board: its folder, its keys, and a journal that is a list of texts.
struct board {
	char dir[32];
	struct sp_keys *keys;
	struct recorder_list facts;
	char *events[EVENTS];
	size_t count;
	struct sp_subject *subject;
	struct sp_backup *backup;
	char *sealed;
	sp_journal_count_fn erased; ///< who waits for an erasure
	void *erased_arg;
	int64_t erased_count;
	int refuse_erase;
	bool noted; ///< the note was on the card when the journal was asked to erase
	int result;
	cJSON *answer;
};

static const struct sp_key_set *keys_of(void *arg)
{
	struct board *board = arg;
	return board->keys ? sp_keys_set(board->keys) : NULL;
}

static int walk(void *arg, bool (*event)(void *event_arg, const char *record), sp_journal_done_fn done,
		void *done_arg)
{
	struct board *board = arg;
	for (size_t i = 0; i < board->count; i++)
		assert_true(event(done_arg, board->events[i]));
	done(done_arg, 0);
	return 0;
}

static int erase(void *arg, const char *const *persons, size_t count, sp_journal_count_fn done,
		 void *done_arg)
{
	struct board *board = arg;
	struct sp_refused note;
	if (board->refuse_erase)
		return board->refuse_erase;
	assert_int_equal(sp_refused_load(&note, board->dir), 0);
	board->noted = note.pending.count == count && strcmp(note.pending.persons[0], persons[0]) == 0;
	sp_refused_free(&note);
	board->erased_count = 0;
	for (size_t i = 0; i < board->count; i++) {
		for (size_t j = 0; j < count; j++) {
			if (!strstr(board->events[i], persons[j]))
				continue;
			free(board->events[i]);
			board->events[i] = sp_strdup("{\"type\":\"forgotten\"}");
			board->erased_count++;
		}
	}
	board->erased = done;
	board->erased_arg = done_arg;
	return 0;
}

static void put(void *arg, const char *key, const char *value)
{
	struct board *board = arg;
	assert_string_equal(key, "attendance.backup");
	free(board->sealed);
	board->sealed = sp_strdup(value);
}

static char *get(void *arg, const char *key)
{
	const struct board *board = arg;
	(void)key;
	return board->sealed ? sp_strdup(board->sealed) : NULL;
}

static void answered(void *arg, int result, cJSON *answer)
{
	struct board *board = arg;
	board->result = result;
	cJSON_Delete(board->answer);
	board->answer = answer;
}

static void start(struct board *board)
{
	char why[SP_KEYS_WHY];
	assert_int_equal(sp_keys_open(&board->keys, board->dir, false, why), 0);
	assert_int_equal(
	    sp_subject_new(&board->subject, &(struct sp_subject_config){.state_dir = board->dir,
									.recorder = &board->facts.base,
									.keys = keys_of,
									.events = walk,
									.erase = erase,
									.arg = board}),
	    0);
	board->backup = sp_backup_new(&(struct sp_backup_config){
	    .state_dir = board->dir, .recorder = &board->facts.base, .put = put, .get = get, .arg = board});
	board->result = 1;
}

static void stop(struct board *board)
{
	sp_subject_free(board->subject);
	sp_backup_free(board->backup);
	sp_keys_free(board->keys);
	board->erased = NULL;
}

static struct board *new_board(void)
{
	struct board *board = sp_alloc(sizeof(*board));
	strcpy(board->dir, "/tmp/sp-subject-XXXXXX");
	assert_non_null(mkdtemp(board->dir));
	recorder_list_init(&board->facts);
	start(board);
	return board;
}

static void scrap(struct board *board)
{
	static const char *const names[] = {SP_KEYS_FILE, SP_REFUSED_FILE, SP_RECOVERY_FILE};
	char path[128];
	stop(board);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", board->dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(board->dir), 0);
	for (size_t i = 0; i < board->count; i++)
		free(board->events[i]);
	recorder_list_clear(&board->facts);
	cJSON_Delete(board->answer);
	free(board->sealed);
	free(board);
}

static void punch(struct board *board, int32_t year, const char *pin)
{
	const uint8_t *key;
	char person[SP_PSEUDONYM_LENGTH + 1];
	assert_int_equal(sp_keys_year(board->keys, year, &key), 0);
	sp_person_pseudonym(key, SP_PERSON_PIN, pin, strlen(pin), person);
	board->events[board->count++] =
	    sp_asprintf("{\"type\":\"punch\",\"device\":\"cổng\",\"person\":\"%s\"}", person);
}

/// The journal and the hub's fact have been committed.
static void commit(struct board *board)
{
	sp_journal_count_fn done = board->erased;
	board->erased = NULL;
	done(board->erased_arg, 0, board->erased_count);
	size_t last = recorder_last(&board->facts, "subject_request");
	if (last != SIZE_MAX && board->facts.items[last].done)
		board->facts.items[last].done(board->facts.items[last].arg, 0);
}

static int forget(struct board *board, const char *pin, bool once)
{
	return sp_subject_forget(board->subject, SP_PERSON_PIN, pin, strlen(pin), once, answered, board);
}

static bool refuses(const struct board *board, const char *pin)
{
	return sp_subject_refuses(board->subject, SP_PERSON_PIN, pin, strlen(pin));
}

static void a_person_is_forgotten_under_every_year(void **state)
{
	(void)state;
	struct board *board = new_board();
	punch(board, 2025, "17");
	punch(board, 2026, "17");
	punch(board, 2026, "18");
	assert_false(refuses(board, "17"));
	assert_int_equal(forget(board, "17", false), 0);
	assert_true(board->noted);
	assert_true(refuses(board, "17"));
	assert_int_equal(forget(board, "18", false), -EBUSY);
	assert_int_equal(recorder_count(&board->facts, "subject_request"), 0);
	commit(board);
	assert_int_equal(board->result, 0);
	assert_int_equal(recorder_count(&board->facts, "subject_request"), 1);
	assert_string_equal(recorder_text(&board->facts, 0, "action"), "forget");
	assert_int_equal(recorder_number(&board->facts, 0, "erased"), 2);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(board->facts.items[0].json, "persons")), 2);
	assert_false(refuses(board, "18"));
	// It outlives a restart, and can be lifted.
	stop(board);
	start(board);
	assert_true(refuses(board, "17"));
	assert_false(sp_subject_refuses(board->subject, SP_PERSON_CARD, "17", 2));
	assert_int_equal(sp_subject_remember(board->subject, SP_PERSON_PIN, "17", 2), 0);
	assert_int_equal(sp_subject_remember(board->subject, SP_PERSON_PIN, "17", 2), -ENOENT);
	assert_false(refuses(board, "17"));
	assert_int_equal(forget(board, "18", true), 0);
	commit(board);
	assert_false(refuses(board, "18"));
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(board->facts.items[1].json, "once")));
	scrap(board);
}

static void what_a_crash_interrupts_is_finished(void **state)
{
	(void)state;
	for (int stage = 0; stage < 3; stage++) {
		struct board *board = new_board();
		punch(board, 2026, "17");
		board->refuse_erase = stage == 0 ? -EIO : 0;
		assert_int_equal(forget(board, "17", false), stage == 0 ? -EIO : 0);
		board->refuse_erase = 0;
		if (stage == 2) // erased, and the fact is not on the card
			board->erased(board->erased_arg, 0, board->erased_count);
		stop(board);
		start(board);
		assert_true(refuses(board, "17"));
		sp_subject_resume(board->subject);
		commit(board);
		size_t last = recorder_last(&board->facts, "subject_request");
		assert_string_equal(recorder_text(&board->facts, last, "action"), "forget");
		if (stage == 2) // told twice, as one request
			assert_string_equal(recorder_text(&board->facts, 0, "request"),
					    recorder_text(&board->facts, last, "request"));
		assert_string_equal(board->events[0], "{\"type\":\"forgotten\"}");
		// Nothing is left to be done.
		stop(board);
		start(board);
		sp_subject_resume(board->subject);
		assert_null(board->erased);
		scrap(board);
	}
}

static void an_export_holds_the_persons_events_and_no_others(void **state)
{
	(void)state;
	struct board *board = new_board();
	assert_int_equal(sp_subject_export(board->subject, SP_PERSON_PIN, "17", 2, answered, board),
			 -ENODATA);
	punch(board, 2025, "17");
	punch(board, 2026, "18");
	punch(board, 2026, "17");
	assert_int_equal(sp_subject_export(board->subject, SP_PERSON_PIN, "17", 2, answered, board), 0);
	board->facts.items[0].done(board->facts.items[0].arg, 0);
	assert_int_equal(board->result, 0);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(board->answer, "events")), 2);
	assert_string_equal(recorder_text(&board->facts, 0, "action"), "export");
	assert_int_equal(recorder_number(&board->facts, 0, "erased"), 0);
	assert_false(refuses(board, "17"));
	scrap(board);
}

static void a_broken_list_is_not_taken_for_an_empty_one(void **state)
{
	(void)state;
	struct board *board = new_board();
	struct sp_refused list;
	char path[64], text[512];
	punch(board, 2026, "17");
	assert_int_equal(forget(board, "17", false), 0);
	commit(board);
	snprintf(path, sizeof(path), "%s/%s", board->dir, SP_REFUSED_FILE);
	FILE *file = fopen(path, "r");
	size_t length = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(sp_refused_parse(&list, text, length), 0);
	assert_int_equal(list.count, 1);
	sp_refused_free(&list);
	for (size_t i = 0; i < length; i++) {
		text[i] ^= 1;
		assert_int_equal(sp_refused_parse(&list, text, length), -EBADMSG);
		sp_refused_free(&list);
		text[i] ^= 1;
		assert_int_equal(sp_refused_parse(&list, text, i), -EBADMSG);
		sp_refused_free(&list);
	}
	scrap(board);
}

// ---- another board
// -----------------------------------------------------------------------------------------

static void rights_outlive_the_board(void **state)
{
	(void)state;
	struct board *a = new_board(), *b = new_board();
	struct sp_seal_code code;
	uint8_t public[SP_SEAL_KEY];
	char *text = sp_alloc(SP_SEAL_DATA_MAX + 1);
	size_t length;
	punch(a, 2025, "17");
	punch(a, 2026, "17");
	punch(a, 2026, "18");
	assert_int_equal(forget(a, "18", false), 0);
	commit(a);
	// Nothing is sealed before there is a code; then at once, and again only when something changes.
	sp_backup_look(a->backup, keys_of(a), sp_subject_list(a->subject));
	assert_int_equal(recorder_count(&a->facts, "key_backup"), 0);
	sp_seal_code_new(&code);
	sp_seal_public(&code, public);
	assert_int_equal(sp_backup_set_recipient(a->backup, public), 0);
	for (int i = 0; i < 3; i++)
		sp_backup_look(a->backup, keys_of(a), sp_subject_list(a->subject));
	assert_int_equal(recorder_count(&a->facts, "key_backup"), 1);
	stop(a);
	start(a);
	sp_backup_look(a->backup, keys_of(a), sp_subject_list(a->subject));
	assert_int_equal(recorder_count(&a->facts, "key_backup"), 1);
	punch(a, 2027, "17");
	sp_backup_look(a->backup, keys_of(a), sp_subject_list(a->subject));
	assert_int_equal(recorder_count(&a->facts, "key_backup"), 2);

	const char *blob = recorder_text(&a->facts, recorder_last(&a->facts, "key_backup"), "blob");
	struct sp_key_set *keys = sp_alloc(sizeof(*keys));
	struct sp_refused refused;
	assert_int_equal(sp_seal_open((uint8_t *)text, &length, &code, blob, strlen(blob)), 0);
	assert_int_equal(sp_backup_read(keys, &refused, text, length), 0);
	assert_int_equal(sp_keys_replace(b->keys, keys), 0);
	assert_int_equal(sp_subject_merge(b->subject, refused.persons, refused.count), 0);
	sp_refused_free(&refused);

	// The old board's events, as they might stand at the hub, are found under the same pseudonyms.
	for (size_t i = 0; i < a->count; i++)
		b->events[b->count++] = sp_strdup(a->events[i]);
	assert_true(refuses(b, "18"));
	assert_false(refuses(b, "17"));
	assert_int_equal(forget(b, "17", false), 0);
	commit(b);
	assert_int_equal(recorder_number(&b->facts, 0, "erased"), 3);
	free(keys);
	free(text);
	scrap(a);
	scrap(b);
}

static void a_back_up_holds_the_latest_refusals_that_fit(void **state)
{
	(void)state;
	struct sp_key_set *keys = sp_alloc(sizeof(*keys)), *again = sp_alloc(sizeof(*again));
	struct sp_refused refused = {0}, read;
	char *text = sp_alloc(SP_SEAL_DATA_MAX + 1);
	keys->count = 1;
	keys->years[0].year = 2026;
	for (uint16_t i = 0; i < 1000; i++) {
		uint8_t digest[SP_REFUSED_DIGEST] = {(uint8_t)(i >> 8), (uint8_t)i};
		assert_int_equal(sp_refused_add(&refused, digest), 0);
	}
	size_t length = sp_backup_write(keys, &refused, text);
	assert_in_range(length, SP_SEAL_DATA_MAX - 50, SP_SEAL_DATA_MAX);
	assert_int_equal(sp_backup_read(again, &read, text, length), 0);
	assert_int_equal(again->years[0].year, 2026);
	assert_true(read.count > 250);
	assert_memory_equal(read.persons[0], refused.persons[999], SP_REFUSED_DIGEST);
	sp_refused_free(&read);
	for (size_t cut = 1; cut < 60; cut++) {
		int result = sp_backup_read(again, &read, text, length - cut);
		assert_int_equal(result, cut % 41 == 0 ? 0 : -EBADMSG);
		sp_refused_free(&read);
	}
	sp_refused_free(&refused);
	free(keys);
	free(again);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_person_is_forgotten_under_every_year),
	    cmocka_unit_test(what_a_crash_interrupts_is_finished),
	    cmocka_unit_test(an_export_holds_the_persons_events_and_no_others),
	    cmocka_unit_test(a_broken_list_is_not_taken_for_an_empty_one),
	    cmocka_unit_test(rights_outlive_the_board),
	    cmocka_unit_test(a_back_up_holds_the_latest_refusals_that_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
