// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Speed tests in the store: once, in their place in time, under the contract of their day.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct hub hub;
static struct sp_config_errors errors;

#define DAY_MS (24 * HOUR_MS)
/// The day of NOW_MS, at UTC+7.
#define MIDNIGHT (NOW_MS - 10 * HOUR_MS)
/// When BOOT_1 began.
#define BEGAN_MS (NOW_MS - 4 * HOUR_MS)

static int set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

#define HEAD "school,school_name,site,line,device,shard,provider,contract,down_mbps,up_mbps\n"

static void import(const char *rows, int64_t now_ms)
{
	char text[1024];
	struct sp_register reg;
	struct sp_store_import done;
	snprintf(text, sizeof(text), HEAD "%s", rows);
	if (sp_register_parse(&reg, "r.csv", text, strlen(text), &errors) != 0)
		fail_msg("%s", errors.lines[0]);
	assert_int_equal(sp_store_import(hub.store, &reg, false, now_ms, &done), 0);
	sp_register_free(&reg);
}

#define BOARD_1 "1,A,chinh,main,board-1,north,Mạng A,Fiber100,100,50\n"

static void opened(void)
{
	DELIVER(&hub, .first = 1, .t_ms = BEGAN_MS + 1000, .err_ms = 10, .mono_us = SEC_US);
}

#define TEST                                                                                                \
	"\"type\":\"speedtest\",\"device\":\"lan\",\"test\":\"" STREAM_3 "\",\"line\":\"main\",\"method\":" \
	"\"librespeed\",\"trigger\":\"schedule\",\"scope\":\"domestic\","
#define DOWN TEST "\"direction\":\"down\",\"validity\":\"valid\",\"goodput_bps\":"
#define UP   TEST "\"direction\":\"up\",\"validity\":\"valid\",\"goodput_bps\":"

/// A record at so many ms after BOOT_1 began, by a clock that knows.
static enum sp_verdict SP_PRINTF(3, 4) say(int64_t seq, int64_t at_ms, const char *format, ...)
{
	char members[1024], record[1400];
	va_list args;
	va_start(args, format);
	vsnprintf(members, sizeof(members), format, args);
	va_end(args);
	snprintf(record, sizeof(record),
		 "[{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64 ",\"err_ms\":10,%s}]", seq,
		 at_ms * 1000, BEGAN_MS + at_ms, members);
	return DELIVER(&hub, .first = seq, .records = record);
}

/// One line of text per pool: "Mạng A/Fiber100 100/50: 2 down 85.0, 0 up -1.0; not counted: 1 valid
/// unplaced".
static const char *evidence_of(int64_t from_ms, int64_t to_ms, const char *provider)
{
	static char text[2048];
	struct sp_evidence *evidence;
	size_t count, used = 0;
	if (sp_store_evidence(hub.store, from_ms, to_ms, provider, NULL, &(struct sp_evidence_rules){2, 0.8},
			      &evidence) != 0)
		fail_msg("%s", sp_store_error(hub.store));
	const struct sp_evidence_pool *const *pools = sp_evidence_finish(evidence, &count);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const struct sp_evidence_side *d = &pools[i]->sides[SP_TEST_DOWN],
					      *u = &pools[i]->sides[SP_TEST_UP];
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s%s/%s %g/%g: %" PRId64 " down %.1f, %" PRId64 " up %.1f",
					 i ? "\n" : "", pools[i]->provider, pools[i]->plan, d->bought_mbps,
					 u->bought_mbps, d->valid.count, d->valid.mean_mbps, u->valid.count,
					 u->valid.mean_mbps);
		for (size_t k = 0; k < d->excluded_count; k++)
			used += (size_t)snprintf(
			    text + used, sizeof(text) - used, "; not %" PRId64 " %s %s", d->excluded[k].count,
			    sp_test_validity_name(d->excluded[k].validity), d->excluded[k].reason);
	}
	sp_evidence_free(evidence);
	return text;
}

static const char *evidence(void)
{
	return evidence_of(MIDNIGHT, MIDNIGHT + DAY_MS, NULL);
}

