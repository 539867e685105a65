// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The zk4370 driver and a simulated terminal in a process of its own (tests/peers/zk4370.py): whole visits
// over TCP and UDP, and terminals that lie, break off, or are another one.
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_io.h"

enum { MINUTE_MS = 60 * 1000 };

struct terminal {
	pid_t pid;
	FILE *in, *out;
	char port[16];
	char last[512]; ///< its last words
};

static void terminal_start(struct terminal *terminal, const char *options, unsigned count)
{
	int in[2], out[2];
	char number[16];
	snprintf(number, sizeof(number), "%u", count);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	terminal->pid = fork();
	if (terminal->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl("/usr/bin/python3", "python3", "-B", PEER, "--options", options, "--count", number,
		      (char *)NULL);
		_exit(127);
	}
	assert_true(terminal->pid > 0);
	close(in[0]);
	close(out[1]);
	terminal->in = fdopen(in[1], "w");
	terminal->out = fdopen(out[0], "r");
	assert_non_null(fgets(terminal->port, sizeof(terminal->port), terminal->out));
}

/// It tells what was done to it: nothing may have been written.
static void terminal_end(struct terminal *terminal)
{
	fclose(terminal->in);
	assert_non_null(fgets(terminal->last, sizeof(terminal->last), terminal->out));
	fclose(terminal->out);
	assert_int_equal(waitpid(terminal->pid, NULL, 0), terminal->pid);
	if (!strstr(terminal->last, "\"written\": []"))
		fail_msg("%s", terminal->last);
}

