// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Texts of /proc and /sys, good and hostile, as pure parsing.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "boards/text.h"

static void test_integer(void **state)
{
	(void)state;
	int64_t value;
	static const struct {
		const char *text;
		int result;
		int64_t value;
	} cases[] = {
	    {"0", 0, 0},
	    {"48312", 0, 48312},
	    {"-5000", 0, -5000},
	    {"+7", 0, 7},
	    {"9223372036854775807", 0, INT64_MAX},
	    {"9223372036854775808", -ERANGE, 0},
	    {"99999999999999999999999", -ERANGE, 0},
	    {"", -EBADMSG, 0},
	    {"-", -EBADMSG, 0},
	    {" 1", -EBADMSG, 0},
	    {"1 2", -EBADMSG, 0},
	    {"0x10", -EBADMSG, 0},
	    {"12abc", -EBADMSG, 0},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		assert_int_equal(sp_text_integer(cases[i].text, &value), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(value, cases[i].value);
	}
}

static void test_hex(void **state)
{
	(void)state;
	uint64_t value;
	assert_int_equal(sp_text_hex("50005", &value), 0);
	assert_int_equal(value, 0x50005);
	assert_int_equal(sp_text_hex("0x50000", &value), 0);
	assert_int_equal(value, 0x50000);
	assert_int_equal(sp_text_hex("0", &value), 0);
	assert_int_equal(sp_text_hex("", &value), -EBADMSG);
	assert_int_equal(sp_text_hex("0x", &value), -EBADMSG);
	assert_int_equal(sp_text_hex("-1", &value), -EBADMSG);
	assert_int_equal(sp_text_hex("12g", &value), -EBADMSG);
	assert_int_equal(sp_text_hex("ffffffffffffffffff", &value), -ERANGE);
}

static void test_fraction(void **state)
{
	(void)state;
	double value;
	assert_int_equal(sp_text_fraction("0.52 0.58 0.59 1/467 12345", &value), 0);
	assert_true(value > 0.519 && value < 0.521);
	assert_int_equal(sp_text_fraction("35061.07 69000.11", &value), 0);
	assert_true(value > 35061.06 && value < 35061.08);
	assert_int_equal(sp_text_fraction("7", &value), 0);
	static const char *const bad[] = {"", ".5", "-1", "nan", "1e5", "99999999999999999999"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_text_fraction(bad[i], &value), -EBADMSG);
}

static void test_column(void **state)
{
	(void)state;
	static const char stat[] =
	    "   12047     4034   789234     5000    98123    45000  2345678    99999        0     1";
	uint64_t value;
	assert_int_equal(sp_text_column(stat, 7, &value), 0);
	assert_int_equal(value, 2345678);
	assert_int_equal(sp_text_column(stat, 1, &value), 0);
	assert_int_equal(value, 12047);
	assert_int_equal(sp_text_column(stat, 11, &value), -EBADMSG);
	assert_int_equal(sp_text_column(stat, 0, &value), -EBADMSG);
	assert_int_equal(sp_text_column("1 2 -3", 3, &value), -EBADMSG);
	assert_int_equal(sp_text_column("1 2x 3", 3, &value), -EBADMSG);
}

static void test_meminfo(void **state)
{
	(void)state;
	static const char text[] = "MemTotal:        3884320 kB\nMemFree: 1 kB\nMemAvailable:    3011224 kB\n"
				   "Odd: 5\nHuge: 99999999999999999999 kB\n";
	uint64_t value;
	assert_int_equal(sp_text_meminfo(text, "MemTotal", &value), 0);
	assert_int_equal(value, 3884320ull * 1024);
	assert_int_equal(sp_text_meminfo(text, "MemAvailable", &value), 0);
	assert_int_equal(sp_text_meminfo(text, "Mem", &value), -ENOENT);
	assert_int_equal(sp_text_meminfo(text, "Odd", &value), -EBADMSG);
	assert_int_equal(sp_text_meminfo(text, "Huge", &value), -EBADMSG);
	assert_int_equal(sp_text_meminfo("", "MemTotal", &value), -ENOENT);
}

static void test_cpus(void **state)
{
	(void)state;
	assert_int_equal(sp_text_cpus("0-3"), 4);
	assert_int_equal(sp_text_cpus("0"), 1);
	assert_int_equal(sp_text_cpus("0-1,4,6-7"), 5);
	static const char *const bad[] = {"",    "a", "3-0", "0-", "0,,1", "0-999999999", "0-65535,0-65535",
					  "0;1", "0,"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_text_cpus(bad[i]), 0);
}

static void test_life_time(void **state)
{
	(void)state;
	double wear;
	assert_int_equal(sp_text_life_time("0x01 0x03", &wear), 0);
	assert_true(wear == 0.3);
	assert_int_equal(sp_text_life_time("0x0A 0x00", &wear), 0);
	assert_true(wear == 1);
	assert_int_equal(sp_text_life_time("0x0b 0x01", &wear), 0);
	assert_true(wear == 1);
	static const char *const bad[] = {"0x00 0x00", "0x0c 0x01",      "0xff 0xff", "",
					  "0x01",      "0x01 0x02 0x03", "1 x"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(sp_text_life_time(bad[i], &wear), -EBADMSG);
}

static const char mounts[] = "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
			     "27 1 179:2 / / rw,relatime shared:1 - ext4 /dev/mmcblk0p2 rw,discard\n"
			     "28 27 8:1 / /var rw shared:2 master:3 - ext4 /dev/sda1 rw,errors=remount-ro\n"
			     "29 27 0:45 / /var/lib/school\\040pulse rw,relatime - btrfs /dev/sda2 ro,ssd\n"
			     "30 27 8:3 / /var/lib/school rw - ext4 /dev/sda3 rw\n"
			     "31 27 8:4 / /var/lib/school rw - ext4 /dev/sda4 rw\n"
			     "32 27 8:5 / /mnt ro,relatime - ext4 /dev/sda5 rw\n"
			     "garbage\n33 27 x:y / /bad rw - ext4 /dev/x rw\n34 27 8:6 / /short rw -\n";

static void find(const char *path, struct sp_text_mount *mount)
{
	assert_int_equal(sp_text_mount_of(mounts, path, mount), 0);
}

static void test_mounts(void **state)
{
	(void)state;
	struct sp_text_mount mount;
	find("/home/x", &mount);
	assert_int_equal(mount.major, 179);
	assert_int_equal(mount.minor, 2);
	assert_string_equal(mount.type, "ext4");
	assert_string_equal(mount.source, "/dev/mmcblk0p2");
	assert_false(mount.read_only); // "remount-ro" is no "ro"
	find("/", &mount);
	assert_int_equal(mount.major, 179);
	find("/var/lib", &mount);
	assert_int_equal(mount.minor, 1);
	assert_false(mount.read_only);
	find("/variety", &mount);
	assert_int_equal(mount.major, 179);
	find("/var/lib/school pulse/journal", &mount);
	assert_string_equal(mount.type, "btrfs");
	assert_true(mount.read_only); // by the file system
	find("/var/lib/school", &mount);
	assert_int_equal(mount.minor, 4); // mounted over the other one
	find("/mnt/x", &mount);
	assert_true(mount.read_only); // by the mount
	find("/bad/x", &mount);
	assert_int_equal(mount.major, 179);
	assert_int_equal(sp_text_mount_of("", "/x", &mount), -ENOENT);
	assert_int_equal(sp_text_mount_of(mounts, "relative", &mount), -ENOENT);
}

static void test_overlay(void **state)
{
	(void)state;
	struct sp_text_mount mount;
	assert_int_equal(
	    sp_text_mount_of(
		"1 0 0:30 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/up\\040per/d,workdir=/w\n",
		"/var", &mount),
	    0);
	assert_string_equal(mount.upper, "/up per/d");
	char text[1024] = "1 0 0:30 / / rw - overlay overlay rw,upperdir=/";
	memset(text + strlen(text), 'a', 600);
	assert_int_equal(sp_text_mount_of(text, "/var", &mount), 0);
	assert_string_equal(mount.upper, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_integer),   cmocka_unit_test(test_hex),     cmocka_unit_test(test_fraction),
	    cmocka_unit_test(test_column),    cmocka_unit_test(test_meminfo), cmocka_unit_test(test_cpus),
	    cmocka_unit_test(test_life_time), cmocka_unit_test(test_mounts),  cmocka_unit_test(test_overlay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
