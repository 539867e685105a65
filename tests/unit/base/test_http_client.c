// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a server that does what its test wants: right, wrong, endless, silent.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "agent/base/http_client.h"
#include "agent/base/mem.h"

enum { FDS = 256, PEERS = 64 };

/// The owner's loop and the server's side of every connection, in one thread.
struct world {
	struct sp_http_client *client;
	unsigned wanted[FDS]; ///< by descriptor
	int64_t due_ms;       ///< -1: no timer
	int listener;
	uint16_t port;
	struct {
		int fd;
		char request[2048];
		size_t length;
		bool asked;
		void (*serve)(int fd); ///< again and again, once the request is there
	} peers[PEERS];
	size_t peer_count;
	void (*serve)(int fd); ///< for new connections
};

struct result {
	struct world *world;
	int calls, result;
	long status;
	char error[300], location[300], body[2048];
	size_t length;
	void (*then)(struct result *result);
	struct sp_http_transfer *transfer;
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void watch(void *arg, int fd, unsigned events)
{
	struct world *world = arg;
	assert_in_range(fd, 0, FDS - 1);
	world->wanted[fd] = events;
}

static void timer(void *arg, int64_t delay_ms)
{
	struct world *world = arg;
	world->due_ms = delay_ms < 0 ? -1 : now_ms() + delay_ms;
}

static const struct sp_http_loop loop = {watch, timer};

static int set_up(void **state)
{
	struct world *world = sp_alloc(sizeof(*world));
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t size = sizeof(here);
	world->due_ms = -1;
	world->client = sp_http_client_new(&loop, world);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(world->listener, (struct sockaddr *)&here, size) || listen(world->listener, 64) ||
	    getsockname(world->listener, (struct sockaddr *)&here, &size))
		return -1;
	world->port = ntohs(here.sin_port);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	sp_http_client_free(world->client);
	for (int i = 0; i < FDS; i++)
		assert_int_equal(world->wanted[i], 0);
	assert_int_equal(world->due_ms, -1);
	for (size_t i = 0; i < world->peer_count; i++)
		close(world->peers[i].fd);
	close(world->listener);
	free(world);
	return 0;
}

static void serve(struct world *world)
{
	int fd = accept4(world->listener, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0) {
		assert_true(world->peer_count < PEERS);
		world->peers[world->peer_count].fd = fd;
		world->peers[world->peer_count++].serve = world->serve;
	}
	for (size_t i = 0; i < world->peer_count; i++) {
		if (!world->peers[i].asked) {
			ssize_t got =
			    recv(world->peers[i].fd, world->peers[i].request + world->peers[i].length,
				 sizeof(world->peers[i].request) - 1 - world->peers[i].length, 0);
			world->peers[i].length += got > 0 ? (size_t)got : 0;
			world->peers[i].asked = strstr(world->peers[i].request, "\r\n\r\n");
		} else if (world->peers[i].serve) {
			world->peers[i].serve(world->peers[i].fd);
		}
	}
}

/// One round of the loop, at most a few milliseconds.
static void turn(struct world *world)
{
	struct pollfd fds[FDS];
	nfds_t count = 0;
	serve(world);
	for (int i = 0; i < FDS; i++) {
		if (world->wanted[i])
			fds[count++] = (struct pollfd){
			    .fd = i,
			    .events = (short)((world->wanted[i] & SP_READABLE ? POLLIN : 0) |
					      (world->wanted[i] & SP_WRITABLE ? POLLOUT : 0))};
	}
	poll(fds, count, 2);
	for (nfds_t i = 0; i < count; i++) {
		unsigned seen = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) ? SP_READABLE : 0) |
				(fds[i].revents & POLLOUT ? SP_WRITABLE : 0);
		if (seen && world->wanted[fds[i].fd])
			sp_http_client_ready(world->client, fds[i].fd, seen);
	}
	if (world->due_ms >= 0 && now_ms() >= world->due_ms) {
		world->due_ms = -1;
		sp_http_client_expired(world->client);
	}
}

