// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Heads of requests, what terminals say of themselves, and every answer of ours, byte by byte.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/kiosk/adms_info.h"
#include "drivers/kiosk/adms_reply.h"
#include "drivers/kiosk/adms_route.h"
#include "schoolpulse/err.h"

static void paths_of_every_firmware(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum sp_adms_path expected;
	} paths[] = {
	    {"/iclock/cdata", SP_ADMS_CDATA},
	    {"/iclock/cdata/", SP_ADMS_CDATA},
	    {"/iclock/cdata.aspx", SP_ADMS_CDATA},
	    {"/iclock/cdata.aspx/", SP_ADMS_CDATA},
	    {"//ICLOCK//CData.ASPX", SP_ADMS_CDATA},
	    {"/iclock/getrequest", SP_ADMS_GETREQUEST},
	    {"/iclock/devicecmd.aspx", SP_ADMS_DEVICECMD},
	    {"/iclock/ping", SP_ADMS_PING},
	    {"/iclock/test", SP_ADMS_TEST},
	    {"/iclock/fdata", SP_ADMS_FDATA},
	    {"/iclock/exchange", SP_ADMS_EXCHANGE},
	    {"/iclock/registry", SP_ADMS_SECURITY},
	    {"/iclock/push", SP_ADMS_SECURITY},
	    {"/iclock/cdat", SP_ADMS_UNKNOWN},
	    {"/iclock/cdata2", SP_ADMS_UNKNOWN},
	    {"/iclock/cdata/x", SP_ADMS_UNKNOWN},
	    {"/iclock/../cdata", SP_ADMS_UNKNOWN},
	    {"/iclock/.aspx", SP_ADMS_UNKNOWN},
	    {"/iclock/", SP_ADMS_UNKNOWN},
	    {"/iclock", SP_ADMS_ELSEWHERE},
	    {"/iclocks/cdata", SP_ADMS_ELSEWHERE},
	    {"/cdata", SP_ADMS_ELSEWHERE},
	    {"/", SP_ADMS_ELSEWHERE},
	    {"", SP_ADMS_ELSEWHERE},
	    {"iclock/cdata", SP_ADMS_ELSEWHERE},
	};
	for (size_t i = 0; i < SP_COUNT(paths); i++)
		assert_int_equal(sp_adms_path(paths[i].path), paths[i].expected);
}

static void tables_and_versions(void **state)
{
	(void)state;
	assert_int_equal(sp_adms_table(NULL), SP_ADMS_NO_TABLE);
	assert_int_equal(sp_adms_table("attlog"), SP_ADMS_ATTLOG);
	assert_int_equal(sp_adms_table("OPERLOG"), SP_ADMS_OPERLOG);
	assert_int_equal(sp_adms_table("Options"), SP_ADMS_OPTIONS);
	assert_int_equal(sp_adms_table("rtlog"), SP_ADMS_SECURITY_TABLE);
	assert_int_equal(sp_adms_table("ATTPHOTO"), SP_ADMS_OTHER_TABLE);
	assert_int_equal(sp_adms_table("ATTLOG2"), SP_ADMS_OTHER_TABLE);
	assert_int_equal(sp_adms_version("2.4.1"), 20401);
	assert_int_equal(sp_adms_version("2.2.14"), 20214);
	assert_int_equal(sp_adms_version("1.0"), 10000);
	assert_int_equal(sp_adms_version("3.1.2.9"), 30102);
	assert_int_equal(sp_adms_version("2.4.1-beta"), 20401);
	assert_int_equal(sp_adms_version(NULL), SP_ADMS_VERSION_OLD);
	assert_int_equal(sp_adms_version("newest"), SP_ADMS_VERSION_OLD);
	assert_int_equal(sp_adms_version("123456789.1"), SP_ADMS_VERSION_OLD);
	assert_false(sp_adms_is_security("2.4.1", NULL));
	assert_true(sp_adms_is_security("3.0.1", NULL));
	assert_true(sp_adms_is_security("3.0.1", "acc"));
	assert_true(sp_adms_is_security("2.4.1", "ACC_PRO"));
	assert_false(sp_adms_is_security("3.0.1", "att"));
	assert_false(sp_adms_is_security(NULL, ""));
}

static struct sp_adms_terms ordinary(void)
{
	return (struct sp_adms_terms){.serial = "ABC123",
				      .attlog_stamp = "",
				      .operlog_stamp = "",
				      .version = SP_ADMS_VERSION_OURS,
				      .delay_s = 10,
				      .error_delay_s = 60,
				      .zone_s = 7 * 3600};
}

