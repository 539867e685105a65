// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Lights and buzzers: LEDs of sysfs, and lines of GPIO chips by the kernel's uAPI v2 (the sysfs GPIOs are no
// more in many kernels). A line is ours as long as its descriptor is open; a LED's trigger is given back.
#include <fcntl.h>
#include <linux/gpio.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "schoolpulse/board.h"
#include "sysfs.h"

enum { LED_NAME = 64, TRIGGERS_MAX = 65536, CHIPS = 64, LINES = 512 };

struct sp_board_output {
	int fd; ///< of the line, or of the LED's brightness
	bool gpio;
	/// What lights the LED, and what does not, of one length: written over each other they leave nothing
	/// of the other in a file of a made-up machine.
	char on[16], off[16];
	char trigger[64];   ///< of the LED, as it was found; "": it had none
	char *trigger_path; ///< where to put it back
};

struct place {
	bool gpio, low;
	unsigned chip, line;
	char led[LED_NAME];
};

static bool number(const char **text, unsigned limit, unsigned *out)
{
	const char *c = *text;
	unsigned value = 0;
	while (*c >= '0' && *c <= '9' && value < limit)
		value = value * 10 + (unsigned)(*c++ - '0');
	bool good = c != *text && value < limit;
	*text = c;
	*out = value;
	return good;
}

/// A LED's name may hold colons ("mmc0::", "green:status"), but is never a way out of its folder.
static bool led_named(const char *name, struct place *out)
{
	size_t length = strlen(name);
	if (!length || length >= sizeof(out->led) || name[0] == '.' || strchr(name, '/'))
		return false;
	memcpy(out->led, name, length + 1);
	return true;
}

static bool parse(const char *name, struct place *out)
{
	*out = (struct place){0};
	if (strncmp(name, "led:", 4) == 0)
		return led_named(name + 4, out);
	if (strncmp(name, "gpio:", 5) != 0)
		return false;
	const char *at = name + 5;
	out->gpio = true;
	if (!number(&at, CHIPS, &out->chip) || *at++ != '/' || !number(&at, LINES, &out->line))
		return false;
	out->low = strcmp(at, "/low") == 0;
	return out->low || !*at;
}

bool sp_board_output_named(const char *name)
{
	struct place place;
	return parse(name, &place);
}

static int write_text(int fd, const char *text)
{
	ssize_t n = pwrite(fd, text, strlen(text), 0);
	return n < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int result = write_text(fd, text);
	close(fd);
	return result;
}

/// "none [mmc0] timer": the one in brackets. A LED without triggers has no such file.
static void read_trigger(const struct sp_board_root *root, const char *led, struct sp_board_output *out)
{
	char path[LED_NAME + 64], *text;
	size_t length;
	if (sp_sysfs_path(path, sizeof(path), "/sys/class/leds/%s/trigger", led) < 0 ||
	    sp_sysfs_slurp(root->root, path, TRIGGERS_MAX, &text, &length) < 0)
		return;
	const char *from = strchr(text, '['), *to = from ? strchr(from, ']') : NULL;
	if (to && (size_t)(to - from - 1) < sizeof(out->trigger))
		memcpy(out->trigger, from + 1, (size_t)(to - from - 1));
	free(text);
}

static int open_led(const struct sp_board_root *root, const char *led, struct sp_board_output *out)
{
	char path[PATH_MAX], below[LED_NAME + 64];
	int64_t most = 1;
	int result = sp_sysfs_path(below, sizeof(below), "/sys/class/leds/%s/max_brightness", led);
	if (result < 0)
		return result;
	// Without that file any LED takes 1 as on.
	if (sp_sysfs_number(root->root, below, 1, INT32_MAX, &most) < 0)
		most = 1;
	int digits = snprintf(out->on, sizeof(out->on), "%d\n", (int)most) - 1;
	snprintf(out->off, sizeof(out->off), "%0*d\n", digits, 0);
	result = sp_sysfs_path(path, sizeof(path), "%s/sys/class/leds/%s/trigger", root->root, led);
	if (result < 0)
		return result;
	read_trigger(root, led, out);
	out->trigger_path = strdup(path);
	if (out->trigger[0] && strcmp(out->trigger, "none") != 0) {
		result = write_file(path, "none");
		if (result < 0)
			return result;
	}
	result = sp_sysfs_path(path, sizeof(path), "%s/sys/class/leds/%s/brightness", root->root, led);
	if (result < 0)
		return result;
	out->fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return out->fd < 0 ? -errno : sp_board_output_set(out, false);
}

static int open_line(const struct sp_board_root *root, const struct place *place, struct sp_board_output *out)
{
	char path[PATH_MAX];
	int result = sp_sysfs_path(path, sizeof(path), "%s/dev/gpiochip%u", root->root, place->chip);
	if (result < 0)
		return result;
	int chip = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (chip < 0)
		return -errno;
	// Attributes that are not given leave the line at 0: inactive, which with ACTIVE_LOW is high.
	struct gpio_v2_line_request request = {
	    .offsets = {place->line},
	    .num_lines = 1,
	    .consumer = "schoolpulse",
	    .config.flags =
		GPIO_V2_LINE_FLAG_OUTPUT | (place->low ? (uint64_t)GPIO_V2_LINE_FLAG_ACTIVE_LOW : 0),
	};
	result = ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0 ? -errno : 0;
	close(chip);
	out->gpio = true;
	if (result == 0)
		out->fd = request.fd;
	return result;
}

int sp_board_output_open(const struct sp_board_root *root, const char *name, struct sp_board_output **out)
{
	struct place place;
	*out = NULL;
	if (!parse(name, &place))
		return -EINVAL;
	struct sp_board_output *output = calloc(1, sizeof(*output));
	if (!output)
		return -ENOMEM;
	output->fd = -1;
	int result = place.gpio ? open_line(root, &place, output) : open_led(root, place.led, output);
	if (result < 0)
		sp_board_output_close(output);
	else
		*out = output;
	return result;
}

int sp_board_output_set(struct sp_board_output *output, bool on)
{
	if (!output->gpio)
		return write_text(output->fd, on ? output->on : output->off);
	struct gpio_v2_line_values values = {.bits = on, .mask = 1};
	return ioctl(output->fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0 ? -errno : 0;
}

void sp_board_output_close(struct sp_board_output *output)
{
	if (!output)
		return;
	// Nothing can be done about a failure here: the light may be gone with its hardware.
	if (output->fd >= 0) {
		(void)sp_board_output_set(output, false);
		close(output->fd);
	}
	if (output->trigger[0] && strcmp(output->trigger, "none") != 0)
		(void)write_file(output->trigger_path, output->trigger);
	free(output->trigger_path);
	free(output);
}