static void done(void *arg, const struct sp_http_answer *answer)
{
	struct result *r = arg;
	r->calls++;
	r->result = answer->result;
	r->status = answer->status;
	r->length = answer->length;
	snprintf(r->error, sizeof(r->error), "%s", answer->error);
	snprintf(r->location, sizeof(r->location), "%s", answer->location);
	snprintf(r->body, sizeof(r->body), "%.*s", (int)answer->length, (const char *)answer->body);
	assert_true((answer->result == 0) == (answer->error[0] == '\0'));
	assert_true(answer->elapsed_us >= 0);
	if (r->then)
		r->then(r);
}

static void wait_for(struct world *world, struct result *r)
{
	int64_t until = now_ms() + 30000;
	while (r->calls == 0 && now_ms() < until)
		turn(world);
	assert_int_equal(r->calls, 1);
}

static void begin(struct world *world, struct result *r, struct sp_http_request request, void (*with)(int fd))
{
	char url[64];
	*r = (struct result){.world = world, .then = r->then};
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/path?q=1", world->port);
	if (!request.url)
		request.url = url;
	if (!request.timeout_ms)
		request.timeout_ms = 20000;
	world->serve = with;
	r->transfer = sp_http_transfer_get(world->client, &request, done, r);
	assert_int_equal(r->calls, 0); // never from within
}

static struct result get(struct world *world, struct sp_http_request request, void (*with)(int fd))
{
	struct result r = {0};
	begin(world, &r, request, with);
	wait_for(world, &r);
	return r;
}

static void say(int fd, const char *text)
{
	ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL);
	(void)ignored;
}

static void say_and_close(int fd, const char *text)
{
	say(fd, text);
	shutdown(fd, SHUT_WR);
}

// ---- good answers --------------------------------------------------------------------------------------

static void hello(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
}

static void a_good_answer_comes_whole(void **state)
{
	struct world *world = *state;
	// The environment's proxy must not be asked.
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	struct result r = get(world, (struct sp_http_request){.max_bytes = 5}, hello);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	assert_int_equal(r.result, 0);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "hello");
	assert_int_equal(strncmp(world->peers[0].request, "GET /path?q=1 HTTP/1.1\r\n", 24), 0);
	assert_non_null(strstr(world->peers[0].request, "User-Agent: SchoolPulse/"));
}

static void an_address_may_stand_in_for_the_name(void **state)
{
	struct world *world = *state;
	char url[80], host[60];
	snprintf(url, sizeof(url), "http://speed.example.org:%u/", world->port);
	struct result r =
	    get(world, (struct sp_http_request){.url = url, .resolve = "127.0.0.1", .max_bytes = 100}, hello);
	assert_int_equal(r.result, 0);
	snprintf(host, sizeof(host), "Host: speed.example.org:%u\r\n", world->port);
	assert_non_null(strstr(world->peers[0].request, host));
	// The next one with that name knows nothing of it.
	r = get(world, (struct sp_http_request){.url = url, .resolve = "::1", .max_bytes = 100}, hello);
	assert_true(r.result == -ECONNREFUSED || r.result == -EADDRNOTAVAIL || r.result == -ENETUNREACH);
}

static void redirect(int fd)
{
	say_and_close(fd, "HTTP/1.1 302 Found\r\nLocation: /login?x=1\r\nContent-Length: 0\r\n\r\n");
}

static void a_redirect_is_told_and_not_followed(void **state)
{
	struct world *world = *state;
	char wanted[80];
	struct result r = get(world, (struct sp_http_request){.max_bytes = 100}, redirect);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.status, 302);
	snprintf(wanted, sizeof(wanted), "http://127.0.0.1:%u/login?x=1", world->port);
	assert_string_equal(r.location, wanted);
	assert_int_equal(world->peer_count, 1);
}

static void an_interface_may_be_named(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.interface = "lo", .max_bytes = 100}, hello);
	assert_int_equal(r.result, 0);
	r = get(world, (struct sp_http_request){.interface = "nosuch0", .max_bytes = 100}, hello);
	assert_int_equal(r.result, -ENODEV);
}

// ---- bad peers -----------------------------------------------------------------------------------------

static void long_and_announced(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
}

static void long_and_not_announced(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n123456");
}

static void endless_chunks(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	first = fd;
	say(fd, "10\r\n0123456789abcdef\r\n");
}

