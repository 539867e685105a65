// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header. Readers of one make tell the same vendor, product and serial text: the USB port tells them
// apart.
#include "card_reader_keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <libevdev/libevdev.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sp_card_keys {
	struct libevdev *evdev;
	int fd;
	bool monotonic;
};

static bool id_of(const char *which, unsigned *vendor, unsigned *product)
{
	int end = 0;
	return sscanf(which, "id:%4x:%4x%n", vendor, product, &end) == 2 && which[end] == '\0' && end == 12;
}

bool sp_card_keys_named(const char *which)
{
	unsigned vendor, product;
	if (strncmp(which, "usb:", 4) == 0)
		return which[4] && !strchr(which, '/');
	if (strncmp(which, "phys:", 5) == 0)
		return which[5] != '\0';
	return which[0] == '/' || id_of(which, &vendor, &product);
}

/// A folder of the device's path in sysfs is the port, or an interface of it.
static bool at_port(const char *event, const char *port)
{
	char path[PATH_MAX], real[PATH_MAX];
	size_t length = strlen(port);
	snprintf(path, sizeof(path), "/sys/class/input/%s", event);
	if (!realpath(path, real))
		return false;
	for (const char *part = real; (part = strchr(part, '/')); part++) {
		const char *name = part + 1;
		if (strncmp(name, port, length) == 0 && (name[length] == '/' || name[length] == ':'))
			return true;
	}
	return false;
}

/// One reader may show up as a mouse, too: what types digits and Enter is meant.
static bool types_numbers(const struct libevdev *evdev)
{
	for (unsigned code = KEY_1; code <= KEY_0; code++)
		if (!libevdev_has_event_code(evdev, EV_KEY, code))
			return false;
	return libevdev_has_event_code(evdev, EV_KEY, KEY_ENTER);
}

static bool is_it(const char *which, const char *event, const struct libevdev *evdev)
{
	unsigned vendor, product;
	const char *phys = libevdev_get_phys(evdev);
	if (strncmp(which, "usb:", 4) == 0)
		return at_port(event, which + 4);
	if (strncmp(which, "phys:", 5) == 0)
		return phys && strcmp(phys, which + 5) == 0;
	return id_of(which, &vendor, &product) && libevdev_get_id_vendor(evdev) == (int)vendor &&
	       libevdev_get_id_product(evdev) == (int)product;
}

static void let_go(struct sp_card_keys *keys)
{
	libevdev_free(keys->evdev);
	if (keys->fd >= 0)
		close(keys->fd);
	*keys = (struct sp_card_keys){.fd = -1};
}

static int look_at(const char *path, struct sp_card_keys *out)
{
	*out = (struct sp_card_keys){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)};
	if (out->fd < 0)
		return -errno;
	int result = libevdev_new_from_fd(out->fd, &out->evdev);
	if (result == 0 && !types_numbers(out->evdev))
		result = -ENOTTY;
	if (result < 0)
		let_go(out);
	return result;
}

/// One of the input devices; `result` is that of the search so far.
static int consider(const char *which, const char *event, int result, struct sp_card_keys *out)
{
	char path[sizeof("/dev/input/") + NAME_MAX];
	struct sp_card_keys one;
	snprintf(path, sizeof(path), "/dev/input/%s", event);
	int looked = look_at(path, &one);
	if (looked < 0)
		return looked == -EACCES && result == -ENODEV ? looked : result;
	if (is_it(which, event, one.evdev) && result != 0 && result != -ENOTUNIQ) {
		*out = one;
		return 0;
	}
	bool second = is_it(which, event, one.evdev);
	let_go(&one);
	return second ? -ENOTUNIQ : result;
}

/// Looks at each input device. -EACCES when none is it, but some could not be opened.
static int search(const char *which, struct sp_card_keys *out)
{
	DIR *folder = opendir("/dev/input");
	if (!folder)
		return -errno;
	int result = -ENODEV;
	for (const struct dirent *entry; (entry = readdir(folder));)
		if (strncmp(entry->d_name, "event", 5) == 0)
			result = consider(which, entry->d_name, result, out);
	closedir(folder);
	if (result == -ENOTUNIQ)
		let_go(out);
	return result;
}

static void explain(int result, char why[SP_CARD_WHY])
{
	const char *text = strerror(-result);
	switch (result) {
	case -ENODEV:
	case -ENOENT:
		text = "it is not plugged in";
		break;
	case -ENOTUNIQ:
		text = "several readers are so named: name the USB port of this one (usb:1-1.4)";
		break;
	case -EBUSY:
		text = "another program holds it";
		break;
	case -ENOTTY:
		text = "it is no keyboard with digits and Enter";
		break;
	}
	snprintf(why, SP_CARD_WHY, "%s", text);
}

int sp_card_keys_open(const char *which, struct sp_card_keys **out, char why[SP_CARD_WHY])
{
	struct sp_card_keys found = {.fd = -1};
	*out = NULL;
	int result = which[0] == '/' ? look_at(which, &found) : search(which, &found);
	if (result == 0) {
		result = libevdev_grab(found.evdev, LIBEVDEV_GRAB);
		if (result < 0)
			let_go(&found);
	}
	if (result == 0 && !(*out = malloc(sizeof(found)))) {
		let_go(&found);
		result = -ENOMEM;
	}
	if (!*out) {
		explain(result, why);
		return result == -ENOENT ? -ENODEV : result;
	}
	found.monotonic = libevdev_set_clock_id(found.evdev, CLOCK_MONOTONIC) == 0;
	**out = found;
	return 0;
}

void sp_card_keys_close(struct sp_card_keys *keys)
{
	if (!keys)
		return;
	libevdev_grab(keys->evdev, LIBEVDEV_UNGRAB);
	let_go(keys);
	free(keys);
}

int sp_card_keys_fd(const struct sp_card_keys *keys)
{
	return keys->fd;
}

const char *sp_card_keys_model(const struct sp_card_keys *keys)
{
	return libevdev_get_name(keys->evdev);
}

int sp_card_keys_next(struct sp_card_keys *keys, struct sp_card_key *out)
{
	for (;;) {
		struct input_event event;
		int result = libevdev_next_event(keys->evdev, LIBEVDEV_READ_FLAG_NORMAL, &event);
		if (result == -EAGAIN)
			return 0;
		if (result == -EINTR)
			continue;
		if (result < 0)
			return -ENODEV;
		if (result == LIBEVDEV_READ_STATUS_SYNC) {
			// The kernel's buffer ran over. What libevdev would tell is which keys are held now,
			// and no longer what was typed.
			while (result == LIBEVDEV_READ_STATUS_SYNC)
				result = libevdev_next_event(keys->evdev, LIBEVDEV_READ_FLAG_SYNC, &event);
			return -EPIPE;
		}
		if (event.type != EV_KEY)
			continue;
		*out = (struct sp_card_key){
		    .code = event.code,
		    .value = event.value,
		    .time_us = keys->monotonic ? (int64_t)event.input_event_sec * 1000000 +
						     (int64_t)event.input_event_usec
					       : -1,
		};
		explicit_bzero(&event, sizeof(event));
		return 1;
	}
}
