// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Children are real programs on the real loop: what they begin with, what they say, how they end, and that
// nothing of them is left.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/core/io/process.h"
#include "agent/core/device.h"
#include "tests/unit/core/recorder_list.h"

static struct sp_loop *loop;
static struct sp_children *children;
static char program[PATH_MAX];

struct heard {
	struct sp_child_process *child;
	char text[16384];
	size_t lines, length; ///< length of the last line
	int ended, status;
	bool stop_at_line, end_at_line; ///< what to do once it says something
};

static void on_line(void *arg, const char *line, size_t length)
{
	struct heard *heard = arg;
	size_t used = strlen(heard->text);
	snprintf(heard->text + used, sizeof(heard->text) - used, "%s\n", line);
	heard->lines++;
	heard->length = length;
	if (heard->end_at_line)
		sp_child_process_end(heard->child, 50);
	if (heard->stop_at_line) {
		sp_child_process_stop(heard->child);
		sp_loop_uv_stop(loop);
	}
}

static void on_ended(void *arg, int status)
{
	struct heard *heard = arg;
	heard->ended++;
	heard->status = status;
	sp_loop_uv_stop(loop);
}

static const struct sp_child_process_events events = {.line = on_line, .ended = on_ended};

static int set_up(void **state)
{
	(void)state;
	children = NULL;
	if (sp_loop_uv_new(&loop) || sp_child_beside("core_child_program", program, sizeof(program)))
		return -1;
	children = sp_children_new(loop);
	return 0;
}

