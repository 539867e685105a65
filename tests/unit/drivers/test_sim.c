// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The simulated line and the simulated kiosk.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/sim/punch_log.h"
#include "drivers/sim/script.h"
#include "fake_io.h"

static char folder[] = "/tmp/sp-sim-XXXXXX", log_path[64], used_path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sp-sim-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	snprintf(used_path, sizeof(used_path), "%s/log.used", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(log_path);
	unlink(used_path);
	return rmdir(folder);
}

#define assert_status(dev, rung, family, expected) \
	assert_int_equal(fake_last(dev, rung, family)->report.status, expected)

static void test_line_plays_its_script(void **state)
{
	(void)state;
	struct sp_device *dev =
	    fake_new(&sp_driver_sim_line, "main", "faults = isp_core@10, portal@15, ok@20\n");
	assert_int_equal(fake_start(dev), 0);
	int64_t began = dev->now_us;
	fake_run(dev, 9900, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	fake_run(dev, 200, true);
	assert_status(dev, SP_RUNG_GATEWAY, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_SILENT);
	assert_status(dev, SP_RUNG_INTERNATIONAL, SP_FAMILY_IPV6, SP_RUNG_SILENT);
	assert_int_equal(fake_last(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4)->report.since_us, began + 10000000);
	assert_int_equal(dev->suspects, 1);
	fake_run(dev, 5000, true);
	assert_status(dev, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4, SP_RUNG_OK);
	assert_status(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_WRONG);
	dev->report_count = 0;
	fake_run(dev, 200 * 1000, true);
	assert_status(dev, SP_RUNG_PORTAL, SP_FAMILY_ANY, SP_RUNG_OK);
	assert_non_null(strstr(fake_last(dev, SP_RUNG_DNS, SP_FAMILY_ANY)->detail, "simulated"));
	fake_free(dev);
}

static void test_line_repeats(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&sp_driver_sim_line, "main", "faults = cable@5\nrepeat = 10s\n");
	assert_int_equal(fake_start(dev), 0);
	for (int i = 0; i < 5; i++) {
		fake_run(dev, 4000, true);
		assert_status(dev, SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_OK);
		fake_run(dev, 4000, true);
		assert_status(dev, SP_RUNG_CABLE, SP_FAMILY_ANY, SP_RUNG_SILENT);
		fake_run(dev, 2000, true);
	}
	fake_free(dev);
}

static void test_bad_scripts(void **state)
{
	(void)state;
	static const char *const bad[] = {"cable",         "cable@", "cable@x",       "snow@5",
					  "cable@5, ok@4", "@5",     "ok@99999999999"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		char text[64];
		snprintf(text, sizeof(text), "faults = %s\n", bad[i]);
		struct sp_device *dev = fake_new(&sp_driver_sim_line, "main", text);
		assert_int_equal(fake_start(dev), -EINVAL);
		fake_free(dev);
	}
}

static void test_every_fault_spares_what_is_nearer(void **state)
{
	(void)state;
	for (int fault = SP_SIM_CABLE; fault <= SP_SIM_ISP_CORE; fault++)
		for (int rung = SP_RUNG_CABLE; rung <= SP_RUNG_PORTAL; rung++)
			assert_int_equal(sp_sim_rung(fault, rung, SP_FAMILY_IPV4),
					 rung >= fault - SP_SIM_CABLE ? SP_RUNG_SILENT : SP_RUNG_OK);
	assert_int_equal(sp_sim_rung(SP_SIM_ISP_CORE, SP_RUNG_FULL_SIZE, SP_FAMILY_IPV4), SP_RUNG_UNKNOWN);
	for (int rung = SP_RUNG_CABLE; rung < SP_RUNGS; rung++) {
		assert_int_equal(sp_sim_rung(SP_SIM_DEAF, rung, SP_FAMILY_IPV4),
				 rung == SP_RUNG_ISP_ACCESS ? SP_RUNG_SILENT : SP_RUNG_OK);
		assert_int_equal(sp_sim_rung(SP_SIM_MTU, rung, SP_FAMILY_IPV4),
				 rung == SP_RUNG_FULL_SIZE ? SP_RUNG_SILENT : SP_RUNG_OK);
		assert_int_equal(sp_sim_rung(SP_SIM_SERVICE, rung, SP_FAMILY_IPV4),
				 rung == SP_RUNG_SERVICE ? SP_RUNG_SILENT : SP_RUNG_OK);
	}
	assert_int_equal(sp_sim_rung(SP_SIM_IPV6, SP_RUNG_ISP_CORE, SP_FAMILY_IPV6), SP_RUNG_SILENT);
	assert_int_equal(sp_sim_rung(SP_SIM_IPV6, SP_RUNG_ISP_CORE, SP_FAMILY_IPV4), SP_RUNG_OK);
	assert_int_equal(sp_sim_rung(SP_SIM_IPV6, SP_RUNG_GATEWAY, SP_FAMILY_IPV6), SP_RUNG_OK);
}

