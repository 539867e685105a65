// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The schoolpulse command's pages: columns that line up, nothing that an instance's name could do to a
// terminal, and what each situation reads like.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/client.h"
#include "agent/cli/show.h"

static struct sp_page page;

static int set_up(void **state)
{
	(void)state;
	page = (struct sp_page){.text = SP_BUF(100000)};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_page_free(&page);
	return 0;
}

static void assert_contains(const char *text)
{
	if (!page.text.data || !strstr(page.text.data, text))
		fail_msg("\"%s\" is not in:\n%s", text, page.text.data ? page.text.data : "");
}

static void assert_lacks(const char *text)
{
	if (page.text.data && strstr(page.text.data, text))
		fail_msg("\"%s\" is in:\n%s", text, page.text.data);
}

static void test_widths(void **state)
{
	(void)state;
	assert_int_equal(sp_page_width("phòng 101"), 9);
	assert_int_equal(sp_page_width("o\xcc\x80"), 1);      // a combining accent
	assert_int_equal(sp_page_width("\xe6\x95\x99"), 2);   // a wide character
	assert_int_equal(sp_page_width("a\xff\x1b[31mb"), 8); // what cannot be shown takes one each
}

static void test_tables_line_up(void **state)
{
	(void)state;
	struct sp_table table = {.right = 1u << 1};
	sp_table_row(&table);
	sp_table_cell(&table, SP_STYLE_PLAIN, "phòng học");
	sp_table_cell(&table, SP_STYLE_PLAIN, "5");
	sp_table_cell(&table, SP_STYLE_PLAIN, "x");
	sp_table_row(&table);
	sp_table_cell(&table, SP_STYLE_PLAIN, "a");
	sp_table_cell(&table, SP_STYLE_PLAIN, "100");
	sp_table_cell(&table, SP_STYLE_PLAIN, "%s", "");
	sp_table_end(&table, &page, 2);
	assert_string_equal(page.text.data, "  phòng học    5  x\n  a          100\n");
}

static void test_colours_and_control_characters(void **state)
{
	(void)state;
	sp_page_add(&page, SP_STYLE_BAD, "a\033[2Jb\n");
	assert_string_equal(page.text.data, "a?[2Jb?");
	sp_buf_reset(&page.text);
	page.colours = true;
	sp_page_add(&page, SP_STYLE_BAD, "down");
	assert_string_equal(page.text.data, "\033[31mdown\033[0m");
}

static void test_values(void **state)
{
	(void)state;
	char rtt[32], span[48], bytes[32];
	assert_string_equal(sp_text_rtt(0.000351, rtt), "0.35 ms");
	assert_string_equal(sp_text_rtt(0.0123, rtt), "12.3 ms");
	assert_string_equal(sp_text_rtt(1.5, rtt), "1.50 s");
	assert_string_equal(sp_text_span(0.4, span), "0 s");
	assert_string_equal(sp_text_span(-5, span), "0 s");
	assert_string_equal(sp_text_span(125, span), "2 min 5 s");
	assert_string_equal(sp_text_span(7500, span), "2 h 5 min");
	assert_string_equal(sp_text_span(90000, span), "1 d 1 h");
	assert_string_equal(sp_text_bytes(512, bytes), "512 B");
	assert_string_equal(sp_text_bytes(1234567, bytes), "1.2 MB");
	assert_string_equal(sp_text_bytes(268435456, bytes), "268 MB");
}

static cJSON *parse(const char *text)
{
	cJSON *json = cJSON_Parse(text);
	assert_non_null(json);
	return json;
}

