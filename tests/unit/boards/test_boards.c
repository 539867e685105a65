// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Boards on made-up machines, and on the one that the test runs on.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine.h"
#include "schoolpulse/err.h"

#define assert_known(quantity, expected)                                                                 \
	do {                                                                                             \
		assert_true((quantity).known);                                                           \
		assert_true((quantity).value > (expected)-1e-6 && (quantity).value < (expected) + 1e-6); \
	} while (0)
#define assert_unknown(quantity) assert_false((quantity).known)

static const char sd_root[] = "27 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw\n";

static void set_board(const char *model, const char *compatible, size_t size)
{
	machine_bytes("/proc/device-tree/model", model, strlen(model) + 1);
	machine_bytes("/proc/device-tree/compatible", compatible, size);
}

#define PI(model, name, chip) set_board(model, name "\0" chip, sizeof(name "\0" chip))

static void pi_word(const char *folder, const char *word)
{
	char path[128];
	snprintf(path, sizeof(path), "/sys/devices/platform/%s/%s:firmware/get_throttled", folder, folder);
	machine_file(path, word);
}

static void pi_alarm(const char *value)
{
	machine_file("/sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
	machine_file("/sys/class/hwmon/hwmon1/name", "rpi_volt\n");
	machine_file("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", value);
}

static void card(const char *type)
{
	machine_disk("platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa", "mmcblk0", "mmcblk0p2",
		     "179:2");
	machine_file("/sys/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/type", type);
}

static const struct sp_board *board(void)
{
	struct sp_board_root root = {machine_root, "/var/lib/schoolpulse"};
	return sp_board_match(&root);
}

static void test_pi4_with_card(void **state)
{
	(void)state;
	char model[64];
	struct sp_board_root root = {machine_root, "/var/lib/schoolpulse"};
	PI("Raspberry Pi 4 Model B Rev 1.4", "raspberrypi,4-model-b", "brcm,bcm2711");
	machine_basics();
	machine_file("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
	machine_file("/sys/class/thermal/thermal_zone0/temp", "48312\n");
	machine_file("/proc/self/mountinfo", sd_root);
	card("SD\n");
	pi_word("soc", "50000\n");
	pi_alarm("0\n");
	assert_string_equal(board()->name, "raspberry_pi");
	sp_board_model(&root, model, sizeof(model));
	assert_string_equal(model, "Raspberry Pi 4 Model B Rev 1.4");
	struct sp_board_reading reading = machine_read();
	assert_known(reading.temperature_celsius, 48.312);
	assert_known(reading.undervoltage_now, 0);
	assert_known(reading.undervoltage_since_boot, 1);
	assert_known(reading.throttled_now, 0);
	assert_known(reading.throttled_since_boot, 1);
	assert_int_equal(reading.storage, SP_STORAGE_SD);
	assert_known(reading.storage_written_bytes, 2345678.0 * 512);
	assert_unknown(reading.storage_wear_ratio);
	assert_known(reading.storage_read_only, 0);
	assert_known(reading.memory_total_bytes, 3884320.0 * 1024);
	assert_known(reading.memory_available_bytes, 3011224.0 * 1024);
	assert_known(reading.load_ratio, 0.5);
	assert_known(reading.uptime_seconds, 35061.07);
}

static void test_power(void **state)
{
	(void)state;
	PI("Raspberry Pi 3 Model B Plus Rev 1.3", "raspberrypi,3-model-b-plus", "brcm,bcm2837");
	// Without any source nothing is said.
	struct sp_board_reading reading = machine_read();
	assert_unknown(reading.undervoltage_now);
	assert_unknown(reading.undervoltage_since_boot);
	assert_unknown(reading.throttled_now);
	assert_unknown(reading.throttled_since_boot);
	// The word alone tells all.
	pi_word("soc", "0\n");
	reading = machine_read();
	assert_known(reading.undervoltage_now, 0);
	assert_known(reading.undervoltage_since_boot, 0);
	assert_known(reading.throttled_since_boot, 0);
	pi_word("soc", "50005\n");
	reading = machine_read();
	assert_known(reading.undervoltage_now, 1);
	assert_known(reading.throttled_now, 1);
	assert_known(reading.throttled_since_boot, 1);
	// The sensor wipes the firmware's memory: beside it "no" is not known.
	pi_word("soc", "0\n");
	pi_alarm("0\n");
	reading = machine_read();
	assert_known(reading.undervoltage_now, 0);
	assert_unknown(reading.undervoltage_since_boot);
	assert_unknown(reading.throttled_since_boot);
	pi_alarm("1\n");
	reading = machine_read();
	assert_known(reading.undervoltage_now, 1);
	assert_known(reading.undervoltage_since_boot, 1);
}

static void test_pi5_names_its_firmware_otherwise(void **state)
{
	(void)state;
	PI("Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b", "brcm,bcm2712");
	pi_word("soc@107c000000", "0x20002\n");
	struct sp_board_reading reading = machine_read();
	assert_known(reading.undervoltage_now, 0);
	assert_known(reading.throttled_now, 1);
	machine_disk("platform/axi/1000110000.pcie/pci0000:00/nvme/nvme0", "nvme0n1", "nvme0n1p2", "259:2");
	machine_file("/proc/self/mountinfo", "27 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n");
	reading = machine_read();
	assert_int_equal(reading.storage, SP_STORAGE_NVME);
	assert_known(reading.storage_written_bytes, 2345678.0 * 512);
}

static void test_hostile_power_words(void **state)
{
	(void)state;
	PI("Raspberry Pi 4", "raspberrypi,4-model-b", "brcm,bcm2711");
	static const char *const bad[] = {
	    "", "\n", "throttled\n", "-1\n", "ffffffffffffffffffffffff\n", "100000000\n", "0 0\n"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		pi_word("soc", bad[i]);
		pi_alarm(bad[i]);
		assert_unknown(machine_read().undervoltage_now);
	}
	pi_alarm("2\n");
	assert_unknown(machine_read().undervoltage_now);
}

static void test_emmc_wear(void **state)
{
	(void)state;
	static const char life[] =
	    "/sys/devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/life_time";
	machine_file("/proc/self/mountinfo", sd_root);
	card("MMC\n");
	struct sp_board_reading reading = machine_read();
	assert_int_equal(reading.storage, SP_STORAGE_EMMC);
	assert_unknown(reading.storage_wear_ratio);
	machine_file(life, "0x02 0x04\n");
	assert_known(machine_read().storage_wear_ratio, 0.4);
	machine_file(life, "0x00 0x00\n");
	assert_unknown(machine_read().storage_wear_ratio);
	// An SD card that claims to know its wear is not believed.
	card("SD\n");
	machine_file(life, "0x02 0x04\n");
	assert_unknown(machine_read().storage_wear_ratio);
	card("SDIO\n");
	assert_int_equal(machine_read().storage, SP_STORAGE_UNKNOWN);
}

static void test_read_only(void **state)
{
	(void)state;
	card("SD\n");
	machine_file("/proc/self/mountinfo",
		     "27 1 179:2 / / rw,noatime - ext4 /dev/root ro,errors=remount-ro\n");
	assert_known(machine_read().storage_read_only, 1);
	machine_file("/proc/self/mountinfo", "27 1 179:2 / / ro,noatime - ext4 /dev/root ro\n"
					     "28 27 179:2 / /var/lib/schoolpulse rw - ext4 /dev/root rw\n");
	assert_known(machine_read().storage_read_only, 0);
	machine_file("/proc/self/mountinfo", "");
	assert_unknown(machine_read().storage_read_only);
}

static void test_overlay_root(void **state)
{
	(void)state;
	card("SD\n");
	// In memory: whatever is written is lost, and no disk stands for it.
	machine_file(
	    "/proc/self/mountinfo",
	    "27 1 0:30 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work\n"
	    "28 27 0:31 / /upper rw - tmpfs tmpfs rw\n29 27 179:2 / /lower ro - ext4 /dev/root ro\n");
	struct sp_board_reading reading = machine_read();
	assert_int_equal(reading.storage, SP_STORAGE_UNKNOWN);
	assert_unknown(reading.storage_written_bytes);
	assert_known(reading.storage_read_only, 0);
	// On the card.
	machine_file(
	    "/proc/self/mountinfo",
	    "27 1 0:30 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work\n"
	    "28 27 179:2 / /upper rw - ext4 /dev/root ro\n");
	reading = machine_read();
	assert_int_equal(reading.storage, SP_STORAGE_SD);
	assert_known(reading.storage_read_only, 1);
	// An upper folder that is not to be seen from here (a container's) leads back to itself.
	machine_file("/proc/self/mountinfo",
		     "27 1 0:30 / / rw - overlay overlay rw,upperdir=/var/lib/x,workdir=/w\n");
	assert_int_equal(machine_read().storage, SP_STORAGE_UNKNOWN);
}

static void test_other_disks(void **state)
{
	(void)state;
	machine_disk("pci0000:00/virtio1", "vda", "vda1", "254:1");
	machine_file("/proc/self/mountinfo", "27 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
	assert_int_equal(machine_read().storage, SP_STORAGE_DISK);
	// btrfs has a number of its own and names the device.
	machine_file("/proc/self/mountinfo", "27 1 0:45 /@ / rw - btrfs /dev/vda1 rw,subvol=/@\n");
	assert_int_equal(machine_read().storage, SP_STORAGE_DISK);
	machine_file("/proc/self/mountinfo", "27 1 0:45 /@ / rw - btrfs /dev/../../etc rw\n");
	assert_int_equal(machine_read().storage, SP_STORAGE_UNKNOWN);
	// An encrypted partition lies on one other; a volume over two disks on none in particular.
	machine_file("/sys/devices/virtual/block/dm-0/stat", "1 2 3 4 5 6 7 8\n");
	machine_link("/sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	machine_link("/sys/devices/virtual/block/dm-0/slaves/vda1",
		     "../../../../pci0000:00/virtio1/block/vda/vda1");
	machine_file("/proc/self/mountinfo", "27 1 253:0 / / rw - ext4 /dev/mapper/root rw\n");
	struct sp_board_reading reading = machine_read();
	assert_int_equal(reading.storage, SP_STORAGE_DISK);
	assert_known(reading.storage_written_bytes, 2345678.0 * 512);
	machine_link("/sys/devices/virtual/block/dm-0/slaves/vdb1",
		     "../../../../pci0000:00/virtio1/block/vda/vda1");
	reading = machine_read();
	assert_int_equal(reading.storage, SP_STORAGE_UNKNOWN);
	assert_known(reading.storage_written_bytes, 7 * 512);
	machine_file("/proc/self/mountinfo", "27 1 0:50 / / rw - nfs4 server:/export rw\n");
	assert_int_equal(machine_read().storage, SP_STORAGE_UNKNOWN);
}

static void zone(unsigned index, const char *type, const char *temp)
{
	char path[96];
	snprintf(path, sizeof(path), "/sys/class/thermal/thermal_zone%u/type", index);
	machine_file(path, type);
	snprintf(path, sizeof(path), "/sys/class/thermal/thermal_zone%u/temp", index);
	machine_file(path, temp);
}

static void test_thermal_zones(void **state)
{
	(void)state;
	assert_unknown(machine_read().temperature_celsius);
	zone(0, "iwlwifi\n", "garbage\n");
	assert_unknown(machine_read().temperature_celsius);
	zone(1, "battery\n", "31000\n");
	assert_known(machine_read().temperature_celsius, 31);
	zone(2, "acpitz\n", "27800\n");
	assert_known(machine_read().temperature_celsius, 31); // the first of the nameless
	zone(5, "x86_pkg_temp\n", "55000\n");
	assert_known(machine_read().temperature_celsius, 55);
	zone(7, "cpu-thermal\n", "-5000\n");
	assert_known(machine_read().temperature_celsius, -5);
	// The right zone that cannot be read now is not replaced by another.
	static const char *const bad[] = {
	    "", "999999999999999999999\n", "250000\n", "-61000\n", "1e3\n", "50000 C\n"};
	for (size_t i = 0; i < SP_COUNT(bad); i++) {
		zone(7, "cpu-thermal\n", bad[i]);
		assert_unknown(machine_read().temperature_celsius);
	}
}

static void test_nothing_is_there(void **state)
{
	(void)state;
	struct sp_board_reading reading = machine_read();
	assert_string_equal(board()->name, "generic");
	for (const struct sp_board_metric *metric = sp_board_metrics; metric->name; metric++) {
		const struct sp_quantity *quantity = (const void *)((const char *)&reading + metric->offset);
		if (quantity->known)
			fail_msg("%s is known", metric->name);
	}
	assert_int_equal(reading.storage, SP_STORAGE_UNKNOWN);
	char model[16] = "x";
	struct sp_board_root root = {machine_root, NULL};
	sp_board_model(&root, model, sizeof(model));
	assert_string_equal(model, "");
	sp_board_match(&root)->read(&root, &reading);
	root.data_path = "relative";
	sp_board_match(&root)->read(&root, &reading);
	assert_int_equal(reading.storage, SP_STORAGE_UNKNOWN);
}

static void test_hostile_files(void **state)
{
	(void)state;
	size_t size = 3 * 1024 * 1024;
	char *huge = malloc(size + 1);
	memset(huge, '9', size);
	huge[size] = '\0';
	static const char *const files[] = {
	    "/proc/meminfo",
	    "/proc/loadavg",
	    "/proc/uptime",
	    "/proc/self/mountinfo",
	    "/sys/devices/system/cpu/online",
	    "/sys/class/thermal/thermal_zone0/temp",
	    "/proc/device-tree/compatible",
	    "/proc/device-tree/model",
	};
	machine_file("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
	for (size_t i = 0; i < SP_COUNT(files); i++)
		machine_file(files[i], huge);
	struct sp_board_reading reading = machine_read();
	for (const struct sp_board_metric *metric = sp_board_metrics; metric->name; metric++)
		assert_unknown(
		    *(const struct sp_quantity *)(const void *)((const char *)&reading + metric->offset));
	free(huge);
	// Pipes and folders in a file's place: a reader that waits for them would hang the agent.
	char path[128];
	snprintf(path, sizeof(path), "%s/proc/uptime", machine_root);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	machine_file("/proc/loadavg", "a\0b");
	machine_bytes("/sys/devices/system/cpu/online", "0\0-3", 4);
	reading = machine_read();
	assert_unknown(reading.uptime_seconds);
	assert_unknown(reading.load_ratio);
}

static void test_matching(void **state)
{
	(void)state;
	PI("", "kunbus,revpi-connect4", "brcm,bcm2711");
	assert_string_equal(board()->name, "raspberry_pi");
	PI("", "xunlong,orangepi-5", "rockchip,rk3588s");
	assert_string_equal(board()->name, "generic");
	PI("", "notraspberrypi,x", "brcm,bcm27112");
	assert_string_equal(board()->name, "generic");
	machine_bytes("/proc/device-tree/compatible", "raspberrypi,model-zero-2-w", 26); // no NUL at the end
	assert_string_equal(board()->name, "raspberry_pi");
	machine_bytes("/proc/device-tree/compatible", "", 0);
	assert_string_equal(board()->name, "generic");
}

static void test_model_without_device_tree(void **state)
{
	(void)state;
	char model[12];
	struct sp_board_root root = {machine_root, "/"};
	machine_file("/sys/class/dmi/id/product_name", "Mini\x01PC 3000 Long\n");
	sp_board_model(&root, model, sizeof(model));
	assert_string_equal(model, "Mini?PC 300");
}

static void test_this_machine(void **state)
{
	(void)state;
	struct sp_board_root root = {"", "/tmp/not/there/yet"};
	struct sp_board_reading reading = {0};
	struct sysinfo info;
	sp_board_match(&root)->read(&root, &reading);
	assert_int_equal(sysinfo(&info), 0);
	assert_true(reading.memory_total_bytes.known);
	assert_true(reading.memory_available_bytes.value > 0);
	assert_true(reading.memory_available_bytes.value <= reading.memory_total_bytes.value);
	double total = (double)info.totalram * info.mem_unit;
	// QEMU's user mode cuts a large machine's totalram for a 32-bit program.
	if (sizeof(info.totalram) > 4)
		assert_true(reading.memory_total_bytes.value > total * 0.99 &&
			    reading.memory_total_bytes.value < total * 1.01);
	assert_true(reading.uptime_seconds.known);
	assert_true(reading.uptime_seconds.value - (double)info.uptime < 5);
	assert_true(reading.load_ratio.known);
	assert_true(reading.storage_read_only.known);
	if (reading.storage != SP_STORAGE_UNKNOWN) {
		assert_true(reading.storage_written_bytes.known);
		assert_true(reading.storage_written_bytes.value > 0);
	}
	print_message("here: %s, storage %s\n", sp_board_match(&root)->name,
		      sp_storage_kind_name(reading.storage));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(sp_storage_kind_name(SP_STORAGE_UNKNOWN), "unknown");
	assert_string_equal(sp_storage_kind_name(SP_STORAGE_EMMC), "emmc");
	size_t count = 0;
	for (; sp_board_metrics[count].name; count++)
		assert_true(sp_board_metrics[count].offset + sizeof(struct sp_quantity) <=
			    sizeof(struct sp_board_reading));
	assert_int_equal(count, 12);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_new, machine_free)
	const struct CMUnitTest tests[] = {
	    TEST(test_pi4_with_card),
	    TEST(test_power),
	    TEST(test_pi5_names_its_firmware_otherwise),
	    TEST(test_hostile_power_words),
	    TEST(test_emmc_wear),
	    TEST(test_read_only),
	    TEST(test_overlay_root),
	    TEST(test_other_disks),
	    TEST(test_thermal_zones),
	    TEST(test_nothing_is_there),
	    TEST(test_hostile_files),
	    TEST(test_matching),
	    TEST(test_model_without_device_tree),
	    TEST(test_this_machine),
	    TEST(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