static struct sp_device *kiosk(const char *more)
{
	char text[256];
	snprintf(text, sizeof(text), "period = 100ms\ncount = 5\nlog = %s\n%s", log_path, more);
	struct sp_device *dev = fake_new(&sp_driver_sim_kiosk, "kiosk", text);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static void commit(struct sp_device *dev, size_t from, size_t count, int result)
{
	for (size_t i = from; i < from + count; i++) {
		struct fake_punch *punch = &dev->kiosk.punches[i];
		punch->done = true;
		punch->committed(dev, result, punch->arg);
	}
}

static void assert_number(struct sp_device *dev, size_t index, int64_t number)
{
	const struct fake_punch *kept = fake_punch(dev, index);
	char key[24], person[24];
	snprintf(key, sizeof(key), "%" PRId64, number);
	snprintf(person, sizeof(person), "%" PRId64, number % 500);
	assert_int_equal(kept->punch.number, number);
	assert_int_equal(kept->punch.key_length, strlen(key));
	assert_memory_equal(kept->punch.key, key, strlen(key));
	assert_string_equal(kept->punch.person, person);
	assert_true(kept->punch.live);
}

static void test_kiosk_logs_what_is_committed(void **state)
{
	(void)state;
	struct sp_device *dev = kiosk("samples = 3\n");
	fake_run(dev, 250, true);
	assert_int_equal(dev->kiosk.punch_count, 10);
	assert_number(dev, 0, 1);
	assert_int_equal(access(log_path, F_OK), 0);
	commit(dev, 0, 7, 0);
	int64_t last;
	int fd = sp_punch_log_open(log_path, &last);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(last, 7);
	assert_int_equal(fake_sample(dev, 0, "")->count, 6);
	fake_free(dev);
	// Numbers 8 to 10 may be in the journal: none is used again.
	dev = kiosk("");
	fake_run(dev, 150, true);
	assert_number(dev, 0, 1001);
	fake_free(dev);
}

static void test_kiosk_waits_for_a_journal_that_does_not_answer(void **state)
{
	(void)state;
	struct sp_device *dev = kiosk("");
	dev->kiosk.result = -ENOBUFS;
	fake_run(dev, 11 * 1000, true);
	assert_int_equal(dev->kiosk.punch_count, 0);
	assert_string_equal(dev->reason, "refused");
	dev->kiosk.result = 0;
	fake_run(dev, 100, true);
	assert_number(dev, 0, 1);
	commit(dev, 0, 5, -EIO);
	fake_run(dev, 100, true);
	assert_number(dev, 5, 6);
	commit(dev, 5, 5, 0);
	fake_run(dev, 11 * 1000, true);
	assert_int_equal(fake_sample(dev, 1, "")->last, 5);
	fake_free(dev);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_log_after_a_crash(void **state)
{
	(void)state;
	int64_t last;
	static const struct {
		const char *text;
		int64_t last;
		int error;
	} cases[] = {
	    {"", 0, 0},
	    {"1\n2\n3\n", 3, 0},
	    {"1\n2\n34", 2, 0}, // a torn end is cut off
	    {"12", 0, 0},
	    {"7\n", 7, 0},
	    {"7\nabc\n", 0, -EBADMSG},
	    {"7\n\n", 0, -EBADMSG},
	    {"99999999999999999999999999\n", 0, -EBADMSG},
	    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0, -EBADMSG},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		write_text(log_path, cases[i].text);
		int fd = sp_punch_log_open(log_path, &last);
		if (cases[i].error) {
			assert_int_equal(fd, cases[i].error);
			continue;
		}
		assert_true(fd >= 0);
		assert_int_equal(last, cases[i].last);
		assert_int_equal(sp_punch_log_append(fd, 1000), 0);
		close(fd);
		fd = sp_punch_log_open(log_path, &last);
		assert_int_equal(last, 1000);
		close(fd);
	}
	assert_int_equal(sp_punch_log_used(log_path, &last), 0);
	assert_int_equal(last, 0);
	assert_int_equal(sp_punch_log_use(log_path, 12345), 0);
	assert_int_equal(sp_punch_log_used(log_path, &last), 0);
	assert_int_equal(last, 12345);
	write_text(used_path, "12");
	assert_int_equal(sp_punch_log_used(log_path, &last), -EBADMSG);
}

static void test_kiosk_without_a_log(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&sp_driver_sim_kiosk, "kiosk", "period = 100ms\n");
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 250, true);
	assert_int_equal(dev->kiosk.punch_count, 2);
	commit(dev, 0, 2, 0);
	fake_free(dev);
	dev = fake_new(&sp_driver_sim_kiosk, "kiosk", "log = /nowhere/at/all\n");
	assert_int_equal(fake_start(dev), -ENOENT);
	fake_free(dev);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_line_plays_its_script),
	    TEST(test_line_repeats),
	    TEST(test_bad_scripts),
	    TEST(test_every_fault_spares_what_is_nearer),
	    TEST(test_kiosk_logs_what_is_committed),
	    TEST(test_kiosk_waits_for_a_journal_that_does_not_answer),
	    TEST(test_log_after_a_crash),
	    TEST(test_kiosk_without_a_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
