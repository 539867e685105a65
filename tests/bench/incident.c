// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What a look for regional incidents costs in a country of boards: processor time of this process and wall
// time (which has the server's, too), as nothing happens but a mark, and as thousands of boards of one
// provider fall silent together and come back. The rows are written as the store's own tables have them.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "schoolpulse/clock.h"
#include "tools/hub/db/db.h"
#include "tools/hub/store/store_priv.h"

enum { PROVINCES = 34, COMMUNES = 100, LOST = 5000, LOOKS = 20, PROVIDERS = 8 };
#define MINUTE_MS INT64_C(60000)
#define NOW_MS    INT64_C(1795230000000)

static struct sp_db *db;
static struct sp_store *store;
static struct sp_incident_rules rules;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s (%s)\n", what, strerror(-result), db ? sp_db_error(db) : "");
	exit(1);
}

static struct sp_bulk *open_bulk(const char *table, const char *columns)
{
	struct sp_bulk *bulk = NULL;
	check(sp_bulk_open(db, table, columns, &bulk), table);
	return bulk;
}

#define ADD(bulk, ...)                                                                           \
	check(sp_bulk_add((bulk), (const struct sp_arg[]){__VA_ARGS__},                          \
			  sizeof((const struct sp_arg[]){__VA_ARGS__}) / sizeof(struct sp_arg)), \
	      "a row")

static void done(struct sp_bulk *bulk)
{
	check(sp_bulk_flush(bulk), "rows");
	sp_bulk_close(bulk);
}

static void make_register(int boards)
{
	struct sp_bulk *line =
	    open_bulk("line_state", "school, site, line, from_ms, to_ms, provider, plan, contract_no,"
				    " medium, medium_evidence, down_mbps, up_mbps");
	struct sp_bulk *area = open_bulk("area", "id, tree, code, name, kind, path");
	struct sp_bulk *of = open_bulk("school_area", "school, tree, from_ms, to_ms, area");
	struct sp_bulk *place =
	    open_bulk("placement", "device, board_line, from_ms, to_ms, school, site, line, shard");
	struct sp_bulk *device =
	    open_bulk("device", "id, name, shard, first_heard_ms, last_heard_ms, presence, presence_ms");
	struct sp_bulk *hop = open_bulk("line_hop", "device, line, t_ms, stream, seq, hop");
	char code[16], text[64];
	for (int i = 0; i < PROVINCES * COMMUNES; i++) {
		snprintf(code, sizeof(code), "%d", i);
		snprintf(text, sizeof(text), "Province %d/Commune %d", i / COMMUNES, i);
		ADD(area, I(i + 1), T("2025"), T(code), T(code), T("commune"), T(text));
	}
	for (int i = 0; i < boards; i++) {
		static const char *const providers[] = {"VNPT", "Viettel", "FPT", "D", "E", "F", "G", "H"};
		int commune = (int)((int64_t)i * PROVINCES * COMMUNES / boards);
		snprintf(code, sizeof(code), "%07d", i);
		snprintf(text, sizeof(text), "203.0.%d.%d", commune / 250, commune % 250);
		ADD(of, T(code), T("2025"), I(0), I(INT64_MAX), I(commune + 1));
		ADD(line, T(code), T("chinh"), T("main"), I(0), I(INT64_MAX), T(providers[i % PROVIDERS]),
		    T("F100"), T(""), T("fibre"), T("contract"), R(100), R(100));
		ADD(place, T(code), T("main"), I(0), I(INT64_MAX), T(code), T("chinh"), T("main"), T("s1"));
		ADD(device, I(i + 1), T(code), T("s1"), I(NOW_MS - 1000 * MINUTE_MS), I(NOW_MS),
		    I(SP_PRESENCE_ONLINE), I(NOW_MS - 1000 * MINUTE_MS));
		for (int k = 0; k < 2; k++)
			ADD(hop, I(i + 1), T("main"), I(NOW_MS - (900 - k) * MINUTE_MS), I(1), I(k), T(text));
	}
	done(line);
	done(area);
	done(of);
	done(place);
	done(device);
	done(hop);
}

static double cpu(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec * 1e3 + (double)usage.ru_utime.tv_usec / 1e3;
}

static double wall(void)
{
	return (double)sp_clock_mono_us() / 1e3;
}

/// Everything that is marked is looked at, from 5 s after the last look on.
static void look(int64_t now_ms)
{
	int more;
	while ((more = sp_incident_step(store, &rules, now_ms)) > 0)
		;
	if (more < 0)
		fprintf(stderr, "%s\n", sp_store_error(store));
	check(more, "a look");
}

static void mark(int64_t at_ms)
{
	check(SQL_DO(db, "INSERT INTO incident_dirty(from_ms, to_ms) VALUES(?, ?)", I(at_ms - MINUTE_MS),
		     I(at_ms)),
	      "a mark");
}

