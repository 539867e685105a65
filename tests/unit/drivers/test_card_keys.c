// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Keyboard-wedge readers, with the real libevdev on made-up input devices (umockdev): three of one make on
// three ports, of which one shows up as a mouse, too. The program starts itself again within umockdev-run.
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "drivers/drivers.h"
#include "drivers/kiosk/card_reader_keys.h"
#include "fake_io.h"

enum { NAME_BYTES = 255, KEY_BYTES = 96 };

static char folder[] = "/tmp/sp-keys-XXXXXX";

static FILE *file(const char *name, const char *mode)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *out = fopen(path, mode);
	if (!out)
		exit(1);
	return out;
}

static void hex(FILE *out, const char *name, long result, const void *data, size_t length, size_t size)
{
	fprintf(out, "%s %ld ", name, result);
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02X", i < length ? ((const uint8_t *)data)[i] : 0);
	fprintf(out, "\n");
}

/// What the kernel says of such a reader; `first` to `last` are its keys.
static void ioctls(int event, const char *port, unsigned first, unsigned last)
{
	char name[32], phys[64];
	static const char model[] = "Sycreader USB Reader";
	const uint8_t id[] = {3, 0, 0xff, 0xff, 0x35, 0, 0x10, 1}, types[] = {3};
	uint8_t keys[KEY_BYTES] = {0};
	for (unsigned key = first; key <= last; key++)
		keys[key / 8] = (uint8_t)(keys[key / 8] | 1 << key % 8);
	snprintf(name, sizeof(name), "ioctl%d", event);
	int length = snprintf(phys, sizeof(phys), "usb-0000:00:14.0-%s/input0", port) + 1;
	FILE *out = file(name, "w");
	fprintf(out, "@DEV /dev/input/event%d\n", event);
	hex(out, "EVIOCGVERSION", 0, "\0\1\0\1", 4, 4);
	hex(out, "EVIOCGID", 0, id, sizeof(id), sizeof(id));
	hex(out, "EVIOCGNAME", sizeof(model), model, sizeof(model), NAME_BYTES);
	hex(out, "EVIOCGPHYS", length, phys, (size_t)length, NAME_BYTES);
	hex(out, "EVIOCGUNIQ", 1, "", 1, NAME_BYTES);
	hex(out, "EVIOCGPROP", 8, "", 0, 8);
	hex(out, "EVIOCGBIT(0)", 8, types, sizeof(types), 8);
	hex(out, "EVIOCGBIT(1)", KEY_BYTES, keys, sizeof(keys), KEY_BYTES);
	static const int others[] = {2, 3, 4, 5, 17, 18};
	for (size_t i = 0; i < SP_COUNT(others); i++) {
		char bit[32];
		snprintf(bit, sizeof(bit), "EVIOCGBIT(%d)", others[i]);
		hex(out, bit, 8, "", 0, 8);
	}
	hex(out, "EVIOCGBIT(21)", 16, "", 0, 16);
	hex(out, "EVIOCGKEY", KEY_BYTES, "", 0, KEY_BYTES);
	hex(out, "EVIOCGLED", 8, "", 0, 8);
	hex(out, "EVIOCGSW", 8, "", 0, 8);
	fclose(out);
}

static void describe(int event, const char *port)
{
	FILE *out = file("devices", "a");
	const char *parent = "/devices/pci0000:00/0000:00:14.0/usb1/1-1";
	fprintf(out, "P: %s/%s/%s:1.0/0003:FFFF:0035.%04d/input/input%d\nE: SUBSYSTEM=input\n\n", parent,
		port, port, event, event);
	fprintf(
	    out,
	    "P: %s/%s/%s:1.0/0003:FFFF:0035.%04d/input/input%d/event%d\nN: input/event%d\n"
	    "E: DEVNAME=/dev/input/event%d\nE: SUBSYSTEM=input\nE: MAJOR=13\nE: MINOR=%d\nA: dev=13:%d\\n\n"
	    "L: device=../../input%d\n\n",
	    parent, port, port, event, event, event, event, event, 64 + event, 64 + event, event);
	fclose(out);
}

static const unsigned digit_keys[] = {KEY_0, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7, KEY_8, KEY_9};

static void type(int event, const char *digits)
{
	char name[32];
	snprintf(name, sizeof(name), "events%d", event);
	FILE *out = file(name, "w");
	for (const char *c = digits;; c++) {
		unsigned code = *c ? digit_keys[*c - '0'] : KEY_ENTER;
		fprintf(out, "E: 0.000000 0001 %04x 0001\nE: 0.000000 0000 0000 0000\n", code);
		fprintf(out, "E: 0.000000 0001 %04x 0000\nE: 0.000000 0000 0000 0000\n", code);
		if (!*c)
			break;
	}
	fclose(out);
}