static void endless_head(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\n");
	first = fd;
	say(fd,
	    "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void endless_line(int fd)
{
	static char line[8192];
	memset(line, 'x', sizeof(line) - 1);
	say(fd, line);
}

static void endless_continue(int fd)
{
	say(fd, "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n");
}

static void bodies_are_bounded(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.max_bytes = 5}, long_and_announced);
	assert_int_equal(r.result, -EMSGSIZE);
	r = get(world, (struct sp_http_request){.max_bytes = 5}, long_and_not_announced);
	assert_int_equal(r.result, -EMSGSIZE);
	assert_non_null(strstr(r.error, "longer than 5 bytes"));
	r = get(world, (struct sp_http_request){.max_bytes = 6}, long_and_not_announced);
	assert_int_equal(r.result, 0);
	r = get(world, (struct sp_http_request){.max_bytes = 0}, hello);
	assert_int_equal(r.result, -EMSGSIZE);
	r = get(world, (struct sp_http_request){.max_bytes = 100000}, endless_chunks);
	assert_int_equal(r.result, -EMSGSIZE);
}

static void heads_are_bounded(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.max_bytes = 5}, endless_head);
	assert_int_equal(r.result, -EPROTO);
	assert_non_null(strstr(r.error, "header"));
	r = get(world, (struct sp_http_request){.max_bytes = 5}, endless_continue);
	assert_int_equal(r.result, -EPROTO);
	assert_non_null(strstr(r.error, "header"));
	r = get(world, (struct sp_http_request){.max_bytes = 5}, endless_line);
	assert_true(r.result < 0);
}

static void drip(int fd)
{
	static int first;
	if (fd != first)
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	first = fd;
	say(fd, ".");
}

static void silent(int fd)
{
	(void)fd;
}

static void time_is_bounded(void **state)
{
	struct world *world = *state;
	struct result r = get(world, (struct sp_http_request){.max_bytes = 1000000, .timeout_ms = 200}, drip);
	assert_int_equal(r.result, -ETIMEDOUT);
	assert_int_equal(r.status, 200);
	r = get(world, (struct sp_http_request){.max_bytes = 5, .timeout_ms = 100}, silent);
	assert_int_equal(r.result, -ETIMEDOUT);
	assert_int_equal(r.status, 0);
}

