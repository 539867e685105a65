// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Ports on which kiosks push: whose a request is, answers that come later, bodies that wait, and ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "schoolpulse/err.h"
#include "tests/unit/core/listen_bench.h"

enum { LARGE = 6 * 1024 * 1024 };

// ---- answers ------------------------------------------------------------------------------------------

static void an_answer_may_come_later(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	char answer[1024];
	int fd = dial_from(7, port);
	for (unsigned i = 1; i <= 2; i++) { // on one connection
		say(fd, "POST /a%2Fb%20c?SN=X%31&t=+ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
		for (int n = 0; gates[0].wholes < i && n < 10000; n++)
			turns(1);
		assert_int_equal(gates[0].wholes, i);
		assert_string_equal(gates[0].method, "POST");
		assert_string_equal(gates[0].path, "/a/b c");
		assert_string_equal(gates[0].query, "X1");
		assert_string_equal(gates[0].peer, "127.0.0.7");
		turns(100);
		assert_true(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) < 0);
		assert_int_equal(gates[0].gones, i - 1);
		gate_reply(&gates[0], 200, "committed");
		gate_reply(&gates[0], 500, "again"); // is none
		assert_true(hear(fd, answer, sizeof(answer), "committed"));
		has(answer, "200", "Content-Type: text/plain");
		turns(3);
		assert_int_equal(gates[0].gones, i);
	}
	assert_int_equal(gates[0].bytes, 10);
	assert_int_equal(gates[1].begins, 0);
	close(fd);
}

