// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Commands on a board: done once, whatever comes again and whenever the power goes; refused with a reason; or
// dropped in silence.
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
#include "agent/core/commands.h"
#include "tests/unit/core/loop_virtual.h"
#include "tests/unit/core/recorder_list.h"

#define NOW_MS INT64_C(1795366800000)
#define DAY_MS (24 * INT64_C(3600000))

static struct sp_loop *loop;
static struct recorder_list records;
static struct sp_commands *commands;
static struct sp_sign_key *key, *other;
static char *card, *card_held;        ///< what is durable
static char *unwritten;               ///< what is on its way there
static sp_journal_done_fn written_fn; ///< who waits for that
static void *written_arg;
static bool slow_card;
static int card_error;
static int begun;
static struct sp_command last;
static char word[] = "speedtest", *allowed[] = {word};
static struct sp_strings allow = {1, allowed};

static int put(void *arg, const char *name, const char *value, sp_journal_done_fn done, void *done_arg)
{
	(void)arg;
	if (strcmp(name, "commands_held") == 0) {
		assert_null(done);
		free(card_held);
		card_held = value ? sp_strdup(value) : NULL;
		return 0;
	}
	assert_string_equal(name, "commands");
	if (slow_card) {
		unwritten = sp_strdup(value);
		written_fn = done;
		written_arg = done_arg;
		return 0;
	}
	if (!card_error) {
		free(card);
		card = sp_strdup(value);
	}
	if (done)
		done(done_arg, card_error);
	return 0;
}

static char *get(void *arg, const char *name)
{
	(void)arg;
	const char *value = strcmp(name, "commands") == 0 ? card : card_held;
	return value ? sp_strdup(value) : NULL;
}

static void speedtest(void *arg, const struct sp_command *command)
{
	(void)arg;
	begun++;
	last = *command;
}

static struct sp_sign_key *new_key(void)
{
	char file[] = "/tmp/sp-commands-XXXXXX", why[SP_SIGN_WHY];
	struct sp_buf pem = SP_BUF(1024);
	int fd = mkstemp(file);
	assert_true(fd >= 0);
	close(fd);
	unlink(file);
	assert_int_equal(sp_sign_generate(file, &pem, why), 0);
	struct sp_sign_key *made = sp_sign_private(file, why);
	unlink(file);
	sp_buf_free(&pem);
	return made;
}

/// The board starts (again): all but the card is forgotten.
static void start(void)
{
	sp_commands_free(commands);
	commands = sp_commands_new(&(struct sp_commands_config){.loop = loop,
								.recorder = &records.base,
								.shard = "hcm",
								.device = "board-1",
								.key = key,
								.allow = &allow,
								.put = put,
								.get = get,
								.speedtest = speedtest});
}

static int set_up(void **state)
{
	(void)state;
	loop = sp_loop_virtual_new();
	sp_loop_virtual_wall(loop, NOW_MS);
	recorder_list_init(&records);
	key = new_key();
	other = new_key();
	begun = 0;
	card_error = 0;
	slow_card = false;
	allow.count = 1;
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_commands_free(commands);
	commands = NULL;
	recorder_list_clear(&records);
	sp_loop_virtual_free(loop);
	sp_sign_free(key);
	sp_sign_free(other);
	free(card);
	free(card_held);
	card = card_held = NULL;
	return 0;
}

static struct sp_command order(char last_letter)
{
	struct sp_command command = {.id = "aaaaaaaaaaaaaaaaaaaaaaaaaa",
				     .shard = "hcm",
				     .dev = "board-1",
				     .command = "speedtest",
				     .issued_ms = NOW_MS,
				     .expires_ms = NOW_MS + 600000};
	command.id[SP_ID_LENGTH - 1] = last_letter;
	return command;
}

static void send_by(const struct sp_sign_key *by, const struct sp_command *command)
{
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX);
	assert_int_equal(sp_command_seal(&wire, command, by), 0);
	sp_commands_message(commands, wire.data, wire.length);
	sp_loop_virtual_run(loop, 0);
	sp_buf_free(&wire);
}

