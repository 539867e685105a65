// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's configuration as a whole: defaults, every kind of mistake with its line, warnings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/settings.h"

struct gear_conf {
	char *host;
	int64_t port;
};

static const struct sp_option gear_options[] = {
    {"host", SP_OPTION_STRING, NULL, 1, 100, offsetof(struct gear_conf, host), NULL, "Where it is"},
    {"port", SP_OPTION_INT, "4352", 1, 65535, offsetof(struct gear_conf, port), NULL, "Its port"},
    {0},
};

/// Believes, as drivers do, that what it gets is whole.
static int gear_check(const void *of, const char **key, char *why, size_t size)
{
	const struct gear_conf *conf = of;
	*key = "host";
	if (strcmp(conf->host, "nobody") != 0 && conf->port != 0)
		return 0;
	snprintf(why, size, "%s at port %d", conf->host, (int)conf->port);
	return -EINVAL;
}

static const struct sp_driver gear = {.name = "projector",
				      .check = gear_check,
				      .cls = SP_DRIVER_GEAR,
				      .options = gear_options,
				      .conf_size = sizeof(struct gear_conf),
				      .interval_ms = 30000};
static const struct sp_driver link_driver = {.name = "reach", .cls = SP_DRIVER_LINK, .interval_ms = 2000};
static const struct sp_driver events = {.name = "carrier", .cls = SP_DRIVER_LINK};
static const struct sp_driver kiosk = {.name = "kiosk", .cls = SP_DRIVER_KIOSK, .interval_ms = 1000};
static const struct sp_driver *const drivers[] = {&gear, &link_driver, &events, &kiosk, NULL};

static char path[64];
static struct sp_settings settings;
static struct sp_config_errors errors, warnings;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/sp-settings-XXXXXX");
	int fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_settings_free(&settings);
	sp_config_errors_free(&errors);
	sp_config_errors_free(&warnings);
	return unlink(path);
}

static int read_text(const char *text)
{
	sp_settings_free(&settings);
	sp_config_errors_free(&errors);
	sp_config_errors_free(&warnings);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return sp_settings_read(&settings, path, drivers, &errors, &warnings);
}

/// Without the file's name in front: "12: text".
static const char *line_of(const struct sp_config_errors *list, size_t index)
{
	if (index >= list->count)
		return "(none)";
	return list->lines[index] + strlen(path) + 1;
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(read_text("[mqtt]\nhost = broker.example\n[line \"main\"]\nprovider = VNPT\n"
				   "[reach \"r\"]\n[carrier \"c\"]\n[projector \"phòng 101\"]\nhost = p\n"),
			 0);
	assert_string_equal(settings.agent.state_dir, "/var/lib/schoolpulse");
	assert_string_equal(settings.agent.socket, "/run/schoolpulse/agent.sock");
	assert_string_equal(settings.agent.shard, "default");
	assert_int_equal(settings.agent.summary_window_ms, 60000);
	assert_int_equal(settings.mqtt.port, 1883);
	assert_int_equal(settings.mqtt.resend_min_ms, 60000);
	assert_int_equal(settings.journal.cap_bytes, 256LL * 1024 * 1024);
	assert_int_equal(settings.journal.bulk_commit_ms, 300000);
	assert_int_equal(settings.journal.group_commit_ms, 50);
	assert_int_equal(settings.journal.keep_settled_ms, 7LL * 86400 * 1000);
	assert_string_equal(settings.attendance.legal_basis, "");
	assert_int_equal(settings.attendance.publish, SP_PUBLISH_HEALTH);
	assert_int_equal(settings.attendance.keep_ms, 7LL * 86400 * 1000);
	assert_int_equal(settings.attendance.unsent_ms, 30LL * 86400 * 1000);
	assert_int_equal(settings.attendance.year_month, 8);
	assert_int_equal(settings.attendance.year_day, 1);
	assert_int_equal(settings.attendance.slot_ms, 15 * 60 * 1000);
	assert_int_equal(settings.line_count, 1);
	assert_string_equal(settings.lines[0].provider, "VNPT");
	assert_int_equal(settings.device_count, 3);
	assert_string_equal(settings.devices[0].common.line, "main"); // the only one there is
	assert_int_equal(settings.devices[0].common.interval_ms, 2000);
	assert_true(settings.devices[0].common.enabled);
	assert_string_equal(settings.devices[2].name, "phòng 101");
	assert_string_equal(settings.devices[2].common.line, "");
	const struct gear_conf *conf = settings.devices[2].conf;
	assert_string_equal(conf->host, "p");
	assert_int_equal(conf->port, 4352);
	assert_int_equal(errors.count, 0);
	assert_int_equal(warnings.count, 0);
}

