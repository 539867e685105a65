// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Silences as the hub keeps and reads them: what the board says, what was heard, and the timetable.
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

/// NOW_MS is Saturday, 10:00 at UTC+7. Board board-1, line "main".
static void register_since(int64_t from_ms, const char *timetable)
{
	char text[512];
	struct sp_register_set set = {0};
	struct sp_register_result done;
	const struct sp_register_options options = {.from_ms = from_ms};
	snprintf(text, sizeof(text),
		 "school,school_name,site,line,device,shard,timetable\n1,A,chinh,main,board-1,north,\"%s\"\n",
		 timetable);
	assert_int_equal(sp_register_add(&set, "r.csv", -1, text, strlen(text)), 0);
	assert_int_equal(sp_store_register(hub.store, &set, &options, NOW_MS, &done), 0);
	sp_register_set_free(&set);
}

static void register_with(const char *timetable)
{
	register_since(-1, timetable);
}

/// One envelope of facts in `boot`, whose monotonic clock was 0 at `zero_ms`; `at_ms` is the time of its only
/// record besides `opened`.
static void SP_PRINTF(7, 8) say(const char *stream, const char *prev, const char *boot, int64_t seq,
				int64_t zero_ms, int64_t at_ms, const char *format, ...)
{
	char members[1024], text[2048], opened[256] = "", link[96] = "null";
	va_list args;
	va_start(args, format);
	vsnprintf(members, sizeof(members), format, args);
	va_end(args);
	if (prev)
		snprintf(link, sizeof(link), "{\"stream\":\"%s\",\"last\":3}", prev);
	if (seq == 1)
		snprintf(opened, sizeof(opened),
			 "{\"seq\":1,\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64
			 ",\"err_ms\":10,\"type\":\"opened\",\"class\":\"facts\",\"prev\":%s},",
			 (at_ms - zero_ms) * 1000, at_ms, link);
	snprintf(text, sizeof(text),
		 "[%s{\"seq\":%" PRId64 ",\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64 ",\"err_ms\":10,%s}]",
		 opened, seq + (seq == 1), (at_ms - zero_ms) * 1000, at_ms, members);
	hub.now_ms = at_ms + 100;
	DELIVER(&hub, .stream = stream, .boot = boot, .first = seq, .last = seq + (seq == 1), .records = text,
		.clk_mono_us = (at_ms + 50 - zero_ms) * 1000, .synced = true, .clk_t_ms = at_ms + 50,
		.clk_err_ms = 10, .digest = seq == 1 ? "11111111111111111111111111111111" : NULL);
}

#define UP   "\"type\":\"line\",\"device\":\"main\",\"state\":\"up\",\"cause\":\"none\",\"whose\":\"nobody\""
#define DAWN (NOW_MS - 30 * HOUR_MS) ///< when the first boot began: Friday, 04:00

/// The board is heard for the last time at `last_ms`, its session is given up at `lost_ms` (-1: no will
/// came), and at `back_ms` it says in a new boot that its card ends at `last_ms`, give or take 360 s.
static void silence(const char *reason, int64_t last_ms, int64_t lost_ms, int64_t back_ms)
{
	hub.now_ms = last_ms - 2000;
	BORN(&hub, .session = STREAM_4, .mono_us = (last_ms - 2000 - DAWN) * 1000, .synced = true,
	     .t_ms = last_ms - 2000);
	say(STREAM_1, NULL, BOOT_1, 1, DAWN, last_ms - 1000, UP);
	say(STREAM_1, NULL, BOOT_1, 3, DAWN, last_ms, UP);
	if (lost_ms >= 0) {
		hub.now_ms = lost_ms;
		BORN(&hub, .session = STREAM_4, .presence = SP_FEED_LOST);
	}
	if (back_ms < 0)
		return;
	hub.now_ms = back_ms;
	BORN(&hub, .session = STREAM_2, .boot = BOOT_2, .mono_us = 19000000, .synced = true,
	     .t_ms = back_ms - 1000);
	say(STREAM_2, STREAM_1, BOOT_2, 1, back_ms - 20000, back_ms,
	    "\"type\":\"boot\",\"reason\":\"%s\",\"clean_shutdown\":false,\"previous_boot\":\"" BOOT_1
	    "\",\"silence_start_mono_us\":%" PRId64 ",\"silence_start_t_ms\":%" PRId64
	    ",\"uncertainty_seconds\":360,\"evidence\":\"rsts 0x1000\",\"version\":\"1\"",
	    reason, (last_ms - DAWN) * 1000, last_ms);
	say(STREAM_2, NULL, BOOT_2, 3, back_ms - 20000, back_ms + 10,
	    "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o1\",\"phase\":\"close\",\"state\":"
	    "\"unknown\","
	    "\"cause\":\"%s\",\"whose\":\"school\",\"start_boot\":\"" BOOT_1 "\",\"start_mono_us\":%" PRId64
	    ",\"start_t_ms\":%" PRId64
	    ",\"start_uncertainty_seconds\":180,\"end_mono_us\":20000000,\"end_t_ms\":%" PRId64,
	    strcmp(reason, "power") == 0 ? "power" : "reboot", (last_ms + 180000 - DAWN) * 1000,
	    last_ms + 180000, back_ms);
	say(STREAM_2, NULL, BOOT_2, 4, back_ms - 20000, back_ms + 1000, UP);
}

