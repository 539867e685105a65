// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// sp_work() on the real loop: another thread works, the main thread hears of it, whatever became of the
// device meanwhile; a library that never comes back does not hold the end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/core/device.h"
#include "tests/unit/core/recorder_list.h"

static struct sp_loop *loop;
static struct sp_devices *devices;
static struct sp_device *dev;
static struct recorder_list records;

static int start(struct sp_device *device)
{
	(void)device;
	return 0;
}

static void stop(struct sp_device *device)
{
	(void)device;
}

static const struct sp_driver driver = {.name = "idle", .cls = SP_DRIVER_GEAR, .start = start, .stop = stop};

struct job {
	int gate[2]; ///< the work ends when a byte comes; -1: at once
	pthread_t thread;
	bool worked;
	int dones;
	struct sp_device *told;
	bool leave;
};

static void work(void *arg)
{
	struct job *job = arg;
	char byte;
	if (job->gate[0] >= 0)
		assert_int_equal(read(job->gate[0], &byte, 1), 1);
	job->thread = pthread_self();
	job->worked = true;
}

static void done(struct sp_device *device, void *arg)
{
	struct job *job = arg;
	assert_true(job->worked);
	job->dones++;
	job->told = device;
	if (job->leave)
		sp_loop_uv_stop(loop);
}

static struct job job_new(bool gated)
{
	struct job job = {.gate = {-1, -1}};
	if (gated)
		assert_int_equal(pipe(job.gate), 0);
	return job;
}

static void job_free(struct job *job)
{
	if (job->gate[0] < 0)
		return;
	close(job->gate[0]);
	close(job->gate[1]);
}

static int set_up(void **state)
{
	(void)state;
	static char line[] = "";
	static const char conf[1];
	recorder_list_init(&records);
	if (sp_loop_uv_new(&loop))
		return -1;
	devices = sp_devices_new(&(struct sp_devices_config){.loop = loop, .recorder = &records.base});
	struct sp_device_common common = {.line = line, .enabled = true};
	dev = sp_devices_add(devices, &driver, "a", &common, conf);
	sp_devices_start(devices);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_devices_stop(devices);
	sp_devices_free(devices);
	sp_loop_uv_free(loop);
	recorder_list_clear(&records);
	return 0;
}

static void test_another_thread_works_and_the_main_one_is_told(void **state)
{
	(void)state;
	struct job job = job_new(false);
	job.leave = true;
	sp_work(dev, work, done, &job);
	assert_int_equal(job.dones, 0); // never inside the call
	sp_loop_uv_run(loop);
	assert_int_equal(job.dones, 1);
	assert_ptr_equal(job.told, dev);
	assert_false(pthread_equal(job.thread, pthread_self()));
}

static void test_done_comes_without_a_device_that_has_stopped(void **state)
{
	(void)state;
	struct job job = job_new(true);
	sp_work(dev, work, done, &job);
	sp_devices_stop(devices);
	assert_int_equal(write(job.gate[1], "x", 1), 1);
	assert_true(sp_loop_uv_finish(loop, 60000));
	assert_int_equal(job.dones, 1);
	assert_null(job.told);
	job_free(&job);
}

static void test_the_end_does_not_wait_for_ever(void **state)
{
	(void)state;
	struct job job = job_new(true);
	assert_true(sp_loop_uv_finish(loop, 60000)); // nothing is under way
	sp_work(dev, work, done, &job);
	assert_false(sp_loop_uv_finish(loop, 20));
	assert_int_equal(job.dones, 0);
	assert_int_equal(write(job.gate[1], "x", 1), 1);
	assert_true(sp_loop_uv_finish(loop, 60000));
	assert_int_equal(job.dones, 1);
	job_free(&job);
}

static void test_more_work_than_threads_is_all_done(void **state)
{
	(void)state;
	enum { JOBS = 40 };
	struct job jobs[JOBS];
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = job_new(false);
		sp_work(dev, work, done, &jobs[i]);
	}
	assert_true(sp_loop_uv_finish(loop, 60000));
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].dones, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_another_thread_works_and_the_main_one_is_told, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_done_comes_without_a_device_that_has_stopped, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_the_end_does_not_wait_for_ever, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_more_work_than_threads_is_all_done, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
