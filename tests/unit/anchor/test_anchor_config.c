// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The anchor's configuration: defaults, what follows from them, and mistakes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tools/anchor/anchor_config.h"

static struct sp_anchor_config config;

static void good(const char *text)
{
	struct sp_config_errors errors = {0};
	if (sp_anchor_config_read(&config, "it", text, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	sp_config_errors_free(&errors);
}

static void bad(const char *text, const char *why)
{
	struct sp_config_errors errors = {0};
	assert_int_equal(sp_anchor_config_read(&config, "it", text, &errors), -EINVAL);
	if (!strstr(errors.lines[0], why))
		fail_msg("%s", errors.lines[0]);
	sp_config_errors_free(&errors);
	sp_anchor_config_free(&config);
}

static void nothing_need_be_said(void **state)
{
	(void)state;
	good("");
	assert_int_equal(config.port, 8080);
	assert_int_equal(config.stamp_port, 862);
	assert_int_equal(config.tests, 5);
	assert_int_equal(config.tests_per_address, 3);
	assert_string_equal(config.status_listen, "127.0.0.1");
	sp_anchor_config_free(&config);
}

static void places_follow_from_the_line(void **state)
{
	(void)state;
	good("[anchor]\nuplink_mbps = 10000\nper_test_mbps = 300\n");
	assert_int_equal(config.tests, 33);
	sp_anchor_config_free(&config);
	good("[anchor]\nuplink_mbps = 100\nper_test_mbps = 300\n");
	assert_int_equal(config.tests, 1);
	assert_int_equal(config.tests_per_address, 1);
	sp_anchor_config_free(&config);
	good("[anchor]\nuplink_mbps = 400000\nper_test_mbps = 1\n");
	assert_int_equal(config.tests, 1000);
	sp_anchor_config_free(&config);
	good("[anchor]\ntests = 7\ntests_per_address = 2\n");
	assert_int_equal(config.tests, 7);
	assert_int_equal(config.tests_per_address, 2);
	sp_anchor_config_free(&config);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	bad("[anchor]\nuplnk_mbps = 5\n", "uplink_mbps");
	bad("[ancor]\n", "anchor");
	bad("[anchor \"x\"]\n", "takes no name");
	bad("[anchor]\nlisten = example.org\n", "listen");
	bad("[anchor]\nstatus_listen = here\n", "status_listen");
	bad("[anchor]\ncert_file = /x\n", "go together");
	bad("[anchor]\ntls_port = 443\n", "tls_port needs");
	bad("[anchor]\nport = 0\nstamp_port = 0\n", "nothing to serve");
	bad("[anchor]\nport = 70000\n", "port");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_need_be_said),
	    cmocka_unit_test(places_follow_from_the_line),
	    cmocka_unit_test(mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