static void test_device_keys(void **state)
{
	(void)state;
	assert_int_equal(read_text("[mqtt]\nhost = b\n[line \"a\"]\n[line \"b\"]\n[reach \"r\"]\nline = b\n"
				   "interval = 5s\nenabled = no\n"),
			 0);
	assert_string_equal(settings.devices[0].common.line, "b");
	assert_int_equal(settings.devices[0].common.interval_ms, 5000);
	assert_false(settings.devices[0].common.enabled);
}

static void test_lines(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("[mqtt]\nhost = b\n[line \"a\"]\n[line \"b\"]\nbudget = 5G\nmetered = yes\n"
		      "profile = frugal\n"),
	    0);
	assert_int_equal(settings.lines[0].budget_bytes, 0);
	assert_false(settings.lines[0].metered);
	assert_int_equal(settings.lines[0].profile, SP_PROFILE_NORMAL);
	assert_true(settings.lines[1].budget_bytes == 5LL << 30);
	assert_true(settings.lines[1].metered);
	assert_int_equal(settings.lines[1].profile, SP_PROFILE_FRUGAL);
	// One line that is not frugal, and telemetry is not.
	assert_false(sp_settings_frugal(&settings));
	assert_int_equal(settings.mqtt.keepalive_ms, 60000);
}

static void test_telemetry_is_frugal_where_all_lines_are(void **state)
{
	(void)state;
	assert_int_equal(read_text("[mqtt]\nhost = b\n[line \"a\"]\nprofile = frugal\n"), 0);
	assert_true(sp_settings_frugal(&settings));
	assert_int_equal(settings.mqtt.keepalive_ms, 20 * 60000);
	assert_int_equal(settings.journal.bulk_commit_ms, 60000);
}

static void test_what_the_file_says_beats_thrift(void **state)
{
	(void)state;
	assert_int_equal(read_text("[mqtt]\nhost = b\nkeepalive = 30s\n[journal]\nbulk_commit = 2min\n"
				   "[line \"a\"]\nprofile = frugal\n"),
			 0);
	assert_int_equal(settings.mqtt.keepalive_ms, 30000);
	assert_int_equal(settings.journal.bulk_commit_ms, 120000);
}

struct mistake {
	const char *text, *expected;
};

#define BASE "[mqtt]\nhost = b\n[line \"main\"]\n" // lines 1-3