static void send(const struct sp_command *command)
{
	send_by(key, command);
}

static void expect_last(const char *outcome, const char *reason)
{
	size_t at = recorder_last(&records, "command");
	assert_string_equal(recorder_text(&records, at, "outcome"), outcome);
	assert_string_equal(recorder_text(&records, at, "reason"), reason);
}

static void test_one_is_done_once(void **state)
{
	(void)state;
	struct sp_command command = order('b');
	strcpy(command.device, "neo");
	command.direction = SP_COMMAND_DOWN;
	send(&command);
	assert_int_equal(begun, 1);
	assert_string_equal(last.device, "neo");
	expect_last("accepted", "");
	send(&command);
	sp_commands_over(commands, command.id, true, "", "");
	expect_last("done", "");
	sp_commands_over(commands, command.id, true, "", "");
	send(&command);
	start();
	send(&command);
	sp_loop_virtual_wall(loop, NOW_MS + 3600000); // expired by now, and still known
	send(&command);
	sp_loop_virtual_wall(loop, NOW_MS + 10 * DAY_MS);
	send(&command); // forgotten by now, and of long ago
	assert_int_equal(begun, 1);
	assert_int_equal(recorder_count(&records, "command"), 2);
}

static void test_the_card_comes_first(void **state)
{
	(void)state;
	struct sp_command command = order('b');
	slow_card = true;
	send(&command);
	assert_int_equal(begun, 0);
	assert_int_equal(recorder_count(&records, "command"), 0);
	slow_card = false;
	card = unwritten;
	written_fn(written_arg, 0);
	assert_int_equal(begun, 1);
	// The power goes while it is done: never again, and it is told.
	start();
	expect_last("failed", "cancelled");
	send(&command);
	start();
	assert_int_equal(begun, 1);
	assert_int_equal(recorder_count(&records, "command"), 2);
}

static void test_a_card_that_fails(void **state)
{
	(void)state;
	struct sp_command command = order('b');
	card_error = -ENOSPC;
	send(&command);
	assert_int_equal(begun, 0);
	assert_int_equal(recorder_count(&records, "command"), 0);
	card_error = 0;
	send(&command); // sent again
	assert_int_equal(begun, 1);
}

static void test_refusals(void **state)
{
	(void)state;
	struct sp_command command = order('b');
	command.expires_ms = NOW_MS - 1;
	send(&command);
	expect_last("refused", "expired");
	command = order('c');
	strcpy(command.command, "reboot");
	send(&command);
	expect_last("refused", "unknown_command");
	command = order('d');
	command.expires_ms = NOW_MS + 31 * DAY_MS;
	send(&command);
	expect_last("refused", "arguments");
	allow.count = 0;
	command = order('e');
	send(&command);
	expect_last("refused", "not_allowed");
	// Each is told once.
	send(&command);
	start();
	send(&command);
	assert_int_equal(recorder_count(&records, "command"), 4);
	assert_int_equal(begun, 0);
}

static void test_what_is_dropped_in_silence(void **state)
{
	(void)state;
	struct sp_command command = order('b');
	char *card_before = card;
	send_by(other, &command);
	strcpy(command.shard, "hanoi");
	send(&command);
	command = order('b');
	strcpy(command.dev, "board-2");
	send(&command);
	command = order('b');
	command.expires_ms = NOW_MS - 3 * DAY_MS;
	send(&command);
	static char large[SP_COMMAND_MESSAGE_MAX + 1];
	sp_commands_message(commands, large, sizeof(large));
	sp_commands_message(commands, NULL, 0);
	sp_commands_message(commands, "{\"v\":1}", 7);
	sp_loop_virtual_run(loop, 0);
	assert_int_equal(begun, 0);
	assert_int_equal(recorder_count(&records, "command"), 0);
	assert_ptr_equal(card, card_before);
}

