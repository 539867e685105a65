// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of the journal's file in bad times.
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/core/fault_bench.h"

struct test_place place;

int bench_setup(void **state)
{
	(void)state;
	test_place_make(&place);
	return 0;
}

int bench_teardown(void **state)
{
	(void)state;
	fault_vfs_disarm();
	test_place_remove(&place);
	return 0;
}

struct sp_journal_store_config faulty(void)
{
	struct sp_journal_store_config config = test_config(&place);
	config.vfs = FAULT_VFS;
	return config;
}

off_t size_of(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);
	close(fd);
	return size;
}
