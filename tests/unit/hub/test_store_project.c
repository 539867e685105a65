// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Projections: lines, outages, instances, days, and the people's topics, in whatever order facts come.
#include "tests/unit/hub/hub_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct hub hub;

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

/// One record of STREAM_1 at NOW_MS + `at_ms`, with these members.
static void SP_PRINTF(3, 4) say(int64_t seq, int64_t at_ms, const char *format, ...)
{
	char members[1024], record[1500];
	va_list args;
	va_start(args, format);
	vsnprintf(members, sizeof(members), format, args);
	va_end(args);
	snprintf(record, sizeof(record),
		 "[{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64 ",\"err_ms\":10,%s}]", seq,
		 (10 * HOUR_MS + at_ms) * 1000, NOW_MS + at_ms, members);
	hub.now_ms = NOW_MS + (at_ms > 0 ? at_ms : 0) + 50;
	DELIVER(&hub, .first = seq, .records = record, .clk_mono_us = (10 * HOUR_MS + at_ms + 50) * 1000);
}

#define OPENED "\"type\":\"opened\",\"class\":\"facts\",\"prev\":null"
#define CLOCK  "\"type\":\"clock\",\"event\":\"hourly\""

static void line(int64_t seq, int64_t at_ms, const char *state, const char *cause, const char *whose)
{
	say(seq, at_ms,
	    "\"type\":\"line\",\"device\":\"main\",\"state\":\"%s\",\"cause\":\"%s\",\"whose\":\"%s\"", state,
	    cause, whose);
}

// ---- what is read -----------------------------------------------------------------------------------

struct seen {
	int count;
	enum sp_line_state state, last_state;
	char cause[33], whose[33], presence[17], line[65], school[65], text[1024], parts[256];
	int64_t since_ms, last_heard_ms, start_ms, start_err_ms, end_ms, end_err_ms;
	enum sp_outage_phase phase;
	bool registered;
};

static void on_line(void *arg, const struct sp_line_view *view)
{
	struct seen *seen = arg;
	seen->count++;
	seen->state = view->state;
	seen->last_state = view->last_state;
	seen->since_ms = view->since_ms;
	seen->last_heard_ms = view->last_heard_ms;
	seen->registered = view->registered;
	snprintf(seen->cause, sizeof(seen->cause), "%s", view->cause);
	snprintf(seen->whose, sizeof(seen->whose), "%s", view->whose);
	snprintf(seen->presence, sizeof(seen->presence), "%s", view->presence);
	snprintf(seen->line, sizeof(seen->line), "%s", view->line);
	snprintf(seen->school, sizeof(seen->school), "%s", view->school);
}

static struct seen lines(void)
{
	struct seen seen = {0};
	assert_int_equal(sp_store_lines(hub.store, on_line, &seen), 0);
	return seen;
}

static void on_outage(void *arg, const struct sp_outage_view *view)
{
	struct seen *seen = arg;
	seen->count++;
	seen->state = view->state;
	seen->phase = view->phase;
	seen->start_ms = view->start_ms;
	seen->start_err_ms = view->start_err_ms;
	seen->end_ms = view->end_ms;
	seen->end_err_ms = view->end_err_ms;
	snprintf(seen->parts, sizeof(seen->parts), "%s", view->parts ? view->parts : "");
	snprintf(seen->cause, sizeof(seen->cause), "%s", view->cause);
	snprintf(seen->text, sizeof(seen->text), "%s", view->evidence ? view->evidence : "");
}

static struct seen outages(void)
{
	struct seen seen = {0};
	const struct sp_outage_filter any = {.limit = 10};
	assert_int_equal(sp_store_outages(hub.store, &any, on_outage, &seen), 0);
	return seen;
}

