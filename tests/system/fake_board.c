// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD in tests: a board elsewhere. The kernel's clock looks disciplined as soon as the file named
// by SP_TEST_SYNCED exists, and the kernel is Debian's, so that examples do not tell on which machine they
// were made.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

int adjtimex(struct timex *kernel)
{
	int (*real)(struct timex *) = (int (*)(struct timex *))dlsym(RTLD_NEXT, "adjtimex");
	int state = real(kernel);
	const char *file = getenv("SP_TEST_SYNCED");
	int synced = state >= 0 && file && access(file, F_OK) == 0;
	kernel->status = synced ? kernel->status & ~STA_UNSYNC : kernel->status | STA_UNSYNC;
	if (synced)
		kernel->maxerror = 12000;
	return synced ? TIME_OK : state < 0 ? state : TIME_ERROR;
}

int uname(struct utsname *name)
{
	int (*real)(struct utsname *) = (int (*)(struct utsname *))dlsym(RTLD_NEXT, "uname");
	int result = real(name);
	strcpy(name->release, "6.1.0-28-arm64");
	strcpy(name->machine, "aarch64");
	strcpy(name->nodename, "board");
	return result;
}
