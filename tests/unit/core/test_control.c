// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The local socket: requests are parsed, answered in order, and clients that misbehave harm nobody.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/core/control.h"

// ---- the parser ------------------------------------------------------------------------------------

static void test_requests(void **unused)
{
	(void)unused;
	static const struct {
		const char *line;
		int command; ///< -1: refused
		const char *name;
	} cases[] = {
	    {"{\"cmd\":\"status\"}", SP_CONTROL_STATUS, ""},
	    {" {\"cmd\" : \"outages\", \"more\":[1,2]} ", SP_CONTROL_OUTAGES, ""},
	    {"{\"cmd\":\"budget\"}", SP_CONTROL_BUDGET, ""},
	    {"{\"cmd\":\"drivers\",\"name\":\"reach\"}", SP_CONTROL_DRIVERS, "reach"},
	    {"{\"cmd\":\"speedtests\"}", SP_CONTROL_SPEEDTESTS, ""},
	    {"{\"cmd\":\"speedtest\",\"name\":\"neo\",\"direction\":\"up\"}", SP_CONTROL_SPEEDTEST, "neo"},
	    {"{\"cmd\":\"speedtest\",\"direction\":\"both\"}", -1, NULL},
	    {"{\"cmd\":\"speedtest\",\"direction\":1}", -1, NULL},
	    {"{\"cmd\":\"speedtest\",\"line\":{}}", -1, NULL},
	    {"", -1, NULL},
	    {"status", -1, NULL},
	    {"\"status\"", -1, NULL},
	    {"[]", -1, NULL},
	    {"{}", -1, NULL},
	    {"{\"cmd\":7}", -1, NULL},
	    {"{\"cmd\":\"statsu\"}", -1, NULL},
	    {"{\"cmd\":\"drivers\",\"name\":7}", -1, NULL},
	    {"{\"cmd\":\"status\"", -1, NULL},
	    {"{\"cmd\":\"drivers\",\"name\":"
	     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	     -1, NULL},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_control_request request;
		char why[160] = "";
		int result = sp_control_parse(&request, cases[i].line, strlen(cases[i].line), why);
		assert_int_equal(result, cases[i].command < 0 ? -EINVAL : 0);
		if (cases[i].command >= 0) {
			assert_int_equal(request.command, cases[i].command);
			assert_string_equal(request.name, cases[i].name);
		} else {
			assert_true(why[0]);
		}
	}
	struct sp_control_request request;
	char why[160];
	assert_int_equal(sp_control_parse(&request, "{\"cmd\":\"statsu\"}", 16, why), -EINVAL);
	assert_string_equal(why, "unknown command; did you mean \"status\"?");
}

static void test_a_request_for_a_test(void **unused)
{
	(void)unused;
	static const char line[] =
	    "{\"cmd\":\"speedtest\",\"line\":\"main\",\"direction\":\"down\",\"force\":true}";
	struct sp_control_request request;
	char why[160];
	assert_int_equal(sp_control_parse(&request, line, strlen(line), why), 0);
	assert_string_equal(request.name, "");
	assert_string_equal(request.line, "main");
	assert_int_equal(request.direction, SP_CONTROL_DOWN);
	assert_true(request.force);
	assert_int_equal(sp_control_parse(&request, "{\"cmd\":\"speedtest\"}", 19, why), 0);
	assert_int_equal(request.direction, SP_CONTROL_BOTH);
	assert_false(request.force);
}

// ---- the socket ------------------------------------------------------------------------------------

static char folder[64], path[96];
static struct sp_loop *loop;
static struct sp_control *control;
static pthread_t thread;
static int answered;
/// A stream under way: lines come from a timer, `burst` at a time.
static struct sp_control_stream *_Atomic stream;
static struct sp_loop_timer *pulse;
static _Atomic int lines_left;
static int burst, gone_count;

static void on_pulse(void *arg)
{
	char text[64];
	(void)arg;
	for (int i = 0; stream && i < burst && lines_left > 0; i++) {
		snprintf(text, sizeof(text), "{\"left\":%d}", (int)lines_left--);
		sp_control_stream_line(stream, text);
	}
	if (stream && lines_left == 0) {
		sp_control_stream_end(stream, "{\"ok\":true}");
		stream = NULL;
	}
	if (stream)
		sp_loop_timer_start(loop, pulse, 1);
}

static void gone(void *arg, struct sp_control_stream *left)
{
	(void)arg;
	if (left == stream)
		stream = NULL;
	gone_count++;
}

/// "flood": much more than a client is owed; anything else: ten lines; "endless": no end.
static bool begin_stream(const char *name, struct sp_control_stream *begun)
{
	stream = begun;
	lines_left = strcmp(name, "flood") == 0 ? 200000 : strcmp(name, "endless") == 0 ? 1000000000 : 10;
	burst = strcmp(name, "flood") == 0 ? 2000 : 1;
	sp_loop_timer_start(loop, pulse, 1);
	return true;
}