static void on_day(void *arg, const struct sp_line_view *view, const struct sp_segment *segments,
		   size_t count)
{
	struct seen *seen = arg;
	size_t used = 0;
	(void)view;
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(seen->text + used, sizeof(seen->text) - used, "%s%s %" PRId64,
					 i ? ", " : "", sp_line_state_name(segments[i].state),
					 (segments[i].to_ms - segments[i].from_ms) / 60000);
}

/// The two hours around NOW_MS, in minutes per segment.
static const char *day(int64_t now_ms)
{
	static struct seen seen;
	seen = (struct seen){0};
	assert_int_equal(sp_store_day(hub.store, NOW_MS - HOUR_MS, NOW_MS + HOUR_MS, now_ms, on_day, &seen),
			 0);
	return seen.text;
}

// ---- lines --------------------------------------------------------------------------------------------

static void a_line_is_what_its_latest_fact_says(void **state)
{
	(void)state;
	line(2, 0, "up", "none", "nobody");
	line(3, 60000, "down", "isp", "provider");
	struct seen seen = lines();
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.state, SP_LINE_DOWN);
	assert_string_equal(seen.cause, "isp");
	assert_string_equal(seen.whose, "provider");
	assert_int_equal(seen.since_ms, NOW_MS + 60000);
	assert_false(seen.registered);
	// A cause that becomes known does not begin the outage anew.
	line(4, 90000, "down", "isp_core", "provider");
	seen = lines();
	assert_string_equal(seen.cause, "isp_core");
	assert_int_equal(seen.since_ms, NOW_MS + 60000);
}

/// The record is made once the state is believed; the state itself is older.
static void a_state_begins_when_it_was_measured(void **state)
{
	(void)state;
	line(2, 0, "up", "none", "nobody");
	say(3, 60000,
	    "\"type\":\"line\",\"device\":\"main\",\"state\":\"down\",\"cause\":\"isp\","
	    "\"whose\":\"provider\",\"since_mono_us\":36056000000");
	assert_int_equal(lines().since_ms, NOW_MS + 56000);
	// What lies in the record's future is nobody's measurement.
	say(4, 90000,
	    "\"type\":\"line\",\"device\":\"main\",\"state\":\"up\",\"cause\":\"none\","
	    "\"whose\":\"nobody\",\"since_mono_us\":46056000000");
	assert_int_equal(lines().since_ms, NOW_MS + 90000);
}

/// A word on the families lies between the line's return and the record that tells of it; also when the two
/// come in the other order.
static void what_was_said_later_of_before_holds(void **state)
{
	(void)state;
	line(2, 0, "degraded", "international", "provider");
	line(3, 59000, "degraded", "international", "provider");
	say(4, 60000,
	    "\"type\":\"line\",\"device\":\"main\",\"state\":\"up\",\"cause\":\"none\","
	    "\"whose\":\"nobody\",\"since_mono_us\":36056000000");
	assert_int_equal(lines().state, SP_LINE_UP);
	assert_int_equal(lines().since_ms, NOW_MS + 56000);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_point WHERE retold = 0"), 2);
}

static void its_order_of_arrival_does_not_matter(void **state)
{
	(void)state;
	say(4, 60000,
	    "\"type\":\"line\",\"device\":\"main\",\"state\":\"up\",\"cause\":\"none\","
	    "\"whose\":\"nobody\",\"since_mono_us\":36056000000");
	line(3, 59000, "degraded", "international", "provider");
	line(2, 0, "degraded", "international", "provider");
	assert_int_equal(lines().state, SP_LINE_UP);
	assert_int_equal(lines().since_ms, NOW_MS + 56000);
	assert_int_equal(number(&hub, "SELECT count(*) FROM line_point WHERE retold = 0"), 2);
}

static void late_facts_do_not_overwrite_newer_ones(void **state)
{
	(void)state;
	line(5, 120000, "up", "none", "nobody");
	line(3, 60000, "down", "isp", "provider");
	line(2, 0, "up", "none", "nobody");
	struct seen seen = lines();
	assert_int_equal(seen.state, SP_LINE_UP);
	assert_int_equal(seen.since_ms, NOW_MS + 120000);
	line(4, 90000, "up", "none", "nobody");
	assert_int_equal(lines().since_ms, NOW_MS + 90000);
}

