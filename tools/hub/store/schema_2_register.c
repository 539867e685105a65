// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Schema step 2: areas as trees, schools, sites, lines, boards and their moves over time, when school is
// held, and what schools own. tools/hub/register/README.md says what the columns mean.
#include "tools/hub/store/register_priv.h"

#define SPAN "from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL"
#define DAYS "from_day BIGINT NOT NULL, to_day BIGINT NOT NULL"
#define OPEN "9223372036854775807"

static const char areas[] =
    "CREATE TABLE area(id {ID}, tree TEXT NOT NULL, code TEXT NOT NULL, parent BIGINT, name TEXT NOT NULL,"
    " kind TEXT NOT NULL, path TEXT NOT NULL, UNIQUE(tree, code));"

    "CREATE TABLE area_state(tree TEXT NOT NULL, code TEXT NOT NULL, " SPAN ", parent TEXT NOT NULL,"
    " name TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY(tree, code, from_ms)) {KEYED};"

    "CREATE TABLE area_path(area BIGINT NOT NULL, ancestor BIGINT NOT NULL, " SPAN ","
    " PRIMARY KEY(area, ancestor, from_ms)) {KEYED};"
    "CREATE INDEX area_path_below ON area_path(ancestor, area);"

    "CREATE TABLE tree(name TEXT PRIMARY KEY, rank BIGINT NOT NULL) {KEYED};";

static const char places[] =
    "CREATE TABLE school(code TEXT PRIMARY KEY) {KEYED};"

    "CREATE TABLE school_state(school TEXT NOT NULL, " SPAN ", name TEXT NOT NULL, kind TEXT NOT NULL,"
    " zone TEXT NOT NULL, pupils BIGINT, PRIMARY KEY(school, from_ms)) {KEYED};"

    "CREATE TABLE school_area(school TEXT NOT NULL, tree TEXT NOT NULL, " SPAN ", area BIGINT NOT NULL,"
    " PRIMARY KEY(school, tree, from_ms)) {KEYED};"
    "CREATE INDEX school_area_area ON school_area(area, school);"

    "CREATE TABLE site_state(school TEXT NOT NULL, site TEXT NOT NULL, " SPAN ", name TEXT NOT NULL,"
    " main INTEGER NOT NULL, zone TEXT NOT NULL, timetable TEXT NOT NULL, lat DOUBLE PRECISION,"
    " lon DOUBLE PRECISION, PRIMARY KEY(school, site, from_ms)) {KEYED};"

    "CREATE TABLE line_state(school TEXT NOT NULL, site TEXT NOT NULL, line TEXT NOT NULL, " SPAN ","
    " provider TEXT NOT NULL, plan TEXT NOT NULL, contract_no TEXT NOT NULL, medium TEXT NOT NULL,"
    " medium_evidence TEXT NOT NULL, down_mbps DOUBLE PRECISION, up_mbps DOUBLE PRECISION,"
    " PRIMARY KEY(school, site, line, from_ms)) {KEYED};"

    "CREATE TABLE placement(device TEXT NOT NULL, board_line TEXT NOT NULL, " SPAN ", school TEXT NOT NULL,"
    " site TEXT NOT NULL, line TEXT NOT NULL, shard TEXT NOT NULL,"
    " PRIMARY KEY(device, board_line, from_ms)) {KEYED};"
    "CREATE INDEX placement_place ON placement(school, site, line, from_ms);";

static const char times[] =
    "CREATE TABLE timetable(name TEXT NOT NULL, kind TEXT NOT NULL, week TEXT NOT NULL, " DAYS ","
    " PRIMARY KEY(name, kind, week, from_day)) {KEYED};"

    "CREATE TABLE holiday(scope TEXT NOT NULL, code TEXT NOT NULL, site TEXT NOT NULL, kind TEXT NOT NULL,"
    " name TEXT NOT NULL, " DAYS ", PRIMARY KEY(scope, code, site, kind, name, from_day)) {KEYED};"

    "CREATE TABLE exam(scope TEXT NOT NULL, code TEXT NOT NULL, site TEXT NOT NULL, name TEXT NOT NULL, " SPAN
    ", PRIMARY KEY(scope, code, site, name, from_ms)) {KEYED};"

    "CREATE TABLE maintenance(scope TEXT NOT NULL, code TEXT NOT NULL, site TEXT NOT NULL,"
    " reason TEXT NOT NULL, " SPAN ", PRIMARY KEY(scope, code, site, reason, from_ms)) {KEYED};";

static const char things[] =
    "CREATE TABLE declared(school TEXT NOT NULL, category TEXT NOT NULL, " DAYS ", count BIGINT NOT NULL,"
    " PRIMARY KEY(school, category, from_day)) {KEYED};"

    "CREATE TABLE asset(school TEXT NOT NULL, asset TEXT NOT NULL, " DAYS ", category TEXT NOT NULL,"
    " model TEXT NOT NULL, serial TEXT NOT NULL, room TEXT NOT NULL, complete INTEGER NOT NULL,"
    " PRIMARY KEY(school, asset, from_day)) {KEYED};"

    "CREATE TABLE register_change(id {ID}, at_ms BIGINT NOT NULL, from_ms BIGINT NOT NULL,"
    " school TEXT NOT NULL);";