static bool answer(void *arg, const struct sp_control_request *request, struct sp_buf *out,
		   struct sp_control_stream *client)
{
	(void)arg;
	answered++;
	if (request->command == SP_CONTROL_SPEEDTEST)
		return begin_stream(request->name, client);
	if (request->command == SP_CONTROL_BUDGET) {
		sp_buf_printf(out, "{\"gone\":%d}", gone_count);
		return false;
	}
	if (request->command == SP_CONTROL_OUTAGES) // something that does not fit into a socket's buffer
		for (int i = 0; i < 60000; i++)
			sp_buf_text(out, "0123456789");
	else
		sp_buf_printf(out, "{\"ok\":true,\"command\":%d,\"name\":\"%s\"}", (int)request->command,
			      request->name);
	return false;
}

static void *run(void *arg)
{
	(void)arg;
	sp_loop_uv_run(loop);
	return NULL;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sp-control-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/new/agent.sock", folder);
	answered = gone_count = 0;
	stream = NULL;
	lines_left = -1;
	if (sp_loop_uv_new(&loop) || sp_control_open(&control, loop, path, answer, gone, NULL))
		return -1;
	pulse = sp_loop_timer_new(loop, on_pulse, NULL);
	return pthread_create(&thread, NULL, run, NULL);
}

static void stop(void *arg, void *arg2, int result)
{
	(void)arg;
	(void)arg2;
	(void)result;
	sp_loop_uv_stop(loop);
}

static int tear_down(void **state)
{
	(void)state;
	sp_loop_post(loop, stop, NULL, NULL, 0);
	pthread_join(thread, NULL);
	sp_control_close(control);
	sp_loop_timer_free(loop, pulse);
	sp_loop_uv_free(loop);
	int left = access(path, F_OK) == 0;
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return left || rmdir(folder);
}

static int connect_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	// A peer that stays silent fails the test instead of hanging it.
	struct timeval patience = {.tv_sec = 20};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/// One line without its end; "" at the end of the connection. Longer ones are counted in *length.
static const char *hear(int fd, size_t *length)
{
	static char line[512];
	size_t count = 0;
	char byte;
	while (recv(fd, &byte, 1, 0) == 1 && byte != '\n') {
		if (count < sizeof(line) - 1)
			line[count] = byte;
		count++;
	}
	line[count < sizeof(line) - 1 ? count : sizeof(line) - 1] = '\0';
	if (length)
		*length = count;
	return line;
}

static void test_questions_are_answered_in_order(void **state)
{
	(void)state;
	int fd = connect_client();
	say(fd, "{\"cmd\":\"status\"}\n{\"cmd\":\"drivers\",\"name\":\"x\"}\n{\"cmd\":\"st");
	assert_string_equal(hear(fd, NULL), "{\"ok\":true,\"command\":0,\"name\":\"\"}");
	assert_string_equal(hear(fd, NULL), "{\"ok\":true,\"command\":2,\"name\":\"x\"}");
	say(fd, "atus\"}\n");
	assert_string_equal(hear(fd, NULL), "{\"ok\":true,\"command\":0,\"name\":\"\"}");
	close(fd);
}

static void test_the_socket_is_for_owner_and_group(void **state)
{
	(void)state;
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
}

static void test_garbage_is_refused_and_the_next_question_answered(void **state)
{
	(void)state;
	int fd = connect_client();
	say(fd, "\x01\xff nonsense\n{\"cmd\":\"statsu\"}\n{\"cmd\":\"status\"}\n");
	assert_string_equal(hear(fd, NULL), "{\"ok\":false,\"error\":\"not a JSON object\"}");
	assert_string_equal(hear(fd, NULL),
			    "{\"ok\":false,\"error\":\"unknown command; did you mean \\\"status\\\"?\"}");
	assert_memory_equal(hear(fd, NULL), "{\"ok\":true", 10);
	close(fd);
}

static void test_an_endless_line_ends_the_client(void **state)
{
	(void)state;
	int fd = connect_client();
	char block[1024];
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++)
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0)
			break;
	assert_string_equal(hear(fd, NULL), "{\"ok\":false,\"error\":\"a request is at most 24576 bytes\"}");
	close(fd);
	fd = connect_client(); // and the agent goes on
	say(fd, "{\"cmd\":\"status\"}\n");
	assert_memory_equal(hear(fd, NULL), "{\"ok\":true", 10);
	close(fd);
}

static void test_a_client_that_does_not_read_disturbs_no_other(void **state)
{
	(void)state;
	int slow = connect_client();
	for (int i = 0; i < 5; i++)
		say(slow, "{\"cmd\":\"outages\"}\n"); // 600 kB each
	int fd = connect_client();
	say(fd, "{\"cmd\":\"status\"}\n");
	assert_memory_equal(hear(fd, NULL), "{\"ok\":true", 10);
	close(fd);
	for (int i = 0; i < 5; i++) { // nothing was lost for the slow one either
		size_t length;
		hear(slow, &length);
		assert_int_equal(length, 600000);
	}
	close(slow);
}