static void no_http(int fd)
{
	say_and_close(fd, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void hang_up(int fd)
{
	shutdown(fd, SHUT_WR);
}

static void cut_short(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel");
}

static void bad_length(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello");
}

static void bad_chunk(int fd)
{
	say_and_close(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n");
}

static void wrong_answers_are_told_apart(void **state)
{
	struct world *world = *state;
	static const struct {
		void (*serve)(int fd);
		int result;
	} cases[] = {{no_http, -EPROTO},
		     {hang_up, -ECONNRESET},
		     {cut_short, -ECONNRESET},
		     {bad_length, -EPROTO},
		     {bad_chunk, 0}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct result r = get(world, (struct sp_http_request){.max_bytes = 1000}, cases[i].serve);
		if (cases[i].result ? r.result != cases[i].result : r.result >= 0)
			fail_msg("case %zu: %d: %s", i, r.result, r.error);
		assert_true(r.error[0] != '\0');
	}
}

static void tls_failures_have_words(void **state)
{
	struct world *world = *state;
	char url[64];
	struct result r = {0};
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", world->port);
	begin(world, &r, (struct sp_http_request){.url = url, .max_bytes = 100}, NULL);
	while (world->peer_count == 0)
		turn(world);
	say_and_close(world->peers[0].fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
	wait_for(world, &r);
	assert_int_equal(r.result, -EPROTO);
	assert_non_null(strstr(r.error, "SSL"));
}

static void nobody_there(void **state)
{
	struct world *world = *state;
	char url[64];
	close(world->listener);
	world->listener = -1;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", world->port);
	struct result r = get(world, (struct sp_http_request){.url = url}, NULL);
	assert_int_equal(r.result, -ECONNREFUSED);
	assert_string_equal(r.error, "Connection refused");
	r = get(world, (struct sp_http_request){.url = "http://no-such-host.invalid/"}, NULL);
	assert_int_equal(r.result, -ENOENT);
	assert_true(r.error[0] != '\0');
}

static void urls_that_are_none_fail_later(void **state)
{
	struct world *world = *state;
	static const char *const urls[] = {"",
					   "http://",
					   "file:///etc/passwd",
					   "ftp://127.0.0.1/",
					   "gopher://x/",
					   "://",
					   "http://127.0.0.1:99999/"};
	for (size_t i = 0; i < SP_COUNT(urls); i++) {
		struct result r = get(world, (struct sp_http_request){.url = urls[i], .max_bytes = 10}, NULL);
		if (r.result != -EINVAL)
			fail_msg("%s: %d: %s", urls[i], r.result, r.error);
	}
}

// ---- life ------------------------------------------------------------------------------------------------

static void cancelling_is_silent(void **state)
{
	struct world *world = *state;
	struct result r = {0}, early = {0};
	for (int turns = 0; turns < 12; turns++) {
		begin(world, &r, (struct sp_http_request){.max_bytes = 100}, silent);
		for (int i = 0; i < turns; i++)
			turn(world);
		sp_http_transfer_cancel(r.transfer);
		begin(world, &early, (struct sp_http_request){.url = "file:///"}, NULL);
		sp_http_transfer_cancel(early.transfer);
	}
	for (int i = 0; i < 10; i++)
		turn(world);
	assert_int_equal(r.calls, 0);
	assert_int_equal(early.calls, 0);
	sp_http_transfer_cancel(NULL);
}

static void freeing_cancels_what_is_left(void **state)
{
	struct world *world = *state;
	static struct result left[8];
	for (size_t i = 0; i < SP_COUNT(left); i++)
		begin(world, &left[i], (struct sp_http_request){.url = i % 3 ? NULL : "nonsense://"}, silent);
	sp_http_client_free(world->client);
	for (size_t i = 0; i < SP_COUNT(left); i++)
		assert_int_equal(left[i].calls, 0);
	world->client = sp_http_client_new(&loop, world);
}

static struct result second, third;

static void start_and_cancel(struct result *r)
{
	sp_http_transfer_cancel(r->transfer); // itself: no harm
	sp_http_transfer_cancel(third.transfer);
	begin(r->world, &second, (struct sp_http_request){.max_bytes = 100}, hello);
}

static void a_callback_may_start_and_cancel(void **state)
{
	struct world *world = *state;
	for (int early = 0; early <= 1; early++) {
		struct result r = {.then = start_and_cancel};
		memset(&second, 0, sizeof(second));
		memset(&third, 0, sizeof(third));
		begin(world, &third, (struct sp_http_request){.max_bytes = 100}, silent);
		for (size_t peers = world->peer_count; world->peer_count == peers;)
			turn(world); // until it has its silent peer
		begin(world, &r, (struct sp_http_request){.url = early ? "y://" : NULL, .max_bytes = 100},
		      hello);
		wait_for(world, &r);
		wait_for(world, &second);
		assert_int_equal(second.result, 0);
		assert_int_equal(third.calls, 0);
	}
}

static void many_at_a_time(void **state)
{
	struct world *world = *state;
	static struct result many[50];
	for (size_t i = 0; i < SP_COUNT(many); i++)
		begin(world, &many[i], (struct sp_http_request){.max_bytes = 100}, hello);
	for (size_t i = 0; i < SP_COUNT(many); i++) {
		wait_for(world, &many[i]);
		assert_int_equal(many[i].result, 0);
		assert_string_equal(many[i].body, "hello");
	}
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(a_good_answer_comes_whole),
	    WORLD_TEST(an_address_may_stand_in_for_the_name),
	    WORLD_TEST(a_redirect_is_told_and_not_followed),
	    WORLD_TEST(an_interface_may_be_named),
	    WORLD_TEST(bodies_are_bounded),
	    WORLD_TEST(heads_are_bounded),
	    WORLD_TEST(time_is_bounded),
	    WORLD_TEST(wrong_answers_are_told_apart),
	    WORLD_TEST(tls_failures_have_words),
	    WORLD_TEST(nobody_there),
	    WORLD_TEST(urls_that_are_none_fail_later),
	    WORLD_TEST(cancelling_is_silent),
	    WORLD_TEST(freeing_cancels_what_is_left),
	    WORLD_TEST(a_callback_may_start_and_cancel),
	    WORLD_TEST(many_at_a_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