static void a_silent_board_says_nothing_of_its_line(void **state)
{
	(void)state;
	BORN(&hub, .session = STREAM_2, .mono_us = HOUR_MS * 1000);
	line(2, 0, "up", "none", "nobody");
	assert_int_equal(lines().state, SP_LINE_UP);
	assert_string_equal(lines().presence, "online");
	int64_t heard = hub.now_ms;
	hub.now_ms += 60000;
	BORN(&hub, .session = STREAM_2, .presence = SP_FEED_LOST);
	struct seen seen = lines();
	assert_int_equal(seen.state, SP_LINE_UNKNOWN);
	assert_int_equal(seen.last_state, SP_LINE_UP);
	assert_int_equal(seen.since_ms, heard);
	assert_int_equal(seen.last_heard_ms, heard);
	assert_string_equal(seen.presence, "lost");
	assert_string_equal(seen.cause, "none");
}

// ---- days
// ---------------------------------------------------------------------------------------------------

static void a_day_knows_only_what_was_heard(void **state)
{
	(void)state;
	say(1, -50 * 60000, OPENED);
	line(2, -40 * 60000, "up", "none", "nobody");
	line(3, -10 * 60000, "down", "isp", "provider");
	say(4, 10 * 60000, CLOCK);
	assert_string_equal(day(NOW_MS + 30 * 60000), "unknown 20, up 30, down 20, unknown 50");
	// An online board of that boot is believed until now.
	BORN(&hub, .mono_us = (10 * HOUR_MS + 600000) * 1000);
	assert_string_equal(day(NOW_MS + 20 * 60000), "unknown 20, up 30, down 30, unknown 40");
	// For as long as it is not silent for too long: then, until it was last heard.
	hub.now_ms = NOW_MS + 30 * 60000;
	BORN(&hub, .mono_us = (10 * HOUR_MS + 1800000) * 1000);
	assert_string_equal(day(NOW_MS + 45 * 60000), "unknown 20, up 30, down 55, unknown 15");
	assert_string_equal(day(NOW_MS + 46 * 60000), "unknown 20, up 30, down 40, unknown 30");
	BORN(&hub, .presence = SP_FEED_LOST);
	assert_string_equal(day(NOW_MS + 30 * 60000), "unknown 20, up 30, down 20, unknown 50");
}

static void a_birth_of_another_boot_does_not_stretch_the_old_one(void **state)
{
	(void)state;
	say(1, -50 * 60000, OPENED);
	line(2, -40 * 60000, "up", "none", "nobody");
	say(3, -20 * 60000, CLOCK);
	BORN(&hub, .boot = BOOT_2, .session = STREAM_2);
	assert_string_equal(day(NOW_MS + 30 * 60000), "unknown 20, up 20, unknown 80");
}

static void a_state_from_before_the_run_holds_since_its_start(void **state)
{
	(void)state;
	say(1, -50 * 60000, OPENED);
	line(2, -50 * 60000, "degraded", "international", "provider");
	DELIVER(&hub, .stream = STREAM_2, .first = 1, .mono_us = (10 * HOUR_MS - 20 * 60000) * 1000,
		.t_ms = NOW_MS - 20 * 60000, .err_ms = 10);
	DELIVER(&hub, .stream = STREAM_2, .first = 2, .clk_mono_us = (10 * HOUR_MS) * 1000,
		.records = "[{\"seq\":2,\"mono_us\":35990000000,\"t_ms\":1795229990000,\"err_ms\":10,"
			   "\"type\":\"line\",\"device\":\"main\",\"state\":\"degraded\",\"cause\":"
			   "\"international\",\"whose\":\"provider\",\"since_mono_us\":34700000000}]");
	DELIVER(&hub, .stream = STREAM_2, .first = 3, .mono_us = 10 * HOUR_MS * 1000, .t_ms = NOW_MS,
		.err_ms = 10);
	assert_string_equal(day(NOW_MS + 30 * 60000), "unknown 40, degraded 20, unknown 60");
}

