// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Answers to a terminal (adms_reply.h).
#include "adms_reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "civil_time.h"

enum { DAY_S = 24 * 3600 };

static void offset(char out[16], int32_t zone_s)
{
	snprintf(out, 16, "%c%02d:%02d", zone_s < 0 ? '-' : '+', abs(zone_s) / 3600 % 100,
		 abs(zone_s) / 60 % 60);
}

static void zone(char out[16], enum sp_adms_zone_form form, int32_t zone_s)
{
	switch (form) {
	case SP_ADMS_ZONE_OFFSET:
		offset(out, zone_s);
		return;
	case SP_ADMS_ZONE_AUTO:
		if (zone_s % 3600 == 0) {
			snprintf(out, 16, "%d", zone_s / 3600);
			return;
		}
		break;
	case SP_ADMS_ZONE_MINUTES:
		break;
	}
	snprintf(out, 16, "%d", zone_s / 60);
}

static size_t fit(int length)
{
	return length < 0 ? 0 : length >= SP_ADMS_REPLY_MAX ? SP_ADMS_REPLY_MAX - 1 : (size_t)length;
}

size_t sp_adms_reply_handshake(char out[SP_ADMS_REPLY_MAX], const struct sp_adms_terms *terms)
{
	char zone_text[16], version[16];
	const char *attlog = *terms->attlog_stamp ? terms->attlog_stamp : "None";
	const char *operlog = *terms->operlog_stamp ? terms->operlog_stamp : "None";
	zone(zone_text, terms->zone_form, terms->zone_s);
	snprintf(version, sizeof(version), "%u.%u.%u", terms->version / 10000 % 100,
		 terms->version / 100 % 100, terms->version % 100);
	// The names of version 1.0 stand beside the newer ones, which ignore them.
	return fit(snprintf(
	    out, SP_ADMS_REPLY_MAX,
	    "GET OPTION FROM: %.64s\nATTLOGStamp=%.32s\nOPERLOGStamp=%.32s\nATTPHOTOStamp=None\n"
	    "Stamp=%.32s\nOpStamp=%.32s\nPhotoStamp=None\nErrorDelay=%" PRId64 "\nDelay=%" PRId64 "\n"
	    "TransTimes=00:00;14:05\nTransInterval=1\nTransFlag=%sAttLog\tOpLog\nTimeZone=%s\nRealtime=1\n"
	    "Encrypt=None\nServerVer=%s\nPushProtVer=%s\nSupportPing=1\nPushOptionsFlag=1\n"
	    "PushOptions=~DeviceName,FWVersion,UserCount,TransactionCount,~MaxAttLogCount\n",
	    terms->serial, attlog, operlog, attlog, operlog, terms->error_delay_s, terms->delay_s,
	    terms->flag_form == SP_ADMS_FLAG_TRANSDATA ? "TransData " : "", zone_text, version, version));
}

size_t sp_adms_reply_ack(char out[SP_ADMS_REPLY_MAX], enum sp_adms_ack_form form, int64_t count)
{
	switch (form) {
	case SP_ADMS_ACK_COUNT:
		return fit(snprintf(out, SP_ADMS_REPLY_MAX, "OK: %" PRId64, count));
	case SP_ADMS_ACK_TIGHT:
		return fit(snprintf(out, SP_ADMS_REPLY_MAX, "OK:%" PRId64, count));
	case SP_ADMS_ACK_BARE:
		break;
	}
	return fit(snprintf(out, SP_ADMS_REPLY_MAX, "OK"));
}

size_t sp_adms_reply_time(char out[SP_ADMS_REPLY_MAX], int64_t t_ms, int32_t zone_s)
{
	char date[SP_CIVIL_TEXT], zone_text[16];
	struct sp_civil civil = sp_civil_of(t_ms, zone_s);
	sp_civil_print(&civil, date);
	offset(zone_text, zone_s);
	return fit(snprintf(out, SP_ADMS_REPLY_MAX, "Time=%.10sT%s%s", date, date + 11, zone_text));
}

size_t sp_adms_reply_command(char out[SP_ADMS_REPLY_MAX], unsigned id, enum sp_adms_command command,
			     int32_t day)
{
	struct sp_civil civil = sp_civil_of(INT64_C(1000) * DAY_S * day, 0);
	char date[SP_CIVIL_TEXT];
	sp_civil_print(&civil, date);
	date[10] = '\0';
	switch (command) {
	case SP_ADMS_INFO:
		return fit(snprintf(out, SP_ADMS_REPLY_MAX, "C:%u:INFO\n", id));
	case SP_ADMS_CHECK:
		return fit(snprintf(out, SP_ADMS_REPLY_MAX, "C:%u:CHECK\n", id));
	case SP_ADMS_SUM:
		return fit(snprintf(out, SP_ADMS_REPLY_MAX,
				    "C:%u:VERIFY SUM ATTLOG StartTime=%s 00:00:00\tEndTime=%s 23:59:59\n", id,
				    date, date));
	case SP_ADMS_QUERY:
		break;
	}
	return fit(snprintf(out, SP_ADMS_REPLY_MAX,
			    "C:%u:DATA QUERY ATTLOG StartTime=%s 00:00:00\tEndTime=%s 23:59:59\n", id, date,
			    date));
}

bool sp_adms_stamp_good(const char *stamp)
{
	size_t length = strlen(stamp);
	bool zeros = strspn(stamp, "0") == length;
	return length > 0 && length < SP_ADMS_STAMP_MAX && !zeros &&
	       strspn(stamp, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz:+- ") == length;
}
