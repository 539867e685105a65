// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Digest login, pinned certificates, pauses and endless answers, against a device of Python's http.server:
// what it saw is in its log.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/http_flow.h"
#include "tests/unit/base/http_world.h"
#include "tests/unit/base/mqtt_peer.h"

static char dir[] = "/tmp/sp-login-XXXXXX";
static const char right[] = "mật \"khẩu\" 1";

static struct device {
	pid_t pid;
	unsigned port;
	char log[64];
} plain, tls;

static struct flow {
	struct sp_http_flow *flow;
	unsigned heads, calls;
	long told; ///< status of the head
	char type[64], body[64], error[300];
	size_t length;
	struct sp_http_stream_end end;
	bool numbered; ///< the body is a stream of numbers
	unsigned next, pieces, pause_after;
	size_t partial;
} flow;

// ---- the flow -----------------------------------------------------------------------------------

static bool on_head(void *arg, const struct sp_http_head *head)
{
	struct flow *f = arg;
	f->heads++;
	f->told = head->status;
	snprintf(f->type, sizeof(f->type), "%s", head->content_type);
	return true;
}

static void count_numbers(struct flow *f, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		f->body[f->partial++] = (char)data[i];
		if (data[i] != '\n')
			continue;
		assert_int_equal(f->partial, 8);
		assert_int_equal(strtoul(f->body, NULL, 10), f->next++);
		f->partial = 0;
	}
}

static bool on_received(void *arg, const uint8_t *data, size_t length)
{
	struct flow *f = arg;
	f->pieces++;
	f->length += length;
	if (f->numbered)
		count_numbers(f, data, length);
	else if (f->length == length)
		snprintf(f->body, sizeof(f->body), "%.*s", (int)(length < 60 ? length : 60),
			 (const char *)data);
	if (f->pause_after && f->pieces == f->pause_after)
		sp_http_flow_pause(f->flow);
	return true;
}

static void on_fill(void *arg, uint8_t *data, size_t size)
{
	(void)arg;
	memset(data, 'q', size);
}

static void on_done(void *arg, const struct sp_http_stream_end *end)
{
	struct flow *f = arg;
	f->calls++;
	f->end = *end;
	snprintf(f->error, sizeof(f->error), "%s", end->error);
}

static const struct sp_http_flow_events events = {on_head, on_received, on_fill, on_done};

static void start(struct world *world, const struct device *device, const char *path,
		  struct sp_http_session_config config, struct sp_http_stream_request request)
{
	char url[96];
	snprintf(url, sizeof(url), "http%s://127.0.0.1:%u%s", device == &tls ? "s" : "", device->port, path);
	request.url = url;
	request.method = request.send_bytes ? "POST" : "GET";
	if (!request.max_bytes)
		request.max_bytes = 4096;
	if (!request.stall_ms)
		request.timeout_ms = 20000;
	flow.flow = sp_http_flow_start(world->client, &config, &request, &events, &flow);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void finish(struct world *world)
{
	for (int64_t until = now_ms() + 30000; flow.calls == 0 && now_ms() < until;)
		turn(world);
	assert_int_equal(flow.calls, 1);
}

static void ask(struct world *world, const char *path, const char *password)
{
	flow = (struct flow){0};
	start(world, &plain, path,
	      (struct sp_http_session_config){.user = password ? "observer" : NULL, .password = password},
	      (struct sp_http_stream_request){0});
	finish(world);
}

/// How many lines of the log say this of that path.
static unsigned seen(const struct device *device, const char *path, const char *what)
{
	char line[512], want[128];
	unsigned count = 0;
	FILE *log = fopen(device->log, "r");
	assert_non_null(log);
	snprintf(want, sizeof(want), " %s %s", path, what);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, want) != NULL;
	fclose(log);
	return count;
}

// ---- the login ----------------------------------------------------------------------------------

