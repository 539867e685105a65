// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ports on which kiosks push, under those who mean no good: a kiosk is served all the while.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "schoolpulse/err.h"
#include "tests/unit/core/listen_bench.h"

enum { BAD = 300 };

#define POST "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"

static uint16_t open_gate(void)
{
	gates[0].answer_at_once = true;
	return gates_listen();
}

/// A request and its answer on this connection.
static void is_served(int fd)
{
	char answer[512];
	say(fd, POST);
	if (!hear(fd, answer, sizeof(answer), "taken"))
		fail_msg("a kiosk was not served: %s", answer);
}

static bool is_closed(int fd)
{
	char c;
	turns(3);
	return recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void a_crowd_costs_itself_its_places(void **state)
{
	(void)state;
	// By what they began with, then from one address, from many, or from the kiosk's own.
	static const char *const begun[] = {"", "GET /a HT", "POST /a HTTP/1.1\r\nHost: x\r\nX: y\r\n",
					    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nslow"};
	uint16_t port = open_gate();
	for (size_t i = 0; i < SP_COUNT(begun); i++) {
		for (unsigned from = 0; from < 3; from++) {
			int bad[BAD], closed = 0;
			for (unsigned j = 0; j < BAD; j++) {
				bad[j] = dial_from(from == 0 ? 66 : from == 1 ? 50 + j % 150 : 9, port);
				say(bad[j], begun[i]);
				turns(1);
				if (j % 30 == 29) {
					int good = dial_from(9, port);
					is_served(good);
					close(good);
				}
			}
			for (unsigned j = 0; j < BAD; j++) {
				closed += is_closed(bad[j]);
				close(bad[j]);
			}
			// Only so many have their place.
			assert_in_range(closed, BAD - 132, BAD - 122);
			turns(20);
		}
	}
}

static void a_kiosk_that_is_at_it_keeps_its_place(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	char answer[512];
	int bad[BAD], body = dial_from(9, port), waits = dial_from(9, port);
	say(body, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
	say(waits, POST);
	for (int n = 0; !(gates[0].wholes && gates[0].begins > 1) && n < 10000; n++)
		turns(1);
	struct sp_http_inbound *waiting = gates[0].last;
	ahead_us += 5 * 1000000; // the kiosk is slow, the others come quick
	for (unsigned j = 0; j < BAD; j++) {
		bad[j] = dial_from(50 + j % 150, port);
		say(bad[j], "GET /a HT");
		turns(1);
	}
	ahead_us += 2 * 1000000;
	gates[0].answer_at_once = true;
	say(body, "again");
	assert_true(hear(body, answer, sizeof(answer), "taken"));
	gates[0].last = waiting;
	gate_reply(&gates[0], 200, "at last");
	assert_true(hear(waits, answer, sizeof(answer), "at last"));
	for (unsigned j = 0; j < BAD; j++)
		close(bad[j]);
	close(body);
	close(waits);
}

static void an_idle_kiosk_outlasts_those_that_ask_nothing(void **state)
{
	(void)state;
	uint16_t port = open_gate();
	int bad[BAD], kiosk[20];
	for (unsigned i = 0; i < SP_COUNT(kiosk); i++) { // all behind one address
		kiosk[i] = dial_from(9, port);
		is_served(kiosk[i]);
	}
	ahead_us += 3 * 1000000;
	for (unsigned j = 0; j < BAD; j++) {
		bad[j] = dial_from(50 + j % 150, port);
		turns(1);
		if (j == 100)
			ahead_us += 2 * 1000000;
	}
	for (unsigned i = 0; i < SP_COUNT(kiosk); i++) {
		is_served(kiosk[i]);
		close(kiosk[i]);
	}
	for (unsigned j = 0; j < BAD; j++)
		close(bad[j]);
}

static void who_drips_is_cut(void **state)
{
	(void)state;
	uint16_t port = open_gate();
	char answer[512];
	int head = dial_from(66, port), body = dial_from(66, port), pieces = dial_from(9, port);
	say(head, "POST /a HTTP/1.1\r\nHost: x\r\n");
	say(body, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n");
	say(pieces, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 12000\r\n\r\n");
	char kib[1025];
	memset(kib, 'x', 1024);
	kib[1024] = '\0';
	turns(20);
	for (int i = 0; i < 5; i++) {
		ahead_us += 5 * 1000000;
		say(head, "X-Slow: a\r\n");
		say(body, "x"); // a byte now and then
		say(pieces, kib);
		turns(20);
	}
	assert_true(is_closed(head));
	assert_true(is_closed(body));
	assert_false(is_closed(pieces)); // slow, as a school's Wi-Fi may be
	for (int i = 5; i < 12; i++) {
		ahead_us += 5 * 1000000;
		kib[i == 11 ? 12000 - 11 * 1024 : 1024] = '\0';
		say(pieces, kib);
		turns(20);
	}
	assert_true(hear(pieces, answer, sizeof(answer), "taken"));
	// An idle connection goes, too; one whose answer never comes is cut.
	ahead_us += 21 * 1000000;
	assert_false(hear(pieces, answer, sizeof(answer), NULL));
	gates[0].answer_at_once = false;
	int never = dial_from(9, port);
	say(never, POST);
	for (int n = 0; gates[0].wholes < 2 && n < 10000; n++)
		turns(1);
	ahead_us += 59 * 1000000;
	is_served((gates[0].answer_at_once = true, body = (close(body), dial_from(9, port))));
	assert_false(is_closed(never));
	ahead_us += 2 * 1000000;
	assert_false(hear(never, answer, sizeof(answer), NULL));
	assert_string_equal(answer, "");
	close(head);
	close(body);
	close(pieces);
	close(never);
}

static void heads_are_bounded(void **state)
{
	(void)state;
	static const char *const fills[] = {"X-Long: ", "X-%u: a\r\n", "Cookie: a\r\n ", "%u"};
	uint16_t port = open_gate();
	char *bomb = malloc(100000);
	assert_non_null(bomb);
	for (size_t i = 0; i < SP_COUNT(fills); i++) {
		size_t at = (size_t)sprintf(bomb, i == 3 ? "GET /a?" : "GET /a HTTP/1.1\r\nHost: x\r\n");
		for (unsigned n = 0; at < 90000; n++) {
			if (i == 0 && n > 0)
				bomb[at++] = 'a';
			else if (i == 1)
				at += (size_t)sprintf(bomb + at, "X-%u: a\r\n", n);
			else if (i == 3)
				at += (size_t)sprintf(bomb + at, "%u=%u&", n, n);
			else
				at += (size_t)sprintf(bomb + at, "%s", fills[i]);
		}
		int fd = dial_from(66, port), good = dial_from(9, port);
		char answer[1024];
		pour(fd, bomb, at, 100, NULL);
		is_served(good);
		hear(fd, answer, sizeof(answer), NULL);
		assert_true(answer[0] == '\0' || answer[9] == '4');
		close(fd);
		close(good);
	}
	assert_int_equal(gates[0].wholes, SP_COUNT(fills));
	free(bomb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LISTEN_TEST(a_crowd_costs_itself_its_places),
	    LISTEN_TEST(a_kiosk_that_is_at_it_keeps_its_place),
	    LISTEN_TEST(an_idle_kiosk_outlasts_those_that_ask_nothing),
	    LISTEN_TEST(who_drips_is_cut),
	    LISTEN_TEST(heads_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
