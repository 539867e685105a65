// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A board with a kiosk, and a school with pupils, for tests of attendance.
#pragma once

#include "tests/unit/hub/hub_util.h"

#include <stdio.h>
#include <string.h>

#define MIN_MS INT64_C(60000)
#define DAY_MS (24 * HOUR_MS)
/// The day of NOW_MS, a Saturday, at UTC+7.
#define MIDNIGHT (NOW_MS - 10 * HOUR_MS)
/// When BOOT_1 began.
#define BEGAN_MS (NOW_MS - 4 * HOUR_MS)
#define TODAY    INT64_C(20778)

#define SCHOOLS  "school,school_name,site,line,device,shard,timetable\n"
#define SCHOOL_A SCHOOLS "1,Trường A,chinh,main,board-1,north,mon-sat 07:00-11:00\n"

/// 32 hexadecimal digits that begin with a letter and hold a number.
static inline const char *pseudonym(char letter, int number, char out[33])
{
	snprintf(out, 33, "%c%031x", letter, (unsigned)number * 2654435761u);
	return out;
}

struct punches {
	struct sp_buf text;
	int64_t first, seq;
};

static inline void punches_begin(struct punches *p, int64_t first)
{
	*p = (struct punches){.text = SP_BUF(SP_FEED_INFLATED_MAX), .first = first, .seq = first};
	sp_buf_text(&p->text, "[");
}

/// Event `event` of person `person` at `t_ms`; `more`: further members, each with a comma before it.
static inline void punches_add(struct punches *p, const char *kiosk, int event, int person, int64_t t_ms,
			       const char *more)
{
	char id[33], who[33];
	sp_buf_printf(
	    &p->text,
	    "%s{\"seq\":%lld,\"type\":\"punch\",\"device\":\"%s\",\"mono_us\":%lld,\"event\":\"%s\","
	    "\"person\":"
	    "\"%s\",\"person_kind\":\"pin\",\"method\":\"finger\",\"gate\":\"\",\"number\":null,\"mark\":"
	    "\"live\",\"correction\":\"none\",\"corrected_t_ms\":%lld,\"kiosk_t_ms\":%lld,\"kiosk_time\":"
	    "\"2026-11-21T06:00:00\"%s}",
	    p->seq == p->first ? "" : ",", (long long)p->seq, kiosk, (long long)(p->seq * 1000000),
	    pseudonym('e', event, id), pseudonym('a', person, who), (long long)t_ms, (long long)t_ms, more);
	p->seq++;
}

static inline void forgotten_add(struct punches *p)
{
	sp_buf_printf(&p->text, "%s{\"seq\":%lld,\"type\":\"forgotten\",\"mono_us\":0}",
		      p->seq == p->first ? "" : ",", (long long)p->seq);
	p->seq++;
}

/// The envelope as one of a board that knows the time; of `e` what it names.
static inline enum sp_verdict punches_send(struct hub *hub, struct punches *p, struct envelope e)
{
	sp_buf_text(&p->text, "]");
	e.cls = SP_RECORD_ATTENDANCE;
	e.first = p->first;
	e.last = p->seq - 1;
	e.records = p->text.data;
	e.synced = true;
	e.clk_t_ms = hub->now_ms;
	e.clk_err_ms = 10;
	e.clk_mono_us = (hub->now_ms - BEGAN_MS) * 1000;
	e.mono_us = 1000000;
	enum sp_verdict verdict = deliver(hub, e);
	sp_buf_free(&p->text);
	return verdict;
}
#define SEND(hub, p, ...) punches_send((hub), (p), (struct envelope){__VA_ARGS__})
