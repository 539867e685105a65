// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What made-up machines have left of the boot before: watchdogs, panics, the Pi's reset register.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/stat.h>

#include "tests/unit/boards/machine.h"

static struct sp_board_past read_past(void)
{
	struct sp_board_root root = {machine_root, "/var/lib/schoolpulse"};
	struct sp_board_past past = {0};
	sp_board_match(&root)->past(&root, &past);
	return past;
}

static void watchdog(const char *identity, const char *bootstatus, const char *state)
{
	machine_file("/sys/class/watchdog/watchdog0/identity", identity);
	machine_file("/sys/class/watchdog/watchdog0/bootstatus", bootstatus);
	machine_file("/sys/class/watchdog/watchdog0/state", state);
}

static void test_nothing_to_read_is_nothing_known(void **unused)
{
	(void)unused;
	struct sp_board_past past = read_past();
	assert_int_equal(past.reset, SP_RESET_UNKNOWN);
	assert_false(past.watchdog_struck.known);
	assert_true(past.watchdog_armed.known && past.watchdog_armed.value == 0); // there is none
	assert_false(past.panic_seconds.known);
	assert_false(past.traces_kept);
	assert_int_equal(past.trace_count, 0);
}

static void test_watchdogs(void **unused)
{
	(void)unused;
	watchdog("Broadcom BCM2835 Watchdog timer\n", "0\n", "active\n");
	struct sp_board_past past = read_past();
	assert_false(past.watchdog_struck.known); // that driver never says
	assert_true(past.watchdog_armed.value == 1);
	watchdog("OMAP Watchdog\n", "0\n", "inactive\n");
	past = read_past();
	assert_true(past.watchdog_struck.known && past.watchdog_struck.value == 0);
	assert_true(past.watchdog_armed.known && past.watchdog_armed.value == 0);
	watchdog("OMAP Watchdog\n", "32\n", "inactive\n");
	past = read_past();
	assert_true(past.watchdog_struck.known && past.watchdog_struck.value == 1);
	watchdog("anything\n", "33\n", "inactive\n"); // who says so is believed
	past = read_past();
	assert_true(past.watchdog_struck.value == 1);
	watchdog("OMAP Watchdog\n", "rubbish", "what?");
	past = read_past();
	assert_false(past.watchdog_struck.known);
	// Beside one that would tell, another that would not.
	watchdog("OMAP Watchdog\n", "0\n", "inactive\n");
	machine_file("/sys/class/watchdog/watchdog1/identity", "Software Watchdog\n");
	machine_file("/sys/class/watchdog/watchdog1/bootstatus", "0\n");
	past = read_past();
	assert_false(past.watchdog_struck.known);
	assert_false(past.watchdog_armed.known); // the second does not say whether it runs
}

static void test_panics(void **unused)
{
	(void)unused;
	machine_file("/proc/sys/kernel/panic", "10\n");
	machine_file("/sys/module/pstore/parameters/backend", "(null)\n");
	struct sp_board_past past = read_past();
	assert_true(past.panic_seconds.known && past.panic_seconds.value == 10);
	assert_false(past.traces_kept);
	machine_file("/sys/module/pstore/parameters/backend", "ramoops\n");
	machine_file("/sys/fs/pstore/console-ramoops-0", "it is there after each restart");
	past = read_past();
	assert_true(past.traces_kept);
	assert_int_equal(past.trace_count, 0);
	machine_file("/sys/fs/pstore/dmesg-ramoops-0",
		     "Panic#1 Part1\n<0>[   12.3] Kernel panic - not syncing");
	machine_file("/sys/fs/pstore/dmesg-ramoops-1", "Oops#1 Part1\n<1>[   11.3] BUG: unable to handle");
	machine_file("/var/lib/systemd/pstore/1795600000/001/dmesg.txt", "older");
	past = read_past();
	assert_int_equal(past.trace_count, 3);
	unsigned oopses = 0;
	for (size_t i = 0; i < past.trace_count; i++)
		oopses += past.traces[i].oops;
	assert_int_equal(oopses, 1);
	struct sp_board_past again = read_past();
	assert_memory_equal(past.traces, again.traces, sizeof(past.traces));
	machine_file("/sys/fs/pstore/dmesg-ramoops-0", "Panic#2 Part1\n<0>[   99.3] another death");
	again = read_past();
	assert_int_equal(again.trace_count, 3);
	assert_memory_not_equal(past.traces, again.traces, sizeof(past.traces));
}

