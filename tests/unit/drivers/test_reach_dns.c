// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How many lost questions it takes until a single resolver is called silent.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "fake_io.h"
#include "fake_ping.h"

static unsigned to_lose, lost;
static int result; ///< of what is lost

static void echo(struct sp_device *dev, const char *to, struct fake_echo *out)
{
	(void)dev, (void)to;
	out->answer = true;
	out->rtt_ms = 20;
}

static void dns(const struct sp_endpoint *peer, const uint8_t *data, size_t length, struct fake_answer *out)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9};
	(void)peer;
	if (lost < to_lose) {
		lost++;
		out->result = result;
		return;
	}
	out->result = 0;
	out->delay_ms = 15;
	memcpy(out->data, data, length);
	out->data[2] = 0x81;
	out->data[3] = 0x80;
	out->data[7] = 1;
	memcpy(out->data + length, record, sizeof(record));
	out->length = length + sizeof(record);
}

/// A quarter of an hour with one resolver that loses so many questions in a row. True when it was blamed.
static bool blamed(unsigned questions, int with)
{
	result = with;
	char resolv[] = "/tmp/sp-resolv-XXXXXX", text[512];
	int fd = mkstemp(resolv);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "nameserver 192.0.2.53\n", 22), 22);
	close(fd);
	snprintf(text, sizeof(text),
		 "domestic = 192.0.2.1, 192.0.2.2\ninternational = 198.51.100.1\ndns_name = probe.example\n"
		 "dns_direct =\nportal_url =\nresolv_conf = %s\n",
		 resolv);
	struct sp_device *dev = fake_new(&sp_driver_reach, "main", text);
	dev->udp = dns;
	fake_ping(echo, true);
	to_lose = lost = 0;
	assert_int_equal(fake_start(dev), 0);
	fake_run(dev, 60 * 1000, true);
	assert_int_equal(fake_last(dev, SP_RUNG_DNS, SP_FAMILY_ANY)->report.status, SP_RUNG_OK);
	int64_t from_us = sp_device_now_us(dev);
	to_lose = questions;
	fake_run(dev, 14 * 60 * 1000, true);
	assert_int_equal(lost, questions);
	size_t silent = fake_count(dev, SP_RUNG_DNS, SP_FAMILY_ANY, SP_RUNG_SILENT, from_us);
	fake_free(dev);
	unlink(resolv);
	return silent > 0;
}

/// With 3 % loss each way five in a row come twice in ten months, six once in seven years.
static void test_five_lost_questions_blame_no_resolver(void **state)
{
	(void)state;
	for (unsigned questions = 1; questions <= 5; questions++)
		assert_false(blamed(questions, -ETIMEDOUT));
	assert_true(blamed(6, -ETIMEDOUT));
}

/// A resolver that only IPv6 reaches, on a kernel without IPv6, is not silent.
static void test_no_way_to_ask_blames_no_resolver(void **state)
{
	(void)state;
	static const int results[] = {-ENETUNREACH, -EADDRNOTAVAIL, -ENETDOWN,
				      -ENODEV,      -ENXIO,         -EAFNOSUPPORT};
	for (size_t i = 0; i < SP_COUNT(results); i++)
		assert_false(blamed(20, results[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_five_lost_questions_blame_no_resolver),
					   cmocka_unit_test(test_no_way_to_ask_blames_no_resolver)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
