// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The bench of the journal's file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/core/store_bench.h"

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
	test_place_remove(&place);
	return 0;
}

struct sp_journal_store *bench_open_with(const struct sp_journal_store_config *config, int64_t now_ms)
{
	struct sp_journal_store *store;
	assert_int_equal(sp_journal_store_open(&store, config, now_ms), 0);
	return store;
}

struct sp_journal_store *bench_open(void)
{
	struct sp_journal_store_config config = test_config(&place);
	return bench_open_with(&config, 0);
}

struct sp_feed_ack ack_of(const char *stream, int64_t upto)
{
	struct sp_feed_ack ack = {.upto = upto, .number = 1};
	snprintf(ack.stream, sizeof(ack.stream), "%s", stream);
	return ack;
}

bool apply(struct sp_journal_store *store, const struct sp_feed_ack *ack)
{
	bool again;
	assert_int_equal(sp_journal_store_ack(store, ack, &again, 0), 0);
	return again;
}

int64_t unsettled(const struct sp_journal_store *store)
{
	int64_t sum = 0;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		sum += store->now.unsettled[cls];
	return sum;
}