static const struct mistake mistakes[] = {
    {"[line \"main\"]\n", " no [mqtt] section: it names the broker, as in host = broker.example"},
    {"[mqtt]\nport = 1\n", NULL}, // mandatory key; the text is the reader's
    {BASE "[projektor \"p\"]\n", "4: unknown section [projektor]; did you mean [projector]?"},
    {BASE "[jurnal]\n", "4: unknown section [jurnal]; did you mean [journal]?"},
    {BASE "[zzz]\n", "4: unknown section [zzz]"},
    {BASE "[agent \"x\"]\n", "4: [agent] takes no name"},
    {BASE "egress = 203.0.113.0/24 vnpt\n",
     "4: egress = vnpt: not an address or a prefix, or one too many (16 at most)"},
    {"[mqtt]\nhost = b\n[line \"a234567890123456789012345678901234567890123456789012345\"]\n[zzz]\n",
     "4: unknown section [zzz]"},
    {"[mqtt]\nhost = b\n[line \"a2345678901234567890123456789012345678901234567890123456\"]\n",
     "3: [line \"a2345678901234567890123456789012345678901234567890123456\"]: the name has more than 55 "
     "bytes"},
    {BASE "shares = main\n", "4: shares = main: there is no other [line \"main\"]"},
    {BASE "shares = mobile\n", "4: shares = mobile: there is no other [line \"mobile\"]"},
    {BASE "shares = b\n[line \"b\"]\nshares = c\n[line \"c\"]\n",
     "4: shares = b: that line shares another's router itself"},
    {BASE "[line]\n", "4: [line] needs a name, as in [line \"main\"]"},
    {BASE "[reach]\n", "4: [reach] needs a name, as in [reach \"main\"]"},
    {BASE "[reach \"r\"]\nline = mian\n", "5: line = mian: there is no [line \"mian\"]; did you mean main?"},
    {BASE "[reach \"r\"]\nline = zzz\n", "5: line = zzz: there is no [line \"zzz\"]"},
    {BASE "[line \"two\"]\n[reach \"r\"]\n", "5: [reach \"r\"] needs line = …: there are 2 lines"},
    {"[mqtt]\nhost = b\n[reach \"r\"]\n",
     "3: [reach \"r\"] watches a line, and there is no [line \"…\"] section"},
    {BASE "[reach \"x\"]\n[carrier \"x\"]\n",
     "5: a device named \"x\" stands in line 4 already: the feed tells devices apart by name"},
    {BASE "[reach \"board\"]\n", "4: the name \"board\" is taken: the board itself reports by it"},
    {BASE "[carrier \"c\"]\ninterval = 5s\n", NULL}, // it has no rounds
    {BASE "[projector \"p\"]\nhost = h\nprot = 5\n", NULL},
    {BASE "[agent]\nshard = Hà Nội\n", "5: shard = Hà Nội: only a-z, 0-9 and - are allowed, 32 at most"},
    {BASE "[agent]\n\ndevice = UPPER\n", "6: device = UPPER: only a-z, 0-9 and - are allowed, 32 at most"},
    {"[mqtt]\nhost = b\nca_file = /dev/null\ncert_file = /dev/null\n",
     "4: cert_file and key_file go together"},
    {"[mqtt]\nhost = b\ncert_file = /dev/null\nkey_file = /dev/null\n",
     "3: a certificate without ca_file: TLS needs to know whom to trust"},
    {"[mqtt]\nhost = b\nresend_min = 10min\n", "1: resend_max is shorter than resend_min"},
    {"[mqtt]\nhost = b\nack_mode = mabye\n", NULL},
    {BASE "[journal]\ncap = 12\n", NULL},
    {BASE "[journal]\ngroup_commit = 51ms\n", NULL},
    {BASE "[journal]\nbulk_commit = 300\n", NULL}, // a duration needs its unit
    {BASE "[attendance]\nyear_starts = 02-29\n",
     "5: year_starts = 02-29: not a month and a day, as in 08-01"},
    {BASE "[attendance]\nyear_starts = 13-01\n",
     "5: year_starts = 13-01: not a month and a day, as in 08-01"},
    {BASE "[attendance]\nyear_starts = 08/01\n",
     "5: year_starts = 08/01: not a month and a day, as in 08-01"},
    {BASE "[attendance]\nyear_starts = 8-1\n", NULL},
    {BASE "[attendance]\nslot = 7min\n", "5: slot: whole minutes that divide a day, as 15min does"},
    {BASE "[attendance]\nslot = 337500ms\n", "5: slot: whole minutes that divide a day, as 15min does"},
    {BASE "[attendance]\npublish = names\n", NULL},
};

static void test_mistakes_have_file_and_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < SP_COUNT(mistakes); i++) {
		assert_int_equal(read_text(mistakes[i].text), -EINVAL);
		if (errors.count != 1)
			fail_msg("%s: %zu mistakes, the first: %s", mistakes[i].text, errors.count,
				 line_of(&errors, 0));
		assert_memory_equal(errors.lines[0], path, strlen(path));
		if (mistakes[i].expected)
			assert_string_equal(line_of(&errors, 0), mistakes[i].expected);
	}
}

static void test_a_mistyped_key_is_named_with_its_line(void **state)
{
	(void)state;
	assert_int_equal(read_text(BASE "[projector \"p\"]\nhost = h\nprot = 5\n"), -EINVAL);
	assert_memory_equal(line_of(&errors, 0), "6:", 2);
	assert_non_null(strstr(errors.lines[0], "port")); // the suggestion
	assert_int_equal(read_text(BASE "[reach \"r\"]\nintervall = 5s\n"), -EINVAL);
	assert_memory_equal(line_of(&errors, 0), "5:", 2);
	assert_non_null(strstr(errors.lines[0], "interval")); // of the core's own table
}

