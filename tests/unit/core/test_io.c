// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What io.h gives to drivers, on the real loop against real peers on loopback: datagrams, handshakes,
// HTTP, timers and watches; deadlines and cancelling included.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/core/device.h"
#include "tests/unit/core/recorder_list.h"

// ---- one device that does nothing by itself ----------------------------------------------------------

static struct sp_loop *loop;
static struct sp_devices *devices;
static struct sp_device *dev;
static struct recorder_list records;

static int start(struct sp_device *device)
{
	(void)device;
	return 0;
}

static void stop(struct sp_device *device)
{
	(void)device;
}

static const struct sp_driver driver = {.name = "idle", .cls = SP_DRIVER_GEAR, .start = start, .stop = stop};

static int set_up(void **state)
{
	(void)state;
	static char line[] = "";
	static const char conf[1];
	recorder_list_init(&records);
	if (sp_loop_uv_new(&loop))
		return -1;
	devices = sp_devices_new(&(struct sp_devices_config){.loop = loop, .recorder = &records.base});
	struct sp_device_common common = {.line = line, .enabled = true};
	dev = sp_devices_add(devices, &driver, "a", &common, conf);
	sp_devices_start(devices);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_devices_stop(devices);
	sp_devices_free(devices);
	sp_loop_uv_free(loop);
	recorder_list_clear(&records);
	return 0;
}

/// Ends the run when something never calls back.
static void give_up(void *arg)
{
	(void)arg;
	fail_msg("nothing came back");
}

static void run_loop(void)
{
	struct sp_loop_timer *timer = sp_loop_timer_new(loop, give_up, NULL);
	sp_loop_timer_start(loop, timer, 60000);
	sp_loop_uv_run(loop);
	sp_loop_timer_free(loop, timer);
}

// ---- peers -------------------------------------------------------------------------------------------

static int bound_socket(int type, struct sp_endpoint *out)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*out = (struct sp_endpoint){0};
	memcpy(&out->address, &address, sizeof(address));
	return fd;
}

struct answers {
	int fd;
	const char *const *texts; ///< sent in order to the first who asks; ends with NULL
};

static void *answer_datagrams(void *arg)
{
	struct answers *answers = arg;
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	char question[64];
	if (recvfrom(answers->fd, question, sizeof(question), 0, (struct sockaddr *)&from, &size) > 0)
		for (const char *const *text = answers->texts; *text; text++)
			sendto(answers->fd, *text, strlen(*text), 0, (struct sockaddr *)&from, size);
	return NULL;
}

// ---- what came back ---------------------------------------------------------------------------------

struct outcome {
	int calls, result;
	char data[64];
	size_t length;
	int64_t elapsed_us;
	bool inside; ///< the call that asked has not returned yet
	struct sp_exchange *exchange;
};

static void done(struct sp_device *device, int result, const uint8_t *data, size_t length, int64_t elapsed_us,
		 void *arg)
{
	struct outcome *outcome = arg;
	assert_ptr_equal(device, dev);
	assert_false(outcome->inside);
	outcome->calls++;
	outcome->result = result;
	outcome->elapsed_us = elapsed_us;
	outcome->length = length;
	if (length > 0)
		memcpy(outcome->data, data, length < 63 ? length : 63);
	sp_exchange_cancel(outcome->exchange); // of itself: nothing happens
	sp_loop_uv_stop(loop);
}

static bool wants_right(const uint8_t *data, size_t length, void *arg)
{
	(void)arg;
	return length == 5 && memcmp(data, "right", 5) == 0;
}

static void test_a_datagram_gets_its_answer(void **state)
{
	(void)state;
	static const char *const texts[] = {"wrong", "nonsense", "right", "late", NULL};
	struct sp_endpoint peer;
	struct answers answers = {.fd = bound_socket(SOCK_DGRAM, &peer), .texts = texts};
	pthread_t thread;
	pthread_create(&thread, NULL, answer_datagrams, &answers);
	struct outcome outcome = {.inside = true};
	outcome.exchange =
	    sp_udp_exchange(dev, &peer, (const uint8_t *)"?", 1, 30000, wants_right, done, &outcome);
	outcome.inside = false;
	run_loop();
	pthread_join(thread, NULL);
	close(answers.fd);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.result, 0);
	assert_string_equal(outcome.data, "right");
	assert_true(outcome.elapsed_us >= 0);
}

