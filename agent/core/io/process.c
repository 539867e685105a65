// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Children on the loop: a pidfd tells that one has ended, a pipe brings its lines.
#include "agent/core/io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "schoolpulse/io.h"
#include "schoolpulse/log.h"

enum {
	TURN_BYTES = 16 * 1024,     ///< read of one child per turn of the loop
	REST_BYTES = 1024 * 1024,   ///< read of a child that has ended: more than a pipe holds
	FREE_WAIT_US = 2000 * 1000, ///< for those that are killed at the end
};

struct sp_child_process {
	struct sp_child_process *prev, *next;
	struct sp_children *owner;
	const struct sp_child_process_events *events; ///< NULL: nobody wants to know any more
	void *arg;
	pid_t pid;         ///< 0: reaped, and the number may be another's by now
	int pidfd, output; ///< output -1: closed
	struct sp_loop_watch *watch, *output_watch;
	struct sp_loop_timer *kill;
	size_t held;
	char line[SP_CHILD_LINE_MAX + 1];
};

struct sp_children {
	struct sp_loop *loop;
	struct sp_child_process *first;
};

static void tell(const struct sp_child_process *child, int number)
{
	if (child->pid > 0)
		kill(child->pid, number);
}

// ---- lines ----------------------------------------------------------------------------------------

static void close_output(struct sp_child_process *child)
{
	sp_loop_watch_free(child->owner->loop, child->output_watch);
	child->output_watch = NULL;
	if (child->output >= 0)
		close(child->output);
	child->output = -1;
}

static void deliver(struct sp_child_process *child)
{
	child->line[child->held] = '\0';
	size_t length = child->held;
	child->held = 0;
	if (child->events && child->events->line)
		child->events->line(child->arg, child->line, length);
}

/// False when the child may say no more.
static bool take(struct sp_child_process *child, const char *data, size_t length)
{
	for (size_t i = 0; i < length && child->events; i++) {
		if (data[i] == '\n') {
			deliver(child);
		} else if (child->held < SP_CHILD_LINE_MAX) {
			child->line[child->held++] = data[i];
		} else {
			sp_warning("child", "process %d is killed: it wrote a line without end",
				   (int)child->pid);
			tell(child, SIGKILL);
			return false;
		}
	}
	return child->events != NULL;
}

static void read_lines(struct sp_child_process *child, size_t most)
{
	char data[4096];
	for (size_t done = 0; done < most && child->output >= 0;) {
		ssize_t length = read(child->output, data, sizeof(data));
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno == EAGAIN)
			return;
		if (length <= 0 || !take(child, data, (size_t)length))
			close_output(child);
		else
			done += (size_t)length;
	}
}

static void readable(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	read_lines(arg, TURN_BYTES);
}

// ---- the end --------------------------------------------------------------------------------------

static void release(struct sp_child_process *child)
{
	close_output(child);
	sp_loop_watch_free(child->owner->loop, child->watch);
	close(child->pidfd);
	sp_loop_timer_free(child->owner->loop, child->kill);
	free(child);
}

static void dispose(struct sp_child_process *child)
{
	if (child->prev)
		child->prev->next = child->next;
	else
		child->owner->first = child->next;
	if (child->next)
		child->next->prev = child->prev;
	release(child);
}

