// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The gateway_counters driver on virtual time, with a router that a script plays in snmp_session.h's place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/drivers.h"
#include "drivers/link/counters_rate.h"
#include "drivers/link/snmp_session.h"
#include "fake_io.h"

static struct {
	struct row {
		const char *name;
		uint32_t index;
	} rows[4];
	size_t row_count;
	uint32_t route; ///< ifIndex of the default route, 0: not told
	uint64_t in, out, speed;
	uint32_t uptime_cs;
	bool narrow;
	int result;
	unsigned sessions, gets, walks;
	char host[64];
} router;

struct sp_snmp {
	int unused;
};

struct sp_snmp *sp_snmp_new(const struct sp_snmp_login *login)
{
	router.sessions++;
	snprintf(router.host, sizeof(router.host), "%s:%u", login->host, login->port);
	return calloc(1, sizeof(struct sp_snmp));
}

void sp_snmp_free(struct sp_snmp *snmp)
{
	router.sessions--;
	free(snmp);
}

/// "2.2.1.10" of an object below 1.3.6.1.2.1.
static const char *tail(const struct sp_snmp_oid *name)
{
	static char text[128];
	text[0] = '\0';
	for (size_t i = 6; i < name->length; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i > 6 ? "." : "",
			 name->part[i]);
	return text;
}

static const struct row *row_of(uint32_t index)
{
	for (size_t i = 0; i < router.row_count; i++)
		if (router.rows[i].index == index)
			return &router.rows[i];
	return NULL;
}

static void answer(const struct sp_snmp_oid *name, struct sp_snmp_value *out)
{
	char text[128];
	snprintf(text, sizeof(text), "%s", tail(name));
	*out = (struct sp_snmp_value){.name = *name};
	uint64_t number = 0;
	char *last = strrchr(text, '.');
	const struct row *row = row_of(name->part[name->length - 1]);
	*last = '\0';
	if (strcmp(text, "1.3") == 0)
		number = router.uptime_cs;
	else if (strncmp(text, "4.21.1.2", 8) == 0 && router.route)
		number = router.route;
	else if (!row)
		return;
	else if (strcmp(text, "31.1.1.1.1") == 0) {
		out->kind = SP_SNMP_STRING;
		snprintf(out->text, sizeof(out->text), "%s", row->name);
		return;
	} else if (!strcmp(text, "31.1.1.1.6") && !router.narrow)
		number = router.in;
	else if (!strcmp(text, "31.1.1.1.10") && !router.narrow)
		number = router.out;
	else if (!strcmp(text, "2.2.1.10"))
		number = (uint32_t)router.in;
	else if (!strcmp(text, "2.2.1.16"))
		number = (uint32_t)router.out;
	else if (!strcmp(text, "2.2.1.5"))
		number = router.speed;
	else
		return;
	out->kind = SP_SNMP_NUMBER;
	out->number = number;
}

int sp_snmp_get(struct sp_snmp *snmp, const struct sp_snmp_oid *names, size_t count,
		struct sp_snmp_value *out, int64_t timeout_ms)
{
	(void)snmp;
	(void)timeout_ms;
	router.gets++;
	for (size_t i = 0; i < count; i++)
		answer(&names[i], &out[i]);
	return router.result;
}

int sp_snmp_next(struct sp_snmp *snmp, const struct sp_snmp_oid *after,
		 struct sp_snmp_value out[SP_SNMP_VALUES], int64_t timeout_ms)
{
	(void)snmp;
	(void)timeout_ms;
	router.walks++;
	if (router.result < 0 || strcmp(tail(after), "31.1.1.1.1") != 0)
		return router.result;
	for (size_t i = 0; i < router.row_count; i++) {
		struct sp_snmp_oid name = *after;
		name.part[name.length++] = router.rows[i].index;
		answer(&name, &out[i]);
	}
	return (int)router.row_count;
}

// ---- rounds -----------------------------------------------------------------------------------

static int setup(void **state)
{
	(void)state;
	memset(&router, 0, sizeof(router));
	router.rows[0] = (struct row){"br-lan", 2};
	router.rows[1] = (struct row){"wan", 5};
	router.rows[2] = (struct row){"pppoe-wan", 9};
	router.row_count = 3;
	router.uptime_cs = 777;
	return 0;
}

static struct sp_device *started(const char *options)
{
	struct sp_device *dev = fake_new(&sp_driver_gateway_counters, "router", options);
	assert_int_equal(fake_start(dev), 0);
	return dev;
}

static void after_seconds(struct sp_device *dev, uint64_t in, uint64_t out)
{
	fake_run(dev, 10 * 1000 - (int64_t)(dev->now_us / 1000 % 10000), false);
	router.in += in;
	router.out += out;
	router.uptime_cs += 1000;
	fake_poll(dev);
	fake_run(dev, 1, false);
}

static void tells_the_traffic(void **state)
{
	(void)state;
	struct sp_device *dev = started("host = 192.0.2.1\nport = 1161\ninterface = WAN");
	assert_string_equal(router.host, "192.0.2.1:1161");
	router.in = UINT64_C(5000000000);
	after_seconds(dev, 0, 0);
	assert_int_equal(dev->rounds_ok, 1);
	assert_int_equal(dev->traffics, 0);
	after_seconds(dev, 250000, 30000);
	assert_int_equal(dev->traffics, 1);
	assert_int_equal(dev->traffic.source, SP_TRAFFIC_GATEWAY);
	assert_int_equal(dev->traffic.down_bytes, 250000);
	assert_int_equal(dev->traffic.up_bytes, 30000);
	assert_in_range(dev->traffic.to_us - dev->traffic.from_us, 9900000, 10100000);
	assert_true(fake_sample(dev, 0, "")->last == 5000250000.0);
	// A reboot between two readings is no traffic.
	router.uptime_cs = 0;
	router.in = 0;
	after_seconds(dev, 4000000000u, 10);
	assert_int_equal(dev->traffics, 1);
	after_seconds(dev, 100, 10);
	assert_int_equal(dev->traffics, 2);
	assert_int_equal(dev->traffic.down_bytes, 100);
	fake_free(dev);
	assert_int_equal(router.sessions, 0);
}