static void a_test_is_evidence_under_the_registers_contract(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	say(2, HOUR_MS, DOWN "90e6");
	say(3, HOUR_MS + 20000, UP "45e6");
	say(4, 2 * HOUR_MS, DOWN "80e6");
	assert_string_equal(evidence(), "Mạng A/Fiber100 100/50: 2 down 85.0, 1 up 45.0");
	// The period ends before its end.
	assert_string_equal(evidence_of(MIDNIGHT, BEGAN_MS + HOUR_MS, NULL), "");
	assert_string_equal(evidence_of(BEGAN_MS + HOUR_MS, BEGAN_MS + 2 * HOUR_MS, NULL),
			    "Mạng A/Fiber100 100/50: 1 down 90.0, 1 up 45.0");
	assert_string_equal(evidence_of(MIDNIGHT, MIDNIGHT + DAY_MS, "Mạng B"), "");
	assert_int_equal(number(&hub, "SELECT down_mbps FROM line"), 80);
	assert_int_equal(number(&hub, "SELECT up_mbps FROM line"), 45);
	assert_int_equal(number(&hub, "SELECT speed_ms FROM line"), BEGAN_MS + 2 * HOUR_MS);
}

static void what_comes_again_counts_once(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	assert_int_equal(say(2, HOUR_MS, DOWN "90e6"), SP_VERDICT_STORED);
	assert_int_equal(say(2, HOUR_MS, DOWN "90e6"), SP_VERDICT_DUPLICATE);
	assert_string_equal(evidence(), "Mạng A/Fiber100 100/50: 1 down 90.0, 0 up -1.0");
}

static void the_records_contract_goes_before_the_registers(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	say(2, HOUR_MS, DOWN "90e6,\"contract\":{\"plan\":\"Fiber150\",\"down_mbps\":150}");
	assert_string_equal(evidence(), "Mạng A/Fiber150 150/50: 1 down 90.0, 0 up -1.0");
}

static void the_registers_contract_of_that_day(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS - 30 * DAY_MS);
	// From 08:00 on another one; at 09:30 the board goes to another school.
	import("1,A,chinh,main,board-1,north,Mạng B,Fiber200,200,100\n", BEGAN_MS + 2 * HOUR_MS);
	import("2,B,chinh,main,board-1,north,Mạng C,Fiber50,50,50\n", BEGAN_MS + 3 * HOUR_MS + HOUR_MS / 2);
	opened();
	say(2, HOUR_MS, DOWN "90e6");
	say(3, 2 * HOUR_MS, DOWN "190e6");
	say(4, 3 * HOUR_MS, DOWN "170e6");
	say(5, 3 * HOUR_MS + HOUR_MS / 2, DOWN "40e6");
	assert_string_equal(evidence(), "Mạng A/Fiber100 100/50: 1 down 90.0, 0 up -1.0\n"
					"Mạng B/Fiber200 200/100: 2 down 180.0, 0 up -1.0\n"
					"Mạng C/Fiber50 50/50: 1 down 40.0, 0 up -1.0");
	// What was said first holds for before, too.
	assert_int_equal(number(&hub, "SELECT min(from_ms) FROM placement"), 0);
	// An import that changes nothing of a line leaves no trace of it.
	int64_t rows = number(&hub, "SELECT count(*) FROM placement");
	import("2,Another name,chinh,main,board-1,north,Mạng C,Fiber50,50,50\n", NOW_MS);
	assert_int_equal(number(&hub, "SELECT count(*) FROM placement"), rows);
}

static void a_board_that_nobody_knew_then_is_no_evidence(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS - DAY_MS);
	import("2,B,chinh,main,board-2,north,,,,\n", BEGAN_MS + 2 * HOUR_MS);
	opened();
	say(2, HOUR_MS, DOWN "90e6");
	say(3, 3 * HOUR_MS, DOWN "91e6");
	assert_string_equal(evidence(), "/ 0/0: 0 down -1.0, 0 up -1.0; not 1 valid unregistered\n"
					"Mạng A/Fiber100 100/50: 1 down 90.0, 0 up -1.0");
}