static void test_a_stream_of_lines(void **state)
{
	(void)state;
	int fd = connect_client();
	char expected[32];
	// What is asked behind it waits for its end.
	say(fd, "{\"cmd\":\"speedtest\"}\n{\"cmd\":\"status\"}\n");
	for (int left = 10; left > 0; left--) {
		snprintf(expected, sizeof(expected), "{\"left\":%d}", left);
		assert_string_equal(hear(fd, NULL), expected);
	}
	assert_string_equal(hear(fd, NULL), "{\"ok\":true}");
	assert_string_equal(hear(fd, NULL), "{\"ok\":true,\"command\":0,\"name\":\"\"}");
	close(fd);
}

static void test_a_slow_client_misses_lines_but_not_the_last(void **state)
{
	(void)state;
	int slow = connect_client(), fd = connect_client();
	say(slow, "{\"cmd\":\"speedtest\",\"name\":\"flood\"}\n");
	// The flood is over before the slow one reads.
	for (bool over = false; !over;) {
		say(fd, "{\"cmd\":\"status\"}\n");
		assert_memory_equal(hear(fd, NULL), "{\"ok\":true", 10);
		over = stream == NULL && lines_left == 0;
	}
	int heard = 0;
	while (strcmp(hear(slow, NULL), "{\"ok\":true}") != 0)
		heard++;
	assert_in_range(heard, 100, 199999);
	close(slow);
	close(fd);
}

static void test_who_leaves_a_stream_is_gone(void **state)
{
	(void)state;
	int fd = connect_client(), other = connect_client();
	say(fd, "{\"cmd\":\"speedtest\",\"name\":\"endless\"}\n");
	assert_string_equal(hear(fd, NULL), "{\"left\":1000000000}");
	close(fd);
	const char *told;
	do {
		say(other, "{\"cmd\":\"budget\"}\n");
		told = hear(other, NULL);
	} while (strcmp(told, "{\"gone\":0}") == 0);
	assert_string_equal(told, "{\"gone\":1}");
	close(other);
}

static void test_a_client_that_leaves_is_forgotten(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		int fd = connect_client();
		say(fd, i % 2 ? "{\"cmd\":\"outages\"}\n" : "{\"cmd");
		close(fd);
	}
	int fd = connect_client();
	say(fd, "{\"cmd\":\"status\"}\n");
	assert_memory_equal(hear(fd, NULL), "{\"ok\":true", 10);
	close(fd);
}

static void test_too_many_clients_are_told(void **state)
{
	(void)state;
	int clients[16];
	for (size_t i = 0; i < SP_COUNT(clients); i++) {
		clients[i] = connect_client();
		say(clients[i], "{\"cmd\":\"status\"}\n");
		assert_memory_equal(hear(clients[i], NULL), "{\"ok\":true", 10);
	}
	int fd = connect_client();
	assert_string_equal(hear(fd, NULL), "{\"ok\":false,\"error\":\"too many clients\"}");
	close(fd);
	for (size_t i = 0; i < SP_COUNT(clients); i++)
		close(clients[i]);
}

static void test_a_socket_in_use_is_left_alone(void **state)
{
	(void)state;
	struct sp_control *second;
	assert_int_equal(sp_control_open(&second, loop, path, answer, gone, NULL), -EADDRINUSE);
	int fd = connect_client();
	say(fd, "{\"cmd\":\"status\"}\n");
	assert_memory_equal(hear(fd, NULL), "{\"ok\":true", 10);
	close(fd);
}

static void test_a_dead_socket_is_replaced_and_a_file_is_not(void **unused)
{
	(void)unused;
	char dir[] = "/tmp/sp-control-XXXXXX", name[64];
	assert_non_null(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/s", dir);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); // its owner died
	struct sp_loop *own;
	struct sp_control *made;
	assert_int_equal(sp_loop_uv_new(&own), 0);
	assert_int_equal(sp_control_open(&made, own, name, answer, gone, NULL), 0);
	sp_control_close(made);
	FILE *file = fopen(name, "w");
	fputs("precious", file);
	fclose(file);
	assert_int_equal(sp_control_open(&made, own, name, answer, gone, NULL), -EADDRINUSE);
	assert_int_equal(access(name, F_OK), 0);
	sp_loop_uv_free(own);
	unlink(name);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test_setup_teardown(test_questions_are_answered_in_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_socket_is_for_owner_and_group, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_garbage_is_refused_and_the_next_question_answered, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_an_endless_line_ends_the_client, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_client_that_does_not_read_disturbs_no_other, set_up,
					    tear_down),
	    cmocka_unit_test(test_a_request_for_a_test),
	    cmocka_unit_test_setup_teardown(test_a_stream_of_lines, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_slow_client_misses_lines_but_not_the_last, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_who_leaves_a_stream_is_gone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_client_that_leaves_is_forgotten, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_too_many_clients_are_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_socket_in_use_is_left_alone, set_up, tear_down),
	    cmocka_unit_test(test_a_dead_socket_is_replaced_and_a_file_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