static void the_handshake_line_by_line(void **state)
{
	(void)state;
	char out[SP_ADMS_REPLY_MAX];
	struct sp_adms_terms terms = ordinary();
	static const char expected[] =
	    "GET OPTION FROM: ABC123\nATTLOGStamp=None\nOPERLOGStamp=None\nATTPHOTOStamp=None\nStamp=None\n"
	    "OpStamp=None\nPhotoStamp=None\nErrorDelay=60\nDelay=10\nTransTimes=00:00;14:05\nTransInterval="
	    "1\n"
	    "TransFlag=TransData AttLog\tOpLog\nTimeZone=7\nRealtime=1\nEncrypt=None\nServerVer=2.4.1\n"
	    "PushProtVer=2.4.1\nSupportPing=1\nPushOptionsFlag=1\n"
	    "PushOptions=~DeviceName,FWVersion,UserCount,TransactionCount,~MaxAttLogCount\n";
	assert_int_equal(sp_adms_reply_handshake(out, &terms), sizeof(expected) - 1);
	assert_string_equal(out, expected);
}

static void the_handshakes_overrides(void **state)
{
	(void)state;
	char out[SP_ADMS_REPLY_MAX];
	struct sp_adms_terms terms = ordinary();
	terms.attlog_stamp = "4711";
	terms.operlog_stamp = "9999";
	terms.version = 20214;
	terms.zone_form = SP_ADMS_ZONE_MINUTES;
	terms.flag_form = SP_ADMS_FLAG_BARE;
	sp_adms_reply_handshake(out, &terms);
	assert_non_null(strstr(out, "\nATTLOGStamp=4711\nOPERLOGStamp=9999\n"));
	assert_non_null(strstr(out, "\nStamp=4711\nOpStamp=9999\n"));
	assert_non_null(strstr(out, "\nTransFlag=AttLog\tOpLog\nTimeZone=420\n"));
	assert_non_null(strstr(out, "\nServerVer=2.2.14\n"));
	terms.zone_form = SP_ADMS_ZONE_OFFSET;
	sp_adms_reply_handshake(out, &terms);
	assert_non_null(strstr(out, "\nTimeZone=+07:00\n"));
	terms.zone_s = -19800;
	sp_adms_reply_handshake(out, &terms);
	assert_non_null(strstr(out, "\nTimeZone=-05:30\n"));
	terms.zone_form = SP_ADMS_ZONE_AUTO;
	sp_adms_reply_handshake(out, &terms);
	assert_non_null(strstr(out, "\nTimeZone=-330\n"));
}

static void acknowledgements_time_and_commands(void **state)
{
	(void)state;
	char out[SP_ADMS_REPLY_MAX];
	assert_int_equal(sp_adms_reply_ack(out, SP_ADMS_ACK_COUNT, 128), 7);
	assert_string_equal(out, "OK: 128");
	sp_adms_reply_ack(out, SP_ADMS_ACK_TIGHT, 0);
	assert_string_equal(out, "OK:0");
	sp_adms_reply_ack(out, SP_ADMS_ACK_BARE, 5);
	assert_string_equal(out, "OK");
	sp_adms_reply_time(out, INT64_C(1722836457123), 7 * 3600);
	assert_string_equal(out, "Time=2024-08-05T12:40:57+07:00");
	sp_adms_reply_command(out, 7, SP_ADMS_INFO, 0);
	assert_string_equal(out, "C:7:INFO\n");
	sp_adms_reply_command(out, 8, SP_ADMS_CHECK, 0);
	assert_string_equal(out, "C:8:CHECK\n");
	sp_adms_reply_command(out, 9, SP_ADMS_SUM, 20778);
	assert_string_equal(
	    out, "C:9:VERIFY SUM ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-21 23:59:59\n");
	sp_adms_reply_command(out, 4294967295, SP_ADMS_QUERY, 20778);
	assert_string_equal(
	    out,
	    "C:4294967295:DATA QUERY ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-21 23:59:59\n");
}

static void stamps_that_may_be_echoed(void **state)
{
	(void)state;
	assert_true(sp_adms_stamp_good("9999"));
	assert_true(sp_adms_stamp_good("2026-06-19T09:15:00"));
	assert_true(sp_adms_stamp_good("None"));
	assert_false(sp_adms_stamp_good(""));
	assert_false(sp_adms_stamp_good("0"));
	assert_false(sp_adms_stamp_good("000"));
	assert_false(sp_adms_stamp_good("1\nTransFlag=1111111111"));
	assert_false(sp_adms_stamp_good("123456789012345678901234567890123"));
}