static void a_better_clock_moves_a_test(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS - DAY_MS);
	// Nobody knows the time in this boot; it was sent by the next one.
	DELIVER(&hub, .first = 1, .clk_boot = BOOT_3, .clk_mono_us = SEC_US);
	DELIVER(&hub, .first = 2, .clk_boot = BOOT_3, .clk_mono_us = 2 * SEC_US,
		.records = "[{\"seq\":2,\"mono_us\":3600000000," DOWN "90e6}]");
	assert_string_equal(evidence_of(0, NOW_MS + DAY_MS, NULL),
			    "Mạng A/Fiber100 100/50: 0 down -1.0, 0 up -1.0; not 1 valid unplaced");
	// Its clock becomes known, by a record that waited longer.
	DELIVER(&hub, .first = 3, .clk_boot = BOOT_3, .clk_mono_us = 3 * SEC_US, .mono_us = 7200 * SEC_US,
		.t_ms = BEGAN_MS + 2 * HOUR_MS, .err_ms = 10);
	assert_string_equal(evidence(), "Mạng A/Fiber100 100/50: 1 down 90.0, 0 up -1.0");
	assert_int_equal(number(&hub, "SELECT count(*) FROM speedtest"), 1);
	assert_in_range(number(&hub, "SELECT t_ms FROM speedtest"), BEGAN_MS + HOUR_MS - 1000,
			BEGAN_MS + HOUR_MS + 1000);
	assert_int_equal(number(&hub, "SELECT speed_ms FROM line"),
			 number(&hub, "SELECT t_ms FROM speedtest"));
}

static void only_valid_domestic_ones_are_a_lines_speed(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	say(2, HOUR_MS, DOWN "90e6");
	say(3, 2 * HOUR_MS,
	    TEST
	    "\"direction\":\"down\",\"validity\":\"contended\",\"reason\":\"busy\",\"goodput_bps\":30e6");
	say(4, 3 * HOUR_MS,
	    "\"type\":\"speedtest\",\"device\":\"far\",\"test\":\"" STREAM_3
	    "\",\"line\":\"main\",\"method\":"
	    "\"ndt7\",\"trigger\":\"hand\",\"scope\":\"international\",\"direction\":\"down\",\"validity\":"
	    "\"valid\","
	    "\"goodput_bps\":10e6");
	assert_int_equal(number(&hub, "SELECT down_mbps FROM line"), 90);
	assert_int_equal(number(&hub, "SELECT speed_ms FROM line"), BEGAN_MS + HOUR_MS);
	assert_int_equal(number(&hub, "SELECT up_mbps IS NULL FROM line"), 1);
	assert_string_equal(evidence(),
			    "Mạng A/Fiber100 100/50: 1 down 90.0, 0 up -1.0; not 1 contended busy\n"
			    "Mạng A/Fiber100 100/50: 1 down 10.0, 0 up -1.0");
}

#define NO_SCOPE(device, validity, reason)                                                                   \
	"\"type\":\"speedtest\",\"device\":\"" device "\",\"test\":\"" STREAM_3 "\",\"line\":\"main\","      \
	"\"method\":\"librespeed\",\"trigger\":\"schedule\",\"direction\":\"down\",\"validity\":\"" validity \
	"\",\"reason\":\"" reason "\""

static void what_reached_no_server_is_listed_where_it_belongs(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	say(2, HOUR_MS, NO_SCOPE("lan", "skipped", "busy"));
	assert_string_equal(evidence(), "Mạng A/Fiber100 100/50: 0 down -1.0, 0 up -1.0; not 1 skipped busy");
	say(3, 2 * HOUR_MS, DOWN "90e6");
	say(4, 2 * HOUR_MS + 1, NO_SCOPE("far", "skipped", "budget"));
	say(5, 2 * HOUR_MS + 2,
	    "\"type\":\"speedtest\",\"device\":\"far\",\"test\":\"" STREAM_3
	    "\",\"line\":\"main\",\"method\":"
	    "\"librespeed\",\"trigger\":\"hand\",\"scope\":\"international\",\"direction\":\"down\","
	    "\"validity\":\"failed\",\"reason\":\"timeout\"");
	// A figure without a scope is nobody's.
	say(6, 2 * HOUR_MS + 3, NO_SCOPE("lan", "partial", "closed") ",\"goodput_bps\":50e6");
	assert_string_equal(
	    evidence(),
	    "Mạng A/Fiber100 100/50: 1 down 90.0, 0 up -1.0; not 1 skipped busy\n"
	    "Mạng A/Fiber100 100/50: 0 down -1.0, 0 up -1.0; not 1 failed timeout; not 1 skipped budget\n"
	    "Mạng A/Fiber100 100/50: 0 down -1.0, 0 up -1.0; not 1 partial closed");
}

