// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
#include "capture_rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/// No descriptor that is not open now; and what was read here is in no core dump.
static int limit_resources(void)
{
	static const struct rlimit nothing;
	// poll() takes no more descriptors than may be open; the standard ones use these numbers up.
	static const struct rlimit few = {STDERR_FILENO + 1, STDERR_FILENO + 1};
	if (setrlimit(RLIMIT_NOFILE, &few) < 0 || setrlimit(RLIMIT_CORE, &nothing) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int limit_calls(void)
{
	static const int calls[] = {
	    SCMP_SYS(read),
	    SCMP_SYS(pread64),
	    SCMP_SYS(write),
	    SCMP_SYS(poll),
	    SCMP_SYS(ppoll),
	    SCMP_SYS(ppoll_time64),
	    SCMP_SYS(getsockopt),
	    SCMP_SYS(clock_gettime),
	    SCMP_SYS(clock_gettime64),
	    SCMP_SYS(gettimeofday),
	    SCMP_SYS(restart_syscall),
	    SCMP_SYS(rt_sigreturn),
	    SCMP_SYS(sigreturn),
	    SCMP_SYS(exit),
	    SCMP_SYS(exit_group),
	};
	// Not to be killed: libpcap asks more when an interface goes, and can do without the answers.
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result = filter ? 0 : -ENOMEM;
	for (size_t i = 0; !result && i < sizeof(calls) / sizeof(calls[0]); i++) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
		// Not every architecture has every one of them.
		if (result == -EDOM || result == -EINVAL)
			result = 0;
	}
	if (!result)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}

int sp_capture_lock(void)
{
	int result = drop_capabilities();
	if (!result)
		result = limit_resources();
	return result ? result : limit_calls();
}