static void test_only_the_peer_may_answer(void **state)
{
	(void)state;
	struct sp_endpoint peer, stranger;
	int fd = bound_socket(SOCK_DGRAM, &peer), other = bound_socket(SOCK_DGRAM, &stranger);
	struct outcome outcome = {0};
	outcome.exchange = sp_udp_exchange(dev, &peer, (const uint8_t *)"?", 1, 300, NULL, done, &outcome);
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	char question[8];
	assert_int_equal(recvfrom(fd, question, sizeof(question), 0, (struct sockaddr *)&from, &size), 1);
	assert_int_equal(sendto(other, "right", 5, 0, (struct sockaddr *)&from, size), 5);
	run_loop();
	close(fd);
	close(other);
	assert_int_equal(outcome.result, -ETIMEDOUT);
	assert_int_equal(outcome.length, 0);
}

static void test_nobody_there_is_refused(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	close(bound_socket(SOCK_DGRAM, &peer));
	struct outcome outcome = {0};
	outcome.exchange = sp_udp_exchange(dev, &peer, (const uint8_t *)"?", 1, 30000, NULL, done, &outcome);
	run_loop();
	assert_int_equal(outcome.result, -ECONNREFUSED);
}

static void test_an_interface_that_is_not_there(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	assert_int_equal(sp_endpoint_parse(&peer, "127.0.0.1:9", 0), 0);
	strcpy(peer.interface, "nosuch0");
	struct outcome outcome = {.inside = true};
	outcome.exchange = sp_udp_exchange(dev, &peer, (const uint8_t *)"?", 1, 30000, NULL, done, &outcome);
	outcome.inside = false;
	run_loop();
	assert_int_equal(outcome.calls, 1);
	assert_true(outcome.result == -ENODEV || outcome.result == -EPERM);
}

static void test_a_handshake(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	int fd = bound_socket(SOCK_STREAM, &peer);
	listen(fd, 1);
	struct outcome outcome = {.inside = true};
	outcome.exchange = sp_tcp_connect(dev, &peer, 30000, done, &outcome);
	outcome.inside = false;
	run_loop();
	assert_int_equal(outcome.result, 0);
	close(fd);
	outcome = (struct outcome){0};
	outcome.exchange = sp_tcp_connect(dev, &peer, 30000, done, &outcome);
	run_loop();
	assert_int_equal(outcome.result, -ECONNREFUSED);
}

