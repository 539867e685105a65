// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The template driver, tested as every driver is: its protocol by itself, then the driver against scripted
// answers. And what holds for every driver in the registry.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/skeleton_wire.h"
#include "fake_io.h"

static int parse(const char *text, struct sp_skeleton_status *out)
{
	return sp_skeleton_parse((const uint8_t *)text, strlen(text), out);
}

static void test_wire(void **state)
{
	(void)state;
	struct sp_skeleton_status status;
	assert_int_equal(parse("OK 41.5 1200\n", &status), 0);
	assert_true(status.celsius == 41.5);
	assert_int_equal(status.lamp_hours, 1200);
	assert_string_equal(status.error, "");
	assert_int_equal(parse("OK -3 0\n", &status), 0);
	assert_true(status.celsius == -3);
	assert_int_equal(parse("ERR lamp_out\n", &status), 0);
	assert_string_equal(status.error, "lamp_out");
	static const char *const bad[] = {
	    "",
	    "\n",
	    "OK\n",
	    "OK 1\n",
	    "OK 1 2",
	    "OK 1 2 \n",
	    "OK 1  2\n",
	    "OK 999 1\n",
	    "OK -60 1\n",
	    "OK 1. 2\n",
	    "OK 1.55 2\n",
	    "OK 1 9999999\n",
	    "ERR \n",
	    "ERR Lamp\n",
	    "OK x y\n",
	    "OK 1 2\nx",
	    "ERR aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		if (parse(bad[i], &status) != -EBADMSG)
			fail_msg("taken for an answer: \"%s\"", bad[i]);
}

static const char *reply;

static void answer(const struct sp_endpoint *peer, const uint8_t *data, size_t length,
		   struct fake_answer *out)
{
	char host[64];
	assert_string_equal(sp_endpoint_host(peer, host, sizeof(host)), "192.0.2.7");
	assert_int_equal(length, 7);
	assert_memory_equal(data, "STATUS\n", 7);
	if (!reply)
		return;
	out->result = 0;
	out->delay_ms = 3;
	out->length = strlen(reply);
	memcpy(out->data, reply, out->length);
}

static void test_driver(void **state)
{
	(void)state;
	struct sp_device *dev = fake_new(&sp_driver_skeleton, "it", "address = 192.0.2.7\n");
	dev->udp = answer;
	assert_int_equal(fake_start(dev), 0);
	reply = "OK 40 2\n";
	fake_run(dev, 1000, true);
	assert_int_equal(dev->rounds_ok, 1);
	assert_true(fake_sample(dev, 0, "")->last == 40);
	assert_true(fake_sample(dev, 1, "")->last == 7200);
	reply = "ERR lamp_out\n";
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(dev->rounds_ok, 2);
	assert_true(fake_sample(dev, 0, "")->unavailable);
	reply = "HELLO\n";
	fake_run(dev, 60 * 1000, true);
	assert_string_equal(dev->reason, "protocol");
	reply = NULL;
	fake_run(dev, 62 * 1000, true);
	assert_string_equal(dev->reason, "timeout");
	assert_int_equal(dev->rounds_failed, 2);
	fake_free(dev);
	dev = fake_new(&sp_driver_skeleton, "it", "address = projector.example\n");
	assert_int_equal(fake_start(dev), -EINVAL);
	fake_free(dev);
}

static void check_help(const char *driver, const char *name, const char *help)
{
	size_t length = help ? strlen(help) : 0;
	if (length < 4 || help[0] < 'A' || help[0] > 'Z' || help[length - 1] == '.')
		fail_msg("%s.%s: help is one sentence, begins with a capital, has no full stop", driver,
			 name);
}

/// What a driver cannot do without.
static const char *least(const struct sp_driver *driver)
{
	static const struct {
		const struct sp_driver *driver;
		const char *options;
	} needs[] = {
	    {&sp_driver_skeleton, "address = 192.0.2.7\n"},
	    {&sp_driver_card_reader, "device = usb:1-1.4\n"},
	    {&sp_driver_adms, "serial = ABC123\n"},
	    {&sp_driver_hikvision, "url = https://192.0.2.7\nuser = observer\npassword = x\n"},
	    {&sp_driver_webhook, "secret_file = /etc/schoolpulse/secret\n"},
	    {&sp_driver_zk4370, "host = 192.0.2.7\n"},
	    {&sp_driver_capture, "interface = eth9\n"},
	    {&sp_driver_service, "urls = https://platform.example/\n"},
	    {&sp_driver_stamp, "host = 192.0.2.7\n"},
	    {&sp_driver_gateway_counters, "host = 192.0.2.7\ncommunity = public\n"},
	    {&sp_driver_librespeed, "url = http://192.0.2.7/\n"},
	    {&sp_driver_ndt7, "server = 192.0.2.7\n"},
	};
	for (size_t i = 0; i < SP_COUNT(needs); i++) {
		if (needs[i].driver == driver)
			return needs[i].options;
	}
	return "";
}

static void check_driver(const struct sp_driver *driver)
{
	assert_non_null(driver->name);
	check_help(driver->name, "summary", driver->summary);
	assert_non_null(driver->start);
	assert_non_null(driver->stop);
	// Speed tests have rounds without an interval: the agent's plan says when.
	bool rounds = driver->interval_ms > 0 || driver->cls == SP_DRIVER_SPEED;
	assert_int_equal(driver->poll != NULL, rounds);
	assert_int_equal(driver->deadline_ms > 0, rounds);
	for (const struct sp_option *option = driver->options; option && option->key; option++) {
		check_help(driver->name, option->key, option->help);
		assert_true(option->offset < driver->conf_size);
		assert_int_equal(option->type == SP_OPTION_ENUM, option->choices != NULL);
	}
	for (const struct sp_metric *metric = driver->metrics; metric && metric->name; metric++)
		check_help(driver->name, metric->name, metric->help);
	if (strncmp(driver->name, "sim_", 4) == 0) {
		assert_int_equal(driver->maturity, SP_MATURITY_EXPERIMENTAL);
		assert_non_null(strstr(driver->summary, "Simulated"));
	}
	// Defaults are within their own limits, and start may fail but not hang on to anything.
	fake_free(fake_new(driver, "it", least(driver)));
}

static void test_registry(void **state)
{
	(void)state;
	size_t count = 0;
	for (; sp_driver_registry[count]; count++) {
		check_driver(sp_driver_registry[count]);
		assert_ptr_not_equal(sp_driver_registry[count], &sp_driver_skeleton);
		for (size_t i = 0; i < count; i++)
			assert_string_not_equal(sp_driver_registry[i]->name, sp_driver_registry[count]->name);
	}
	assert_true(count >= 5);
	check_driver(&sp_driver_skeleton);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wire),
	    cmocka_unit_test(test_driver),
	    cmocka_unit_test(test_registry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