static void test_traces_without_number(void **unused)
{
	(void)unused;
	for (int i = 0; i < 100; i++) {
		char path[96];
		snprintf(path, sizeof(path), "/var/lib/systemd/pstore/%d/a/b/c/dmesg", i);
		machine_file(path, "too deep");
		snprintf(path, sizeof(path), "/var/lib/systemd/pstore/dmesg-efi-%d", i);
		machine_file(path, "");
	}
	machine_link("/var/lib/systemd/pstore/dmesg-loop", "/var/lib/systemd/pstore");
	assert_int_equal(read_past().trace_count, SP_BOARD_TRACES);
}

/// Written in an order of their own, so that a folder's order is not theirs.
static void write_traces(int count)
{
	for (int i = 0; i < count; i++) {
		int number = i * 7 % count;
		char path[96], full[160];
		snprintf(path, sizeof(path), "/var/lib/systemd/pstore/dmesg-efi-%d", number);
		machine_file(path, "Panic#1 Part1\n");
		snprintf(full, sizeof(full), "%s%s", machine_root, path);
		struct timespec times[2] = {{.tv_sec = 1795600000 + number}, {.tv_sec = 1795600000 + number}};
		assert_int_equal(utimensat(AT_FDCWD, full, times, 0), 0);
	}
}

static void test_the_newest_traces_are_kept(void **unused)
{
	(void)unused;
	write_traces(SP_BOARD_TRACES);
	struct sp_board_past before = read_past();
	assert_int_equal(before.trace_count, SP_BOARD_TRACES);
	assert_false(before.traces_more);
	write_traces(40);
	struct sp_board_past past = read_past();
	assert_int_equal(past.trace_count, SP_BOARD_TRACES);
	assert_true(past.traces_more);
	// Eight newer ones first, and the others as they were.
	assert_memory_equal(past.traces + 8, before.traces, (SP_BOARD_TRACES - 8) * sizeof(past.traces[0]));
}

// ---- Raspberry Pi -----------------------------------------------------------------------------------------

static void pi_cell(const char *path, uint32_t value)
{
	uint8_t cell[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
			  (uint8_t)value};
	machine_bytes(path, cell, sizeof(cell));
}

static const char rsts[] = "/proc/device-tree/chosen/bootloader/rsts";

static void test_the_reset_register_of_a_pi(void **unused)
{
	(void)unused;
	machine_bytes("/proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711", 34);
	assert_int_equal(read_past().reset, SP_RESET_UNKNOWN);
	pi_cell(rsts, 0x1000);
	struct sp_board_past past = read_past();
	assert_int_equal(past.reset, SP_RESET_POWER_ON);
	assert_string_equal(past.reset_source, "rsts 0x00001000");
	pi_cell(rsts, 0x1020);
	assert_int_equal(read_past().reset, SP_RESET_WARM);
	pi_cell(rsts, 0x20);
	assert_int_equal(read_past().reset, SP_RESET_WARM);
	pi_cell(rsts, 0x1555); // the number of a partition is no reset
	assert_int_equal(read_past().reset, SP_RESET_POWER_ON);
	pi_cell(rsts, 0);
	assert_int_equal(read_past().reset, SP_RESET_UNKNOWN);
	machine_bytes(rsts, "\0\0\x10", 3);
	assert_int_equal(read_past().reset, SP_RESET_UNKNOWN);
	machine_bytes(rsts, "\0\0\x10\0\0\0\x10\0", 8);
	assert_int_equal(read_past().reset, SP_RESET_UNKNOWN);
}

static void test_the_power_chip_of_a_pi_5(void **unused)
{
	(void)unused;
	static const char power[] = "/proc/device-tree/chosen/power/power_reset";
	machine_bytes("/proc/device-tree/compatible", "raspberrypi,5-model-b\0brcm,bcm2712", 34);
	pi_cell(rsts, 0x1000);
	pi_cell(power, 0);
	assert_int_equal(read_past().reset, SP_RESET_POWER_ON);
	pi_cell(power, 2);
	struct sp_board_past past = read_past();
	assert_int_equal(past.reset, SP_RESET_POWER_ON);
	assert_string_equal(past.reset_source, "power_reset 0x00000002, under-voltage");
	pi_cell(power, 16);
	assert_int_equal(read_past().reset, SP_RESET_WATCHDOG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define MACHINE(test) cmocka_unit_test_setup_teardown(test, machine_new, machine_free)
	    MACHINE(test_nothing_to_read_is_nothing_known),
	    MACHINE(test_watchdogs),
	    MACHINE(test_panics),
	    MACHINE(test_traces_without_number),
	    MACHINE(test_the_newest_traces_are_kept),
	    MACHINE(test_the_reset_register_of_a_pi),
	    MACHINE(test_the_power_chip_of_a_pi_5),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