/// False while it runs.
static bool reap(struct sp_child_process *child, int *status)
{
	int raw = 0;
	pid_t pid;
	do
		pid = waitpid(child->pid, &raw, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	// An inherited SIGCHLD that is ignored makes the kernel reap: then nobody knows how it ended.
	child->pid = 0;
	*status = pid < 0 ? 255 : WIFSIGNALED(raw) ? -WTERMSIG(raw) : WEXITSTATUS(raw);
	return true;
}

static void ended(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	struct sp_child_process *child = arg;
	int status;
	if (!reap(child, &status))
		return;
	read_lines(child, REST_BYTES);
	if (child->events && child->events->ended)
		child->events->ended(child->arg, status);
	dispose(child);
}

static void too_late(void *arg)
{
	struct sp_child_process *child = arg;
	tell(child, SIGKILL);
}

void sp_child_process_end(struct sp_child_process *child, int64_t grace_ms)
{
	tell(child, SIGTERM);
	sp_loop_timer_start(child->owner->loop, child->kill, grace_ms);
}

void sp_child_process_stop(struct sp_child_process *child)
{
	if (!child)
		return;
	child->events = NULL;
	tell(child, SIGKILL);
	close_output(child);
}

// ---- the beginning --------------------------------------------------------------------------------

/// What systemd tells the agent is not meant for its children.
static const char **make_environment(void)
{
	static const char *const ours[] = {"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_",
					   "CREDENTIALS_DIRECTORY="};
	size_t count = 0, kept = 0;
	while (environ && environ[count])
		count++;
	const char **out = sp_alloc((count + 1) * sizeof(*out));
	for (size_t i = 0; i < count; i++) {
		bool keep = true;
		for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			keep = keep && strncmp(environ[i], ours[k], strlen(ours[k])) != 0;
		if (keep)
			out[kept++] = environ[i];
	}
	return out;
}

/// The program runs: its end of the pipe was closed by exec. 0 or what went wrong.
static int await_exec(int fd)
{
	int error = 0;
	ssize_t length;
	do
		length = read(fd, &error, sizeof(error));
	while (length < 0 && errno == EINTR);
	return length == 0 ? 0 : length == (ssize_t)sizeof(error) ? error : EIO;
}

/// The child's number, or -1 and errno.
static pid_t launch(struct sp_child_launch *how)
{
	int failure[2];
	if (pipe2(failure, O_CLOEXEC) < 0)
		return -1;
	how->failure = failure[1];
	how->parent = (int)getpid();
	// No handler of ours may run in the child.
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		sp_child_exec(how);
	int error = pid < 0 ? errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(failure[1]);
	if (pid > 0) {
		error = await_exec(failure[0]);
		if (error)
			waitpid(pid, NULL, 0); // it has ended itself
	}
	close(failure[0]);
	errno = error;
	return error ? -1 : pid;
}

static pid_t launch_with(const char *path, const char *const *argv, unsigned flags, int output)
{
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (input < 0)
		return -1;
	const char **envp = make_environment();
	struct sp_child_launch how = {.path = path,
				      .argv = argv,
				      .envp = envp,
				      .raw = (flags & SP_CHILD_RAW) != 0,
				      .input = input,
				      .output = output};
	pid_t pid = launch(&how);
	int error = errno;
	close(input);
	free(envp);
	errno = error;
	return pid;
}

/// False and errno; what was opened by then is for dispose().
static bool watch_child(struct sp_child_process *child)
{
	struct sp_loop *loop = child->owner->loop;
	child->watch = sp_loop_watch_new(loop, child->pidfd, SP_READABLE, ended, child);
	if (!child->watch)
		return false;
	child->output_watch = sp_loop_watch_new(loop, child->output, SP_READABLE, readable, child);
	return child->output_watch != NULL;
}

static void abandon(pid_t pid)
{
	int error = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = error;
}

struct sp_child_process *sp_child_process_start(struct sp_children *children, const char *path,
						const char *const *argv, unsigned flags,
						const struct sp_child_process_events *events, void *arg)
{
	int output[2];
	if (pipe2(output, O_CLOEXEC) < 0)
		return NULL;
	pid_t pid = launch_with(path, argv, flags, output[1]);
	int error = errno;
	close(output[1]);
	int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid > 0 && pidfd < 0) {
		error = errno;
		abandon(pid);
	}
	if (pidfd < 0) {
		close(output[0]);
		errno = error;
		return NULL;
	}
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	struct sp_child_process *child = sp_alloc(sizeof(*child));
	*child = (struct sp_child_process){.next = children->first,
					   .owner = children,
					   .events = events,
					   .arg = arg,
					   .pid = pid,
					   .pidfd = pidfd,
					   .output = output[0]};
	if (child->next)
		child->next->prev = child;
	children->first = child;
	child->kill = sp_loop_timer_new(children->loop, too_late, child);
	if (watch_child(child))
		return child;
	abandon(pid);
	error = errno;
	dispose(child);
	errno = error;
	return NULL;
}

// ---- all of them ----------------------------------------------------------------------------------

struct sp_children *sp_children_new(struct sp_loop *loop)
{
	struct sp_children *children = sp_alloc(sizeof(*children));
	children->loop = loop;
	return children;
}

void sp_children_free(struct sp_children *children)
{
	if (!children)
		return;
	for (struct sp_child_process *child = children->first; child; child = child->next)
		sp_child_process_stop(child);
	int64_t until_us = sp_loop_now_us(children->loop) + FREE_WAIT_US;
	for (struct sp_child_process *child = children->first, *next; child; child = next) {
		int64_t wait_us = until_us - sp_loop_now_us(children->loop);
		struct pollfd end = {.fd = child->pidfd, .events = POLLIN};
		poll(&end, 1, wait_us > 0 ? (int)(wait_us / 1000) : 0);
		int status;
		if (!reap(child, &status))
			sp_warning("child", "process %d hangs in the kernel and is left behind",
				   (int)child->pid);
		next = child->next;
		release(child);
	}
	free(children);
}

int sp_child_beside(const char *program, char *path, size_t size)
{
	if (!program[0] || strchr(program, '/'))
		return -EINVAL;
	ssize_t length = readlink("/proc/self/exe", path, size);
	if (length < 0)
		return -errno;
	if ((size_t)length >= size)
		return -ENAMETOOLONG;
	path[length] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	size_t room = size - (size_t)(slash + 1 - path);
	return snprintf(slash + 1, room, "%s", program) < (int)room ? 0 : -ENAMETOOLONG;
}