/// Facts are rare on a quiet line, and the first measurement comes a minute after them.
static void measurements_carry_on_where_the_facts_of_their_run_end(void **state)
{
	(void)state;
	say(1, -50 * 60000, OPENED);
	line(2, -40 * 60000, "up", "none", "nobody");
	DELIVER(&hub, .cls = SP_RECORD_BULK, .stream = STREAM_3, .first = 1, .last = 2,
		.mono_us = (10 * HOUR_MS - 39 * 60000) * 1000, .t_ms = NOW_MS - 39 * 60000, .err_ms = 10);
	DELIVER(&hub, .cls = SP_RECORD_BULK, .stream = STREAM_3, .first = 3, .last = 3,
		.mono_us = (10 * HOUR_MS + 10 * 60000) * 1000, .t_ms = NOW_MS + 10 * 60000, .err_ms = 10);
	assert_string_equal(day(NOW_MS + 30 * 60000), "unknown 20, up 50, unknown 50");
	// The measurements of another boot say nothing of the time between.
	DELIVER(&hub, .cls = SP_RECORD_BULK, .stream = STREAM_4, .first = 1, .last = 1, .boot = BOOT_2,
		.mono_us = SEC_US, .t_ms = NOW_MS + 20 * 60000, .err_ms = 10);
	assert_string_equal(day(NOW_MS + 30 * 60000), "unknown 20, up 50, unknown 50");
}

static void missing_facts_are_unknown_until_they_come(void **state)
{
	(void)state;
	say(1, -50 * 60000, OPENED);
	line(2, -40 * 60000, "up", "none", "nobody");
	say(3, -30 * 60000, CLOCK);
	line(6, 10 * 60000, "up", "none", "nobody");
	say(7, 60 * 60000, CLOCK);
	assert_string_equal(day(NOW_MS + 2 * HOUR_MS), "unknown 20, up 10, unknown 40, up 50");
	line(4, -20 * 60000, "down", "isp", "provider");
	line(5, 0, "up", "none", "nobody");
	assert_string_equal(day(NOW_MS + 2 * HOUR_MS), "unknown 20, up 20, down 20, up 60");
}

static void a_day_begins_with_the_state_of_the_day_before(void **state)
{
	(void)state;
	say(1, -5 * HOUR_MS, OPENED);
	line(2, -4 * HOUR_MS, "down", "isp", "provider");
	say(3, 0, CLOCK);
	assert_string_equal(day(NOW_MS + HOUR_MS), "down 60, unknown 60");
}

// ---- outages
// ---------------------------------------------------------------------------------------------------

static void outage(int64_t seq, int64_t at_ms, const char *phase, const char *more)
{
	say(seq, at_ms,
	    "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o1\",\"phase\":\"%s\",\"state\":\"down\"%s",
	    phase, more);
}

static void check_outage(void)
{
	struct seen seen = outages();
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.phase, SP_OUTAGE_CLOSE);
	assert_string_equal(seen.cause, "isp_core");
	assert_int_equal(seen.start_ms, NOW_MS - 3000);
	assert_int_equal(seen.start_err_ms, 1500);
	assert_int_equal(seen.end_ms, NOW_MS + 80000);
	assert_int_equal(seen.end_err_ms, 2500);
	assert_string_equal(seen.text, "[{\"rung\":\"dns\"}]");
	assert_string_equal(seen.parts, "[{\"cause\":\"isp_core\"}]");
}

#define START                                                                                  \
	",\"start_mono_us\":35997000000,\"start_t_ms\":1795229997000,\"start_boot\":\"" BOOT_1 \
	"\",\"start_uncertainty_seconds\":1.5"