static void run_within(char *self)
{
	static const struct {
		int event;
		const char *port;
		unsigned first, last;
	} units[] = {{3, "1-1.4", BTN_LEFT, BTN_TASK},
		     {5, "1-1.4", KEY_ESC, KEY_KPDOT},
		     {6, "1-1.3", KEY_ESC, KEY_KPDOT},
		     {7, "1-1.3.1", KEY_ESC, KEY_KPDOT}};
	static char program[] = "umockdev-run", device_word[] = "--device", ioctl_word[] = "--ioctl",
		    events_word[] = "--evemu-events", end_word[] = "--";
	if (!mkdtemp(folder))
		exit(1);
	static char texts[2 * SP_COUNT(units)][128];
	char *argv[4 + 4 * SP_COUNT(units) + 3] = {program, device_word};
	static char devices[128];
	snprintf(devices, sizeof(devices), "%s/devices", folder);
	size_t count = 2;
	argv[count++] = devices;
	for (size_t i = 0; i < SP_COUNT(units); i++) {
		int event = units[i].event;
		describe(event, units[i].port);
		ioctls(event, units[i].port, units[i].first, units[i].last);
		snprintf(texts[2 * i], sizeof(texts[0]), "/dev/input/event%d=%s/ioctl%d", event, folder,
			 event);
		argv[count++] = ioctl_word;
		argv[count++] = texts[2 * i];
		if (units[i].first != KEY_ESC)
			continue;
		type(event, event == 5 ? "0008844356" : event == 6 ? "3808980205" : "0000000017");
		snprintf(texts[2 * i + 1], sizeof(texts[0]), "/dev/input/event%d=%s/events%d", event, folder,
			 event);
		argv[count++] = events_word;
		argv[count++] = texts[2 * i + 1];
	}
	argv[count++] = end_word;
	argv[count++] = self;
	setenv("SP_KEYS_FOLDER", folder, 1);
	// The sanitizer's runtime need not be the first library here.
	const char *asan = getenv("ASAN_OPTIONS");
	char text[512];
	snprintf(text, sizeof(text), "%s%sverify_asan_link_order=0", asan ? asan : "", asan ? ":" : "");
	setenv("ASAN_OPTIONS", text, 1);
	execvp(argv[0], argv);
	perror("umockdev-run");
	exit(77);
}

// ---- within -------------------------------------------------------------------------------------

static void test_found(void **state)
{
	(void)state;
	struct sp_card_keys *keys;
	char why[SP_CARD_WHY];
	// All say the same of themselves; the port tells them apart, and the mouse is none.
	assert_int_equal(sp_card_keys_open("id:ffff:0035", &keys, why), -ENOTUNIQ);
	assert_null(keys);
	assert_non_null(strstr(why, "usb:"));
	assert_int_equal(sp_card_keys_open("id:08ff:0009", &keys, why), -ENODEV);
	assert_int_equal(sp_card_keys_open("usb:1-1", &keys, why), -ENOTUNIQ);
	assert_int_equal(sp_card_keys_open("usb:1-1.5", &keys, why), -ENODEV);
	assert_int_equal(sp_card_keys_open("usb:1-1.", &keys, why), -ENODEV);
	assert_int_equal(sp_card_keys_open("/dev/input/event9", &keys, why), -ENODEV);
	assert_int_equal(sp_card_keys_open("/dev/input/event3", &keys, why), -ENOTTY);
	static const char *const names[] = {"usb:1-1.4", "usb:1-1.4:1.0",
					    "phys:usb-0000:00:14.0-1-1.4/input0", "/dev/input/event5",
					    "usb:1-1.3"};
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		int result = sp_card_keys_open(names[i], &keys, why);
		if (result)
			fail_msg("%s: %d %s", names[i], result, why);
		assert_string_equal(sp_card_keys_model(keys), "Sycreader USB Reader");
		sp_card_keys_close(keys);
	}
	sp_card_keys_close(NULL);
}

static void read_card(const char *device, const char *number)
{
	char options[128];
	snprintf(options, sizeof(options), "device = %s\n", device);
	struct sp_device *dev = fake_new(&sp_driver_card_reader, "cong", options);
	assert_int_equal(fake_start(dev), 0);
	fake_poll(dev);
	assert_int_equal(dev->rounds_ok, 1);
	assert_string_equal(dev->kiosk.health.model, "Sycreader USB Reader");
	// The keys come from another process, in their own time.
	for (unsigned i = 0; i < 10000 && dev->kiosk.punch_count == 0; i++) {
		usleep(1000);
		fake_ready(dev);
	}
	assert_int_equal(dev->kiosk.punch_count, 1);
	assert_int_equal(fake_punch(dev, 0)->punch.kind, SP_PERSON_CARD);
	assert_string_equal(fake_punch(dev, 0)->person, number);
	fake_free(dev);
}

static void test_read(void **state)
{
	(void)state;
	read_card("usb:1-1.4", "8844356");
	read_card("usb:1-1.3:1.0", "3808980205");
}

static int clean(void **state)
{
	(void)state;
	static const char *const names[] = {"devices", "ioctl3",  "ioctl5",  "ioctl6",
					    "ioctl7",  "events5", "events6", "events7"};
	const char *path = getenv("SP_KEYS_FOLDER");
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		char one[128];
		snprintf(one, sizeof(one), "%s/%s", path, names[i]);
		unlink(one);
	}
	return rmdir(path);
}

int main(int argc, char **argv)
{
	(void)argc;
	if (!getenv("SP_KEYS_FOLDER"))
		run_within(argv[0]);
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_found), cmocka_unit_test(test_read)};
	return cmocka_run_group_tests(tests, NULL, clean);
}