static const char status_text[] =
    "{\"version\":\"0.1.0\",\"shard\":\"s1\",\"device\":\"board-7\",\"seconds\":125,"
    "\"clock\":{\"synced\":false,\"t_ms\":0},"
    "\"lines\":[{\"name\":\"main\",\"provider\":\"VNPT\",\"state\":\"down\",\"cause\":\"isp_core\","
    "\"whose\":\"provider\",\"seconds\":75,\"ipv4\":\"down\",\"ipv6\":null,\"outage\":null,"
    "\"rungs\":[{\"rung\":\"gateway\",\"family\":\"ipv4\",\"status\":\"ok\",\"detail\":\"192.0.2.1\","
    "\"rtt_seconds\":0.0005},{\"rung\":\"isp_core\",\"family\":\"ipv4\",\"status\":\"silent\","
    "\"detail\":\"4 of 4 anchors silent\"}]}],"
    "\"devices\":[{\"name\":\"internet\",\"driver\":\"reach\",\"enabled\":true,\"state\":\"degraded\","
    "\"text\":\"2 of 4 silent\",\"seconds\":5,\"samples\":["
    "{\"metric\":\"rtt_seconds\",\"target\":\"domestic\",\"known\":true,\"mean\":0.0123,\"min\":0.011,"
    "\"max\":0.015},{\"metric\":\"loss_ratio\",\"target\":\"domestic\",\"known\":true,\"mean\":0.25},"
    "{\"metric\":\"loss_ratio\",\"target\":\"domestic/ipv4\",\"known\":true,\"mean\":0.25},"
    "{\"metric\":\"loss_ratio\",\"target\":\"international\",\"known\":true,\"mean\":1},"
    "{\"metric\":\"loss_ratio\",\"target\":\"rare\",\"known\":false,\"mean\":null}]},"
    "{\"name\":\"old\",\"driver\":\"gateway\",\"enabled\":false,\"state\":\"unknown\"}],"
    "\"board\":{\"name\":\"generic\",\"model\":\"\",\"storage\":\"sd\",\"storage_state\":\"read_only\","
    "\"reading\":{\"temperature_celsius\":null,\"undervoltage_now\":null}},"
    "\"journal\":{\"state\":\"full\",\"error\":\"No space left on device\","
    "\"unsettled\":{\"facts\":3,\"attendance\":0,\"bulk\":120},\"waiting\":12,\"bytes\":1200000,"
    "\"cap_bytes\":268435456,\"committed\":50,\"dropped\":7,\"settled_seq\":41},"
    "\"publisher\":{\"connected\":false,\"broker\":\"b.example:8883\",\"reason\":\"connection refused\","
    "\"hub_online\":false,\"ack_mode\":\"hub\",\"next_attempt_seconds\":4.2,\"sent\":5,\"acknowledged\":4,"
    "\"resent\":1,\"refused\":2,\"in_flight\":0}}";

static void test_the_status_page(void **state)
{
	(void)state;
	cJSON *status = parse(status_text);
	sp_show_status(&page, status);
	cJSON_Delete(status);
	assert_contains("board s1/board-7   running for 2 min 5 s   clock not synchronised");
	assert_contains("Line main (VNPT) is down for 1 min 15 s   IPv4 down   IPv6 not offered");
	assert_contains("domestic hosts do not [isp_core], the provider's");
	assert_contains("  gateway   IPv4  ok      0.50 ms  192.0.2.1");
	assert_contains("  domestic  IPv4  silent           4 of 4 anchors silent");
	assert_contains("12.3 ms  11.0 ms … 15.0 ms     25.0 %");
	assert_contains("international     no answer");
	assert_contains("rare           not measured                     not known");
	assert_contains("100.0 %");
	assert_contains("degraded  5 s  2 of 4 silent");
	assert_contains("disabled");
	assert_lacks("domestic/ipv4"); // the same as domestic
	assert_contains("full (No space left on device), 1.2 MB of 268 MB");
	assert_contains("3 facts, 0 attendance, 120 bulk; 12 in memory; 7 dropped");
	assert_contains("fact 41 of this run");
	assert_contains("broker b.example:8883 not connected: connection refused, next attempt in 4 s");
	assert_contains("2 refused");
	// what cannot be read is said to be unknown, never shown as fine
	assert_contains("temperature not known, power not known");
	assert_contains("storage sd read-only");
	assert_lacks("power fine");
	assert_lacks("\033");
}

static void test_a_line_that_is_fine_needs_no_reason(void **state)
{
	(void)state;
	cJSON *status =
	    parse("{\"clock\":{\"synced\":true,\"t_ms\":1700000000000,\"err_ms\":4},"
		  "\"lines\":[{\"name\":\"main\",\"state\":\"up\",\"cause\":\"none\",\"whose\":\"nobody\","
		  "\"seconds\":10,\"ipv4\":\"up\"}]}");
	sp_show_status(&page, status);
	cJSON_Delete(status);
	assert_contains("clock synchronised, ±4 ms");
	assert_contains("Line main is up since ");
	assert_lacks("because");
}