static void test_the_clock_is_waited_for(void **state)
{
	(void)state;
	sp_loop_virtual_wall(loop, 0);
	for (char letter = 'a'; letter < 'a' + SP_COMMANDS_HELD + 3; letter++) {
		struct sp_command command = order(letter);
		if (letter == 'c')
			command.expires_ms = NOW_MS - 1;
		send(&command);
		send(&command);
	}
	sp_commands_look(commands);
	assert_int_equal(begun, 0);
	sp_loop_virtual_wall(loop, NOW_MS);
	sp_commands_look(commands);
	sp_commands_look(commands);
	assert_int_equal(begun, SP_COMMANDS_HELD - 1);
	assert_int_equal(recorder_count(&records, "command"), SP_COMMANDS_HELD);
}

static void test_what_waits_for_the_clock_outlives_the_agent(void **state)
{
	(void)state;
	struct sp_command command = order('a');
	sp_loop_virtual_wall(loop, 0);
	send(&command);
	assert_non_null(card_held);
	start();
	sp_commands_look(commands);
	assert_int_equal(begun, 0);
	sp_loop_virtual_wall(loop, NOW_MS);
	sp_commands_look(commands);
	assert_int_equal(begun, 1);
	assert_null(card_held);
	start();
	sp_commands_look(commands);
	assert_int_equal(begun, 1);
	// Nobody's signature, no text, no list: none is done.
	static const char *const texts[] = {"", "{", "7", "[7,null,\"{}\"]"};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		free(card_held);
		card_held = sp_strdup(texts[i]);
		start();
		sp_commands_look(commands);
	}
	assert_int_equal(begun, 1);
}

static void test_a_flood_is_bounded(void **state)
{
	(void)state;
	// More than is kept: the oldest that expired make room; while none has, the rest is dropped.
	struct sp_command command = order('a');
	for (int i = 0; i < SP_COMMANDS_KEPT + 50; i++) {
		command.id[0] = (char)('a' + i % 26);
		command.id[1] = (char)('a' + i / 26);
		send(&command);
		sp_commands_over(commands, command.id, false, "busy", "");
	}
	assert_int_equal(begun, SP_COMMANDS_KEPT);
	sp_loop_virtual_wall(loop, NOW_MS + 700000);
	command.expires_ms = NOW_MS + 800000;
	command.id[2] = 'z';
	send(&command);
	assert_int_equal(begun, SP_COMMANDS_KEPT + 1);
	start();
	send(&command);
	assert_int_equal(begun, SP_COMMANDS_KEPT + 1);
	assert_true(strlen(card) < 64 * 1024);
	// And what nobody has looked at yet.
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX);
	assert_int_equal(sp_command_seal(&wire, &command, other), 0);
	for (int i = 0; i < 10000; i++)
		sp_commands_message(commands, wire.data, wire.length);
	sp_loop_virtual_run(loop, 0);
	sp_buf_free(&wire);
}

static void test_nonsense_on_the_card(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "",
	    "{",
	    "7",
	    "[7,null,{}]",
	    "[{\"id\":\"x\",\"expires_ms\":1}]",
	    "[{\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaab\",\"expires_ms\":1e400}]",
	    "[{\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaab\",\"expires_ms\":-1,\"running\":\"speedtest\"}]"};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		free(card);
		card = sp_strdup(texts[i]);
		start();
		struct sp_command command = order((char)('b' + (int)i));
		send(&command);
		assert_int_equal(begun, i + 1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_one_is_done_once),
	    TEST(test_the_card_comes_first),
	    TEST(test_a_card_that_fails),
	    TEST(test_refusals),
	    TEST(test_what_is_dropped_in_silence),
	    TEST(test_the_clock_is_waited_for),
	    TEST(test_what_waits_for_the_clock_outlives_the_agent),
	    TEST(test_nonsense_on_the_card),
	    TEST(test_a_flood_is_bounded),
	    TEST(test_nonsense_on_the_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