static void test_a_handshake_that_never_ends(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	int fd = bound_socket(SOCK_STREAM, &peer);
	listen(fd, 0);
	// A full backlog: further SYNs are dropped without a word.
	int fill[8];
	for (size_t i = 0; i < SP_COUNT(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fill[i], (struct sockaddr *)&peer.address, sizeof(struct sockaddr_in)) < 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	struct outcome outcome = {0};
	outcome.exchange = sp_tcp_connect(dev, &peer, 200, done, &outcome);
	run_loop();
	assert_int_equal(outcome.result, -ETIMEDOUT);
	assert_true(outcome.elapsed_us >= 190000);
	for (size_t i = 0; i < SP_COUNT(fill); i++)
		close(fill[i]);
	close(fd);
}

static void leave(struct sp_device *device, void *arg)
{
	(void)device;
	(void)arg;
	sp_loop_uv_stop(loop);
}

static void test_a_cancelled_exchange_stays_silent(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	int fd = bound_socket(SOCK_DGRAM, &peer);
	struct outcome outcome = {0};
	sp_exchange_cancel(sp_udp_exchange(dev, &peer, (const uint8_t *)"?", 1, 1, NULL, done, &outcome));
	sp_exchange_cancel(NULL);
	struct sp_timer *timer = sp_timer_new(dev, leave, NULL);
	sp_timer_start(timer, 50);
	run_loop();
	assert_int_equal(outcome.calls, 0);
	sp_timer_free(timer);
	close(fd);
}

static void test_what_is_left_open_is_closed_by_the_core(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	int fd = bound_socket(SOCK_DGRAM, &peer), pipes[2];
	struct outcome outcome = {0};
	assert_int_equal(pipe(pipes), 0);
	assert_non_null(sp_udp_exchange(dev, &peer, (const uint8_t *)"?", 1, 30000, NULL, done, &outcome));
	assert_non_null(sp_tcp_connect(dev, &peer, 30000, done, &outcome));
	assert_non_null(sp_timer_new(dev, leave, NULL));
	assert_non_null(sp_watch_new(dev, pipes[0], SP_READABLE, NULL, NULL));
	sp_devices_stop(devices); // a leak of memory or descriptors is the sanitizer's to see
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	assert_int_equal(outcome.calls, 0);
}

static unsigned seen;

static void on_pipe(struct sp_device *device, int fd, unsigned events, void *arg)
{
	(void)device;
	char byte;
	struct sp_watch **watch = arg;
	seen |= events;
	assert_int_equal(read(fd, &byte, 1), 1);
	sp_watch_free(*watch); // inside its own callback
	sp_loop_uv_stop(loop);
}

static void test_a_watch_sees_its_descriptor(void **state)
{
	(void)state;
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	struct sp_watch *watch = sp_watch_new(dev, pipes[0], 0, on_pipe, &watch);
	assert_non_null(watch);
	sp_watch_events(watch, SP_READABLE);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	seen = 0;
	run_loop();
	assert_int_equal(seen, SP_READABLE);
	close(pipes[0]);
	close(pipes[1]);
	assert_null(sp_watch_new(dev, -1, SP_READABLE, on_pipe, NULL));
	assert_true(errno != 0);
}

// ---- HTTP ----------------------------------------------------------------------------------------------

struct page {
	int fd;
	const char *text;
};

static void *serve_one(void *arg)
{
	struct page *page = arg;
	int peer = accept(page->fd, NULL, NULL);
	char request[2048];
	if (recv(peer, request, sizeof(request), 0) > 0)
		send(peer, page->text, strlen(page->text), MSG_NOSIGNAL);
	close(peer);
	return NULL;
}

struct http_outcome {
	int calls, result;
	long status;
	char location[64], body[64];
	bool inside;
};

static void http_done(struct sp_device *device, const struct sp_http_answer *answer, void *arg)
{
	struct http_outcome *outcome = arg;
	assert_ptr_equal(device, dev);
	assert_false(outcome->inside);
	outcome->calls++;
	outcome->result = answer->result;
	outcome->status = answer->status;
	snprintf(outcome->location, sizeof(outcome->location), "%s", answer->location);
	snprintf(outcome->body, sizeof(outcome->body), "%.*s", (int)answer->length,
		 (const char *)answer->body);
	sp_loop_uv_stop(loop);
}

static struct http_outcome get(const char *text, size_t max_bytes)
{
	struct sp_endpoint peer;
	struct page page = {.fd = bound_socket(SOCK_STREAM, &peer), .text = text};
	listen(page.fd, 4);
	char url[64];
	snprintf(url, sizeof(url), "http://anchor.invalid:%d/x",
		 ntohs(((struct sockaddr_in *)&peer.address)->sin_port));
	pthread_t thread;
	pthread_create(&thread, NULL, serve_one, &page);
	struct sp_http_request request = {
	    .url = url, .resolve = "127.0.0.1", .timeout_ms = 30000, .max_bytes = max_bytes};
	struct http_outcome outcome = {.inside = true};
	assert_non_null(sp_http_get(dev, &request, http_done, &outcome));
	outcome.inside = false;
	run_loop();
	pthread_join(thread, NULL);
	close(page.fd);
	assert_int_equal(outcome.calls, 1);
	return outcome;
}

static void test_http(void **state)
{
	(void)state;
	struct http_outcome outcome = get("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong", 100);
	assert_int_equal(outcome.result, 0);
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome.body, "pong");
	outcome =
	    get("HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/\r\nContent-Length: 0\r\n\r\n", 100);
	assert_int_equal(outcome.status, 302);
	assert_string_equal(outcome.location, "http://portal.invalid/");
	outcome = get("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", 8);
	assert_int_equal(outcome.result, -EMSGSIZE);
}

