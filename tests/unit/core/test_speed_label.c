// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a figure is worth, rule by rule: each row differs from a valid one by what its name says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "agent/core/speed/label.h"

/// A good test: 80 of 100 Mbit/s bought, on a port of 1000.
#define GOOD                                                                                    \
	.outcome = SP_SPEED_WHOLE, .reason = "", .goodput_bps = 80e6, .family = SP_FAMILY_IPV4, \
	.others_bytes_per_second = 1000, .busy_bytes_per_second = 25000, .cpu_ratio = 0.4,      \
	.link_mbps = 1000, .bought_mbps = 100

// A row overrides what it is about.
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
static const struct {
	const char *name;
	struct sp_speed_evidence evidence;
	enum sp_speed_validity validity;
	const char *reason;
} cases[] = {
    {"good", {GOOD}, SP_SPEED_IS_VALID, ""},
    {"nothing moved", {GOOD, .goodput_bps = 0}, SP_SPEED_IS_VALID, ""},
    {"port not known", {GOOD, .link_mbps = 0}, SP_SPEED_IS_VALID, ""},
    {"processor not known", {GOOD, .cpu_ratio = NAN}, SP_SPEED_IS_VALID, ""},
    {"skipped", {GOOD, .outcome = SP_SPEED_SKIPPED, .reason = "disabled"}, SP_SPEED_IS_SKIPPED, "disabled"},
    {"skipped by the server", {GOOD, .outcome = SP_SPEED_SKIPPED}, SP_SPEED_IS_SKIPPED, "no_capacity"},
    {"failed", {GOOD, .outcome = SP_SPEED_FAILED, .reason = "dns"}, SP_SPEED_IS_FAILED, "dns"},
    {"failed without a word", {GOOD, .outcome = SP_SPEED_FAILED}, SP_SPEED_IS_FAILED, "child"},
    {"never reached",
     {GOOD, .outcome = SP_SPEED_NOT_DONE, .reason = "timeout"},
     SP_SPEED_IS_FAILED,
     "timeout"},
    {"no figure", {GOOD, .goodput_bps = NAN}, SP_SPEED_IS_FAILED, "protocol"},
    {"an endless figure", {GOOD, .goodput_bps = INFINITY}, SP_SPEED_IS_FAILED, "protocol"},
    {"partial", {GOOD, .outcome = SP_SPEED_PARTIAL, .reason = "closed"}, SP_SPEED_IS_PARTIAL, "closed"},
    {"partial on a busy line",
     {GOOD, .outcome = SP_SPEED_PARTIAL, .reason = "stalled", .others_bytes_per_second = 1e7},
     SP_SPEED_IS_PARTIAL,
     "stalled"},
    // Others: 5 % of 80 Mbit/s are 500,000 byte/s, of 1 Mbit/s 6,250: there the threshold is 25,000.
    {"a little beside", {GOOD, .others_bytes_per_second = 499999}, SP_SPEED_IS_VALID, ""},
    {"too much beside", {GOOD, .others_bytes_per_second = 500001}, SP_SPEED_IS_CONTENDED, "busy"},
    {"a slow line", {GOOD, .goodput_bps = 1e6, .others_bytes_per_second = 24999}, SP_SPEED_IS_VALID, ""},
    {"a slow line in use",
     {GOOD, .goodput_bps = 1e6, .others_bytes_per_second = 25001},
     SP_SPEED_IS_CONTENDED,
     "busy"},
    {"others not known", {GOOD, .others_bytes_per_second = NAN}, SP_SPEED_IS_CONTENDED, "busy"},
    {"contended and out of breath",
     {GOOD, .others_bytes_per_second = 1e7, .cpu_ratio = 1},
     SP_SPEED_IS_CONTENDED,
     "busy"},
    // The processor.
    {"nearly out of breath", {GOOD, .cpu_ratio = 0.89}, SP_SPEED_IS_VALID, ""},
    {"out of breath", {GOOD, .cpu_ratio = 0.9}, SP_SPEED_IS_DEVICE_LIMITED, "cpu"},
    {"out of breath, and got what was bought",
     {GOOD, .cpu_ratio = 1, .goodput_bps = 93e6},
     SP_SPEED_IS_VALID,
     ""},
    {"out of breath, contract not known",
     {GOOD, .cpu_ratio = 1, .goodput_bps = 93e6, .bought_mbps = 0},
     SP_SPEED_IS_DEVICE_LIMITED,
     "cpu"},
    {"out of breath in half duplex",
     {GOOD, .cpu_ratio = 1, .half_duplex = true},
     SP_SPEED_IS_DEVICE_LIMITED,
     "cpu"},
    // The port: 92 % of 94.1 Mbit/s on one of 100.
    {"below what the port can", {GOOD, .link_mbps = 100, .goodput_bps = 86e6}, SP_SPEED_IS_VALID, ""},
    {"what the port can",
     {GOOD, .link_mbps = 100, .goodput_bps = 87e6},
     SP_SPEED_IS_LINK_LIMITED,
     "port_speed"},
    {"IPv6 carries less",
     {GOOD, .link_mbps = 100, .goodput_bps = 86e6, .family = SP_FAMILY_IPV6},
     SP_SPEED_IS_LINK_LIMITED,
     "port_speed"},
    {"half duplex", {GOOD, .half_duplex = true}, SP_SPEED_IS_LINK_LIMITED, "half_duplex"},
};

static void test_each_rule_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < SP_COUNT(cases); i++) {
		struct sp_speed_verdict verdict = sp_speed_label(&cases[i].evidence);
		if (verdict.validity != cases[i].validity || strcmp(verdict.reason, cases[i].reason) != 0)
			fail_msg("%s: %s %s", cases[i].name, sp_speed_validity_name(verdict.validity),
				 verdict.reason);
	}
}

static void test_the_words_are_those_of_the_feed(void **state)
{
	(void)state;
	static const char *const words[] = {"skipped",        "failed",       "partial", "contended",
					    "device_limited", "link_limited", "valid"};
	for (size_t i = 0; i < SP_COUNT(words); i++)
		assert_string_equal(sp_speed_validity_name((enum sp_speed_validity)i), words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_rule_holds),
	    cmocka_unit_test(test_the_words_are_those_of_the_feed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