static void log_in_twice(struct world *world, const char *path, const char *first, const char *second)
{
	for (int i = 0; i < 2; i++) {
		ask(world, path, right);
		assert_int_equal(flow.end.result, 0);
		assert_int_equal(flow.end.status, 200);
		assert_int_equal(flow.heads, 1); // nobody is told of the challenge
		assert_string_equal(flow.body, "hello");
		assert_int_equal(flow.end.received_bytes, 5);
		assert_string_equal(flow.type, "application/xml; charset=UTF-8");
	}
	assert_int_equal(seen(&plain, path, "none"), 1);
	assert_int_equal(seen(&plain, path, first), 1);
	assert_int_equal(seen(&plain, path, second), 1);
}

static void md5_logs_in(void **state)
{
	log_in_twice(*state, "/md5/a", "md5 1 ", "md5 2 ");
}

static void sha256_logs_in(void **state)
{
	log_in_twice(*state, "/sha/a", "sha 1 ", "sha 2 ");
}

static void the_first_of_two_challenges_is_answered(void **state)
{
	log_in_twice(*state, "/both/a", "md5 1 ", "md5 2 ");
}

static void also_the_other_way_round(void **state)
{
	log_in_twice(*state, "/other/a", "sha 1 ", "sha 2 ");
}

static void a_wrong_password_is_tried_once(void **state)
{
	ask(*state, "/both/b", "guess");
	assert_int_equal(flow.end.result, 0);
	assert_int_equal(flow.end.status, 401);
	assert_int_equal(flow.told, 401);
	assert_int_equal(flow.heads, 1);
	assert_memory_equal(flow.body, "<userCheck>", 11); // and why
	assert_int_equal(seen(&plain, "/both/b", ""), 2);
	assert_int_equal(seen(&plain, "/both/b", "bad"), 1);
	// What failed is not kept: the next begins anew.
	ask(*state, "/both/b", "guess");
	assert_int_equal(seen(&plain, "/both/b", "none"), 2);
	assert_int_equal(seen(&plain, "/both/b", "bad"), 2);
}

static void nothing_goes_out_in_clear(void **state)
{
	ask(*state, "/basic/c", right);
	assert_int_equal(flow.end.status, 401);
	assert_int_equal(seen(&plain, "/basic/c", ""), 1);
	assert_int_equal(seen(&plain, "/basic/c", "none"), 1);
	ask(*state, "/mixed/c", right);
	assert_int_equal(flow.end.status, 200);
	assert_int_equal(seen(&plain, "/mixed/c", "basic"), 0);
	// Who has no login gives none.
	ask(*state, "/md5/c", NULL);
	assert_int_equal(flow.end.status, 401);
	assert_int_equal(flow.heads, 1);
	assert_int_equal(seen(&plain, "/md5/c", ""), 1);
}

static void a_nonce_that_ages_is_renewed(void **state)
{
	for (int i = 0; i < 7; i++) {
		ask(*state, "/stale/d", right);
		assert_int_equal(flow.end.status, 200);
		assert_string_equal(flow.body, "hello");
	}
	assert_int_equal(seen(&plain, "/stale/d", "none"), 1);
	assert_int_equal(seen(&plain, "/stale/d", "old"), 3);
}

static void also_where_it_is_not_called_stale(void **state)
{
	for (int i = 0; i < 7; i++) {
		ask(*state, "/forget/e", right);
		assert_int_equal(flow.end.result, 0);
		assert_int_equal(flow.end.status, 200);
		assert_int_equal(flow.heads, 1);
		assert_string_equal(flow.body, "hello");
	}
	assert_int_equal(seen(&plain, "/forget/e", "md5"), 7);
	assert_int_equal(seen(&plain, "/forget/e", "old"), 3);
}

static void endless_staleness_ends(void **state)
{
	ask(*state, "/liar/f", right);
	assert_int_equal(flow.end.result, -EPROTO);
	assert_in_range(seen(&plain, "/liar/f", "old"), 1, 4);
}