static struct sp_device *device(const struct terminal *terminal, const char *options)
{
	char text[512];
	snprintf(text, sizeof(text), "host = 127.0.0.1\nport = %sspread = 0s\n%s", terminal->port, options);
	struct sp_device *dev = fake_new(&sp_driver_zk4370, "phong 2", text);
	dev->kiosk.wall_ms = (int64_t)time(NULL) * 1000;
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

/// A visit, in real time, until its round is over. Every punch is committed at once.
static void visit(struct sp_device *dev)
{
	fake_poll(dev);
	for (unsigned i = 0; i < 60000 && dev->round; i++) {
		fake_ready(dev);
		fake_commit(dev, 0);
		usleep(100);
	}
	assert_false(dev->round);
}

static void whole_visit(const char *peer, const char *options, unsigned count)
{
	struct terminal terminal;
	terminal_start(&terminal, peer, count);
	struct sp_device *dev = device(&terminal, options);
	visit(dev);
	if (dev->rounds_ok != 1 || dev->kiosk.punch_count != count)
		fail_msg("%s: %zu of %u, %s %s", peer, dev->kiosk.punch_count, count, dev->reason, dev->text);
	for (unsigned i = 0; i < count; i++) {
		const struct fake_punch *punch = fake_punch(dev, i);
		char pin[16];
		snprintf(pin, sizeof(pin), "%u", 1001 + i % 7);
		assert_string_equal(punch->person, pin);
		assert_int_equal(punch->punch.kind, SP_PERSON_PIN);
		assert_false(punch->punch.live);
		if (i > 0)
			assert_int_equal(punch->punch.kiosk_ms - fake_punch(dev, i - 1)->punch.kiosk_ms,
					 MINUTE_MS);
	}
	assert_int_equal(dev->kiosk.health.records, count);
	assert_int_equal(dev->kiosk.health.capacity, 100000);
	assert_int_equal(dev->kiosk.health.users, count < 7 ? count : 7);
	assert_int_equal(dev->kiosk.health.refused, 0);
	assert_string_equal(dev->kiosk.firmware, "Ver 6.60 Apr 28 2017");
	assert_string_equal(dev->kiosk.model, "SYN-K40");
	fake_free(dev);
	terminal_end(&terminal);
	assert_non_null(strstr(terminal.last, "\"visits\": 1, \"goodbyes\": 1"));
}

static void test_sizes(void **state)
{
	(void)state;
	for (unsigned size = 8; size <= 40; size = size == 16 ? 40 : 2 * size) {
		char peer[64];
		snprintf(peer, sizeof(peer), "{\"size\": %u}", size);
		whole_visit(peer, "", 3);    // at once
		whole_visit(peer, "", 1000); // 40 KB: in one part
	}
	whole_visit("{\"size\": 40}", "", 4000); // in three
}

static void test_ways(void **state)
{
	(void)state;
	whole_visit("{\"split\": 7}", "", 300);
	whole_visit("{\"merged\": true}", "", 3000);
	whole_visit("{\"merged\": true, \"split\": 1500, \"announces\": false}", "", 3000);
	whole_visit("{\"bad_checksum\": true}", "", 100);
	whole_visit("{\"comm_key\": 1234}", "comm_key = 1234\n", 100);
	whole_visit("{\"serial\": \"\"}", "serial = SYN4370000001\n", 5);
}

static void test_udp(void **state)
{
	(void)state;
	whole_visit("{\"transport\": \"udp\"}", "transport = udp\n", 5);
	whole_visit("{\"transport\": \"udp\", \"size\": 16}", "transport = udp\n", 500);
	whole_visit("{\"transport\": \"udp\", \"announces\": false, \"double\": 0.2}", "transport = udp\n",
		    500);
}

/// Datagrams are lost in both directions: time passes, questions are asked again, the log is whole.
static void test_udp_loss(void **state)
{
	(void)state;
	struct terminal terminal;
	terminal_start(&terminal, "{\"transport\": \"udp\", \"lose\": 0.03, \"double\": 0.05}", 400);
	struct sp_device *dev = device(&terminal, "transport = udp\n");
	fake_poll(dev);
	for (unsigned i = 0; i < 60000 && dev->round; i++) {
		size_t before = dev->kiosk.punch_count;
		unsigned quiet = 0;
		for (; quiet < 50 && dev->round && dev->kiosk.punch_count == before; quiet++) {
			fake_ready(dev);
			fake_commit(dev, 0);
			usleep(200);
		}
		// Nothing for 10 ms: the driver's patience is over.
		if (dev->round)
			fake_run(dev, 100, false);
	}
	assert_int_equal(dev->rounds_ok, 1);
	assert_int_equal(fake_committed(dev), 400);
	fake_free(dev);
	terminal_end(&terminal);
}

static void failed_visit(const char *peer, const char *options, const char *reason, const char *text)
{
	struct terminal terminal;
	terminal_start(&terminal, peer, 50);
	struct sp_device *dev = device(&terminal, options);
	visit(dev);
	if (dev->rounds_failed != 1 || strcmp(dev->reason, reason) != 0 || !strstr(dev->text, text))
		fail_msg("%s: %s, %s", peer, dev->reason, dev->text);
	assert_int_equal(dev->kiosk.punch_count, 0);
	assert_int_equal(dev->kiosk.total_count, 0);
	// Before `retry` nobody is there again.
	fake_run(dev, 29 * MINUTE_MS, true);
	assert_true(dev->rounds_failed > 1);
	fake_free(dev);
	terminal_end(&terminal);
	assert_non_null(strstr(terminal.last, "\"visits\": 1"));
}

static void test_failures(void **state)
{
	(void)state;
	failed_visit("{\"comm_key\": 1234}", "comm_key = 1235\n", "wrong_key", "key");
	failed_visit("{}", "serial = SYN0000000000\n", "protocol", "another terminal");
	failed_visit("{\"serial\": \"\"}", "", "protocol", "serial");
	failed_visit("{\"byte_count\": 1999}", "", "protocol", "no sense");
	failed_visit("{\"empty\": true}", "", "protocol", "empty");
	failed_visit("{\"cut_after\": 4}", "", "protocol", "closes");
	failed_visit("{\"cut_after\": 8}", "", "protocol", "closes");
}

/// The count that a terminal tells of its records decides nothing.
static void test_wrong_count(void **state)
{
	(void)state;
	static const unsigned counts[] = {1, 49, 51, 125, 250, 100000};
	for (size_t i = 0; i < SP_COUNT(counts); i++) {
		char peer[64];
		struct terminal terminal;
		snprintf(peer, sizeof(peer), "{\"advertised\": %u}", counts[i]);
		terminal_start(&terminal, peer, 50);
		struct sp_device *dev = device(&terminal, "");
		visit(dev);
		assert_int_equal(dev->rounds_ok, 1);
		assert_int_equal(dev->kiosk.punch_count, 50);
		assert_int_equal(dev->kiosk.health.records, counts[i]);
		fake_free(dev);
		terminal_end(&terminal);
	}
}

/// The next night every event is known; the terminal's clock is judged each time; its days are counted.
static void test_nights(void **state)
{
	(void)state;
	struct terminal terminal;
	terminal_start(&terminal, "{\"clock_error\": 95.0}", 3000);
	struct sp_device *dev = device(&terminal, "status_is_direction = yes\n");
	visit(dev);
	assert_true(dev->kiosk.health.clock_error_s > 92 && dev->kiosk.health.clock_error_s < 98);
	assert_int_equal(fake_punch(dev, 0)->punch.direction, SP_PUNCH_IN);
	assert_int_equal(fake_punch(dev, 1)->punch.direction, SP_PUNCH_OUT);
	assert_int_equal(fake_punch(dev, 1)->punch.method, SP_PUNCH_BY_FINGER);
	int64_t sum = 0;
	unsigned totals = dev->kiosk.total_count;
	assert_in_range(totals, 2, 3); // 3000 minutes, without today
	for (unsigned i = 0; i < totals; i++)
		sum += dev->kiosk.totals[i].count;
	assert_in_range(sum, 1440, 3000);
	assert_int_equal(fake_committed(dev), 3000);
	unsigned ok = dev->rounds_ok;
	while (dev->kiosk.punch_count == 3000) { // the hours to 02:30 go by
		fake_run(dev, MINUTE_MS, !dev->round);
		for (unsigned i = 0; i < 60000 && dev->round; i++) {
			fake_ready(dev);
			fake_commit(dev, 0);
			usleep(100);
		}
	}
	assert_int_equal(dev->kiosk.punch_count, 6000);
	assert_int_equal(fake_committed(dev), 3000);
	assert_true(dev->rounds_ok > ok);
	assert_true(dev->now_us <= INT64_C(1000000) * (1000 + 24 * 3600 + 120));
	fake_free(dev);
	terminal_end(&terminal);
	assert_non_null(strstr(terminal.last, "\"visits\": 2, \"goodbyes\": 2"));
}

/// A full journal is waited for; one that fails ends the visit, and the next one brings it all again.
static void test_journal(void **state)
{
	(void)state;
	struct terminal terminal;
	terminal_start(&terminal, "{}", 200);
	struct sp_device *dev = device(&terminal, "");
	dev->kiosk.result = -ENOBUFS;
	fake_poll(dev);
	for (unsigned i = 0; i < 20000 && dev->kiosk.healths == 0; i++) {
		fake_ready(dev);
		usleep(100);
	}
	assert_true(dev->round);
	fake_run(dev, 3000, false);
	assert_true(dev->round);
	dev->kiosk.result = 0;
	fake_run(dev, 1000, false);
	assert_int_equal(dev->kiosk.punch_count, 64); // so many at a time
	assert_int_equal(fake_commit(dev, -EROFS), 64);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "journal");
	assert_int_equal(dev->kiosk.total_count, 0);
	fake_run(dev, 30 * MINUTE_MS, false);
	visit(dev);
	assert_int_equal(fake_committed(dev), 200);
	dev->kiosk.result = -EPERM;
	fake_run(dev, 25 * 60 * MINUTE_MS, false);
	visit(dev);
	assert_string_equal(dev->reason, "not_allowed");
	fake_free(dev);
	terminal_end(&terminal);
}