static void what_a_poll_says(void **state)
{
	(void)state;
	struct sp_adms_info info;
	sp_adms_info_clear(&info);
	sp_adms_info_positional(&info, "Ver 2.0.12-20150625,30,12,4711,192.168.16.27,10,7,15,0,111");
	assert_string_equal(info.firmware, "Ver 2.0.12-20150625");
	assert_int_equal(info.users, 30);
	assert_int_equal(info.records, 4711);
	assert_int_equal(info.capacity, -1);
	sp_adms_info_positional(&info, ",,,");
	sp_adms_info_positional(&info, "");
	sp_adms_info_positional(&info, "Ver \x01\xff,many,0,-3");
	assert_string_equal(info.firmware, "Ver ??");
	assert_int_equal(info.users, 30);
	assert_int_equal(info.records, 4711);
}

struct results {
	struct sp_adms_result results[8];
	size_t count;
};

static void on_result(const struct sp_adms_result *result, void *arg)
{
	struct results *results = arg;
	assert_true(results->count < SP_COUNT(results->results));
	results->results[results->count++] = *result;
}

static struct results pairs(struct sp_adms_info *info, const char *text)
{
	struct results results = {.count = 0};
	sp_adms_info_clear(info);
	size_t count = sp_adms_info_pairs(info, text, strlen(text), on_result, &results);
	assert_int_equal(count, results.count);
	return results;
}

static void what_options_say(void **state)
{
	(void)state;
	struct sp_adms_info info;
	struct results results = pairs(
	    &info, "~DeviceName=MB360/ID,MAC=00:17:61:00:00:00,TransactionCount=128,~MaxAttLogCount=10,"
		   "UserCount=143,~OEMVendor= X Inc. ,FWVersion=Ver 8.0.4.2-I113-02,IPAddress=10.0.0.9");
	assert_int_equal(results.count, 0);
	assert_string_equal(info.model, "MB360/ID");
	assert_string_equal(info.firmware, "Ver 8.0.4.2-I113-02");
	assert_int_equal(info.records, 128);
	assert_int_equal(info.capacity, 100000);
	assert_int_equal(info.users, 143);
	pairs(&info, "MaxAttLogCount=200000\r\nUserCount=\r\n");
	assert_int_equal(info.capacity, 200000);
	assert_int_equal(info.users, -1);
}

static void results_of_commands(void **state)
{
	(void)state;
	struct sp_adms_info info;
	struct results results = pairs(&info, "ID=11&Return=0&CMD=INFO\nFWVersion=Ver 6.60\nUserCount=3\n");
	assert_int_equal(results.count, 1);
	assert_int_equal(results.results[0].id, 11);
	assert_int_equal(results.results[0].result, 0);
	assert_int_equal(results.results[0].sum, -1);
	assert_string_equal(info.firmware, "Ver 6.60");
	results = pairs(&info,
			"ID=12&Return=0&CMD=VERIFY SUM&StartTime=2026-11-21 00:00:00&EndTime=2026-11-21 "
			"23:59:59&AttlogSum=311\nID=13&Return=-1002&CMD=DATA\nID=14\r\nSN=A\r\nReturn=2\r\n");
	assert_int_equal(results.count, 3);
	assert_int_equal(results.results[0].sum, 311);
	assert_int_equal(results.results[1].id, 13);
	assert_int_equal(results.results[1].result, -1002);
	assert_int_equal(results.results[1].sum, -1);
	assert_int_equal(results.results[2].result, 2);
	results =
	    pairs(&info, "ID=abc&Return=0\nID=-1\nID=99999999999\nReturn=0\nID=15&Return=x\nfoo\n====\n");
	assert_int_equal(results.count, 1);
	assert_true(results.results[0].result == INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_of_every_firmware),
	    cmocka_unit_test(tables_and_versions),
	    cmocka_unit_test(the_handshake_line_by_line),
	    cmocka_unit_test(the_handshakes_overrides),
	    cmocka_unit_test(acknowledgements_time_and_commands),
	    cmocka_unit_test(stamps_that_may_be_echoed),
	    cmocka_unit_test(what_a_poll_says),
	    cmocka_unit_test(what_options_say),
	    cmocka_unit_test(results_of_commands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
