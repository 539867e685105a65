// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The card reader's driver on a pseudo-terminal: taps, their answers, the commit between them, unplugging.
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_io.h"

#define CARD_A \
	"\x02" \
	"100086F44426\x03"
#define CARD_B \
	"\x02" \
	"62E3086CED08\x03"

enum { ROUND_MS = 10 * 1000 };

struct bench {
	int master;
	char folder[64], port[80]; ///< the link by which the reader is named
	struct sp_device *dev;
};

static void plug(struct bench *bench)
{
	bench->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_true(bench->master >= 0);
	assert_int_equal(grantpt(bench->master), 0);
	assert_int_equal(unlockpt(bench->master), 0);
	assert_int_equal(symlink(ptsname(bench->master), bench->port), 0);
}

static void unplug(struct bench *bench)
{
	close(bench->master);
	bench->master = -1;
	unlink(bench->port);
}

static void bench_new(struct bench *bench, const char *options)
{
	char text[512];
	*bench = (struct bench){.master = -1};
	strcpy(bench->folder, "/tmp/sp-card-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->port, sizeof(bench->port), "%s/reader", bench->folder);
	snprintf(text, sizeof(text),
		 "device = %s\nprotocol = rdm6300\naccepted = led:green, gpio:0/17\nrefused = led:red\n%s",
		 bench->port, options);
	bench->dev = fake_new(&sp_driver_card_reader, "cong", text);
}

static void bench_free(struct bench *bench)
{
	fake_free(bench->dev);
	if (bench->master >= 0)
		unplug(bench);
	assert_int_equal(rmdir(bench->folder), 0);
}

/// Sent, and read by the driver: a pseudo-terminal hands bytes over in the background.
static void send_bytes(struct bench *bench, const void *data, size_t size)
{
	assert_int_equal(write(bench->master, data, size), size);
	struct pollfd slave = {.fd = open(bench->port, O_RDONLY | O_NOCTTY | O_NONBLOCK), .events = POLLIN};
	assert_true(slave.fd >= 0);
	assert_int_equal(poll(&slave, 1, 10000), 1);
	close(slave.fd);
	fake_ready(bench->dev);
}

#define SEND(bench, text) send_bytes(bench, text, sizeof(text) - 1)

static void assert_shown(struct sp_device *dev, unsigned index, const char *output)
{
	assert_true(index < dev->kiosk.shown_count);
	assert_string_equal(dev->kiosk.shown[index].output, output);
	assert_int_equal(dev->kiosk.shown[index].ms, 600);
}

static void test_tap(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "direction = in\n");
	struct sp_device *dev = bench.dev;
	plug(&bench);
	assert_int_equal(fake_start(dev), 0);
	assert_int_equal(dev->kiosk.tried_count, 3);
	fake_poll(dev);
	assert_int_equal(dev->rounds_ok, 1);
	SEND(&bench, CARD_A);
	assert_int_equal(dev->kiosk.punch_count, 1);
	const struct sp_punch *punch = &fake_punch(dev, 0)->punch;
	assert_int_equal(punch->kind, SP_PERSON_CARD);
	assert_int_equal(punch->person_length, 7);
	assert_memory_equal(punch->person, "8844356", 7);
	assert_int_equal(punch->direction, SP_PUNCH_IN);
	assert_int_equal(punch->method, SP_PUNCH_BY_CARD);
	assert_true(punch->kiosk_ms == SP_PUNCH_NO_TIME && punch->live && punch->number == -1);
	// No light before it is on the card (the board's).
	assert_int_equal(dev->kiosk.shown_count, 0);
	assert_int_equal(fake_commit(dev, 0), 1);
	assert_int_equal(dev->kiosk.shown_count, 2);
	assert_shown(dev, 0, "led:green");
	assert_shown(dev, 1, "gpio:0/17");
	bench_free(&bench);
}

/// A card that lies there is sent every 50 ms.
static void test_held(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "debounce = 3s\n");
	struct sp_device *dev = bench.dev;
	plug(&bench);
	assert_int_equal(fake_start(dev), 0);
	for (unsigned i = 0; i < 10; i++) {
		SEND(&bench, CARD_A);
		fake_run(dev, 50, false);
	}
	assert_int_equal(dev->kiosk.punch_count, 1); // on its way
	assert_int_equal(fake_commit(dev, 0), 1);
	assert_int_equal(dev->kiosk.shown_count, 2);
	for (unsigned i = 0; i < 100; i++) {
		SEND(&bench, CARD_A);
		fake_run(dev, 50, false);
	}
	assert_int_equal(dev->kiosk.punch_count, 1);
	assert_in_range(dev->kiosk.shown_count, 8, 12); // once a second, and not each time
	SEND(&bench, CARD_B);
	assert_int_equal(dev->kiosk.punch_count, 2);
	fake_run(dev, 3001, false);
	SEND(&bench, CARD_A);
	assert_int_equal(dev->kiosk.punch_count, 3);
	assert_int_equal(fake_commit(dev, 0), 2);
	assert_int_equal(fake_committed(dev), 3); // the second time it is another event
	bench_free(&bench);
}