static void test_http_cancelled_or_left_open(void **state)
{
	(void)state;
	struct sp_endpoint peer;
	int fd = bound_socket(SOCK_STREAM, &peer);
	listen(fd, 4);
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/",
		 ntohs(((struct sockaddr_in *)&peer.address)->sin_port));
	struct sp_http_request request = {.url = url, .timeout_ms = 30000, .max_bytes = 10};
	struct http_outcome outcome = {0};
	sp_http_cancel(sp_http_get(dev, &request, http_done, &outcome));
	sp_http_cancel(NULL);
	assert_non_null(sp_http_get(dev, &request, http_done, &outcome));
	struct sp_timer *timer = sp_timer_new(dev, leave, NULL);
	sp_timer_start(timer, 50);
	run_loop(); // the transfer is under way now
	sp_devices_stop(devices);
	assert_int_equal(outcome.calls, 0);
	close(fd);
}

// ---- addresses -----------------------------------------------------------------------------------------

static void test_endpoints(void **unused)
{
	(void)unused;
	static const struct {
		const char *text, *host;
		int port; ///< -1: refused
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", 53},
	    {"192.0.2.1:80", "192.0.2.1", 80},
	    {"192.0.2.1:65535", "192.0.2.1", 65535},
	    {"2001:db8::1", "2001:db8::1", 53},
	    {"::", "::", 53},
	    {"[2001:db8::1]", "2001:db8::1", 53},
	    {"[2001:db8::1]:8080", "2001:db8::1", 8080},
	    {"fe80::1%lo", "fe80::1", 53},
	    {"", NULL, -1},
	    {"example.org", NULL, -1},
	    {"192.0.2", NULL, -1},
	    {"192.0.2.256", NULL, -1},
	    {"192.0.2.1:", NULL, -1},
	    {"192.0.2.1:0", NULL, -1},
	    {"192.0.2.1:65536", NULL, -1},
	    {"192.0.2.1:80x", NULL, -1},
	    {"192.0.2.1:99999999999", NULL, -1},
	    {"[2001:db8::1", NULL, -1},
	    {"[2001:db8::1]80", NULL, -1},
	    {"[192.0.2.1]:80", NULL, -1},
	    {"fe80::1%nosuch0", NULL, -1},
	    {":::", NULL, -1},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_endpoint endpoint;
		char host[INET6_ADDRSTRLEN];
		int result = sp_endpoint_parse(&endpoint, cases[i].text, 53);
		if ((result == 0) != (cases[i].port >= 0))
			fail_msg("%s: %d", cases[i].text, result);
		if (result)
			continue;
		assert_string_equal(sp_endpoint_host(&endpoint, host, sizeof(host)), cases[i].host);
		in_port_t port = endpoint.address.ss_family == AF_INET
				     ? ((struct sockaddr_in *)&endpoint.address)->sin_port
				     : ((struct sockaddr_in6 *)&endpoint.address)->sin6_port;
		assert_int_equal(ntohs(port), cases[i].port);
	}
	char longer[300];
	memset(longer, '1', sizeof(longer));
	longer[299] = '\0';
	struct sp_endpoint endpoint;
	assert_int_equal(sp_endpoint_parse(&endpoint, longer, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_datagram_gets_its_answer, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_only_the_peer_may_answer, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_nobody_there_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_an_interface_that_is_not_there, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_handshake, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_handshake_that_never_ends, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_cancelled_exchange_stays_silent, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_is_left_open_is_closed_by_the_core, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_watch_sees_its_descriptor, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_http, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_http_cancelled_or_left_open, set_up, tear_down),
	    cmocka_unit_test(test_endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
