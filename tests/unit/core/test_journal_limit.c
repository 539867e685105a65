// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a metered line or one without means holds back: bulk, and nothing else, and not for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/core/store_bench.h"

/// How many batches of the class the lane offers.
static size_t offered(struct sp_journal_store *store, enum sp_lane lane, enum sp_record_class cls)
{
	struct sp_journal_batch *batches[64];
	size_t count = 0, found = 0;
	assert_int_equal(sp_journal_store_fetch(store, lane, 0, 64, batches, &count, 0), 0);
	for (size_t i = 0; i < count; i++) {
		found += batches[i]->envelope.cls == cls;
		sp_journal_batch_free(batches[i]);
	}
	return found;
}

static void commit(struct sp_journal_store *store, enum sp_record_class cls)
{
	static int64_t n;
	assert_int_equal(test_commit(store, cls, n++, 1, 0), 0);
}

static void test_without_means_only_bulk_waits(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	commit(store, SP_RECORD_FACTS);
	commit(store, SP_RECORD_BULK);
	sp_journal_store_close(store);
	store = bench_open();
	commit(store, SP_RECORD_FACTS);
	commit(store, SP_RECORD_BULK);
	commit(store, SP_RECORD_ATTENDANCE);
	store->bulk_limit = SP_BULK_NONE;
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 0);
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_FACTS), 1); // of the last opening
	assert_int_equal(offered(store, SP_LANE_LIVE, SP_RECORD_FACTS), 1);
	assert_int_equal(offered(store, SP_LANE_LIVE, SP_RECORD_ATTENDANCE), 1);
	assert_int_equal(store->now.unsettled[SP_RECORD_BULK], 4); // kept, `opened` included
	store->bulk_limit = SP_BULK_ALL;
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 2);
	sp_journal_store_close(store);
}

static void test_a_metered_line_gets_the_last_two_hours(void **state)
{
	(void)state;
	struct sp_journal_store *store = bench_open();
	store->bulk_limit = SP_BULK_LIVE;
	commit(store, SP_RECORD_BULK);
	sp_journal_store_hour(store);
	commit(store, SP_RECORD_BULK);
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 2);
	sp_journal_store_hour(store);
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 1);
	sp_journal_store_hour(store);
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 0);
	commit(store, SP_RECORD_BULK);
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 1);
	store->bulk_limit = SP_BULK_ALL;
	assert_int_equal(offered(store, SP_LANE_BACKLOG, SP_RECORD_BULK), 3);
	sp_journal_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_without_means_only_bulk_waits, bench_setup, bench_teardown),
	    cmocka_unit_test_setup_teardown(test_a_metered_line_gets_the_last_two_hours, bench_setup,
					    bench_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