static void test_refused(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "");
	struct sp_device *dev = bench.dev;
	plug(&bench);
	assert_int_equal(fake_start(dev), 0);
	SEND(&bench, "\x02"
		     "100086F44427\x03");
	assert_int_equal(dev->kiosk.punch_count, 0);
	assert_int_equal(dev->kiosk.shown_count, 1);
	assert_shown(dev, 0, "led:red");
	// Not taken, and not committed: the same card shown again is tried again.
	dev->kiosk.result = -EPERM;
	SEND(&bench, CARD_A);
	assert_shown(dev, 1, "led:red");
	dev->kiosk.result = 0;
	SEND(&bench, CARD_A);
	assert_int_equal(dev->kiosk.shown_count, 2);
	assert_int_equal(fake_commit(dev, -EROFS), 1);
	assert_shown(dev, 2, "led:red");
	SEND(&bench, CARD_A);
	assert_int_equal(fake_commit(dev, 0), 1);
	assert_shown(dev, 3, "led:green");
	fake_poll(dev);
	assert_int_equal(dev->kiosk.health.refused, 3);
	bench_free(&bench);
}

/// The agent is restarted between the commit and the light; who saw none shows the card again.
static void test_restart(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "");
	struct sp_device *dev = bench.dev;
	plug(&bench);
	assert_int_equal(fake_start(dev), 0);
	SEND(&bench, CARD_A);
	uint8_t key[SP_PUNCH_KEY_MAX];
	size_t length = fake_punch(dev, 0)->punch.key_length;
	memcpy(key, fake_punch(dev, 0)->key, length);
	fake_commit(dev, 0);
	dev->driver->stop(dev);
	memset(dev->state, 0, dev->driver->state_size);
	fake_run(dev, 2000, false);
	assert_int_equal(dev->driver->start(dev), 0);
	SEND(&bench, CARD_A);
	assert_int_equal(dev->kiosk.punch_count, 2);
	assert_int_equal(fake_punch(dev, 1)->punch.key_length, length);
	assert_memory_equal(fake_punch(dev, 1)->key, key, length);
	unsigned shown = dev->kiosk.shown_count;
	fake_commit(dev, 0);
	assert_int_equal(fake_punch(dev, 1)->result, SP_PUNCH_KNOWN);
	assert_int_equal(dev->kiosk.shown_count, shown + 2); // known is kept, too
	bench_free(&bench);
}

/// The same with the end of a slot in between; and a card that is shown much later is another event.
static void test_restart_between_slots(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "");
	struct sp_device *dev = bench.dev;
	plug(&bench);
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 30000 - dev->now_us / 1000 % 30000 - 1, false); // 1 ms before the end of a slot
	SEND(&bench, CARD_A);
	fake_commit(dev, 0);
	dev->driver->stop(dev);
	memset(dev->state, 0, dev->driver->state_size);
	fake_run(dev, 2000, false);
	assert_int_equal(dev->driver->start(dev), 0);
	SEND(&bench, CARD_A);
	SEND(&bench, CARD_B);
	fake_commit(dev, 0);
	assert_int_equal(fake_punch(dev, 1)->result, SP_PUNCH_KNOWN);
	assert_int_equal(fake_punch(dev, 2)->result, 0);
	fake_run(dev, 30001, false);
	SEND(&bench, CARD_A);
	assert_int_equal(fake_punch(dev, 3)->punch.other_key_length, 0); // it knows itself by now
	fake_commit(dev, 0);
	assert_int_equal(fake_punch(dev, 3)->result, 0);
	bench_free(&bench);
}

static void test_replug(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "");
	struct sp_device *dev = bench.dev;
	assert_int_equal(fake_start(dev), 0);
	fake_poll(dev);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "unplugged");
	plug(&bench);
	fake_ready(dev); // news of the folder
	fake_run(dev, 2000, false);
	SEND(&bench, CARD_A);
	assert_int_equal(dev->kiosk.punch_count, 1);
	// Half a frame is forgotten with the reader.
	SEND(&bench, "\x02"
		     "1000");
	unplug(&bench);
	fake_ready(dev);
	fake_run(dev, ROUND_MS, true);
	assert_string_equal(dev->reason, "unplugged");
	assert_true(dev->rounds_failed >= 2);
	plug(&bench);
	unsigned ok = dev->rounds_ok;
	fake_run(dev, ROUND_MS + 1, true); // without news the next round finds it
	assert_true(dev->rounds_ok > ok);
	SEND(&bench, CARD_B);
	assert_int_equal(dev->kiosk.punch_count, 2);
	assert_int_equal(dev->kiosk.shown_count, 0); // nor was anything refused
	bench_free(&bench);
}

