// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a child does between fork and exec: the agent has threads, so nothing here may allocate, lock or log.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/core/io/process.h"

enum { FAILURE_FD = 3, FD_CEILING = 65536 };

static void fail(int fd)
{
	int error = errno;
	ssize_t ignored = write(fd, &error, sizeof(error));
	(void)ignored;
	_exit(127);
}

static void default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL); // those that cannot be caught refuse, rightly
}

/// Standard streams, the pipe for a failure, and nothing else.
static int arrange_descriptors(const struct sp_child_launch *launch)
{
	if (dup2(launch->input, STDIN_FILENO) < 0 || dup2(launch->output, STDOUT_FILENO) < 0)
		return -1;
	if (launch->failure != FAILURE_FD && dup3(launch->failure, FAILURE_FD, O_CLOEXEC) < 0)
		return -1;
	if (syscall(SYS_close_range, FAILURE_FD + 1U, ~0U, 0U) == 0)
		return 0;
	struct rlimit limit = {.rlim_cur = FD_CEILING}; // a kernel before 5.9
	getrlimit(RLIMIT_NOFILE, &limit);
	int ceiling = limit.rlim_cur < FD_CEILING ? (int)limit.rlim_cur : FD_CEILING;
	for (int fd = FAILURE_FD + 1; fd < ceiling; fd++)
		close(fd);
	return 0;
}

static int set_capabilities(__u32 mask)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{mask, mask, mask}};
	return (int)syscall(SYS_capset, &header, data);
}

/// CAP_NET_RAW or nothing. An ambient capability survives the exec of an ordinary program; with
/// no_new_privs not even root gains what is not permitted here.
static int limit_rights(bool raw)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -1;
	bool kept = raw && set_capabilities(1U << CAP_NET_RAW) == 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0;
	if (!kept && set_capabilities(0) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void sp_child_exec(const struct sp_child_launch *launch)
{
	// The agent may have died before the wish was heard.
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != launch->parent)
		_exit(127);
	if (arrange_descriptors(launch) < 0)
		fail(launch->failure);
	if (limit_rights(launch->raw) < 0)
		fail(FAILURE_FD);
	default_signals();
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// execve does not change the strings; its signature is older than const.
	char *const *argv, *const *envp;
	memcpy(&argv, &launch->argv, sizeof(argv));
	memcpy(&envp, &launch->envp, sizeof(envp));
	execve(launch->path, argv, envp);
	fail(FAILURE_FD);
	_exit(127);
}