static void test_an_empty_or_strange_document_is_shown_without_harm(void **state)
{
	(void)state;
	static const char *const texts[] = {"{}", "{\"lines\":7,\"devices\":\"x\",\"journal\":[]}",
					    "{\"lines\":[7,null,{}],\"devices\":[null,{\"samples\":[{}]}]}"};
	for (size_t i = 0; i < SP_COUNT(texts); i++) {
		cJSON *json = parse(texts[i]);
		sp_show_status(&page, json);
		sp_show_outages(&page, json, true);
		sp_show_drivers(&page, json, true);
		sp_show_drivers(&page, json, false);
		cJSON_Delete(json);
	}
	assert_contains("No outage is known.");
}

static void test_outages(void **state)
{
	(void)state;
	cJSON *json =
	    parse("{\"outages\":[{\"line\":\"main\",\"open\":true,\"state\":\"down\",\"cause\":\"isp\","
		  "\"whose\":\"provider\",\"seconds\":61},"
		  "{\"line\":\"main\",\"open\":false,\"state\":\"unknown\",\"cause\":\"gateway\","
		  "\"whose\":\"school\",\"start_t_ms\":1700000000000,\"end_t_ms\":1700000100000}]}");
	sp_show_outages(&page, json, true);
	cJSON_Delete(json);
	assert_contains("clock not known  goes on");
	assert_contains("1 min 1 s  down     nothing beyond the router answers  the provider's");
	assert_contains("?          unknown  the router does not answer         the school's");
	assert_contains("Nov ");
}

static void test_what_stood_behind_an_outage(void **state)
{
	(void)state;
	cJSON *json = parse(
	    "{\"outages\":[{\"line\":\"main\",\"open\":true,\"state\":\"down\",\"cause\":\"isp_core\","
	    "\"whose\":\"provider\",\"seconds\":95,\"start_seconds_ago\":95,"
	    "\"parts\":[{\"cause\":\"isp_core\",\"whose\":\"provider\",\"state\":\"down\",\"seconds\":61},"
	    "{\"cause\":\"cable\",\"whose\":\"school\",\"state\":\"unknown\",\"seconds\":null}],"
	    "\"evidence\":[{\"rung\":\"isp_core\",\"family\":\"ipv4\",\"status\":\"silent\","
	    "\"detail\":\"4 of 4 silent\"},{\"rung\":\"isp_access\",\"family\":\"ipv4\",\"status\":\"ok\","
	    "\"reason\":\"time_exceeded\",\"host\":\"198.51.100.1\",\"detail\":\"unseen\"}]},"
	    "{\"line\":\"main\",\"open\":false,\"state\":\"degraded\",\"cause\":\"dns\","
	    "\"start_t_ms\":1700000000000,\"start_uncertainty_seconds\":4,\"evidence\":[{\"rung\":\"dns\","
	    "\"status\":\"wrong\",\"detail\":\"server failure\"}]}]}");
	sp_show_outages(&page, json, false);
	assert_contains("1 min 35 s ago     goes on");
	assert_contains(" ±4 s");
	assert_contains(
	    "1 min 1 s  down     the provider's first hop answers, domestic hosts do not, the provider's");
	assert_contains("?  unknown  no carrier on the cable, the school's");
	assert_contains("the provider's 1 min 1 s, the school's 34 s");
	assert_contains("domestic   IPv4  silent  4 of 4 silent");
	assert_contains("first hop  IPv4  ok      answered (198.51.100.1)");
	assert_lacks("unseen");
	assert_lacks("server failure");
	sp_buf_reset(&page.text);
	sp_show_outages(&page, json, true);
	cJSON_Delete(json);
	assert_contains("server failure");
}