/// No zombie and no orphan, whatever the test did.
static int tear_down(void **state)
{
	(void)state;
	sp_children_free(children);
	sp_loop_uv_free(loop);
	errno = 0;
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static void give_up(void *arg)
{
	(void)arg;
	fail_msg("the child did not end");
}

static void run_loop(void)
{
	struct sp_loop_timer *timer = sp_loop_timer_new(loop, give_up, NULL);
	sp_loop_timer_start(loop, timer, 60000);
	sp_loop_uv_run(loop);
	sp_loop_timer_free(loop, timer);
}

static void begin(struct heard *heard, unsigned flags, const char *mode, const char *number, const char *code)
{
	const char *const argv[] = {"child", mode, number, code, NULL};
	heard->child = sp_child_process_start(children, program, argv, flags, &events, heard);
	assert_non_null(heard->child);
}

static bool have_raw(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	return syscall(SYS_capget, &header, data) == 0 && (data[0].permitted & (1U << CAP_NET_RAW));
}

__attribute__((format(printf, 2, 3))) static void assert_says(const struct heard *heard, const char *format,
							      ...)
{
	char wanted[128];
	va_list args;
	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	if (!strstr(heard->text, wanted))
		fail_msg("no '%s' in:\n%s", wanted, heard->text);
}

static void begins_with_nothing_of_ours(void **state)
{
	(void)state;
	struct heard heard = {0};
	int leaked = dup(STDERR_FILENO); // without close-on-exec, as a careless library opens one
	sigset_t some, before;
	sigemptyset(&some);
	sigaddset(&some, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &some, &before);
	signal(SIGPIPE, SIG_IGN);
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	begin(&heard, 0, "self", NULL, NULL);
	unsetenv("NOTIFY_SOCKET");
	signal(SIGPIPE, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(leaked);
	run_loop();
	assert_int_equal(heard.status, 0);
	static const char *const empty[] = {"SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff", "CapAmb"};
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		assert_says(&heard, "%s:\t0000000000000000\n", empty[i]);
	assert_says(&heard, "NoNewPrivs:\t1\n");
	assert_says(&heard, "fd:0\nfd:1\nfd:2\nstdin:-1\nnotify:none\npath:inherited\n");
}

static void has_one_right_where_it_is_asked_for(void **state)
{
	(void)state;
	struct heard heard = {0};
	begin(&heard, SP_CHILD_RAW, "self", NULL, NULL);
	run_loop();
	unsigned wanted = have_raw() ? 1U << CAP_NET_RAW : 0;
	assert_says(&heard, "CapPrm:\t%016x\n", wanted);
	assert_says(&heard, "CapEff:\t%016x\n", wanted);
	assert_says(&heard, "CapAmb:\t%016x\n", wanted);
	assert_says(&heard, "NoNewPrivs:\t1\n");
}

static void says_all_before_its_end(void **state)
{
	(void)state;
	struct heard heard = {0};
	begin(&heard, 0, "count", "1000", "7");
	run_loop();
	assert_int_equal(heard.lines, 1000); // what has no line break is not delivered
	assert_non_null(strstr(heard.text, "\n999 of 1000\n"));
	assert_int_equal(heard.ended, 1);
	assert_int_equal(heard.status, 7);
}

static void may_say_a_long_line_but_no_longer(void **state)
{
	(void)state;
	char number[16];
	struct heard heard = {0};
	snprintf(number, sizeof(number), "%d", SP_CHILD_LINE_MAX);
	begin(&heard, 0, "width", number, NULL);
	run_loop();
	assert_int_equal(heard.length, SP_CHILD_LINE_MAX);
	assert_int_equal(heard.status, 0);

	struct heard endless = {0};
	begin(&endless, 0, "endless", NULL, NULL);
	run_loop();
	assert_int_equal(endless.lines, 0);
	assert_int_equal(endless.status, -SIGKILL);
}

static void is_killed_when_it_does_not_listen(void **state)
{
	(void)state;
	struct heard heard = {.end_at_line = true};
	begin(&heard, 0, "deaf", NULL, NULL);
	run_loop();
	assert_int_equal(heard.lines, 1);
	assert_int_equal(heard.status, -SIGKILL);

	struct heard polite = {.end_at_line = true};
	begin(&polite, 0, "wait", NULL, NULL);
	run_loop();
	assert_int_equal(polite.status, -SIGTERM);
}

static void may_close_its_output_and_live(void **state)
{
	(void)state;
	struct heard heard = {0};
	begin(&heard, 0, "silent", NULL, NULL);
	sp_child_process_end(heard.child, 60000);
	run_loop();
	assert_int_equal(heard.status, -SIGTERM);
}

static void says_nothing_once_stopped(void **state)
{
	(void)state;
	struct heard heard = {.stop_at_line = true};
	begin(&heard, 0, "count", "1000", NULL);
	run_loop();
	assert_int_equal(heard.lines, 1);
	// tear_down() looks whether it was reaped: the loop does not run again.
	struct heard other = {0};
	begin(&other, 0, "count", "1", NULL);
	run_loop();
	assert_int_equal(heard.lines, 1);
	assert_int_equal(heard.ended, 0);
	assert_int_equal(other.lines, 1);
}

static void several_are_told_apart(void **state)
{
	(void)state;
	struct heard first = {0}, second = {0};
	begin(&first, 0, "wait", NULL, NULL);
	begin(&second, 0, "count", "2", "3");
	run_loop();
	assert_int_equal(second.status, 3);
	assert_int_equal(first.ended, 0);
	sp_child_process_end(first.child, 60000);
	run_loop();
	assert_int_equal(first.status, -SIGTERM);
	assert_int_equal(second.ended, 1);
}

static void what_cannot_run_is_said(void **state)
{
	(void)state;
	const char *const argv[] = {"child", NULL};
	assert_null(sp_child_process_start(children, "/nonexistent/program", argv, 0, &events, NULL));
	assert_int_equal(errno, ENOENT);
	assert_null(sp_child_process_start(children, "/proc/self/status", argv, 0, &events, NULL));
	assert_int_equal(errno, EACCES);
	char path[PATH_MAX];
	assert_int_equal(sp_child_beside("../sh", path, sizeof(path)), -EINVAL);
	assert_int_equal(sp_child_beside("", path, sizeof(path)), -EINVAL);

	// No descriptor left: an error, not a crash, and none of the few is lost.
	struct rlimit before, few;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t more = 0; more < 7; more++) {
		int next = dup(0);
		close(next);
		few = (struct rlimit){.rlim_cur = (rlim_t)next + more, .rlim_max = before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		struct sp_child_process *child =
		    sp_child_process_start(children, program, argv, 0, &events, NULL);
		int error = errno, again = dup(0);
		if (again >= 0)
			close(again);
		setrlimit(RLIMIT_NOFILE, &before);
		if (child)
			break;
		assert_int_equal(error, EMFILE);
		assert_true(again == next || more == 0);
	}
}

/// The agent of this test: it starts a child and dies of a signal.
static void agent_that_dies(int tell)
{
	struct heard heard = {.stop_at_line = false};
	const char *const argv[] = {"child", "wait", NULL};
	static const struct sp_child_process_events silent = {0};
	if (sp_loop_uv_new(&loop))
		_exit(1);
	children = sp_children_new(loop);
	heard.child = sp_child_process_start(children, program, argv, 0, &silent, NULL);
	char byte = heard.child ? 'y' : 'n';
	if (write(tell, &byte, 1) != 1)
		_exit(1);
	kill(getpid(), SIGKILL);
}

static void dies_with_the_agent(void **state)
{
	(void)state;
	int tell[2];
	char byte = 0;
	assert_int_equal(pipe(tell), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid_t agent = fork();
	if (agent == 0)
		agent_that_dies(tell[1]);
	assert_int_equal(read(tell[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	int status;
	assert_int_equal(waitpid(agent, &status, 0), agent);
	// Ours now; nobody else kills it.
	pid_t orphan = waitpid(-1, &status, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(tell[0]);
	close(tell[1]);
	assert_true(orphan > 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// ---- the same by io.h -------------------------------------------------------------------------------

static struct heard device_heard;

static void device_line(struct sp_device *dev, const char *line, size_t length, void *arg)
{
	assert_string_equal(sp_device_name(dev), "a");
	on_line(arg, line, length);
}

static void device_ended(struct sp_device *dev, int status, void *arg)
{
	assert_string_equal(sp_device_name(dev), "a");
	on_ended(arg, status);
}

static const struct sp_child_events device_events = {.line = device_line, .ended = device_ended};
static const char *device_mode;

static int device_start(struct sp_device *dev)
{
	const char *const argv[] = {"child", device_mode, "3", "4", NULL};
	assert_null(sp_child_start(dev, "no-such-program", argv, false, &device_events, &device_heard));
	assert_int_equal(errno, ENOENT);
	assert_non_null(
	    sp_child_start(dev, "core_child_program", argv, false, &device_events, &device_heard));
	return 0;
}

static void device_stop(struct sp_device *dev)
{
	(void)dev;
}

static void a_driver_has_one(const char *mode)
{
	static const struct sp_driver driver = {
	    .name = "parent", .cls = SP_DRIVER_GEAR, .start = device_start, .stop = device_stop};
	static char line[] = "";
	static const char conf[1];
	struct recorder_list records;
	recorder_list_init(&records);
	struct sp_devices *devices =
	    sp_devices_new(&(struct sp_devices_config){.loop = loop, .recorder = &records.base});
	struct sp_device_common common = {.line = line, .enabled = true};
	sp_devices_add(devices, &driver, "a", &common, conf);
	device_heard = (struct heard){0};
	device_mode = mode;
	sp_devices_start(devices);
	if (strcmp(mode, "count") == 0)
		run_loop();
	sp_devices_stop(devices);
	sp_devices_free(devices);
	recorder_list_clear(&records);
}

static void a_driver_hears_its_child(void **state)
{
	(void)state;
	a_driver_has_one("count");
	assert_string_equal(device_heard.text, "0 of 3\n1 of 3\n2 of 3\n");
	assert_int_equal(device_heard.ended, 1);
	assert_int_equal(device_heard.status, 4);
}

static void a_driver_that_stops_takes_it_along(void **state)
{
	(void)state;
	a_driver_has_one("deaf");
	assert_int_equal(device_heard.ended, 0); // and tear_down() finds no process
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(begins_with_nothing_of_ours, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(has_one_right_where_it_is_asked_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(says_all_before_its_end, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(may_say_a_long_line_but_no_longer, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(is_killed_when_it_does_not_listen, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(may_close_its_output_and_live, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(says_nothing_once_stopped, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(several_are_told_apart, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_cannot_run_is_said, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(dies_with_the_agent, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_driver_hears_its_child, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_driver_that_stops_takes_it_along, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