/// Nobody there; and a stop in the middle of a visit, and of handing over.
static void test_silence_and_stop(void **state)
{
	(void)state;
	struct terminal terminal;
	terminal_start(&terminal, "{}", 500);
	struct sp_device *dev = device(&terminal, "");
	fake_poll(dev);
	fake_ready(dev);
	fake_free(dev);
	dev = device(&terminal, "");
	fake_poll(dev);
	for (unsigned i = 0; i < 20000 && dev->kiosk.punch_count == 0; i++) {
		fake_ready(dev);
		usleep(100);
	}
	assert_int_equal(dev->kiosk.punch_count, 64);
	fake_free(dev);
	kill(terminal.pid, SIGSTOP);
	dev = device(&terminal, "");
	fake_poll(dev);
	fake_ready(dev);
	fake_run(dev, 20 * 1000, false);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "timeout");
	kill(terminal.pid, SIGCONT);
	fake_free(dev);
	terminal_end(&terminal);
	dev = device(&terminal, "");
	visit(dev);
	assert_string_equal(dev->reason, "refused");
	fake_free(dev);
}

static void test_check(void **state)
{
	(void)state;
	static const struct {
		const char *options, *key;
	} cases[] = {
	    {"host = terminal.example", "host"},          {"host = 192.0.2.7\nat = 24:00", "at"},
	    {"host = 192.0.2.7\nat = 2:300", "at"},       {"host = 192.0.2.7\ntime_zone = VN7", "time_zone"},
	    {"host = 192.0.2.7\nserial = a b", "serial"}, {"host = 2001:db8::7\nat = 00:00", NULL},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = fake_new(&sp_driver_zk4370, "x", cases[i].options);
		const char *key = NULL;
		char why[256] = "";
		int result = dev->driver->check(dev->conf, &key, why, sizeof(why));
		if (!cases[i].key != !result)
			fail_msg("%s: %d %s", cases[i].options, result, why);
		if (result)
			assert_string_equal(key, cases[i].key);
		fake_free(dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_ways),
	    cmocka_unit_test(test_udp),
	    cmocka_unit_test(test_udp_loss),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_wrong_count),
	    cmocka_unit_test(test_nights),
	    cmocka_unit_test(test_journal),
	    cmocka_unit_test(test_silence_and_stop),
	    cmocka_unit_test(test_check),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