struct seen {
	int count;
	char reason[33], cause[33], whose[33], evidence[64], school[16];
	int64_t from_ms, to_ms, end_ms;
};

static void on_silence(void *arg, const struct sp_silence_view *view)
{
	struct seen *seen = arg;
	seen->count++;
	snprintf(seen->reason, sizeof(seen->reason), "%s", view->reason);
	snprintf(seen->cause, sizeof(seen->cause), "%s", view->cause);
	snprintf(seen->whose, sizeof(seen->whose), "%s", view->whose);
	snprintf(seen->evidence, sizeof(seen->evidence), "%s", view->evidence);
	snprintf(seen->school, sizeof(seen->school), "%s", view->school);
	seen->from_ms = view->start_from_ms;
	seen->to_ms = view->start_to_ms;
	seen->end_ms = view->end_ms;
}

static struct seen silences(void)
{
	struct seen seen = {0};
	assert_int_equal(sp_store_silences(hub.store, NULL, 100, on_silence, &seen), 0);
	return seen;
}

static void on_outage(void *arg, const struct sp_outage_view *view)
{
	struct seen *seen = arg;
	seen->count++;
	snprintf(seen->cause, sizeof(seen->cause), "%s", view->cause);
	seen->from_ms = view->start_ms - view->start_err_ms;
	seen->to_ms = view->start_ms + view->start_err_ms;
	seen->end_ms = view->end_ms;
}

static struct seen outages(void)
{
	struct seen seen = {0};
	const struct sp_outage_filter any = {.limit = 100};
	assert_int_equal(sp_store_outages(hub.store, &any, on_outage, &seen), 0);
	return seen;
}

static char segments_text[1024];

static void on_day(void *arg, const struct sp_line_view *line, const struct sp_segment *segments,
		   size_t count)
{
	(void)line;
	size_t used = 0;
	const int64_t zero_ms = *(const int64_t *)arg;
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(
		    segments_text + used, sizeof(segments_text) - used, "%s%s %" PRId64 "%s%s", i ? ", " : "",
		    sp_line_state_name(segments[i].state), (segments[i].to_ms - zero_ms) / 1000,
		    segments[i].cause[0] ? " " : "", segments[i].cause);
}

/// "up 30, unknown 50 power": until when, in seconds from `from_ms`.
static const char *day(int64_t from_ms, int64_t to_ms)
{
	segments_text[0] = '\0';
	assert_int_equal(sp_store_day(hub.store, from_ms, to_ms, hub.now_ms, on_day, &from_ms), 0);
	return segments_text;
}

static void on_line(void *arg, const struct sp_line_view *view)
{
	struct seen *seen = arg;
	seen->count++;
	snprintf(seen->cause, sizeof(seen->cause), "%s", view->cause);
	snprintf(seen->whose, sizeof(seen->whose), "%s", view->whose);
	snprintf(seen->reason, sizeof(seen->reason), "%s", view->timetable ? view->timetable : "");
	seen->from_ms = view->last_heard_ms;
	seen->to_ms = view->lost_ms;
}

static struct seen line_at(int64_t now_ms)
{
	struct seen seen = {0};
	assert_int_equal(sp_store_read_begin(hub.store, now_ms), 0);
	assert_int_equal(sp_store_lines(hub.store, on_line, &seen), 0);
	sp_store_read_end(hub.store);
	return seen;
}

#define WEEK    "mon-fri 07:00-17:00; sat 07:00-11:30"
#define NOON    (NOW_MS - 22 * HOUR_MS) ///< Friday, 12:00
#define EVENING (NOW_MS - 16 * HOUR_MS) ///< Friday, 18:00

// ---- after the board is back -----------------------------------------------------------------------------