static void test_drivers(void **state)
{
	(void)state;
	cJSON *json =
	    parse("{\"drivers\":[{\"name\":\"reach\",\"summary\":\"Probes anchors\",\"class\":\"link\","
		  "\"maturity\":\"beta\",\"options\":[{\"key\":\"host\",\"type\":\"text\",\"mandatory\":true,"
		  "\"help\":\"Where\"},{\"key\":\"mode\",\"type\":\"choice\",\"default\":\"a\","
		  "\"choices\":\"a b\",\"help\":\"How\"}],\"metrics\":[{\"name\":\"rtt_seconds\","
		  "\"unit\":\"s\",\"kind\":\"gauge\",\"help\":\"Round trip\"}]}]}");
	sp_show_drivers(&page, json, false);
	assert_contains("reach   link   beta      Probes anchors");
	assert_lacks("rtt_seconds");
	sp_buf_reset(&page.text);
	sp_show_drivers(&page, json, true);
	cJSON_Delete(json);
	assert_contains("host    text    (needed)  Where");
	assert_contains("mode    choice  a         How [a b]");
	assert_contains("rtt_seconds  s     gauge  Round trip");
}

static void test_nobody_there(void **state)
{
	(void)state;
	cJSON *json;
	char why[512];
	assert_int_equal(sp_client_ask("/nowhere/agent.sock", "status", NULL, &json, why), SP_CLIENT_ABSENT);
	assert_null(json);
	assert_non_null(strstr(why, "The agent is not running"));
	char path[300];
	memset(path, 'x', sizeof(path));
	path[299] = '\0';
	assert_int_equal(sp_client_ask(path, "status", NULL, &json, why), SP_CLIENT_ABSENT);
}

