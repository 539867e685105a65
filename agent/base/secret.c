// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Pages that stay out of core files (secret.h).
#include "agent/base/secret.h"

#include <string.h>
#include <sys/mman.h>

#include "agent/base/mem.h"

void *sp_secret_new(size_t size)
{
	void *secret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		abort();
	// A kernel that grants none of these gives a plain page, which is wiped all the same.
	(void)madvise(secret, size, MADV_DONTDUMP);
	(void)madvise(secret, size, MADV_WIPEONFORK);
	(void)mlock(secret, size);
	return secret;
}

void sp_secret_free(void *secret, size_t size)
{
	if (!secret)
		return;
	explicit_bzero(secret, size);
	munmap(secret, size);
}
