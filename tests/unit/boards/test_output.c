// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lights and buzzers: LEDs on a made-up machine; lines of a GPIO chip by what is asked of the kernel, which
// is played here (--wrap=ioctl), since no test may rely on a chip.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/gpio.h>

#include "machine.h"
#include "schoolpulse/err.h"

static struct gpio_v2_line_request asked;
static struct gpio_v2_line_values last;
static unsigned line_calls, value_calls;
static int chip_errno;

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	if (request == GPIO_V2_GET_LINE_IOCTL) {
		line_calls++;
		if (chip_errno) {
			errno = chip_errno;
			return -1;
		}
		asked = *(struct gpio_v2_line_request *)arg;
		((struct gpio_v2_line_request *)arg)->fd = dup(STDERR_FILENO);
		return 0;
	}
	assert_int_equal(request, GPIO_V2_LINE_SET_VALUES_IOCTL);
	value_calls++;
	last = *(struct gpio_v2_line_values *)arg;
	return 0;
}

/// Its name where time_t was widened on 32 bits.
int __wrap___ioctl_time64(int fd, unsigned long request, void *arg);
int __wrap___ioctl_time64(int fd, unsigned long request, void *arg)
{
	return __wrap_ioctl(fd, request, arg);
}

static int take(const char *name, struct sp_board_output **out)
{
	const struct sp_board_root root = {machine_root, ""};
	return sp_board_output_open(&root, name, out);
}

static void assert_file(const char *path, const char *expected)
{
	char full[256], text[64] = "";
	snprintf(full, sizeof(full), "%s%s", machine_root, path);
	FILE *file = fopen(full, "r");
	assert_non_null(file);
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

#define LED "/sys/class/leds/green:status"

static void test_led(void **state)
{
	(void)state;
	struct sp_board_output *led;
	machine_file(LED "/brightness", "255\n");
	machine_file(LED "/max_brightness", "255\n");
	machine_file(LED "/trigger", "none timer [heartbeat] mmc0\n");
	assert_int_equal(take("led:green:status", &led), 0);
	assert_file(LED "/brightness", "000\n"); // one write of the file's whole length: no reader sees half
	assert_file(LED "/trigger", "none");
	assert_int_equal(sp_board_output_set(led, true), 0);
	assert_file(LED "/brightness", "255\n");
	assert_int_equal(sp_board_output_set(led, false), 0);
	assert_file(LED "/brightness", "000\n");
	assert_int_equal(sp_board_output_set(led, true), 0);
	sp_board_output_close(led);
	assert_file(LED "/brightness", "000\n");
	assert_file(LED "/trigger", "heartbeat");
}

static void test_led_without(void **state)
{
	(void)state;
	struct sp_board_output *led;
	assert_int_equal(take("led:ACT", &led), -ENOENT);
	assert_null(led);
	// No trigger, no max_brightness: 1 is on.
	machine_file("/sys/class/leds/ACT/brightness", "0\n");
	assert_int_equal(take("led:ACT", &led), 0);
	assert_int_equal(sp_board_output_set(led, true), 0);
	assert_file("/sys/class/leds/ACT/brightness", "1\n");
	sp_board_output_close(led);
	assert_file("/sys/class/leds/ACT/brightness", "0\n");
}

static void test_line(void **state)
{
	(void)state;
	struct sp_board_output *line;
	assert_int_equal(take("gpio:0/17", &line), -ENOENT);
	machine_file("/dev/gpiochip0", "");
	line_calls = value_calls = 0;
	assert_int_equal(take("gpio:0/17", &line), 0);
	assert_int_equal(asked.num_lines, 1);
	assert_int_equal(asked.offsets[0], 17);
	assert_int_equal(asked.config.flags, GPIO_V2_LINE_FLAG_OUTPUT);
	assert_string_equal(asked.consumer, "schoolpulse");
	assert_int_equal(sp_board_output_set(line, true), 0);
	assert_int_equal(last.mask, 1);
	assert_int_equal(last.bits, 1);
	sp_board_output_close(line);
	assert_int_equal(last.bits, 0);
	assert_int_equal(value_calls, 2);
	assert_int_equal(take("gpio:0/4/low", &line), 0);
	assert_int_equal(asked.config.flags, GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW);
	sp_board_output_close(line);
	chip_errno = EBUSY;
	assert_int_equal(take("gpio:0/17", &line), -EBUSY);
	assert_null(line);
	chip_errno = 0;
	assert_int_equal(line_calls, 3);
	sp_board_output_close(NULL);
}

static void test_names(void **state)
{
	(void)state;
	static const char *const good[] = {"led:ACT", "led:green:status", "led:mmc0::", "gpio:0/0",
					   "gpio:63/511/low"};
	static const char *const bad[] = {"",
					  "ACT",
					  "led:",
					  "led:../x",
					  "led:a/b",
					  "led:.",
					  "gpio:",
					  "gpio:0",
					  "gpio:/1",
					  "gpio:0/",
					  "gpio:0/x",
					  "gpio:64/0",
					  "gpio:0/512",
					  "gpio:0/1/high",
					  "gpio:0/1/low/",
					  "gpio:-1/0",
					  "gpio:0/99999999999999999999"};
	for (size_t i = 0; i < SP_COUNT(good); i++)
		if (!sp_board_output_named(good[i]))
			fail_msg("refused: %s", good[i]);
	struct sp_board_output *output;
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		if (sp_board_output_named(bad[i]) || take(bad[i], &output) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_new, machine_free)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_led), TEST(test_led_without), TEST(test_line),
					   TEST(test_names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