static void a_post_keeps_its_body_and_type(void **state)
{
	for (int i = 0; i < 4; i++) {
		flow = (struct flow){0};
		start(*state, &plain, "/stale/g",
		      (struct sp_http_session_config){.user = "observer", .password = right},
		      (struct sp_http_stream_request){.send_bytes = 9, .content_type = "application/json"});
		finish(*state);
		assert_int_equal(flow.end.status, 200);
	}
	assert_int_equal(seen(&plain, "/stale/g", "md5 1"), 2);
	assert_int_equal(seen(&plain, "/stale/g", "md5 2"), 2);
	char line[512];
	unsigned whole = 0;
	FILE *log = fopen(plain.log, "r");
	assert_non_null(log);
	while (fgets(line, sizeof(line), log))
		whole += strstr(line, "/stale/g md5") && strstr(line, " application/json qqqqqqqqq\n");
	fclose(log);
	assert_int_equal(whole, 4);
	// After it, a question is one again.
	ask(*state, "/stale/h", right);
	assert_string_equal(flow.body, "hello");
}

// ---- the certificate ----------------------------------------------------------------------------

/// As a technician reads it.
static void fingerprint(const char *name, char out[128])
{
	char command[256];
	snprintf(command, sizeof(command), "openssl x509 -in %s/%s.pem -noout -fingerprint -sha256", dir,
		 name);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(out, 128, pipe));
	pclose(pipe);
	const char *value = strchr(out, '=');
	assert_non_null(value);
	memmove(out, value + 1, strlen(value));
	out[strcspn(out, "\n")] = '\0';
}

static void ask_pinned(struct world *world, const char *path, const char *pin)
{
	flow = (struct flow){0};
	start(world, &tls, path,
	      (struct sp_http_session_config){.user = "observer", .password = right, .fingerprint = pin},
	      (struct sp_http_stream_request){.fresh = true});
	finish(world);
}

static void the_pinned_certificate_is_trusted_alone(void **state)
{
	char pin[128], other[128], bare[65];
	fingerprint("expired", pin); // which the device has: out of date, of an authority nobody knows
	fingerprint("server", other);
	ask_pinned(*state, "/sha/i", pin);
	assert_string_equal(flow.error, "");
	assert_int_equal(flow.end.status, 200);
	size_t length = 0;
	for (const char *c = pin; *c; c++)
		if (*c != ':')
			bare[length++] = (char)(*c | 0x20);
	bare[length] = '\0';
	ask_pinned(*state, "/sha/j", bare);
	assert_int_equal(flow.end.status, 200);
	ask_pinned(*state, "/sha/k", other);
	assert_int_equal(flow.end.result, -EKEYREJECTED);
	ask_pinned(*state, "/sha/k", "");
	assert_int_equal(flow.end.result, -EKEYREJECTED);
	assert_int_equal(seen(&tls, "/sha/k", ""), 0);
	ask_pinned(*state, "/sha/k", "12:34");
	assert_int_equal(flow.end.result, -EINVAL);
	bare[10] = 'g';
	ask_pinned(*state, "/sha/k", bare);
	assert_int_equal(flow.end.result, -EINVAL);
	assert_int_equal(seen(&tls, "/sha/k", ""), 0);
}

// ---- endless ------------------------------------------------------------------------------------

static void stream_with_pauses(struct world *world, const struct device *device, const char *pin)
{
	flow = (struct flow){.numbered = true, .pause_after = 3};
	start(world, device, "/stream/l",
	      (struct sp_http_session_config){.user = "observer", .password = right, .fingerprint = pin},
	      (struct sp_http_stream_request){.max_bytes = INT64_MAX, .stall_ms = 200});
	for (int round = 0; round < 20; round++) {
		for (int64_t until = now_ms() + 20000; flow.pieces < flow.pause_after && now_ms() < until;)
			turn(world);
		assert_int_equal(flow.pieces, flow.pause_after);
		// Longer than it may stall, the first time.
		for (int64_t until = now_ms() + (round ? 10 : 400); now_ms() < until;)
			turn(world);
		assert_int_equal(flow.pieces, flow.pause_after);
		assert_int_equal(flow.calls, 0);
		flow.pause_after += 3;
		sp_http_flow_resume(flow.flow);
		assert_int_equal(flow.pieces, flow.pause_after - 3); // never from within
	}
	assert_true(flow.next > 1000);
	sp_http_flow_cancel(flow.flow);
}

static void a_pause_loses_nothing(void **state)
{
	stream_with_pauses(*state, &plain, NULL);
}