static void test_lines(void **state)
{
	(void)state;
	struct bench bench;
	bench_new(&bench, "");
	unplug(&(struct bench){.master = -1});
	fake_free(bench.dev);
	char text[256];
	snprintf(text, sizeof(text), "device = %s\nprotocol = lines\nform = text\nbaud = 115200\nend = pause",
		 bench.port);
	bench.dev = fake_new(&sp_driver_card_reader, "qr", text);
	struct sp_device *dev = bench.dev;
	plug(&bench);
	assert_int_equal(fake_start(dev), 0);
	SEND(&bench, "HS-017\r\n");
	assert_int_equal(dev->kiosk.punch_count, 1);
	assert_int_equal(fake_punch(dev, 0)->punch.kind, SP_PERSON_CODE);
	assert_int_equal(fake_punch(dev, 0)->punch.method, SP_PUNCH_BY_CODE);
	SEND(&bench, "HS-018");
	assert_int_equal(dev->kiosk.punch_count, 1);
	fake_run(dev, 101, false);
	assert_int_equal(dev->kiosk.punch_count, 2);
	assert_memory_equal(fake_punch(dev, 1)->person, "HS-018", 6);
	bench_free(&bench);
}

/// Two readers are two devices, and a stop in the middle of everything is one.
static void test_two_and_stop(void **state)
{
	(void)state;
	struct bench a, b;
	bench_new(&a, "");
	bench_new(&b, "");
	plug(&a);
	plug(&b);
	assert_int_equal(fake_start(a.dev), 0);
	assert_int_equal(fake_start(b.dev), 0);
	SEND(&a, "\x02"
		 "1000");
	SEND(&b, CARD_B);
	SEND(&a, "86F44426\x03");
	assert_int_equal(a.dev->kiosk.punch_count, 1);
	assert_int_equal(b.dev->kiosk.punch_count, 1);
	assert_memory_equal(fake_punch(b.dev, 0)->person, "3808980205", 10);
	SEND(&a, "\x02"
		 "1000");
	bench_free(&a);
	bench_free(&b);
}

/// One reader in two sections: the second has to wait.
static void test_taken_port(void **state)
{
	(void)state;
	struct bench a;
	char text[256];
	bench_new(&a, "");
	plug(&a);
	assert_int_equal(fake_start(a.dev), 0);
	snprintf(text, sizeof(text), "device = %s\nprotocol = rdm6300", a.port);
	struct sp_device *second = fake_new(&sp_driver_card_reader, "hai", text);
	assert_int_equal(fake_start(second), 0);
	fake_poll(second);
	assert_string_equal(second->reason, "busy");
	a.dev->driver->stop(a.dev);
	memset(a.dev->state, 0, a.dev->driver->state_size);
	fake_run(second, ROUND_MS, true);
	assert_true(second->rounds_ok >= 1);
	fake_free(second);
	assert_int_equal(a.dev->driver->start(a.dev), 0);
	bench_free(&a);
}

static void test_check(void **state)
{
	(void)state;
	static const struct {
		const char *options, *key;
	} cases[] = {
	    {"device = event5", "device"},
	    {"device = usb:", "device"},
	    {"device = id:ffff", "device"},
	    {"device = id:ffff:0035x", "device"},
	    {"device = usb:1-1\nprotocol = rdm6300", "device"},
	    {"device = /dev/ttyUSB0\nprotocol = dual\nbaud = 9601", "baud"},
	    {"device = usb:1-1\naccepted = green", "accepted"},
	    {"device = usb:1-1\nrefused = led:a, led:../b", "refused"},
	    {"device = usb:1-1.4:1.0", NULL},
	    {"device = phys:usb-0000:00:14.0-1.4/input0", NULL},
	    {"device = id:ffff:0035", NULL},
	    {"device = /dev/input/by-id/x\nrefused = gpio:1/2/low", NULL},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = fake_new(&sp_driver_card_reader, "x", cases[i].options);
		const char *key = NULL;
		char why[256] = "";
		int result = dev->driver->check(dev->conf, &key, why, sizeof(why));
		if (!cases[i].key != !result)
			fail_msg("%s: %d %s", cases[i].options, result, why);
		if (result)
			assert_string_equal(key, cases[i].key);
		fake_free(dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tap),
	    cmocka_unit_test(test_held),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_restart),
	    cmocka_unit_test(test_restart_between_slots),
	    cmocka_unit_test(test_replug),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_two_and_stop),
	    cmocka_unit_test(test_taken_port),
	    cmocka_unit_test(test_check),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
