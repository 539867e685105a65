// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Finds the reader, again and again: the kernel's news of /dev (inotify) say when to look, and the round,
// every ten seconds, looks where no news come.
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "card_reader.h"
#include "card_reader_serial.h"
#include "schoolpulse/log.h"

enum {
	/// A device node comes before its rights and its links: look a moment after it, and twice more.
	SETTLE_MS = 200,
	TRIES = 3,
	NEWS = IN_CREATE | IN_ATTRIB | IN_MOVED_TO | IN_DELETE,
};

bool card_port_there(const struct card_reader *reader)
{
	return reader->keys || reader->serial >= 0;
}

static int open_port(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	if (conf->protocol == SP_CARD_KEYBOARD)
		return sp_card_keys_open(conf->device, &reader->keys, reader->why);
	reader->serial = sp_card_serial_open(conf->device, conf->baud);
	if (reader->serial >= 0)
		return 0;
	int result = reader->serial;
	snprintf(reader->why, sizeof(reader->why), "%s",
		 result == -ENOENT ? "it is not plugged in" : strerror(-result));
	return result == -ENOENT || result == -ENXIO || result == -EIO ? -ENODEV : result;
}

static void close_port(struct card_reader *reader)
{
	card_input_close(reader);
	sp_card_keys_close(reader->keys);
	reader->keys = NULL;
	if (reader->serial >= 0)
		close(reader->serial);
	reader->serial = -1;
}

void card_port_look(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	if (card_port_there(reader))
		return;
	int result = open_port(dev);
	if (result == 0) {
		result = card_input_open(dev);
		if (result < 0) {
			snprintf(reader->why, sizeof(reader->why), "%s", strerror(-result));
			close_port(reader);
		}
	}
	reader->error = result;
	if (result == 0) {
		reader->heard_us = sp_device_now_us(dev);
		card_health(dev);
	} else if (reader->tries > 0) {
		reader->tries--;
		sp_timer_start(reader->retry, SETTLE_MS << (TRIES - reader->tries));
	}
}

static void on_retry(struct sp_device *dev, void *arg)
{
	(void)arg;
	card_port_look(dev);
}

void card_port_lost(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	close_port(reader);
	reader->error = -ENODEV;
	snprintf(reader->why, sizeof(reader->why), "it was unplugged");
	reader->tries = TRIES;
	sp_timer_start(reader->retry, SETTLE_MS);
}

static void on_news(struct sp_device *dev, int fd, unsigned events, void *arg)
{
	(void)events;
	(void)arg;
	struct card_reader *reader = sp_device_state(dev);
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	if (card_port_there(reader))
		return;
	reader->tries = TRIES;
	sp_timer_start(reader->retry, SETTLE_MS);
}

/// The folder that shows its coming: that of the named path, or the nearest one above that is there.
static int watch_folder(int notify, const struct card_conf *conf)
{
	char path[PATH_MAX];
	if (conf->protocol == SP_CARD_KEYBOARD)
		return inotify_add_watch(notify, "/dev/input", NEWS) < 0 ? -errno : 0;
	snprintf(path, sizeof(path), "%s", conf->device);
	char *folder = dirname(path);
	// Links of udev (/dev/serial/by-path) go with the last device; what they lead to is in /dev.
	if (strncmp(folder, "/dev/", 5) == 0)
		folder = strcpy(path, "/dev");
	return inotify_add_watch(notify, folder, NEWS) < 0 ? -errno : 0;
}

int card_port_start(struct sp_device *dev)
{
	const struct card_conf *conf = sp_device_conf(dev);
	struct card_reader *reader = sp_device_state(dev);
	reader->retry = sp_timer_new(dev, on_retry, NULL);
	reader->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (reader->notify < 0)
		return -errno;
	// Without such a folder, or with too many watches in the system, the rounds look.
	int result = watch_folder(reader->notify, conf);
	if (result < 0)
		sp_notice("card_reader", "\"%s\": no news of devices, looked for every 10 s: %s",
			  sp_device_name(dev), strerror(-result));
	reader->news = sp_watch_new(dev, reader->notify, SP_READABLE, on_news, NULL);
	if (!reader->news)
		return -errno;
	card_port_look(dev);
	return 0;
}

void card_port_stop(struct sp_device *dev)
{
	struct card_reader *reader = sp_device_state(dev);
	sp_watch_free(reader->news);
	sp_timer_free(reader->retry);
	close_port(reader);
	if (reader->notify >= 0)
		close(reader->notify);
}