static void nor_below_tls(void **state)
{
	char pin[128];
	fingerprint("expired", pin);
	stream_with_pauses(*state, &tls, pin);
}

static void a_pause_begins_anywhere(void **state)
{
	flow = (struct flow){.numbered = true};
	start(*state, &plain, "/stream/m",
	      (struct sp_http_session_config){.user = "observer", .password = right},
	      (struct sp_http_stream_request){.max_bytes = INT64_MAX, .stall_ms = 5000});
	sp_http_flow_pause(flow.flow); // before there is a connection
	sp_http_flow_resume(flow.flow);
	for (int round = 0; round < 30; round++) {
		unsigned next = flow.next;
		for (int64_t until = now_ms() + 20000; flow.next == next && now_ms() < until;)
			turn(*state);
		assert_true(flow.next > next);
		sp_http_flow_pause(flow.flow);
		sp_http_flow_pause(flow.flow);
		turn(*state);
		sp_http_flow_resume(flow.flow);
		if (round % 3 == 0) {
			sp_http_flow_pause(flow.flow);
			turn(*state);
			sp_http_flow_resume(flow.flow);
		}
		sp_http_flow_resume(flow.flow);
	}
	sp_http_flow_pause(flow.flow);
	sp_http_flow_cancel(flow.flow);
}

static void silence_ends_the_endless(void **state)
{
	struct world *world = *state;
	struct device deaf = {.port = world->port};
	flow = (struct flow){0};
	world->serve = silent;
	start(world, &deaf, "/", (struct sp_http_session_config){.user = "observer", .password = right},
	      (struct sp_http_stream_request){.max_bytes = INT64_MAX, .stall_ms = 100});
	finish(world);
	assert_int_equal(flow.end.result, -ETIMEDOUT);
	assert_int_equal(flow.heads, 0);
}

// ---- the bench ----------------------------------------------------------------------------------

static void serve(struct device *device, const char *name, const char *cert, const char *key)
{
	int out[2];
	char text[16] = "";
	snprintf(device->log, sizeof(device->log), "%s/%s.log", dir, name);
	assert_int_equal(pipe(out), 0);
	device->pid = fork();
	if (device->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		execl("/usr/bin/python3", "python3", "-B", "digest_peer.py", device->log, cert, key,
		      (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	close(out[0]);
	device->port = (unsigned)strtoul(text, NULL, 10);
}

static int open_devices(void **state)
{
	char cert[64], key[64];
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	make_certificates(dir);
	snprintf(cert, sizeof(cert), "%s/expired.pem", dir);
	snprintf(key, sizeof(key), "%s/expired.key", dir);
	serve(&plain, "plain", NULL, NULL);
	serve(&tls, "tls", cert, key);
	return 0;
}

static int close_devices(void **state)
{
	char command[64];
	(void)state;
	const struct device *devices[] = {&plain, &tls};
	for (size_t i = 0; i < SP_COUNT(devices); i++) {
		kill(devices[i]->pid, SIGKILL);
		waitpid(devices[i]->pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", dir);
	return system(command);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(md5_logs_in),
	    WORLD_TEST(sha256_logs_in),
	    WORLD_TEST(the_first_of_two_challenges_is_answered),
	    WORLD_TEST(also_the_other_way_round),
	    WORLD_TEST(a_wrong_password_is_tried_once),
	    WORLD_TEST(nothing_goes_out_in_clear),
	    WORLD_TEST(a_nonce_that_ages_is_renewed),
	    WORLD_TEST(also_where_it_is_not_called_stale),
	    WORLD_TEST(endless_staleness_ends),
	    WORLD_TEST(a_post_keeps_its_body_and_type),
	    WORLD_TEST(the_pinned_certificate_is_trusted_alone),
	    WORLD_TEST(a_pause_loses_nothing),
	    WORLD_TEST(nor_below_tls),
	    WORLD_TEST(a_pause_begins_anywhere),
	    WORLD_TEST(silence_ends_the_endless),
	};
	return cmocka_run_group_tests(tests, open_devices, close_devices);
}