// The flat register and what it remembered of boards. What is said of a line for the first time holds for all
// time before, too. Areas are paths there: sp_register_carry() makes a tree of them.
static const char carry[] =
    "INSERT INTO school(code) SELECT DISTINCT school FROM register;"

    "INSERT INTO school_state(school, from_ms, to_ms, name, kind, zone)"
    " SELECT school, 0, " OPEN ", min(school_name), '', '' FROM register GROUP BY school;"

    "INSERT INTO site_state(school, site, from_ms, to_ms, name, main, zone, timetable)"
    " SELECT school, site, 0, " OPEN ", min(site_name), 0, min(zone), min(timetable) FROM register"
    " GROUP BY school, site;"

    "INSERT INTO placement(device, board_line, from_ms, to_ms, school, site, line, shard)"
    " SELECT h.device, h.line, h.from_ms, h.to_ms, h.school, h.site, h.line, coalesce(d.shard, '') FROM"
    " (SELECT device, line, from_ms, school, site, coalesce(lead(from_ms) OVER (PARTITION BY device, line"
    " ORDER BY from_ms), " OPEN ") AS to_ms FROM register_history) h LEFT JOIN device d ON d.name = h.device"
    " WHERE h.school IS NOT NULL;"
    "UPDATE placement SET shard = (SELECT min(r.shard) FROM register r WHERE r.device = placement.device)"
    " WHERE EXISTS(SELECT 1 FROM register r WHERE r.device = placement.device);"

    "INSERT INTO line_state(school, site, line, from_ms, to_ms, provider, plan, contract_no, medium,"
    " medium_evidence, down_mbps, up_mbps) SELECT school, site, line, from_ms, to_ms, coalesce(provider, ''),"
    " coalesce(contract, ''), '', '', '', down_mbps, up_mbps FROM (SELECT h.*, coalesce(lead(from_ms) OVER"
    " (PARTITION BY school, site, line ORDER BY from_ms), " OPEN ") AS to_ms FROM (SELECT school, site, line,"
    " from_ms, min(provider) AS provider, min(contract) AS contract, min(down_mbps) AS down_mbps,"
    " min(up_mbps) AS up_mbps FROM register_history WHERE school IS NOT NULL GROUP BY school, site, line,"
    " from_ms) h) s;"
    "INSERT INTO line_state(school, site, line, from_ms, to_ms, provider, plan, contract_no, medium,"
    " medium_evidence, down_mbps, up_mbps) SELECT school, site, line, 0, " OPEN
    ", provider, contract, '', '',"
    " '', down_mbps, up_mbps FROM register r WHERE NOT EXISTS(SELECT 1 FROM line_state l WHERE"
    " l.school = r.school AND l.site = r.site AND l.line = r.line);"
    // Lines that are in no register any more ended with their boards.
    "UPDATE line_state SET to_ms = (SELECT coalesce(max(p.to_ms), line_state.from_ms + 1) FROM placement p"
    " WHERE p.school = line_state.school AND p.site = line_state.site AND p.line = line_state.line AND"
    " p.to_ms < " OPEN " AND p.to_ms > line_state.from_ms) WHERE to_ms = " OPEN
    " AND NOT EXISTS(SELECT 1 FROM register r WHERE"
    " r.school = line_state.school AND r.site = line_state.site AND r.line = line_state.line);"

    "DROP TABLE register_history;";

static const char *const up[] = {areas, places, times, things, carry, NULL};

static const char back[] =
    "CREATE TABLE register_history(device TEXT NOT NULL, line TEXT NOT NULL, from_ms BIGINT NOT NULL,"
    " school TEXT, site TEXT, provider TEXT, contract TEXT, down_mbps DOUBLE PRECISION,"
    " up_mbps DOUBLE PRECISION, PRIMARY KEY(device, line, from_ms)) {KEYED};"
    "CREATE INDEX register_history_place ON register_history(school, site);"

    "INSERT INTO register_history SELECT p.device, p.board_line, greatest(p.from_ms, l.from_ms), p.school,"
    " p.site, l.provider, l.plan, l.down_mbps, l.up_mbps FROM placement p JOIN line_state l ON"
    " l.school = p.school AND l.site = p.site AND l.line = p.line AND l.from_ms < p.to_ms AND"
    " l.to_ms > p.from_ms;"
    "INSERT INTO register_history(device, line, from_ms) SELECT p.device, p.board_line, p.to_ms FROM"
    " placement p WHERE p.to_ms < " OPEN " AND NOT EXISTS(SELECT 1 FROM register_history h WHERE"
    " h.device = p.device AND h.line = p.board_line AND h.from_ms = p.to_ms);";

static const char *const down[] = {
    back,
    "DROP TABLE register_change;"
    "DROP TABLE asset;"
    "DROP TABLE declared;"
    "DROP TABLE maintenance;"
    "DROP TABLE exam;"
    "DROP TABLE holiday;"
    "DROP TABLE timetable;"
    "DROP TABLE placement;"
    "DROP TABLE line_state;"
    "DROP TABLE site_state;"
    "DROP TABLE school_area;"
    "DROP TABLE school_state;"
    "DROP TABLE school;"
    "DROP TABLE tree;"
    "DROP TABLE area_path;"
    "DROP TABLE area_state;"
    "DROP TABLE area;",
    NULL,
};

const struct sp_schema_step sp_schema_2_register = {
    .name = "register",
    .up = up,
    .down = down,
    .fill = sp_register_carry,
    .loses = "SELECT (SELECT count(*) FROM school_state WHERE to_ms < " OPEN ")"
	     " + (SELECT count(*) FROM site_state WHERE to_ms < " OPEN ")"
	     " + (SELECT count(*) FROM area WHERE tree <> 'register') + (SELECT count(*) FROM timetable)"
	     " + (SELECT count(*) FROM holiday) + (SELECT count(*) FROM exam) + (SELECT count(*) FROM"
	     " maintenance) + (SELECT count(*) FROM declared) + (SELECT count(*) FROM asset)",
    .lost = "rows of areas, calendars, inventories, and of how schools and sites were before",
};