static void what_changed_is_published(void **state)
{
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	say(2, HOUR_MS, DOWN "90e6");
	assert_int_equal(hub.news.site_count, 1);
	assert_true(hub.news.sites[0].down_mbps > 89.99 && hub.news.sites[0].down_mbps < 90.01);
	assert_true(hub.news.sites[0].up_mbps < 0);
	assert_int_equal(hub.news.sites[0].speed_ms, BEGAN_MS + HOUR_MS);
	say(3, HOUR_MS + 1, "\"type\":\"clock\",\"event\":\"hourly\"");
	assert_int_equal(hub.news.site_count, 0);
	say(4, 2 * HOUR_MS, UP "45e6");
	assert_int_equal(hub.news.site_count, 1);
}

static void a_record_that_cannot_be_is_set_aside(void **state)
{
	static const char *const records[] = {
	    TEST "\"direction\":\"down\",\"validity\":\"valid\"",                          // no figure
	    TEST "\"direction\":\"down\",\"validity\":\"contended\",\"goodput_bps\":null", // the same
	    DOWN "-1",
	    DOWN "1e300",
	    DOWN "\"90e6\"",
	    TEST "\"direction\":\"left\",\"validity\":\"failed\"",
	    TEST "\"direction\":\"up\",\"validity\":\"splendid\",\"goodput_bps\":1",
	    "\"type\":\"speedtest\",\"line\":\"main\"",
	    ("\"type\":\"speedtest\",\"test\":\"x\",\"line\":\"main\",\"method\":\"m\",\"direction\":\"up\","
	     "\"trigger\":\"hand\",\"validity\":\"failed\""),
	};
	(void)state;
	import(BOARD_1, NOW_MS);
	opened();
	for (size_t i = 0; i < SP_COUNT(records); i++)
		assert_int_equal(say(2 + (int64_t)i, HOUR_MS + (int64_t)i, "%s", records[i]),
				 SP_VERDICT_STORED);
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE fault = 'malformed_record'"),
			 SP_COUNT(records));
	assert_int_equal(number(&hub, "SELECT count(*) FROM speedtest"), 0);
	// Its other types are known.
	say(40, 2 * HOUR_MS, TEST "\"direction\":\"up\",\"validity\":\"skipped\",\"reason\":\"budget\"");
	say(41, 2 * HOUR_MS,
	    "\"type\":\"command\",\"id\":\"" STREAM_3 "\",\"command\":\"speedtest\",\"outcome\":\"done\"");
	assert_int_equal(number(&hub, "SELECT sum(count) FROM set_aside"), SP_COUNT(records));
	assert_int_equal(number(&hub, "SELECT count(*) FROM speedtest"), 1);
}

static void on_site(void *arg, const struct sp_site_speed *site)
{
	char *text = arg;
	size_t used = strlen(text);
	snprintf(text + used, 512 - used, "%s/%s %" PRId64 " %.1f\n", site->school, site->site, site->samples,
		 site->median_mbps);
}

static void a_sites_median_for_the_kpi(void **state)
{
	static const char *const figures[] = {"10e6", "40e6", "20e6", "90e6"};
	char text[512] = "";
	(void)state;
	import(BOARD_1 "1,A,le,main,,,,,,\n", NOW_MS);
	opened();
	for (int i = 0; i < 4; i++)
		say(2 + i, HOUR_MS + i, DOWN "%s", figures[i]);
	say(6, HOUR_MS + 6, UP "1e6");
	assert_int_equal(sp_store_site_speeds(hub.store, MIDNIGHT, MIDNIGHT + DAY_MS, on_site, text), 0);
	assert_string_equal(text, "1/chinh 4 30.0\n1/le 0 -1.0\n");
	say(7, HOUR_MS + 7, DOWN "41e6");
	text[0] = '\0';
	assert_int_equal(sp_store_site_speeds(hub.store, MIDNIGHT, MIDNIGHT + DAY_MS, on_site, text), 0);
	assert_string_equal(text, "1/chinh 5 40.0\n1/le 0 -1.0\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_test_is_evidence_under_the_registers_contract),
	    T(what_comes_again_counts_once),
	    T(the_records_contract_goes_before_the_registers),
	    T(the_registers_contract_of_that_day),
	    T(a_board_that_nobody_knew_then_is_no_evidence),
	    T(a_better_clock_moves_a_test),
	    T(only_valid_domestic_ones_are_a_lines_speed),
	    T(what_reached_no_server_is_listed_where_it_belongs),
	    T(what_changed_is_published),
	    T(a_record_that_cannot_be_is_set_aside),
	    T(a_sites_median_for_the_kpi),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