static int set_locale(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static void test_budgets(void **state)
{
	(void)state;
	cJSON *json = cJSON_Parse(
	    "{\"budgets\":[{\"line\":\"cáp quang\",\"month\":\"2026-11\",\"used_bytes\":4500000,\"spent\":{"
	    "\"probes\":3000000,\"telemetry\":1500000,\"tests\":0},\"cap_bytes\":5000000,\"left_bytes\":"
	    "500000,"
	    "\"forecast_bytes\":6100000,\"metered\":true,\"frugal\":true,\"exhausted\":false,\"suspended\":["
	    "\"tests\",\"backlog\"]},{\"line\":\"4G\",\"month\":null,\"used_bytes\":10,\"spent\":{},"
	    "\"cap_bytes\":null,\"forecast_bytes\":null,\"suspended\":[]}]}");
	sp_show_budget(&page, json);
	assert_contains("cáp quang  2026-11");
	assert_contains("3.0 MB     1.5 MB    0 B  4.5 MB    5.0 MB      6.1 MB");
	assert_contains("no limit   too early");
	assert_contains("cáp quang: metered; suspended: speed tests, measurements older than two hours");
	assert_contains("cáp quang: frugal");
	assert_lacks("4G: ");
	sp_page_free(&page);
	page = (struct sp_page){.text = SP_BUF(100000)};
	const cJSON *list = cJSON_GetObjectItem(json, "budgets");
	sp_show_budget_line(&page, list, "4G");
	assert_null(page.text.data); // nothing to say without a cap
	sp_show_budget_line(&page, list, "cáp quang");
	assert_string_equal(page.text.data, "  4.5 MB of 5.0 MB used this month\n");
	cJSON_Delete(json);
	sp_page_free(&page);
	page = (struct sp_page){.text = SP_BUF(100000)};
	json = cJSON_Parse("{\"budgets\":7}");
	sp_show_budget(&page, json);
	assert_contains("No line");
	cJSON_Delete(json);
}

static void test_a_speed_test_beside_what_was_bought(void **state)
{
	(void)state;
	cJSON *records = cJSON_Parse(
	    "[{\"line\":\"main\",\"device\":\"neo\",\"method\":\"librespeed\",\"direction\":\"down\","
	    "\"validity\":\"contended\",\"reason\":\"busy\",\"goodput_bps\":93400000,\"interface\":\"eth0\","
	    "\"link_mbps\":1000,\"duplex\":\"full\",\"contract\":{\"provider\":\"VNPT\",\"down_mbps\":100},"
	    "\"cross_traffic\":{\"source\":\"gateway\",\"before_bytes_per_second\":1000,"
	    "\"during_bytes_per_second\":60000},\"idle_rtt\":{\"count\":9,\"median_seconds\":0.003},"
	    "\"loaded_rtt\":{\"count\":9,\"median_seconds\":0.02}},"
	    "{\"line\":\"main\",\"device\":\"neo\\u001b[2J\",\"direction\":\"up\",\"validity\":\"skipped\","
	    "\"reason\":\"budget\"}]");
	sp_show_speedtest(&page, records);
	cJSON_Delete(records);
	assert_contains("Line main (VNPT): neo, librespeed");
	assert_contains("93.4 Mbit/s  of 100 Mbit/s bought (93 %)  contended: others used the line");
	assert_contains("not done: the month's bytes do not allow it");
	assert_contains("3.00 ms without load, 20.0 ms during the download");
	assert_contains("1.0 kB/s before, 60.0 kB/s during (counted by the router)");
	assert_contains("eth0, 1000 Mbit/s, full duplex");
	assert_null(strchr(page.text.data, '\033'));
	sp_page_free(&page);
	page = (struct sp_page){.text = SP_BUF(100000)};
	sp_show_speedtest(&page, NULL);
	assert_contains("Nothing was recorded.");
}

static void test_kiosks(void **state)
{
	(void)state;
	cJSON *json = parse(
	    "{\"allowed\":true,\"publish\":\"counts\",\"kiosks\":[{\"name\":\"cổng "
	    "chính\",\"driver\":\"adms\","
	    "\"model\":\"K40\",\"firmware\":\"Ver "
	    "6.60\",\"state\":\"up\",\"text\":\"\",\"heard_seconds_ago\":12,"
	    "\"event_seconds_ago\":90,\"clock_error_seconds\":-125.2,\"records\":9600,\"capacity\":10000,"
	    "\"users\":431,\"backlog\":7,\"refused\":0,\"accepted\":400,\"known\":12,"
	    "\"today\":{\"date\":\"2026-11-23\",\"accepted\":412,\"known\":12},"
	    "\"totals\":[{\"date\":\"2026-11-22\",\"kiosk\":400,\"taken\":397},"
	    "{\"date\":\"2026-11-21\",\"kiosk\":380,\"taken\":380}]},"
	    "{\"name\":\"thẻ\",\"driver\":\"card_reader\",\"model\":null,\"firmware\":null,\"state\":"
	    "\"down\","
	    "\"text\":\"unplugged\",\"heard_seconds_ago\":null,\"event_seconds_ago\":null,"
	    "\"clock_error_seconds\":null,\"records\":null,\"capacity\":null,\"users\":null,\"backlog\":null,"
	    "\"refused\":3,\"today\":{\"date\":null,\"accepted\":0,\"known\":0},\"totals\":[]}]}");
	sp_show_kiosks(&page, json);
	assert_contains("cổng chính  up     12 s ago");
	assert_contains("2 min 5 s slow");
	assert_contains("9600 of 10000");
	assert_contains("412 (12 sent again)");
	assert_contains("adms, K40, firmware Ver 6.60, 431 persons enrolled");
	assert_contains("2026-11-22: 3 of 400 events are missing here");
	assert_lacks("2026-11-21");
	assert_contains("not heard yet");
	assert_contains("unplugged");
	assert_contains("Leaves the school: counts of persons, none below five");
	cJSON_Delete(json);
	sp_buf_reset(&page.text);
	json = parse("{\"allowed\":false,\"kiosks\":[{\"name\":1,\"today\":[],\"totals\":{\"a\":1},"
		     "\"records\":\"x\"}]}");
	sp_show_kiosks(&page, json);
	assert_contains("legal_basis is not set");
	cJSON_Delete(json);
	sp_buf_reset(&page.text);
	json = parse("{\"kiosks\":7}");
	sp_show_kiosks(&page, json);
	assert_contains("No kiosk is configured.");
	cJSON_Delete(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_widths, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_tables_line_up, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_colours_and_control_characters, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_status_page, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_line_that_is_fine_needs_no_reason, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_an_empty_or_strange_document_is_shown_without_harm, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_outages, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_stood_behind_an_outage, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_budgets, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_kiosks, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_drivers, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_speed_test_beside_what_was_bought, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, set_locale, NULL);
}