static void test_all_mistakes_are_told_at_once(void **state)
{
	(void)state;
	assert_int_equal(read_text("[mqtt]\nhost = b\nport = 99999\n[zzz]\n[reach \"r\"]\nline = none\n"),
			 -EINVAL);
	assert_int_equal(errors.count, 3);
}

static void test_a_driver_sees_only_what_could_be_read(void **state)
{
	(void)state;
	assert_int_equal(read_text(BASE "[projector \"p\"]\nport = 5\n"), -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], "lacks 'host'"));
	assert_int_equal(read_text(BASE "[projector \"p\"]\nhost =\nport = x\n"), -EINVAL);
	assert_int_equal(errors.count, 2);
	assert_int_equal(read_text(BASE "[projector \"p\"]\nhost = h\ninterval = 7\n"), -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_int_equal(read_text(BASE "[projector \"p\"]\nhost = nobody\n"), -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_string_equal(line_of(&errors, 0), "5: [projector \"p\"] host: nobody at port 4352");
}

static void test_warnings(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("[mqtt]\nhost = b\nca_file = /nowhere/ca.pem\n[line \"m\"]\n[reach \"r\"]\n"), 0);
	assert_int_equal(warnings.count, 1);
	assert_string_equal(line_of(&warnings, 0), "3: ca_file = /nowhere/ca.pem: No such file or directory");
	assert_int_equal(read_text("[mqtt]\nhost = b\nusername = u\npassword = p\n[kiosk \"k\"]\n"), 0);
	assert_int_equal(warnings.count, 2);
	assert_string_equal(line_of(&warnings, 0),
			    "4: the password will cross the network in clear: no ca_file, no TLS");
	assert_string_equal(line_of(&warnings, 1),
			    "5: [kiosk \"k\"] records nothing: [attendance] legal_basis is not set; name the "
			    "document by which the school may keep attendance data");
	assert_int_equal(
	    read_text("[mqtt]\nhost = b\n[attendance]\nlegal_basis = decision 12\n[kiosk \"k\"]\n"), 0);
	assert_int_equal(warnings.count, 0);
	assert_int_equal(read_text("[mqtt]\nhost = b\n[line \"m\"]\n[reach \"r\"]\n[attendance]\npublish = "
				   "events\n"),
			 0);
	assert_int_equal(warnings.count, 1);
	assert_string_equal(line_of(&warnings, 0),
			    "6: nothing is recorded, so nothing is published: legal_basis is not set");
	assert_int_equal(read_text("[mqtt]\nhost = b\n"), 0);
	assert_int_equal(warnings.count, 1); // nothing is measured
}

static void test_events_are_sent_only_where_both_lines_say_so(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool allowed, sends;
	} rows[] = {
	    {BASE, false, false},
	    {BASE "[attendance]\nlegal_basis = decision 12\n", true, false},
	    {BASE "[attendance]\nlegal_basis = decision 12\npublish = counts\n", true, false},
	    {BASE "[attendance]\nlegal_basis = decision 12\npublish = events\n", true, true},
	    {BASE "[attendance]\nlegal_basis =\npublish = events\n", false, false},
	};
	for (size_t i = 0; i < SP_COUNT(rows); i++) {
		assert_int_equal(read_text(rows[i].text), 0);
		assert_int_equal(sp_attendance_allowed(&settings.attendance), rows[i].allowed);
		assert_int_equal(sp_attendance_sends_events(&settings.attendance), rows[i].sends);
	}
}

static void test_an_unreadable_file(void **state)
{
	(void)state;
	assert_int_equal(sp_settings_read(&settings, "/nowhere/x.conf", drivers, &errors, &warnings),
			 -EINVAL);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], "/nowhere/x.conf: cannot be read: No such file or directory");
}

static void test_every_option_can_explain_itself(void **state)
{
	(void)state;
	for (const struct sp_core_section *section = sp_core_sections; section->name; section++)
		for (const struct sp_option *option = section->options; option->key; option++)
			assert_true(option->help && option->help[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_device_keys, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_telemetry_is_frugal_where_all_lines_are, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_the_file_says_beats_thrift, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_mistakes_have_file_and_line, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_mistyped_key_is_named_with_its_line, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_all_mistakes_are_told_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_driver_sees_only_what_could_be_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_warnings, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_events_are_sent_only_where_both_lines_say_so, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_an_unreadable_file, set_up, tear_down),
	    cmocka_unit_test(test_every_option_can_explain_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