static void power_lost_in_school_is_an_outage(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("power", NOON, -1, NOON + HOUR_MS);
	struct seen seen = silences();
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.reason, "power");
	assert_string_equal(seen.cause, "power");
	assert_string_equal(seen.whose, "school");
	assert_string_equal(seen.evidence, "rsts 0x1000");
	assert_string_equal(seen.school, "1");
	assert_int_equal(seen.from_ms, NOON + 40); // the envelope of its last record was sent then, ± 10 ms
	assert_int_equal(seen.to_ms, NOON + 360011);
	assert_int_equal(seen.end_ms, NOON + HOUR_MS);
	seen = outages();
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.cause, "power");
	assert_string_equal(day(NOON - 1000, NOON + HOUR_MS + 1000),
			    "up 1 none, unknown 3601 power, unknown 3602");
}

static void the_will_narrows_the_start(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("power", NOON, NOON + 120000, NOON + HOUR_MS);
	struct seen seen = silences();
	assert_int_equal(seen.from_ms, NOON + 40);
	assert_int_equal(seen.to_ms, NOON + 120000);
	seen = outages();
	assert_int_equal(seen.from_ms, NOON + 40);
	assert_int_equal(seen.to_ms, NOON + 120000);
}

static void the_will_of_a_line_that_was_down_does_not(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("power", NOON, NOON + 120000, NOON + HOUR_MS);
	// Comes late, as a backlog does.
	say(STREAM_3, NULL, BOOT_1, 1, DAWN, NOON - 500,
	    "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o0\",\"phase\":\"open\",\"state\":\"down\","
	    "\"cause\":\"isp\",\"whose\":\"provider\",\"start_t_ms\":%" PRId64,
	    NOON - 600);
	assert_int_equal(silences().to_ms, NOON + 360011);
}

static void power_lost_after_school_is_no_outage(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("power", EVENING, EVENING + 90000, EVENING + 13 * HOUR_MS);
	struct seen seen = silences();
	assert_string_equal(seen.reason, "power");
	assert_string_equal(seen.cause, "switched_off");
	assert_int_equal(outages().count, 0);
	assert_string_equal(day(EVENING - 1000, EVENING + 10000), "up 1 none, unknown 11 switched_off");
	// Another timetable holds from now on: what was is not judged by it.
	register_with("mon-fri 07:00-21:00");
	assert_string_equal(silences().cause, "switched_off");
	// Unless it is said since when: then it is one, since nothing was decided for ever.
	register_since(EVENING - 24 * HOUR_MS, "mon-fri 07:00-21:00");
	assert_string_equal(silences().cause, "power");
	assert_int_equal(outages().count, 1);
	register_since(EVENING - 24 * HOUR_MS, "");
	assert_int_equal(outages().count, 1);
}

static void a_reboot_after_school_stays_one(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("watchdog", EVENING, EVENING + 90000, EVENING + 120000);
	assert_string_equal(silences().cause, "reboot");
	assert_string_equal(silences().whose, "ours");
	assert_int_equal(outages().count, 1);
}

static void the_limit_counts_what_is_shown(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("power", EVENING, EVENING + 90000, EVENING + 13 * HOUR_MS);
	say(STREAM_2, NULL, BOOT_2, 5, EVENING + 13 * HOUR_MS - 20000, EVENING + 13 * HOUR_MS + 5000,
	    "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o0\",\"phase\":\"close\",\"state\":"
	    "\"down\","
	    "\"cause\":\"isp\",\"whose\":\"provider\",\"start_t_ms\":%" PRId64 ",\"end_t_ms\":%" PRId64,
	    NOON - HOUR_MS, NOON);
	struct seen seen = {0};
	const struct sp_outage_filter one = {.limit = 1};
	assert_int_equal(sp_store_outages(hub.store, &one, on_outage, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.cause, "isp");
}

static void the_first_start_is_no_silence_and_rubbish_is_set_aside(void **state)
{
	(void)state;
	say(STREAM_1, NULL, BOOT_1, 1, DAWN, NOON,
	    "\"type\":\"boot\",\"reason\":\"first\",\"clean_shutdown\":false");
	say(STREAM_1, NULL, BOOT_1, 3, DAWN, NOON + 1, "\"type\":\"boot\",\"reason\":\"<b>\"");
	say(STREAM_1, NULL, BOOT_1, 4, DAWN, NOON + 2,
	    "\"type\":\"boot\",\"reason\":\"power\",\"previous_boot\":7,\"silence_start_mono_us\":-1,"
	    "\"uncertainty_seconds\":-5,\"silence_start_t_ms\":1e300");
	struct seen seen = silences();
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.cause, "power");
	assert_int_equal(seen.from_ms, -1); // nobody knows since when
	assert_int_equal(number(&hub, "SELECT count FROM set_aside WHERE fault = 'malformed_record'"), 1);
}