static void tell(const char *what, double cpu_ms, double wall_ms, int looks)
{
	int64_t incidents = 0, members = 0;
	check(SQL_GET(db, &incidents, "SELECT count(*) FROM incident"), "incidents");
	check(SQL_GET(db, &members, "SELECT count(*) FROM incident_member"), "members");
	printf("%-40s %7.1f ms of user CPU, %7.1f ms a look; %" PRId64 " incidents, %" PRId64 " members\n",
	       what, cpu_ms / looks, wall_ms / looks, incidents, members);
}

static int64_t quiet(const char *what, int64_t now_ms, int looks)
{
	double cpu_ms = cpu(), wall_ms = wall();
	for (int i = 0; i < looks; i++, now_ms += 10000) {
		mark(now_ms);
		look(now_ms);
	}
	tell(what, cpu() - cpu_ms, wall() - wall_ms, looks);
	return now_ms;
}

/// One step of `count` boards of the first provider, from `first` on.
static void lose(int first, int count, int64_t now_ms)
{
	check(sp_db_begin(db), "begin");
	for (int i = first; i < first + count; i++) {
		check(SQL_DO(db, "UPDATE device SET presence = ?, presence_ms = ? WHERE id = ?",
			     I(SP_PRESENCE_LOST), I(now_ms), I(PROVIDERS * i + 1)),
		      "a board");
		check(SQL_DO(db, "INSERT INTO absence(device, lost_ms, heard_ms) VALUES(?, ?, ?)",
			     I(PROVIDERS * i + 1), I(now_ms), I(now_ms - 90000)),
		      "an absence");
	}
	mark(now_ms);
	check(sp_db_commit(db), "commit");
}

static void come_back(int first, int count, int64_t now_ms)
{
	check(sp_db_begin(db), "begin");
	for (int i = first; i < first + count; i++) {
		check(SQL_DO(db, "UPDATE device SET presence = 1, last_heard_ms = ? WHERE id = ?", I(now_ms),
			     I(PROVIDERS * i + 1)),
		      "a board");
		check(SQL_DO(db, "UPDATE absence SET back_ms = ? WHERE device = ?", I(now_ms),
			     I(PROVIDERS * i + 1)),
		      "an absence");
		check(SQL_DO(db, "INSERT INTO line_hop VALUES(?, 'main', ?, 2, 1, '203.0.113.1')",
			     I(PROVIDERS * i + 1), I(now_ms)),
		      "a hop");
	}
	check(SQL_DO(db, "INSERT INTO incident_dirty(from_ms, to_ms) VALUES(?, ?)",
		     I(now_ms - 30 * MINUTE_MS), I(now_ms)),
	      "a mark");
	check(sp_db_commit(db), "commit");
}

static int64_t in_steps(const char *what, void (*act)(int first, int count, int64_t now_ms), int lost,
			int64_t now_ms)
{
	double cpu_ms = 0, wall_ms = 0;
	for (int i = 0; i < LOOKS; i++, now_ms += 5000) {
		act(i * lost / LOOKS, lost / LOOKS, now_ms);
		double cpu_from = cpu(), wall_from = wall();
		look(now_ms + 10);
		cpu_ms += cpu() - cpu_from;
		wall_ms += wall() - wall_from;
	}
	tell(what, cpu_ms, wall_ms, LOOKS);
	return now_ms;
}

int main(int argc, char **argv)
{
	char why[256];
	if (argc != 3) {
		fprintf(stderr, "usage: %s DATABASE BOARDS\n", argv[0]);
		return 2;
	}
	int boards = atoi(argv[2]), lost = boards / PROVIDERS < LOST ? boards / PROVIDERS : LOST;
	check(sp_store_open(&store, argv[1], SP_STORE_WRITE, why), why);
	check(sp_db_open(&db, argv[1], SP_DB_WRITE, why), why);
	check(sp_db_begin(db), "begin");
	make_register(boards);
	check(sp_db_commit(db), "commit");
	if (sp_db_kind(db) == SP_DB_POSTGRES)
		check(sp_sql_script(db, "ANALYZE"), "ANALYZE");
	check(sp_store_begin(store, NOW_MS), "begin");
	check(sp_store_epoch(store, "eeeeeeeeeeeeeeeeeeeeeeeeee"), "epoch");
	check(sp_store_commit(store), "commit");
	rules = sp_incident_rules_default();
	printf("%d boards\n", boards);
	int64_t now_ms = quiet("the first look", NOW_MS, 1);
	now_ms = quiet("a quiet look", now_ms, LOOKS);
	printf("%d boards of one provider, in %d steps:\n", lost, LOOKS);
	now_ms = in_steps("a look as they fall silent", lose, lost, now_ms + MINUTE_MS);
	now_ms = quiet("a look while they are away", now_ms + MINUTE_MS, LOOKS);
	in_steps("a look as they come back by another hop", come_back, lost, now_ms + 10 * MINUTE_MS);
	sp_store_close(store);
	sp_db_close(db);
	return 0;
}