static void falls_back_to_32_bits(void **state)
{
	(void)state;
	struct sp_device *dev = started("host = 192.0.2.1\ninterface = 5");
	router.narrow = true;
	router.speed = 100 * 1000 * 1000;
	router.in = UINT32_MAX - 10;
	router.out = 1;
	after_seconds(dev, 0, 0);
	after_seconds(dev, 111, 1);
	assert_int_equal(dev->traffics, 1);
	assert_int_equal(dev->traffic.down_bytes, 111);
	fake_free(dev);
}

static void finds_the_outer_interface(void **state)
{
	(void)state;
	// Dialled before plugged.
	struct sp_device *dev = started("host = 192.0.2.1");
	after_seconds(dev, 10, 10);
	assert_int_equal(dev->rounds_ok, 1);
	fake_free(dev);
	// The router's own word before names; found once, it is asked for its counters alone.
	router.route = 2;
	dev = started("host = 192.0.2.1");
	after_seconds(dev, 10, 10);
	unsigned gets = router.gets, walks = router.walks;
	after_seconds(dev, 10, 10);
	assert_int_equal(router.gets, gets + 1);
	assert_int_equal(router.walks, walks);
	fake_free(dev);
	// Two that may be meant: none is guessed, and both are named.
	router.route = 0;
	router.rows[2].name = "wan2";
	dev = started("host = 192.0.2.1");
	after_seconds(dev, 10, 10);
	assert_int_equal(dev->rounds_failed, 1);
	assert_string_equal(dev->reason, "no_interface");
	assert_non_null(strstr(dev->text, "br-lan, wan, wan2"));
	fake_free(dev);
}

static void follows_a_name_to_its_new_number(void **state)
{
	(void)state;
	struct sp_device *dev = started("host = 192.0.2.1\ninterface = wan");
	after_seconds(dev, 10, 10);
	router.rows[1] = (struct row){"pppoe-wan", 5};
	router.rows[2] = (struct row){"wan", 11};
	after_seconds(dev, 1000, 1000); // another number: nothing to compare with
	assert_int_equal(dev->rounds_ok, 2);
	assert_int_equal(dev->traffics, 0);
	after_seconds(dev, 1000, 1000);
	assert_int_equal(dev->traffics, 1);
	fake_free(dev);
}

static void says_why_it_failed(void **state)
{
	(void)state;
	static const struct {
		int result;
		const char *reason;
	} cases[] = {{-ETIMEDOUT, "timeout"},
		     {-EACCES, "refused"},
		     {-EBADMSG, "protocol"},
		     {-EHOSTUNREACH, "no_route"}};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = started("host = 192.0.2.1\ncommunity = canary-word\ninterface = wan");
		router.result = cases[i].result;
		after_seconds(dev, 1, 1);
		assert_int_equal(dev->rounds_failed, 1);
		assert_string_equal(dev->reason, cases[i].reason);
		assert_null(strstr(dev->text, "canary"));
		assert_true(fake_sample(dev, 0, "")->unavailable);
		router.result = 0;
		after_seconds(dev, 1, 1);
		assert_int_equal(dev->rounds_ok, 1);
		fake_free(dev);
	}
}

static void ends_while_a_question_is_under_way(void **state)
{
	(void)state;
	struct sp_device *dev = started("host = 192.0.2.1");
	fake_poll(dev);
	assert_int_equal(router.sessions, 1);
	fake_free(dev); // its worker comes back without a device
	assert_int_equal(router.sessions, 0);
}

static void refuses_half_a_login(void **state)
{
	(void)state;
	static const struct {
		const char *options, *key;
	} cases[] = {
	    {"host = router.example", "host"},
	    {"host = 192.0.2.1:161", "host"},
	    {"host = 192.0.2.1\nversion = 3", "user"},
	    {"host = 192.0.2.1\nversion = 3\nuser = u\nauth_password = 12345678", "priv_password"},
	    {"host = 192.0.2.1\nversion = 3\nuser = u\nauth_password = 1234567\npriv_password = 12345678",
	     "auth_password"},
	};
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_device *dev = fake_new(&sp_driver_gateway_counters, "router", cases[i].options);
		const char *key = "";
		char why[128] = "";
		assert_int_equal(dev->driver->check(dev->conf, &key, why, sizeof(why)), -EINVAL);
		assert_string_equal(key, cases[i].key);
		fake_free(dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(tells_the_traffic, setup),
	    cmocka_unit_test_setup(falls_back_to_32_bits, setup),
	    cmocka_unit_test_setup(finds_the_outer_interface, setup),
	    cmocka_unit_test_setup(follows_a_name_to_its_new_number, setup),
	    cmocka_unit_test_setup(says_why_it_failed, setup),
	    cmocka_unit_test_setup(ends_while_a_question_is_under_way, setup),
	    cmocka_unit_test_setup(refuses_half_a_login, setup),
	};
	return cmocka_run_group_tests_name("drivers.gateway_counters", tests, NULL, NULL);
}