/// The line was down and the board alive: its records fill the time, and nothing is silent.
static void an_unbroken_chain_is_no_silence(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("", NOON, NOON + 90000, -1);
	assert_string_equal(line_at(NOON + HOUR_MS).cause, "none");
	say(STREAM_1, NULL, BOOT_1, 4, DAWN, NOON + 2000,
	    "\"type\":\"line\",\"device\":\"main\",\"state\":\"down\",\"cause\":\"isp\",\"whose\":"
	    "\"provider\"");
	say(STREAM_1, NULL, BOOT_1, 5, DAWN, NOON + 60000, UP);
	assert_int_equal(silences().count, 0);
	assert_string_equal(day(NOON - 1000, NOON + 60000), "up 3 none, down 61 isp");
}

// ---- while it is away -------------------------------------------------------------------------------

static void a_board_that_is_away_says_on_which_side_it_was_lost(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("", NOON, NOON + 90000, -1);
	struct seen seen = line_at(NOON + HOUR_MS);
	assert_string_equal(seen.cause, "none");
	assert_string_equal(seen.reason, "inside");
	assert_int_equal(seen.to_ms, NOON + 90000);
	hub.now_ms = EVENING;
	BORN(&hub, .session = STREAM_3, .mono_us = (EVENING - DAWN) * 1000, .synced = true, .t_ms = EVENING);
	seen = line_at(EVENING + 1000);
	assert_string_equal(seen.cause, "none");
	assert_string_equal(seen.reason, "");
	assert_int_equal(seen.to_ms, -1);
	hub.now_ms = EVENING + 90000;
	BORN(&hub, .session = STREAM_3, .presence = SP_FEED_LOST);
	seen = line_at(EVENING + HOUR_MS);
	assert_string_equal(seen.cause, "switched_off");
	assert_string_equal(seen.whose, "school");
	assert_string_equal(seen.reason, "outside");
	// Saturday, 07:10: school has begun without it.
	seen = line_at(EVENING + 13 * HOUR_MS + 600000);
	assert_string_equal(seen.cause, "none");
	assert_string_equal(seen.reason, "outside");
}

static void without_a_will_the_silence_itself_tells(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("", EVENING, -1, -1);
	struct seen seen = line_at(EVENING + 600000);
	assert_int_equal(seen.to_ms, -1); // believed for 15 minutes
	seen = line_at(EVENING + HOUR_MS);
	assert_string_equal(seen.cause, "switched_off");
	assert_int_equal(seen.to_ms, EVENING + 900000 + 100);
}

static void the_peoples_topic_follows_the_timetable(void **state)
{
	(void)state;
	register_with(WEEK);
	silence("", EVENING, EVENING + 90000, -1);
	struct sp_store_site *site = &hub.news.sites[0];
	assert_int_equal(hub.news.site_count, 1);
	assert_string_equal(site->cause, "switched_off");
	assert_string_equal(site->timetable, "outside");
	assert_int_equal(site->state, SP_LINE_UNKNOWN);
	// Nobody says anything any more; the pulse of ingest finds that school has begun.
	struct sp_store_news news;
	int64_t morning = EVENING + 13 * HOUR_MS;
	for (int64_t now = morning + 540000; now <= morning + 600000; now += 60000) {
		assert_int_equal(sp_store_begin(hub.store, now), 0);
		assert_int_equal(sp_store_seal(hub.store, false, &news), 0);
		assert_int_equal(sp_store_commit(hub.store), 0);
		assert_int_equal(news.site_count, now == morning + 600000);
		if (news.site_count)
			assert_string_equal(news.sites[0].cause, "none");
		sp_store_news_free(&news);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	    T(power_lost_in_school_is_an_outage),
	    T(the_will_narrows_the_start),
	    T(the_will_of_a_line_that_was_down_does_not),
	    T(power_lost_after_school_is_no_outage),
	    T(a_reboot_after_school_stays_one),
	    T(the_limit_counts_what_is_shown),
	    T(the_first_start_is_no_silence_and_rubbish_is_set_aside),
	    T(an_unbroken_chain_is_no_silence),
	    T(a_board_that_is_away_says_on_which_side_it_was_lost),
	    T(without_a_will_the_silence_itself_tells),
	    T(the_peoples_topic_follows_the_timetable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
