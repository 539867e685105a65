// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Thirty boards of two communes at a hub's store.
#include "tests/unit/hub/incident_hub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hub hub;
struct sp_incident_rules incidents;

/// Two communes of one district; every third school has another provider.
void fill_register(void)
{
	char *text = sp_strdup("school,school_name,site,line,area,provider,device,shard\n");
	for (int i = 0; i < BOARDS; i++) {
		char *more = sp_asprintf("%s%d,T%d,chinh,main,X/H/%s,%s,board-%d,north\n", text, i, i,
					 i < BOARDS / 2 ? "A" : "B", i % 3 == 2 ? "two" : "one", i);
		free(text);
		text = more;
	}
	register_csv(&hub, text);
	free(text);
}

int incident_set_up(void **state)
{
	(void)state;
	hub_open(&hub);
	incidents = sp_incident_rules_default();
	fill_register();
	return 0;
}

int incident_tear_down(void **state)
{
	(void)state;
	hub_close(&hub);
	return 0;
}

void look(int64_t now_ms)
{
	const struct sp_upkeep_rules rules = {400, 30, .incidents = &incidents};
	int more = 1;
	for (int i = 0; i < 100 && more; i++) {
		more = sp_store_upkeep(hub.store, &rules, now_ms + 10000);
		assert_true(more >= 0);
	}
	assert_int_equal(more, 0);
}

/// 26 letters that tell a board and what the stream is for.
const char *name_of(int board, char what)
{
	static char names[4][32];
	static int next;
	char *name = names[next++ % 4];
	snprintf(name, 32, "%caaaaaaaaaaaaaaaaaaaaaaa%c%c", what, 'a' + board / 26, 'a' + board % 26);
	return name;
}

const char *board_name(int board)
{
	static char name[16];
	snprintf(name, sizeof(name), "board-%d", board);
	return name;
}

void birth(int board, const char *session, const char *boot, int64_t at_ms)
{
	hub.now_ms = at_ms;
	BORN(&hub, .device = board_name(board), .session = session, .boot = boot, .mono_us = 10 * SEC_US,
	     .synced = true, .t_ms = at_ms - 50);
}

void lose(int board, const char *session, int64_t at_ms)
{
	hub.now_ms = at_ms;
	BORN(&hub, .device = board_name(board), .session = session, .presence = SP_FEED_LOST);
}

/// One fact, made at `t_ms` and heard at `heard_ms`.
void tell(int board, char what, int64_t t_ms, int64_t heard_ms, const char *format, ...)
{
	char members[768], text[1536];
	va_list args;
	va_start(args, format);
	vsnprintf(members, sizeof(members), format, args);
	va_end(args);
	snprintf(text, sizeof(text),
		 "[{\"seq\":1,\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64
		 ",\"err_ms\":10,\"type\":\"opened\",\"class\":\"facts\",\"prev\":null},"
		 "{\"seq\":2,\"mono_us\":%" PRId64 ",\"t_ms\":%" PRId64 ",\"err_ms\":10,%s}]",
		 (t_ms - NOW_MS + HOUR_MS) * 1000, t_ms, (t_ms - NOW_MS + HOUR_MS) * 1000, t_ms, members);
	hub.now_ms = heard_ms;
	DELIVER(&hub, .device = board_name(board), .stream = name_of(board, what), .first = 1, .last = 2,
		.records = text, .digest = "11111111111111111111111111111111",
		.clk_mono_us = (heard_ms - NOW_MS + HOUR_MS) * 1000, .synced = true, .clk_t_ms = heard_ms,
		.clk_err_ms = 10);
}

void tell_outage(int board, char what, int64_t from_ms, int64_t to_ms, int64_t heard_ms)
{
	tell(board, what, to_ms, heard_ms,
	     "\"type\":\"outage\",\"device\":\"main\",\"outage\":\"o%c%d\",\"phase\":\"close\",\"state\":"
	     "\"down\","
	     "\"cause\":\"isp_access\",\"whose\":\"provider\",\"start_t_ms\":%" PRId64
	     ",\"end_t_ms\":%" PRId64,
	     what, board, from_ms, to_ms);
}

// ---- what is found -----------------------------------------------------------------------------------

static void on_incident(void *arg, const struct sp_incident_view *view)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);
	snprintf(seen->text + used, sizeof(seen->text) - used,
		 "%s%s %s%s%s%s %" PRId64 "/%" PRId64 " %" PRId64 " away", used ? "; " : "", view->cause,
		 view->scope, view->provider[0] ? " " : "", view->provider[0] ? view->provider : " ",
		 view->area, view->boards, view->of_boards, view->away);
	seen->ids[seen->count] = view->id;
	seen->found_ms[seen->count] = view->found_ms;
	seen->from_ms[seen->count] = view->from_ms;
	seen->to_ms[seen->count++] = view->to_ms;
}

struct seen found(void)
{
	const struct sp_incident_filter filter = {.id = -1, .to_ms = INT64_MAX, .limit = 8};
	struct seen seen = {0};
	assert_int_equal(sp_store_read_begin(hub.store, hub.now_ms), 0);
	assert_int_equal(sp_store_incidents(hub.store, &filter, on_incident, &seen), 0);
	sp_store_read_end(hub.store);
	return seen;
}