#define END                                                                                        \
	",\"cause\":\"isp_core\",\"whose\":\"provider\",\"end_mono_us\":36080000000,\"end_t_ms\":" \
	"1795230080000,"                                                                           \
	"\"evidence\":[{\"rung\":\"dns\"}],\"parts\":[{\"cause\":\"isp_core\"}],"                  \
	"\"end_uncertainty_seconds\":2.5"

static void an_outage_opens_is_updated_and_closes(void **state)
{
	(void)state;
	outage(2, 0, "open", START ",\"cause\":\"isp\",\"whose\":\"provider\"");
	struct seen seen = outages();
	assert_int_equal(seen.phase, SP_OUTAGE_OPEN);
	assert_int_equal(seen.end_ms, -1);
	outage(3, 30000, "update", ",\"cause\":\"isp_core\",\"whose\":\"provider\"");
	assert_string_equal(outages().cause, "isp_core");
	assert_int_equal(outages().start_ms, NOW_MS - 3000);
	outage(4, 82000, "close", END);
	check_outage();
}

/// The records that tell of its beginning may be lost: it is as new as its end.
static void an_outage_without_a_beginning_has_its_place(void **state)
{
	(void)state;
	struct seen seen = {0};
	const struct sp_outage_filter newest = {.limit = 1};
	outage(2, 0, "open", START ",\"cause\":\"isp\",\"whose\":\"provider\"");
	say(4, 82000,
	    "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o2\",\"phase\":\"close\",\"state\":"
	    "\"down\"" END);
	assert_int_equal(sp_store_outages(hub.store, &newest, on_outage, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.start_ms, -1);
	assert_int_equal(seen.end_ms, NOW_MS + 80000);
}

static void an_outage_heard_backwards_is_the_same(void **state)
{
	(void)state;
	outage(4, 82000, "close", END);
	assert_int_equal(outages().start_ms, -1);
	outage(3, 30000, "update", ",\"cause\":\"isp\",\"whose\":\"provider\"");
	outage(2, 0, "open", START ",\"cause\":\"isp\",\"whose\":\"provider\"");
	check_outage();
}

/// Opened by an unsynchronised clock in one boot, closed in the next by one that knows the time.
static void an_outage_across_a_reboot_is_placed_by_the_boot_it_names(void **state)
{
	(void)state;
	DELIVER(&hub, .stream = STREAM_2, .mono_us = 500 * SEC_US, .t_ms = NOW_MS - HOUR_MS, .err_ms = 10);
	DELIVER(&hub, .stream = STREAM_1, .boot = BOOT_2, .first = 2, .t_ms = NOW_MS, .err_ms = 5,
		.records = "[{\"seq\":2,\"type\":\"outage\",\"device\":\"main\",\"mono_us\":20000000,\"t_"
			   "ms\":1795230000000,"
			   "\"err_ms\":5,\"outage\":\"o2\",\"phase\":\"close\",\"state\":\"down\",\"cause\":"
			   "\"isp\",\"start_mono_us\":"
			   "560000000,\"start_boot\":\"" BOOT_1 "\",\"end_mono_us\":15000000}]");
	struct seen seen = outages();
	assert_int_equal(seen.start_ms, NOW_MS - HOUR_MS + 60000);
	assert_int_equal(seen.start_err_ms, 10 + 6);
	assert_int_equal(seen.end_ms, NOW_MS - 5000);
}

// ---- instances, and what is published
// ------------------------------------------------------------------------------

static void on_instance(void *arg, const struct sp_instance_view *view)
{
	struct seen *seen = arg;
	seen->count++;
	seen->state = view->state;
	seen->since_ms = view->since_ms;
	snprintf(seen->cause, sizeof(seen->cause), "%s", view->reason);
}

static void instances_have_a_latest_state(void **state)
{
	(void)state;
	struct seen seen = {0};
	say(3, 60000,
	    "\"type\":\"device\",\"device\":\"cable\",\"driver\":\"carrier\",\"state\":\"down\",\"reason\":"
	    "\"timeout\"");
	say(2, 0, "\"type\":\"device\",\"device\":\"cable\",\"driver\":\"carrier\",\"state\":\"up\"");
	say(4, 90000,
	    "\"type\":\"device\",\"device\":\"cable\",\"driver\":\"carrier\",\"state\":\"down\",\"reason\":"
	    "\"refused\"");
	assert_int_equal(sp_store_instances(hub.store, "board-1", on_instance, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.state, SP_LINE_DOWN);
	assert_string_equal(seen.cause, "refused");
	assert_int_equal(seen.since_ms, NOW_MS + 60000);
}

static void the_peoples_topic_is_published_when_it_changes(void **state)
{
	(void)state;
	enter(&hub, "1020", "board-1");
	enter(&hub, "1021", "board-2");
	line(2, 0, "up", "none", "nobody");
	assert_int_equal(hub.news.site_count, 2); // a register that changed: all of it
	say(3, 1000, CLOCK);
	assert_int_equal(hub.news.site_count, 0); // only last_heard moved
	line(4, 2000, "down", "isp", "provider");
	assert_int_equal(hub.news.site_count, 1);
	const struct sp_store_site *site = &hub.news.sites[0];
	assert_string_equal(site->school, "1020");
	assert_string_equal(site->shard, "north");
	assert_int_equal(site->state, SP_LINE_DOWN);
	assert_int_equal(site->since_ms, NOW_MS + 2000);
	say(5, 63000, CLOCK); // a minute later last_heard is worth a message
	assert_int_equal(hub.news.site_count, 1);
	// A line that leaves the register takes its topic along.
	execute(&hub, "DELETE FROM register WHERE school = '1021'; UPDATE meta SET value = CAST(CAST(value "
		      "AS BIGINT) + 1 AS TEXT) WHERE key = "
		      "'register_rev'");
	say(6, 64000, CLOCK);
	assert_int_equal(hub.news.site_count, 2);
	assert_true(hub.news.sites[0].gone);
	assert_string_equal(hub.news.sites[0].school, "1021");
	assert_int_equal(number(&hub, "SELECT count(*) FROM published"), 1);
	// Once: its empty message is not said again.
	sp_store_news_free(&hub.news);
	assert_int_equal(sp_store_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_seal(hub.store, true, &hub.news), 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
	assert_int_equal(hub.news.site_count, 1);
	assert_false(hub.news.sites[0].gone);
	assert_true(lines().registered);
	assert_string_equal(lines().school, "1020");
}

static void pulse(int64_t now_ms)
{
	hub.now_ms = now_ms;
	sp_store_news_free(&hub.news);
	assert_int_equal(sp_store_begin(hub.store, now_ms), 0);
	assert_int_equal(sp_store_pulse(hub.store, "running"), 0);
	assert_int_equal(sp_store_seal(hub.store, false, &hub.news), 0);
	assert_int_equal(sp_store_commit(hub.store), 0);
}

static void on_device(void *arg, const struct sp_device_view *view)
{
	struct seen *seen = arg;
	snprintf(seen->presence, sizeof(seen->presence), "%s", view->presence);
}

/// The broker is down, so that no will comes: only the time tells.
static void a_board_that_dies_unnoticed_is_silent_after_a_while(void **state)
{
	(void)state;
	struct seen device;
	struct sp_store_status one, two;
	sp_store_set_silence(hub.store, 10 * 60000);
	enter(&hub, "1020", "board-1");
	BORN(&hub, .session = STREAM_2, .mono_us = HOUR_MS * 1000);
	line(2, 0, "up", "none", "nobody");
	const int64_t heard = hub.now_ms;
	pulse(heard + 10 * 60000);
	assert_int_equal(hub.news.site_count, 0);
	assert_int_equal(lines().state, SP_LINE_UP);
	assert_string_equal(lines().presence, "online");
	assert_int_equal(sp_store_status(hub.store, &one), 0);
	assert_int_equal(one.silent, 0);
	pulse(heard + 10 * 60000 + 5000);
	assert_int_equal(hub.news.site_count, 1);
	const struct sp_store_site *site = &hub.news.sites[0];
	assert_int_equal(site->state, SP_LINE_UNKNOWN);
	assert_string_equal(site->presence, "lost");
	assert_string_equal(site->cause, "none");
	assert_int_equal(site->since_ms, heard);
	assert_int_equal(site->last_heard_ms, heard);
	assert_int_equal(lines().state, SP_LINE_UNKNOWN);
	assert_int_equal(lines().last_state, SP_LINE_UP);
	assert_int_equal(sp_store_devices(hub.store, NULL, on_device, &device), 0);
	assert_string_equal(device.presence, "lost");
	assert_int_equal(sp_store_status(hub.store, &two), 0);
	assert_int_equal(two.silent, 1);
	assert_int_equal(two.rev, one.rev + 1);
	pulse(heard + 10 * 60000 + 10000); // said once
	assert_int_equal(hub.news.site_count, 0);
	// It lives after all.
	say(3, 11 * 60000, CLOCK);
	assert_int_equal(hub.news.site_count, 1);
	assert_int_equal(hub.news.sites[0].state, SP_LINE_UP);
	assert_string_equal(hub.news.sites[0].presence, "online");
}

/// A page without an ingest has nobody who would raise the revision.
static void a_reader_knows_the_time_too(void **state)
{
	(void)state;
	struct seen seen = {0};
	struct sp_store *reader;
	char why[256];
	BORN(&hub, .session = STREAM_2, .mono_us = HOUR_MS * 1000);
	line(2, 0, "up", "none", "nobody");
	assert_int_equal(sp_store_open(&reader, hub.path, SP_STORE_READ, why), 0);
	assert_int_equal(sp_store_read_begin(reader, hub.now_ms + 15 * 60000), 0);
	assert_int_equal(sp_store_lines(reader, on_line, &seen), 0);
	assert_int_equal(seen.state, SP_LINE_UP);
	sp_store_read_end(reader);
	assert_int_equal(sp_store_read_begin(reader, hub.now_ms + 15 * 60000 + 1), 0);
	assert_int_equal(sp_store_lines(reader, on_line, &seen), 0);
	assert_int_equal(seen.state, SP_LINE_UNKNOWN);
	assert_string_equal(seen.presence, "lost");
	sp_store_read_end(reader);
	sp_store_close(reader);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(a_line_is_what_its_latest_fact_says),
	    T(a_state_begins_when_it_was_measured),
	    T(what_was_said_later_of_before_holds),
	    T(its_order_of_arrival_does_not_matter),
	    T(late_facts_do_not_overwrite_newer_ones),
	    T(a_silent_board_says_nothing_of_its_line),
	    T(a_day_knows_only_what_was_heard),
	    T(a_birth_of_another_boot_does_not_stretch_the_old_one),
	    T(measurements_carry_on_where_the_facts_of_their_run_end),
	    T(a_state_from_before_the_run_holds_since_its_start),
	    T(missing_facts_are_unknown_until_they_come),
	    T(a_day_begins_with_the_state_of_the_day_before),
	    T(an_outage_opens_is_updated_and_closes),
	    T(an_outage_without_a_beginning_has_its_place),
	    T(an_outage_heard_backwards_is_the_same),
	    T(an_outage_across_a_reboot_is_placed_by_the_boot_it_names),
	    T(instances_have_a_latest_state),
	    T(the_peoples_topic_is_published_when_it_changes),
	    T(a_board_that_dies_unnoticed_is_silent_after_a_while),
	    T(a_reader_knows_the_time_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