static void a_head_may_be_answered_at_once(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	gates[0].reply_in_head = "not yet";
	has(ask(port, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxxxx"), "503",
	    "not yet");
	assert_int_equal(gates[0].begins + gates[0].wholes + gates[0].pieces, 0);
	assert_int_equal(gates[0].gones, 1);
}

static void all_kinds_of_clients_are_served(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	char answer[1024];
	gates[0].answer_at_once = true;
	has(ask(port, "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nok"), "200", "taken");
	has(ask(port, "GET /a HTTP/1.0\r\n\r\n"), "200", "taken");
	has(ask(port, "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
	    "200", "taken");
	assert_int_equal(gates[0].bytes, 4);
	assert_int_equal(gates[0].sum, sum_of(0, "okok", 4));
	int fd = dial_from(1, port);
	say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	assert_true(hear(fd, answer, sizeof(answer), "100 Continue\r\n\r\n"));
	say(fd, "ok");
	assert_true(hear(fd, answer, sizeof(answer), "taken"));
	close(fd);
}

static void a_date_is_told_only_where_asked_and_known(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	gates[0].answer_at_once = true;
	has(ask(port, "GET /a HTTP/1.0\r\n\r\n"), "200", "Date: Sun, 22 Nov 2026 23:58:41 GMT\r\n");
	clock_synced = false;
	assert_null(strstr(ask(port, "GET /a HTTP/1.0\r\n\r\n"), "Date:"));
	clock_synced = true;
	gates[1].prefix = "/never";
	const char *answer = ask(port, "GET /x HTTP/1.0\r\n\r\n"); // our own answers have none
	has(answer, "404", "not here");
	assert_null(strstr(answer, "Date:"));
}

static void a_cut_has_no_answer(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	char answer[256];
	int fd = dial_from(1, port);
	say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
	for (int n = 0; !gates[0].wholes && n < 10000; n++)
		turns(1);
	sp_http_inbound_cut(gates[0].last);
	assert_false(hear(fd, answer, sizeof(answer), NULL));
	assert_string_equal(answer, "");
	turns(5);
	assert_int_equal(gates[0].gones, 1);
	close(fd);
	// In the middle of a body, paused or not.
	for (size_t pause = 0; pause < 2; pause++) {
		gates[0].pause_after = pause;
		gates[0].pieces = 0;
		fd = dial_from(1, port);
		say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nok");
		for (int n = 0; !gates[0].pieces && n < 10000; n++)
			turns(1);
		sp_http_inbound_cut(gates[0].last);
		assert_false(hear(fd, answer, sizeof(answer), NULL));
		assert_string_equal(answer, "");
		turns(5);
		assert_int_equal(gates[0].gones, 2 + pause);
		close(fd);
	}
}

// ---- bodies -------------------------------------------------------------------------------------------

static char *large_body(bool chunked, size_t *length, uint32_t *sum)
{
	char *body = malloc(LARGE * 2), *at = body;
	assert_non_null(body);
	at += sprintf(at, "POST /a HTTP/1.1\r\nHost: x\r\n");
	if (chunked)
		at += sprintf(at, "Transfer-Encoding: chunked\r\n\r\n");
	else
		at += sprintf(at, "Content-Length: %d\r\n\r\n", LARGE);
	uint32_t random = 1;
	*sum = 0;
	for (size_t left = LARGE; left > 0;) {
		size_t piece = chunked ? 1 + random % 300 : left;
		piece = piece < left ? piece : left;
		if (chunked)
			at += sprintf(at, "%zx\r\n", piece);
		for (size_t i = 0; i < piece; i++) {
			random = random * 1664525 + 1013904223;
			at[i] = (char)(random >> 24);
		}
		*sum = sum_of(*sum, at, piece);
		at += piece;
		left -= piece;
		if (chunked)
			at += sprintf(at, "\r\n");
	}
	if (chunked)
		at += sprintf(at, "0\r\n\r\n");
	*length = (size_t)(at - body);
	return body;
}

static void a_body_that_is_paused_waits_in_the_peer(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	for (int chunked = 0; chunked <= 1; chunked++) {
		size_t length, sent;
		uint32_t sum;
		char *body = large_body(chunked, &length, &sum), answer[1024];
		int fd = dial_from(1, port);
		gates[0].pause_after = 1;
		gates[0].answer_at_once = true;
		gates[0].pieces = gates[0].bytes = gates[0].sum = 0;
		assert_false(pour(fd, body, length, 200, &sent));
		assert_int_equal(gates[0].pieces, 1);
		assert_true(sent < length);
		size_t resumes = 0;
		while (gates[0].pause_after) {
			if (++resumes == 50)
				gates[0].pause_after = 0;
			size_t before = gates[0].pieces, more;
			sp_http_inbound_resume(gates[0].last);
			pour(fd, body + sent, length - sent, 5, &more);
			sent += more;
			if (gates[0].pieces != before + 1 && gates[0].pause_after)
				fail_msg("%zu pieces after %zu, chunked %d, resumes %zu", gates[0].pieces,
					 before, chunked, resumes);
		}
		assert_true(sent == length || pour(fd, body + sent, length - sent, 100000, &sent));
		assert_true(hear(fd, answer, sizeof(answer), "taken"));
		assert_int_equal(gates[0].bytes, LARGE);
		assert_int_equal(gates[0].sum, sum);
		close(fd);
		free(body);
	}
}

static void the_end_waits_too(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	char answer[256];
	int fd = dial_from(1, port);
	gates[0].pause_after = 1;
	gates[0].answer_at_once = true;
	say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
	for (int n = 0; !gates[0].pieces && n < 10000; n++)
		turns(1);
	turns(100);
	assert_int_equal(gates[0].wholes, 0);
	sp_http_inbound_resume(gates[0].last);
	assert_true(hear(fd, answer, sizeof(answer), "taken"));
	close(fd);
}

static void an_early_answer_ends_the_body(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	size_t length, sent;
	uint32_t sum;
	char answer[1024], *body = large_body(true, &length, &sum);
	// Soon over: the answer is seen.
	gates[0].reply_after = 3;
	has(ask(port, "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\nabcdef"),
	    "400", "enough");
	int fd = dial_from(1, port);
	gates[0].bytes = 0;
	gates[0].reply_after = 1;
	say(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\na");
	for (int n = 0; gates[0].bytes < 1 && n < 10000; n++)
		turns(1);
	say(fd, "bcdef");
	assert_true(hear(fd, answer, sizeof(answer), "enough"));
	assert_int_equal(gates[0].bytes, 1);
	assert_int_equal(gates[0].wholes, 0);
	close(fd);
	// Without end: cut.
	fd = dial_from(1, port);
	gates[0].reply_after = 1;
	assert_false(pour(fd, body, length, 1000, &sent));
	assert_false(hear(fd, answer, sizeof(answer), NULL));
	assert_int_equal(gates[0].gones, 3);
	close(fd);
	free(body);
}

static void bodies_are_bounded(void **state)
{
	(void)state;
	struct sp_http_listener_config config = {.address = "127.0.0.1", .max_body = 1000};
	gates[0].prefix = "/a";
	gates[0].answer_at_once = true;
	assert_int_equal(gate_listen(0, &config), 0);
	uint16_t port = sp_http_listener_port(gates[0].listener);
	has(ask(port, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nConnection: close\r\n\r\n"),
	    "413", "too large");
	assert_int_equal(gates[0].pieces + gates[0].wholes, 0);
	assert_int_equal(gates[0].gones, 1);
	size_t length, sent;
	uint32_t sum;
	char answer[1024], *body = large_body(true, &length, &sum);
	int fd = dial_from(1, port);
	assert_false(pour(fd, body, length, 1000, &sent));
	assert_false(hear(fd, answer, sizeof(answer), NULL));
	assert_true(gates[0].bytes <= 1000);
	assert_int_equal(gates[0].gones, 2);
	close(fd);
	free(body);
}

// ---- sharing ------------------------------------------------------------------------------------------

static void the_head_decides_whose_it_is(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	gates[0].answer_at_once = gates[1].answer_at_once = true;
	has(ask(port, "GET /a HTTP/1.0\r\n\r\n"), "200", "taken");
	assert_int_equal(gates[0].wholes, 1);
	has(ask(port, "GET /b HTTP/1.0\r\n\r\n"), "200", "taken");
	assert_int_equal(gates[1].wholes, 1);
	// Who takes what nobody wants comes last, whatever the order.
	gates[0].prefix = NULL;
	gates[1].prefix = "/b";
	has(ask(port, "GET /b HTTP/1.0\r\n\r\n"), "200", "taken");
	assert_int_equal(gates[1].wholes, 2);
	has(ask(port, "GET /c HTTP/1.0\r\n\r\n"), "200", "taken");
	assert_int_equal(gates[0].wholes, 2);
	gates[0].prefix = "/a";
	has(ask(port, "PUT /c HTTP/1.1\r\nHost: x\r\n\r\n"), "404", "Connection: close");
	assert_int_equal(gates[0].wholes + gates[1].wholes, 4);
}

static void tricks_reach_no_device(void **state)
{
	(void)state;
	static const char *const paths[] = {"/a/../b", "/a/%2e%2E/b", "/a/./b",     "/a%00b", "/a%0d%0a",
					    "/a%01",   "a",           "http://x/a", "*",      "/a%2500/../b"};
	uint16_t port = gates_listen();
	char request[4096];
	gates[0].answer_at_once = gates[1].answer_at_once = true;
	for (size_t i = 0; i < SP_COUNT(paths); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", paths[i]);
		const char *answer = ask(port, request);
		if (answer[0] == '\0' || answer[9] != '4')
			fail_msg("%s: %s", paths[i], answer);
	}
	snprintf(request, sizeof(request), "GET /a%01500d HTTP/1.0\r\n\r\n", 0);
	has(ask(port, request), "414", "too long");
	assert_int_equal(gates[0].claims + gates[1].claims, 0);
	has(ask(port, "GET //a%%zz%2 HTTP/1.0\r\n\r\n"), "200", "taken"); // odd, but no trick
	assert_string_equal(gates[1].path, "//a%%zz%2");
}

static void who_leaves_takes_its_requests_along(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	char answer[256];
	int a = dial_from(1, port), half = dial_from(1, port), b = dial_from(1, port);
	say(a, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	gates[0].pause_after = 1;
	say(half, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nok");
	say(b, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int n = 0; !(gates[0].wholes && gates[0].pieces && gates[1].wholes) && n < 10000; n++)
		turns(1);
	sp_http_listener_free(gates[0].listener);
	assert_false(hear(a, answer, sizeof(answer), NULL));
	assert_string_equal(answer, "");
	assert_false(hear(half, answer, sizeof(answer), NULL));
	assert_int_equal(gates[0].gones, 0);
	gate_reply(&gates[1], 200, "still here");
	assert_true(hear(b, answer, sizeof(answer), "still here"));
	gates[1].prefix = "/b";
	has(ask(port, "GET /a HTTP/1.0\r\n\r\n"), "404", "");
	say(b, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int n = 0; gates[1].wholes < 2 && n < 10000; n++)
		turns(1);
	// The last one closes the port, with a request that waits.
	sp_http_listener_free(gates[1].listener);
	assert_false(hear(b, answer, sizeof(answer), NULL));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	close(a);
	close(half);
	close(b);
	// It can be opened anew at once.
	struct sp_http_listener_config config = {.address = "127.0.0.1", .port = port};
	assert_int_equal(gate_listen(0, &config), 0);
}

static void a_device_may_end_with_requests_open(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	int fd = dial_from(1, port);
	say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int n = 0; !gates[0].wholes && n < 10000; n++)
		turns(1);
	close(fd); // tear_down() ends the rest
}

static void mistakes_are_told(void **state)
{
	(void)state;
	uint16_t port = gates_listen();
	struct sp_http_listener_config taken = {.address = "127.0.0.2", .port = port};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000002)};
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(gate_listen(0, &taken), EADDRINUSE);
	close(fd);
	struct sp_http_listener_config other = {
	    .address = "127.0.0.1", .port = port, .cert_file = "/nowhere", .key_file = "/nowhere"};
	assert_int_equal(gate_listen(0, &other), EADDRINUSE);
	other.port = 0;
	assert_int_equal(gate_listen(0, &other), ENOENT);
	other.cert_file = other.key_file = "/proc/self/cmdline";
	assert_int_equal(gate_listen(0, &other), EINVAL);
	other.cert_file = other.key_file = "/proc/version"; // text, but no certificate
	assert_int_not_equal(gate_listen(0, &other), 0);
	struct sp_http_listener_config nowhere = {.address = "192.0.2.1"};
	assert_int_equal(gate_listen(0, &nowhere), EADDRNOTAVAIL);
}

static void every_address_means_both_families(void **state)
{
	(void)state;
	struct sp_http_listener_config config = {0};
	gates[0].prefix = "/a";
	gates[0].answer_at_once = true;
	assert_int_equal(gate_listen(0, &config), 0);
	uint16_t port = sp_http_listener_port(gates[0].listener);
	has(ask(port, "GET /a HTTP/1.0\r\n\r\n"), "200", "taken");
	assert_string_equal(gates[0].peer, "127.0.0.1");
	struct sockaddr_in6 to = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		print_message("no IPv6 here\n");
	} else {
		char answer[256];
		say(fd, "GET /a HTTP/1.0\r\n\r\n");
		hear(fd, answer, sizeof(answer), NULL);
		has(answer, "200", "taken");
		assert_string_equal(gates[0].peer, "::1");
	}
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LISTEN_TEST(an_answer_may_come_later),
	    LISTEN_TEST(a_head_may_be_answered_at_once),
	    LISTEN_TEST(all_kinds_of_clients_are_served),
	    LISTEN_TEST(a_date_is_told_only_where_asked_and_known),
	    LISTEN_TEST(a_cut_has_no_answer),
	    LISTEN_TEST(a_body_that_is_paused_waits_in_the_peer),
	    LISTEN_TEST(the_end_waits_too),
	    LISTEN_TEST(an_early_answer_ends_the_body),
	    LISTEN_TEST(bodies_are_bounded),
	    LISTEN_TEST(the_head_decides_whose_it_is),
	    LISTEN_TEST(tricks_reach_no_device),
	    LISTEN_TEST(who_leaves_takes_its_requests_along),
	    LISTEN_TEST(a_device_may_end_with_requests_open),
	    LISTEN_TEST(mistakes_are_told),
	    LISTEN_TEST(every_address_means_both_families),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
